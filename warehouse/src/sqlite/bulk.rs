//! Bulk load: many rows a statement, values bound as they are.
//!
//! Tried and dropped: one JSON parameter unpacked by `json_each`. On 280,000 rows of 20 columns it did 42,000 rows/s,
//! multi-row `VALUES` 100,000 to 160,000 on the same two cores: SQLite walks the JSON array once for every column.
//! Bound values also keep every bit of a double.
//!
//! A call is cut into statements of a few fixed sizes, so that each has one prepared form that is used again.

use std::fmt::{Display, Write};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, Type};

use super::Conn;
use crate::error::{Doing, Result};
use crate::text;

/// SQLite binds at most 32,766 values to one statement.
const MAX_VALUES: usize = 32_000;
/// Rows a statement at most: larger ones are not faster, take milliseconds to prepare, and SQLite has nothing to do while the
/// values of the first are written.
const MAX_ROWS: usize = 256;

/// Where rows go.
pub(crate) struct Insert<'a> {
    /// The table; a name of ours, never a text from outside.
    pub(crate) table: &'a str,
    /// Its columns, in the order in which values are written; names of ours too.
    pub(crate) columns: &'a [&'a str],
    /// `ON CONFLICT …`, or nothing.
    pub(crate) conflict: &'a str,
    /// What is being done, for the error.
    pub(crate) doing: &'static str,
}

/// The values of statements, row after row.
///
/// Neighbouring rows share most of their texts (file, event, book, instants), so each column remembers its newest:
/// a text that comes again costs a comparison instead of two allocations. Allocation was a third of the work.
pub(crate) struct Cells {
    values: SqliteArguments,
    refused: Option<BoxDynError>,
    newest: Vec<Arc<str>>,
    column: usize,
    scratch: String,
}

impl Cells {
    fn new(columns: usize) -> Self {
        Self {
            values: SqliteArguments::default(),
            refused: None,
            newest: vec![Arc::from(""); columns.max(1)],
            column: 0,
            scratch: String::new(),
        }
    }

    /// What was written so far; the next statement begins empty.
    fn take(&mut self) -> std::result::Result<SqliteArguments, BoxDynError> {
        let values = std::mem::take(&mut self.values);
        match self.refused.take() {
            Some(error) => Err(error),
            None => Ok(values),
        }
    }

    fn push<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(error) = self.values.add(value) {
            self.refused.get_or_insert(error);
        }
        self.column = (self.column + 1) % self.newest.len();
        self
    }

    pub(crate) fn text(&mut self, value: impl Display) -> &mut Self {
        self.scratch.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.scratch, "{value}");
        let newest = &mut self.newest[self.column];
        if **newest != *self.scratch {
            *newest = Arc::from(self.scratch.as_str());
        }
        let shared = Arc::clone(newest);
        self.push(shared)
    }

    /// A value that people read in another form.
    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.push(value.to_vec())
    }

    fn null(&mut self) -> &mut Self {
        self.push(None::<i64>)
    }

    pub(crate) fn opt_text<T: Display>(&mut self, value: Option<T>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        self.push(value)
    }

    pub(crate) fn opt_int(&mut self, value: Option<i64>) -> &mut Self {
        self.push(value)
    }

    /// NaN is stored as NULL.
    pub(crate) fn real(&mut self, value: f64) -> &mut Self {
        self.push((!value.is_nan()).then_some(value))
    }

    pub(crate) fn opt_real(&mut self, value: Option<f64>) -> &mut Self {
        self.push(value)
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        self.push(value)
    }

    pub(crate) fn date(&mut self, value: Date) -> &mut Self {
        self.text(value)
    }

    pub(crate) fn opt_date(&mut self, value: Option<Date>) -> &mut Self {
        self.opt_text(value)
    }

    pub(crate) fn instant(&mut self, value: Timestamp) -> &mut Self {
        self.text(text::instant(value))
    }

    pub(crate) fn opt_instant(&mut self, value: Option<Timestamp>) -> &mut Self {
        self.opt_text(value.map(text::instant))
    }
}

/// A statement with its values.
#[derive(Debug)]
pub(crate) struct Statement {
    sql: Arc<str>,
    values: SqliteArguments,
    doing: &'static str,
}

impl Statement {
    /// Carries it out; answers how many rows of the table were inserted or updated.
    pub(crate) async fn execute(self, conn: &mut Conn) -> Result<u64> {
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.values);
        Ok(query.execute(conn).await.doing(self.doing)?.rows_affected())
    }
}

/// The statements that insert `rows`; each is written when it is asked for.
pub(crate) fn statements<'r, R>(
    into: &'r Insert<'_>,
    rows: &'r [R],
    mut write: impl FnMut(&R, &mut Cells) + 'r,
) -> impl Iterator<Item = Result<Statement>> {
    let mut cells = Cells::new(into.columns.len());
    let mut sql: (usize, Arc<str>) = (0, Arc::from(""));
    chunks(rows, largest(into.columns.len())).map(move |chunk| {
        if sql.0 != chunk.len() {
            sql = (chunk.len(), statement(into, chunk.len()).into());
        }
        cells.values.reserve(chunk.len() * into.columns.len(), 0);
        chunk.iter().for_each(|row| write(row, &mut cells));
        let values = cells.take().map_err(sqlx::Error::Encode).doing(into.doing)?;
        Ok(Statement { sql: Arc::clone(&sql.1), values, doing: into.doing })
    })
}

/// Inserts `rows`; answers how many rows of the table were inserted or updated.
///
/// While SQLite's thread works on one statement, the values of the next are written here: half of a load is handing
/// them over.
pub(crate) async fn insert<R: Sync>(
    conn: &mut Conn,
    into: &Insert<'_>,
    rows: &[R],
    write: impl FnMut(&R, &mut Cells) + Send,
) -> Result<u64> {
    let mut changed = 0;
    let mut statements = statements(into, rows, write);
    let mut ready = statements.next().transpose()?;
    while let Some(statement) = ready {
        let next = async { statements.next().transpose() };
        let (done, next) = futures::join!(statement.execute(conn), next);
        changed += done?;
        ready = next?;
    }
    Ok(changed)
}

/// `rows` cut into statements, the largest first, each of a power of two: few sizes to prepare, and few statements, for
/// each of them is a walk to SQLite's thread and back.
fn chunks<R>(rows: &[R], largest: usize) -> impl Iterator<Item = &[R]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = 1 << rest.len().min(largest).checked_ilog2()?;
        let (chunk, tail) = rest.split_at(size);
        rest = tail;
        Some(chunk)
    })
}

/// Rows a statement at most.
fn largest(columns: usize) -> usize {
    (MAX_VALUES / columns.max(1)).clamp(1, MAX_ROWS)
}

/// `INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT …` for `rows` rows.
fn statement(into: &Insert<'_>, rows: usize) -> String {
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", into.table, into.columns.join(", "));
    let marks = vec!["?"; into.columns.len()].join(",");
    for row in 0..rows {
        let comma = if row == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(sql, "{comma}({marks})");
    }
    if !into.conflict.is_empty() {
        sql.push(' ');
        sql.push_str(into.conflict);
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_stay_below_the_limit_and_are_few() {
        let cut = |rows: usize, columns: usize| -> Vec<usize> {
            chunks(&vec![(); rows], largest(columns)).map(<[()]>::len).collect()
        };
        for columns in [1, 20, 30, 80, 400, 32_766] {
            let sizes = cut(3_000, columns);
            assert!(sizes.iter().all(|size| size * columns <= 32_766), "{columns}");
            assert_eq!(sizes.iter().sum::<usize>(), 3_000);
            assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]));
        }
        assert_eq!(cut(800, 20), [256, 256, 256, 32]);
        assert_eq!(cut(334, 20), [256, 64, 8, 4, 2]);
        assert_eq!(cut(0, 20), [0; 0]);
    }

    #[test]
    fn a_statement_has_a_mark_for_every_value() {
        let into = Insert { table: "t", columns: &["a", "b"], conflict: "ON CONFLICT DO NOTHING", doing: "" };
        assert_eq!(statement(&into, 2), "INSERT INTO t (a, b) VALUES (?,?),(?,?) ON CONFLICT DO NOTHING");
    }
}
