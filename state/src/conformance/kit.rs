//! Short ways to say what scenarios say all the time.

use proto::{BatchId, Code, LeaseId, Market, ModelPin, OpenerToken, TicketId, WorkerId};
use protocol::ops::{
    BatchView, Chunk, Claim, Claimed, Completion, CompletionAnswer, GiveBack, GiveBackHow, NewJob, OpenBatch,
    Opened, Sealed, Swept,
};
use protocol::{Millis, PROTOCOL_VERSION, Timing};

use crate::BatchStore;

/// When scenarios begin.
pub const T0: Millis = 1_769_180_406_000;

/// Lease length of [`request`].
pub const LEASE: Millis = 10_000;

/// The `n`-th batch of the first slate.
pub fn batch(n: i64) -> BatchId {
    format!("batch_2026-01-23_{}", 1_769_180_406 + n).parse().unwrap()
}

/// A batch of another slate.
pub fn other_slate(day: u32) -> BatchId {
    format!("batch_2026-02-{day:02}_1769180406").parse().unwrap()
}

/// An opener.
pub fn token(n: u128) -> OpenerToken {
    OpenerToken::from_random(n)
}

/// A claim's lease.
pub fn lease(n: u128) -> LeaseId {
    LeaseId::from_random(n)
}

/// A finalizer.
pub fn ticket(n: u128) -> TicketId {
    TicketId::from_random(n)
}

/// A pinned model.
pub fn pin(system: &str) -> ModelPin {
    ModelPin { system_id: system.parse().unwrap(), market: Market::points(), sha256: "5a".repeat(32) }
}

/// A request to open, with finish-by after ten minutes.
pub fn request(batch_id: &BatchId, opener: u128) -> OpenBatch {
    OpenBatch {
        batch_id: batch_id.clone(),
        token: token(opener),
        timing: Timing::from_lease(LEASE),
        finish_by_ms: 600_000,
        min_coverage: 0.5,
        whole_slate: true,
        contract_version: "v3".to_owned(),
        pins: vec![pin("formula")],
        request: r#"{"game_date":"2026-01-23"}"#.to_owned(),
    }
}

/// The `n`-th job.
pub fn job(n: usize) -> NewJob {
    NewJob { id: format!("player{n}@20260123_LAL_BOS").parse().unwrap(), payload: vec![1, n as u8] }
}

/// Jobs `0..n`.
pub fn jobs(n: usize) -> Vec<NewJob> {
    (0..n).map(job).collect()
}

/// Opens, fills and seals a batch at [`T0`].
pub async fn running(store: &dyn BatchStore, batch_id: &BatchId, num_jobs: usize) {
    running_as(store, request(batch_id, 1), num_jobs, T0).await;
}

/// Opens, fills and seals a batch.
pub async fn running_as(store: &dyn BatchStore, request: OpenBatch, num_jobs: usize, now: Millis) {
    assert_eq!(store.open(&request, now).await.unwrap(), Opened::Opened);
    for chunk in jobs(num_jobs).chunks(500) {
        store.add_jobs(&request.batch_id, &request.token, chunk, now).await.unwrap();
    }
    let sealed = store.seal(&request.batch_id, &request.token, 1, num_jobs as u64, now).await.unwrap();
    assert_eq!(sealed, Sealed::Sealed);
}

/// A claim by a worker that serves everything.
pub fn claim_request(lease_no: u128, max_jobs: usize) -> Claim {
    Claim {
        lease: lease(lease_no),
        worker: WorkerId::from_random(lease_no + 1_000),
        protocol_version: PROTOCOL_VERSION,
        serves: vec![pin("formula"), pin("other")],
        max_jobs,
    }
}

/// Claims; no chunk is no surprise.
pub async fn try_claim(
    store: &dyn BatchStore,
    lease_no: u128,
    max_jobs: usize,
    now: Millis,
) -> Option<Chunk> {
    match store.claim(&claim_request(lease_no, max_jobs), now).await.unwrap() {
        Claimed::Chunk(chunk) => Some(chunk),
        Claimed::Nothing { .. } => None,
    }
}

/// Claims and returns the numbers handed out.
pub async fn claim(store: &dyn BatchStore, lease_no: u128, max_jobs: usize, now: Millis) -> Vec<u32> {
    try_claim(store, lease_no, max_jobs, now).await.map(|chunk| numbers(&chunk)).unwrap_or_default()
}

/// Job numbers of a chunk.
pub fn numbers(chunk: &Chunk) -> Vec<u32> {
    chunk.jobs.iter().map(|job| job.seq).collect()
}

/// A result with two rows.
pub fn done(seq: u32, code: Code) -> Completion {
    let num_rows = if code == Code::Predicted { 2 } else { 0 };
    Completion { seq, code, num_rows, body: vec![9, seq as u8, 0, 10], digest: format!("digest-{seq}") }
}

/// Completes with one code.
pub async fn complete(
    store: &dyn BatchStore,
    batch_id: &BatchId,
    lease_no: u128,
    seqs: &[u32],
    code: Code,
    now: Millis,
) -> (Vec<CompletionAnswer>, bool) {
    let items: Vec<_> = seqs.iter().map(|seq| done(*seq, code)).collect();
    let completed = store.complete(batch_id, &lease(lease_no), &items, now).await.unwrap();
    (completed.answers, completed.closed_batch)
}

/// A job that failed.
pub fn retry(seq: u32, delay_ms: Millis) -> GiveBack {
    GiveBack {
        seq,
        how: GiveBackHow::Retry { code: Code::Error, error: "it broke: «α»".to_owned(), delay_ms },
    }
}

/// A job whose thread hung.
pub fn hang(seq: u32) -> GiveBack {
    GiveBack { seq, how: GiveBackHow::Hang { delay_ms: 0 } }
}

/// A job that comes back unharmed.
pub fn release(seq: u32) -> GiveBack {
    GiveBack { seq, how: GiveBackHow::Release }
}

/// Sweeps everything that is due.
pub async fn sweep(store: &dyn BatchStore, now: Millis) -> Swept {
    store.sweep(LEASE, &[], 1_000, now).await.unwrap()
}

/// The view of a batch that exists.
pub async fn view(store: &dyn BatchStore, batch_id: &BatchId) -> BatchView {
    store.batch(batch_id).await.unwrap().unwrap()
}

/// The texts of a batch's log.
pub async fn log(store: &dyn BatchStore, batch_id: &BatchId) -> Vec<String> {
    store.log(batch_id).await.unwrap().into_iter().map(|entry| entry.text).collect()
}

/// `(total, queued, leased, done)`; they must add up.
pub async fn places(store: &dyn BatchStore, batch_id: &BatchId) -> (u64, u64, u64, u64) {
    let view = view(store, batch_id).await;
    let done = view.jobs.total();
    assert_eq!(view.total, view.queued + view.leased + done, "every job is in one place");
    assert_eq!(
        view.reasons.iter().map(|(_, n)| n).sum::<u64>(),
        done,
        "reasons are the outcomes, told apart"
    );
    (view.total, view.queued, view.leased, done)
}
