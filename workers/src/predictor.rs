//! The seam between a worker and what answers, and the isolation of one job's trouble from its neighbours.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;
use proto::Code;
use protocol::ops::ClaimedJob;
use protocol::worker::JobResult;

use crate::predict::{Rulebook, predict_chunk};
use crate::shelf::ModelSet;

/// One chunk, or a part of it, with the models its batch pins.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The models of the batch.
    pub models: &'a ModelSet,
    /// Feature contract the jobs are built for.
    pub contract_version: &'a str,
    /// The jobs, in order.
    pub jobs: &'a [ClaimedJob],
}

/// Something that answers jobs. Runs on a worker's own thread; may take its time, panic or never come back.
pub trait Predictor: Send + Sync {
    /// Emits a result for each job of the task. Results emitted before a panic or a hang count.
    fn predict(&self, task: Task<'_>, emit: &mut dyn FnMut(JobResult));
}

/// The real thing: gates, models, row checks.
pub struct ModelPredictor {
    rulebook: Rulebook,
    now: Now,
}

/// What tells the time of the world.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl ModelPredictor {
    /// Predicts by these rules; `now` gives each row its `predicted_at` and decides nothing.
    pub fn new(rulebook: Rulebook, now: Now) -> Self {
        Self { rulebook, now }
    }
}

impl Predictor for ModelPredictor {
    fn predict(&self, task: Task<'_>, emit: &mut dyn FnMut(JobResult)) {
        let predicted_at = (self.now)();
        predict_chunk(&self.rulebook, task.models, task.contract_version, task.jobs, predicted_at, emit);
    }
}

/// Answers a task so that a panic costs only the job that causes it: when the pass over all panics, those without a
/// result are tried one at a time. Every job gets exactly one result, unless the predictor never comes back.
pub fn predict_isolated(predictor: &dyn Predictor, task: Task<'_>, emit: &mut dyn FnMut(JobResult)) {
    let mut open: BTreeSet<u32> = task.jobs.iter().map(|job| job.seq).collect();
    let mut pass = |jobs: &[ClaimedJob], open: &mut BTreeSet<u32>| {
        let task = Task { jobs, ..task };
        let mut emit_once = |result: JobResult| {
            if open.remove(&result.seq()) {
                emit(result);
            }
        };
        // The predictor and what it borrows are not used after a panic in a way that could see half a change: results
        // are whole values, models and rules are immutable.
        catch_unwind(AssertUnwindSafe(|| predictor.predict(task, &mut emit_once)))
            .map_err(|panic| message_of(&*panic))
    };
    let whole = pass(task.jobs, &mut open);
    let mut failed = Vec::new();
    for job in task.jobs {
        if !open.contains(&job.seq) {
            continue;
        }
        let answer = match &whole {
            // Alone, it is the culprit; among others it gets a try of its own.
            Err(_) if task.jobs.len() > 1 => pass(std::slice::from_ref(job), &mut open),
            answer => answer.clone(),
        };
        if open.remove(&job.seq) {
            failed.push(without_result(job, answer));
        }
    }
    failed.into_iter().for_each(emit);
}

fn without_result(job: &ClaimedJob, answer: Result<(), String>) -> JobResult {
    let (code, error) = match answer {
        Err(message) => (Code::Panic, format!("predicting {} panicked: {message}", job.id)),
        Ok(()) => (Code::Error, format!("predicting {} gave no result", job.id)),
    };
    tracing::warn!(job.id = %job.id, attempts = job.attempts, "{error}");
    JobResult::Retry { seq: job.seq, code, error }
}

/// What a panic said.
fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// A predictor that workers share.
pub type SharedPredictor = Arc<dyn Predictor>;

/// A setting of the predictor that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PredictorError(String);

/// The predictor of a process: the real one, behind the faults of `TIPOFF_FAULT` in builds with the feature `faults`.
pub fn predictor(rulebook: Rulebook, now: Now) -> Result<SharedPredictor, PredictorError> {
    with_faults(Arc::new(ModelPredictor::new(rulebook, now)))
}

#[cfg(not(feature = "faults"))]
fn with_faults(real: SharedPredictor) -> Result<SharedPredictor, PredictorError> {
    Ok(real)
}

#[cfg(feature = "faults")]
fn with_faults(real: SharedPredictor) -> Result<SharedPredictor, PredictorError> {
    use crate::fault::{FaultPlan, FaultyPredictor, VARIABLE};
    let plan = FaultPlan::from_env().map_err(|error| PredictorError(format!("{VARIABLE}: {error}")))?;
    Ok(match plan {
        Some(plan) => {
            tracing::warn!("{VARIABLE} is set: {plan:?}");
            Arc::new(FaultyPredictor::new(real, plan))
        }
        None => real,
    })
}
