//! Integration tests of the coordinator: one binary, a module per topic.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

mod batches;
mod cli;
#[cfg(all(feature = "crash-points", feature = "faults"))]
mod crash;
mod late;
mod rest;
mod server;
mod tidy;
mod world;
