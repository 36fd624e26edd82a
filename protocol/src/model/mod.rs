//! The batch store as a pure value: every operation is one method that takes `now` and changes everything or
//! nothing. The in-memory store is this type behind a mutex; the SQLite and Redis stores answer the same.
//!
//! A job is always in exactly one [`Place`]; counts are the sizes of places (incidents 1 to 6, 11). The only
//! function that ends a job is `end_job`. One index, [`DueKey`] by time, holds everything that must
//! happen by itself: lease ends, lapsed openers, finish-by, finalizers that are needed.

mod closing;
mod opening;
mod outbox;
mod sweep;
mod working;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::outcome::OutcomeCounts;
use proto::{BatchId, Code, JobId, LeaseId, ModelPin, OpenerToken, Slate, TicketId, WorkerId};

use crate::batch::{BatchState, Closing};
use crate::ops::{
    BatchView, Done, DueKey, JobView, LeaseView, LogEntry, OutboxEvent, StagedJob, StoreIdentity,
};
use crate::{Millis, Timing};

/// Entries kept of one batch's log; the oldest go first, since the newest explain what is.
pub const LOG_ENTRIES: usize = 1_000;

/// Deliveries of one event until it becomes a dead letter.
pub const MAX_DELIVERIES: u32 = 10;

/// Finalizer tickets that may be lost or refused until the batch ends as `failed(finalizer)`.
pub const MAX_STRIKES: u32 = 5;

/// Where a job is. There is no fourth place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Waits; not before this time.
    Queued(Millis),
    /// With a worker.
    Leased(LeaseId),
    /// Ended.
    Done(Box<Done>),
}

/// A job of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Its name.
    pub id: JobId,
    /// The encoded job.
    pub payload: Vec<u8>,
    /// Charged attempts.
    pub attempts: u32,
    /// Times its thread went silent while it was alone.
    pub hangs: u32,
    /// True after a lost lease or a retry: it is claimed alone, so that it can harm nobody else.
    pub alone: bool,
    /// Where it is.
    pub place: Place,
}

/// A claim that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its batch.
    pub batch_id: BatchId,
    /// Who claimed.
    pub worker: WorkerId,
    /// When.
    pub claimed_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
    /// Until when it can be renewed.
    pub deadline_at: Millis,
    /// Jobs it was given; one means that a loss is that job's own.
    pub chunk: usize,
    /// Jobs it still holds.
    pub held: BTreeSet<u32>,
}

/// A batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Its id.
    pub batch_id: BatchId,
    /// Its opener.
    pub token: OpenerToken,
    /// Its times.
    pub timing: Timing,
    /// Feature contract.
    pub contract_version: String,
    /// Models a worker must have.
    pub pins: Vec<ModelPin>,
    /// The request as JSON.
    pub request: String,
    /// Where it stands.
    pub state: BatchState,
    /// 0 until sealed.
    pub generation: u64,
    /// When it was opened.
    pub opened_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// When it ends at the latest.
    pub finish_by: Millis,
    /// Floor of coverage.
    pub min_coverage: f64,
    /// True when it runs everybody.
    pub whole_slate: bool,
    /// Its jobs; the index is the job's number.
    pub jobs: Vec<JobRecord>,
    /// Job numbers by name.
    pub by_id: BTreeMap<JobId, u32>,
    /// Numbers of waiting jobs by time.
    pub queue: BTreeSet<(Millis, u32)>,
    /// Numbers of jobs with workers.
    pub leased: BTreeSet<u32>,
    /// Numbers of ended jobs by code.
    pub done: BTreeMap<Code, BTreeSet<u32>>,
    /// Rows staged.
    pub staged_rows: u64,
    /// Frozen at close.
    pub closing: Option<Closing>,
    /// The finalizer's ticket and its end.
    pub ticket: Option<(TicketId, Millis)>,
    /// Lost tickets and refusals.
    pub strikes: u32,
    /// The last error a finalizer met.
    pub last_error: String,
    /// The receipt as JSON.
    pub receipt: Option<String>,
    /// Completions that came too late.
    pub stale_writes: u64,
    /// What happened.
    pub log: VecDeque<LogEntry>,
}

/// An event of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The event.
    pub event: OutboxEvent,
    /// Set when it was given up.
    pub dead: Option<String>,
}

/// The whole store.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Random id, set when the store was first used.
    pub store_id: String,
    /// Calls that may have changed something.
    pub writes: u64,
    /// The warehouse it belongs to.
    pub warehouse_id: Option<String>,
    /// Batches by id.
    pub batches: BTreeMap<BatchId, Batch>,
    /// The open batch of each slate.
    pub open_slates: BTreeMap<Slate, BatchId>,
    /// Live leases.
    pub leases: BTreeMap<LeaseId, Lease>,
    /// What happens by itself, and when.
    pub due: BTreeMap<DueKey, Millis>,
    /// Events to deliver, by id.
    pub outbox: BTreeMap<String, OutboxEntry>,
    /// When the last sweep ran.
    pub last_sweep: Option<Millis>,
}

impl Batch {
    pub(crate) fn log(&mut self, at: Millis, text: impl Into<String>) {
        if self.log.len() >= LOG_ENTRIES {
            self.log.pop_front();
        }
        self.log.push_back(LogEntry { at, text: text.into() });
    }

    /// Jobs that have not ended.
    pub fn open(&self) -> u64 {
        (self.queue.len() + self.leased.len()) as u64
    }

    /// Ended jobs by kind.
    pub fn counts(&self) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for (code, jobs) in &self.done {
            counts.add(code.outcome(), jobs.len() as u64);
        }
        counts
    }

    fn view(&self) -> BatchView {
        BatchView {
            batch_id: self.batch_id.clone(),
            slate: self.batch_id.slate(),
            state: self.state,
            generation: self.generation,
            total: self.jobs.len() as u64,
            queued: self.queue.len() as u64,
            leased: self.leased.len() as u64,
            jobs: self.counts(),
            reasons: {
                let mut reasons: Vec<_> =
                    self.done.iter().map(|(code, jobs)| (*code, jobs.len() as u64)).collect();
                reasons.sort_by_key(|(code, _)| code.as_str());
                reasons
            },
            staged_rows: self.staged_rows,
            opened_at: self.opened_at,
            updated_at: self.updated_at,
            finish_by: self.finish_by,
            min_coverage: self.min_coverage,
            whole_slate: self.whole_slate,
            closing: self.closing.clone(),
            ticket: self.ticket,
            strikes: self.strikes,
            last_error: self.last_error.clone(),
            receipt: self.receipt.clone(),
            stale_writes: self.stale_writes,
            request: self.request.clone(),
            contract_version: self.contract_version.clone(),
            pins: self.pins.clone(),
            timing: self.timing,
        }
    }
}

/// Reads.
impl Model {
    /// An empty store with this id.
    pub fn new(store_id: impl Into<String>) -> Self {
        Self { store_id: store_id.into(), ..Self::default() }
    }

    /// Who the store is.
    pub fn identity(&self) -> StoreIdentity {
        StoreIdentity {
            store_id: self.store_id.clone(),
            writes: self.writes,
            warehouse_id: self.warehouse_id.clone(),
        }
    }

    /// Binds the store to a warehouse; an empty store is adopted. Returns the other warehouse's id on a mismatch.
    pub fn pair(&mut self, warehouse_id: &str) -> Result<(), String> {
        self.writes += 1;
        match &self.warehouse_id {
            Some(other) if other != warehouse_id => Err(other.clone()),
            Some(_) => Ok(()),
            None => {
                self.warehouse_id = Some(warehouse_id.to_owned());
                Ok(())
            }
        }
    }

    /// A batch.
    pub fn batch(&self, batch_id: &BatchId) -> Option<BatchView> {
        self.batches.get(batch_id).map(Batch::view)
    }

    /// All batches the store still knows, by id; `open_only` leaves out the ended ones.
    pub fn batches(&self, open_only: bool) -> Vec<BatchView> {
        self.batches.values().filter(|batch| !open_only || batch.state.is_open()).map(Batch::view).collect()
    }

    /// The open batch of a slate.
    pub fn open_batch_of(&self, slate: &Slate) -> Option<BatchId> {
        self.open_slates.get(slate).cloned()
    }

    /// Jobs from number `from` on, in order.
    pub fn jobs(&self, batch_id: &BatchId, from: u32, limit: usize) -> Vec<JobView> {
        let Some(batch) = self.batches.get(batch_id) else { return Vec::new() };
        let page = batch.jobs.iter().enumerate().skip(from as usize).take(limit);
        page.map(|(seq, job)| JobView {
            seq: seq as u32,
            id: job.id.clone(),
            payload: job.payload.clone(),
            attempts: job.attempts,
            done: match &job.place {
                Place::Done(done) => Some((**done).clone()),
                Place::Queued(_) | Place::Leased(_) => None,
            },
        })
        .collect()
    }

    /// Ended jobs from number `from` on, in order: what a finalizer reads after the drain.
    pub fn staged(&self, batch_id: &BatchId, from: u32, limit: usize) -> Vec<StagedJob> {
        let ended = |job: JobView| {
            job.done.map(|done| StagedJob { seq: job.seq, id: job.id, payload: job.payload, done })
        };
        self.jobs(batch_id, from, limit).into_iter().filter_map(ended).collect()
    }

    /// The log of a batch, oldest first.
    pub fn log(&self, batch_id: &BatchId) -> Vec<LogEntry> {
        self.batches.get(batch_id).map(|batch| batch.log.iter().cloned().collect()).unwrap_or_default()
    }

    /// Live leases, by id.
    pub fn leases(&self) -> Vec<LeaseView> {
        let view = |(lease, held): (&LeaseId, &Lease)| LeaseView {
            lease: *lease,
            worker: held.worker,
            batch_id: held.batch_id.clone(),
            claimed_at: held.claimed_at,
            expires_at: held.expires_at,
            deadline_at: held.deadline_at,
            held: held.held.len() as u64,
        };
        self.leases.iter().map(view).collect()
    }

    /// What happens by itself, soonest first; an instance watches it on its own stopwatch.
    pub fn due_index(&self) -> Vec<(DueKey, Millis)> {
        let mut due: Vec<_> = self.due.iter().map(|(key, at)| (key.clone(), *at)).collect();
        due.sort_by_key(|(key, at)| (*at, key.to_string()));
        due
    }
}
