//! `GET /predictions`: rows as JSON in pages, or whole as CSV.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::rest::Shared;
use crate::rest::csv::to_csv;
use crate::rest::extract::Params;
use crate::rest::problem::ApiError;
use crate::service::PredictionQuery;

const KNOWN: [&str; 9] =
    ["game_date", "player", "market", "system", "active", "generation", "format", "limit", "cursor"];

/// Names of the columns, in the order of [`warehouse::StoredPrediction`]; a test compares them with a served row.
const COLUMNS: [&str; 44] = [
    "prediction_id",
    "batch_id",
    "generation",
    "sport",
    "game_date",
    "game_id",
    "player_lookup",
    "market",
    "system_id",
    "prediction_run_mode",
    "model_sha256",
    "inputs_sha256",
    "predicted_value",
    "half_points",
    "line",
    "line_source",
    "line_source_api",
    "book",
    "was_line_fallback",
    "over_price",
    "under_price",
    "line_snapshot_at",
    "line_minutes_before_game",
    "consensus_line",
    "line_spread",
    "no_vig_over",
    "over_probability",
    "over_expected_value",
    "under_expected_value",
    "over_fair_price",
    "line_margin",
    "recommendation",
    "feature_quality_score",
    "default_feature_count",
    "in_sample",
    "as_of",
    "predicted_at",
    "row_sha256",
    "is_active",
    "invalidation_reason",
    "invalidated_at",
    "superseded_by",
    "superseded_at",
    "created_at",
];

/// `GET /predictions`.
pub(crate) async fn predictions(State(shared): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let params = params.only(&KNOWN)?;
    let query = PredictionQuery {
        game_date: params.text("game_date"),
        player: params.parse("player")?,
        market: params.parse("market")?,
        system: params.parse("system")?,
        active: params.parse("active")?,
        generation: params.parse("generation")?,
        limit: params.parse("limit")?,
        cursor: params.text("cursor"),
    };
    match params.text("format").as_deref() {
        None | Some("json") => Ok(Json(shared.service.predictions(query).await?).into_response()),
        Some("csv") => {
            for paging in ["limit", "cursor"] {
                if params.text(paging).is_some() {
                    return Err(ApiError::field(paging, "csv comes whole; leave out limit and cursor"));
                }
            }
            let rows = shared.service.predictions_all(query).await?;
            let text = to_csv(&COLUMNS, &rows).map_err(|error| {
                tracing::error!("write predictions as csv: {error}");
                ApiError::internal()
            })?;
            let headers = [
                (CONTENT_TYPE, "text/csv; charset=utf-8"),
                (CONTENT_DISPOSITION, "attachment; filename=\"predictions.csv\""),
            ];
            Ok((headers, text).into_response())
        }
        Some(_) => Err(ApiError::field("format", "expected json or csv")),
    }
}
