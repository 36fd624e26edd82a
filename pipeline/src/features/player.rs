//! What a player's own games tell: averages, trends, minutes, load, and how he did against his lines.

use jiff::civil::Date;
use proto::{FeatureSource, TeamCode};

use super::closings::Closing;
use super::engine::{days_between, within};
use super::history::{Appearance, Stat, TeamNight};
use super::maths::{last, mean, slope, std_dev, steps};
use super::vector::Vector;

/// The window of short-term form, and of games measured against their lines.
const FORM_DAYS: i32 = 60;
/// A line of a game before this many days is not his previous one.
const PREVIOUS_LINE_DAYS: f64 = 14.0;
/// A pause longer than this changes a player's place in his team.
const LONG_PAUSE_DAYS: f64 = 14.0;
/// Games since a change are counted up to here.
const MAX_SINCE_CHANGE: usize = 30;
/// Rest beyond this makes no difference.
const MAX_REST: f64 = 10.0;
/// Shares and rates of a few games need so many.
const MIN_GAMES: usize = 3;

/// A player's games before a date, as features look at them.
pub(crate) struct Past<'a> {
    pub(crate) games: &'a [Appearance],
    pub(crate) date: Date,
    season: Vec<Appearance>,
}

impl<'a> Past<'a> {
    /// The games of 365 days before a date; `season` is that of tonight's game.
    pub(crate) fn new(games: &'a [Appearance], date: Date, season: i16) -> Self {
        let of_season = |game: &&Appearance| game.season == season && game.counts_for_season;
        Self { games, date, season: games.iter().filter(of_season).copied().collect() }
    }

    fn last(&self, n: usize) -> &'a [Appearance] {
        last(self.games, n)
    }

    fn in_days(&self, days: i32) -> &'a [Appearance] {
        within(self.games, self.date, days)
    }

    /// Days since his last game.
    pub(crate) fn rest(&self) -> Option<f64> {
        self.games.last().map(|game| days_between(game.date, self.date))
    }
}

fn values(games: &[Appearance], stat: Stat) -> Vec<f64> {
    games.iter().map(|game| game.stat(stat)).collect()
}

fn minutes(games: &[Appearance]) -> Vec<f64> {
    games.iter().map(|game| game.minutes).collect()
}

fn sum(games: &[Appearance], of: impl Fn(&Appearance) -> f64) -> f64 {
    games.iter().map(of).sum()
}

/// A share; none of nothing.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

pub(crate) fn set_points(v: &mut Vector<'_>, past: &Past<'_>) {
    use FeatureSource::{Calculated, Facts};
    let ten = past.last(10);
    let of_ten = values(ten, Stat::Points);
    let of_season = values(&past.season, Stat::Points);
    let five_mean = v.set("points_avg_last_5", mean(&values(past.last(5), Stat::Points)), Facts);
    v.set("points_avg_last_10", mean(&of_ten), Facts);
    let season_mean = v.set("points_avg_season", mean(&of_season), Facts);
    let ten_std = v.set("points_std_last_10", std_dev(&of_ten), Facts);
    v.set("ppm_avg_last_10", share(of_ten.iter().sum(), sum(ten, |g| g.minutes)), Facts);

    let ahead = five_mean.zip(season_mean).zip(ten_std);
    let zscore = ahead.filter(|(_, std)| *std > 0.0).map(|((five, season), std)| (five - season) / std);
    v.set("pts_vs_season_zscore", zscore.map(|z| z.clamp(-3.0, 3.0)), Calculated);
    let breaks_out = ahead.map(|((five, season), std)| five > season + 1.5 * std);
    v.set("breakout_flag", breaks_out.map(flag), Calculated);

    let form = values(past.in_days(FORM_DAYS), Stat::Points);
    let last_3 = v.set("points_avg_last_3", mean(last(&form, 3)), Facts);
    let deviation = last_3.zip(mean(&form)).zip(std_dev(&form).filter(|std| *std > 0.0));
    v.set("deviation_from_avg_last3", deviation.map(|((three, mean), std)| (three - mean) / std), Calculated);
    let cold = mean(&of_season).map(|mean| of_season.iter().rev().take_while(|p| **p < mean).count() as f64);
    v.set("consecutive_games_below_avg", cold, Calculated);
    v.set("scoring_trend_slope", at_least(values(past.last(7), Stat::Points), 4, slope), Calculated);
    v.set("pts_slope_10g", at_least(of_ten, 5, slope), Calculated);
    v.set("recent_trend", at_least(values(past.last(5), Stat::Points), 5, trend), Calculated);
}

/// None of fewer values than are needed.
fn at_least(values: Vec<f64>, needed: usize, of: impl Fn(&[f64]) -> Option<f64>) -> Option<f64> {
    if values.len() >= needed { of(&values) } else { None }
}

/// The last two games against the three before them, in steps.
fn trend(five: &[f64]) -> Option<f64> {
    let (before, newest) = five.split_at(five.len().checked_sub(2)?);
    Some(steps(mean(newest)? - mean(before)?, 2.0, 5.0))
}

pub(crate) fn set_minutes(v: &mut Vector<'_>, past: &Past<'_>) {
    use FeatureSource::{Calculated, Facts};
    let ten = minutes(past.last(10));
    let ten_mean = v.set("minutes_avg_last_10", mean(&ten), Facts);
    v.set("minutes_volatility_last_10", std_dev(&ten), Facts);
    let of_season = mean(&minutes(&past.season)).filter(|mean| *mean > 0.0);
    let change = ten_mean.zip(of_season).map(|(ten, season)| steps((ten - season) / season, 0.1, 0.2));
    v.set("minutes_change", change, Calculated);

    let week = past.in_days(7);
    let has_played = !past.games.is_empty();
    v.set("games_in_last_7_days", has_played.then_some(week.len() as f64), Facts);
    v.set("minutes_load_last_7d", has_played.then(|| sum(week, |game| game.minutes)), Facts);
    v.set("days_rest", past.rest().map(|rest| rest.min(MAX_REST)), Facts);
    v.set("fatigue_score", past.rest().map(|rest| freshness(past, rest)), Calculated);
}

/// The field's formula without its term for age: no source has birth dates.
fn freshness(past: &Past<'_>, rest: f64) -> f64 {
    let (week, fortnight) = (past.in_days(7), past.in_days(14));
    let minutes = sum(week, |game| game.minutes);
    let in_a_row =
        fortnight.windows(2).filter(|pair| days_between(pair[0].date, pair[1].date) == 1.0).count();
    let penalty = |is: bool, size: f64| if is { size } else { 0.0 };
    let mut score: f64 = 100.0;
    score += penalty(rest >= 3.0, 5.0) - penalty(rest == 1.0, 15.0);
    score -= penalty(week.len() >= 4, 10.0) + penalty(minutes > 240.0, 10.0);
    score -= penalty(minutes > 35.0 * week.len() as f64, 8.0);
    score -= penalty(in_a_row == 1, 5.0) + penalty(in_a_row >= 2, 12.0);
    score.clamp(0.0, 100.0)
}

/// How he gets what he gets: shots, free throws, use of the ball.
pub(crate) fn set_style(v: &mut Vector<'_>, past: &Past<'_>) {
    use FeatureSource::Calculated;
    let ten = past.last(10);
    v.set("pct_three", share(sum(ten, |g| g.fg3a), sum(ten, |g| g.fga)), Calculated);
    let free = share(sum(ten, |g| g.ftm), sum(ten, |g| g.stat(Stat::Points)));
    v.set("pct_free_throw", free.filter(|_| ten.len() >= 5).map(|s| s.min(0.5)), Calculated);
    let usage: Vec<f64> = past.last(5).iter().filter_map(|game| game.usage).collect();
    v.set("usage_rate_last_5", at_least(usage, MIN_GAMES, mean), Calculated);
    v.set("games_since_structural_change", Some(since_change(past)), Calculated);
}

/// His games from the newest change of team or long pause on.
fn since_change(past: &Past<'_>) -> f64 {
    if past.rest().is_none_or(|rest| rest > LONG_PAUSE_DAYS) {
        return 0.0;
    }
    let changes = |pair: &[Appearance]| {
        pair[0].team != pair[1].team || days_between(pair[0].date, pair[1].date) > LONG_PAUSE_DAYS
    };
    let first = past.games.windows(2).rposition(changes).map_or(0, |at| at + 1);
    (past.games.len() - first).min(MAX_SINCE_CHANGE) as f64
}

/// Rebounds, assists and threes like points.
pub(crate) fn set_other_stats(v: &mut Vector<'_>, past: &Past<'_>, opponent: TeamCode) {
    use FeatureSource::{Facts, OpponentHistory};
    let ten = past.last(10);
    let played = sum(ten, |game| game.minutes);
    for stat in Stat::BESIDE_POINTS {
        let of_ten = values(ten, stat);
        v.set_stat(stat, "avg_last_5", mean(&values(past.last(5), stat)), Facts);
        v.set_stat(stat, "avg_last_10", mean(&of_ten), Facts);
        v.set_stat(stat, "avg_season", mean(&values(&past.season, stat)), Facts);
        v.set_stat(stat, "std_last_10", std_dev(&of_ten), Facts);
        v.set_stat(stat, "per_minute_last_10", share(of_ten.iter().sum(), played), Facts);
        v.set_stat(stat, "avg_vs_opponent", mean(&against(past, opponent, stat)), OpponentHistory);
    }
}

fn against(past: &Past<'_>, opponent: TeamCode, stat: Stat) -> Vec<f64> {
    past.games.iter().filter(|game| game.opponent == opponent).map(|game| game.stat(stat)).collect()
}

pub(crate) fn set_against(v: &mut Vector<'_>, past: &Past<'_>, opponent: TeamCode) {
    let met = against(past, opponent, Stat::Points);
    v.set("avg_points_vs_opponent", mean(&met), FeatureSource::OpponentHistory);
    v.set("games_vs_opponent", Some(met.len() as f64), FeatureSource::OpponentHistory);
}

/// Share of his team's games that he did not appear in, since he came to it.
pub(crate) fn set_absences(v: &mut Vector<'_>, past: &Past<'_>, team: TeamCode, nights: &[TeamNight]) {
    let run = past.games.iter().rposition(|game| game.team != team).map_or(0, |at| at + 1);
    let own = &past.games[run..];
    let Some(first) = own.first() else { return };
    let counting: Vec<&TeamNight> =
        nights.iter().filter(|night| night.date >= first.date && night.has_players).collect();
    let counting = last(&counting, 10);
    let absent = counting.iter().filter(|night| !own.iter().any(|game| game.game == night.game)).count();
    let rate = (counting.len() >= MIN_GAMES).then(|| absent as f64 / counting.len() as f64);
    v.set("dnp_rate", rate, FeatureSource::Calculated);
}

/// How his newest games went against the line with which the books went into them, and that line itself.
pub(crate) fn set_graded(v: &mut Vector<'_>, past: &Past<'_>, closings: &[Closing]) {
    use FeatureSource::{Calculated, Odds};
    let played = past.in_days(FORM_DAYS).iter().filter(|game| game.minutes > 0.0);
    let margins: Vec<f64> = played
        .filter_map(|game| {
            let closing = closings.iter().rev().find(|closing| closing.game == game.game)?;
            Some(game.stat(Stat::Points) - closing.line)
        })
        .collect();
    let streak = |is: fn(&f64) -> bool| margins.iter().rev().take_while(|margin| is(margin)).count() as f64;
    let is_graded = !margins.is_empty();
    v.set("prop_over_streak", is_graded.then(|| streak(|margin| *margin > 0.0)), Calculated);
    v.set("prop_under_streak", is_graded.then(|| streak(|margin| *margin < 0.0)), Calculated);
    let overs: Vec<f64> = last(&margins, 10).iter().map(|margin| flag(*margin > 0.0)).collect();
    v.set("over_rate_last_10", at_least(overs, MIN_GAMES, mean), Calculated);
    v.set("margin_vs_line_avg_last_5", at_least(last(&margins, 5).to_vec(), MIN_GAMES, mean), Calculated);

    let lately = |closing: &&Closing| days_between(closing.game.date, past.date) <= PREVIOUS_LINE_DAYS;
    let previous = closings.iter().rev().take_while(lately).find_map(|closing| closing.consensus);
    v.set("points_previous_line", previous, Odds);
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_told_in_steps() {
        for (points, wanted) in [
            ([10.0, 10.0, 10.0, 15.0, 15.0], 2.0),
            ([10.0, 10.0, 10.0, 12.0, 12.0], 1.0),
            ([10.0, 10.0, 10.0, 11.0, 12.0], 0.0),
            ([10.0, 10.0, 10.0, 8.0, 8.0], -1.0),
            ([20.0, 10.0, 15.0, 10.0, 10.0], -2.0),
        ] {
            assert_eq!(trend(&points), Some(wanted), "{points:?}");
        }
        assert_eq!(at_least(vec![1.0; 4], 5, trend), None);
    }
}
