//! Reading what was published: rows, outcomes and what a finalizer needs to judge a slate's health.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::{
    BatchId, CodeNote, GameKey, JobId, Line, Market, OutcomeKind, PlayerLookup, Recommendation, RowKey,
    RunMode, Sha256, Slate, Sport, SystemId, Text,
};
use uuid::Uuid;

use crate::Warehouse;
use crate::error::Result;
use crate::history::{Args, fetch};
use crate::publish::JobOutcome;
use crate::sqlite::reader::Reader;
use crate::{published, text};

/// Largest page.
pub const MAX_PAGE: u32 = 10_000;

/// A row of `predictions`; fields carry the names of the columns.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[expect(missing_docs, reason = "the columns are described in design.md 6 and on `proto::PredictionRow`")]
pub struct StoredPrediction {
    pub prediction_id: Uuid,
    pub batch_id: BatchId,
    pub generation: u64,
    pub sport: Sport,
    pub game_date: Date,
    pub game_id: GameKey,
    pub player_lookup: PlayerLookup,
    pub market: Market,
    pub system_id: SystemId,
    pub prediction_run_mode: RunMode,
    pub model_sha256: Arc<str>,
    pub inputs_sha256: Arc<str>,
    pub predicted_value: f64,
    pub half_points: i32,
    pub line: f64,
    pub line_source: Text,
    pub line_source_api: Text,
    pub book: Text,
    pub was_line_fallback: bool,
    pub over_price: Text,
    pub under_price: Text,
    pub line_snapshot_at: Timestamp,
    pub line_minutes_before_game: i64,
    pub consensus_line: Option<f64>,
    pub line_spread: Option<f64>,
    pub no_vig_over: f64,
    pub over_probability: Option<f64>,
    pub over_expected_value: Option<f64>,
    pub under_expected_value: Option<f64>,
    pub over_fair_price: Option<Text>,
    pub line_margin: f64,
    pub recommendation: Recommendation,
    pub feature_quality_score: f64,
    pub default_feature_count: u32,
    pub in_sample: bool,
    pub as_of: Timestamp,
    pub predicted_at: Timestamp,
    pub row_sha256: Sha256,
    pub is_active: bool,
    pub invalidation_reason: Option<String>,
    pub invalidated_at: Option<Timestamp>,
    pub superseded_by: Option<Uuid>,
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
    pub line_source: Text,
    pub line_source_api: Text,
    pub recommendation: Recommendation,
    pub in_sample: bool,
    pub feature_quality_score: f64,
    pub default_feature_count: u32,
    pub row_sha256: Sha256,
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

impl Warehouse {
    /// Reads a page of predictions.
    pub async fn predictions(&self, filter: &PredictionFilter) -> Result<PredictionPage> {
        let mut tx = self.store().read().await?;
        published::page(&mut tx, filter).await
    }

    /// The active rows of a slate, by key.
    pub async fn active_rows(&self, slate: Slate) -> Result<Vec<ActiveRow>> {
        let args = Args::default().with(text::date(slate.game_date)).with(slate.sport.as_str());
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

pub(crate) fn active_row(r: &mut Reader<'_>) -> Result<ActiveRow> {
    Ok(ActiveRow {
        key: RowKey { game: r.parsed()?, player: r.parsed()?, market: r.parsed()?, system_id: r.parsed()? },
        batch_id: r.parsed()?,
        predicted_value: r.real()?,
        line: Line::from_half_points(r.narrow()?),
        line_source: r.short_text()?,
        line_source_api: r.short_text()?,
        recommendation: r.parsed()?,
        in_sample: r.flag()?,
        feature_quality_score: r.real()?,
        default_feature_count: r.narrow()?,
        row_sha256: Sha256::from_bytes(r.bytes()?),
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
