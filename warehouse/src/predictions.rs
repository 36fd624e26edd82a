//! Reading what was published: rows, outcomes and what a finalizer needs to judge a slate's health.

use jiff::Timestamp;
use jiff::civil::Date;
use proto::{
    BatchId, CodeNote, GameKey, JobId, Line, Market, OutcomeKind, PlayerLookup, Recommendation, RowKey,
    RunMode, Slate, Sport, SystemId,
};
use sqlx::{QueryBuilder, Sqlite};

use crate::Warehouse;
use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::publish::JobOutcome;
use crate::sqlite::reader::Reader;
use crate::text;

/// Largest page.
pub const MAX_PAGE: u32 = 10_000;

/// A row of `predictions`; fields carry the names of the columns.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[expect(missing_docs, reason = "the columns are described in design.md 6 and on `proto::PredictionRow`")]
pub struct StoredPrediction {
    pub prediction_id: String,
    pub batch_id: BatchId,
    pub generation: u64,
    pub sport: Sport,
    pub game_date: Date,
    pub game_id: GameKey,
    pub player_lookup: PlayerLookup,
    pub market: Market,
    pub system_id: SystemId,
    pub prediction_run_mode: RunMode,
    pub model_sha256: String,
    pub inputs_sha256: String,
    pub predicted_value: f64,
    pub half_points: i32,
    pub line: f64,
    pub line_source: String,
    pub line_source_api: String,
    pub book: String,
    pub was_line_fallback: bool,
    pub over_price: String,
    pub under_price: String,
    pub line_snapshot_at: Timestamp,
    pub line_minutes_before_game: i64,
    pub consensus_line: Option<f64>,
    pub line_spread: Option<f64>,
    pub no_vig_over: f64,
    pub over_probability: Option<f64>,
    pub over_expected_value: Option<f64>,
    pub under_expected_value: Option<f64>,
    pub over_fair_price: Option<String>,
    pub line_margin: f64,
    pub recommendation: Recommendation,
    pub feature_quality_score: f64,
    pub default_feature_count: u32,
    pub in_sample: bool,
    pub as_of: Timestamp,
    pub predicted_at: Timestamp,
    pub row_sha256: String,
    pub is_active: bool,
    pub invalidation_reason: Option<String>,
    pub invalidated_at: Option<Timestamp>,
    pub superseded_by: Option<String>,
    pub superseded_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Which rows to read. At least a date is wise: without one the whole table is walked.
#[derive(Debug, Clone, Default)]
pub struct PredictionFilter {
    /// Of one slate.
    pub game_date: Option<Date>,
    /// Of one player.
    pub player: Option<PlayerLookup>,
    /// Of one market.
    pub market: Option<Market>,
    /// Of one system.
    pub system: Option<SystemId>,
    /// Active rows only, or inactive ones only.
    pub active: Option<bool>,
    /// Of one generation.
    pub generation: Option<u64>,
    /// The cursor of the page before.
    pub after: Option<String>,
    /// Rows a page; at most [`MAX_PAGE`], which is also the default of 0.
    pub limit: u32,
}

/// A page of rows in the order game, player, market, system, generation.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionPage {
    /// The rows.
    pub rows: Vec<StoredPrediction>,
    /// Cursor of the next page; none on the last.
    pub next: Option<String>,
}

/// An active row as health judges it.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the columns of `predictions`")]
pub struct ActiveRow {
    pub key: RowKey,
    pub batch_id: BatchId,
    pub predicted_value: f64,
    pub line: Line,
    pub line_source: String,
    pub line_source_api: String,
    pub recommendation: Recommendation,
    pub in_sample: bool,
    pub feature_quality_score: f64,
    pub default_feature_count: u32,
    pub row_sha256: String,
}

/// A stored outcome with what became of the job's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOutcome {
    /// The outcome.
    pub outcome: JobOutcome,
    /// Its batch.
    pub batch_id: BatchId,
    /// The batch's generation.
    pub generation: u64,
    /// Rows of this batch that became active.
    pub published: u64,
    /// Older rows of the job's keys that stayed active.
    pub carried: u64,
}

const COLUMNS: &str = include_str!("../sql/prediction_columns.sql");

impl Warehouse {
    /// Reads a page of predictions.
    pub async fn predictions(&self, filter: &PredictionFilter) -> Result<PredictionPage> {
        let limit = if filter.limit == 0 { MAX_PAGE } else { filter.limit.min(MAX_PAGE) };
        let mut query = select(filter)?;
        query
            .push(" ORDER BY game_id, player_lookup, market, system_id, generation LIMIT ")
            .push_bind(limit + 1);
        let mut tx = self.store().read().await?;
        let found = query.build().fetch_all(&mut *tx).await.doing("read predictions")?;
        let more = found.len() > limit as usize;
        let rows: Vec<StoredPrediction> = found
            .iter()
            .take(limit as usize)
            .map(|row| stored(&mut Reader::new(row, "predictions")))
            .collect::<Result<_>>()?;
        let next = if more { rows.last().map(cursor) } else { None };
        Ok(PredictionPage { rows, next })
    }

    /// The active rows of a slate, by key.
    pub async fn active_rows(&self, slate: Slate) -> Result<Vec<ActiveRow>> {
        let (from, to) = text::game_id_range(slate.game_date);
        let args = Args::default().with(from).with(to).with(slate.sport.as_str());
        let mut tx = self.store().read().await?;
        let sql = include_str!("../sql/active_rows.sql");
        fetch(&mut tx, sql, args, "predictions", "read the active rows", active_row).await
    }

    /// The outcomes of a batch that has ended, by player.
    pub async fn job_outcomes(&self, batch_id: &BatchId) -> Result<Vec<StoredOutcome>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(batch_id.to_string());
        let sql = include_str!("../sql/job_outcomes.sql");
        fetch(&mut tx, sql, args, "job_outcomes", "read job outcomes", outcome).await
    }

    /// Each player's newest outcome over the slate's published batches.
    pub async fn newest_outcomes(&self, slate: Slate) -> Result<Vec<StoredOutcome>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(slate.sport.as_str()).with(text::date(slate.game_date));
        let sql = include_str!("../sql/newest_outcomes.sql");
        fetch(&mut tx, sql, args, "job_outcomes", "read the newest outcomes", outcome).await
    }
}

fn select(filter: &PredictionFilter) -> Result<QueryBuilder<Sqlite>> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" FROM predictions WHERE TRUE");
    if let Some(date) = filter.game_date {
        let (from, to) = text::game_id_range(date);
        query.push(" AND game_id >= ").push_bind(from).push(" AND game_id < ").push_bind(to);
        // Game ids begin with the date. Said twice it leads past the index of active rows, through every generation.
        if filter.active != Some(true) {
            query.push(" AND game_date = ").push_bind(text::date(date));
        }
    }
    if let Some(player) = &filter.player {
        query.push(" AND player_lookup = ").push_bind(player.to_string());
    }
    if let Some(market) = &filter.market {
        query.push(" AND market = ").push_bind(market.to_string());
    }
    if let Some(system) = &filter.system {
        query.push(" AND system_id = ").push_bind(system.to_string());
    }
    match filter.active {
        Some(true) => query.push(" AND is_active"),
        Some(false) => query.push(" AND NOT is_active"),
        None => &mut query,
    };
    if let Some(generation) = filter.generation {
        query.push(" AND generation = ").push_bind(i64::try_from(generation).unwrap_or(i64::MAX));
    }
    if let Some(after) = &filter.after {
        let [game, player, market, system, generation] = parts(after)?;
        let generation: i64 = generation.parse().map_err(|_| bad_cursor(after))?;
        query.push(" AND (game_id, player_lookup, market, system_id, generation) > (");
        query.push_bind(game.to_owned()).push(", ").push_bind(player.to_owned()).push(", ");
        query.push_bind(market.to_owned()).push(", ").push_bind(system.to_owned()).push(", ");
        query.push_bind(generation).push(")");
    }
    Ok(query)
}

fn cursor(row: &StoredPrediction) -> String {
    format!("{}|{}|{}|{}|{}", row.game_id, row.player_lookup, row.market, row.system_id, row.generation)
}

fn parts(cursor: &str) -> Result<[&str; 5]> {
    let parts: Vec<&str> = cursor.split('|').collect();
    parts.try_into().map_err(|_| bad_cursor(cursor))
}

fn bad_cursor(cursor: &str) -> Error {
    let shown: String = cursor.chars().take(80).collect();
    Error::Statement { why: format!("`{shown}` is not a cursor of this list; begin again without one") }
}

fn stored(r: &mut Reader<'_>) -> Result<StoredPrediction> {
    Ok(StoredPrediction {
        prediction_id: r.text()?,
        batch_id: r.parsed()?,
        generation: r.narrow()?,
        sport: r.parsed()?,
        game_date: r.date()?,
        game_id: r.parsed()?,
        player_lookup: r.parsed()?,
        market: r.parsed()?,
        system_id: r.parsed()?,
        prediction_run_mode: r.parsed()?,
        model_sha256: r.text()?,
        inputs_sha256: r.text()?,
        predicted_value: r.real()?,
        half_points: r.narrow()?,
        line: r.real()?,
        line_source: r.text()?,
        line_source_api: r.text()?,
        book: r.text()?,
        was_line_fallback: r.flag()?,
        over_price: r.text()?,
        under_price: r.text()?,
        line_snapshot_at: r.instant()?,
        line_minutes_before_game: r.int()?,
        consensus_line: r.opt_real()?,
        line_spread: r.opt_real()?,
        no_vig_over: r.real()?,
        over_probability: r.opt_real()?,
        over_expected_value: r.opt_real()?,
        under_expected_value: r.opt_real()?,
        over_fair_price: r.opt_text()?,
        line_margin: r.real()?,
        recommendation: r.parsed()?,
        feature_quality_score: r.real()?,
        default_feature_count: r.narrow()?,
        in_sample: r.flag()?,
        as_of: r.instant()?,
        predicted_at: r.instant()?,
        row_sha256: r.text()?,
        is_active: r.flag()?,
        invalidation_reason: r.opt_text()?,
        invalidated_at: r.opt_instant()?,
        superseded_by: r.opt_text()?,
        superseded_at: r.opt_instant()?,
        created_at: r.instant()?,
    })
}

pub(crate) fn active_row(r: &mut Reader<'_>) -> Result<ActiveRow> {
    Ok(ActiveRow {
        key: RowKey { game: r.parsed()?, player: r.parsed()?, market: r.parsed()?, system_id: r.parsed()? },
        batch_id: r.parsed()?,
        predicted_value: r.real()?,
        line: Line::from_half_points(r.narrow()?),
        line_source: r.text()?,
        line_source_api: r.text()?,
        recommendation: r.parsed()?,
        in_sample: r.flag()?,
        feature_quality_score: r.real()?,
        default_feature_count: r.narrow()?,
        row_sha256: r.text()?,
    })
}

pub(crate) fn outcome(r: &mut Reader<'_>) -> Result<StoredOutcome> {
    let job = JobId { player: r.parsed()?, game: r.parsed()? };
    let name = r.text()?;
    let kind: OutcomeKind = r.parsed()?;
    let code = r.parsed()?;
    let sentence = r.text()?;
    let codes: Vec<CodeNote> = r.json()?;
    let outcome = JobOutcome {
        job,
        name,
        kind,
        code,
        sentence,
        codes,
        attempts: r.narrow()?,
        rows_owed: r.narrow()?,
        inputs_sha256: r.text()?,
    };
    Ok(StoredOutcome {
        outcome,
        batch_id: r.parsed()?,
        generation: r.narrow()?,
        published: r.narrow()?,
        carried: r.narrow()?,
    })
}
