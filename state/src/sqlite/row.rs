//! The record of a batch as a value: read, changed in Rust, written back within one transaction.

use proto::{BatchId, LeaseId, OpenerToken, TicketId};
use protocol::model::LOG_ENTRIES;
use protocol::ops::{BatchView, DueKey};
use protocol::{BatchState, CloseReason, Closing, Millis, Timing};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::KEYS_PER_BATCH;
use super::fault::SqlResult;
use crate::StoreError;

/// One row of `batches`, without what only views need.
#[derive(Debug, Clone)]
pub(super) struct BatchRow {
    pub(super) no: i64,
    pub(super) batch_id: BatchId,
    pub(super) token: OpenerToken,
    pub(super) timing: Timing,
    pub(super) state: BatchState,
    pub(super) generation: u64,
    pub(super) opened_at: Millis,
    pub(super) updated_at: Millis,
    pub(super) finish_by: Millis,
    pub(super) min_coverage: f64,
    pub(super) whole_slate: bool,
    pub(super) total: i64,
    pub(super) queued: i64,
    pub(super) leased: i64,
    pub(super) staged_rows: i64,
    pub(super) closing: Option<Closing>,
    pub(super) ticket: Option<(TicketId, Millis)>,
    pub(super) strikes: u32,
    pub(super) last_error: String,
    pub(super) receipt: Option<String>,
    pub(super) stale_writes: i64,
}

/// Reads a text column through its one parser.
pub(super) fn parsed<T>(row: &SqliteRow, column: &str) -> SqlResult<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: &str = row.try_get(column)?;
    Ok(text.parse().map_err(|e| StoreError::corrupt(column, e))?)
}

/// Reads a JSON column.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> SqlResult<T> {
    let text: &str = row.try_get(column)?;
    Ok(serde_json::from_str(text).map_err(|e| StoreError::corrupt(column, e))?)
}

/// Writes JSON; our own lists and structs always can be.
pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> SqlResult<String> {
    Ok(serde_json::to_string(value).map_err(|e| StoreError::corrupt("json", e))?)
}

pub(super) fn state(row: &SqliteRow) -> SqlResult<BatchState> {
    let text: &str = row.try_get("state")?;
    Ok(BatchState::parse(text).ok_or_else(|| StoreError::corrupt("state", text))?)
}

impl BatchRow {
    pub(super) fn read(row: &SqliteRow) -> SqlResult<Self> {
        let closing: Option<&str> = row.try_get("closing")?;
        let ticket: Option<&str> = row.try_get("ticket")?;
        let ticket = match (ticket, row.try_get::<Option<Millis>, _>("ticket_until")?) {
            (Some(text), Some(until)) => {
                Some((text.parse().map_err(|e| StoreError::corrupt("ticket", e))?, until))
            }
            _ => None,
        };
        Ok(Self {
            no: row.try_get("no")?,
            batch_id: parsed(row, "batch_id")?,
            token: parsed(row, "token")?,
            timing: json(row, "timing")?,
            state: state(row)?,
            generation: row.try_get::<i64, _>("generation")? as u64,
            opened_at: row.try_get("opened_at")?,
            updated_at: row.try_get("updated_at")?,
            finish_by: row.try_get("finish_by")?,
            min_coverage: row.try_get("min_coverage")?,
            whole_slate: row.try_get("whole_slate")?,
            total: row.try_get("total")?,
            queued: row.try_get("queued")?,
            leased: row.try_get("leased")?,
            staged_rows: row.try_get("staged_rows")?,
            closing: closing
                .map(serde_json::from_str)
                .transpose()
                .map_err(|e| StoreError::corrupt("closing", e))?,
            ticket,
            strikes: row.try_get("strikes")?,
            last_error: row.try_get("last_error")?,
            receipt: row.try_get("receipt")?,
            stale_writes: row.try_get("stale_writes")?,
        })
    }

    pub(super) async fn load(conn: &mut SqliteConnection, batch_id: &BatchId) -> SqlResult<Option<Self>> {
        let row = sqlx::query("SELECT * FROM batches WHERE batch_id = $1")
            .bind(batch_id.to_string())
            .fetch_optional(conn)
            .await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// Writes back everything that can change.
    pub(super) async fn save(&self, conn: &mut SqliteConnection) -> SqlResult<()> {
        let closing = self.closing.as_ref().map(to_json).transpose()?;
        sqlx::query(include_str!("../../sql/save_batch.sql"))
            .bind(self.no)
            .bind(self.state.as_str())
            .bind(self.generation as i64)
            .bind(self.updated_at)
            .bind(self.finish_by)
            .bind(self.min_coverage)
            .bind(self.total)
            .bind(self.queued)
            .bind(self.leased)
            .bind(self.staged_rows)
            .bind(closing)
            .bind(self.ticket.map(|(ticket, _)| ticket.to_string()))
            .bind(self.ticket.map(|(_, until)| until))
            .bind(self.strikes)
            .bind(self.last_error.as_str())
            .bind(self.receipt.as_deref())
            .bind(self.stale_writes)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Jobs that have not ended.
    pub(super) fn open(&self) -> i64 {
        self.queued + self.leased
    }

    /// The first key of this batch's jobs.
    pub(super) fn first_key(&self) -> i64 {
        self.no * KEYS_PER_BATCH
    }

    pub(super) async fn log(&self, conn: &mut SqliteConnection, at: Millis, text: &str) -> SqlResult<()> {
        // The newest entries explain what is; the oldest go first.
        sqlx::query(
            "INSERT INTO log (batch, at, text) VALUES ($1, $2, $3); \
             DELETE FROM log WHERE batch = $1 AND no <= \
               (SELECT no FROM log WHERE batch = $1 ORDER BY no DESC LIMIT 1 OFFSET $4)",
        )
        .bind(self.no)
        .bind(at)
        .bind(text)
        .bind(LOG_ENTRIES as i64)
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Closes the batch, whatever its size; the caller has checked that it may and saves the row.
    pub(super) async fn close_now(
        &mut self,
        conn: &mut SqliteConnection,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> SqlResult<Closing> {
        let closing = Closing {
            mode: reason.mode(),
            reason,
            min_coverage: min_coverage.unwrap_or(self.min_coverage),
            whole_slate: self.whole_slate,
            closed_at: now,
        };
        self.state = BatchState::Finalizing;
        self.closing = Some(closing.clone());
        self.updated_at = now;
        self.log(conn, now, &format!("closed: {}", reason.as_str())).await?;
        due_remove(conn, &DueKey::Opener(self.batch_id.clone())).await?;
        due_remove(conn, &DueKey::FinishBy(self.batch_id.clone())).await?;
        due_set(conn, &DueKey::Ticket(self.batch_id.clone()), now).await?;
        Ok(closing)
    }

    /// Closes the batch if its last open job has ended; the caller saves the row.
    pub(super) async fn close_if_all_done(
        &mut self,
        conn: &mut SqliteConnection,
        now: Millis,
    ) -> SqlResult<bool> {
        let done = self.state == BatchState::Running && self.open() == 0 && self.total > 0;
        if done {
            self.close_now(conn, CloseReason::AllDone, None, now).await?;
        }
        Ok(done)
    }
}

/// Counts a write that changed no batch's record.
pub(super) async fn count_write(conn: &mut SqliteConnection) -> SqlResult<()> {
    sqlx::query("UPDATE meta SET writes = writes + 1").execute(conn).await?;
    Ok(())
}

pub(super) async fn due_set(conn: &mut SqliteConnection, key: &DueKey, at: Millis) -> SqlResult<()> {
    sqlx::query("INSERT OR REPLACE INTO due (key, at) VALUES ($1, $2)")
        .bind(key.to_string())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn due_remove(conn: &mut SqliteConnection, key: &DueKey) -> SqlResult<()> {
    sqlx::query("DELETE FROM due WHERE key = $1").bind(key.to_string()).execute(conn).await?;
    Ok(())
}

/// A lease id as it is stored: sixteen bytes.
pub(super) fn lease_bytes(lease: &LeaseId) -> Vec<u8> {
    // The id's one text form is 32 hexadecimal digits, so this cannot fail; zero is no lease of anybody.
    u128::from_str_radix(&lease.to_string(), 16).unwrap_or(0).to_be_bytes().to_vec()
}

pub(super) fn lease_of(bytes: &[u8]) -> SqlResult<LeaseId> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| StoreError::corrupt("lease", "not 16 bytes"))?;
    Ok(LeaseId::from_random(u128::from_be_bytes(bytes)))
}

/// What a view shows; reasons come from their own table.
pub(super) fn view(row: &SqliteRow) -> SqlResult<(i64, BatchView)> {
    let batch = BatchRow::read(row)?;
    let view = BatchView {
        slate: batch.batch_id.slate(),
        batch_id: batch.batch_id,
        state: batch.state,
        generation: batch.generation,
        total: batch.total as u64,
        queued: batch.queued as u64,
        leased: batch.leased as u64,
        jobs: proto::outcome::OutcomeCounts::default(),
        reasons: Vec::new(),
        staged_rows: batch.staged_rows as u64,
        opened_at: batch.opened_at,
        updated_at: batch.updated_at,
        finish_by: batch.finish_by,
        min_coverage: batch.min_coverage,
        whole_slate: batch.whole_slate,
        closing: batch.closing,
        ticket: batch.ticket,
        strikes: batch.strikes,
        last_error: batch.last_error,
        receipt: batch.receipt,
        stale_writes: batch.stale_writes as u64,
        request: row.try_get("request")?,
        contract_version: row.try_get("contract_version")?,
        pins: json(row, "pins")?,
        timing: batch.timing,
    };
    Ok((batch.no, view))
}
