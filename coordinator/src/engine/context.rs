//! What every part of one instance shares: the two stores, the models, the settings, and doorbells.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proto::features::FeatureContract;
use proto::{BatchId, InstanceId};
use protocol::{Millis, Timing};
use rules::lines::LinePolicy;
use rules::staleness::StalenessBudget;
use state::BatchStore;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use warehouse::Warehouse;
use workers::ModelShelf;

use crate::clock::Clock;

/// Settings of a batch that a request may override.
#[derive(Debug, Clone, Copy)]
pub struct BatchDefaults {
    /// From opening to the forced end, in milliseconds.
    pub finish_by_ms: Millis,
    /// Below this share of predicted jobs nothing is published.
    pub min_coverage: f64,
    /// Mean minutes below which a player without a quote is `low_minutes`.
    pub min_minutes: f64,
}

/// How late data is taken up.
#[derive(Debug, Clone, Copy)]
pub struct LateSettings {
    /// How often inputs are compared with what was tried last; none: never.
    pub watch_every: Option<Duration>,
    /// Greatest age of a message.
    pub event_limit: SignedDuration,
}

/// Shared by the actors and the service of one instance.
#[derive(Debug)]
pub struct Context {
    /// Batch state.
    pub store: Arc<dyn BatchStore>,
    /// The tables.
    pub warehouse: Warehouse,
    /// The models.
    pub shelf: Arc<ModelShelf>,
    /// The features.
    pub contract: &'static FeatureContract,
    /// How quotes are judged and ranked.
    pub lines: Arc<LinePolicy>,
    /// Times of new batches.
    pub timing: Timing,
    /// Defaults of a request.
    pub defaults: BatchDefaults,
    /// How late data is taken up.
    pub late: LateSettings,
    /// How old rosters and injuries may be.
    pub staleness: StalenessBudget,
    /// How many sources of lines are configured.
    pub line_sources: usize,
    /// This process.
    pub instance: InstanceId,
    /// Held from the check of a start to its claim. It saves work only: of many starts of one slate, one loads the
    /// inputs and the others find its claim. That there is one batch is the store's doing.
    pub(crate) start_gate: tokio::sync::Mutex<()>,
    clock: Clock,
    relay_bell: Notify,
    ended_bell: Notify,
    follower_bell: Notify,
    finalize_bell: tokio::sync::mpsc::Sender<BatchId>,
    last_turn: AtomicI64,
    troubles: Mutex<BTreeMap<BatchId, String>>,
}

/// What a context is made of.
#[derive(Debug)]
pub struct ContextParts {
    /// Batch state.
    pub store: Arc<dyn BatchStore>,
    /// The tables.
    pub warehouse: Warehouse,
    /// The models.
    pub shelf: Arc<ModelShelf>,
    /// How quotes are judged and ranked.
    pub lines: LinePolicy,
    /// Times of new batches.
    pub timing: Timing,
    /// Defaults of a request.
    pub defaults: BatchDefaults,
    /// How late data is taken up.
    pub late: LateSettings,
    /// How old rosters and injuries may be.
    pub staleness: StalenessBudget,
    /// How many sources of lines are configured.
    pub line_sources: usize,
    /// The time of the world.
    pub clock: Clock,
}

/// The doorbells of an instance, held by the supervisor.
#[derive(Debug)]
pub struct Bells {
    /// Batches that were just closed here. 64: when it is full the sweep finds them within a second.
    pub finalize: tokio::sync::mpsc::Receiver<BatchId>,
}

impl Context {
    /// Makes the context of this process.
    pub fn new(parts: ContextParts) -> (Arc<Self>, Bells) {
        let (finalize_bell, finalize) = tokio::sync::mpsc::channel(64);
        let context = Self {
            store: parts.store,
            warehouse: parts.warehouse,
            shelf: parts.shelf,
            contract: rules::contract(),
            lines: Arc::new(parts.lines),
            timing: parts.timing,
            defaults: parts.defaults,
            late: parts.late,
            staleness: parts.staleness,
            line_sources: parts.line_sources,
            clock: parts.clock,
            instance: InstanceId::from_random(rand::random()),
            start_gate: tokio::sync::Mutex::new(()),
            relay_bell: Notify::new(),
            ended_bell: Notify::new(),
            follower_bell: Notify::new(),
            finalize_bell,
            last_turn: AtomicI64::new(Timestamp::now().as_millisecond()),
            troubles: Mutex::default(),
        };
        (Arc::new(context), Bells { finalize })
    }

    /// Now, in the world. With [`Context::wall_clock`] the one place of an instance that reads a clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock that says so.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Now on this host in milliseconds: the clock of stores that have none of their own.
    pub fn wall_clock(&self) -> Millis {
        Timestamp::now().as_millisecond()
    }

    /// 128 fresh random bits.
    pub fn random(&self) -> u128 {
        rand::random()
    }

    /// A batch was closed here: finalize it now rather than at the next sweep. A lost ring costs a second.
    pub fn ring_finalizer(&self, batch_id: &BatchId) {
        let _ = self.finalize_bell.try_send(batch_id.clone());
    }

    /// An event waits in the outbox.
    pub fn ring_relay(&self) {
        self.relay_bell.notify_one();
    }

    /// A batch has ended by this instance's hand.
    pub(crate) fn ring_ended(&self) {
        self.ended_bell.notify_waiters();
    }

    /// Hears the next end of a batch by this instance's hand, from the moment it is enabled or awaited on.
    pub(crate) fn ended_rung(&self) -> Notified<'_> {
        self.ended_bell.notified()
    }

    /// A message about a slate waits.
    pub(crate) fn ring_follower(&self) {
        self.follower_bell.notify_one();
    }

    /// Waits for a message.
    pub(crate) async fn follower_rung(&self) {
        self.follower_bell.notified().await;
    }

    /// Waits for an event.
    pub(crate) async fn relay_rung(&self) {
        self.relay_bell.notified().await;
    }

    /// The supervisor's loop has turned.
    pub(crate) fn turned(&self) {
        self.last_turn.store(self.wall_clock(), Ordering::Relaxed);
    }

    /// Milliseconds since the supervisor's loop last turned.
    pub fn since_last_turn_ms(&self) -> Millis {
        self.wall_clock() - self.last_turn.load(Ordering::Relaxed)
    }

    /// What holds a finalizer up, for `/why`.
    pub(crate) fn note_trouble(&self, batch_id: &BatchId, trouble: &str) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.insert(batch_id.clone(), trouble.to_owned());
    }

    /// The finalizer is done.
    pub(crate) fn clear_trouble(&self, batch_id: &BatchId) {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).remove(batch_id);
    }

    /// What holds the finalizer of this batch up, if it runs here and is held up.
    pub fn trouble(&self, batch_id: &BatchId) -> Option<String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).get(batch_id).cloned()
    }
}
