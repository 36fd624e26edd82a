//! The formula engine: a baseline whose weights stand in the card.
//!
//! A moving average is the honest opponent of every trained model, and it must not answer when it has nothing to average:
//! a missing value under a weight that is not zero gives no answer (NaN), never a zero that reads as a prediction
//! (incidents 71, 75).

use std::collections::BTreeMap;

use crate::card::CardError;
use crate::engine::check_shape;
use crate::{Engine, FeatureMatrix, PredictError};

/// An intercept and one weight per feature, in the card's order.
#[derive(Debug, Clone, PartialEq)]
pub struct FormulaEngine {
    intercept: f64,
    weights: Vec<f64>,
}

impl FormulaEngine {
    /// Puts the weights into the order of `features`; the two must name the same features.
    pub fn new(
        features: &[String],
        intercept: f64,
        weights: &BTreeMap<String, f64>,
    ) -> Result<FormulaEngine, CardError> {
        if let Some(name) = weights.keys().find(|name| !features.contains(name)) {
            return Err(CardError::WeightWithoutFeature { name: name.clone() });
        }
        let ordered = features.iter().map(|name| match weights.get(name) {
            None => Err(CardError::FeatureWithoutWeight { name: name.clone() }),
            Some(weight) if !weight.is_finite() => {
                Err(CardError::NotFinite { what: format!("the weight of `{name}`") })
            }
            Some(weight) => Ok(*weight),
        });
        let weights = ordered.collect::<Result<Vec<_>, _>>()?;
        if !intercept.is_finite() {
            return Err(CardError::NotFinite { what: "the intercept".to_owned() });
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(CardError::NoWeight);
        }
        Ok(FormulaEngine { intercept, weights })
    }

    /// Position of the first feature of a row that the formula needs and the row lacks.
    pub fn first_missing(&self, row: &[f64]) -> Option<usize> {
        self.weights.iter().zip(row).position(|(weight, value)| *weight != 0.0 && value.is_nan())
    }

    fn answer(&self, row: &[f64]) -> f64 {
        let weighted = self.weights.iter().zip(row).filter(|(weight, _)| **weight != 0.0);
        weighted.fold(self.intercept, |sum, (weight, value)| sum + weight * value)
    }
}

impl Engine for FormulaEngine {
    fn width(&self) -> usize {
        self.weights.len()
    }

    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        check_shape(self.weights.len(), 1, rows, out)?;
        for (index, answer) in out.iter_mut().enumerate() {
            *answer = self.answer(rows.row(index));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formula(features: &[&str], weights: &[(&str, f64)]) -> Result<FormulaEngine, CardError> {
        let features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
        let weights = weights.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        FormulaEngine::new(&features, 1.0, &weights)
    }

    #[test]
    fn incident_71_a_missing_feature_gives_no_answer_and_a_zero_gives_one() {
        let engine = formula(&["a", "b", "c"], &[("a", 0.5), ("b", 0.25), ("c", 0.0)]).expect("a formula");
        let mut rows = FeatureMatrix::with_width(3);
        for row in [[10.0, 20.0, f64::NAN], [0.0, 0.0, 0.0], [10.0, f64::NAN, 0.0]] {
            rows.push_row(&row).expect("three wide");
        }
        let mut out = [0.0; 3];
        engine.predict(&rows, &mut out).expect("shapes agree");
        assert_eq!(&out[..2], &[11.0, 1.0]);
        assert!(out[2].is_nan());
        assert_eq!(engine.first_missing(rows.row(2)), Some(1));
        assert_eq!(engine.first_missing(rows.row(0)), None, "a weight of zero asks for nothing");
    }

    #[test]
    fn features_and_weights_must_name_the_same() {
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, f64)], &'a str);
        let cases: [Case; 4] = [
            (
                &["a"],
                &[("a", 1.0), ("b", 1.0)],
                "the weight `b` belongs to no feature of the card: add it to `features`",
            ),
            (
                &["a", "b"],
                &[("a", 1.0)],
                "the feature `b` has no weight: give it one or take it out of `features`",
            ),
            (&["a"], &[("a", f64::NAN)], "the weight of `a` must be a finite number"),
            (&["a"], &[("a", 0.0)], "every weight is zero: the formula says nothing"),
        ];
        for (features, weights, sentence) in cases {
            assert_eq!(formula(features, weights).expect_err(sentence).to_string(), sentence);
        }
    }
}
