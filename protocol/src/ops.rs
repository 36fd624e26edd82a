//! Requests and answers of the store. Every request may be repeated after a lost answer.

use proto::outcome::OutcomeCounts;
use proto::{BatchId, Code, EndState, JobId, LeaseId, ModelPin, OpenerToken, Slate, TicketId, WorkerId};

use crate::batch::{BatchState, CloseReason, Closing};
use crate::{Millis, Timing};

/// Claims a slate for a new batch.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenBatch {
    /// The new batch.
    pub batch_id: BatchId,
    /// Proves who the opener is; a repeat carries the same.
    pub token: OpenerToken,
    /// Times that hold for this batch.
    pub timing: Timing,
    /// From opening to the forced end.
    pub finish_by_ms: Millis,
    /// Below this coverage nothing is published.
    pub min_coverage: f64,
    /// True when it runs everybody of the slate.
    pub whole_slate: bool,
    /// Feature contract the jobs are built for.
    pub contract_version: String,
    /// Models a worker must have; sorted.
    pub pins: Vec<ModelPin>,
    /// The request as JSON, so that it can be started again.
    pub request: String,
}

/// Answer to [`OpenBatch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The slate is claimed, or was by this very opener.
    Opened,
    /// The slate has an open batch.
    SlateTaken {
        /// That batch.
        batch_id: BatchId,
    },
    /// The id is known; try the next second.
    IdKnown,
}

/// One job as the opener adds it; the payload is a `proto::codec` record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its name.
    pub id: JobId,
    /// The encoded job.
    pub payload: Vec<u8>,
}

/// Answer to adding jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// They are in; `total` jobs in all.
    Added {
        /// Jobs that were not there before.
        new: u64,
        /// Jobs of the batch now.
        total: u64,
    },
    /// A job of this name with another payload is already in: one job per player and game (incident 35).
    Duplicate {
        /// Its name. Nothing of the call was added.
        id: JobId,
    },
    /// The batch would hold too many jobs, or the call too many.
    TooMany,
    /// Not the opener's batch, or not filling any more.
    Refused(OpenerRefusal),
}

/// Why an opener is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenerRefusal {
    /// The store does not know the batch.
    Unknown,
    /// Another opener's token.
    WrongToken,
    /// It stands elsewhere: closed by reset, lapse, or sealed already.
    NotFilling(BatchState),
}

/// Answer to sealing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// Jobs can be claimed from here on; also the answer to a repeat.
    Sealed,
    /// Jobs are missing: add again, then seal again.
    Missing {
        /// Jobs that are there.
        have: u64,
    },
    /// Not the opener's batch, or closed.
    Refused(OpenerRefusal),
}

/// A worker asks for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Random for each claim: the lease id of what it gets. Repeating it repeats the answer.
    pub lease: LeaseId,
    /// Who asks.
    pub worker: WorkerId,
    /// Version of the conversation.
    pub protocol_version: u32,
    /// Models the worker has; sorted.
    pub serves: Vec<ModelPin>,
    /// At most so many jobs, and never more than 500.
    pub max_jobs: usize,
}

/// One job of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// Its number in the batch.
    pub seq: u32,
    /// Its name.
    pub id: JobId,
    /// Charged attempts so far.
    pub attempts: u32,
    /// The encoded job.
    pub payload: Vec<u8>,
}

/// Answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// A chunk under one lease.
    Chunk(Chunk),
    /// Nothing to do now.
    Nothing {
        /// When a job's backoff ends, if one waits.
        next_at: Option<Millis>,
        /// True when a running batch has jobs that this worker's models cannot serve.
        unservable: bool,
    },
}

/// Jobs under one lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Their batch.
    pub batch_id: BatchId,
    /// Feature contract the jobs are built for.
    pub contract_version: String,
    /// When the lease ends unless renewed.
    pub expires_at: Millis,
    /// Until when it can be renewed.
    pub deadline_at: Millis,
    /// The batch's times.
    pub timing: Timing,
    /// The jobs, in order.
    pub jobs: Vec<ClaimedJob>,
}

/// Answer to renewing a lease or a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It holds until then.
    Until(Millis),
    /// It is gone; whatever is still being done under it will be refused.
    Gone,
}

/// One ended job as a worker reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Its number in the batch.
    pub seq: u32,
    /// The primary code; its kind follows.
    pub code: Code,
    /// Rows in the body.
    pub num_rows: u32,
    /// The encoded outcome with its rows.
    pub body: Vec<u8>,
    /// Hash of what must be equal in a repeat; the clock is not part of it.
    pub digest: String,
}

/// What became of one completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionAnswer {
    /// Written: outcome and rows in one step.
    Accepted,
    /// This lease completed it before with the same result.
    Repeated,
    /// This lease completed it before with another result: an alarm; the first stands.
    Conflict,
    /// The batch is closed; the result is not counted.
    Closed,
    /// Another lease holds or ended the job.
    Stale,
}

/// Answer to a call of completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// One answer for each completion, in order.
    pub answers: Vec<CompletionAnswer>,
    /// True when the last open job ended here and the batch is now finalizing.
    pub closed_batch: bool,
}

/// A job that comes back unfinished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveBack {
    /// Its number in the batch.
    pub seq: u32,
    /// How.
    pub how: GiveBackHow,
}

/// Why a job comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GiveBackHow {
    /// Shutdown, or a record this build cannot read: costs nothing.
    Release,
    /// It failed in a way that another try may mend: charged.
    Retry {
        /// The code it ends with when its attempts are used up.
        code: Code,
        /// What happened.
        error: String,
        /// Backoff, drawn by the caller.
        delay_ms: Millis,
    },
    /// The thread was silent past the job deadline: charged when the job was alone in its chunk; twice is the end.
    Hang {
        /// Backoff, drawn by the caller.
        delay_ms: Millis,
    },
}

/// What became of one job that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveBackAnswer {
    /// It waits for another claim.
    Queued,
    /// It used up its attempts and ended.
    Ended,
    /// The lease does not hold it.
    Stale,
    /// The batch is closed.
    Closed,
}

/// Answer to a call of jobs coming back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenBack {
    /// One answer for each job, in order.
    pub answers: Vec<GiveBackAnswer>,
    /// True when the last open job ended here.
    pub closed_batch: bool,
}

/// Answer to closing.
#[derive(Debug, Clone, PartialEq)]
pub enum Closed {
    /// It is finalizing, by this call or an earlier one; a reset has turned publish into discard.
    Finalizing(Closing),
    /// It has ended already.
    Ended(EndState),
    /// The state does not allow it, e.g. consolidating while filling.
    Refused(BatchState),
    /// Coverage if it were closed now is below the floor; nothing was changed.
    BelowCoverage {
        /// Coverage, counting open jobs as unfinished.
        coverage: f64,
        /// The floor.
        min_coverage: f64,
    },
    /// The store does not know it.
    Unknown,
}

/// Answer to changing finish-by or coverage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patched {
    /// Changed.
    Patched,
    /// Frozen: it is closing or has ended.
    Frozen(BatchState),
    /// The store does not know it.
    Unknown,
}

/// Answer to asking for the finalizer's ticket.
#[derive(Debug, Clone, PartialEq)]
pub enum Ticket {
    /// The caller finalizes until then.
    Granted(Grant),
    /// Another finalizer is at it.
    Busy {
        /// Until then, unless renewed.
        until: Millis,
    },
    /// Nothing to finalize.
    NotFinalizing(BatchState),
    /// The store does not know it.
    Unknown,
}

/// A finalizer's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The ticket ends then, unless renewed.
    pub until: Millis,
    /// What was frozen at close.
    pub closing: Closing,
    /// Jobs still open, to be drained.
    pub open: u64,
    /// Tickets lost and refusals by the warehouse so far; at five the verdict is `failed(finalizer)`.
    pub strikes: u32,
    /// The last error a finalizer met.
    pub last_error: String,
}

/// Answer to a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// So many ended in this call, so many are left.
    Drained {
        /// Ended by this call.
        ended: u64,
        /// Still open.
        left: u64,
    },
    /// Another finalizer holds the ticket now.
    LostTicket,
}

/// A job that has ended, as the finalizer reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedJob {
    /// Its number.
    pub seq: u32,
    /// Its name.
    pub id: JobId,
    /// The encoded job.
    pub payload: Vec<u8>,
    /// How it ended.
    pub done: Done,
}

/// The end of a job as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The primary code.
    pub code: Code,
    /// Rows in the body.
    pub num_rows: u32,
    /// Attempts it took, the completing one included.
    pub attempts: u32,
    /// The lease that completed it; none when the store ended it.
    pub lease: Option<LeaseId>,
    /// Hash of the result; empty when the store ended it.
    pub digest: String,
    /// The encoded outcome; empty when the store ended it.
    pub body: Vec<u8>,
    /// What the store knows when it ended the job itself.
    pub note: String,
}

/// Answer to writing the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndAnswer {
    /// Copied, slate released, event in the outbox.
    Ended,
    /// It was there before.
    AlreadyEnded,
    /// It had ended otherwise: an alarm; the first copy stands.
    Conflict(EndState),
    /// The store does not know it.
    Unknown,
}

/// What is due at a certain time: the one index that the sweep walks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DueKey {
    /// A worker's lease ends.
    Lease(LeaseId),
    /// An opener's lease ends.
    Opener(BatchId),
    /// A batch's time is up.
    FinishBy(BatchId),
    /// A finalizing batch needs a finalizer: at once, or when the ticket ends.
    Ticket(BatchId),
}

impl std::fmt::Display for DueKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lease(id) => write!(f, "lease:{id}"),
            Self::Opener(id) => write!(f, "opener:{id}"),
            Self::FinishBy(id) => write!(f, "finish:{id}"),
            Self::Ticket(id) => write!(f, "ticket:{id}"),
        }
    }
}

impl std::str::FromStr for DueKey {
    type Err = proto::ParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse =
            || proto::ParseError::new("due key", text, "expected lease:, opener:, finish: or ticket:");
        let (kind, id) = text.split_once(':').ok_or_else(refuse)?;
        match kind {
            "lease" => Ok(Self::Lease(id.parse()?)),
            "opener" => Ok(Self::Opener(id.parse()?)),
            "finish" => Ok(Self::FinishBy(id.parse()?)),
            "ticket" => Ok(Self::Ticket(id.parse()?)),
            _ => Err(refuse()),
        }
    }
}

/// What one pass of the sweep did and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Jobs of expired leases that wait again.
    pub requeued: u64,
    /// Jobs of expired leases that used up their attempts.
    pub ended: u64,
    /// Batches that were closed, and why.
    pub closed: Vec<(BatchId, CloseReason)>,
    /// Finalizing batches without a live finalizer.
    pub need_finalizer: Vec<BatchId>,
    /// Batches with a job in neither queue, lease nor outcome.
    pub alarms: Vec<BatchId>,
    /// True when an outage was noticed and every lease was given a full length.
    pub grace: bool,
    /// True when more was due than one pass handles: call again.
    pub more: bool,
}

/// A lease as `/workers` and `/why` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// The lease.
    pub lease: LeaseId,
    /// Who holds it.
    pub worker: WorkerId,
    /// Its batch.
    pub batch_id: BatchId,
    /// When it was claimed.
    pub claimed_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
    /// Until when it can be renewed.
    pub deadline_at: Millis,
    /// Jobs still held.
    pub held: u64,
}

/// A batch as the store knows it: the one answer of every instance.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchView {
    /// The batch.
    pub batch_id: BatchId,
    /// Its slate.
    pub slate: Slate,
    /// Where it stands.
    pub state: BatchState,
    /// Its generation; 0 until sealed.
    pub generation: u64,
    /// Jobs.
    pub total: u64,
    /// Waiting.
    pub queued: u64,
    /// With a worker.
    pub leased: u64,
    /// Ended, by kind.
    pub jobs: OutcomeCounts,
    /// Ended, by primary code, sorted by code.
    pub reasons: Vec<(Code, u64)>,
    /// Rows staged.
    pub staged_rows: u64,
    /// When it was opened.
    pub opened_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// When it ends at the latest.
    pub finish_by: Millis,
    /// Below this coverage nothing is published.
    pub min_coverage: f64,
    /// True when it runs everybody of the slate.
    pub whole_slate: bool,
    /// Frozen at close.
    pub closing: Option<Closing>,
    /// The live finalizer's ticket and when it ends.
    pub ticket: Option<(TicketId, Millis)>,
    /// Lost tickets and refusals.
    pub strikes: u32,
    /// The last error a finalizer met.
    pub last_error: String,
    /// The receipt as JSON, once ended.
    pub receipt: Option<String>,
    /// Completions that came too late or under a lost lease.
    pub stale_writes: u64,
    /// The request as JSON.
    pub request: String,
    /// Feature contract.
    pub contract_version: String,
    /// Models a worker must have.
    pub pins: Vec<ModelPin>,
    /// Its times.
    pub timing: Timing,
}

/// One line of a batch's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: Millis,
    /// What, in words.
    pub text: String,
}

/// One job as `/batches/{id}/players` shows it while the batch is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// Its number.
    pub seq: u32,
    /// Its name.
    pub id: JobId,
    /// The encoded job.
    pub payload: Vec<u8>,
    /// Charged attempts so far.
    pub attempts: u32,
    /// How it ended, if it has.
    pub done: Option<Done>,
}

/// One event that waits to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Its id, e.g. `batch_…/end`.
    pub id: String,
    /// The CloudEvent as JSON.
    pub payload: String,
    /// Deliveries tried.
    pub attempts: u32,
    /// Not before.
    pub not_before: Millis,
}

/// Who the store is: another id or a lower count means that it lost something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Random, made when the store was first used.
    pub store_id: String,
    /// Writes so far.
    pub writes: u64,
    /// The warehouse it is paired with, if any.
    pub warehouse_id: Option<String>,
}
