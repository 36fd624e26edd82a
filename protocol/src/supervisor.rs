//! The supervisor's repairs as a plan: compare what the store and the warehouse say, name the next steps.
//!
//! Every step is safe to run twice and is checked again where it is done, so any instance may run any plan at any
//! time. The warehouse is read *before* the store: a batch is claimed in the store before it is registered, so a
//! registered batch that the store does not know afterwards was really lost.

use std::collections::BTreeSet;

use proto::BatchId;

use crate::Millis;
use crate::batch::BatchState;
use crate::ops::BatchView;

/// Ended batches stay in the store for seven days after their event was delivered.
pub const RETENTION_MS: Millis = 7 * 24 * 3_600 * 1_000;

/// A batch as the warehouse knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The batch.
    pub batch_id: BatchId,
    /// True when a verdict stands.
    pub has_verdict: bool,
    /// True when its end was announced to every sink.
    pub announced: bool,
}

/// What a pass of the supervisor knows.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// From the warehouse, read first: batches without a verdict, and those not announced yet.
    pub registered: Vec<Registered>,
    /// From the store, read after it: every batch it knows.
    pub store: Vec<BatchView>,
    /// From the store: ids of events that wait or were given up.
    pub outbox: BTreeSet<String>,
    /// Ended batches whose staged rows this instance has dropped already.
    pub cleaned: BTreeSet<BatchId>,
    /// The store's clock.
    pub now: Millis,
}

/// One repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// The warehouse has a verdict, the store thinks the batch is open: copy it.
    CopyVerdict(BatchId),
    /// The warehouse has it open, a store that answers does not know it: `failed(state_lost)`.
    WriteStateLost(BatchId),
    /// It ended and nobody was told: put the event into the outbox again.
    AnnounceAgain(BatchId),
    /// It ended: read the verdict back and drop staged rows.
    DropStaged(BatchId),
    /// It ended long ago and was announced: forget it.
    Forget(BatchId),
}

/// The repairs that a snapshot calls for, in order.
pub fn plan(snapshot: &Snapshot) -> Vec<Repair> {
    let mut repairs = Vec::new();
    for registered in &snapshot.registered {
        let known = snapshot.store.iter().find(|batch| batch.batch_id == registered.batch_id);
        let waiting = snapshot.outbox.contains(&format!("{}/end", registered.batch_id));
        let batch_id = registered.batch_id.clone();
        match (registered.has_verdict, known) {
            (true, Some(batch)) if batch.state.is_open() => repairs.push(Repair::CopyVerdict(batch_id)),
            (true, _) if !registered.announced && !waiting => repairs.push(Repair::AnnounceAgain(batch_id)),
            (false, None) => repairs.push(Repair::WriteStateLost(batch_id)),
            _ => {}
        }
    }
    for batch in &snapshot.store {
        let BatchState::Ended(_) = batch.state else { continue };
        let waiting = snapshot.outbox.contains(&format!("{}/end", batch.batch_id));
        let unannounced = snapshot.registered.iter().any(|r| r.batch_id == batch.batch_id && !r.announced);
        if snapshot.now - batch.updated_at > RETENTION_MS && !waiting && !unannounced {
            repairs.push(Repair::Forget(batch.batch_id.clone()));
        } else if batch.total > 0 && !snapshot.cleaned.contains(&batch.batch_id) {
            repairs.push(Repair::DropStaged(batch.batch_id.clone()));
        }
    }
    repairs
}
