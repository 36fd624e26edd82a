//! Days of games: who plays whom and when, and what became of it.

use jiff::civil::{Date, Time};
use proto::{GameKey, league_time};

use super::league::{Player, Team};
use super::rng::Rng;
use crate::season::season_of;

/// Rebounds of everybody, a minute.
pub(super) const REBOUNDS_PER_MINUTE: f64 = 0.18;
/// Assists of everybody, a minute.
pub(super) const ASSISTS_PER_MINUTE: f64 = 0.1;
const OFFENSIVE_REBOUNDS_PER_MINUTE: f64 = 0.04;

/// Points of an average team.
pub(super) const TEAM_POINTS: f64 = 113.0;
/// What playing at home is worth.
const HOME_EDGE: f64 = 1.012;
/// Minutes of a team.
pub(super) const TEAM_MINUTES: u32 = 240;

/// One game.
#[derive(Debug, Clone)]
pub(super) struct Game {
    pub(super) key: GameKey,
    pub(super) league_id: String,
    pub(super) season: i16,
    pub(super) time: Time,
    /// Places of the teams in the league.
    pub(super) away: usize,
    pub(super) home: usize,
}

impl Game {
    pub(super) fn tip_off(&self) -> jiff::Timestamp {
        league_time::league_instant(self.key.date.to_datetime(self.time))
    }

    /// Spread of the home team and total, as a market that knows everything would set them.
    pub(super) fn expectation(&self, teams: &[Team]) -> (f64, f64) {
        let home = TEAM_POINTS * teams[self.home].attack * teams[self.away].defence * HOME_EDGE;
        let away = TEAM_POINTS * teams[self.away].attack * teams[self.home].defence / HOME_EDGE;
        (away - home, away + home)
    }
}

/// The schedule: on each day the most rested teams play.
pub(super) fn schedule(rng: &mut Rng, teams: &[Team], from: Date, days: u32, per_day: usize) -> Vec<Game> {
    let mut games = Vec::new();
    let mut last_played = vec![i64::MIN; teams.len()];
    let mut date = from;
    let season = season_of(from);
    for day in 0..i64::from(days) {
        let mut order: Vec<(i64, u64, usize)> =
            (0..teams.len()).map(|team| (last_played[team], rng.next(), team)).collect();
        order.sort_unstable();
        let mut playing: Vec<usize> = order.iter().take(2 * per_day).map(|(_, _, team)| *team).collect();
        rng.shuffle(&mut playing);
        for pair in playing.chunks_exact(2) {
            let (away, home) = (pair[0], pair[1]);
            last_played[away] = day;
            last_played[home] = day;
            let half_hours = rng.below(7) as i8;
            let time = Time::constant(19 + half_hours / 2, 30 * (half_hours % 2), 0, 0);
            let Ok(key) = GameKey::nba(date, teams[away].row.team, teams[home].row.team) else { continue };
            let league_id = format!("002{:02}{:05}", season % 100, games.len() + 1);
            games.push(Game { key, league_id, season, time, away, home });
        }
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    games
}

/// What a player did.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) minutes: u32,
    pub(super) points: u32,
    pub(super) fgm: u32,
    pub(super) fga: u32,
    pub(super) fg3m: u32,
    pub(super) fg3a: u32,
    pub(super) ftm: u32,
    pub(super) fta: u32,
    pub(super) oreb: u32,
    pub(super) dreb: u32,
    pub(super) ast: u32,
    pub(super) stl: u32,
    pub(super) blk: u32,
    pub(super) tov: u32,
    pub(super) pf: u32,
    pub(super) plus_minus: i64,
}

/// Both sides of a game that was played: for each player his line, or none when he did not appear.
#[derive(Debug, Clone)]
pub(super) struct Result {
    pub(super) away: Vec<Option<Line>>,
    pub(super) home: Vec<Option<Line>>,
}

impl Result {
    pub(super) fn score(lines: &[Option<Line>]) -> u32 {
        lines.iter().flatten().map(|line| line.points).sum()
    }
}

/// Mean points of a player who plays his usual minutes against this defence.
pub(super) fn expected_points(player: &Player, own: &Team, other: &Team) -> f64 {
    player.minutes * player.per_minute * own.attack.sqrt() * other.defence
}

/// Plays a game. `out` says who of a team cannot.
pub(super) fn play(rng: &mut Rng, game: &Game, teams: &[Team], out: &dyn Fn(usize, usize) -> bool) -> Result {
    let (away, home) = (&teams[game.away], &teams[game.home]);
    let mut away_lines = side(rng, away, home, &|at| out(game.away, at));
    let mut home_lines = side(rng, home, away, &|at| out(game.home, at));
    let margin = i64::from(Result::score(&home_lines)) - i64::from(Result::score(&away_lines));
    // A tie is broken by one more free throw of the home team's first man.
    let margin = if margin == 0 {
        if let Some(line) = home_lines.iter_mut().flatten().next() {
            line.points += 1;
            line.ftm += 1;
            line.fta += 1;
        }
        1
    } else {
        margin
    };
    for (lines, own_margin) in [(&mut home_lines, margin), (&mut away_lines, -margin)] {
        for line in lines.iter_mut().flatten() {
            let share = own_margin as f64 * f64::from(line.minutes) / 48.0;
            line.plus_minus = (share + rng.normal(0.0, 4.0)).round() as i64;
        }
    }
    Result { away: away_lines, home: home_lines }
}

fn side(rng: &mut Rng, own: &Team, other: &Team, out: &dyn Fn(usize) -> bool) -> Vec<Option<Line>> {
    let night = rng.normal(1.0, 0.07);
    let wanted: Vec<f64> = own
        .players
        .iter()
        .enumerate()
        .map(|(at, player)| {
            // The far end of the bench often stays there; five have to play.
            let sits = at >= 5 && rng.chance(if player.minutes < 8.0 { 0.45 } else { 0.04 });
            let minutes = rng.normal(player.minutes, 3.0).max(1.0);
            if out(at) || sits { 0.0 } else { minutes }
        })
        .collect();
    let minutes = share_out(&wanted);
    own.players
        .iter()
        .zip(minutes)
        .map(|(player, minutes)| (minutes > 0).then(|| line(rng, player, own, other, minutes, night)))
        .collect()
}

/// Whole minutes that add up to a team's, none above 44.
fn share_out(wanted: &[f64]) -> Vec<u32> {
    let sum: f64 = wanted.iter().sum();
    if sum <= 0.0 {
        return vec![0; wanted.len()];
    }
    let scale = f64::from(TEAM_MINUTES) / sum;
    let mut minutes: Vec<u32> = wanted.iter().map(|w| (w * scale).floor().min(44.0) as u32).collect();
    let playing: Vec<usize> = (0..wanted.len()).filter(|at| wanted[*at] > 0.0).collect();
    let mut left = TEAM_MINUTES - minutes.iter().sum::<u32>().min(TEAM_MINUTES);
    let mut turn = 0;
    while left > 0 && !playing.is_empty() {
        minutes[playing[turn % playing.len()]] += 1;
        turn += 1;
        left -= 1;
    }
    minutes
}

fn line(rng: &mut Rng, player: &Player, own: &Team, other: &Team, minutes: u32, night: f64) -> Line {
    let time = f64::from(minutes);
    let mean = time * player.per_minute * own.attack.sqrt() * other.defence * night;
    let points = rng.normal(mean, 1.6 * mean.max(0.5).sqrt()).round().max(0.0) as u32;
    let fg3m = ((f64::from(points) * player.threes / 3.0).round() as u32).min(points / 3);
    let rest = points - 3 * fg3m;
    let ftm = (f64::from(rest) * rng.between(0.1, 0.35)).round() as u32;
    // Twos make the rest even.
    let ftm = if (rest - ftm.min(rest)).is_multiple_of(2) { ftm.min(rest) } else { (ftm + 1).min(rest) };
    let fg2m = (rest - ftm) / 2;
    let some = |rng: &mut Rng, per_minute: f64| {
        rng.normal(time * per_minute, (time * per_minute).sqrt()).round().max(0.0) as u32
    };
    let missed = some(rng, 0.19);
    let missed_3 = missed.min(some(rng, 0.08));
    Line {
        minutes,
        points: 3 * fg3m + 2 * fg2m + ftm,
        fgm: fg2m + fg3m,
        fga: fg2m + fg3m + missed,
        fg3m,
        fg3a: fg3m + missed_3,
        ftm,
        fta: ftm + some(rng, 0.02),
        oreb: some(rng, OFFENSIVE_REBOUNDS_PER_MINUTE),
        dreb: some(rng, REBOUNDS_PER_MINUTE - OFFENSIVE_REBOUNDS_PER_MINUTE),
        ast: some(rng, ASSISTS_PER_MINUTE),
        stl: some(rng, 0.03),
        blk: some(rng, 0.02),
        tov: some(rng, 0.055),
        pf: some(rng, 0.08).min(6),
        plus_minus: 0,
    }
}
