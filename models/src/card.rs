//! The model card: what a model is, on one page of TOML.
//!
//! A card is one (system, market). The predecessor's registry had two names for one model, two flags that could contradict
//! each other (incident 82), artefacts loaded under another library than they were made with (80) and models enabled without
//! the columns they need (81). Here an id is written once, a combination that makes no sense does not parse, and the card
//! carries what is needed to check the model on the machine that runs it.
//!
//! [`Card::parse`] either gives a card that makes sense or a sentence; a [`Card`] that exists is legal.

mod network;
mod raw;

use std::collections::BTreeMap;

use jiff::civil::Date;
use proto::{Market, Role, SystemId};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::calibration::Calibration;
use crate::hex;

pub use network::{Activation, Missing, Network};

/// Largest card that is read; reference vectors take most of one.
pub const MAX_CARD_BYTES: usize = 4 << 20;

/// A checked model card.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Card {
    /// The one name of this predictor, at run time and here.
    pub system_id: SystemId,
    /// The market it predicts.
    pub market: Market,
    /// What its number means.
    pub target: Target,
    /// The features by name, in the order of the model's columns.
    pub features: Vec<String>,
    /// What runs it, with what that engine needs.
    pub engine: EngineKind,
    /// First and last day whose results it has seen; none for a formula, which has seen none.
    pub training: Option<TrainingWindow>,
    /// Figures of its training and evaluation (`rounds`, `mae`, …), shown and never acted on.
    pub metrics: BTreeMap<String, f64>,
    /// Champion, shadow or disabled.
    pub role: Role,
    /// A threshold of its own, higher than the policy's: a smaller margin is HOLD.
    pub hold_below: Option<f64>,
    /// From its answers to probabilities; none for a model that gives none.
    pub calibration: Option<Calibration>,
    /// Inputs and the answers they must give.
    pub references: Vec<Reference>,
    /// Words for people.
    pub notes: String,
}

/// What a model's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The market's own unit.
    Points,
    /// How far above the line; a player without a line has no prediction.
    MarginOverLine,
}

/// What runs a model.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineKind {
    /// The native engine and its tree ensemble.
    Native {
        /// The tree ensemble.
        file: ModelFile,
        /// Which of a file's several numbers a row is this model's, from 0; none for a file that gives one.
        head: Option<usize>,
    },
    /// ONNX Runtime and any ONNX graph.
    Ort {
        /// The graph.
        file: ModelFile,
        /// As for the native engine.
        head: Option<usize>,
    },
    /// The candle engine, its weights and what they are the weights of.
    Candle {
        /// The weights, as safetensors.
        file: ModelFile,
        /// What is done with them.
        network: Network,
    },
    /// Weights in the card.
    Formula {
        /// Added to every answer.
        intercept: f64,
        /// A weight for each feature.
        weights: BTreeMap<String, f64>,
    },
}

/// The engines by name, where a person chooses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineName {
    /// Tree ensembles, compiled here.
    Native,
    /// ONNX Runtime.
    Ort,
    /// Small networks.
    Candle,
    /// Weights in the card.
    Formula,
}

/// A model file beside its card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Its name; `.gz` is unpacked.
    pub name: String,
    /// Hash of the unpacked file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// The days a model was trained on, both included; the window used to stop training early counts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingWindow {
    /// First day.
    pub start: Date,
    /// Last day.
    pub end: Date,
}

/// An input and the engine's answer to it (for [`Target::MarginOverLine`] the margin, before a line is added).
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// One value per feature, NaN for a missing one.
    pub inputs: Vec<f64>,
    /// What must come out.
    pub expected: f64,
}

/// Why a card is refused.
#[derive(Debug, Clone, PartialEq, Error)]
#[allow(missing_docs, reason = "each variant is its sentence; the fields are the names in it")]
pub enum CardError {
    #[error("the card has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the card is not readable: {reason}")]
    Toml { reason: String },
    #[error("the card has format {format}, this program reads format 1")]
    Format { format: u32 },
    #[error("the card names no feature")]
    NoFeatures,
    #[error("the feature name `{name}` is not one: expected a lower-case letter, then a-z, 0-9 and _")]
    FeatureName { name: String },
    #[error("the feature `{name}` is named twice")]
    FeatureTwice { name: String },
    #[error("engine `{engine}` needs `{field}`")]
    Missing { engine: &'static str, field: &'static str },
    #[error("`{field}` has no meaning for engine `{engine}`: take it out")]
    Meaningless { engine: &'static str, field: &'static str },
    #[error("the file name `{file}` must be a plain name beside the card, without folders")]
    FileName { file: String },
    #[error("the sha256 `{sha256}` must be 64 lower-case hexadecimal digits")]
    Sha256 { sha256: String },
    #[error("the network makes no sense: {why}")]
    Network { why: String },
    #[error(
        "engine `{asked}` cannot run a model of engine `{own}`: only native and ort run each other's files"
    )]
    OtherEngine { own: &'static str, asked: &'static str },
    #[error("the training window ends on {end}, before it starts on {start}")]
    Window { start: Date, end: Date },
    #[error("hold_below is {value}: it must be a positive number of points, or left out")]
    HoldBelow { value: f64 },
    #[error("hold_below is for models that are used: a disabled one recommends nothing")]
    HoldBelowDisabled,
    #[error("the calibration makes no sense: {why}")]
    Calibration { why: String },
    #[error("{what} must be a finite number")]
    NotFinite { what: String },
    #[error("the weight `{name}` belongs to no feature of the card: add it to `features`")]
    WeightWithoutFeature { name: String },
    #[error("the feature `{name}` has no weight: give it one or take it out of `features`")]
    FeatureWithoutWeight { name: String },
    #[error("every weight is zero: the formula says nothing")]
    NoWeight,
    #[error(
        "the card has no reference vector, so nothing shows that the model answers here as it did where it was made"
    )]
    NoReferences,
    #[error("reference vector {index} has {got} inputs, the card names {width} features")]
    ReferenceWidth { index: usize, got: usize, width: usize },
}

impl Card {
    /// Reads and checks a card.
    pub fn parse(text: &str) -> Result<Card, CardError> {
        raw::parse(text)
    }

    /// System and market of a card that may be illegal otherwise: what it meant to replace is known even when it is refused.
    pub(crate) fn id_of(text: &str) -> Option<(SystemId, Market)> {
        raw::id_of(text)
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// The model file, if there is one.
    pub fn file(&self) -> Option<&ModelFile> {
        match &self.engine {
            EngineKind::Native { file, .. }
            | EngineKind::Ort { file, .. }
            | EngineKind::Candle { file, .. } => Some(file),
            EngineKind::Formula { .. } => None,
        }
    }

    /// The same card for another engine; only a tree ensemble has a choice, native or ONNX Runtime.
    pub fn on(mut self, engine: EngineName) -> Result<Card, CardError> {
        self.engine = match (engine, self.engine) {
            (EngineName::Ort, EngineKind::Native { file, head }) => EngineKind::Ort { file, head },
            (EngineName::Native, EngineKind::Ort { file, head }) => EngineKind::Native { file, head },
            (engine, own) if own.name() == engine => own,
            (engine, own) => {
                return Err(CardError::OtherEngine { own: own.name().as_str(), asked: engine.as_str() });
            }
        };
        Ok(self)
    }

    /// Whether the training window reaches `game_date` or later, so that a result for that day proves nothing.
    pub fn in_sample(&self, game_date: Date) -> bool {
        self.training.is_some_and(|window| window.end >= game_date)
    }

    /// Days from the end of training to `game_date`, negative while the window reaches beyond it; a formula does not age
    /// (incident 83: alarm at ten).
    pub fn age_days(&self, game_date: Date) -> Option<i64> {
        let window = self.training?;
        Some(game_date.duration_since(window.end).as_hours() / 24)
    }

    /// Hash of everything that changes an answer or what is said about it: target, features, engine with file or weights,
    /// window (`in_sample`), threshold (`HOLD`), calibration. Role, notes, metrics and reference vectors change none.
    pub fn pin_sha256(&self) -> String {
        let mut hasher = Sha256::new();
        let mut field = |name: &str, value: &str| {
            // Lengths keep two fields from reading as one.
            hasher.update(format!("{name} {} {value}\n", value.len()));
        };
        field("pin", "1");
        field("target", self.target.as_str());
        for name in &self.features {
            field("feature", name);
        }
        match &self.engine {
            EngineKind::Native { file, head } | EngineKind::Ort { file, head } => {
                field(self.engine.name().as_str(), &file.sha256);
                if let Some(head) = head {
                    field("head", &head.to_string());
                }
            }
            EngineKind::Candle { file, network } => {
                field("candle", &file.sha256);
                field("network", &network.fingerprint_text());
            }
            EngineKind::Formula { intercept, weights } => {
                field("formula", &format!("{:016x}", intercept.to_bits()));
                for (name, weight) in weights {
                    field(name, &format!("{:016x}", weight.to_bits()));
                }
            }
        }
        if let Some(window) = self.training {
            field("window", &format!("{} {}", window.start, window.end));
        }
        if let Some(threshold) = self.hold_below {
            field("hold_below", &format!("{:016x}", threshold.to_bits()));
        }
        if let Some(calibration) = &self.calibration {
            field("calibration", &calibration.fingerprint_text());
        }
        hex(&hasher.finalize())
    }
}

impl Target {
    /// As it is written in a card.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Points => "points",
            Target::MarginOverLine => "margin_over_line",
        }
    }
}

impl EngineKind {
    /// Which engine it is.
    pub fn name(&self) -> EngineName {
        match self {
            EngineKind::Native { .. } => EngineName::Native,
            EngineKind::Ort { .. } => EngineName::Ort,
            EngineKind::Candle { .. } => EngineName::Candle,
            EngineKind::Formula { .. } => EngineName::Formula,
        }
    }
}

impl EngineName {
    /// As it is written in a card.
    pub fn as_str(self) -> &'static str {
        match self {
            EngineName::Native => "native",
            EngineName::Ort => "ort",
            EngineName::Candle => "candle",
            EngineName::Formula => "formula",
        }
    }
}
