//! What operators and finalizers do: close, patch, ticket, drain, end, clean up.

use std::collections::BTreeMap;

use proto::{BatchId, EndState, LeaseId, TicketId};
use protocol::batch::Mode;
use protocol::ops::{Closed, Drained, DueKey, EndAnswer, Grant, Patched, Renewed, Ticket};
use protocol::verdict::coverage_if_closed_now;
use protocol::{BatchEvent, BatchState, CloseReason, MAX_ITEMS_PER_CALL, Millis};
use sqlx::{Row, SqliteConnection};

use super::fault::SqlResult;
use super::row::{BatchRow, count_write, due_remove, due_set};
use super::working::{Ending, end_jobs, holder, leave_lease};
use super::{KEYS_PER_BATCH, opening, outbox, reading};

pub(super) async fn close(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    reason: CloseReason,
    min_coverage: Option<f64>,
    now: Millis,
) -> SqlResult<Closed> {
    let Some(mut batch) = BatchRow::load(conn, batch_id).await? else { return Ok(Closed::Unknown) };
    if let BatchState::Ended(end) = batch.state {
        return Ok(Closed::Ended(end));
    }
    if batch.state == BatchState::Finalizing {
        let Some(mut closing) = batch.closing.clone() else { return Ok(Closed::Refused(batch.state)) };
        if reason == CloseReason::Reset && closing.mode == Mode::Publish {
            closing.mode = Mode::Discard;
            closing.reason = CloseReason::Reset;
            batch.closing = Some(closing.clone());
            batch.updated_at = now;
            batch.log(conn, now, "reset while finalizing").await?;
            batch.save(conn).await?;
        }
        return Ok(Closed::Finalizing(closing));
    }
    if batch.state.next(BatchEvent::Close(reason)).is_err() {
        return Ok(Closed::Refused(batch.state));
    }
    if reason == CloseReason::Operator {
        let floor = min_coverage.unwrap_or(batch.min_coverage);
        let (jobs, _) = reading::counts(conn, batch.no).await?;
        let coverage = coverage_if_closed_now(&jobs, batch.open() as u64);
        if coverage < floor {
            return Ok(Closed::BelowCoverage { coverage, min_coverage: floor });
        }
    }
    let closing = batch.close_now(conn, reason, min_coverage, now).await?;
    batch.save(conn).await?;
    Ok(Closed::Finalizing(closing))
}

pub(super) async fn patch(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    finish_by_ms: Option<Millis>,
    min_coverage: Option<f64>,
    now: Millis,
) -> SqlResult<Patched> {
    let Some(mut batch) = BatchRow::load(conn, batch_id).await? else { return Ok(Patched::Unknown) };
    if !matches!(batch.state, BatchState::Filling | BatchState::Running) {
        return Ok(Patched::Frozen(batch.state));
    }
    if let Some(ms) = finish_by_ms {
        batch.finish_by = batch.opened_at + ms;
    }
    if let Some(floor) = min_coverage {
        batch.min_coverage = floor;
    }
    batch.updated_at = now;
    if batch.state == BatchState::Running {
        due_set(conn, &DueKey::FinishBy(batch_id.clone()), batch.finish_by).await?;
    }
    batch.save(conn).await?;
    Ok(Patched::Patched)
}

pub(super) async fn take_ticket(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    ticket: &TicketId,
    now: Millis,
) -> SqlResult<Ticket> {
    let Some(mut batch) = BatchRow::load(conn, batch_id).await? else { return Ok(Ticket::Unknown) };
    let (BatchState::Finalizing, Some(closing)) = (batch.state, batch.closing.clone()) else {
        return Ok(Ticket::NotFinalizing(batch.state));
    };
    match batch.ticket {
        Some((holder, _)) if holder == *ticket => {}
        Some((_, until)) if until > now => return Ok(Ticket::Busy { until }),
        Some(_) => {
            batch.strikes += 1;
            batch.last_error = "a finalizer was lost".to_owned();
        }
        None => {}
    }
    let until = now + batch.timing.finalizer_lease_ms;
    batch.ticket = Some((*ticket, until));
    batch.save(conn).await?;
    due_set(conn, &DueKey::Ticket(batch_id.clone()), until).await?;
    Ok(Ticket::Granted(Grant {
        until,
        closing,
        open: batch.open() as u64,
        strikes: batch.strikes,
        last_error: batch.last_error,
    }))
}

/// The finalizing batch whose ticket this is.
async fn held(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    ticket: &TicketId,
) -> SqlResult<Option<BatchRow>> {
    let holds = |batch: &BatchRow| {
        batch.state == BatchState::Finalizing && batch.ticket.map(|(holder, _)| holder) == Some(*ticket)
    };
    Ok(BatchRow::load(conn, batch_id).await?.filter(holds))
}

pub(super) async fn renew_ticket(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    ticket: &TicketId,
    now: Millis,
) -> SqlResult<Renewed> {
    let Some(mut batch) = held(conn, batch_id, ticket).await? else { return Ok(Renewed::Gone) };
    let until = now + batch.timing.finalizer_lease_ms;
    batch.ticket = Some((*ticket, until));
    batch.save(conn).await?;
    due_set(conn, &DueKey::Ticket(batch_id.clone()), until).await?;
    Ok(Renewed::Until(until))
}

pub(super) async fn return_ticket(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    ticket: &TicketId,
    error: Option<&str>,
    retry_at: Millis,
    now: Millis,
) -> SqlResult<bool> {
    let Some(mut batch) = held(conn, batch_id, ticket).await? else { return Ok(false) };
    batch.ticket = None;
    if let Some(error) = error {
        batch.strikes += 1;
        batch.last_error = error.to_owned();
        batch.log(conn, now, &format!("finalizer refused: {error}")).await?;
    }
    batch.save(conn).await?;
    due_set(conn, &DueKey::Ticket(batch_id.clone()), retry_at).await?;
    Ok(true)
}

pub(super) async fn drain(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    ticket: &TicketId,
    limit: usize,
    now: Millis,
) -> SqlResult<Drained> {
    let Some(mut batch) = held(conn, batch_id, ticket).await? else { return Ok(Drained::LostTicket) };
    let Some(reason) = batch.closing.as_ref().map(|closing| closing.reason) else {
        return Ok(Drained::LostTicket);
    };
    let limit = limit.min(MAX_ITEMS_PER_CALL) as i64;
    let waiting =
        sqlx::query("SELECT key FROM jobs WHERE batch = $1 AND place = 2 ORDER BY not_before, key LIMIT $2")
            .bind(batch.no)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await?;
    let mut seqs = Vec::with_capacity(limit as usize);
    for row in &waiting {
        seqs.push((row.try_get::<i64, _>("key")? - batch.first_key()) as u32);
    }
    let room = if batch.leased > 0 { limit - seqs.len() as i64 } else { 0 };
    let leased = sqlx::query(
        "SELECT key, lease FROM jobs WHERE key >= $1 AND key < $2 AND place = 3 ORDER BY key LIMIT $3",
    )
    .bind(batch.first_key())
    .bind(batch.first_key() + KEYS_PER_BATCH)
    .bind(room)
    .fetch_all(&mut *conn)
    .await?;
    let mut left_by: BTreeMap<LeaseId, usize> = BTreeMap::new();
    for row in &leased {
        seqs.push((row.try_get::<i64, _>("key")? - batch.first_key()) as u32);
        *left_by.entry(holder(row)?).or_default() += 1;
    }
    let ending = |seq: &u32| Ending::by_store(*seq, reason.drain_code(), reason.sentence());
    let endings: Vec<_> = seqs.iter().map(ending).collect();
    batch.queued -= waiting.len() as i64;
    batch.leased -= leased.len() as i64;
    end_jobs(conn, &mut batch, &endings, now).await?;
    for (lease, num_jobs) in &left_by {
        leave_lease(conn, lease, *num_jobs).await?;
    }
    batch.save(conn).await?;
    Ok(Drained::Drained { ended: seqs.len() as u64, left: batch.open() as u64 })
}

pub(super) async fn end(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    end: EndState,
    receipt: &str,
    (event_id, event): (&str, &str),
    now: Millis,
) -> SqlResult<EndAnswer> {
    let Some(mut batch) = BatchRow::load(conn, batch_id).await? else { return Ok(EndAnswer::Unknown) };
    if let BatchState::Ended(was) = batch.state {
        return Ok(if was == end { EndAnswer::AlreadyEnded } else { EndAnswer::Conflict(was) });
    }
    batch.state = BatchState::Ended(end);
    batch.receipt = Some(receipt.to_owned());
    batch.ticket = None;
    batch.updated_at = now;
    batch.log(conn, now, &format!("ended: {end}")).await?;
    batch.save(conn).await?;
    for key in [DueKey::Opener, DueKey::FinishBy, DueKey::Ticket] {
        due_remove(conn, &key(batch_id.clone())).await?;
    }
    outbox::put(conn, event_id, event, now).await?;
    Ok(EndAnswer::Ended)
}

async fn ended(conn: &mut SqliteConnection, batch_id: &BatchId) -> SqlResult<Option<BatchRow>> {
    Ok(BatchRow::load(conn, batch_id).await?.filter(|batch| !batch.state.is_open()))
}

/// The keys that the next transaction of a clean-up deletes; none when nothing is left.
pub(super) async fn next_to_delete(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    at_once: i64,
) -> SqlResult<Option<(i64, i64)>> {
    let Some(batch) = ended(conn, batch_id).await? else { return Ok(None) };
    let row = sqlx::query("SELECT min(key) FROM payloads WHERE key >= $1 AND key < $2")
        .bind(batch.first_key())
        .bind(batch.first_key() + KEYS_PER_BATCH)
        .fetch_one(conn)
        .await?;
    let first: Option<i64> = row.try_get(0)?;
    Ok(first.map(|first| (first, (first + at_once).min(batch.first_key() + KEYS_PER_BATCH))))
}

/// Deletes one stretch of an ended batch's jobs, and the leases that still hold one of them.
pub(super) async fn delete_jobs(conn: &mut SqliteConnection, from: i64, to: i64) -> SqlResult<()> {
    sqlx::query(
        "DELETE FROM due WHERE key IN \
           (SELECT 'lease:' || lower(hex(lease)) FROM jobs WHERE key >= $1 AND key < $2 AND place = 3); \
         DELETE FROM leases WHERE lease IN (SELECT lease FROM jobs WHERE key >= $1 AND key < $2 AND place = 3); \
         DELETE FROM jobs WHERE key >= $1 AND key < $2; \
         DELETE FROM done WHERE key >= $1 AND key < $2; \
         DELETE FROM payloads WHERE key >= $1 AND key < $2; \
         UPDATE meta SET writes = writes + 1",
    )
    .bind(from)
    .bind(to)
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets the figures of a batch whose jobs are deleted.
pub(super) async fn drop_staged(conn: &mut SqliteConnection, batch_id: &BatchId) -> SqlResult<bool> {
    let Some(mut batch) = ended(conn, batch_id).await? else { return Ok(false) };
    (batch.total, batch.queued, batch.leased, batch.staged_rows) = (0, 0, 0, 0);
    sqlx::query("DELETE FROM reasons WHERE batch = $1").bind(batch.no).execute(&mut *conn).await?;
    batch.save(conn).await?;
    Ok(true)
}

/// True for an ended batch whose end event is not waiting any more.
pub(super) async fn may_forget(conn: &mut SqliteConnection, batch_id: &BatchId) -> SqlResult<bool> {
    if ended(conn, batch_id).await?.is_none() {
        return Ok(false);
    }
    let waiting = sqlx::query("SELECT 1 FROM outbox WHERE id = $1 AND dead IS NULL")
        .bind(format!("{batch_id}/end"))
        .fetch_optional(conn)
        .await?;
    Ok(waiting.is_none())
}

pub(super) async fn forget(conn: &mut SqliteConnection, batch_id: &BatchId) -> SqlResult<bool> {
    if !may_forget(conn, batch_id).await? {
        return Ok(false);
    }
    if let Some(batch) = ended(conn, batch_id).await? {
        opening::delete_batch(conn, &batch).await?;
    }
    count_write(conn).await?;
    Ok(true)
}
