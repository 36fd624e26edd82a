//! What other programs say about a slate.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::to_its_end;
use crate::rest::Shared;
use crate::rest::extract::{Params, RawJson};
use crate::rest::problem::ApiError;

/// `POST /events`: 202 for a message that is or was taken, 422 for one that is refused and kept.
pub(crate) async fn accept(
    State(shared): State<Shared>,
    params: Params,
    RawJson(body): RawJson,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let service = shared.service.clone();
    let accepted = to_its_end(async move { service.accept_event(&body).await }).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}
