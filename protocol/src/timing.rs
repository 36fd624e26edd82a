//! The clocks of the protocol, derived from one lease length and checked at start.

use crate::Millis;

/// Lengths of time, in milliseconds. A batch freezes them when it is opened, so that every instance agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Timing {
    /// A claim's lease; at least 100.
    pub lease_ms: Millis,
    /// How often a worker renews; at most half a lease.
    pub renew_ms: Millis,
    /// How long after its claim a job may be renewed; at least one lease.
    pub job_deadline_ms: Millis,
    /// How often an instance sweeps.
    pub sweep_ms: Millis,
    /// Lease of a finalizer's ticket, and of an opener.
    pub finalizer_lease_ms: Millis,
    /// Charged claims until a job ends as failed or expired.
    pub max_attempts: u32,
}

/// Shortest lease: below it, scheduling noise looks like death.
const MIN_LEASE_MS: Millis = 100;

/// A combination of times that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// The lease is too short.
    #[error("lease_ms is {0}, the shortest lease is {MIN_LEASE_MS}")]
    Lease(Millis),
    /// A renewal could come too late.
    #[error("renew_ms is {renew}, it must be between 1 and half of lease_ms ({lease})")]
    Renew {
        /// The setting.
        renew: Millis,
        /// The lease it belongs to.
        lease: Millis,
    },
    /// A job could never be renewed.
    #[error("job_deadline_ms is {deadline}, it must be at least lease_ms ({lease})")]
    Deadline {
        /// The setting.
        deadline: Millis,
        /// The lease it belongs to.
        lease: Millis,
    },
    /// A length that must be positive is not.
    #[error("{name} must be at least {least}")]
    TooSmall {
        /// Name of the setting.
        name: &'static str,
        /// The least value.
        least: Millis,
    },
}

impl Timing {
    /// The default times for a lease: renew 3/10, deadline 3x, finalizer and opener 3/2.
    pub fn from_lease(lease_ms: Millis) -> Self {
        Self {
            lease_ms,
            renew_ms: lease_ms * 3 / 10,
            job_deadline_ms: lease_ms * 3,
            sweep_ms: 1_000,
            finalizer_lease_ms: lease_ms * 3 / 2,
            max_attempts: 3,
        }
    }

    /// Refuses combinations that cannot work; called once, at start.
    pub fn validate(self) -> Result<Self, TimingError> {
        if self.lease_ms < MIN_LEASE_MS {
            return Err(TimingError::Lease(self.lease_ms));
        }
        if self.renew_ms < 1 || self.renew_ms > self.lease_ms / 2 {
            return Err(TimingError::Renew { renew: self.renew_ms, lease: self.lease_ms });
        }
        if self.job_deadline_ms < self.lease_ms {
            return Err(TimingError::Deadline { deadline: self.job_deadline_ms, lease: self.lease_ms });
        }
        if self.finalizer_lease_ms < MIN_LEASE_MS {
            return Err(TimingError::TooSmall { name: "finalizer_lease_ms", least: MIN_LEASE_MS });
        }
        if self.sweep_ms < 10 {
            return Err(TimingError::TooSmall { name: "sweep_ms", least: 10 });
        }
        if self.max_attempts < 1 {
            return Err(TimingError::TooSmall { name: "max_attempts", least: 1 });
        }
        Ok(self)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::from_lease(10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_follow_the_lease() {
        let timing = Timing::default();
        assert_eq!(
            (timing.renew_ms, timing.job_deadline_ms, timing.finalizer_lease_ms),
            (3_000, 30_000, 15_000)
        );
        assert_eq!(Timing::from_lease(100).validate(), Ok(Timing::from_lease(100)));
    }

    #[test]
    fn combinations_that_cannot_work_are_refused() {
        let base = Timing::default();
        for wrong in [
            Timing { lease_ms: 99, ..base },
            Timing { renew_ms: 5_001, ..base },
            Timing { renew_ms: 0, ..base },
            Timing { job_deadline_ms: 9_999, ..base },
            Timing { finalizer_lease_ms: 1, ..base },
            Timing { sweep_ms: 1, ..base },
            Timing { max_attempts: 0, ..base },
        ] {
            assert!(wrong.validate().is_err(), "{wrong:?}");
        }
    }
}
