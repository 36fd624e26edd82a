//! `tipoff models predict`: rows of a CSV file in, one answer a row out.

use std::path::{Path, PathBuf};

use models::{Engine, FeatureMatrix, Model, Target};
use proto::Market;

use super::look::{MaxSize, Subject, find};
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

    /// The rows, as CSV with a header
    #[arg(long = "in", value_name = "FILE")]
    rows: PathBuf,

    /// The market, where MODEL is a system
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,

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
    let subject = find(&args.model, &args.market, args.max.bytes(), config)?;
    let sheet = Sheet::read(&args.rows)?;
    let predictions = match &subject {
        Subject::Model(model) => by_card(model, &sheet)?,
        Subject::File(engine) => by_file(engine.as_ref(), &sheet)?,
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

/// A CSV file in memory, its cells not yet numbers.
struct Sheet {
    file: String,
    names: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Sheet {
    fn read(path: &Path) -> Result<Sheet, Failure> {
        let file = path.display().to_string();
        let at = |error: csv::Error| Failure::failed(format!("{file}: {error}"));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(at)?;
        let names = reader.headers().map_err(at)?.iter().map(str::to_owned).collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(at)?;
        Ok(Sheet { file, names, rows })
    }

    /// The named columns of every row.
    fn matrix(&self, wanted: &[&str]) -> Result<FeatureMatrix, Failure> {
        let place = |name: &&str| {
            self.names.iter().position(|known| known == name).ok_or_else(|| {
                Failure::usage(format!("{}: there is no column `{name}`, which the model reads", self.file))
            })
        };
        let places: Vec<usize> = wanted.iter().map(place).collect::<Result<_, _>>()?;
        let mut matrix = FeatureMatrix::with_capacity(wanted.len(), self.rows.len());
        for record in &self.rows {
            let cells = places.iter().map(|place| self.number(record, *place));
            let row = cells.collect::<Result<Vec<f64>, Failure>>()?;
            matrix.push_row(&row).map_err(Failure::failed)?;
        }
        Ok(matrix)
    }

    fn number(&self, record: &csv::StringRecord, place: usize) -> Result<f64, Failure> {
        let text = record.get(place).unwrap_or_default();
        if text.is_empty() {
            return Ok(f64::NAN);
        }
        text.parse().map_err(|_| {
            let line = record.position().map_or(0, csv::Position::line);
            let name = &self.names[place];
            Failure::failed(format!("{} line {line}, column `{name}`: `{text}` is not a number", self.file))
        })
    }
}
