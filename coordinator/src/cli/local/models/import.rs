//! `tipoff models import`: a model file becomes a card beside it, or a sentence why not.
//!
//! What is imported is a shadow: it predicts and is graded, and nobody acts on it before it is made champion. Its reference
//! vectors are invented within the ranges of the feature contract and answered by the file itself, here: they show later,
//! and on other machines, that it still answers as it did when it came in.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use models::native::{Format, NativeEngine, Options};
use models::{Card, Engine, EngineName, Model, OrtEngine};
use proto::codec::sha256_hex;
use proto::features::FeatureContract;
use proto::{Market, SystemId};

use super::invent::invented;
use super::look::{MaxSize, read_model};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;

/// Reference vectors of an imported model.
const REFERENCES: usize = 8;

/// Arguments of `tipoff models import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// ONNX or CatBoost JSON, also .gz
    file: PathBuf,

    /// The name it will have, of a-z, 0-9 and _
    #[arg(long, value_name = "SYSTEM")]
    system: SystemId,

    /// The market it predicts
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,

    /// Its columns in order, as names of the feature contract, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    features: Vec<String>,

    /// First day it was trained on
    #[arg(long, value_name = "DATE")]
    trained_from: Date,

    /// Last day it was trained on, the days used to stop training included
    #[arg(long, value_name = "DATE")]
    trained_until: Date,

    /// Its answer is a margin over the line, not the market's unit
    #[arg(long)]
    margin_over_line: bool,

    /// Which of the file's numbers a row it is, from 0, where the file gives several
    #[arg(long, value_name = "N")]
    head: Option<usize>,

    #[command(flatten)]
    max: MaxSize,
}

#[derive(Debug, serde::Serialize)]
struct Imported {
    card: String,
    file: String,
    engine: &'static str,
    /// Why the native engine does not run it, where it does not.
    not_native: Option<String>,
    sha256: String,
    references: usize,
}

/// `tipoff models import`.
pub(super) fn import(args: &ImportArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let Some(folder) = &config.models else {
        return Err(Failure::usage("there is no folder for models").hint("name one with --models DIR"));
    };
    let contract = rules::contract();
    if let Some(name) = args.features.iter().find(|name| contract.position(name).is_none()) {
        let failure =
            Failure::usage(format!("the feature contract {} has no feature `{name}`", contract.version));
        return Err(failure.hint("`tipoff features show` lists them"));
    }
    let bytes = read_model(&args.file, args.max.bytes())?;
    let runner = runner(args, &bytes)?;
    let name = format!("{}.{}", args.system, args.market);
    let file = format!("{name}.{}", if Format::of(&bytes) == Format::CatBoostJson { "json" } else { "onnx" });
    let references = references(args, runner.engine.as_ref(), contract)?;
    let text = card_text(args, runner.name, &file, &sha256_hex(&bytes), &references);
    // The same checks as at every later load, before anything is written.
    let card = Card::parse(&text).map_err(Failure::failed)?;
    let model = Model::load(card, Some(&bytes)).map_err(Failure::failed)?;
    let card_path = folder.join(format!("{name}.toml"));
    write_new(&folder.join(&file), &bytes, folder)?;
    write_new(&card_path, text.as_bytes(), folder)?;
    let imported = Imported {
        card: card_path.display().to_string(),
        file: folder.join(&file).display().to_string(),
        engine: runner.name.as_str(),
        not_native: runner.not_native,
        sha256: model.pin.sha256.clone(),
        references: model.card.references.len(),
    };
    out.either(&imported, |imported| {
        let Imported { card, references, not_native, .. } = imported;
        let other =
            not_native.as_ref().map_or_else(String::new, |why| format!("; ONNX Runtime runs it: {why}"));
        format!("{card} with {references} reference vectors; it is a shadow{other}\n")
    })?;
    Ok(Exit::Ok)
}

/// What runs the file.
struct Runner {
    name: EngineName,
    engine: Box<dyn Engine>,
    not_native: Option<String>,
}

/// The native engine if it can, else ONNX Runtime if it can; if neither can, both say why.
fn runner(args: &ImportArgs, bytes: &[u8]) -> Result<Runner, Failure> {
    let (width, most_bytes) = (Some(args.features.len()), args.max.bytes());
    let native = NativeEngine::open(bytes, &Options { width, most_bytes, ..Options::default() });
    let why = match native {
        Ok(engine) => {
            return Ok(Runner { name: EngineName::Native, engine: Box::new(engine), not_native: None });
        }
        Err(why) => why.to_string(),
    };
    let refuse = |why: &str| Failure::failed(format!("{}: {why}", args.file.display()));
    if Format::of(bytes) != Format::Onnx {
        return Err(refuse(&why));
    }
    match OrtEngine::open(bytes, width, most_bytes) {
        Ok(engine) => Ok(Runner { name: EngineName::Ort, engine: Box::new(engine), not_native: Some(why) }),
        Err(ort) if ort.to_string() == why => Err(refuse(&why)),
        Err(ort) => Err(refuse(&why).hint(format!("nor is it for ONNX Runtime: {ort}"))),
    }
}

/// Invented rows with the engine's answers, the same for the same file.
fn references(
    args: &ImportArgs,
    engine: &dyn Engine,
    contract: &FeatureContract,
) -> Result<Vec<(Vec<f64>, f64)>, Failure> {
    let heads = engine.heads();
    let head = match (args.head, heads) {
        (Some(head), heads) if head < heads => head,
        (None, 1) => 0,
        (None, _) => {
            let failure =
                Failure::failed(format!("the file gives {heads} numbers a row, a card describes one"));
            return Err(failure.hint(format!("say which with --head, 0 to {}", heads - 1)));
        }
        (Some(head), _) => {
            let failure = Failure::usage(format!("there is no number {head}: the file gives {heads} a row"));
            return Err(failure.hint("--head counts from 0"));
        }
    };
    let matrix = invented(&args.features, contract, REFERENCES)?;
    let mut answers = vec![0.0; matrix.rows() * heads];
    engine.predict(&matrix, &mut answers).map_err(Failure::failed)?;
    let answers: Vec<f64> = answers.chunks_exact(heads).map(|row| row[head]).collect();
    // A network has no answer to a gap; what it says of whole rows is reference enough.
    let answered: Vec<_> = (0..matrix.rows())
        .filter(|at| answers[*at].is_finite())
        .map(|at| (matrix.row(at).to_vec(), answers[at]))
        .collect();
    let has_gap = |at: &usize| matrix.row(*at).iter().any(|value| value.is_nan());
    match (0..matrix.rows()).find(|at| !answers[*at].is_finite() && !has_gap(at)) {
        Some(at) => {
            Err(Failure::failed(format!("the model answers {} to {:?}", answers[at], matrix.row(at))))
        }
        None if answered.is_empty() => {
            Err(Failure::failed("the model has no answer to any row it was asked"))
        }
        None => Ok(answered),
    }
}

fn card_text(
    args: &ImportArgs,
    engine: EngineName,
    file: &str,
    sha256: &str,
    references: &[(Vec<f64>, f64)],
) -> String {
    let quoted: Vec<String> = args.features.iter().map(|name| format!("    \"{name}\",\n")).collect();
    let target = if args.margin_over_line { "margin_over_line" } else { "points" };
    let head = args.head.map_or_else(String::new, |head| format!("head = {head}\n"));
    let mut text = format!(
        "format = 1\nsystem_id = \"{}\"\nmarket = \"{}\"\ntarget = \"{target}\"\nrole = \"shadow\"\nengine = \"{}\"\n\
         file = \"{file}\"\nsha256 = \"{sha256}\"\n{head}features = [\n{}]\nnotes = \"Imported.\"\n\n[training]\nstart = \"{}\"\nend = \"{}\"\n",
        args.system,
        args.market,
        engine.as_str(),
        quoted.concat(),
        args.trained_from,
        args.trained_until,
    );
    for (inputs, expected) in references {
        let inputs: Vec<String> = inputs.iter().map(|value| format!("{value:?}").to_lowercase()).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[[reference]]\ninputs = [{}]\nexpected = {expected:?}\n", inputs.join(", "));
    }
    text
}

/// Writes beside and renames, so that nobody reads half a file; an existing one is not replaced.
fn write_new(path: &Path, bytes: &[u8], folder: &Path) -> Result<(), Failure> {
    let at = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(at)?;
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(at)?;
    std::io::Write::write_all(&mut draft, bytes).map_err(at)?;
    draft.persist_noclobber(path).map_err(|error| at(error.error))?;
    Ok(())
}
