//! What operators and finalizers do.

use proto::{BatchId, Code, EndState, TicketId};
use protocol::ops::{Closed, Drained, EndAnswer, Grant, Patched, Ticket};
use protocol::verdict::coverage_if_closed_now;
use protocol::{BatchEvent, BatchState, CloseReason, MAX_ITEMS_PER_CALL, Millis};

use super::reply::Reply;
use super::scripts::SCRIPTS;
use super::{RedisStore, reading, state};
use crate::Result;

fn end_state(reply: &mut Reply) -> Result<EndState> {
    reply.parsed()
}

/// Floors travel as the shortest text that reads back to the same number.
fn floor_text(floor: Option<f64>) -> String {
    floor.map(|floor| floor.to_string()).unwrap_or_default()
}

/// Codes that decide coverage, with their side of it.
fn coverage_kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    Code::ALL.iter().filter_map(|code| match code.outcome() {
        proto::OutcomeKind::Predicted => Some((code.as_str(), "predicted")),
        kind if kind.is_unfinished_work() => Some((code.as_str(), "unfinished")),
        _ => None,
    })
}

impl RedisStore {
    pub(super) async fn close_batch(
        &self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Closed> {
        let legal = |from: BatchState| u8::from(from.next(BatchEvent::Close(reason)).is_ok());
        let mut call = self
            .script("close", &SCRIPTS.close, now)
            .arg(batch_id.to_string())
            .arg(reason.as_str())
            .arg(floor_text(min_coverage))
            .arg(legal(BatchState::Filling))
            .arg(legal(BatchState::Running));
        for (code, kind) in coverage_kinds() {
            call = call.arg(code).arg(kind);
        }
        let mut reply = self.reply(call).await?;
        let word = reply.text()?;
        Ok(match word.as_str() {
            "unknown" => Closed::Unknown,
            "finalizing" => Closed::Finalizing(reading::closing(&mut reply.array()?)?),
            "ended" => Closed::Ended(end_state(&mut reply)?),
            "refused" => Closed::Refused(state(&mut reply)?),
            "below" => {
                let counts =
                    proto::outcome::OutcomeCounts { predicted: reply.parsed()?, ..Default::default() };
                let coverage = coverage_if_closed_now(&counts, reply.parsed()?);
                Closed::BelowCoverage { coverage, min_coverage: reply.parsed()? }
            }
            other => return Err(reply.unknown_answer(other)),
        })
    }

    pub(super) async fn patch_batch(
        &self,
        batch_id: &BatchId,
        finish_by_ms: Option<Millis>,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Patched> {
        let call = self
            .script("patch", &SCRIPTS.patch, now)
            .arg(batch_id.to_string())
            .arg(finish_by_ms.map(|ms| ms.to_string()).unwrap_or_default())
            .arg(floor_text(min_coverage));
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "unknown" => Patched::Unknown,
            "frozen" => Patched::Frozen(state(&mut reply)?),
            "patched" => Patched::Patched,
            other => return Err(reply.unknown_answer(other)),
        })
    }

    pub(super) async fn take(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Ticket> {
        let call = self
            .script("take_ticket", &SCRIPTS.take_ticket, now)
            .arg(batch_id.to_string())
            .arg(ticket.to_string());
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "unknown" => Ticket::Unknown,
            "state" => Ticket::NotFinalizing(state(&mut reply)?),
            "busy" => Ticket::Busy { until: reply.parsed()? },
            "granted" => Ticket::Granted(Grant {
                until: reply.parsed()?,
                closing: reading::closing(&mut reply.array()?)?,
                open: reply.parsed()?,
                strikes: reply.parsed()?,
                last_error: reply.text()?,
            }),
            other => return Err(reply.unknown_answer(other)),
        })
    }

    pub(super) async fn give_ticket_back(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        error: Option<&str>,
        retry_at: Millis,
        now: Millis,
    ) -> Result<bool> {
        let call = self
            .script("return_ticket", &SCRIPTS.return_ticket, now)
            .arg(batch_id.to_string())
            .arg(ticket.to_string())
            .arg(retry_at)
            .arg(u8::from(error.is_some()))
            .arg(error.unwrap_or_default());
        self.flag(call).await
    }

    pub(super) async fn drain_jobs(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        limit: usize,
        now: Millis,
    ) -> Result<Drained> {
        let call = self
            .script("drain", &SCRIPTS.drain, now)
            .arg(batch_id.to_string())
            .arg(ticket.to_string())
            .arg(limit.min(MAX_ITEMS_PER_CALL));
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "lost" => Drained::LostTicket,
            "drained" => Drained::Drained { ended: reply.parsed()?, left: reply.parsed()? },
            other => return Err(reply.unknown_answer(other)),
        })
    }

    pub(super) async fn end_batch(
        &self,
        batch_id: &BatchId,
        end: EndState,
        receipt: &str,
        event_id: &str,
        event: &str,
        now: Millis,
    ) -> Result<EndAnswer> {
        let call = self
            .script("end", &SCRIPTS.end, now)
            .arg(batch_id.to_string())
            .arg(end.as_str())
            .arg(receipt)
            .arg(event_id)
            .arg(event);
        let mut reply = self.reply(call).await?;
        Ok(match reply.text()?.as_str() {
            "unknown" => EndAnswer::Unknown,
            "ended" => EndAnswer::Ended,
            "already" => EndAnswer::AlreadyEnded,
            "conflict" => EndAnswer::Conflict(end_state(&mut reply)?),
            other => return Err(reply.unknown_answer(other)),
        })
    }
}
