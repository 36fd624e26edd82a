//! Whole batches through the service: from a simulated day to published rows, and what operators do meanwhile.

mod incidents;
mod life;
mod lost_answers;
mod models;
mod operators;
mod roles;
mod zombie;
