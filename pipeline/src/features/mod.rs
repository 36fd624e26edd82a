//! Features: what is known of a player, his team and his opponent before a date.
//!
//! [`history`] holds the facts and lets nobody look at the date itself or later; [`engine`] says who gets a row and
//! puts it together from `player`, `team`, `absences` and the lines; this module reads a whole range from the
//! warehouse in one pass, judges the columns, and writes the rows back; [`mod@export`] is the table for training, [`look`] what a
//! person sees.

mod absences;
mod closings;
pub mod engine;
pub mod export;
pub mod history;
pub mod look;
mod maths;
mod player;
mod team;
mod vector;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::{FeatureSource, Market, league_time};
use rules::columns::{Column, Columns};
use warehouse::{AsOf, Warehouse};

pub use self::engine::{Built, Implausible, build};
pub use self::export::{ExportRequest, export, export_csv};
pub use self::history::{HISTORY_DAYS, History};

use crate::error::{Error, Result};

/// Days before a range whose lines and results are looked at.
const GRADED_DAYS: i32 = 60;
/// Values outside their range are listed up to here; all are counted.
const MAX_LISTED: usize = 20;

/// What a build did on one date.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DayReport {
    /// Games of the date.
    pub games: u64,
    /// Rows built; stored unless the date is blocked.
    pub rows: u64,
    /// Of these, rows that no required default spoils.
    pub ready: u64,
    /// Mean quality score.
    pub mean_quality: f64,
    /// Quoted players whose newest team is not in the game.
    pub without_team: Vec<String>,
    /// Why nothing was stored, in words; empty unless the date is blocked.
    pub blocked: Vec<String>,
}

/// What a build did.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BuildReport {
    /// Version of the contract.
    pub contract: String,
    /// Rows stored over all dates.
    pub rows: u64,
    /// Date by date; dates without games are left out.
    pub days: BTreeMap<Date, DayReport>,
    /// Rows in which a feature is defaulted or missing, by feature; features that are always there are left out.
    pub absent: BTreeMap<String, u64>,
    /// Values that were outside the contract's range and left out.
    pub implausible: u64,
    /// The first of them.
    pub implausible_examples: Vec<Implausible>,
    /// Columns that are not alive over the whole range, in words.
    pub faults: Vec<String>,
    /// Columns whose fault somebody accepted.
    pub accepted: Vec<String>,
}

impl BuildReport {
    /// Dates of which nothing was stored.
    pub fn blocked(&self) -> Vec<Date> {
        self.days.iter().filter(|(_, day)| !day.blocked.is_empty()).map(|(date, _)| *date).collect()
    }
}

/// What to build.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The first date.
    pub from: Date,
    /// The last date.
    pub to: Date,
    /// The moment of the build: nothing seen later enters.
    pub now: Timestamp,
    /// Features whose columns may be at fault, by name: recorded in the report.
    pub accept: Vec<String>,
}

/// Builds and stores the features of every date from `from` to `to`, both included, without accepting any fault.
pub async fn build_range(
    warehouse: &Warehouse,
    from: Date,
    to: Date,
    now: Timestamp,
    progress: impl FnMut(Date, u64) + Send,
) -> Result<BuildReport> {
    let request = BuildRequest { from, to, now, accept: Vec::new() };
    build_request(warehouse, &request, progress).await
}

/// Builds and stores the features of every date of a request. A date whose columns are not
/// alive is not stored, whatever was stored before stays, and the report says why.
pub async fn build_request(
    warehouse: &Warehouse,
    request: &BuildRequest,
    mut progress: impl FnMut(Date, u64) + Send,
) -> Result<BuildReport> {
    let contract = rules::contract();
    for name in &request.accept {
        if contract.position(name).is_none() {
            return Err(Error::Invalid(format!("`{name}` is no feature of contract {}", contract.version)));
        }
    }
    let mut report = BuildReport {
        contract: contract.version.clone(),
        accepted: request.accept.clone(),
        ..BuildReport::default()
    };
    let mut columns = Columns::new(contract);
    let mut pass = Pass::begin(warehouse, request.from, request.to, request.now).await?;
    while let Some((date, games, built)) = pass.next(warehouse).await? {
        let blocked = faults(&built.columns(contract).judge(), &request.accept);
        built.add_to(&mut columns, contract);
        if blocked.is_empty() {
            warehouse.put_features(&built.rows).await?;
        }
        report.note(date, games, &built, blocked);
        progress(date, report.rows);
    }
    report.faults = faults(&columns.judge(), &request.accept);
    Ok(report)
}

/// Faults in words, but for those that were accepted.
fn faults(columns: &[Column], accepted: &[String]) -> Vec<String> {
    let is_accepted = |column: &Column| accepted.contains(&column.name);
    let faulty = columns.iter().filter(|column| !is_accepted(column));
    faulty.filter_map(|column| Some(column.fault.as_ref()?.sentence(column))).collect()
}

/// One pass over a range: the facts are read once, the lines date by date.
pub struct Pass {
    history: History,
    next: Date,
    to: Date,
    now: Timestamp,
}

impl Pass {
    /// Reads what the whole range needs.
    pub async fn begin(warehouse: &Warehouse, from: Date, to: Date, now: Timestamp) -> Result<Self> {
        if to < from {
            return Err(Error::Invalid(format!("the range ends {to}, before it begins {from}")));
        }
        Ok(Self { history: read_history(warehouse, from, to, now).await?, next: from, to, now })
    }

    /// The next date with games, their number and what was built; none at the end.
    pub async fn next(&mut self, warehouse: &Warehouse) -> Result<Option<(Date, u64, Built)>> {
        while self.next <= self.to {
            let date = self.next;
            let Ok(next) = date.checked_add(1.day()) else { return Ok(None) };
            self.next = next;
            let games = self.history.games_on(date).len() as u64;
            if games > 0 {
                read_lines(warehouse, &mut self.history, date, self.now).await?;
                return Ok(Some((date, games, build(date, &self.history, rules::contract(), self.now))));
            }
        }
        Ok(None)
    }
}

/// Box scores and games for a range. Rows of the range's own dates are read too; a date's build cannot see them.
async fn read_history(warehouse: &Warehouse, from: Date, to: Date, now: Timestamp) -> Result<History> {
    let since = from.checked_sub(HISTORY_DAYS.days()).unwrap_or(Date::MIN);
    let as_of = AsOf::new(to, now);
    let mut history = History::new();
    history.add_games(warehouse.games_between(since, to).await?);
    history.add_player_games(warehouse.player_games_before(&as_of, since).await?);
    history.add_team_games(warehouse.team_games_before(&as_of, since).await?);
    history.add_reports(warehouse.injury_reports(&as_of, league_time::start_of(since)).await?);
    let graded = from.checked_sub(GRADED_DAYS.days()).unwrap_or(Date::MIN);
    history.add_closings(warehouse.closing_lines(&as_of, graded, &Market::points()).await?);
    Ok(history.settle())
}

/// Quotes of every market that features read and game lines of one date, in place of the date's before.
async fn read_lines(warehouse: &Warehouse, history: &mut History, date: Date, now: Timestamp) -> Result<()> {
    let as_of = AsOf::new(date, now);
    history.clear_lines();
    for market in rules::line_features::markets().filter_map(|name| name.parse::<Market>().ok()) {
        history.add_lines(warehouse.lines_of(&as_of, &market).await?.into_iter().map(|line| line.row));
    }
    history.add_game_lines(warehouse.game_lines_of(&as_of).await?);
    Ok(())
}

/// The dates a build of "tonight" needs: today and tomorrow, in league time.
pub fn upcoming(now: Timestamp) -> (Date, Date) {
    let today = league_time::league_date(now);
    (today, today.checked_add(1.day()).unwrap_or(today))
}

impl BuildReport {
    fn note(&mut self, date: Date, games: u64, built: &Built, blocked: Vec<String>) {
        let n = built.rows.len() as u64;
        self.rows += if blocked.is_empty() { n } else { 0 };
        let scores: Vec<f64> = built.rows.iter().map(|row| row.quality_score).collect();
        let day = DayReport {
            games,
            rows: n,
            ready: built.rows.iter().filter(|row| row.required_default_count == 0).count() as u64,
            mean_quality: maths::mean(&scores).unwrap_or(0.0),
            without_team: built.without_team.iter().map(ToString::to_string).collect(),
            blocked,
        };
        self.days.insert(date, day);
        self.implausible += built.implausible.len() as u64;
        let room = MAX_LISTED.saturating_sub(self.implausible_examples.len());
        self.implausible_examples.extend(built.implausible.iter().take(room).cloned());
        let mut absent = vec![0u64; rules::contract().features.len()];
        for row in &built.rows {
            for (count, feature) in absent.iter_mut().zip(&row.vector.features) {
                *count += u64::from(feature.defaulted || feature.source == FeatureSource::Missing);
            }
        }
        for (spec, count) in rules::contract().features.iter().zip(absent).filter(|(_, count)| *count > 0) {
            *self.absent.entry(spec.name.clone()).or_default() += count;
        }
    }
}
