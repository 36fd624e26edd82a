//! Incidents of the predecessor that the protocol makes impossible, by number.

use proto::{Code, EndState};
use protocol::ops::{
    Added, Claimed, Closed, CompletionAnswer, GiveBack, GiveBackAnswer, GiveBackHow, NewJob, Ticket,
};
use protocol::{BatchState, CloseReason, Mode};

use crate::{
    TOKEN, batch_id, chunk, claim, ended, job_id, lease, new_job, open_request, predicted, running, ticket,
};

#[test]
fn incident_01_a_batch_ends_at_its_finish_by_at_any_percentage() {
    let (mut model, id) = running(104, 0);
    chunk(&mut model, 1, 102, 0);
    let done: Vec<_> = (0..102).map(predicted).collect();
    model.complete(&id, &lease(1), &done, 1);
    let swept = model.sweep(10_000, &[], 100, 600_000);
    assert_eq!(swept.closed, [(id.clone(), CloseReason::FinishBy)]);
    assert_eq!(swept.need_finalizer, [], "the ticket is due from the close on, at the next pass");
    assert_eq!(model.sweep(10_000, &[], 100, 600_000).need_finalizer, std::slice::from_ref(&id));
    model.take_ticket(&id, &ticket(1), 600_000);
    model.drain(&id, &ticket(1), 500, 600_000);
    let view = model.batch(&id).unwrap();
    assert_eq!((view.jobs.predicted, view.jobs.expired), (102, 2));
}

#[test]
fn incident_02_a_refused_line_is_an_end_like_any_other() {
    let (mut model, id) = running(81, 0);
    chunk(&mut model, 1, 81, 0);
    let done: Vec<_> =
        (0..81).map(|seq| if seq < 77 { predicted(seq) } else { ended(seq, Code::OneSided) }).collect();
    assert!(model.complete(&id, &lease(1), &done, 1).closed_batch, "nobody has to help");
    let view = model.batch(&id).unwrap();
    assert_eq!((view.jobs.predicted, view.jobs.rejected, view.queued + view.leased), (77, 4, 0));
}

#[test]
fn incident_03_progress_is_the_size_of_places() {
    let (mut model, id) = running(126, 0);
    chunk(&mut model, 1, 100, 0);
    let done: Vec<_> = (0..60).map(predicted).collect();
    model.complete(&id, &lease(1), &done, 1);
    for _ in 0..3 {
        model.complete(&id, &lease(1), &done, 2);
    }
    let view = model.batch(&id).unwrap();
    assert_eq!((view.queued, view.leased, view.jobs.total(), view.staged_rows), (26, 40, 60, 180));
}

#[test]
fn incident_06_what_is_expected_is_what_was_added() {
    let (mut model, id) = running(3, 0);
    assert_eq!(model.batch(&id).unwrap().total, 3);
    assert!(matches!(model.add_jobs(&id, &TOKEN, &[new_job(9)], 1), Added::Refused(_)));
    chunk(&mut model, 1, 3, 0);
    let refused = GiveBack { seq: 0, how: GiveBackHow::Release };
    assert_eq!(model.give_back(&id, &lease(1), &[refused], 1).answers, [GiveBackAnswer::Queued]);
    assert_eq!(model.batch(&id).unwrap().total, 3);
}

#[test]
fn incident_11_replaying_a_completion_changes_nothing() {
    let (mut model, id) = running(2, 0);
    chunk(&mut model, 1, 1, 0);
    model.complete(&id, &lease(1), &[predicted(0)], 1);
    let before = protocol::render::render(&model);
    let again = model.complete(&id, &lease(1), &[predicted(0)], 2);
    assert_eq!(again.answers, [CompletionAnswer::Repeated]);
    assert_eq!(protocol::render::render(&model), before);
}

#[test]
fn incident_13_outcome_and_rows_are_one_step() {
    let (mut model, id) = running(1, 0);
    chunk(&mut model, 1, 1, 0);
    assert!(model.staged(&id, 0, 10).is_empty());
    model.complete(&id, &lease(1), &[predicted(0)], 1);
    let staged = model.staged(&id, 0, 10);
    assert_eq!((staged.len(), staged[0].done.num_rows, staged[0].done.body.len()), (1, 3, 1));
}

#[test]
fn incident_20_one_lease_for_one_slate() {
    let (mut model, id) = running(1, 0);
    model.close(&id, CloseReason::Operator, Some(0.0), 1);
    assert!(matches!(model.take_ticket(&id, &ticket(1), 2), Ticket::Granted(_)));
    assert!(matches!(model.take_ticket(&id, &ticket(2), 3), Ticket::Busy { .. }));
    assert!(matches!(model.take_ticket(&id, &ticket(1), 4), Ticket::Granted(_)), "a repeat renews");
}

#[test]
fn incident_35_a_player_twice_is_refused_and_nothing_is_added() {
    let mut model = protocol::model::Model::new("test");
    let id = batch_id(1);
    model.open(&open_request(&id), 0);
    let twice = NewJob { id: job_id(1), payload: vec![99] };
    let answer = model.add_jobs(&id, &TOKEN, &[new_job(1), twice], 0);
    assert_eq!(answer, Added::Duplicate { id: job_id(1) });
    assert_eq!(model.batch(&id).unwrap().total, 0);
}

#[test]
fn incident_41_a_failing_job_gets_exactly_its_attempts() {
    let (mut model, id) = running(1, 0);
    for attempt in 1..=3u128 {
        let now = attempt as i64 * 10_000;
        chunk(&mut model, attempt, 10, now);
        let how = GiveBackHow::Retry { code: Code::Error, error: "same again".into(), delay_ms: 100 };
        let answer = model.give_back(&id, &lease(attempt), &[GiveBack { seq: 0, how }], now);
        let want = if attempt < 3 { GiveBackAnswer::Queued } else { GiveBackAnswer::Ended };
        assert_eq!(answer.answers, [want]);
    }
    assert_eq!(model.batch(&id).unwrap().reasons, [(Code::Error, 1)]);
    assert!(matches!(model.claim(&claim(9, 1), 99_000), Claimed::Nothing { .. }), "terminal is terminal");
}

#[test]
fn incident_42_a_bug_in_one_job_costs_its_neighbours_nothing() {
    let (mut model, id) = running(10, 0);
    // The whole chunk is lost: nobody is charged, everybody is alone from then on.
    chunk(&mut model, 1, 10, 0);
    model.sweep(10_000, &[], 100, 10_000);
    for n in 0..9u128 {
        let lonely = chunk(&mut model, 100 + n, 10, 10_000);
        assert_eq!((lonely.jobs.len(), lonely.jobs[0].attempts), (1, 0));
        model.complete(&id, &lease(100 + n), &[predicted(lonely.jobs[0].seq)], 10_000);
    }
    for n in 0..3i64 {
        let now = 10_000 + n * 10_000;
        chunk(&mut model, 200 + n as u128, 10, now);
        model.sweep(10_000, &[], 100, now + 10_000);
    }
    let view = model.batch(&id).unwrap();
    assert_eq!((view.jobs.predicted, view.jobs.expired, view.state), (9, 1, BatchState::Finalizing));
}

#[test]
fn incident_45_state_and_event_are_one_step() {
    let (mut model, id) = running(1, 0);
    model.close(&id, CloseReason::Reset, None, 1);
    assert!(model.outbox_due(10, 2).is_empty());
    model.end(&id, EndState::Reset, "{}", "e", "{}", 2);
    assert_eq!(model.outbox_due(10, 2).len(), 1);
    assert_eq!(model.open_batch_of(&id.slate()), None);
}

#[test]
fn a_reset_turns_publish_into_discard_until_a_verdict_stands() {
    let (mut model, id) = running(1, 0);
    chunk(&mut model, 1, 1, 0);
    model.complete(&id, &lease(1), &[predicted(0)], 1);
    model.take_ticket(&id, &ticket(1), 2);
    let Closed::Finalizing(closing) = model.close(&id, CloseReason::Reset, None, 3) else { panic!() };
    assert_eq!((closing.mode, closing.reason), (Mode::Discard, CloseReason::Reset));
    model.end(&id, EndState::Complete, "{}", "e", "{}", 4);
    assert_eq!(model.close(&id, CloseReason::Reset, None, 5), Closed::Ended(EndState::Complete));
}

#[test]
fn a_lapsed_opener_leaves_a_free_slate() {
    let mut model = protocol::model::Model::new("test");
    let id = batch_id(1);
    model.open(&open_request(&id), 0);
    model.add_jobs(&id, &TOKEN, &[new_job(1)], 5_000);
    model.sweep(60_000, &[], 100, 15_000);
    assert_eq!(model.batch(&id).unwrap().state, BatchState::Filling, "adding renewed the lease");
    let swept = model.sweep(60_000, &[], 100, 20_000);
    assert_eq!(swept.closed, [(id.clone(), CloseReason::NeverSealed)]);
    assert!(matches!(model.seal(&id, &TOKEN, 1, 1, 20_001), protocol::ops::Sealed::Refused(_)));
}

#[test]
fn a_job_that_hangs_twice_alone_is_ended_and_one_that_hung_in_company_is_not_charged() {
    let (mut model, id) = running(2, 0);
    let hang = |seq| GiveBack { seq, how: GiveBackHow::Hang { delay_ms: 0 } };
    chunk(&mut model, 1, 2, 0);
    assert_eq!(model.give_back(&id, &lease(1), &[hang(0), hang(1)], 0).answers, [GiveBackAnswer::Queued; 2]);
    for (n, want) in [(2u128, GiveBackAnswer::Queued), (3, GiveBackAnswer::Ended)] {
        let lonely = chunk(&mut model, n, 2, n as i64);
        assert_eq!(lonely.jobs.len(), 1);
        let seq = lonely.jobs[0].seq;
        assert_eq!(seq, 0, "the one that waited longest");
        let answer = model.give_back(&id, &lease(n), &[hang(seq)], 0).answers;
        assert_eq!(answer, [want]);
    }
    assert_eq!(model.batch(&id).unwrap().reasons, [(Code::Hang, 1)]);
}
