//! A card as it is typed, and the checks that turn it into one that makes sense.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proto::{Market, Role, SystemId};
use serde::Deserialize;

use super::{Card, CardError, EngineKind, MAX_CARD_BYTES, Reference, Target, TrainingWindow};
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
    engine: RawEngine,
    file: Option<String>,
    sha256: Option<String>,
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

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawEngine {
    Native,
    Formula,
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
    let engine = match raw.engine {
        RawEngine::Native => native(&raw)?,
        RawEngine::Formula => formula(&raw)?,
    };
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

fn native(raw: &RawCard) -> Result<EngineKind, CardError> {
    const ENGINE: &str = "native";
    if raw.weights.is_some() {
        return Err(CardError::Meaningless { engine: ENGINE, field: "weights" });
    }
    if raw.intercept.is_some() {
        return Err(CardError::Meaningless { engine: ENGINE, field: "intercept" });
    }
    let file = raw.file.clone().ok_or(CardError::Missing { engine: ENGINE, field: "file" })?;
    let sha256 = raw.sha256.clone().ok_or(CardError::Missing { engine: ENGINE, field: "sha256" })?;
    // A card decides which file is read, so it must not reach beyond its own folder.
    if file.is_empty() || file.starts_with('.') || file.contains(['/', '\\', '\0', ':']) {
        return Err(CardError::FileName { file });
    }
    if sha256.len() != 64 || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(CardError::Sha256 { sha256 });
    }
    Ok(EngineKind::Native { file, sha256 })
}

fn formula(raw: &RawCard) -> Result<EngineKind, CardError> {
    const ENGINE: &str = "formula";
    if raw.file.is_some() {
        return Err(CardError::Meaningless { engine: ENGINE, field: "file" });
    }
    if raw.sha256.is_some() {
        return Err(CardError::Meaningless { engine: ENGINE, field: "sha256" });
    }
    let weights = raw.weights.clone().ok_or(CardError::Missing { engine: ENGINE, field: "weights" })?;
    let intercept = raw.intercept.unwrap_or(0.0);
    FormulaEngine::new(&raw.features, intercept, &weights)?;
    Ok(EngineKind::Formula { intercept, weights })
}

/// A trained model must say on what, else nobody could tell whether its success on a day proves anything.
fn check_window(window: Option<TrainingWindow>, engine: &EngineKind) -> Result<(), CardError> {
    match (engine, window) {
        (_, Some(TrainingWindow { start, end })) if end < start => Err(CardError::Window { start, end }),
        (EngineKind::Native { .. }, None) => Err(CardError::Missing { engine: "native", field: "training" }),
        (EngineKind::Native { .. }, Some(_)) | (EngineKind::Formula { .. }, _) => Ok(()),
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
