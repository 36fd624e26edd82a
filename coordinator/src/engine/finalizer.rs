//! The `Finalizer` actor: carries out one ticket.
//!
//! Decisions are `protocol::finalizer`'s; this is the thin shell that performs its actions. Handlers never wait
//! for the world: each action runs as a task that sends the machine its answer. One action is under way at a time,
//! so the mailbox holds at most that answer, the ticks of a second, and a stop: 16 is ample, and when it is full
//! only a tick is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context as ActorCtx, Handler, Message};
use proto::event::CloudEvent;
use proto::{BatchId, ModelPin, Receipt, RunMode, TicketId};
use protocol::finalizer::{Action, Event, Exit, Finalizer as Machine};
use protocol::ops::EndAnswer;
use protocol::{Closing, MAX_ITEMS_PER_CALL};
use state::StoreError;
use warehouse::{Publication, PublicationHead};

use super::context::Context;
use super::gather::{self, EndedJob, GatherError};
use super::health;
use super::supervisor::{FinalizerStopped, Supervisor};

const MAILBOX: usize = 16;
const TICK: Duration = Duration::from_millis(100);

/// One attempt at finalizing one batch.
pub(crate) struct Finalizer {
    machine: Machine,
    work: Arc<Work>,
    supervisor: Addr<Supervisor>,
}

/// What the tasks of one finalizer share.
struct Work {
    context: Arc<Context>,
    batch_id: BatchId,
    ticket: TicketId,
    gathered: Mutex<Arc<Gathered>>,
    /// The publication, if it could be loaded while everything was read.
    loaded: Mutex<Option<Publication>>,
    receipt: Mutex<Option<Receipt>>,
}

/// Everything staged, read once.
#[derive(Debug, Default)]
struct Gathered {
    jobs: Vec<EndedJob>,
    pins: Vec<ModelPin>,
}

/// An answer for the machine.
#[derive(Message)]
#[rtype(result = "()")]
struct Answer(Event);

impl Finalizer {
    /// Starts a finalizer; it reports to the supervisor when it stops.
    pub(crate) fn start(context: Arc<Context>, batch_id: BatchId, supervisor: Addr<Supervisor>) {
        let ticket = TicketId::from_random(context.random());
        let work = Work {
            context,
            batch_id: batch_id.clone(),
            ticket,
            gathered: Mutex::default(),
            loaded: Mutex::default(),
            receipt: Mutex::default(),
        };
        Self { machine: Machine::new(batch_id), work: Arc::new(work), supervisor }.start();
    }

    fn step(&mut self, event: Event, ctx: &mut ActorCtx<Self>) {
        let now = self.work.context.wall_clock();
        for action in self.machine.step(event, now) {
            if let Action::Stop(exit) = action {
                self.say_goodbye(exit);
                ctx.stop();
                continue;
            }
            let (work, me) = (Arc::clone(&self.work), ctx.address());
            tokio::spawn(async move {
                if let Some(event) = work.perform(action).await {
                    // Full cannot happen with one action under way; a stopped actor needs no answer.
                    let _ = me.try_send(Answer(event));
                }
            });
        }
        if let Some(trouble) = &self.machine.trouble {
            self.work.context.note_trouble(&self.work.batch_id, trouble);
        }
    }

    fn say_goodbye(&self, exit: Exit) {
        let batch_id = self.work.batch_id.clone();
        match exit {
            Exit::Done => tracing::info!(batch.id = %batch_id, "finalized `{batch_id}`"),
            Exit::NotNeeded => tracing::debug!(batch.id = %batch_id, "another finalizer is at `{batch_id}`"),
            Exit::Refused => tracing::warn!(batch.id = %batch_id, "finalizing `{batch_id}` was refused"),
        }
        self.work.context.clear_trouble(&batch_id);
        // The supervisor forgets a finalizer at its next pass too, should this be lost.
        let _ = self.supervisor.try_send(FinalizerStopped(batch_id));
    }
}

impl Actor for Finalizer {
    type Context = ActorCtx<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.step(Event::Tick, ctx);
        ctx.run_interval(TICK, |finalizer, ctx| finalizer.step(Event::Tick, ctx));
    }
}

impl Handler<Answer> for Finalizer {
    type Result = ();
    fn handle(&mut self, Answer(event): Answer, ctx: &mut Self::Context) {
        self.step(event, ctx);
    }
}

impl Work {
    /// Performs one action; its answer, if the machine waits for one.
    async fn perform(&self, action: Action) -> Option<Event> {
        let (store, batch_id, ticket) = (&self.context.store, &self.batch_id, &self.ticket);
        let now = self.context.wall_clock();
        let answer = match action {
            Action::TakeTicket => store.take_ticket(batch_id, ticket, now).await.map(Event::Ticket),
            Action::RenewTicket => store.renew_ticket(batch_id, ticket, now).await.map(Event::Renewed),
            Action::Drain(limit) => store.drain(batch_id, ticket, limit, now).await.map(Event::Drained),
            Action::Gather => self.gather().await,
            Action::Decide(closing) => Ok(self.decide(closing).await),
            Action::End => self.end().await,
            Action::Clean => return Some(self.clean().await),
            Action::ReturnTicket { error, retry_at } => {
                // A lost answer only means that the ticket runs out by itself.
                let _ = store.return_ticket(batch_id, ticket, Some(&error), retry_at, now).await;
                return None;
            }
            Action::Stop(_) => return None,
        };
        Some(answer.unwrap_or_else(|error| {
            tracing::warn!(batch.id = %batch_id, %error, "finalizer of `{batch_id}` waits for the state store");
            Event::StoreUnreachable
        }))
    }

    /// Reads every page; one goes into the warehouse's temporary tables while the next are fetched and read.
    async fn gather(&self) -> Result<Event, StoreError> {
        let store = &self.context.store;
        let mut pages = gather::pages(Arc::clone(store), self.batch_id.clone(), self.context.contract);
        let view = store.batch(&self.batch_id).await?;
        let (total, pins) = view.map_or((0, Vec::new()), |view| (view.total, view.pins));
        // Of an earlier try: it would hold the writer that this one needs.
        drop(self.loaded.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut ahead = Ahead::begin(self, &pins).await;
        let mut jobs: Vec<EndedJob> = Vec::new();
        while let Some(page) = pages.recv().await {
            let page = match page {
                Ok(page) => page,
                Err(GatherError::Store(error)) => return Err(error),
                Err(error) => return Ok(Event::Unreadable(error.to_string())),
            };
            ahead.load(&page).await;
            jobs.extend(page);
        }
        if jobs.len() as u64 != total {
            let found = jobs.len();
            return Ok(Event::Unreadable(format!("{total} jobs, but {found} outcomes are staged")));
        }
        let loaded = ahead.finish().await;
        *self.gathered.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Gathered { jobs, pins });
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(Event::Gathered)
    }

    async fn begin(&self, pins: &[ModelPin]) -> Result<Publication, warehouse::Error> {
        let head = PublicationHead {
            batch_id: self.batch_id.clone(),
            slate: self.batch_id.slate(),
            wanted: pins.iter().map(|pin| (pin.market.clone(), pin.system_id.clone())).collect(),
        };
        self.context.warehouse.begin_publication(head).await
    }

    async fn decide(&self, closing: Closing) -> Event {
        let gathered = Arc::clone(&self.gathered.lock().unwrap_or_else(PoisonError::into_inner));
        match self.publish(&closing, &gathered).await {
            Ok(receipt) => {
                *self.receipt.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt);
                Event::VerdictStands
            }
            Err(error) => {
                tracing::warn!(batch.id = %self.batch_id, %error, "the warehouse did not take the verdict");
                if error.is_unreachable() {
                    Event::Unreachable(error.to_string())
                } else {
                    Event::Refused(error.to_string())
                }
            }
        }
    }

    async fn publish(&self, closing: &Closing, gathered: &Gathered) -> Result<Receipt, warehouse::Error> {
        let (context, batch_id) = (&self.context, &self.batch_id);
        let Gathered { jobs, pins } = gathered;
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut publication = match loaded {
            Some(publication) => publication,
            None => {
                let mut publication = self.begin(pins).await?;
                load(&mut publication, jobs).await?;
                publication
            }
        };
        let slate = batch_id.slate();
        let around = health::look_around(context, &mut publication, slate, closing, jobs).await?;
        let health = |staying| around.map(|around| health::judge(context, slate, around, jobs, staying));
        let run_mode = jobs.first().map_or(RunMode::Overnight, |job| job.run_mode);
        Ok(publication.settle(closing, run_mode, health, context.now()).await?.receipt)
    }

    async fn end(&self) -> Result<Event, StoreError> {
        let receipt = self.receipt.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(receipt) = receipt {
            copy_verdict(&self.context, &receipt).await?;
        }
        self.context.ring_relay();
        Ok(Event::Ended)
    }

    async fn clean(&self) -> Event {
        if let Err(error) = clean_up(&self.context, &self.batch_id).await {
            return Event::Unreachable(error);
        }
        Event::Cleaned
    }
}

/// A publication that is loaded while the rest is still being read. It is a help and no promise: after whatever goes wrong
/// here nothing is loaded, and the decision, whose business errors of the warehouse are, loads everything itself.
struct Ahead<'a> {
    batch_id: &'a BatchId,
    publication: Option<Publication>,
}

impl<'a> Ahead<'a> {
    async fn begin(work: &'a Work, pins: &[ModelPin]) -> Self {
        let mut ahead = Self { batch_id: &work.batch_id, publication: None };
        ahead.keep(work.begin(pins).await);
        ahead
    }

    async fn load(&mut self, page: &[EndedJob]) {
        if let Some(mut publication) = self.publication.take() {
            self.keep(load(&mut publication, page).await.map(|()| publication));
        }
    }

    /// The publication, if all of it is loaded.
    async fn finish(mut self) -> Option<Publication> {
        let mut publication = self.publication.take()?;
        self.keep(publication.loaded().await.map(|()| publication));
        self.publication
    }

    fn keep(&mut self, publication: Result<Publication, warehouse::Error>) {
        match publication {
            Ok(publication) => self.publication = Some(publication),
            Err(error) => {
                tracing::debug!(batch.id = %self.batch_id, %error, "rows are loaded when the batch is decided");
            }
        }
    }
}

async fn load(publication: &mut Publication, jobs: &[EndedJob]) -> Result<(), warehouse::Error> {
    for page in jobs.chunks(MAX_ITEMS_PER_CALL) {
        let rows = page.iter().flat_map(|job| &job.rows);
        publication.add(rows, page.iter().map(|job| &job.outcome)).await?;
    }
    Ok(())
}

/// Copies a verdict into the store: never recomputed, safe to repeat.
pub(crate) async fn copy_verdict(context: &Context, receipt: &Receipt) -> Result<(), StoreError> {
    let batch_id = &receipt.batch_id;
    let event = CloudEvent::batch_ended(receipt, &batch_id.to_string());
    let receipt_json = serde_json::to_string(receipt).unwrap_or_default();
    let event_json = serde_json::to_string(&event).unwrap_or_default();
    let state = receipt.verdict.state;
    let now = context.wall_clock();
    let answer = context.store.end(batch_id, state, &receipt_json, &event.id, &event_json, now).await?;
    match answer {
        EndAnswer::Ended => {
            context.ring_ended();
            tracing::info!(batch.id = %batch_id, batch.state = %state, "ended `{batch_id}`: {}", receipt.verdict.sentence);
        }
        EndAnswer::Conflict(was) => {
            tracing::error!(batch.id = %batch_id, "alarm: `{batch_id}` had ended as {was}, its verdict says {state}");
        }
        EndAnswer::AlreadyEnded | EndAnswer::Unknown => {}
    }
    Ok(())
}

/// Reads the verdict back on another connection, then drops what it was decided from.
pub(crate) async fn clean_up(context: &Context, batch_id: &BatchId) -> Result<(), String> {
    match context.warehouse.verdict(batch_id).await {
        Ok(Some(_)) => {}
        Ok(None) => return Err(format!("no verdict of {batch_id} can be read back yet")),
        Err(error) => return Err(error.to_string()),
    }
    context.store.drop_staged(batch_id).await.map_err(|error| error.to_string())?;
    Ok(())
}
