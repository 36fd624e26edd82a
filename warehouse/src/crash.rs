//! Named instructions at which a test can kill the process, to prove that a crash there changes nothing.
//!
//! Without the feature `crash-points` every call compiles to nothing; release builds never have the feature.

/// The names of this crate's crash points, in the order in which a batch meets them.
pub const POINTS: [&str; 8] = [
    "register.before_commit",
    "register.after_commit",
    "verdict.loaded",
    "verdict.begun",
    "verdict.superseded",
    "verdict.inserted",
    "verdict.before_commit",
    "verdict.after_commit",
];

/// Dies here, without destructors or flushes, if `TIPOFF_CRASH_AT` names this point.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    if std::env::var("TIPOFF_CRASH_AT").is_ok_and(|wanted| wanted == name) {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn point(_name: &str) {}
