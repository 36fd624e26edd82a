//! The domain's decisions as pure functions: same facts in, same answer out, on every machine.
//!
//! The predecessor decided in many places: five recommendation rules, four definitions of a missing feature, gates
//! that let everything through when a query failed. Here each decision is one function with a table of tests, it
//! performs no I/O and reads no clock, and a fact that is missing refuses (incident 86: *fail closed*).
//!
//! Read in this order: [`mod@contract`], [`quality`] and [`columns`] (how good are the features), [`aliases`] (who is quoted),
//! [`lines`] (which quotes count, which one is chosen), [`line_features`] (what the models see of them),
//! [`gate`] (may this job run, and how did it end), [`mod@recommend`], [`fn@worth`] and [`row`] (what a row says),
//! [`inputs`] (did anything change), [`staleness`] (are rosters and injuries new enough), [`findings`] (how good is the slate), [`mod@evaluate`] (how good were the answers), [`promotion`] (may a model be champion).

pub mod aliases;
pub mod columns;
pub mod contract;
pub mod evaluate;
pub mod findings;
pub mod gate;
pub mod injury;
pub mod inputs;
pub mod line_features;
pub mod lines;
mod odds;
pub mod promotion;
pub mod quality;
pub mod recommend;
pub mod row;
pub mod staleness;
mod worth;

pub use contract::contract;
pub use quality::Quality;
pub use recommend::{RecommendPolicy, recommend};
pub use worth::{Worth, worth};
