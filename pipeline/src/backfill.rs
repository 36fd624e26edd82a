//! What a backfill has to do, date by date, before it does anything.
//!
//! The predecessor's backfills ran out of order, twice, and over what was there (incident 51: rolling windows stale for a
//! week). Here the plan comes first and is the same for everybody who asks: dates ascend, what is there is left alone,
//! what failed is tried again when that is asked for, and each step says why it is done or not. Lines cost credits at
//! their vendor, so what they cost stands in the plan, and what was answered once is never asked again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::civil::Date;
use proto::GameKey;
use warehouse::CoverageFacts;

use crate::coverage::{CoverageReport, DayStatus};
use crate::sources::past::PastNeed;
use crate::sources::{CycleReport, PollEnd};

/// Something that can be done for a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Lines are asked for as they were at moments before tip-off.
    Lines,
    /// Features are built.
    Features,
    /// A batch is run as of each tip-off.
    Predictions,
}

impl Step {
    /// Stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Features => "features",
            Self::Predictions => "predictions",
        }
    }

    /// The stage of its runs.
    pub const fn stage(self) -> &'static str {
        match self {
            Self::Lines => "backfill_lines",
            Self::Features => "backfill_features",
            Self::Predictions => "backfill_predictions",
        }
    }
}

/// What is done again although it was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reprocess {
    /// Nothing: only what was never done.
    #[default]
    None,
    /// What failed.
    Failed,
    /// Everything.
    All,
}

/// What is there for a date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DateState {
    /// Games that are expected to be played.
    pub games: u64,
    /// Of these, games with lines.
    pub with_lines: u64,
    /// Of these, games with features.
    pub with_features: u64,
    /// True when an input of its features came in after they were built.
    pub is_behind: bool,
    /// True when a batch of the date is published.
    pub is_published: bool,
    /// What is still to be asked about its lines; none when nobody wants to know.
    pub lines: Option<PastNeed>,
    /// True when the date is over, so that a vendor knows how it was.
    pub is_over: bool,
    /// True when the newest backfill run of the lines has no end: its process was killed, or is at it.
    pub lines_cut_off: bool,
    /// True when the newest backfill run of the lines failed.
    pub lines_failed: bool,
    /// True when the newest backfill run of the features failed.
    pub features_failed: bool,
    /// True when the newest backfill run of the predictions failed.
    pub predictions_failed: bool,
}

/// What is to be done for one date.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatePlan {
    /// The date.
    pub date: Date,
    /// Its games.
    pub games: u64,
    /// Of these, games with lines.
    pub with_lines: u64,
    /// What its lines cost, when they are asked for.
    pub lines: Option<PastNeed>,
    /// What is done, in order, and why.
    pub steps: BTreeMap<Step, String>,
    /// What is not done, and why.
    pub left: BTreeMap<Step, String>,
}

/// The plan for one date. Pure.
pub fn plan_date(date: Date, state: &DateState, what: &[Step], reprocess: Reprocess) -> DatePlan {
    let mut plan = DatePlan {
        date,
        games: state.games,
        with_lines: state.with_lines,
        lines: None,
        steps: BTreeMap::new(),
        left: BTreeMap::new(),
    };
    for step in what {
        let (is_done, why) = match step {
            Step::Lines => lines(state, reprocess),
            Step::Features => features(state, reprocess, plan.steps.contains_key(&Step::Lines)),
            Step::Predictions => predictions(state, reprocess, &plan.steps),
        };
        let list = if is_done { &mut plan.steps } else { &mut plan.left };
        list.insert(*step, why.into_owned());
    }
    plan.lines = state.lines.filter(|_| plan.steps.contains_key(&Step::Lines));
    plan
}

/// Whether something is done, and why.
type Answer = (bool, Cow<'static, str>);

const fn yes(why: &'static str) -> Answer {
    (true, Cow::Borrowed(why))
}

const fn no(why: &'static str) -> Answer {
    (false, Cow::Borrowed(why))
}

fn lines(state: &DateState, reprocess: Reprocess) -> Answer {
    let need = state.lines.unwrap_or_default();
    let about = if need.is_estimate { "about " } else { "" };
    match state {
        DateState { games: 0, .. } => no("no games by the schedule"),
        DateState { is_over: false, .. } => no("not over yet; `tipoff ingest --watch` asks for it"),
        DateState { lines_failed: true, .. } => failed(reprocess),
        DateState { lines_cut_off: true, .. } => yes("an attempt has no end"),
        // Also when everything is asked for: the past is what it was.
        _ if need.calls == 0 => no("every moment was asked for"),
        _ => (true, Cow::Owned(format!("{about}{} calls, {} credits", need.calls, need.credits))),
    }
}

fn features(state: &DateState, reprocess: Reprocess, gets_lines: bool) -> Answer {
    match state {
        DateState { games: 0, .. } => no("no games"),
        _ if reprocess == Reprocess::All => yes("asked for"),
        DateState { features_failed: true, .. } => failed(reprocess),
        DateState { with_features: 0, .. } => yes("none are there"),
        _ if gets_lines => yes("lines come in before"),
        DateState { is_behind: true, .. } => yes("inputs came in since they were built"),
        state if state.with_features < state.games => yes("some games have none"),
        _ => no("there and fresh"),
    }
}

fn predictions(state: &DateState, reprocess: Reprocess, before: &BTreeMap<Step, String>) -> Answer {
    let gets = |step| before.contains_key(&step);
    match state {
        DateState { games: 0, .. } => no("no games"),
        DateState { with_lines: 0, .. } if !gets(Step::Lines) => no("no lines: nothing could be predicted"),
        DateState { with_features: 0, .. } if !gets(Step::Features) => {
            no("no features; backfill them as well")
        }
        _ if reprocess == Reprocess::All => yes("asked for"),
        DateState { predictions_failed: true, is_published: false, .. } => failed(reprocess),
        DateState { is_published: false, .. } => yes("nothing is published"),
        _ => no("published"),
    }
}

fn failed(reprocess: Reprocess) -> Answer {
    match reprocess {
        Reprocess::None => no("failed before; --reprocess failed tries again"),
        Reprocess::Failed | Reprocess::All => yes("failed before"),
    }
}

/// What asking for the lines of one date came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinesCounts {
    /// Calls that were made.
    pub calls: u64,
    /// Of these, calls to which the vendor had nothing, or the event was gone.
    pub nothing: u64,
    /// Of these, calls that failed.
    pub failed: u64,
    /// Rows that are new.
    pub new_rows: u64,
}

/// How asking for the lines of one date ended: each call is answered and in, or the first reason why not. Answers that
/// brought no quote at all are no success either (incident 49).
pub fn lines_outcome(report: &CycleReport) -> (LinesCounts, Option<String>) {
    let mut counts = LinesCounts { new_rows: report.new_rows(), ..LinesCounts::default() };
    let (mut quotes, mut failures, mut not_asked) = (0, BTreeMap::<&str, u64>::new(), Vec::new());
    let mut first_failure = None;
    for poll in &report.polls {
        let is_odds = poll.ask.as_ref().is_some_and(|ask| ask.event().is_some());
        counts.calls += u64::from(!matches!(poll.end, PollEnd::NotAsked { .. }));
        match &poll.end {
            PollEnd::Answered { .. } => quotes += u64::from(is_odds),
            PollEnd::Nothing | PollEnd::Failed { code: "event_gone", .. } => counts.nothing += 1,
            PollEnd::Failed { code, sentence } => {
                counts.failed += 1;
                *failures.entry(code).or_default() += 1;
                first_failure.get_or_insert(sentence);
            }
            PollEnd::NotAsked { sentence } => not_asked.push(sentence),
        }
    }
    let codes: Vec<String> = failures.iter().map(|(code, n)| format!("{n} {code}")).collect();
    let why = if let Some(sentence) = first_failure {
        Some(format!("{}: {} of {} calls failed: {sentence}", codes.join(", "), counts.failed, counts.calls))
    } else if let Some(sentence) = not_asked.first() {
        Some(format!("not_asked: {} calls were not made: {sentence}", not_asked.len()))
    } else if let Some(trouble) = &report.trouble {
        Some(format!("not_ingested: {trouble}"))
    } else if report.waiting > 0 {
        Some(format!("not_ingested: {} answers are kept and wait for another process", report.waiting))
    } else if counts.calls > 0 && quotes == 0 {
        Some(format!("nothing: {} calls brought no quotes", counts.calls))
    } else {
        None
    };
    (counts, why)
}

/// What is there for each date of a report, as far as counts tell it.
pub fn states(report: &CoverageReport, facts: &CoverageFacts) -> BTreeMap<Date, DateState> {
    let with_features = |date: Date| {
        let is_of_date = |game: &&GameKey| game.date == date;
        facts.features.keys().filter(is_of_date).count() as u64
    };
    let days = report.days.iter().map(|day| {
        let games = if day.status == DayStatus::NoGames { 0 } else { day.games };
        let state = DateState {
            games,
            with_lines: day.with_lines,
            with_features: with_features(day.date).min(games),
            ..DateState::default()
        };
        (day.date, state)
    });
    days.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use jiff::Timestamp;

    use super::*;
    use crate::sources::{Ask, PollReport};

    const DATE: Date = Date::constant(2025, 11, 14);
    const BOTH: [Step; 2] = [Step::Features, Step::Predictions];

    fn full() -> DateState {
        DateState { games: 9, with_lines: 9, with_features: 9, is_published: true, ..DateState::default() }
    }

    #[test]
    fn what_is_there_is_left_alone_and_every_step_says_why() {
        use Reprocess::{All, Failed, None};
        let fresh = full();
        let empty = DateState { games: 9, with_lines: 9, ..DateState::default() };
        let failed =
            DateState { features_failed: true, predictions_failed: true, is_published: false, ..full() };
        for (name, state, reprocess, does) in [
            ("nothing there", empty, None, "features predictions"),
            ("all there", fresh, None, ""),
            ("all there, failed ones asked for", fresh, Failed, ""),
            ("all there, all asked for", fresh, All, "features predictions"),
            ("no games", DateState::default(), All, ""),
            ("no lines", DateState { with_lines: 0, ..empty }, None, "features"),
            ("behind", DateState { is_behind: true, ..fresh }, None, "features"),
            ("not published", DateState { is_published: false, ..fresh }, None, "predictions"),
            ("failed before", failed, None, ""),
            ("failed before, asked for", failed, Failed, "features predictions"),
            ("lines would not count here", DateState { lines_failed: true, ..fresh }, None, ""),
            ("failed, then published", DateState { predictions_failed: true, ..fresh }, None, ""),
        ] {
            let plan = plan_date(Date::constant(2025, 11, 14), &state, &BOTH, reprocess);
            let steps: Vec<_> = plan.steps.keys().map(|step| step.as_str()).collect();
            assert_eq!(steps.join(" "), does, "{name}: {plan:?}");
            assert_eq!(plan.steps.len() + plan.left.len(), 2, "{name}");
            assert!(plan.steps.values().chain(plan.left.values()).all(|why| !why.is_empty()), "{name}");
        }
    }

    #[test]
    fn lines_are_asked_for_once_and_what_follows_from_them_is_done_after() {
        use Reprocess::{All, Failed, None};
        let need = |calls, is_estimate| Some(PastNeed { calls, credits: 60 * calls as i64, is_estimate });
        let over =
            DateState { is_over: true, lines: need(27, false), with_lines: 0, is_published: false, ..full() };
        let all = [Step::Lines, Step::Features, Step::Predictions];
        for (name, state, reprocess, does, says) in [
            ("nothing asked", over, None, "lines features predictions", "27 calls, 1620 credits"),
            (
                "guessed",
                DateState { lines: need(28, true), ..over },
                None,
                "lines features predictions",
                "about 28",
            ),
            ("all asked", DateState { lines: need(0, false), ..over }, All, "features", "every moment"),
            ("tonight", DateState { is_over: false, ..over }, None, "", "not over yet"),
            ("no games", DateState { games: 0, ..over }, All, "", "no games"),
            (
                "cut off",
                DateState { lines_cut_off: true, lines: need(0, false), ..over },
                None,
                "lines features predictions",
                "no end",
            ),
            ("failed", DateState { lines_failed: true, ..over }, None, "", "--reprocess failed"),
            (
                "failed, again",
                DateState { lines_failed: true, ..over },
                Failed,
                "lines features predictions",
                "failed before",
            ),
        ] {
            let plan = plan_date(Date::constant(2025, 11, 14), &state, &all, reprocess);
            let steps: Vec<_> = plan.steps.keys().map(|step| step.as_str()).collect();
            assert_eq!(steps.join(" "), does, "{name}: {plan:?}");
            let why = plan.steps.get(&Step::Lines).or(plan.left.get(&Step::Lines)).unwrap();
            assert!(why.contains(says), "{name}: {why}");
            assert_eq!(plan.lines.is_some(), does.contains("lines"), "{name}: a cost only for what is done");
        }
    }

    #[test]
    fn a_date_of_lines_ends_by_what_its_calls_came_to() {
        let ask =
            |event: &str| Ask::PastOdds { date: DATE, event: event.to_owned(), at: Timestamp::UNIX_EPOCH };
        let list = Ask::PastEvents { date: DATE, at: Timestamp::UNIX_EPOCH };
        let poll = |ask: &Ask, end: &PollEnd| PollReport {
            source: "s".to_owned(),
            about: "a".to_owned(),
            ask: Some(ask.clone()),
            end: end.clone(),
        };
        let answered = PollEnd::Answered { new: 1, all: 1, not_used: BTreeMap::new() };
        let failed = |code| PollEnd::Failed { code, sentence: "why".to_owned() };
        let not_asked = PollEnd::NotAsked { sentence: "the source rests".to_owned() };
        for (ends, says) in [
            (vec![answered.clone(), answered.clone()], None),
            (vec![], None),
            (vec![answered.clone(), PollEnd::Nothing, failed("event_gone")], None),
            (vec![PollEnd::Nothing, failed("event_gone")], Some("nothing: 3 calls")),
            (vec![answered.clone(), failed("bad_key")], Some("1 bad_key: 1 of 3 calls failed: why")),
            (
                vec![failed("unavailable"), failed("too_many_requests"), failed("unavailable")],
                Some("1 too_many_requests, 2 unavailable: 3 of 4 calls failed"),
            ),
            (
                vec![answered.clone(), not_asked.clone()],
                Some("not_asked: 1 calls were not made: the source rests"),
            ),
            (vec![failed("forbidden"), not_asked], Some("1 forbidden")),
        ] {
            let odds = ends.iter().map(|end| poll(&ask("e"), end));
            let polls = if ends.is_empty() {
                Vec::new()
            } else {
                [poll(&list, &answered)].into_iter().chain(odds).collect()
            };
            let (counts, why) = lines_outcome(&CycleReport { polls, ..CycleReport::default() });
            match says {
                Some(says) => assert!(why.as_deref().is_some_and(|why| why.contains(says)), "{why:?} {says}"),
                None => assert_eq!(why, None, "{counts:?}"),
            }
        }
        let waits = CycleReport { waiting: 2, ..CycleReport::default() };
        assert!(lines_outcome(&waits).1.unwrap().contains("2 answers are kept"));
    }

    #[test]
    fn predictions_alone_need_features_that_are_there() {
        let state = DateState { with_features: 0, is_published: false, ..full() };
        let plan = plan_date(Date::constant(2025, 11, 14), &state, &[Step::Predictions], Reprocess::All);
        assert!(plan.steps.is_empty() && plan.left[&Step::Predictions].contains("backfill them"), "{plan:?}");
    }
}
