//! Named points at which a process can be made to kill itself, for tests of what a crash leaves behind.
//!
//! Only with the cargo feature `crash-points`, which release builds never have: `TIPOFF_CRASH_AT=state.seal.after` kills
//! the process with SIGKILL when it gets there, `TIPOFF_CRASH_AT=state.complete.before#3` at the third time.

/// Every point that [`BatchStore`](crate::BatchStore) calls pass, in the order of a batch's life.
pub const POINTS: [&str; 14] = [
    "state.open.before",
    "state.open.after",
    "state.add_jobs.before",
    "state.add_jobs.after",
    "state.seal.before",
    "state.seal.after",
    "state.complete.before",
    "state.complete.after",
    "state.close.before",
    "state.close.after",
    "state.drain.before",
    "state.drain.after",
    "state.end.before",
    "state.end.after",
];

/// Does nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn point(_name: &str) {}

#[cfg(feature = "crash-points")]
pub use armed::{CrashingStore, point};

#[cfg(feature = "crash-points")]
#[path = "crash_armed.rs"]
mod armed;
