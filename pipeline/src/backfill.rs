//! What a backfill has to do, date by date, before it does anything.
//!
//! The predecessor's backfills ran out of order, twice, and over what was there (incident 51: rolling windows stale for a
//! week). Here the plan comes first and is the same for everybody who asks: dates ascend, what is there is left alone,
//! what failed is tried again when that is asked for, and each step says why it is done or not.

use std::collections::BTreeMap;

use jiff::civil::Date;
use proto::GameKey;
use warehouse::CoverageFacts;

use crate::coverage::{CoverageReport, DayStatus};

/// Something that can be done for a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Features are built.
    Features,
    /// A batch is run as of each tip-off.
    Predictions,
}

impl Step {
    /// Stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Predictions => "predictions",
        }
    }

    /// The stage of its runs.
    pub const fn stage(self) -> &'static str {
        match self {
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
        steps: BTreeMap::new(),
        left: BTreeMap::new(),
    };
    for step in what {
        let (is_done, why) = match step {
            Step::Features => features(state, reprocess),
            Step::Predictions => predictions(state, reprocess, plan.steps.contains_key(&Step::Features)),
        };
        let list = if is_done { &mut plan.steps } else { &mut plan.left };
        list.insert(*step, why.to_owned());
    }
    plan
}

fn features(state: &DateState, reprocess: Reprocess) -> (bool, &'static str) {
    match state {
        DateState { games: 0, .. } => (false, "no games"),
        _ if reprocess == Reprocess::All => (true, "asked for"),
        DateState { features_failed: true, .. } => failed(reprocess),
        DateState { with_features: 0, .. } => (true, "none are there"),
        DateState { is_behind: true, .. } => (true, "inputs came in since they were built"),
        state if state.with_features < state.games => (true, "some games have none"),
        _ => (false, "there and fresh"),
    }
}

fn predictions(state: &DateState, reprocess: Reprocess, gets_features: bool) -> (bool, &'static str) {
    match state {
        DateState { games: 0, .. } => (false, "no games"),
        DateState { with_lines: 0, .. } => (false, "no lines: nothing could be predicted"),
        DateState { with_features: 0, .. } if !gets_features => (false, "no features; backfill them as well"),
        _ if reprocess == Reprocess::All => (true, "asked for"),
        DateState { predictions_failed: true, is_published: false, .. } => failed(reprocess),
        DateState { is_published: false, .. } => (true, "nothing is published"),
        _ => (false, "published"),
    }
}

fn failed(reprocess: Reprocess) -> (bool, &'static str) {
    match reprocess {
        Reprocess::None => (false, "failed before; --reprocess failed tries again"),
        Reprocess::Failed | Reprocess::All => (true, "failed before"),
    }
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
    use super::*;

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
    fn predictions_alone_need_features_that_are_there() {
        let state = DateState { with_features: 0, is_published: false, ..full() };
        let plan = plan_date(Date::constant(2025, 11, 14), &state, &[Step::Predictions], Reprocess::All);
        assert!(plan.steps.is_empty() && plan.left[&Step::Predictions].contains("backfill them"), "{plan:?}");
    }
}
