//! The phases around prediction: ingest, features, simulate.
