//! What every worker of a process shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proto::BatchId;
use state::BatchStore;

use crate::clock::Clock;
use crate::predictor::SharedPredictor;
use crate::shelf::ModelShelf;

/// Threads that may be left behind before the process claims nothing any more: each may hold a core for ever.
pub const MAX_ABANDONED_THREADS: usize = 16;

/// Told, on the runtime, that a report has ended the last job of a batch. Must not block.
pub type OnClosed = Arc<dyn Fn(&BatchId) + Send + Sync>;

/// The store, the models and the predictor of a process, and where its workers' randomness comes from.
#[derive(Clone)]
pub struct WorkerContext {
    pub(crate) store: Arc<dyn BatchStore>,
    pub(crate) shelf: Arc<ModelShelf>,
    pub(crate) predictor: SharedPredictor,
    pub(crate) on_closed: OnClosed,
    pub(crate) random: fn() -> u128,
    pub(crate) clock: Clock,
    pub(crate) abandoned: Arc<AtomicUsize>,
}

impl WorkerContext {
    /// A context with the system's randomness that tells nobody about closed batches.
    pub fn new(store: Arc<dyn BatchStore>, shelf: Arc<ModelShelf>, predictor: SharedPredictor) -> Self {
        Self {
            store,
            shelf,
            predictor,
            on_closed: Arc::new(|_| {}),
            random: rand::random,
            clock: Clock::start(),
            abandoned: Arc::default(),
        }
    }

    /// Calls `on_closed` when a report has closed a batch, so that its finalizer starts now and not at the next sweep.
    #[must_use]
    pub fn on_closed(mut self, on_closed: OnClosed) -> Self {
        self.on_closed = on_closed;
        self
    }

    /// Counts a thread left behind; true when there are too many now.
    pub(crate) fn count_abandoned(&self) -> bool {
        self.abandoned.fetch_add(1, Ordering::AcqRel) + 1 >= MAX_ABANDONED_THREADS
    }

    pub(crate) fn abandoned_threads(&self) -> usize {
        self.abandoned.load(Ordering::Acquire)
    }
}
