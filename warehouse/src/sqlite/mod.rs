//! The SQLite backend: what another backend would do differently stands in this folder, everything else is common.
//!
//! One file in WAL mode on a local disk: one writer connection, so that writers queue in this process instead of
//! finding the file busy, and a pool of read-only connections, each transaction of which sees one snapshot.
//! `synchronous` is per connection: every write transaction says which it wants.

pub(crate) mod bulk;
pub(crate) mod network;
pub(crate) mod open;
pub(crate) mod reader;

use std::path::PathBuf;

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::error::{Doing, Result};

/// A connection of the backend.
pub(crate) type Conn = SqliteConnection;
/// A transaction that owns its connection.
pub(crate) type Tx = Transaction<'static, Sqlite>;
/// A connection on loan from its pool.
pub(crate) type Loan = PoolConnection<Sqlite>;

/// What a power loss may take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The last transactions; they can be repeated. A killed process loses nothing either way.
    Normal,
    /// Nothing: COMMIT waits for the disk. For registration and verdict.
    Full,
}

impl Durability {
    /// The statements that open a write transaction of this durability.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Self::Normal => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            Self::Full => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Begins a write transaction; dropped without commit, it rolls back.
    pub(crate) async fn write(&self, durability: Durability) -> Result<Tx> {
        self.writer.begin_with(durability.begin()).await.doing("begin a write transaction")
    }

    /// The writer connection itself, for work on temporary tables before the lock.
    pub(crate) async fn writer(&self) -> Result<Loan> {
        self.writer.acquire().await.doing("wait for the writer connection")
    }

    /// Begins a read transaction: everything read in it is of one instant.
    pub(crate) async fn read(&self) -> Result<Tx> {
        self.readers.begin().await.doing("begin a read transaction")
    }

    /// Moves what readers no longer need from the log into the file, without waiting for anybody. Wrong at no time: only
    /// a log that grows is the price of leaving it out.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        let mut conn = self.writer().await?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *conn).await.doing("empty the log")?;
        Ok(())
    }

    /// Closes every connection; what is under way ends first.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
