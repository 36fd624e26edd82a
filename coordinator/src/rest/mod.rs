//! The REST interface: design.md 10 to the letter, over [`Service`].
//!
//! # What is promised
//! 1. Every answer that is an error, also the router's own 404 and 405, is `application/problem+json` with a stable
//!    `type`, a sentence that says what to do next, and the request's id. Internals go to the log, never to a caller.
//! 2. A request that changes something runs to its end, whether or not its client waits for the answer.
//! 3. No client holds the server up: headers, bodies, requests and connections are bounded in time and number.
//! 4. Without a key only this machine is served, and no page in its browser (foreign `Origin` or `Host`) gets in.
//!
//! # The way of a request
//! [`serve()`] (connections, header timeout) → `observe` (id, log, metrics, panics, time limit, problems) → `guard`
//! (key) → a handler in `handlers`, which reads its input with `extract` and asks the service.

mod auth;
mod csv;
mod extract;
mod handlers;
mod metrics;
mod observe;
mod problem;
mod serve;
mod stall;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post};

pub use self::metrics::describe as describe_metrics;
pub use self::serve::serve;

use crate::config::ServerConfig;
use crate::service::Service;

/// What every handler shares; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) service: Service,
    pub(crate) config: ServerConfig,
}

/// The interface over a service. Tests call it without a socket.
pub fn router(service: Service, config: &ServerConfig) -> Router {
    let shared = Shared { service, config: config.clone() };
    metrics::install();
    Router::new()
        .route("/start", post(handlers::operate::start))
        .route("/status", get(handlers::batches::status))
        .route("/reset", post(handlers::operate::reset))
        .route("/consolidate", post(handlers::operate::consolidate))
        .route("/batches", get(handlers::batches::list))
        .route("/batches/{id}", patch(handlers::operate::change).get(handlers::batches::one))
        .route("/batches/{id}/players", get(handlers::batches::players))
        .route("/batches/{id}/why", get(handlers::batches::why))
        .route("/slates/{date}", get(handlers::batches::slate))
        .route("/coverage", get(handlers::batches::coverage))
        .route("/predictions", get(handlers::predictions::predictions))
        .route("/workers", get(handlers::workers::show).put(handlers::workers::resize))
        .route("/models", get(handlers::workers::models))
        .route("/events", post(handlers::events::accept))
        .route("/runs", get(handlers::runs::list).post(handlers::runs::run))
        .route("/dead-letters", get(handlers::workers::dead_letters))
        .route("/version", get(handlers::meta::version))
        .route("/livez", get(handlers::meta::livez))
        .route("/readyz", get(handlers::meta::readyz))
        .route("/metrics", get(handlers::meta::metrics))
        .fallback(handlers::meta::unknown_route)
        .method_not_allowed_fallback(handlers::meta::wrong_method)
        .layer(from_fn_with_state(config.admin_key, auth::guard))
        .layer(from_fn_with_state(config.request_timeout, observe::observe))
        .with_state(shared)
}
