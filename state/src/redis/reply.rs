//! Taking a script's answer apart; whatever does not fit is a corrupt store, never a panic.

use std::str::FromStr;

use redis::Value;

use crate::{Result, StoreError};

/// The rest of an array.
#[derive(Debug)]
pub(super) struct Reply {
    script: &'static str,
    rest: std::vec::IntoIter<Value>,
}

impl Reply {
    pub(super) fn new(script: &'static str, value: Value) -> Result<Self> {
        match value {
            Value::Array(values) => Ok(Self { script, rest: values.into_iter() }),
            Value::Nil => Ok(Self { script, rest: Vec::new().into_iter() }),
            other => Err(surprise(script, &other)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn value(&mut self) -> Result<Value> {
        self.rest
            .next()
            .ok_or_else(|| StoreError::corrupt(format!("answer of `{}`", self.script), "too short"))
    }

    pub(super) fn array(&mut self) -> Result<Self> {
        Self::new(self.script, self.value()?)
    }

    pub(super) fn bytes_opt(&mut self) -> Result<Option<Vec<u8>>> {
        match self.value()? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::SimpleString(text) => Ok(Some(text.into_bytes())),
            Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
            Value::Okay => Ok(Some(b"OK".to_vec())),
            other => Err(surprise(self.script, &other)),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>> {
        self.bytes_opt()?.ok_or_else(|| self.missing())
    }

    pub(super) fn text(&mut self) -> Result<String> {
        self.text_opt()?.ok_or_else(|| self.missing())
    }

    pub(super) fn text_opt(&mut self) -> Result<Option<String>> {
        let bytes = self.bytes_opt()?;
        bytes.map(String::from_utf8).transpose().map_err(|e| StoreError::corrupt(self.script, e))
    }

    /// Reads a text, or a number, through its one parser.
    pub(super) fn parsed<T>(&mut self) -> Result<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.text()?.parse().map_err(|e| StoreError::corrupt(format!("answer of `{}`", self.script), e))
    }

    pub(super) fn parsed_opt<T>(&mut self) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text_opt()?;
        text.map(|text| text.parse())
            .transpose()
            .map_err(|e| StoreError::corrupt(format!("answer of `{}`", self.script), e))
    }

    /// Reads all that is left.
    pub(super) fn all<T>(mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::with_capacity(self.len());
        while !self.is_empty() {
            items.push(read(&mut self)?);
        }
        Ok(items)
    }

    fn missing(&self) -> StoreError {
        StoreError::corrupt(format!("answer of `{}`", self.script), "a value is missing")
    }

    pub(super) fn unknown_answer(&self, word: &str) -> StoreError {
        StoreError::corrupt(format!("answer of `{}`", self.script), format!("`{word}`"))
    }
}

/// The kind of the value alone: its content may be anything.
fn surprise(script: &str, value: &Value) -> StoreError {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::Array(_) => "a list",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        _ => "something else",
    };
    StoreError::corrupt(format!("answer of `{script}`"), format!("{kind} where something else was expected"))
}
