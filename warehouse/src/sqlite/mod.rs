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
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::error::{Doing, Result};

/// Longest wait for a second reading connection.
const HELPER_WAIT: Duration = Duration::from_millis(5);

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

    /// Begins two reads of the same instant, for whoever has enough to read that a second thread pays. None when somebody
    /// writes just now or reads with every connection: nobody waits for a helper longer than he saves.
    pub(crate) async fn twin_reads(&self) -> Result<Option<(Tx, Tx)>> {
        match tokio::time::timeout(HELPER_WAIT, self.begin_twins()).await {
            Ok(twins) => twins.map(Some).doing("begin two reads of one instant"),
            Err(_) => Ok(None),
        }
    }

    async fn begin_twins(&self) -> std::result::Result<(Tx, Tx), sqlx::Error> {
        // The SELECT is what fixes a snapshot.
        const BEGIN: &str = "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1";
        let mut writer = self.writer.acquire().await?;
        // While this lock is held nothing is committed, in this process or another.
        let lock = writer.begin_with(Durability::Normal.begin()).await?;
        let twins = futures::try_join!(self.readers.begin_with(BEGIN), self.readers.begin_with(BEGIN))?;
        lock.rollback().await?;
        Ok(twins)
    }

    /// Moves what readers no longer need from the log into the file, unless somebody writes just now, and without waiting
    /// for anybody. Wrong at no time: only a log that grows is the price of leaving it out.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        if let Some(mut conn) = self.writer.try_acquire() {
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *conn).await.doing("empty the log")?;
        }
        Ok(())
    }

    /// Closes every connection; what is under way ends first.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    async fn models_in(tx: &mut Tx) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM prediction_models").fetch_one(&mut **tx).await.unwrap()
    }

    #[tokio::test]
    async fn twins_see_one_instant_and_nobody_waits_for_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = open::open(&dir.path().join("w.db")).await.unwrap();
        let (mut one, mut other) = store.begin_twins().await.unwrap();
        let mut tx = store.write(Durability::Normal).await.unwrap();
        sqlx::query("INSERT INTO prediction_models (model_sha256) VALUES ('m')")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!((models_in(&mut one).await, models_in(&mut other).await), (0, 0));
        drop((one, other));
        assert_eq!(models_in(&mut store.read().await.unwrap()).await, 1);
        // Somebody writes, and not shortly.
        let _held = store.writer().await.unwrap();
        assert!(store.twin_reads().await.unwrap().is_none());
    }
}
