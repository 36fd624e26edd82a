//! SQL and Lua are held to the model: 1,000 seeded sequences of random operations, the same answers at each step, the
//! same views now and then, the same rendered state at the end.

use std::fmt::Debug;

use proto::{BatchId, Code, EndState, LeaseId, TicketId, WorkerId};
use protocol::model::Model;
use protocol::ops::{Claim, Completion, DueKey, GiveBack, GiveBackHow, NewJob, OpenBatch};
use protocol::{CloseReason, Millis, PROTOCOL_VERSION, Timing, render};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use state::conformance::ExportModel;
use state::conformance::kit::{T0, batch, lease, other_slate, pin, ticket, token};
use state::{Paired, Withdrawn};

/// Operations of one sequence.
const OPS: std::ops::Range<usize> = 40..90;

/// One step, with everything drawn beforehand, so that it prints as what to do again.
#[derive(Debug, Clone)]
enum Op {
    Open(Box<OpenBatch>),
    Add(BatchId, u128, Vec<NewJob>),
    Seal(BatchId, u128, u64, u64),
    Withdraw(BatchId, u128),
    Claim(Claim),
    Renew(LeaseId),
    Complete(BatchId, LeaseId, Vec<Completion>),
    GiveBack(BatchId, LeaseId, Vec<GiveBack>),
    Close(BatchId, CloseReason, Option<f64>),
    Patch(BatchId, Option<Millis>, Option<f64>),
    TakeTicket(BatchId, TicketId),
    RenewTicket(BatchId, TicketId),
    ReturnTicket(BatchId, TicketId, Option<&'static str>, Millis),
    Drain(BatchId, TicketId, usize),
    End(BatchId, EndState),
    PutEvent(String),
    DropStaged(BatchId),
    Forget(BatchId),
    Sweep(Millis, Vec<(DueKey, Millis)>, usize),
    OutboxDue(usize),
    Delivered(String),
    Failed(String, Millis),
    Pair(&'static str),
    Look(BatchId),
}

/// Draws steps from a small world, so that they meet each other.
struct World {
    rng: StdRng,
    batches: Vec<BatchId>,
    now: Millis,
}

impl World {
    fn new(seed: u64) -> Self {
        let batches = vec![batch(0), batch(1), other_slate(1), other_slate(2)];
        Self { rng: StdRng::seed_from_u64(seed), batches, now: T0 }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn batch(&mut self) -> BatchId {
        // The first is met most often, so that sequences get somewhere.
        let n = if self.chance(60) { 0 } else { self.rng.random_range(0..self.batches.len()) };
        self.batches[n].clone()
    }

    fn opener(&mut self) -> u128 {
        if self.chance(90) { 1 } else { 2 }
    }

    fn lease(&mut self) -> LeaseId {
        lease(self.rng.random_range(1..12))
    }

    fn ticket(&mut self) -> TicketId {
        ticket(self.rng.random_range(1..4))
    }

    fn floor(&mut self) -> f64 {
        *[0.0, 0.1, 0.3, 0.5, 0.625, 0.95, 1.0].choose(&mut self.rng).unwrap()
    }

    fn open(&mut self) -> OpenBatch {
        let batch_id = self.batch();
        let timing = Timing {
            max_attempts: self.rng.random_range(1..4),
            ..Timing::from_lease(*[100, 1_000, 10_000].choose(&mut self.rng).unwrap())
        };
        OpenBatch {
            batch_id,
            token: token(self.opener()),
            timing,
            finish_by_ms: *[0, 500, 30_000, 600_000].choose(&mut self.rng).unwrap(),
            min_coverage: self.floor(),
            whole_slate: self.chance(50),
            contract_version: "v3".to_owned(),
            pins: if self.chance(30) { vec![pin("alpha"), pin("beta")] } else { vec![pin("alpha")] },
            request: format!("{{\"n\":{}}}", self.rng.random_range(0..9)),
        }
    }

    fn job(&mut self) -> NewJob {
        let n = self.rng.random_range(0..14_u32);
        let other = self.chance(3);
        let id = format!("player{n}@20260123_LAL_BOS").parse().unwrap();
        NewJob { id, payload: vec![1, n as u8, u8::from(other), 0, 255] }
    }

    fn some<T>(&mut self, most: usize, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let n = self.rng.random_range(0..=most);
        (0..n).map(|_| draw(self)).collect()
    }

    fn completion(&mut self) -> Completion {
        let seq = self.rng.random_range(0..12);
        let code =
            *[Code::Predicted, Code::Predicted, Code::NoLine, Code::Stale, Code::Model, Code::InjuredOut]
                .choose(&mut self.rng)
                .unwrap();
        let num_rows = if code == Code::Predicted { self.rng.random_range(1..4) } else { 0 };
        let digest = format!("d{seq}{}", if self.chance(5) { "'" } else { "" });
        let body = (0..self.rng.random_range(0..20)).map(|_| self.rng.random()).collect();
        Completion { seq, code, num_rows, body, digest }
    }

    fn give_back(&mut self) -> GiveBack {
        let delay_ms = *[0, 1, 250, 5_000].choose(&mut self.rng).unwrap();
        let how = match self.rng.random_range(0..4) {
            0 => GiveBackHow::Release,
            1 => GiveBackHow::Hang { delay_ms },
            _ => GiveBackHow::Retry {
                code: Code::Panic,
                error: "it \"broke\"\n{%s} \\ é".to_owned(),
                delay_ms,
            },
        };
        GiveBack { seq: self.rng.random_range(0..12), how }
    }

    /// A completion that mostly fits: the jobs of a live lease.
    fn fitting(&mut self, model: &Model) -> Option<(BatchId, LeaseId, Vec<u32>)> {
        let leases: Vec<_> = model.leases.iter().collect();
        let (lease, held) = leases.choose(&mut self.rng)?;
        Some((held.batch_id.clone(), **lease, held.held.iter().copied().collect()))
    }

    fn watched(&mut self, model: &Model) -> Vec<(DueKey, Millis)> {
        let due = model.due_index();
        let mut watched: Vec<_> = due.choose_multiple(&mut self.rng, 2).cloned().collect();
        if self.chance(30) {
            let skewed: Vec<_> = watched.iter().map(|(key, at)| (key.clone(), at + 1)).collect();
            watched.extend(skewed);
        }
        watched
    }

    fn event_id(&mut self) -> String {
        if self.chance(50) {
            format!("{}/end", self.batch())
        } else {
            format!("e{}", self.rng.random_range(0..3))
        }
    }

    fn reason(&mut self) -> CloseReason {
        *CloseReason::ALL.choose(&mut self.rng).unwrap()
    }

    fn finish(&mut self) -> Op {
        let batch = self.batch();
        match self.rng.random_range(0..11) {
            0 | 1 => Op::Close(batch, self.reason(), self.rng.random_bool(0.4).then(|| 0.25)),
            2 => Op::Patch(
                batch,
                self.rng.random_bool(0.5).then(|| 20_000),
                self.rng.random_bool(0.5).then(|| 0.75),
            ),
            3 | 4 => Op::TakeTicket(batch, self.ticket()),
            5 => Op::RenewTicket(batch, self.ticket()),
            6 => {
                let error = self.rng.random_bool(0.5).then_some("the warehouse said: «no»");
                Op::ReturnTicket(batch, self.ticket(), error, self.now + 1_500)
            }
            7 | 8 => Op::Drain(batch, self.ticket(), self.rng.random_range(0..6)),
            _ => Op::End(batch, *EndState::ALL.choose(&mut self.rng).unwrap()),
        }
    }

    fn clean(&mut self) -> Op {
        match self.rng.random_range(0..8) {
            0 => Op::PutEvent(self.event_id()),
            1 | 2 => Op::DropStaged(self.batch()),
            3 => Op::Forget(self.batch()),
            4 => Op::OutboxDue(self.rng.random_range(0..4)),
            5 => Op::Delivered(self.event_id()),
            6 => Op::Failed(self.event_id(), self.now + 100),
            _ => Op::Pair(if self.chance(70) { "w1" } else { "w2" }),
        }
    }

    fn work(&mut self, model: &Model) -> Op {
        let fitting = self.fitting(model);
        match (self.rng.random_range(0..10), fitting) {
            (0..3, Some((batch, lease, held))) => {
                let fit = self.chance(85);
                let mut items = self.some(6, Self::completion);
                for (item, seq) in items.iter_mut().zip(&held) {
                    if fit {
                        item.seq = *seq;
                        item.digest = format!("d{seq}");
                    }
                }
                Op::Complete(batch, lease, items)
            }
            (3..5, Some((batch, lease, held))) => {
                let mut items = self.some(4, Self::give_back);
                for (item, seq) in items.iter_mut().zip(&held) {
                    item.seq = *seq;
                }
                Op::GiveBack(batch, lease, items)
            }
            (5, Some((_, lease, _))) => Op::Renew(lease),
            (6, _) => Op::Complete(self.batch(), self.lease(), self.some(4, Self::completion)),
            (7, _) if self.chance(50) => {
                Op::GiveBack(self.batch(), self.lease(), self.some(3, Self::give_back))
            }
            (7, _) => Op::Renew(self.lease()),
            _ => {
                let serves: &[&str] = if self.chance(85) { &["alpha", "beta", "gamma"] } else { &["alpha"] };
                Op::Claim(Claim {
                    lease: self.lease(),
                    worker: WorkerId::from_random(self.rng.random_range(1..4)),
                    protocol_version: PROTOCOL_VERSION + u32::from(self.chance(3)),
                    serves: serves.iter().map(|system| pin(system)).collect(),
                    max_jobs: self.rng.random_range(0..6),
                })
            }
        }
    }

    fn step(&mut self, model: &Model, n: usize) -> Op {
        let jump = match self.rng.random_range(0..100) {
            0..60 => self.rng.random_range(0..50),
            60..85 => self.rng.random_range(50..2_000),
            85..96 => self.rng.random_range(2_000..20_000),
            96..99 => 40_000,
            _ => -700,
        };
        self.now += jump;
        // Beginnings open, middles work, ends finish; but anything may come at any time.
        let opening = if n < 8 { 70 } else { 8 };
        match self.rng.random_range(0..100) {
            roll if roll < opening => {
                let (batch, opener) = (self.batch(), self.opener());
                let total = model.batch(&batch).map_or(0, |view| view.total);
                match self.rng.random_range(0..10) {
                    0..3 => Op::Open(Box::new(self.open())),
                    3..7 => Op::Add(batch, opener, self.some(7, Self::job)),
                    7..9 => Op::Seal(batch, opener, self.rng.random_range(0..4), total),
                    _ if self.chance(40) => Op::Withdraw(batch, opener),
                    _ => Op::Seal(batch, opener, 1, 3),
                }
            }
            roll if roll < 72 => self.work(model),
            roll if roll < 80 => self.finish(),
            roll if roll < 90 => {
                let watched = if self.chance(40) { self.watched(model) } else { Vec::new() };
                let lease_ms = *[100, 10_000, 60_000].choose(&mut self.rng).unwrap();
                Op::Sweep(lease_ms, watched, self.rng.random_range(1..6))
            }
            roll if roll < 96 => self.clean(),
            _ => Op::Look(self.batch()),
        }
    }
}

/// Carries one step out on both and compares what they say.
async fn both(op: &Op, model: &mut Model, store: &dyn ExportModel, now: Millis) {
    fn same<T: PartialEq + Debug>(ours: T, theirs: T, op: &Op) {
        assert_eq!(theirs, ours, "the store (left) and the model (right) differ after {op:?}");
    }
    match op {
        Op::Open(request) => same(model.open(request, now), store.open(request, now).await.unwrap(), op),
        Op::Add(id, by, jobs) => {
            let answer = store.add_jobs(id, &token(*by), jobs, now).await.unwrap();
            same(model.add_jobs(id, &token(*by), jobs, now), answer, op);
        }
        Op::Seal(id, by, generation, n) => {
            let answer = store.seal(id, &token(*by), *generation, *n, now).await.unwrap();
            same(model.seal(id, &token(*by), *generation, *n, now), answer, op);
        }
        Op::Withdraw(id, by) => {
            let ours =
                model.withdraw(id, &token(*by)).map_or_else(Withdrawn::Refused, |()| Withdrawn::Withdrawn);
            same(ours, store.withdraw(id, &token(*by)).await.unwrap(), op);
        }
        Op::Claim(claim) => same(model.claim(claim, now), store.claim(claim, now).await.unwrap(), op),
        Op::Renew(lease) => same(model.renew(lease, now), store.renew(lease, now).await.unwrap(), op),
        Op::Complete(id, lease, items) => {
            let answer = store.complete(id, lease, items, now).await.unwrap();
            same(model.complete(id, lease, items, now), answer, op);
        }
        Op::GiveBack(id, lease, items) => {
            let answer = store.give_back(id, lease, items, now).await.unwrap();
            same(model.give_back(id, lease, items, now), answer, op);
        }
        Op::Close(id, reason, floor) => {
            let answer = store.close(id, *reason, *floor, now).await.unwrap();
            same(model.close(id, *reason, *floor, now), answer, op);
        }
        Op::Patch(id, finish_by, floor) => {
            let answer = store.patch(id, *finish_by, *floor, now).await.unwrap();
            same(model.patch(id, *finish_by, *floor, now), answer, op);
        }
        Op::TakeTicket(id, ticket) => {
            same(model.take_ticket(id, ticket, now), store.take_ticket(id, ticket, now).await.unwrap(), op);
        }
        Op::RenewTicket(id, ticket) => {
            same(model.renew_ticket(id, ticket, now), store.renew_ticket(id, ticket, now).await.unwrap(), op);
        }
        Op::ReturnTicket(id, ticket, error, retry_at) => {
            let answer = store.return_ticket(id, ticket, *error, *retry_at, now).await.unwrap();
            same(model.return_ticket(id, ticket, *error, *retry_at, now), answer, op);
        }
        Op::Drain(id, ticket, limit) => {
            let answer = store.drain(id, ticket, *limit, now).await.unwrap();
            same(model.drain(id, ticket, *limit, now), answer, op);
        }
        Op::End(id, end) => {
            let event = format!("{id}/end");
            let answer = store.end(id, *end, "{\"r\":\"é\"}", &event, "{}", now).await.unwrap();
            same(model.end(id, *end, "{\"r\":\"é\"}", &event, "{}", now), answer, op);
        }
        _ => both_aside(op, model, store, now).await,
    }
}

/// The steps that concern no single batch's life.
async fn both_aside(op: &Op, model: &mut Model, store: &dyn ExportModel, now: Millis) {
    fn same<T: PartialEq + Debug>(ours: T, theirs: T, op: &Op) {
        assert_eq!(theirs, ours, "the store (left) and the model (right) differ after {op:?}");
    }
    match op {
        Op::PutEvent(id) => {
            model.put_event(id, "{\"e\":1}", now);
            store.put_event(id, "{\"e\":1}", now).await.unwrap();
        }
        Op::DropStaged(id) => same(model.drop_staged(id), store.drop_staged(id).await.unwrap(), op),
        Op::Forget(id) => same(model.forget(id), store.forget(id).await.unwrap(), op),
        Op::Sweep(lease_ms, watched, limit) => {
            let answer = store.sweep(*lease_ms, watched, *limit, now).await.unwrap();
            same(model.sweep(*lease_ms, watched, *limit, now), answer, op);
        }
        Op::OutboxDue(limit) => {
            same(model.outbox_due(*limit, now), store.outbox_due(*limit, now).await.unwrap(), op);
        }
        Op::Delivered(id) => {
            same(model.outbox_delivered(id), store.outbox_delivered(id).await.unwrap(), op);
        }
        Op::Failed(id, retry_at) => {
            // Several at once, so that dead letters come up.
            for n in 0..4 {
                let error = format!("answer {n}");
                let answer = store.outbox_failed(id, &error, *retry_at).await.unwrap();
                same(model.outbox_failed(id, &error, *retry_at), answer, op);
            }
        }
        Op::Pair(id) => {
            let ours = model.pair(id);
            let ours = ours.map_or_else(|warehouse_id| Paired::Other { warehouse_id }, |()| Paired::Paired);
            same(ours, store.pair(id).await.unwrap(), op);
        }
        Op::Look(id) => {
            same(model.batch(id), store.batch(id).await.unwrap(), op);
            same(model.jobs(id, 1, 5), store.jobs(id, 1, 5).await.unwrap(), op);
            same(model.staged(id, 0, 500), store.staged(id, 0, 500).await.unwrap(), op);
            same(model.batches(true), store.batches(true).await.unwrap(), op);
            same(model.leases(), store.leases().await.unwrap(), op);
            same(model.due_index(), store.due_index().await.unwrap(), op);
            same(model.log(id), store.log(id).await.unwrap(), op);
            same(model.dead_letters(), store.dead_letters().await.unwrap(), op);
            same(model.open_batch_of(&id.slate()), store.open_batch_of(&id.slate()).await.unwrap(), op);
        }
        _ => unreachable!("carried out by `both`: {op:?}"),
    }
}

/// One sequence on an empty store. A failure names the seed and the steps that led to it.
async fn sequence(seed: u64, store: &dyn ExportModel) {
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
        both(&op, &mut model, store, world.now).await;
        std::mem::forget(told);
    }
    let told = Told { seed, done: &done };
    for id in world.batches.clone() {
        both(&Op::Look(id), &mut model, store, world.now).await;
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
    use state::SqliteStore;

    async fn sequences(seeds: std::ops::Range<u64>) {
        for seed in seeds {
            let dir = crate::folder();
            let store = SqliteStore::open(&dir.path().join("state.db")).await.unwrap();
            super::sequence(seed, &store).await;
        }
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
    use state::{Clock, OpenOptions, RedisStore, StateUrl};

    /// One server for all; each sequence has keys of its own.
    async fn sequences(seeds: std::ops::Range<u64>) {
        let Some(server) = crate::redis_server() else { return };
        let StateUrl::Redis(address) = server.url().parse().unwrap() else { panic!("a Redis URL") };
        for seed in seeds {
            let prefix = format!("seed{seed}");
            let options = OpenOptions { clock: Clock::Passed, prefix, ..OpenOptions::default() };
            let store = RedisStore::open(&address, options).await.unwrap();
            super::sequence(seed, &store).await;
        }
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
