//! The phases around prediction: what goes in before a batch, and what a slate then has and lacks.
//!
//! This crate knows no SQL, no HTTP server and no command line: tables are the warehouse's, decisions are `rules`'.
//!
//! Read in this order: [`ingest`] (files become rows, each refusal with its reason), [`names`] (who is quoted),
//! [`features`] (rows become what models read, strictly before the date), [`slate`] (is it enough to start), [`sources`]
//! (where files come from by themselves), [`coverage`] (what there is of each day), [`backfill`] (what is to be done for days
//! that are over), [`stages`] (one of them again, by hand), [`simulate`] (days that look real).

pub mod backfill;
pub mod coverage;
mod error;
pub mod features;
pub mod ingest;
pub mod names;
mod season;
pub mod simulate;
pub mod slate;
pub mod sources;
pub mod stages;

pub use error::{Error, Result};
