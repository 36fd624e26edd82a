//! The pool: keeps as many workers alive as it should have, and replaces those that fail.
//!
//! It compares what is wanted with what lives and closes the gap, woken by a message, by the end of a worker, or by its
//! own look around; a lost message makes the next look do it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use proto::WorkerId;
use protocol::{BatchState, Millis};
use tokio::sync::oneshot;

use crate::auto::{AutoSizer, Backlog, auto_size};
use crate::budget::RestartBudget;
use crate::clock::wall;
use crate::context::WorkerContext;
use crate::handle::{DrainReport, MAX_WORKERS, PoolSize};
use crate::status::{Board, PoolStatus};
use crate::worker::{self, Gone, WorkerActor, WorkerExit};

/// Ends of workers come through the mailbox, one each at most, and wishes of handles; when it is full the pool has not
/// been scheduled for long, handles are told so, and ends are found by the next look.
const MAILBOX: usize = MAX_WORKERS + 64;

/// How often the pool looks around.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often an automatic pool asks the store what waits; a nudge asks at once.
const BACKLOG_EVERY_MS: Millis = 1_000;
/// What a worker has to report its last results after it was told to release the rest.
pub(crate) const RELEASE_GRACE: Duration = Duration::from_secs(1);

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Resize(pub(crate) PoolSize);

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Wake;

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DrainAll {
    pub(crate) finish_within: Duration,
    pub(crate) done: oneshot::Sender<DrainReport>,
}

#[cfg(feature = "faults")]
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SabotageOne;

struct Slot {
    worker: Addr<WorkerActor>,
    is_retiring: bool,
    /// Its actor was gone at the last look, and its farewell had not been heard.
    is_missing: bool,
}

struct Draining {
    waiting: Vec<oneshot::Sender<DrainReport>>,
    report: DrainReport,
}

/// The actor behind [`crate::PoolHandle`].
pub(crate) struct PoolActor {
    context: WorkerContext,
    board: Arc<Board>,
    is_nudged: Arc<AtomicBool>,
    size: PoolSize,
    target: usize,
    sizer: AutoSizer,
    backlog_asked_at: Option<Millis>,
    slots: BTreeMap<WorkerId, Slot>,
    budget: RestartBudget,
    restarts: u64,
    is_exhausted: bool,
    draining: Option<Draining>,
}

impl PoolActor {
    /// Starts the pool's actor on the current arbiter.
    pub(crate) fn start_with(
        context: WorkerContext,
        board: Arc<Board>,
        is_nudged: Arc<AtomicBool>,
        size: PoolSize,
    ) -> Addr<Self> {
        let target = match size {
            PoolSize::Fixed(n) => n,
            PoolSize::Auto(range) => range.min,
        };
        let actor = Self {
            context,
            board,
            is_nudged,
            size,
            target,
            sizer: AutoSizer::default(),
            backlog_asked_at: None,
            slots: BTreeMap::new(),
            budget: RestartBudget::default(),
            restarts: 0,
            is_exhausted: false,
            draining: None,
        };
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            actor
        })
    }

    /// Compares what is wanted with what lives, and closes the gap.
    fn reconcile(&mut self, ctx: &mut Context<Self>) {
        let now = self.context.clock.steady();
        let wanted = if self.is_exhausted || self.draining.is_some() { 0 } else { self.target };
        let alive = self.slots.values().filter(|slot| !slot.is_retiring).count();
        if alive < wanted && now >= self.budget.not_before() {
            (alive..wanted).for_each(|_| self.start_worker(ctx));
        }
        self.retire(alive.saturating_sub(wanted));
        self.publish(now);
        self.end_drain();
    }

    fn start_worker(&mut self, ctx: &mut Context<Self>) {
        let gone = ctx.address().recipient();
        let (id, worker) = WorkerActor::start(self.context.clone(), self.board.clone(), gone);
        self.slots.insert(id, Slot { worker, is_retiring: false, is_missing: false });
    }

    /// Ends so many workers, idle ones first.
    fn retire(&mut self, surplus: usize) {
        let mut staying: Vec<WorkerId> =
            self.slots.iter().filter(|(_, slot)| !slot.is_retiring).map(|(id, _)| *id).collect();
        staying.sort_by_key(|id| self.board.phase_of(*id) != Some("idle"));
        for id in staying.into_iter().take(surplus) {
            if let Some(slot) = self.slots.get_mut(&id) {
                // A full mailbox: the next look tries again.
                slot.is_retiring = slot.worker.try_send(worker::Drain).is_ok();
            }
        }
    }

    /// Workers whose end was not heard, because the mailbox was full. A farewell may be on its way: two looks tell.
    fn find_lost(&mut self) {
        let mut lost = Vec::new();
        for (id, slot) in self.slots.iter_mut().filter(|(_, slot)| !slot.worker.connected()) {
            if std::mem::replace(&mut slot.is_missing, true) {
                lost.push(*id);
            }
        }
        for id in lost {
            self.has_gone(Gone { worker: id, exit: WorkerExit::Panicked });
        }
    }

    /// The restart policy.
    fn has_gone(&mut self, gone: Gone) {
        if self.slots.remove(&gone.worker).is_none() {
            return;
        }
        match gone.exit {
            WorkerExit::Drained => self.count_drained(true),
            WorkerExit::Terminated => self.count_drained(false),
            WorkerExit::ThreadLimit => {
                self.count_drained(true);
                if !std::mem::replace(&mut self.is_exhausted, true) {
                    tracing::error!(
                        num_abandoned = self.context.abandoned_threads(),
                        "too many prediction threads were left behind; nothing is claimed any more, restart this process"
                    );
                }
            }
            WorkerExit::NoThread | WorkerExit::Panicked => {
                self.count_drained(false);
                self.restarts += 1;
                self.budget.failed(self.context.clock.steady(), (self.context.random)() as u64);
                tracing::error!(
                    worker.id = %gone.worker, num_restarts = self.restarts,
                    "worker {} ended: {:?}", gone.worker, gone.exit
                );
            }
        }
    }

    fn count_drained(&mut self, in_good_order: bool) {
        if let Some(Draining { report, .. }) = &mut self.draining {
            report.drained += usize::from(in_good_order);
            report.stopped += usize::from(!in_good_order);
        }
    }

    /// Answers those who wait for a drain once nobody is left.
    fn end_drain(&mut self) {
        if let Some(Draining { waiting, report }) = &mut self.draining
            && self.slots.is_empty()
        {
            let report = *report;
            for done in waiting.drain(..) {
                // Whoever waited may have given up.
                let _ = done.send(report);
            }
        }
    }

    /// Tells every worker the same; a full mailbox has such a wish in it already, or gets the next one.
    fn tell_all<M>(&self, message: M)
    where
        M: Message<Result = ()> + Copy + Send + 'static,
        WorkerActor: Handler<M>,
    {
        for slot in self.slots.values() {
            let _ = slot.worker.try_send(message);
        }
    }

    /// Asks the store what waits, when the size follows it.
    fn ask_backlog(&mut self, ctx: &mut Context<Self>) {
        let PoolSize::Auto(range) = self.size else { return };
        self.backlog_asked_at = Some(self.context.clock.steady());
        let task = tokio::spawn(backlog(self.context.clone()));
        let answer = fut::wrap_future::<_, Self>(task);
        ctx.spawn(answer.map(move |backlogs, pool, ctx| {
            // Without an answer the size stays: a silent store is no reason to shrink.
            let Ok(Some(backlogs)) = backlogs else { return };
            if pool.size == PoolSize::Auto(range) {
                let needed = auto_size(range, &backlogs, pool.board.job_ms());
                pool.target = pool.sizer.advise(needed, pool.target, pool.context.clock.steady());
                pool.reconcile(ctx);
            }
        }));
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let now = self.context.clock.steady();
        if self.backlog_asked_at.is_none_or(|at| now - at >= BACKLOG_EVERY_MS) {
            self.ask_backlog(ctx);
        }
        if self.is_exhausted {
            self.tell_all(worker::Drain);
        }
        self.find_lost();
        self.reconcile(ctx);
    }

    fn publish(&self, now: Millis) {
        let restart_at = Some(self.budget.not_before()).filter(|at| *at > now);
        let auto = match self.size {
            PoolSize::Auto(range) => Some(range),
            PoolSize::Fixed(_) => None,
        };
        self.board.show_pool(|shown| {
            *shown = PoolStatus {
                size: self.target,
                auto,
                draining: self.draining.is_some(),
                exhausted: self.is_exhausted,
                abandoned_threads: 0,
                restarts: self.restarts,
                restart_at,
                workers: Vec::new(),
            };
        });
    }
}

/// Open jobs of the running batches; none when the store does not answer.
async fn backlog(context: WorkerContext) -> Option<Vec<Backlog>> {
    let batches =
        tokio::time::timeout(Duration::from_secs(2), context.store.batches(true)).await.ok()?.ok()?;
    let now = wall();
    let running = batches.into_iter().filter(|batch| batch.state == BatchState::Running);
    Some(
        running
            .map(|batch| Backlog { open_jobs: batch.queued + batch.leased, ms_left: batch.finish_by - now })
            .collect(),
    )
}

impl Actor for PoolActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
        ctx.run_interval(LOOK_EVERY, Self::look);
    }
}

impl Handler<Gone> for PoolActor {
    type Result = ();
    fn handle(&mut self, gone: Gone, ctx: &mut Self::Context) {
        self.has_gone(gone);
        self.reconcile(ctx);
    }
}

impl Handler<Resize> for PoolActor {
    type Result = ();
    fn handle(&mut self, Resize(size): Resize, ctx: &mut Self::Context) {
        self.size = size;
        match size {
            PoolSize::Fixed(n) => self.target = n,
            PoolSize::Auto(range) => {
                self.target = self.target.clamp(range.min, range.max);
                self.ask_backlog(ctx);
            }
        }
        self.reconcile(ctx);
    }
}

impl Handler<Wake> for PoolActor {
    type Result = ();
    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        // Before the workers hear of it: what comes from now on needs a nudge of its own.
        self.is_nudged.store(false, Ordering::Release);
        self.tell_all(worker::Nudge);
        self.ask_backlog(ctx);
    }
}

impl Handler<DrainAll> for PoolActor {
    type Result = ();
    fn handle(&mut self, DrainAll { finish_within, done }: DrainAll, ctx: &mut Self::Context) {
        let report = DrainReport { drained: 0, stopped: 0 };
        let draining = self.draining.get_or_insert(Draining { waiting: Vec::new(), report });
        draining.waiting.push(done);
        tracing::info!(num_workers = self.slots.len(), "draining the worker pool");
        ctx.run_later(finish_within, |pool, _| pool.tell_all(worker::Release));
        ctx.run_later(finish_within + RELEASE_GRACE, |pool, _| pool.tell_all(worker::Terminate));
        self.reconcile(ctx);
    }
}

#[cfg(feature = "faults")]
impl Handler<SabotageOne> for PoolActor {
    type Result = ();
    fn handle(&mut self, _: SabotageOne, _: &mut Self::Context) {
        let holds_lease =
            |id: &WorkerId| self.board.status().workers.iter().any(|w| w.worker == *id && w.lease.is_some());
        let victim = self.slots.keys().find(|id| holds_lease(id)).or_else(|| self.slots.keys().next());
        if let Some(slot) = victim.and_then(|id| self.slots.get(id)) {
            let _ = slot.worker.try_send(worker::Sabotage);
        }
    }
}
