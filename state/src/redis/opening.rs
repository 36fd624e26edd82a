//! What an opener does.

use proto::{BatchId, ModelPin, OpenerToken};
use protocol::ops::{Added, NewJob, OpenBatch, Opened, OpenerRefusal, Sealed};
use protocol::{MAX_ITEMS_PER_CALL, MAX_JOBS, Millis};

use super::reply::Reply;
use super::scripts::SCRIPTS;
use super::{RedisStore, state};
use crate::record::encode_job;
use crate::{Result, StoreError, Withdrawn};

/// A pin as one line: what a claim's pins are compared with.
pub(super) fn pin_text(pin: &ModelPin) -> String {
    format!("{}|{}|{}", pin.system_id, pin.market, pin.sha256)
}

fn json<T: serde::Serialize>(what: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::corrupt(what, e))
}

fn refusal(word: &str, reply: &mut Reply) -> Result<OpenerRefusal> {
    Ok(match word {
        "unknown" => OpenerRefusal::Unknown,
        "token" => OpenerRefusal::WrongToken,
        "state" => OpenerRefusal::NotFilling(state(reply)?),
        other => return Err(reply.unknown_answer(other)),
    })
}

impl RedisStore {
    pub(super) async fn open_batch(&self, request: &OpenBatch, now: Millis) -> Result<Opened> {
        let OpenBatch {
            batch_id,
            token,
            timing,
            finish_by_ms,
            min_coverage,
            whole_slate,
            contract_version,
            pins,
            request: body,
        } = request;
        let pin_list: Vec<_> = pins.iter().map(pin_text).collect();
        let call = self
            .script("open", &SCRIPTS.open, now)
            .arg(batch_id.to_string())
            .arg(batch_id.slate().to_string())
            .arg(token.to_string())
            .arg(*finish_by_ms)
            .arg(timing.finalizer_lease_ms)
            .arg(&[("lease_ms", timing.lease_ms), ("job_deadline_ms", timing.job_deadline_ms)])
            .arg(&[("finalizer_lease_ms", timing.finalizer_lease_ms)])
            .arg(&[("max_attempts", timing.max_attempts)])
            .arg(&[("whole_slate", u8::from(*whole_slate))])
            .arg(&[("timing", json("timing", timing)?), ("min_coverage", min_coverage.to_string())])
            .arg(&[("contract", contract_version.as_str()), ("request", body.as_str())])
            .arg(&[("pins", json("pins", pins)?), ("pin_list", pin_list.join("\n"))]);
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "opened" => Opened::Opened,
            "known" => Opened::IdKnown,
            "taken" => Opened::SlateTaken { batch_id: reply.parsed()? },
            other => return Err(reply.unknown_answer(other)),
        })
    }

    pub(super) async fn add(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        jobs: &[NewJob],
        now: Millis,
    ) -> Result<Added> {
        // Too many are refused, but only after the opener is known; an empty call finds that out.
        let too_many = jobs.len() > MAX_ITEMS_PER_CALL;
        let most = if too_many { -1 } else { MAX_JOBS as i64 };
        let mut call = self
            .script("add_jobs", &SCRIPTS.add_jobs, now)
            .arg(batch_id.to_string())
            .arg(token.to_string())
            .arg(most);
        for job in jobs.iter().take(if too_many { 0 } else { jobs.len() }) {
            call = call.arg(job.id.to_string()).arg(encode_job(&job.id, &job.payload));
        }
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "added" => Added::Added { new: reply.parsed()?, total: reply.parsed()? },
            "duplicate" => Added::Duplicate { id: reply.parsed()? },
            "many" => Added::TooMany,
            word => Added::Refused(refusal(word, &mut reply)?),
        })
    }

    pub(super) async fn seal_batch(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        generation: u64,
        num_jobs: u64,
        now: Millis,
    ) -> Result<Sealed> {
        let call = self
            .script("seal", &SCRIPTS.seal, now)
            .arg(batch_id.to_string())
            .arg(token.to_string())
            .arg(generation)
            .arg(num_jobs);
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "sealed" => Sealed::Sealed,
            "missing" => Sealed::Missing { have: reply.parsed()? },
            word => Sealed::Refused(refusal(word, &mut reply)?),
        })
    }

    pub(super) async fn withdraw_batch(&self, batch_id: &BatchId, token: &OpenerToken) -> Result<Withdrawn> {
        let call =
            self.script("withdraw", &SCRIPTS.withdraw, 0).arg(batch_id.to_string()).arg(token.to_string());
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "withdrawn" => Withdrawn::Withdrawn,
            word => Withdrawn::Refused(refusal(word, &mut reply)?),
        })
    }
}
