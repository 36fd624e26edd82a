//! What a player's team, his opponent, the place and the game's own lines tell.

use jiff::Timestamp;
use jiff::civil::Date;
use proto::tables::GameRow;
use proto::{FeatureSource, GameKey, SeasonPhase, TeamCode};

use super::engine::days_between;
use super::history::{History, Stat, TeamNight};
use super::maths::{last, mean, median};
use super::vector::Vector;

/// A blow-out is a game decided by so many points.
const BLOWOUT: f64 = 15.0;
/// Wins tell something from so many games on.
const MIN_GAMES_FOR_WINS: usize = 5;

/// Mean possessions per 48 minutes over the last ten games; a game whose other row is missing has no pace.
fn pace(nights: &[TeamNight]) -> Option<f64> {
    let paces: Vec<f64> = last(nights, 10).iter().filter_map(|night| night.pace).collect();
    mean(&paces)
}

/// Points per 100 possessions, of pairs of both.
fn rating(games: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (points, possessions) = games.fold((0.0, 0.0), |(p, q), (a, b)| (p + a, q + b));
    (possessions > 0.0).then(|| 100.0 * points / possessions)
}

pub(crate) fn set_teams(v: &mut Vector<'_>, own: &[TeamNight], other: &[TeamNight], season: i16) {
    use FeatureSource::{Calculated, Facts};
    let ten = last(own, 10);
    let this_season: Vec<f64> =
        own.iter().filter(|n| n.season == season).map(|n| if n.won { 1.0 } else { 0.0 }).collect();
    let wins = if this_season.len() >= MIN_GAMES_FOR_WINS { mean(&this_season) } else { None };
    let blowouts: Vec<f64> =
        ten.iter().map(|night| if night.margin.abs() >= BLOWOUT { 1.0 } else { 0.0 }).collect();

    let own_pace = v.set("team_pace", pace(own), Facts);
    let other_pace = v.set("opponent_pace", pace(other), Facts);
    let faster = own_pace.zip(other_pace).map(|(own, other)| own - other);
    v.set("opponent_pace_mismatch", faster, Calculated);
    v.set("pace_score", faster.map(|faster| (-faster / 2.0).clamp(-3.0, 3.0)), Calculated);
    v.set("team_off_rating", rating(ten.iter().map(|night| (night.points, night.possessions))), Facts);
    v.set("opponent_def_rating", rating(last(other, 10).iter().filter_map(|night| night.allowed)), Facts);
    v.set("team_win_pct", wins, Facts);
    v.set("blowout_minutes_risk", mean(&blowouts), Facts);
    for stat in [Stat::Points].into_iter().chain(Stat::BESIDE_POINTS) {
        let allowed: Vec<f64> = other.iter().filter_map(|night| night.allowed_stat(stat)).collect();
        v.set(&format!("opponent_{}_allowed_last_10", stat.name()), mean(last(&allowed, 10)), Facts);
    }
}

/// How much fresher he is than the opponent.
pub(crate) fn set_rest_advantage(v: &mut Vector<'_>, rest: Option<f64>, other: &[TeamNight], date: Date) {
    let other_rest = other.last().map(|night| days_between(night.date, date));
    let advantage = rest.zip(other_rest).map(|(own, other)| (own - other).clamp(-2.0, 2.0));
    v.set("rest_advantage", advantage, FeatureSource::Calculated);
}

pub(crate) fn set_place(v: &mut Vector<'_>, history: &History, game: &GameRow, team: TeamCode) {
    let flag = |is: bool| Some(if is { 1.0 } else { 0.0 });
    let b2b = history.played_the_day_before(game.game_id.date, team);
    v.set("home_away", flag(game.game_id.home == team), FeatureSource::Facts);
    v.set("playoff_game", flag(game.phase == SeasonPhase::Playoffs), FeatureSource::Facts);
    v.set("back_to_back", b2b.and_then(flag), FeatureSource::Facts);
}

/// Total, spread and implied points: the median of the books, each by its newest line before the as-of. Answers when
/// the newest of them was ingested.
pub(crate) fn set_game_lines(
    v: &mut Vector<'_>,
    history: &History,
    game: &GameKey,
    team: TeamCode,
    as_of: Timestamp,
) -> Option<Timestamp> {
    use FeatureSource::{Calculated, Odds};
    let lines = history.game_lines_before(game, as_of);
    let total = median(lines.iter().filter_map(|l| l.row.total).map(|l| l.points()).collect());
    let home_spread = median(lines.iter().filter_map(|l| l.row.home_spread).map(|l| l.points()).collect());
    let own_spread = home_spread.map(|spread| if game.home == team { spread } else { -spread });
    let total = v.set("game_total_line", total, Odds);
    v.set("spread_magnitude", home_spread.map(f64::abs), Odds);
    let implied = total.zip(own_spread).map(|(total, spread)| (total - spread) / 2.0);
    v.set("implied_team_total", implied, Calculated);
    lines.iter().map(|line| line.ingested_at).max()
}
