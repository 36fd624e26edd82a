//! The crate's integration tests: one binary.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

mod bench;
mod faults;
mod flaky;
mod isolation;
mod pool;
mod predict;
mod samples;
mod shelf;
mod store_faults;
