//! The store's operations from outside: scenarios whose whole state is read, and random sequences whose
//! invariants hold after every step.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

mod incidents;
mod invariants;
mod scenario;
mod supervisor;

use proto::{BatchId, Code, JobId, LeaseId, OpenerToken, TicketId, WorkerId};
use protocol::model::Model;
use protocol::ops::{Chunk, Claim, Claimed, Completion, NewJob, OpenBatch};
use protocol::{Millis, PROTOCOL_VERSION, Timing};

pub(crate) const TOKEN: OpenerToken = OpenerToken::from_random(1);

pub(crate) fn batch_id(seconds: i64) -> BatchId {
    BatchId::new("2026-01-23".parse().unwrap(), seconds)
}

pub(crate) fn lease(n: u128) -> LeaseId {
    LeaseId::from_random(n)
}

pub(crate) fn ticket(n: u128) -> TicketId {
    TicketId::from_random(n)
}

pub(crate) fn job_id(n: u32) -> JobId {
    format!("player{n}@20260123_BOS_NYK").parse().unwrap()
}

pub(crate) fn new_job(n: u32) -> NewJob {
    NewJob { id: job_id(n), payload: vec![n as u8] }
}

pub(crate) fn open_request(id: &BatchId) -> OpenBatch {
    OpenBatch {
        batch_id: id.clone(),
        token: TOKEN,
        timing: Timing::default(),
        finish_by_ms: 600_000,
        min_coverage: 0.5,
        whole_slate: true,
        contract_version: "v1".into(),
        pins: Vec::new(),
        request: "{}".into(),
    }
}

pub(crate) fn claim(n: u128, max_jobs: usize) -> Claim {
    Claim {
        lease: lease(n),
        worker: WorkerId::from_random(9),
        protocol_version: PROTOCOL_VERSION,
        serves: Vec::new(),
        max_jobs,
    }
}

pub(crate) fn predicted(seq: u32) -> Completion {
    Completion { seq, code: Code::Predicted, num_rows: 3, body: vec![7], digest: format!("d{seq}") }
}

pub(crate) fn ended(seq: u32, code: Code) -> Completion {
    Completion { seq, code, num_rows: 0, body: vec![7], digest: format!("d{seq}") }
}

/// A store with one running batch of `jobs` jobs, opened and sealed at `now`.
pub(crate) fn running(jobs: u32, now: Millis) -> (Model, BatchId) {
    let mut model = Model::new("test");
    let id = batch_id(1);
    model.open(&open_request(&id), now);
    let all: Vec<_> = (0..jobs).map(new_job).collect();
    for page in all.chunks(500) {
        model.add_jobs(&id, &TOKEN, page, now);
    }
    assert_eq!(model.seal(&id, &TOKEN, 1, u64::from(jobs), now), protocol::ops::Sealed::Sealed);
    (model, id)
}

pub(crate) fn chunk(model: &mut Model, n: u128, max_jobs: usize, now: Millis) -> Chunk {
    match model.claim(&claim(n, max_jobs), now) {
        Claimed::Chunk(chunk) => chunk,
        nothing @ Claimed::Nothing { .. } => panic!("expected a chunk, got {nothing:?}"),
    }
}
