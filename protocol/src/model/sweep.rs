//! The sweep: what happens by itself. Any instance, any time, no lock; each step is checked again where it is done.

use std::collections::BTreeMap;

use proto::{BatchId, Code, LeaseId};

use super::Model;
use super::working::Attempt;
use crate::Millis;
use crate::batch::{BatchState, CloseReason};
use crate::ops::{DueKey, Swept};

impl Model {
    /// One pass over the due index, at most `limit` entries.
    ///
    /// `watched` are entries that the calling instance has seen unchanged for their full length on its own
    /// stopwatch: they count as due even if the store's clock stands still. After a gap longer than `lease_ms`
    /// since the last sweep (outage, sleep, moved clock) every lease first gets one full length from now;
    /// finish-by is never extended.
    pub fn sweep(
        &mut self,
        lease_ms: Millis,
        watched: &[(DueKey, Millis)],
        limit: usize,
        now: Millis,
    ) -> Swept {
        self.writes += 1;
        let mut swept = Swept { grace: self.note_sweep(lease_ms, now), ..Swept::default() };
        let is_due = |(key, at): &(DueKey, Millis)| *at <= now || watched.contains(&(key.clone(), *at));
        let due: Vec<_> = self.due_index().into_iter().filter(is_due).collect();
        swept.more = due.len() > limit;
        for (key, at) in due.into_iter().take(limit) {
            // An earlier entry of this pass may have settled it: a batch that its last lease closed is not due again.
            if self.due.get(&key) != Some(&at) {
                continue;
            }
            match key {
                DueKey::Lease(lease) => self.expire_lease(lease, &mut swept, now),
                DueKey::Opener(batch) => self.close_due(batch, CloseReason::NeverSealed, &mut swept, now),
                DueKey::FinishBy(batch) => self.close_due(batch, CloseReason::FinishBy, &mut swept, now),
                DueKey::Ticket(batch) => self.ask_for_finalizer(batch, &mut swept, now),
            }
        }
        for (batch_id, batch) in &self.batches {
            let placed = batch.open() + batch.counts().total();
            if batch.state.is_open() && placed != batch.jobs.len() as u64 {
                swept.alarms.push(batch_id.clone());
            }
        }
        swept
    }

    /// Notes the time of this sweep; true when the gap since the last one called for a grace period.
    fn note_sweep(&mut self, lease_ms: Millis, now: Millis) -> bool {
        let gap = self.last_sweep.map_or(0, |last| now - last);
        self.last_sweep = Some(now);
        if gap.abs() <= lease_ms {
            return false;
        }
        let timing: BTreeMap<BatchId, (Millis, Millis)> = self
            .batches
            .iter()
            .map(|(id, batch)| (id.clone(), (batch.timing.lease_ms, batch.timing.finalizer_lease_ms)))
            .collect();
        for (lease_id, lease) in &mut self.leases {
            let (lease_ms, _) = timing.get(&lease.batch_id).copied().unwrap_or((0, 0));
            lease.expires_at = lease.expires_at.max(now + lease_ms);
            lease.deadline_at = lease.deadline_at.max(lease.expires_at);
            self.due.insert(DueKey::Lease(*lease_id), lease.expires_at);
        }
        for (batch_id, (_, finalizer_lease_ms)) in timing {
            let until = now + finalizer_lease_ms;
            if let Some(at) = self.due.get_mut(&DueKey::Opener(batch_id.clone())) {
                *at = (*at).max(until);
            }
            if let Some(batch) = self.batches.get_mut(&batch_id)
                && let Some((_, ticket_until)) = &mut batch.ticket
            {
                *ticket_until = (*ticket_until).max(until);
                self.due.insert(DueKey::Ticket(batch_id), *ticket_until);
            }
        }
        true
    }

    /// A lost lease: its jobs wait again, from then on alone; only a job that was alone is charged.
    fn expire_lease(&mut self, lease_id: LeaseId, swept: &mut Swept, now: Millis) {
        let Some(lease) = self.leases.remove(&lease_id) else { return };
        self.due.remove(&DueKey::Lease(lease_id));
        let Some(batch) = self.batches.get_mut(&lease.batch_id) else { return };
        // Closed: the drain ends its jobs.
        if batch.state != BatchState::Running {
            return;
        }
        let (mut requeued, mut ended) = (0, 0);
        let mut settled = Vec::new();
        for seq in &lease.held {
            let job = &mut batch.jobs[*seq as usize];
            job.alone = true;
            job.attempts += u32::from(lease.chunk == 1);
            settled.push(if job.attempts >= batch.timing.max_attempts {
                ended += 1;
                let note = format!("its lease was lost {} times while it was alone", job.attempts);
                (*seq, Attempt::Over { code: Code::Lease, note })
            } else {
                requeued += 1;
                (*seq, Attempt::Again { not_before: now })
            });
        }
        batch.log(now, format!("lease lost: {requeued} jobs wait again, {ended} ended"));
        for (seq, attempt) in settled {
            self.settle(&lease.batch_id, seq, attempt, now);
        }
        swept.requeued += requeued;
        swept.ended += ended;
        if self.close_if_all_done(&lease.batch_id, now) {
            swept.closed.push((lease.batch_id, CloseReason::AllDone));
        }
    }

    fn close_due(&mut self, batch_id: BatchId, reason: CloseReason, swept: &mut Swept, now: Millis) {
        self.close_now(&batch_id, reason, None, now);
        swept.closed.push((batch_id, reason));
    }

    /// A finalizing batch without a live finalizer; a ticket that ran out is a strike.
    fn ask_for_finalizer(&mut self, batch_id: BatchId, swept: &mut Swept, now: Millis) {
        let Some(batch) = self.batches.get_mut(&batch_id) else { return };
        if batch.ticket.take().is_some() {
            batch.strikes += 1;
            batch.last_error = "a finalizer was lost".to_owned();
            batch.log(now, "finalizer lost: another one is needed");
        }
        self.due.insert(DueKey::Ticket(batch_id.clone()), now);
        swept.need_finalizer.push(batch_id);
    }
}
