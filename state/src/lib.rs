//! Batch state: one trait, three stores, one conformance suite.
