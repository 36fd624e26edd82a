//! Calls that change a batch: start, reset, consolidate, and live changes.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use proto::BatchId;
use proto::api::{BatchStatus, ConsolidateRequest, PatchBatch, ResetRequest, StartRequest};

use super::to_its_end;
use crate::rest::Shared;
use crate::rest::extract::{JsonBody, Params, path_part};
use crate::rest::observe::RequestId;
use crate::rest::problem::ApiError;
use crate::service::StartOutcome;

/// `POST /start`: 202 for a batch, 200 for a forecast or when there is nothing to run.
pub(crate) async fn start(
    State(shared): State<Shared>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    params: Params,
    JsonBody(request): JsonBody<StartRequest>,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let dry_run = request.dry_run;
    let service = shared.service.clone();
    let outcome = to_its_end(async move { service.start(request, &request_id).await }).await?;
    Ok(match outcome {
        StartOutcome::Started(started) if dry_run => (StatusCode::OK, Json(started)).into_response(),
        StartOutcome::Started(started) => (StatusCode::ACCEPTED, Json(started)).into_response(),
        StartOutcome::Nothing(nothing) => (StatusCode::OK, Json(nothing)).into_response(),
    })
}

/// `POST /reset`: 202 while the verdict is still to come.
pub(crate) async fn reset(
    State(shared): State<Shared>,
    params: Params,
    JsonBody(request): JsonBody<ResetRequest>,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let service = shared.service.clone();
    let answer = to_its_end(async move { service.reset(request).await }).await?;
    Ok((accepted_while_closing(&answer.status), Json(answer)).into_response())
}

/// `POST /consolidate`: 202 while the verdict is still to come.
pub(crate) async fn consolidate(
    State(shared): State<Shared>,
    params: Params,
    JsonBody(request): JsonBody<ConsolidateRequest>,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let service = shared.service.clone();
    let answer = to_its_end(async move { service.consolidate(request).await }).await?;
    Ok((accepted_while_closing(&answer.status), Json(answer)).into_response())
}

/// `PATCH /batches/{id}`.
pub(crate) async fn change(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    params: Params,
    JsonBody(patch): JsonBody<PatchBatch>,
) -> Result<Json<BatchStatus>, ApiError> {
    params.only(&[])?;
    let batch_id: BatchId = path_part("batch_id", &id)?;
    let service = shared.service.clone();
    Ok(Json(to_its_end(async move { service.patch(&batch_id, patch).await }).await?))
}

fn accepted_while_closing(status: &str) -> StatusCode {
    if status == "closing" { StatusCode::ACCEPTED } else { StatusCode::OK }
}
