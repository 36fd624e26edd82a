//! The features of a date, from a history and nothing else.
//!
//! Windows and terms are those of the contract (`features.toml`), whose meanings this module computes word by word; an
//! independent script computes them a second time. A game a player did not appear in does not exist for him
//! (incident 78).

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::features::FeatureContract;
use proto::tables::{FeatureRow, GameRow};
use proto::{FeatureVector, PlayerLookup, TeamCode};
use rules::columns::Columns;

use super::absences::{self, Absentee, Rosters};
use super::history::{Appearance, History, TeamNight};
use super::maths::last;
use super::player::{self, Past};
use super::team;
use super::vector::Vector;

/// A player is on a roster without a quote when he played within so many days.
const ROSTER_DAYS: i32 = 30;
/// The window of "his games" and of a team's.
pub(crate) const LAST_N_DAYS: i32 = 365;

/// What was built for a date.
#[derive(Debug, Default, PartialEq)]
pub struct Built {
    /// One row for each player of the slate's games, by game and player.
    pub rows: Vec<FeatureRow>,
    /// Quoted players whose newest team is not in the game that quotes them: nobody knows their side.
    pub without_team: Vec<PlayerLookup>,
    /// Values that were outside the contract's range and therefore left out.
    pub implausible: Vec<Implausible>,
}

/// A value that was not believed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Implausible {
    /// The player.
    pub player_lookup: PlayerLookup,
    /// The feature.
    pub feature: String,
    /// The value that was computed.
    pub value: f64,
}

impl Built {
    /// The columns of these rows, with what was left out of them.
    pub fn columns<'a>(&self, contract: &'a FeatureContract) -> Columns<'a> {
        let mut columns = Columns::new(contract);
        self.add_to(&mut columns, contract);
        columns
    }

    /// Adds these rows to columns over more than one date.
    pub(crate) fn add_to(&self, columns: &mut Columns<'_>, contract: &FeatureContract) {
        for row in &self.rows {
            columns.add(row.game_id, row.team, &row.vector);
        }
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        for at in self.implausible.iter().filter_map(|value| contract.position(&value.feature)) {
            *counts.entry(at).or_default() += 1;
        }
        columns.note_implausible(&counts);
    }
}

/// Builds the features of everybody who may play on `date`, as known at `now` and never later than tip-off.
pub fn build(date: Date, history: &History, contract: &FeatureContract, now: Timestamp) -> Built {
    let mut built = Built::default();
    let rosters = Rosters::of(history, date);
    let mut sides: HashMap<(usize, TeamCode), Side<'_>> = HashMap::new();
    let games = history.games_on(date);
    for player in history.players() {
        let past = within(history.player_before(date, player), date, LAST_N_DAYS);
        let Some(newest) = past.last() else { continue };
        let plays_lately = days_between(newest.date, date) <= f64::from(ROSTER_DAYS);
        for (at, game) in games.iter().enumerate() {
            let is_quoted = || history.is_quoted(&game.game_id, player);
            let plays_here = game.game_id.opponent_of(newest.team).is_some();
            match plays_here {
                true if plays_lately || is_quoted() => {
                    let side = sides
                        .entry((at, newest.team))
                        .or_insert_with(|| Side::of(history, &rosters, game, newest.team, now));
                    row(&mut built, &Night { history, contract, game, side, now }, player, past);
                }
                false if is_quoted() => built.without_team.push(player.clone()),
                _ => {}
            }
        }
    }
    built.rows.sort_by(|a, b| (a.game_id, &a.player_lookup).cmp(&(b.game_id, &b.player_lookup)));
    built
}

/// Whole days between two dates.
pub(crate) fn days_between(earlier: Date, later: Date) -> f64 {
    earlier.until(later).map_or(f64::MAX, |span| f64::from(span.get_days()))
}

/// The part of a past that is not older than so many days.
pub(crate) fn within(past: &[Appearance], date: Date, days: i32) -> &[Appearance] {
    let Ok(first) = date.checked_sub(days.days()) else { return past };
    &past[past.partition_point(|game| game.date < first)..]
}

/// What the players of one team share for one game.
struct Side<'a> {
    team: TeamCode,
    opponent: TeamCode,
    own: &'a [TeamNight],
    other: &'a [TeamNight],
    as_of: Timestamp,
    absent: Option<Vec<Absentee<'a>>>,
    nights_ingested_at: Option<Timestamp>,
}

impl<'a> Side<'a> {
    fn of(
        history: &'a History,
        rosters: &Rosters<'a>,
        game: &GameRow,
        team: TeamCode,
        now: Timestamp,
    ) -> Self {
        let date = game.game_id.date;
        let as_of = history.tip_off(game).map_or(now, |tip| tip.min(now));
        let opponent = game.game_id.opponent_of(team).unwrap_or(team);
        let nights = |team| {
            let all = history.team_before(date, team);
            let first = date.checked_sub(LAST_N_DAYS.days()).unwrap_or(Date::MIN);
            &all[all.partition_point(|night| night.date < first)..]
        };
        let (own, other) = (nights(team), nights(opponent));
        let read = last(own, 10).iter().chain(last(other, 10));
        Self {
            team,
            opponent,
            own,
            other,
            as_of,
            absent: rosters.absent(history, team, date, as_of),
            nights_ingested_at: read.map(|night| night.ingested_at).max(),
        }
    }
}

/// One player's evening.
struct Night<'a> {
    history: &'a History,
    contract: &'a FeatureContract,
    game: &'a GameRow,
    side: &'a Side<'a>,
    now: Timestamp,
}

fn row(built: &mut Built, night: &Night<'_>, player: &PlayerLookup, games: &[Appearance]) {
    let Night { history, contract, game, side, now } = *night;
    let key = game.game_id;
    let past = Past::new(games, key.date, game.season);
    let mut v = Vector::new(contract);
    player::set_points(&mut v, &past);
    player::set_minutes(&mut v, &past);
    player::set_style(&mut v, &past);
    player::set_against(&mut v, &past, side.opponent);
    player::set_other_stats(&mut v, &past, side.opponent);
    player::set_absences(&mut v, &past, side.team, side.own);
    player::set_graded(&mut v, &past, history.closings_before(key.date, player));
    team::set_teams(&mut v, side.own, side.other, game.season);
    team::set_rest_advantage(&mut v, past.rest(), side.other, key.date);
    team::set_place(&mut v, history, game, side.team);
    let lines_at = team::set_game_lines(&mut v, history, &key, side.team, side.as_of);
    let absent = side.absent.as_deref();
    let report_at = absences::set_absences(&mut v, history, player, games, absent, side.as_of);

    let Vector { features, implausible, .. } = v;
    built.implausible.extend(implausible.into_iter().map(|(at, value)| Implausible {
        player_lookup: player.clone(),
        feature: contract.features[at].name.clone(),
        value,
    }));
    let mut vector = FeatureVector { contract_version: contract.version.clone(), features };
    rules::line_features::apply(contract, &mut vector, history.quotes_of(&key, player), side.as_of);
    let quality = rules::quality::of(contract, &vector);
    let inputs_at = games.iter().map(|game| game.ingested_at).chain(lines_at).chain(report_at);
    built.rows.push(FeatureRow {
        game_id: key,
        player_lookup: player.clone(),
        team: side.team,
        vector,
        quality_score: quality.score,
        matchup_quality: quality.matchup,
        required_default_count: quality.required_default_count,
        as_of: side.as_of,
        built_at: now,
        inputs_ingested_at: inputs_at.chain(side.nights_ingested_at).max(),
    });
}
