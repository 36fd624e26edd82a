//! Opening the file: one writer, a few readers, the schema.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::fault::{Fault, SqlResult};
use super::local_disk;
use crate::{Result, StoreError};

/// Format of the tables; a file of a higher one is refused.
const FORMAT: i64 = 1;

/// Longest wait for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows that wait between SQLite's thread and the task that reads them: a page of jobs.
const ROW_BUFFER: usize = 512;

/// Pages in the log after which a commit moves them into the file after all: 32 MiB.
const LOG_PAGES: &str = "8192";

/// Times that a first opening is tried again while another process makes the file at the same moment.
const OPENING_TRIES: u32 = 20;

/// What a transaction waits for before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// The operating system has it: survives SIGKILL.
    Normal,
    /// The disk has it: survives a power loss.
    Full,
}

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    conn: SqliteConnection,
    durability: Durability,
}

impl Writer {
    /// Begins a transaction that holds the file's write lock from its first statement on.
    pub(super) async fn begin(&mut self, durability: Durability) -> SqlResult<Transaction<'_, Sqlite>> {
        // `synchronous` belongs to the connection and cannot change inside a transaction.
        if self.durability != durability {
            let pragma = match durability {
                Durability::Normal => "PRAGMA synchronous = NORMAL",
                Durability::Full => "PRAGMA synchronous = FULL",
            };
            sqlx::query(pragma).execute(&mut self.conn).await?;
            self.durability = durability;
        }
        Ok(self.conn.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Moves what nobody reads any more from the log into the file, without waiting for anybody. Wrong at no time: only a
    /// log that grows is the price of leaving it out.
    pub(super) async fn checkpoint(&mut self) -> SqlResult<()> {
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut self.conn).await?;
        Ok(())
    }
}

pub(super) async fn connect(path: &Path) -> Result<(Writer, SqlitePool)> {
    local_disk::check(path)?;
    let refused = |fault: Fault| match fault.into_error(path, "open", false) {
        StoreError::Unreachable { store, cause, .. } => StoreError::Refused(format!(
            "cannot open the state store {store}: {cause}; check that the folder exists and that this user may write there"
        )),
        StoreError::Corrupt { .. } | StoreError::Failed { .. } => StoreError::Refused(format!(
            "sqlite:{} is not a tipoff state store: choose another path, or move the file away",
            path.display()
        )),
        other => other,
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .row_buffer_size(ROW_BUFFER)
        .pragma("temp_store", "MEMORY")
        // Moving pages from the log into the file is no claim's or completion's business: the sweep does it.
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .pragma("journal_size_limit", "67108864")
        .foreign_keys(false)
        .disable_statement_logging();
    let mut conn = open_writer(&options).await.map_err(refused)?;
    prepare(&mut conn, path).await.map_err(refused)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire(false)
        .connect_lazy_with(options.read_only(true));
    Ok((Writer { conn, durability: Durability::Full }, readers))
}

/// The switch to WAL does not wait for a lock, so two processes that make the same file at once may meet here.
async fn open_writer(options: &SqliteConnectOptions) -> SqlResult<SqliteConnection> {
    let options = options.clone().create_if_missing(true).pragma("cache_size", "-32000");
    for _ in 1..OPENING_TRIES {
        match options.connect().await {
            Err(sqlx::Error::Database(e)) if e.code().is_some_and(|code| code == "5") => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return Ok(other?),
        }
    }
    Ok(options.connect().await?)
}

async fn prepare(conn: &mut SqliteConnection, path: &Path) -> SqlResult<()> {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    let foreign = sqlx::query(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
         AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'meta')",
    );
    if foreign.fetch_one(&mut *tx).await?.try_get::<i64, _>(0)? > 0 {
        return Err(StoreError::Refused(format!(
            "sqlite:{} holds tables of another program: choose another path",
            path.display()
        ))
        .into());
    }
    sqlx::raw_sql(include_str!("../../sql/schema.sql")).execute(&mut *tx).await?;
    sqlx::query("INSERT OR IGNORE INTO meta (only_row, format, store_id, writes) VALUES (1, $1, $2, 0)")
        .bind(FORMAT)
        .bind(uuid::Uuid::new_v4().simple().to_string())
        .execute(&mut *tx)
        .await?;
    let format: i64 = sqlx::query("SELECT format FROM meta").fetch_one(&mut *tx).await?.try_get(0)?;
    if format > FORMAT {
        return Err(StoreError::Refused(format!(
            "sqlite:{} has format {format}, this build knows {FORMAT}: run the newer version",
            path.display()
        ))
        .into());
    }
    tx.commit().await?;
    Ok(())
}
