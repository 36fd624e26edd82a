//! The in-memory store: the protocol's own operations behind a mutex. For tests and simulations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use proto::{BatchId, EndState, LeaseId, OpenerToken, Slate, TicketId};
use protocol::model::Model;
use protocol::ops::{
    Added, BatchView, Claim, Claimed, Closed, Completed, Completion, Drained, DueKey, EndAnswer, GiveBack,
    GivenBack, JobView, LeaseView, LogEntry, NewJob, OpenBatch, Opened, OutboxEvent, Patched, Renewed,
    Sealed, StagedJob, StoreIdentity, Swept, Ticket,
};
use protocol::{CloseReason, Millis};

use crate::open::system_millis;
use crate::{BatchStore, Paired, Result, Withdrawn};

/// A [`Model`] that several tasks may share. Clones are the same store.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    model: Arc<Mutex<Model>>,
}

impl MemoryStore {
    /// An empty store with a random id.
    pub fn new() -> Self {
        Self::from_model(Model::new(uuid::Uuid::new_v4().simple().to_string()))
    }

    /// A store that begins with this state.
    pub fn from_model(model: Model) -> Self {
        Self { model: Arc::new(Mutex::new(model)) }
    }

    /// A copy of the whole state.
    pub fn model(&self) -> Model {
        self.lock().clone()
    }

    /// The guard is never held across an await. A panic inside an operation leaves at worst a half-done model, which
    /// the next sweep reports; refusing to answer for ever would be worse.
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl BatchStore for MemoryStore {
    async fn now(&self) -> Result<Millis> {
        Ok(system_millis())
    }

    fn describe(&self) -> String {
        "memory:".to_owned()
    }

    fn notes(&self) -> Vec<String> {
        vec!["the state is kept in memory and ends with this process".to_owned()]
    }

    async fn open(&self, request: &OpenBatch, now: Millis) -> Result<Opened> {
        Ok(self.lock().open(request, now))
    }

    async fn add_jobs(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        jobs: &[NewJob],
        now: Millis,
    ) -> Result<Added> {
        Ok(self.lock().add_jobs(batch_id, token, jobs, now))
    }

    async fn seal(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        generation: u64,
        num_jobs: u64,
        now: Millis,
    ) -> Result<Sealed> {
        Ok(self.lock().seal(batch_id, token, generation, num_jobs, now))
    }

    async fn withdraw(&self, batch_id: &BatchId, token: &OpenerToken) -> Result<Withdrawn> {
        Ok(self.lock().withdraw(batch_id, token).map_or_else(Withdrawn::Refused, |()| Withdrawn::Withdrawn))
    }

    async fn claim(&self, claim: &Claim, now: Millis) -> Result<Claimed> {
        Ok(self.lock().claim(claim, now))
    }

    async fn renew(&self, lease: &LeaseId, now: Millis) -> Result<Renewed> {
        Ok(self.lock().renew(lease, now))
    }

    async fn complete(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[Completion],
        now: Millis,
    ) -> Result<Completed> {
        Ok(self.lock().complete(batch_id, lease, items, now))
    }

    async fn give_back(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[GiveBack],
        now: Millis,
    ) -> Result<GivenBack> {
        Ok(self.lock().give_back(batch_id, lease, items, now))
    }

    async fn close(
        &self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Closed> {
        Ok(self.lock().close(batch_id, reason, min_coverage, now))
    }

    async fn patch(
        &self,
        batch_id: &BatchId,
        finish_by_ms: Option<Millis>,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Patched> {
        Ok(self.lock().patch(batch_id, finish_by_ms, min_coverage, now))
    }

    async fn take_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Ticket> {
        Ok(self.lock().take_ticket(batch_id, ticket, now))
    }

    async fn renew_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Renewed> {
        Ok(self.lock().renew_ticket(batch_id, ticket, now))
    }

    async fn return_ticket(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        error: Option<&str>,
        retry_at: Millis,
        now: Millis,
    ) -> Result<bool> {
        Ok(self.lock().return_ticket(batch_id, ticket, error, retry_at, now))
    }

    async fn drain(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        limit: usize,
        now: Millis,
    ) -> Result<Drained> {
        Ok(self.lock().drain(batch_id, ticket, limit, now))
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
        Ok(self.lock().end(batch_id, end, receipt, event_id, event, now))
    }

    async fn put_event(&self, event_id: &str, payload: &str, now: Millis) -> Result<()> {
        self.lock().put_event(event_id, payload, now);
        Ok(())
    }

    async fn drop_staged(&self, batch_id: &BatchId) -> Result<bool> {
        Ok(self.lock().drop_staged(batch_id))
    }

    async fn forget(&self, batch_id: &BatchId) -> Result<bool> {
        Ok(self.lock().forget(batch_id))
    }

    async fn sweep(
        &self,
        lease_ms: Millis,
        watched: &[(DueKey, Millis)],
        limit: usize,
        now: Millis,
    ) -> Result<Swept> {
        Ok(self.lock().sweep(lease_ms, watched, limit, now))
    }

    async fn outbox_due(&self, limit: usize, now: Millis) -> Result<Vec<OutboxEvent>> {
        Ok(self.lock().outbox_due(limit, now))
    }

    async fn outbox_delivered(&self, event_id: &str) -> Result<bool> {
        Ok(self.lock().outbox_delivered(event_id))
    }

    async fn outbox_failed(&self, event_id: &str, error: &str, retry_at: Millis) -> Result<bool> {
        Ok(self.lock().outbox_failed(event_id, error, retry_at))
    }

    async fn dead_letters(&self) -> Result<Vec<(OutboxEvent, String)>> {
        Ok(self.lock().dead_letters())
    }

    async fn batch(&self, batch_id: &BatchId) -> Result<Option<BatchView>> {
        Ok(self.lock().batch(batch_id))
    }

    async fn batches(&self, open_only: bool) -> Result<Vec<BatchView>> {
        Ok(self.lock().batches(open_only))
    }

    async fn open_batch_of(&self, slate: &Slate) -> Result<Option<BatchId>> {
        Ok(self.lock().open_batch_of(slate))
    }

    async fn jobs(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<JobView>> {
        Ok(self.lock().jobs(batch_id, from, limit))
    }

    async fn staged(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<StagedJob>> {
        Ok(self.lock().staged(batch_id, from, limit))
    }

    async fn log(&self, batch_id: &BatchId) -> Result<Vec<LogEntry>> {
        Ok(self.lock().log(batch_id))
    }

    async fn leases(&self) -> Result<Vec<LeaseView>> {
        Ok(self.lock().leases())
    }

    async fn due_index(&self) -> Result<Vec<(DueKey, Millis)>> {
        Ok(self.lock().due_index())
    }

    async fn pair(&self, warehouse_id: &str) -> Result<Paired> {
        let answer = self.lock().pair(warehouse_id);
        Ok(answer.map_or_else(|warehouse_id| Paired::Other { warehouse_id }, |()| Paired::Paired))
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        Ok(self.lock().identity())
    }
}
