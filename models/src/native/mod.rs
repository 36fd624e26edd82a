//! The native engine: ONNX tree ensembles without ONNX Runtime.
//!
//! What CatBoost, LightGBM and XGBoost export is one `TreeEnsembleRegressor` with a little wrapping. `graph` checks the
//! wrapping, `ensemble` reads and checks the trees, `forest` compiles them, `kernels` run them. All doubt is settled at load: what cannot be
//! run exactly as the exporter meant it is refused with a sentence that names the node, and from then on `predict` cannot
//! fail on a row.
//!
//! - Branch modes, missing values and infinities behave as the ONNX operator says. A graph over `float` compares `float`s.
//! - Sums are `f64` in tree order, so they are more exact than ONNX Runtime's `float` sums and equal on every machine.
//! - A hostile file costs memory in proportion to its size, which is bounded; `guard` looks at its outline first.

mod columns;
mod ensemble;
mod error;
mod few;
mod forest;
mod graph;
mod guard;
mod kernels;
mod onnx;
mod plain;
mod predict;
mod trees;

#[cfg(test)]
mod same;
#[cfg(test)]
mod tests;

use prost::Message;

pub use error::OnnxError;
pub use kernels::Isa;

use crate::engine::check_shape;
use crate::{Engine, FeatureMatrix, PredictError};
use forest::Forest;
use plain::Plain;
use trees::Ensemble;

/// Largest model file that is read: a hundred times what a thousand deep trees need.
pub const MAX_MODEL_BYTES: usize = 64 << 20;

/// A compiled tree ensemble.
#[derive(Debug, Clone)]
pub struct NativeEngine {
    width: usize,
    about: About,
    compiled: Compiled,
}

/// What an ensemble is, for people and for tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Numbers per row.
    pub heads: usize,
    /// Trees of the ensemble.
    pub trees: usize,
    /// Steps from a root to the farthest leaf.
    pub depth: usize,
    /// Whether every tree asks one question per level.
    pub is_oblivious: bool,
}

/// How an engine runs its trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Every question asked of numbers, one after the other: what the kernels are compared with.
    Plain,
    /// In blocks, with these instructions.
    Blocks(Isa),
}

#[derive(Debug, Clone)]
enum Compiled {
    Plain(Plain),
    Blocks(Forest, Isa),
}

impl NativeEngine {
    /// Reads, checks and compiles an ONNX file for rows of `width` features.
    pub fn from_onnx(bytes: &[u8], width: usize) -> Result<NativeEngine, OnnxError> {
        NativeEngine::from_onnx_with(bytes, width, How::Blocks(Isa::best()))
    }

    /// The same, run in a chosen way; every way gives the same answers.
    pub fn from_onnx_with(bytes: &[u8], width: usize, how: How) -> Result<NativeEngine, OnnxError> {
        if bytes.len() > MAX_MODEL_BYTES {
            return Err(OnnxError::TooLarge { limit: MAX_MODEL_BYTES });
        }
        guard::check_outline(bytes)?;
        let model = onnx::ModelProto::decode(bytes)
            .map_err(|error| OnnxError::Decode { reason: error.to_string() })?;
        let plan = graph::plan(&model, width)?;
        let mut ensemble = ensemble::read(plan.ensemble, width, plan.rounds_to_f32)?;
        ensemble.after = plan.after;
        Ok(NativeEngine::new(ensemble, width, how))
    }

    fn new(ensemble: Ensemble, width: usize, how: How) -> NativeEngine {
        let mut about = About {
            heads: ensemble.heads,
            trees: ensemble.num_trees(),
            depth: ensemble.trees().map(trees::depth).max().unwrap_or(0),
            is_oblivious: false,
        };
        let forest = match how {
            How::Plain => None,
            How::Blocks(isa) => Forest::new(&ensemble).map(|forest| (forest, isa)),
        };
        let compiled = match forest {
            None => Compiled::Plain(Plain::new(ensemble, width)),
            Some((forest, isa)) => {
                about.is_oblivious = forest.is_oblivious();
                Compiled::Blocks(forest, isa)
            }
        };
        NativeEngine { width, about, compiled }
    }

    /// What the ensemble is.
    pub fn about(&self) -> About {
        self.about
    }

    /// Trees in the ensemble.
    pub fn num_trees(&self) -> usize {
        self.about.trees
    }
}

impl Engine for NativeEngine {
    fn width(&self) -> usize {
        self.width
    }

    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        check_shape(self.width, rows, out)?;
        let values = rows.block(0, rows.rows());
        match &self.compiled {
            Compiled::Plain(plain) => plain.predict(values, out),
            Compiled::Blocks(forest, isa) => predict::predict(forest, *isa, self.width, values, out),
        }
        Ok(())
    }
}
