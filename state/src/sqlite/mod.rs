//! The embedded store: one SQLite file on a local disk, shared by the processes of one machine.
//!
//! # What is promised
//! Each operation is one `BEGIN IMMEDIATE` transaction on the process's one writer connection; nothing else is awaited
//! inside. Another process that holds the file is waited for, 5 s at most. Reads go to a pool and see one snapshot.
//!
//! A committed step survives SIGKILL. Sealing, every change of a running batch as a whole, pairing and an event that is put
//! back survive a power loss before they answer (`synchronous=FULL`), with all that was committed before them. The rest
//! does not wait for the disk (`NORMAL`); a power loss takes back the last of it, in order, and each kind is made good:
//! claims, completions, renewals and tickets run again; a batch that was opened and not sealed has no jobs, and ends as
//! `state_lost` or `never_sealed`; an end is copied again from the verdict, which the warehouse keeps; a delivery is
//! repeated.
//!
//! # Why a chunk is a handful of statements
//! Up to 500 jobs travel as one JSON list and one blob of bytes end to end; `json_each` and `substr` take them apart
//! inside SQLite. The tables and what their rows mean are in `sql/schema.sql`. Statements that belong together are one
//! text and share their arguments; these are written `$n`, because sqlx counts the gaps that `?n` leaves as arguments.

mod closing;
mod connect;
#[cfg(feature = "conformance")]
mod export;
mod fault;
mod local_disk;
mod opening;
mod outbox;
mod reading;
mod returning;
mod row;
mod sweeping;
mod working;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use proto::{BatchId, EndState, LeaseId, OpenerToken, Slate, TicketId};
use protocol::ops::{
    Added, BatchView, Claim, Claimed, Closed, Completed, Completion, Drained, DueKey, EndAnswer, GiveBack,
    GivenBack, JobView, LeaseView, LogEntry, NewJob, OpenBatch, Opened, OutboxEvent, Patched, Renewed,
    Sealed, StagedJob, StoreIdentity, Swept, Ticket,
};
use protocol::{CloseReason, Millis};
use sqlx::SqlitePool;
use tokio::sync::Mutex;

use self::connect::{Durability, Writer};
use self::fault::Fault;
use crate::open::system_millis;
use crate::{BatchStore, Paired, Result, StoreError, Withdrawn};

/// Numbers of jobs within one batch's range of keys; more than a batch can hold.
const KEYS_PER_BATCH: i64 = 1 << 20;

/// Jobs that one transaction of a clean-up deletes, so that nobody waits long for the file.
const DELETED_AT_ONCE: i64 = 5_000;

/// A batch store in one file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Writer>,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, or makes it in a folder that exists. Refuses network file systems and files of newer versions.
    pub async fn open(path: &Path) -> Result<Self> {
        let (writer, readers) = connect::connect(path).await?;
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers })
    }

    fn error(&self, call: &'static str, maybe_applied: bool) -> impl FnOnce(Fault) -> StoreError + '_ {
        move |fault| fault.into_error(&self.path, call, maybe_applied)
    }
}

/// Runs one operation in a transaction of the writer. What the body returns is committed; an error rolls back.
macro_rules! write {
    ($store:ident, $durability:ident, $call:literal, |$conn:ident| $body:expr) => {{
        let mut writer = $store.writer.lock().await;
        let mut tx = writer.begin(Durability::$durability).await.map_err($store.error($call, false))?;
        let answer = {
            let $conn = &mut *tx;
            $body.await.map_err($store.error($call, false))?
        };
        tx.commit().await.map_err(Fault::from).map_err($store.error($call, true))?;
        Ok(answer)
    }};
}

/// Runs one read in a transaction of its own: everything in it sees one snapshot.
macro_rules! read {
    ($store:ident, $call:literal, |$conn:ident| $body:expr) => {{
        let mut tx = $store.readers.begin().await.map_err(Fault::from).map_err($store.error($call, false))?;
        let $conn = &mut *tx;
        $body.await.map_err($store.error($call, false))
    }};
}

#[async_trait]
impl BatchStore for SqliteStore {
    async fn now(&self) -> Result<Millis> {
        Ok(system_millis())
    }

    fn describe(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    async fn open(&self, request: &OpenBatch, now: Millis) -> Result<Opened> {
        write!(self, Normal, "open", |conn| opening::open(conn, request, now))
    }

    async fn add_jobs(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        jobs: &[NewJob],
        now: Millis,
    ) -> Result<Added> {
        write!(self, Normal, "add_jobs", |conn| opening::add_jobs(conn, batch_id, token, jobs, now))
    }

    async fn seal(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        generation: u64,
        num_jobs: u64,
        now: Millis,
    ) -> Result<Sealed> {
        write!(self, Full, "seal", |conn| opening::seal(conn, batch_id, token, generation, num_jobs, now))
    }

    async fn withdraw(&self, batch_id: &BatchId, token: &OpenerToken) -> Result<Withdrawn> {
        write!(self, Normal, "withdraw", |conn| opening::withdraw(conn, batch_id, token))
    }

    async fn claim(&self, claim: &Claim, now: Millis) -> Result<Claimed> {
        write!(self, Normal, "claim", |conn| working::claim(conn, claim, now))
    }

    async fn renew(&self, lease: &LeaseId, now: Millis) -> Result<Renewed> {
        write!(self, Normal, "renew", |conn| working::renew(conn, lease, now))
    }

    async fn complete(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[Completion],
        now: Millis,
    ) -> Result<Completed> {
        write!(self, Normal, "complete", |conn| working::complete(conn, batch_id, lease, items, now))
    }

    async fn give_back(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[GiveBack],
        now: Millis,
    ) -> Result<GivenBack> {
        write!(self, Normal, "give_back", |conn| returning::give_back(conn, batch_id, lease, items, now))
    }

    async fn close(
        &self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Closed> {
        write!(self, Full, "close", |conn| closing::close(conn, batch_id, reason, min_coverage, now))
    }

    async fn patch(
        &self,
        batch_id: &BatchId,
        finish_by_ms: Option<Millis>,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Patched> {
        write!(self, Full, "patch", |conn| closing::patch(conn, batch_id, finish_by_ms, min_coverage, now))
    }

    async fn take_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Ticket> {
        write!(self, Normal, "take_ticket", |conn| closing::take_ticket(conn, batch_id, ticket, now))
    }

    async fn renew_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Renewed> {
        write!(self, Normal, "renew_ticket", |conn| closing::renew_ticket(conn, batch_id, ticket, now))
    }

    async fn return_ticket(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        error: Option<&str>,
        retry_at: Millis,
        now: Millis,
    ) -> Result<bool> {
        write!(self, Full, "return_ticket", |conn| {
            closing::return_ticket(conn, batch_id, ticket, error, retry_at, now)
        })
    }

    async fn drain(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        limit: usize,
        now: Millis,
    ) -> Result<Drained> {
        write!(self, Full, "drain", |conn| closing::drain(conn, batch_id, ticket, limit, now))
    }

    async fn end(
        &self,
        batch_id: &BatchId,
        end: EndState,
        receipt: &str,
        event_id: &str,
        event: &str,
        now: Millis,
    ) -> Result<EndAnswer> {
        write!(self, Normal, "end", |conn| {
            closing::end(conn, batch_id, end, receipt, (event_id, event), now)
        })
    }

    async fn put_event(&self, event_id: &str, payload: &str, now: Millis) -> Result<()> {
        write!(self, Full, "put_event", |conn| outbox::put(conn, event_id, payload, now))
    }

    async fn drop_staged(&self, batch_id: &BatchId) -> Result<bool> {
        while let Some((from, to)) =
            read!(self, "drop_staged", |conn| closing::next_to_delete(conn, batch_id, DELETED_AT_ONCE))?
        {
            let deleted: Result<()> =
                write!(self, Normal, "drop_staged", |conn| closing::delete_jobs(conn, from, to));
            deleted?;
        }
        write!(self, Normal, "drop_staged", |conn| closing::drop_staged(conn, batch_id))
    }

    async fn forget(&self, batch_id: &BatchId) -> Result<bool> {
        let may: bool = read!(self, "forget", |conn| closing::may_forget(conn, batch_id))?;
        if !may {
            return Ok(false);
        }
        self.drop_staged(batch_id).await?;
        write!(self, Normal, "forget", |conn| closing::forget(conn, batch_id))
    }

    async fn sweep(
        &self,
        lease_ms: Millis,
        watched: &[(DueKey, Millis)],
        limit: usize,
        now: Millis,
    ) -> Result<Swept> {
        let swept: Result<Swept> =
            write!(self, Normal, "sweep", |conn| sweeping::sweep(conn, lease_ms, watched, limit, now));
        let mut swept = swept?;
        // The audit reads one snapshot, so it needs no lock and delays nobody.
        swept.alarms = read!(self, "sweep", |conn| sweeping::audit(conn))?;
        if let Err(fault) = self.writer.lock().await.checkpoint().await {
            tracing::debug!("the log of {} is emptied another time: {fault:?}", self.path.display());
        }
        Ok(swept)
    }

    async fn outbox_due(&self, limit: usize, now: Millis) -> Result<Vec<OutboxEvent>> {
        read!(self, "outbox_due", |conn| outbox::due(conn, limit, now))
    }

    async fn outbox_delivered(&self, event_id: &str) -> Result<bool> {
        write!(self, Normal, "outbox_delivered", |conn| outbox::delivered(conn, event_id))
    }

    async fn outbox_failed(&self, event_id: &str, error: &str, retry_at: Millis) -> Result<bool> {
        write!(self, Normal, "outbox_failed", |conn| outbox::failed(conn, event_id, error, retry_at))
    }

    async fn dead_letters(&self) -> Result<Vec<(OutboxEvent, String)>> {
        read!(self, "dead_letters", |conn| outbox::dead_letters(conn))
    }

    async fn batch(&self, batch_id: &BatchId) -> Result<Option<BatchView>> {
        read!(self, "batch", |conn| reading::batch(conn, batch_id))
    }

    async fn batches(&self, open_only: bool) -> Result<Vec<BatchView>> {
        read!(self, "batches", |conn| reading::batches(conn, open_only))
    }

    async fn open_batch_of(&self, slate: &Slate) -> Result<Option<BatchId>> {
        read!(self, "open_batch_of", |conn| reading::open_batch_of(conn, slate))
    }

    async fn jobs(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<JobView>> {
        read!(self, "jobs", |conn| reading::jobs(conn, batch_id, from, limit))
    }

    async fn staged(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<StagedJob>> {
        let jobs: Vec<JobView> = read!(self, "staged", |conn| reading::jobs(conn, batch_id, from, limit))?;
        Ok(jobs.into_iter().filter_map(crate::record::staged).collect())
    }

    async fn log(&self, batch_id: &BatchId) -> Result<Vec<LogEntry>> {
        read!(self, "log", |conn| reading::log(conn, batch_id))
    }

    async fn leases(&self) -> Result<Vec<LeaseView>> {
        read!(self, "leases", |conn| reading::leases(conn))
    }

    async fn due_index(&self) -> Result<Vec<(DueKey, Millis)>> {
        read!(self, "due_index", |conn| reading::due_index(conn))
    }

    async fn pair(&self, warehouse_id: &str) -> Result<Paired> {
        write!(self, Full, "pair", |conn| reading::pair(conn, warehouse_id))
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        read!(self, "identity", |conn| reading::identity(conn))
    }
}
