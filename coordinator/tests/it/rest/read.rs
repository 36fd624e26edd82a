//! Calls that read.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use coordinator::service::Letter;
use proto::OutcomeKind;
use proto::api::{Page, PlayerLine, Problem, Started};
use serde_json::{Value, json};

use super::Api;
use crate::world::{World, ended, small};

#[test]
fn everybody_of_a_slate_has_rows_or_a_reason() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let started: Started = api.post("/start", &world.request()).await.read(202);
        let batch_id = started.batch_id.unwrap();
        let status = ended(instance, &batch_id).await;
        let path = format!("/batches/{batch_id}/players");

        let all: Page<PlayerLine> = api.get(&path).await.read(200);
        assert_eq!((all.rows.len() as u64, all.next), (started.total_jobs, None));
        for line in &all.rows {
            let predicted = line.outcome == Some(OutcomeKind::Predicted);
            assert_eq!(predicted, line.published > 0, "{line:?}");
            assert!(line.reason.as_ref().is_some_and(|reason| !reason.sentence.is_empty()), "{line:?}");
        }
        for kind in OutcomeKind::ALL {
            let some: Page<PlayerLine> = api.get(&format!("{path}?outcome={kind}")).await.read(200);
            assert_eq!(some.rows.len() as u64, status.receipt.as_ref().unwrap().jobs.get(*kind), "{kind}");
        }
        // Page by page is the same list.
        let mut paged = Vec::new();
        let mut next = Some(String::new());
        while let Some(cursor) = next {
            let page: Page<PlayerLine> =
                api.get(&format!("{path}?limit=7&cursor={}", encoded(&cursor))).await.read(200);
            assert!(page.rows.len() <= 7);
            paged.extend(page.rows);
            next = page.next;
        }
        assert_eq!(paged, all.rows);
    });
}

/// Enough of percent-encoding for a cursor.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            all + &char::from(byte).to_string()
        }
        _ => all + &format!("%{byte:02X}"),
    })
}

#[test]
fn predictions_come_in_pages_or_whole_with_column_names() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let started: Started = api.post("/start", &world.request()).await.read(202);
        let status = ended(instance, &started.batch_id.unwrap()).await;
        let path = format!("/predictions?game_date={}", started.game_date);

        let all: Page<Value> = api.get(&path).await.read(200);
        assert_eq!(all.rows.len() as u64, status.rows.active);
        let ids: BTreeSet<&str> = all.rows.iter().map(|row| row["prediction_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), all.rows.len());
        let system = started.systems[0].as_str();
        let some: Page<Value> = api.get(&format!("{path}&system={system}&limit=5")).await.read(200);
        assert_eq!(some.rows.len(), 5);
        assert!(some.rows.iter().all(|row| row["system_id"] == system));

        let csv = api.get(&format!("{path}&format=csv")).await;
        assert_eq!(
            (csv.status, csv.headers["content-type"].to_str().unwrap()),
            (200, "text/csv; charset=utf-8")
        );
        let mut lines = csv.text.lines();
        let columns: BTreeSet<&str> = lines.next().unwrap().split(',').collect();
        let keys: BTreeSet<&str> = all.rows[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(columns, keys);
        assert_eq!(lines.count(), all.rows.len());
        let none = api.get("/predictions?game_date=2019-01-01&format=csv").await;
        assert_eq!((none.status, none.text.lines().count()), (200, 1), "the header is there without rows");

        // A cursor of a generation that was superseded.
        let page: Page<Value> = api.get(&format!("{path}&limit=5")).await.read(200);
        let cursor = encoded(&page.next.unwrap());
        let next: Page<Value> = api.get(&format!("{path}&limit=5&cursor={cursor}")).await.read(200);
        assert_eq!(next.rows, all.rows[5..10]);
        let again: Started = api.post("/start", &world.request()).await.read(202);
        ended(instance, &again.batch_id.unwrap()).await;
        let gone: Problem = api.get(&format!("{path}&limit=5&cursor={cursor}")).await.read(410);
        assert_eq!(gone.kind, "/problems/gone");
    });
}

#[test]
fn an_instance_tells_about_itself() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        assert_eq!(api.get("/livez").await.text, r#"{"alive":true}"#);
        let ready: Value = api.get("/readyz").await.read(200);
        assert!(ready["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{ready}");
        let version: Value = api.get("/version").await.read(200);
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
        let models: Value = api.get("/models").await.read(200);
        assert!(models["models"].as_array().unwrap().len() >= 3, "{models}");
        let slate: Value = api.get(&format!("/slates/{}", world.report.last_day)).await.read(200);
        assert_eq!(slate["games"].as_array().unwrap().len(), 4);
        let page = api.get("/metrics").await;
        assert_eq!(page.status, 200);
        for part in [
            r#"tipoff_http_requests_total{method="GET",route="/version",status="200"}"#,
            "tipoff_ready 1",
            "tipoff_open_batches 0",
        ] {
            assert!(page.text.contains(part), "{part}: {}", page.text);
        }
    });
}

/// A formula with a window: it ages like anything that was trained.
fn trained_until(system: &str, until: jiff::civil::Date) -> String {
    format!(
        "format = 1\nsystem_id = \"{system}\"\nmarket = \"points\"\ntarget = \"points\"\nrole = \"shadow\"\n\
         engine = \"formula\"\nfeatures = [\"points_avg_season\"]\n[weights]\npoints_avg_season = 1.0\n\
         [training]\nstart = \"2023-10-24\"\nend = \"{until}\"\n[[reference]]\ninputs = [10.0]\nexpected = 10.0\n"
    )
}

#[test]
fn incident_83_an_old_model_shows_in_the_list_the_interface_and_the_metrics() {
    let world = World::new(&small());
    let zoo = world.dir.path().join("zoo");
    std::fs::create_dir(&zoo).unwrap();
    // Far enough from ten days that midnight may pass while this runs.
    let today = proto::league_time::league_date(jiff::Timestamp::now());
    for (system, days) in [("fresh_v1", 3), ("aged_v1", 12)] {
        let until = today.checked_sub(jiff::ToSpan::days(days)).unwrap();
        std::fs::write(zoo.join(format!("{system}.toml")), trained_until(system, until)).unwrap();
    }
    let config = world.config(|config| config.models = Some(zoo.clone()));
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let models: Value = api.get("/models").await.read(200);
        let of = |system: &str| {
            let mut all = models["models"].as_array().unwrap().iter();
            all.find(|model| model["system_id"] == system).unwrap_or_else(|| panic!("{system}: {models}"))
        };
        assert_eq!((&of("fresh_v1")["stale"], &of("aged_v1")["stale"]), (&json!(false), &json!(true)));
        assert!(of("aged_v1")["age_days"].as_i64().unwrap() >= 12, "{models}");
        let formula = of("moving_average_v1");
        assert!(
            formula["stale"] == false && formula["age_days"].is_null(),
            "a formula does not age: {formula}"
        );

        let page = api.get("/metrics").await.text;
        let line = r#"tipoff_model_age_days{system="aged_v1",market="points"} "#;
        let age = page.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_else(|| panic!("{page}"));
        assert!(age.parse::<i64>().unwrap() >= 12, "{age}");
        let stale =
            models["models"].as_array().unwrap().iter().filter(|model| model["stale"] == true).count();
        assert!(page.contains(&format!("tipoff_models_stale {stale}\n")), "{stale}: {page}");
    });
    let listed = crate::cli::tipoff(world.dir.path(), &["--models", "zoo", "models", "list"]).exit(0).out;
    let line = |system: &str| listed.lines().find(|line| line.starts_with(system)).unwrap().to_owned();
    assert!(line("aged_v1").contains("stale") && !line("fresh_v1").contains("stale"), "{listed}");
}

#[test]
fn what_went_nowhere_is_shown() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let none: Page<Letter> = api.get("/dead-letters").await.read(200);
        assert_eq!(none.rows, []);
        let context = &instance.context;
        context.store.put_event("stray", "{}", context.wall_clock()).await.unwrap();
        let refused = warehouse::DeadLetter {
            source: "a neighbour".to_owned(),
            body: "{\"type\":\"?\"}".to_owned(),
            error: "unknown type".to_owned(),
            received_at: context.now(),
        };
        context.warehouse.put_dead_letter(&refused).await.unwrap();
        let since = Instant::now();
        let letters = loop {
            context.ring_relay();
            let letters: Page<Letter> = api.get("/dead-letters").await.read(200);
            if letters.rows.len() == 2 {
                break letters.rows;
            }
            assert!(since.elapsed() < Duration::from_secs(30), "{letters:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!((letters[0].kind.as_str(), letters[0].source.as_str()), ("undelivered", "stray"));
        assert_eq!((letters[0].attempts, letters[0].error.as_str()), (Some(10), "no sink knows this event"));
        assert_eq!((letters[1].kind.as_str(), letters[1].error.as_str()), ("refused", "unknown type"));
    });
}

#[test]
fn one_stage_is_run_again_and_its_run_is_listed() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let day = world.report.last_day.to_string();
        for (stage, figure) in [("context", "/events"), ("features", "/build/rows")] {
            let body = serde_json::json!({"stage": stage, "game_date": day});
            let run: Value = api.post("/runs", &body).await.read(200);
            assert_eq!((&run["stage"], &run["status"]), (&stage.into(), &"success".into()), "{run:#}");
            assert!(run["counts"].pointer(figure).and_then(Value::as_u64).is_some_and(|n| n > 0), "{run:#}");
            let listed: Value = api.get(&format!("/runs?stage={stage}&limit=1")).await.read(200);
            for field in ["run_id", "stage", "game_date", "status", "counts"] {
                assert_eq!(listed["rows"][0][field], run[field]);
            }
        }
        let unknown = serde_json::json!({"stage": "predict", "game_date": day});
        let problem: Problem = api.post("/runs", &unknown).await.read(422);
        assert_eq!(problem.field.as_deref(), Some("stage"));
        // No schedule reaches so far.
        let late = serde_json::json!({"stage": "context", "game_date": "2031-01-01"});
        let problem: Problem = api.post("/runs", &late).await.read(503);
        assert!(problem.detail.contains("override_dependency"), "{problem:?}");
        let late =
            serde_json::json!({"stage": "context", "game_date": "2031-01-01", "override_dependency": true});
        let run: Value = api.post("/runs", &late).await.read(200);
        assert!(run["counts"]["overridden"][0].as_str().unwrap().contains("no ingested schedule"), "{run:#}");
    });
}

#[test]
fn coverage_is_read_day_by_day_and_a_wrong_range_is_refused() {
    let world = World::new(&small());
    let config = world.config(|_| {});
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let day = world.report.last_day;
        let report: Value = api.get(&format!("/coverage?from={day}&to={day}")).await.read(200);
        let found = &report["days"][0];
        assert_eq!(
            (found["date"].as_str(), found["games"].as_u64()),
            (Some(day.to_string().as_str()), Some(4))
        );
        assert_eq!(found["with_lines"], found["games"], "{report:#}");
        for (query, field) in [("", "from"), ("?from=x", "from"), ("?from=2025-11-14&to=2025-11-13", "from")]
        {
            let problem: Problem = api.get(&format!("/coverage{query}")).await.read(422);
            assert_eq!(problem.field.as_deref(), Some(field), "{query}");
        }
    });
}
