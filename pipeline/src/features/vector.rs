//! A vector on its way: values by name, each with what the contract says about its absence.

use std::collections::BTreeMap;

use proto::features::FeatureContract;
use proto::{Feature, FeatureSource};

use super::history::Stat;

/// Features on their way into a row, by name.
pub(crate) struct Vector<'a> {
    contract: &'a FeatureContract,
    pub(crate) features: Vec<Feature>,
    /// Values that were not believed, by place.
    pub(crate) implausible: BTreeMap<usize, f64>,
}

impl<'a> Vector<'a> {
    /// Nothing is known yet.
    pub(crate) fn new(contract: &'a FeatureContract) -> Self {
        let features = contract.features.iter().map(|spec| absent(spec.default)).collect();
        Self { contract, features, implausible: BTreeMap::new() }
    }

    /// Sets a value and answers it; one that is not there, or not within the contract's range, is absent: a default
    /// if it is required, else nothing. What derives from it has to use the answer.
    pub(crate) fn set(&mut self, name: &str, value: Option<f64>, source: FeatureSource) -> Option<f64> {
        let at = self.contract.position(name)?;
        let spec = &self.contract.features[at];
        let found = value.filter(|value| value.is_finite());
        let believed = found.filter(|value| spec.is_plausible(*value));
        if let (Some(value), None) = (found, believed) {
            self.implausible.insert(at, value);
        }
        self.features[at] = match believed {
            Some(value) => Feature::real(value, source),
            None => absent(spec.default),
        };
        believed
    }

    /// The same for the feature of a statistic, named `points_…`, `rebounds_…` and so on.
    pub(crate) fn set_stat(&mut self, stat: Stat, what: &str, value: Option<f64>, source: FeatureSource) {
        self.set(&format!("{}_{what}", stat.name()), value, source);
    }
}

/// Only what is required has a default; a test of the contract says so.
fn absent(default: Option<f64>) -> Feature {
    default.map_or_else(Feature::missing, Feature::default_of)
}
