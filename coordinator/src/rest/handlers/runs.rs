//! What was run, and one stage again.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use proto::api::RunStage;

use super::to_its_end;
use crate::rest::Shared;
use crate::rest::extract::{JsonBody, Params};
use crate::rest::problem::ApiError;

/// `GET /runs`: newest first.
pub(crate) async fn list(State(shared): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let params = params.only(&["stage", "limit"])?;
    let (stage, limit) = (params.text("stage"), params.parse("limit")?);
    let rows = shared.service.runs(stage.as_deref(), limit).await?;
    Ok(Json(serde_json::json!({ "rows": rows })).into_response())
}

/// `POST /runs`: one stage of one date, with the counts of its run; 503 with what is missing when it is not ready.
pub(crate) async fn run(
    State(shared): State<Shared>,
    params: Params,
    JsonBody(request): JsonBody<RunStage>,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let service = shared.service.clone();
    Ok(Json(to_its_end(async move { service.run_stage(request).await }).await?).into_response())
}
