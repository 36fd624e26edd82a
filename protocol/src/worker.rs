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

/// Longest wait of an idle worker before it asks again.
const IDLE_MS: Millis = 250;

/// First chunk of a new worker: small, until it knows how long a job takes.
const FIRST_CHUNK: usize = 8;

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
    fn seq(&self) -> u32 {
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
    /// Finish what is at hand, then stop.
    Drain,
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
    Claiming { lease: LeaseId, retry_at: Option<Millis> },
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
    deadline_at: Millis,
    renew_at: Millis,
    attempts: BTreeMap<u32, u32>,
    results: BTreeMap<u32, JobResult>,
    hung: bool,
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

    /// The one way a worker changes. `random` is 128 fresh random bits.
    pub fn step(&mut self, event: Event, now: Millis, random: u128) -> Vec<Action> {
        match event {
            Event::Tick => self.tick(now, random),
            Event::Claimed(answer) => self.claimed(answer, now, random),
            Event::JobDone(lease, result) => self.job_done(lease, result, now, random),
            Event::Renewed(lease, answer) => self.renewed(lease, answer),
            Event::Reported(lease, answer) => self.reported(lease, answer, now, random),
            Event::Drain => {
                self.draining = true;
                self.tick(now, random)
            }
        }
    }

    fn tick(&mut self, now: Millis, random: u128) -> Vec<Action> {
        match self.phase.clone() {
            Phase::Idle { .. } if self.draining => self.stop(),
            Phase::Idle { not_before } if now >= not_before => self.claim(LeaseId::from_random(random)),
            Phase::Claiming { lease, retry_at: Some(at) } if now >= at => self.claim(lease),
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

    fn claim(&mut self, lease: LeaseId) -> Vec<Action> {
        self.phase = Phase::Claiming { lease, retry_at: None };
        vec![Action::Claim { lease, max_jobs: self.chunk_size }]
    }

    fn claimed(&mut self, answer: Result<Claimed, ()>, now: Millis, random: u128) -> Vec<Action> {
        let Phase::Claiming { lease, .. } = self.phase else { return Vec::new() };
        match answer {
            Err(()) => {
                self.tries += 1;
                let at = now + full_jitter(self.tries, random as u64);
                self.phase = Phase::Claiming { lease, retry_at: Some(at) };
                Vec::new()
            }
            Ok(Claimed::Nothing { .. }) if self.draining => self.stop(),
            Ok(Claimed::Nothing { next_at, .. }) => {
                self.tries = 0;
                let wake = next_at.unwrap_or(now + IDLE_MS).clamp(now + 1, now + IDLE_MS);
                self.phase = Phase::Idle { not_before: wake };
                Vec::new()
            }
            Ok(Claimed::Chunk(chunk)) => {
                self.tries = 0;
                self.last_progress = now;
                self.work = Some(Work {
                    lease,
                    batch_id: chunk.batch_id.clone(),
                    timing: chunk.timing,
                    started_at: now,
                    deadline_at: chunk.deadline_at,
                    renew_at: now + chunk.timing.renew_ms,
                    attempts: chunk.jobs.iter().map(|job| (job.seq, job.attempts)).collect(),
                    results: BTreeMap::new(),
                    hung: false,
                });
                self.phase = Phase::Predicting { lost: false };
                vec![Action::Predict(lease, chunk)]
            }
        }
    }

    /// Renews in time; gives a thread up one renewal before the store would take the jobs away, so that the loss
    /// is reported as what it is.
    fn watch_thread(&mut self, lost: bool, now: Millis, random: u128) -> Vec<Action> {
        let Some(work) = &mut self.work else { return Vec::new() };
        if now >= work.deadline_at - work.timing.renew_ms {
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
                self.jobs_done += self.work.as_ref().map_or(0, |work| work.results.len() as u64);
                let mut actions = self.forget_work(now);
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
mod tests {
    use super::*;
    use crate::ops::ClaimedJob;

    fn chunk(jobs: u32) -> Chunk {
        let id = "a@20260123_BOS_NYK".parse().expect("a legal job id");
        let job = |seq| ClaimedJob { seq, id: proto::JobId::clone(&id), attempts: 0, payload: Vec::new() };
        Chunk {
            batch_id: "batch_2026-01-23_1".parse().expect("a legal batch id"),
            contract_version: "v1".into(),
            expires_at: 10_000,
            deadline_at: 30_000,
            timing: Timing::default(),
            jobs: (0..jobs).map(job).collect(),
        }
    }

    fn done(seq: u32) -> JobResult {
        let digest = String::new();
        JobResult::Completed(Completion { seq, code: Code::Predicted, num_rows: 1, body: vec![1], digest })
    }

    fn working(jobs: u32) -> (Worker, LeaseId) {
        let mut worker = Worker::new(0);
        let actions = worker.step(Event::Tick, 0, 7);
        assert_eq!(actions, [Action::Claim { lease: LeaseId::from_random(7), max_jobs: FIRST_CHUNK }]);
        worker.step(Event::Claimed(Ok(Claimed::Chunk(chunk(jobs)))), 0, 8);
        (worker, LeaseId::from_random(7))
    }

    #[test]
    fn a_chunk_is_reported_when_its_last_job_is_done_and_the_next_is_claimed() {
        let (mut worker, lease) = working(2);
        assert_eq!(worker.step(Event::JobDone(lease, done(0)), 10, 1), []);
        let actions = worker.step(Event::JobDone(lease, done(1)), 20, 1);
        assert!(matches!(&actions[..], [Action::Report { completions, .. }] if completions.len() == 2));
        let actions = worker.step(Event::Reported(lease, Ok(())), 30, 9);
        assert_eq!(actions, [Action::Claim { lease: LeaseId::from_random(9), max_jobs: 16 }]);
        assert_eq!(worker.jobs_done, 2);
    }

    #[test]
    fn a_lost_answer_repeats_the_same_claim_and_the_same_report() {
        let mut worker = Worker::new(0);
        worker.step(Event::Tick, 0, 7);
        assert_eq!(worker.step(Event::Claimed(Err(())), 0, 0), []);
        let again = worker.step(Event::Tick, 400, 99);
        assert_eq!(again, [Action::Claim { lease: LeaseId::from_random(7), max_jobs: FIRST_CHUNK }]);

        let (mut worker, lease) = working(1);
        let first = worker.step(Event::JobDone(lease, done(0)), 10, 1);
        worker.step(Event::Reported(lease, Err(())), 20, 0);
        assert_eq!(worker.step(Event::Tick, 1_000, 1), first);
    }

    #[test]
    fn a_silent_thread_is_left_behind_and_its_job_reported_as_hung() {
        let (mut worker, lease) = working(2);
        worker.step(Event::JobDone(lease, done(0)), 10, 1);
        let actions = worker.step(Event::Tick, 27_000, 1);
        let [Action::AbandonThread, Action::Report { completions, give_backs, .. }] = &actions[..] else {
            panic!("{actions:?}")
        };
        assert_eq!(completions.len(), 1);
        assert!(matches!(&give_backs[..], [GiveBack { seq: 1, how: GiveBackHow::Hang { .. } }]));
        assert_eq!(
            worker.step(Event::JobDone(lease, done(1)), 27_001, 1),
            [],
            "a late answer changes nothing"
        );
    }

    #[test]
    fn a_lost_lease_is_not_reported() {
        let (mut worker, lease) = working(1);
        assert_eq!(worker.step(Event::Tick, 3_000, 1), [Action::Renew(lease)]);
        worker.step(Event::Renewed(lease, Ok(Renewed::Gone)), 3_001, 1);
        assert_eq!(worker.step(Event::JobDone(lease, done(0)), 4_000, 1), []);
        assert!(matches!(worker.step(Event::Tick, 4_001, 5)[..], [Action::Claim { .. }]));
    }

    #[test]
    fn draining_finishes_what_is_at_hand() {
        let (mut worker, lease) = working(1);
        assert_eq!(worker.step(Event::Drain, 5, 1), []);
        worker.step(Event::JobDone(lease, done(0)), 10, 1);
        assert_eq!(worker.step(Event::Reported(lease, Ok(())), 20, 1), [Action::Stop]);
    }

    #[test]
    fn chunks_grow_to_a_tenth_of_the_deadline_and_shrink_when_jobs_are_slow() {
        let (mut worker, lease) = working(2);
        worker.step(Event::JobDone(lease, done(0)), 1, 1);
        worker.step(Event::JobDone(lease, done(1)), 6_000, 1);
        assert_eq!(worker.chunk_size, 1, "3 s a job: one at a time");
    }
}
