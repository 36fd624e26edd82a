//! Whether ONNX Runtime is there, and whether it says what the native engine says.

use std::sync::Arc;

use models::ort::Unavailable;
use models::{EngineName, FeatureMatrix, Model, PredictError, Registry};

use super::{Check, Level, check};
use crate::cli::failure::Failure;
use crate::cli::local::models::invented;
use crate::config::Config;

/// Rows that both engines are asked about, for each model.
const ROWS: usize = 64;

/// How far they may differ, relative to `max(1, |answer|)`: sums of floats lie within.
const TOLERANCE: f64 = 1e-5;

const NAME: &str = "onnx runtime";

/// The library with its agreement over all tree models, or what to install.
pub(super) fn look_at_onnx_runtime(registry: &Registry, config: &Config) -> Check {
    let library = match models::ort::library() {
        Ok(library) => library,
        // Most people need none; models that do are refused, each in a line of its own.
        Err(why @ Unavailable::NotFound) => return check(NAME, Level::Ok, format!("not used: {why}")),
        Err(why) => return check(NAME, Level::Degraded, why.to_string()),
    };
    let at = format!("{} at `{}`", library.version(), library.path().display());
    let twins = Registry::load_on(config.models.as_deref(), EngineName::Ort);
    if let Some(refused) = twins.refused().first() {
        let sentence = format!("{at} does not run {}: {}", refused.origin, refused.reason);
        return check(NAME, Level::Degraded, sentence);
    }
    let native = registry.models().iter().filter(|model| model.card.engine.name() == EngineName::Native);
    let pairs: Vec<_> = native
        .filter_map(|model| Some((model, twins.by_system(&model.pin.system_id, &model.pin.market)?)))
        .collect();
    match worst(&pairs) {
        Err(failure) => check(NAME, Level::Degraded, format!("{at}: {failure}")),
        Ok(None) => check(NAME, Level::Ok, format!("{at}; there is no tree model to compare it on")),
        Ok(Some((difference, model))) => {
            let (count, system, market) = (pairs.len(), &model.pin.system_id, &model.pin.market);
            let figure = format!("{difference:.1e} of max(1, |answer|), by {system} for {market}");
            // Written so that NaN is a difference.
            match difference <= TOLERANCE {
                true => {
                    let sentence = format!("{at} agrees with native on {count} models: at most {figure}");
                    check(NAME, Level::Ok, sentence)
                }
                false => {
                    let sentence =
                        format!("{at} disagrees with native: {figure}; use engine native for trees");
                    check(NAME, Level::Degraded, sentence)
                }
            }
        }
    }
}

/// The largest difference of any model on any row, and whose it is.
fn worst<'a>(pairs: &[(&'a Arc<Model>, &Arc<Model>)]) -> Result<Option<(f64, &'a Arc<Model>)>, Failure> {
    let mut worst: Option<(f64, &Arc<Model>)> = None;
    for (native, ort) in pairs {
        let rows = invented(&native.card.features, rules::contract(), ROWS)?;
        let (native_answers, ort_answers) = (answers(native, &rows), answers(ort, &rows));
        let (native_answers, ort_answers) =
            (native_answers.map_err(Failure::failed)?, ort_answers.map_err(Failure::failed)?);
        for (a, b) in native_answers.iter().zip(&ort_answers) {
            let difference = (a - b).abs() / a.abs().max(1.0);
            if worst.is_none_or(|(most, _)| difference > most || difference.is_nan()) {
                worst = Some((difference, native));
            }
        }
    }
    Ok(worst)
}

fn answers(model: &Model, rows: &FeatureMatrix) -> Result<Vec<f64>, PredictError> {
    let mut answers = vec![0.0; rows.rows()];
    model.engine().predict(rows, &mut answers)?;
    Ok(answers)
}
