//! A store whose conversation with workers goes wrong on demand; everything else passes through.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use proto::{BatchId, EndState, LeaseId, OpenerToken, Slate, TicketId};
use protocol::ops::*;
use protocol::{CloseReason, Millis};
use state::{BatchStore, MemoryStore, Paired, Result, StoreError, Withdrawn};

/// What happens to a worker's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is not carried out.
    Unreachable,
    /// It never returns.
    Silence,
    /// It panics inside the store's client.
    Panic,
}

#[derive(Debug)]
pub(crate) struct FlakyStore {
    inner: MemoryStore,
    script: fn(u64) -> Option<Mishap>,
    pub(crate) calls: AtomicU64,
    pub(crate) mishaps: Mutex<Vec<(u64, Mishap)>>,
}

impl FlakyStore {
    /// Strikes a worker's n-th call, counted from 0, as the script says.
    pub(crate) fn new(script: fn(u64) -> Option<Mishap>) -> Self {
        Self { inner: MemoryStore::new(), script, calls: AtomicU64::new(0), mishaps: Mutex::default() }
    }

    async fn strike<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let mishap = (self.script)(number);
        if let Some(mishap) = mishap {
            self.mishaps.lock().unwrap().push((number, mishap));
        }
        let unreachable = |maybe_applied| StoreError::Unreachable {
            store: "flaky:".to_owned(),
            cause: "a test".to_owned(),
            maybe_applied,
        };
        match mishap {
            None => call.await,
            Some(Mishap::AnswerLost) => {
                call.await?;
                Err(unreachable(true))
            }
            Some(Mishap::Unreachable) => Err(unreachable(false)),
            Some(Mishap::Silence) => std::future::pending().await,
            Some(Mishap::Panic) => panic!("the client of the store panics in call {number}"),
        }
    }
}

macro_rules! store {
    (
        struck: { $( $s:ident ( $($sp:tt)* ) ( $($sa:tt)* ) -> $sr:ty; )* }
        passed: { $( $p:ident ( $($pp:tt)* ) ( $($pa:tt)* ) -> $pr:ty; )* }
    ) => {
        #[async_trait]
        impl BatchStore for FlakyStore {
            fn describe(&self) -> String {
                "flaky:".to_owned()
            }
            fn notes(&self) -> Vec<String> {
                Vec::new()
            }
            $( async fn $s(&self, $($sp)*) -> Result<$sr> {
                self.strike(self.inner.$s($($sa)*)).await
            } )*
            $( async fn $p(&self, $($pp)*) -> Result<$pr> {
                self.inner.$p($($pa)*).await
            } )*
        }
    };
}

store! {
    struck: {
        claim(claim: &Claim, now: Millis) (claim, now) -> Claimed;
        renew(lease: &LeaseId, now: Millis) (lease, now) -> Renewed;
        complete(batch: &BatchId, lease: &LeaseId, items: &[Completion], now: Millis) (batch, lease, items, now) -> Completed;
        give_back(batch: &BatchId, lease: &LeaseId, items: &[GiveBack], now: Millis) (batch, lease, items, now) -> GivenBack;
    }
    passed: {
        now() () -> Millis;
        open(request: &OpenBatch, now: Millis) (request, now) -> Opened;
        add_jobs(batch: &BatchId, token: &OpenerToken, jobs: &[NewJob], now: Millis) (batch, token, jobs, now) -> Added;
        seal(batch: &BatchId, token: &OpenerToken, generation: u64, num_jobs: u64, now: Millis) (batch, token, generation, num_jobs, now) -> Sealed;
        withdraw(batch: &BatchId, token: &OpenerToken) (batch, token) -> Withdrawn;
        close(batch: &BatchId, reason: CloseReason, floor: Option<f64>, now: Millis) (batch, reason, floor, now) -> Closed;
        patch(batch: &BatchId, finish_by: Option<Millis>, floor: Option<f64>, now: Millis) (batch, finish_by, floor, now) -> Patched;
        take_ticket(batch: &BatchId, ticket: &TicketId, now: Millis) (batch, ticket, now) -> Ticket;
        renew_ticket(batch: &BatchId, ticket: &TicketId, now: Millis) (batch, ticket, now) -> Renewed;
        return_ticket(batch: &BatchId, ticket: &TicketId, error: Option<&str>, retry_at: Millis, now: Millis) (batch, ticket, error, retry_at, now) -> bool;
        drain(batch: &BatchId, ticket: &TicketId, limit: usize, now: Millis) (batch, ticket, limit, now) -> Drained;
        end(batch: &BatchId, end: EndState, receipt: &str, event_id: &str, event: &str, now: Millis) (batch, end, receipt, event_id, event, now) -> EndAnswer;
        put_event(id: &str, payload: &str, now: Millis) (id, payload, now) -> ();
        drop_staged(batch: &BatchId) (batch) -> bool;
        forget(batch: &BatchId) (batch) -> bool;
        sweep(lease_ms: Millis, watched: &[(DueKey, Millis)], limit: usize, now: Millis) (lease_ms, watched, limit, now) -> Swept;
        outbox_due(limit: usize, now: Millis) (limit, now) -> Vec<OutboxEvent>;
        outbox_delivered(id: &str) (id) -> bool;
        outbox_failed(id: &str, error: &str, retry_at: Millis) (id, error, retry_at) -> bool;
        dead_letters() () -> Vec<(OutboxEvent, String)>;
        batch(batch: &BatchId) (batch) -> Option<BatchView>;
        batches(open_only: bool) (open_only) -> Vec<BatchView>;
        open_batch_of(slate: &Slate) (slate) -> Option<BatchId>;
        jobs(batch: &BatchId, from: u32, limit: usize) (batch, from, limit) -> Vec<JobView>;
        staged(batch: &BatchId, from: u32, limit: usize) (batch, from, limit) -> Vec<StagedJob>;
        log(batch: &BatchId) (batch) -> Vec<LogEntry>;
        leases() () -> Vec<LeaseView>;
        due_index() () -> Vec<(DueKey, Millis)>;
        pair(warehouse: &str) (warehouse) -> Paired;
        identity() () -> StoreIdentity;
    }
}
