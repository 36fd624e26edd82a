//! A circuit breaker as a value: what happened goes in with the time, the next state comes out.
//!
//! The predecessor called one broken function 19,100 times in three days (incident 42), and a blocked source for
//! five (59). A source that fails again and again gets a rest that doubles; one that refuses us rests at once. After
//! the rest a single call finds out how things are.
//!
//! ```text
//! Closed ──failures in a row, or one refusal──> Open ──rest is over──> Trying ──answer──> Closed
//!                                                ^                        │
//!                                                └────────failure─────────┘  (rest doubled)
//! ```

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::Meaning;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub failures: u32,
    /// The first rest.
    pub rest: SignedDuration,
    /// The longest rest; also the rest after a refusal. Below an hour, so that a source that is back is back soon.
    pub longest_rest: SignedDuration,
    /// After so long a trial that never came back (its process died) is made again.
    pub trial: SignedDuration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: SignedDuration::from_secs(60),
            longest_rest: SignedDuration::from_mins(30),
            trial: SignedDuration::from_mins(3),
        }
    }
}

/// The state of one source's breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Breaker {
    /// Calls go out.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// No calls until then.
    Open {
        /// End of the rest.
        until: Timestamp,
        /// How often it opened in a row.
        trips: u32,
    },
    /// One call is out to see how things are.
    Trying {
        /// When it went out.
        since: Timestamp,
        /// How often it opened before.
        trips: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// How a call went, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// The source answered.
    Answer,
    /// It failed.
    Failure,
    /// It refused us.
    Refusal,
}

impl From<Meaning> for Observed {
    fn from(meaning: Meaning) -> Self {
        match meaning {
            Meaning::ThisOnly => Self::Answer,
            Meaning::Passing | Meaning::Lasting => Self::Failure,
            Meaning::Refusal => Self::Refusal,
        }
    }
}

impl Breaker {
    /// May a call go out now? If so, the state while it is out; else when to ask again.
    pub fn admit(self, now: Timestamp, policy: &BreakerPolicy) -> Result<Self, Timestamp> {
        match self {
            Self::Closed { .. } => Ok(self),
            Self::Open { until, .. } if now < until => Err(until),
            Self::Open { trips, .. } => Ok(Self::Trying { since: now, trips }),
            Self::Trying { since, .. } if now < since + policy.trial => Err(since + policy.trial),
            Self::Trying { trips, .. } => Ok(Self::Trying { since: now, trips }),
        }
    }

    /// The state after a call.
    pub fn observe(self, what: Observed, now: Timestamp, policy: &BreakerPolicy) -> Self {
        match (self, what) {
            // An answer to a call that went out before the rest began proves nothing new about a refusal.
            (Self::Open { until, trips }, Observed::Answer) if now < until => Self::Open { until, trips },
            (_, Observed::Answer) => Self::Closed { failures: 0 },
            (Self::Closed { failures }, Observed::Failure) if failures + 1 < policy.failures => {
                Self::Closed { failures: failures + 1 }
            }
            (Self::Open { until, trips }, Observed::Failure) => Self::Open { until, trips },
            (Self::Closed { .. }, Observed::Failure) => Self::open(now, 1, policy),
            (Self::Trying { trips, .. }, Observed::Failure) => {
                Self::open(now, trips.saturating_add(1), policy)
            }
            (state, Observed::Refusal) => {
                let trips = state.trips().saturating_add(1);
                Self::Open { until: now + policy.longest_rest, trips }
            }
        }
    }

    /// True when calls go out as usual.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Closed { .. })
    }

    const fn trips(self) -> u32 {
        match self {
            Self::Closed { .. } => 0,
            Self::Open { trips, .. } | Self::Trying { trips, .. } => trips,
        }
    }

    fn open(now: Timestamp, trips: u32, policy: &BreakerPolicy) -> Self {
        let doubled = 1_i32.checked_shl(trips.saturating_sub(1)).filter(|n| *n > 0).unwrap_or(i32::MAX);
        let rest = policy.rest.checked_mul(doubled).unwrap_or(policy.longest_rest).min(policy.longest_rest);
        Self::Open { until: now + rest, trips }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        rest: SignedDuration::from_secs(60),
        longest_rest: SignedDuration::from_mins(30),
        trial: SignedDuration::from_mins(3),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn open(until: i64, trips: u32) -> Breaker {
        Breaker::Open { until: at(until), trips }
    }

    fn trying(since: i64, trips: u32) -> Breaker {
        Breaker::Trying { since: at(since), trips }
    }

    fn closed(failures: u32) -> Breaker {
        Breaker::Closed { failures }
    }

    #[test]
    fn what_each_state_becomes() {
        use Observed::{Answer, Failure, Refusal};
        for (state, what, now, next) in [
            (closed(0), Answer, 0, closed(0)),
            (closed(2), Answer, 0, closed(0)),
            (closed(0), Failure, 0, closed(1)),
            (closed(1), Failure, 0, closed(2)),
            (closed(2), Failure, 0, open(60, 1)),
            (closed(0), Refusal, 0, open(1800, 1)),
            (open(60, 1), Failure, 10, open(60, 1)),
            (open(60, 1), Answer, 10, open(60, 1)),
            (open(60, 1), Refusal, 10, open(1810, 2)),
            (trying(60, 1), Answer, 61, closed(0)),
            (trying(60, 1), Failure, 61, open(61 + 120, 2)),
            (trying(60, 4), Failure, 61, open(61 + 960, 5)),
            (trying(60, 5), Failure, 61, open(61 + 1800, 6)),
            (trying(60, 400), Failure, 61, open(61 + 1800, 401)),
            (trying(60, 1), Refusal, 61, open(61 + 1800, 2)),
        ] {
            assert_eq!(state.observe(what, at(now), &POLICY), next, "{state:?} {what:?}");
        }
    }

    #[test]
    fn who_may_call() {
        for (state, now, answer) in [
            (closed(0), 0, Ok(closed(0))),
            (closed(2), 0, Ok(closed(2))),
            (open(60, 1), 59, Err(at(60))),
            (open(60, 1), 60, Ok(trying(60, 1))),
            (trying(60, 1), 61, Err(at(240))),
            (trying(60, 1), 240, Ok(trying(240, 1))),
        ] {
            assert_eq!(state.admit(at(now), &POLICY), answer, "{state:?}");
        }
    }

    #[test]
    fn incident_42_a_source_that_always_fails_is_called_ever_more_seldom() {
        let (mut state, mut calls) = (Breaker::default(), 0);
        for second in 0..86_400 {
            if let Ok(out) = state.admit(at(second), &POLICY) {
                calls += 1;
                state = out.observe(Observed::Failure, at(second), &POLICY);
            }
        }
        assert!((40..=60).contains(&calls), "{calls} calls in a day of failures");
    }
}
