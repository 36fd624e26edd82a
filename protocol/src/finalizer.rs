//! A finalizer as `step(event, now) -> actions`: ticket, drain, read, verdict, end, clean up.
//!
//! The ticket only saves double work; safety lies in the warehouse, where the first verdict stands. Therefore any
//! finalizer may be killed, doubled or woken late: it can repeat every step and reads the verdict that is there.
//! A warehouse that refuses costs a strike; one that cannot be reached is waited for, at most 30 s between tries.

use proto::BatchId;

use crate::model::MAX_STRIKES;
use crate::ops::{Drained, Grant, Renewed, Ticket};
use crate::{CloseReason, Closing, MAX_ITEMS_PER_CALL, Millis, Mode};

/// Longest wait between tries of an unreachable warehouse.
const LONGEST_WAIT_MS: Millis = 30_000;
const SHORTEST_WAIT_MS: Millis = 200;

/// What can happen to a finalizer.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The store answered about the ticket.
    Ticket(Ticket),
    /// The store answered a renewal.
    Renewed(Renewed),
    /// The store drained.
    Drained(Drained),
    /// All staged rows were read and accounted for.
    Gathered,
    /// A staged record cannot be read; the batch cannot be published by this build.
    Unreadable(String),
    /// The warehouse holds a verdict now, by this transaction or an earlier one.
    VerdictStands,
    /// The warehouse answered and said no.
    Refused(String),
    /// The warehouse could not be reached.
    Unreachable(String),
    /// The store copied the verdict.
    Ended,
    /// The verdict was read back on another connection and staged rows are dropped.
    Cleaned,
    /// The store could not be reached.
    StoreUnreachable,
}

/// What the shell does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask for the ticket.
    TakeTicket,
    /// Prolong it.
    RenewTicket,
    /// End at most so many open jobs.
    Drain(usize),
    /// Read the staged rows in pages and account for them.
    Gather,
    /// Run the verdict transaction with this closing.
    Decide(Closing),
    /// Copy the verdict into the store.
    End,
    /// Read the verdict back on another connection, then drop staged rows.
    Clean,
    /// Give the ticket back with an error: a strike. Another try from then on.
    ReturnTicket {
        /// What happened.
        error: String,
        /// Not before.
        retry_at: Millis,
    },
    /// This finalizer is done.
    Stop(Exit),
}

/// How a finalizer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The batch has ended.
    Done,
    /// Another one is at it, or there is nothing to finalize.
    NotNeeded,
    /// The warehouse refused; somebody will try again.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ticket,
    Drain,
    Gather,
    Decide,
    End,
    Clean,
    Stopped,
}

/// One attempt at finalizing one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Finalizer {
    /// The batch.
    pub batch_id: BatchId,
    phase: Phase,
    grant: Option<Grant>,
    renew_at: Millis,
    retry_at: Option<Millis>,
    tries: u32,
    /// The last thing that went wrong, for `/why`.
    pub trouble: Option<String>,
}

impl Finalizer {
    /// A finalizer that will ask for the ticket at its first tick.
    pub fn new(batch_id: BatchId) -> Self {
        Self {
            batch_id,
            phase: Phase::Ticket,
            grant: None,
            renew_at: Millis::MAX,
            retry_at: Some(Millis::MIN),
            tries: 0,
            trouble: None,
        }
    }

    /// The one way a finalizer changes.
    pub fn step(&mut self, event: Event, now: Millis) -> Vec<Action> {
        match (self.phase, event) {
            (Phase::Stopped, _) => Vec::new(),
            (_, Event::Tick) => self.tick(now),
            (_, Event::StoreUnreachable) => self.wait(now, "the state store cannot be reached".to_owned()),
            (_, Event::Renewed(Renewed::Until(until))) => {
                self.renew_at = now + (until - now) / 3;
                Vec::new()
            }
            // From the verdict on the ticket does not matter: the end is the same whoever writes it.
            (Phase::End | Phase::Clean, Event::Renewed(Renewed::Gone)) => Vec::new(),
            (_, Event::Renewed(Renewed::Gone)) => self.stop(Exit::NotNeeded),
            (Phase::Ticket, Event::Ticket(Ticket::Granted(grant))) => self.granted(grant, now),
            (Phase::Ticket, Event::Ticket(_)) => self.stop(Exit::NotNeeded),
            (Phase::Drain, Event::Drained(Drained::Drained { left, .. })) => {
                if left > 0 {
                    self.go(Phase::Drain)
                } else {
                    self.go(Phase::Gather)
                }
            }
            (Phase::Drain, Event::Drained(Drained::LostTicket)) => self.stop(Exit::NotNeeded),
            (Phase::Gather, Event::Gathered) => self.go(Phase::Decide),
            (Phase::Gather, Event::Unreadable(error)) | (Phase::Decide, Event::Refused(error)) => {
                self.refused(error, now)
            }
            (Phase::Gather | Phase::Decide | Phase::Clean, Event::Unreachable(error)) => {
                self.wait(now, error)
            }
            (Phase::Decide, Event::VerdictStands) => self.go(Phase::End),
            (Phase::End, Event::Ended) => self.go(Phase::Clean),
            (Phase::Clean, Event::Cleaned | Event::Refused(_)) => self.stop(Exit::Done),
            // An answer to a question of an earlier phase.
            _ => Vec::new(),
        }
    }

    fn granted(&mut self, grant: Grant, now: Millis) -> Vec<Action> {
        self.renew_at = now + (grant.until - now) / 3;
        let open = grant.open;
        self.grant = Some(grant);
        if open > 0 { self.go(Phase::Drain) } else { self.go(Phase::Gather) }
    }

    /// What the verdict is decided from: after five strikes nothing is published any more.
    fn closing(&self) -> Option<Closing> {
        let grant = self.grant.as_ref()?;
        let mut closing = grant.closing.clone();
        if grant.strikes >= MAX_STRIKES && closing.mode == Mode::Publish {
            closing.mode = Mode::Discard;
            closing.reason = CloseReason::Finalizer;
        }
        Some(closing)
    }

    /// True when finalizing was given up and only the verdict `failed(finalizer)` is left to write.
    pub fn gives_up(&self) -> bool {
        self.closing().is_some_and(|closing| closing.reason == CloseReason::Finalizer)
    }

    fn go(&mut self, phase: Phase) -> Vec<Action> {
        self.phase = phase;
        self.tries = 0;
        self.retry_at = None;
        self.trouble = None;
        self.act()
    }

    fn act(&self) -> Vec<Action> {
        match self.phase {
            Phase::Ticket => vec![Action::TakeTicket],
            Phase::Drain => vec![Action::Drain(MAX_ITEMS_PER_CALL)],
            Phase::Gather => vec![Action::Gather],
            Phase::Decide => self.closing().map(Action::Decide).into_iter().collect(),
            Phase::End => vec![Action::End],
            Phase::Clean => vec![Action::Clean],
            Phase::Stopped => Vec::new(),
        }
    }

    fn tick(&mut self, now: Millis) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.grant.is_some() && now >= self.renew_at {
            self.renew_at = now + SHORTEST_WAIT_MS;
            actions.push(Action::RenewTicket);
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry_at = None;
            actions.extend(self.act());
        }
        actions
    }

    fn wait(&mut self, now: Millis, trouble: String) -> Vec<Action> {
        let wait = (SHORTEST_WAIT_MS << self.tries.min(10)).min(LONGEST_WAIT_MS);
        self.tries += 1;
        self.retry_at = Some(now + wait);
        self.trouble = Some(trouble);
        Vec::new()
    }

    fn refused(&mut self, error: String, now: Millis) -> Vec<Action> {
        let strikes = self.grant.as_ref().map_or(0, |grant| grant.strikes);
        let wait = (SHORTEST_WAIT_MS << strikes.min(10)).min(LONGEST_WAIT_MS);
        let mut actions = vec![Action::ReturnTicket { error, retry_at: now + wait }];
        actions.extend(self.stop(Exit::Refused));
        actions
    }

    fn stop(&mut self, exit: Exit) -> Vec<Action> {
        self.phase = Phase::Stopped;
        vec![Action::Stop(exit)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(open: u64, strikes: u32) -> Ticket {
        let closing = Closing {
            mode: Mode::Publish,
            reason: CloseReason::AllDone,
            min_coverage: 0.5,
            whole_slate: true,
            closed_at: 0,
        };
        Ticket::Granted(Grant { until: 15_000, closing, open, strikes, last_error: String::new() })
    }

    fn finalizer() -> Finalizer {
        let mut finalizer = Finalizer::new("batch_2026-01-23_1".parse().expect("a legal batch id"));
        assert_eq!(finalizer.step(Event::Tick, 0), [Action::TakeTicket]);
        finalizer
    }

    #[test]
    fn the_way_from_ticket_to_end() {
        let mut finalizer = finalizer();
        assert_eq!(finalizer.step(Event::Ticket(grant(700, 0)), 0), [Action::Drain(500)]);
        let drained = |left| Event::Drained(Drained::Drained { ended: 500, left });
        assert_eq!(finalizer.step(drained(200), 1), [Action::Drain(500)]);
        assert_eq!(finalizer.step(drained(0), 2), [Action::Gather]);
        assert!(matches!(finalizer.step(Event::Gathered, 3)[..], [Action::Decide(_)]));
        assert_eq!(finalizer.step(Event::Tick, 5_000), [Action::RenewTicket]);
        assert_eq!(finalizer.step(Event::VerdictStands, 5_001), [Action::End]);
        assert_eq!(finalizer.step(Event::Renewed(Renewed::Gone), 5_002), [], "the verdict stands anyway");
        assert_eq!(finalizer.step(Event::Ended, 5_003), [Action::Clean]);
        assert_eq!(finalizer.step(Event::Cleaned, 5_004), [Action::Stop(Exit::Done)]);
    }

    #[test]
    fn a_lost_ticket_stops_before_the_verdict() {
        let mut finalizer = finalizer();
        finalizer.step(Event::Ticket(grant(0, 0)), 0);
        assert_eq!(finalizer.step(Event::Renewed(Renewed::Gone), 1), [Action::Stop(Exit::NotNeeded)]);
    }

    #[test]
    fn a_refusal_is_a_strike_and_an_unreachable_warehouse_is_waited_for() {
        let mut one = finalizer();
        one.step(Event::Ticket(grant(0, 0)), 0);
        one.step(Event::Gathered, 0);
        for (try_no, wait) in [(0, 200), (1, 400), (2, 800)] {
            assert_eq!(one.step(Event::Unreachable("no answer".into()), 1_000 * try_no), []);
            assert_eq!(one.step(Event::Tick, 1_000 * try_no + wait - 1), []);
            assert!(matches!(one.step(Event::Tick, 1_000 * try_no + wait)[..], [Action::Decide(_)]));
        }
        let actions = one.step(Event::Refused("disk full".into()), 3_000);
        assert!(matches!(&actions[..], [Action::ReturnTicket { .. }, Action::Stop(Exit::Refused)]));
    }

    #[test]
    fn five_strikes_end_the_batch_as_failed() {
        let mut one = finalizer();
        one.step(Event::Ticket(grant(0, 5)), 0);
        let actions = one.step(Event::Gathered, 0);
        let [Action::Decide(closing)] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((closing.mode, closing.reason), (Mode::Discard, CloseReason::Finalizer));
        assert!(one.gives_up());
    }
}
