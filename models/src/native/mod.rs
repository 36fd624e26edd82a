//! The native engine: ONNX tree ensembles without ONNX Runtime.
//!
//! What CatBoost, LightGBM and XGBoost export is one `TreeEnsembleRegressor` with a little wrapping. `graph` checks the
//! wrapping, `ensemble` reads and checks the trees, `compiled` walks them. All doubt is settled at load: what cannot be
//! run exactly as the exporter meant it is refused with a sentence that names the node, and from then on `predict` cannot
//! fail on a row.
//!
//! - Branch modes, missing values and infinities behave as the ONNX operator says. A graph over `float` compares `float`s.
//! - Sums are `f64` in tree order, so they are more exact than ONNX Runtime's `float` sums and equal on every machine.
//! - A hostile file costs memory in proportion to its size, which is bounded; `guard` looks at its outline first.

mod compiled;
mod ensemble;
mod error;
mod graph;
mod guard;
mod onnx;

#[cfg(test)]
mod tests;

use prost::Message;

pub use error::OnnxError;

use crate::engine::check_shape;
use crate::{Engine, FeatureMatrix, PredictError};
use compiled::Compiled;

/// Largest model file that is read: a hundred times what a thousand deep trees need.
pub const MAX_MODEL_BYTES: usize = 64 << 20;

/// A compiled tree ensemble.
#[derive(Debug, Clone)]
pub struct NativeEngine {
    compiled: Compiled,
}

impl NativeEngine {
    /// Reads, checks and compiles an ONNX file for rows of `width` features.
    pub fn from_onnx(bytes: &[u8], width: usize) -> Result<NativeEngine, OnnxError> {
        if bytes.len() > MAX_MODEL_BYTES {
            return Err(OnnxError::TooLarge { limit: MAX_MODEL_BYTES });
        }
        guard::check_outline(bytes)?;
        let model = onnx::ModelProto::decode(bytes)
            .map_err(|error| OnnxError::Decode { reason: error.to_string() })?;
        let plan = graph::plan(&model, width)?;
        let ensemble = ensemble::read(plan.ensemble, width)?;
        Ok(NativeEngine { compiled: Compiled::new(&ensemble, width, plan.rounds_to_f32) })
    }

    /// Trees in the ensemble.
    pub fn num_trees(&self) -> usize {
        self.compiled.num_trees()
    }
}

impl Engine for NativeEngine {
    fn width(&self) -> usize {
        self.compiled.width()
    }

    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        check_shape(self.compiled.width(), rows, out)?;
        self.compiled.predict(|from, to| rows.block(from, to), out);
        Ok(())
    }
}
