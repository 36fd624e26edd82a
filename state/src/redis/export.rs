//! The whole shard as a model, for the differential test.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use proto::{Code, LeaseId};
use protocol::Millis;
use protocol::model::{Batch, JobRecord, Lease, Model, OutboxEntry, Place};
use protocol::ops::BatchView;

use super::RedisStore;
use super::reading::{Record, event};
use super::reply::Reply;
use crate::conformance::ExportModel;
use crate::{BatchStore, Result};

#[async_trait]
impl ExportModel for RedisStore {
    async fn export_model(&self) -> Result<Model> {
        let identity = self.identity().await?;
        let mut model = Model {
            store_id: identity.store_id,
            writes: identity.writes,
            warehouse_id: identity.warehouse_id,
            due: self.due_index().await?.into_iter().collect(),
            ..Model::default()
        };
        let mut meta = self.raw("HMGET", &["meta"], &["last_sweep"]).await?;
        model.last_sweep = meta.parsed_opt()?;
        for (slate, batch_id) in self.hash::<proto::BatchId>("slates").await? {
            assert_eq!(slate, batch_id.slate().to_string(), "a slate holds its own batch");
            model.open_slates.insert(batch_id.slate(), batch_id);
        }
        for (view, record) in self.records("all", "").await? {
            let batch = self.export_batch(view, &record).await?;
            model.batches.insert(batch.batch_id.clone(), batch);
        }
        self.export_leases(&mut model).await?;
        self.export_outbox(&mut model).await?;
        Ok(model)
    }
}

impl RedisStore {
    async fn raw(&self, name: &'static str, key: &[&str], args: &[&str]) -> Result<Reply> {
        let mut cmd = redis::cmd(name);
        for key in key {
            cmd.arg(self.key(key));
        }
        cmd.arg(args);
        Reply::new(name, self.send(name, &cmd).await?)
    }

    async fn hash<T>(&self, key: &str) -> Result<HashMap<String, T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let fields = self.raw("HGETALL", &[key], &[]).await?;
        Ok(fields.all(|field| Ok((field.text()?, field.parsed()?)))?.into_iter().collect())
    }

    async fn export_leases(&self, model: &mut Model) -> Result<()> {
        for lease in self.leases().await? {
            let key = format!("lease:{}", lease.lease);
            let chunk = self.raw("HMGET", &[&key], &["chunk"]).await?.parsed()?;
            let holds = |job: &JobRecord| job.place == Place::Leased(lease.lease);
            let jobs =
                model.batches.get(&lease.batch_id).map(|batch| batch.jobs.as_slice()).unwrap_or_default();
            let held: BTreeSet<u32> = (0..).zip(jobs).filter(|(_, job)| holds(job)).map(|(n, _)| n).collect();
            assert_eq!(held.len() as u64, lease.held, "held jobs of lease {}", lease.lease);
            let entry = Lease {
                batch_id: lease.batch_id,
                worker: lease.worker,
                claimed_at: lease.claimed_at,
                expires_at: lease.expires_at,
                deadline_at: lease.deadline_at,
                chunk,
                held,
            };
            model.leases.insert(lease.lease, entry);
        }
        Ok(())
    }

    async fn export_outbox(&self, model: &mut Model) -> Result<()> {
        let dead: HashMap<String, String> = self.hash("outbox:dead").await?;
        let payloads: HashMap<String, String> = self.hash("outbox").await?;
        for (id, payload) in payloads {
            let tries = self.raw("HMGET", &["outbox:tries"], &[&id]).await?.parsed_opt::<u32>()?.unwrap_or(0);
            let index = if dead.contains_key(&id) { "outbox:gone" } else { "outbox:due" };
            let not_before: Millis = self.raw("ZMSCORE", &[index], &[&id]).await?.parsed()?;
            let values = [&id, &payload, &tries.to_string(), &not_before.to_string()];
            let values = values.map(|value| redis::Value::BulkString(value.as_bytes().to_vec()));
            let event = event(&mut Reply::new("export", redis::Value::Array(values.into()))?)?;
            let dead = dead.get(&id).cloned();
            model.outbox.insert(id, OutboxEntry { event, dead });
        }
        Ok(())
    }

    async fn export_batch(&self, view: BatchView, record: &Record) -> Result<Batch> {
        let part = |name: &str| format!("b:{}:{name}", view.batch_id);
        let queued = self.raw("ZRANGE", &[&part("queue")], &["0", "-1", "WITHSCORES"]).await?;
        let waiting: HashMap<u32, Millis> =
            queued.all(|entry| Ok((entry.parsed()?, entry.parsed()?)))?.into_iter().collect();
        let holders: HashMap<String, LeaseId> = self.hash(&part("leased")).await?;
        let hangs: HashMap<String, u32> = self.hash(&part("hangs")).await?;
        let names: HashMap<String, u32> = self.hash(&part("names")).await?;
        let alone: BTreeSet<u32> =
            self.raw("SMEMBERS", &[&part("alone")], &[]).await?.all(Reply::parsed)?.into_iter().collect();
        let mut done: BTreeMap<Code, BTreeSet<u32>> = BTreeMap::new();
        for code in self.raw("SMEMBERS", &[&part("codes")], &[]).await?.all(Reply::parsed::<Code>)? {
            let key = part(&format!("done:{code}"));
            let seqs = self.raw("SMEMBERS", &[&key], &[]).await?.all(Reply::parsed)?;
            done.insert(code, seqs.into_iter().collect());
        }
        let mut jobs = Vec::new();
        let mut by_id = BTreeMap::new();
        for job in self.job_pages(&view.batch_id, 0, usize::MAX).await? {
            assert_eq!(names.get(&job.id.to_string()), Some(&job.seq), "a name leads to its job");
            let key = super::keys::seq(job.seq);
            let place = match (waiting.get(&job.seq), holders.get(&key), job.done) {
                (Some(not_before), None, None) => Place::Queued(*not_before),
                (None, Some(lease), None) => Place::Leased(*lease),
                (None, None, Some(end)) => {
                    let listed = done.get(&end.code).is_some_and(|seqs| seqs.contains(&job.seq));
                    assert!(listed, "job {} is in the set of {}", job.seq, end.code);
                    Place::Done(Box::new(end))
                }
                other => panic!("job {} is in no place or in two: {other:?}", job.seq),
            };
            by_id.insert(job.id.clone(), job.seq);
            jobs.push(JobRecord {
                id: job.id,
                payload: job.payload,
                attempts: job.attempts,
                hangs: hangs.get(&key).copied().unwrap_or(0),
                alone: alone.contains(&job.seq),
                place,
            });
        }
        Ok(Batch {
            log: self.log(&view.batch_id).await?.into(),
            queue: waiting.into_iter().map(|(seq, at)| (at, seq)).collect(),
            leased: holders.keys().filter_map(|seq| seq.parse().ok()).collect(),
            token: record.parsed("token")?,
            batch_id: view.batch_id,
            timing: view.timing,
            contract_version: view.contract_version,
            pins: view.pins,
            request: view.request,
            state: view.state,
            generation: view.generation,
            opened_at: view.opened_at,
            updated_at: view.updated_at,
            finish_by: view.finish_by,
            min_coverage: view.min_coverage,
            whole_slate: view.whole_slate,
            jobs,
            by_id,
            done,
            staged_rows: view.staged_rows,
            closing: view.closing,
            ticket: view.ticket,
            strikes: view.strikes,
            last_error: view.last_error,
            receipt: view.receipt,
            stale_writes: view.stale_writes,
        })
    }
}
