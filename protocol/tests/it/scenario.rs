//! One batch from opening to forgetting, with its whole state as text.

use proto::{Code, EndState};
use protocol::ops::{Closed, EndAnswer, GiveBack, GiveBackHow, Ticket};
use protocol::render::render;
use protocol::{CloseReason, Millis};

use crate::{TOKEN, batch_id, chunk, ended, lease, new_job, open_request, predicted, running, ticket};

#[test]
fn a_batch_with_a_retry_a_lost_lease_and_a_finish_by() {
    let (mut model, id) = running(4, 1_000);
    chunk(&mut model, 11, 2, 2_000);
    model.complete(&id, &lease(11), &[predicted(0)], 2_500);
    let how = GiveBackHow::Retry { code: Code::Panic, error: "index out of bounds".into(), delay_ms: 150 };
    model.give_back(&id, &lease(11), &[GiveBack { seq: 1, how }], 2_600);
    chunk(&mut model, 12, 2, 2_700);
    model.sweep(10_000, &[], 100, 2_700);
    insta::assert_snapshot!("running", render(&model));

    model.sweep(10_000, &[], 100, 12_700);
    chunk(&mut model, 13, 5, 12_800);
    insta::assert_snapshot!("lease lost, then a lonely claim", render(&model));

    let due: Millis = 1_000 + 600_000;
    model.sweep(600_000, &[], 100, due);
    let granted = model.take_ticket(&id, &ticket(21), due + 1);
    assert!(matches!(granted, Ticket::Granted(_)), "{granted:?}");
    model.drain(&id, &ticket(21), 2, due + 2);
    insta::assert_snapshot!("half drained", render(&model));
    model.drain(&id, &ticket(21), 500, due + 3);
    assert_eq!(model.staged(&id, 0, 10).len(), 4);

    let end = |model: &mut protocol::model::Model| {
        model.end(&id, EndState::Failed, "{\"receipt\":1}", &format!("{id}/end"), "{\"event\":1}", due + 4)
    };
    assert_eq!(end(&mut model), EndAnswer::Ended);
    assert_eq!(end(&mut model), EndAnswer::AlreadyEnded);
    assert!(model.drop_staged(&id));
    insta::assert_snapshot!("ended", render(&model));
    assert!(!model.forget(&id), "its event waits");
    assert!(model.outbox_delivered(&format!("{id}/end")));
    assert!(model.forget(&id));
    assert!(model.batches.is_empty() && model.due.is_empty() && model.leases.is_empty());
}

#[test]
fn consolidating_below_the_floor_changes_nothing() {
    let (mut model, id) = running(4, 0);
    chunk(&mut model, 1, 1, 0);
    model.complete(&id, &lease(1), &[predicted(0)], 0);
    let before = render(&model);
    let answer = model.close(&id, CloseReason::Operator, None, 1);
    assert_eq!(answer, Closed::BelowCoverage { coverage: 0.25, min_coverage: 0.5 });
    assert_eq!(render(&model), before);
    assert!(matches!(model.close(&id, CloseReason::Operator, Some(0.25), 1), Closed::Finalizing(_)));
}

#[test]
fn only_the_opener_fills_and_only_once() {
    let mut model = protocol::model::Model::new("test");
    let id = batch_id(1);
    let other = proto::OpenerToken::from_random(2);
    model.open(&open_request(&id), 0);
    let taken = model.open(&open_request(&batch_id(2)), 0);
    assert_eq!(taken, protocol::ops::Opened::SlateTaken { batch_id: id.clone() });
    assert!(matches!(model.add_jobs(&id, &other, &[new_job(1)], 0), protocol::ops::Added::Refused(_)));
    let added = protocol::ops::Added::Added { new: 1, total: 1 };
    assert_eq!(model.add_jobs(&id, &TOKEN, &[new_job(1)], 0), added);
    let repeat = protocol::ops::Added::Added { new: 0, total: 1 };
    assert_eq!(model.add_jobs(&id, &TOKEN, &[new_job(1)], 0), repeat);
    assert_eq!(model.seal(&id, &TOKEN, 1, 2, 0), protocol::ops::Sealed::Missing { have: 1 });
    assert_eq!(model.seal(&id, &TOKEN, 1, 1, 0), protocol::ops::Sealed::Sealed);
    assert_eq!(model.seal(&id, &TOKEN, 1, 1, 0), protocol::ops::Sealed::Sealed, "a repeat");
    assert!(model.withdraw(&id, &TOKEN).is_err(), "a sealed batch cannot be taken back");
}

#[test]
fn a_zombie_is_harmless_and_visible() {
    let (mut model, id) = running(2, 0);
    chunk(&mut model, 1, 1, 0);
    model.sweep(10_000, &[], 100, 10_000);
    let answers = model.complete(&id, &lease(1), &[predicted(0)], 10_001).answers;
    assert_eq!(answers, [protocol::ops::CompletionAnswer::Stale]);
    model.close(&id, CloseReason::Reset, None, 10_002);
    let answers = model.complete(&id, &lease(1), &[predicted(0)], 10_003).answers;
    assert_eq!(answers, [protocol::ops::CompletionAnswer::Closed]);
    assert_eq!(model.batch(&id).unwrap().stale_writes, 2);
}

#[test]
fn the_same_lease_gets_its_first_answer_again_even_after_the_close() {
    let (mut model, id) = running(1, 0);
    chunk(&mut model, 1, 1, 0);
    assert!(model.complete(&id, &lease(1), &[predicted(0)], 1).closed_batch);
    let again = model.complete(&id, &lease(1), &[predicted(0)], 2);
    assert_eq!(again.answers, [protocol::ops::CompletionAnswer::Repeated]);
    let other = model.complete(
        &id,
        &lease(1),
        &[ended(0, Code::Model)].map(|mut c| {
            c.digest = "x".into();
            c
        }),
        3,
    );
    assert_eq!(other.answers, [protocol::ops::CompletionAnswer::Conflict]);
}

#[test]
fn a_clock_that_stands_still_is_outvoted_by_a_stopwatch() {
    let (mut model, id) = running(1, 0);
    chunk(&mut model, 1, 1, 0);
    let seen = model.due_index();
    assert_eq!(model.sweep(10_000, &[], 100, 0).requeued, 0);
    assert_eq!(model.sweep(10_000, &seen[..1], 100, 0).requeued, 1, "{seen:?}");
    assert_eq!(model.batch(&id).unwrap().queued, 1);
}

#[test]
fn after_an_outage_every_lease_first_runs_one_full_length() {
    let (mut model, id) = running(1, 0);
    model.sweep(10_000, &[], 100, 0);
    chunk(&mut model, 1, 1, 0);
    let swept = model.sweep(10_000, &[], 100, 60_000);
    assert!(swept.grace && swept.requeued == 0, "{swept:?}");
    assert_eq!(model.renew(&lease(1), 60_001), protocol::ops::Renewed::Until(70_000));
    assert_eq!(model.sweep(10_000, &[], 100, 69_999).requeued, 0);
    assert_eq!(model.sweep(10_000, &[], 100, 70_000).requeued, 1);
    assert_eq!(model.batch(&id).unwrap().queued, 1);
}
