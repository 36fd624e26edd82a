//! The native engine: ONNX tree ensembles without ONNX Runtime.
//!
//! What CatBoost, LightGBM and XGBoost export is one `TreeEnsembleRegressor` with a little wrapping. `graph` checks the
//! wrapping, `ensemble` and `ensemble5` read and check the trees (`catboost` those of CatBoost's own file), `forest` compiles them, `kernels` run them. All doubt is settled at load: what cannot be
//! run exactly as the exporter meant it is refused with a sentence that names the node, and from then on `predict` cannot
//! fail on a row.
//!
//! - Branch modes, missing values and infinities behave as the ONNX operator says. A graph over `float` compares `float`s.
//! - Sums are `f64` in tree order, so they are more exact than ONNX Runtime's `float` sums and equal on every machine.
//! - A hostile file costs memory in proportion to its size, which is bounded: `wire` and `onnx` look at it where it lies.

mod catboost;
mod columns;
mod ensemble;
mod ensemble5;
mod error;
mod few;
mod forest;
mod graph;
mod kernels;
mod onnx;
mod plain;
mod predict;
mod survey;
mod trees;
mod wire;

#[cfg(test)]
pub(crate) mod proto;
#[cfg(test)]
mod same;
#[cfg(test)]
mod tests;

use std::fmt;

pub use error::OnnxError;
pub use kernels::Isa;
pub(crate) use survey::survey;

use crate::engine::check_shape;
use crate::{Engine, FeatureMatrix, PredictError};
use forest::Forest;
use plain::Plain;
use trees::{Budget, Ensemble};

/// Largest model file that is read: a hundred times what a thousand deep trees need.
pub const MAX_MODEL_BYTES: usize = 64 << 20;

/// Most features of a row, where nothing else says how many there are.
const MOST_FEATURES: usize = 1 << 24;

/// A compiled tree ensemble.
#[derive(Clone)]
pub struct NativeEngine {
    about: About,
    compiled: Compiled,
}

/// How a file is read and run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Features of a row. Nothing: as many as the file says, or as its trees read.
    pub width: Option<usize>,
    /// Largest file that is read.
    pub most_bytes: usize,
    /// How many times its size a file may cost in memory, once it is larger than 4 MiB (a smaller one may cost 16 MiB).
    pub most_growth: usize,
    /// How the trees are run.
    pub how: How,
}

impl Default for Options {
    fn default() -> Options {
        let how = How::Blocks(Isa::best());
        Options { width: None, most_bytes: MAX_MODEL_BYTES, most_growth: 4, how }
    }
}

/// What a model file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An ONNX graph around one tree ensemble.
    Onnx,
    /// CatBoost's own JSON.
    CatBoostJson,
}

impl Format {
    /// The format of a file by its first byte: JSON begins with a brace, which no ONNX model does.
    pub fn of(bytes: &[u8]) -> Format {
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Format::CatBoostJson,
            _ => Format::Onnx,
        }
    }
}

/// What an ensemble is, for people and for tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What its file is written in.
    pub format: Format,
    /// Features of a row.
    pub width: usize,
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
    /// Reads, checks and compiles an ONNX file, or one of the other formats, for rows of `width` features.
    pub fn from_onnx(bytes: &[u8], width: usize) -> Result<NativeEngine, OnnxError> {
        NativeEngine::open(bytes, &Options { width: Some(width), ..Options::default() })
    }

    /// Reads, checks and compiles a model file of any format that is known; [`NativeEngine::about`] says what it is.
    pub fn open(bytes: &[u8], options: &Options) -> Result<NativeEngine, OnnxError> {
        if bytes.len() > options.most_bytes {
            return Err(OnnxError::TooLarge { limit: options.most_bytes });
        }
        let budget = Budget::of(bytes.len(), options.most_growth);
        let format = Format::of(bytes);
        let (ensemble, width) = match format {
            Format::Onnx => from_graph(bytes, options.width, budget)?,
            Format::CatBoostJson => catboost::read(bytes, options.width, budget)?,
        };
        if width == 0 {
            return Err(OnnxError::NoFeatures);
        }
        Ok(NativeEngine::new(ensemble, format, width, options.how))
    }

    fn new(ensemble: Ensemble, format: Format, width: usize, how: How) -> NativeEngine {
        let mut about = About {
            format,
            width,
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
        NativeEngine { about, compiled }
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

/// Short: a thousand trees are no line of a log.
impl fmt::Debug for NativeEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("NativeEngine").field(&self.about).finish()
    }
}

impl Engine for NativeEngine {
    fn width(&self) -> usize {
        self.about.width
    }

    fn heads(&self) -> usize {
        self.about.heads
    }

    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        check_shape(self.about.width, self.about.heads, rows, out)?;
        let values = rows.block(0, rows.rows());
        match &self.compiled {
            Compiled::Plain(plain) => plain.predict(values, out),
            Compiled::Blocks(forest, isa) => predict::predict(forest, *isa, self.about.width, values, out),
        }
        Ok(())
    }
}

/// The ensemble of an ONNX file, and the number of features of a row.
fn from_graph(bytes: &[u8], width: Option<usize>, budget: Budget) -> Result<(Ensemble, usize), OnnxError> {
    let model = onnx::Model::read(bytes)?;
    let plan = graph::plan(&model)?;
    if let (Some(card), Some(file)) = (width, plan.width)
        && card != file
    {
        return Err(OnnxError::Width { card, file });
    }
    let width = width.or(plan.width);
    let read = if plan.ensemble.op_type == "TreeEnsemble" { ensemble5::read } else { ensemble::read };
    // Without a width any feature is within; the highest that is read says how many there are.
    let mut ensemble = read(plan.ensemble, width.unwrap_or(MOST_FEATURES), plan.rounds_to_f32, budget)?;
    ensemble.after = plan.after;
    let read = ensemble.nodes.iter().filter(|node| node.ask != trees::Ask::Leaf).map(|node| node.feature + 1);
    let width = width.unwrap_or_else(|| read.max().unwrap_or(0) as usize);
    Ok((ensemble, width))
}
