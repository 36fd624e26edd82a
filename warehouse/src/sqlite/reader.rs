//! Reads one row, column after column, into types: the inverse of [`super::bulk::Cells`].
//!
//! A value that its type refuses is an error with table, value and reason, never a default (incident 97).

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::Text;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use crate::error::{Error, Result};

/// A cursor over the columns of a row.
pub(crate) struct Reader<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    at: usize,
}

impl<'r> Reader<'r> {
    pub(crate) fn new(row: &'r SqliteRow, table: &'static str) -> Self {
        Self { row, table, at: 0 }
    }

    fn corrupt(&self, why: impl Display) -> Error {
        Error::Corrupt { table: self.table, why: format!("column {}: {why}", self.at) }
    }

    fn raw<T: Decode<'r, Sqlite> + Type<Sqlite>>(&mut self) -> Result<Option<T>> {
        let value = self.row.try_get_unchecked::<Option<T>, usize>(self.at).map_err(|e| self.corrupt(e))?;
        self.at += 1;
        Ok(value)
    }

    fn required<T: Decode<'r, Sqlite> + Type<Sqlite>>(&mut self) -> Result<T> {
        match self.raw()? {
            Some(value) => Ok(value),
            None => Err(self.corrupt("is null")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.required()
    }

    /// A text that usually fits in place.
    pub(crate) fn short_text(&mut self) -> Result<Text> {
        self.required::<&str>().map(Text::from)
    }

    pub(crate) fn opt_short_text(&mut self) -> Result<Option<Text>> {
        Ok(self.raw::<&str>()?.map(Text::from))
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>> {
        self.raw()
    }

    /// A text read by its type's one parser.
    pub(crate) fn parsed<T>(&mut self) -> Result<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text: &str = self.required()?;
        text.parse().map_err(|e| self.corrupt(e))
    }

    pub(crate) fn opt_parsed<T>(&mut self) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.raw::<&str>()? {
            Some(text) => text.parse().map(Some).map_err(|e| self.corrupt(e)),
            None => Ok(None),
        }
    }

    /// So many bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.opt_bytes()?.ok_or_else(|| self.corrupt("is null"))
    }

    /// As many bytes as there are; none for no value.
    pub(crate) fn blob(&mut self) -> Result<Vec<u8>> {
        Ok(self.raw()?.unwrap_or_default())
    }

    pub(crate) fn opt_bytes<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        let Some(bytes) = self.raw::<&[u8]>()? else { return Ok(None) };
        let sized = bytes.try_into().map(Some);
        sized.map_err(|_| self.corrupt(format_args!("{} bytes instead of {N}", bytes.len())))
    }

    pub(crate) fn date(&mut self) -> Result<Date> {
        self.parsed()
    }

    pub(crate) fn instant(&mut self) -> Result<Timestamp> {
        self.parsed()
    }

    pub(crate) fn opt_instant(&mut self) -> Result<Option<Timestamp>> {
        self.opt_parsed()
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        self.required()
    }

    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>> {
        self.raw()
    }

    /// An integer of a narrower type.
    pub(crate) fn narrow<T: TryFrom<i64>>(&mut self) -> Result<T> {
        let value = self.int()?;
        T::try_from(value).map_err(|_| self.corrupt(format_args!("{value} is out of range")))
    }

    pub(crate) fn opt_narrow<T: TryFrom<i64>>(&mut self) -> Result<Option<T>> {
        match self.opt_int()? {
            Some(value) => match T::try_from(value) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(self.corrupt(format_args!("{value} is out of range"))),
            },
            None => Ok(None),
        }
    }

    pub(crate) fn real(&mut self) -> Result<f64> {
        self.required()
    }

    pub(crate) fn opt_real(&mut self) -> Result<Option<f64>> {
        self.raw()
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        self.required()
    }

    /// A JSON text.
    pub(crate) fn json<T: serde::Deserialize<'r>>(&mut self) -> Result<T> {
        let text: &str = self.required()?;
        serde_json::from_str(text).map_err(|e| self.corrupt(e))
    }
}
