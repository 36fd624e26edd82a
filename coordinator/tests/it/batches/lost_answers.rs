//! A start whose store carries a seal out and cannot say so: the batch runs, is kept, and whoever asks is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use coordinator::clock::Clock;
use coordinator::engine::{BatchDefaults, Context, ContextParts, Instance, LateSettings, run};
use coordinator::service::{Service, ServiceError, StartOutcome};
use models::Registry;
use proto::{BatchId, EndState, LeaseId, OpenerToken, Slate, TicketId};
use protocol::ops::*;
use protocol::{BatchState, CloseReason, Millis};
use state::{BatchStore, OpenOptions, Paired, Result, StoreError, Withdrawn};
use warehouse::Warehouse;
use workers::ModelShelf;

use crate::world::{World, ended, small};

/// What happens to a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is not carried out, and nobody can tell from here.
    Unreachable,
}

use Mishap::{AnswerLost, Unreachable};

/// A store that strikes its next seals as written down; everything else passes.
#[derive(Debug)]
struct LossyStore {
    inner: Arc<dyn BatchStore>,
    seals: Mutex<VecDeque<Mishap>>,
}

macro_rules! passed {
    ($( $name:ident ( $($params:tt)* ) ( $($args:tt)* ) -> $answer:ty; )*) => {
        #[async_trait]
        impl BatchStore for LossyStore {
            fn describe(&self) -> String {
                "lossy:".to_owned()
            }
            fn notes(&self) -> Vec<String> {
                Vec::new()
            }
            async fn seal(
                &self, batch: &BatchId, token: &OpenerToken, generation: u64, num_jobs: u64, now: Millis,
            ) -> Result<Sealed> {
                let next = self.seals.lock().unwrap().pop_front();
                let lost = || StoreError::Unreachable {
                    store: "lossy:".to_owned(), cause: "a test".to_owned(), maybe_applied: true,
                };
                if next == Some(Unreachable) {
                    return Err(lost());
                }
                let answer = self.inner.seal(batch, token, generation, num_jobs, now).await;
                if next == Some(AnswerLost) { Err(lost()) } else { answer }
            }
            $( async fn $name(&self, $($params)*) -> Result<$answer> {
                self.inner.$name($($args)*).await
            } )*
        }
    };
}

passed! {
    claim(claim: &Claim, now: Millis) (claim, now) -> Claimed;
    renew(lease: &LeaseId, now: Millis) (lease, now) -> Renewed;
    complete(batch: &BatchId, lease: &LeaseId, items: &[Completion], now: Millis) (batch, lease, items, now) -> Completed;
    give_back(batch: &BatchId, lease: &LeaseId, items: &[GiveBack], now: Millis) (batch, lease, items, now) -> GivenBack;
    now() () -> Millis;
    open(request: &OpenBatch, now: Millis) (request, now) -> Opened;
    add_jobs(batch: &BatchId, token: &OpenerToken, jobs: &[NewJob], now: Millis) (batch, token, jobs, now) -> Added;
    withdraw(batch: &BatchId, token: &OpenerToken) (batch, token) -> Withdrawn;
    close(batch: &BatchId, reason: CloseReason, floor: Option<f64>, now: Millis) (batch, reason, floor, now) -> Closed;
    patch(batch: &BatchId, finish_by: Option<Millis>, floor: Option<f64>, now: Millis) (batch, finish_by, floor, now) -> Patched;
    take_ticket(batch: &BatchId, ticket: &TicketId, now: Millis) (batch, ticket, now) -> Ticket;
    renew_ticket(batch: &BatchId, ticket: &TicketId, now: Millis) (batch, ticket, now) -> Renewed;
    return_ticket(batch: &BatchId, ticket: &TicketId, error: Option<&str>, retry_at: Millis, now: Millis) (batch, ticket, error, retry_at, now) -> bool;
    drain(batch: &BatchId, ticket: &TicketId, limit: usize, now: Millis) (batch, ticket, limit, now) -> Drained;
    end(batch: &BatchId, end: EndState, receipt: &str, event_id: &str, event: &str, now: Millis) (batch, end, receipt, event_id, event, now) -> EndAnswer;
    put_event(id: &str, payload: &str, now: Millis) (id, payload, now) -> ();
    drop_staged(batch: &BatchId) (batch) -> bool;
    forget(batch: &BatchId) (batch) -> bool;
    sweep(lease_ms: Millis, watched: &[(DueKey, Millis)], limit: usize, now: Millis) (lease_ms, watched, limit, now) -> Swept;
    outbox_due(limit: usize, now: Millis) (limit, now) -> Vec<OutboxEvent>;
    outbox_delivered(id: &str) (id) -> bool;
    outbox_failed(id: &str, error: &str, retry_at: Millis) (id, error, retry_at) -> bool;
    dead_letters() () -> Vec<(OutboxEvent, String)>;
    batch(batch: &BatchId) (batch) -> Option<BatchView>;
    batches(open_only: bool) (open_only) -> Vec<BatchView>;
    open_batch_of(slate: &Slate) (slate) -> Option<BatchId>;
    jobs(batch: &BatchId, from: u32, limit: usize) (batch, from, limit) -> Vec<JobView>;
    staged(batch: &BatchId, from: u32, limit: usize) (batch, from, limit) -> Vec<StagedJob>;
    log(batch: &BatchId) (batch) -> Vec<LogEntry>;
    leases() () -> Vec<LeaseView>;
    due_index() () -> Vec<(DueKey, Millis)>;
    pair(warehouse: &str) (warehouse) -> Paired;
    identity() () -> StoreIdentity;
}

/// A world whose state is a file, so that another process can go on where this one stopped.
fn world() -> (World, coordinator::config::Config) {
    let world = World::new(&small());
    let url = format!("sqlite:{}", world.dir.path().join("state.db").display());
    let config = world.config(|config| config.state = url.parse().unwrap());
    (world, config)
}

/// A service without workers and sweep over the store of `config`, whose seals go as written down.
async fn service(config: &coordinator::config::Config, seals: &[Mishap]) -> (Service, Arc<Context>) {
    let warehouse = Warehouse::open(&config.warehouse, rules::contract()).await.unwrap();
    let inner = state::open(&config.state, OpenOptions::default()).await.unwrap();
    inner.pair(warehouse.id()).await.unwrap();
    let parts = ContextParts {
        store: Arc::new(LossyStore { inner, seals: Mutex::new(seals.iter().copied().collect()) }),
        warehouse,
        shelf: Arc::new(ModelShelf::new(Registry::zoo(), rules::contract())),
        lines: config.lines.clone(),
        timing: config.timing,
        defaults: BatchDefaults { finish_by_ms: 600_000, min_coverage: 0.5, min_minutes: config.min_minutes },
        late: LateSettings { watch_every: None, event_limit: config.event_limit },
        staleness: config.staleness,
        line_sources: config.feeds.line_sources(),
        clock: Clock::Host,
    };
    let (context, _bells) = Context::new(parts);
    (Service::new(Arc::clone(&context), None), context)
}

/// The batch that holds the slate, by the state store.
async fn only_batch(context: &Context) -> BatchView {
    let mut open = context.store.batches(true).await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    open.remove(0)
}

#[test]
fn a_seal_whose_answer_is_lost_once_is_asked_again() {
    for seal in [AnswerLost, Unreachable] {
        let (world, config) = world();
        run(async {
            let (service, context) = service(&config, &[seal]).await;
            let answer = service.start(world.request(), "test").await.unwrap();
            let StartOutcome::Started(started) = answer else { panic!("{answer:?}") };
            let view = only_batch(&context).await;
            assert_eq!((Some(view.batch_id), view.state), (started.batch_id, BatchState::Running));
            assert_eq!(view.total, started.total_jobs, "no job is there twice");
        })
        .unwrap();
    }
}

#[test]
fn a_seal_whose_answer_is_lost_for_good_leaves_a_running_batch() {
    for second in [AnswerLost, Unreachable] {
        let (world, config) = world();
        run(async {
            let batch_id = {
                let (service, context) = service(&config, &[AnswerLost, second]).await;
                let error = service.start(world.request(), "test").await.unwrap_err();
                assert!(matches!(error, ServiceError::Unavailable { .. }), "{error:?}");
                let view = only_batch(&context).await;
                assert_eq!(view.state, BatchState::Running, "what was sealed is not withdrawn");
                // Whoever starts again is shown it; nothing is run twice.
                let again = service.start(world.request(), "test").await.unwrap_err();
                let ServiceError::Conflict { kind, batch, .. } = again else { panic!("{again:?}") };
                assert_eq!((kind, batch.unwrap().batch_id), ("already-running", view.batch_id.clone()));
                view.batch_id
            };
            // The next process finds it with every job, and ends it.
            let instance = Instance::start(&config).await.unwrap();
            let status = ended(&instance, &batch_id).await;
            assert_eq!((status.state.as_str(), status.generation), ("complete", 1), "{status:#?}");
            assert!(status.progress.predicted >= world.report.quoted.len() as u64 / 2, "{status:#?}");
            instance.stop(std::time::Duration::from_secs(1)).await;
        })
        .unwrap();
    }
}

#[test]
fn a_seal_that_never_happened_is_withdrawn_and_the_slate_is_free() {
    let (world, config) = world();
    run(async {
        let (service, context) = service(&config, &[Unreachable, Unreachable]).await;
        let error = service.start(world.request(), "test").await.unwrap_err();
        assert!(matches!(error, ServiceError::Unavailable { .. }), "{error:?}");
        assert_eq!(context.store.batches(true).await.unwrap(), [], "the claim is gone");
        let next = service.start(world.request(), "test").await.unwrap();
        let StartOutcome::Started(started) = next else { panic!("{next:?}") };
        assert_eq!(started.generation, Some(2), "the number of the first stays used");
    })
    .unwrap();
}
