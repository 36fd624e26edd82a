//! A pool on a store, with real models: batches run to their end, and the pool does what it is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proto::codec::decode_outcome;
use proto::{Code, InjuryStatus, Job, OutcomeKind};
use protocol::{CloseReason, Timing};
use workers::fault::FaultyPredictor;
use workers::{MAX_WORKERS, PoolError, PoolHandle, PoolSize, PoolStatus};

use crate::bench::{Bench, other_registry, real, run, until};
use crate::samples::job;

const SYSTEMS: [&str; 5] = ["alpha", "beta", "gamma", "moving_average_v1", "catboost_v2"];

fn slate(jobs: usize) -> Vec<Job> {
    (0..jobs).map(|n| job(&format!("player{n}"), &SYSTEMS)).collect()
}

async fn idle(pool: &PoolHandle, size: usize) -> PoolStatus {
    until("every worker is idle", async || {
        let status = pool.status();
        let is_idle = status.workers.iter().all(|worker| worker.phase == "idle");
        (status.workers.len() == size && is_idle).then_some(status)
    })
    .await
}

#[test]
fn a_batch_runs_to_its_end_and_says_so_once() {
    run(async {
        let bench = Bench::new(Timing::default());
        let pool = bench.pool(PoolSize::Fixed(3), real());
        let jobs = slate(40);
        let batch = bench.filled(0, &jobs).await;
        let before = idle(&pool, 3).await;
        assert_eq!(
            (before.size, before.restarts, before.exhausted, before.unservable()),
            (3, 0, false, false)
        );

        bench.seal(&batch, jobs.len()).await;
        pool.nudge();
        let ended = bench.ended(&batch.0).await;
        assert_eq!(ended.closing.unwrap().reason, CloseReason::AllDone);
        assert_eq!((ended.jobs.predicted, ended.staged_rows), (40, 40 * SYSTEMS.len() as u64));
        assert_eq!(ended.stale_writes, 0);

        until("the end was told", async || (!bench.closed.lock().unwrap().is_empty()).then_some(())).await;
        let after = idle(&pool, 3).await;
        assert_eq!(*bench.closed.lock().unwrap(), std::slice::from_ref(&batch.0), "once");
        assert_eq!(after.workers.iter().map(|worker| worker.jobs_done).sum::<u64>(), 40);
        assert!(after.workers.iter().all(|worker| worker.lease.is_none() && worker.lease_age_ms.is_none()));
        serde_json::to_string(&after).unwrap();

        let staged = bench.store.staged(&batch.0, 0, 500).await.unwrap();
        let outcome = decode_outcome(&staged[7].done.body).unwrap();
        assert_eq!((outcome.rows.len(), outcome.rows[0].key.player.as_str()), (5, "player7"));
    });
}

#[test]
fn incident_04_and_05_who_is_out_ends_skipped_and_counts_as_done() {
    run(async {
        let bench = Bench::new(Timing::default());
        let mut jobs = slate(30);
        jobs[3].injury = InjuryStatus::Out;
        for skipped in &mut jobs[10..23] {
            skipped.quotes.clear();
        }
        let batch = bench.start(0, &jobs).await;
        bench.pool(PoolSize::Fixed(2), real());
        let ended = bench.ended(&batch).await;
        assert_eq!(ended.closing.unwrap().reason, CloseReason::AllDone, "nothing holds the batch");
        assert_eq!((ended.jobs.predicted, ended.jobs.skipped), (16, 14));
        for (player, code, attempts) in bench.ends(&batch).await {
            assert_eq!(attempts, 1, "{player} {code}: a skip is no retry");
        }
    });
}

#[test]
fn incident_33_two_hundred_workers_do_not_contend() {
    run(async {
        let bench = Bench::new(Timing::default());
        let jobs = slate(400);
        let pool = bench.pool(PoolSize::Fixed(200), real());
        idle(&pool, 200).await;
        let batches = [bench.start(0, &jobs).await, bench.start(1, &jobs).await];
        pool.nudge();
        for batch in &batches {
            let ended = bench.ended(batch).await;
            assert_eq!((ended.jobs.predicted, ended.stale_writes), (400, 0), "none lost, none refused");
            assert!(bench.ends(batch).await.iter().all(|(_, _, attempts)| *attempts == 1));
        }
        assert_eq!(idle(&pool, 200).await.restarts, 0);
    });
}

#[test]
fn an_open_batch_keeps_its_models_across_a_reload() {
    run(async {
        let bench = Bench::new(Timing::default());
        let jobs = slate(20);
        let pinned: BTreeSet<String> =
            bench.shelf.registry().pins().into_iter().map(|pin| pin.sha256).collect();
        let old = bench.start(0, &jobs).await;
        bench.shelf.install(other_registry());
        let new = bench.start(1, &jobs).await;
        bench.pool(PoolSize::Fixed(2), real());
        for (batch, value) in [(&old, 24.0), (&new, 0.9 * 24.0)] {
            assert_eq!(bench.ended(batch).await.jobs.predicted, 20);
            for staged in bench.store.staged(batch, 0, 500).await.unwrap() {
                let rows = decode_outcome(&staged.done.body).unwrap().rows;
                assert_eq!(rows[0].predicted_value, value);
                let is_old = rows[..3].iter().all(|row| pinned.contains(&row.model_sha256.to_string()));
                assert_eq!(is_old, batch == &old);
            }
        }
    });
}

#[test]
fn jobs_that_no_model_here_can_serve_are_left_alone_and_shown() {
    run(async {
        let bench = Bench::new(Timing::default());
        let batch = bench.start(0, &slate(5)).await;
        bench.shelf.install(other_registry());
        bench.shelf.keep_only(&BTreeSet::new());
        let pool = bench.pool(PoolSize::Fixed(2), real());
        until("the pool says so", async || pool.status().unservable().then_some(())).await;
        assert_eq!(bench.batch(&batch).await.queued, 5);
    });
}

#[test]
fn the_pool_takes_the_size_it_is_given() {
    run(async {
        let bench = Bench::new(Timing::default());
        let pool = bench.pool(PoolSize::Fixed(0), real());
        assert_eq!(pool.status().workers, []);
        pool.resize(5).unwrap();
        let five: BTreeSet<_> = idle(&pool, 5).await.workers.iter().map(|worker| worker.worker).collect();
        pool.resize(2).unwrap();
        let two: BTreeSet<_> = idle(&pool, 2).await.workers.iter().map(|worker| worker.worker).collect();
        assert!(two.is_subset(&five), "those that stay are not replaced");
        assert_eq!(pool.status().restarts, 0);
        assert_eq!(pool.resize(MAX_WORKERS + 1), Err(PoolError::TooMany(MAX_WORKERS + 1)));
        assert_eq!(pool.auto(3, 2), Err(PoolError::Range { min: 3, max: 2 }));
        assert_eq!(pool.auto(0, 0), Err(PoolError::Range { min: 0, max: 0 }));
    });
}

#[test]
fn an_automatic_pool_grows_with_the_backlog_within_its_range() {
    run(async {
        let bench = Bench::new(Timing::default());
        let slow = FaultyPredictor::new(real(), "slow_ms:2".parse().unwrap());
        let pool = bench.pool(PoolSize::Fixed(0), Arc::new(slow));
        pool.auto(1, 3).unwrap();
        idle(&pool, 1).await;
        let batch = bench.start(0, &slate(400)).await;
        pool.nudge();
        let grown =
            until("it has grown", async || Some(pool.status()).filter(|status| status.workers.len() == 3));
        assert_eq!(grown.await.auto, Some(workers::AutoRange { min: 1, max: 3 }));
        assert_eq!(bench.ended(&batch).await.jobs.predicted, 400);
    });
}

#[test]
fn a_drain_finishes_what_is_at_hand_and_leaves_the_rest_to_others() {
    run(async {
        let bench = Bench::new(Timing::default());
        let slow = FaultyPredictor::new(real(), "slow_ms:1".parse().unwrap());
        let pool = bench.pool(PoolSize::Fixed(2), Arc::new(slow));
        let batch = bench.start(0, &slate(450)).await;
        pool.nudge();
        until("both work", async || {
            pool.status().workers.iter().all(|worker| worker.lease.is_some()).then_some(())
        })
        .await;
        let report = pool.drain(Duration::from_secs(20)).await;
        assert_eq!((report.drained, report.stopped), (2, 0));
        let left = bench.batch(&batch).await;
        assert_eq!(left.leased, 0, "no lease is left to lapse");
        assert!(left.jobs.predicted > 0 && left.queued > 0, "{} {}", left.jobs.predicted, left.queued);
        let status = pool.status();
        assert_eq!((status.draining, status.workers.len()), (true, 0));
        assert_eq!(pool.drain(Duration::ZERO).await.drained, 2, "a second drain gets the same answer");
    });
}

#[test]
fn a_drain_that_cannot_wait_releases_for_nothing() {
    run(async {
        let bench = Bench::new(Timing::default());
        let stuck = Arc::new(FaultyPredictor::new(real(), "hang:player2".parse().unwrap()));
        let pool = bench.pool(PoolSize::Fixed(1), stuck.clone());
        let batch = bench.start(0, &slate(8)).await;
        until("it hangs", async || {
            pool.status().workers.iter().any(|worker| worker.phase == "predicting").then_some(())
        })
        .await;
        let report = pool.drain(Duration::ZERO).await;
        assert_eq!((report.drained, report.stopped), (1, 0));
        let left = bench.batch(&batch).await;
        assert_eq!((left.leased, left.jobs.total() + left.queued), (0, 8));
        let jobs = bench.store.jobs(&batch, 0, 8).await.unwrap();
        assert!(jobs.iter().all(|job| job.done.is_some() || job.attempts == 0), "a release costs nothing");
        stuck.mend();
        // Another process finishes the batch; what the stuck thread says now changes nothing.
        bench.pool(PoolSize::Fixed(1), real());
        let ended = bench.ended(&batch).await;
        assert_eq!((ended.jobs.get(OutcomeKind::Predicted), ended.stale_writes), (8, 0));
        assert!(
            bench
                .ends(&batch)
                .await
                .iter()
                .all(|(_, code, attempts)| (*code, *attempts) == (Code::Predicted, 1))
        );
    });
}
