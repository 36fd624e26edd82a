//! What a card says of a network: the arithmetic around the weights, which no weight file holds.
//!
//! A network that is fed raw values where it was trained on standardised ones still answers, and plausibly. So everything
//! between a feature and the first weight stands in the card, and nothing of it has a default.

use serde::{Deserialize, Serialize};

use super::CardError;

/// Most layers, and most numbers of a layer: a thousand times what a prop needs, little enough to be read.
const MOST_LAYERS: usize = 16;
const MOST_WIDTH: usize = 4_096;

/// A chain of layers: `weight * h + bias` each, the activation between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Numbers each layer gives, the last one 1.
    pub layers: Vec<usize>,
    /// Between the layers.
    pub activation: Activation,
    /// What becomes of a missing feature.
    pub missing: Missing,
    /// Standardised values are kept within this distance of 0; none: as they are.
    pub limit: Option<f64>,
    /// Taken off each feature, in the card's order.
    pub mean: Vec<f64>,
    /// What is left is divided by this.
    pub scale: Vec<f64>,
}

/// The function between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// The number, or 0 if it is negative.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
}

/// What becomes of a missing feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// 0 in its place, and behind all features one flag for each: 1 where it was missing.
    MeanAndFlag,
    /// A row with a missing feature has no answer.
    NoAnswer,
}

impl Network {
    /// Numbers the first layer takes.
    pub fn inputs(&self) -> usize {
        match self.missing {
            Missing::MeanAndFlag => 2 * self.mean.len(),
            Missing::NoAnswer => self.mean.len(),
        }
    }

    /// Everything that changes an answer, exactly.
    pub(super) fn fingerprint_text(&self) -> String {
        let bits = |values: &[f64]| -> String {
            values.iter().map(|value| format!("{:016x} ", value.to_bits())).collect()
        };
        let Network { layers, activation, missing, limit, mean, scale } = self;
        let limit = limit.map(f64::to_bits);
        format!("{layers:?} {activation:?} {missing:?} {limit:?} {} {}", bits(mean), bits(scale))
    }
}

/// The table `[network]` as it is typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNetwork {
    layers: Vec<usize>,
    activation: Activation,
    missing: Missing,
    limit: Option<f64>,
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl RawNetwork {
    /// A network for rows of `width` features.
    pub(super) fn check(&self, width: usize) -> Result<Network, CardError> {
        let refuse = |why: String| Err(CardError::Network { why });
        if self.layers.last() != Some(&1) {
            return refuse("`layers` must end with 1, the answer".to_owned());
        }
        if self.layers.len() > MOST_LAYERS {
            return refuse(format!("it has {} layers, at most {MOST_LAYERS}", self.layers.len()));
        }
        if let Some(layer) = self.layers.iter().find(|layer| !(1..=MOST_WIDTH).contains(*layer)) {
            return refuse(format!("a layer has {layer} numbers, expected 1 to {MOST_WIDTH}"));
        }
        for (name, values) in [("mean", &self.mean), ("scale", &self.scale)] {
            if values.len() != width {
                return refuse(format!("`{name}` has {} numbers for {width} features", values.len()));
            }
        }
        if self.mean.iter().any(|mean| !mean.is_finite()) {
            return refuse("every `mean` must be finite".to_owned());
        }
        if self.scale.iter().any(|scale| !(scale.is_finite() && *scale > 0.0)) {
            return refuse("every `scale` must be finite and above 0".to_owned());
        }
        if self.limit.is_some_and(|limit| !(limit.is_finite() && limit > 0.0)) {
            return refuse("`limit` must be finite and above 0, or left out".to_owned());
        }
        Ok(Network {
            layers: self.layers.clone(),
            activation: self.activation,
            missing: self.missing,
            limit: self.limit,
            mean: self.mean.clone(),
            scale: self.scale.clone(),
        })
    }
}
