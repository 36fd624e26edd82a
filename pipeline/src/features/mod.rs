//! Features: what is known of a player, his team and his opponent before a date.
//!
//! [`history`] holds the facts and lets nobody look at the date itself or later; [`engine`] computes; this module
//! reads a whole range from the warehouse in one pass, writes the rows back, and exports them for training.

pub mod engine;
pub mod export;
pub mod history;
mod maths;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::{FeatureSource, Market, league_time};
use warehouse::{AsOf, Warehouse};

pub use self::engine::{Built, build};
pub use self::export::export_csv;
pub use self::history::{HISTORY_DAYS, History};

use crate::error::{Error, Result};

/// What a build did on one date.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DayReport {
    /// Games of the date.
    pub games: u64,
    /// Rows written.
    pub rows: u64,
    /// Of these, rows that no required default spoils.
    pub ready: u64,
    /// Mean quality score.
    pub mean_quality: f64,
    /// Quoted players whose newest team is not in the game.
    pub without_team: Vec<String>,
}

/// What a build did.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BuildReport {
    /// Version of the contract.
    pub contract: String,
    /// Rows over all dates.
    pub rows: u64,
    /// Date by date; dates without games are left out.
    pub days: BTreeMap<Date, DayReport>,
    /// Rows in which a feature is defaulted or missing, by feature; features that are always there are left out.
    pub absent: BTreeMap<String, u64>,
}

/// Builds and stores the features of every date from `from` to `to`, both included.
pub async fn build_range(
    warehouse: &Warehouse,
    from: Date,
    to: Date,
    now: Timestamp,
    mut progress: impl FnMut(Date, u64) + Send,
) -> Result<BuildReport> {
    if to < from {
        return Err(Error::Invalid(format!("the range ends {to}, before it begins {from}")));
    }
    let contract = rules::contract();
    let mut history = read_history(warehouse, from, to, now).await?;
    let mut report = BuildReport { contract: contract.version.clone(), ..BuildReport::default() };
    let mut date = from;
    while date <= to {
        if !history.games_on(date).is_empty() {
            read_lines(warehouse, &mut history, date, now).await?;
            let built = build(date, &history, contract, now);
            warehouse.put_features(&built.rows).await?;
            report.note(date, history.games_on(date).len() as u64, &built);
            progress(date, report.rows);
        }
        let Ok(next) = date.checked_add(1.day()) else { break };
        date = next;
    }
    Ok(report)
}

/// Box scores and games for a range. Rows of the range's own dates are read too; a date's build cannot see them.
async fn read_history(warehouse: &Warehouse, from: Date, to: Date, now: Timestamp) -> Result<History> {
    let since = from.checked_sub(HISTORY_DAYS.days()).unwrap_or(Date::MIN);
    let as_of = AsOf::new(to, now);
    let mut history = History::new();
    history.add_games(warehouse.games_between(since, to).await?);
    history.add_player_games(warehouse.player_games_before(&as_of, since).await?);
    history.add_team_games(warehouse.team_games_before(&as_of, since).await?);
    Ok(history.settle())
}

/// Quotes of points and game lines of one date, in place of the date's before.
async fn read_lines(warehouse: &Warehouse, history: &mut History, date: Date, now: Timestamp) -> Result<()> {
    let as_of = AsOf::new(date, now);
    history.clear_lines();
    history.add_lines(warehouse.lines_of(&as_of, &Market::points()).await?.into_iter().map(|line| line.row));
    history.add_game_lines(warehouse.game_lines_of(&as_of).await?);
    Ok(())
}

/// The dates a build of "tonight" needs: today and tomorrow, in league time.
pub fn upcoming(now: Timestamp) -> (Date, Date) {
    let today = league_time::league_date(now);
    (today, today.checked_add(1.day()).unwrap_or(today))
}

impl BuildReport {
    fn note(&mut self, date: Date, games: u64, built: &Built) {
        let n = built.rows.len() as u64;
        self.rows += n;
        let scores: Vec<f64> = built.rows.iter().map(|row| row.quality_score).collect();
        let day = DayReport {
            games,
            rows: n,
            ready: built.rows.iter().filter(|row| row.required_default_count == 0).count() as u64,
            mean_quality: maths::mean(&scores).unwrap_or(0.0),
            without_team: built.without_team.iter().map(ToString::to_string).collect(),
        };
        self.days.insert(date, day);
        for row in &built.rows {
            for (spec, feature) in rules::contract().features.iter().zip(&row.vector.features) {
                if feature.defaulted || feature.source == FeatureSource::Missing {
                    *self.absent.entry(spec.name.clone()).or_default() += 1;
                }
            }
        }
    }
}
