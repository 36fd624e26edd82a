//! The crate from outside: fixtures that others answered, hostile files, cards, registries.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod cards;
mod engines;
mod fixtures;
mod hostile;
mod registry;
mod roles;
mod zoo;
