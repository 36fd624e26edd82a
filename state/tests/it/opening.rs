//! Opening a store: what is refused, in what words, and how soon.

use std::time::{Duration, Instant};

use state::conformance::RedisServer;
use state::conformance::kit::{T0, batch, running, view};
use state::{BatchStore, OpenOptions, SqliteStore, StateUrl, StoreError, open};

/// Opens a URL; it must fail within the promised time and in one sentence without secrets.
async fn refused(url: &str) -> StoreError {
    let begun = Instant::now();
    let url: StateUrl = url.parse().unwrap();
    let error = open(&url, OpenOptions::default()).await.expect_err("it cannot be opened");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let said = format!("{error} {error:?} {url:?}");
    assert!(!said.contains("canary") && !error.to_string().contains('\n'), "{said}");
    error
}

#[tokio::test]
async fn an_unreachable_server_is_one_sentence() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It accepts and never answers.
    let silent = refused(&format!("redis://:canary@127.0.0.1:{port}/0")).await;
    assert!(silent.is_unreachable(), "{silent:?}");
    drop(listener);
    let nobody = refused(&format!("redis://user:canary@127.0.0.1:{port}/0")).await;
    assert!(nobody.is_unreachable() && nobody.certainly_not_applied(), "{nobody:?}");
    assert!(nobody.to_string().contains(&format!("redis://***@127.0.0.1:{port}/0")), "{nobody}");
}

#[tokio::test]
async fn servers_that_would_lose_batches_are_refused() {
    if crate::redis_server().is_none() {
        return;
    }
    let evicting = RedisServer::start(&["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]);
    let error = refused(&evicting.url()).await;
    assert!(error.to_string().contains("set maxmemory-policy to noeviction"), "{error}");
    let locked = RedisServer::start(&["--requirepass", "canary"]);
    let error = refused(&format!("redis://:wrong@127.0.0.1:{}/0", locked.port())).await;
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    let url: StateUrl = format!("redis://:canary@127.0.0.1:{}/0", locked.port()).parse().unwrap();
    let store = open(&url, OpenOptions::default()).await.unwrap();
    assert!(!format!("{store:?}").contains("canary"));
    assert!(store.notes()[0].contains("nothing on disk"), "{:?}", store.notes());
}

#[tokio::test]
async fn the_server_s_clock_is_the_store_s_clock() {
    let Some(server) = crate::redis_server() else { return };
    let store = open(&server.url().parse().unwrap(), OpenOptions::default()).await.unwrap();
    running(&*store, &batch(0), 1).await;
    let now = store.now().await.unwrap();
    let opened_at = view(&*store, &batch(0)).await.opened_at;
    assert!(opened_at > T0 && (0..60_000).contains(&(now - opened_at)), "{opened_at} {now}");
}

#[tokio::test]
async fn files_that_are_no_store_are_left_alone() {
    let dir = crate::folder();
    let path = |name: &str| dir.path().join(name);
    let url = |name: &str| format!("sqlite:{}", path(name).display());
    let error = refused(&url("missing/state.db")).await;
    assert!(error.to_string().contains("check that the folder exists"), "{error}");
    std::fs::write(path("notes.txt"), "player,points\n".repeat(200)).unwrap();
    let error = refused(&url("notes.txt")).await;
    assert!(error.to_string().contains("is not a tipoff state store"), "{error}");
    assert_eq!(std::fs::read_to_string(path("notes.txt")).unwrap(), "player,points\n".repeat(200));
    for (name, sql, part) in [
        ("other.db", "CREATE TABLE predictions (id INTEGER)", "tables of another program"),
        (
            "newer.db",
            "CREATE TABLE meta (only_row INTEGER PRIMARY KEY, format INTEGER, store_id TEXT, writes INTEGER, \
         warehouse_id TEXT, last_sweep INTEGER); INSERT INTO meta VALUES (1, 99, 'x', 0, NULL, NULL)",
            "format 99",
        ),
    ] {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path(name)).create_if_missing(true);
        let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
        sqlx::Connection::close(other).await.unwrap();
        let error = refused(&url(name)).await;
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn two_processes_share_one_file() {
    let dir = crate::folder();
    let path = dir.path().join("state.db");
    let (one, two) = tokio::join!(SqliteStore::open(&path), SqliteStore::open(&path));
    let (one, two) = (one.unwrap(), two.unwrap());
    running(&one, &batch(0), 3).await;
    assert_eq!(view(&two, &batch(0)).await, view(&one, &batch(0)).await);
    assert_eq!(one.identity().await.unwrap().store_id, two.identity().await.unwrap().store_id);
    drop(one);
    let again = SqliteStore::open(&path).await.unwrap();
    assert_eq!(view(&again, &batch(0)).await.total, 3);
}
