//! A stopwatch over the due index: what this instance has seen unchanged for its full length counts as due, even if
//! the store's clock stands still or was moved (design.md 5, "Time").

use std::collections::BTreeMap;
use std::time::Instant;

use protocol::ops::DueKey;
use protocol::{Millis, Timing};

/// When each entry was first seen with its present time.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: BTreeMap<DueKey, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Millis,
    since: Instant,
    length_ms: Millis,
}

impl Watch {
    /// Takes a fresh look at the index and names the entries that were watched for their full length.
    pub(crate) fn look(
        &mut self,
        due: &[(DueKey, Millis)],
        timing: &Timing,
        store_now: Millis,
        here: Instant,
    ) -> Vec<(DueKey, Millis)> {
        let mut seen = BTreeMap::new();
        let mut watched = Vec::new();
        for (key, at) in due {
            let entry = match self.seen.get(key) {
                Some(known) if known.at == *at => *known,
                _ => Seen { at: *at, since: here, length_ms: length_of(key, *at, timing, store_now) },
            };
            if here.duration_since(entry.since).as_millis() as Millis >= entry.length_ms {
                watched.push((key.clone(), *at));
            }
            seen.insert(key.clone(), entry);
        }
        self.seen = seen;
        watched
    }
}

/// How long an entry has to be watched: leases by their nominal length, so that a clock that was set back cannot
/// stretch them; a finish-by by what was left of it.
fn length_of(key: &DueKey, at: Millis, timing: &Timing, store_now: Millis) -> Millis {
    match key {
        DueKey::Lease(_) => timing.lease_ms,
        DueKey::Opener(_) | DueKey::Ticket(_) => timing.finalizer_lease_ms,
        DueKey::FinishBy(_) => (at - store_now).max(0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_entry_counts_once_it_was_watched_for_its_length_and_starts_anew_when_renewed() {
        let timing = Timing::default();
        let key = DueKey::Lease(proto::LeaseId::from_random(1));
        let mut watch = Watch::default();
        let start = Instant::now();
        let mut look = |at, after_ms| {
            watch.look(&[(key.clone(), at)], &timing, 0, start + Duration::from_millis(after_ms)).len()
        };
        assert_eq!(look(10_000, 0), 0);
        assert_eq!(look(10_000, 9_999), 0);
        assert_eq!(look(10_000, 10_000), 1);
        assert_eq!(look(20_000, 10_001), 0, "renewed");
        assert_eq!(look(20_000, 20_001), 1);
    }
}
