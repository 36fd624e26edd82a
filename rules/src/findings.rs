//! How good a slate is, in words: apart from how its batch ended.
//!
//! Six predictions on a ten-game night looked like success (incident 30). Here a finished slate is judged over each
//! player's newest outcome and the rows that will be active; every finding has a stable code, a level, a count and a
//! sentence that names what it is about. The caller gathers [`SlateFacts`]; this module decides.

mod checks;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proto::verdict::{Finding, FindingLevel, Health, HealthLevel};
use proto::{
    Code, GameKey, GameStatus, JobId, Line, Market, Recommendation, RowKey, SystemId, TeamCode, Text,
};

use crate::staleness::Stale;

/// Predicted below this share of the players with quotes: something upstream is broken, not the night.
pub const MIN_PREDICTED_SHARE: f64 = 0.5;
/// |mean(predicted - line)| above this, in units of the market, is a bias no honest set of models has (incident 53).
pub const MAX_LINE_BIAS: f64 = 2.0;
/// One reason above this share of the jobs is a cause, not a coincidence.
pub const MAX_REASON_SHARE: f64 = 0.30;
/// One source above this share of the lines, where two are configured: the other one has gone quiet (59).
pub const MAX_SOURCE_SHARE: f64 = 0.95;
/// OVER or UNDER below this share leans one way (24: 32 of 32 were UNDER) …
pub const MIN_SIDE_SHARE: f64 = 0.15;
/// … of at least so many, since a few picks lean by chance.
pub const MIN_PICKS_FOR_SIDES: usize = 10;
/// Share of rows that grading will be able to judge.
pub const MIN_GRADABLE_SHARE: f64 = 0.95;
/// Days from the end of training after which a model is stale: from here on it is confidently wrong (83).
pub const STALE_MODEL_DAYS: i32 = 10;
/// Old models are told by their number; so many are named.
pub const MAX_OLD_MODELS_NAMED: usize = 3;
/// A model this far from the line has something to say.
pub const EDGE_WORTH_A_LOOK: f64 = 3.0;
/// And this far a lot.
pub const EDGE_LARGE: f64 = 5.0;
/// A sentence names at most so many things and counts the rest.
pub const MAX_NAMES: usize = 20;

/// A game of the slate.
#[derive(Debug, Clone, PartialEq)]
pub struct GameFacts {
    /// The game.
    pub game: GameKey,
    /// Where it stands; a postponed or cancelled game is owed nothing.
    pub status: GameStatus,
    /// True when any quote of any wanted market is known for it before its as-of.
    pub has_lines: bool,
    /// True when any player of it has a feature row.
    pub has_features: bool,
    /// Teams of the players who are jobs; both should be there (incident 69).
    pub teams_seen: BTreeSet<TeamCode>,
}

/// The feature quality of one player.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlayerQuality {
    /// [`crate::Quality::score`]; NaN is left out of the mean.
    pub score: f64,
    /// [`crate::Quality::ready`].
    pub ready: bool,
    /// [`crate::Quality::required_default_count`].
    pub required_default_count: u32,
}

/// A player of the slate with his newest settled outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerFacts {
    /// Player and game.
    pub job: JobId,
    /// Primary code of his newest outcome.
    pub code: Code,
    /// True when he had at least one quote of a wanted market.
    pub has_quotes: bool,
    /// None without a feature row.
    pub quality: Option<PlayerQuality>,
}

/// A row that will be active after the publication, new or carried.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFacts {
    /// The key.
    pub key: RowKey,
    /// The answer.
    pub predicted_value: f64,
    /// The line.
    pub line: Line,
    /// The recommendation.
    pub recommendation: Recommendation,
    /// Provenance class of the line.
    pub line_source: Text,
    /// Source of the line, e.g. `odds_api`.
    pub line_source_api: Text,
    /// True when the model was trained on the game's date or later: never graded.
    pub in_sample: bool,
    /// True when the row's as-of is not after tip-off.
    pub before_tip_off: bool,
}

/// A model of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFacts {
    /// Its system.
    pub system_id: SystemId,
    /// Its market.
    pub market: Market,
    /// Last day of its training window; none for a formula, which does not age.
    pub trained_until: Option<Date>,
}

/// Everything the findings are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SlateFacts {
    /// The slate's date.
    pub game_date: Date,
    /// Its games, all of them.
    pub games: Vec<GameFacts>,
    /// Its players, each once.
    pub players: Vec<PlayerFacts>,
    /// The rows that will be active.
    pub rows: Vec<RowFacts>,
    /// Systems that were wanted.
    pub systems: Vec<SystemId>,
    /// Models that were wanted.
    pub models: Vec<ModelFacts>,
    /// How many sources of lines are configured.
    pub configured_sources: usize,
    /// Inputs that are older than they may be.
    pub stale: Vec<Stale>,
}

/// Judges a slate. Findings come degraded first, then warnings, then what is merely worth knowing.
pub fn health(facts: &SlateFacts) -> Health {
    let mut findings = checks::all(facts);
    // A stable sort: within a level the order of the checks stays.
    findings.sort_by_key(|finding| match finding.level {
        FindingLevel::Degraded => 0,
        FindingLevel::Warning => 1,
        FindingLevel::Info => 2,
    });
    Health { level: worst(&findings), findings, figures: figures(facts) }
}

fn worst(findings: &[Finding]) -> HealthLevel {
    let has = |level| findings.iter().any(|f| f.level == level);
    if has(FindingLevel::Degraded) {
        HealthLevel::Degraded
    } else if has(FindingLevel::Warning) {
        HealthLevel::Warning
    } else {
        HealthLevel::Healthy
    }
}

/// Figures that are always shown. A mean over nothing is left out: unknown is shown as unknown (incident 94).
fn figures(facts: &SlateFacts) -> BTreeMap<String, f64> {
    let qualities: Vec<PlayerQuality> = facts.players.iter().filter_map(|p| p.quality).collect();
    let scores: Vec<f64> = qualities.iter().map(|q| q.score).filter(|s| s.is_finite()).collect();
    let edges: Vec<f64> = edges(facts).collect();
    let count = |n: usize| n as f64;
    let mut figures = BTreeMap::from([
        ("quality_ready", count(qualities.iter().filter(|q| q.ready).count())),
        ("zero_default", count(qualities.iter().filter(|q| q.required_default_count == 0).count())),
        ("top_edge", edges.iter().copied().fold(0.0, f64::max)),
        ("edges_3_plus", count(edges.iter().filter(|e| **e >= EDGE_WORTH_A_LOOK).count())),
        ("edges_5_plus", count(edges.iter().filter(|e| **e >= EDGE_LARGE).count())),
    ]);
    if !scores.is_empty() {
        figures.insert("mean_feature_quality", scores.iter().sum::<f64>() / count(scores.len()));
    }
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn edges(facts: &SlateFacts) -> impl Iterator<Item = f64> + '_ {
    facts.rows.iter().map(|row| (row.predicted_value - row.line.points()).abs())
}

#[cfg(test)]
mod tests;
