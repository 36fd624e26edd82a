//! How alike the errors of two systems are: two that err together are one opinion.

use std::collections::{BTreeMap, HashMap};

use proto::{JobId, SystemId};
use serde::Serialize;

use super::Scored;

/// Two systems on the rows that both answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// One system.
    pub a: SystemId,
    /// The other, later by name.
    pub b: SystemId,
    /// Rows both answered.
    pub n: u64,
    /// Correlation (Pearson) of their errors; none below two rows or where one errs always the same.
    pub correlation: Option<f64>,
}

/// Each pair of the systems of one market once.
pub(super) fn pairs(systems: &BTreeMap<&SystemId, Vec<&Scored>>) -> Vec<Pair> {
    let mut places: HashMap<&JobId, usize> = HashMap::new();
    for row in systems.values().flatten() {
        let next = places.len();
        places.entry(&row.job).or_insert(next);
    }
    let errors: Vec<(&SystemId, Vec<Option<f64>>)> = systems
        .iter()
        .map(|(system, rows)| {
            let mut errors = vec![None; places.len()];
            for row in rows {
                errors[places[&row.job]] = Some(row.predicted - row.actual);
            }
            (*system, errors)
        })
        .collect();
    let mut pairs = Vec::new();
    for (at, (a, of_a)) in errors.iter().enumerate() {
        for (b, of_b) in &errors[at + 1..] {
            let both: Vec<(f64, f64)> = of_a.iter().zip(of_b).filter_map(|(a, b)| a.zip(*b)).collect();
            let n = both.len() as u64;
            pairs.push(Pair { a: (*a).clone(), b: (*b).clone(), n, correlation: pearson(&both) });
        }
    }
    pairs
}

pub(super) fn pearson(both: &[(f64, f64)]) -> Option<f64> {
    if both.len() < 2 {
        return None;
    }
    let n = both.len() as f64;
    let (mean_a, mean_b) = both.iter().fold((0.0, 0.0), |(a, b), both| (a + both.0 / n, b + both.1 / n));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in both {
        aa += (a - mean_a).powi(2);
        bb += (b - mean_b).powi(2);
        ab += (a - mean_a) * (b - mean_b);
    }
    let spread = (aa * bb).sqrt();
    (spread > 0.0).then(|| (ab / spread).clamp(-1.0, 1.0))
}
