//! Commands that open the stores themselves: files in, tables out, and the server.

pub(crate) mod backfill;
pub(crate) mod bench;
mod bench_batch;
mod bench_inference;
pub(crate) mod coverage;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod features;
pub(crate) mod ingest;
pub(crate) mod ledger;
pub(crate) mod models;
pub(crate) mod names;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod slate;
pub(crate) mod sources;
pub(crate) mod sql;
pub(crate) mod tables;
