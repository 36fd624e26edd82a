//! How old rosters and injuries may be: data that nobody renews says something about another week.
//!
//! A roster of nine days ago left five players of one team on a game and nothing said so (incident 69); injuries that
//! were read once and too early left who was out on the page (60). Neither has a date by which it ends, so each has a
//! budget; beyond it the slate is warned of. A slate is predicted all the same: old data is better than none.
//!
//! Rosters are made of box scores, so in a break in which nobody played they are as new as can be.

use jiff::{SignedDuration, Timestamp};
use proto::league_time::league_date;
use proto::tables::InputAges;

/// How old inputs may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StalenessBudget {
    /// From the newest availability report to the as-of.
    pub injuries: SignedDuration,
    /// From the newest box score's date to the as-of's, in days.
    pub roster_days: i32,
}

impl Default for StalenessBudget {
    fn default() -> Self {
        Self { injuries: SignedDuration::from_hours(24), roster_days: 7 }
    }
}

/// Something that is older than it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// `injuries_stale` or `rosters_stale`.
    pub code: &'static str,
    /// Its age: hours of injuries, days of rosters; 0 where there is nothing at all.
    pub age: u64,
    /// In words, with what to do.
    pub sentence: String,
}

/// What is older than it may be, at the as-of.
pub fn stale_inputs(ages: &InputAges, as_of: Timestamp, budget: &StalenessBudget) -> Vec<Stale> {
    [injuries(ages, as_of, budget), rosters(ages, as_of, budget)].into_iter().flatten().collect()
}

fn injuries(ages: &InputAges, as_of: Timestamp, budget: &StalenessBudget) -> Option<Stale> {
    let code = "injuries_stale";
    let Some(newest) = ages.newest_report else {
        let sentence = "no injury report is in, so nobody is known to be out; ingest one".to_owned();
        return Some(Stale { code, age: 0, sentence });
    };
    let age = as_of.duration_since(newest);
    (age > budget.injuries).then(|| Stale {
        code,
        age: u64::try_from(age.as_hours()).unwrap_or(0),
        sentence: format!(
            "the newest injury report is {} h old (of {newest:.0}), the limit is {} h; ingest a newer one",
            age.as_hours(),
            budget.injuries.as_hours()
        ),
    })
}

fn rosters(ages: &InputAges, as_of: Timestamp, budget: &StalenessBudget) -> Option<Stale> {
    let code = "rosters_stale";
    let Some(newest) = ages.newest_box_score else {
        let sentence = "no box score is in, so nobody's team is known; ingest box scores".to_owned();
        return Some(Stale { code, age: 0, sentence });
    };
    let days = newest.until(league_date(as_of)).map_or(i32::MAX, |span| span.get_days());
    (days > budget.roster_days && ages.games_since > 0).then(|| Stale {
        code,
        age: u64::try_from(days).unwrap_or(0),
        sentence: format!(
            "rosters are {days} days old (box scores end on {newest}), the limit is {} days and {} games were to be \
             played since; ingest the newest box scores",
            budget.roster_days, ages.games_since
        ),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    /// Six in the evening in New York.
    const AS_OF: &str = "2026-01-23T23:00:00Z";

    fn found(ages: &InputAges) -> Vec<Stale> {
        stale_inputs(ages, AS_OF.parse().unwrap(), &StalenessBudget::default())
    }

    fn ages(report: Option<&str>, box_score: Option<&str>, games_since: u64) -> InputAges {
        InputAges {
            newest_report: report.map(|at| at.parse().unwrap()),
            newest_box_score: box_score.map(|date| date.parse().unwrap()),
            games_since,
        }
    }

    #[test]
    fn incident_69_old_rosters_and_injuries_are_told_with_their_age_and_what_to_do() {
        let (fresh_report, fresh_box) = (Some("2026-01-23T17:30:00Z"), Some("2026-01-22"));
        for (name, ages, codes) in [
            ("fresh", ages(fresh_report, fresh_box, 0), ""),
            // A source with dates only: the start of the day.
            ("this day's list", ages(Some("2026-01-23T05:00:00Z"), fresh_box, 0), ""),
            ("24 hours to the second", ages(Some("2026-01-22T23:00:00Z"), fresh_box, 0), ""),
            ("a second more", ages(Some("2026-01-22T22:59:59Z"), fresh_box, 0), "injuries_stale 24"),
            ("yesterday's list", ages(Some("2026-01-22T05:00:00Z"), fresh_box, 0), "injuries_stale 42"),
            ("no list at all", ages(None, fresh_box, 0), "injuries_stale 0"),
            ("a week", ages(fresh_report, Some("2026-01-16"), 40), ""),
            ("nine days", ages(fresh_report, Some("2026-01-14"), 60), "rosters_stale 9"),
            ("nine days of a break", ages(fresh_report, Some("2026-01-14"), 0), ""),
            ("nobody ever played", ages(fresh_report, None, 0), "rosters_stale 0"),
            (
                "both",
                ages(Some("2026-01-14T05:00:00Z"), Some("2026-01-14"), 3),
                "injuries_stale 234, rosters_stale 9",
            ),
        ] {
            let found = found(&ages);
            let told: Vec<String> =
                found.iter().map(|stale| format!("{} {}", stale.code, stale.age)).collect();
            assert_eq!(told.join(", "), codes, "{name}: {found:?}");
            assert!(found.iter().all(|stale| stale.sentence.contains("ingest")), "{name}: {found:?}");
        }
    }

    #[test]
    fn the_sentence_names_age_limit_and_remedy() {
        let found = found(&ages(Some("2026-01-22T05:00:00Z"), Some("2026-01-14"), 60));
        assert_eq!(
            found[0].sentence,
            "the newest injury report is 42 h old (of 2026-01-22T05:00:00Z), the limit is 24 h; ingest a newer one"
        );
        assert_eq!(
            found[1].sentence,
            "rosters are 9 days old (box scores end on 2026-01-14), the limit is 7 days and 60 games were to be played \
             since; ingest the newest box scores"
        );
    }

    #[test]
    fn the_budget_is_the_callers() {
        let budget = StalenessBudget { injuries: SignedDuration::from_hours(48), roster_days: 10 };
        let old = ages(Some("2026-01-22T05:00:00Z"), Some("2026-01-14"), 60);
        assert!(stale_inputs(&old, AS_OF.parse().unwrap(), &budget).is_empty());
    }
}
