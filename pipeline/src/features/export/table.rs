//! A table on its way into a file: CSV or Parquet by the file's ending.
//!
//! CSV is written row by row; Parquet in groups of rows, so that a decade of features stays flat in memory.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::error::{Error, Result};

/// Rows of a group.
const GROUP: usize = 8_192;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Missing,
    Text(String),
    Number(f64),
}

impl Cell {
    fn text(&self) -> Option<String> {
        match self {
            Self::Missing => None,
            Self::Text(text) => Some(text.clone()),
            Self::Number(value) => value.is_finite().then(|| value.to_string()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value).filter(|value| value.is_finite()),
            Self::Missing | Self::Text(_) => None,
        }
    }
}

/// A file that takes rows.
pub(crate) struct Table {
    path: PathBuf,
    kinds: Vec<Kind>,
    sink: Sink,
}

enum Sink {
    Csv(csv::Writer<BufWriter<File>>),
    Parquet { file: SerializedFileWriter<BufWriter<File>>, rows: Vec<Vec<Cell>> },
}

impl Table {
    /// Makes the file with its columns; the ending says the format.
    pub(crate) fn create(path: &Path, columns: Vec<(String, Kind)>) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        if ending != "csv" && ending != "parquet" {
            let why = format!("`{}` ends in neither .csv nor .parquet", path.display());
            return Err(Error::Invalid(why));
        }
        let file = BufWriter::new(File::create(path).map_err(Error::write(path))?);
        let kinds = columns.iter().map(|(_, kind)| *kind).collect();
        let sink = match ending.as_str() {
            "parquet" => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let file = schema(&columns)
                    .and_then(|schema| {
                        SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
                    })
                    .map_err(|error| failed(path, error))?;
                Sink::Parquet { file, rows: Vec::new() }
            }
            _ => {
                let mut csv = csv::Writer::from_writer(file);
                let header = columns.iter().map(|(name, _)| name.as_str());
                csv.write_record(header).map_err(|error| failed(path, error))?;
                Sink::Csv(csv)
            }
        };
        Ok(Self { path: path.to_owned(), kinds, sink })
    }

    /// Takes a row.
    pub(crate) fn push(&mut self, cells: Vec<Cell>) -> Result<()> {
        match &mut self.sink {
            Sink::Csv(csv) => {
                let texts = cells.iter().map(|cell| cell.text().unwrap_or_default());
                csv.write_record(texts).map_err(|error| failed(&self.path, error))
            }
            Sink::Parquet { file, rows } => {
                rows.push(cells);
                if rows.len() < GROUP {
                    return Ok(());
                }
                let group = std::mem::take(rows);
                write_group(file, &self.kinds, &group).map_err(|error| failed(&self.path, error))
            }
        }
    }

    /// Writes what is left and ends the file.
    pub(crate) fn close(self) -> Result<()> {
        let Self { path, kinds, sink } = self;
        match sink {
            Sink::Csv(mut csv) => csv.flush().map_err(Error::write(&path)),
            Sink::Parquet { mut file, rows } => {
                if !rows.is_empty() {
                    write_group(&mut file, &kinds, &rows).map_err(|error| failed(&path, error))?;
                }
                file.close().map(drop).map_err(|error| failed(&path, error))
            }
        }
    }
}

fn failed(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::write(path)(std::io::Error::other(error))
}

fn schema(columns: &[(String, Kind)]) -> std::result::Result<Type, ParquetError> {
    let field = |(name, kind): &(String, Kind)| {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Number => (Physical::DOUBLE, None),
        };
        Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL)
            .build()
            .map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<std::result::Result<Vec<_>, _>>()?;
    Type::group_type_builder("features").with_fields(fields).build()
}

fn write_group(
    file: &mut SerializedFileWriter<BufWriter<File>>,
    kinds: &[Kind],
    rows: &[Vec<Cell>],
) -> std::result::Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for (at, kind) in kinds.iter().enumerate() {
        match kind {
            Kind::Text => write_texts(&mut group, rows.iter().map(|row| row[at].text()))?,
            Kind::Number => write_numbers(&mut group, rows.iter().map(|row| row[at].number()))?,
        }
    }
    group.close().map(drop)
}

type Group<'a> = SerializedRowGroupWriter<'a, BufWriter<File>>;

fn write_texts(
    group: &mut Group<'_>,
    cells: impl Iterator<Item = Option<String>>,
) -> std::result::Result<(), ParquetError> {
    let (levels, values) = levels(cells.map(|cell| cell.map(|text| ByteArray::from(text.into_bytes()))));
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

fn write_numbers(
    group: &mut Group<'_>,
    cells: impl Iterator<Item = Option<f64>>,
) -> std::result::Result<(), ParquetError> {
    let (levels, values) = levels(cells);
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

/// Parquet's form of optional values: one level a row, 1 where there is one, and the values without gaps.
fn levels<T>(cells: impl Iterator<Item = Option<T>>) -> (Vec<i16>, Vec<T>) {
    let mut values = Vec::new();
    let levels = cells
        .map(|cell| {
            let level = i16::from(cell.is_some());
            values.extend(cell);
            level
        })
        .collect();
    (levels, values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;

    fn columns() -> Vec<(String, Kind)> {
        vec![("who".to_owned(), Kind::Text), ("how_many".to_owned(), Kind::Number)]
    }

    #[test]
    fn both_formats_keep_every_bit_and_tell_missing_from_zero() {
        let dir = tempfile::tempdir().unwrap();
        let values = [Some(0.1 + 0.2), None, Some(0.0), Some(-0.5), Some(f64::NAN)];
        let rows = GROUP + 3;
        for ending in ["csv", "parquet", "PARQUET"] {
            let path = dir.path().join(format!("t.{ending}"));
            let mut table = Table::create(&path, columns()).unwrap();
            for n in 0..rows {
                let value = values[n % values.len()].map_or(Cell::Missing, Cell::Number);
                table.push(vec![Cell::Text(format!("p{n}")), value]).unwrap();
            }
            table.close().unwrap();
            let read = if ending == "csv" { read_csv(&path) } else { read_parquet(&path) };
            assert_eq!(read.len(), rows, "{ending}");
            for (n, (who, value)) in read.into_iter().enumerate() {
                assert_eq!(who, format!("p{n}"));
                assert_eq!(value, values[n % values.len()].filter(|v| v.is_finite()), "{ending} row {n}");
            }
        }
    }

    fn read_csv(path: &Path) -> Vec<(String, Option<f64>)> {
        let mut reader = csv::Reader::from_path(path).unwrap();
        reader.records().map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].parse().ok())).collect()
    }

    fn read_parquet(path: &Path) -> Vec<(String, Option<f64>)> {
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        assert!(reader.metadata().num_row_groups() == 2, "rows are written in groups");
        let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap());
        rows.map(|row| (row.get_string(0).unwrap().clone(), row.get_double(1).ok())).collect()
    }

    #[test]
    fn another_ending_is_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.xlsx");
        let error = Table::create(&path, columns()).err().unwrap().to_string();
        assert!(error.contains("neither .csv nor .parquet") && !path.exists(), "{error}");
    }
}
