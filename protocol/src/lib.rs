//! The batch protocol without I/O: both machines, the store's operations, the verdict, and the three parties
//! that act (worker, finalizer, supervisor) as `step(event, now) -> actions`.
//!
//! # Problem
//! A batch of some hundred jobs has to end, once, whatever is killed meanwhile. The predecessor kept the batch in
//! one process's memory, counted completions beside the work, and finalized in three steps; it stalled at 95 %.
//!
//! # What is promised
//! 1. Every job ends in exactly one of six outcomes; one function ([`model::Model`]'s `end_job`) ends a job and
//!    every path calls it.
//! 2. `total = queued + leased + done` at every instant: places, not counters.
//! 3. Every operation may be repeated after a lost answer and gets the first one.
//! 4. An open batch ends: by its last job, its finish-by, an operator, or the lapse of its opener.
//! 5. The end is the verdict of [`verdict::decide`], written once in the warehouse; the store copies it.
//!
//! # Order of events
//! ```text
//! filling ──seal(n)──> running ──close(reason, publish | discard)──> finalizing ──end(verdict)──> ended
//!    └──────── close(never_sealed | reset, discard) ────────────────────^
//!
//! Queued ──claim──> Leased ──complete──> Done(outcome, reason)
//!   ^                 │  expire / retryable failure, attempts < max, backoff; from then on claimed alone
//!   └─────────────────┘  attempts = max, drain ──> Done(...)
//! ```
//!
//! [`model::Model`] *is* the in-memory store; the SQLite and Redis stores are held to it by a differential test.
//! Time is a number of milliseconds that is passed in; nothing here reads a clock or draws a random number.

pub mod backoff;
pub mod batch;
pub mod finalizer;
pub mod model;
pub mod ops;
pub mod render;
pub mod supervisor;
pub mod timing;
pub mod verdict;
pub mod worker;

pub use batch::{BatchEvent, BatchState, CloseReason, Closing, IllegalTransition, Mode};
pub use timing::Timing;

/// Milliseconds since the Unix epoch, on the store's clock.
pub type Millis = i64;

/// Version of the conversation between workers and the store; a claim names it.
pub const PROTOCOL_VERSION: u32 = 1;

/// Jobs an opener adds, a claim hands out, or a drain ends in one call.
pub const MAX_ITEMS_PER_CALL: usize = 500;

/// Jobs of one batch.
pub const MAX_JOBS: usize = 100_000;

/// Bytes of staged rows of one job.
pub const MAX_STAGED_BYTES: usize = 64 * 1024;
