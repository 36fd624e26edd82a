//! Jobs, models and chunks for tests.

use models::Registry;
use proto::codec::encode_job;
use proto::{
    Feature, FeatureSource, FeatureVector, GameStatus, InjuryStatus, Job, JobId, Market, Quote, RunMode,
    SystemId,
};
use protocol::ops::{Chunk, ClaimedJob};
use protocol::{Millis, Timing};
use workers::{ModelSet, ModelShelf};

pub(crate) fn at(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

/// A clean main quote of the points market.
pub(crate) fn quote(book: &str, line: &str) -> Quote {
    let seen = at("2026-01-23T23:00:00Z");
    Quote {
        book: Some(book.into()),
        event_id: Some("e0f1a2b3c4d5e6f708192a3b4c5d6e7f".into()),
        market: Market::points(),
        line: line.parse().unwrap(),
        over: Some("-110".parse().unwrap()),
        under: Some("-112".parse().unwrap()),
        snapshot_at: Some(seen),
        market_updated_at: Some(seen),
        is_main: true,
        source: "odds_api".into(),
    }
}

/// A vector of a scorer of 24 points with changes by name.
pub(crate) fn vector(changes: &[(&str, Feature)]) -> FeatureVector {
    let contract = rules::contract();
    let typical = |name: &str| match name {
        "team_pace" | "opponent_pace" => 100.0,
        "team_off_rating" => 112.0,
        "minutes_avg_last_10" => 32.0,
        "ppm_avg_last_10" => 0.75,
        "points_std_last_10" => 6.0,
        "game_total_line" => 225.0,
        "implied_team_total" => 113.0,
        "team_win_pct" => 0.5,
        name if name.starts_with("points_avg") || name.ends_with("points_line") => 24.0,
        "vegas_opening_line" | "avg_points_vs_opponent" => 24.0,
        _ => 1.0,
    };
    let features = contract.features.iter().map(|spec| {
        let changed = changes.iter().find(|(name, _)| *name == spec.name).map(|(_, feature)| *feature);
        changed.unwrap_or_else(|| Feature::real(typical(&spec.name), FeatureSource::Facts))
    });
    FeatureVector { contract_version: contract.version.clone(), features: features.collect() }
}

/// A job that passes every gate, for these systems.
pub(crate) fn job(player: &str, systems: &[&str]) -> Job {
    let mut systems: Vec<SystemId> = systems.iter().map(|name| name.parse().unwrap()).collect();
    systems.sort();
    Job {
        id: JobId { player: player.parse().unwrap(), game: "20260123_MIA_BOS".parse().unwrap() },
        name: player.to_owned(),
        team: Some("BOS".parse().unwrap()),
        tip_off: at("2026-01-24T00:30:00Z"),
        game_status: GameStatus::Scheduled,
        as_of: at("2026-01-23T23:30:00Z"),
        run_mode: RunMode::Overnight,
        markets: vec![Market::points()],
        wanted: systems.into_iter().map(|system| (Market::points(), system)).collect(),
        player_resolved: true,
        quotes: ["draftkings", "fanduel", "betmgm"].map(|book| quote(book, "22.5")).to_vec(),
        event_newest_snapshot: Some(at("2026-01-23T23:00:00Z")),
        injury: InjuryStatus::Available,
        projected_minutes: Some(31.5),
        min_minutes: 15.0,
        features: Some(vector(&[])),
        features_built_at: Some(at("2026-01-23T15:00:00Z")),
        inputs_ingested_at: Some(at("2026-01-23T14:00:00Z")),
        inputs_sha256: "f".repeat(64),
    }
}

/// A card whose answer is `weight` times one feature.
pub(crate) fn formula_card(system: &str, feature: &str, weight: f64) -> String {
    format!(
        "format = 1\nsystem_id = \"{system}\"\nmarket = \"points\"\ntarget = \"points\"\nrole = \"shadow\"\n\
         engine = \"formula\"\nfeatures = [\"{feature}\"]\nnotes = \"a test\"\n\
         [weights]\n{feature} = {weight:?}\n[[reference]]\ninputs = [10.0]\nexpected = {:?}\n",
        10.0 * weight
    )
}

/// The zoo and these cards.
pub(crate) fn registry_of(cards: &[String]) -> Registry {
    let folder = tempfile::tempdir().unwrap();
    for (number, card) in cards.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.toml")), card).unwrap();
    }
    let registry = Registry::load(Some(folder.path()));
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    registry
}

/// `alpha` answers the five-game average, `beta` the season's, `gamma` a feature that is optional.
pub(crate) fn registry() -> Registry {
    registry_of(&[
        formula_card("alpha", "points_avg_last_5", 1.0),
        formula_card("beta", "points_avg_season", 1.0),
        formula_card("gamma", "avg_points_vs_opponent", 1.0),
    ])
}

pub(crate) fn shelf() -> ModelShelf {
    ModelShelf::new(registry(), rules::contract())
}

pub(crate) fn models() -> ModelSet {
    ModelSet::of_registry(&registry(), rules::contract())
}

pub(crate) fn claimed(seq: u32, job: &Job) -> ClaimedJob {
    ClaimedJob { seq, id: job.id.clone(), attempts: 0, payload: encode_job(job) }
}

pub(crate) fn chunk(jobs: Vec<ClaimedJob>) -> Chunk {
    Chunk {
        batch_id: "batch_2026-01-23_1769180406".parse().unwrap(),
        contract_version: rules::contract().version.clone(),
        expires_at: 10_000,
        deadline_at: 30_000,
        timing: Timing::default(),
        jobs,
    }
}

/// Times short enough for a test that waits for a lease to end.
pub(crate) fn quick(lease_ms: Millis) -> Timing {
    Timing { sweep_ms: 20, ..Timing::from_lease(lease_ms) }.validate().unwrap()
}
