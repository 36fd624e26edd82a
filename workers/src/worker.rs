//! One worker: an actor in front of a prediction thread.
//!
//! The actor is the shell of [`protocol::worker::Worker`], which owns every decision: here messages and answers become
//! events, and actions become calls. Nothing is awaited in a handler; a call to the store runs as a task of the runtime,
//! under a deadline, and its answer comes back to the actor as a future of its own and not through the mailbox, so that
//! a full mailbox can cost no answer. A call that panics is a call without an answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use proto::{LeaseId, WorkerId};
use protocol::Millis;
use protocol::ops::{Chunk, Claimed, Renewed};
use protocol::worker::{Action, Event, JobResult, Worker as Machine};
use tokio::sync::mpsc;

use crate::calls::{self, Answer, CallError};
use crate::context::WorkerContext;
use crate::shelf::ModelSet;
use crate::status::{Board, WorkerStatus};
use crate::thread::{Order, PredictThread};

/// Waking, draining and releasing come through the mailbox, from the pool alone. When it is full, that many wishes wait
/// already and one more says nothing new; the pool repeats what still holds at its next look.
const MAILBOX: usize = 16;

/// Why a worker has ended. The pool's `match` on it is the restart policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerExit {
    /// It was told to, and finished or released what it had.
    Drained,
    /// The process has left too many threads behind.
    ThreadLimit,
    /// The system gives it no thread.
    NoThread,
    /// It was told to stop at once.
    Terminated,
    /// Its actor was lost: a panic in a handler, or a stop it did not ask for.
    Panicked,
}

/// There may be work.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Nudge;

/// Finish what is at hand, then stop.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// Report what is done, release the rest, then stop.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Release;

/// Stop at once; leases lapse by themselves.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Terminate;

/// The thread has answered something.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct Results;

/// A drill: the actor panics.
#[cfg(feature = "faults")]
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Sabotage;

/// A worker has ended; sent to the pool however it ended.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Gone {
    pub(crate) worker: WorkerId,
    pub(crate) exit: WorkerExit,
}

pub(crate) struct WorkerActor {
    context: WorkerContext,
    machine: Machine,
    thread: Option<PredictThread>,
    /// Rung by the thread; a channel of one, because a bell that rings already need not ring louder.
    bell: mpsc::Sender<()>,
    bell_heard: Option<mpsc::Receiver<()>>,
    /// Models of the chunk that was just claimed, until it is handed over.
    models: Option<Arc<ModelSet>>,
    chunk: Option<(usize, Instant)>,
    wake: Option<(Millis, SpawnHandle)>,
    is_renewing: bool,
    is_store_silent: bool,
    lease_since: Option<(LeaseId, Millis)>,
    threads_abandoned: u64,
    unservable: bool,
    farewell: Farewell,
}

/// Takes the worker off the board and tells the pool, also when the actor is dropped by a panic.
struct Farewell {
    worker: WorkerId,
    exit: WorkerExit,
    board: Arc<Board>,
    pool: Recipient<Gone>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.board.remove(self.worker);
        // A full or closed mailbox: the pool looks for lost workers by itself.
        let _ = self.pool.try_send(Gone { worker: self.worker, exit: self.exit });
    }
}

impl WorkerActor {
    /// Starts a worker on the current arbiter; it asks for work at once.
    pub(crate) fn start(
        context: WorkerContext,
        board: Arc<Board>,
        pool: Recipient<Gone>,
    ) -> (WorkerId, Addr<Self>) {
        let worker = WorkerId::from_random((context.random)());
        let (bell, bell_heard) = mpsc::channel(1);
        let actor = Self {
            machine: Machine::new(context.clock.steady()),
            context,
            thread: None,
            bell,
            bell_heard: Some(bell_heard),
            models: None,
            chunk: None,
            wake: None,
            is_renewing: false,
            is_store_silent: false,
            lease_since: None,
            threads_abandoned: 0,
            unservable: false,
            // Until it stops in good order, an end is a loss.
            farewell: Farewell { worker, exit: WorkerExit::Panicked, board, pool },
        };
        let address = Self::create(|ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            actor
        });
        (worker, address)
    }

    /// Lets the machine take a step and performs what it asks for.
    fn step(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.context.clock.steady();
            for action in self.machine.step(event, now, (self.context.random)()) {
                self.perform(action, &mut events, ctx);
            }
        }
        self.set_alarm(ctx);
        self.publish();
    }

    /// Performs one action; what follows from it at once goes to `events`.
    fn perform(&mut self, action: Action, events: &mut VecDeque<Event>, ctx: &mut Context<Self>) {
        match action {
            Action::Claim { lease, max_jobs } => {
                let call = calls::claim(self.context.clone(), self.farewell.worker, lease, max_jobs);
                Self::call(call, |answer, actor, ctx| actor.on_claimed(answer, ctx), ctx);
            }
            Action::Predict(lease, chunk) => self.predict(lease, chunk, events),
            Action::Renew(lease) => self.renew(lease, ctx),
            Action::Report { batch_id, lease, completions, give_backs } => {
                if let Some((jobs, since)) = self.chunk.take() {
                    self.farewell.board.count_chunk(jobs, since.elapsed().as_millis() as Millis);
                }
                let call = calls::report(self.context.clone(), batch_id, lease, completions, give_backs);
                let on_answer =
                    move |answer: Result<(), CallError>, actor: &mut Self, ctx: &mut Context<Self>| {
                        let answer = actor.heard(answer);
                        actor.step(Event::Reported(lease, answer), ctx);
                    };
                Self::call(call, on_answer, ctx);
            }
            Action::AbandonThread => self.abandon_thread(events),
            Action::Stop => {
                if self.farewell.exit == WorkerExit::Panicked {
                    self.farewell.exit = WorkerExit::Drained;
                }
                ctx.stop();
            }
        }
    }

    /// Runs a call on the runtime and brings its answer back to the actor.
    fn call<T: Send + 'static>(
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
        on_answer: impl FnOnce(Result<T, CallError>, &mut Self, &mut Context<Self>) + 'static,
        ctx: &mut Context<Self>,
    ) {
        let task = tokio::spawn(call);
        let answer = async { task.await.unwrap_or(Err(CallError::Panicked)) };
        ctx.spawn(fut::wrap_future::<_, Self>(answer).map(on_answer));
    }

    fn on_claimed(&mut self, answer: Result<Answer, CallError>, ctx: &mut Context<Self>) {
        let answer = self.heard(answer).map(|Answer { claimed, models }| {
            self.unservable = matches!(claimed, Claimed::Nothing { unservable: true, .. });
            self.models = models;
            claimed
        });
        self.step(Event::Claimed(answer), ctx);
    }

    /// At most one renewal at a time: a store that is slow to answer must not collect a queue of them.
    fn renew(&mut self, lease: LeaseId, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_renewing, true) {
            return;
        }
        let on_answer =
            move |answer: Result<Renewed, CallError>, actor: &mut Self, ctx: &mut Context<Self>| {
                actor.is_renewing = false;
                let answer = actor.heard(answer);
                actor.step(Event::Renewed(lease, answer), ctx);
            };
        Self::call(calls::renew(self.context.clone(), lease), on_answer, ctx);
    }

    fn predict(&mut self, lease: LeaseId, chunk: Chunk, events: &mut VecDeque<Event>) {
        self.chunk = Some((chunk.jobs.len(), Instant::now()));
        self.lease_since = Some((lease, self.context.clock.steady()));
        let models = self.models.take().unwrap_or_default();
        let Err(order) = self.hand_over(Box::new(Order { lease, chunk, models })) else { return };
        // Nobody here can do it; the jobs go back for nothing, and the worker with them.
        self.farewell.exit = WorkerExit::NoThread;
        events.push_back(Event::Drain);
        let refused = order.chunk.jobs.iter().map(|job| JobResult::Refused { seq: job.seq });
        events.extend(refused.map(|result| Event::JobDone(lease, result)));
    }

    /// Gives the order to the thread, to a new one if there is none.
    fn hand_over(&mut self, order: Box<Order>) -> Result<(), Box<Order>> {
        let order = match &self.thread {
            Some(thread) => match thread.order(order) {
                Ok(()) => return Ok(()),
                Err(order) => order,
            },
            None => order,
        };
        let bell = self.bell.clone();
        let ring = move || {
            // Full: it rings already.
            let _ = bell.try_send(());
        };
        let name = format!("predict-{}", self.threads_abandoned);
        match PredictThread::start(name, self.context.predictor.clone(), ring) {
            Ok(thread) => self.thread.insert(thread).order(order),
            Err(error) => {
                tracing::error!(worker.id = %self.farewell.worker, "cannot start a prediction thread: {error}");
                Err(order)
            }
        }
    }

    fn abandon_thread(&mut self, events: &mut VecDeque<Event>) {
        self.thread = None;
        self.threads_abandoned += 1;
        let is_too_many = self.context.count_abandoned();
        tracing::warn!(
            worker.id = %self.farewell.worker, num_abandoned = self.context.abandoned_threads(),
            "a prediction thread is silent past its deadline and is left behind"
        );
        if is_too_many {
            self.farewell.exit = WorkerExit::ThreadLimit;
            events.push_back(Event::Drain);
        }
    }

    /// Takes the results the thread has put down.
    fn take_results(&mut self, ctx: &mut Context<Self>) {
        let results = self.thread.as_ref().map(PredictThread::results).unwrap_or_default();
        for (lease, result) in results {
            self.step(Event::JobDone(lease, result), ctx);
        }
    }

    /// Logs when the store falls silent and when it is back, once each.
    fn heard<T>(&mut self, answer: Result<T, CallError>) -> Result<T, ()> {
        let was_silent = std::mem::replace(&mut self.is_store_silent, answer.is_err());
        match (&answer, was_silent) {
            (Err(error), false) => {
                tracing::warn!(worker.id = %self.farewell.worker, "waiting for the state store: {error}")
            }
            (Ok(_), true) => {
                tracing::info!(worker.id = %self.farewell.worker, "the state store answers again")
            }
            (Err(_), true) | (Ok(_), false) => {}
        }
        answer.map_err(drop)
    }

    /// Sets the one alarm the machine wants next. An alarm that would ring too early is left: a needless step is
    /// cheaper than a cancelled timer for each chunk.
    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.machine.wake_at() else { return };
        match self.wake.take() {
            Some((set, handle)) if set <= at => {
                self.wake = Some((set, handle));
                return;
            }
            Some((_, handle)) => drop(ctx.cancel_future(handle)),
            None => {}
        }
        let wait = u64::try_from(at - self.context.clock.steady()).unwrap_or(0);
        let handle = ctx.run_later(Duration::from_millis(wait), move |actor, ctx| {
            // A cancelled alarm may still ring once, while another one is set.
            actor.wake.take_if(|(set, _)| *set == at);
            actor.take_results(ctx);
            actor.step(Event::Tick, ctx);
        });
        self.wake = Some((at, handle));
    }

    fn publish(&mut self) {
        let lease = self.machine.lease();
        let since = self.lease_since.filter(|(of, _)| Some(*of) == lease).map(|(_, since)| since);
        let status = WorkerStatus {
            worker: self.farewell.worker,
            phase: self.machine.phase_name(),
            lease,
            lease_age_ms: None,
            jobs_done: self.machine.jobs_done,
            last_progress: self.machine.last_progress,
            thread_abandoned: self.threads_abandoned,
            unservable: self.unservable,
        };
        self.farewell.board.show(status, since);
    }
}

impl Actor for WorkerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(bell) = self.bell_heard.take() {
            let rings = futures::stream::unfold(bell, |mut bell| async {
                bell.recv().await.map(|()| (Results, bell))
            });
            ctx.add_message_stream(rings);
        }
        self.step(Event::Tick, ctx);
    }
}

impl Handler<Results> for WorkerActor {
    type Result = ();
    fn handle(&mut self, _: Results, ctx: &mut Self::Context) {
        self.take_results(ctx);
    }
}

impl Handler<Nudge> for WorkerActor {
    type Result = ();
    fn handle(&mut self, _: Nudge, ctx: &mut Self::Context) {
        self.step(Event::Nudge, ctx);
    }
}

impl Handler<Drain> for WorkerActor {
    type Result = ();
    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.step(Event::Drain, ctx);
    }
}

impl Handler<Release> for WorkerActor {
    type Result = ();
    fn handle(&mut self, _: Release, ctx: &mut Self::Context) {
        self.take_results(ctx);
        self.step(Event::Release, ctx);
    }
}

impl Handler<Terminate> for WorkerActor {
    type Result = ();
    fn handle(&mut self, _: Terminate, ctx: &mut Self::Context) {
        self.farewell.exit = WorkerExit::Terminated;
        ctx.terminate();
    }
}

#[cfg(feature = "faults")]
impl Handler<Sabotage> for WorkerActor {
    type Result = ();
    fn handle(&mut self, _: Sabotage, _: &mut Self::Context) {
        panic!("the drill panics in worker {}", self.farewell.worker);
    }
}
