//! Supervisor, finalizer, REST and the command line of Tipoff.
//!
//! The only crate that knows HTTP servers and command lines, and the only one that sees everybody else.
//!
//! - [`clock`]: the time of the world.
//! - [`config`]: four layers, resolved and validated once.
//! - [`engine`]: the actors, and what the parts of one instance share.
//! - [`service`]: what an operator can ask for, without HTTP.
//! - [`rest`]: the same over HTTP.
//! - [`cli`]: the same for people and scripts.

pub mod cli;
pub mod clock;
pub mod config;
mod cores;
pub mod engine;
pub mod rest;
pub mod service;
