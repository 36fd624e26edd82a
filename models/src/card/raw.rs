//! A card as it is typed, and the checks that turn it into one that makes sense.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proto::{Market, Role, SystemId};
use serde::Deserialize;

use super::network::RawNetwork;
use super::{
    Card, CardError, EngineKind, EngineName, MAX_CARD_BYTES, ModelFile, Reference, Target, TrainingWindow,
};
use crate::calibration::RawCalibration;
use crate::formula::FormulaEngine;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCard {
    format: u32,
    system_id: SystemId,
    market: Market,
    target: Target,
    role: Role,
    engine: EngineName,
    file: Option<String>,
    sha256: Option<String>,
    head: Option<usize>,
    network: Option<RawNetwork>,
    intercept: Option<f64>,
    weights: Option<BTreeMap<String, f64>>,
    features: Vec<String>,
    hold_below: Option<f64>,
    calibration: Option<RawCalibration>,
    #[serde(default)]
    notes: String,
    training: Option<RawWindow>,
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    #[serde(default)]
    reference: Vec<RawReference>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWindow {
    start: Date,
    end: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReference {
    inputs: Vec<f64>,
    expected: f64,
}

pub(super) fn parse(text: &str) -> Result<Card, CardError> {
    if text.len() > MAX_CARD_BYTES {
        return Err(CardError::TooLarge { limit: MAX_CARD_BYTES });
    }
    let raw: RawCard =
        toml::from_str(text).map_err(|error| CardError::Toml { reason: one_line(&error, text) })?;
    if raw.format != 1 {
        return Err(CardError::Format { format: raw.format });
    }
    check_features(&raw.features)?;
    let engine = engine(&raw)?;
    let training = raw.training.map(|window| TrainingWindow { start: window.start, end: window.end });
    check_window(training, &engine)?;
    check_hold_below(raw.hold_below, raw.role)?;
    if let Some((name, _)) = raw.metrics.iter().find(|(_, value)| !value.is_finite()) {
        return Err(CardError::NotFinite { what: format!("the metric `{name}`") });
    }
    let calibration = raw.calibration.map(RawCalibration::check).transpose()?;
    let references = references(raw.reference, raw.features.len())?;
    Ok(Card {
        system_id: raw.system_id,
        market: raw.market,
        target: raw.target,
        features: raw.features,
        engine,
        training,
        metrics: raw.metrics,
        role: raw.role,
        hold_below: raw.hold_below,
        calibration,
        references,
        notes: raw.notes,
    })
}

pub(super) fn id_of(text: &str) -> Option<(SystemId, Market)> {
    #[derive(Deserialize)]
    struct Id {
        system_id: SystemId,
        market: Market,
    }
    let id: Id = toml::from_str(text).ok()?;
    Some((id.system_id, id.market))
}

/// The parser's message without its drawing, with the line to look at.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    let line =
        error.span().and_then(|span| text.get(..span.start)).map(|before| before.lines().count().max(1));
    line.map_or(message.clone(), |line| format!("{message} (near line {line})"))
}

fn check_features(features: &[String]) -> Result<(), CardError> {
    if features.is_empty() {
        return Err(CardError::NoFeatures);
    }
    let mut seen = BTreeSet::new();
    for name in features {
        let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let tail =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !head || !tail {
            return Err(CardError::FeatureName { name: name.clone() });
        }
        if !seen.insert(name) {
            return Err(CardError::FeatureTwice { name: name.clone() });
        }
    }
    Ok(())
}

/// The engine with what it needs; what belongs to another engine is refused, for somebody meant something by it.
fn engine(raw: &RawCard) -> Result<EngineKind, CardError> {
    use EngineName::{Candle, Formula, Native, Ort};
    let fields: [(&'static str, bool, &[EngineName]); 6] = [
        ("file", raw.file.is_some(), &[Native, Ort, Candle]),
        ("sha256", raw.sha256.is_some(), &[Native, Ort, Candle]),
        ("head", raw.head.is_some(), &[Native, Ort]),
        ("network", raw.network.is_some(), &[Candle]),
        ("intercept", raw.intercept.is_some(), &[Formula]),
        ("weights", raw.weights.is_some(), &[Formula]),
    ];
    let name = raw.engine.as_str();
    if let Some((field, ..)) = fields.iter().find(|(_, is_there, of)| *is_there && !of.contains(&raw.engine))
    {
        return Err(CardError::Meaningless { engine: name, field });
    }
    Ok(match raw.engine {
        Native => EngineKind::Native { file: model_file(raw)?, head: raw.head },
        Ort => EngineKind::Ort { file: model_file(raw)?, head: raw.head },
        Candle => {
            let network =
                raw.network.as_ref().ok_or(CardError::Missing { engine: name, field: "network" })?;
            EngineKind::Candle { file: model_file(raw)?, network: network.check(raw.features.len())? }
        }
        Formula => {
            let weights = raw.weights.clone().ok_or(CardError::Missing { engine: name, field: "weights" })?;
            let intercept = raw.intercept.unwrap_or(0.0);
            FormulaEngine::new(&raw.features, intercept, &weights)?;
            EngineKind::Formula { intercept, weights }
        }
    })
}

fn model_file(raw: &RawCard) -> Result<ModelFile, CardError> {
    let missing = |field| CardError::Missing { engine: raw.engine.as_str(), field };
    let name = raw.file.clone().ok_or_else(|| missing("file"))?;
    let sha256 = raw.sha256.clone().ok_or_else(|| missing("sha256"))?;
    // A card decides which file is read, so it must not reach beyond its own folder.
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0', ':']) {
        return Err(CardError::FileName { file: name });
    }
    if sha256.len() != 64 || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(CardError::Sha256 { sha256 });
    }
    Ok(ModelFile { name, sha256 })
}

/// A trained model must say on what, else nobody could tell whether its success on a day proves anything.
fn check_window(window: Option<TrainingWindow>, engine: &EngineKind) -> Result<(), CardError> {
    match (engine.name(), window) {
        (_, Some(TrainingWindow { start, end })) if end < start => Err(CardError::Window { start, end }),
        (EngineName::Formula, _) | (_, Some(_)) => Ok(()),
        (trained, None) => Err(CardError::Missing { engine: trained.as_str(), field: "training" }),
    }
}

fn check_hold_below(hold_below: Option<f64>, role: Role) -> Result<(), CardError> {
    match hold_below {
        Some(value) if !(value.is_finite() && value > 0.0) => Err(CardError::HoldBelow { value }),
        Some(_) if role == Role::Disabled => Err(CardError::HoldBelowDisabled),
        Some(_) | None => Ok(()),
    }
}

fn references(raw: Vec<RawReference>, width: usize) -> Result<Vec<Reference>, CardError> {
    if raw.is_empty() {
        return Err(CardError::NoReferences);
    }
    for (index, reference) in raw.iter().enumerate() {
        if reference.inputs.len() != width {
            return Err(CardError::ReferenceWidth { index, got: reference.inputs.len(), width });
        }
        if !reference.expected.is_finite() {
            return Err(CardError::NotFinite {
                what: format!("the expected answer of reference vector {index}"),
            });
        }
    }
    Ok(raw
        .into_iter()
        .map(|reference| Reference { inputs: reference.inputs, expected: reference.expected })
        .collect())
}
