use super::*;
use crate::ops::ClaimedJob;

fn chunk(jobs: u32) -> Chunk {
    let id = "a@20260123_BOS_NYK".parse().expect("a legal job id");
    let job = |seq| ClaimedJob { seq, id: proto::JobId::clone(&id), attempts: 0, payload: Vec::new() };
    Chunk {
        batch_id: "batch_2026-01-23_1".parse().expect("a legal batch id"),
        contract_version: "v1".into(),
        expires_at: 10_000,
        deadline_at: 30_000,
        timing: Timing::default(),
        jobs: (0..jobs).map(job).collect(),
    }
}

fn done(seq: u32) -> JobResult {
    let digest = String::new();
    JobResult::Completed(Completion { seq, code: Code::Predicted, num_rows: 1, body: vec![1], digest })
}

fn working(jobs: u32) -> (Worker, LeaseId) {
    let mut worker = Worker::new(0);
    let actions = worker.step(Event::Tick, 0, 7);
    assert_eq!(actions, [Action::Claim { lease: LeaseId::from_random(7), max_jobs: FIRST_CHUNK }]);
    worker.step(Event::Claimed(Ok(Claimed::Chunk(chunk(jobs)))), 0, 8);
    (worker, LeaseId::from_random(7))
}

#[test]
fn a_chunk_is_reported_when_its_last_job_is_done_and_the_next_is_claimed() {
    let (mut worker, lease) = working(2);
    assert_eq!(worker.step(Event::JobDone(lease, done(0)), 10, 1), []);
    let actions = worker.step(Event::JobDone(lease, done(1)), 20, 1);
    assert!(matches!(&actions[..], [Action::Report { completions, .. }] if completions.len() == 2));
    let actions = worker.step(Event::Reported(lease, Ok(())), 30, 9);
    assert_eq!(actions, [Action::Claim { lease: LeaseId::from_random(9), max_jobs: 16 }]);
    assert_eq!(worker.jobs_done, 2);
}

#[test]
fn a_lost_answer_repeats_the_same_claim_and_the_same_report() {
    let mut worker = Worker::new(0);
    worker.step(Event::Tick, 0, 7);
    assert_eq!(worker.step(Event::Claimed(Err(())), 0, 0), []);
    let again = worker.step(Event::Tick, 400, 99);
    assert_eq!(again, [Action::Claim { lease: LeaseId::from_random(7), max_jobs: FIRST_CHUNK }]);

    let (mut worker, lease) = working(1);
    let first = worker.step(Event::JobDone(lease, done(0)), 10, 1);
    worker.step(Event::Reported(lease, Err(())), 20, 0);
    assert_eq!(worker.step(Event::Tick, 1_000, 1), first);
}

#[test]
fn a_silent_thread_is_left_behind_and_its_job_reported_as_hung() {
    let (mut worker, lease) = working(2);
    worker.step(Event::JobDone(lease, done(0)), 10, 1);
    let actions = worker.step(Event::Tick, 27_000, 1);
    let [Action::AbandonThread, Action::Report { completions, give_backs, .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(completions.len(), 1);
    assert!(matches!(&give_backs[..], [GiveBack { seq: 1, how: GiveBackHow::Hang { .. } }]));
    assert_eq!(worker.step(Event::JobDone(lease, done(1)), 27_001, 1), [], "a late answer changes nothing");
}

#[test]
fn a_lost_lease_is_not_reported() {
    let (mut worker, lease) = working(1);
    assert_eq!(worker.step(Event::Tick, 3_000, 1), [Action::Renew(lease)]);
    worker.step(Event::Renewed(lease, Ok(Renewed::Gone)), 3_001, 1);
    assert_eq!(worker.step(Event::JobDone(lease, done(0)), 4_000, 1), []);
    assert!(matches!(worker.step(Event::Tick, 4_001, 5)[..], [Action::Claim { .. }]));
}

#[test]
fn draining_finishes_what_is_at_hand() {
    let (mut worker, lease) = working(1);
    assert_eq!(worker.step(Event::Drain, 5, 1), []);
    worker.step(Event::JobDone(lease, done(0)), 10, 1);
    assert_eq!(worker.step(Event::Reported(lease, Ok(())), 20, 1), [Action::Stop]);
}

#[test]
fn a_nudge_wakes_an_idle_worker_and_is_not_lost_on_one_that_asks() {
    let nothing = || Event::Claimed(Ok(Claimed::Nothing { next_at: None, unservable: false }));
    let claim = |bits| [Action::Claim { lease: LeaseId::from_random(bits), max_jobs: FIRST_CHUNK }];
    let mut worker = Worker::new(0);
    worker.step(Event::Tick, 0, 1);
    assert_eq!(worker.step(Event::Nudge, 1, 2), [], "the answer is awaited");
    assert_eq!(worker.step(nothing(), 2, 3), claim(3), "it may be older than the nudge");
    assert_eq!(worker.step(nothing(), 3, 4), []);
    assert_eq!(worker.wake_at(), Some(3 + IDLE_MS));
    assert_eq!(worker.step(Event::Tick, 4, 5), []);
    assert_eq!(worker.step(Event::Nudge, 5, 6), claim(6));
}

#[test]
fn a_due_time_on_a_clock_that_is_behind_makes_no_spin() {
    let mut worker = Worker::new(5_000);
    worker.step(Event::Tick, 5_000, 1);
    worker.step(Event::Claimed(Ok(Claimed::Nothing { next_at: Some(10), unservable: false })), 5_000, 2);
    assert_eq!(worker.wake_at(), Some(5_000 + LEAST_IDLE_MS));
}

#[test]
fn a_repeated_claim_that_holds_nothing_any_more_is_no_chunk() {
    let mut worker = Worker::new(0);
    worker.step(Event::Tick, 0, 1);
    assert_eq!(worker.step(Event::Claimed(Ok(Claimed::Chunk(chunk(0)))), 0, 2), []);
    assert_eq!(worker.lease(), None);
    let again = worker.step(Event::Tick, LEAST_IDLE_MS, 3);
    assert_eq!(again, [Action::Claim { lease: LeaseId::from_random(3), max_jobs: FIRST_CHUNK }]);
}

#[test]
fn release_reports_what_is_done_and_gives_the_rest_back_uncharged() {
    let (mut worker, lease) = working(2);
    worker.step(Event::JobDone(lease, done(0)), 10, 1);
    let actions = worker.step(Event::Release, 11, 1);
    let [Action::Report { completions, give_backs, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(completions.len(), 1);
    assert_eq!(give_backs[..], [GiveBack { seq: 1, how: GiveBackHow::Release }]);
    assert_eq!(worker.step(Event::Reported(lease, Ok(())), 20, 1), [Action::Stop]);
    assert_eq!((worker.jobs_done, worker.wake_at()), (1, None));

    let mut idle = Worker::new(0);
    assert_eq!(idle.step(Event::Release, 0, 1), [Action::Stop]);
}

#[test]
fn incident_42_what_cannot_be_read_is_not_claimed_again_at_once() {
    let (mut worker, lease) = working(1);
    let actions = worker.step(Event::JobDone(lease, JobResult::Refused { seq: 0 }), 10, 1);
    assert!(matches!(&actions[..], [Action::Report { give_backs, .. }] if give_backs.len() == 1));
    assert_eq!(worker.step(Event::Reported(lease, Ok(())), 20, 1), []);
    assert_eq!(worker.wake_at(), Some(20 + IDLE_MS));
    assert_eq!(worker.jobs_done, 0);
}

#[test]
fn the_deadline_is_counted_on_our_clock_from_the_first_claim() {
    let mut worker = Worker::new(1_000_000);
    worker.step(Event::Tick, 1_000_000, 7);
    // The store's clock is far behind, as `chunk` says.
    worker.step(Event::Claimed(Ok(Claimed::Chunk(chunk(1)))), 1_000_500, 8);
    assert_eq!(worker.wake_at(), Some(1_003_000), "the renewal");
    assert_eq!(worker.step(Event::Tick, 1_026_999, 8).len(), 1, "a renewal");
    assert_eq!(worker.step(Event::Tick, 1_027_000, 8)[0], Action::AbandonThread);
}

#[test]
fn after_a_pause_a_chunk_is_small_enough_to_share() {
    let mut worker = Worker::new(0);
    worker.chunk_size = 500;
    worker.step(Event::Tick, 0, 1);
    worker.step(Event::Claimed(Ok(Claimed::Nothing { next_at: None, unservable: false })), 0, 2);
    let actions = worker.step(Event::Nudge, 1, 3);
    assert_eq!(actions, [Action::Claim { lease: LeaseId::from_random(3), max_jobs: CHUNK_AFTER_PAUSE }]);
}

#[test]
fn chunks_grow_to_a_tenth_of_the_deadline_and_shrink_when_jobs_are_slow() {
    let (mut worker, lease) = working(2);
    worker.step(Event::JobDone(lease, done(0)), 1, 1);
    worker.step(Event::JobDone(lease, done(1)), 6_000, 1);
    assert_eq!(worker.chunk_size, 1, "3 s a job: one at a time");
}
