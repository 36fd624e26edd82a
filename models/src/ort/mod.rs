//! The ort engine: any ONNX graph through ONNX Runtime, where that is installed.
//!
//! The native engine runs tree ensembles and nothing else. Whoever has a network from PyTorch or a pipeline from scikit-learn
//! brings the library that runs it; `library` finds and checks it, `places` says where it is looked for. Without it, models
//! that need it say what to install, and the rest serve.
//!
//! - A graph has one input, rows by features, and one output with as many numbers for each row. What has a loop, a second
//!   file or a random number in it is refused before ONNX Runtime sees it; what mixes rows is refused after asking it.
//! - A row with a missing feature has no answer, unless the graph has an operator that was made for missing values: trees, an
//!   imputer, a test for them. What other operators make of one depends on how they were written (incident 75).
//! - It sums `float`s, and promises no order: the same row agrees within 1e-6 of `max(1, |answer|)` across batches. On one thread
//!   every tree model tried had the same bits, but only the native engine promises them.
//! - One thread a session; a session serves one caller at a time, and there are as many as callers at once.
//!
//! A graph is still a program. It ends, but nothing bounds what it costs; take no graph from people you would not take a
//! program from.

mod library;
mod places;
#[cfg(test)]
mod tests;
mod whole;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use ::ort::logging::LogLevel;
use ::ort::session::Session;
use ::ort::value::{TensorElementType, TensorRef, ValueType};
use thiserror::Error;

pub use library::{Library, Unavailable, library, use_library};
pub use places::Places;

use crate::engine::check_shape;
use crate::native::{OnnxError, survey};
use crate::{Engine, FeatureMatrix, PredictError};

/// How far a row's answer may lie from its answer in another batch, relative to `max(1, |answer|)`.
pub const BATCH_TOLERANCE: f64 = 1e-6;

/// An ONNX graph in ONNX Runtime.
pub struct OrtEngine {
    library: Arc<Library>,
    file: Arc<[u8]>,
    width: usize,
    heads: usize,
    input: Number,
    output: Number,
    knows_gaps: bool,
    /// Sessions that nobody uses now; ONNX Runtime does not promise that two may run one at once.
    idle: Mutex<Vec<Session>>,
}

/// What a tensor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    F32,
    F64,
}

/// Why a file is not run by ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Error)]
#[allow(missing_docs, reason = "each variant is its sentence; the fields are the names in it")]
pub enum OrtError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    File(#[from] OnnxError),
    #[error("ONNX Runtime {version} does not run the file: {reason}")]
    Runtime { version: String, reason: String },
    #[error("the graph has {count} inputs, it must have one: a table of features")]
    Inputs { count: usize },
    #[error("the graph has {count} outputs, it must have one: the prediction")]
    Outputs { count: usize },
    #[error("the graph's {what} `{name}` is {found}: it must be a tensor of float or double")]
    Kind { what: &'static str, name: String, found: String },
    #[error("the graph's input `{name}` has {dims} dimensions: it must have two, rows and features")]
    InputShape { name: String, dims: usize },
    #[error("the graph is made for {rows} rows at a time: export it with a first dimension that is free")]
    FixedRows { rows: i64 },
    #[error(
        "the card names {card} features, the model file takes {file}: the list of names must be the one it was trained with"
    )]
    Width { card: usize, file: usize },
    #[error("the file does not say how many features a row has: only a card can")]
    NoWidth,
    #[error("the graph gives {numbers} numbers for {rows} rows: it must give as many for each row")]
    Answers { numbers: usize, rows: usize },
    #[error(
        "the graph answers a row otherwise when other rows are beside it ({alone} alone, {together} among {rows})"
    )]
    MixesRows { alone: f64, together: f64, rows: usize },
}

impl OrtEngine {
    /// Reads and checks an ONNX file of at most `most_bytes`, for rows of `width` features; without one, of as many as the
    /// file says.
    pub fn open(bytes: &[u8], width: Option<usize>, most_bytes: usize) -> Result<OrtEngine, OrtError> {
        let survey = survey(bytes, most_bytes)?;
        let library = library()?;
        let version = library.version().to_owned();
        let runtime =
            |reason: String| OrtError::Runtime { version: version.clone(), reason: one_line(&reason) };
        // The binding takes for granted what a file can make untrue, and panics then.
        match catch_unwind(AssertUnwindSafe(|| OrtEngine::new(library, bytes, width, survey.knows_gaps))) {
            Ok(Err(OrtError::Runtime { reason, .. })) => Err(runtime(reason)),
            Ok(opened) => opened,
            Err(panic) => Err(runtime(library::words(panic.as_ref()))),
        }
    }

    fn new(
        library: Arc<Library>,
        bytes: &[u8],
        width: Option<usize>,
        knows_gaps: bool,
    ) -> Result<OrtEngine, OrtError> {
        let session = session(&library, bytes).map_err(runtime)?;
        let (input, declared) = input_of(&session)?;
        let output = output_of(&session)?;
        if let (Some(card), Some(file)) = (width, declared)
            && card != file
        {
            return Err(OrtError::Width { card, file });
        }
        let width = width.or(declared).ok_or(OrtError::NoWidth)?;
        if width == 0 {
            return Err(OnnxError::NoFeatures.into());
        }
        let idle = Mutex::new(vec![session]);
        let file = Arc::from(bytes);
        let mut engine = OrtEngine { library, file, width, heads: 1, input, output, knows_gaps, idle };
        engine.heads = engine.probe()?;
        Ok(engine)
    }

    /// Asks the graph about a few rows, together and alone: how many numbers a row has, and whether rows keep apart.
    fn probe(&self) -> Result<usize, OrtError> {
        const ROWS: usize = 3;
        let value = |row: usize, feature: usize| ((row * 7 + feature * 3) % 11) as f64 * (row as f64 + 0.5);
        let values: Vec<f64> =
            (0..ROWS).flat_map(|row| (0..self.width).map(move |feature| value(row, feature))).collect();
        let together = self.run(&values, ROWS).map_err(runtime)?;
        let heads = together.len() / ROWS;
        if heads == 0 || heads * ROWS != together.len() {
            return Err(OrtError::Answers { numbers: together.len(), rows: ROWS });
        }
        for (row, together) in values.chunks_exact(self.width).zip(together.chunks_exact(heads)) {
            let alone = self.run(row, 1).map_err(runtime)?;
            if alone.len() != heads {
                return Err(OrtError::Answers { numbers: alone.len(), rows: 1 });
            }
            let differs = |(alone, together): &(&f64, &f64)| {
                let is_near = (*alone - *together).abs() <= BATCH_TOLERANCE * alone.abs().max(1.0);
                !is_near && alone.to_bits() != together.to_bits() && !(alone.is_nan() && together.is_nan())
            };
            if let Some((alone, together)) = alone.iter().zip(together).find(differs) {
                return Err(OrtError::MixesRows { alone: *alone, together: *together, rows: ROWS });
            }
        }
        Ok(heads)
    }

    /// The numbers of the graph's output for rows that stand one after the other.
    fn run(&self, values: &[f64], rows: usize) -> ::ort::Result<Vec<f64>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = idle.map_or_else(|| session(&self.library, &self.file), Ok)?;
        let shape = [rows, self.width];
        let numbers = {
            let outputs = match self.input {
                Number::F32 => {
                    let rounded: Vec<f32> = values.iter().map(|value| *value as f32).collect();
                    session.run(::ort::inputs![TensorRef::from_array_view((shape, rounded.as_slice()))?])?
                }
                Number::F64 => session.run(::ort::inputs![TensorRef::from_array_view((shape, values))?])?,
            };
            match self.output {
                Number::F32 => {
                    outputs[0].try_extract_tensor::<f32>()?.1.iter().map(|value| f64::from(*value)).collect()
                }
                Number::F64 => outputs[0].try_extract_tensor::<f64>()?.1.to_vec(),
            }
        };
        // A session that failed is not used again.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        Ok(numbers)
    }

    /// The library that runs it.
    pub fn library(&self) -> &Library {
        &self.library
    }
}

/// Short: a graph is no line of a log.
impl fmt::Debug for OrtEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OrtEngine { width, heads, .. } = self;
        write!(formatter, "OrtEngine({width} features, {heads} heads, {})", self.library.version())
    }
}

impl Engine for OrtEngine {
    fn width(&self) -> usize {
        self.width
    }

    fn heads(&self) -> usize {
        self.heads
    }

    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        check_shape(self.width, self.heads, rows, out)?;
        if out.is_empty() {
            return Ok(());
        }
        let failed = |reason: String| PredictError::Failed { engine: "ort", reason: one_line(&reason) };
        let numbers =
            self.run(rows.block(0, rows.rows()), rows.rows()).map_err(|error| failed(error.to_string()))?;
        if numbers.len() != out.len() {
            return Err(failed(format!("it gave {} numbers for {} rows", numbers.len(), rows.rows())));
        }
        out.copy_from_slice(&numbers);
        if !self.knows_gaps {
            for (row, answers) in out.chunks_exact_mut(self.heads).enumerate() {
                if rows.row(row).iter().any(|value| value.is_nan()) {
                    answers.fill(f64::NAN);
                }
            }
        }
        Ok(())
    }
}

fn session(library: &Library, bytes: &[u8]) -> ::ort::Result<Session> {
    Session::builder(&library.environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_log_level(LogLevel::Fatal)?
        .commit_from_memory(bytes)
}

/// The input's numbers, and how many features a row has if the graph says so.
fn input_of(session: &Session) -> Result<(Number, Option<usize>), OrtError> {
    let [input] = session.inputs() else {
        return Err(OrtError::Inputs { count: session.inputs().len() });
    };
    let number = number("input", input.name(), input.dtype())?;
    let ValueType::Tensor { shape, .. } = input.dtype() else { return Ok((number, None)) };
    match shape.as_ref() {
        [rows, _] if *rows >= 0 => Err(OrtError::FixedRows { rows: *rows }),
        // A dimension without a number is -1.
        [_, features] => Ok((number, usize::try_from(*features).ok())),
        dims => Err(OrtError::InputShape { name: input.name().to_owned(), dims: dims.len() }),
    }
}

fn output_of(session: &Session) -> Result<Number, OrtError> {
    match session.outputs() {
        [output] => number("output", output.name(), output.dtype()),
        outputs => Err(OrtError::Outputs { count: outputs.len() }),
    }
}

fn number(what: &'static str, name: &str, kind: &ValueType) -> Result<Number, OrtError> {
    match kind {
        ValueType::Tensor { ty: TensorElementType::Float32, .. } => Ok(Number::F32),
        ValueType::Tensor { ty: TensorElementType::Float64, .. } => Ok(Number::F64),
        ValueType::Tensor { ty, .. } => {
            Err(OrtError::Kind { what, name: name.to_owned(), found: format!("a tensor of {ty}") })
        }
        _ => Err(OrtError::Kind { what, name: name.to_owned(), found: "no tensor".to_owned() }),
    }
}

/// The runtime's words; its version is added by who knows it.
fn runtime(error: ::ort::Error) -> OrtError {
    OrtError::Runtime { version: String::new(), reason: error.to_string() }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
