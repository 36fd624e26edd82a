//! Calls that change a batch.

use coordinator::config::PoolSize;
use proto::api::{BatchStatus, ConsolidateAnswer, Problem, ResetAnswer, Started};
use serde_json::{Value, json};

use super::Api;
use crate::world::{World, ended, small};

#[test]
fn a_slate_is_started_followed_and_read_over_http() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let answer = api.post("/start", &world.request()).await;
        let started: Started = answer.read(202);
        insta::assert_json_snapshot!("started", answer.redacted(202));
        let batch_id = started.batch_id.unwrap();
        ended(instance, &batch_id).await;

        let status = api.get(&format!("/status?batch_id={batch_id}")).await;
        insta::assert_json_snapshot!("status_ended", status.redacted(200));
        let batch: BatchStatus = status.read(200);
        assert_eq!((batch.state.as_str(), batch.progress.total), ("complete", started.total_jobs));
        // The same bytes, whichever way one asks.
        for path in [format!("/batches/{batch_id}"), format!("/status?game_date={}", batch.game_date)] {
            assert_eq!(api.get(&path).await.text, status.text, "{path}");
        }
        for (rel, href) in &started.links {
            assert_eq!(api.get(href).await.status, 200, "{rel}");
        }
        let list: Value = api.get("/batches?limit=1").await.read(200);
        assert_eq!(list["rows"][0]["batch_id"], json!(batch_id));
    });
}

#[test]
fn incident_03_a_second_start_is_refused_and_shown_what_is_in_the_way() {
    let world = World::new(&small());
    let config = world.config(|config| config.workers = PoolSize::Fixed(0));
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let first: Started = api.post("/start", &world.request()).await.read(202);
        let mut forced = world.request();
        forced.force = true;
        for request in [world.request(), forced] {
            let answer = api.post("/start", &request).await;
            insta::assert_json_snapshot!("already_running", answer.redacted(409));
            let problem: Problem = answer.read(409);
            assert_eq!(problem.batch_id, first.batch_id);
            assert_eq!(problem.progress.unwrap().queued, first.total_jobs);
        }
        let open: Value = api.get("/status").await.read(200);
        assert_eq!(open["batches"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_running_batch_is_changed_then_reset_and_started_again() {
    let world = World::new(&small());
    let config = world.config(|config| config.workers = PoolSize::Fixed(0));
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let first: Started = api.post("/start", &world.request()).await.read(202);
        let batch_id = first.batch_id.unwrap();
        let path = format!("/batches/{batch_id}");

        let before: BatchStatus = api.get(&path).await.read(200);
        let after: BatchStatus = api.call("PATCH", &path, r#"{"finish_by_seconds":1200}"#).await.read(200);
        assert_eq!((after.finish_by - before.finish_by).get_seconds(), 600);

        let refused: Problem = api.post("/consolidate", &json!({ "batch_id": batch_id })).await.read(409);
        assert_eq!(refused.kind, "/problems/below-coverage");

        let would: ResetAnswer =
            api.post("/reset", &json!({ "batch_id": batch_id, "dry_run": true })).await.read(200);
        assert_eq!((would.status.as_str(), would.state.as_str()), ("dry_run", "running"));
        let date = first.game_date;
        let done: ResetAnswer = api.post("/reset", &json!({ "game_date": date })).await.read(200);
        assert_eq!((done.status.as_str(), done.state.as_str()), ("reset", "reset"));

        let frozen: Problem = api.call("PATCH", &path, r#"{"min_coverage":0.1}"#).await.read(409);
        assert_eq!((frozen.kind.as_str(), frozen.batch_id), ("/problems/frozen", Some(batch_id.clone())));
        // Reset again is the same answer; by date there is none left to mean.
        let again: ResetAnswer = api.post("/reset", &json!({ "batch_id": batch_id })).await.read(200);
        assert_eq!(again.state, "reset");
        assert_eq!(api.post("/reset", &json!({ "game_date": date })).await.status, 404);

        let second: Started = api.post("/start", &world.request()).await.read(202);
        assert_eq!((first.generation, second.generation), (Some(1), Some(2)));
    });
}

#[test]
fn a_published_batch_cannot_be_reset_and_consolidates_to_its_receipt() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let started: Started = api.post("/start", &world.request()).await.read(202);
        let batch_id = started.batch_id.unwrap();
        let status = ended(instance, &batch_id).await;
        let problem: Problem = api.post("/reset", &json!({ "batch_id": batch_id })).await.read(409);
        assert_eq!(problem.kind, "/problems/already-published");
        assert_eq!(problem.receipt.map(|receipt| *receipt), status.receipt);
        let answer: ConsolidateAnswer =
            api.post("/consolidate", &json!({ "game_date": started.game_date })).await.read(200);
        assert_eq!((answer.status.as_str(), answer.receipt), ("ended", status.receipt));
    });
}

#[test]
fn incident_17_a_dry_run_says_what_would_happen_and_does_nothing() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let mut request = world.request();
        request.dry_run = true;
        let would: Started = api.post("/start", &request).await.read(200);
        assert_eq!((would.status.as_str(), would.batch_id.is_none()), ("dry_run", true));
        assert_eq!(would.summary.forecast.values().sum::<u64>(), would.total_jobs);
        assert!(api.get("/batches").await.redacted(200)["rows"].as_array().unwrap().is_empty());

        let started: Started = api.post("/start", &world.request()).await.read(202);
        let status = ended(instance, &started.batch_id.unwrap()).await;
        assert_eq!(status.reasons, would.summary.forecast, "the forecast was wrong");
    });
}

#[test]
fn workers_are_resized() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let becomes = async |size: usize| {
            let since = std::time::Instant::now();
            loop {
                let now: Value = api.get("/workers").await.read(200);
                if now["pool"]["workers"].as_array().unwrap().len() == size {
                    assert_eq!(now["pool"]["size"], size);
                    return;
                }
                assert!(since.elapsed().as_secs() < 30, "never {size}: {now}");
                tokio::task::yield_now().await;
            }
        };
        becomes(2).await;
        assert_eq!(api.call("PUT", "/workers", r#"{"size":3}"#).await.status, 200);
        becomes(3).await;
        for (body, field) in
            [(r#"{"size":0}"#, "size"), (r#"{"size":1,"auto":{"min":1,"max":2}}"#, "size"), ("{}", "size")]
        {
            let problem: Problem = api.call("PUT", "/workers", body).await.read(422);
            assert_eq!(problem.field.as_deref(), Some(field), "{body}");
        }
    });
}
