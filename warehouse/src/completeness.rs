//! Whether a slate's inputs are complete and new enough: a few counts, asked before anything is claimed or loaded.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::Slate;
use proto::tables::InputAges;

use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::sqlite::Conn;
use crate::{Warehouse, text};

/// The window of the check.
const DAYS: i32 = 7;

/// The counts behind the data-completeness check of a start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Games of the date, postponed ones included.
    pub games_on_date: u64,
    /// At least one feature row of the date under the opened contract.
    pub any_features: bool,
    /// The ingested schedule reaches to the date or beyond, and begins before it.
    pub schedule_covers: bool,
    /// Games of the seven days before that were to be played (no preseason, all-star, postponed, cancelled).
    pub games_before: u64,
    /// Of these, games known to be final.
    pub final_before: u64,
    /// Of these, games with at least one player's box score.
    pub with_box_scores: u64,
}

impl Warehouse {
    /// How new rosters and injuries of a slate are at an instant.
    pub async fn input_ages(&self, game_date: Date, as_of: Timestamp) -> Result<InputAges> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(text::instant(as_of)).with(text::date(game_date));
        let sql = include_str!("../sql/input_ages.sql");
        let rows = fetch(&mut tx, sql, args, "injuries", "see how new rosters and injuries are", |r| {
            Ok(InputAges {
                newest_report: r.opt_instant()?,
                newest_box_score: r.opt_parsed()?,
                games_since: r.narrow()?,
            })
        })
        .await?;
        Ok(rows.first().copied().unwrap_or_default())
    }

    /// What is there for a slate, without loading it.
    pub async fn completeness(&self, slate: Slate) -> Result<Completeness> {
        let mut tx = self.store().read().await?;
        read(&mut tx, slate.game_date, self.contract_version()).await
    }

    /// Events of a date with quotes from which nothing was derived.
    pub async fn events_without_context(&self, date: Date) -> Result<u64> {
        let mut tx = self.store().read().await?;
        let count: i64 = sqlx::query_scalar(include_str!("../sql/without_context.sql"))
            .bind(text::date(date))
            .fetch_one(&mut *tx)
            .await
            .doing("count events without context")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

pub(crate) async fn read(conn: &mut Conn, date: Date, contract_version: &str) -> Result<Completeness> {
    let args = Args::default()
        .with(text::date(date))
        .with(text::date(date.saturating_sub(DAYS.days())))
        .with(contract_version.to_owned());
    let sql = include_str!("../sql/completeness.sql");
    let rows = fetch(conn, sql, args, "games", "check the completeness of the inputs", |r| {
        Ok(Completeness {
            games_on_date: r.narrow()?,
            any_features: r.flag()?,
            schedule_covers: r.flag()?,
            games_before: r.narrow()?,
            final_before: r.narrow()?,
            with_box_scores: r.narrow()?,
        })
    })
    .await?;
    Ok(rows.first().copied().unwrap_or_default())
}
