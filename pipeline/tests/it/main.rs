//! What ingest, features and the simulator promise, each against a fresh warehouse.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise
#![allow(clippy::print_stderr)] // what was measured or skipped is for whoever runs the tests

mod bad_input;
mod counting;
mod export;
mod facts;
mod feature_incidents;
mod features;
mod fixtures;
mod hostile;
mod later_data;
mod lines;
mod odds;
mod past;
mod real;
mod runs;
mod simulator;
mod sources;
mod stages;
