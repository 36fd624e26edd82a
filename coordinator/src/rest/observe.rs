//! The outermost layer: gives each request an id, a time limit, a line in the log and its place in the metrics, and
//! writes out every error as problem details. A handler that panics costs its own request only.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use tracing::Instrument;

use super::metrics;
use super::problem::{ApiError, TIMEOUT};

/// Name of the header that carries a request's id, in both directions.
const REQUEST_ID: &str = "x-request-id";

/// The id of a request, for handlers that pass it on.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

pub(crate) async fn observe(State(limit): State<Duration>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request.id = %id, %method, %route);

    let answered = AssertUnwindSafe(tokio::time::timeout(limit, next.run(request))).catch_unwind();
    let response = match answered.instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            let detail = format!(
                "no answer within {} s; what was begun goes on, look at `/status` before trying again",
                limit.as_secs()
            );
            axum::response::IntoResponse::into_response(ApiError::new(TIMEOUT, detail))
        }
        Err(panic) => {
            let what = panic_text(panic.as_ref());
            span.in_scope(|| tracing::error!("a handler panicked: {what}"));
            axum::response::IntoResponse::into_response(ApiError::internal())
        }
    };

    let mut response = with_problem(response, &id);
    let status = response.status();
    let elapsed = started.elapsed();
    metrics::count_request(known_method(&method), &route, status.as_u16(), elapsed);
    // Reading that went well is asked for four times a second by whoever watches; the metrics count it.
    let is_routine = matches!(method, Method::GET | Method::HEAD) && status.is_success();
    span.in_scope(|| {
        let duration_ms = elapsed.as_millis() as u64;
        let status = status.as_u16();
        match is_routine {
            true => tracing::debug!(status, duration_ms, "answered {status}"),
            false => tracing::info!(status, duration_ms, "answered {status}"),
        }
    });
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

/// Writes an error out; answers that are none stay as they are.
fn with_problem(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let error = response.extensions_mut().remove::<ApiError>();
    let is_written = response.headers().contains_key(REQUEST_ID);
    if !status.is_client_error() && !status.is_server_error() || is_written {
        return response;
    }
    // `/livez` and `/readyz` answer 503 with a body of their own.
    if error.is_none() && response.extensions().get::<OwnBody>().is_some() {
        return response;
    }
    let allow = response.headers_mut().remove(ALLOW);
    error.unwrap_or_else(|| ApiError::of_status(status)).write(request_id, allow)
}

/// Marks an error answer whose body is not a problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnBody;

/// The caller's id if it is short and plain, else a new one: it goes into logs.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    });
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// The method as a label; made-up methods share one, so that callers cannot fill the metrics.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use proto::api::Problem;
    use tower::ServiceExt;

    use super::*;

    async fn problem_at(path: &str) -> (u16, Problem) {
        let router = Router::new()
            .route("/panics", get(|| async { panic!("canary") as () }))
            .route("/hangs", get(|| async { std::future::pending::<()>().await }))
            .layer(from_fn_with_state(Duration::from_secs(30), observe));
        let request = Request::get(path).header(REQUEST_ID, "r1").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[REQUEST_ID], "r1");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("canary"));
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_and_a_hang_cost_their_own_request_only() {
        let (status, problem) = problem_at("/panics").await;
        assert_eq!(
            (status, problem.kind.as_str(), problem.request_id.as_str()),
            (500, "/problems/internal", "r1")
        );
        let (status, problem) = problem_at("/hangs").await;
        assert_eq!((status, problem.kind.as_str()), (503, "/problems/timeout"));
        let (status, problem) = problem_at("/nowhere").await;
        assert_eq!((status, problem.kind.as_str()), (404, "/problems/not-found"));
    }

    #[test]
    fn a_plain_request_id_is_kept_and_anything_else_replaced() {
        let id = |text: &str| {
            request_id(&HeaderMap::from_iter([(REQUEST_ID.parse().unwrap(), text.parse().unwrap())]))
        };
        assert_eq!(id("run-7_a.b"), "run-7_a.b");
        for wrong in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_eq!(id(wrong).len(), 36, "{wrong}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
