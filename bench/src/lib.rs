//! Criterion benches, the fault simulator, and peers.
