//! `tipoff sql`: one read-only statement, on a connection of its own that can neither write nor run for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Column, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};

use crate::Warehouse;
use crate::error::{Doing, Error, Result};
use crate::sqlite::open::private_reader;

/// How often SQLite asks whether it may go on: every so many of its instructions, well below a millisecond.
const CHECK_EVERY: i32 = 20_000;

/// Limits of one statement.
#[derive(Debug, Clone, Copy)]
pub struct SqlLimits {
    /// Rows at most; more are cut off and said so.
    pub rows: usize,
    /// How long it may run.
    pub time: Duration,
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self { rows: 10_000, time: Duration::from_secs(60) }
    }
}

/// A result as text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SqlTable {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values as text; none is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// True when there were more rows than allowed.
    pub truncated: bool,
}

impl Warehouse {
    /// Runs one read-only statement. Writes, several statements, ATTACH and PRAGMA are refused with a sentence.
    pub async fn sql(&self, statement: &str, limits: SqlLimits) -> Result<SqlTable> {
        let statement = one_read_only(statement)?;
        let mut conn = private_reader(&self.store().path).await?;
        let late = Arc::new(AtomicBool::new(false));
        {
            let deadline = Instant::now() + limits.time;
            let late = Arc::clone(&late);
            let mut handle = conn.lock_handle().await.doing("guard the statement")?;
            handle.set_progress_handler(CHECK_EVERY, move || {
                let go_on = Instant::now() < deadline;
                late.fetch_or(!go_on, Ordering::Relaxed);
                go_on
            });
        }
        // The connection cannot write, whatever the text says.
        let prepared =
            conn.prepare(AssertSqlSafe(statement.to_owned()).into_sql_str()).await.map_err(refused)?;
        let columns = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        let mut table = SqlTable { columns, rows: Vec::new(), truncated: false };
        let mut rows = prepared.query().fetch(&mut conn);
        loop {
            match rows.try_next().await {
                Ok(Some(row)) if table.rows.len() < limits.rows => table.rows.push(texts(&row)),
                Ok(Some(_)) => {
                    table.truncated = true;
                    break;
                }
                Ok(None) => break,
                Err(_) if late.load(Ordering::Relaxed) => {
                    return Err(Error::Statement {
                        why: format!(
                            "the statement ran longer than {} s and was stopped",
                            limits.time.as_secs_f64()
                        ),
                    });
                }
                Err(error) => return Err(refused(error)),
            }
        }
        drop(rows);
        conn.close().await.doing("close the statement's connection")?;
        Ok(table)
    }
}

/// A mistake in the statement is the writer's, an unreachable file is not.
fn refused(source: sqlx::Error) -> Error {
    let error = Error::Database { doing: "run the statement", committing: false, source };
    match &error {
        Error::Database { source: sqlx::Error::Database(said), .. } if !error.is_unreachable() => {
            Error::Statement { why: said.message().to_owned() }
        }
        Error::Database { source: sqlx::Error::Database(said), .. }
            if said.code().is_some_and(|code| code == "8") =>
        {
            Error::Statement { why: "the statement would write; only reading is allowed".to_owned() }
        }
        _ => error,
    }
}

fn texts(row: &SqliteRow) -> Vec<Option<String>> {
    (0..row.len()).map(|at| value_text(row, at)).collect()
}

fn value_text(row: &SqliteRow, at: usize) -> Option<String> {
    let raw = row.try_get_raw(at).ok()?;
    if raw.is_null() {
        return None;
    }
    match raw.type_info().name() {
        "REAL" => row.try_get_unchecked::<f64, _>(at).ok().map(|value| value.to_string()),
        "INTEGER" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(at).ok().map(|value| value.to_string()),
        "BLOB" => {
            let bytes = row.try_get_unchecked::<Vec<u8>, _>(at).ok()?;
            Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        _ => row.try_get_unchecked::<String, _>(at).ok(),
    }
}

/// Accepts a single statement that begins like a question; the connection refuses what is left.
fn one_read_only(text: &str) -> Result<&str> {
    let refuse = |why: &str| Error::Statement { why: why.to_owned() };
    let end = first_semicolon(text).unwrap_or(text.len());
    if text.len() > end && !is_blank(&text[end + 1..]) {
        return Err(refuse("only one statement at a time; remove what follows the semicolon"));
    }
    let statement = &text[..end];
    let first: String = skip_comments(statement)
        .chars()
        .take_while(|c| c.is_ascii_alphabetic())
        .collect::<String>()
        .to_lowercase();
    match first.as_str() {
        "select" | "with" | "values" | "explain" => Ok(statement),
        "" => Err(refuse("there is no statement")),
        _ => Err(refuse(
            "only SELECT, WITH, VALUES and EXPLAIN are allowed here; nothing is written from this place",
        )),
    }
}

/// Where the first semicolon outside of quotes and comments stands.
fn first_semicolon(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b';' => return Some(at),
            quote @ (b'\'' | b'"' | b'`') => at = after(text, at + 1, quote as char),
            b'[' => at = after(text, at + 1, ']'),
            b'-' if bytes.get(at + 1) == Some(&b'-') => at = after(text, at, '\n'),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = text[at + 2..].find("*/").map_or(text.len(), |found| at + 2 + found + 2);
            }
            _ => at += 1,
        }
    }
    None
}

/// The position after the next `end`; a doubled quote ends one text and begins the next, which is the same here.
fn after(text: &str, from: usize, end: char) -> usize {
    text[from..].find(end).map_or(text.len(), |found| from + found + end.len_utf8())
}

fn skip_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let next = match rest {
            _ if rest.starts_with("--") => rest.find('\n').map_or("", |end| &rest[end + 1..]),
            _ if rest.starts_with("/*") => rest.find("*/").map_or("", |end| &rest[end + 2..]),
            _ => return rest,
        };
        rest = next.trim_start();
    }
}

fn is_blank(text: &str) -> bool {
    skip_comments(text).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_passes() {
        for text in [
            "select 1",
            " -- a comment\n/* and another */ SELECT ';' ;  -- done",
            "with a as (select 1) select * from a;",
            "values (1), (2)",
            "explain query plan select \"a;b\" from [c;d]",
        ] {
            assert!(one_read_only(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_sentence() {
        for text in [
            "",
            "-- nothing",
            "delete from games",
            "select 1; select 2",
            "select 1; -- x\n drop table games",
            "attach 'x' as y",
            "pragma journal_mode = delete",
            "vacuum into 'x'",
            "(select 1)",
        ] {
            assert!(matches!(one_read_only(text), Err(Error::Statement { .. })), "{text}");
        }
    }
}
