//! Scenarios of workers.

use std::sync::Arc;

use proto::Code;
use protocol::ops::{Claim, Claimed, Completion, CompletionAnswer, GiveBackAnswer, Renewed};
use protocol::{BatchState, CloseReason};

use super::kit::{
    LEASE, T0, batch, claim, claim_request, complete, done, hang, job, jobs, lease, log, numbers,
    other_slate, pin, places, release, request, retry, running, running_as, sweep, token, try_claim, view,
};
use crate::BatchStore;

/// Jobs of a filling batch are nobody's.
pub async fn nothing_is_claimed_before_sealing(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    store.add_jobs(&batch(0), &token(1), &jobs(3), T0).await.unwrap();
    let nothing = Claimed::Nothing { next_at: None, unservable: false };
    assert_eq!(store.claim(&claim_request(1, 10), T0).await.unwrap(), nothing);
}

/// A lost answer to a claim loses no job.
pub async fn a_claim_repeats_by_its_lease(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 5).await;
    let first = try_claim(&*store, 1, 3, T0).await.unwrap();
    assert_eq!(numbers(&first), [0, 1, 2]);
    assert_eq!((first.expires_at, first.deadline_at), (T0 + LEASE, T0 + 3 * LEASE));
    assert_eq!((first.contract_version.as_str(), &first.batch_id), ("v3", &batch(0)));
    assert_eq!((&first.jobs[2].id, &first.jobs[2].payload), (&job(2).id, &job(2).payload));
    assert_eq!(try_claim(&*store, 1, 3, T0 + 7).await.unwrap(), first, "the same jobs, the same times");
    assert_eq!(places(&*store, &batch(0)).await, (5, 2, 3, 0));
    complete(&*store, &batch(0), 1, &[1], Code::Predicted, T0).await;
    assert_eq!(claim(&*store, 1, 3, T0).await, [0, 2], "what it still holds");
}

/// Waiting jobs go by their time, then by number; a chunk is listed by number.
pub async fn chunks_follow_time_and_number(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 6).await;
    assert_eq!(claim(&*store, 1, 4, T0).await, [0, 1, 2, 3]);
    let back = [release(3), release(1)];
    store.give_back(&batch(0), &lease(1), &back, T0 + 50).await.unwrap();
    assert_eq!(claim(&*store, 2, 2, T0 + 50).await, [4, 5], "those that wait longest");
    assert_eq!(claim(&*store, 3, 9, T0 + 49).await, [] as [u32; 0], "not before their time");
    let nothing = store.claim(&claim_request(4, 9), T0 + 49).await.unwrap();
    assert_eq!(nothing, Claimed::Nothing { next_at: Some(T0 + 50), unservable: false });
    assert_eq!(claim(&*store, 5, 0, T0 + 50).await, [] as [u32; 0], "nothing was asked for");
    assert_eq!(claim(&*store, 6, 9, T0 + 50).await, [1, 3]);
}

/// A worker gets what all its pinned models and its protocol can serve, and hears when there is more.
pub async fn models_decide_what_is_served(store: Arc<dyn BatchStore>) {
    let mut open = request(&batch(0), 1);
    open.pins = vec![pin("alpha"), pin("beta")];
    running_as(&*store, open, 2, T0).await;
    let unservable = Claimed::Nothing { next_at: None, unservable: true };
    let ask = |lease_no, serves: &[&str], protocol_version| Claim {
        serves: serves.iter().map(|system| pin(system)).collect(),
        protocol_version,
        ..claim_request(lease_no, 9)
    };
    let version = protocol::PROTOCOL_VERSION;
    for claim in [
        ask(1, &[], version),
        ask(2, &["alpha"], version),
        ask(3, &["beta", "gamma"], version),
        ask(4, &["alpha", "beta"], version + 1),
    ] {
        assert_eq!(store.claim(&claim, T0).await.unwrap(), unservable, "{claim:?}");
    }
    let mut other_bytes = ask(5, &["alpha", "beta"], version);
    other_bytes.serves[0].sha256 = "00".repeat(32);
    assert_eq!(store.claim(&other_bytes, T0).await.unwrap(), unservable, "another file of the same name");
    let served = store.claim(&ask(6, &["alpha", "aleph", "beta"], version), T0).await.unwrap();
    assert!(matches!(served, Claimed::Nothing { .. }), "the list is sorted by contract, this one is not");
    let served = store.claim(&ask(7, &["aleph", "alpha", "beta", "gamma"], version), T0).await.unwrap();
    assert!(matches!(served, Claimed::Chunk(chunk) if chunk.jobs.len() == 2));
}

/// Of two running batches the older one is worked off first, whatever their ids.
pub async fn the_oldest_batch_goes_first(store: Arc<dyn BatchStore>) {
    running_as(&*store, request(&other_slate(2), 1), 1, T0).await;
    running_as(&*store, request(&other_slate(1), 1), 1, T0 + 1).await;
    running_as(&*store, request(&batch(0), 1), 1, T0 + 2).await;
    for (lease_no, expected) in [(1, other_slate(2)), (2, other_slate(1)), (3, batch(0))] {
        assert_eq!(try_claim(&*store, lease_no, 9, T0 + 5).await.unwrap().batch_id, expected);
    }
}

/// Finish-by is refused in the claim itself, whether or not anybody has swept.
pub async fn nothing_is_claimed_from_finish_by_on(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 4).await;
    assert_eq!(claim(&*store, 1, 1, T0 + 599_999).await, [0]);
    let nothing = Claimed::Nothing { next_at: None, unservable: false };
    assert_eq!(store.claim(&claim_request(2, 1), T0 + 600_000).await.unwrap(), nothing);
    let late = complete(&*store, &batch(0), 1, &[0], Code::Predicted, T0 + 600_500).await;
    assert_eq!(
        late,
        (vec![CompletionAnswer::Accepted], false),
        "a completion counts until the batch is closed"
    );
}

/// A lease never outlives its deadline, however often it is renewed.
pub async fn a_lease_is_renewed_until_its_deadline(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 2).await;
    claim(&*store, 1, 1, T0).await;
    for (after, until) in [(3_000, 13_000), (12_000, 22_000), (21_000, 30_000), (29_000, 30_000)] {
        let renewed = store.renew(&lease(1), T0 + after).await.unwrap();
        assert_eq!(renewed, Renewed::Until(T0 + until), "renewed after {after}");
    }
    assert_eq!(store.leases().await.unwrap()[0].expires_at, T0 + 30_000);
    assert_eq!(store.renew(&lease(2), T0).await.unwrap(), Renewed::Gone);
    store.close(&batch(0), CloseReason::Reset, None, T0).await.unwrap();
    assert_eq!(store.renew(&lease(1), T0).await.unwrap(), Renewed::Gone, "its batch is closed");
}

/// Counts are sizes of sets: an event that is delivered twice moves none of them.
pub async fn incident_11_replaying_a_completion_changes_nothing(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 3).await;
    claim(&*store, 1, 3, T0).await;
    assert_eq!(
        complete(&*store, &batch(0), 1, &[0, 2], Code::Predicted, T0 + 1).await.0,
        [CompletionAnswer::Accepted; 2]
    );
    let before = view(&*store, &batch(0)).await;
    for _ in 0..3 {
        let again = complete(&*store, &batch(0), 1, &[0, 2], Code::Predicted, T0 + 9).await;
        assert_eq!(again, (vec![CompletionAnswer::Repeated; 2], false));
    }
    assert_eq!(view(&*store, &batch(0)).await, before);
    assert_eq!((before.jobs.predicted, before.staged_rows, before.stale_writes), (2, 4, 0));
    assert_eq!(places(&*store, &batch(0)).await, (3, 0, 1, 2));
}

/// This lease before; batch closed; other lease: in this order.
pub async fn completions_are_checked_in_order(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 4).await;
    claim(&*store, 1, 2, T0).await;
    claim(&*store, 2, 1, T0).await;
    let one = |lease_no, seq| {
        let store = Arc::clone(&store);
        async move { complete(&*store, &batch(0), lease_no, &[seq], Code::Predicted, T0 + 2).await.0[0] }
    };
    assert_eq!(one(1, 0).await, CompletionAnswer::Accepted);
    assert_eq!(one(2, 0).await, CompletionAnswer::Stale, "another lease completed it");
    assert_eq!(one(2, 1).await, CompletionAnswer::Stale, "another lease holds it");
    assert_eq!(one(1, 3).await, CompletionAnswer::Stale, "nobody holds it");
    assert_eq!(one(1, 77).await, CompletionAnswer::Stale, "there is no such job");
    let other = Completion { digest: "another".to_owned(), ..done(0, Code::Predicted) };
    let conflict = store.complete(&batch(0), &lease(1), &[other], T0 + 3).await.unwrap();
    assert_eq!(conflict.answers, [CompletionAnswer::Conflict]);
    assert!(log(&*store, &batch(0)).await.last().unwrap().starts_with("alarm: job 0 "));
    assert_eq!(store.staged(&batch(0), 0, 9).await.unwrap()[0].done.digest, "digest-0", "the first stands");
    store.close(&batch(0), CloseReason::FinishBy, None, T0 + 4).await.unwrap();
    assert_eq!(one(1, 0).await, CompletionAnswer::Repeated, "a repeat is known after the close too");
    assert_eq!(one(1, 1).await, CompletionAnswer::Closed);
    assert_eq!(one(2, 77).await, CompletionAnswer::Closed);
    assert_eq!(view(&*store, &batch(0)).await.stale_writes, 6);
    let unknown = complete(&*store, &batch(5), 1, &[0], Code::Predicted, T0).await;
    assert_eq!(unknown, (vec![CompletionAnswer::Closed], false));
}

/// One stale item spoils no other, and a job named twice in one call is completed once.
pub async fn one_call_may_mix_all_answers(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 5).await;
    claim(&*store, 1, 3, T0).await;
    claim(&*store, 2, 1, T0).await;
    let items = [
        done(0, Code::Predicted),
        done(3, Code::Predicted),
        done(1, Code::Stale),
        done(0, Code::Predicted),
        Completion { digest: "x".to_owned(), ..done(1, Code::Stale) },
        done(2, Code::NoLine),
    ];
    let completed = store.complete(&batch(0), &lease(1), &items, T0 + 1).await.unwrap();
    use CompletionAnswer::{Accepted, Conflict, Repeated, Stale};
    assert_eq!(completed.answers, [Accepted, Stale, Accepted, Repeated, Conflict, Accepted]);
    assert!(!completed.closed_batch);
    let view = view(&*store, &batch(0)).await;
    assert_eq!(view.reasons, [(Code::NoLine, 1), (Code::Predicted, 1), (Code::Stale, 1)]);
    assert_eq!((view.staged_rows, view.stale_writes), (2, 1));
    assert_eq!(store.leases().await.unwrap().len(), 1, "a lease that holds nothing is gone");
    let empty = store.complete(&batch(0), &lease(2), &[], T0 + 1).await.unwrap();
    assert_eq!((empty.answers.len(), empty.closed_batch), (0, false));
}

/// Whoever hears that a batch closed finds every row in it.
pub async fn incident_13_rows_are_there_before_the_batch_closes(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 3).await;
    claim(&*store, 1, 2, T0).await;
    claim(&*store, 2, 1, T0).await;
    assert!(!complete(&*store, &batch(0), 1, &[0, 1], Code::Predicted, T0 + 1).await.1);
    let (answers, closed) = complete(&*store, &batch(0), 2, &[2], Code::NoLine, T0 + 2).await;
    assert_eq!((answers, closed), (vec![CompletionAnswer::Accepted], true));
    let view = view(&*store, &batch(0)).await;
    assert_eq!(view.state, BatchState::Finalizing);
    assert_eq!(view.closing.unwrap().reason, CloseReason::AllDone);
    let staged = store.staged(&batch(0), 0, 500).await.unwrap();
    let rows: u64 = staged.iter().map(|job| u64::from(job.done.num_rows)).sum();
    assert_eq!((staged.len() as u64, rows), (view.total, view.staged_rows));
    assert_eq!(staged[0].done.body, done(0, Code::Predicted).body);
    assert_eq!((staged[0].done.attempts, staged[0].done.lease), (1, Some(lease(1))));
}

/// Shutdown is nobody's failure.
pub async fn a_released_job_costs_nothing(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 2).await;
    for round in 1..=5 {
        assert_eq!(claim(&*store, round, 2, T0 + round as i64).await, [0, 1], "not alone either");
        let back = [release(0), release(1)];
        let given = store.give_back(&batch(0), &lease(round), &back, T0 + round as i64).await.unwrap();
        assert_eq!((given.answers, given.closed_batch), (vec![GiveBackAnswer::Queued; 2], false));
    }
    assert_eq!(store.leases().await.unwrap(), []);
    assert_eq!(store.jobs(&batch(0), 0, 9).await.unwrap()[0].attempts, 0);
}

/// Three attempts are three attempts; terminal is terminal.
pub async fn incident_41_n_failures_make_exactly_n_attempts(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 2).await;
    assert_eq!(claim(&*store, 1, 2, T0).await, [0, 1]);
    let given = store.give_back(&batch(0), &lease(1), &[retry(0, 200)], T0 + 1).await.unwrap();
    assert_eq!(given.answers, [GiveBackAnswer::Queued]);
    let waits = store.claim(&claim_request(2, 9), T0 + 200).await.unwrap();
    assert_eq!(waits, Claimed::Nothing { next_at: Some(T0 + 201), unservable: false });
    let again = try_claim(&*store, 2, 9, T0 + 201).await.unwrap();
    assert_eq!((numbers(&again), again.jobs[0].attempts), (vec![0], 1));
    store.give_back(&batch(0), &lease(2), &[retry(0, 0)], T0 + 300).await.unwrap();
    assert_eq!(claim(&*store, 3, 9, T0 + 300).await, [0]);
    let over = store.give_back(&batch(0), &lease(3), &[retry(0, 0)], T0 + 400).await.unwrap();
    assert_eq!((over.answers, over.closed_batch), (vec![GiveBackAnswer::Ended], false));
    let staged = store.staged(&batch(0), 0, 9).await.unwrap();
    let ended = &staged[0].done;
    assert_eq!((ended.code, ended.attempts, ended.lease), (Code::Error, 3, None));
    assert_eq!(ended.note, "it broke: «α»");
    assert_eq!(claim(&*store, 4, 9, T0 + 9_000).await, [] as [u32; 0], "it is never minted anew");
    let last = store.give_back(&batch(0), &lease(1), &[release(1)], T0 + 500).await.unwrap();
    assert_eq!(last.answers, [GiveBackAnswer::Queued]);
    assert_eq!(claim(&*store, 5, 9, T0 + 500).await, [1]);
    assert!(complete(&*store, &batch(0), 5, &[1], Code::Predicted, T0 + 501).await.1, "and the batch ends");
}

/// In a chunk nobody knows which job hung, so only a job alone in its chunk is charged; twice is the end.
pub async fn a_hang_is_charged_only_alone(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 3).await;
    assert_eq!(claim(&*store, 1, 2, T0).await, [0, 1]);
    let given = store.give_back(&batch(0), &lease(1), &[hang(0), hang(1)], T0).await.unwrap();
    assert_eq!(given.answers, [GiveBackAnswer::Queued; 2]);
    assert_eq!(claim(&*store, 2, 9, T0).await, [0], "from now on alone");
    assert_eq!(claim(&*store, 3, 9, T0).await, [1]);
    assert_eq!(claim(&*store, 4, 9, T0).await, [2]);
    store.give_back(&batch(0), &lease(2), &[hang(0)], T0).await.unwrap();
    assert_eq!(claim(&*store, 5, 9, T0).await, [0]);
    let twice = store.give_back(&batch(0), &lease(5), &[hang(0)], T0).await.unwrap();
    assert_eq!(twice.answers, [GiveBackAnswer::Ended]);
    let staged = store.staged(&batch(0), 0, 9).await.unwrap();
    let ended = &staged[0].done;
    assert_eq!((ended.code, ended.attempts), (Code::Hang, 2));
    assert_eq!(ended.note, "silent past its deadline 2 times");
}

/// Only the lease that holds a job gives it back, and only while the batch runs.
pub async fn giving_back_checks_lease_and_batch(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 3).await;
    claim(&*store, 1, 2, T0).await;
    let back = [release(0), release(0), release(2), release(44)];
    let given = store.give_back(&batch(0), &lease(1), &back, T0).await.unwrap();
    use GiveBackAnswer::{Closed, Queued, Stale};
    assert_eq!(given.answers, [Queued, Stale, Stale, Stale]);
    assert_eq!(store.give_back(&batch(0), &lease(9), &[release(1)], T0).await.unwrap().answers, [Stale]);
    sweep(&*store, T0 + 1).await;
    store.close(&batch(0), CloseReason::FinishBy, None, T0 + 2).await.unwrap();
    assert_eq!(
        store.give_back(&batch(0), &lease(1), &[retry(1, 5)], T0 + 3).await.unwrap().answers,
        [Closed]
    );
    assert_eq!(store.give_back(&batch(8), &lease(1), &[release(1)], T0).await.unwrap().answers, [Closed]);
}
