//! How quickly failed workers are replaced: with backoff, and at most so many in a while.
//!
//! A worker that fails at once for ever must not turn a core into a heater or a log into a flood (incident 42); a pool
//! that gives up must not stay without workers when the trouble is over. So replacements are spaced, and held back for a
//! while when there were too many, but never stopped.

use std::collections::VecDeque;

use protocol::Millis;
use protocol::backoff::full_jitter;

/// Failures within the window after which replacements wait for the window to pass.
const MAX_FAILURES: usize = 20;
/// Length of the window.
const WINDOW_MS: Millis = 60_000;

/// The failures of the last minute.
#[derive(Debug, Clone, Default)]
pub(crate) struct RestartBudget {
    failures: VecDeque<Millis>,
    not_before: Millis,
}

impl RestartBudget {
    /// Takes a failure into account; `random` spreads the replacements.
    pub(crate) fn failed(&mut self, now: Millis, random: u64) {
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|at| now - at >= WINDOW_MS) {
            self.failures.pop_front();
        }
        let attempts = self.failures.len() - 1;
        self.not_before = match self.failures.front() {
            Some(oldest) if self.failures.len() >= MAX_FAILURES => oldest + WINDOW_MS,
            // The first replacement is at once: most failures are one bad moment.
            _ if attempts == 0 => now,
            _ => now + full_jitter(u32::try_from(attempts).unwrap_or(u32::MAX), random),
        };
    }

    /// When the next replacement may start.
    pub(crate) fn not_before(&self) -> Millis {
        self.not_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incident_42_replacements_are_spaced_and_bounded_in_a_minute() {
        let mut budget = RestartBudget::default();
        assert_eq!(budget.not_before(), 0, "nothing failed");
        budget.failed(1_000, u64::MAX);
        assert_eq!(budget.not_before(), 1_000, "the first is replaced at once");
        budget.failed(1_001, 400);
        assert_eq!(budget.not_before(), 1_401, "the second after a jittered pause");
        for at in 2..20 {
            budget.failed(1_000 + at, 0);
        }
        assert_eq!(budget.not_before(), 61_000, "twenty in a minute: until the first is a minute old");
        budget.failed(61_000, 400);
        assert_eq!(budget.not_before(), 61_001, "one more for each that leaves the window");
        budget.failed(200_000, 7);
        assert_eq!(budget.not_before(), 200_000, "after a quiet time the count begins anew");
    }
}
