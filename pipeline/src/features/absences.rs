//! Who is not there tonight: the player's own availability, and the team-mates whose work he may get.
//!
//! An empty list and a list that nobody keeps up are different things: when no player at all was reported for a
//! fortnight nothing is known of anybody, and these features are missing rather than zero.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::{FeatureSource, InjuryStatus, PlayerLookup, TeamCode};
use rules::injury::availability;

use super::engine::{LAST_N_DAYS, days_between, within};
use super::history::{Appearance, History, Stat};
use super::maths::{last, mean};
use super::vector::Vector;

/// Without any report in so many days the list is not kept up.
const SILENT_DAYS: i64 = 14;
/// A team-mate counts when he played within so many days.
const TEAMMATE_DAYS: i32 = 60;
/// Usage is told by games within so many days.
const USAGE_DAYS: i32 = 30;
/// A star scores so much on average.
const STAR_POINTS: f64 = 18.0;
/// Stars are counted up to here.
const MAX_STARS: f64 = 5.0;
/// Usage that is free adds up to at most the whole ball.
const MAX_USAGE: f64 = 100.0;

/// Who belongs to each team on a date, by newest game.
pub(crate) struct Rosters<'a> {
    by_team: HashMap<TeamCode, Vec<(&'a PlayerLookup, &'a [Appearance])>>,
}

/// A team-mate who will not play.
pub(crate) struct Absentee<'a> {
    player: &'a PlayerLookup,
    is_star: bool,
    usage: f64,
}

impl<'a> Rosters<'a> {
    pub(crate) fn of(history: &'a History, date: Date) -> Self {
        let mut by_team: HashMap<TeamCode, Vec<_>> = HashMap::new();
        for player in history.players() {
            let past = within(history.player_before(date, player), date, LAST_N_DAYS);
            let Some(newest) = past.last() else { continue };
            if days_between(newest.date, date) <= f64::from(TEAMMATE_DAYS) {
                by_team.entry(newest.team).or_default().push((player, past));
            }
        }
        Self { by_team }
    }

    /// Whoever of a team is out or doubtful at an instant; none when nobody can know.
    pub(crate) fn absent(
        &self,
        history: &History,
        team: TeamCode,
        date: Date,
        as_of: Timestamp,
    ) -> Option<Vec<Absentee<'a>>> {
        if history.is_list_silent(as_of, SILENT_DAYS) {
            return None;
        }
        let roster = self.by_team.get(&team).map_or(&[][..], Vec::as_slice);
        let gone = roster.iter().filter(|(player, past)| {
            let status = status_of(history, player, past, as_of);
            matches!(status, InjuryStatus::Doubtful | InjuryStatus::Out)
        });
        Some(gone.map(|(player, past)| absentee(player, past, date)).collect())
    }
}

fn absentee<'a>(player: &'a PlayerLookup, past: &[Appearance], date: Date) -> Absentee<'a> {
    let points: Vec<f64> = last(past, 10).iter().map(|game| game.stat(Stat::Points)).collect();
    let usage: Vec<f64> = within(past, date, USAGE_DAYS).iter().filter_map(|game| game.usage).collect();
    Absentee {
        player,
        is_star: mean(&points).is_some_and(|mean| mean >= STAR_POINTS),
        usage: mean(&usage).unwrap_or(0.0),
    }
}

fn status_of(history: &History, player: &PlayerLookup, past: &[Appearance], at: Timestamp) -> InjuryStatus {
    let report = history.report_at(at, player).map(|report| &report.row);
    availability(report, past.last().map(|game| game.date), at)
}

/// Sets what the list tells of a player and of his team-mates. Answers when his own report was ingested.
pub(crate) fn set_absences(
    v: &mut Vector<'_>,
    history: &History,
    player: &PlayerLookup,
    past: &[Appearance],
    absent: Option<&[Absentee<'_>]>,
    as_of: Timestamp,
) -> Option<Timestamp> {
    use FeatureSource::{Calculated, Facts};
    let absent = absent?;
    v.set("injury_risk", Some(risk(status_of(history, player, past, as_of))), Facts);
    let others = || absent.iter().filter(|mate| mate.player != player);
    let stars = others().filter(|mate| mate.is_star).count() as f64;
    v.set("star_teammates_out", Some(stars.min(MAX_STARS)), Facts);
    let usage: f64 = others().map(|mate| mate.usage).sum();
    v.set("teammate_usage_available", Some(usage.min(MAX_USAGE)), Calculated);
    history.report_at(as_of, player).map(|report| report.ingested_at)
}

fn risk(status: InjuryStatus) -> f64 {
    match status {
        InjuryStatus::Available => 0.0,
        InjuryStatus::Probable => 1.0,
        InjuryStatus::Questionable => 2.0,
        InjuryStatus::Doubtful | InjuryStatus::Out => 3.0,
    }
}
