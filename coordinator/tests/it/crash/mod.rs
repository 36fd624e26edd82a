//! The real binary, killed: at every named instruction, and in the ways a night kills it.
//!
//! Needs the cargo features `crash-points` and `faults`, which release builds never have; `scripts/test` runs with
//! all features.

mod points;
mod process;
