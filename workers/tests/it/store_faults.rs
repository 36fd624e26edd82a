//! A store that loses answers, falls silent or cannot be reached is nobody's failure: no attempt is charged, nothing is
//! done twice, and the batch ends when the store is back.

use std::sync::Arc;

use proto::{Code, Job};
use protocol::Timing;
use workers::PoolSize;

use crate::bench::{Bench, real, run};
use crate::flaky::{FlakyStore, Mishap};
use crate::samples::job;

async fn everybody_is_predicted_once(timing: Timing, script: fn(u64) -> Option<Mishap>) -> Arc<FlakyStore> {
    let store = Arc::new(FlakyStore::new(script));
    let bench = Bench::on(store.clone(), timing);
    let jobs: Vec<Job> = (0..60).map(|n| job(&format!("player{n}"), &["alpha", "beta"])).collect();
    let batch = bench.start(0, &jobs).await;
    let pool = bench.pool(PoolSize::Fixed(2), real());
    let ended = bench.ended(&batch).await;
    assert_eq!((ended.jobs.predicted, ended.staged_rows, ended.stale_writes), (60, 120, 0));
    for (player, code, attempts) in bench.ends(&batch).await {
        assert_eq!((code, attempts), (Code::Predicted, 1), "{player}");
    }
    assert!(bench.store.log(&batch).await.unwrap().iter().all(|entry| !entry.text.contains("alarm")));
    assert_eq!(pool.status().restarts, 0, "the workers outlive it");
    assert!(!store.mishaps.lock().unwrap().is_empty(), "something was struck");
    store
}

#[test]
fn lost_answers_are_asked_for_again_and_nothing_happens_twice() {
    run(async {
        everybody_is_predicted_once(Timing::default(), |call| (call % 3 != 2).then_some(Mishap::AnswerLost))
            .await;
    });
}

#[test]
fn an_outage_is_waited_out() {
    run(async {
        everybody_is_predicted_once(Timing::default(), |call| {
            (2..9).contains(&call).then_some(Mishap::Unreachable)
        })
        .await;
    });
}

#[test]
fn a_call_that_never_returns_is_given_up_and_repeated() {
    run(async {
        everybody_is_predicted_once(Timing::default(), |call| {
            matches!(call, 1 | 4).then_some(Mishap::Silence)
        })
        .await;
    });
}

#[test]
fn a_call_that_panics_is_a_call_without_an_answer() {
    run(async {
        everybody_is_predicted_once(Timing::default(), |call| {
            matches!(call, 0 | 3 | 5).then_some(Mishap::Panic)
        })
        .await;
    });
}
