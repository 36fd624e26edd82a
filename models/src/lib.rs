//! Model cards, the registry, and the engines behind one trait.
//!
//! The predecessor served models that had lost their inputs (incident 75: up to 29 points of error), that ran under another
//! library than they were trained with (80), whose name in the registry was not their name at run time (82). Here a model
//! is a [`Card`] whose promises are checked on the machine that runs it, each time it is loaded: the file's hash, the width,
//! reference inputs with the answers they must give. What fails is refused with a sentence, and the rest serve.
//!
//! - [`card`]: the page that says what a model is; illegal combinations do not parse.
//! - [`Engine`]: batch in, batch out. [`native`] runs tree ensembles without any library, [`ort`] any ONNX graph where ONNX
//!   Runtime is installed, [`candle`] small networks, [`formula`] weights that stand in the card.
//! - [`Calibration`]: from an answer and a line to the probability of the over.
//! - [`Model`]: a card and its engine; adds the line back for models that predict a margin over it.
//! - [`Roles`]: who is champion, shadow or disabled, by the operator's word.
//! - [`Registry`]: the models this process serves, from the embedded zoo and a folder; immutable, shared by `Arc`.
//!
//! This crate knows no store, no clock and no network. Only [`Registry::load`] reads files, and [`ort`] looks for its library.

mod calibration;
pub mod candle;
pub mod card;
mod engine;
pub mod formula;
mod matrix;
mod model;
pub mod native;
pub mod ort;
mod registry;
mod roles;
mod zoo;

pub use self::ort::OrtEngine;
pub use calibration::Calibration;
pub use candle::CandleEngine;
pub use card::{Card, CardError, EngineKind, EngineName, ModelFile, Reference, Target, TrainingWindow};
pub use engine::{Engine, PredictError};
pub use formula::FormulaEngine;
pub use matrix::{FeatureMatrix, RowWidthError};
pub use model::{LoadError, Model, NoPrediction};
pub use native::{NativeEngine, OnnxError};
pub use registry::{RefusedModel, Registry, is_card};
pub use roles::{ROLES_FILE, Roles, RolesError};

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
