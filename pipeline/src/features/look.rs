//! Looking at stored features: are the columns alive, and what differs between two dates or two builds?

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::tables::FeatureRow;
use proto::{Feature, FeatureSource, GameKey, PlayerLookup};
use rules::columns::{Column, Columns};
use warehouse::Warehouse;

use super::Pass;
use crate::error::{Error, Result};

/// Columns of the stored rows of a range.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CheckReport {
    /// Version of the contract.
    pub contract: String,
    /// Rows looked at.
    pub rows: u64,
    /// Every column, in the order of the contract.
    pub columns: Vec<Column>,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

/// Judges the stored features of a range as a build would.
pub async fn check(warehouse: &Warehouse, from: Date, to: Date) -> Result<CheckReport> {
    if to < from {
        return Err(Error::Invalid(format!("the range ends {to}, before it begins {from}")));
    }
    let contract = rules::contract();
    let mut columns = Columns::new(contract);
    let (mut date, mut rows) = (from, 0);
    while date <= to {
        for row in warehouse.features_of(date).await? {
            columns.add(row.game_id, row.team, &row.vector);
            rows += 1;
        }
        let Ok(next) = date.checked_add(1.day()) else { break };
        date = next;
    }
    let columns = columns.judge();
    let faults = super::faults(&columns, &[]);
    Ok(CheckReport { contract: contract.version.clone(), rows, columns, faults })
}

/// One value that differs between two builds of a date.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// The game.
    pub game_id: GameKey,
    /// The player.
    pub player_lookup: PlayerLookup,
    /// The feature.
    pub feature: String,
    /// Its stored value; none when it is missing or a default.
    pub stored: Option<f64>,
    /// What a build now gives.
    pub rebuilt: Option<f64>,
}

/// What a build would change.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BuildDifference {
    /// Rows in both builds.
    pub rows: u64,
    /// Players who have a stored row and would have none.
    pub only_stored: Vec<String>,
    /// Players who would have a row and have none.
    pub only_rebuilt: Vec<String>,
    /// Every value that differs.
    pub differences: Vec<Difference>,
}

/// Compares the stored features of a date with what a build would give now; nothing is written.
pub async fn diff_builds(warehouse: &Warehouse, date: Date, now: Timestamp) -> Result<BuildDifference> {
    let stored = warehouse.features_of(date).await?;
    let rebuilt = match Pass::begin(warehouse, date, date, now).await?.next(warehouse).await? {
        Some((_, _, built)) => built.rows,
        None => Vec::new(),
    };
    Ok(differences(&stored, &rebuilt))
}

/// What differs between two builds of one date.
pub fn differences(stored: &[FeatureRow], rebuilt: &[FeatureRow]) -> BuildDifference {
    let key = |row: &FeatureRow| (row.game_id, row.player_lookup.clone());
    let mut new: BTreeMap<_, &FeatureRow> = rebuilt.iter().map(|row| (key(row), row)).collect();
    let mut found = BuildDifference::default();
    for old in stored {
        let Some(new) = new.remove(&key(old)) else {
            found.only_stored.push(old.player_lookup.to_string());
            continue;
        };
        found.rows += 1;
        let pairs = old.vector.features.iter().zip(&new.vector.features);
        for (spec, (before, after)) in rules::contract().features.iter().zip(pairs) {
            let (before, after) = (own(before), own(after));
            if before != after {
                found.differences.push(Difference {
                    game_id: old.game_id,
                    player_lookup: old.player_lookup.clone(),
                    feature: spec.name.clone(),
                    stored: before,
                    rebuilt: after,
                });
            }
        }
    }
    found.only_rebuilt = new.into_values().map(|row| row.player_lookup.to_string()).collect();
    found
}

/// A value of its own; none when it is missing or a default.
pub fn own(feature: &Feature) -> Option<f64> {
    let is_filled_in = matches!(feature.source, FeatureSource::Default | FeatureSource::Missing);
    (!feature.defaulted && !is_filled_in && feature.value.is_finite()).then_some(feature.value)
}
