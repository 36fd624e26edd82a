//! From an answer to a probability: how often the result is over a line that lies this far below the answer.
//!
//! A number without a probability says nothing about a price. The step between them is fitted where the model is trained,
//! on answers to days it had not seen, and stands in the card like everything else that changes what is said. Two shapes:
//! Platt's logistic (Platt 1999), here with the market's own opinion as a second input, because a model and a market that
//! read the same lines agree more than two strangers; and a non-decreasing curve (isotonic regression) over the margin.
//!
//! A [`Calibration`] that exists gives a probability strictly between 0 and 1 that never falls when the answer rises.

use jiff::civil::Date;
use serde::Deserialize;

use crate::card::CardError;

/// Nothing is certain: what comes out lies this far from 0 and 1.
const MARGIN_OF_DOUBT: f64 = 0.001;

/// A checked calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// First day of the answers it was fitted on; the model had not seen them.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Answers it was fitted on.
    pub rows: u64,
    curve: Curve,
}

#[derive(Debug, Clone, PartialEq)]
enum Curve {
    /// `sigmoid(intercept + slope * margin + market * logit(no-vig over))`.
    Platt { intercept: f64, slope: f64, market: f64 },
    /// Margin and probability, both non-decreasing; linear between, flat outside.
    Isotonic(Vec<(f64, f64)>),
}

/// A calibration as it is typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCalibration {
    method: Method,
    from: Date,
    to: Date,
    rows: u64,
    intercept: Option<f64>,
    slope: Option<f64>,
    market: Option<f64>,
    knots: Option<Vec<(f64, f64)>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Platt,
    Isotonic,
}

impl Calibration {
    /// Probability that the result is over the line, for an answer `margin` above it at a book whose no-vig probability of
    /// the over is `no_vig_over`. None for numbers that are none.
    pub fn over_probability(&self, margin: f64, no_vig_over: f64) -> Option<f64> {
        let probability = match &self.curve {
            Curve::Platt { intercept, slope, market } => {
                // Without a market term a price that says nothing must not spoil the answer.
                let opinion = if *market == 0.0 { 0.0 } else { market * logit(no_vig_over) };
                sigmoid(intercept + slope * margin + opinion)
            }
            Curve::Isotonic(knots) => interpolated(knots, margin)?,
        };
        probability.is_finite().then(|| probability.clamp(MARGIN_OF_DOUBT, 1.0 - MARGIN_OF_DOUBT))
    }

    /// Everything that changes a probability, as text, for the card's hash.
    pub(crate) fn fingerprint_text(&self) -> String {
        match &self.curve {
            Curve::Platt { intercept, slope, market } => {
                format!(
                    "platt {:016x} {:016x} {:016x}",
                    intercept.to_bits(),
                    slope.to_bits(),
                    market.to_bits()
                )
            }
            Curve::Isotonic(knots) => {
                knots.iter().fold("isotonic".to_owned(), |text, (margin, probability)| {
                    format!("{text} {:016x} {:016x}", margin.to_bits(), probability.to_bits())
                })
            }
        }
    }
}

impl RawCalibration {
    pub(crate) fn check(self) -> Result<Calibration, CardError> {
        let refuse = |why: &str| CardError::Calibration { why: why.to_owned() };
        if self.to < self.from {
            return Err(refuse("its window ends before it begins"));
        }
        if self.rows == 0 {
            return Err(refuse("it was fitted on no rows"));
        }
        let curve = match self.method {
            Method::Platt => {
                if self.knots.is_some() {
                    return Err(refuse("`knots` has no meaning for method `platt`: take it out"));
                }
                let (Some(intercept), Some(slope)) = (self.intercept, self.slope) else {
                    return Err(refuse("method `platt` needs `intercept` and `slope`"));
                };
                let market = self.market.unwrap_or(0.0);
                if ![intercept, slope, market].iter().all(|value| value.is_finite()) {
                    return Err(refuse("its numbers must be finite"));
                }
                if slope < 0.0 || market < 0.0 {
                    return Err(refuse(
                        "`slope` and `market` must not be negative: a higher answer is never less likely over",
                    ));
                }
                Curve::Platt { intercept, slope, market }
            }
            Method::Isotonic => {
                if self.intercept.is_some() || self.slope.is_some() || self.market.is_some() {
                    return Err(refuse(
                        "`intercept`, `slope` and `market` have no meaning for method `isotonic`",
                    ));
                }
                Curve::Isotonic(checked_knots(self.knots.unwrap_or_default()).map_err(refuse)?)
            }
        };
        Ok(Calibration { from: self.from, to: self.to, rows: self.rows, curve })
    }
}

fn checked_knots(knots: Vec<(f64, f64)>) -> Result<Vec<(f64, f64)>, &'static str> {
    if knots.len() < 2 {
        return Err("method `isotonic` needs two `knots` at least");
    }
    if !knots.iter().all(|(margin, probability)| margin.is_finite() && (0.0..=1.0).contains(probability)) {
        return Err("each knot is a finite margin and a probability from 0 to 1");
    }
    if knots.windows(2).any(|pair| pair[1].0 <= pair[0].0 || pair[1].1 < pair[0].1) {
        return Err("the knots must rise in margin and never fall in probability");
    }
    Ok(knots)
}

/// The curve at `margin`: linear between knots, flat outside.
fn interpolated(knots: &[(f64, f64)], margin: f64) -> Option<f64> {
    if margin.is_nan() {
        return None;
    }
    let above = knots.partition_point(|(at, _)| *at <= margin);
    let (Some(before), Some(after)) = (above.checked_sub(1).and_then(|at| knots.get(at)), knots.get(above))
    else {
        return if above == 0 { knots.first() } else { knots.last() }.map(|(_, probability)| *probability);
    };
    let share = (margin - before.0) / (after.0 - before.0);
    Some(before.1 + share * (after.1 - before.1))
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn logit(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use proptest::prelude::*;

    use super::*;

    fn calibration(text: &str) -> Result<Calibration, CardError> {
        let head = "from = \"2024-03-02\"\nto = \"2025-10-20\"\nrows = 10\n";
        toml::from_str::<RawCalibration>(&format!("{head}{text}")).unwrap().check()
    }

    #[test]
    fn the_logistic_is_the_one_in_the_card() {
        let plain = calibration("method = \"platt\"\nintercept = 0.0\nslope = 0.2").unwrap();
        assert_eq!(plain.over_probability(0.0, 0.9), Some(0.5), "no market term, no opinion of the market");
        assert_eq!(plain.over_probability(0.0, f64::NAN), Some(0.5));
        let blended = calibration("method = \"platt\"\nintercept = 0.0\nslope = 0.2\nmarket = 1.0").unwrap();
        assert!((blended.over_probability(0.0, 0.55).unwrap() - 0.55).abs() < 1e-12);
        assert_eq!(blended.over_probability(0.0, f64::NAN), None);
        assert_eq!(blended.over_probability(1e9, 0.5), Some(0.999), "nothing is certain");
    }

    #[test]
    fn the_curve_is_linear_between_its_knots_and_flat_outside() {
        let curve =
            calibration("method = \"isotonic\"\nknots = [[-4.0, 0.3], [0.0, 0.5], [2.0, 0.5], [4.0, 0.7]]")
                .unwrap();
        for (margin, expected) in
            [(-9.0, 0.3), (-4.0, 0.3), (-2.0, 0.4), (1.0, 0.5), (3.0, 0.6), (4.0, 0.7), (99.0, 0.7)]
        {
            assert!((curve.over_probability(margin, 0.5).unwrap() - expected).abs() < 1e-12, "{margin}");
        }
        assert_eq!(curve.over_probability(f64::NAN, 0.5), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_sentence() {
        for (text, why) in [
            ("method = \"platt\"\nslope = 0.1", "needs `intercept` and `slope`"),
            ("method = \"platt\"\nintercept = 0.0\nslope = -0.1", "must not be negative"),
            ("method = \"platt\"\nintercept = nan\nslope = 0.1", "must be finite"),
            ("method = \"platt\"\nintercept = 0.0\nslope = 0.1\nknots = [[0.0, 0.5]]", "no meaning"),
            ("method = \"isotonic\"", "two `knots`"),
            ("method = \"isotonic\"\nslope = 1.0\nknots = [[0.0, 0.4], [1.0, 0.5]]", "no meaning"),
            ("method = \"isotonic\"\nknots = [[0.0, 0.5], [1.0, 0.4]]", "never fall"),
            ("method = \"isotonic\"\nknots = [[0.0, 0.5], [0.0, 0.6]]", "must rise"),
            ("method = \"isotonic\"\nknots = [[0.0, 0.5], [1.0, 1.4]]", "from 0 to 1"),
        ] {
            let error = calibration(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_higher_answer_is_never_less_likely_over(
            intercept in -1.0..1.0_f64, slope in 0.0..0.5_f64, market in 0.0..1.2_f64, no_vig in 0.05..0.95_f64,
            mut margins in prop::collection::vec(-30.0..30.0_f64, 2..9),
        ) {
            let curve = Curve::Platt { intercept, slope, market };
            let date = Date::constant(2025, 1, 1);
            let calibration = Calibration { from: date, to: date, rows: 1, curve };
            margins.sort_by(f64::total_cmp);
            let probabilities: Vec<f64> =
                margins.iter().map(|margin| calibration.over_probability(*margin, no_vig).unwrap()).collect();
            prop_assert!(probabilities.windows(2).all(|pair| pair[0] <= pair[1]), "{probabilities:?}");
            prop_assert!(probabilities.iter().all(|p| (0.001..=0.999).contains(p)));
        }
    }
}
