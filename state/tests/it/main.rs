//! The stores as their users see them: one conformance suite for all, a differential test, faults of the real thing.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test may stop at the first surprise, and talks to a person

mod conformance;
mod differential;
mod faults;
mod opening;

use state::conformance::{RedisServer, redis_is_skipped};
use state::{Clock, OpenOptions, RedisStore, StateUrl};

/// A folder for one test's files, in memory where that is possible: tests should not wait for a disk.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// A server of one's own; none where the environment says to do without. Its absence is a failure, not a green test.
fn redis_server() -> Option<RedisServer> {
    if redis_is_skipped() {
        eprintln!("TIPOFF_SKIP_REDIS=1: THE REDIS STORE IS NOT TESTED");
        return None;
    }
    Some(RedisServer::start(&[]))
}

/// A store on that server whose time the test passes.
async fn redis_store(server: &RedisServer) -> RedisStore {
    let StateUrl::Redis(address) = server.url().parse().unwrap() else { panic!("a Redis URL") };
    let options = OpenOptions { clock: Clock::Passed, ..OpenOptions::default() };
    RedisStore::open(&address, options).await.unwrap()
}

/// One command on a connection of its own: what an administrator, or an accident, might do.
async fn redis_command(server: &RedisServer, words: &[&str]) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    let _answer: redis::Value = cmd.query_async(&mut connection).await.unwrap();
}
