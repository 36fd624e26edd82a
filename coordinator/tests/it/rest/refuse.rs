//! Everything that is refused: with problem details, the field named, and nothing done.

use axum::body::Body;
use axum::http::Request;
use coordinator::config::{ApiKey, KeyHash, PoolSize};
use proto::api::Problem;

use super::Api;
use crate::world::{World, small};

/// Method, path, content type, body; status, type, field.
type Case = (&'static str, &'static str, &'static str, &'static str, u16, &'static str, Option<&'static str>);

const JSON: &str = "application/json";

const CASES: &[Case] = &[
    ("GET", "/nowhere", "", "", 404, "not-found", None),
    ("GET", "/batches/../status", "", "", 404, "not-found", None),
    ("GET", "/start", "", "", 405, "method-not-allowed", None),
    ("DELETE", "/workers", "", "", 405, "method-not-allowed", None),
    ("POST", "/start", "text/plain", "{}", 415, "unsupported-media-type", None),
    (
        "POST",
        "/start",
        "application/x-www-form-urlencoded",
        "force=true",
        415,
        "unsupported-media-type",
        None,
    ),
    ("POST", "/start", JSON, "{", 400, "malformed", None),
    ("POST", "/start", JSON, "null", 422, "invalid", None),
    ("POST", "/start", JSON, "{}{}", 400, "malformed", None),
    ("POST", "/start", JSON, r#"{"min_coverage":1e400}"#, 400, "malformed", None),
    ("POST", "/start", JSON, r#"{"game_dat":"TODAY"}"#, 422, "invalid", Some("game_dat")),
    ("POST", "/start", JSON, r#"{"force":1}"#, 422, "invalid", Some("force")),
    ("POST", "/start", JSON, r#"{"force":true,"force":true}"#, 422, "invalid", Some("force")),
    ("POST", "/start", JSON, r#"{"game_date":"yesterday"}"#, 422, "invalid", Some("game_date")),
    ("POST", "/start", JSON, r#"{"game_date":"2026-02-30"}"#, 422, "invalid", Some("game_date")),
    (
        "POST",
        "/start",
        JSON,
        r#"{"players":["lebronjames","Not A Lookup!"]}"#,
        422,
        "invalid",
        Some("players[1]"),
    ),
    ("POST", "/start", JSON, r#"{"systems":["unheard_of"]}"#, 422, "invalid", Some("systems")),
    ("POST", "/start", JSON, r#"{"markets":["steals"]}"#, 422, "invalid", Some("markets")),
    ("POST", "/start", JSON, r#"{"min_coverage":1.5}"#, 422, "invalid", Some("min_coverage")),
    ("POST", "/start", JSON, r#"{"as_of":"noon"}"#, 422, "invalid", Some("as_of")),
    ("POST", "/start?force=true", "", "", 422, "invalid", Some("force")),
    ("POST", "/start", JSON, r#"{"game_date":"2019-01-01"}"#, 503, "data-incomplete", None),
    ("POST", "/reset", JSON, "{}", 422, "invalid", Some("batch_id")),
    ("POST", "/reset", JSON, r#"{"batch_id":"batch"}"#, 422, "invalid", Some("batch_id")),
    ("POST", "/reset", JSON, r#"{"batch_id":"batch_2026-01-23_1"}"#, 404, "not-found", None),
    ("POST", "/consolidate", JSON, r#"{"batch_id":"batch_2026-01-23_1"}"#, 404, "not-found", None),
    ("POST", "/consolidate", JSON, r#"{"game_date":"2026-01-23"}"#, 404, "not-found", None),
    ("PATCH", "/batches/batch_2026-01-23_1", JSON, r#"{"min_coverage":0.1}"#, 404, "not-found", None),
    ("PATCH", "/batches/batch_2026-01-23_1", JSON, r#"{"state":"complete"}"#, 422, "invalid", Some("state")),
    ("GET", "/status?batch_id=batch_2026-01-23_1", "", "", 404, "not-found", None),
    ("GET", "/status?game_date=2026-01-23", "", "", 404, "not-found", None),
    ("GET", "/status?batch=x", "", "", 422, "invalid", Some("batch")),
    ("GET", "/status?game_date=2026-01-23&game_date=2026-01-24", "", "", 422, "invalid", Some("game_date")),
    ("GET", "/status?batch_id=%ff", "", "", 422, "invalid", Some("batch_id")),
    ("GET", "/batches/%ff", "", "", 400, "malformed", None),
    ("GET", "/batches/batch_2026-01-23_1/players", "", "", 404, "not-found", None),
    ("GET", "/batches/batch_2026-01-23_1/players?outcome=lost", "", "", 422, "invalid", Some("outcome")),
    ("GET", "/batches/batch_2026-01-23_1/why", "", "", 404, "not-found", None),
    ("GET", "/batches?limit=0", "", "", 422, "invalid", Some("limit")),
    ("GET", "/batches?limit=10001", "", "", 422, "invalid", Some("limit")),
    ("GET", "/batches?limit=-1", "", "", 422, "invalid", Some("limit")),
    ("GET", "/slates/tonight", "", "", 422, "invalid", Some("game_date")),
    ("GET", "/predictions?market=player points", "", "", 422, "invalid", Some("market")),
    ("GET", "/predictions?format=xml", "", "", 422, "invalid", Some("format")),
    ("GET", "/predictions?format=csv&limit=5", "", "", 422, "invalid", Some("limit")),
    ("GET", "/predictions?cursor=zzz", "", "", 422, "invalid", Some("cursor")),
    ("PUT", "/workers", JSON, r#"{"size":100000}"#, 422, "invalid", Some("size")),
    ("PUT", "/workers", JSON, r#"{"auto":{"min":4,"max":2}}"#, 422, "invalid", Some("auto")),
];

#[test]
fn incident_41_wrong_requests_are_refused_with_the_field_named_and_nothing_done() {
    let world = World::new(&small());
    let config = world.config(|config| config.server.body_limit = 4096);
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        for (method, path, content_type, body, status, kind, field) in CASES {
            let mut request = Request::builder()
                .method(*method)
                .uri(path.replace(' ', "%20"))
                .header("x-request-id", "case-7");
            if !content_type.is_empty() {
                request = request.header("content-type", *content_type);
            }
            let answer = api.send(request.body(Body::from(*body)).unwrap()).await;
            let case = format!("{method} {path} {body}: {}", answer.text);
            assert_eq!(answer.status, *status, "{case}");
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{case}");
            assert_eq!(answer.headers["x-request-id"], "case-7", "{case}");
            let problem: Problem = answer.read(*status);
            assert_eq!(problem.kind, format!("/problems/{kind}"), "{case}");
            assert_eq!((problem.field.as_deref(), problem.request_id.as_str()), (*field, "case-7"), "{case}");
            assert!(!problem.detail.is_empty() && problem.status == *status, "{case}");
            assert_eq!(answer.headers.contains_key("allow"), *status == 405, "{case}");
        }
        let big = format!(r#"{{"game_date":"{}"}}"#, "x".repeat(5000));
        let problem: Problem = api.call("POST", "/start", &big).await.read(413);
        assert_eq!(problem.kind, "/problems/too-large");
        assert!(api.get("/batches").await.redacted(200)["rows"].as_array().unwrap().is_empty());
    });
}

#[test]
fn incident_86_missing_inputs_are_named() {
    let world = World::new(&small());
    let config = world.config(|config| config.workers = PoolSize::Fixed(0));
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let problem: Problem = api.call("POST", "/start", r#"{"game_date":"2019-01-01"}"#).await.read(503);
        assert!(problem.missing.iter().any(|missing| missing.contains("schedule")), "{problem:?}");
    });
}

#[test]
fn a_key_opens_everything_and_only_probes_are_open_without() {
    let world = World::new(&small());
    let key = ApiKey::new("canary-0123456789abcdef");
    let config = world.config(|config| config.server.admin_key = Some(KeyHash::of(key.reveal())));
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let get = async |path: &str, header: Option<(&str, &str)>| {
            let mut request = Request::get(path);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            api.send(request.body(Body::empty()).unwrap()).await
        };
        for path in ["/status", "/models", "/metrics", "/nowhere", "/batches/x"] {
            for header in [None, Some(("x-api-key", "wrong")), Some(("authorization", "Bearer wrong"))] {
                let answer = get(path, header).await;
                assert_eq!(
                    (answer.status, answer.headers["www-authenticate"].to_str().unwrap()),
                    (401, "Bearer")
                );
                assert!(!answer.text.contains("canary"));
            }
        }
        let bearer = format!("Bearer {}", key.reveal());
        for header in [("x-api-key", key.reveal()), ("authorization", bearer.as_str())] {
            assert_eq!(get("/status", Some(header)).await.status, 200);
        }
        for path in ["/livez", "/readyz"] {
            assert_eq!(get(path, None).await.status, 200, "{path}");
        }
    });
}

#[test]
fn without_a_key_a_page_in_the_browser_gets_nowhere() {
    let world = World::new(&small());
    let config = world.config(|config| config.workers = PoolSize::Fixed(0));
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        for (name, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
            let request = Request::post("/start").header(name, value).body(Body::empty()).unwrap();
            let problem: Problem = api.send(request).await.read(403);
            assert_eq!(problem.kind, "/problems/forbidden");
        }
        let request = Request::get("/status").header("host", "127.0.0.1:8080").body(Body::empty()).unwrap();
        assert_eq!(api.send(request).await.status, 200);
    });
}
