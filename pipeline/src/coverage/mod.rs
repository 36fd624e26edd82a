//! What there is of each day, and what is missing: lines, box scores, features, predictions.
//!
//! The predecessor saw a table go silent after five days (incident 59), called one game of ten a complete night (30),
//! and judged playoff nights by the number of games of a night in January (68). Here what is expected of a day follows
//! from its games and nothing else: a day without games lacks nothing, an exhibition needs no lines, a game that was
//! postponed no box score, and a game to come no result. What is missing is named, game by game.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::league_time::league_date;
use proto::tables::GameRow;
use proto::{GameKey, GameStatus, Market, SeasonPhase};
use warehouse::{CoverageFacts, Warehouse};

use crate::error::{Error, Result};

/// Longest range of one report, in days.
pub const MAX_DAYS: i32 = 400;

/// How complete a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayStatus {
    /// No game of which anything is expected: nothing is missing.
    NoGames,
    /// Every game has lines.
    Complete,
    /// Some games have lines.
    Partial,
    /// No game has lines.
    Missing,
}

impl DayStatus {
    /// Stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoGames => "no_games",
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Missing => "missing",
        }
    }
}

/// Quotes of one day from one source.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SourceDay {
    /// The source.
    pub source: String,
    /// Files.
    pub files: u64,
    /// Players and markets of events.
    pub records: u64,
    /// Rows.
    pub rows: u64,
}

/// One day.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DayCoverage {
    /// The date of its games.
    pub date: Date,
    /// Whether its games have lines.
    pub status: DayStatus,
    /// Games that are expected to be played and quoted.
    pub games: u64,
    /// Of these, games with lines.
    pub with_lines: u64,
    /// Players with lines, over its games.
    pub quoted: u64,
    /// Fewest players with lines of one of its games that has some.
    pub fewest_quoted: u64,
    /// Books that quote.
    pub books: u64,
    /// Snapshots that were taken on this day, of whatever game.
    pub snapshots: u64,
    /// Where its quotes come from.
    pub sources: Vec<SourceDay>,
    /// Rows and files of this day that were refused.
    pub quarantined: u64,
    /// Games that are over.
    pub over: u64,
    /// Of these, games with box scores of both teams.
    pub with_box_scores: u64,
    /// Feature rows.
    pub features: u64,
    /// Of these, rows that no required default spoils.
    pub ready: u64,
    /// Players with active predictions.
    pub predicted: u64,
    /// Active predictions.
    pub predictions: u64,
    /// What is missing, in words; empty when nothing is.
    pub missing: Vec<String>,
}

/// One book in one week.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BookWeek {
    /// The week's Monday.
    pub monday: Date,
    /// Days of the week with games that have lines.
    pub days: u64,
    /// By book: days on which it quotes, and its rows.
    pub books: BTreeMap<String, (u64, u64)>,
}

/// A range.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CoverageReport {
    /// The first date.
    pub from: Date,
    /// The last date.
    pub to: Date,
    /// Day by day.
    pub days: Vec<DayCoverage>,
    /// Books week by week.
    pub weeks: Vec<BookWeek>,
    /// Days on which games were to be quoted and no snapshot was taken.
    pub without_snapshot: Vec<Date>,
    /// Days on which games were to be quoted and others of the range's markets were seen, but not this one.
    pub without_market: BTreeMap<Market, Vec<Date>>,
    /// Days without a snapshot and without a game: nothing is missing.
    pub without_games: Vec<Date>,
}

impl CoverageReport {
    /// True when no day lacks anything.
    pub fn is_complete(&self) -> bool {
        self.without_snapshot.is_empty() && self.days.iter().all(|day| day.missing.is_empty())
    }
}

/// Looks at a range.
pub async fn coverage(warehouse: &Warehouse, from: Date, to: Date, now: Timestamp) -> Result<CoverageReport> {
    check_range(from, to)?;
    Ok(describe(from, to, &warehouse.coverage_facts(from, to).await?, now))
}

/// Refuses a range that ends before it begins, or is longer than a report may be.
pub fn check_range(from: Date, to: Date) -> Result<()> {
    if to < from {
        return Err(Error::Invalid(format!("the range ends {to}, before it begins {from}")));
    }
    if from.until(to).map_or(i32::MAX, |span| span.get_days()) >= MAX_DAYS {
        return Err(Error::Invalid(format!("the range has more than {MAX_DAYS} days; ask for a part of it")));
    }
    Ok(())
}

/// The report of what was read.
pub fn describe(from: Date, to: Date, facts: &CoverageFacts, now: Timestamp) -> CoverageReport {
    let today = league_date(now);
    let dates = || {
        std::iter::successors(Some(from), |date| date.checked_add(1.day()).ok())
            .take_while(|date| *date <= to)
    };
    let days: Vec<DayCoverage> = dates().map(|date| day(date, facts, now)).collect();
    // Of days to come nobody has taken a snapshot yet.
    let unseen = || days.iter().filter(|day| day.snapshots == 0 && day.date <= today);
    let looked_at = || days.iter().filter(|day| day.snapshots > 0 && day.games > 0 && day.date <= today);
    let unseen_of = |seen: &BTreeSet<Date>| {
        looked_at().map(|day| day.date).filter(|date| !seen.contains(date)).collect::<Vec<Date>>()
    };
    let by_market = facts.seen.iter().map(|(market, seen)| (market.clone(), unseen_of(seen)));
    CoverageReport {
        from,
        to,
        weeks: weeks(facts),
        without_market: by_market.filter(|(_, dates)| !dates.is_empty()).collect(),
        without_snapshot: unseen().filter(|day| day.games > 0).map(|day| day.date).collect(),
        without_games: unseen().filter(|day| day.games == 0).map(|day| day.date).collect(),
        days,
    }
}

/// Markets that lack the same days, together.
pub fn gaps(without_market: &BTreeMap<Market, Vec<Date>>) -> Vec<(Vec<&Market>, &[Date])> {
    let mut gaps: BTreeMap<&[Date], Vec<&Market>> = BTreeMap::new();
    for (market, dates) in without_market {
        gaps.entry(dates).or_default().push(market);
    }
    gaps.into_iter().map(|(dates, markets)| (markets, dates)).collect()
}

/// True when lines and, in the end, box scores are expected of a game.
fn is_expected(game: &GameRow) -> bool {
    !matches!(game.phase, SeasonPhase::Preseason | SeasonPhase::AllStar)
        && !matches!(game.status, GameStatus::Postponed | GameStatus::Cancelled)
}

/// True when a game should have box scores: it says that it is final, or its day is past.
fn is_over(game: &GameRow, today: Date) -> bool {
    game.status == GameStatus::Final || game.game_id.date < today
}

fn day(date: Date, facts: &CoverageFacts, now: Timestamp) -> DayCoverage {
    let today = league_date(now);
    let games: Vec<&GameRow> =
        facts.games.iter().filter(|game| game.game_id.date == date && is_expected(game)).collect();
    let quoted: Vec<u64> =
        games.iter().filter_map(|game| facts.lines.get(&game.game_id)).map(|lines| lines.players).collect();
    let books: BTreeSet<&str> =
        facts.books.iter().filter(|(day, ..)| *day == date).map(|(_, book, _)| book.as_str()).collect();
    let over: Vec<&&GameRow> = games.iter().filter(|game| is_over(game, today)).collect();
    let features =
        games.iter().filter_map(|game| facts.features.get(&game.game_id)).flat_map(BTreeMap::values);
    let (features, ready) = features.fold((0, 0), |sum, (rows, ready)| (sum.0 + rows, sum.1 + ready));
    let predictions = games.iter().filter_map(|game| facts.predictions.get(&game.game_id));
    let (predicted, predictions) =
        predictions.fold((0, 0), |sum, (players, rows)| (sum.0 + players, sum.1 + rows));
    let sources = facts.sources.iter().filter(|source| source.game_date == date).map(|source| SourceDay {
        source: source.source.clone(),
        files: source.files,
        records: source.records,
        rows: source.rows,
    });
    DayCoverage {
        date,
        status: match (games.len(), quoted.len()) {
            (0, _) => DayStatus::NoGames,
            (_, 0) => DayStatus::Missing,
            (games, quoted) if quoted < games => DayStatus::Partial,
            _ => DayStatus::Complete,
        },
        games: games.len() as u64,
        with_lines: quoted.len() as u64,
        quoted: quoted.iter().sum(),
        fewest_quoted: quoted.iter().min().copied().unwrap_or(0),
        books: books.len() as u64,
        snapshots: facts.snapshots.get(&date).copied().unwrap_or(0),
        sources: sources.collect(),
        quarantined: facts.quarantined.get(&date).copied().unwrap_or(0),
        over: over.len() as u64,
        with_box_scores: over.iter().filter(|game| has_both_teams(facts, &game.game_id)).count() as u64,
        features,
        ready,
        predicted,
        predictions,
        missing: missing(&games, facts, today),
    }
}

fn has_both_teams(facts: &CoverageFacts, game: &GameKey) -> bool {
    facts.box_scores.get(game).is_some_and(|teams| teams.len() == 2)
}

/// What a day lacks; each kind of thing once, with the games it lacks of.
fn missing(games: &[&GameRow], facts: &CoverageFacts, today: Date) -> Vec<String> {
    let named = |what: &str, lacks: &dyn Fn(&GameRow) -> bool| {
        let names: Vec<String> =
            games.iter().filter(|game| lacks(game)).map(|game| game.game_id.to_string()).collect();
        (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
    };
    let is_due = |game: &GameRow| game.game_id.date <= today;
    let one_team = |game: &GameRow| facts.features.get(&game.game_id).is_some_and(|teams| teams.len() < 2);
    [
        named("no lines", &|game| is_due(game) && !facts.lines.contains_key(&game.game_id)),
        named("no box scores of both teams", &|game| {
            is_over(game, today) && !has_both_teams(facts, &game.game_id)
        }),
        named("no features", &|game| is_due(game) && !facts.features.contains_key(&game.game_id)),
        named("features of one team only", &one_team),
        named("lines, but no predictions", &|game| {
            facts.lines.contains_key(&game.game_id)
                && facts.features.contains_key(&game.game_id)
                && !facts.predictions.contains_key(&game.game_id)
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn weeks(facts: &CoverageFacts) -> Vec<BookWeek> {
    let mut weeks: BTreeMap<Date, BookWeek> = BTreeMap::new();
    let mut days: BTreeMap<Date, BTreeSet<Date>> = BTreeMap::new();
    for (date, book, rows) in &facts.books {
        let back = i64::from(date.weekday().to_monday_zero_offset());
        let monday = date.checked_sub(back.days()).unwrap_or(*date);
        let week =
            weeks.entry(monday).or_insert_with(|| BookWeek { monday, days: 0, books: BTreeMap::new() });
        let entry = week.books.entry(book.clone()).or_default();
        (entry.0, entry.1) = (entry.0 + 1, entry.1 + rows);
        days.entry(monday).or_default().insert(*date);
    }
    for (monday, dates) in days {
        if let Some(week) = weeks.get_mut(&monday) {
            week.days = dates.len() as u64;
        }
    }
    weeks.into_values().collect()
}

#[cfg(test)]
mod tests;
