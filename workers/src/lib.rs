//! Workers: job in, rows out, however many of them and whatever happens to one.
//!
//! # Problem
//! The predecessor's workers were push endpoints: a player that failed was delivered again without end (incidents 4, 5,
//! 42), retries were nested (43), twenty writers contended for one table until more than half of a night was lost (33).
//!
//! # What is promised
//! 1. Every claimed job is answered: with an outcome, as a failure the store counts, or given back. A refusal by a gate
//!    or a row check is an outcome, never a retry.
//! 2. A job that panics or hangs costs its own attempts; its neighbours, the worker and the pool go on.
//! 3. An answer depends on the job, the pinned models and the rules: not on the chunk, the worker or the clock.
//! 4. Workers write to nobody but the state store, in one atomic step per chunk, and repeat a call in one place only.
//! 5. A pool that should have n workers has n, unless it says why not.
//!
//! # The parts
//! ```text
//! PoolHandle ──messages──> pool ──keeps alive──> worker (actor) ──one chunk──> thread: predictor
//!                                                  │   ^                          │ gates, models, row checks
//!                                                  v   └────────── results ───────┘
//!                                             state store: claim, renew, complete, give back
//! ```
//! Decisions about time are [`protocol::worker`]'s, decisions about players are `rules`'; here they are carried out.
//! Read in this order: [`predict`] (one chunk, pure), [`mod@predictor`] (the seam, and isolation), [`thread`], `worker`,
//! `pool` behind [`PoolHandle`]; [`shelf`] holds the models across reloads.
//!
//! # What it does not know
//! Tables, HTTP, files, configuration. A worker process needs the state store and model files, nothing else.

pub mod auto;
mod budget;
mod calls;
mod clock;
mod context;
#[cfg(feature = "faults")]
pub mod fault;
mod handle;
mod pool;
pub mod predict;
pub mod predictor;
pub mod shelf;
mod status;
pub mod thread;
mod worker;

pub use auto::{AutoRange, Backlog, auto_size};
pub use context::{MAX_ABANDONED_THREADS, OnClosed, WorkerContext};
pub use handle::{DrainReport, MAX_WORKERS, PoolError, PoolHandle, PoolSize, start_pool};
pub use predict::{Rulebook, predict_chunk};
pub use predictor::{ModelPredictor, Predictor, PredictorError, SharedPredictor, Task, predictor};
pub use shelf::{ModelSet, ModelShelf};
pub use status::{PoolStatus, WorkerStatus};
pub use worker::WorkerExit;
