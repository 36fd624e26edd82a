//! RFC 9457 problem details: one table from what went wrong to what a caller reads.
//!
//! A handler returns an [`ApiError`]; it travels as an extension of an empty response, and `observe` writes it out
//! with the request's id. So nobody has to hand the id down, and the router's own refusals take the same way.

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use proto::Receipt;
use proto::api::{BatchStatus, Problem};

use crate::service::ServiceError;

/// Type and title of a problem; both are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
}

const fn kind(status: StatusCode, name: &'static str, title: &'static str) -> Kind {
    Kind { status, name, title }
}

pub(crate) const MALFORMED: Kind = kind(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read");
pub(crate) const INVALID: Kind =
    kind(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A field of the request is wrong");
pub(crate) const UNAUTHORIZED: Kind =
    kind(StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed");
pub(crate) const FORBIDDEN: Kind =
    kind(StatusCode::FORBIDDEN, "forbidden", "This caller is not allowed here");
pub(crate) const NOT_FOUND: Kind = kind(StatusCode::NOT_FOUND, "not-found", "There is no such thing");
pub(crate) const METHOD: Kind =
    kind(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path does not take that method");
pub(crate) const GONE: Kind = kind(StatusCode::GONE, "gone", "The slate has moved on");
pub(crate) const TOO_LARGE: Kind =
    kind(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request body is too large");
pub(crate) const MEDIA_TYPE: Kind =
    kind(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The request body is not JSON");
pub(crate) const INTERNAL: Kind =
    kind(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong in the server");
pub(crate) const DATA_INCOMPLETE: Kind =
    kind(StatusCode::SERVICE_UNAVAILABLE, "data-incomplete", "Inputs of the slate are missing");
pub(crate) const BUSY: Kind =
    kind(StatusCode::SERVICE_UNAVAILABLE, "busy", "The store takes no more for now");
pub(crate) const UNAVAILABLE: Kind =
    kind(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "A store does not answer");
pub(crate) const TIMEOUT: Kind =
    kind(StatusCode::SERVICE_UNAVAILABLE, "timeout", "The request took longer than it may");

/// The conflicts of the service by name.
const CONFLICTS: &[Kind] = &[
    kind(StatusCode::CONFLICT, "already-running", "The slate has an open batch"),
    kind(StatusCode::CONFLICT, "already-published", "The batch is already published"),
    kind(StatusCode::CONFLICT, "frozen", "The batch can no longer be changed"),
    kind(StatusCode::CONFLICT, "below-coverage", "Too few players are predicted"),
    kind(StatusCode::CONFLICT, "filling", "The batch is still being filled"),
];
const CONFLICT: Kind = kind(StatusCode::CONFLICT, "conflict", "Something stands in the way");

/// What `Retry-After` asks callers to wait.
const RETRY_SECONDS: u16 = 2;

/// An answer that is an error.
#[derive(Debug, Clone)]
pub(crate) struct ApiError(Box<Parts>);

/// Boxed, so that a handler's result stays small on the way that goes well.
#[derive(Debug, Clone)]
struct Parts {
    kind: Kind,
    detail: String,
    field: Option<String>,
    missing: Vec<String>,
    batch: Option<Box<BatchStatus>>,
    receipt: Option<Box<Receipt>>,
}

impl ApiError {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Parts { kind, detail, field: None, missing: Vec::new(), batch: None, receipt: None }))
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(&mut self.0);
        self
    }

    /// A field that is wrong.
    pub(crate) fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let field = field.into();
        Self::new(INVALID, detail).with(|parts| parts.field = Some(field))
    }

    /// A fault of this program: the log hears the detail, the caller does not.
    pub(crate) fn internal() -> Self {
        Self::new(INTERNAL, "the log has the details under this request id; report it if it happens again")
    }

    /// For an answer that the framework refused on its own.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(NOT_FOUND, "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(METHOD, "the Allow header lists the methods"),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(TOO_LARGE, "send less"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::new(MEDIA_TYPE, "send `content-type: application/json`")
            }
            status if status.is_client_error() => Self::new(MALFORMED, "the request cannot be read"),
            _ => Self::internal(),
        }
    }

    /// The problem as callers read it.
    fn problem(self, request_id: &str) -> Problem {
        let Parts { kind, detail, field, missing, batch, receipt } = *self.0;
        Problem {
            kind: format!("/problems/{}", kind.name),
            title: kind.title.to_owned(),
            status: kind.status.as_u16(),
            detail,
            request_id: request_id.to_owned(),
            field,
            batch_id: batch.as_ref().map(|batch| batch.batch_id.clone()),
            state: batch.as_ref().map(|batch| batch.state.clone()),
            progress: batch.map(|batch| batch.progress),
            missing,
            receipt,
        }
    }

    /// The whole response; `allow` is the list of methods of a refused one.
    pub(crate) fn write(self, request_id: &str, allow: Option<HeaderValue>) -> Response {
        let kind = self.0.kind;
        // A problem holds texts and numbers only, so it always has a JSON form.
        let body = serde_json::to_vec(&self.problem(request_id)).unwrap_or_default();
        let mut response = (kind.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if kind.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if [BUSY, UNAVAILABLE, TIMEOUT].contains(&kind) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        if let Some(allow) = allow {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.kind.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Invalid { field, detail } => {
                Self::new(INVALID, detail).with(|parts| parts.field = field)
            }
            ServiceError::NotFound { detail } => Self::new(NOT_FOUND, detail),
            ServiceError::Conflict { kind, detail, batch, receipt } => {
                let kind = CONFLICTS.iter().find(|known| known.name == kind).copied().unwrap_or(CONFLICT);
                // The receipt of an ended batch also stands in its status.
                let receipt = receipt.or_else(|| batch.as_ref()?.receipt.clone().map(Box::new));
                Self::new(kind, detail).with(|parts| (parts.batch, parts.receipt) = (batch, receipt))
            }
            ServiceError::Incomplete { detail, missing } => {
                Self::new(DATA_INCOMPLETE, detail).with(|parts| parts.missing = missing)
            }
            ServiceError::Busy { detail } => Self::new(BUSY, detail),
            ServiceError::Unavailable { detail } => Self::new(UNAVAILABLE, detail),
            ServiceError::Gone { detail } => Self::new(GONE, detail),
            ServiceError::Internal { detail_for_log } => {
                tracing::error!(error = %detail_for_log, "a request failed: {detail_for_log}");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(error: ServiceError) -> Problem {
        ApiError::from(error).problem("r1")
    }

    #[test]
    fn each_refusal_of_the_service_has_its_status_and_type() {
        let text = || "why".to_owned();
        let conflict = |kind| ServiceError::Conflict { kind, detail: text(), batch: None, receipt: None };
        for (error, status, name) in [
            (ServiceError::Invalid { field: None, detail: text() }, 422, "invalid"),
            (ServiceError::NotFound { detail: text() }, 404, "not-found"),
            (conflict("already-running"), 409, "already-running"),
            (conflict("already-published"), 409, "already-published"),
            (conflict("frozen"), 409, "frozen"),
            (conflict("below-coverage"), 409, "below-coverage"),
            (conflict("filling"), 409, "filling"),
            (conflict("unheard-of"), 409, "conflict"),
            (ServiceError::Incomplete { detail: text(), missing: Vec::new() }, 503, "data-incomplete"),
            (ServiceError::Busy { detail: text() }, 503, "busy"),
            (ServiceError::Unavailable { detail: text() }, 503, "unavailable"),
            (ServiceError::Gone { detail: text() }, 410, "gone"),
            (ServiceError::Internal { detail_for_log: text() }, 500, "internal"),
        ] {
            let problem = problem_of(error);
            assert_eq!((problem.status, problem.kind), (status, format!("/problems/{name}")));
            assert_eq!(problem.request_id, "r1");
        }
    }

    #[test]
    fn internals_stay_in_the_log() {
        let problem = problem_of(ServiceError::Internal { detail_for_log: "canary".to_owned() });
        assert!(!format!("{problem:?}").contains("canary"));
    }
}
