//! The `Supervisor` actor: one per instance; sweeps the store, repairs, starts finalizers.
//!
//! Any instance may sweep at any time, without a lock: each step is checked again where it is done. A pass is one
//! task; while it runs, ticks are dropped. The mailbox holds the end of a pass, doorbells and ends of finalizers;
//! 64 is a slate's worth of them many times over, and when it is full the next pass finds what was lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context as ActorCtx, Handler, Message};
use proto::event::CloudEvent;
use proto::{BatchId, RunMode};
use protocol::ops::StoreIdentity;
use protocol::supervisor::{Registered, Repair, Snapshot, plan};
use protocol::{CloseReason, Closing, Millis, Mode};
use warehouse::{PublicationHead, PublishRequest};

use super::context::{Bells, Context};
use super::finalizer::{Finalizer, clean_up, copy_verdict};
use super::watch::Watch;

const MAILBOX: usize = 64;

/// Due entries handled in one call of the sweep.
const SWEEP_LIMIT: usize = 200;

/// How often ended batches are cleaned up and forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// One per instance.
pub(crate) struct Supervisor {
    context: Arc<Context>,
    memory: Option<Memory>,
    finalizing: BTreeSet<BatchId>,
    last_housekeeping: Option<Instant>,
}

/// A batch needs a finalizer now.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finalize(pub(crate) BatchId);

/// A finalizer has stopped.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct FinalizerStopped(pub(crate) BatchId);

#[derive(Message)]
#[rtype(result = "()")]
struct PassDone {
    memory: Memory,
    need_finalizer: Vec<BatchId>,
}

impl Supervisor {
    /// Starts the instance's supervisor.
    pub(crate) fn start_with(context: Arc<Context>, mut bells: Bells) -> Addr<Self> {
        let supervisor = Self {
            context,
            memory: Some(Memory::default()),
            finalizing: BTreeSet::new(),
            last_housekeeping: None,
        };
        let address = supervisor.start();
        let doorbell = address.clone();
        tokio::spawn(async move {
            while let Some(batch_id) = bells.finalize.recv().await {
                // Full: the sweep asks for the finalizer within a second.
                let _ = doorbell.try_send(Finalize(batch_id));
            }
        });
        address
    }

    fn tick(&mut self, ctx: &mut ActorCtx<Self>) {
        self.context.turned();
        let Some(memory) = self.memory.take() else { return };
        let housekeeping = self.last_housekeeping.is_none_or(|last| last.elapsed() >= HOUSEKEEPING);
        if housekeeping {
            self.last_housekeeping = Some(Instant::now());
        }
        let (context, me) = (Arc::clone(&self.context), ctx.address());
        tokio::spawn(async move {
            let mut pass = Pass { context, memory, need_finalizer: Vec::new() };
            if let Err(error) = pass.run(housekeeping).await {
                tracing::warn!(%error, "a pass of the supervisor was cut short; the next one starts over");
            }
            let mut done = PassDone { memory: pass.memory, need_finalizer: pass.need_finalizer };
            // The memory travels in the message: it must arrive, so a full mailbox is waited out.
            while let Err(actix::prelude::SendError::Full(message)) = me.try_send(done) {
                done = message;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }

    fn finalize(&mut self, batch_id: BatchId, ctx: &ActorCtx<Self>) {
        if self.finalizing.insert(batch_id.clone()) {
            Finalizer::start(Arc::clone(&self.context), batch_id, ctx.address());
        }
    }
}

impl Actor for Supervisor {
    type Context = ActorCtx<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.tick(ctx);
        let every = Duration::from_millis(self.context.timing.sweep_ms as u64);
        ctx.run_interval(every, |supervisor, ctx| supervisor.tick(ctx));
    }
}

impl Handler<PassDone> for Supervisor {
    type Result = ();
    fn handle(&mut self, done: PassDone, ctx: &mut Self::Context) {
        self.memory = Some(done.memory);
        for batch_id in done.need_finalizer {
            self.finalize(batch_id, ctx);
        }
    }
}

impl Handler<Finalize> for Supervisor {
    type Result = ();
    fn handle(&mut self, Finalize(batch_id): Finalize, ctx: &mut Self::Context) {
        self.finalize(batch_id, ctx);
    }
}

impl Handler<FinalizerStopped> for Supervisor {
    type Result = ();
    fn handle(&mut self, FinalizerStopped(batch_id): FinalizerStopped, _: &mut Self::Context) {
        self.finalizing.remove(&batch_id);
    }
}

/// What the passes of one supervisor remember.
#[derive(Default)]
struct Memory {
    watch: Watch,
    store: Option<StoreIdentity>,
}

/// One pass: sweep, then compare the two stores and repair.
struct Pass {
    context: Arc<Context>,
    memory: Memory,
    need_finalizer: Vec<BatchId>,
}

impl Pass {
    /// A store with another id, or with fewer writes than it had, lost something: say so, and make it ours again.
    /// What it lost runs again, or ends as `failed(state_lost)`; nothing published is touched (design.md 5, "Loss").
    async fn notice_loss(&mut self) -> anyhow::Result<()> {
        let seen = self.context.store.identity().await?;
        let lost = self.memory.store.as_ref().and_then(|known| loss(known, &seen));
        if let Some(what) = lost {
            tracing::error!("the state store lost something: {what}; open batches run again or end as lost");
            metrics::counter!("tipoff_state_store_losses_total").increment(1);
        }
        if seen.warehouse_id.is_none() {
            self.context.store.pair(self.context.warehouse.id()).await?;
        }
        self.memory.store = Some(seen);
        Ok(())
    }

    async fn run(&mut self, housekeeping: bool) -> anyhow::Result<()> {
        let now = self.context.store.now().await?;
        self.notice_loss().await?;
        self.sweep(now).await?;
        let snapshot = self.look(now, housekeeping).await?;
        for repair in plan(&snapshot) {
            self.repair(&repair).await?;
        }
        // Not right after a batch, when people read what it published.
        if let Err(error) = self.context.warehouse.settle_down().await {
            tracing::debug!(%error, "the warehouse's log is emptied another time");
        }
        Ok(())
    }

    async fn sweep(&mut self, now: Millis) -> anyhow::Result<()> {
        let (store, timing) = (&self.context.store, &self.context.timing);
        loop {
            let due = store.due_index().await?;
            let watched = self.memory.watch.look(&due, timing, now, Instant::now());
            let swept =
                store.sweep(timing.lease_ms, &watched, SWEEP_LIMIT, self.context.wall_clock()).await?;
            if swept.grace {
                tracing::warn!(
                    "the store was not swept for longer than a lease: every lease runs one full length"
                );
            }
            if swept.requeued + swept.ended > 0 {
                tracing::warn!(
                    requeued = swept.requeued,
                    ended = swept.ended,
                    "jobs came back from lost leases"
                );
            }
            for (batch_id, reason) in &swept.closed {
                tracing::info!(batch.id = %batch_id, "closed `{batch_id}`: {}", reason.sentence());
                self.need_finalizer.push(batch_id.clone());
            }
            for batch_id in &swept.alarms {
                tracing::error!(batch.id = %batch_id, "alarm: `{batch_id}` holds a job in no place");
            }
            self.need_finalizer.extend(swept.need_finalizer);
            if !swept.more {
                return Ok(());
            }
        }
    }

    /// The warehouse first, then the store: see `protocol::supervisor`.
    async fn look(&self, now: Millis, housekeeping: bool) -> anyhow::Result<Snapshot> {
        let unsettled = self.context.warehouse.unsettled_batches().await?;
        let registered = unsettled
            .into_iter()
            .map(|batch| Registered {
                batch_id: batch.batch_id,
                has_verdict: batch.has_verdict,
                announced: false,
            })
            .collect::<Vec<_>>();
        let store = &self.context.store;
        let mut outbox = BTreeSet::new();
        if registered.iter().any(|batch| batch.has_verdict) {
            outbox.extend(store.outbox_due(10_000, Millis::MAX).await?.into_iter().map(|event| event.id));
            outbox.extend(store.dead_letters().await?.into_iter().map(|(event, _)| event.id));
        }
        let known = store.batches(!housekeeping).await?;
        let ended_here = |batch: &Registered| !known.iter().any(|k| k.batch_id == batch.batch_id);
        // Without housekeeping the store was asked for open batches only: what is missing may just have ended.
        let mut store_view = known.clone();
        if !housekeeping {
            for batch in registered.iter().filter(|batch| ended_here(batch)) {
                store_view.extend(store.batch(&batch.batch_id).await?);
            }
        }
        Ok(Snapshot { registered, store: store_view, outbox, cleaned: BTreeSet::new(), now })
    }

    async fn repair(&mut self, repair: &Repair) -> anyhow::Result<()> {
        let context = &self.context;
        match repair {
            Repair::CopyVerdict(batch_id) => {
                if let Some((_, receipt)) = context.warehouse.verdict(batch_id).await? {
                    tracing::warn!(batch.id = %batch_id, "repair: `{batch_id}` has a verdict that the store lacks");
                    copy_verdict(context, &receipt).await?;
                    context.ring_relay();
                }
            }
            Repair::WriteStateLost(batch_id) => {
                tracing::error!(batch.id = %batch_id, "repair: the state store lost `{batch_id}`");
                context.warehouse.publish(&state_lost(batch_id, context)).await?;
            }
            Repair::AnnounceAgain(batch_id) => {
                if let Some((_, receipt)) = context.warehouse.verdict(batch_id).await? {
                    let event = CloudEvent::batch_ended(&receipt, &batch_id.to_string());
                    let payload = serde_json::to_string(&event)?;
                    context.store.put_event(&event.id, &payload, context.wall_clock()).await?;
                    context.ring_relay();
                }
            }
            Repair::DropStaged(batch_id) => {
                clean_up(context, batch_id).await.map_err(anyhow::Error::msg)?;
            }
            Repair::Forget(batch_id) => {
                context.store.forget(batch_id).await?;
            }
        }
        Ok(())
    }
}

/// How two looks at a store differ, if it lost something in between.
fn loss(known: &StoreIdentity, seen: &StoreIdentity) -> Option<String> {
    if known.store_id != seen.store_id {
        return Some(format!("it was {}, now it is {}", known.store_id, seen.store_id));
    }
    (seen.writes < known.writes)
        .then(|| format!("it had {} writes, now it has {}", known.writes, seen.writes))
}

fn state_lost(batch_id: &BatchId, context: &Context) -> PublishRequest {
    let closing = Closing {
        mode: Mode::Discard,
        reason: CloseReason::StateLost,
        min_coverage: context.defaults.min_coverage,
        whole_slate: false,
        closed_at: context.wall_clock(),
    };
    let head = PublicationHead { batch_id: batch_id.clone(), slate: batch_id.slate(), wanted: Vec::new() };
    PublishRequest {
        head,
        run_mode: RunMode::Overnight,
        closing,
        rows: Vec::new(),
        outcomes: Vec::new(),
        health: None,
        now: context.now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_id_or_fewer_writes_are_a_loss() {
        let seen = |id: &str, writes| StoreIdentity { store_id: id.to_owned(), writes, warehouse_id: None };
        for (known, now, lost) in [
            (seen("a", 5), seen("a", 5), false),
            (seen("a", 5), seen("a", 9), false),
            (seen("a", 5), seen("a", 4), true),
            (seen("a", 5), seen("b", 9), true),
        ] {
            assert_eq!(loss(&known, &now).is_some(), lost, "{known:?} {now:?}");
        }
    }
}
