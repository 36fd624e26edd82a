//! What follows from an event's quotes: tags, minutes before tip-off, and the books' summaries.
//!
//! They are written in the transaction of the quotes themselves, so no reader ever sees quotes without them. What they
//! say is decided elsewhere; here they are read and written, event by event.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use proto::{GameKey, Line, Market, PlayerLookup, Price, QuoteTag};

use super::IngestTransaction;
use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::sqlite::bulk::{self, Cells, Insert};
use crate::text;

/// One snapshot of one market of an event, as its rows say at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSnapshot {
    /// The market.
    pub market: Market,
    /// When it was seen.
    pub snapshot_at: Timestamp,
    /// The vendor's tip-off as it was told then.
    pub commence_time: Timestamp,
    /// The tag its rows carry; none also where they differ.
    pub tag: Option<QuoteTag>,
    /// The minutes its rows carry.
    pub minutes_before_tip: i64,
    /// False when its rows differ in tag or minutes.
    pub is_uniform: bool,
}

/// A book's main quote of a player who is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MainQuote {
    /// The market.
    pub market: Market,
    /// The player.
    pub player_lookup: PlayerLookup,
    /// When it was seen.
    pub snapshot_at: Timestamp,
    /// The book.
    pub book: String,
    /// The line.
    pub line: Line,
    /// Over price.
    pub over: Option<Price>,
    /// Under price.
    pub under: Option<Price>,
}

/// A row of `line_summaries`; lines and spreads in points.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the columns, described in rules: lines/summary.rs")]
pub struct SummaryRow {
    pub event_id: String,
    pub market: Market,
    pub player_lookup: PlayerLookup,
    pub snapshot_at: Timestamp,
    pub game_id: GameKey,
    pub minutes_before_tip: i64,
    pub num_books: i64,
    pub median_line: f64,
    pub line_spread: Option<f64>,
    pub min_line: Line,
    pub max_line: Line,
    pub outliers: Vec<String>,
    pub juice_skew: Option<f64>,
    pub sharp_line: Option<f64>,
    pub soft_line: Option<f64>,
    pub no_vig_line: Option<Line>,
    pub no_vig_over: Option<f64>,
}

const SUMMARIES: Insert<'static> = Insert {
    table: "line_summaries",
    columns: &[
        "event_id",
        "market",
        "player_lookup",
        "snapshot_at",
        "game_id",
        "game_date",
        "minutes_before_tip",
        "num_books",
        "median_line",
        "line_spread",
        "min_half_points",
        "max_half_points",
        "outliers",
        "juice_skew",
        "sharp_line",
        "soft_line",
        "no_vig_half_points",
        "no_vig_over",
        "ingested_at",
    ],
    conflict: include_str!("../../sql/merge_summaries.sql"),
    doing: "write line summaries",
};

fn write_summary(row: &SummaryRow, cells: &mut Cells) {
    cells.text(&row.event_id).text(&row.market).text(&row.player_lookup).instant(row.snapshot_at);
    cells.text(row.game_id).date(row.game_id.date).int(row.minutes_before_tip).int(row.num_books);
    cells.real(row.median_line).opt_real(row.line_spread);
    cells.int(row.min_line.half_points().into()).int(row.max_line.half_points().into());
    cells.text(serde_json::json!(row.outliers)).opt_real(row.juice_skew);
    cells.opt_real(row.sharp_line).opt_real(row.soft_line);
    cells.opt_int(row.no_vig_line.map(|line| line.half_points().into())).opt_real(row.no_vig_over);
}

impl IngestTransaction {
    /// The snapshots of an event, market by market.
    pub async fn snapshots_of(&mut self, event_id: &str) -> Result<Vec<EventSnapshot>> {
        let args = Args::default().with(event_id.to_owned());
        let sql = include_str!("../../sql/event_snapshots.sql");
        fetch(&mut self.tx, sql, args, "lines", "read an event's snapshots", |r| {
            Ok(EventSnapshot {
                market: r.parsed()?,
                snapshot_at: r.instant()?,
                commence_time: r.instant()?,
                tag: r.opt_parsed()?,
                minutes_before_tip: r.int()?,
                is_uniform: r.flag()?,
            })
        })
        .await
    }

    /// Gives every row of one snapshot of a market its tag and minutes.
    pub async fn retag(
        &mut self,
        event_id: &str,
        of: &EventSnapshot,
        tag: Option<QuoteTag>,
        minutes_before_tip: i64,
    ) -> Result<()> {
        sqlx::query(include_str!("../../sql/retag.sql"))
            .bind(event_id)
            .bind(of.market.to_string())
            .bind(text::instant(of.snapshot_at))
            .bind(tag.map(QuoteTag::as_str))
            .bind(minutes_before_tip)
            .execute(&mut *self.tx)
            .await
            .doing("tag an event's quotes")?;
        Ok(())
    }

    /// Main quotes of players who are known, from one snapshot to another (both included), ordered by market, player
    /// and book.
    pub async fn main_quotes(
        &mut self,
        event_id: &str,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<MainQuote>> {
        let args =
            Args::default().with(event_id.to_owned()).with(text::instant(first)).with(text::instant(last));
        let sql = include_str!("../../sql/main_quotes.sql");
        fetch(&mut self.tx, sql, args, "lines", "read an event's main quotes", |r| {
            Ok(MainQuote {
                market: r.parsed()?,
                player_lookup: r.parsed()?,
                snapshot_at: r.instant()?,
                book: r.text()?,
                line: Line::from_half_points(r.narrow()?),
                over: r.opt_parsed()?,
                under: r.opt_parsed()?,
            })
        })
        .await
    }

    /// Writes summaries; a key that is there gets the new figures.
    pub async fn put_summaries(&mut self, rows: &[SummaryRow]) -> Result<()> {
        let at = self.stamp.ingested_at;
        bulk::insert(&mut self.tx, &SUMMARIES, rows, |row, cells| {
            write_summary(row, cells);
            cells.instant(at);
        })
        .await?;
        Ok(())
    }

    /// Drops an event's summaries from an instant on: tip-off was moved before them.
    pub async fn drop_summaries_from(&mut self, event_id: &str, from: Timestamp) -> Result<()> {
        sqlx::query(include_str!("../../sql/drop_summaries.sql"))
            .bind(event_id)
            .bind(text::instant(from))
            .execute(&mut *self.tx)
            .await
            .doing("drop summaries of quotes in play")?;
        Ok(())
    }

    /// Moves the lines with which a source says a game closed to the moment before its tip-off, where they stand later.
    pub async fn close_before(&mut self, game: GameKey, source: &str, tip: Timestamp) -> Result<()> {
        let just_before = tip.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN);
        sqlx::query(include_str!("../../sql/close_before.sql"))
            .bind(game.to_string())
            .bind(source)
            .bind(text::instant(tip))
            .bind(text::instant(just_before))
            .bind(text::instant(self.stamp.ingested_at))
            .execute(&mut *self.tx)
            .await
            .doing("move a closing line before tip-off")?;
        Ok(())
    }

    /// Events whose games or closing lines this file changed: what is derived from their tip-off may be another now.
    pub async fn events_of_changed_games(&mut self) -> Result<Vec<(String, GameKey)>> {
        let args =
            Args::default().with(text::instant(self.stamp.ingested_at)).with(self.stamp.source_file.clone());
        let sql = include_str!("../../sql/events_of_changed_games.sql");
        fetch(&mut self.tx, sql, args, "lines", "read the events of changed games", |r| {
            Ok((r.text()?, r.parsed()?))
        })
        .await
    }

    /// Every event of a date that is quoted, with the game it stands for.
    pub async fn events_of_date(&mut self, date: Date) -> Result<Vec<(String, GameKey)>> {
        let sql = include_str!("../../sql/events_of_date.sql");
        let args = Args::default().with(text::date(date));
        fetch(&mut self.tx, sql, args, "lines", "read the events of a date", |r| Ok((r.text()?, r.parsed()?)))
            .await
    }

    /// Scheduled tip-off of a game, as this transaction sees it.
    pub async fn tip_off_of(&mut self, game: GameKey) -> Result<Option<Timestamp>> {
        let sql = include_str!("../../sql/tip_off.sql");
        let args = Args::default().with(game.to_string());
        let found = fetch(&mut self.tx, sql, args, "games", "read a tip-off", |r| r.opt_instant()).await?;
        Ok(found.into_iter().next().flatten())
    }
}
