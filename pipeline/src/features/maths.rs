//! The arithmetic of features. Each function answers none for what cannot be computed: a zero is a value (incident
//! 71), nothing is not.

/// Arithmetic mean.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Population standard deviation.
pub(crate) fn std_dev(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    Some(variance.sqrt())
}

/// Median; the mean of the two middle values when their number is even.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n % 2 {
        _ if n == 0 => None,
        1 => Some(values[n / 2]),
        _ => Some((values[n / 2 - 1] + values[n / 2]) / 2.0),
    }
}

/// Slope of the least-squares line through values at 0, 1, 2 …; none below two values.
pub(crate) fn slope(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let middle = (values.len() - 1) as f64 / 2.0;
    let (mut above, mut below) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let x = at as f64 - middle;
        above += x * value;
        below += x * x;
    }
    Some(above / below)
}

/// A difference in steps: 2 from `large` on, 1 from `small` on, 0, and the same below zero.
pub(crate) fn steps(difference: f64, small: f64, large: f64) -> f64 {
    let size = match difference.abs() {
        size if size >= large => 2.0,
        size if size >= small => 1.0,
        _ => return 0.0,
    };
    if difference < 0.0 { -size } else { size }
}

/// The last `n` values, or all of them.
pub(crate) fn last<T>(values: &[T], n: usize) -> &[T] {
    &values[values.len().saturating_sub(n)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[0.0, 0.0]), Some(0.0));
        assert_eq!(std_dev(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), Some(2.0));
        assert_eq!(std_dev(&[7.0]), Some(0.0));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
        assert_eq!(slope(&[1.0, 3.0, 5.0, 7.0]), Some(2.0));
        assert_eq!(slope(&[5.0]), None);
        for (difference, wanted) in [(5.0, 2.0), (4.9, 1.0), (1.9, 0.0), (-2.0, -1.0), (-7.0, -2.0)] {
            assert_eq!(steps(difference, 2.0, 5.0), wanted, "{difference}");
        }
        assert_eq!(last(&[1, 2, 3], 2), &[2, 3]);
        assert_eq!(last(&[1], 5), &[1]);
    }
}
