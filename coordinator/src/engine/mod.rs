//! The actors of an instance and what they share: a supervisor, finalizers, the outbox relay.
//!
//! ```text
//! Supervisor ──every sweep──> store.sweep, repairs ──need finalizer──> Finalizer (one per closing batch)
//!     ^  ^                                                                  │ ticket, drain, gather, verdict, end
//!     │  └── doorbell: a batch was closed here ── workers, operators        │
//!     └───────────────────────── stopped ──────────────────────────────────┘──> outbox ──> relay
//!
//! POST /events, watcher ──> open run ──> Follower ──slate free──> start, only: changed
//! ```

mod context;
mod finalizer;
mod follower;
mod gather;
mod health;
mod instance;
mod relay;
mod reload;
mod supervisor;
mod watch;

pub use context::{BatchDefaults, Bells, Context, ContextParts, LateSettings};
pub use follower::Follower;
pub use instance::{Instance, run};
