//! The `OutboxRelay`: delivers what was committed with a state, at least once.
//!
//! The sink of an end event is the warehouse's `announced_at` and the log; export and webhooks will join it.
//! A delivery is tried ten times with backoff, then it is a dead letter, which the log names and `GET /dead-letters` shows.

use std::sync::Arc;
use std::time::Duration;

use protocol::backoff::full_jitter;

use super::context::Context;

/// How often the outbox is looked at when nobody rings.
const EVERY: Duration = Duration::from_secs(1);

/// Events delivered in one round; what waits is delivered in the next.
const ROUND: usize = 100;

/// Runs until the instance stops.
pub(crate) async fn run(context: Arc<Context>) {
    loop {
        if let Err(error) = deliver_round(&context).await {
            tracing::warn!(%error, "the outbox waits for the state store");
        }
        tokio::select! {
            () = context.relay_rung() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn deliver_round(context: &Context) -> Result<(), state::StoreError> {
    let now = context.wall_clock();
    for event in context.store.outbox_due(ROUND, now).await? {
        let Some(batch_id) = event.id.strip_suffix("/end").and_then(|id| id.parse().ok()) else {
            context.store.outbox_failed(&event.id, "no sink knows this event", now).await?;
            continue;
        };
        match context.warehouse.announced(&batch_id, context.now()).await {
            Ok(()) => {
                context.store.outbox_delivered(&event.id).await?;
                tracing::info!(event.id = %event.id, "announced the end of `{batch_id}`");
            }
            Err(error) => {
                let retry_at = now + full_jitter(event.attempts + 3, context.random() as u64);
                let dead = context.store.outbox_failed(&event.id, &error.to_string(), retry_at).await?;
                tracing::warn!(event.id = %event.id, %error, dead, "the end of `{batch_id}` was not announced");
            }
        }
    }
    Ok(())
}
