//! Views.

use std::collections::BTreeMap;

use proto::outcome::OutcomeCounts;
use proto::{BatchId, Code, Slate};
use protocol::Millis;
use protocol::ops::{BatchView, DueKey, JobView, LeaseView, LogEntry, StoreIdentity};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::KEYS_PER_BATCH;
use super::fault::SqlResult;
use super::row::{BatchRow, count_write, lease_of, parsed, view};
use crate::Paired;
use crate::record::decode_done;

/// Ended jobs of a batch by kind and, sorted by its text, by primary code.
pub(super) async fn counts(
    conn: &mut SqliteConnection,
    batch_no: i64,
) -> SqlResult<(OutcomeCounts, Vec<(Code, u64)>)> {
    let rows = sqlx::query("SELECT code, jobs FROM reasons WHERE batch = $1 ORDER BY code")
        .bind(batch_no)
        .fetch_all(conn)
        .await?;
    let mut counts = OutcomeCounts::default();
    let mut reasons = Vec::with_capacity(rows.len());
    for row in &rows {
        let (code, jobs): (Code, i64) = (parsed(row, "code")?, row.try_get("jobs")?);
        counts.add(code.outcome(), jobs as u64);
        reasons.push((code, jobs as u64));
    }
    Ok((counts, reasons))
}

async fn complete_view(conn: &mut SqliteConnection, row: &SqliteRow) -> SqlResult<BatchView> {
    let (no, mut view) = view(row)?;
    (view.jobs, view.reasons) = counts(conn, no).await?;
    Ok(view)
}

pub(super) async fn batch(conn: &mut SqliteConnection, batch_id: &BatchId) -> SqlResult<Option<BatchView>> {
    let row = sqlx::query("SELECT * FROM batches WHERE batch_id = $1")
        .bind(batch_id.to_string())
        .fetch_optional(&mut *conn)
        .await?;
    match row {
        Some(row) => complete_view(conn, &row).await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn batches(conn: &mut SqliteConnection, open_only: bool) -> SqlResult<Vec<BatchView>> {
    let query = if open_only {
        "SELECT * FROM batches WHERE state IN ('filling', 'running', 'finalizing')"
    } else {
        "SELECT * FROM batches"
    };
    let mut views = BTreeMap::new();
    for row in &sqlx::query(query).fetch_all(&mut *conn).await? {
        let view = complete_view(conn, row).await?;
        views.insert(view.batch_id.clone(), view);
    }
    Ok(views.into_values().collect())
}

pub(super) async fn open_batch_of(conn: &mut SqliteConnection, slate: &Slate) -> SqlResult<Option<BatchId>> {
    let row = sqlx::query(
        "SELECT batch_id FROM batches WHERE slate = $1 AND state IN ('filling', 'running', 'finalizing')",
    )
    .bind(slate.to_string())
    .fetch_optional(conn)
    .await?;
    row.map(|row| parsed(&row, "batch_id")).transpose()
}

pub(super) async fn jobs(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    from: u32,
    limit: usize,
) -> SqlResult<Vec<JobView>> {
    let Some(batch) = BatchRow::load(conn, batch_id).await? else { return Ok(Vec::new()) };
    let first = i64::from(from).min(KEYS_PER_BATCH);
    let end = first.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX)).min(KEYS_PER_BATCH);
    let rows = sqlx::query(
        "SELECT j.key, j.attempts, p.id, p.payload, d.record \
         FROM jobs j JOIN payloads p ON p.key = j.key LEFT JOIN done d ON d.key = j.key \
         WHERE j.key >= $1 AND j.key < $2 ORDER BY j.key",
    )
    .bind(batch.first_key() + first)
    .bind(batch.first_key() + end)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| job(row, batch.first_key())).collect()
}

fn job(row: &SqliteRow, first_key: i64) -> SqlResult<JobView> {
    let attempts: u32 = row.try_get("attempts")?;
    let record: Option<&[u8]> = row.try_get("record")?;
    let done = record.map(|record| decode_done(record, attempts)).transpose()?;
    Ok(JobView {
        seq: (row.try_get::<i64, _>("key")? - first_key) as u32,
        id: parsed(row, "id")?,
        payload: row.try_get("payload")?,
        attempts,
        done,
    })
}

pub(super) async fn log(conn: &mut SqliteConnection, batch_id: &BatchId) -> SqlResult<Vec<LogEntry>> {
    let rows = sqlx::query(
        "SELECT l.at, l.text FROM log l JOIN batches b ON b.no = l.batch WHERE b.batch_id = $1 ORDER BY l.no",
    )
    .bind(batch_id.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok(LogEntry { at: row.try_get("at")?, text: row.try_get("text")? })).collect()
}

pub(super) async fn leases(conn: &mut SqliteConnection) -> SqlResult<Vec<LeaseView>> {
    let rows =
        sqlx::query("SELECT l.*, b.batch_id FROM leases l JOIN batches b ON b.no = l.batch ORDER BY l.lease")
            .fetch_all(conn)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(LeaseView {
                lease: lease_of(row.try_get("lease")?)?,
                worker: parsed(row, "worker")?,
                batch_id: parsed(row, "batch_id")?,
                claimed_at: row.try_get("claimed_at")?,
                expires_at: row.try_get("expires_at")?,
                deadline_at: row.try_get("deadline_at")?,
                held: row.try_get::<i64, _>("held")? as u64,
            })
        })
        .collect()
}

pub(super) async fn due_index(conn: &mut SqliteConnection) -> SqlResult<Vec<(DueKey, Millis)>> {
    let rows = sqlx::query("SELECT key, at FROM due ORDER BY at, key").fetch_all(conn).await?;
    rows.iter().map(|row| Ok((parsed(row, "key")?, row.try_get("at")?))).collect()
}

pub(super) async fn pair(conn: &mut SqliteConnection, warehouse_id: &str) -> SqlResult<Paired> {
    let known = identity(conn).await?.warehouse_id;
    if let Some(other) = known.filter(|known| known != warehouse_id) {
        return Ok(Paired::Other { warehouse_id: other });
    }
    sqlx::query("UPDATE meta SET warehouse_id = $1").bind(warehouse_id).execute(&mut *conn).await?;
    count_write(conn).await?;
    Ok(Paired::Paired)
}

pub(super) async fn identity(conn: &mut SqliteConnection) -> SqlResult<StoreIdentity> {
    let row = sqlx::query("SELECT store_id, writes, warehouse_id FROM meta").fetch_one(conn).await?;
    Ok(StoreIdentity {
        store_id: row.try_get("store_id")?,
        writes: row.try_get::<i64, _>("writes")? as u64,
        warehouse_id: row.try_get("warehouse_id")?,
    })
}
