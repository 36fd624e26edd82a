//! Scenarios of what happens by itself.

use std::sync::Arc;

use proto::Code;
use protocol::ops::{DueKey, Renewed, Swept};
use protocol::{BatchState, CloseReason};

use super::kit::{
    LEASE, T0, batch, claim, complete, lease, log, other_slate, places, request, running, running_as, sweep,
    ticket, try_claim, view,
};
use crate::BatchStore;

/// A killed worker's jobs are claimed again, one by one, and neighbours are not charged.
pub async fn a_lost_lease_waits_again_alone(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 5).await;
    sweep(&*store, T0).await;
    claim(&*store, 1, 3, T0).await;
    complete(&*store, &batch(0), 1, &[1], Code::Predicted, T0 + 1).await;
    assert_eq!(sweep(&*store, T0 + LEASE - 1).await, Swept::default());
    let swept = sweep(&*store, T0 + LEASE).await;
    assert_eq!(swept, Swept { requeued: 2, ..Swept::default() });
    assert_eq!(store.leases().await.unwrap(), []);
    assert_eq!(store.renew(&lease(1), T0 + LEASE).await.unwrap(), Renewed::Gone);
    let now = T0 + LEASE;
    assert_eq!(claim(&*store, 2, 9, now).await, [3, 4], "those that waited go first, together");
    for (lease_no, seq) in [(3, 0), (4, 2)] {
        let chunk = try_claim(&*store, lease_no, 9, now).await.unwrap();
        assert_eq!((chunk.jobs.len(), chunk.jobs[0].seq, chunk.jobs[0].attempts), (1, seq, 0));
    }
    assert_eq!(log(&*store, &batch(0)).await.last().unwrap(), "lease lost: 2 jobs wait again, 0 ended");
}

/// A job that kills whoever claims it ends by itself, and so does its batch.
pub async fn a_job_that_loses_every_lease_ends(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1).await;
    let mut now = T0;
    sweep(&*store, now).await;
    for (round, requeued) in [(1, 1), (2, 1), (3, 0)] {
        assert_eq!(claim(&*store, round, 9, now).await, [0]);
        now += LEASE;
        let swept = sweep(&*store, now).await;
        assert_eq!((swept.requeued, swept.ended), (requeued, 1 - requeued), "round {round}");
    }
    let seen = view(&*store, &batch(0)).await;
    assert_eq!((seen.state, seen.jobs.expired), (BatchState::Finalizing, 1));
    assert_eq!(seen.closing.unwrap().reason, CloseReason::AllDone);
    let staged = store.staged(&batch(0), 0, 9).await.unwrap();
    assert_eq!((staged[0].done.code, staged[0].done.attempts), (Code::Lease, 3));
    assert_eq!(staged[0].done.note, "its lease was lost 3 times while it was alone");
}

/// Lapsed openers and due batches are closed; a closed one asks for a finalizer until there is one.
pub async fn the_sweep_closes_what_is_due(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    let mut open = request(&other_slate(1), 1);
    open.finish_by_ms = 15_000;
    running_as(&*store, open, 1, T0).await;
    for at in [0, 9_000, 14_999] {
        assert_eq!(sweep(&*store, T0 + at).await, Swept::default());
    }
    let swept = sweep(&*store, T0 + 15_000).await;
    let closed = [(other_slate(1), CloseReason::FinishBy), (batch(0), CloseReason::NeverSealed)];
    assert_eq!(swept.closed, closed, "at one time by key: finish before opener");
    for _ in 0..2 {
        let swept = sweep(&*store, T0 + 15_001).await;
        assert_eq!(swept.need_finalizer, [batch(0), other_slate(1)]);
        assert_eq!(swept.closed, []);
    }
    store.take_ticket(&batch(0), &ticket(1), T0 + 15_002).await.unwrap();
    assert_eq!(sweep(&*store, T0 + 15_003).await.need_finalizer, [other_slate(1)]);
}

/// A finalizer that goes silent is replaced, and counted.
pub async fn a_lost_finalizer_is_a_strike(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1).await;
    store.close(&batch(0), CloseReason::FinishBy, None, T0).await.unwrap();
    store.take_ticket(&batch(0), &ticket(1), T0).await.unwrap();
    for at in [0, 8_000, 14_999] {
        assert_eq!(sweep(&*store, T0 + at).await.need_finalizer, []);
    }
    assert_eq!(sweep(&*store, T0 + 15_000).await.need_finalizer, [batch(0)]);
    let seen = view(&*store, &batch(0)).await;
    assert_eq!((seen.ticket, seen.strikes), (None, 1));
    assert_eq!(seen.last_error, "a finalizer was lost");
    sweep(&*store, T0 + 15_001).await;
    assert_eq!(view(&*store, &batch(0)).await.strikes, 1, "it was lost once");
    let renewed = store.renew_ticket(&batch(0), &ticket(1), T0 + 15_002).await.unwrap();
    assert_eq!(renewed, Renewed::Gone);
}

/// After an outage nobody could renew: no lease is lost for it, and no work.
pub async fn incident_51_after_an_outage_every_lease_gets_its_full_length(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 3).await;
    store.open(&request(&other_slate(1), 1), T0).await.unwrap();
    running(&*store, &other_slate(2), 1).await;
    store.close(&other_slate(2), CloseReason::FinishBy, None, T0).await.unwrap();
    store.take_ticket(&other_slate(2), &ticket(1), T0).await.unwrap();
    claim(&*store, 1, 2, T0).await;
    sweep(&*store, T0).await;
    let back = T0 + 45 * 3_600_000;
    store.patch(&batch(0), Some(46 * 3_600_000), None, back).await.unwrap();
    let swept = sweep(&*store, back).await;
    assert_eq!(swept, Swept { grace: true, ..Swept::default() });
    let held = &store.leases().await.unwrap()[0];
    assert_eq!((held.expires_at, held.deadline_at, held.held), (back + LEASE, back + LEASE, 2));
    assert_eq!(view(&*store, &other_slate(2)).await.ticket, Some((ticket(1), back + 15_000)));
    assert_eq!(sweep(&*store, back + LEASE - 1).await, Swept::default());
    complete(&*store, &batch(0), 1, &[0], Code::Predicted, back + LEASE - 1).await;
    let swept = sweep(&*store, back + LEASE).await;
    assert_eq!((swept.requeued, swept.grace), (1, false), "one full length, not more");
    let swept = sweep(&*store, back + 15_000).await;
    assert_eq!(swept.closed, [(other_slate(1), CloseReason::NeverSealed)]);
    assert_eq!(swept.need_finalizer, [other_slate(2)]);
    let back_in_time = sweep(&*store, T0).await;
    assert!(back_in_time.grace, "a clock that jumps back is an outage too");
}

/// If the store's clock stands still, what an instance has watched for its full length is due.
pub async fn a_frozen_clock_is_watched_from_outside(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 2).await;
    claim(&*store, 1, 1, T0).await;
    sweep(&*store, T0).await;
    let watched = store.due_index().await.unwrap();
    assert_eq!(watched[0], (DueKey::Lease(lease(1)), T0 + LEASE));
    store.renew(&lease(1), T0 + 1).await.unwrap();
    let swept = store.sweep(LEASE, &watched[..1], 9, T0 + 1).await.unwrap();
    assert_eq!(swept, Swept::default(), "it was renewed since");
    let watched = store.due_index().await.unwrap();
    let unknown = (DueKey::FinishBy(batch(7)), T0);
    let both = [watched[0].clone(), watched[0].clone(), unknown];
    let swept = store.sweep(LEASE, &both, 9, T0 + 1).await.unwrap();
    assert_eq!(swept, Swept { requeued: 1, ..Swept::default() });
    assert_eq!(places(&*store, &batch(0)).await, (2, 2, 0, 0));
}

/// One pass handles so many entries and says when there are more.
pub async fn a_pass_is_bounded(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 5).await;
    sweep(&*store, T0).await;
    for n in 0..5 {
        claim(&*store, n + 1, 1, T0 + n as i64).await;
    }
    let late = T0 + LEASE;
    let first = store.sweep(LEASE, &[], 2, late + 4).await.unwrap();
    assert_eq!((first.requeued, first.more, first.grace), (0, false, true), "grace comes first");
    let far = late + 4 + LEASE;
    let passes: Vec<_> = [
        store.sweep(LEASE, &[], 2, far).await.unwrap(),
        store.sweep(LEASE, &[], 2, far).await.unwrap(),
        store.sweep(LEASE, &[], 2, far).await.unwrap(),
        store.sweep(LEASE, &[], 2, far).await.unwrap(),
    ]
    .into_iter()
    .map(|swept| (swept.requeued, swept.more))
    .collect();
    assert_eq!(passes, [(2, true), (2, true), (1, false), (0, false)]);
}

/// The jobs of a lease that ran out after the close are the drain's.
pub async fn a_lease_of_a_closed_batch_just_goes(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 3).await;
    claim(&*store, 1, 2, T0).await;
    sweep(&*store, T0 + 5_000).await;
    store.close(&batch(0), CloseReason::FinishBy, None, T0 + 5_000).await.unwrap();
    store.take_ticket(&batch(0), &ticket(1), T0 + 5_000).await.unwrap();
    let swept = sweep(&*store, T0 + LEASE).await;
    assert_eq!((swept.requeued, swept.ended), (0, 0));
    assert_eq!(store.leases().await.unwrap(), []);
    assert_eq!(places(&*store, &batch(0)).await, (3, 1, 2, 0), "they are still with nobody's lease");
    store.drain(&batch(0), &ticket(1), 500, T0 + LEASE).await.unwrap();
    assert_eq!(places(&*store, &batch(0)).await, (3, 0, 0, 3));
}
