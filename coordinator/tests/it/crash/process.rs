//! A worker that hangs, one that panics, a process that is killed: the batch ends, what was done is published, the
//! rest is listed with reasons, the pool is back at size.

use std::time::Duration;

use serde_json::json;

use crate::server::{PATIENCE, Server};
use crate::world::{World, small};

fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

#[test]
fn a_hanging_and_a_panicking_player_cost_nobody_else() {
    let world = World::new(&small());
    let (hangs, panics) = (world.report.quoted[0].clone(), world.report.quoted[1].clone());
    on_a_runtime(async {
        let fault = format!("hang:{hangs},panic:{panics}");
        let server = Server::start(world.dir.path(), None, 2, &[("TIPOFF_FAULT", &fault)]);
        let ended = server.run_batch(serde_json::to_value(world.request()).unwrap()).await;
        assert_eq!(ended["state"], "partial", "{ended:#}");
        assert_eq!(ended["progress"]["failed"], 2);
        assert_eq!(ended["progress"]["predicted"].as_u64().unwrap(), world.report.quoted.len() as u64 - 2);
        let path = format!("/batches/{}/players?outcome=failed", ended["batch_id"].as_str().unwrap());
        for player in server.get(&path).await["rows"].as_array().unwrap() {
            let (lookup, code) = (&player["player_lookup"], &player["reason"]["code"]);
            let wanted = if *lookup == json!(hangs) { "hang" } else { "panic" };
            assert_eq!(code, wanted, "{player:#}");
        }
        let workers = server.get("/workers").await;
        assert_eq!(workers["pool"]["workers"].as_array().unwrap().len(), 2, "{workers:#}");
        assert!(workers["pool"]["abandoned_threads"].as_u64().unwrap() >= 1);
    });
}

#[test]
fn a_job_that_kills_its_process_each_time_ends_as_lost() {
    let world = World::new(&small());
    let kills = world.report.quoted[0].clone();
    on_a_runtime(async {
        let fault = format!("kill:{kills}");
        let mut server = Server::start(world.dir.path(), None, 1, &[("TIPOFF_FAULT", &fault)]);
        let started = server.post("/start", serde_json::to_value(world.request()).unwrap()).await;
        let batch_id = started.unwrap().1["batch_id"].as_str().unwrap().to_owned();
        // Once in company, then alone until its attempts are used up.
        for _ in 0..4 {
            server.wait_for_death("kill");
            server = Server::start(world.dir.path(), None, 1, &[("TIPOFF_FAULT", &fault)]);
            let status = server.get(&format!("/status?batch_id={batch_id}")).await;
            if !status["ended_at"].is_null() {
                break;
            }
        }
        server.settled("kill").await;
        let ended = server.get(&format!("/status?batch_id={batch_id}")).await;
        assert_eq!(ended["state"], "partial", "{ended:#}");
        assert_eq!(ended["reasons"]["lease"], 1, "{ended:#}");
        assert_eq!(ended["progress"]["predicted"].as_u64().unwrap(), world.report.quoted.len() as u64 - 1);
    });
}

#[test]
fn a_stopped_process_releases_what_it_holds() {
    let world = World::new(&small());
    on_a_runtime(async {
        let slow = [("TIPOFF_FAULT", "slow_ms:20"), ("TIPOFF_PROTOCOL_LEASE_MS", "10000")];
        let mut server = Server::start(world.dir.path(), None, 2, &slow);
        let started = server.post("/start", serde_json::to_value(world.request()).unwrap()).await;
        let batch_id = started.unwrap().1["batch_id"].as_str().unwrap().to_owned();
        server.signal("TERM");
        server.wait_for_death("TERM");
        let server = Server::start(world.dir.path(), None, 2, &[]);
        server.settled("TERM").await;
        let ended = server.get(&format!("/status?batch_id={batch_id}")).await;
        assert_eq!(ended["state"], "complete", "{ended:#}");
    });
}

#[test]
fn incident_51_a_lost_state_store_ends_the_batch_as_lost_and_keeps_the_slate() {
    let world = World::new(&small());
    on_a_runtime(async {
        let published = {
            let server = Server::start(world.dir.path(), None, 2, &[]);
            server.run_batch(serde_json::to_value(world.request()).unwrap()).await
        };
        let fault = format!("hang:{}", world.report.quoted[0]);
        let server = Server::start(world.dir.path(), None, 2, &[("TIPOFF_FAULT", &fault)]);
        let started = server.post("/start", serde_json::to_value(world.request()).unwrap()).await;
        let lost = started.unwrap().1["batch_id"].as_str().unwrap().to_owned();
        drop(server);
        for file in ["state.db", "state.db-wal", "state.db-shm"] {
            let _ = std::fs::remove_file(world.dir.path().join(file));
        }
        let server = Server::start(world.dir.path(), None, 2, &[]);
        let since = std::time::Instant::now();
        let ended = loop {
            let status = server.get(&format!("/status?batch_id={lost}")).await;
            if !status["ended_at"].is_null() {
                break status;
            }
            assert!(since.elapsed() < PATIENCE, "{status:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(ended["state_reason"]["code"], "state_lost", "{ended:#}");
        let rows = server.get("/predictions?game_date=2025-11-14").await;
        let rows = rows["rows"].as_array().unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|row| row["batch_id"] == published["batch_id"]));
        let next = server.run_batch(serde_json::to_value(world.request()).unwrap()).await;
        assert_eq!(next["generation"], 3, "{next:#}");
    });
}
