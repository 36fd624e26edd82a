//! About the server itself: version, probes, metrics, and what is not there.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::rest::observe::OwnBody;
use crate::rest::problem::{ApiError, METHOD, NOT_FOUND};
use crate::rest::{Shared, metrics as page};

/// `GET /version`.
pub(crate) async fn version(State(shared): State<Shared>) -> Response {
    Json(shared.service.version()).into_response()
}

/// `GET /livez`: 503 once this process's own loops have not turned for 30 s. Stuck work is not its business.
pub(crate) async fn livez(State(shared): State<Shared>) -> Response {
    let alive = shared.service.alive();
    probe(alive, Json(json!({ "alive": alive })))
}

/// `GET /readyz`: each check with a sentence; 503 when one fails.
pub(crate) async fn readyz(State(shared): State<Shared>) -> Response {
    let ready = shared.service.ready().await;
    probe(ready.ok, Json(ready))
}

fn probe(ok: bool, body: impl IntoResponse) -> Response {
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, body).into_response();
    response.extensions_mut().insert(OwnBody);
    response
}

/// `GET /metrics`, in Prometheus' text format.
pub(crate) async fn metrics(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let text = page::page(&shared.service).await.ok_or_else(|| {
        tracing::error!("another metrics recorder is installed in this process");
        ApiError::internal()
    })?;
    let headers = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
    Ok((headers, text).into_response())
}

/// Any path that is not there.
pub(crate) async fn unknown_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(80).collect();
    ApiError::new(
        NOT_FOUND,
        format!("there is nothing at `{path}`; `tipoff --help` and the README list the calls"),
    )
}

/// A path that is there, with another method.
pub(crate) async fn wrong_method() -> ApiError {
    ApiError::new(METHOD, "this path takes other methods; the Allow header lists them")
}
