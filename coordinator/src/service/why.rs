//! What holds a batch, and what happens next by itself: `GET /batches/{id}/why`.

use jiff::Timestamp;
use proto::BatchId;
use proto::api::StateReason;
use protocol::ops::{BatchView, LeaseView};
use protocol::{BatchState, Millis};

use super::status::instant;
use super::workers::LeaseInfo;
use super::{Service, ServiceError};

/// Why a batch is where it is.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Why {
    /// The batch.
    pub batch_id: BatchId,
    /// Where it stands.
    pub state: String,
    /// Why, once it is closing or has ended.
    pub state_reason: Option<StateReason>,
    /// What holds it, in words; empty when nothing does.
    pub holds: Vec<String>,
    /// What happens next, in words.
    pub next_action: String,
    /// When, at the latest; null when it has ended.
    pub next_at: Option<Timestamp>,
    /// Jobs that are with workers.
    pub leased: u64,
    /// Jobs that wait.
    pub queued: u64,
    /// Completions that came too late or under a lost lease; they changed nothing.
    pub stale_writes: u64,
    /// What happened so far, oldest first.
    pub log: Vec<LogLine>,
}

/// One line of a batch's log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl Service {
    /// What holds a batch and its next action.
    pub async fn why(&self, batch_id: &BatchId) -> Result<Why, ServiceError> {
        let log = self.context.store.log(batch_id).await?;
        let log = log.into_iter().map(|entry| LogLine { at: instant(entry.at), text: entry.text }).collect();
        let Some(view) = self.context.store.batch(batch_id).await?.filter(|view| view.state.is_open()) else {
            return self.why_ended(batch_id, log).await;
        };
        let leases = self.context.store.leases().await?;
        let own: Vec<&LeaseView> = leases.iter().filter(|lease| lease.batch_id == *batch_id).collect();
        let workers_here = self.pool.as_ref().map(|pool| pool.status());
        let unservable = workers_here.as_ref().is_some_and(::workers::PoolStatus::unservable);
        let someone_works = workers_here.is_some_and(|pool| !pool.workers.is_empty()) || !leases.is_empty();
        let mut holds = holds(&view, &own, someone_works, unservable);
        holds.extend(self.context.trouble(batch_id).map(|trouble| format!("finalizing waits: {trouble}")));
        let (next_action, next_at) = next(&view, &own);
        Ok(Why {
            batch_id: batch_id.clone(),
            state: view.state.to_string(),
            state_reason: view.closing.as_ref().map(|closing| StateReason {
                code: closing.reason.as_str().to_owned(),
                sentence: closing.reason.sentence().to_owned(),
            }),
            holds,
            next_action,
            next_at: Some(instant(next_at)),
            leased: view.leased,
            queued: view.queued,
            stale_writes: view.stale_writes,
            log,
        })
    }

    async fn why_ended(&self, batch_id: &BatchId, log: Vec<LogLine>) -> Result<Why, ServiceError> {
        let ended = self.ended_status(batch_id).await?;
        Ok(Why {
            batch_id: batch_id.clone(),
            state: ended.state,
            state_reason: ended.state_reason,
            holds: Vec::new(),
            next_action: "none: it has ended".to_owned(),
            next_at: None,
            leased: 0,
            queued: 0,
            stale_writes: 0,
            log,
        })
    }
}

fn holds(view: &BatchView, own: &[&LeaseView], someone_works: bool, unservable: bool) -> Vec<String> {
    let mut holds = Vec::new();
    match view.state {
        BatchState::Filling => holds.push(format!("its opener is still adding jobs ({} so far)", view.total)),
        BatchState::Running => {
            for lease in own {
                holds.push(format!(
                    "worker {} holds {} jobs until {}",
                    lease.worker,
                    lease.held,
                    instant(lease.expires_at)
                ));
            }
            if view.queued > 0 && !someone_works {
                holds.push(format!("{} jobs wait and no worker is running; start one", view.queued));
            } else if view.queued > 0 && unservable {
                holds.push(format!(
                    "{} jobs wait and no worker here has the models they are pinned to",
                    view.queued
                ));
            } else if view.queued > 0 {
                holds.push(format!("{} jobs wait for a worker", view.queued));
            }
        }
        BatchState::Finalizing => match view.ticket {
            Some((ticket, until)) => {
                holds.push(format!("finalizer {ticket} is at it until {}", instant(until)))
            }
            None => holds.push("it waits for a finalizer".to_owned()),
        },
        BatchState::Ended(_) => {}
    }
    if view.strikes > 0 {
        holds.push(format!("finalizing failed {} times, last: {}", view.strikes, view.last_error));
    }
    holds
}

/// What happens next by itself, and when at the latest.
fn next(view: &BatchView, own: &[&LeaseView]) -> (String, Millis) {
    match view.state {
        BatchState::Filling => {
            let lapses = view.updated_at + view.timing.finalizer_lease_ms;
            ("if its opener is gone, it ends as failed(never_sealed)".to_owned(), lapses)
        }
        BatchState::Running => match own.iter().map(|lease| lease.expires_at).min() {
            Some(expires_at) if expires_at < view.finish_by => {
                ("a lease that is not renewed gives its jobs back".to_owned(), expires_at)
            }
            _ => ("finish-by ends it with what it has".to_owned(), view.finish_by),
        },
        BatchState::Finalizing => match view.ticket {
            Some((_, until)) => ("if the finalizer is gone, another one takes over".to_owned(), until),
            None => ("the next sweep starts a finalizer".to_owned(), view.updated_at + view.timing.sweep_ms),
        },
        BatchState::Ended(_) => ("none: it has ended".to_owned(), view.updated_at),
    }
}

impl From<&LeaseView> for LeaseInfo {
    fn from(view: &LeaseView) -> Self {
        Self {
            lease: view.lease,
            worker: view.worker,
            batch_id: view.batch_id.clone(),
            claimed_at: instant(view.claimed_at),
            expires_at: instant(view.expires_at),
            deadline_at: instant(view.deadline_at),
            held: view.held,
        }
    }
}
