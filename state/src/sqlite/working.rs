//! What a worker does: claim, renew, complete.

use std::collections::{BTreeMap, BTreeSet};

use proto::{BatchId, Code, LeaseId, ModelPin};
use protocol::ops::{
    Chunk, Claim, Claimed, ClaimedJob, Completed, Completion, CompletionAnswer, DueKey, Renewed,
};
use protocol::{BatchState, MAX_ITEMS_PER_CALL, Millis, PROTOCOL_VERSION, Timing};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::KEYS_PER_BATCH;
use super::fault::SqlResult;
use super::row::{BatchRow, count_write, due_set, json, lease_bytes, lease_of, parsed, to_json};
use crate::StoreError;
use crate::record::{decode_done, encode_done, encode_end};

pub(super) async fn claim(conn: &mut SqliteConnection, claim: &Claim, now: Millis) -> SqlResult<Claimed> {
    if let Some(chunk) = chunk_of(conn, &claim.lease).await? {
        count_write(conn).await?;
        return Ok(Claimed::Chunk(chunk));
    }
    let running = sqlx::query(
        "SELECT no, batch_id, timing, contract_version, pins FROM batches \
         WHERE state = 'running' AND finish_by > $1 AND queued > 0 ORDER BY opened_at, batch_id",
    )
    .bind(now)
    .fetch_all(&mut *conn)
    .await?;
    let (mut next_at, mut unservable) = (None, false);
    for row in &running {
        let pins: Vec<ModelPin> = json(row, "pins")?;
        let served = claim.protocol_version == PROTOCOL_VERSION
            && pins.iter().all(|pin| claim.serves.binary_search(pin).is_ok());
        if !served {
            unservable = true;
            continue;
        }
        let no: i64 = row.try_get("no")?;
        let jobs = due_jobs(conn, no, claim.max_jobs.min(MAX_ITEMS_PER_CALL), now).await?;
        if jobs.is_empty() {
            next_at = [next_at, first_due(conn, no).await?].into_iter().flatten().min();
            continue;
        }
        let timing: Timing = json(row, "timing")?;
        let chunk = Chunk {
            batch_id: parsed(row, "batch_id")?,
            contract_version: row.try_get("contract_version")?,
            expires_at: now + timing.lease_ms,
            deadline_at: now + timing.job_deadline_ms,
            timing,
            jobs,
        };
        lease_jobs(conn, no, claim, &chunk, now).await?;
        return Ok(Claimed::Chunk(chunk));
    }
    Ok(Claimed::Nothing { next_at, unservable })
}

/// The due jobs of one chunk: picked in order of their time, a lonely one by itself; listed by number.
async fn due_jobs(
    conn: &mut SqliteConnection,
    batch_no: i64,
    max_jobs: usize,
    now: Millis,
) -> SqlResult<Vec<ClaimedJob>> {
    let rows = sqlx::query(
        "SELECT j.key, j.attempts, p.id, p.payload, j.alone FROM jobs j JOIN payloads p ON p.key = j.key \
         WHERE j.batch = $1 AND j.place = 2 AND j.not_before <= $2 ORDER BY j.not_before, j.key LIMIT $3",
    )
    .bind(batch_no)
    .bind(now)
    .bind(max_jobs as i64)
    .fetch_all(conn)
    .await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        let alone: bool = row.try_get(4)?;
        if alone && !jobs.is_empty() {
            break;
        }
        jobs.push(claimed_job(row, batch_no * KEYS_PER_BATCH)?);
        if alone {
            break;
        }
    }
    jobs.sort_by_key(|job| job.seq);
    Ok(jobs)
}

/// A row of key, attempts, id and payload; by position, because this is the hottest loop of the store.
fn claimed_job(row: &SqliteRow, first_key: i64) -> SqlResult<ClaimedJob> {
    let id: &str = row.try_get(2)?;
    Ok(ClaimedJob {
        seq: (row.try_get::<i64, _>(0)? - first_key) as u32,
        id: id.parse().map_err(|e| StoreError::corrupt("job id", e))?,
        attempts: row.try_get(1)?,
        payload: row.try_get(3)?,
    })
}

async fn first_due(conn: &mut SqliteConnection, batch_no: i64) -> SqlResult<Option<Millis>> {
    let row = sqlx::query("SELECT min(not_before) FROM jobs WHERE batch = $1 AND place = 2")
        .bind(batch_no)
        .fetch_one(conn)
        .await?;
    Ok(row.try_get(0)?)
}

async fn lease_jobs(
    conn: &mut SqliteConnection,
    batch_no: i64,
    claim: &Claim,
    chunk: &Chunk,
    now: Millis,
) -> SqlResult<()> {
    let seqs: Vec<u32> = chunk.jobs.iter().map(|job| job.seq).collect();
    sqlx::query(include_str!("../../sql/lease_jobs.sql"))
        .bind(batch_no)
        .bind(to_json(&seqs)?)
        .bind(lease_bytes(&claim.lease))
        .bind(claim.worker.to_string())
        .bind(now)
        .bind(chunk.expires_at)
        .bind(chunk.deadline_at)
        .bind(seqs.len() as i64)
        .bind(DueKey::Lease(claim.lease).to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// What a lease still holds; none when it is unknown.
async fn chunk_of(conn: &mut SqliteConnection, lease: &LeaseId) -> SqlResult<Option<Chunk>> {
    let held = sqlx::query(
        "SELECT l.seqs, l.expires_at, l.deadline_at, b.no, b.batch_id, b.timing, b.contract_version \
         FROM leases l JOIN batches b ON b.no = l.batch WHERE l.lease = $1",
    )
    .bind(lease_bytes(lease))
    .fetch_optional(&mut *conn)
    .await?;
    let Some(held) = held else { return Ok(None) };
    let first_key = held.try_get::<i64, _>("no")? * KEYS_PER_BATCH;
    let rows = sqlx::query(
        "SELECT j.key, j.attempts, p.id, p.payload FROM jobs j JOIN payloads p ON p.key = j.key \
         WHERE j.key IN (SELECT $1 + value FROM json_each($2)) AND j.place = 3 AND j.lease = $3 ORDER BY j.key",
    )
    .bind(first_key)
    .bind(held.try_get::<&str, _>("seqs")?)
    .bind(lease_bytes(lease))
    .fetch_all(conn)
    .await?;
    Ok(Some(Chunk {
        batch_id: parsed(&held, "batch_id")?,
        contract_version: held.try_get("contract_version")?,
        expires_at: held.try_get("expires_at")?,
        deadline_at: held.try_get("deadline_at")?,
        timing: json(&held, "timing")?,
        jobs: rows.iter().map(|row| claimed_job(row, first_key)).collect::<SqlResult<_>>()?,
    }))
}

pub(super) async fn renew(conn: &mut SqliteConnection, lease: &LeaseId, now: Millis) -> SqlResult<Renewed> {
    let row = sqlx::query(
        "SELECT l.deadline_at, b.timing FROM leases l JOIN batches b ON b.no = l.batch \
         WHERE l.lease = $1 AND b.state = 'running'",
    )
    .bind(lease_bytes(lease))
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Renewed::Gone) };
    let timing: Timing = json(&row, "timing")?;
    let until = (now + timing.lease_ms).min(row.try_get("deadline_at")?);
    sqlx::query("UPDATE leases SET expires_at = $2 WHERE lease = $1")
        .bind(lease_bytes(lease))
        .bind(until)
        .execute(&mut *conn)
        .await?;
    due_set(conn, &DueKey::Lease(*lease), until).await?;
    count_write(conn).await?;
    Ok(Renewed::Until(until))
}

/// A job that ends, as [`end_jobs`] takes it.
pub(super) struct Ending {
    pub(super) seq: u32,
    pub(super) code: Code,
    pub(super) num_rows: u32,
    pub(super) record: Vec<u8>,
}

impl Ending {
    /// A job that the store ends.
    pub(super) fn by_store(seq: u32, code: Code, note: &str) -> Self {
        Self { seq, code, num_rows: 0, record: encode_end(code, note) }
    }
}

/// Longest record, and most bytes of records in one statement: what a packed integer can say.
const RECORD_BYTES: usize = (1 << 20) - 1;
const STATEMENT_BYTES: usize = 1 << 25;

/// Ends jobs: the one function that does, called by completion, retry, sweep and drain. The caller has taken them off
/// `queued` or `leased`, and saves the row.
pub(super) async fn end_jobs(
    conn: &mut SqliteConnection,
    batch: &mut BatchRow,
    endings: &[Ending],
    now: Millis,
) -> SqlResult<()> {
    if endings.is_empty() {
        return Ok(());
    }
    let (mut packed, mut bytes) = (Vec::with_capacity(endings.len()), Vec::new());
    let mut reasons: BTreeMap<Code, i64> = BTreeMap::new();
    for Ending { seq, code, num_rows, record } in endings {
        if record.len() > RECORD_BYTES {
            let what = format!("the result of job {seq} has {} bytes, a job may stage 64 KiB", record.len());
            return Err(StoreError::Refused(what).into());
        }
        if bytes.len() + record.len() > STATEMENT_BYTES {
            insert_ends(conn, batch.no, &std::mem::take(&mut packed), std::mem::take(&mut bytes)).await?;
        }
        packed.push(i64::from(*seq) | (record.len() as i64) << 17 | (bytes.len() as i64) << 37);
        bytes.extend_from_slice(record);
        *reasons.entry(*code).or_default() += 1;
        batch.staged_rows += i64::from(*num_rows);
    }
    insert_ends(conn, batch.no, &packed, bytes).await?;
    for (code, jobs) in reasons {
        sqlx::query(
            "INSERT INTO reasons (batch, code, jobs) VALUES ($1, $2, $3) \
             ON CONFLICT (batch, code) DO UPDATE SET jobs = jobs + excluded.jobs",
        )
        .bind(batch.no)
        .bind(code.as_str())
        .bind(jobs)
        .execute(&mut *conn)
        .await?;
    }
    batch.updated_at = now;
    Ok(())
}

async fn insert_ends(
    conn: &mut SqliteConnection,
    batch_no: i64,
    packed: &[i64],
    bytes: Vec<u8>,
) -> SqlResult<()> {
    sqlx::query(include_str!("../../sql/end_jobs.sql"))
        .bind(batch_no)
        .bind(to_json(packed)?)
        .bind(bytes)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes jobs out of a lease; an empty one goes.
pub(super) async fn leave_lease(
    conn: &mut SqliteConnection,
    lease: &LeaseId,
    num_jobs: usize,
) -> SqlResult<()> {
    if num_jobs == 0 {
        return Ok(());
    }
    sqlx::query(include_str!("../../sql/leave_lease.sql"))
        .bind(lease_bytes(lease))
        .bind(num_jobs as i64)
        .bind(DueKey::Lease(*lease).to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// Where one job of a call stands.
struct Standing {
    held: bool,
    /// Digest of the result, if this lease completed it.
    completed: Option<String>,
}

/// How the jobs of a call stand to a lease. The common case, all held, is one count.
async fn standings(
    conn: &mut SqliteConnection,
    batch: &BatchRow,
    lease: &LeaseId,
    seqs: &BTreeSet<u32>,
) -> SqlResult<BTreeMap<u32, Standing>> {
    let list = to_json(seqs)?;
    let held: i64 = sqlx::query(
        "SELECT count(*) FROM jobs WHERE key IN (SELECT $1 + value FROM json_each($2)) AND place = 3 AND lease = $3",
    )
    .bind(batch.first_key())
    .bind(list.as_str())
    .bind(lease_bytes(lease))
    .fetch_one(&mut *conn)
    .await?
    .try_get(0)?;
    if held as usize == seqs.len() {
        let all_held = |seq: &u32| (*seq, Standing { held: true, completed: None });
        return Ok(seqs.iter().map(all_held).collect());
    }
    let rows = sqlx::query(
        "SELECT j.key, j.place = 3 AND j.lease = $3 AS held, d.record \
         FROM jobs j LEFT JOIN done d ON d.key = j.key \
         WHERE j.key IN (SELECT $1 + value FROM json_each($2))",
    )
    .bind(batch.first_key())
    .bind(list.as_str())
    .bind(lease_bytes(lease))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let seq = (row.try_get::<i64, _>("key")? - batch.first_key()) as u32;
            let record: Option<&[u8]> = row.try_get("record")?;
            let done = record.map(|record| decode_done(record, 0)).transpose()?;
            let completed = done.filter(|done| done.lease == Some(*lease)).map(|done| done.digest);
            Ok((seq, Standing { held: row.try_get("held")?, completed }))
        })
        .collect()
}

pub(super) async fn complete(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    lease: &LeaseId,
    items: &[Completion],
    now: Millis,
) -> SqlResult<Completed> {
    let Some(mut batch) = BatchRow::load(conn, batch_id).await? else {
        let answers = vec![CompletionAnswer::Closed; items.len()];
        return Ok(Completed { answers, closed_batch: false });
    };
    let seqs = items.iter().map(|item| item.seq).collect();
    let mut standings = standings(conn, &batch, lease, &seqs).await?;
    let (mut answers, mut endings) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    let holder = lease.to_string();
    for item in items {
        let standing = standings.get_mut(&item.seq);
        let answer = match standing {
            Some(Standing { completed: Some(digest), .. }) if *digest == item.digest => {
                CompletionAnswer::Repeated
            }
            Some(Standing { completed: Some(_), .. }) => CompletionAnswer::Conflict,
            _ if batch.state != BatchState::Running => CompletionAnswer::Closed,
            Some(standing) if standing.held => {
                *standing = Standing { held: false, completed: Some(item.digest.clone()) };
                CompletionAnswer::Accepted
            }
            _ => CompletionAnswer::Stale,
        };
        match answer {
            CompletionAnswer::Accepted => endings.push(Ending {
                seq: item.seq,
                code: item.code,
                num_rows: item.num_rows,
                record: encode_done(&holder, item),
            }),
            CompletionAnswer::Closed | CompletionAnswer::Stale => batch.stale_writes += 1,
            CompletionAnswer::Conflict => {
                let text = format!("alarm: job {} was completed again with another result", item.seq);
                batch.log(conn, now, &text).await?;
            }
            CompletionAnswer::Repeated => {}
        }
        answers.push(answer);
    }
    batch.leased -= endings.len() as i64;
    end_jobs(conn, &mut batch, &endings, now).await?;
    leave_lease(conn, lease, endings.len()).await?;
    let closed_batch = batch.close_if_all_done(conn, now).await?;
    batch.save(conn).await?;
    Ok(Completed { answers, closed_batch })
}

/// Whose lease a job of the batch is under.
pub(super) fn holder(row: &SqliteRow) -> SqlResult<LeaseId> {
    lease_of(row.try_get("lease")?)
}
