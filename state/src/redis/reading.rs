//! Views.

use std::collections::HashMap;

use proto::outcome::OutcomeCounts;
use proto::{BatchId, Code, TicketId};
use protocol::batch::Mode;
use protocol::ops::{BatchView, JobView, LeaseView, LogEntry, OutboxEvent};
use protocol::{BatchState, CloseReason, Closing, MAX_ITEMS_PER_CALL, MAX_JOBS, Millis};

use super::RedisStore;
use super::reply::Reply;
use super::scripts::SCRIPTS;
use crate::record::{decode_done, decode_job};
use crate::{Result, StoreError};

/// Reads mode, reason, floor, whole slate, time.
pub(super) fn closing(reply: &mut Reply) -> Result<Closing> {
    let (mode, reason) = (reply.text()?, reply.text()?);
    Ok(Closing {
        mode: match mode.as_str() {
            "publish" => Mode::Publish,
            "discard" => Mode::Discard,
            other => return Err(StoreError::corrupt("closing", format!("mode `{other}`"))),
        },
        reason: CloseReason::parse(&reason).ok_or_else(|| StoreError::corrupt("closing", &reason))?,
        min_coverage: reply.parsed()?,
        whole_slate: reply.parsed::<u8>()? == 1,
        closed_at: reply.parsed()?,
    })
}

pub(super) fn event(reply: &mut Reply) -> Result<OutboxEvent> {
    Ok(OutboxEvent {
        id: reply.text()?,
        payload: reply.text()?,
        attempts: reply.parsed()?,
        not_before: reply.parsed()?,
    })
}

pub(super) fn log_entry(reply: &mut Reply) -> Result<LogEntry> {
    let entry = reply.text()?;
    let (at, text) = entry.split_once(' ').unwrap_or(("", &entry));
    let at = at.parse().map_err(|e| StoreError::corrupt("log", e))?;
    Ok(LogEntry { at, text: text.to_owned() })
}

pub(super) fn lease(reply: &mut Reply) -> Result<LeaseView> {
    Ok(LeaseView {
        lease: reply.parsed()?,
        worker: reply.parsed()?,
        batch_id: reply.parsed()?,
        claimed_at: reply.parsed()?,
        expires_at: reply.parsed()?,
        deadline_at: reply.parsed()?,
        held: reply.parsed()?,
    })
}

/// The fields of a batch's record.
pub(super) struct Record(HashMap<String, String>);

impl Record {
    fn read(reply: Reply) -> Result<Self> {
        Ok(Self(reply.all(|field| Ok((field.text()?, field.text()?)))?.into_iter().collect()))
    }

    pub(super) fn text(&self, name: &str) -> Result<&str> {
        self.0.get(name).map(String::as_str).ok_or_else(|| StoreError::corrupt("batch", format!("no {name}")))
    }

    pub(super) fn parsed<T>(&self, name: &str) -> Result<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.text(name)?.parse().map_err(|e| StoreError::corrupt(format!("batch field {name}"), e))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_str(self.text(name)?)
            .map_err(|e| StoreError::corrupt(format!("batch field {name}"), e))
    }

    fn closing(&self) -> Result<Option<Closing>> {
        if !self.0.contains_key("closing_reason") {
            return Ok(None);
        }
        let fields = ["closing_mode", "closing_reason", "closing_floor", "whole_slate", "closed_at"];
        let mut values = Vec::new();
        for field in fields {
            values.push(redis::Value::BulkString(self.text(field)?.as_bytes().to_vec()));
        }
        closing(&mut Reply::new("batches", redis::Value::Array(values))?).map(Some)
    }

    fn ticket(&self) -> Result<Option<(TicketId, Millis)>> {
        if !self.0.contains_key("ticket") {
            return Ok(None);
        }
        Ok(Some((self.parsed("ticket")?, self.parsed("ticket_until")?)))
    }
}

/// One batch of the `batches` script: its view and its whole record.
fn view(entry: &mut Reply) -> Result<(BatchView, Record)> {
    let mut entry = entry.array()?;
    let batch_id: BatchId = entry.parsed()?;
    let record = Record::read(entry.array()?)?;
    let (total, queued, leased) = (entry.parsed()?, entry.parsed()?, entry.parsed()?);
    let mut reasons: Vec<(Code, u64)> = entry.array()?.all(|pair| Ok((pair.parsed()?, pair.parsed()?)))?;
    reasons.sort_by_key(|(code, _)| code.as_str());
    let mut jobs = OutcomeCounts::default();
    for (code, count) in &reasons {
        jobs.add(code.outcome(), *count);
    }
    let state = record.text("state")?;
    let view = BatchView {
        slate: batch_id.slate(),
        batch_id,
        state: BatchState::parse(state).ok_or_else(|| StoreError::corrupt("state", state))?,
        generation: record.parsed("generation")?,
        total,
        queued,
        leased,
        jobs,
        reasons,
        staged_rows: record.parsed("staged_rows")?,
        opened_at: record.parsed("opened_at")?,
        updated_at: record.parsed("updated_at")?,
        finish_by: record.parsed("finish_by")?,
        min_coverage: record.parsed("min_coverage")?,
        whole_slate: record.parsed::<u8>("whole_slate")? == 1,
        closing: record.closing()?,
        ticket: record.ticket()?,
        strikes: record.parsed("strikes")?,
        last_error: record.text("last_error")?.to_owned(),
        receipt: record.0.get("receipt").cloned(),
        stale_writes: record.parsed("stale_writes")?,
        request: record.text("request")?.to_owned(),
        contract_version: record.text("contract")?.to_owned(),
        pins: record.json("pins")?,
        timing: record.json("timing")?,
    };
    Ok((view, record))
}

impl RedisStore {
    /// Views of one batch, of the open ones or of all, by id.
    pub(super) async fn views(&self, which: &str, batch_id: &str) -> Result<Vec<BatchView>> {
        Ok(self.records(which, batch_id).await?.into_iter().map(|(view, _)| view).collect())
    }

    pub(super) async fn records(&self, which: &str, batch_id: &str) -> Result<Vec<(BatchView, Record)>> {
        let call = self.script("batches", &SCRIPTS.batches, 0).arg(which).arg(batch_id);
        let mut records = self.reply(call).await?.all(view)?;
        records.sort_by(|a, b| a.0.batch_id.cmp(&b.0.batch_id));
        Ok(records)
    }

    /// Jobs by number; long ranges are read in pages, each of which is one view.
    pub(super) async fn job_pages(
        &self,
        batch_id: &BatchId,
        from: u32,
        limit: usize,
    ) -> Result<Vec<JobView>> {
        let mut jobs = Vec::new();
        let mut first = from as usize;
        let end = first.saturating_add(limit).min(MAX_JOBS);
        while first < end {
            let page_end = end.min(first + MAX_ITEMS_PER_CALL);
            let page = self.job_page(batch_id, first, page_end).await?;
            let is_last = page.len() < page_end - first;
            jobs.extend(page);
            if is_last {
                break;
            }
            first = page_end;
        }
        Ok(jobs)
    }

    async fn job_page(&self, batch_id: &BatchId, first: usize, end: usize) -> Result<Vec<JobView>> {
        let call = self.script("jobs", &SCRIPTS.jobs, 0).arg(batch_id.to_string()).arg(first).arg(end);
        let mut reply = self.reply(call).await?;
        let (mut records, mut attempts, mut ends) = (reply.array()?, reply.array()?, reply.array()?);
        let mut jobs = Vec::with_capacity(records.len());
        while !records.is_empty() {
            let (id, payload) = decode_job(&records.bytes()?)?;
            let attempts = attempts.parsed_opt()?.unwrap_or(0);
            let done = ends.bytes_opt()?.map(|record| decode_done(&record, attempts)).transpose()?;
            jobs.push(JobView { seq: (first + jobs.len()) as u32, id, payload, attempts, done });
        }
        Ok(jobs)
    }
}
