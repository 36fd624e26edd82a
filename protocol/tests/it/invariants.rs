//! Random operations, some of them wrong or repeated, with the invariants checked after each; then time passes
//! and the batch must end by itself.

use proptest::prelude::*;
use proto::{Code, EndState};
use protocol::model::{Model, Place};
use protocol::ops::{Claimed, GiveBack, GiveBackHow};
use protocol::{BatchState, CloseReason, Millis};

use crate::{TOKEN, batch_id, claim, lease, new_job, open_request, predicted, ticket};

#[derive(Debug, Clone)]
enum Op {
    Open(i64),
    Add(i64, u32),
    Seal(i64),
    Withdraw(i64),
    Claim(u128, usize),
    Renew(u128),
    Complete(i64, u128, u32),
    Retry(i64, u128, u32),
    Hang(i64, u128, u32),
    Close(i64, CloseReason),
    Ticket(i64, u128),
    Drain(i64, u128),
    End(i64),
    Drop(i64),
    Sweep,
    Wait(Millis),
}

fn op() -> impl Strategy<Value = Op> {
    let batch = 1i64..4;
    let lease = 1u128..6;
    let seq = 0u32..7;
    let reason = prop_oneof![
        Just(CloseReason::Operator),
        Just(CloseReason::Reset),
        Just(CloseReason::FinishBy),
        Just(CloseReason::NeverSealed)
    ];
    prop_oneof![
        2 => batch.clone().prop_map(Op::Open),
        4 => (batch.clone(), seq.clone()).prop_map(|(b, s)| Op::Add(b, s)),
        2 => batch.clone().prop_map(Op::Seal),
        1 => batch.clone().prop_map(Op::Withdraw),
        6 => (lease.clone(), 1usize..4).prop_map(|(l, n)| Op::Claim(l, n)),
        1 => lease.clone().prop_map(Op::Renew),
        8 => (batch.clone(), lease.clone(), seq.clone()).prop_map(|(b, l, s)| Op::Complete(b, l, s)),
        3 => (batch.clone(), lease.clone(), seq.clone()).prop_map(|(b, l, s)| Op::Retry(b, l, s)),
        2 => (batch.clone(), lease.clone(), seq).prop_map(|(b, l, s)| Op::Hang(b, l, s)),
        1 => (batch.clone(), reason).prop_map(|(b, r)| Op::Close(b, r)),
        2 => (batch.clone(), lease.clone()).prop_map(|(b, t)| Op::Ticket(b, t)),
        2 => (batch.clone(), lease).prop_map(|(b, t)| Op::Drain(b, t)),
        1 => batch.clone().prop_map(Op::End),
        1 => batch.prop_map(Op::Drop),
        3 => Just(Op::Sweep),
        4 => (0i64..9_000).prop_map(Op::Wait),
    ]
}

fn apply(model: &mut Model, op: &Op, now: &mut Millis) {
    let give_back = |seq: &u32, how| vec![GiveBack { seq: *seq, how }];
    match op {
        Op::Open(b) => drop(model.open(&open_request(&batch_id(*b)), *now)),
        Op::Add(b, s) => drop(model.add_jobs(&batch_id(*b), &TOKEN, &[new_job(*s)], *now)),
        Op::Seal(b) => {
            let total = model.batch(&batch_id(*b)).map_or(0, |view| view.total);
            model.seal(&batch_id(*b), &TOKEN, *b as u64, total, *now);
        }
        Op::Withdraw(b) => drop(model.withdraw(&batch_id(*b), &TOKEN)),
        Op::Claim(l, n) => drop(model.claim(&claim(*l, *n), *now)),
        Op::Renew(l) => drop(model.renew(&lease(*l), *now)),
        Op::Complete(b, l, s) => drop(model.complete(&batch_id(*b), &lease(*l), &[predicted(*s)], *now)),
        Op::Retry(b, l, s) => {
            let how = GiveBackHow::Retry { code: Code::Error, error: "e".into(), delay_ms: 100 };
            model.give_back(&batch_id(*b), &lease(*l), &give_back(s, how), *now);
        }
        Op::Hang(b, l, s) => {
            model.give_back(
                &batch_id(*b),
                &lease(*l),
                &give_back(s, GiveBackHow::Hang { delay_ms: 50 }),
                *now,
            );
        }
        Op::Close(b, reason) => drop(model.close(&batch_id(*b), *reason, None, *now)),
        Op::Ticket(b, t) => drop(model.take_ticket(&batch_id(*b), &ticket(*t), *now)),
        Op::Drain(b, t) => drop(model.drain(&batch_id(*b), &ticket(*t), 2, *now)),
        Op::End(b) => {
            let id = batch_id(*b);
            let drained = model
                .batch(&id)
                .is_some_and(|v| v.state == BatchState::Finalizing && v.queued + v.leased == 0);
            if drained {
                model.end(&id, EndState::Failed, "{}", &format!("{id}/end"), "{}", *now);
            }
        }
        Op::Drop(b) => drop(model.drop_staged(&batch_id(*b))),
        Op::Sweep => drop(model.sweep(10_000, &[], 100, *now)),
        Op::Wait(ms) => *now += ms,
    }
}

fn check(model: &Model) {
    let mut open_of_slate = std::collections::BTreeSet::new();
    for batch in model.batches.values() {
        let view = model.batch(&batch.batch_id).unwrap();
        assert_eq!(view.total, view.queued + view.leased + view.jobs.total(), "I1 of {}", batch.batch_id);
        if batch.state.is_open() {
            assert!(open_of_slate.insert(batch.batch_id.slate()), "two open batches of one slate");
            assert_eq!(model.open_slates.get(&batch.batch_id.slate()), Some(&batch.batch_id));
        }
        for (seq, job) in batch.jobs.iter().enumerate() {
            let seq = seq as u32;
            let places = [
                batch.queue.iter().any(|(_, s)| *s == seq),
                batch.leased.contains(&seq),
                batch.done.values().any(|seqs| seqs.contains(&seq)),
            ];
            let want = match job.place {
                Place::Queued(at) => [batch.queue.contains(&(at, seq)), false, false],
                Place::Leased(_) => [false, true, false],
                Place::Done(_) => [false, false, true],
            };
            assert_eq!(places, want, "job {seq} is in one place");
            assert!(job.attempts <= batch.timing.max_attempts, "attempts are bounded");
        }
    }
    for (lease_id, lease) in &model.leases {
        assert!(!lease.held.is_empty(), "a lease that holds nothing is gone");
        let jobs = &model.batches[&lease.batch_id].jobs;
        assert!(lease.held.iter().all(|seq| jobs[*seq as usize].place == Place::Leased(*lease_id)));
        assert!(lease.expires_at <= lease.deadline_at);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn places_hold_and_every_batch_ends_by_itself(ops in prop::collection::vec(op(), 1..80)) {
        let mut model = Model::new("test");
        let mut now = 0;
        for op in &ops {
            let ended: Vec<_> = ended_jobs(&model);
            apply(&mut model, op, &mut now);
            check(&model);
            for (id, seq, done) in ended {
                let batch = model.batches.get(&id);
                let still = batch.is_none_or(|b| b.jobs.is_empty() || b.jobs[seq].place == Place::Done(done));
                prop_assert!(still, "an ended job changed");
            }
        }
        // Liveness: with nobody but the sweep and a worker that always loses its lease, every batch closes.
        for round in 0..80u128 {
            now += 10_000;
            model.sweep(10_000, &[], 100, now);
            if let Claimed::Chunk(_) = model.claim(&claim(1_000 + round, 3), now) {}
        }
        for batch in model.batches.values() {
            let at_rest = matches!(batch.state, BatchState::Finalizing | BatchState::Ended(_));
            prop_assert!(at_rest, "{} still {} after its finish-by", batch.batch_id, batch.state);
        }
    }
}

type Ended = (proto::BatchId, usize, Box<protocol::ops::Done>);

fn ended_jobs(model: &Model) -> Vec<Ended> {
    let mut ended = Vec::new();
    for batch in model.batches.values() {
        for (seq, job) in batch.jobs.iter().enumerate() {
            if let Place::Done(done) = &job.place {
                ended.push((batch.batch_id.clone(), seq, done.clone()));
            }
        }
    }
    ended
}
