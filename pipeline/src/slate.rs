//! A slate as it stands before a start: what is there, what is not, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use proto::tables::FeatureRow;
use proto::{GameKey, JobId, Market, PlayerLookup, Slate, TeamCode};
use rules::staleness::{Stale, StalenessBudget, stale_inputs};
use warehouse::{LoadSlate, SlateInputs, SlateLoad, Warehouse};

use crate::error::{Error, Result};

/// Share of recent games that must have box scores for a start.
const MIN_BOX_SCORES: f64 = 0.8;

/// One game of a slate.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GameLine {
    /// The game.
    pub game_id: GameKey,
    /// When it begins, as schedule and vendor have it.
    pub tip_off: Option<Timestamp>,
    /// Where it stands.
    pub status: String,
    /// Players of its two teams who may be predicted.
    pub players: u64,
    /// Of these, players with at least one quote.
    pub quoted: u64,
    /// Quotes of the wanted markets, each book's newest.
    pub quotes: u64,
    /// Books behind them.
    pub books: u64,
    /// Of the players, those with a feature row.
    pub features: u64,
    /// Of the players, those whose row no required default spoils.
    pub ready: u64,
    /// The newest snapshot of its events.
    pub newest_snapshot: Option<Timestamp>,
}

/// A slate before a start.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SlateReport {
    /// Its date.
    pub game_date: Date,
    /// As of when.
    pub as_of: Timestamp,
    /// Its games.
    pub games: Vec<GameLine>,
    /// Players who may be predicted.
    pub players: u64,
    /// Of these, players with a quote.
    pub quoted: u64,
    /// Quoted names that fit no player of the two teams.
    pub unresolved: Vec<String>,
    /// Quotes of the wanted markets.
    pub quotes: u64,
    /// Feature rows.
    pub features: u64,
    /// Feature rows that no required default spoils.
    pub ready: u64,
    /// What is missing, in words; empty when nothing is.
    pub missing: Vec<String>,
}

/// Looks at a slate.
pub async fn slate(
    warehouse: &Warehouse,
    date: Date,
    as_of: Timestamp,
    markets: &[Market],
    budget: &StalenessBudget,
) -> Result<SlateReport> {
    let load = LoadSlate {
        slate: Slate::nba(date),
        as_of,
        generation: None,
        markets: markets.to_vec(),
        settled: false,
    };
    match warehouse.load_slate(&load).await? {
        SlateLoad::Inputs(inputs) => {
            let mut report = describe(date, as_of, &inputs);
            if !report.games.is_empty() {
                let stale = stale(warehouse, date, as_of, budget).await?;
                report.missing.extend(stale.into_iter().map(|stale| stale.sentence));
            }
            Ok(report)
        }
        SlateLoad::Overtaken { newest } => {
            Err(Error::Invalid(format!("generation {newest} of {date} is registered; look again")))
        }
    }
}

/// Rosters and injuries of a slate that are older than they may be at an instant.
pub async fn stale(
    warehouse: &Warehouse,
    date: Date,
    as_of: Timestamp,
    budget: &StalenessBudget,
) -> Result<Vec<Stale>> {
    Ok(stale_inputs(&warehouse.input_ages(date, as_of).await?, as_of, budget))
}

/// The report of what was read.
pub fn describe(date: Date, as_of: Timestamp, inputs: &SlateInputs) -> SlateReport {
    let games: Vec<GameLine> = inputs.games.iter().map(|game| game_line(game, inputs)).collect();
    let sum = |of: fn(&GameLine) -> u64| games.iter().map(of).sum();
    let unresolved: BTreeSet<String> =
        inputs.quotes.values().filter(|q| !q.resolved).map(|q| q.name.clone()).collect();
    let mut report = SlateReport {
        game_date: date,
        as_of,
        players: sum(|g| g.players),
        quoted: sum(|g| g.quoted),
        quotes: sum(|g| g.quotes),
        features: sum(|g| g.features),
        ready: sum(|g| g.ready),
        unresolved: unresolved.into_iter().collect(),
        missing: Vec::new(),
        games,
    };
    report.missing = missing(&report, inputs);
    report
}

fn game_line(game: &warehouse::SlateGame, inputs: &SlateInputs) -> GameLine {
    let key = game.row.game_id;
    let players = players_of(&key, inputs);
    let quotes: Vec<_> = inputs.quotes.iter().filter(|(job, _)| job.game == key).map(|(_, q)| q).collect();
    let books: BTreeSet<&str> =
        quotes.iter().flat_map(|q| &q.quotes).filter_map(|quote| quote.book.as_deref()).collect();
    let is_ours =
        |row: &&FeatureRow| row.game_id == key && row.vector.contract_version == rules::contract().version;
    let rows: Vec<_> = inputs.features.values().filter(is_ours).collect();
    GameLine {
        game_id: key,
        tip_off: game.tip_off,
        status: game.row.status.to_string(),
        players: players.len() as u64,
        quoted: quotes.len() as u64,
        quotes: quotes.iter().map(|q| q.quotes.len() as u64).sum(),
        books: books.len() as u64,
        features: rows.len() as u64,
        ready: rows.iter().filter(|row| row.required_default_count == 0).count() as u64,
        newest_snapshot: game.newest_snapshot,
    }
}

/// Whoever plays for one of the two teams lately, and whoever is quoted.
fn players_of(game: &GameKey, inputs: &SlateInputs) -> BTreeSet<PlayerLookup> {
    let lately = inputs.players.iter().filter(|(_, p)| p.plays_lately && game.opponent_of(p.team).is_some());
    let quoted = inputs.quotes.keys().filter(|job| job.game == *game).map(|job: &JobId| job.player.clone());
    lately.map(|(player, _)| player.clone()).chain(quoted).collect()
}

fn missing(report: &SlateReport, inputs: &SlateInputs) -> Vec<String> {
    let mut missing = Vec::new();
    let date = report.game_date;
    if report.games.is_empty() {
        missing.push(format!("no games on {date}; ingest a schedule that covers it, or odds of its events"));
        return missing;
    }
    let complete = &inputs.completeness;
    if !complete.schedule_covers {
        missing.push(format!("no ingested schedule covers {date}"));
    }
    if share_is_low(complete.with_box_scores, complete.games_before) {
        missing.push(format!(
            "box scores for {} of {} games of the seven days before; ingest the newest box scores",
            complete.with_box_scores, complete.games_before
        ));
    }
    let by = |fits: fn(&GameLine) -> bool| {
        let names: Vec<String> =
            report.games.iter().filter(|g| fits(g)).map(|g| g.game_id.to_string()).collect();
        (!names.is_empty()).then(|| (names.len(), names.join(", ")))
    };
    if let Some((n, names)) = by(|g| g.quotes == 0) {
        missing.push(format!("{n} games without lines: {names}"));
    }
    if let Some((n, names)) = by(|g| g.features == 0) {
        missing.push(format!(
            "{n} games without features: {names}; run `tipoff features build --game-date {date}`"
        ));
    }
    if let Some((n, names)) = by(|g| g.features > 0 && g.features < g.players) {
        missing.push(format!("{n} games in which players lack features: {names}"));
    }
    missing.extend(one_sided(inputs));
    if !report.unresolved.is_empty() {
        let names = report.unresolved.join(", ");
        missing.push(format!("{} quoted names fit no player: {names}; add aliases", report.unresolved.len()));
    }
    missing
}

fn share_is_low(with: u64, of: u64) -> bool {
    of > 0 && (with as f64) < MIN_BOX_SCORES * of as f64
}

/// Games of which only one team has players (incident 69: five players, all of one team).
fn one_sided(inputs: &SlateInputs) -> Vec<String> {
    let mut teams: BTreeMap<TeamCode, u64> = BTreeMap::new();
    for player in inputs.players.values().filter(|p| p.plays_lately) {
        *teams.entry(player.team).or_default() += 1;
    }
    let lacking = |game: &warehouse::SlateGame| {
        let key = game.row.game_id;
        [key.away, key.home].into_iter().filter(|team| !teams.contains_key(team)).collect::<Vec<_>>()
    };
    let lines =
        inputs.games.iter().flat_map(|game| lacking(game).into_iter().map(|team| (game.row.game_id, team)));
    lines.map(|(game, team)| format!("{game}: nobody of {team} has played in the last 30 days")).collect()
}
