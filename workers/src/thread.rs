//! The thread that predicts: a plain OS thread over a channel of one chunk.
//!
//! Inference is computing, not waiting, so it has no place on the runtime. The thread owns nothing that anybody needs:
//! it reads models and rules, and writes results into a box the worker empties. One that is silent past its deadline is
//! left behind: nobody can stop it, what it still writes lands in a box nobody reads, and it ends when it ever comes
//! back, because its channel is closed.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::LeaseId;
use protocol::ops::Chunk;
use protocol::worker::JobResult;

use crate::predictor::{SharedPredictor, Task, predict_isolated};
use crate::shelf::ModelSet;

/// Results wait so long for each other: to wake the worker for every job of a chunk took longer than the jobs.
const TOGETHER: Duration = Duration::from_millis(5);

/// Jobs between two offers of the core to whoever waits for it: a kernel that was about to let a prediction finish its
/// slice kept the one who asks the store waiting for up to four milliseconds, while the other core was idle. 64 at a time
/// are as quick, 16 are not.
const AT_A_TIME: usize = 32;

/// How far prediction threads stand back. Whoever talks to the stores wakes up for some microseconds and waited behind
/// predictions, on two cores for about 2 % of a batch. Beside another program on the same core a prediction gets a quarter.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// A chunk with everything the thread needs for it.
#[derive(Debug)]
pub struct Order {
    /// The lease its results belong to.
    pub lease: LeaseId,
    /// The jobs.
    pub chunk: Chunk,
    /// The models its batch pins.
    pub models: Arc<ModelSet>,
}

/// A prediction thread, as its worker holds it. Dropping it lets the thread end after what it is at.
#[derive(Debug)]
pub struct PredictThread {
    orders: SyncSender<Box<Order>>,
    results: Arc<ResultBox>,
}

/// Results that wait for the worker.
#[derive(Debug, Default)]
struct ResultBox(Mutex<Vec<(LeaseId, JobResult)>>);

impl ResultBox {
    fn put(&self, lease: LeaseId, result: JobResult) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((lease, result));
    }

    fn take(&self) -> Vec<(LeaseId, JobResult)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PredictThread {
    /// Starts a thread. `ring` is called, on the thread, when a chunk is answered, and before that as long as it takes
    /// for results that wait; it must not block. A thread that falls silent in between leaves its results in the box.
    pub fn start(
        name: String,
        predictor: SharedPredictor,
        ring: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        // One chunk: the worker gives the next one only after the last has been answered in full.
        let (orders, inbox) = sync_channel::<Box<Order>>(1);
        let results = Arc::new(ResultBox::default());
        let outbox = results.clone();
        std::thread::Builder::new().name(name).spawn(move || {
            stand_back();
            while let Ok(order) = inbox.recv() {
                let Order { lease, chunk, models } = *order;
                let mut rung = Instant::now();
                for jobs in chunk.jobs.chunks(AT_A_TIME) {
                    let task = Task { models: &models, contract_version: &chunk.contract_version, jobs };
                    predict_isolated(predictor.as_ref(), task, &mut |result| {
                        outbox.put(lease, result);
                        if rung.elapsed() >= TOGETHER {
                            ring();
                            rung = Instant::now();
                        }
                    });
                    std::thread::yield_now();
                }
                ring();
            }
        })?;
        Ok(Self { orders, results })
    }

    /// Hands over a chunk; gives it back when the thread is gone or still at another one.
    pub fn order(&self, order: Box<Order>) -> Result<(), Box<Order>> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(order) | TrySendError::Disconnected(order) => order,
        })
    }

    /// What has been answered since the last time.
    pub fn results(&self) -> Vec<(LeaseId, JobResult)> {
        self.results.take()
    }
}

/// Niceness is a thread's own on Linux; elsewhere it is the whole process's, and stays as it is.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!("a prediction thread is as urgent as the others: {error}");
    }
}
