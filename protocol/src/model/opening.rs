//! Claiming a slate, adding jobs, sealing, withdrawing: what an opener does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::{BatchId, OpenerToken};

use super::{Batch, JobRecord, Model, Place};
use crate::batch::BatchState;
use crate::ops::{Added, DueKey, NewJob, OpenBatch, Opened, OpenerRefusal, Sealed};
use crate::{MAX_ITEMS_PER_CALL, MAX_JOBS, Millis};

impl Model {
    /// Claims the slate: one open batch of it at a time. A repeat by the same token gets `Opened` again.
    pub fn open(&mut self, request: &OpenBatch, now: Millis) -> Opened {
        self.writes += 1;
        if let Some(known) = self.batches.get(&request.batch_id) {
            return if known.token == request.token { Opened::Opened } else { Opened::IdKnown };
        }
        let slate = request.batch_id.slate();
        if let Some(batch_id) = self.open_slates.get(&slate) {
            return Opened::SlateTaken { batch_id: batch_id.clone() };
        }
        let mut batch = Batch {
            batch_id: request.batch_id.clone(),
            token: request.token,
            timing: request.timing,
            contract_version: request.contract_version.clone(),
            pins: request.pins.clone(),
            request: request.request.clone(),
            state: BatchState::Filling,
            generation: 0,
            opened_at: now,
            updated_at: now,
            finish_by: now + request.finish_by_ms,
            min_coverage: request.min_coverage,
            whole_slate: request.whole_slate,
            jobs: Vec::new(),
            by_id: BTreeMap::new(),
            queue: BTreeSet::new(),
            leased: BTreeSet::new(),
            done: BTreeMap::new(),
            staged_rows: 0,
            closing: None,
            ticket: None,
            strikes: 0,
            last_error: String::new(),
            receipt: None,
            stale_writes: 0,
            log: VecDeque::new(),
        };
        batch.log(now, "opened");
        self.due.insert(DueKey::Opener(request.batch_id.clone()), now + request.timing.finalizer_lease_ms);
        self.open_slates.insert(slate, request.batch_id.clone());
        self.batches.insert(request.batch_id.clone(), batch);
        Opened::Opened
    }

    fn filling(&mut self, batch_id: &BatchId, token: &OpenerToken) -> Result<&mut Batch, OpenerRefusal> {
        let batch = self.batches.get_mut(batch_id).ok_or(OpenerRefusal::Unknown)?;
        if batch.token != *token {
            return Err(OpenerRefusal::WrongToken);
        }
        match batch.state {
            BatchState::Filling => Ok(batch),
            state => Err(OpenerRefusal::NotFilling(state)),
        }
    }

    /// Adds jobs by name and renews the opener's lease; an empty call only renews. All or nothing.
    pub fn add_jobs(
        &mut self,
        batch_id: &BatchId,
        token: &OpenerToken,
        jobs: &[NewJob],
        now: Millis,
    ) -> Added {
        self.writes += 1;
        let batch = match self.filling(batch_id, token) {
            Ok(batch) => batch,
            Err(refusal) => return Added::Refused(refusal),
        };
        if jobs.len() > MAX_ITEMS_PER_CALL {
            return Added::TooMany;
        }
        let mut new: BTreeMap<_, &NewJob> = BTreeMap::new();
        let mut order = Vec::new();
        for job in jobs {
            let known = match batch.by_id.get(&job.id) {
                Some(seq) => Some(&batch.jobs[*seq as usize].payload),
                None => new.get(&job.id).map(|earlier| &earlier.payload),
            };
            match known {
                Some(payload) if *payload != job.payload => return Added::Duplicate { id: job.id.clone() },
                Some(_) => {}
                None => {
                    new.insert(&job.id, job);
                    order.push(job);
                }
            }
        }
        if batch.jobs.len() + order.len() > MAX_JOBS {
            return Added::TooMany;
        }
        for job in &order {
            let seq = batch.jobs.len() as u32;
            batch.by_id.insert(job.id.clone(), seq);
            batch.queue.insert((now, seq));
            batch.jobs.push(JobRecord {
                id: job.id.clone(),
                payload: job.payload.clone(),
                attempts: 0,
                hangs: 0,
                alone: false,
                place: Place::Queued(now),
            });
        }
        batch.updated_at = now;
        let lapses_at = now + batch.timing.finalizer_lease_ms;
        let answer = Added::Added { new: order.len() as u64, total: batch.jobs.len() as u64 };
        self.due.insert(DueKey::Opener(batch_id.clone()), lapses_at);
        answer
    }

    /// Makes the jobs claimable, if the expected number is there. A repeat gets `Sealed` again.
    pub fn seal(
        &mut self,
        batch_id: &BatchId,
        token: &OpenerToken,
        generation: u64,
        num_jobs: u64,
        now: Millis,
    ) -> Sealed {
        self.writes += 1;
        let was_sealed = self.batches.get(batch_id).is_some_and(|batch| batch.generation > 0);
        let batch = match self.filling(batch_id, token) {
            Ok(batch) => batch,
            // A generation is only set by sealing, so a batch that has one was sealed, whatever came after.
            Err(OpenerRefusal::NotFilling(_)) if was_sealed => return Sealed::Sealed,
            Err(refusal) => return Sealed::Refused(refusal),
        };
        let have = batch.jobs.len() as u64;
        if have != num_jobs || have == 0 {
            return Sealed::Missing { have };
        }
        batch.state = BatchState::Running;
        batch.generation = generation;
        batch.updated_at = now;
        batch.log(now, format!("sealed generation {generation} with {num_jobs} jobs"));
        let finish_by = batch.finish_by;
        self.due.remove(&DueKey::Opener(batch_id.clone()));
        self.due.insert(DueKey::FinishBy(batch_id.clone()), finish_by);
        Sealed::Sealed
    }

    /// Takes back a batch that never ran: nothing to do, an id that another opener registered, or overtaken.
    /// A repeat, or an unknown batch, is fine.
    pub fn withdraw(&mut self, batch_id: &BatchId, token: &OpenerToken) -> Result<(), OpenerRefusal> {
        self.writes += 1;
        match self.filling(batch_id, token) {
            Ok(_) => {}
            Err(OpenerRefusal::Unknown) => return Ok(()),
            Err(refusal) => return Err(refusal),
        }
        self.batches.remove(batch_id);
        self.open_slates.retain(|_, open| open != batch_id);
        self.due.remove(&DueKey::Opener(batch_id.clone()));
        Ok(())
    }
}
