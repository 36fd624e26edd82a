//! A finalizer that read everything and then slept: when it wakes, the slate has moved on, and nothing changes.

use coordinator::config::PoolSize;
use coordinator::engine::Instance;
use proto::api::ResetRequest;
use proto::{BatchId, EndState, RunMode, TicketId, codec};
use protocol::ops::{EndAnswer, Ticket};
use protocol::{CloseReason, Closing, Timing};
use warehouse::{JobOutcome, PublicationHead, PublishRequest};

use super::operators::complete_some;
use crate::world::{World, count, ended, small, start};

/// Everything a finalizer holds in its hands just before the verdict.
struct Zombie {
    batch_id: BatchId,
    request: PublishRequest,
}

/// Closes a batch, takes its ticket and reads it, all before the instance's own finalizer gets there.
async fn fall_asleep(instance: &Instance, batch_id: &BatchId) -> Zombie {
    let (store, now) = (&instance.context.store, instance.context.wall_clock());
    let ticket = TicketId::from_random(99);
    store.close(batch_id, CloseReason::Operator, Some(0.0), now).await.unwrap();
    let Ticket::Granted(grant) = store.take_ticket(batch_id, &ticket, now).await.unwrap() else {
        panic!("no ticket")
    };
    store.drain(batch_id, &ticket, 500, now).await.unwrap();
    let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
    for staged in store.staged(batch_id, 0, 10_000).await.unwrap() {
        let job = codec::decode_job(&staged.payload).unwrap();
        let outcome = match staged.done.body.is_empty() {
            true => proto::Outcome::without_rows(staged.done.code, "drained", job.rows_owed()),
            false => codec::decode_outcome(&staged.done.body).unwrap(),
        };
        outcomes.push(JobOutcome {
            job: staged.id,
            name: job.name,
            kind: outcome.kind(),
            code: outcome.code,
            sentence: outcome.sentence,
            codes: outcome.codes,
            attempts: staged.done.attempts,
            rows_owed: outcome.rows_owed,
            inputs_sha256: job.inputs_sha256,
        });
        rows.extend(outcome.rows);
    }
    assert!(!rows.is_empty());
    let pins = store.batch(batch_id).await.unwrap().unwrap().pins;
    let head = PublicationHead {
        batch_id: batch_id.clone(),
        slate: batch_id.slate(),
        wanted: pins.into_iter().map(|pin| (pin.market, pin.system_id)).collect(),
    };
    let closing: Closing = grant.closing;
    let now = instance.context.now();
    Zombie {
        batch_id: batch_id.clone(),
        request: PublishRequest {
            head,
            run_mode: RunMode::Backfill,
            closing,
            rows,
            outcomes,
            health: None,
            now,
        },
    }
}

impl Zombie {
    /// Wakes and carries on as if nothing had happened.
    async fn wake(&self, instance: &Instance) -> EndState {
        let published = instance.context.warehouse.publish(&self.request).await.unwrap();
        assert!(!published.first, "a verdict stood before it woke");
        published.verdict.state
    }
}

async fn active_batches(instance: &Instance, batch_id: &BatchId) -> (i64, i64) {
    let own = format!("select count(*) from predictions where is_active and batch_id = '{batch_id}'");
    (count(instance, &own).await, count(instance, "select count(*) from predictions where is_active").await)
}

#[test]
fn a_finalizer_that_wakes_after_a_reset_and_a_newer_publication_changes_nothing() {
    let world = World::new(&small());
    let config = world.config(|c| {
        c.workers = PoolSize::Fixed(0);
        c.timing = Timing { sweep_ms: 50, ..Timing::from_lease(200) };
    });
    world.with_instance(&config, async |instance| {
        let first = start(instance, world.request()).await;
        let batch_id = first.batch_id.unwrap();
        complete_some(instance, first.total_jobs as usize - 1).await;
        let zombie = fall_asleep(instance, &batch_id).await;

        let reset = ResetRequest { batch_id: Some(batch_id.clone()), ..ResetRequest::default() };
        let answer = instance.service.reset(reset).await.unwrap();
        assert_eq!(answer.state, "reset", "another finalizer took over when the ticket ran out");
        assert_eq!(zombie.wake(instance).await, EndState::Reset);
        assert_eq!(active_batches(instance, &batch_id).await, (0, 0));

        let second = start(instance, world.request()).await;
        let newer = second.batch_id.unwrap();
        complete_some(instance, second.total_jobs as usize).await;
        assert_eq!(ended(instance, &newer).await.state, "complete");
        assert_eq!(zombie.wake(instance).await, EndState::Reset);
        let (own, all) = active_batches(instance, &newer).await;
        assert_eq!(own, all, "the slate is the newer one's, whole");
        let late = &instance.context.store;
        let end = late.end(&zombie.batch_id, EndState::Complete, "{}", "x/end", "{}", 0).await.unwrap();
        assert_eq!(end, EndAnswer::Conflict(EndState::Reset), "the copy cannot be changed either");
    });
}

#[test]
fn a_finalizer_that_wakes_after_the_state_store_was_lost_changes_nothing() {
    let world = World::new(&small());
    let config = world.config(|c| c.workers = PoolSize::Fixed(0));
    // The store is lost with its instance: the memory store of the next one is empty.
    let zombie = world.with_instance(&config, async |instance| {
        let started = start(instance, world.request()).await;
        complete_some(instance, started.total_jobs as usize - 1).await;
        fall_asleep(instance, &started.batch_id.unwrap()).await
    });
    world.with_instance(&config, async |instance| {
        let status = ended(instance, &zombie.batch_id).await;
        assert_eq!(
            (status.state.as_str(), status.state_reason.unwrap().code.as_str()),
            ("failed", "state_lost")
        );
        assert_eq!(zombie.wake(instance).await, EndState::Failed);
        assert_eq!(active_batches(instance, &zombie.batch_id).await, (0, 0));
    });
}
