//! A model that may answer: a card whose promises were checked on this machine.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;
use jiff::civil::Date;
use proto::ModelPin;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::candle::{CandleEngine, CandleError};
use crate::card::{Card, CardError, EngineKind, ModelFile, Target};
use crate::engine::OneHead;
use crate::formula::FormulaEngine;
use crate::native::{MAX_MODEL_BYTES, NativeEngine, OnnxError};
use crate::ort::{OrtEngine, OrtError};
use crate::{Engine, FeatureMatrix, PredictError, hex};

/// How far an answer may lie from its reference, relative to `max(1, |expected|)`: wide enough for a reference that was
/// computed with `float` sums, narrow enough that a single wrong turn in a tree shows.
const REFERENCE_TOLERANCE: f64 = 1e-5;

/// A loaded model. Immutable; a batch that pins it keeps its registry, and so the model, alive.
#[derive(Debug, Clone)]
pub struct Model {
    /// The card it was loaded from.
    pub card: Card,
    /// What a batch pins.
    pub pin: ModelPin,
    engine: Arc<dyn Engine>,
    /// The same engine where a missing feature means no answer, to say which one.
    formula: Option<FormulaEngine>,
    /// Whether it came from the binary; the operator's own champion comes before an embedded one.
    pub(crate) is_embedded: bool,
}

/// Why a player has no number from a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPrediction {
    /// The model predicts a margin over the line, and there is no line.
    NoLine,
    /// A feature the formula needs is missing; its position in [`Card::features`].
    MissingFeature(usize),
    /// The number is not one.
    NotFinite,
}

/// Why a model is refused when it is loaded.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LoadError {
    /// The card makes no sense.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The model file does not run.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// ONNX Runtime does not run the model file, or is not there.
    #[error(transparent)]
    Ort(#[from] OrtError),
    /// The model file does not hold the card's network.
    #[error(transparent)]
    Candle(#[from] CandleError),
    /// The card names a file that was not given.
    #[error("the model file `{file}` is not beside the card")]
    FileMissing {
        /// Its name.
        file: String,
    },
    /// The file is packed, and not whole.
    #[error("the model file `{file}` cannot be unpacked ({reason}): copy it again")]
    Unpack {
        /// Its name.
        file: String,
        /// What the decoder said.
        reason: String,
    },
    /// The file is another one than the card means.
    #[error(
        "the model file `{file}` has sha256 {got}, the card says {expected}: file and card do not belong together"
    )]
    Sha256 {
        /// Its name.
        file: String,
        /// What the card says.
        expected: String,
        /// What the bytes say.
        got: String,
    },
    /// The engine is made for other rows than the card describes.
    #[error("the engine takes {engine} features, the card names {card}")]
    Width {
        /// What the engine takes.
        engine: usize,
        /// What the card names.
        card: usize,
    },
    /// The file holds several models in one, and the card does not say which.
    #[error("the model file gives {heads} numbers a row, a card describes one: say which with `head`, 0 to {}", heads - 1)]
    Heads {
        /// Numbers per row.
        heads: usize,
    },
    /// The card means a number that the file does not give.
    #[error("the card says head = {head}, the model file gives {heads} numbers a row, counted from 0")]
    NoHead {
        /// What the card says.
        head: usize,
        /// Numbers per row.
        heads: usize,
    },
    /// The model does not answer here as it did where it was made (incident 80).
    #[error(
        "reference vector {index} must give {expected} and gives {got}: the model does not answer as when it was made"
    )]
    Reference {
        /// Its number, from 0.
        index: usize,
        /// What the card says.
        expected: f64,
        /// What came out.
        got: f64,
    },
    /// A call that the engine refused; cannot happen for a checked card, and is not hidden if it does.
    #[error(transparent)]
    Predict(#[from] PredictError),
}

impl Model {
    /// Checks file, engine and reference vectors. `file` holds the bytes as they are stored, packed or not.
    pub fn load(card: Card, file: Option<&[u8]>) -> Result<Model, LoadError> {
        let mut formula = None;
        let engine: Arc<dyn Engine> = match &card.engine {
            EngineKind::Native { file: model, head } => {
                let engine = NativeEngine::from_onnx(&artefact(model, file)?, card.width())?;
                one_head(Arc::new(engine), *head)?
            }
            EngineKind::Ort { file: model, head } => {
                let bytes = artefact(model, file)?;
                let engine = OrtEngine::open(&bytes, Some(card.width()), MAX_MODEL_BYTES)?;
                one_head(Arc::new(engine), *head)?
            }
            EngineKind::Candle { file: model, network } => {
                Arc::new(CandleEngine::open(&artefact(model, file)?, network)?)
            }
            EngineKind::Formula { intercept, weights } => {
                let engine = FormulaEngine::new(&card.features, *intercept, weights)?;
                formula = Some(engine.clone());
                Arc::new(engine)
            }
        };
        Model::checked(card, engine, formula)
    }

    /// A model that runs on an engine from elsewhere, held to the card's width and reference vectors like any other. Tests use
    /// it for engines that hang or panic.
    pub fn with_engine(card: Card, engine: Arc<dyn Engine>) -> Result<Model, LoadError> {
        Model::checked(card, engine, None)
    }

    fn checked(
        card: Card,
        engine: Arc<dyn Engine>,
        formula: Option<FormulaEngine>,
    ) -> Result<Model, LoadError> {
        if engine.width() != card.width() {
            return Err(LoadError::Width { engine: engine.width(), card: card.width() });
        }
        if engine.heads() != 1 {
            return Err(LoadError::Heads { heads: engine.heads() });
        }
        replay(&card, engine.as_ref())?;
        let pin = ModelPin {
            system_id: card.system_id.clone(),
            market: card.market.clone(),
            sha256: card.pin_sha256(),
        };
        Ok(Model { card, pin, engine, formula, is_embedded: false })
    }

    /// One answer per row, in the market's unit. `lines` has one entry per row and is read only by models that predict a
    /// margin over the line: they add it back, and have no answer without one.
    pub fn predict(
        &self,
        rows: &FeatureMatrix,
        lines: &[Option<f64>],
    ) -> Result<Vec<Result<f64, NoPrediction>>, PredictError> {
        if lines.len() != rows.rows() {
            return Err(PredictError::Length { rows: rows.rows(), slots: lines.len(), what: "lines" });
        }
        let mut raw = vec![0.0; rows.rows()];
        self.engine.predict(rows, &mut raw)?;
        Ok(raw
            .iter()
            .enumerate()
            .map(|(index, value)| self.answer(rows.row(index), *value, lines[index]))
            .collect())
    }

    fn answer(&self, row: &[f64], raw: f64, line: Option<f64>) -> Result<f64, NoPrediction> {
        if let Some(feature) = self.formula.as_ref().and_then(|formula| formula.first_missing(row)) {
            return Err(NoPrediction::MissingFeature(feature));
        }
        let value = match self.card.target {
            Target::Points => raw,
            Target::MarginOverLine => raw + line.ok_or(NoPrediction::NoLine)?,
        };
        if value.is_finite() { Ok(value) } else { Err(NoPrediction::NotFinite) }
    }

    /// What runs it, for measuring; answers of a model of margins lack the line here.
    pub fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// How far the answer to a reference vector lies from the card's, at most, relative to `max(1, |expected|)`.
    pub fn largest_deviation(&self) -> Result<f64, PredictError> {
        let answers = answers_to_references(&self.card, self.engine.as_ref())?;
        let deviations = self.card.references.iter().zip(answers);
        Ok(deviations.map(|(reference, got)| deviation(reference.expected, got)).fold(0.0, f64::max))
    }

    /// The sentence for a refusal of [`Model::predict`].
    pub fn explain(&self, refusal: NoPrediction) -> String {
        let system = &self.card.system_id;
        match refusal {
            NoPrediction::NoLine => format!("{system} predicts a margin over the line, and there is no line"),
            NoPrediction::MissingFeature(index) => {
                let name = self.card.features.get(index).map_or("?", String::as_str);
                format!("{system} needs the feature {name}, which is missing")
            }
            NoPrediction::NotFinite => format!("{system} gave no finite number"),
        }
    }

    /// Days from the end of training to `game_date`; see [`Card::age_days`].
    pub fn age_days(&self, game_date: Date) -> Option<i64> {
        self.card.age_days(game_date)
    }

    /// Whether the training window reaches `game_date` or later; see [`Card::in_sample`].
    pub fn in_sample(&self, game_date: Date) -> bool {
        self.card.in_sample(game_date)
    }
}

/// The bytes that the card's hash is of.
fn artefact<'a>(model: &ModelFile, stored: Option<&'a [u8]>) -> Result<Cow<'a, [u8]>, LoadError> {
    let stored = stored.ok_or_else(|| LoadError::FileMissing { file: model.name.clone() })?;
    let bytes = match model.name.ends_with(".gz") {
        true => Cow::Owned(unpack(&model.name, stored)?),
        false => Cow::Borrowed(stored),
    };
    if bytes.len() > MAX_MODEL_BYTES {
        return Err(OnnxError::TooLarge { limit: MAX_MODEL_BYTES }.into());
    }
    check_sha256(&model.name, &model.sha256, &bytes)?;
    Ok(bytes)
}

/// The engine that gives the card's number alone.
fn one_head(engine: Arc<dyn Engine>, head: Option<usize>) -> Result<Arc<dyn Engine>, LoadError> {
    let heads = engine.heads();
    match head {
        // Whoever says nothing means the only one; `checked` refuses where there are more.
        None => Ok(engine),
        Some(head) => OneHead::of(engine, head)
            .map(|engine| Arc::new(engine) as _)
            .ok_or(LoadError::NoHead { head, heads }),
    }
}

fn unpack(name: &str, stored: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut unpacked = Vec::new();
    let limit = MAX_MODEL_BYTES as u64 + 1;
    // One byte more than allowed is enough to know; a bomb is not unpacked to its end.
    let read = GzDecoder::new(stored).take(limit).read_to_end(&mut unpacked);
    read.map_err(|error| LoadError::Unpack { file: name.to_owned(), reason: error.to_string() })?;
    Ok(unpacked)
}

fn check_sha256(name: &str, expected: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let got = hex(&Sha256::digest(bytes));
    if got == expected {
        return Ok(());
    }
    Err(LoadError::Sha256 { file: name.to_owned(), expected: expected.to_owned(), got })
}

/// All references in one batch, and each alone: a model whose rows depend on each other would answer a slate otherwise than
/// a player.
fn replay(card: &Card, engine: &dyn Engine) -> Result<(), LoadError> {
    let together = answers_to_references(card, engine)?;
    let mut alone = vec![0.0; card.references.len()];
    for (reference, answer) in card.references.iter().zip(&mut alone) {
        let mut row = FeatureMatrix::with_width(card.width());
        row.push_row(&reference.inputs)
            .map_err(|error| PredictError::Width { expected: error.width, got: error.got })?;
        engine.predict(&row, std::slice::from_mut(answer))?;
    }
    check_references(card, &together)?;
    check_references(card, &alone)
}

fn check_references(card: &Card, answers: &[f64]) -> Result<(), LoadError> {
    for (index, (reference, got)) in card.references.iter().zip(answers).enumerate() {
        let (expected, got) = (reference.expected, *got);
        // Written so that NaN is a failure.
        let near = deviation(expected, got) <= REFERENCE_TOLERANCE;
        if !near {
            return Err(LoadError::Reference { index, expected, got });
        }
    }
    Ok(())
}

fn answers_to_references(card: &Card, engine: &dyn Engine) -> Result<Vec<f64>, PredictError> {
    let mut rows = FeatureMatrix::with_capacity(card.width(), card.references.len());
    for reference in &card.references {
        // A parsed card has references of its width only.
        rows.push_row(&reference.inputs)
            .map_err(|error| PredictError::Width { expected: error.width, got: error.got })?;
    }
    let mut answers = vec![0.0; rows.rows()];
    engine.predict(&rows, &mut answers)?;
    Ok(answers)
}

fn deviation(expected: f64, got: f64) -> f64 {
    (got - expected).abs() / expected.abs().max(1.0)
}
