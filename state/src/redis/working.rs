//! What a worker does: claim, complete, give back.

use proto::{BatchId, LeaseId};
use protocol::ops::{
    Chunk, Claim, Claimed, ClaimedJob, Completed, Completion, CompletionAnswer, GiveBack, GiveBackAnswer,
    GiveBackHow, GivenBack,
};
use protocol::{MAX_ITEMS_PER_CALL, Millis, PROTOCOL_VERSION};

use super::RedisStore;
use super::keys::seq;
use super::opening::pin_text;
use super::reply::Reply;
use super::scripts::SCRIPTS;
use crate::record::{decode_job, encode_done};
use crate::{Result, StoreError};

fn chunk(reply: &mut Reply) -> Result<Chunk> {
    let batch_id = reply.parsed()?;
    let contract_version = reply.text()?;
    let (expires_at, deadline_at) = (reply.parsed()?, reply.parsed()?);
    let timing = serde_json::from_str(&reply.text()?).map_err(|e| StoreError::corrupt("timing", e))?;
    let (mut seqs, mut records, mut attempts) = (reply.array()?, reply.array()?, reply.array()?);
    let mut jobs = Vec::with_capacity(seqs.len());
    while !seqs.is_empty() {
        let (id, payload) = decode_job(&records.bytes()?)?;
        // Only jobs that have any are in the hash of attempts; without one the list is empty.
        let charged = if attempts.is_empty() { None } else { attempts.parsed_opt()? };
        jobs.push(ClaimedJob { seq: seqs.parsed()?, id, attempts: charged.unwrap_or(0), payload });
    }
    Ok(Chunk { batch_id, contract_version, expires_at, deadline_at, timing, jobs })
}

impl RedisStore {
    pub(super) async fn claim_chunk(&self, claim: &Claim, now: Millis) -> Result<Claimed> {
        let mut call = self
            .script("claim", &SCRIPTS.claim, now)
            .arg(claim.lease.to_string())
            .arg(claim.worker.to_string())
            .arg(u8::from(claim.protocol_version == PROTOCOL_VERSION))
            .arg(claim.max_jobs.min(MAX_ITEMS_PER_CALL));
        // The protocol finds pins by binary search: in a list that is not sorted it finds what comes after its like.
        let sorted: Vec<_> =
            claim.serves.iter().filter(|pin| claim.serves.binary_search(pin).is_ok()).collect();
        for pin in sorted {
            call = call.arg(pin_text(pin));
        }
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "chunk" => Claimed::Chunk(chunk(&mut reply)?),
            "nothing" => {
                Claimed::Nothing { next_at: reply.parsed_opt()?, unservable: reply.parsed::<u8>()? == 1 }
            }
            other => return Err(reply.unknown_answer(other)),
        })
    }

    pub(super) async fn complete_jobs(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[Completion],
        now: Millis,
    ) -> Result<Completed> {
        let holder = lease.to_string();
        let seqs: Vec<String> = items.iter().map(|item| seq(item.seq)).collect();
        let mut call = self
            .script("complete", &SCRIPTS.complete, now)
            .arg(batch_id.to_string())
            .arg(holder.as_str())
            .arg(items.len());
        for number in &seqs {
            call.cmd.arg(number);
        }
        for item in items {
            call.cmd.arg(item.code.as_str());
        }
        for item in items {
            call.cmd.arg(item.num_rows);
        }
        for (number, item) in seqs.iter().zip(items) {
            call.cmd.arg(number).arg(encode_done(&holder, item));
        }
        let mut reply = self.reply(call).await?;
        let closed_batch = reply.parsed::<u8>()? == 1;
        let _accepted: u64 = reply.parsed()?;
        let answers = if reply.is_empty() {
            vec![CompletionAnswer::Accepted; items.len()]
        } else {
            reply.array()?.all(completion_answer)?
        };
        Ok(Completed { answers, closed_batch })
    }

    pub(super) async fn give_jobs_back(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[GiveBack],
        now: Millis,
    ) -> Result<GivenBack> {
        let mut call = self
            .script("give_back", &SCRIPTS.give_back, now)
            .arg(batch_id.to_string())
            .arg(lease.to_string())
            .arg(items.len());
        for item in items {
            call = call.arg(seq(item.seq));
            call = match &item.how {
                GiveBackHow::Release => call.arg("release").arg(0).arg("").arg(""),
                GiveBackHow::Retry { code, error, delay_ms } => {
                    call.arg("retry").arg(*delay_ms).arg(code.as_str()).arg(error.as_str())
                }
                GiveBackHow::Hang { delay_ms } => call.arg("hang").arg(*delay_ms).arg("").arg(""),
            };
        }
        let mut reply = self.reply(call).await?;
        let closed_batch = reply.parsed::<u8>()? == 1;
        let answers = reply.array()?.all(|answer| {
            Ok(match answer.text()?.as_str() {
                "queued" => GiveBackAnswer::Queued,
                "ended" => GiveBackAnswer::Ended,
                "stale" => GiveBackAnswer::Stale,
                "closed" => GiveBackAnswer::Closed,
                other => return Err(answer.unknown_answer(other)),
            })
        })?;
        Ok(GivenBack { answers, closed_batch })
    }
}

fn completion_answer(answer: &mut Reply) -> Result<CompletionAnswer> {
    Ok(match answer.text()?.as_str() {
        "accepted" => CompletionAnswer::Accepted,
        "repeated" => CompletionAnswer::Repeated,
        "conflict" => CompletionAnswer::Conflict,
        "closed" => CompletionAnswer::Closed,
        "stale" => CompletionAnswer::Stale,
        other => return Err(answer.unknown_answer(other)),
    })
}
