//! What every engine promises.

use std::fmt::Debug;
use std::sync::Arc;

use thiserror::Error;

use crate::FeatureMatrix;

/// Something that turns rows of features into numbers.
///
/// - A row's answer depends on that row alone, whatever else is in the batch and in whatever order: to the last bit for every
///   engine but ort, whose library promises no order of its sums (see [`crate::ort`]). The native engine and the
///   formulas have the same bits on any CPU, too.
/// - Row `i` of the input is `out[i]` (with several heads, `out[i * heads..][..heads]`); nothing is allocated per row.
/// - An engine that has no answer for a row writes NaN. It never invents a value for a missing feature.
/// - `predict` fails only for a call that is wrong as a whole, or when the library beneath fails, and then has written nothing.
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

/// A call that was not answered. These are mistakes of the caller, or of a library, never properties of a player.
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
    /// The library that runs the model did not.
    #[error("the {engine} engine failed: {reason}")]
    Failed {
        /// Its name.
        engine: &'static str,
        /// What the library said.
        reason: String,
    },
}

/// One of the several numbers a row that an engine gives: a card describes one quantile of the file it shares with others.
#[derive(Debug)]
pub(crate) struct OneHead {
    engine: Arc<dyn Engine>,
    head: usize,
}

impl OneHead {
    /// The number `head`, from 0; there must be that many.
    pub(crate) fn of(engine: Arc<dyn Engine>, head: usize) -> Option<OneHead> {
        (head < engine.heads()).then_some(OneHead { engine, head })
    }
}

impl Engine for OneHead {
    fn width(&self) -> usize {
        self.engine.width()
    }

    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        check_shape(self.width(), 1, rows, out)?;
        let heads = self.engine.heads();
        let mut all = vec![0.0; out.len() * heads];
        self.engine.predict(rows, &mut all)?;
        for (answer, row) in out.iter_mut().zip(all.chunks_exact(heads)) {
            *answer = row[self.head];
        }
        Ok(())
    }
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
