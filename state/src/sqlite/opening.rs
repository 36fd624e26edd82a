//! What an opener does.

use std::collections::BTreeMap;

use proto::{BatchId, JobId, OpenerToken};
use protocol::ops::{Added, DueKey, NewJob, OpenBatch, Opened, OpenerRefusal, Sealed};
use protocol::{BatchState, MAX_ITEMS_PER_CALL, MAX_JOBS, Millis};
use sqlx::{Row, SqliteConnection};

use super::fault::SqlResult;
use super::row::{BatchRow, count_write, due_remove, due_set, parsed, to_json};
use super::{KEYS_PER_BATCH, reading};
use crate::Withdrawn;

pub(super) async fn open(conn: &mut SqliteConnection, request: &OpenBatch, now: Millis) -> SqlResult<Opened> {
    let batch_id = &request.batch_id;
    if let Some(known) = BatchRow::load(conn, batch_id).await? {
        return Ok(if known.token == request.token { Opened::Opened } else { Opened::IdKnown });
    }
    if let Some(batch_id) = reading::open_batch_of(conn, &batch_id.slate()).await? {
        return Ok(Opened::SlateTaken { batch_id });
    }
    sqlx::query(
        "INSERT INTO batches (batch_id, slate, token, timing, contract_version, pins, request, state, generation, \
         opened_at, updated_at, finish_by, min_coverage, whole_slate, total, queued, leased, staged_rows, strikes, \
         last_error, stale_writes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'filling', 0, $8, $8, $9, $10, $11, 0, 0, 0, 0, 0, '', 0)",
    )
    .bind(batch_id.to_string())
    .bind(batch_id.slate().to_string())
    .bind(request.token.to_string())
    .bind(to_json(&request.timing)?)
    .bind(request.contract_version.as_str())
    .bind(to_json(&request.pins)?)
    .bind(request.request.as_str())
    .bind(now)
    .bind(now + request.finish_by_ms)
    .bind(request.min_coverage)
    .bind(request.whole_slate)
    .execute(&mut *conn)
    .await?;
    if let Some(batch) = BatchRow::load(conn, batch_id).await? {
        batch.log(conn, now, "opened").await?;
    }
    due_set(conn, &DueKey::Opener(batch_id.clone()), now + request.timing.finalizer_lease_ms).await?;
    count_write(conn).await?;
    Ok(Opened::Opened)
}

async fn filling(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    token: &OpenerToken,
) -> SqlResult<Result<BatchRow, (OpenerRefusal, u64)>> {
    let Some(batch) = BatchRow::load(conn, batch_id).await? else {
        return Ok(Err((OpenerRefusal::Unknown, 0)));
    };
    if batch.token != *token {
        return Ok(Err((OpenerRefusal::WrongToken, 0)));
    }
    Ok(match batch.state {
        BatchState::Filling => Ok(batch),
        state => Err((OpenerRefusal::NotFilling(state), batch.generation)),
    })
}

pub(super) async fn add_jobs(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    token: &OpenerToken,
    jobs: &[NewJob],
    now: Millis,
) -> SqlResult<Added> {
    let mut batch = match filling(conn, batch_id, token).await? {
        Ok(batch) => batch,
        Err((refusal, _)) => return Ok(Added::Refused(refusal)),
    };
    if jobs.len() > MAX_ITEMS_PER_CALL {
        return Ok(Added::TooMany);
    }
    let stored = match batch.total {
        0 => BTreeMap::new(),
        _ => payloads_of(conn, batch.no, jobs).await?,
    };
    let mut new: BTreeMap<&JobId, &[u8]> = BTreeMap::new();
    let (mut list, mut bytes) = (Vec::new(), Vec::new());
    for job in jobs {
        let known = stored.get(&job.id).map(Vec::as_slice).or_else(|| new.get(&job.id).copied());
        match known {
            Some(payload) if payload != job.payload => return Ok(Added::Duplicate { id: job.id.clone() }),
            Some(_) => {}
            None => {
                let seq = batch.total + list.len() as i64;
                list.push((seq, &job.id, bytes.len(), job.payload.len()));
                bytes.extend_from_slice(&job.payload);
                new.insert(&job.id, &job.payload);
            }
        }
    }
    if batch.total as usize + list.len() > MAX_JOBS {
        return Ok(Added::TooMany);
    }
    if !list.is_empty() {
        sqlx::query(include_str!("../../sql/add_jobs.sql"))
            .bind(batch.no)
            .bind(to_json(&list)?)
            .bind(bytes)
            .bind(now)
            .execute(&mut *conn)
            .await?;
    }
    batch.total += list.len() as i64;
    batch.queued += list.len() as i64;
    batch.updated_at = now;
    batch.save(conn).await?;
    due_set(conn, &DueKey::Opener(batch_id.clone()), now + batch.timing.finalizer_lease_ms).await?;
    Ok(Added::Added { new: list.len() as u64, total: batch.total as u64 })
}

/// The payloads of those jobs that are there already.
async fn payloads_of(
    conn: &mut SqliteConnection,
    batch_no: i64,
    jobs: &[NewJob],
) -> SqlResult<BTreeMap<JobId, Vec<u8>>> {
    let ids: Vec<_> = jobs.iter().map(|job| &job.id).collect();
    let rows = sqlx::query(
        "SELECT id, payload FROM payloads WHERE batch = $1 AND id IN (SELECT value FROM json_each($2))",
    )
    .bind(batch_no)
    .bind(to_json(&ids)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((parsed(row, "id")?, row.try_get("payload")?))).collect()
}

pub(super) async fn seal(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    token: &OpenerToken,
    generation: u64,
    num_jobs: u64,
    now: Millis,
) -> SqlResult<Sealed> {
    let mut batch = match filling(conn, batch_id, token).await? {
        Ok(batch) => batch,
        // A generation is only set by sealing, so a batch that has one was sealed, whatever came after.
        Err((OpenerRefusal::NotFilling(_), 1..)) => return Ok(Sealed::Sealed),
        Err((refusal, _)) => return Ok(Sealed::Refused(refusal)),
    };
    let have = batch.total as u64;
    if have != num_jobs || have == 0 {
        return Ok(Sealed::Missing { have });
    }
    batch.state = BatchState::Running;
    batch.generation = generation;
    batch.updated_at = now;
    batch.log(conn, now, &format!("sealed generation {generation} with {num_jobs} jobs")).await?;
    due_remove(conn, &DueKey::Opener(batch_id.clone())).await?;
    due_set(conn, &DueKey::FinishBy(batch_id.clone()), batch.finish_by).await?;
    batch.save(conn).await?;
    Ok(Sealed::Sealed)
}

pub(super) async fn withdraw(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    token: &OpenerToken,
) -> SqlResult<Withdrawn> {
    let batch = match filling(conn, batch_id, token).await? {
        Ok(batch) => batch,
        Err((OpenerRefusal::Unknown, _)) => return Ok(Withdrawn::Withdrawn),
        Err((refusal, _)) => return Ok(Withdrawn::Refused(refusal)),
    };
    delete_batch(conn, &batch).await?;
    due_remove(conn, &DueKey::Opener(batch_id.clone())).await?;
    Ok(Withdrawn::Withdrawn)
}

/// Removes a batch and whatever belongs to it.
pub(super) async fn delete_batch(conn: &mut SqliteConnection, batch: &BatchRow) -> SqlResult<()> {
    sqlx::query(
        "DELETE FROM jobs WHERE key >= $2 AND key < $3; \
         DELETE FROM payloads WHERE key >= $2 AND key < $3; \
         DELETE FROM done WHERE key >= $2 AND key < $3; \
         DELETE FROM reasons WHERE batch = $1; \
         DELETE FROM log WHERE batch = $1; \
         DELETE FROM batches WHERE no = $1; \
         UPDATE meta SET writes = writes + 1",
    )
    .bind(batch.no)
    .bind(batch.first_key())
    .bind(batch.first_key() + KEYS_PER_BATCH)
    .execute(conn)
    .await?;
    Ok(())
}
