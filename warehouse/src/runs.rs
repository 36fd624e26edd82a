//! Operation: one row per run of anything, the models that were seen, refused messages, alerts, and row counts.
//!
//! A run's row is updated in place and its terminal states are final: no sweeper writes a second row that says
//! "failed" about a run that was fine (incident 95: 87 % of the ledger were such phantoms).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::verdict::FindingLevel;
use proto::{BatchId, Market, Role, SystemId};
use sqlx::AssertSqlSafe;

use crate::Warehouse;
use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::sqlite::Durability;
use crate::sqlite::bulk::{self, Insert};
use crate::sqlite::reader::Reader;
use crate::text;

/// Tables that people read, for `doctor` and `tipoff db`.
pub const TABLES: [&str; 25] = [
    "games",
    "teams",
    "team_games",
    "player_games",
    "players",
    "player_aliases",
    "injuries",
    "lines",
    "line_summaries",
    "game_lines",
    "source_files",
    "source_file_dates",
    "quarantine",
    "feature_contracts",
    "features",
    "slates",
    "batches",
    "predictions",
    "job_outcomes",
    "runs",
    "leases",
    "models",
    "dead_letters",
    "alerts",
    "warehouse_identity",
];

/// A run that begins.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// Its name; repeating the call changes nothing.
    pub run_id: String,
    /// What runs: `ingest`, `features`, `predict` …
    pub stage: String,
    /// Its slate, if it has one.
    pub game_date: Option<Date>,
    /// Its batch, if it has one.
    pub batch_id: Option<BatchId>,
    /// When it began.
    pub started_at: Timestamp,
}

/// What kind of failure ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// A source did not deliver.
    Upstream,
    /// What was delivered cannot be used.
    Input,
    /// Time ran out.
    Timeout,
    /// Our mistake.
    Bug,
    /// Ended by a repair.
    CleanUp,
}

impl ErrorClass {
    /// The name as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Input => "input",
            Self::Timeout => "timeout",
            Self::Bug => "bug",
            Self::CleanUp => "clean_up",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// Everything was done.
    Success,
    /// Something was done, something is missing; what, in words.
    Partial(String),
    /// Nothing useful was done.
    Failed {
        /// What went wrong; never empty.
        error: String,
        /// What kind of failure.
        class: ErrorClass,
    },
    /// Somebody ended it; why.
    Cancelled(String),
    /// Its time was up; what it did stays, what is missing is said.
    TimedOut(String),
}

impl RunEnd {
    fn columns(&self) -> (&'static str, Option<&str>, Option<&'static str>) {
        match self {
            Self::Success => ("success", None, None),
            Self::Partial(missing) => ("partial", Some(missing), None),
            Self::Failed { error, class } => ("failed", Some(error), Some(class.as_str())),
            Self::Cancelled(why) => ("cancelled", Some(why), None),
            Self::TimedOut(missing) => ("timed_out", Some(missing), Some(ErrorClass::Timeout.as_str())),
        }
    }
}

/// A row of `runs`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[expect(missing_docs, reason = "the columns, described on RunStart and RunEnd")]
pub struct RunRecord {
    pub run_id: String,
    pub stage: String,
    pub game_date: Option<Date>,
    pub batch_id: Option<BatchId>,
    pub status: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub counts: serde_json::Value,
    pub error: Option<String>,
    pub error_class: Option<String>,
}

/// A model that passed its checks, as the warehouse remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    /// The system.
    pub system_id: SystemId,
    /// The market it predicts.
    pub market: Market,
    /// Hash of what decides its answers.
    pub sha256: String,
    /// Its role when it was seen last.
    pub role: Role,
    /// The engine that runs it.
    pub engine: String,
    /// The feature contract it reads.
    pub contract_version: String,
    /// First game date of its training window.
    pub training_start: Option<Date>,
    /// Last game date of its training window.
    pub training_end: Option<Date>,
    /// The card as text.
    pub card: String,
    /// When it was seen first.
    pub first_seen_at: Timestamp,
}

const MODELS: Insert<'static> = Insert {
    table: "models",
    columns: &[
        "system_id",
        "market",
        "sha256",
        "role",
        "engine",
        "contract_version",
        "training_start",
        "training_end",
        "card",
        "first_seen_at",
    ],
    conflict: "ON CONFLICT (system_id, market, sha256) DO UPDATE SET role = excluded.role, card = excluded.card",
    doing: "store models",
};

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it came from.
    pub source: String,
    /// What it said.
    pub body: String,
    /// Why it was refused.
    pub error: String,
    /// When it came.
    pub received_at: Timestamp,
}

/// Something a person should know that belongs to no batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Stable name.
    pub code: String,
    /// How much it weighs.
    pub level: FindingLevel,
    /// In words.
    pub sentence: String,
    /// What it is about: a source, a slate, a model; empty: everything.
    pub subject: String,
    /// When it was raised.
    pub raised_at: Timestamp,
}

impl Warehouse {
    /// Opens a run's row.
    pub async fn run_start(&self, run: &RunStart) -> Result<()> {
        let mut tx = self.store().write(Durability::Normal).await?;
        sqlx::query(include_str!("../sql/start_run.sql"))
            .bind(&run.run_id)
            .bind(&run.stage)
            .bind(run.game_date.map(text::date))
            .bind(run.batch_id.as_ref().map(ToString::to_string))
            .bind(text::instant(run.started_at))
            .execute(&mut *tx)
            .await
            .doing("open a run record")?;
        tx.commit().await.committing("open a run record")
    }

    /// Closes a run's row. A run that has ended keeps its end; a failed one without an error is refused.
    pub async fn run_finish(
        &self,
        run_id: &str,
        end: &RunEnd,
        counts: &serde_json::Value,
        now: Timestamp,
    ) -> Result<()> {
        let (status, error, class) = end.columns();
        let mut tx = self.store().write(Durability::Normal).await?;
        let done = sqlx::query(include_str!("../sql/finish_run.sql"))
            .bind(run_id)
            .bind(status)
            .bind(text::instant(now))
            .bind(counts.to_string())
            .bind(error)
            .bind(class)
            .execute(&mut *tx)
            .await
            .doing("close a run record")?;
        if done.rows_affected() == 0 && !self.run_exists(run_id).await? {
            return Err(Error::NotFound { what: format!("run `{run_id}`") });
        }
        tx.commit().await.committing("close a run record")
    }

    /// Whether a run of this name was ever opened.
    pub async fn run_exists(&self, run_id: &str) -> Result<bool> {
        let mut tx = self.store().read().await?;
        sqlx::query_scalar(include_str!("../sql/run_exists.sql"))
            .bind(run_id)
            .fetch_one(&mut *tx)
            .await
            .doing("look for a run record")
    }

    /// Runs, newest first; of one stage if it is given.
    pub async fn runs(&self, stage: Option<&str>, limit: u32) -> Result<Vec<RunRecord>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(stage.map(str::to_owned)).with(limit);
        fetch(&mut tx, include_str!("../sql/runs.sql"), args, "runs", "read runs", run).await
    }

    /// Remembers models; a known one gets its present role.
    pub async fn put_models(&self, models: &[ModelRow]) -> Result<()> {
        let mut tx = self.store().write(Durability::Normal).await?;
        bulk::insert(&mut tx, &MODELS, models, |row, cells| {
            cells.text(&row.system_id).text(&row.market).text(&row.sha256).text(row.role);
            cells.text(&row.engine).text(&row.contract_version);
            cells.opt_date(row.training_start).opt_date(row.training_end);
            cells.text(&row.card).instant(row.first_seen_at);
        })
        .await?;
        tx.commit().await.committing("store models")
    }

    /// Every model ever seen.
    pub async fn models(&self) -> Result<Vec<ModelRow>> {
        let mut tx = self.store().read().await?;
        fetch(&mut tx, include_str!("../sql/models.sql"), Args::default(), "models", "read models", |r| {
            Ok(ModelRow {
                system_id: r.parsed()?,
                market: r.parsed()?,
                sha256: r.text()?,
                role: r.parsed()?,
                engine: r.text()?,
                contract_version: r.text()?,
                training_start: r.opt_parsed()?,
                training_end: r.opt_parsed()?,
                card: r.text()?,
                first_seen_at: r.instant()?,
            })
        })
        .await
    }

    /// On how many game dates batches have published rows of a system; backfills, which come after the games, do not count.
    pub async fn published_dates(&self, system: &SystemId, market: &Market) -> Result<u64> {
        let mut tx = self.store().read().await?;
        let dates: i64 = sqlx::query_scalar(include_str!("../sql/published_dates.sql"))
            .bind(system.as_str())
            .bind(market.as_str())
            .fetch_one(&mut *tx)
            .await
            .doing("count the dates of a model")?;
        Ok(u64::try_from(dates).unwrap_or(0))
    }

    /// Keeps a refused message.
    pub async fn put_dead_letter(&self, letter: &DeadLetter) -> Result<()> {
        let mut tx = self.store().write(Durability::Full).await?;
        sqlx::query(include_str!("../sql/put_dead_letter.sql"))
            .bind(&letter.source)
            .bind(&letter.body)
            .bind(&letter.error)
            .bind(text::instant(letter.received_at))
            .execute(&mut *tx)
            .await
            .doing("keep a refused message")?;
        tx.commit().await.committing("keep a refused message")
    }

    /// Refused messages, newest first.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(limit);
        let sql = include_str!("../sql/dead_letters.sql");
        fetch(&mut tx, sql, args, "dead_letters", "read refused messages", |r| {
            Ok(DeadLetter { source: r.text()?, body: r.text()?, error: r.text()?, received_at: r.instant()? })
        })
        .await
    }

    /// Raises an alert; one that is open already under this code and subject stays as it is.
    pub async fn raise_alert(&self, alert: &Alert) -> Result<()> {
        let mut tx = self.store().write(Durability::Normal).await?;
        sqlx::query(include_str!("../sql/raise_alert.sql"))
            .bind(&alert.code)
            .bind(alert.level.as_str())
            .bind(&alert.sentence)
            .bind(&alert.subject)
            .bind(text::instant(alert.raised_at))
            .execute(&mut *tx)
            .await
            .doing("raise an alert")?;
        tx.commit().await.committing("raise an alert")
    }

    /// Closes an open alert.
    pub async fn resolve_alert(&self, code: &str, subject: &str, now: Timestamp) -> Result<()> {
        let mut tx = self.store().write(Durability::Normal).await?;
        sqlx::query(include_str!("../sql/resolve_alert.sql"))
            .bind(code)
            .bind(subject)
            .bind(text::instant(now))
            .execute(&mut *tx)
            .await
            .doing("resolve an alert")?;
        tx.commit().await.committing("resolve an alert")
    }

    /// Open alerts, oldest first.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../sql/open_alerts.sql");
        fetch(&mut tx, sql, Args::default(), "alerts", "read alerts", |r| {
            Ok(Alert {
                code: r.text()?,
                level: r.parsed()?,
                sentence: r.text()?,
                subject: r.text()?,
                raised_at: r.instant()?,
            })
        })
        .await
    }

    /// Rows per table.
    pub async fn table_counts(&self) -> Result<BTreeMap<&'static str, u64>> {
        let mut tx = self.store().read().await?;
        let mut counts = BTreeMap::new();
        for table in TABLES {
            let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&mut *tx)
                .await
                .doing("count rows")?;
            counts.insert(table, u64::try_from(count).unwrap_or(0));
        }
        Ok(counts)
    }
}

pub(crate) fn run(r: &mut Reader<'_>) -> Result<RunRecord> {
    Ok(RunRecord {
        run_id: r.text()?,
        stage: r.text()?,
        game_date: r.opt_parsed()?,
        batch_id: r.opt_parsed()?,
        status: r.text()?,
        started_at: r.instant()?,
        finished_at: r.opt_instant()?,
        counts: r.json()?,
        error: r.opt_text()?,
        error_class: r.opt_text()?,
    })
}
