//! The contract of a batch store.
//!
//! Every method is one atomic step: it happens wholly or not at all, and nothing of another call happens in between.
//! Every method may be repeated after a lost answer and gets the first answer. An error means that there is no
//! answer; [`StoreError::certainly_not_applied`](crate::StoreError::certainly_not_applied) tells whether it can have
//! happened all the same.
//!
//! `now` is the time of the call. Take it from [`BatchStore::now`]; on Redis the server's own clock replaces it,
//! unless the store was opened with [`Clock::Passed`](crate::Clock).

use std::fmt;

use async_trait::async_trait;
use proto::{BatchId, EndState, LeaseId, OpenerToken, Slate, TicketId};
use protocol::ops::{
    Added, BatchView, Claim, Claimed, Closed, Completed, Completion, Drained, DueKey, EndAnswer, GiveBack,
    GivenBack, JobView, LeaseView, LogEntry, NewJob, OpenBatch, Opened, OpenerRefusal, OutboxEvent, Patched,
    Renewed, Sealed, StagedJob, StoreIdentity, Swept, Ticket,
};
use protocol::{CloseReason, Millis};

use crate::Result;

/// Answer to withdrawing a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    /// The store does not know it any more, by this call or from before.
    Withdrawn,
    /// Another opener's, or past filling.
    Refused(OpenerRefusal),
}

/// Answer to pairing with a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paired {
    /// The store belongs to this warehouse, by this call or from before.
    Paired,
    /// It belongs to another one: do not start.
    Other {
        /// That warehouse.
        warehouse_id: String,
    },
}

/// The state of all open batches, and of ended ones until they are forgotten. See the module for what holds for all.
#[async_trait]
pub trait BatchStore: Send + Sync + fmt::Debug {
    /// The store's clock.
    async fn now(&self) -> Result<Millis>;

    /// The store's address without secrets, for people.
    fn describe(&self) -> String;

    /// What a person should know about this store's set-up, in sentences; empty when all is well.
    fn notes(&self) -> Vec<String>;

    // --- opening ---

    /// Claims the slate for a new batch, which is then `filling`. A repeat with the same token gets `Opened`, whatever
    /// became of the batch; an id of another token `IdKnown`; a slate with an open batch `SlateTaken`.
    async fn open(&self, request: &OpenBatch, now: Millis) -> Result<Opened>;

    /// Adds at most 500 jobs by name, all or none, and renews the opener's lease; an empty call only renews. Jobs that
    /// are there with equal bytes are passed over, so that a repeat adds nothing.
    async fn add_jobs(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        jobs: &[NewJob],
        now: Millis,
    ) -> Result<Added>;

    /// Makes the jobs claimable if exactly `num_jobs`, and at least one, are there. A repeat gets `Sealed`, whatever
    /// came after. Survives a power loss before it answers.
    async fn seal(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        generation: u64,
        num_jobs: u64,
        now: Millis,
    ) -> Result<Sealed>;

    /// Removes a batch that is still filling, with its jobs, and frees its slate. Unknown is withdrawn.
    async fn withdraw(&self, batch_id: &BatchId, token: &OpenerToken) -> Result<Withdrawn>;

    // --- working ---

    /// Hands out due jobs of the oldest running batch that the worker's models can serve, under the claim's own lease.
    /// A repeat with the same lease gets the jobs that it still holds. Nothing is handed out from finish-by on.
    async fn claim(&self, claim: &Claim, now: Millis) -> Result<Claimed>;

    /// Prolongs a lease by one length, at most until its deadline. `Gone` when it is unknown or its batch not running.
    async fn renew(&self, lease: &LeaseId, now: Millis) -> Result<Renewed>;

    /// Writes at most 500 outcomes with their rows; the last open job closes the batch in the same step. Each answer
    /// is its own: one stale item spoils no other.
    async fn complete(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[Completion],
        now: Millis,
    ) -> Result<Completed>;

    /// Takes at most 500 unfinished jobs back: to wait again, or to end when their attempts are used up.
    async fn give_back(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[GiveBack],
        now: Millis,
    ) -> Result<GivenBack>;

    // --- closing ---

    /// Closes a batch in O(1): from here on nothing can be claimed or completed. `min_coverage` replaces the batch's
    /// floor; an operator's close below the floor changes nothing. On a finalizing batch a reset turns publish into
    /// discard; anything else gets what was frozen.
    async fn close(
        &self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Closed>;

    /// Changes finish-by (from opening) or the floor of coverage, until the batch is closed.
    async fn patch(
        &self,
        batch_id: &BatchId,
        finish_by_ms: Option<Millis>,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Patched>;

    /// Grants the finalizer's ticket, or prolongs it for its holder. Taking over an expired one is a strike.
    async fn take_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Ticket>;

    /// Prolongs a ticket for its holder only.
    async fn renew_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Renewed>;

    /// Gives a ticket back; with an error it is a strike. Another finalizer may try from `retry_at` on. False when the
    /// ticket is not the batch's.
    async fn return_ticket(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        error: Option<&str>,
        retry_at: Millis,
        now: Millis,
    ) -> Result<bool>;

    /// Ends at most `limit` (and 500) open jobs with the closing reason. `left` of zero means that the staged rows do
    /// not change any more.
    async fn drain(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        limit: usize,
        now: Millis,
    ) -> Result<Drained>;

    /// Copies a verdict: batch ended, slate free, event in the outbox, in one O(1) step. The first copy stands.
    async fn end(
        &self,
        batch_id: &BatchId,
        end: EndState,
        receipt: &str,
        event_id: &str,
        event: &str,
        now: Millis,
    ) -> Result<EndAnswer>;

    /// Puts an event into the outbox unless one of this id waits or is a dead letter there.
    async fn put_event(&self, event_id: &str, payload: &str, now: Millis) -> Result<()>;

    /// Drops jobs and staged rows of an ended batch; its record, log and receipt stay. False when it is open or
    /// unknown. The one operation that a store may carry out in several steps; a repeat finishes it.
    async fn drop_staged(&self, batch_id: &BatchId) -> Result<bool>;

    /// Forgets an ended batch whose end event is not waiting any more; false otherwise.
    async fn forget(&self, batch_id: &BatchId) -> Result<bool>;

    // --- by itself ---

    /// One pass over what is due, at most `limit` entries: expired leases, lapsed openers, finish-by, missing
    /// finalizers; reports jobs that are in no place. See [`protocol::model::Model::sweep`] for `watched` and the
    /// grace period after a gap longer than `lease_ms`.
    async fn sweep(
        &self,
        lease_ms: Millis,
        watched: &[(DueKey, Millis)],
        limit: usize,
        now: Millis,
    ) -> Result<Swept>;

    // --- outbox ---

    /// Events that may be delivered now, by time and id.
    async fn outbox_due(&self, limit: usize, now: Millis) -> Result<Vec<OutboxEvent>>;

    /// Removes a delivered event; false when it is not there.
    async fn outbox_delivered(&self, event_id: &str) -> Result<bool>;

    /// Counts a failed delivery: tried again from `retry_at` on, a dead letter after ten. True when it is one.
    async fn outbox_failed(&self, event_id: &str, error: &str, retry_at: Millis) -> Result<bool>;

    /// Events that were given up, with their last error, by id.
    async fn dead_letters(&self) -> Result<Vec<(OutboxEvent, String)>>;

    // --- reading; each is one consistent view ---

    /// A batch, or none.
    async fn batch(&self, batch_id: &BatchId) -> Result<Option<BatchView>>;

    /// All batches that the store still knows, by id; `open_only` leaves out the ended ones.
    async fn batches(&self, open_only: bool) -> Result<Vec<BatchView>>;

    /// The open batch of a slate.
    async fn open_batch_of(&self, slate: &Slate) -> Result<Option<BatchId>>;

    /// Jobs with numbers `from .. from + limit`, in order.
    async fn jobs(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<JobView>>;

    /// The ended ones among the jobs with numbers `from .. from + limit`, in order.
    async fn staged(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<StagedJob>>;

    /// The log of a batch, oldest first, at most the newest 1,000 entries.
    async fn log(&self, batch_id: &BatchId) -> Result<Vec<LogEntry>>;

    /// Live leases, by id.
    async fn leases(&self) -> Result<Vec<LeaseView>>;

    /// What happens by itself and when, soonest first.
    async fn due_index(&self) -> Result<Vec<(DueKey, Millis)>>;

    /// Binds the store to a warehouse; an empty store is adopted.
    async fn pair(&self, warehouse_id: &str) -> Result<Paired>;

    /// Who the store is and how many writes it has seen.
    async fn identity(&self) -> Result<StoreIdentity>;
}
