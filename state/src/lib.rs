//! Batch state: one trait, three stores, one conformance suite.
//!
//! # Problem
//! An open batch must survive whatever happens to the processes that work on it, and every instance must give the
//! same answer about it. The predecessor kept it in one process's memory, then in two documents that were written
//! one after the other; both forms stalled nights (incidents 1, 3, 11).
//!
//! # What is promised
//! [`BatchStore`] has the operations of [`protocol::model::Model`], one for one, and gives its answers. Each is one
//! atomic step, checks everything before it changes anything, and may be repeated after a lost answer. The stores
//! differ only in what they survive:
//!
//! | store | survives SIGKILL | survives a power loss | several processes |
//! |---|---|---|---|
//! | [`memory`] | no | no | no |
//! | [`sqlite`] | everything | all but the last steps that wait for no disk; each is made good | on one machine |
//! | [`mod@redis`] | everything | what Redis' persistence kept: the open batch comes back as it was then | yes |
//!
//! The differential test holds SQL and Lua to the model: same answers, same rendered state.
//!
//! # What it does not know
//! Predictions, lines, players: jobs and results are bytes. It decides nothing that `protocol` has not decided.
//!
//! Read in this order: [`store`] (the contract), [`memory`], [`sqlite`], [`mod@redis`]; [`url`](StateUrl) and
//! [`open`](fn@open) choose one of them.

pub mod bench;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod crash;
mod error;
pub mod memory;
mod open;
mod record;
pub mod redis;
pub mod sqlite;
pub mod store;
mod url;

pub use self::redis::RedisStore;
pub use self::sqlite::SqliteStore;
pub use bench::{BenchReport, bench_jobs};
pub use error::{Result, StoreError};
pub use memory::MemoryStore;
pub use open::{Clock, OpenOptions, open};
pub use store::{BatchStore, Paired, Withdrawn};
pub use url::{StateUrl, StateUrlError};
