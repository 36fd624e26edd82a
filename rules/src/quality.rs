//! How good a feature vector is: one number, five categories, and what is missing.
//!
//! Only features that the contract lets weigh are averaged (`quality`): many that are nearly always there would hide
//! one that is not.
//! Quality is always derived from the vector, never stored on its own (incident 85: eight writers left counters
//! that contradicted the values), and a fact that is missing lowers it (86: a NULL count once meant "clean").

use std::collections::BTreeMap;

use proto::features::{FeatureCategory, FeatureContract, FeatureSpec};
use proto::{Feature, FeatureSource, FeatureVector, RunMode};

/// Score at most this with one required default or more.
pub const CAP_ONE_DEFAULT: f64 = 69.0;
/// Score at most this with [`MANY_DEFAULTS`] required defaults or more.
pub const CAP_MANY_DEFAULTS: f64 = 49.0;
/// From here on a vector is mostly invented.
pub const MANY_DEFAULTS: u32 = 5;
/// Matchup quality below this refuses a job.
pub const MATCHUP_FLOOR: f64 = 50.0;
/// Score from which a vector may be called ready.
pub const READY_SCORE: f64 = 70.0;

/// Colour of a vector's worst trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alert {
    /// Nothing to see.
    Green,
    /// Required defaults, or a score or matchup below 70.
    Yellow,
    /// Score or matchup below 50, or not computable.
    Red,
}

/// The quality of one vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Mean weight over the contract's features that weigh, optional ones that are missing left out; capped by required
    /// defaults. 0 to 100; NaN when the vector does not fit the contract.
    pub score: f64,
    /// The same for the matchup features; NaN when all of them are missing.
    pub matchup: f64,
    /// The same for each category that has a feature to average.
    pub categories: BTreeMap<FeatureCategory, f64>,
    /// Required features that carry their default or nothing.
    pub required_default_count: u32,
    /// Score >= 70, matchup >= 50 and no required default.
    pub ready: bool,
    /// Its colour.
    pub alert: Alert,
}

/// The quality of a vector over all features of the contract.
pub fn of(contract: &FeatureContract, vector: &FeatureVector) -> Quality {
    of_read(contract, vector, |_| true)
}

/// The same as seen by systems that read only some positions: a required default that none of them reads neither
/// counts nor caps. The mean is still over all features, because it says how much of the night's data is there.
pub fn of_read(
    contract: &FeatureContract,
    vector: &FeatureVector,
    is_read: impl Fn(usize) -> bool,
) -> Quality {
    if !fits(contract, vector) {
        return unknown(contract);
    }
    let mut all = Mean::default();
    let mut by_category: BTreeMap<FeatureCategory, Mean> = BTreeMap::new();
    let mut required_default_count = 0;
    for (at, (spec, feature)) in contract.features.iter().zip(&vector.features).enumerate() {
        if is_required_default(spec, feature) && is_read(at) {
            required_default_count += 1;
        }
        if !spec.quality {
            continue;
        }
        let group = by_category.entry(spec.category).or_default();
        if let Some(weight) = weight(spec, feature) {
            all.add(weight);
            group.add(weight);
        }
    }
    let cap = match required_default_count {
        0 => 100.0,
        n if n < MANY_DEFAULTS => CAP_ONE_DEFAULT,
        _ => CAP_MANY_DEFAULTS,
    };
    // f64::min drops a NaN, and an unknown score must stay unknown.
    let score = if all.value().is_nan() { f64::NAN } else { all.value().min(cap) };
    // A contract without matchup features has nothing to judge there; missing ones are unknown.
    let matchup = by_category.get(&FeatureCategory::Matchup).map_or(100.0, Mean::value);
    let categories = by_category.into_iter().map(|(c, mean)| (c, mean.value())).filter(|(_, v)| !v.is_nan());
    Quality {
        score,
        matchup,
        categories: categories.collect(),
        required_default_count,
        ready: score >= READY_SCORE && matchup >= MATCHUP_FLOOR && required_default_count == 0,
        alert: alert(score, matchup, required_default_count),
    }
}

/// Smallest score a job of this run mode needs (the field's thresholds).
pub const fn threshold(mode: RunMode) -> f64 {
    match mode {
        RunMode::FinalRetry => 80.0,
        RunMode::LastCall | RunMode::Backfill => 70.0,
        RunMode::Overnight | RunMode::Early | RunMode::PreGame | RunMode::First | RunMode::Morning => 85.0,
        RunMode::SameDay | RunMode::Retry | RunMode::LineCheck | RunMode::LineUpdate => 85.0,
    }
}

/// True when the vector was built for this contract and has its width.
pub fn fits(contract: &FeatureContract, vector: &FeatureVector) -> bool {
    vector.contract_version == contract.version && vector.features.len() == contract.features.len()
}

/// True when a feature has a value of its own: finite, not missing, and no default by bit or by source.
fn has_own_value(feature: &Feature) -> bool {
    let is_default = feature.defaulted || feature.source == FeatureSource::Default;
    !is_default && feature.source != FeatureSource::Missing && feature.value.is_finite()
}

/// True when the contract requires the feature and the vector only has a default or nothing.
pub fn is_required_default(spec: &FeatureSpec, feature: &Feature) -> bool {
    spec.required && !has_own_value(feature)
}

/// Weight of a feature by source; none for an optional one that is missing, which is left out of every mean.
fn weight(spec: &FeatureSpec, feature: &Feature) -> Option<f64> {
    if has_own_value(feature) {
        return Some(match feature.source {
            FeatureSource::OpponentHistory => 90.0,
            FeatureSource::Facts | FeatureSource::Calculated | FeatureSource::Odds => 100.0,
            FeatureSource::Default => 40.0,
            FeatureSource::Missing => 0.0,
        });
    }
    let is_default = feature.defaulted || feature.source == FeatureSource::Default;
    match (is_default && feature.value.is_finite(), spec.required) {
        (true, _) => Some(40.0),
        (false, true) => Some(0.0),
        (false, false) => None,
    }
}

/// Comparisons are written so that NaN falls on the red side.
fn alert(score: f64, matchup: f64, required_defaults: u32) -> Alert {
    if score >= 70.0 && matchup >= 70.0 && required_defaults == 0 {
        Alert::Green
    } else if score >= 50.0 && matchup >= 50.0 {
        Alert::Yellow
    } else {
        Alert::Red
    }
}

/// The quality of a vector nothing can be said about: refused by every gate.
fn unknown(contract: &FeatureContract) -> Quality {
    let required = contract.features.iter().filter(|spec| spec.required).count();
    Quality {
        score: f64::NAN,
        matchup: f64::NAN,
        categories: BTreeMap::new(),
        required_default_count: u32::try_from(required).unwrap_or(u32::MAX),
        ready: false,
        alert: Alert::Red,
    }
}

#[derive(Default)]
struct Mean {
    sum: f64,
    n: u32,
}

impl Mean {
    fn add(&mut self, weight: f64) {
        self.sum += weight;
        self.n += 1;
    }

    /// NaN over nothing.
    fn value(&self) -> f64 {
        self.sum / f64::from(self.n)
    }
}

#[cfg(test)]
mod tests;
