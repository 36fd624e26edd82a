//! `POST /events`: something of a slate has changed. A message becomes an open run, once; whoever follows acts on it.
//!
//! What is refused is kept as a dead letter before the sender hears of it, so nothing is dropped silently.

use jiff::Timestamp;
use jiff::civil::Date;
use proto::api::{Only, StartRequest};
use proto::trigger::{Trigger, TriggerAccepted, TriggerKind, TriggerRefusal};
use proto::{JobId, Slate};
use warehouse::DeadLetter;

use super::{Service, ServiceError, StartOutcome};

/// Characters of a refused message that are kept.
const KEPT: usize = 16_384;

/// A player whose inputs differ from what was tried last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// The player and his game.
    pub id: JobId,
    /// Fingerprint of his inputs as they are now.
    pub inputs_sha256: String,
    /// Tip-off of his game.
    pub tip_off: Timestamp,
}

/// Builds in a row while inputs keep coming in, and starts upon them; after them the next message finds what is left.
const MOST_BUILDS: usize = 3;

impl Service {
    /// Takes a message from outside, or says why not.
    pub async fn accept_event(&self, body: &[u8]) -> Result<TriggerAccepted, ServiceError> {
        let now = self.context.now();
        match Trigger::read(body, now, self.context.late.event_limit) {
            Ok(trigger) => self.mark(&trigger).await,
            Err(refusal) => {
                self.bury("POST /events", body, &refusal.to_string()).await?;
                Err(refused(&refusal))
            }
        }
    }

    /// Opens the run that a message is; a repeat opens none.
    pub(crate) async fn mark(&self, trigger: &Trigger) -> Result<TriggerAccepted, ServiceError> {
        let (warehouse, run_id) = (&self.context.warehouse, trigger.run_id());
        let open = self.context.store.open_batch_of(&Slate::nba(trigger.game_date)).await?;
        let answer = |status: &str| TriggerAccepted {
            status: status.to_owned(),
            run_id: run_id.clone(),
            game_date: trigger.game_date,
            batch_id: open.clone(),
        };
        if !warehouse.mark(trigger, self.context.now()).await? {
            return Ok(answer("known"));
        }
        metrics::counter!("tipoff_events_total", "kind" => trigger.kind.as_str()).increment(1);
        self.context.ring_follower();
        Ok(answer(if open.is_some() { "marked" } else { "accepted" }))
    }

    /// Keeps a message that went nowhere, with the reason.
    pub(crate) async fn bury(&self, source: &str, body: &[u8], error: &str) -> Result<(), ServiceError> {
        metrics::counter!("tipoff_dead_letters_total").increment(1);
        tracing::warn!(source, "a message was refused: {error}");
        let letter = DeadLetter {
            source: source.to_owned(),
            body: String::from_utf8_lossy(body).chars().take(KEPT).collect(),
            error: error.to_owned(),
            received_at: self.context.now(),
        };
        Ok(self.context.warehouse.put_dead_letter(&letter).await?)
    }

    /// What the slate's published batch asked for, of whoever changed: a batch of some markets or systems is not
    /// followed by one of all. None: nothing is published.
    pub(crate) async fn follow_up(&self, game_date: Date) -> Result<Option<StartRequest>, ServiceError> {
        let warehouse = &self.context.warehouse;
        let Some(batch_id) = warehouse.slate_record(Slate::nba(game_date)).await?.published_batch else {
            return Ok(None);
        };
        let Some(record) = warehouse.batch(&batch_id).await? else { return Ok(None) };
        let asked = record.request;
        let asked: StartRequest = asked.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        Ok(Some(StartRequest {
            game_date: Some(game_date.to_string()),
            players: None,
            // A batch may have looked ahead (a replay, a demonstration); what follows it sees as much.
            as_of: record.as_of.filter(|as_of| *as_of > self.context.now()),
            only: Only::Changed,
            force: false,
            dry_run: false,
            ..asked
        }))
    }

    /// Players of a published slate whose inputs differ from what was tried last, in order. Who failed with the very
    /// inputs he has now is not among them: trying that again is for a person to ask.
    pub async fn affected(&self, game_date: Date) -> Result<Vec<Affected>, ServiceError> {
        let Some(request) = self.follow_up(game_date).await? else { return Ok(Vec::new()) };
        self.refresh_features(game_date, request.as_of).await?;
        let jobs = self.changed_jobs(&request).await?;
        let tried = self.context.warehouse.newest_inputs(Slate::nba(game_date)).await?;
        let differs = |job: &proto::Job| tried.get(&job.id) != Some(&job.inputs_sha256);
        let affected = jobs.into_iter().filter(differs);
        Ok(affected
            .map(|job| Affected { id: job.id, inputs_sha256: job.inputs_sha256, tip_off: job.tip_off })
            .collect())
    }

    /// Builds the features of a date again when something they are made of came in since (incidents 55, 73). What did
    /// not change is built as it was, bit by bit, so it makes nobody a job. A build that is refused leaves the rows
    /// that are there: who has none that are fresh is skipped with that reason, and the rest goes on.
    ///
    /// What comes in during a build is not in it, and a batch upon it would find everybody's features stale: then it is
    /// built once more. Rows of one instant are as far behind however often they are built, so that is not repeated.
    /// Answers whether nothing came in since they were built.
    async fn refresh_features(
        &self,
        game_date: Date,
        as_of: Option<Timestamp>,
    ) -> Result<bool, ServiceError> {
        let mut built_at = None;
        for _ in 0..MOST_BUILDS {
            if !self.context.warehouse.features_are_behind(game_date).await? {
                return Ok(true);
            }
            let now = as_of.unwrap_or(self.context.now());
            let is_new = built_at.replace(now) != Some(now);
            if !is_new || !self.build_features(game_date, now).await? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// False when the date's features are refused.
    async fn build_features(&self, game_date: Date, now: Timestamp) -> Result<bool, ServiceError> {
        let warehouse = self.context.warehouse.clone();
        // Building is arithmetic for a second: no thread that answers requests shall do it.
        let build = tokio::task::spawn_blocking(move || {
            let build = pipeline::features::build_range(&warehouse, game_date, game_date, now, |_, _| ());
            tokio::runtime::Handle::current().block_on(build)
        });
        match build.await.map_err(ServiceError::internal)? {
            Ok(report) => {
                let mut blocked = report.days.values().flat_map(|day| &day.blocked).peekable();
                let is_built = blocked.peek().is_none();
                for why in blocked {
                    tracing::warn!(%game_date, "features were not built again: {why}");
                }
                Ok(is_built)
            }
            Err(pipeline::Error::Warehouse(error)) => Err(error.into()),
            Err(error) => Err(ServiceError::internal(error)),
        }
    }

    /// Starts what a message of this kind asks for. None: there is nothing that could be done again.
    pub(crate) async fn follow(
        &self,
        kind: TriggerKind,
        game_date: Date,
        request_id: &str,
    ) -> Result<Option<StartOutcome>, ServiceError> {
        let request = match (self.follow_up(game_date).await?, kind) {
            (Some(request), _) => request,
            // Features are what a first batch waits for; a change after nothing is no change.
            (None, TriggerKind::FeaturesReady) => {
                StartRequest { game_date: Some(game_date.to_string()), ..StartRequest::default() }
            }
            (None, _) => return Ok(None),
        };
        for _ in 0..MOST_BUILDS {
            if !self.refresh_features(game_date, request.as_of).await? {
                break;
            }
            // What comes in between the build and the batch's own load is not in the features either.
            match self.start_fresh(request.clone(), request_id).await {
                Err(ServiceError::Busy { detail }) => tracing::debug!(%game_date, "follows again: {detail}"),
                answer => return answer.map(Some),
            }
        }
        self.start(request, request_id).await.map(Some)
    }
}

fn refused(refusal: &TriggerRefusal) -> ServiceError {
    ServiceError::Invalid {
        field: refusal.field_at_fault().map(str::to_owned),
        detail: format!("{refusal}; the message is kept in the list of dead letters"),
    }
}
