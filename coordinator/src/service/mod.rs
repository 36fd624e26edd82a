//! What an operator can ask for: the business behind REST and the command line, without HTTP.
//!
//! Every answer comes from the two stores: an open batch from the state store, an ended one from the warehouse.
//! Nothing is remembered here, so any instance may be asked (incident 8).

mod error;
mod events;
pub(crate) mod jobs;
mod letters;
mod models;
mod opening;
mod operate;
mod players;
mod predictions;
mod runs;
mod start;
mod status;
mod why;
mod workers;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proto::api::{BatchStatus, OpenBatches, Page};
use proto::league_time::parse_game_date;
use proto::{BatchId, Receipt, Slate};
use protocol::ops::BatchView;
use warehouse::BatchFilter;

pub use self::workers::{LeaseInfo, Workers};
pub use error::ServiceError;
pub use events::Affected;
pub use letters::Letter;
pub use models::{ModelInfo, Models, RefusedInfo, models_of};
pub use predictions::PredictionQuery;
pub use start::StartOutcome;
pub use why::Why;

use crate::engine::Context;

/// How often somebody who waits for the end of a batch looks, unless he hears of it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a reset or consolidation waits for a verdict before it answers `closing`.
const VERDICT_WAIT: Duration = Duration::from_secs(20);

/// Rows of one page, at most and by default.
const MAX_PAGE: u64 = 10_000;

/// The answers of one instance.
#[derive(Debug, Clone)]
pub struct Service {
    context: Arc<Context>,
    pool: Option<::workers::PoolHandle>,
}

/// `GET /status`.
#[derive(Debug, Clone, PartialEq)]
pub enum StatusAnswer {
    /// One batch.
    One(Box<BatchStatus>),
    /// All open ones.
    Open(OpenBatches),
}

/// `GET /readyz`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Ready {
    /// True when every check is.
    pub ok: bool,
    /// What was checked; each exercises the real path (incident 15).
    pub checks: Vec<Check>,
}

/// One check of `GET /readyz`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Check {
    /// Stable name.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// What was found.
    pub sentence: String,
}

/// `GET /version`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Version {
    /// Version of the program.
    pub version: &'static str,
    /// Version of the conversation with workers.
    pub protocol_version: u32,
    /// Version of the feature contract.
    pub contract_version: String,
    /// This process.
    pub instance: String,
}

impl Service {
    /// The service of an instance; `pool` is none where the instance only coordinates.
    pub fn new(context: Arc<Context>, pool: Option<::workers::PoolHandle>) -> Self {
        Self { context, pool }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Where a batch stands: by id, by slate (its open batch, else its newest), or all open ones.
    pub async fn status(
        &self,
        batch_id: Option<BatchId>,
        game_date: Option<String>,
    ) -> Result<StatusAnswer, ServiceError> {
        match (batch_id, game_date) {
            (Some(batch_id), _) => Ok(StatusAnswer::One(Box::new(self.batch(&batch_id).await?))),
            (None, Some(date)) => {
                let batch_id = self.newest_of(&date).await?;
                Ok(StatusAnswer::One(Box::new(self.batch(&batch_id).await?)))
            }
            (None, None) => {
                let mut views = self.context.store.batches(true).await?;
                views.sort_by_key(|view| (view.opened_at, view.batch_id.clone()));
                let mut batches = Vec::with_capacity(views.len());
                for view in views {
                    batches.push(self.open_status(&view).await?);
                }
                Ok(StatusAnswer::Open(OpenBatches { batches }))
            }
        }
    }

    /// Waits until a batch is not open any more. The end by this instance's hand is heard, another one's is looked for.
    pub(crate) async fn until_ended(&self, batch_id: &BatchId) -> Result<(), ServiceError> {
        loop {
            let mut rung = std::pin::pin!(self.context.ended_rung());
            // From here on an end is heard, so none falls between the look and the wait.
            rung.as_mut().enable();
            if !self.context.store.batch(batch_id).await?.is_some_and(|view| view.state.is_open()) {
                return Ok(());
            }
            // Late is no failure: then it looks again.
            let _ = tokio::time::timeout(LOOK_EVERY, rung).await;
        }
    }

    /// One batch.
    pub async fn batch(&self, batch_id: &BatchId) -> Result<BatchStatus, ServiceError> {
        if let Some(view) = self.context.store.batch(batch_id).await?
            && view.state.is_open()
        {
            return self.open_status(&view).await;
        }
        self.ended_status(batch_id).await
    }

    /// Batches of a slate or of all, newest first.
    pub async fn batches(
        &self,
        game_date: Option<String>,
        limit: Option<u64>,
        cursor: Option<String>,
    ) -> Result<Page<BatchStatus>, ServiceError> {
        let slate = game_date.map(|date| self.slate_of(&date)).transpose()?;
        let limit = page_limit(limit)?;
        let before = cursor.map(|text| text.parse::<BatchId>()).transpose();
        let before = before.map_err(|e| ServiceError::field("cursor", e.to_string()))?;
        let filter =
            BatchFilter { game_date: slate.map(|slate| slate.game_date), before, ..BatchFilter::default() };
        let mut records = self.context.warehouse.batches(&filter, limit as u32 + 1).await?;
        let more = records.len() as u64 > limit;
        records.truncate(limit as usize);
        let next = records.last().filter(|_| more).map(|record| record.batch_id.to_string());
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            match self.batch(&record.batch_id).await {
                Ok(status) => rows.push(status),
                // Withdrawn, or lost and about to be repaired: there is nothing to show of it yet.
                Err(ServiceError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Page { rows, next })
    }

    /// What a slate has and lacks.
    pub async fn slate(&self, game_date: &str) -> Result<pipeline::slate::SlateReport, ServiceError> {
        let slate = self.slate_of(game_date)?;
        let pins = self.context.shelf.registry().pins();
        let markets: Vec<_> =
            pins.into_iter().map(|pin| pin.market).collect::<BTreeSet<_>>().into_iter().collect();
        let (warehouse, now) = (&self.context.warehouse, self.context.now());
        let budget = &self.context.staleness;
        let report = pipeline::slate::slate(warehouse, slate.game_date, now, &markets, budget).await;
        report.map_err(ServiceError::internal)
    }

    /// What there is of each day of a range; `to` defaults to today.
    pub async fn coverage(
        &self,
        from: &str,
        to: Option<&str>,
    ) -> Result<pipeline::coverage::CoverageReport, ServiceError> {
        let now = self.context.now();
        let read = |field: &str, text: &str| {
            parse_game_date(text, now).map_err(|e| ServiceError::field(field, e.to_string()))
        };
        let (from, to) = (read("from", from)?, read("to", to.unwrap_or("TODAY"))?);
        pipeline::coverage::check_range(from, to).map_err(|e| ServiceError::field("from", e.to_string()))?;
        let report = pipeline::coverage::coverage(&self.context.warehouse, from, to, now).await;
        report.map_err(ServiceError::internal)
    }

    /// What runs here.
    pub fn version(&self) -> Version {
        Version {
            version: env!("CARGO_PKG_VERSION"),
            protocol_version: protocol::PROTOCOL_VERSION,
            contract_version: self.context.contract.version.clone(),
            instance: self.context.instance.to_string(),
        }
    }

    /// Whether this process's own loops have turned within 30 seconds.
    pub fn alive(&self) -> bool {
        self.context.since_last_turn_ms() < 30_000
    }

    /// Whether this instance can do its work: each check takes the way a request would.
    pub async fn ready(&self) -> Ready {
        let mut checks = Vec::new();
        let store = self.context.store.batches(true).await;
        checks.push(check("state_store", store.map(|open| format!("{} open batches", open.len()))));
        let warehouse = self.context.warehouse.unsettled_batches().await;
        checks.push(check(
            "warehouse",
            warehouse.map(|open| format!("{} batches without an announced end", open.len())),
        ));
        let models = self.context.shelf.registry().models().len();
        checks.push(Check { name: "models", ok: models > 0, sentence: format!("{models} models loaded") });
        if let Some(pool) = &self.pool {
            checks.push(workers::readiness(&pool.status()));
        }
        let quiet = self.context.since_last_turn_ms();
        checks.push(Check {
            name: "supervisor",
            ok: self.alive(),
            sentence: format!("its loop turned {quiet} ms ago"),
        });
        Ready { ok: checks.iter().all(|check| check.ok), checks }
    }

    async fn open_status(&self, view: &BatchView) -> Result<BatchStatus, ServiceError> {
        let active = self.context.warehouse.active_count(view.slate).await?;
        Ok(status::of_open(view, active))
    }

    async fn ended_status(&self, batch_id: &BatchId) -> Result<BatchStatus, ServiceError> {
        let unknown = || {
            ServiceError::not_found(format!(
                "there is no batch {batch_id}; `tipoff status` lists the open ones"
            ))
        };
        let record = self.context.warehouse.batch(batch_id).await?.ok_or_else(unknown)?;
        let receipt = self.receipt(batch_id).await?.ok_or_else(unknown)?;
        let active = self.context.warehouse.active_count(receipt.slate).await?;
        let finish_by = start::finish_by_of(&record, self.context.defaults.finish_by_ms);
        Ok(status::of_ended(&record, &receipt, finish_by, active))
    }

    async fn receipt(&self, batch_id: &BatchId) -> Result<Option<Receipt>, ServiceError> {
        Ok(self.context.warehouse.verdict(batch_id).await?.map(|(_, receipt)| receipt))
    }

    /// Reads a date of a request.
    fn slate_of(&self, game_date: &str) -> Result<Slate, ServiceError> {
        let date = parse_game_date(game_date, self.context.now());
        date.map(Slate::nba).map_err(|e| ServiceError::field("game_date", e.to_string()))
    }

    /// The open batch of a slate, else its newest.
    async fn newest_of(&self, game_date: &str) -> Result<BatchId, ServiceError> {
        let slate = self.slate_of(game_date)?;
        if let Some(open) = self.context.store.open_batch_of(&slate).await? {
            return Ok(open);
        }
        let filter = BatchFilter { game_date: Some(slate.game_date), ..BatchFilter::default() };
        let newest = self.context.warehouse.batches(&filter, 20).await?;
        newest.into_iter().find(|record| record.withdrawn.is_none()).map(|record| record.batch_id).ok_or_else(
            || ServiceError::not_found(format!("no batch was ever started for {}", slate.game_date)),
        )
    }
}

fn check<E: std::fmt::Display>(name: &'static str, found: Result<String, E>) -> Check {
    match found {
        Ok(sentence) => Check { name, ok: true, sentence },
        Err(error) => Check { name, ok: false, sentence: error.to_string() },
    }
}

/// The page size of a request: 1 to 10,000.
pub(crate) fn page_limit(limit: Option<u64>) -> Result<u64, ServiceError> {
    match limit.unwrap_or(MAX_PAGE) {
        limit @ 1..=MAX_PAGE => Ok(limit),
        limit => Err(ServiceError::field("limit", format!("limit is {limit}, it must be 1 to {MAX_PAGE}"))),
    }
}
