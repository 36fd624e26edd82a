//! The actors of an instance and what they share: a supervisor, finalizers, the outbox relay.
//!
//! ```text
//! Supervisor ──every sweep──> store.sweep, repairs ──need finalizer──> Finalizer (one per closing batch)
//!     ^  ^                                                                  │ ticket, drain, gather, verdict, end
//!     │  └── doorbell: a batch was closed here ── workers, operators        │
//!     └───────────────────────── stopped ──────────────────────────────────┘──> outbox ──> relay
//! ```

mod context;
mod finalizer;
mod gather;
mod health;
mod relay;
mod supervisor;
mod watch;

use std::sync::Arc;

pub use context::{BatchDefaults, Bells, Context, ContextParts};

/// The actors of an instance; dropping it stops nothing, the runtime's end does.
#[derive(Debug, Clone, Copy)]
pub struct Engine;

impl Engine {
    /// Starts supervisor and relay on the current actor system. Shutdown needs no goodbye: whatever they were doing
    /// is done again by the next process, so stopping the runtime is a correct stop.
    pub fn start(context: Arc<Context>, bells: Bells) -> Self {
        supervisor::Supervisor::start_with(Arc::clone(&context), bells);
        tokio::spawn(relay::run(context));
        Self
    }
}
