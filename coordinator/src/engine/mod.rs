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
mod instance;
mod relay;
mod reload;
mod supervisor;
mod watch;

pub use context::{BatchDefaults, Bells, Context, ContextParts};
pub use instance::{Instance, run};
