//! Claiming, renewing, completing, giving back: what a worker does.

use std::collections::BTreeSet;

use proto::{BatchId, Code, LeaseId};

use super::{Batch, Lease, Model, Place};
use crate::batch::{BatchState, CloseReason};
use crate::ops::{
    Chunk, Claim, Claimed, ClaimedJob, Completed, Completion, CompletionAnswer, Done, DueKey, GiveBack,
    GiveBackAnswer, GiveBackHow, GivenBack, Renewed,
};
use crate::{MAX_ITEMS_PER_CALL, Millis, PROTOCOL_VERSION};

/// What a lost or failed attempt means for a job.
pub(super) enum Attempt {
    /// It waits again, from then on alone.
    Again {
        /// Not before.
        not_before: Millis,
    },
    /// Its attempts are used up.
    Over {
        /// The primary code.
        code: Code,
        /// What happened.
        note: String,
    },
}

impl Model {
    /// Hands out a chunk of due jobs of the oldest running batch that the worker can serve.
    ///
    /// The lease id is the claim's own: repeating the claim returns the jobs it still holds. A job that lost a
    /// lease is handed out alone. Nothing is handed out at or after a batch's finish-by.
    pub fn claim(&mut self, claim: &Claim, now: Millis) -> Claimed {
        self.writes += 1;
        if self.leases.contains_key(&claim.lease) {
            return Claimed::Chunk(self.chunk_of(claim.lease));
        }
        let (mut next_at, mut unservable) = (None, false);
        let mut running: Vec<_> = self
            .batches
            .values()
            .filter(|batch| {
                batch.state == BatchState::Running && now < batch.finish_by && !batch.queue.is_empty()
            })
            .collect();
        running.sort_by_key(|batch| (batch.opened_at, batch.batch_id.to_string()));
        for batch in running {
            let served = claim.protocol_version == PROTOCOL_VERSION
                && batch.pins.iter().all(|pin| claim.serves.binary_search(pin).is_ok());
            if !served {
                unservable = true;
                continue;
            }
            let picked = due_jobs(batch, claim.max_jobs.min(MAX_ITEMS_PER_CALL), now);
            if picked.is_empty() {
                let first = batch.queue.first().map(|(not_before, _)| *not_before);
                next_at = [next_at, first].into_iter().flatten().min();
                continue;
            }
            let batch_id = batch.batch_id.clone();
            self.lease_jobs(claim, &batch_id, picked, now);
            return Claimed::Chunk(self.chunk_of(claim.lease));
        }
        Claimed::Nothing { next_at, unservable }
    }

    fn lease_jobs(&mut self, claim: &Claim, batch_id: &BatchId, picked: BTreeSet<u32>, now: Millis) {
        let Some(batch) = self.batches.get_mut(batch_id) else { return };
        for seq in &picked {
            let job = &mut batch.jobs[*seq as usize];
            if let Place::Queued(not_before) = job.place {
                batch.queue.remove(&(not_before, *seq));
            }
            job.place = Place::Leased(claim.lease);
            batch.leased.insert(*seq);
        }
        batch.updated_at = now;
        let lease = Lease {
            batch_id: batch_id.clone(),
            worker: claim.worker,
            claimed_at: now,
            expires_at: now + batch.timing.lease_ms,
            deadline_at: now + batch.timing.job_deadline_ms,
            chunk: picked.len(),
            held: picked,
        };
        self.due.insert(DueKey::Lease(claim.lease), lease.expires_at);
        self.leases.insert(claim.lease, lease);
    }

    fn chunk_of(&self, lease_id: LeaseId) -> Chunk {
        let lease = &self.leases[&lease_id];
        let batch = &self.batches[&lease.batch_id];
        let job = |seq: &u32| {
            let job = &batch.jobs[*seq as usize];
            ClaimedJob { seq: *seq, id: job.id.clone(), attempts: job.attempts, payload: job.payload.clone() }
        };
        Chunk {
            batch_id: lease.batch_id.clone(),
            contract_version: batch.contract_version.clone(),
            expires_at: lease.expires_at,
            deadline_at: lease.deadline_at,
            timing: batch.timing,
            jobs: lease.held.iter().map(job).collect(),
        }
    }

    /// Prolongs a lease by one length, at most until its deadline.
    pub fn renew(&mut self, lease_id: &LeaseId, now: Millis) -> Renewed {
        self.writes += 1;
        let Some(lease) = self.leases.get_mut(lease_id) else { return Renewed::Gone };
        let Some(batch) = self.batches.get(&lease.batch_id) else { return Renewed::Gone };
        if batch.state != BatchState::Running {
            return Renewed::Gone;
        }
        lease.expires_at = (now + batch.timing.lease_ms).min(lease.deadline_at);
        self.due.insert(DueKey::Lease(*lease_id), lease.expires_at);
        Renewed::Until(lease.expires_at)
    }

    /// Writes outcomes and rows in one step; the last open job closes the batch in it.
    ///
    /// Checked in this order: this lease already completed it; batch not running; other lease.
    pub fn complete(
        &mut self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[Completion],
        now: Millis,
    ) -> Completed {
        self.writes += 1;
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            let answer = self.completion_answer(batch_id, lease, item);
            match answer {
                CompletionAnswer::Accepted => {
                    let attempts = self.batches[batch_id].jobs[item.seq as usize].attempts + 1;
                    let done = Done {
                        code: item.code,
                        num_rows: item.num_rows,
                        attempts,
                        lease: Some(*lease),
                        digest: item.digest.clone(),
                        body: item.body.clone(),
                        note: String::new(),
                    };
                    self.end_job(batch_id, item.seq, done, now);
                }
                CompletionAnswer::Closed | CompletionAnswer::Stale => {
                    if let Some(batch) = self.batches.get_mut(batch_id) {
                        batch.stale_writes += 1;
                    }
                }
                CompletionAnswer::Conflict => {
                    if let Some(batch) = self.batches.get_mut(batch_id) {
                        batch.log(
                            now,
                            format!("alarm: job {} was completed again with another result", item.seq),
                        );
                    }
                }
                CompletionAnswer::Repeated => {}
            }
            answers.push(answer);
        }
        Completed { answers, closed_batch: self.close_if_all_done(batch_id, now) }
    }

    fn completion_answer(&self, batch_id: &BatchId, lease: &LeaseId, item: &Completion) -> CompletionAnswer {
        let Some(batch) = self.batches.get(batch_id) else { return CompletionAnswer::Closed };
        let place = batch.jobs.get(item.seq as usize).map(|job| &job.place);
        if let Some(Place::Done(done)) = place
            && done.lease == Some(*lease)
        {
            let same = done.digest == item.digest;
            return if same { CompletionAnswer::Repeated } else { CompletionAnswer::Conflict };
        }
        if batch.state != BatchState::Running {
            return CompletionAnswer::Closed;
        }
        match place {
            Some(Place::Leased(holder)) if holder == lease => CompletionAnswer::Accepted,
            _ => CompletionAnswer::Stale,
        }
    }

    /// Takes jobs back under a lease that holds them.
    pub fn give_back(
        &mut self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[GiveBack],
        now: Millis,
    ) -> GivenBack {
        self.writes += 1;
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            answers.push(self.give_back_one(batch_id, lease, item, now));
        }
        GivenBack { answers, closed_batch: self.close_if_all_done(batch_id, now) }
    }

    fn give_back_one(
        &mut self,
        batch_id: &BatchId,
        lease: &LeaseId,
        item: &GiveBack,
        now: Millis,
    ) -> GiveBackAnswer {
        let Some(batch) = self.batches.get_mut(batch_id) else { return GiveBackAnswer::Closed };
        if batch.state != BatchState::Running {
            return GiveBackAnswer::Closed;
        }
        let max_attempts = batch.timing.max_attempts;
        let was_alone = self.leases.get(lease).is_some_and(|lease| lease.chunk == 1);
        let Some(job) = batch.jobs.get_mut(item.seq as usize) else { return GiveBackAnswer::Stale };
        if job.place != Place::Leased(*lease) {
            return GiveBackAnswer::Stale;
        }
        let attempt = match &item.how {
            GiveBackHow::Release => Attempt::Again { not_before: now },
            GiveBackHow::Retry { code, error, delay_ms } => {
                job.alone = true;
                job.attempts += 1;
                if job.attempts >= max_attempts {
                    Attempt::Over { code: *code, note: error.clone() }
                } else {
                    Attempt::Again { not_before: now + delay_ms }
                }
            }
            GiveBackHow::Hang { delay_ms } => {
                job.alone = true;
                job.attempts += u32::from(was_alone);
                job.hangs += u32::from(was_alone);
                if job.hangs >= 2 || job.attempts >= max_attempts {
                    Attempt::Over {
                        code: Code::Hang,
                        note: format!("silent past its deadline {} times", job.hangs),
                    }
                } else {
                    Attempt::Again { not_before: now + delay_ms }
                }
            }
        };
        let over = matches!(attempt, Attempt::Over { .. });
        self.settle(batch_id, item.seq, attempt, now);
        if over { GiveBackAnswer::Ended } else { GiveBackAnswer::Queued }
    }

    /// Takes a leased job out of its lease and into the queue or to its end.
    pub(super) fn settle(&mut self, batch_id: &BatchId, seq: u32, attempt: Attempt, now: Millis) {
        let Some(batch) = self.batches.get_mut(batch_id) else { return };
        match attempt {
            Attempt::Again { not_before } => {
                let job = &mut batch.jobs[seq as usize];
                if let Place::Leased(lease) = job.place {
                    job.place = Place::Queued(not_before);
                    batch.leased.remove(&seq);
                    batch.queue.insert((not_before, seq));
                    batch.updated_at = now;
                    self.leave_lease(lease, seq);
                }
            }
            Attempt::Over { code, note } => {
                let attempts = batch.jobs[seq as usize].attempts;
                let done = Done {
                    code,
                    num_rows: 0,
                    attempts,
                    lease: None,
                    digest: String::new(),
                    body: Vec::new(),
                    note,
                };
                self.end_job(batch_id, seq, done, now);
            }
        }
    }

    /// Ends a job: the one function that does, called by completion, retry, sweep and drain.
    pub(super) fn end_job(&mut self, batch_id: &BatchId, seq: u32, done: Done, now: Millis) {
        let Some(batch) = self.batches.get_mut(batch_id) else { return };
        let job = &mut batch.jobs[seq as usize];
        let left = match job.place {
            Place::Done(_) => return,
            Place::Queued(not_before) => {
                batch.queue.remove(&(not_before, seq));
                None
            }
            Place::Leased(lease) => {
                batch.leased.remove(&seq);
                Some(lease)
            }
        };
        batch.done.entry(done.code).or_default().insert(seq);
        batch.staged_rows += u64::from(done.num_rows);
        batch.updated_at = now;
        job.place = Place::Done(Box::new(done));
        if let Some(lease) = left {
            self.leave_lease(lease, seq);
        }
    }

    fn leave_lease(&mut self, lease_id: LeaseId, seq: u32) {
        let Some(lease) = self.leases.get_mut(&lease_id) else { return };
        lease.held.remove(&seq);
        if lease.held.is_empty() {
            self.leases.remove(&lease_id);
            self.due.remove(&DueKey::Lease(lease_id));
        }
    }

    pub(super) fn close_if_all_done(&mut self, batch_id: &BatchId, now: Millis) -> bool {
        let done = self.batches.get(batch_id).is_some_and(|batch| {
            batch.state == BatchState::Running && batch.open() == 0 && !batch.jobs.is_empty()
        });
        if done {
            self.close_now(batch_id, CloseReason::AllDone, None, now);
        }
        done
    }
}

/// The due jobs of one chunk: in order of their time, a lonely one by itself.
fn due_jobs(batch: &Batch, max_jobs: usize, now: Millis) -> BTreeSet<u32> {
    let mut picked = BTreeSet::new();
    for (not_before, seq) in &batch.queue {
        if *not_before > now || picked.len() == max_jobs {
            break;
        }
        let alone = batch.jobs[*seq as usize].alone;
        if alone && !picked.is_empty() {
            break;
        }
        picked.insert(*seq);
        if alone {
            break;
        }
    }
    picked
}
