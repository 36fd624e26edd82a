//! Carries statements out behind the back of whoever writes the next ones.
//!
//! Half of a load is writing values, half is SQLite taking them, so each half has a thread. A statement that fails ends
//! the load: its error is the answer to whatever is asked of the loader next.

use std::panic::resume_unwind;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::sqlite::Loan;
use crate::sqlite::bulk::Statement;

/// Statements that wait for SQLite; who writes more waits with the next one.
const WAITING: usize = 8;

/// A connection, or the task that is at work with it; neither once a statement has failed. Dropped, the task ends when
/// what waits is carried out.
#[derive(Debug)]
pub(super) struct Loader {
    idle: Option<Loan>,
    busy: Option<Busy>,
}

#[derive(Debug)]
struct Busy {
    queue: mpsc::Sender<Statement>,
    task: JoinHandle<Result<Loan>>,
}

impl Loader {
    pub(super) fn new(conn: Loan) -> Self {
        Self { idle: Some(conn), busy: None }
    }

    /// Adds a statement to what is carried out, in order.
    pub(super) async fn put(&mut self, statement: Statement) -> Result<()> {
        if let Some(conn) = self.idle.take() {
            let (queue, waiting) = mpsc::channel(WAITING);
            self.busy = Some(Busy { queue, task: tokio::spawn(carry_out(conn, waiting)) });
        }
        let Some(busy) = &self.busy else { return Err(failed()) };
        match busy.queue.send(statement).await {
            Ok(()) => Ok(()),
            // The task is gone before its time: here is why.
            Err(_) => Err(self.landed().await.err().unwrap_or_else(failed)),
        }
    }

    /// The connection, once everything has been carried out.
    pub(super) async fn landed(&mut self) -> Result<&mut Loan> {
        let conn = match self.busy.take() {
            Some(Busy { queue, task }) => {
                drop(queue);
                task.await.unwrap_or_else(|lost| match lost.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    Err(_) => Err(failed()),
                })?
            }
            None => self.idle.take().ok_or_else(failed)?,
        };
        Ok(self.idle.insert(conn))
    }
}

async fn carry_out(mut conn: Loan, mut waiting: mpsc::Receiver<Statement>) -> Result<Loan> {
    while let Some(statement) = waiting.recv().await {
        statement.execute(&mut conn).await?;
    }
    Ok(conn)
}

fn failed() -> Error {
    Error::Inconsistent { what: "the batch was not loaded: an earlier statement failed".to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;
    use crate::sqlite::Store;
    use crate::sqlite::bulk::{Insert, statements};
    use crate::sqlite::open::open;

    fn numbered(numbers: std::ops::Range<i64>) -> Vec<Statement> {
        let into =
            Insert { table: "numbered", columns: &["no", "name"], conflict: "", doing: "number names" };
        let rows: Vec<i64> = numbers.collect();
        let write = |no: &i64, cells: &mut crate::sqlite::bulk::Cells| {
            cells.int(*no).text(no);
        };
        statements(&into, &rows, write).map(Result::unwrap).collect()
    }

    /// A writer with a table for them.
    async fn writer(store: &Store) -> Loan {
        let mut conn = store.writer().await.unwrap();
        let table = "CREATE TEMP TABLE numbered (no INTEGER PRIMARY KEY, name TEXT)";
        sqlx::query(table).execute(&mut *conn).await.unwrap();
        conn
    }

    async fn loaded(conn: &mut Loan) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM numbered").fetch_one(&mut **conn).await.unwrap()
    }

    #[tokio::test]
    async fn everything_lands_and_more_may_follow() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("w.db")).await.unwrap();
        let mut loader = Loader::new(writer(&store).await);
        for until in [5_000, 6_000] {
            for statement in numbered(until - 1_000..until) {
                loader.put(statement).await.unwrap();
            }
            loader.landed().await.unwrap();
        }
        assert_eq!(loaded(loader.landed().await.unwrap()).await, 2_000);
        drop(loader);
        assert_eq!(loaded(&mut store.writer().await.unwrap()).await, 2_000, "the connection is back");
    }

    #[tokio::test]
    async fn a_statement_that_fails_ends_the_load_and_its_error_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("w.db")).await.unwrap();
        let mut loader = Loader::new(writer(&store).await);
        let mut told = Vec::new();
        let twice = numbered(0..1).into_iter().chain(numbered(0..4_000));
        for statement in twice {
            told.extend(loader.put(statement).await.err());
        }
        told.extend(loader.landed().await.err());
        assert!(told[0].to_string().contains("number names"), "{}", told[0]);
        assert!(told[1..].iter().all(|error| matches!(error, Error::Inconsistent { .. })), "{told:?}");
        assert!(loader.landed().await.is_err(), "nothing follows");
        drop(store.writer().await.unwrap());
    }
}
