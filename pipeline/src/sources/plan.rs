//! When to ask for which event: denser toward tip-off, within the credits, as a pure function.
//!
//! A clock that asks at fixed hours misses a 13:00 tip (incident 56); one that asks evenly spends its credits where
//! nothing moves. Here each event has a ladder of moments before *its own* tip-off. The step at a distance is a
//! share of the distance, between a shortest and a longest one:
//!
//! ```text
//! tip -14 h ......|........|......|.....|....|...|..|.|.||| tip
//! ```
//!
//! If the ladders of all events cost more than there is, all steps are stretched alike, as little as necessary. If
//! even one call an event is too much, the events that tip first get theirs and the others are named.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// The ladder before stretching.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cadence {
    /// How long before tip-off an event is first asked for.
    pub window: SignedDuration,
    /// The step next to tip-off.
    pub shortest: SignedDuration,
    /// The longest step.
    pub longest: SignedDuration,
    /// The step as a share of the time that is left to tip-off.
    pub share: f64,
}

impl Default for Cadence {
    fn default() -> Self {
        Self {
            window: SignedDuration::from_hours(14),
            shortest: SignedDuration::from_mins(5),
            longest: SignedDuration::from_mins(90),
            share: 0.25,
        }
    }
}

/// An event as the planner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcoming {
    /// The vendor's id.
    pub event: String,
    /// When it begins.
    pub tip_off: Timestamp,
    /// When it was last asked for.
    pub asked: Option<Timestamp>,
}

/// What the planner decides on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The instant of planning.
    pub now: Timestamp,
    /// Nothing is planned at or after this instant.
    pub until: Timestamp,
    /// What one call costs.
    pub cost: i64,
    /// What all calls may cost together.
    pub budget: i64,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Slot {
    /// When.
    pub at: Timestamp,
    /// For which event.
    pub event: String,
}

/// The calls from now on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// In order of time.
    pub slots: Vec<Slot>,
    /// By how much all steps were stretched to fit the budget; 1 when they were not.
    pub stretch: f64,
    /// Events for which nothing is left.
    pub left_out: Vec<String>,
}

/// A step is at most stretched so far: then each event gets one call.
const STRETCHES: usize = 48;
/// The call next to tip-off is at most so long before it, however the ladder is stretched.
const LATEST: SignedDuration = SignedDuration::from_mins(60);

/// Plans the calls for events.
pub fn schedule(events: &[Upcoming], cadence: &Cadence, question: &Question) -> Schedule {
    let ahead = || events.iter().filter(|e| e.tip_off > question.now);
    let affordable = match question.cost {
        ..=0 => usize::MAX,
        cost => usize::try_from((question.budget / cost).max(0)).unwrap_or(usize::MAX),
    };
    let mut tightest = (1.0, Vec::new());
    for step in 0..STRETCHES {
        let stretch = 1.15_f64.powi(i32::try_from(step).unwrap_or(i32::MAX));
        let slots: Vec<Slot> =
            ahead().flat_map(|event| slots_of(event, cadence, stretch, question)).collect();
        let fits = slots.len() <= affordable;
        tightest = (stretch, slots);
        if fits {
            return ordered(tightest, Vec::new());
        }
    }
    let (stretch, slots) = tightest;
    let mut by_tip: Vec<&Upcoming> = ahead().collect();
    by_tip.sort_by(|a, b| (a.tip_off, &a.event).cmp(&(b.tip_off, &b.event)));
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for event in by_tip {
        let of_event: Vec<Slot> = slots.iter().filter(|slot| slot.event == event.event).cloned().collect();
        if kept.len() + of_event.len() <= affordable {
            kept.extend(of_event);
        } else {
            left_out.push(event.event.clone());
        }
    }
    ordered((stretch, kept), left_out)
}

fn ordered((stretch, mut slots): (f64, Vec<Slot>), left_out: Vec<String>) -> Schedule {
    slots.sort();
    Schedule { slots, stretch, left_out }
}

/// The calls for one event: the one that is due, if a moment of its ladder has passed since it was last asked for,
/// and those to come.
fn slots_of(event: &Upcoming, cadence: &Cadence, stretch: f64, question: &Question) -> Vec<Slot> {
    let slot = |at| Slot { at, event: event.event.clone() };
    let ladder = ladder(cadence, stretch).into_iter().map(|before| event.tip_off - before);
    let (past, ahead): (Vec<Timestamp>, Vec<Timestamp>) = ladder.partition(|at| *at <= question.now);
    // The ladder runs away from tip-off, so the first moment that has passed is the newest.
    let is_due = past.first().is_some_and(|newest| event.asked.is_none_or(|asked| asked < *newest));
    let due = is_due.then(|| slot(question.now));
    due.into_iter()
        .chain(ahead.into_iter().map(slot))
        .filter(|slot| slot.at < question.until && slot.at < event.tip_off)
        .collect()
}

/// Distances to tip-off, the nearest first, each step no shorter than the one before.
fn ladder(cadence: &Cadence, stretch: f64) -> Vec<SignedDuration> {
    let seconds = |d: SignedDuration| d.as_secs_f64();
    let shortest = seconds(cadence.shortest).max(1.0);
    let longest = seconds(cadence.longest).max(shortest);
    let window = seconds(cadence.window);
    let mut moments = Vec::new();
    let mut at = (shortest * stretch).min(seconds(LATEST)).min(window);
    while at <= window {
        moments.push(SignedDuration::from_secs(at as i64));
        at += (at * cadence.share).clamp(shortest, longest) * stretch;
    }
    moments
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn minutes(n: i64) -> SignedDuration {
        SignedDuration::from_mins(n)
    }

    fn question(now: Timestamp, budget: i64) -> Question {
        Question { now, until: now + minutes(40 * 60), cost: 4, budget }
    }

    fn event(name: &str, tip_off: Timestamp) -> Upcoming {
        Upcoming { event: name.to_owned(), tip_off, asked: None }
    }

    /// Minutes before tip-off at which an event is asked for.
    fn before(schedule: &Schedule, tip: Timestamp) -> Vec<i64> {
        schedule.slots.iter().map(|slot| tip.duration_since(slot.at).as_mins()).collect()
    }

    #[test]
    fn a_night_is_asked_for_ever_more_often() {
        let (now, tip) = (at("2026-02-18T10:00:00Z"), at("2026-02-19T00:10:00Z"));
        let plan = schedule(&[event("e", tip)], &Cadence::default(), &question(now, 1_000));
        assert_eq!(
            before(&plan, tip),
            [
                813, 723, 633, 543, 453, 363, 291, 232, 186, 149, 119, 95, 76, 61, 48, 39, 31, 25, 20, 15,
                10, 5
            ]
        );
        assert_eq!((plan.stretch, plan.left_out.len()), (1.0, 0));
    }

    #[test]
    fn incident_56_a_13_00_tip_is_caught_by_its_own_clock() {
        // 13:00 in New York on 8 February 2026 is 18:00 UTC; the clock of the others would begin at that hour.
        let (matinee, night) = (at("2026-02-08T18:00:00Z"), at("2026-02-09T00:30:00Z"));
        let now = at("2026-02-08T09:00:00Z");
        let plan = schedule(
            &[event("matinee", matinee), event("night", night)],
            &Cadence::default(),
            &question(now, 1_000),
        );
        let times: Vec<Timestamp> =
            plan.slots.iter().filter(|s| s.event == "matinee").map(|s| s.at).collect();
        assert_eq!(times[0], now, "its window is open since 04:00 UTC");
        assert_eq!(*times.last().unwrap(), matinee - minutes(5));
        assert!(times.iter().filter(|t| matinee.duration_since(**t) <= minutes(60)).count() >= 8);
        assert!(times.iter().all(|t| *t < matinee));

        // Whoever begins only at noon still gets the last hour.
        let late = schedule(
            &[event("matinee", matinee)],
            &Cadence::default(),
            &question(at("2026-02-08T17:00:00Z"), 1_000),
        );
        assert_eq!(late.slots[0].at, at("2026-02-08T17:00:00Z"));
        assert!(late.slots.len() >= 8);
    }

    #[test]
    fn incident_18_what_was_asked_just_now_is_not_asked_again() {
        let (now, tip) = (at("2026-02-18T20:00:00Z"), at("2026-02-19T00:10:00Z"));
        let asked = Upcoming { asked: Some(now), ..event("e", tip) };
        let plan = schedule(&[asked], &Cadence::default(), &question(now, 1_000));
        assert!(plan.slots.iter().all(|slot| slot.at > now), "{plan:?}");
        // Half an hour earlier a moment of the ladder has passed since.
        let before = Upcoming { asked: Some(now - minutes(60)), ..event("e", tip) };
        assert_eq!(schedule(&[before], &Cadence::default(), &question(now, 1_000)).slots[0].at, now);
    }

    #[test]
    fn a_budget_that_does_not_reach_names_who_is_left_out() {
        let (now, tip) = (at("2026-02-18T20:00:00Z"), at("2026-02-19T00:10:00Z"));
        let events =
            [event("late", tip + minutes(150)), event("first", tip), event("second", tip + minutes(30))];
        let plan = schedule(&events, &Cadence::default(), &question(now, 11));
        let asked: Vec<&str> = plan.slots.iter().map(|slot| slot.event.as_str()).collect();
        assert_eq!((asked, plan.left_out), (vec!["first", "second"], vec!["late".to_owned()]));
        let none = schedule(&events, &Cadence::default(), &question(now, 3));
        assert_eq!((none.slots.len(), none.left_out.len()), (0, 3));
        assert_eq!(schedule(&[], &Cadence::default(), &question(now, 3)).slots.len(), 0);
    }

    prop_compose! {
        fn events()(tips in prop::collection::vec((-60_i64..1_800, prop::option::of(0_i64..900)), 0..16)) -> Vec<Upcoming> {
            let now = at("2026-02-18T10:00:00Z");
            tips.into_iter().enumerate().map(|(i, (tip, asked))| Upcoming {
                event: format!("e{i}"),
                tip_off: now + minutes(tip),
                asked: asked.map(|m| now - minutes(m)),
            }).collect()
        }
    }

    proptest! {
        #[test]
        fn a_plan_keeps_its_promises(events in events(), budget in 0_i64..3_000, cost in 1_i64..12) {
            let now = at("2026-02-18T10:00:00Z");
            let question = Question { now, until: now + minutes(1_440), cost, budget };
            let cadence = Cadence::default();
            let plan = schedule(&events, &cadence, &question);
            prop_assert!(plan.slots.len() as i64 * cost <= budget, "within the budget");
            let ahead: Vec<&Upcoming> = events.iter().filter(|e| e.tip_off > now).collect();
            if budget >= cost * ahead.len() as i64 {
                prop_assert!(plan.left_out.is_empty(), "nobody is left out who could be paid for");
            }
            for event in &events {
                let times: Vec<Timestamp> =
                    plan.slots.iter().filter(|s| s.event == event.event).map(|s| s.at).collect();
                prop_assert!(times.iter().all(|t| *t >= now && *t < event.tip_off && *t < question.until));
                prop_assert!(times.windows(2).all(|w| w[0] < w[1]), "no moment twice");
                // The first step may be cut short by the present; the others never grow toward tip-off.
                let gaps: Vec<i64> = times.windows(2).skip(1).map(|w| w[1].duration_since(w[0]).as_secs()).collect();
                prop_assert!(gaps.windows(2).all(|w| w[0] + 1 >= w[1]), "denser toward tip-off: {gaps:?}");
                let opens = event.tip_off - cadence.window;
                let in_window = event.tip_off > now && opens <= now;
                if in_window && event.asked.is_none() && plan.left_out.is_empty() {
                    prop_assert!(!times.is_empty(), "an open window nobody has looked into has a call");
                }
            }
            prop_assert_eq!(plan, schedule(&events, &cadence, &question), "the same question, the same plan");
        }

        #[test]
        fn more_credits_never_mean_longer_steps(events in events(), budget in 0_i64..1_000, more in 0_i64..1_000) {
            let now = at("2026-02-18T10:00:00Z");
            let ask = |budget| Question { now, until: now + minutes(1_440), cost: 4, budget };
            let poor = schedule(&events, &Cadence::default(), &ask(budget));
            let rich = schedule(&events, &Cadence::default(), &ask(budget + more));
            prop_assert!(rich.stretch <= poor.stretch && rich.left_out.len() <= poor.left_out.len());
        }
    }
}
