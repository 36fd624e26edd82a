//! A worker as `step(event, now, random) -> actions`: claim a chunk, predict it, report it, again.
//!
//! The shell around it owns a thread that predicts and a connection to the store; this machine owns every
//! decision about time: when to renew, when a silent thread is given up, when to try the store again. A store that
//! does not answer is nobody's failure: the same call is repeated, since every call may be.

use std::collections::BTreeMap;

use proto::{BatchId, Code, LeaseId};

use crate::backoff::full_jitter;
use crate::ops::{Chunk, Claimed, Completion, GiveBack, GiveBackHow, Renewed};
use crate::{MAX_ITEMS_PER_CALL, Millis, Timing};

/// Longest wait of an idle worker before it asks again, unless it is nudged.
const IDLE_MS: Millis = 250;

/// Shortest wait of an idle worker: the store names the next due time on its own clock, which may differ from ours.
const LEAST_IDLE_MS: Millis = 10;

/// First chunk of a new worker: small, until it knows how long a job takes.
const FIRST_CHUNK: usize = 8;

/// Largest chunk after a pause: at the start of a batch the others want their share; from then on it doubles.
const CHUNK_AFTER_PAUSE: usize = 128;

/// What a prediction thread says about one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobResult {
    /// It ended; the outcome is encoded.
    Completed(Completion),
    /// It failed in a way that another try may mend.
    Retry {
        /// Its number.
        seq: u32,
        /// The code when its attempts are used up.
        code: Code,
        /// What happened.
        error: String,
    },
    /// This build cannot read it: costs nothing, somebody else may.
    Refused {
        /// Its number.
        seq: u32,
    },
}

impl JobResult {
    /// The job's number in the batch.
    pub fn seq(&self) -> u32 {
        match self {
            Self::Completed(completion) => completion.seq,
            Self::Retry { seq, .. } | Self::Refused { seq } => *seq,
        }
    }
}

/// What can happen to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The store answered a claim; an error means that it did not.
    Claimed(Result<Claimed, ()>),
    /// The thread is done with one job of this lease.
    JobDone(LeaseId, JobResult),
    /// The store answered a renewal.
    Renewed(LeaseId, Result<Renewed, ()>),
    /// The store answered the report.
    Reported(LeaseId, Result<(), ()>),
    /// There may be work: a batch was sealed.
    Nudge,
    /// Finish what is at hand, then stop.
    Drain,
    /// Report what is done, release the rest, then stop.
    Release,
}

/// What the shell does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the store for work under this lease.
    Claim {
        /// Fresh, or the same as before when the last answer was lost.
        lease: LeaseId,
        /// At most so many jobs.
        max_jobs: usize,
    },
    /// Hand the chunk to the thread.
    Predict(LeaseId, Chunk),
    /// Prolong the lease.
    Renew(LeaseId),
    /// Report completions, then what comes back.
    Report {
        /// Their batch.
        batch_id: BatchId,
        /// Their lease.
        lease: LeaseId,
        /// Ended jobs.
        completions: Vec<Completion>,
        /// Jobs that come back.
        give_backs: Vec<GiveBack>,
    },
    /// The thread is silent: leave it behind and start another.
    AbandonThread,
    /// The worker is done.
    Stop,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Idle { not_before: Millis },
    Claiming { lease: LeaseId, since: Millis, retry_at: Option<Millis>, nudged: bool },
    Predicting { lost: bool },
    Reporting { retry_at: Option<Millis> },
    Stopped,
}

/// The chunk at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Work {
    lease: LeaseId,
    batch_id: BatchId,
    timing: Timing,
    started_at: Millis,
    /// On our clock and never after the store's: the claim was sent before it was granted.
    deadline_at: Millis,
    renew_at: Millis,
    attempts: BTreeMap<u32, u32>,
    results: BTreeMap<u32, JobResult>,
    hung: bool,
}

impl Work {
    /// One renewal before the deadline: time to say so before the store takes the jobs away.
    fn give_up_at(&self) -> Millis {
        self.deadline_at - self.timing.renew_ms
    }

    fn ended(&self) -> u64 {
        self.results.values().filter(|result| matches!(result, JobResult::Completed(_))).count() as u64
    }

    fn is_refused(&self) -> bool {
        self.results.values().any(|result| matches!(result, JobResult::Refused { .. }))
    }
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    phase: Phase,
    work: Option<Work>,
    chunk_size: usize,
    draining: bool,
    tries: u32,
    /// Jobs this worker has seen to their end.
    pub jobs_done: u64,
    /// When it last made progress.
    pub last_progress: Millis,
}

impl Worker {
    /// A worker that will ask for work at once.
    pub fn new(now: Millis) -> Self {
        Self {
            phase: Phase::Idle { not_before: now },
            work: None,
            chunk_size: FIRST_CHUNK,
            draining: false,
            tries: 0,
            jobs_done: 0,
            last_progress: now,
        }
    }

    /// The lease it works under, if any.
    pub fn lease(&self) -> Option<LeaseId> {
        self.work.as_ref().map(|work| work.lease)
    }

    /// A word for `/workers`.
    pub fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Idle { .. } => "idle",
            Phase::Claiming { .. } => "claiming",
            Phase::Predicting { .. } => "predicting",
            Phase::Reporting { .. } => "reporting",
            Phase::Stopped => "stopped",
        }
    }

    /// When to step with [`Event::Tick`] next; none while an answer is awaited or the worker has stopped.
    pub fn wake_at(&self) -> Option<Millis> {
        let work = self.work.as_ref();
        let give_up_at = work.map(Work::give_up_at);
        let renew_at = work.map(|work| work.renew_at);
        match self.phase {
            Phase::Idle { not_before } => Some(not_before),
            Phase::Claiming { retry_at, .. } => retry_at,
            Phase::Predicting { lost: true } => give_up_at,
            Phase::Predicting { lost: false } => [give_up_at, renew_at].into_iter().flatten().min(),
            Phase::Reporting { retry_at } => [retry_at, renew_at].into_iter().flatten().min(),
            Phase::Stopped => None,
        }
    }

    /// The one way a worker changes. `random` is 128 fresh random bits.
    pub fn step(&mut self, event: Event, now: Millis, random: u128) -> Vec<Action> {
        match event {
            Event::Tick => self.tick(now, random),
            Event::Claimed(answer) => self.claimed(answer, now, random),
            Event::JobDone(lease, result) => self.job_done(lease, result, now, random),
            Event::Renewed(lease, answer) => self.renewed(lease, answer),
            Event::Reported(lease, answer) => self.reported(lease, answer, now, random),
            Event::Nudge => self.nudge(now, random),
            Event::Drain => {
                self.draining = true;
                self.tick(now, random)
            }
            Event::Release => self.release(now, random),
        }
    }

    fn nudge(&mut self, now: Millis, random: u128) -> Vec<Action> {
        match &mut self.phase {
            Phase::Idle { not_before } => *not_before = now,
            // The answer on its way may be older than the nudge.
            Phase::Claiming { nudged, .. } => *nudged = true,
            Phase::Predicting { .. } | Phase::Reporting { .. } | Phase::Stopped => return Vec::new(),
        }
        self.tick(now, random)
    }

    fn release(&mut self, now: Millis, random: u128) -> Vec<Action> {
        self.draining = true;
        match self.phase {
            Phase::Predicting { lost: false } => self.report(now, random),
            Phase::Idle { .. } | Phase::Claiming { .. } | Phase::Predicting { lost: true } => self.stop(),
            Phase::Reporting { .. } | Phase::Stopped => Vec::new(),
        }
    }

    fn tick(&mut self, now: Millis, random: u128) -> Vec<Action> {
        match self.phase.clone() {
            Phase::Idle { .. } if self.draining => self.stop(),
            Phase::Idle { not_before } if now >= not_before => self.claim(LeaseId::from_random(random), now),
            Phase::Claiming { lease, since, retry_at: Some(at), .. } if now >= at => self.claim(lease, since),
            Phase::Predicting { lost } => self.watch_thread(lost, now, random),
            Phase::Reporting { retry_at: Some(at) } if now >= at => self.report(now, random),
            Phase::Reporting { .. } => self.renew_if_due(now),
            Phase::Idle { .. } | Phase::Claiming { .. } | Phase::Stopped => Vec::new(),
        }
    }

    fn stop(&mut self) -> Vec<Action> {
        self.phase = Phase::Stopped;
        vec![Action::Stop]
    }

    /// `since` is when this lease was first asked for.
    fn claim(&mut self, lease: LeaseId, since: Millis) -> Vec<Action> {
        self.phase = Phase::Claiming { lease, since, retry_at: None, nudged: false };
        vec![Action::Claim { lease, max_jobs: self.chunk_size }]
    }

    fn claimed(&mut self, answer: Result<Claimed, ()>, now: Millis, random: u128) -> Vec<Action> {
        let Phase::Claiming { lease, since, nudged, .. } = self.phase else { return Vec::new() };
        match answer {
            Err(()) => {
                self.tries += 1;
                let at = now + full_jitter(self.tries, random as u64);
                self.phase = Phase::Claiming { lease, since, retry_at: Some(at), nudged };
                Vec::new()
            }
            Ok(Claimed::Nothing { .. }) if self.draining => self.stop(),
            Ok(Claimed::Nothing { next_at, .. }) => self.pause(next_at, nudged, now, random),
            // A repeated claim whose jobs were all taken away meanwhile: there is nothing to predict or report.
            Ok(Claimed::Chunk(chunk)) if chunk.jobs.is_empty() => self.pause(Some(now), nudged, now, random),
            Ok(Claimed::Chunk(chunk)) => {
                self.tries = 0;
                self.last_progress = now;
                // A repeat gets a lease that was granted at most one length ago, else it had lapsed.
                let granted_at = since.max(now - chunk.timing.lease_ms);
                self.work = Some(Work {
                    lease,
                    batch_id: chunk.batch_id.clone(),
                    timing: chunk.timing,
                    started_at: now,
                    deadline_at: granted_at + chunk.timing.job_deadline_ms,
                    renew_at: granted_at + chunk.timing.renew_ms,
                    attempts: chunk.jobs.iter().map(|job| (job.seq, job.attempts)).collect(),
                    results: BTreeMap::new(),
                    hung: false,
                });
                self.phase = Phase::Predicting { lost: false };
                vec![Action::Predict(lease, chunk)]
            }
        }
    }

    /// Waits until `next_at`, a while at most; not at all when a nudge came after the question.
    fn pause(&mut self, next_at: Option<Millis>, nudged: bool, now: Millis, random: u128) -> Vec<Action> {
        self.tries = 0;
        self.chunk_size = self.chunk_size.min(CHUNK_AFTER_PAUSE);
        if nudged {
            return self.claim(LeaseId::from_random(random), now);
        }
        let wake = next_at.unwrap_or(now + IDLE_MS).clamp(now + LEAST_IDLE_MS, now + IDLE_MS);
        self.phase = Phase::Idle { not_before: wake };
        Vec::new()
    }

    /// Renews in time; gives a thread up one renewal before the store would take the jobs away, so that the loss
    /// is reported as what it is.
    fn watch_thread(&mut self, lost: bool, now: Millis, random: u128) -> Vec<Action> {
        let Some(work) = &mut self.work else { return Vec::new() };
        if now >= work.give_up_at() {
            work.hung = true;
            let mut actions = vec![Action::AbandonThread];
            if lost {
                actions.extend(self.forget_work(now))
            } else {
                actions.extend(self.report(now, random))
            }
            return actions;
        }
        if lost { Vec::new() } else { self.renew_if_due(now) }
    }

    fn renew_if_due(&mut self, now: Millis) -> Vec<Action> {
        match &mut self.work {
            Some(work) if now >= work.renew_at => {
                work.renew_at = now + work.timing.renew_ms;
                vec![Action::Renew(work.lease)]
            }
            _ => Vec::new(),
        }
    }

    fn renewed(&mut self, lease: LeaseId, answer: Result<Renewed, ()>) -> Vec<Action> {
        let current = self.lease() == Some(lease);
        if current && answer == Ok(Renewed::Gone) && matches!(self.phase, Phase::Predicting { .. }) {
            // The thread cannot be stopped; its results will not be reported.
            self.phase = Phase::Predicting { lost: true };
        }
        Vec::new()
    }

    fn job_done(&mut self, lease: LeaseId, result: JobResult, now: Millis, random: u128) -> Vec<Action> {
        let Phase::Predicting { lost } = self.phase else { return Vec::new() };
        let Some(work) = self.work.as_mut().filter(|work| work.lease == lease) else { return Vec::new() };
        if !work.attempts.contains_key(&result.seq()) {
            return Vec::new();
        }
        self.last_progress = now;
        work.results.insert(result.seq(), result);
        if work.results.len() < work.attempts.len() {
            return Vec::new();
        }
        self.chunk_size = next_chunk_size(work, now);
        if lost { self.forget_work(now) } else { self.report(now, random) }
    }

    fn report(&mut self, now: Millis, random: u128) -> Vec<Action> {
        let Some(work) = &self.work else { return Vec::new() };
        let delay = |attempts: u32, seq: u32| full_jitter(attempts, (random >> (seq % 64)) as u64);
        let (mut completions, mut give_backs) = (Vec::new(), Vec::new());
        for (seq, attempts) in &work.attempts {
            let how = match work.results.get(seq) {
                Some(JobResult::Completed(completion)) => {
                    completions.push(completion.clone());
                    continue;
                }
                Some(JobResult::Refused { .. }) => GiveBackHow::Release,
                Some(JobResult::Retry { code, error, .. }) => {
                    GiveBackHow::Retry { code: *code, error: error.clone(), delay_ms: delay(*attempts, *seq) }
                }
                None if work.hung => GiveBackHow::Hang { delay_ms: delay(*attempts, *seq) },
                None => GiveBackHow::Release,
            };
            give_backs.push(GiveBack { seq: *seq, how });
        }
        let (batch_id, lease) = (work.batch_id.clone(), work.lease);
        self.phase = Phase::Reporting { retry_at: None };
        self.last_progress = now;
        vec![Action::Report { batch_id, lease, completions, give_backs }]
    }

    fn reported(&mut self, lease: LeaseId, answer: Result<(), ()>, now: Millis, random: u128) -> Vec<Action> {
        if self.lease() != Some(lease) || !matches!(self.phase, Phase::Reporting { .. }) {
            return Vec::new();
        }
        match answer {
            Err(()) => {
                self.tries += 1;
                self.phase =
                    Phase::Reporting { retry_at: Some(now + full_jitter(self.tries, random as u64)) };
                Vec::new()
            }
            Ok(()) => {
                self.tries = 0;
                self.jobs_done += self.work.as_ref().map_or(0, Work::ended);
                let refused = self.work.as_ref().is_some_and(Work::is_refused);
                let mut actions = self.forget_work(now);
                if refused {
                    // What we cannot read is left to others for a while; else we would get it again at once, for ever.
                    self.phase = Phase::Idle { not_before: now + IDLE_MS };
                }
                actions.extend(self.tick(now, random));
                actions
            }
        }
    }

    fn forget_work(&mut self, now: Millis) -> Vec<Action> {
        self.work = None;
        self.phase = Phase::Idle { not_before: now };
        Vec::new()
    }
}

/// A chunk is sized for a tenth of the job deadline, by how long the last one took; it at most doubles.
fn next_chunk_size(work: &Work, now: Millis) -> usize {
    let budget_ms = work.timing.job_deadline_ms / 10;
    let jobs = work.attempts.len();
    let took_ms = (now - work.started_at).max(1);
    let fits = (budget_ms * jobs as Millis / took_ms).max(1) as usize;
    fits.min(jobs.max(FIRST_CHUNK) * 2).min(MAX_ITEMS_PER_CALL)
}

#[cfg(test)]
mod tests;
