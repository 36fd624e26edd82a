//! What every engine promises.

use std::fmt::Debug;

use thiserror::Error;

use crate::FeatureMatrix;

/// Something that turns rows of features into numbers.
///
/// - A row's answer depends on that row alone: the same bits whatever else is in the batch, in whatever order, on any CPU.
/// - Row `i` of the input is `out[i]` (with several heads, `out[i * heads..][..heads]`); nothing is allocated per row.
/// - An engine that has no answer for a row writes NaN. It never invents a value for a missing feature.
/// - `predict` fails only for a call that is wrong as a whole, and then has written nothing.
pub trait Engine: Send + Sync + Debug {
    /// Features of a row, in the order of the card.
    fn width(&self) -> usize;

    /// Numbers per row; a quantile model has several.
    fn heads(&self) -> usize {
        1
    }

    /// Writes [`Engine::heads`] numbers per row, row after row.
    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError>;
}

/// A call that no engine can answer. These are mistakes of the caller, not properties of a player.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PredictError {
    /// The rows were built for another model.
    #[error(
        "the rows have {got} features, the model takes {expected}: build them from the card's list of names"
    )]
    Width {
        /// What the model takes.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// The places for answers do not match the rows.
    #[error("{rows} rows came with {slots} {what}: there must be one for each row (and head)")]
    Length {
        /// Rows of the matrix.
        rows: usize,
        /// Places there were.
        slots: usize,
        /// What was counted: places for answers, or lines.
        what: &'static str,
    },
}

/// The check every engine begins with.
pub(crate) fn check_shape(
    width: usize,
    heads: usize,
    rows: &FeatureMatrix,
    out: &[f64],
) -> Result<(), PredictError> {
    if rows.width() != width {
        return Err(PredictError::Width { expected: width, got: rows.width() });
    }
    if rows.rows().checked_mul(heads) != Some(out.len()) {
        return Err(PredictError::Length { rows: rows.rows(), slots: out.len(), what: "places for answers" });
    }
    Ok(())
}
