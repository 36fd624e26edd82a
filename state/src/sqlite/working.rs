//! What a worker does: claim, renew, complete, give back.

use std::collections::{BTreeMap, BTreeSet};

use proto::{BatchId, Code, LeaseId, ModelPin};
use protocol::ops::{
    Chunk, Claim, Claimed, ClaimedJob, Completed, Completion, CompletionAnswer, DueKey, GiveBack,
    GiveBackAnswer, GiveBackHow, GivenBack, Renewed,
};
use protocol::{BatchState, MAX_ITEMS_PER_CALL, Millis, PROTOCOL_VERSION, Timing};
use sqlx::{Row, SqliteConnection};

use super::KEYS_PER_BATCH;
use super::fault::SqlResult;
use super::row::{BatchRow, count_write, due_set, json, lease_bytes, lease_of, parsed, to_json};

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
        "SELECT j.key, j.alone, j.attempts, p.id, p.payload FROM jobs j JOIN payloads p ON p.key = j.key \
         WHERE j.batch = $1 AND j.place = 2 AND j.not_before <= $2 ORDER BY j.not_before, j.key LIMIT $3",
    )
    .bind(batch_no)
    .bind(now)
    .bind(max_jobs as i64)
    .fetch_all(conn)
    .await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        let alone: bool = row.try_get("alone")?;
        if alone && !jobs.is_empty() {
            break;
        }
        jobs.push(ClaimedJob {
            seq: (row.try_get::<i64, _>("key")? - batch_no * KEYS_PER_BATCH) as u32,
            id: parsed(row, "id")?,
            attempts: row.try_get("attempts")?,
            payload: row.try_get("payload")?,
        });
        if alone {
            break;
        }
    }
    jobs.sort_by_key(|job| job.seq);
    Ok(jobs)
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
    let job = |row| -> SqlResult<ClaimedJob> {
        let row: &sqlx::sqlite::SqliteRow = row;
        Ok(ClaimedJob {
            seq: (row.try_get::<i64, _>("key")? - first_key) as u32,
            id: parsed(row, "id")?,
            attempts: row.try_get("attempts")?,
            payload: row.try_get("payload")?,
        })
    };
    Ok(Some(Chunk {
        batch_id: parsed(&held, "batch_id")?,
        contract_version: held.try_get("contract_version")?,
        expires_at: held.try_get("expires_at")?,
        deadline_at: held.try_get("deadline_at")?,
        timing: json(&held, "timing")?,
        jobs: rows.iter().map(job).collect::<SqlResult<_>>()?,
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
pub(super) struct Ending<'a> {
    pub(super) seq: u32,
    pub(super) code: Code,
    pub(super) num_rows: u32,
    pub(super) digest: &'a str,
    pub(super) note: &'a str,
    pub(super) body: &'a [u8],
}

/// Ends jobs: the one function that does, called by completion, retry, sweep and drain. `lease` is who completed them,
/// none when the store does. The caller has taken them off `queued` or `leased`, and saves the row.
pub(super) async fn end_jobs(
    conn: &mut SqliteConnection,
    batch: &mut BatchRow,
    endings: &[Ending<'_>],
    lease: Option<&LeaseId>,
    now: Millis,
) -> SqlResult<()> {
    if endings.is_empty() {
        return Ok(());
    }
    let mut bytes = Vec::with_capacity(endings.iter().map(|ending| ending.body.len()).sum());
    let mut list = Vec::with_capacity(endings.len());
    for Ending { seq, code, num_rows, digest, note, body } in endings {
        list.push((seq, code.as_str(), num_rows, digest, note, bytes.len(), body.len()));
        bytes.extend_from_slice(body);
        batch.staged_rows += i64::from(*num_rows);
    }
    sqlx::query(include_str!("../../sql/end_jobs.sql"))
        .bind(batch.no)
        .bind(to_json(&list)?)
        .bind(bytes)
        .bind(lease.map(lease_bytes))
        .execute(conn)
        .await?;
    batch.updated_at = now;
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
        "SELECT j.key, j.place = 3 AND j.lease = $3 AS held, d.digest \
         FROM jobs j LEFT JOIN done d ON d.key = j.key AND d.lease = $3 \
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
            Ok((seq, Standing { held: row.try_get("held")?, completed: row.try_get("digest")? }))
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
                digest: &item.digest,
                note: "",
                body: &item.body,
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
    end_jobs(conn, &mut batch, &endings, Some(lease), now).await?;
    leave_lease(conn, lease, endings.len()).await?;
    let closed_batch = batch.close_if_all_done(conn, now).await?;
    batch.save(conn).await?;
    Ok(Completed { answers, closed_batch })
}

/// What is remembered of a job between its attempts.
#[derive(Clone, Copy)]
struct Trouble {
    attempts: u32,
    hangs: u32,
    alone: bool,
}

pub(super) async fn give_back(
    conn: &mut SqliteConnection,
    batch_id: &BatchId,
    lease: &LeaseId,
    items: &[GiveBack],
    now: Millis,
) -> SqlResult<GivenBack> {
    let batch = BatchRow::load(conn, batch_id).await?;
    let Some(mut batch) = batch.filter(|batch| batch.state == BatchState::Running) else {
        return Ok(GivenBack { answers: vec![GiveBackAnswer::Closed; items.len()], closed_batch: false });
    };
    let was_alone = sqlx::query("SELECT chunk = 1 FROM leases WHERE lease = $1")
        .bind(lease_bytes(lease))
        .fetch_optional(&mut *conn)
        .await?;
    let was_alone = was_alone.map(|row| row.try_get::<bool, _>(0)).transpose()?.unwrap_or(false);
    let mut held = held_of(conn, &batch, lease, items).await?;
    let (mut answers, mut back, mut over) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        // Taken out: a job named twice in one call is held by nobody the second time.
        let Some(trouble) = held.remove(&item.seq) else {
            answers.push(GiveBackAnswer::Stale);
            continue;
        };
        let (trouble, fate) = judge(trouble, item, was_alone, batch.timing.max_attempts, now);
        answers.push(if fate.is_err() { GiveBackAnswer::Ended } else { GiveBackAnswer::Queued });
        let not_before = *fate.as_ref().unwrap_or(&now);
        back.push((item.seq, not_before, trouble.attempts, trouble.hangs, u8::from(trouble.alone)));
        if let Err((code, note)) = fate {
            over.push((item.seq, code, note));
        }
    }
    settle(conn, &mut batch, &back, &over, now).await?;
    leave_lease(conn, lease, back.len()).await?;
    let closed_batch = batch.close_if_all_done(conn, now).await?;
    batch.save(conn).await?;
    Ok(GivenBack { answers, closed_batch })
}

/// What an unfinished attempt makes of a job: when it may be tried again, or how it ends.
fn judge(
    mut trouble: Trouble,
    item: &GiveBack,
    was_alone: bool,
    max_attempts: u32,
    now: Millis,
) -> (Trouble, Result<Millis, (Code, String)>) {
    let fate = match &item.how {
        GiveBackHow::Release => Ok(now),
        GiveBackHow::Retry { code, error, delay_ms } => {
            trouble.alone = true;
            trouble.attempts += 1;
            if trouble.attempts >= max_attempts { Err((*code, error.clone())) } else { Ok(now + delay_ms) }
        }
        GiveBackHow::Hang { delay_ms } => {
            trouble.alone = true;
            trouble.attempts += u32::from(was_alone);
            trouble.hangs += u32::from(was_alone);
            if trouble.hangs >= 2 || trouble.attempts >= max_attempts {
                Err((Code::Hang, format!("silent past its deadline {} times", trouble.hangs)))
            } else {
                Ok(now + delay_ms)
            }
        }
    };
    (trouble, fate)
}

async fn held_of(
    conn: &mut SqliteConnection,
    batch: &BatchRow,
    lease: &LeaseId,
    items: &[GiveBack],
) -> SqlResult<BTreeMap<u32, Trouble>> {
    let seqs: Vec<u32> = items.iter().map(|item| item.seq).collect();
    let rows = sqlx::query(
        "SELECT key, attempts, hangs, alone FROM jobs \
         WHERE key IN (SELECT $1 + value FROM json_each($2)) AND place = 3 AND lease = $3",
    )
    .bind(batch.first_key())
    .bind(to_json(&seqs)?)
    .bind(lease_bytes(lease))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let seq = (row.try_get::<i64, _>("key")? - batch.first_key()) as u32;
            let trouble = Trouble {
                attempts: row.try_get("attempts")?,
                hangs: row.try_get("hangs")?,
                alone: row.try_get("alone")?,
            };
            Ok((seq, trouble))
        })
        .collect()
}

/// Takes leased jobs out of their place: all of `back` into the queue, then those of `over` to their end. Entries of
/// `back` are number, not-before, attempts, hangs, alone. The caller saves the row.
pub(super) async fn settle(
    conn: &mut SqliteConnection,
    batch: &mut BatchRow,
    back: &[(u32, Millis, u32, u32, u8)],
    over: &[(u32, Code, String)],
    now: Millis,
) -> SqlResult<()> {
    if back.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("../../sql/requeue.sql"))
        .bind(batch.no)
        .bind(to_json(back)?)
        .execute(&mut *conn)
        .await?;
    batch.updated_at = now;
    batch.leased -= back.len() as i64;
    batch.queued += (back.len() - over.len()) as i64;
    let endings: Vec<_> = over
        .iter()
        .map(|(seq, code, note)| Ending { seq: *seq, code: *code, num_rows: 0, digest: "", note, body: &[] })
        .collect();
    end_jobs(conn, batch, &endings, None, now).await
}

/// Whose lease a job of the batch is under.
pub(super) fn holder(row: &sqlx::sqlite::SqliteRow) -> SqlResult<LeaseId> {
    lease_of(row.try_get("lease")?)
}
