//! What a pool shows of itself: for `/workers`, `/readyz` and tests. Reading it sends no message and cannot hang.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::{LeaseId, WorkerId};
use protocol::Millis;
use serde::Serialize;

use crate::auto::AutoRange;
use crate::clock::Clock;

/// One live worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerStatus {
    /// Its name; new for each start.
    pub worker: WorkerId,
    /// What it does: idle, claiming, predicting, reporting or stopped.
    pub phase: &'static str,
    /// The lease it works under.
    pub lease: Option<LeaseId>,
    /// How long it has had the lease.
    pub lease_age_ms: Option<Millis>,
    /// Jobs it has seen to their end.
    pub jobs_done: u64,
    /// When it last made progress, in milliseconds since the Unix epoch.
    pub last_progress: Millis,
    /// Threads it had to leave behind.
    pub thread_abandoned: u64,
    /// True when the store has jobs that this process' models cannot serve.
    pub unservable: bool,
}

/// A pool and its workers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    /// Workers it should have.
    pub size: usize,
    /// The range it chooses its size from, when it does.
    pub auto: Option<AutoRange>,
    /// True when it claims nothing new and ends.
    pub draining: bool,
    /// True when too many threads were left behind: it claims nothing any more; restart the process.
    pub exhausted: bool,
    /// Threads left behind since the start.
    pub abandoned_threads: usize,
    /// Workers that ended by a failure and were replaced.
    pub restarts: u64,
    /// When the next replacement may start, while failures are held back.
    pub restart_at: Option<Millis>,
    /// The live workers, by name.
    pub workers: Vec<WorkerStatus>,
}

impl PoolStatus {
    /// True when jobs wait that no model of this process can serve.
    pub fn unservable(&self) -> bool {
        self.workers.iter().any(|worker| worker.unservable)
    }
}

/// Where pool and workers publish.
#[derive(Debug)]
pub(crate) struct Board {
    clock: Clock,
    abandoned: Arc<AtomicUsize>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pool: PoolStatus,
    workers: BTreeMap<WorkerId, (WorkerStatus, Option<Millis>)>,
    /// Mean time of a job, over all workers, the newest counting most.
    job_ms: Option<f64>,
}

impl Board {
    pub(crate) fn new(clock: Clock, abandoned: Arc<AtomicUsize>) -> Arc<Self> {
        Arc::new(Self { clock, abandoned, inner: Mutex::default() })
    }

    /// Writers replace whole values, so a panic elsewhere cannot have left half of one.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a worker; `lease_since` is on the steady clock.
    pub(crate) fn show(&self, status: WorkerStatus, lease_since: Option<Millis>) {
        self.lock().workers.insert(status.worker, (status, lease_since));
    }

    pub(crate) fn remove(&self, worker: WorkerId) {
        self.lock().workers.remove(&worker);
    }

    /// Changes what is shown of the pool itself.
    pub(crate) fn show_pool(&self, change: impl FnOnce(&mut PoolStatus)) {
        change(&mut self.lock().pool);
    }

    pub(crate) fn phase_of(&self, worker: WorkerId) -> Option<&'static str> {
        self.lock().workers.get(&worker).map(|(status, _)| status.phase)
    }

    /// Takes a chunk into the mean: `jobs` jobs in `took_ms`.
    pub(crate) fn count_chunk(&self, jobs: usize, took_ms: Millis) {
        let new = took_ms as f64 / jobs.max(1) as f64;
        let mut inner = self.lock();
        inner.job_ms = Some(inner.job_ms.map_or(new, |old| 0.8 * old + 0.2 * new));
    }

    pub(crate) fn job_ms(&self) -> Option<f64> {
        self.lock().job_ms
    }

    /// Everything as it is now.
    pub(crate) fn status(&self) -> PoolStatus {
        let now = self.clock.steady();
        let inner = self.lock();
        let workers = inner.workers.values().map(|(status, since)| WorkerStatus {
            lease_age_ms: since.map(|since| now - since),
            ..status.clone()
        });
        PoolStatus {
            workers: workers.collect(),
            abandoned_threads: self.abandoned.load(Ordering::Acquire),
            ..inner.pool.clone()
        }
    }
}
