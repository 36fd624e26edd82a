//! The whole file as a model, for the differential test.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use proto::Code;
use protocol::Millis;
use protocol::model::{Batch, JobRecord, Lease, Model, OutboxEntry, Place};
use protocol::ops::OutboxEvent;
use sqlx::{Row, SqliteConnection};

use super::fault::{Fault, SqlResult};
use super::row::{BatchRow, json, lease_of, parsed};
use super::{SqliteStore, reading};
use crate::conformance::ExportModel;
use crate::{BatchStore, Result};

#[async_trait]
impl ExportModel for SqliteStore {
    async fn export_model(&self) -> Result<Model> {
        let mut tx = self.readers.begin().await.map_err(Fault::from).map_err(self.error("export", false))?;
        let mut model = export(&mut tx).await.map_err(self.error("export", false))?;
        let identity = self.identity().await?;
        (model.store_id, model.writes) = (identity.store_id, identity.writes);
        model.warehouse_id = identity.warehouse_id;
        Ok(model)
    }
}

async fn export(conn: &mut SqliteConnection) -> SqlResult<Model> {
    let mut model = Model::default();
    let row = sqlx::query("SELECT last_sweep FROM meta").fetch_one(&mut *conn).await?;
    model.last_sweep = row.try_get(0)?;
    for row in &sqlx::query("SELECT * FROM batches").fetch_all(&mut *conn).await? {
        let batch = export_batch(conn, row).await?;
        if batch.state.is_open() {
            model.open_slates.insert(batch.batch_id.slate(), batch.batch_id.clone());
        }
        model.batches.insert(batch.batch_id.clone(), batch);
    }
    for lease in reading::leases(conn).await? {
        let chunk: i64 = sqlx::query("SELECT chunk FROM leases WHERE lower(hex(lease)) = $1")
            .bind(lease.lease.to_string())
            .fetch_one(&mut *conn)
            .await?
            .try_get(0)?;
        let holds = |job: &JobRecord| job.place == Place::Leased(lease.lease);
        let jobs = model.batches.get(&lease.batch_id).map(|batch| batch.jobs.as_slice()).unwrap_or_default();
        let held: BTreeSet<u32> = (0..).zip(jobs).filter(|(_, job)| holds(job)).map(|(n, _)| n).collect();
        assert_eq!(held.len() as u64, lease.held, "held jobs of lease {}", lease.lease);
        let entry = Lease {
            batch_id: lease.batch_id,
            worker: lease.worker,
            claimed_at: lease.claimed_at,
            expires_at: lease.expires_at,
            deadline_at: lease.deadline_at,
            chunk: chunk as usize,
            held,
        };
        model.leases.insert(lease.lease, entry);
    }
    model.due = reading::due_index(conn).await?.into_iter().collect();
    for row in &sqlx::query("SELECT * FROM outbox").fetch_all(&mut *conn).await? {
        let event = OutboxEvent {
            id: row.try_get("id")?,
            payload: row.try_get("payload")?,
            attempts: row.try_get("attempts")?,
            not_before: row.try_get("not_before")?,
        };
        model.outbox.insert(event.id.clone(), OutboxEntry { event, dead: row.try_get("dead")? });
    }
    Ok(model)
}

async fn export_batch(conn: &mut SqliteConnection, row: &sqlx::sqlite::SqliteRow) -> SqlResult<Batch> {
    let head = BatchRow::read(row)?;
    let places =
        sqlx::query("SELECT place, not_before, lease, hangs, alone FROM jobs WHERE batch = $1 ORDER BY key")
            .bind(head.no)
            .fetch_all(&mut *conn)
            .await?;
    let views = reading::jobs(conn, &head.batch_id, 0, usize::MAX).await?;
    assert_eq!(places.len(), views.len(), "every job has a payload");
    let mut jobs = Vec::new();
    let (mut queue, mut leased) = (BTreeSet::new(), BTreeSet::new());
    let mut done: BTreeMap<Code, BTreeSet<u32>> = BTreeMap::new();
    let mut by_id = BTreeMap::new();
    for (place, view) in places.iter().zip(views) {
        by_id.insert(view.id.clone(), view.seq);
        let not_before: Millis = place.try_get("not_before")?;
        let place_of = match (place.try_get::<i64, _>("place")?, view.done) {
            (2, None) => {
                queue.insert((not_before, view.seq));
                Place::Queued(not_before)
            }
            (3, None) => {
                leased.insert(view.seq);
                Place::Leased(lease_of(place.try_get("lease")?)?)
            }
            (4, Some(end)) => {
                done.entry(end.code).or_default().insert(view.seq);
                Place::Done(Box::new(end))
            }
            (place, end) => panic!("job {} is in place {place} with {end:?}", view.seq),
        };
        jobs.push(JobRecord {
            id: view.id,
            payload: view.payload,
            attempts: view.attempts,
            hangs: place.try_get("hangs")?,
            alone: place.try_get("alone")?,
            place: place_of,
        });
    }
    assert_eq!(
        (head.queued, head.leased),
        (queue.len() as i64, leased.len() as i64),
        "figures are set sizes"
    );
    Ok(Batch {
        log: reading::log(conn, &head.batch_id).await?.into(),
        token: parsed(row, "token")?,
        contract_version: row.try_get("contract_version")?,
        pins: json(row, "pins")?,
        request: row.try_get("request")?,
        batch_id: head.batch_id,
        timing: head.timing,
        state: head.state,
        generation: head.generation,
        opened_at: head.opened_at,
        updated_at: head.updated_at,
        finish_by: head.finish_by,
        min_coverage: head.min_coverage,
        whole_slate: head.whole_slate,
        jobs,
        by_id,
        queue,
        leased,
        done,
        staged_rows: head.staged_rows as u64,
        closing: head.closing,
        ticket: head.ticket,
        strikes: head.strikes,
        last_error: head.last_error,
        receipt: head.receipt,
        stale_writes: head.stale_writes as u64,
    })
}
