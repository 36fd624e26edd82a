//! How many workers a pool should have: by what waits and by when it must be done.

use protocol::Millis;
use serde::{Deserialize, Serialize};

/// Jobs that are worth a worker of their own while others are at it.
const JOBS_PER_WORKER: u64 = 64;
/// Share of the time to finish-by that the work may take: the rest is for retries and the finalizer.
const USABLE_TIME: f64 = 0.5;
/// How long fewer workers must have been enough before the pool shrinks: a slate comes in waves.
const SHRINK_AFTER_MS: Millis = 10_000;

/// The range a pool chooses its size from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoRange {
    /// Workers it always has.
    pub min: usize,
    /// Workers it never exceeds.
    pub max: usize,
}

/// The open jobs of one running batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that have not ended.
    pub open_jobs: u64,
    /// Time until finish-by; nothing can be claimed when it is over.
    pub ms_left: Millis,
}

/// The size for a backlog: enough that each worker has a fair share, and enough that all is done in half of the time
/// that is left, at `job_ms` a job.
pub fn auto_size(range: AutoRange, backlogs: &[Backlog], job_ms: Option<f64>) -> usize {
    let due = backlogs.iter().filter(|backlog| backlog.ms_left > 0);
    let mut by_share = 0;
    let mut by_time = 0.0;
    for backlog in due {
        by_share += backlog.open_jobs.div_ceil(JOBS_PER_WORKER);
        by_time += job_ms.unwrap_or(0.0) * backlog.open_jobs as f64 / (backlog.ms_left as f64 * USABLE_TIME);
    }
    let wanted = (by_time.ceil() as usize).max(usize::try_from(by_share).unwrap_or(usize::MAX));
    wanted.min(range.max).max(range.min)
}

/// Grows at once and shrinks late.
#[derive(Debug, Clone, Default)]
pub(crate) struct AutoSizer {
    enough_since: Option<Millis>,
}

impl AutoSizer {
    /// The size to have from now on, where `needed` would do and there are `current`.
    pub(crate) fn advise(&mut self, needed: usize, current: usize, now: Millis) -> usize {
        if needed >= current {
            self.enough_since = None;
            return needed;
        }
        let since = *self.enough_since.get_or_insert(now);
        if now - since < SHRINK_AFTER_MS {
            return current;
        }
        self.enough_since = None;
        needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_follows_backlog_and_finish_by() {
        let range = AutoRange { min: 1, max: 8 };
        let batch = |open_jobs, ms_left| Backlog { open_jobs, ms_left };
        let ten_minutes = 600_000;
        for (backlogs, job_ms, size, why) in [
            (vec![], None, 1, "nothing to do"),
            (vec![batch(1, ten_minutes)], None, 1, "one job"),
            (vec![batch(65, ten_minutes)], None, 2, "more than one share"),
            (vec![batch(334, ten_minutes)], Some(0.2), 6, "a night of quick jobs"),
            (vec![batch(100_000, ten_minutes)], Some(0.2), 8, "never more than the range"),
            (vec![batch(40, 10_000)], Some(500.0), 4, "20 s of work, 5 s of usable time"),
            (vec![batch(40, 10_000), batch(40, 10_000)], Some(500.0), 8, "two of them"),
            (vec![batch(100_000, 0), batch(5, -1)], Some(500.0), 1, "what is over cannot be claimed"),
            (vec![batch(10, 1)], Some(f64::NAN), 1, "a mean that is no number counts for nothing"),
            (vec![batch(10, 1)], Some(1e300), 8, "nor does it overflow"),
        ] {
            assert_eq!(auto_size(range, &backlogs, job_ms), size, "{why}");
        }
        assert_eq!(auto_size(AutoRange { min: 3, max: 3 }, &[], None), 3);
        assert_eq!(auto_size(AutoRange { min: 0, max: 4 }, &[], None), 0);
    }

    #[test]
    fn it_grows_at_once_and_shrinks_late() {
        let mut sizer = AutoSizer::default();
        assert_eq!(sizer.advise(6, 1, 0), 6);
        assert_eq!(sizer.advise(1, 6, 1_000), 6, "perhaps more comes");
        assert_eq!(sizer.advise(1, 6, 10_999), 6);
        assert_eq!(sizer.advise(1, 6, 11_000), 1, "nothing came");
        assert_eq!(sizer.advise(1, 6, 12_000), 6);
        assert_eq!(sizer.advise(7, 6, 13_000), 7, "more came");
        assert_eq!(sizer.advise(1, 7, 22_500), 7, "the wait begins anew");
    }
}
