//! Crash points that really crash, and a store that passes them before and after its steps.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use proto::{BatchId, EndState, LeaseId, OpenerToken, Slate, TicketId};
use protocol::ops::{
    Added, BatchView, Claim, Claimed, Closed, Completed, Completion, Drained, DueKey, EndAnswer, GiveBack,
    GivenBack, JobView, LeaseView, LogEntry, NewJob, OpenBatch, Opened, OutboxEvent, Patched, Renewed,
    Sealed, StagedJob, StoreIdentity, Swept, Ticket,
};
use protocol::{CloseReason, Millis};

use crate::{BatchStore, Paired, Result, Withdrawn};

/// How often the chosen point was passed.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Kills this process with SIGKILL if `TIPOFF_CRASH_AT` names this point, optionally with `#n` for the n-th time.
pub fn point(name: &str) {
    let Ok(wanted) = std::env::var("TIPOFF_CRASH_AT") else { return };
    let (point, nth) = match wanted.split_once('#') {
        Some((point, nth)) => (point, nth.parse().unwrap_or(1)),
        None => (wanted.as_str(), 1),
    };
    if point != name || PASSED.fetch_add(1, Ordering::SeqCst) + 1 != nth {
        return;
    }
    // The shell's own `kill` needs no unsafe code and no further dependency; SIGKILL cannot be caught.
    let kill = format!("kill -KILL {}", std::process::id());
    let sent = Command::new("sh").arg("-c").arg(kill).stdin(Stdio::null()).status();
    if sent.is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

/// Passes `state.<op>.before` and `state.<op>.after` around the steps that change a batch's life.
#[derive(Debug)]
pub struct CrashingStore {
    inner: Arc<dyn BatchStore>,
}

impl CrashingStore {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn BatchStore>) -> Self {
        Self { inner }
    }
}

/// Awaits a call of the inner store between its two points.
macro_rules! between {
    ($name:literal, $call:expr) => {{
        point(concat!("state.", $name, ".before"));
        let answer = $call.await;
        point(concat!("state.", $name, ".after"));
        answer
    }};
}

#[async_trait]
impl BatchStore for CrashingStore {
    async fn now(&self) -> Result<Millis> {
        self.inner.now().await
    }
    fn describe(&self) -> String {
        self.inner.describe()
    }
    fn notes(&self) -> Vec<String> {
        self.inner.notes()
    }
    async fn open(&self, request: &OpenBatch, now: Millis) -> Result<Opened> {
        between!("open", self.inner.open(request, now))
    }
    async fn add_jobs(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        jobs: &[NewJob],
        now: Millis,
    ) -> Result<Added> {
        between!("add_jobs", self.inner.add_jobs(batch_id, token, jobs, now))
    }
    async fn seal(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        generation: u64,
        num_jobs: u64,
        now: Millis,
    ) -> Result<Sealed> {
        between!("seal", self.inner.seal(batch_id, token, generation, num_jobs, now))
    }
    async fn withdraw(&self, batch_id: &BatchId, token: &OpenerToken) -> Result<Withdrawn> {
        self.inner.withdraw(batch_id, token).await
    }
    async fn claim(&self, claim: &Claim, now: Millis) -> Result<Claimed> {
        self.inner.claim(claim, now).await
    }
    async fn renew(&self, lease: &LeaseId, now: Millis) -> Result<Renewed> {
        self.inner.renew(lease, now).await
    }
    async fn complete(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[Completion],
        now: Millis,
    ) -> Result<Completed> {
        between!("complete", self.inner.complete(batch_id, lease, items, now))
    }
    async fn give_back(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[GiveBack],
        now: Millis,
    ) -> Result<GivenBack> {
        self.inner.give_back(batch_id, lease, items, now).await
    }
    async fn close(
        &self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Closed> {
        between!("close", self.inner.close(batch_id, reason, min_coverage, now))
    }
    async fn patch(
        &self,
        batch_id: &BatchId,
        finish_by_ms: Option<Millis>,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Patched> {
        self.inner.patch(batch_id, finish_by_ms, min_coverage, now).await
    }
    async fn take_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Ticket> {
        self.inner.take_ticket(batch_id, ticket, now).await
    }
    async fn renew_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Renewed> {
        self.inner.renew_ticket(batch_id, ticket, now).await
    }
    async fn return_ticket(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        error: Option<&str>,
        retry_at: Millis,
        now: Millis,
    ) -> Result<bool> {
        self.inner.return_ticket(batch_id, ticket, error, retry_at, now).await
    }
    async fn drain(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        limit: usize,
        now: Millis,
    ) -> Result<Drained> {
        between!("drain", self.inner.drain(batch_id, ticket, limit, now))
    }
    async fn end(
        &self,
        batch_id: &BatchId,
        end: EndState,
        receipt: &str,
        event_id: &str,
        event: &str,
        now: Millis,
    ) -> Result<EndAnswer> {
        between!("end", self.inner.end(batch_id, end, receipt, event_id, event, now))
    }
    async fn put_event(&self, event_id: &str, payload: &str, now: Millis) -> Result<()> {
        self.inner.put_event(event_id, payload, now).await
    }
    async fn drop_staged(&self, batch_id: &BatchId) -> Result<bool> {
        self.inner.drop_staged(batch_id).await
    }
    async fn forget(&self, batch_id: &BatchId) -> Result<bool> {
        self.inner.forget(batch_id).await
    }
    async fn sweep(
        &self,
        lease_ms: Millis,
        watched: &[(DueKey, Millis)],
        limit: usize,
        now: Millis,
    ) -> Result<Swept> {
        self.inner.sweep(lease_ms, watched, limit, now).await
    }
    async fn outbox_due(&self, limit: usize, now: Millis) -> Result<Vec<OutboxEvent>> {
        self.inner.outbox_due(limit, now).await
    }
    async fn outbox_delivered(&self, event_id: &str) -> Result<bool> {
        self.inner.outbox_delivered(event_id).await
    }
    async fn outbox_failed(&self, event_id: &str, error: &str, retry_at: Millis) -> Result<bool> {
        self.inner.outbox_failed(event_id, error, retry_at).await
    }
    async fn dead_letters(&self) -> Result<Vec<(OutboxEvent, String)>> {
        self.inner.dead_letters().await
    }
    async fn batch(&self, batch_id: &BatchId) -> Result<Option<BatchView>> {
        self.inner.batch(batch_id).await
    }
    async fn batches(&self, open_only: bool) -> Result<Vec<BatchView>> {
        self.inner.batches(open_only).await
    }
    async fn open_batch_of(&self, slate: &Slate) -> Result<Option<BatchId>> {
        self.inner.open_batch_of(slate).await
    }
    async fn jobs(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<JobView>> {
        self.inner.jobs(batch_id, from, limit).await
    }
    async fn staged(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<StagedJob>> {
        self.inner.staged(batch_id, from, limit).await
    }
    async fn log(&self, batch_id: &BatchId) -> Result<Vec<LogEntry>> {
        self.inner.log(batch_id).await
    }
    async fn leases(&self) -> Result<Vec<LeaseView>> {
        self.inner.leases().await
    }
    async fn due_index(&self) -> Result<Vec<(DueKey, Millis)>> {
        self.inner.due_index().await
    }
    async fn pair(&self, warehouse_id: &str) -> Result<Paired> {
        self.inner.pair(warehouse_id).await
    }
    async fn identity(&self) -> Result<StoreIdentity> {
        self.inner.identity().await
    }
}
