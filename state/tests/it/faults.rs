//! What happens to the real stores while they are at work.

use std::sync::Arc;

use proto::Code;
use protocol::BatchState;
use protocol::ops::CompletionAnswer;
use state::conformance::RedisServer;
use state::conformance::kit::{LEASE, T0, batch, claim, complete, places, running, sweep, view};
use state::{BatchStore, MemoryStore, SqliteStore, bench_jobs};

#[tokio::test]
async fn a_server_that_forgets_its_scripts_is_told_again() {
    let Some(server) = crate::redis_server() else { return };
    let store = crate::redis_store(&server).await;
    running(&store, &batch(0), 2).await;
    crate::redis_command(&server, &["SCRIPT", "FLUSH"]).await;
    assert_eq!(claim(&store, 1, 9, T0).await, [0, 1]);
    let (answers, closed) = complete(&store, &batch(0), 1, &[0, 1], Code::Predicted, T0).await;
    assert_eq!((answers, closed), (vec![CompletionAnswer::Accepted; 2], true));
}

/// A restarted server that kept nothing is another store: nobody can take it for the old one.
#[tokio::test]
async fn a_killed_server_is_waited_for_and_a_lost_one_is_known() {
    let Some(mut server) = crate::redis_server() else { return };
    let store = crate::redis_store(&server).await;
    running(&store, &batch(0), 2).await;
    let before = store.identity().await.unwrap();
    server.kill();
    for _ in 0..2 {
        let error = store.batch(&batch(0)).await.expect_err("it is dead");
        assert!(error.is_unreachable(), "{error:?}");
    }
    let Some(_reborn) = RedisServer::start_on(server.port(), &[]) else { return };
    let mut answer = store.batch(&batch(0)).await;
    // The first calls may still meet the dead connection; each of them sets off a new one.
    for _ in 0..20 {
        if answer.is_ok() {
            break;
        }
        answer = store.batch(&batch(0)).await;
    }
    assert_eq!(answer.unwrap(), None);
    let after = store.identity().await.unwrap();
    assert!(after.store_id != before.store_id && after.writes < before.writes);
}

/// A full server refuses a script before its first write, and says so in a way that means "later".
#[tokio::test]
async fn a_full_server_refuses_whole_calls() {
    if crate::redis_server().is_none() {
        return;
    }
    let server = RedisServer::start(&["--maxmemory", "100mb"]);
    let store = crate::redis_store(&server).await;
    running(&store, &batch(0), 50).await;
    assert_eq!(claim(&store, 1, 10, T0).await.len(), 10);
    crate::redis_command(&server, &["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let item = state::conformance::kit::done(0, Code::Predicted);
    let lease = state::conformance::kit::lease(1);
    let error =
        store.complete(&batch(0), &lease, std::slice::from_ref(&item), T0).await.expect_err("it is full");
    assert!(error.is_unreachable() && error.certainly_not_applied(), "{error:?}");
    crate::redis_command(&server, &["CONFIG", "SET", "maxmemory", "100mb"]).await;
    assert_eq!(places(&store, &batch(0)).await, (50, 40, 10, 0));
    let (answers, _) = complete(&store, &batch(0), 1, &[0], Code::Predicted, T0).await;
    assert_eq!(answers, [CompletionAnswer::Accepted]);
}

/// A job that is nowhere is an alarm, whoever lost it.
#[tokio::test]
async fn a_job_in_no_place_is_an_alarm() {
    let dir = crate::folder();
    let path = dir.path().join("state.db");
    let sqlite = SqliteStore::open(&path).await.unwrap();
    running(&sqlite, &batch(0), 3).await;
    assert_eq!(sweep(&sqlite, T0).await.alarms, []);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("DELETE FROM jobs WHERE key % 1048576 = 1").execute(&mut other).await.unwrap();
    assert_eq!(sweep(&sqlite, T0 + 1).await.alarms, [batch(0)]);

    let Some(server) = crate::redis_server() else { return };
    let redis = crate::redis_store(&server).await;
    running(&redis, &batch(0), 3).await;
    assert_eq!(sweep(&redis, T0).await.alarms, []);
    let queue = format!("tipoff:{{s0}}:b:{}:queue", batch(0));
    crate::redis_command(&server, &["ZREM", &queue, "000001"]).await;
    assert_eq!(sweep(&redis, T0 + 1).await.alarms, [batch(0)]);
}

/// Another process may hold the file for a while: the call waits, and nothing is half done.
#[tokio::test]
async fn a_locked_file_is_waited_for() {
    let dir = crate::folder();
    let path = dir.path().join("state.db");
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    running(&*store, &batch(0), 3).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { claim(&*store, 1, 9, T0).await }
    });
    assert_eq!(view(&*store, &batch(0)).await.state, BatchState::Running, "reads wait for nobody");
    assert!(!waiting.is_finished());
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(waiting.await.unwrap(), [0, 1, 2]);
}

/// A call whose caller went away is carried out or not, never half.
#[tokio::test]
async fn a_dropped_call_leaves_no_transaction_behind() {
    let dir = crate::folder();
    let store = SqliteStore::open(&dir.path().join("state.db")).await.unwrap();
    running(&store, &batch(0), 400).await;
    for lease_no in 1..40_u128 {
        let call = claim(&store, lease_no, 10, T0);
        let polls = lease_no as usize % 13;
        poll_and_drop(call, polls).await;
        let (total, queued, leased, done) = places(&store, &batch(0)).await;
        assert_eq!((total, queued + leased, done, leased % 10), (400, 400, 0, 0));
    }
    assert_eq!(sweep(&store, T0 + LEASE).await.alarms, []);
}

/// Polls a future so many times, or until it is ready, and drops it.
async fn poll_and_drop<F: std::future::Future>(future: F, polls: usize) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| ())
    })
    .await;
}

/// The bench carries every job through the whole guarantee and leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_runs_on_every_store() {
    let dir = crate::folder();
    let mut stores: Vec<Arc<dyn BatchStore>> = vec![
        Arc::new(MemoryStore::new()),
        Arc::new(SqliteStore::open(&dir.path().join("state.db")).await.unwrap()),
    ];
    let server = crate::redis_server();
    if let Some(server) = &server {
        let url = server.url().parse().unwrap();
        stores.push(state::open(&url, state::OpenOptions::default()).await.unwrap());
    }
    for store in stores {
        for _ in 0..2 {
            let report = bench_jobs(Arc::clone(&store), 1_300, 250, 4).await.unwrap();
            assert!(report.jobs == 1_300 && report.jobs_per_second > 0.0, "{report:?}");
        }
        assert_eq!(store.batches(false).await.unwrap(), []);
        assert_eq!(store.leases().await.unwrap(), []);
        assert_eq!(store.due_index().await.unwrap(), []);
    }
}
