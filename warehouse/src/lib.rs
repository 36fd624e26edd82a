//! The tables: schema, bulk load, point-in-time reads, the verdict transaction. Only this crate knows SQL.
//!
//! # Problem
//! The predecessor collected predictions in hundreds of staging tables and merged, deactivated and cleaned up in
//! three steps; two merges of one date made duplicates, a deactivation without a successor emptied a date, a merge
//! of nothing was a success, and a query that failed looked like "no rows".
//!
//! # What is promised
//! 1. A file is ingested wholly, with its entry in the ledger, or not at all ([`ingest`]).
//! 2. What feeds a feature or a line is read as of an instant, by type ([`AsOf`], [`LoadSlate`]).
//! 3. A batch ends once, in one transaction that also changes the slate ([`Publication`]); what is published is what
//!    the receipt says.
//! 4. The schema refuses what must not exist: two active rows of a key, a recommendation against its sign, a line
//!    off the grid, a failed run without an error.
//! 5. Empty and failed are different: every read returns a [`Result`], and [`Error`] tells whether a call was
//!    applied and whether waiting helps.
//!
//! Time is passed in, except for [`Warehouse::now`], which is the clock by which a game has begun.
//!
//! Read in this order: `migrations/sqlite/` (the tables), [`url`] and [`error`], [`as_of`],
//! [`ingest`], [`leases`], [`history`] and [`slate`] (reads), [`batches`], [`publish`] (the verdict), [`predictions`], [`runs`],
//! [`marks`], [`claims`], [`statement`]. What belongs to SQLite alone stands in `sqlite/`; statements stand in `sql/`.

pub mod as_of;
pub mod batches;
pub mod claims;
mod completeness;
mod contract;
pub mod coverage;
pub mod crash;
pub mod error;
pub mod features;
pub mod history;
pub mod ingest;
pub mod leases;
pub mod marks;
pub mod predictions;
pub mod publish;
mod published;
pub mod runs;
pub mod settling;
pub mod slate;
mod sqlite;
pub mod statement;
mod text;
pub mod url;

use std::sync::Arc;

use jiff::Timestamp;
use proto::features::FeatureContract;
use uuid::Uuid;

pub use self::as_of::AsOf;
pub use self::batches::{BatchFilter, BatchRecord, Registered, Registration, SlateRecord};
pub use self::completeness::Completeness;
pub use self::coverage::CoverageFacts;
pub use self::error::{Error, Result};
pub use self::history::{ClosingQuote, RosterPlayer, Stamped};
pub use self::ingest::{
    EventSnapshot, FileOrigin, IngestBatch, IngestCounts, IngestTransaction, JoinRate, LedgerEntry,
    MainQuote, NewKnown, PlayerRow, QuarantineEntry, SummaryRow, UnresolvedName, UnresolvedReport,
};
pub use self::leases::{Lease, LeaseAnswer, LeaseRecord, LeaseRequest};
pub use self::predictions::{ActiveRow, PredictionFilter, PredictionPage, StoredOutcome, StoredPrediction};
pub use self::publish::{Besides, JobOutcome, Publication, PublicationHead, PublishRequest, Published};
pub use self::runs::{Alert, DeadLetter, ErrorClass, ModelRow, RunEnd, RunRecord, RunStart};
pub use self::settling::Unsettled;
pub use self::slate::{LoadSlate, PlayerQuotes, SlateGame, SlateInputs, SlateLoad, SlatePlayer};
pub use self::statement::{SqlLimits, SqlTable};
pub use self::url::WarehouseUrl;

use self::contract::Columns;
use self::error::Doing;
use self::sqlite::{Durability, Store};

/// An open warehouse; a cheap handle, cloned freely.
#[derive(Debug, Clone)]
pub struct Warehouse {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    id: String,
    columns: Columns,
}

impl Warehouse {
    /// Opens a warehouse, creating and migrating it as needed, and makes sure that the contract has its columns.
    /// What cannot work is refused with a sentence, within 10 seconds.
    pub async fn open(url: &WarehouseUrl, contract: &FeatureContract) -> Result<Self> {
        let WarehouseUrl::Sqlite(path) = url;
        let store = sqlite::open::open(path).await?;
        let now = Timestamp::now();
        let id = identity(&store, now).await?;
        let columns = contract::adopt(&store, contract, now).await?;
        tracing::debug!(warehouse.id = %id, warehouse.url = %url, "opened warehouse `{id}`");
        Ok(Self { inner: Arc::new(Inner { store, id, columns }) })
    }

    /// The warehouse's id, given once when it was created; a state store remembers whose it is.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The warehouse's clock. SQLite lives on this machine, so it is this machine's.
    pub async fn now(&self) -> Result<Timestamp> {
        Ok(Timestamp::now())
    }

    /// Version of the feature contract it was opened with.
    pub fn contract_version(&self) -> &str {
        &self.inner.columns.version
    }

    /// Does what commits have left for a quiet moment: for the end of a batch, when nobody waits. May be left out.
    pub async fn settle_down(&self) -> Result<()> {
        self.store().checkpoint().await
    }

    /// Ends every connection; what is under way ends first.
    pub async fn close(&self) {
        self.inner.store.close().await;
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    fn columns(&self) -> &Columns {
        &self.inner.columns
    }
}

/// Reads the warehouse's id, or gives it one.
async fn identity(store: &Store, now: Timestamp) -> Result<String> {
    const READ: &str = include_str!("../sql/identity.sql");
    let mut read = store.read().await?;
    let known: Option<String> =
        sqlx::query_scalar(READ).fetch_optional(&mut *read).await.doing("read the warehouse's id")?;
    drop(read);
    if let Some(id) = known {
        return Ok(id);
    }
    let mut tx = store.write(Durability::Full).await?;
    sqlx::query(include_str!("../sql/put_identity.sql"))
        .bind(Uuid::new_v4().to_string())
        .bind(text::instant(now))
        .execute(&mut *tx)
        .await
        .doing("give the warehouse an id")?;
    let id = sqlx::query_scalar(READ).fetch_one(&mut *tx).await.doing("read the warehouse's id")?;
    tx.commit().await.committing("give the warehouse an id")?;
    Ok(id)
}
