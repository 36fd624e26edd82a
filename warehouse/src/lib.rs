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
//! Time is passed in.
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
mod numbers;
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
pub use self::publish::{JobOutcome, Publication, PublicationHead, PublishRequest, Published, Staying};
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

/// Whose days a warehouse holds; said when it is created, part of its id, and never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// The one in which clocks are right.
    Real,
    /// One whose clock somebody sets.
    Simulated,
}

/// What the id of a simulated world's warehouse begins with.
const SIMULATED: &str = "simulated-";

impl Warehouse {
    /// Opens a warehouse, creating and migrating it as needed, and makes sure that the contract has its columns.
    /// What cannot work is refused with a sentence, within 10 seconds.
    pub async fn open(url: &WarehouseUrl, contract: &FeatureContract) -> Result<Self> {
        Self::open_in(World::Real, url, contract).await
    }

    /// The same in a world: whose clock is set opens no warehouse of real days, so that none can be dated back, and
    /// the other way round.
    pub async fn open_in(world: World, url: &WarehouseUrl, contract: &FeatureContract) -> Result<Self> {
        let WarehouseUrl::Sqlite(path) = url;
        let store = sqlite::open::open(path).await?;
        let now = Timestamp::now();
        let id = identity(&store, world, now).await?;
        if id.starts_with(SIMULATED) != (world == World::Simulated) {
            return Err(Error::OtherWorld { path: path.clone(), world });
        }
        let columns = contract::adopt(&store, contract, now).await?;
        tracing::debug!(warehouse.id = %id, warehouse.url = %url, "opened warehouse `{id}`");
        Ok(Self { inner: Arc::new(Inner { store, id, columns }) })
    }

    /// The warehouse's id, given once when it was created; a state store remembers whose it is.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Version of the feature contract it was opened with.
    pub fn contract_version(&self) -> &str {
        &self.inner.columns.version
    }

    /// Does what commits have left for a quiet moment, unless somebody writes. May be left out.
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
async fn identity(store: &Store, world: World, now: Timestamp) -> Result<String> {
    const READ: &str = include_str!("../sql/identity.sql");
    let mut read = store.read().await?;
    let known: Option<String> =
        sqlx::query_scalar(READ).fetch_optional(&mut *read).await.doing("read the warehouse's id")?;
    drop(read);
    if let Some(id) = known {
        return Ok(id);
    }
    let prefix = if world == World::Simulated { SIMULATED } else { "" };
    let mut tx = store.write(Durability::Full).await?;
    sqlx::query(include_str!("../sql/put_identity.sql"))
        .bind(format!("{prefix}{}", Uuid::new_v4()))
        .bind(text::instant(now))
        .execute(&mut *tx)
        .await
        .doing("give the warehouse an id")?;
    let id = sqlx::query_scalar(READ).fetch_one(&mut *tx).await.doing("read the warehouse's id")?;
    tx.commit().await.committing("give the warehouse an id")?;
    Ok(id)
}
