//! `tipoff models predict`: rows of a file in, one answer a row out.

use std::path::PathBuf;

use models::{Engine, Model, Target};
use proto::Market;

use super::look::{EngineChoice, MaxSize, Subject, find};
use super::sheet::Sheet;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;

/// The column that a model of margins reads beside its features.
const LINE: &str = "line";

/// Arguments of `tipoff models predict`.
#[derive(Debug, clap::Args)]
pub(super) struct PredictArgs {
    /// A system, a card (.toml) or a model file
    #[arg(value_name = "MODEL_OR_FILE")]
    model: String,

    /// The rows, as CSV with a header or as Parquet
    #[arg(long = "in", value_name = "FILE")]
    rows: PathBuf,

    /// The market, where MODEL is a system
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,

    #[command(flatten)]
    engine: EngineChoice,

    #[command(flatten)]
    max: MaxSize,
}

/// One answer: a number, several from a model of several quantiles, or none.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
enum Answer {
    One(Option<f64>),
    Several(Vec<Option<f64>>),
}

#[derive(Debug, serde::Serialize)]
struct Predictions {
    predictions: Vec<Answer>,
}

/// `tipoff models predict`.
pub(super) fn predict(args: &PredictArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let subject = find(&args.model, &args.market, args.max.bytes(), args.engine.name(), config)?;
    let sheet = Sheet::read(&args.rows)?;
    let predictions = match &subject {
        Subject::Model(model) => by_card(model, &sheet)?,
        Subject::File(_, engine) => by_file(engine.as_ref(), &sheet)?,
    };
    out.either(&Predictions { predictions }, page)?;
    Ok(Exit::Ok)
}

fn by_card(model: &Model, sheet: &Sheet) -> Result<Vec<Answer>, Failure> {
    let names: Vec<&str> = model.card.features.iter().map(String::as_str).collect();
    let matrix = sheet.matrix(&names)?;
    let lines = match model.card.target {
        Target::Points => vec![None; matrix.rows()],
        Target::MarginOverLine => {
            let column = sheet.matrix(&[LINE])?;
            (0..column.rows()).map(|row| Some(column.row(row)[0]).filter(|line| line.is_finite())).collect()
        }
    };
    let answers = model.predict(&matrix, &lines).map_err(Failure::failed)?;
    Ok(answers.into_iter().map(|answer| Answer::One(answer.ok())).collect())
}

fn by_file(engine: &dyn Engine, sheet: &Sheet) -> Result<Vec<Answer>, Failure> {
    if sheet.names.len() != engine.width() {
        let (columns, width) = (sheet.names.len(), engine.width());
        let failure =
            Failure::usage(format!("the rows have {columns} columns, the model takes {width} features"));
        return Err(
            failure.hint("a model file alone takes every column, in order; a card takes them by name")
        );
    }
    let names: Vec<&str> = sheet.names.iter().map(String::as_str).collect();
    let matrix = sheet.matrix(&names)?;
    let heads = engine.heads();
    let mut raw = vec![0.0; matrix.rows() * heads];
    engine.predict(&matrix, &mut raw).map_err(Failure::failed)?;
    let finite = |value: &f64| Some(*value).filter(|value| value.is_finite());
    Ok(match heads {
        1 => raw.iter().map(|value| Answer::One(finite(value))).collect(),
        _ => raw.chunks(heads).map(|row| Answer::Several(row.iter().map(finite).collect())).collect(),
    })
}

fn page(answers: &Predictions) -> String {
    let word = |value: &Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let line = |answer: &Answer| match answer {
        Answer::One(value) => word(value),
        Answer::Several(values) => values.iter().map(word).collect::<Vec<_>>().join(" "),
    };
    answers.predictions.iter().map(|answer| line(answer) + "\n").collect()
}
