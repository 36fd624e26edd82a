//! The time of the world, apart from the time of the machine.
//!
//! Two questions look alike and are not. *What time is it?* decides as-of, tip-offs, ages, what is late and what a date
//! is called: it is asked of a [`Clock`]. *How long has it been?* decides leases, deadlines and pauses between tries:
//! it is asked of the machine, always, or a day that is replayed would never see a lease run out.
//!
//! The world's time is the machine's, unless a day is simulated: then it is what a test sets, or what stands in a file
//! that all processes of that day read (`TIPOFF_WORLD_CLOCK`, docs/decisions/0026). Such a clock opens no warehouse but
//! one that was created under such a clock, so nobody can date a real prediction back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use warehouse::World;

/// How often a clock that somebody sets is looked at by who waits for an instant.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The time of the world.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// This host's.
    #[default]
    Host,
    /// What somebody sets in this process, in milliseconds since 1970.
    Set(Arc<AtomicI64>),
    /// What somebody writes into a file: one clock for many processes.
    File(Arc<ClockFile>),
}

/// A file that holds an instant.
#[derive(Debug)]
pub struct ClockFile {
    path: PathBuf,
    /// What it last said, in microseconds since 1970: a clock that cannot be read stands still.
    last: AtomicI64,
}

impl Clock {
    /// The clock in a file, which must be readable now.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let last = read(path)?;
        let file = ClockFile { path: path.to_owned(), last: AtomicI64::new(last.as_microsecond()) };
        Ok(Self::File(Arc::new(file)))
    }

    /// Now, in the world.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Host => Timestamp::now(),
            Self::Set(at) => {
                Timestamp::from_millisecond(at.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN)
            }
            Self::File(file) => file.now(),
        }
    }

    /// The world it is the time of: which warehouses may be opened.
    pub fn world(&self) -> World {
        match self {
            Self::Host => World::Real,
            Self::Set(_) | Self::File(_) => World::Simulated,
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(&file.path),
            Self::Host | Self::Set(_) => None,
        }
    }

    /// Waits until the world has come to an instant.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
            if left.is_zero() {
                return;
            }
            let pause = match self {
                Self::Host => left,
                Self::Set(_) | Self::File(_) => left.min(LOOK_EVERY),
            };
            tokio::time::sleep(pause).await;
        }
    }
}

impl ClockFile {
    fn now(&self) -> Timestamp {
        match read(&self.path) {
            Ok(now) => {
                self.last.store(now.as_microsecond(), Ordering::Relaxed);
                now
            }
            Err(why) => {
                tracing::warn!("the world's clock stands still: {why}");
                Timestamp::from_microsecond(self.last.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

fn read(path: &Path) -> Result<Timestamp, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("read `{}`: {error}", path.display()))?;
    text.trim().parse().map_err(|_| {
        format!("`{}` holds `{}`, not an instant such as 2025-11-14T10:00:00Z", path.display(), text.trim())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn a_file_says_what_time_it_is_and_a_torn_one_stops_the_clock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        for (text, why) in [(None, "read `"), (Some("noon"), "not an instant")] {
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            assert!(Clock::of_file(&path).is_err_and(|error| error.contains(why)));
        }
        std::fs::write(&path, "2025-11-14T10:00:00Z\n").unwrap();
        let clock = Clock::of_file(&path).unwrap();
        assert_eq!(clock.now(), "2025-11-14T10:00:00Z".parse().unwrap());
        assert_eq!(clock.world(), World::Simulated);
        std::fs::write(&path, "2025-11-14T10:30:00Z").unwrap();
        let later: Timestamp = "2025-11-14T10:30:00Z".parse().unwrap();
        assert_eq!(clock.now(), later);
        std::fs::write(&path, "").unwrap();
        assert_eq!(clock.now(), later, "it stands still");
    }

    #[tokio::test]
    async fn an_instant_that_is_past_is_not_waited_for() {
        let clock = Clock::Set(Arc::new(AtomicI64::new(1_000)));
        clock.sleep_until(Timestamp::from_second(1).unwrap()).await;
        Clock::Host.sleep_until(Timestamp::UNIX_EPOCH).await;
    }
}
