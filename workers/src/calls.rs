//! The three conversations of a worker with the store, each with a deadline and without a retry of its own: repeating
//! is the machine's business alone, so attempts cannot multiply (incident 43).

use std::sync::Arc;
use std::time::Duration;

use proto::{BatchId, LeaseId, WorkerId};
use protocol::PROTOCOL_VERSION;
use protocol::ops::{Claim, Claimed, Completed, Completion, CompletionAnswer, GiveBack, Renewed};
use state::StoreError;

use crate::clock::wall;
use crate::context::WorkerContext;
use crate::shelf::{ModelSet, Stock};

/// How long a call may take before its answer counts as lost. The store has a limit of its own; this one holds even if
/// the store forgets it (a silent server once parked clients for ever).
const CALL_DEADLINE: Duration = Duration::from_secs(2);

/// A call without an answer; what it asked for may have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the state store did not answer within {} ms", CALL_DEADLINE.as_millis())]
    Late,
    #[error("the state store handed out jobs of {0}, which it does not know; it will take them back")]
    NoBatch(BatchId),
    #[error("a call to the state store panicked")]
    Panicked,
}

/// The answer to a claim, with what is needed to go on.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) claimed: Claimed,
    /// The models of the chunk's batch.
    pub(crate) models: Option<Arc<ModelSet>>,
}

async fn within<T>(call: impl Future<Output = state::Result<T>>) -> Result<T, CallError> {
    match tokio::time::timeout(CALL_DEADLINE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::Late),
    }
}

/// Claims with what this process serves now, and picks the models that the batch pins from the same stock.
pub(crate) async fn claim(
    context: WorkerContext,
    worker: WorkerId,
    lease: LeaseId,
    max_jobs: usize,
) -> Result<Answer, CallError> {
    let stock = context.shelf.stock();
    let serves = stock.serves().to_vec();
    let request = Claim { lease, worker, protocol_version: PROTOCOL_VERSION, serves, max_jobs };
    let asked_at = wall();
    let claimed = within(context.store.claim(&request, asked_at)).await?;
    match claimed {
        Claimed::Nothing { next_at, unservable } => {
            let next_at = next_at.map(|at| context.clock.steady_of(at, asked_at));
            Ok(Answer { claimed: Claimed::Nothing { next_at, unservable }, models: None })
        }
        Claimed::Chunk(chunk) => {
            let models = models_of(&context, &stock, &chunk.batch_id).await?;
            Ok(Answer { claimed: Claimed::Chunk(chunk), models: Some(models) })
        }
    }
}

/// Asks the store only when a reload has left two versions of a model.
async fn models_of(
    context: &WorkerContext,
    stock: &Stock,
    batch_id: &BatchId,
) -> Result<Arc<ModelSet>, CallError> {
    if let Some(only) = stock.only_set() {
        return Ok(only);
    }
    let batch = within(context.store.batch(batch_id)).await?;
    batch.map(|batch| stock.set_for(&batch.pins)).ok_or_else(|| CallError::NoBatch(batch_id.clone()))
}

pub(crate) async fn renew(context: WorkerContext, lease: LeaseId) -> Result<Renewed, CallError> {
    within(context.store.renew(&lease, wall())).await
}

/// Reports what ended, then what comes back. Both may be repeated after a lost answer.
pub(crate) async fn report(
    context: WorkerContext,
    batch_id: BatchId,
    lease: LeaseId,
    completions: Vec<Completion>,
    give_backs: Vec<GiveBack>,
) -> Result<(), CallError> {
    let tell = |is_closed: bool| {
        if is_closed {
            (context.on_closed)(&batch_id);
        }
    };
    if !completions.is_empty() {
        let completed = within(context.store.complete(&batch_id, &lease, &completions, wall())).await?;
        log_answers(&batch_id, &lease, &completions, &completed);
        tell(completed.closed_batch);
    }
    if !give_backs.is_empty() {
        let given = within(context.store.give_back(&batch_id, &lease, &give_backs, wall())).await?;
        tell(given.closed_batch);
    }
    Ok(())
}

fn log_answers(batch_id: &BatchId, lease: &LeaseId, items: &[Completion], completed: &Completed) {
    let mut late = 0;
    for (item, answer) in items.iter().zip(&completed.answers) {
        match answer {
            CompletionAnswer::Conflict => tracing::error!(
                batch.id = %batch_id, lease.id = %lease, job.seq = item.seq,
                "job {} of `{batch_id}` was completed twice under one lease with different results; the first stands",
                item.seq
            ),
            CompletionAnswer::Closed | CompletionAnswer::Stale => late += 1,
            CompletionAnswer::Accepted | CompletionAnswer::Repeated => {}
        }
    }
    if late > 0 {
        tracing::info!(
            batch.id = %batch_id, lease.id = %lease, num_jobs = late,
            "{late} results for `{batch_id}` came too late and were not counted"
        );
    }
}
