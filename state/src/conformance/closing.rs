//! Scenarios of operators and finalizers.

use std::sync::Arc;

use proto::{Code, EndState};
use protocol::batch::Mode;
use protocol::ops::{
    Claimed, Closed, CompletionAnswer, Drained, EndAnswer, Opened, Patched, Renewed, Ticket,
};
use protocol::{BatchState, CloseReason, Closing};

use super::kit::{
    T0, batch, claim, claim_request, complete, job, jobs, lease, log, places, request, running, running_as,
    sweep, ticket, token, view,
};
use crate::BatchStore;

fn closing(reason: CloseReason, min_coverage: f64, closed_at: i64) -> Closing {
    Closing { mode: reason.mode(), reason, min_coverage, whole_slate: true, closed_at }
}

/// Two of 104 never answered, for 79 minutes. Finish-by ends the batch, and the 102 stay.
pub async fn incident_01_a_batch_stuck_at_102_of_104_ends_with_what_it_has(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 104).await;
    let claimed = claim(&*store, 1, 102, T0).await;
    complete(&*store, &batch(0), 1, &claimed, Code::Predicted, T0 + 10).await;
    assert_eq!(claim(&*store, 2, 9, T0 + 20).await.len(), 2);
    sweep(&*store, T0 + 5_000).await;
    store.renew(&lease(2), T0 + 9_000).await.unwrap();
    store.patch(&batch(0), Some(12_000), None, T0 + 9_000).await.unwrap();
    let swept = sweep(&*store, T0 + 12_000).await;
    assert_eq!(swept.closed, [(batch(0), CloseReason::FinishBy)]);
    let granted = store.take_ticket(&batch(0), &ticket(1), T0 + 12_001).await.unwrap();
    assert!(matches!(granted, Ticket::Granted(grant) if grant.open == 2));
    let drained = store.drain(&batch(0), &ticket(1), 500, T0 + 12_002).await.unwrap();
    assert_eq!(drained, Drained::Drained { ended: 2, left: 0 });
    let view = view(&*store, &batch(0)).await;
    assert_eq!((view.jobs.predicted, view.jobs.expired, view.staged_rows), (102, 2, 204));
    assert_eq!(places(&*store, &batch(0)).await, (104, 0, 0, 104));
    assert_eq!(store.leases().await.unwrap(), []);
    let late = complete(&*store, &batch(0), 2, &[102], Code::Predicted, T0 + 13_000).await;
    assert_eq!(late.0, [CompletionAnswer::Closed], "a zombie is harmless");
}

/// Half the work is missing and no event will ever come: age alone closes the batch.
pub async fn incident_03_age_closes_a_batch_at_any_percentage(store: Arc<dyn BatchStore>) {
    for (n, share) in [0, 5, 9].into_iter().enumerate() {
        let now = T0 + n as i64 * 1_000;
        let id = batch(n as i64);
        let mut open = request(&id, 1);
        open.finish_by_ms = 100;
        running_as(&*store, open, 10, now).await;
        let lease_no = n as u128 + 1;
        let claimed = if share > 0 { claim(&*store, lease_no, share, now).await } else { Vec::new() };
        complete(&*store, &id, lease_no, &claimed, Code::Predicted, now + 1).await;
        assert_eq!(sweep(&*store, now + 99).await.closed, []);
        assert_eq!(sweep(&*store, now + 100).await.closed, [(id.clone(), CloseReason::FinishBy)]);
        assert_eq!(view(&*store, &id).await.jobs.predicted, share as u64, "progress is the staged jobs");
        store.end(&id, EndState::Failed, "{}", &format!("{id}/end"), "{}", now + 101).await.unwrap();
    }
}

/// Which close is legal in which state.
pub async fn closing_is_a_table(store: Arc<dyn BatchStore>) {
    let legal_while_filling = [CloseReason::NeverSealed, CloseReason::Reset];
    for (n, reason) in CloseReason::ALL.into_iter().enumerate() {
        let (filling, run) = (batch(n as i64), super::kit::other_slate(n as u32 + 1));
        store.open(&request(&filling, 1), T0).await.unwrap();
        running(&*store, &run, 1).await;
        let frozen = Closed::Finalizing(closing(reason, 0.25, T0 + 3));
        let expected = if legal_while_filling.contains(&reason) {
            frozen.clone()
        } else {
            Closed::Refused(BatchState::Filling)
        };
        let floor = if reason == CloseReason::Operator { Some(0.0) } else { Some(0.25) };
        let frozen = match frozen {
            Closed::Finalizing(closing) if reason == CloseReason::Operator => {
                Closed::Finalizing(Closing { min_coverage: 0.0, ..closing })
            }
            other => other,
        };
        assert_eq!(store.close(&filling, reason, floor, T0 + 3).await.unwrap(), expected, "{reason:?}");
        let expected =
            if reason == CloseReason::NeverSealed { Closed::Refused(BatchState::Running) } else { frozen };
        assert_eq!(store.close(&run, reason, floor, T0 + 3).await.unwrap(), expected, "{reason:?}");
        for id in [filling, run] {
            store.end(&id, EndState::Reset, "{}", &format!("{id}/end"), "{}", T0 + 4).await.unwrap();
            let ended = store.close(&id, reason, None, T0 + 5).await.unwrap();
            assert_eq!(ended, Closed::Ended(EndState::Reset));
        }
    }
    assert_eq!(store.close(&batch(99), CloseReason::Reset, None, T0).await.unwrap(), Closed::Unknown);
}

/// Consolidating below the floor changes nothing and says the figures.
pub async fn consolidating_respects_the_floor(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 10).await;
    claim(&*store, 1, 5, T0).await;
    complete(&*store, &batch(0), 1, &[0, 1, 2], Code::Predicted, T0 + 1).await;
    complete(&*store, &batch(0), 1, &[3, 4], Code::NoLine, T0 + 1).await;
    let before = view(&*store, &batch(0)).await;
    let below = store.close(&batch(0), CloseReason::Operator, None, T0 + 2).await.unwrap();
    assert_eq!(below, Closed::BelowCoverage { coverage: 0.375, min_coverage: 0.5 });
    assert_eq!(view(&*store, &batch(0)).await, before);
    let closed = store.close(&batch(0), CloseReason::Operator, Some(0.375), T0 + 3).await.unwrap();
    assert_eq!(closed, Closed::Finalizing(closing(CloseReason::Operator, 0.375, T0 + 3)));
    let again = store.close(&batch(0), CloseReason::Operator, Some(0.9), T0 + 4).await.unwrap();
    assert_eq!(again, closed, "what was frozen stays");
    let after = view(&*store, &batch(0)).await;
    assert_eq!((after.state, after.min_coverage), (BatchState::Finalizing, 0.5));
}

/// Until a verdict stands, a reset wins.
pub async fn a_reset_turns_publish_into_discard(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1).await;
    store.close(&batch(0), CloseReason::FinishBy, None, T0 + 1).await.unwrap();
    let reset = store.close(&batch(0), CloseReason::Reset, None, T0 + 2).await.unwrap();
    let mut expected = closing(CloseReason::FinishBy, 0.5, T0 + 1);
    (expected.mode, expected.reason) = (Mode::Discard, CloseReason::Reset);
    assert_eq!(reset, Closed::Finalizing(expected.clone()));
    let operator = store.close(&batch(0), CloseReason::Operator, None, T0 + 3).await.unwrap();
    assert_eq!(operator, Closed::Finalizing(expected), "and nothing turns it back");
    assert_eq!(log(&*store, &batch(0)).await.last().unwrap(), "reset while finalizing");
    store.take_ticket(&batch(0), &ticket(1), T0 + 4).await.unwrap();
    store.drain(&batch(0), &ticket(1), 9, T0 + 5).await.unwrap();
    assert_eq!(view(&*store, &batch(0)).await.reasons, [(Code::Reset, 1)]);
}

/// Finish-by and coverage change until the batch is closed, not after.
pub async fn figures_are_frozen_at_close(store: Arc<dyn BatchStore>) {
    assert_eq!(store.patch(&batch(0), None, None, T0).await.unwrap(), Patched::Unknown);
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    let patched = store.patch(&batch(0), Some(5_000), None, T0 + 1).await.unwrap();
    assert_eq!(patched, Patched::Patched, "while filling");
    store.add_jobs(&batch(0), &token(1), &jobs(1), T0).await.unwrap();
    store.seal(&batch(0), &token(1), 1, 1, T0).await.unwrap();
    assert_eq!(store.due_index().await.unwrap()[0].1, T0 + 5_000);
    store.patch(&batch(0), Some(7_000), Some(0.125), T0 + 2).await.unwrap();
    assert_eq!(store.due_index().await.unwrap()[0].1, T0 + 7_000, "from opening");
    let seen = view(&*store, &batch(0)).await;
    assert_eq!((seen.finish_by, seen.min_coverage, seen.updated_at), (T0 + 7_000, 0.125, T0 + 2));
    store.close(&batch(0), CloseReason::FinishBy, None, T0 + 3).await.unwrap();
    let frozen = store.patch(&batch(0), Some(1), Some(0.0), T0 + 4).await.unwrap();
    assert_eq!(frozen, Patched::Frozen(BatchState::Finalizing));
    let seen = view(&*store, &batch(0)).await;
    assert_eq!((seen.closing.unwrap().min_coverage, seen.finish_by), (0.125, T0 + 7_000));
}

/// One finalizer at a time; losing a ticket and being refused are strikes, shutting down is not.
pub async fn a_ticket_has_one_holder_and_strikes(store: Arc<dyn BatchStore>) {
    let take = |n: u128, at: i64| {
        let store = Arc::clone(&store);
        async move { store.take_ticket(&batch(0), &ticket(n), T0 + at).await.unwrap() }
    };
    assert_eq!(take(1, 0).await, Ticket::Unknown);
    running(&*store, &batch(0), 2).await;
    assert_eq!(take(1, 0).await, Ticket::NotFinalizing(BatchState::Running));
    store.close(&batch(0), CloseReason::FinishBy, None, T0).await.unwrap();
    let strikes = |answer: Ticket| match answer {
        Ticket::Granted(grant) => (grant.until - T0, grant.strikes, grant.last_error),
        other => panic!("not granted: {other:?}"),
    };
    assert_eq!(strikes(take(1, 0).await), (15_000, 0, String::new()));
    assert_eq!(strikes(take(1, 5_000).await), (20_000, 0, String::new()), "its holder prolongs it");
    assert_eq!(take(2, 19_999).await, Ticket::Busy { until: T0 + 20_000 });
    let lost = "a finalizer was lost".to_owned();
    assert_eq!(strikes(take(2, 20_000).await), (35_000, 1, lost.clone()));
    let renewed = store.renew_ticket(&batch(0), &ticket(1), T0 + 21_000).await.unwrap();
    assert_eq!(renewed, Renewed::Gone, "the old holder hears it");
    let renewed = store.renew_ticket(&batch(0), &ticket(2), T0 + 21_000).await.unwrap();
    assert_eq!(renewed, Renewed::Until(T0 + 36_000));
    assert!(!store.return_ticket(&batch(0), &ticket(1), None, T0, T0).await.unwrap());
    assert!(store.return_ticket(&batch(0), &ticket(2), None, T0 + 40_000, T0 + 22_000).await.unwrap());
    assert_eq!(store.due_index().await.unwrap()[0].1, T0 + 40_000);
    assert_eq!(strikes(take(3, 23_000).await), (38_000, 1, lost), "a shutdown is no strike");
    let refused = store.return_ticket(&batch(0), &ticket(3), Some("no: 'x'"), T0, T0 + 24_000).await;
    assert!(refused.unwrap());
    assert_eq!(strikes(take(4, 25_000).await), (40_000, 2, "no: 'x'".to_owned()));
    assert_eq!(log(&*store, &batch(0)).await.last().unwrap(), "finalizer refused: no: 'x'");
    let seen = view(&*store, &batch(0)).await;
    assert_eq!((seen.ticket, seen.strikes), (Some((ticket(4), T0 + 40_000)), 2));
}

/// A drain ends waiting jobs first, then those with workers, at most as many as asked for.
pub async fn draining_goes_in_pages(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 7).await;
    claim(&*store, 1, 3, T0).await;
    let lost = store.drain(&batch(0), &ticket(1), 9, T0).await.unwrap();
    assert_eq!(lost, Drained::LostTicket, "not closed");
    store.close(&batch(0), CloseReason::Operator, Some(0.0), T0 + 1).await.unwrap();
    store.take_ticket(&batch(0), &ticket(1), T0 + 1).await.unwrap();
    assert_eq!(store.drain(&batch(0), &ticket(2), 9, T0 + 2).await.unwrap(), Drained::LostTicket);
    for (ended, left, drained) in
        [(3, 4, vec![3, 4, 5]), (3, 1, vec![0, 1, 3, 4, 5, 6]), (1, 0, (0..7).collect())]
    {
        let answer = store.drain(&batch(0), &ticket(1), 3, T0 + 2).await.unwrap();
        assert_eq!(answer, Drained::Drained { ended, left });
        let staged = store.staged(&batch(0), 0, 99).await.unwrap();
        assert_eq!(staged.iter().map(|job| job.seq).collect::<Vec<_>>(), drained);
        assert_eq!(
            store.leases().await.unwrap().len(),
            usize::from(left > 0),
            "a lease goes with its last job"
        );
    }
    let staged = store.staged(&batch(0), 0, 99).await.unwrap();
    assert_eq!((staged[6].done.code, staged[6].done.attempts), (Code::Operator, 0));
    assert_eq!(staged[6].done.note, CloseReason::Operator.sentence());
    let again = store.drain(&batch(0), &ticket(1), 3, T0 + 2).await.unwrap();
    assert_eq!(again, Drained::Drained { ended: 0, left: 0 });
    assert_eq!(store.due_index().await.unwrap().len(), 1, "the ticket's entry alone");
}

/// State and event are committed together: nobody sees one without the other, and a repeat adds none.
pub async fn incident_45_state_and_event_are_one_step(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1).await;
    store.close(&batch(0), CloseReason::FinishBy, None, T0 + 1).await.unwrap();
    assert_eq!(store.outbox_due(9, T0 + 9).await.unwrap(), []);
    let event_id = format!("{}/end", batch(0));
    for expected in [EndAnswer::Ended, EndAnswer::AlreadyEnded, EndAnswer::AlreadyEnded] {
        let end = store.end(&batch(0), EndState::Partial, "{\"r\":1}", &event_id, "{\"e\":1}", T0 + 2).await;
        assert_eq!(end.unwrap(), expected);
        let events = store.outbox_due(9, T0 + 9).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].id.as_str(), events[0].payload.as_str()), (event_id.as_str(), "{\"e\":1}"));
    }
    let seen = view(&*store, &batch(0)).await;
    assert_eq!(seen.state, BatchState::Ended(EndState::Partial));
    assert_eq!((seen.receipt.as_deref(), seen.ticket), (Some("{\"r\":1}"), None));
    assert_eq!(store.open_batch_of(&batch(0).slate()).await.unwrap(), None, "its slate is free");
    assert_eq!(store.open(&request(&batch(1), 2), T0 + 3).await.unwrap(), Opened::Opened);
    assert!(store.outbox_delivered(&event_id).await.unwrap());
    let end = store.end(&batch(0), EndState::Partial, "{}", &event_id, "{}", T0 + 4).await.unwrap();
    assert_eq!((end, store.outbox_due(9, T0 + 9).await.unwrap().len()), (EndAnswer::AlreadyEnded, 0));
}

/// The first copy of a verdict stands; another one is an alarm. A verdict ends a batch wherever it stood.
pub async fn an_end_is_copied_once(store: Arc<dyn BatchStore>) {
    assert_eq!(
        store.end(&batch(0), EndState::Failed, "{}", "x", "{}", T0).await.unwrap(),
        EndAnswer::Unknown
    );
    running(&*store, &batch(0), 2).await;
    claim(&*store, 1, 1, T0).await;
    let end = store.end(&batch(0), EndState::Complete, "first", "x", "{}", T0 + 1).await.unwrap();
    assert_eq!(end, EndAnswer::Ended, "a rolled-back store may think that it still runs");
    let other = store.end(&batch(0), EndState::Reset, "second", "x", "{}", T0 + 2).await.unwrap();
    assert_eq!(other, EndAnswer::Conflict(EndState::Complete));
    assert_eq!(view(&*store, &batch(0)).await.receipt.as_deref(), Some("first"));
    assert_eq!(claim(&*store, 2, 9, T0 + 3).await, [] as [u32; 0]);
    let taken = store.take_ticket(&batch(0), &ticket(1), T0).await.unwrap();
    assert_eq!(taken, Ticket::NotFinalizing(BatchState::Ended(EndState::Complete)));
    let due = store.due_index().await.unwrap();
    assert_eq!(due.len(), 1, "only the lease is left: {due:?}");
}

/// Whatever a batch staged is dropped once it has ended, its record once its event has left.
pub async fn incident_28_what_an_ended_batch_staged_is_dropped(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1_200).await;
    let claimed = claim(&*store, 1, 400, T0).await;
    complete(&*store, &batch(0), 1, &claimed, Code::Predicted, T0 + 1).await;
    claim(&*store, 2, 10, T0).await;
    let event_id = format!("{}/end", batch(0));
    assert!(!store.drop_staged(&batch(0)).await.unwrap(), "it is open");
    assert!(!store.forget(&batch(0)).await.unwrap(), "it is open");
    store.end(&batch(0), EndState::Failed, "{}", &event_id, "{}", T0 + 2).await.unwrap();
    assert!(!store.forget(&batch(0)).await.unwrap(), "its event waits");
    for _ in 0..2 {
        assert!(store.drop_staged(&batch(0)).await.unwrap());
        assert_eq!(places(&*store, &batch(0)).await, (0, 0, 0, 0));
        assert_eq!(store.jobs(&batch(0), 0, 2_000).await.unwrap(), []);
        assert_eq!(store.leases().await.unwrap(), []);
        assert_eq!(store.due_index().await.unwrap(), []);
    }
    assert_eq!(view(&*store, &batch(0)).await.receipt.as_deref(), Some("{}"), "its record stays");
    let late = complete(&*store, &batch(0), 1, &[0], Code::Predicted, T0 + 3).await.0;
    assert_eq!(late, [CompletionAnswer::Closed]);
    store.outbox_delivered(&event_id).await.unwrap();
    assert!(store.forget(&batch(0)).await.unwrap());
    assert!(!store.forget(&batch(0)).await.unwrap());
    assert_eq!(store.batches(false).await.unwrap(), []);
    assert_eq!(log(&*store, &batch(0)).await, [] as [&str; 0]);
    running(&*store, &batch(0), 1).await;
    let Claimed::Chunk(chunk) = store.claim(&claim_request(3, 9), T0).await.unwrap() else {
        panic!("a new batch of an old id has jobs")
    };
    assert_eq!((chunk.jobs.len(), &chunk.jobs[0].id), (1, &job(0).id));
}
