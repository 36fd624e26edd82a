//! Finding one model: a system of the registry, a card, or a model file alone; and showing a card.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use models::native::{Format, MAX_MODEL_BYTES, NativeEngine, Options};
use models::{Card, Engine, EngineKind, EngineName, Model, OrtEngine, Registry};
use proto::{Market, SystemId};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::local::tables::load_models;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// What was named.
pub(crate) enum Subject {
    /// A checked model with its card.
    Model(Arc<Model>),
    /// A model file without a card, and what runs it.
    File(EngineName, Box<dyn Engine>),
}

impl Subject {
    /// What runs it.
    pub(crate) fn engine(&self) -> (EngineName, &dyn Engine) {
        match self {
            Subject::Model(model) => (model.card.engine.name(), model.engine()),
            Subject::File(name, engine) => (*name, engine.as_ref()),
        }
    }
}

/// The engine, where there is a choice.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct EngineChoice {
    /// Run it with this engine instead of the card's
    ///
    /// native and ort run each other's tree ensembles; ort also runs other ONNX graphs, with the ONNX Runtime that
    /// `tipoff doctor` shows. A file alone is native unless this says otherwise.
    #[arg(long, value_name = "ENGINE", value_enum)]
    engine: Option<Asked>,
}

/// The engines that a person may ask for; a formula stands in its card and has no choice.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Asked {
    Native,
    Ort,
    Candle,
}

impl EngineChoice {
    pub(crate) fn name(self) -> Option<EngineName> {
        self.engine.map(|asked| match asked {
            Asked::Native => EngineName::Native,
            Asked::Ort => EngineName::Ort,
            Asked::Candle => EngineName::Candle,
        })
    }
}

/// Finds what a person named: a file if there is one of that name, else a system. `engine` is what they want to run it with.
pub(crate) fn find(
    name: &str,
    market: &Market,
    max_bytes: usize,
    engine: Option<EngineName>,
    config: &Config,
) -> Result<Subject, Failure> {
    let path = Path::new(name);
    if !path.is_file() {
        return of_system(name, market, engine, config).map(Subject::Model);
    }
    if path.extension().is_some_and(|extension| extension == "toml") {
        return of_card(path, engine).map(|model| Subject::Model(Arc::new(model)));
    }
    let bytes = read_model(path, max_bytes)?;
    let at = |error: &dyn std::fmt::Display| Failure::failed(format!("{name}: {error}"));
    match engine.unwrap_or(EngineName::Native) {
        EngineName::Ort => {
            let opened = OrtEngine::open(&bytes, None, max_bytes).map_err(|error| at(&error))?;
            Ok(Subject::File(EngineName::Ort, Box::new(opened)))
        }
        EngineName::Native => {
            let options = Options { most_bytes: max_bytes, ..Options::default() };
            let opened = NativeEngine::open(&bytes, &options).map_err(|error| match Format::of(&bytes) {
                Format::Onnx => at(&error).hint("`--engine ort` runs other ONNX graphs, with ONNX Runtime"),
                _ => at(&error),
            })?;
            Ok(Subject::File(EngineName::Native, Box::new(opened)))
        }
        other => {
            let failure = Failure::usage(format!("{name}: engine `{}` needs a card", other.as_str()));
            Err(failure.hint("weights alone do not say what is done with them: name the card (.toml)"))
        }
    }
}

fn of_system(
    name: &str,
    market: &Market,
    engine: Option<EngineName>,
    config: &Config,
) -> Result<Arc<Model>, Failure> {
    let system: Option<SystemId> = name.parse().ok();
    if let (Some(engine), Some(system)) = (engine, &system)
        && let Some(loaded) = Registry::load_one_on(config.models.as_deref(), system, market, engine)
    {
        return loaded.map(Arc::new).map_err(|why| Failure::failed(format!("{name} for {market}: {why}")));
    }
    let registry = load_models(config);
    if let Some(model) = system.as_ref().and_then(|system| registry.by_system(system, market)) {
        return Ok(Arc::clone(model));
    }
    let refused = registry.refused().iter().find(|refused| refused.system_id == system && system.is_some());
    let message = match refused {
        Some(refused) => format!("the model `{name}` was refused: {}", refused.reason),
        None => format!("there is no file and no model `{name}` for {market}"),
    };
    Err(Failure::new(Exit::NotFound, message).hint("`tipoff models list` shows systems and markets"))
}

fn of_card(path: &Path, engine: Option<EngineName>) -> Result<Model, Failure> {
    let at = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| at(&error))?;
    let mut card = Card::parse(&text).map_err(|error| at(&error))?;
    if let Some(engine) = engine {
        card = card.on(engine).map_err(|error| at(&error))?;
    }
    let beside = |name: &str| path.parent().unwrap_or(Path::new(".")).join(name);
    let file =
        card.file().map(|file| fs::read(beside(&file.name))).transpose().map_err(|error| at(&error))?;
    Model::load(card, file.as_deref()).map_err(|error| at(&error))
}

/// A model file's bytes, unpacked; one byte more than allowed is enough for the reader to refuse it.
pub(super) fn read_model(path: &Path, max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let at = |error: std::io::Error| Failure::failed(format!("{}: cannot be read ({error})", path.display()));
    let limit = max_bytes as u64 + 1;
    let file = fs::File::open(path).map_err(at)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(file).take(limit).read_to_end(&mut bytes).map_err(at)?;
    } else {
        file.take(limit).read_to_end(&mut bytes).map_err(at)?;
    }
    Ok(bytes)
}

/// The largest model file, as a flag in MiB.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct MaxSize {
    /// Largest model file that is read, in MiB
    #[arg(long, value_name = "MIB", default_value_t = MAX_MODEL_BYTES >> 20)]
    max_mib: usize,
}

impl MaxSize {
    pub(crate) fn bytes(self) -> usize {
        self.max_mib.saturating_mul(1 << 20)
    }
}

/// Arguments of `tipoff models show`.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// A system of `tipoff models list`, or a card (.toml)
    model: String,

    /// The market
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,
}

/// A card as people and programs read it.
#[derive(Debug, serde::Serialize)]
struct Shown {
    system_id: SystemId,
    market: Market,
    role: String,
    target: &'static str,
    engine: &'static str,
    file: Option<String>,
    /// Which of the file's numbers, where it gives several.
    head: Option<usize>,
    sha256: String,
    trained_from: Option<String>,
    trained_until: Option<String>,
    hold_below: Option<f64>,
    calibrated_on: Option<String>,
    references: usize,
    features: Vec<String>,
    metrics: std::collections::BTreeMap<String, f64>,
    notes: String,
}

/// `tipoff models show`.
pub(super) fn show(args: &ShowArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let Subject::Model(model) = find(&args.model, &args.market, MAX_MODEL_BYTES, None, config)? else {
        let failure = Failure::usage(format!("`{}` is a model file without a card", args.model));
        return Err(failure.hint("`tipoff models import` writes one"));
    };
    out.either(&shown(&model), page)?;
    Ok(Exit::Ok)
}

fn shown(model: &Model) -> Shown {
    let card = &model.card;
    Shown {
        system_id: card.system_id.clone(),
        market: card.market.clone(),
        role: card.role.to_string(),
        target: card.target.as_str(),
        engine: card.engine.name().as_str(),
        file: card.file().map(|file| file.name.clone()),
        head: match &card.engine {
            EngineKind::Native { head, .. } | EngineKind::Ort { head, .. } => *head,
            EngineKind::Candle { .. } | EngineKind::Formula { .. } => None,
        },
        sha256: model.pin.sha256.clone(),
        trained_from: card.training.map(|window| window.start.to_string()),
        trained_until: card.training.map(|window| window.end.to_string()),
        hold_below: card.hold_below,
        calibrated_on: card.calibration.as_ref().map(|calibration| {
            format!("{} answers, {} to {}", calibration.rows, calibration.from, calibration.to)
        }),
        references: card.references.len(),
        features: card.features.clone(),
        metrics: card.metrics.clone(),
        notes: card.notes.clone(),
    }
}

fn page(shown: &Shown) -> String {
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let window = match (&shown.trained_from, &shown.trained_until) {
        (Some(from), Some(until)) => format!("{from} to {until}"),
        _ => "-".to_owned(),
    };
    let mut rows = vec![
        ("system", shown.system_id.to_string()),
        ("market", shown.market.to_string()),
        ("role", shown.role.clone()),
        ("predicts", shown.target.replace('_', " ")),
        ("engine", shown.engine.to_owned()),
        ("file", word(&shown.file) + &shown.head.map_or_else(String::new, |head| format!(", number {head}"))),
        ("sha256", shown.sha256.clone()),
        ("trained", window),
        ("calibrated", word(&shown.calibrated_on)),
        ("hold below", shown.hold_below.map_or_else(|| "-".to_owned(), |value| value.to_string())),
        ("references", shown.references.to_string()),
        ("features", format!("{}: {}", shown.features.len(), shown.features.join(", "))),
    ];
    let metrics: Vec<String> = shown.metrics.iter().map(|(name, value)| format!("{name} {value}")).collect();
    rows.push(("metrics", metrics.join(", ")));
    rows.push(("notes", shown.notes.clone()));
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    table(&["what", ""], &[], rows) + "\n"
}
