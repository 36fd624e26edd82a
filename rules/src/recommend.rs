//! One recommendation rule for everybody (the predecessor had five, and 75 rows that contradicted their sign).

use proto::{Line, Recommendation};

/// When a margin is worth acting on.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecommendPolicy {
    /// |margin| from here on is OVER or UNDER, below it PASS.
    pub threshold: f64,
    /// A model card's own, higher threshold: between both it is HOLD.
    pub hold_below: Option<f64>,
}

impl Default for RecommendPolicy {
    fn default() -> Self {
        Self { threshold: 1.0, hold_below: None }
    }
}

impl RecommendPolicy {
    /// The policy as text for the fingerprint of a job's inputs.
    pub fn fingerprint_text(&self) -> String {
        format!("{self:?}")
    }
}

/// The signed margin `predicted - line` and what to do about it.
///
/// OVER needs a positive and UNDER a negative margin, whatever the thresholds say, and a prediction that is no
/// number is PASS: a contradiction cannot come out of here. NO_LINE never does either, because there is a line.
pub fn recommend(predicted: f64, line: Line, policy: &RecommendPolicy) -> (f64, Recommendation) {
    let margin = predicted - line.points();
    let edge = margin.abs();
    let recommendation = if !(edge.is_finite() && edge > 0.0 && edge >= policy.threshold) {
        Recommendation::Pass
    } else if policy.hold_below.is_some_and(|own| own.is_nan() || edge < own) {
        Recommendation::Hold
    } else if margin > 0.0 {
        Recommendation::Over
    } else {
        Recommendation::Under
    };
    (margin, recommendation)
}

/// True when a recommendation agrees with the sign of its margin.
pub fn agrees(margin: f64, recommendation: Recommendation) -> bool {
    match recommendation {
        Recommendation::Over => margin > 0.0,
        Recommendation::Under => margin < 0.0,
        Recommendation::Pass | Recommendation::Hold | Recommendation::NoLine => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table() {
        use Recommendation::{Hold, Over, Pass, Under};
        for (predicted, threshold, hold_below, wanted) in [
            (25.5, 1.0, None, Over),
            (25.49, 1.0, None, Pass),
            (24.5, 1.0, None, Pass),
            (23.5, 1.0, None, Under),
            (23.51, 1.0, None, Pass),
            (25.5, 1.0, Some(3.0), Hold),
            (27.5, 1.0, Some(3.0), Over),
            (22.0, 1.0, Some(3.0), Hold),
            (21.5, 1.0, Some(3.0), Under),
            (25.0, 1.0, Some(3.0), Pass),
            (24.5, 0.0, None, Pass),
            (24.5, -5.0, None, Pass),
            (30.0, f64::NAN, None, Pass),
            (30.0, 1.0, Some(f64::NAN), Hold),
            (f64::NAN, 1.0, None, Pass),
            (f64::INFINITY, 1.0, None, Pass),
        ] {
            let policy = RecommendPolicy { threshold, hold_below };
            let (_, found) = recommend(predicted, Line::from_half_points(49), &policy);
            assert_eq!(found, wanted, "{predicted} {threshold} {hold_below:?}");
        }
    }

    proptest! {
        #[test]
        fn incident_54_a_recommendation_never_contradicts_its_sign(
            predicted in proptest::num::f64::ANY,
            half in -200i32..400,
            threshold in proptest::num::f64::ANY,
            hold_below in proptest::option::of(proptest::num::f64::ANY),
        ) {
            let line = Line::from_half_points(half);
            let (margin, recommendation) = recommend(predicted, line, &RecommendPolicy { threshold, hold_below });
            prop_assert!(agrees(margin, recommendation));
            prop_assert!(recommendation != Recommendation::NoLine);
            prop_assert!(margin.is_nan() == predicted.is_nan());
        }
    }
}
