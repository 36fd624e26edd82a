//! The machine room: workers and models of this instance, messages that went nowhere.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use proto::api::PutWorkers;

use super::to_its_end;
use crate::rest::Shared;
use crate::rest::extract::{JsonBody, Params};
use crate::rest::problem::ApiError;

/// `GET /workers`.
pub(crate) async fn show(State(shared): State<Shared>, params: Params) -> Result<Response, ApiError> {
    params.only(&[])?;
    Ok(Json(shared.service.workers().await?).into_response())
}

/// `PUT /workers`: a fixed size, or bounds.
pub(crate) async fn resize(
    State(shared): State<Shared>,
    params: Params,
    JsonBody(request): JsonBody<PutWorkers>,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    if request.size.is_some() == request.auto.is_some() {
        return Err(ApiError::field("size", "give either size or auto, such as {\"size\": 4}"));
    }
    let service = shared.service.clone();
    Ok(Json(to_its_end(async move { service.put_workers(request).await }).await?).into_response())
}

/// `GET /dead-letters`.
pub(crate) async fn dead_letters(State(shared): State<Shared>, params: Params) -> Result<Response, ApiError> {
    params.only(&[])?;
    Ok(Json(shared.service.dead_letters().await?).into_response())
}

/// `GET /models`.
pub(crate) async fn models(State(shared): State<Shared>, params: Params) -> Result<Response, ApiError> {
    params.only(&[])?;
    Ok(Json(shared.service.models().await?).into_response())
}
