//! The features of a date, from a history and nothing else.
//!
//! Windows: *last N* are the last N games a player appeared in within 365 days before the date; *season* are games of
//! the same season before it; a team's *last ten* are its last ten games, whatever the season. Standard deviations are
//! of the population. A game a player did not appear in does not exist for him (incident 78).

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::features::FeatureContract;
use proto::tables::{FeatureRow, GameRow};
use proto::{Feature, FeatureSource, FeatureVector, GameKey, PlayerLookup, SeasonPhase, TeamCode};

use super::history::{Appearance, History, TeamNight};
use super::maths::{last, mean, median, slope, std_dev};

/// A player is on a roster without a quote when he played within so many days.
const ROSTER_DAYS: i32 = 30;
/// The window of "last N games".
const LAST_N_DAYS: i32 = 365;
/// The window of short-term form.
const FORM_DAYS: i32 = 60;
/// A blow-out is a game decided by so many points.
const BLOWOUT: f64 = 15.0;
/// Wins tell something from so many games on.
const MIN_GAMES_FOR_WINS: usize = 5;
/// Rest beyond this makes no difference.
const MAX_REST: f64 = 10.0;

/// What was built for a date.
#[derive(Debug, Default, PartialEq)]
pub struct Built {
    /// One row for each player of the slate's games, by game and player.
    pub rows: Vec<FeatureRow>,
    /// Quoted players whose newest team is not in the game that quotes them: nobody knows their side.
    pub without_team: Vec<PlayerLookup>,
}

/// Builds the features of everybody who may play on `date`, as known at `now` and never later than tip-off.
pub fn build(date: Date, history: &History, contract: &FeatureContract, now: Timestamp) -> Built {
    let mut built = Built::default();
    let games = history.games_on(date);
    for player in history.players() {
        let past = history.player_before(date, player);
        let Some(newest) = past.last() else { continue };
        if days_between(newest.date, date) > f64::from(LAST_N_DAYS) {
            continue;
        }
        for game in games {
            let is_quoted = || history.is_quoted(&game.game_id, player);
            let plays_here = game.game_id.opponent_of(newest.team).is_some();
            let plays_lately = days_between(newest.date, date) <= f64::from(ROSTER_DAYS);
            match (plays_here, plays_lately) {
                (true, true) => built.rows.push(row(history, contract, game, player, newest.team, now)),
                (true, false) if is_quoted() => {
                    built.rows.push(row(history, contract, game, player, newest.team, now));
                }
                (false, _) if is_quoted() => built.without_team.push(player.clone()),
                _ => {}
            }
        }
    }
    built.rows.sort_by(|a, b| (a.game_id, &a.player_lookup).cmp(&(b.game_id, &b.player_lookup)));
    built
}

/// Whole days between two dates.
fn days_between(earlier: Date, later: Date) -> f64 {
    earlier.until(later).map_or(f64::MAX, |span| f64::from(span.get_days()))
}

/// Values on their way into a vector, by name.
struct Vector<'a> {
    contract: &'a FeatureContract,
    features: Vec<Feature>,
}

impl<'a> Vector<'a> {
    fn new(contract: &'a FeatureContract) -> Self {
        let features = contract.features.iter().map(|spec| absent(spec.required, spec.default)).collect();
        Self { contract, features }
    }

    /// A value, or what the contract says about its absence: a default if it is required, else nothing.
    fn set(&mut self, name: &str, value: Option<f64>, source: FeatureSource) {
        let Some(at) = self.contract.position(name) else { return };
        let spec = &self.contract.features[at];
        self.features[at] = match value.filter(|v| v.is_finite()) {
            Some(value) => Feature::real(value, source),
            None => absent(spec.required, spec.default),
        };
    }
}

fn absent(required: bool, default: Option<f64>) -> Feature {
    match default.filter(|_| required) {
        Some(default) => Feature::default_of(default),
        None => Feature::missing(),
    }
}

fn row(
    history: &History,
    contract: &FeatureContract,
    game: &GameRow,
    player: &PlayerLookup,
    team: TeamCode,
    now: Timestamp,
) -> FeatureRow {
    let key = game.game_id;
    let as_of = history.tip_off(game).map_or(now, |tip| tip.min(now));
    let opponent = key.opponent_of(team).unwrap_or(team);
    let past = within(history.player_before(key.date, player), key.date, LAST_N_DAYS);
    let (own, other) = (history.team_before(key.date, team), history.team_before(key.date, opponent));

    let mut vector = Vector::new(contract);
    set_player(&mut vector, past, key.date, game.season);
    set_against(&mut vector, past, opponent);
    set_teams(&mut vector, own, other, game.season);
    set_freshness(&mut vector, past, other, key.date);
    set_place(&mut vector, history, game, team);
    let lines_at = set_game_lines(&mut vector, history, &key, team, as_of);

    let mut vector = FeatureVector { contract_version: contract.version.clone(), features: vector.features };
    rules::line_features::apply(contract, &mut vector, history.quotes_of(&key, player), as_of);
    let quality = rules::quality::of(contract, &vector);
    let nights = last(own, 10).iter().chain(last(other, 10)).map(|night| night.ingested_at);
    FeatureRow {
        game_id: key,
        player_lookup: player.clone(),
        team,
        vector,
        quality_score: quality.score,
        matchup_quality: quality.matchup,
        required_default_count: quality.required_default_count,
        as_of,
        built_at: now,
        inputs_ingested_at: past.iter().map(|game| game.ingested_at).chain(nights).chain(lines_at).max(),
    }
}

/// The part of a past that is not older than so many days.
fn within(past: &[Appearance], date: Date, days: i32) -> &[Appearance] {
    let Ok(first) = date.checked_sub(days.days()) else { return past };
    &past[past.partition_point(|game| game.date < first)..]
}

fn points(games: &[Appearance]) -> Vec<f64> {
    games.iter().map(|game| game.points).collect()
}

fn set_player(v: &mut Vector<'_>, past: &[Appearance], date: Date, season: i16) {
    use FeatureSource::{Calculated, Facts};
    let all = points(past);
    let ten = last(&all, 10);
    let minutes: Vec<f64> = last(past, 10).iter().map(|game| game.minutes).collect();
    let of_season: Vec<f64> =
        past.iter().filter(|g| g.season == season && g.counts_for_season).map(|g| g.points).collect();
    let season_mean = mean(&of_season);
    let week = (!past.is_empty()).then(|| within(past, date, 7).len() as f64);
    let rest = past.last().map(|game| days_between(game.date, date).min(MAX_REST));
    let played: f64 = minutes.iter().sum();

    v.set("points_avg_last_5", mean(last(&all, 5)), Facts);
    v.set("points_avg_last_10", mean(ten), Facts);
    v.set("points_avg_season", season_mean, Facts);
    v.set("points_std_last_10", std_dev(ten), Facts);
    v.set("games_in_last_7_days", week, Facts);
    v.set("minutes_avg_last_10", mean(&minutes), Facts);
    v.set("ppm_avg_last_10", (played > 0.0).then(|| ten.iter().sum::<f64>() / played), Facts);
    v.set("minutes_volatility_last_10", std_dev(&minutes), Facts);
    v.set("days_rest", rest, Facts);

    let form = points(within(past, date, FORM_DAYS));
    let last_3 = mean(last(&form, 3));
    let deviation = last_3.zip(mean(&form)).zip(std_dev(&form).filter(|std| *std > 0.0));
    let seven = last(&all, 7);
    let trend = if seven.len() >= 4 { slope(seven) } else { None };
    let cold = season_mean.map(|mean| of_season.iter().rev().take_while(|p| **p < mean).count() as f64);
    v.set("points_avg_last_3", last_3, Facts);
    v.set("scoring_trend_slope", trend, Calculated);
    v.set("deviation_from_avg_last3", deviation.map(|((three, mean), std)| (three - mean) / std), Calculated);
    v.set("consecutive_games_below_avg", cold, Calculated);
}

fn set_against(v: &mut Vector<'_>, past: &[Appearance], opponent: TeamCode) {
    let met: Vec<f64> = past.iter().filter(|g| g.opponent == opponent).map(|g| g.points).collect();
    v.set("avg_points_vs_opponent", mean(&met), FeatureSource::OpponentHistory);
    v.set("games_vs_opponent", Some(met.len() as f64), FeatureSource::OpponentHistory);
}

/// Mean possessions per 48 minutes over the last ten games; a game whose other row is missing has no pace.
fn pace(nights: &[TeamNight]) -> Option<f64> {
    let paces: Vec<f64> = last(nights, 10).iter().filter_map(|night| night.pace).collect();
    mean(&paces)
}

/// Points allowed per 100 possessions of the other side over the last ten games whose other row is there.
fn def_rating(nights: &[TeamNight]) -> Option<f64> {
    let allowed: Vec<(f64, f64)> = last(nights, 10).iter().filter_map(|night| night.allowed).collect();
    let (points, possessions) = allowed.iter().fold((0.0, 0.0), |(p, q), (a, b)| (p + a, q + b));
    (possessions > 0.0).then(|| 100.0 * points / possessions)
}

/// How fresh he is, and how much fresher than the opponent.
fn set_freshness(v: &mut Vector<'_>, past: &[Appearance], other: &[TeamNight], date: Date) {
    let rest = past.last().map(|game| days_between(game.date, date));
    let other_rest = other.last().map(|night| days_between(night.date, date));
    let advantage = rest.zip(other_rest).map(|(own, other)| (own - other).clamp(-2.0, 2.0));
    v.set("rest_advantage", advantage, FeatureSource::Calculated);
    v.set("fatigue_score", rest.map(|rest| freshness(past, rest, date)), FeatureSource::Calculated);
}

/// The field's formula without its term for age: no source has birth dates.
fn freshness(past: &[Appearance], rest: f64, date: Date) -> f64 {
    let (week, fortnight) = (within(past, date, 7), within(past, date, 14));
    let minutes: f64 = week.iter().map(|game| game.minutes).sum();
    let in_a_row =
        fortnight.windows(2).filter(|pair| days_between(pair[0].date, pair[1].date) <= 1.0).count();
    let mut score: f64 = 100.0;
    score += if rest <= 1.0 {
        -15.0
    } else if rest >= 3.0 {
        5.0
    } else {
        0.0
    };
    score -= if week.len() >= 4 { 10.0 } else { 0.0 };
    score -= if minutes > 240.0 { 10.0 } else { 0.0 };
    score -= if minutes > 35.0 * week.len() as f64 { 8.0 } else { 0.0 };
    score -= match in_a_row {
        0 => 0.0,
        1 => 5.0,
        _ => 12.0,
    };
    score.clamp(0.0, 100.0)
}

fn set_teams(v: &mut Vector<'_>, own: &[TeamNight], other: &[TeamNight], season: i16) {
    use FeatureSource::{Calculated, Facts};
    let ten = last(own, 10);
    let possessions: f64 = ten.iter().map(|night| night.possessions).sum();
    let scored: f64 = ten.iter().map(|night| night.points).sum();
    let this_season: Vec<f64> =
        own.iter().filter(|n| n.season == season).map(|n| if n.won { 1.0 } else { 0.0 }).collect();
    let wins = if this_season.len() >= MIN_GAMES_FOR_WINS { mean(&this_season) } else { None };
    let blowouts: Vec<f64> =
        ten.iter().map(|night| if night.margin.abs() >= BLOWOUT { 1.0 } else { 0.0 }).collect();
    let (own_pace, other_pace) = (pace(own), pace(other));

    v.set("team_pace", own_pace, Facts);
    v.set("opponent_pace", other_pace, Facts);
    v.set("pace_score", own_pace.zip(other_pace).map(|(a, b)| ((b - a) / 2.0).clamp(-3.0, 3.0)), Calculated);
    v.set("opponent_def_rating", def_rating(other), Facts);
    v.set("opponent_pace_mismatch", own_pace.zip(other_pace).map(|(a, b)| a - b), Calculated);
    v.set("team_off_rating", (possessions > 0.0).then(|| 100.0 * scored / possessions), Facts);
    v.set("team_win_pct", wins, Facts);
    v.set("blowout_minutes_risk", mean(&blowouts), Facts);
}

fn set_place(v: &mut Vector<'_>, history: &History, game: &GameRow, team: TeamCode) {
    let flag = |is: bool| Some(if is { 1.0 } else { 0.0 });
    let b2b = history.played_the_day_before(game.game_id.date, team);
    v.set("home_away", flag(game.game_id.home == team), FeatureSource::Facts);
    v.set("playoff_game", flag(game.phase == SeasonPhase::Playoffs), FeatureSource::Facts);
    v.set("back_to_back", b2b.and_then(flag), FeatureSource::Facts);
}

/// Total, spread and implied points: the median of the books, each by its newest line before the as-of.
fn set_game_lines(
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
    v.set("game_total_line", total, Odds);
    v.set("spread_magnitude", home_spread.map(f64::abs), Odds);
    v.set(
        "implied_team_total",
        total.zip(own_spread).map(|(total, spread)| (total - spread) / 2.0),
        Calculated,
    );
    lines.iter().map(|line| line.ingested_at).max()
}
