//! `tipoff models import`: a model file becomes a card beside it, or a sentence why not.
//!
//! What is imported is a shadow: it predicts and is graded, and nobody acts on it before it is made champion. Its reference
//! vectors are invented within the ranges of the feature contract and answered by the file itself, here: they show later,
//! and on other machines, that it still answers as it did when it came in.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use models::native::{NativeEngine, Options};
use models::{Card, Engine, FeatureMatrix, Model};
use proto::codec::sha256_hex;
use proto::features::FeatureContract;
use proto::{Market, SystemId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::look::{MaxSize, read_model};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;

/// Reference vectors of an imported model.
const REFERENCES: usize = 8;

/// One value in so many is left missing, where the feature may be.
const MISSING_EVERY: u32 = 10;

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

    #[command(flatten)]
    max: MaxSize,
}

#[derive(Debug, serde::Serialize)]
struct Imported {
    card: String,
    file: String,
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
    let options =
        Options { width: Some(args.features.len()), most_bytes: args.max.bytes(), ..Options::default() };
    let engine = NativeEngine::open(&bytes, &options)
        .map_err(|error| Failure::failed(format!("{}: {error}", args.file.display())))?;
    let name = format!("{}.{}", args.system, args.market);
    let file = format!("{name}.{}", if bytes.first() == Some(&b'{') { "json" } else { "onnx" });
    let text = card_text(args, &file, &sha256_hex(&bytes), &references(&engine, &args.features, contract)?);
    // The same checks as at every later load, before anything is written.
    let card = Card::parse(&text).map_err(Failure::failed)?;
    let model = Model::load(card, Some(&bytes)).map_err(Failure::failed)?;
    let card_path = folder.join(format!("{name}.toml"));
    write_new(&folder.join(&file), &bytes, folder)?;
    write_new(&card_path, text.as_bytes(), folder)?;
    let imported = Imported {
        card: card_path.display().to_string(),
        file: folder.join(&file).display().to_string(),
        sha256: model.pin.sha256.clone(),
        references: model.card.references.len(),
    };
    out.either(&imported, |imported| {
        format!("{} with {} reference vectors; it is a shadow\n", imported.card, imported.references)
    })?;
    Ok(Exit::Ok)
}

/// Invented rows with the engine's answers, the same for the same file. A row the engine has no answer for is left out.
fn references(
    engine: &NativeEngine,
    names: &[String],
    contract: &FeatureContract,
) -> Result<Vec<(Vec<f64>, f64)>, Failure> {
    if engine.heads() != 1 {
        let failure =
            Failure::failed(format!("the file gives {} numbers a row, a card describes one", engine.heads()));
        return Err(failure.hint("export each quantile as a model of its own"));
    }
    let mut random = StdRng::seed_from_u64(42);
    let specs: Vec<_> =
        names.iter().filter_map(|name| contract.features.iter().find(|spec| spec.name == *name)).collect();
    let mut matrix = FeatureMatrix::with_width(names.len());
    for _ in 0..REFERENCES {
        let row: Vec<f64> = specs
            .iter()
            .map(|spec| {
                let is_missing = !spec.required && random.random_ratio(1, MISSING_EVERY);
                let value = random.random_range(spec.min..=spec.max);
                if is_missing { f64::NAN } else { (value * 1_000.0).round() / 1_000.0 }
            })
            .collect();
        matrix.push_row(&row).map_err(Failure::failed)?;
    }
    let mut answers = vec![0.0; matrix.rows()];
    engine.predict(&matrix, &mut answers).map_err(Failure::failed)?;
    match answers.iter().position(|answer| !answer.is_finite()) {
        Some(at) => {
            Err(Failure::failed(format!("the model answers {} to {:?}", answers[at], matrix.row(at))))
        }
        None => Ok((0..matrix.rows()).map(|at| (matrix.row(at).to_vec(), answers[at])).collect()),
    }
}

fn card_text(args: &ImportArgs, file: &str, sha256: &str, references: &[(Vec<f64>, f64)]) -> String {
    let quoted: Vec<String> = args.features.iter().map(|name| format!("    \"{name}\",\n")).collect();
    let target = if args.margin_over_line { "margin_over_line" } else { "points" };
    let mut text = format!(
        "format = 1\nsystem_id = \"{}\"\nmarket = \"{}\"\ntarget = \"{target}\"\nrole = \"shadow\"\nengine = \"native\"\n\
         file = \"{file}\"\nsha256 = \"{sha256}\"\nfeatures = [\n{}]\nnotes = \"Imported.\"\n\n[training]\nstart = \"{}\"\nend = \"{}\"\n",
        args.system,
        args.market,
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
