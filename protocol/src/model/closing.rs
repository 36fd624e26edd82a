//! Closing, tickets, draining, ending: what operators and finalizers do.

use proto::{BatchId, EndState, TicketId};

use super::{Model, OutboxEntry, Place};
use crate::batch::{BatchState, CloseReason, Closing, Mode};
use crate::ops::{Closed, Done, Drained, DueKey, EndAnswer, Grant, OutboxEvent, Patched, Renewed, Ticket};
use crate::verdict::coverage_if_closed_now;
use crate::{MAX_ITEMS_PER_CALL, Millis};

impl Model {
    /// Closes a batch in one step, whatever its size. `min_coverage` replaces the batch's floor; an operator's
    /// close below the floor is refused and changes nothing.
    pub fn close(
        &mut self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Closed {
        self.writes += 1;
        let Some(batch) = self.batches.get_mut(batch_id) else { return Closed::Unknown };
        match batch.state {
            BatchState::Ended(end) => return Closed::Ended(end),
            BatchState::Finalizing => {
                let Some(mut closing) = batch.closing.clone() else { return Closed::Refused(batch.state) };
                if reason == CloseReason::Reset && closing.mode == Mode::Publish {
                    closing.mode = Mode::Discard;
                    closing.reason = CloseReason::Reset;
                    batch.closing = Some(closing.clone());
                    batch.updated_at = now;
                    batch.log(now, "reset while finalizing");
                }
                return Closed::Finalizing(closing);
            }
            BatchState::Filling | BatchState::Running => {}
        }
        if batch.state.next(crate::BatchEvent::Close(reason)).is_err() {
            return Closed::Refused(batch.state);
        }
        if reason == CloseReason::Operator {
            let floor = min_coverage.unwrap_or(batch.min_coverage);
            let coverage = coverage_if_closed_now(&batch.counts(), batch.open());
            if coverage < floor {
                return Closed::BelowCoverage { coverage, min_coverage: floor };
            }
        }
        Closed::Finalizing(self.close_now(batch_id, reason, min_coverage, now))
    }

    pub(super) fn close_now(
        &mut self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Closing {
        let closing = |min_coverage, whole_slate| Closing {
            mode: reason.mode(),
            reason,
            min_coverage,
            whole_slate,
            closed_at: now,
        };
        let Some(batch) = self.batches.get_mut(batch_id) else { return closing(1.0, true) };
        let closing = closing(min_coverage.unwrap_or(batch.min_coverage), batch.whole_slate);
        batch.state = BatchState::Finalizing;
        batch.closing = Some(closing.clone());
        batch.updated_at = now;
        batch.log(now, format!("closed: {}", reason.as_str()));
        self.due.remove(&DueKey::Opener(batch_id.clone()));
        self.due.remove(&DueKey::FinishBy(batch_id.clone()));
        self.due.insert(DueKey::Ticket(batch_id.clone()), now);
        closing
    }

    /// Changes finish-by (from opening) or the coverage floor until the batch is closed.
    pub fn patch(
        &mut self,
        batch_id: &BatchId,
        finish_by_ms: Option<Millis>,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Patched {
        self.writes += 1;
        let Some(batch) = self.batches.get_mut(batch_id) else { return Patched::Unknown };
        if !matches!(batch.state, BatchState::Filling | BatchState::Running) {
            return Patched::Frozen(batch.state);
        }
        if let Some(ms) = finish_by_ms {
            batch.finish_by = batch.opened_at + ms;
        }
        if let Some(floor) = min_coverage {
            batch.min_coverage = floor;
        }
        batch.updated_at = now;
        if batch.state == BatchState::Running {
            self.due.insert(DueKey::FinishBy(batch_id.clone()), batch.finish_by);
        }
        Patched::Patched
    }

    /// Grants the finalizer's ticket, or renews it for its holder. An expired ticket counts as lost.
    pub fn take_ticket(&mut self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Ticket {
        self.writes += 1;
        let Some(batch) = self.batches.get_mut(batch_id) else { return Ticket::Unknown };
        let (BatchState::Finalizing, Some(closing)) = (batch.state, batch.closing.clone()) else {
            return Ticket::NotFinalizing(batch.state);
        };
        match batch.ticket {
            Some((holder, _)) if holder == *ticket => {}
            Some((_, until)) if until > now => return Ticket::Busy { until },
            Some(_) => {
                batch.strikes += 1;
                batch.last_error = "a finalizer was lost".to_owned();
            }
            None => {}
        }
        let until = now + batch.timing.finalizer_lease_ms;
        batch.ticket = Some((*ticket, until));
        let grant = Grant {
            until,
            closing,
            open: batch.open(),
            strikes: batch.strikes,
            last_error: batch.last_error.clone(),
        };
        self.due.insert(DueKey::Ticket(batch_id.clone()), until);
        Ticket::Granted(grant)
    }

    /// Prolongs a ticket for its holder only.
    pub fn renew_ticket(&mut self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Renewed {
        self.writes += 1;
        let Some(batch) = self.batches.get_mut(batch_id) else { return Renewed::Gone };
        match &mut batch.ticket {
            Some((holder, until)) if holder == ticket && batch.state == BatchState::Finalizing => {
                *until = now + batch.timing.finalizer_lease_ms;
                let until = *until;
                self.due.insert(DueKey::Ticket(batch_id.clone()), until);
                Renewed::Until(until)
            }
            _ => Renewed::Gone,
        }
    }

    /// Gives a ticket back. With an error it is a strike; without one, a shutdown. Another finalizer may try from
    /// `retry_at` on.
    pub fn return_ticket(
        &mut self,
        batch_id: &BatchId,
        ticket: &TicketId,
        error: Option<&str>,
        retry_at: Millis,
        now: Millis,
    ) -> bool {
        self.writes += 1;
        let Some(batch) = self.batches.get_mut(batch_id) else { return false };
        if batch.state != BatchState::Finalizing || batch.ticket.map(|(holder, _)| holder) != Some(*ticket) {
            return false;
        }
        batch.ticket = None;
        if let Some(error) = error {
            batch.strikes += 1;
            batch.last_error = error.to_owned();
            batch.log(now, format!("finalizer refused: {error}"));
        }
        self.due.insert(DueKey::Ticket(batch_id.clone()), retry_at);
        true
    }

    /// Ends what is still open with the closing reason, at most 500 jobs a call: waiting ones in order of their
    /// time, then leased ones by number.
    pub fn drain(&mut self, batch_id: &BatchId, ticket: &TicketId, limit: usize, now: Millis) -> Drained {
        self.writes += 1;
        let Some(batch) = self.batches.get(batch_id) else { return Drained::LostTicket };
        let holds = batch.ticket.map(|(holder, _)| holder) == Some(*ticket);
        let (BatchState::Finalizing, Some(closing), true) = (batch.state, batch.closing.clone(), holds)
        else {
            return Drained::LostTicket;
        };
        let waiting = batch.queue.iter().map(|(_, seq)| *seq);
        let open: Vec<u32> =
            waiting.chain(batch.leased.iter().copied()).take(limit.min(MAX_ITEMS_PER_CALL)).collect();
        for seq in &open {
            let attempts = self.batches[batch_id].jobs[*seq as usize].attempts;
            let done = Done {
                code: closing.reason.drain_code(),
                num_rows: 0,
                attempts,
                lease: None,
                digest: String::new(),
                body: Vec::new(),
                note: closing.reason.sentence().to_owned(),
            };
            self.end_job(batch_id, *seq, done, now);
        }
        Drained::Drained { ended: open.len() as u64, left: self.batches[batch_id].open() }
    }

    /// Copies a verdict: the batch is ended, its slate free, its event in the outbox, in one step.
    /// `receipt` and `event` are JSON; `event_id` follows from the batch, so that a repeat adds nothing.
    pub fn end(
        &mut self,
        batch_id: &BatchId,
        end: EndState,
        receipt: &str,
        event_id: &str,
        event: &str,
        now: Millis,
    ) -> EndAnswer {
        self.writes += 1;
        let Some(batch) = self.batches.get_mut(batch_id) else { return EndAnswer::Unknown };
        if let BatchState::Ended(was) = batch.state {
            return if was == end { EndAnswer::AlreadyEnded } else { EndAnswer::Conflict(was) };
        }
        batch.state = BatchState::Ended(end);
        batch.receipt = Some(receipt.to_owned());
        batch.ticket = None;
        batch.updated_at = now;
        batch.log(now, format!("ended: {end}"));
        self.open_slates.retain(|_, open| open != batch_id);
        for key in [DueKey::Opener, DueKey::FinishBy, DueKey::Ticket] {
            self.due.remove(&key(batch_id.clone()));
        }
        self.put_event(event_id, event, now);
        EndAnswer::Ended
    }

    /// Puts an event into the outbox unless it is there.
    pub fn put_event(&mut self, event_id: &str, payload: &str, now: Millis) {
        let event = OutboxEvent {
            id: event_id.to_owned(),
            payload: payload.to_owned(),
            attempts: 0,
            not_before: now,
        };
        self.outbox.entry(event_id.to_owned()).or_insert(OutboxEntry { event, dead: None });
    }

    /// Drops jobs and staged rows of an ended batch; its record and receipt stay.
    pub fn drop_staged(&mut self, batch_id: &BatchId) -> bool {
        self.writes += 1;
        let Some(batch) = self.batches.get_mut(batch_id) else { return false };
        if batch.state.is_open() {
            return false;
        }
        for job in &batch.jobs {
            if let Place::Leased(lease) = job.place
                && self.leases.remove(&lease).is_some()
            {
                self.due.remove(&DueKey::Lease(lease));
            }
        }
        batch.jobs.clear();
        batch.by_id.clear();
        batch.queue.clear();
        batch.leased.clear();
        batch.done.clear();
        batch.staged_rows = 0;
        true
    }

    /// Forgets an ended batch whose event is not waiting any more.
    pub fn forget(&mut self, batch_id: &BatchId) -> bool {
        self.writes += 1;
        let ended = self.batches.get(batch_id).is_some_and(|batch| !batch.state.is_open());
        let waiting = self.outbox.get(&format!("{batch_id}/end")).is_some_and(|entry| entry.dead.is_none());
        if !ended || waiting {
            return false;
        }
        self.drop_staged(batch_id);
        self.batches.remove(batch_id);
        true
    }
}
