//! The vocabulary of Tipoff: what every crate means when it says *game*, *line*, *outcome* or *row*.
//!
//! The predecessor passed untyped JSON and strings between its parts; two spellings of one key stopped an
//! export for a day (incident 46), two forms of a game id gave empty joins (65), five normalisers gave silent
//! zero-row joins (63, 64). Here each id has one type with one parser, and unknown shapes are refused at the edge.
//!
//! This crate performs no I/O, reads no clock and draws no random numbers: instants and random bits are passed in.
//!
//! Read in this order: [`ids`], [`names`], [`game`], [`market`], [`mod@line`], [`price`] (what things are called);
//! [`code`], [`outcome`] (how a job ends and why); [`quote`], [`features`], [`job`], [`row`] (what flows through a
//! worker); [`verdict`] (how a batch ends); [`tables`] (rows of the warehouse); [`event`], [`api`] (what leaves);
//! [`trigger`] (what comes in).

pub mod api;
pub mod code;
pub mod codec;
pub mod event;
pub mod features;
pub mod game;
mod hash;
pub mod ids;
mod instant;
pub mod job;
pub mod league_time;
pub mod line;
pub mod market;
pub mod names;
pub mod outcome;
pub mod price;
pub mod quote;
pub mod row;
pub mod sha256;
pub mod tables;
mod text;
pub mod trigger;
pub mod verdict;

pub use code::{Code, CodeNote, Severity};
pub use features::{Feature, FeatureSource, FeatureVector};
pub use game::{GameKey, GameStatus, LeagueGameId, SeasonPhase, TeamCode};
pub use ids::{BatchId, InstanceId, LeaseId, OpenerToken, Slate, Sport, SystemId, TicketId, WorkerId};
pub use job::{InjuryStatus, Job, JobId, RunMode};
pub use line::Line;
pub use market::Market;
pub use names::{PlayerLookup, PlayerName};
pub use outcome::{Outcome, OutcomeKind};
pub use price::Price;
pub use quote::{Quote, QuoteTag};
pub use row::{Basis, ModelPin, PredictionIds, PredictionRow, Recommendation, Role, RowKey};
pub use sha256::Sha256;
pub use text::{ParseError, Text};
pub use verdict::{EndState, Receipt, Verdict};
