//! SQL and Lua are held to the model: 1,000 seeded sequences of random operations, the same answers at each step, the
//! same views now and then, the same rendered state at the end.

mod world;

use std::collections::BTreeSet;
use std::fmt::Debug;

use protocol::model::Model;
use protocol::{CloseReason, Millis, render};
use rand::Rng;
use state::conformance::ExportModel;
use state::conformance::kit::token;
use state::{Paired, Withdrawn};

use self::world::{Op, World};

/// Operations of one sequence.
const OPS: std::ops::Range<usize> = 40..90;

/// Compares two answers and notes which kind they were.
struct Compared<'a> {
    op: &'a Op,
    reached: &'a mut BTreeSet<String>,
}

impl Compared<'_> {
    fn equal<T: PartialEq + Debug>(&self, ours: T, theirs: T) {
        assert_eq!(theirs, ours, "the store (left) and the model (right) differ after {:?}", self.op);
    }

    fn same<T: PartialEq + Debug>(&mut self, ours: T, theirs: T) {
        self.equal(&ours, &theirs);
        let answer = format!("{ours:?}");
        for word in answer.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if word.starts_with(|c: char| c.is_alphabetic()) {
                self.reach(word);
            }
        }
    }

    /// `Op word`, e.g. `Complete Conflict`.
    fn reach(&mut self, word: &str) {
        let op = format!("{:?}", self.op);
        let op: String = op.chars().take_while(|c| c.is_alphanumeric()).collect();
        self.reached.insert(format!("{op} {word}"));
    }
}

/// What 500 sequences must have met, or they prove less than they seem to.
const MUST_REACH: &str = "\
    Open Opened, Open SlateTaken, Open IdKnown, Add Added, Add Duplicate, Add Unknown, Add WrongToken, \
    Add NotFilling, Seal Sealed, Seal Missing, Seal Unknown, Seal WrongToken, Withdraw Withdrawn, \
    Withdraw NotFilling, Withdraw WrongToken, Claim Chunk, Claim Nothing, Claim Some, Claim true, Renew Until, \
    Renew Gone, Complete Accepted, Complete Repeated, Complete Conflict, Complete Closed, Complete Stale, \
    Complete true, GiveBack Queued, GiveBack Ended, GiveBack Stale, GiveBack Closed, GiveBack true, \
    Close Finalizing, Close Ended, Close Refused, Close BelowCoverage, Close Unknown, Close Discard, \
    Patch Patched, Patch Frozen, Patch Unknown, TakeTicket Granted, TakeTicket Busy, TakeTicket NotFinalizing, \
    TakeTicket Unknown, RenewTicket Until, RenewTicket Gone, ReturnTicket true, ReturnTicket false, Drain Drained, \
    Drain LostTicket, End Ended, End AlreadyEnded, End Conflict, End Unknown, DropStaged true, \
    DropStaged false, Forget true, Forget false, Sweep requeued, Sweep ended, Sweep AllDone, Sweep FinishBy, \
    Sweep NeverSealed, Sweep need_finalizer, Sweep grace, Sweep more, OutboxDue OutboxEvent, Delivered true, \
    Delivered false, Failed true, Failed false, Pair Paired, Pair Other";

fn all_reached(reached: &BTreeSet<String>) {
    let missed: Vec<_> = MUST_REACH.split(", ").filter(|label| !reached.contains(*label)).collect();
    assert!(missed.is_empty(), "no sequence met {missed:?}");
}

/// Carries one step out on both and compares what they say.
async fn both(
    op: &Op,
    model: &mut Model,
    store: &dyn ExportModel,
    now: Millis,
    reached: &mut BTreeSet<String>,
) {
    let mut said = Compared { op, reached };
    match op {
        Op::Open(request) => said.same(model.open(request, now), store.open(request, now).await.unwrap()),
        Op::Add(id, by, jobs) => {
            let answer = store.add_jobs(id, &token(*by), jobs, now).await.unwrap();
            said.same(model.add_jobs(id, &token(*by), jobs, now), answer);
        }
        Op::Seal(id, by, generation, n) => {
            let answer = store.seal(id, &token(*by), *generation, *n, now).await.unwrap();
            said.same(model.seal(id, &token(*by), *generation, *n, now), answer);
        }
        Op::Withdraw(id, by) => {
            let ours =
                model.withdraw(id, &token(*by)).map_or_else(Withdrawn::Refused, |()| Withdrawn::Withdrawn);
            said.same(ours, store.withdraw(id, &token(*by)).await.unwrap());
        }
        Op::Claim(claim) => said.same(model.claim(claim, now), store.claim(claim, now).await.unwrap()),
        Op::Renew(lease) => said.same(model.renew(lease, now), store.renew(lease, now).await.unwrap()),
        Op::Complete(id, lease, items) => {
            let answer = store.complete(id, lease, items, now).await.unwrap();
            said.same(model.complete(id, lease, items, now), answer);
        }
        Op::GiveBack(id, lease, items) => {
            let answer = store.give_back(id, lease, items, now).await.unwrap();
            said.same(model.give_back(id, lease, items, now), answer);
        }
        Op::Close(id, reason, floor) => {
            let answer = store.close(id, *reason, *floor, now).await.unwrap();
            said.same(model.close(id, *reason, *floor, now), answer);
        }
        Op::Patch(id, finish_by, floor) => {
            let answer = store.patch(id, *finish_by, *floor, now).await.unwrap();
            said.same(model.patch(id, *finish_by, *floor, now), answer);
        }
        Op::TakeTicket(id, ticket) => {
            said.same(model.take_ticket(id, ticket, now), store.take_ticket(id, ticket, now).await.unwrap());
        }
        Op::RenewTicket(id, ticket) => {
            said.same(
                model.renew_ticket(id, ticket, now),
                store.renew_ticket(id, ticket, now).await.unwrap(),
            );
        }
        Op::ReturnTicket(id, ticket, error, retry_at) => {
            let answer = store.return_ticket(id, ticket, *error, *retry_at, now).await.unwrap();
            said.same(model.return_ticket(id, ticket, *error, *retry_at, now), answer);
        }
        Op::Drain(id, ticket, limit) => {
            let answer = store.drain(id, ticket, *limit, now).await.unwrap();
            said.same(model.drain(id, ticket, *limit, now), answer);
        }
        Op::End(id, end) => {
            let event = format!("{id}/end");
            let answer = store.end(id, *end, "{\"r\":\"é\"}", &event, "{}", now).await.unwrap();
            said.same(model.end(id, *end, "{\"r\":\"é\"}", &event, "{}", now), answer);
        }
        _ => both_aside(&mut said, model, store, now).await,
    }
}

/// The steps that concern no single batch's life.
async fn both_aside(said: &mut Compared<'_>, model: &mut Model, store: &dyn ExportModel, now: Millis) {
    match said.op {
        Op::PutEvent(id) => {
            model.put_event(id, "{\"e\":1}", now);
            store.put_event(id, "{\"e\":1}", now).await.unwrap();
        }
        Op::DropStaged(id) => said.same(model.drop_staged(id), store.drop_staged(id).await.unwrap()),
        Op::Forget(id) => said.same(model.forget(id), store.forget(id).await.unwrap()),
        Op::Sweep(lease_ms, watched, limit) => {
            let answer = store.sweep(*lease_ms, watched, *limit, now).await.unwrap();
            let ours = model.sweep(*lease_ms, watched, *limit, now);
            let closed = |reason| answer.closed.iter().any(|(_, why)| *why == reason);
            let met = [
                ("requeued", answer.requeued > 0),
                ("ended", answer.ended > 0),
                ("AllDone", closed(CloseReason::AllDone)),
                ("FinishBy", closed(CloseReason::FinishBy)),
                ("NeverSealed", closed(CloseReason::NeverSealed)),
                ("need_finalizer", !answer.need_finalizer.is_empty()),
                ("grace", answer.grace),
                ("more", answer.more),
            ];
            said.equal(ours, answer);
            met.iter().filter(|(_, met)| *met).for_each(|(word, _)| said.reach(word));
        }
        Op::OutboxDue(limit) => {
            said.same(model.outbox_due(*limit, now), store.outbox_due(*limit, now).await.unwrap());
        }
        Op::Delivered(id) => {
            said.same(model.outbox_delivered(id), store.outbox_delivered(id).await.unwrap());
        }
        Op::Failed(id, retry_at) => {
            // Several at once, so that dead letters come up.
            for n in 0..6 {
                let error = format!("answer {n}");
                let answer = store.outbox_failed(id, &error, *retry_at).await.unwrap();
                said.same(model.outbox_failed(id, &error, *retry_at), answer);
            }
        }
        Op::Pair(id) => {
            let ours = model.pair(id);
            let ours = ours.map_or_else(|warehouse_id| Paired::Other { warehouse_id }, |()| Paired::Paired);
            said.same(ours, store.pair(id).await.unwrap());
        }
        Op::Look(id) => {
            said.equal(model.batch(id), store.batch(id).await.unwrap());
            said.equal(model.jobs(id, 1, 5), store.jobs(id, 1, 5).await.unwrap());
            said.equal(model.staged(id, 0, 500), store.staged(id, 0, 500).await.unwrap());
            said.equal(model.batches(true), store.batches(true).await.unwrap());
            said.equal(model.leases(), store.leases().await.unwrap());
            said.equal(model.due_index(), store.due_index().await.unwrap());
            said.equal(model.log(id), store.log(id).await.unwrap());
            said.equal(model.dead_letters(), store.dead_letters().await.unwrap());
            said.equal(model.open_batch_of(&id.slate()), store.open_batch_of(&id.slate()).await.unwrap());
        }
        other => unreachable!("carried out by `both`: {other:?}"),
    }
}

/// One sequence on an empty store. A failure names the seed and the steps that led to it.
async fn sequence(seed: u64, store: &dyn ExportModel, reached: &mut BTreeSet<String>) {
    let (mut world, mut model) = (World::new(seed), Model::new("model"));
    let length = world.rng.random_range(OPS);
    let mut done: Vec<Op> = Vec::with_capacity(length);
    for n in 0..length {
        // A lost answer: the same call again, later.
        let op = match done.last() {
            Some(last) if world.rng.random_bool(0.12) => last.clone(),
            _ => world.step(&model, n),
        };
        done.push(op.clone());
        let told = Told { seed, done: &done };
        both(&op, &mut model, store, world.now, reached).await;
        std::mem::forget(told);
    }
    let told = Told { seed, done: &done };
    for id in world.batches.clone() {
        both(&Op::Look(id), &mut model, store, world.now, reached).await;
    }
    let exported = store.export_model().await.unwrap();
    assert_eq!(render::render(&exported), render::render(&model), "the store (left), the model (right)");
    std::mem::forget(told);
}

/// Tells the seed and the steps when a comparison panics.
struct Told<'a> {
    seed: u64,
    done: &'a [Op],
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let steps: Vec<_> = self.done.iter().enumerate().map(|(n, op)| format!("{n:3} {op:?}")).collect();
        eprintln!("seed {} after these steps:\n{}", self.seed, steps.join("\n"));
    }
}

mod sqlite {
    use std::collections::BTreeSet;

    use state::SqliteStore;

    async fn sequences(seeds: std::ops::Range<u64>) {
        let mut reached = BTreeSet::new();
        for seed in seeds {
            let dir = crate::folder();
            let store = SqliteStore::open(&dir.path().join("state.db")).await.unwrap();
            super::sequence(seed, &store, &mut reached).await;
        }
        super::all_reached(&reached);
    }

    #[tokio::test]
    async fn seeds_0_to_500() {
        sequences(0..500).await;
    }

    #[tokio::test]
    async fn seeds_500_to_1000() {
        sequences(500..1_000).await;
    }
}

mod redis {
    use std::collections::BTreeSet;

    use state::{Clock, OpenOptions, RedisStore, StateUrl};

    /// One server for all; each sequence has keys of its own.
    async fn sequences(seeds: std::ops::Range<u64>) {
        let Some(server) = crate::redis_server() else { return };
        let StateUrl::Redis(address) = server.url().parse().unwrap() else { panic!("a Redis URL") };
        let mut reached = BTreeSet::new();
        for seed in seeds {
            let prefix = format!("seed{seed}");
            let options = OpenOptions { clock: Clock::Passed, prefix, ..OpenOptions::default() };
            let store = RedisStore::open(&address, options).await.unwrap();
            super::sequence(seed, &store, &mut reached).await;
        }
        super::all_reached(&reached);
    }

    #[tokio::test]
    async fn seeds_0_to_500() {
        sequences(0..500).await;
    }

    #[tokio::test]
    async fn seeds_500_to_1000() {
        sequences(500..1_000).await;
    }
}
