//! A store with a batch, a pool over it, and somebody who sweeps: a process without a finalizer.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::System;
use proto::{BatchId, Code, Job, ModelPin, OpenerToken};
use protocol::ops::{Added, BatchView, JobView, NewJob, OpenBatch, Opened, Sealed};
use protocol::{BatchState, Millis, Timing};
use state::{BatchStore, MemoryStore};
use workers::{
    ModelPredictor, ModelShelf, PoolHandle, PoolSize, Rulebook, SharedPredictor, WorkerContext, start_pool,
};

use crate::samples::{formula_card, registry_of, shelf};

/// Longest wait for a condition: long enough for a busy machine, short enough to tell a hang from a delay.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test as the binary runs: a multi-thread runtime, shared with the actors' system.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    System::with_tokio_rt(|| runtime).block_on(test)
}

/// Waits for a condition by looking again; says what it waited for when it gives up.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    let mut again = tokio::time::interval(Duration::from_millis(3));
    loop {
        again.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "gave up waiting until {what}");
    }
}

pub(crate) fn wall() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

pub(crate) fn real() -> SharedPredictor {
    Arc::new(ModelPredictor::new(Rulebook::default(), Arc::new(jiff::Timestamp::now)))
}

pub(crate) struct Bench {
    pub(crate) store: Arc<dyn BatchStore>,
    pub(crate) shelf: Arc<ModelShelf>,
    pub(crate) timing: Timing,
    pub(crate) closed: Arc<Mutex<Vec<BatchId>>>,
}

impl Bench {
    pub(crate) fn new(timing: Timing) -> Self {
        Self::on(Arc::new(MemoryStore::new()), timing)
    }

    pub(crate) fn on(store: Arc<dyn BatchStore>, timing: Timing) -> Self {
        let bench = Self { store, shelf: Arc::new(shelf()), timing, closed: Arc::default() };
        bench.sweep();
        bench
    }

    /// Sweeps as an instance does.
    fn sweep(&self) {
        let (store, timing) = (self.store.clone(), self.timing);
        tokio::spawn(async move {
            let mut pass = tokio::time::interval(Duration::from_millis(timing.sweep_ms as u64));
            loop {
                pass.tick().await;
                store.sweep(timing.lease_ms, &[], 500, wall()).await.unwrap();
            }
        });
    }

    pub(crate) fn pool(&self, size: PoolSize, predictor: SharedPredictor) -> PoolHandle {
        let closed = self.closed.clone();
        let context = WorkerContext::new(self.store.clone(), self.shelf.clone(), predictor)
            .on_closed(Arc::new(move |batch| closed.lock().unwrap().push(batch.clone())));
        start_pool(context, size).unwrap()
    }

    /// A batch of these jobs, up to the seal; one slate each.
    pub(crate) async fn filled(&self, number: i64, jobs: &[Job]) -> (BatchId, OpenerToken) {
        let date = jiff::civil::date(2026, 1, 1).checked_add(jiff::Span::new().days(number)).unwrap();
        let batch_id = BatchId::new(date, 1_769_180_406);
        let token = OpenerToken::from_random(number as u128);
        let mut pins: Vec<ModelPin> = self.shelf.registry().pins();
        pins.sort();
        let request = OpenBatch {
            batch_id: batch_id.clone(),
            token,
            timing: self.timing,
            finish_by_ms: 600_000,
            min_coverage: 0.5,
            whole_slate: true,
            contract_version: rules::contract().version.clone(),
            pins,
            request: "{}".to_owned(),
        };
        assert_eq!(self.store.open(&request, wall()).await, Ok(Opened::Opened));
        for part in jobs.chunks(500) {
            let new: Vec<NewJob> = part
                .iter()
                .map(|job| NewJob { id: job.id.clone(), payload: proto::codec::encode_job(job) })
                .collect();
            let added = self.store.add_jobs(&batch_id, &token, &new, wall()).await.unwrap();
            assert!(matches!(added, Added::Added { .. }), "{added:?}");
        }
        (batch_id, token)
    }

    pub(crate) async fn seal(&self, batch: &(BatchId, OpenerToken), jobs: usize) {
        let sealed = self.store.seal(&batch.0, &batch.1, 1, jobs as u64, wall()).await;
        assert_eq!(sealed, Ok(Sealed::Sealed));
    }

    pub(crate) async fn start(&self, number: i64, jobs: &[Job]) -> BatchId {
        let batch = self.filled(number, jobs).await;
        self.seal(&batch, jobs.len()).await;
        batch.0
    }

    pub(crate) async fn batch(&self, id: &BatchId) -> BatchView {
        self.store.batch(id).await.unwrap().unwrap()
    }

    /// The batch when its last job has ended.
    pub(crate) async fn ended(&self, id: &BatchId) -> BatchView {
        let batch = until("the batch has ended", async || {
            let batch = self.batch(id).await;
            (batch.state == BatchState::Finalizing).then_some(batch)
        })
        .await;
        assert_eq!((batch.queued, batch.leased, batch.jobs.total()), (0, 0, batch.total));
        batch
    }

    /// Each job's name with the code it ended with and the attempts it took.
    pub(crate) async fn ends(&self, id: &BatchId) -> Vec<(String, Code, u32)> {
        let jobs: Vec<JobView> = self.store.jobs(id, 0, 500).await.unwrap();
        let end = |job: JobView| {
            let done = job.done.unwrap();
            (job.id.player.to_string(), done.code, done.attempts)
        };
        jobs.into_iter().map(end).collect()
    }
}

/// The registry's models by another weight, as a reload would bring them.
pub(crate) fn other_registry() -> models::Registry {
    registry_of(&[
        formula_card("alpha", "points_avg_last_5", 0.9),
        formula_card("beta", "points_avg_season", 0.9),
        formula_card("gamma", "avg_points_vs_opponent", 0.9),
    ])
}
