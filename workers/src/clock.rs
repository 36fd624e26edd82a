//! The two clocks of a worker process.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use protocol::Millis;

/// A steady clock that began at the wall clock's time.
///
/// Leases and deadlines are lengths of time, so a worker counts them on the steady clock: a jump of the wall clock must
/// neither abandon a thread nor keep one for ever. The wall clock is only passed to the store, which may ignore it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Millis,
}

impl Clock {
    /// Reads both clocks once.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), started_at: wall() }
    }

    /// Milliseconds that never go back or jump.
    pub(crate) fn steady(&self) -> Millis {
        let passed = self.started.elapsed().as_millis();
        self.started_at.saturating_add(Millis::try_from(passed).unwrap_or(Millis::MAX))
    }

    /// A time of the store, which was asked when the wall clock read `asked_at`, on the steady clock.
    pub(crate) fn steady_of(&self, store_time: Millis, asked_at: Millis) -> Millis {
        self.steady().saturating_add(store_time.saturating_sub(asked_at))
    }
}

/// Milliseconds since the Unix epoch by the system's clock; zero before it.
pub(crate) fn wall() -> Millis {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Millis::try_from(passed).unwrap_or(Millis::MAX)
}
