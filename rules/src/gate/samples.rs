//! Jobs for tests.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use proto::{Feature, FeatureSource, FeatureVector, GameStatus, InjuryStatus, Job, JobId, Market, RunMode};

use super::SystemNeeds;
use crate::contract;
use crate::lines::samples::{AS_OF, SEEN, TIP, at, three_books};

/// A job that passes every gate: one market, two systems, three books, perfect features.
pub(crate) fn job() -> Job {
    Job {
        id: JobId { player: "sampleguard".parse().unwrap(), game: "20260123_MIA_BOS".parse().unwrap() },
        name: "Sample Guard".to_owned(),
        team: Some("BOS".parse().unwrap()),
        tip_off: at(TIP),
        game_status: GameStatus::Scheduled,
        as_of: at(AS_OF),
        run_mode: RunMode::Overnight,
        markets: vec![Market::points()],
        wanted: ["sys_a", "sys_b"].map(|system| (Market::points(), system.parse().unwrap())).to_vec(),
        player_resolved: true,
        quotes: three_books(),
        event_newest_snapshot: Some(at(SEEN)),
        injury: InjuryStatus::Available,
        projected_minutes: Some(31.5),
        min_minutes: 15.0,
        features: Some(vector(&[])),
        features_built_at: Some(at("2026-01-23T15:00:00Z")),
        inputs_ingested_at: Some(at("2026-01-23T14:00:00Z")),
        inputs_sha256: "f".repeat(64),
    }
}

/// A vector of ones with changes by name.
pub(crate) fn vector(changes: &[(&str, Feature)]) -> FeatureVector {
    let mut features: Vec<Feature> =
        contract().features.iter().map(|_| Feature::real(1.0, FeatureSource::Facts)).collect();
    for (name, feature) in changes {
        features[contract().position(name).unwrap()] = *feature;
    }
    FeatureVector { contract_version: contract().version.clone(), features }
}

/// What `sys_a` (reads the team's win share) and `sys_b` (does not) need for points.
pub(crate) fn needs() -> Vec<SystemNeeds> {
    let positions = |names: &[&str]| names.iter().map(|n| contract().position(n).unwrap()).collect();
    let need = |system: &str, names: &[&str]| SystemNeeds {
        system_id: system.parse().unwrap(),
        market: Market::points(),
        features: positions(names),
        target_needs_line: false,
    };
    vec![
        need("sys_a", &["points_avg_last_5", "team_win_pct", "avg_points_vs_opponent"]),
        need("sys_b", &["points_avg_last_5", "points_avg_season"]),
    ]
}
