//! How many jobs a store carries through the full guarantee, without any prediction in between.

use std::sync::Arc;
use std::time::Instant;

use jiff::civil::date;
use proto::{BatchId, Code, EndState, LeaseId, OpenerToken, TicketId, WorkerId};
use protocol::ops::{Added, Claim, Claimed, Completion, Drained, NewJob, OpenBatch, Opened, Sealed, Ticket};
use protocol::{CloseReason, MAX_ITEMS_PER_CALL, MAX_JOBS, PROTOCOL_VERSION, Timing};
use tokio::task::JoinSet;

use crate::open::system_millis;
use crate::{BatchStore, Result, StoreError};

/// What a bench run measured.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct BenchReport {
    /// Jobs of the batch.
    pub jobs: u64,
    /// Jobs in one claim.
    pub chunk: usize,
    /// Workers at once.
    pub parallel: usize,
    /// From opening to sealed.
    pub fill_seconds: f64,
    /// From the first claim to the copied end, drain included.
    pub seconds: f64,
    /// Jobs by `seconds`.
    pub jobs_per_second: f64,
}

/// Runs one batch of empty jobs: open, add, seal, then (timed) claim and complete by `parallel` workers until the last
/// job closes the batch, ticket, drain, end. Cleans up after itself. The store should have no other running batch.
pub async fn bench_jobs(
    store: Arc<dyn BatchStore>,
    num_jobs: usize,
    chunk: usize,
    parallel: usize,
) -> Result<BenchReport> {
    let num_jobs = num_jobs.clamp(1, MAX_JOBS);
    let chunk = chunk.clamp(1, MAX_ITEMS_PER_CALL);
    let parallel = parallel.max(1);
    let begun = Instant::now();
    let batch_id = fill(&*store, num_jobs).await?;
    let fill_seconds = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..parallel {
        workers.spawn(work(Arc::clone(&store), batch_id.clone(), chunk));
    }
    let mut completed = 0;
    while let Some(joined) = workers.join_next().await {
        completed += joined.map_err(|e| surprise("a worker", e))??;
    }
    finish(&*store, &batch_id).await?;
    let seconds = begun.elapsed().as_secs_f64();
    if completed != num_jobs as u64 {
        return Err(surprise("the workers", format!("{completed} of {num_jobs} jobs were completed")));
    }
    store.outbox_delivered(&format!("{batch_id}/end")).await?;
    store.forget(&batch_id).await?;
    let jobs_per_second = num_jobs as f64 / seconds;
    Ok(BenchReport { jobs: completed, chunk, parallel, fill_seconds, seconds, jobs_per_second })
}

/// Opens a batch of a date that no league plays on, fills and seals it.
async fn fill(store: &dyn BatchStore, num_jobs: usize) -> Result<BatchId> {
    let now = store.now().await?;
    let mut open = OpenBatch {
        batch_id: BatchId::new(date(2000, 1, 1), now / 1_000),
        token: OpenerToken::from_random(random()),
        timing: Timing::default(),
        finish_by_ms: 600_000,
        min_coverage: 0.5,
        whole_slate: true,
        contract_version: "bench".to_owned(),
        pins: Vec::new(),
        request: "{}".to_owned(),
    };
    loop {
        match store.open(&open, store.now().await?).await? {
            Opened::Opened => break,
            Opened::IdKnown => open.batch_id = open.batch_id.next_second(),
            Opened::SlateTaken { batch_id } => {
                return Err(StoreError::Refused(format!(
                    "another bench run is open in this store as {batch_id}: reset it or use an empty store"
                )));
            }
        }
    }
    let mut jobs = Vec::with_capacity(num_jobs);
    for n in 0..num_jobs {
        let id = format!("player{n}@20000101_AAA_BBB").parse().map_err(|e| surprise("a job id", e))?;
        jobs.push(NewJob { id, payload: vec![1] });
    }
    for jobs in jobs.chunks(MAX_ITEMS_PER_CALL) {
        let added = store.add_jobs(&open.batch_id, &open.token, jobs, store.now().await?).await?;
        if !matches!(added, Added::Added { .. }) {
            return Err(surprise("adding", format!("{added:?}")));
        }
    }
    let sealed = store.seal(&open.batch_id, &open.token, 1, num_jobs as u64, store.now().await?).await?;
    if sealed != Sealed::Sealed {
        return Err(surprise("sealing", format!("{sealed:?}")));
    }
    Ok(open.batch_id)
}

/// Claims and completes until nothing is left; returns how many jobs it completed.
async fn work(store: Arc<dyn BatchStore>, batch_id: BatchId, max_jobs: usize) -> Result<u64> {
    let worker = WorkerId::from_random(random());
    let mut completed = 0;
    loop {
        let claim = Claim {
            lease: LeaseId::from_random(random()),
            worker,
            protocol_version: PROTOCOL_VERSION,
            serves: Vec::new(),
            max_jobs,
        };
        let now = system_millis();
        let chunk = match store.claim(&claim, now).await? {
            Claimed::Chunk(chunk) if chunk.batch_id == batch_id => chunk,
            Claimed::Chunk(other) => {
                return Err(surprise("claiming", format!("{} is running in this store", other.batch_id)));
            }
            Claimed::Nothing { .. } => return Ok(completed),
        };
        let items: Vec<_> = chunk
            .jobs
            .iter()
            .map(|job| Completion {
                seq: job.seq,
                code: Code::Predicted,
                num_rows: 0,
                body: vec![1],
                digest: "0".repeat(64),
            })
            .collect();
        let answer = store.complete(&batch_id, &claim.lease, &items, now).await?;
        completed += answer.answers.len() as u64;
    }
}

/// What a finalizer does to the state store.
async fn finish(store: &dyn BatchStore, batch_id: &BatchId) -> Result<()> {
    let now = store.now().await?;
    store.close(batch_id, CloseReason::FinishBy, None, now).await?;
    let ticket = TicketId::from_random(random());
    if !matches!(store.take_ticket(batch_id, &ticket, now).await?, Ticket::Granted(_)) {
        return Err(surprise("the finalizer's ticket", "it was not granted"));
    }
    while let Drained::Drained { left: 1.., .. } =
        store.drain(batch_id, &ticket, MAX_ITEMS_PER_CALL, now).await?
    {}
    store.end(batch_id, EndState::Complete, "{}", &format!("{batch_id}/end"), "{}", now).await?;
    Ok(())
}

fn random() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

fn surprise(call: &'static str, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Failed { store: "under bench".to_owned(), call, cause: cause.to_string() }
}
