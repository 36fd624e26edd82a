//! Rows that people bring: a CSV file, or Parquet as `tipoff features export` and every data frame write it.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use models::FeatureMatrix;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::cli::failure::Failure;

/// How a Parquet file begins, whatever it is called.
const PARQUET: &[u8] = b"PAR1";

/// A table in memory.
pub(super) struct Sheet {
    file: String,
    /// Its columns, in the file's order.
    pub(super) names: Vec<String>,
    cells: Cells,
}

/// What stands in it; text becomes numbers where somebody asks for the column.
enum Cells {
    Rows(Vec<csv::StringRecord>),
    Columns(Vec<Column>),
}

/// A column of a Parquet file.
enum Column {
    /// NaN where there is no value.
    Numbers(Vec<f64>),
    /// Something else, by the name of its kind.
    Other(String),
}

impl Sheet {
    /// Reads a file; its first bytes say what it is.
    pub(super) fn read(path: &Path) -> Result<Sheet, Failure> {
        let file = path.display().to_string();
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(PARQUET.len() as u64).read_to_end(&mut start))
            .map_err(|error| Failure::failed(format!("{file}: {error}")))?;
        if start != PARQUET {
            return Sheet::read_csv(path, file);
        }
        // Its reader panics where a damaged file contradicts itself.
        match catch_unwind(AssertUnwindSafe(|| read_parquet(path))) {
            Ok(Ok((names, columns))) => Ok(Sheet { file, names, cells: Cells::Columns(columns) }),
            Ok(Err(error)) => Err(Failure::failed(format!("{file}: {error}"))),
            Err(_) => Err(Failure::failed(format!("{file}: it is not a whole Parquet file"))),
        }
    }

    fn read_csv(path: &Path, file: String) -> Result<Sheet, Failure> {
        let at = |error: csv::Error| Failure::failed(format!("{file}: {error}"));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(at)?;
        let names = reader.headers().map_err(at)?.iter().map(str::to_owned).collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(at)?;
        Ok(Sheet { file, names, cells: Cells::Rows(rows) })
    }

    /// The named columns of every row.
    pub(super) fn matrix(&self, wanted: &[&str]) -> Result<FeatureMatrix, Failure> {
        let place = |name: &&str| {
            self.names.iter().position(|known| known == name).ok_or_else(|| {
                Failure::usage(format!("{}: there is no column `{name}`, which the model reads", self.file))
            })
        };
        let places: Vec<usize> = wanted.iter().map(place).collect::<Result<_, _>>()?;
        match &self.cells {
            Cells::Rows(rows) => self.of_rows(rows, &places),
            Cells::Columns(columns) => self.of_columns(columns, &places),
        }
    }

    fn of_rows(&self, rows: &[csv::StringRecord], places: &[usize]) -> Result<FeatureMatrix, Failure> {
        let mut matrix = FeatureMatrix::with_capacity(places.len(), rows.len());
        for record in rows {
            let cells = places.iter().map(|place| self.number(record, *place));
            let row = cells.collect::<Result<Vec<f64>, Failure>>()?;
            matrix.push_row(&row).map_err(Failure::failed)?;
        }
        Ok(matrix)
    }

    fn of_columns(&self, columns: &[Column], places: &[usize]) -> Result<FeatureMatrix, Failure> {
        let numbers = |place: &usize| match &columns[*place] {
            Column::Numbers(numbers) => Ok(numbers.as_slice()),
            Column::Other(kind) => {
                let name = &self.names[*place];
                Err(Failure::failed(format!("{}, column `{name}`: {kind} is not a number", self.file)))
            }
        };
        let numbers: Vec<&[f64]> = places.iter().map(numbers).collect::<Result<_, _>>()?;
        let rows = numbers.first().map_or(0, |column| column.len());
        let mut matrix = FeatureMatrix::with_capacity(places.len(), rows);
        for at in 0..rows {
            let row: Vec<f64> = numbers.iter().map(|column| column[at]).collect();
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

fn read_parquet(path: &Path) -> Result<(Vec<String>, Vec<Column>), ParquetError> {
    let reader = SerializedFileReader::try_from(path)?;
    let schema = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
    let names: Vec<String> = schema.iter().map(|field| field.name().to_owned()).collect();
    let mut columns: Vec<Column> = names.iter().map(|_| Column::Numbers(Vec::new())).collect();
    for row in reader.get_row_iter(None)? {
        for (column, (_, field)) in columns.iter_mut().zip(row?.into_columns()) {
            let Column::Numbers(numbers) = column else { continue };
            match number(&field) {
                Some(number) => numbers.push(number),
                None => *column = Column::Other(kind(&field)),
            }
        }
    }
    Ok((names, columns))
}

/// A cell as a number, NaN for none; nothing for what is no number.
fn number(field: &Field) -> Option<f64> {
    match field {
        Field::Null => Some(f64::NAN),
        Field::Bool(value) => Some(f64::from(u8::from(*value))),
        Field::Byte(value) => Some(f64::from(*value)),
        Field::Short(value) => Some(f64::from(*value)),
        Field::Int(value) => Some(f64::from(*value)),
        Field::UByte(value) => Some(f64::from(*value)),
        Field::UShort(value) => Some(f64::from(*value)),
        Field::UInt(value) => Some(f64::from(*value)),
        // Counts and ids beyond 2^53 are no features.
        Field::Long(value) => Some(*value as f64),
        Field::ULong(value) => Some(*value as f64),
        Field::Float(value) => Some(f64::from(*value)),
        Field::Double(value) => Some(*value),
        _ => None,
    }
}

/// What a cell is called in a sentence.
fn kind(field: &Field) -> String {
    match field {
        Field::Str(text) => format!("the text `{}`", text.chars().take(40).collect::<String>()),
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => "a nested value".to_owned(),
        other => format!("`{other}`"),
    }
}
