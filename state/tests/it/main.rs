//! The stores as their users see them: one conformance suite for all, a differential test, faults of the real thing.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

mod conformance;
