//! Jobs that come back unfinished.

use std::collections::BTreeMap;

use proto::{BatchId, Code, LeaseId};
use protocol::ops::{GiveBack, GiveBackAnswer, GiveBackHow, GivenBack};
use protocol::{BatchState, Millis};
use sqlx::{Row, SqliteConnection};

use super::fault::SqlResult;
use super::row::{BatchRow, lease_bytes, to_json};
use super::working::{Ending, end_jobs, leave_lease};

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
    let endings: Vec<_> = over.iter().map(|(seq, code, note)| Ending::by_store(*seq, *code, note)).collect();
    end_jobs(conn, batch, &endings, now).await
}
