//! Calls that read batches and slates.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use proto::api::{BatchStatus, Page, PlayerLine};

use crate::rest::Shared;
use crate::rest::extract::{Params, path_part};
use crate::rest::problem::ApiError;
use crate::service::StatusAnswer;

/// `GET /status`: one batch, or the open ones.
pub(crate) async fn status(State(shared): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let params = params.only(&["batch_id", "game_date"])?;
    if params.text("batch_id").is_some() && params.text("game_date").is_some() {
        return Err(ApiError::field("game_date", "give batch_id or game_date, not both"));
    }
    let answer = shared.service.status(params.parse("batch_id")?, params.text("game_date")).await?;
    Ok(match answer {
        StatusAnswer::One(batch) => Json(batch).into_response(),
        StatusAnswer::Open(open) => Json(open).into_response(),
    })
}

/// `GET /batches`: history, newest first.
pub(crate) async fn list(
    State(shared): State<Shared>,
    params: Params,
) -> Result<Json<Page<BatchStatus>>, ApiError> {
    let params = params.only(&["game_date", "limit", "cursor"])?;
    let (limit, cursor) = (params.parse("limit")?, params.text("cursor"));
    Ok(Json(shared.service.batches(params.text("game_date"), limit, cursor).await?))
}

/// `GET /batches/{id}`.
pub(crate) async fn one(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<BatchStatus>, ApiError> {
    params.only(&[])?;
    Ok(Json(shared.service.batch(&path_part("batch_id", &id)?).await?))
}

/// `GET /batches/{id}/players`: who ended how, and why.
pub(crate) async fn players(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Page<PlayerLine>>, ApiError> {
    let params = params.only(&["outcome", "limit", "cursor"])?;
    let batch_id = path_part("batch_id", &id)?;
    let (outcome, limit) = (params.parse("outcome")?, params.parse("limit")?);
    Ok(Json(shared.service.players(&batch_id, outcome, limit, params.text("cursor")).await?))
}

/// `GET /batches/{id}/why`: what holds a batch, and its next action.
pub(crate) async fn why(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    Ok(Json(shared.service.why(&path_part("batch_id", &id)?).await?).into_response())
}

/// `GET /slates/{date}`: what a slate has and lacks.
pub(crate) async fn slate(
    State(shared): State<Shared>,
    Path(date): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    Ok(Json(shared.service.slate(&date).await?).into_response())
}

/// `GET /coverage`: what there is of each day of a range, and what is missing.
pub(crate) async fn coverage(State(shared): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let params = params.only(&["from", "to"])?;
    let Some(from) = params.text("from") else {
        return Err(ApiError::field("from", "name the first date: ?from=YYYY-MM-DD"));
    };
    Ok(Json(shared.service.coverage(&from, params.text("to").as_deref()).await?).into_response())
}
