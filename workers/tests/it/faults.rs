//! Workers that hang, panic and are lost: the batch ends, the neighbours do not notice, the pool is back at size.

use std::sync::Arc;

use proto::{Code, Job};
use protocol::CloseReason;
use workers::fault::FaultyPredictor;
use workers::{MAX_ABANDONED_THREADS, PoolHandle, PoolSize, PoolStatus};

use crate::bench::{Bench, real, run, until};
use crate::samples::{job, quick};

fn slate(jobs: usize) -> Vec<Job> {
    (0..jobs).map(|n| job(&format!("player{n}"), &["alpha", "beta"])).collect()
}

fn faulty(plan: &str) -> Arc<FaultyPredictor> {
    Arc::new(FaultyPredictor::new(real(), plan.parse().unwrap()))
}

async fn at_size(pool: &PoolHandle, size: usize) -> PoolStatus {
    until("the pool is at size", async || Some(pool.status()).filter(|status| status.workers.len() == size))
        .await
}

/// Everybody is predicted but the culprit, who ends with `code` after so many charged attempts.
async fn only_the_culprit_failed(
    bench: &Bench,
    plan: &str,
    code: Code,
    attempts: u32,
) -> (PoolStatus, Vec<u32>) {
    let pool = bench.pool(PoolSize::Fixed(3), faulty(plan));
    let batch = bench.start(0, &slate(24)).await;
    pool.nudge();
    let ended = bench.ended(&batch).await;
    assert_eq!(ended.closing.unwrap().reason, CloseReason::AllDone);
    let mut others = Vec::new();
    for (player, end, took) in bench.ends(&batch).await {
        if player == "player5" {
            assert_eq!((end, took), (code, attempts), "{player}");
        } else {
            assert_eq!(end, Code::Predicted, "{player}");
            others.push(took);
        }
    }
    (at_size(&pool, 3).await, others)
}

#[test]
fn a_player_that_hangs_ends_failed_and_its_neighbours_do_not_notice() {
    run(async {
        let bench = Bench::new(quick(200));
        let (status, others) = only_the_culprit_failed(&bench, "hang:player5", Code::Hang, 2).await;
        assert_eq!(status.abandoned_threads, 3, "once among others, twice alone");
        assert!(others.iter().all(|attempts| *attempts == 1), "{others:?}");
        assert_eq!((status.restarts, status.exhausted), (0, false), "the workers live on with new threads");
        assert_eq!(status.workers.iter().map(|worker| worker.thread_abandoned).sum::<u64>(), 3);
    });
}

#[test]
fn incident_42_and_43_a_player_that_panics_gets_its_attempts_and_no_more() {
    run(async {
        let bench = Bench::new(quick(2_000));
        let (status, others) = only_the_culprit_failed(&bench, "panic:player5", Code::Panic, 3).await;
        assert!(others.iter().all(|attempts| *attempts == 1), "{others:?}");
        assert_eq!((status.restarts, status.abandoned_threads), (0, 0), "neither worker nor thread is lost");
    });
}

#[test]
fn a_worker_that_is_lost_is_replaced_and_its_jobs_run_elsewhere() {
    run(async {
        let bench = Bench::new(quick(200));
        let pool = bench.pool(PoolSize::Fixed(2), faulty("slow_ms:5"));
        let before: Vec<_> = at_size(&pool, 2).await.workers.iter().map(|worker| worker.worker).collect();
        let batch = bench.start(0, &slate(60)).await;
        pool.nudge();
        until("somebody works", async || {
            pool.status().workers.iter().any(|worker| worker.lease.is_some()).then_some(())
        })
        .await;
        pool.sabotage().unwrap();
        until("it is replaced", async || (pool.status().restarts == 1).then_some(())).await;
        let ended = bench.ended(&batch).await;
        assert_eq!(ended.jobs.predicted, 60);
        let after = at_size(&pool, 2).await;
        let same = after.workers.iter().filter(|worker| before.contains(&worker.worker)).count();
        assert_eq!(same, 1, "one is new, and has a new name");
    });
}

#[test]
fn a_process_that_has_left_too_many_threads_behind_claims_nothing_and_says_so() {
    run(async {
        let plan: Vec<String> = (0..12).map(|n| format!("hang:player{n}")).collect();
        let stuck = faulty(&plan.join(","));
        let bench = Bench::new(quick(100));
        let pool = bench.pool(PoolSize::Fixed(8), stuck.clone());
        let batch = bench.start(0, &slate(12)).await;
        pool.nudge();
        let status = until("it gives up", async || {
            Some(pool.status()).filter(|status| status.exhausted && status.workers.is_empty())
        })
        .await;
        assert!(status.abandoned_threads >= MAX_ABANDONED_THREADS, "{}", status.abandoned_threads);
        assert_eq!((status.size, status.restarts), (8, 0));
        stuck.mend();
        pool.nudge();
        let left = bench.batch(&batch).await;
        assert!(
            left.queued > 0 && pool.status().workers.is_empty(),
            "the rest is for others, or for finish-by"
        );

        // A new process, as after exit 75, finishes it.
        bench.pool(PoolSize::Fixed(2), stuck);
        bench.ended(&batch).await;
    });
}
