//! SIGKILL at every named crash point, on SQLite and with the state in Redis: after a restart the slate is wholly old
//! or wholly new, the batch is terminal, and the next one runs.

use serde_json::{Value, json};
use state::conformance::RedisServer;

use crate::server::Server;
use crate::world::{World, small};

/// What a point needs to be reached.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// An ordinary batch.
    Ordinary,
    /// A job that never ends, and a finish-by that closes without it.
    FinishBy,
    /// A job that never ends, and an operator who consolidates.
    Consolidate,
}

fn way_to(point: &str) -> Way {
    match point {
        _ if point.starts_with("state.drain") => Way::FinishBy,
        _ if point.starts_with("state.close") => Way::Consolidate,
        _ => Way::Ordinary,
    }
}

fn points() -> Vec<&'static str> {
    state::crash::POINTS.into_iter().chain(warehouse::crash::POINTS).collect()
}

async fn crash_at(point: &str, world: &World, state: Option<&str>) {
    let request = serde_json::to_value(world.request()).unwrap();
    let dir = world.dir.path();
    let old = {
        let server = Server::start(dir, state, 2, &[]);
        server.run_batch(request.clone()).await
    };
    let (crash, hang) = (("TIPOFF_CRASH_AT", point), format!("hang:{}", world.report.quoted[0]));
    let way = way_to(point);
    {
        let fault = ("TIPOFF_FAULT", hang.as_str());
        let mut env = vec![crash];
        if way != Way::Ordinary {
            env.push(fault);
        }
        let mut server = Server::start(dir, state, 2, &env);
        let mut body = request.clone();
        if way == Way::FinishBy {
            body["finish_by_seconds"] = json!(1);
        }
        let started = server.post("/start", body).await;
        if way == Way::Consolidate {
            let batch_id = started.unwrap().1["batch_id"].clone();
            server.post("/consolidate", json!({ "batch_id": batch_id, "min_coverage": 0.0 })).await;
        }
        server.wait_for_death(point);
    }
    let server = Server::start(dir, state, 2, &[]);
    server.settled(point).await;
    check_slate(&server, point, &old).await;
    let next = server.run_batch(request).await;
    assert_eq!(next["state"], "complete", "{point}: {next:#}");
}

/// The slate shows one batch whole: the old one, or the new one with what its receipt lists as carried.
async fn check_slate(server: &Server, point: &str, old: &Value) {
    let date = old["game_date"].as_str().unwrap();
    let batches = server.get(&format!("/batches?game_date={date}")).await;
    let newest = &batches["rows"][0];
    let rows = server.get(&format!("/predictions?game_date={date}")).await;
    let rows = rows["rows"].as_array().unwrap();
    let of = |batch: &Value| rows.iter().filter(|row| row["batch_id"] == batch["batch_id"]).count() as u64;
    let old_rows = old["rows"]["published"].as_u64().unwrap();
    if newest["batch_id"] == old["batch_id"] {
        assert_eq!(of(old), old_rows, "{point}: no second batch, so the old slate");
        return;
    }
    let state = newest["state"].as_str().unwrap();
    assert!(["complete", "partial", "failed", "reset"].contains(&state), "{point}: {newest:#}");
    if state == "complete" || state == "partial" {
        assert_eq!(of(newest), newest["rows"]["published"].as_u64().unwrap(), "{point}: new rows");
        assert_eq!(of(old), newest["rows"]["carried"].as_u64().unwrap(), "{point}: carried rows");
    } else {
        assert_eq!((of(newest), of(old)), (0, old_rows), "{point}: the old slate");
    }
    assert_eq!(rows.len() as u64, of(newest) + of(old), "{point}");
}

fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

#[test]
fn killed_at_every_point_on_sqlite() {
    for point in points() {
        let world = World::new(&small());
        on_a_runtime(crash_at(point, &world, None));
    }
}

#[test]
fn killed_at_every_point_with_the_state_in_redis() {
    for point in points() {
        let (world, redis) = (World::new(&small()), RedisServer::start(&[]));
        on_a_runtime(crash_at(point, &world, Some(&redis.url())));
    }
}
