//! Random steps in a small world, so that they meet each other.

use proto::{BatchId, Code, EndState, LeaseId, TicketId, WorkerId};
use protocol::model::{Model, Place};
use protocol::ops::{Claim, Completion, DueKey, GiveBack, GiveBackHow, NewJob, OpenBatch};
use protocol::{BatchState, CloseReason, Millis, PROTOCOL_VERSION, Timing};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use state::conformance::kit::{T0, batch, lease, other_slate, pin, ticket, token};

/// One step, with everything drawn beforehand, so that it prints as what to do again.
#[derive(Debug, Clone)]
pub(super) enum Op {
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
pub(super) struct World {
    pub(super) rng: StdRng,
    pub(super) batches: Vec<BatchId>,
    pub(super) now: Millis,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
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
            finish_by_ms: *[0, 500, 60_000, 600_000, 600_000].choose(&mut self.rng).unwrap(),
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

    /// Mostly one that is in the outbox.
    fn event_id(&mut self, model: &Model) -> String {
        let known: Vec<_> = model.outbox.keys().collect();
        match known.choose(&mut self.rng) {
            Some(id) if self.chance(80) => (*id).clone(),
            _ if self.chance(50) => format!("{}/end", self.batch()),
            _ => format!("e{}", self.rng.random_range(0..3)),
        }
    }

    /// Mostly one that has ended.
    fn ended(&mut self, model: &Model) -> BatchId {
        let ended: Vec<_> = model.batches.values().filter(|batch| !batch.state.is_open()).collect();
        match ended.choose(&mut self.rng) {
            Some(batch) if self.chance(80) => batch.batch_id.clone(),
            _ => self.batch(),
        }
    }

    /// A late repeat of a completed job, with its first result or another one.
    fn again(&mut self, model: &Model) -> Option<Op> {
        let jobs = model.batches.values().flat_map(|batch| {
            let numbered = (0..).zip(&batch.jobs);
            numbered.filter_map(|(seq, job)| match &job.place {
                Place::Done(done) => {
                    done.lease.map(|lease| (batch.batch_id.clone(), lease, seq, done.digest.clone()))
                }
                _ => None,
            })
        });
        let jobs: Vec<_> = jobs.collect();
        let (batch, lease, seq, digest) = jobs.choose(&mut self.rng)?.clone();
        let digest = if self.chance(50) { digest } else { "other".to_owned() };
        Some(Op::Complete(batch, lease, vec![Completion { seq, digest, ..self.completion() }]))
    }

    fn reason(&mut self) -> CloseReason {
        *CloseReason::ALL.choose(&mut self.rng).unwrap()
    }

    /// Mostly one that stands there, if one does.
    fn standing(&mut self, model: &Model, state: BatchState) -> BatchId {
        let there: Vec<_> = model.batches.values().filter(|batch| batch.state == state).collect();
        match there.choose(&mut self.rng) {
            Some(batch) if self.chance(85) => batch.batch_id.clone(),
            _ => self.batch(),
        }
    }

    /// Mostly the batch's own.
    fn ticket_of(&mut self, model: &Model, batch: &BatchId) -> TicketId {
        let held = model.batches.get(batch).and_then(|batch| batch.ticket);
        match held {
            Some((ticket, _)) if self.chance(75) => ticket,
            _ => self.ticket(),
        }
    }

    fn finish(&mut self, model: &Model) -> Op {
        let running = self.standing(model, BatchState::Running);
        let closed = self.standing(model, BatchState::Finalizing);
        let ticket = self.ticket_of(model, &closed);
        match self.rng.random_range(0..13) {
            0 => Op::Close(self.batch(), self.reason(), self.rng.random_bool(0.4).then_some(0.25)),
            1 => Op::Close(running, CloseReason::Operator, self.rng.random_bool(0.5).then_some(0.9)),
            2 => Op::Patch(
                running,
                self.rng.random_bool(0.5).then_some(40_000),
                self.rng.random_bool(0.5).then_some(0.75),
            ),
            3 | 4 => Op::TakeTicket(closed, self.ticket()),
            5 => Op::RenewTicket(closed, ticket),
            6 => {
                let error = self.rng.random_bool(0.5).then_some("the warehouse said: «no»");
                Op::ReturnTicket(closed, ticket, error, self.now + 1_500)
            }
            7..11 => Op::Drain(closed, ticket, self.rng.random_range(0..6)),
            11 => Op::End(closed, *EndState::ALL.choose(&mut self.rng).unwrap()),
            _ => Op::End(self.batch(), *EndState::ALL.choose(&mut self.rng).unwrap()),
        }
    }

    /// What most sequences begin with: one batch that runs.
    fn begin(&mut self, model: &Model, n: usize) -> Op {
        let id = self.batches[0].clone();
        match n {
            0 => Op::Open(Box::new(OpenBatch { batch_id: id, token: token(1), ..self.open() })),
            1 | 2 => Op::Add(id, 1, (0..3).map(|_| self.job()).collect()),
            _ => {
                let total = model.batch(&id).map_or(0, |view| view.total);
                Op::Seal(id, 1, 1, total)
            }
        }
    }

    fn clean(&mut self, model: &Model) -> Op {
        match self.rng.random_range(0..9) {
            0 => Op::PutEvent(self.event_id(model)),
            1 => Op::DropStaged(self.ended(model)),
            2 | 3 => Op::Forget(self.ended(model)),
            4 => Op::OutboxDue(self.rng.random_range(0..4)),
            5 => Op::Delivered(self.event_id(model)),
            6 | 7 => Op::Failed(self.event_id(model), self.now + 100),
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
            (6, _) if self.chance(50) => self.again(model).unwrap_or(Op::Renew(lease(1))),
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
                    max_jobs: *[0, 1, 1, 2, 3, 5].choose(&mut self.rng).unwrap(),
                })
            }
        }
    }

    pub(super) fn step(&mut self, model: &Model, n: usize) -> Op {
        let jump = match self.rng.random_range(0..100) {
            0..60 => self.rng.random_range(0..50),
            60..85 => self.rng.random_range(50..2_000),
            85..96 => self.rng.random_range(2_000..20_000),
            96..99 => 40_000,
            _ => -700,
        };
        self.now += jump;
        if n < 4 && self.chance(85) {
            return self.begin(model, n);
        }
        // Beginnings open, middles work, ends finish; but anything may come at any time.
        let opening = if n < 6 { 50 } else { 8 };
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
            roll if roll < 82 => self.finish(model),
            roll if roll < 92 => {
                let watched = if self.chance(40) { self.watched(model) } else { Vec::new() };
                let lease_ms = *[100, 10_000, 60_000, 60_000].choose(&mut self.rng).unwrap();
                Op::Sweep(lease_ms, watched, self.rng.random_range(1..6))
            }
            roll if roll < 97 => self.clean(model),
            _ => Op::Look(self.batch()),
        }
    }
}
