//! The JSON of the REST interface (design.md 10). Other programs are written against these names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::verdict::{Finding, HealthLevel};
use crate::{BatchId, CodeNote, Market, OutcomeKind, PlayerLookup, Receipt, RunMode, SystemId};

/// Which players a start runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// Everybody, changed or not.
    #[default]
    All,
    /// Whoever's inputs differ from his last settled outcome, or who has none.
    Changed,
}

/// `POST /start`. Unknown fields are refused.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StartRequest {
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`; default `TODAY`, league time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_date: Option<String>,
    /// Default `BACKFILL` for a date before today, else `OVERNIGHT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_mode: Option<RunMode>,
    /// Default: every market with a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub markets: Option<Vec<Market>>,
    /// Default: every enabled system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systems: Option<Vec<SystemId>>,
    /// Default: every player of the slate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub players: Option<Vec<PlayerLookup>>,
    /// Default: now. Each job's is the earlier of this and its tip-off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Seconds from opening to the forced end; default 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_by_seconds: Option<u64>,
    /// Below this share of predicted jobs nothing is published; default 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_coverage: Option<f64>,
    /// Mean minutes below which a player without a quote is `low_minutes`; default 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_minutes: Option<f64>,
    /// Everybody, or only who changed.
    pub only: Only,
    /// Start although inputs are incomplete; never overrides a batch that is open.
    pub force: bool,
    /// Say what would happen, do nothing.
    pub dry_run: bool,
}

/// 202 of `POST /start`, and the forecast of a dry run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Started {
    /// `started`, or `dry_run`.
    pub status: String,
    /// The batch; none in a dry run.
    pub batch_id: Option<BatchId>,
    /// Its slate's date.
    pub game_date: Date,
    /// Its generation; none in a dry run.
    pub generation: Option<u64>,
    /// Jobs in it.
    pub total_jobs: u64,
    /// System ids that predict.
    pub systems: Vec<SystemId>,
    /// What the slate looks like.
    pub summary: StartSummary,
    /// Where to look next, by relation.
    pub links: BTreeMap<String, String>,
}

/// The slate as a start saw it.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StartSummary {
    /// Games of the slate.
    pub games: u64,
    /// Players who are jobs.
    pub players: u64,
    /// Players with at least one quote of a wanted market.
    pub players_with_quotes: u64,
    /// Players with a feature row.
    pub players_with_features: u64,
    /// In a dry run: how many players would end which way, by primary code.
    pub forecast: BTreeMap<String, u64>,
    /// In a dry run: who would not be predicted, and why.
    pub not_predicted: Vec<PlayerLine>,
    /// What is missing, in words.
    pub missing: Vec<String>,
}

/// 200 of `POST /start` when there is nothing to run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NothingStarted {
    /// `no_games_scheduled` or `nothing_to_do`.
    pub status: String,
    /// The slate's date.
    pub game_date: Date,
}

/// A stable name with its sentence.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StateReason {
    /// Stable name.
    pub code: String,
    /// In words.
    pub sentence: String,
}

/// Where the jobs of a batch stand. `total = open + Σ outcomes`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Jobs.
    pub total: u64,
    /// Jobs that have ended.
    pub done: u64,
    /// 0 to 100, one decimal.
    pub pct: f64,
    /// Jobs that have not ended.
    pub open: u64,
    /// Of the open ones: waiting.
    pub queued: u64,
    /// Of the open ones: with a worker.
    pub leased: u64,
    /// Ended with rows.
    pub predicted: u64,
    /// Refused by the line gates.
    pub rejected: u64,
    /// Nothing to predict.
    pub skipped: u64,
    /// Failed.
    pub failed: u64,
    /// Out of time or leases.
    pub expired: u64,
    /// Ended by an operator or a loss.
    pub abandoned: u64,
}

/// Rows of a batch and of its slate.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RowCounts {
    /// Waiting for the verdict.
    pub staged: u64,
    /// Published by this batch.
    pub published: u64,
    /// Older rows that stay active.
    pub carried: u64,
    /// Active rows of the slate.
    pub active: u64,
}

/// `GET /status` of one batch.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BatchStatus {
    /// The batch.
    pub batch_id: BatchId,
    /// Its slate's date.
    pub game_date: Date,
    /// `filling`, `running`, `finalizing`, `complete`, `partial`, `failed` or `reset`.
    pub state: String,
    /// Why, once it is closing or has ended.
    pub state_reason: Option<StateReason>,
    /// Its number among the slate's batches.
    pub generation: u64,
    /// Null while it is open.
    pub health: Option<HealthLevel>,
    /// Empty while it is open.
    pub findings: Vec<Finding>,
    /// Where its jobs stand.
    pub progress: Progress,
    /// Its rows.
    pub rows: RowCounts,
    /// Jobs by primary code.
    pub reasons: BTreeMap<String, u64>,
    /// Figures of the slate's health; empty while it is open.
    pub figures: BTreeMap<String, f64>,
    /// When it was opened.
    pub started_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ends at the latest.
    pub finish_by: Timestamp,
    /// When its verdict was written.
    pub ended_at: Option<Timestamp>,
    /// The receipt, once it has ended.
    pub receipt: Option<Receipt>,
}

/// `GET /status` without a batch or date: the open batches.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OpenBatches {
    /// Open batches, oldest first.
    pub batches: Vec<BatchStatus>,
}

/// One player of a batch, as `/batches/{id}/players` and `tipoff players` show him.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlayerLine {
    /// The player.
    pub player_lookup: PlayerLookup,
    /// His name.
    pub name: String,
    /// The game.
    pub game_id: String,
    /// How his job ended; null while it is open.
    pub outcome: Option<OutcomeKind>,
    /// The primary code and its sentence; null while it is open.
    pub reason: Option<StateReason>,
    /// Every refusal on the way.
    pub codes: Vec<CodeNote>,
    /// Claims that were charged.
    pub attempts: u32,
    /// Rows of this batch.
    pub published: u64,
    /// Older rows that stay active.
    pub carried: u64,
}

/// An answer with many rows.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Cursor of the next page; null on the last.
    pub next: Option<String>,
}

/// `POST /reset`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResetRequest {
    /// The batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<BatchId>,
    /// Or the slate whose open batch is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_date: Option<String>,
    /// Say what would happen, do nothing.
    pub dry_run: bool,
}

/// Answer of `POST /reset`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ResetAnswer {
    /// `reset`, `closing` or `dry_run`.
    pub status: String,
    /// The batch.
    pub batch_id: BatchId,
    /// Its state.
    pub state: String,
    /// Its generation.
    pub generation: u64,
    /// Staged rows that are thrown away.
    pub discarded_rows: u64,
}

/// `POST /consolidate`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsolidateRequest {
    /// The batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<BatchId>,
    /// Or the slate: its open batch, else its newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_date: Option<String>,
    /// Refuse below this coverage; default: the batch's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_coverage: Option<f64>,
    /// Say what would happen, do nothing.
    pub dry_run: bool,
}

/// Answer of `POST /consolidate`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ConsolidateAnswer {
    /// `consolidated`, `closing`, `ended` or `dry_run`.
    pub status: String,
    /// The batch.
    pub batch_id: BatchId,
    /// Its state.
    pub state: String,
    /// The receipt, once there is one.
    pub receipt: Option<Receipt>,
    /// In a dry run: coverage now, and how many open jobs would be abandoned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ConsolidateForecast>,
}

/// What a consolidation would do.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ConsolidateForecast {
    /// Predicted share as the verdict would see it.
    pub coverage: f64,
    /// What it is compared with.
    pub min_coverage: f64,
    /// Open jobs that would end as `abandoned(operator)`.
    pub would_abandon: u64,
    /// Rows that would be published.
    pub would_publish: u64,
}

/// `PATCH /batches/{id}`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatchBatch {
    /// Seconds from opening.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_by_seconds: Option<u64>,
    /// New floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_coverage: Option<f64>,
}

/// `POST /runs`: one stage of one date again.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStage {
    /// `context` or `features`.
    pub stage: String,
    /// A date, `TODAY` or `TOMORROW`.
    pub game_date: String,
    /// Run although what the stage depends on is not ready; recorded with the run.
    #[serde(default)]
    pub override_dependency: bool,
}

/// `PUT /workers`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PutWorkers {
    /// A fixed size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// Or between two sizes, by backlog and finish-by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto: Option<AutoSize>,
    /// Which instance; default: the one that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// Bounds of an automatic pool size.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoSize {
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: u32,
}

/// RFC 9457 problem details, with the extensions of design.md 10.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// Stable name of the problem, a relative URI such as `/problems/already-running`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time and what to do next.
    pub detail: String,
    /// The request's id, as in the log.
    pub request_id: String,
    /// The field that is wrong, if one is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// On 409: the batch in the way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch_id: Option<BatchId>,
    /// On 409: its state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
    /// On 409: its progress.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub progress: Option<Progress>,
    /// On 503 `data_incomplete`: what is missing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<String>,
    /// On 409 `already_published`: the receipt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<Box<Receipt>>,
}
