//! The outbox: events that were committed with a state and wait to be delivered, at least once.

use super::{MAX_DELIVERIES, Model};
use crate::Millis;
use crate::ops::OutboxEvent;

impl Model {
    /// Events that may be delivered now, by time and id.
    pub fn outbox_due(&self, limit: usize, now: Millis) -> Vec<OutboxEvent> {
        let mut due: Vec<_> = self
            .outbox
            .values()
            .filter(|entry| entry.dead.is_none() && entry.event.not_before <= now)
            .map(|entry| entry.event.clone())
            .collect();
        due.sort_by(|a, b| (a.not_before, &a.id).cmp(&(b.not_before, &b.id)));
        due.truncate(limit);
        due
    }

    /// An event was delivered to every sink.
    pub fn outbox_delivered(&mut self, event_id: &str) -> bool {
        self.writes += 1;
        self.outbox.remove(event_id).is_some()
    }

    /// A delivery failed: tried again from `retry_at` on, a dead letter after ten. True when it became one.
    pub fn outbox_failed(&mut self, event_id: &str, error: &str, retry_at: Millis) -> bool {
        self.writes += 1;
        let Some(entry) = self.outbox.get_mut(event_id) else { return false };
        entry.event.attempts += 1;
        entry.event.not_before = retry_at;
        if entry.event.attempts >= MAX_DELIVERIES {
            entry.dead = Some(error.to_owned());
        }
        entry.dead.is_some()
    }

    /// Events that were given up, with their last error.
    pub fn dead_letters(&self) -> Vec<(OutboxEvent, String)> {
        let dead = |entry: &super::OutboxEntry| entry.dead.clone().map(|error| (entry.event.clone(), error));
        self.outbox.values().filter_map(dead).collect()
    }
}
