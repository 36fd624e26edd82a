//! What happens by itself.

use proto::{BatchId, Code, LeaseId};
use protocol::ops::{DueKey, Swept};
use protocol::{BatchState, CloseReason, Millis};
use sqlx::{Row, SqliteConnection};

use super::KEYS_PER_BATCH;
use super::fault::SqlResult;
use super::returning::settle;
use super::row::{BatchRow, count_write, due_remove, due_set, lease_bytes, parsed};

pub(super) async fn sweep(
    conn: &mut SqliteConnection,
    lease_ms: Millis,
    watched: &[(DueKey, Millis)],
    limit: usize,
    now: Millis,
) -> SqlResult<Swept> {
    let mut swept = Swept { grace: note_sweep(conn, lease_ms, now).await?, ..Swept::default() };
    let due = due(conn, watched, now).await?;
    swept.more = due.len() > limit;
    for (key, at) in due.into_iter().take(limit) {
        // An earlier entry of this pass may have settled it: a batch that its last lease closed is not due again.
        if !still_due(conn, &key, at).await? {
            continue;
        }
        match key {
            DueKey::Lease(lease) => expire_lease(conn, lease, &mut swept, now).await?,
            DueKey::Opener(batch) => {
                close_due(conn, batch, CloseReason::NeverSealed, &mut swept, now).await?;
            }
            DueKey::FinishBy(batch) => {
                close_due(conn, batch, CloseReason::FinishBy, &mut swept, now).await?;
            }
            DueKey::Ticket(batch) => ask_for_finalizer(conn, batch, &mut swept, now).await?,
        }
    }
    count_write(conn).await?;
    Ok(swept)
}

/// Notes the time of this sweep; true when the gap since the last one called for a grace period.
async fn note_sweep(conn: &mut SqliteConnection, lease_ms: Millis, now: Millis) -> SqlResult<bool> {
    let row = sqlx::query("SELECT last_sweep FROM meta").fetch_one(&mut *conn).await?;
    let last: Option<Millis> = row.try_get(0)?;
    sqlx::query("UPDATE meta SET last_sweep = $1").bind(now).execute(&mut *conn).await?;
    let grace = last.is_some_and(|last| (now - last).abs() > lease_ms);
    if grace {
        sqlx::query(include_str!("../../sql/grace.sql")).bind(now).execute(conn).await?;
    }
    Ok(grace)
}

/// What is due by the clock, and what the caller has watched for its full length; by time, then by key.
async fn due(
    conn: &mut SqliteConnection,
    watched: &[(DueKey, Millis)],
    now: Millis,
) -> SqlResult<Vec<(DueKey, Millis)>> {
    let rows = sqlx::query("SELECT key, at FROM due ORDER BY at, key").fetch_all(conn).await?;
    let mut due = Vec::new();
    for row in &rows {
        let entry = (parsed(row, "key")?, row.try_get("at")?);
        if entry.1 <= now || watched.contains(&entry) {
            due.push(entry);
        }
    }
    Ok(due)
}

async fn still_due(conn: &mut SqliteConnection, key: &DueKey, at: Millis) -> SqlResult<bool> {
    let row = sqlx::query("SELECT 1 FROM due WHERE key = $1 AND at = $2")
        .bind(key.to_string())
        .bind(at)
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

/// A lost lease: its jobs wait again, from then on alone; only a job that was alone is charged.
async fn expire_lease(
    conn: &mut SqliteConnection,
    lease: LeaseId,
    swept: &mut Swept,
    now: Millis,
) -> SqlResult<()> {
    let held = sqlx::query(
        "SELECT l.seqs, l.chunk, b.no, b.batch_id FROM leases l JOIN batches b ON b.no = l.batch WHERE l.lease = $1",
    )
    .bind(lease_bytes(&lease))
    .fetch_optional(&mut *conn)
    .await?;
    due_remove(conn, &DueKey::Lease(lease)).await?;
    let Some(held) = held else { return Ok(()) };
    sqlx::query("DELETE FROM leases WHERE lease = $1").bind(lease_bytes(&lease)).execute(&mut *conn).await?;
    // Closed: the drain ends its jobs.
    let batch = BatchRow::load(conn, &parsed(&held, "batch_id")?).await?;
    let Some(mut batch) = batch.filter(|batch| batch.state == BatchState::Running) else { return Ok(()) };
    let jobs = sqlx::query(
        "SELECT key - $1 AS seq, attempts, hangs FROM jobs \
         WHERE key IN (SELECT $1 + value FROM json_each($2)) AND place = 3 AND lease = $3 ORDER BY key",
    )
    .bind(held.try_get::<i64, _>("no")? * KEYS_PER_BATCH)
    .bind(held.try_get::<&str, _>("seqs")?)
    .bind(lease_bytes(&lease))
    .fetch_all(&mut *conn)
    .await?;
    let charge = u32::from(held.try_get::<i64, _>("chunk")? == 1);
    let (mut back, mut over) = (Vec::new(), Vec::new());
    for row in &jobs {
        let seq: u32 = row.try_get("seq")?;
        let attempts = row.try_get::<u32, _>("attempts")? + charge;
        back.push((seq, now, attempts, row.try_get("hangs")?, 1));
        if attempts >= batch.timing.max_attempts {
            let note = format!("its lease was lost {attempts} times while it was alone");
            over.push((seq, Code::Lease, note));
        }
    }
    let (requeued, ended) = (back.len() - over.len(), over.len());
    batch.log(conn, now, &format!("lease lost: {requeued} jobs wait again, {ended} ended")).await?;
    settle(conn, &mut batch, &back, &over, now).await?;
    swept.requeued += requeued as u64;
    swept.ended += ended as u64;
    if batch.close_if_all_done(conn, now).await? {
        swept.closed.push((batch.batch_id.clone(), CloseReason::AllDone));
    }
    batch.save(conn).await
}

async fn close_due(
    conn: &mut SqliteConnection,
    batch_id: BatchId,
    reason: CloseReason,
    swept: &mut Swept,
    now: Millis,
) -> SqlResult<()> {
    if let Some(mut batch) = BatchRow::load(conn, &batch_id).await? {
        batch.close_now(conn, reason, None, now).await?;
        batch.save(conn).await?;
    }
    swept.closed.push((batch_id, reason));
    Ok(())
}

/// A finalizing batch without a live finalizer; a ticket that ran out is a strike.
async fn ask_for_finalizer(
    conn: &mut SqliteConnection,
    batch_id: BatchId,
    swept: &mut Swept,
    now: Millis,
) -> SqlResult<()> {
    let Some(mut batch) = BatchRow::load(conn, &batch_id).await? else { return Ok(()) };
    if batch.ticket.take().is_some() {
        batch.strikes += 1;
        batch.last_error = "a finalizer was lost".to_owned();
        batch.log(conn, now, "finalizer lost: another one is needed").await?;
        batch.save(conn).await?;
    }
    due_set(conn, &DueKey::Ticket(batch_id.clone()), now).await?;
    swept.need_finalizer.push(batch_id);
    Ok(())
}

/// Open batches whose figures are not the sizes of their sets.
pub(super) async fn audit(conn: &mut SqliteConnection) -> SqlResult<Vec<BatchId>> {
    let rows = sqlx::query(include_str!("../../sql/audit.sql")).fetch_all(conn).await?;
    let mut alarms = rows.iter().map(|row| parsed(row, "batch_id")).collect::<SqlResult<Vec<BatchId>>>()?;
    alarms.sort();
    Ok(alarms)
}
