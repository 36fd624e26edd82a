//! Measuring Tipoff against its budgets and against other people's systems.
//!
//! What is measured here so far runs the real binary from outside, so it is scripts and not Rust: `batch` times whole
//! batches, `peers/` gives the same empty jobs to BullMQ and Celery on the same Redis. Numbers and commands stand in
//! `docs/benchmarks.md`. Benches of single functions come here when a budget asks for one.
