//! Supervisor, finalizer, REST and the command line of Tipoff.
//!
//! The only crate that knows HTTP servers and command lines, and the only one that sees everybody else.
//!
//! - [`config`]: four layers, resolved and validated once.

pub mod config;
