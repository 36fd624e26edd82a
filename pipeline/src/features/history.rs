//! What features are computed from, and the only ways to look at it: strictly before a date.
//!
//! The predecessor once wrote `<=` for `<` and put the night's own result into its averages (incident 77). Here the
//! rows are private and every reader takes the date first; what happens on that date or later cannot be asked for.
//! Nothing here asks the warehouse: a whole range is built from one history, with no query per player (14).

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proto::tables::{GameLineRow, GameRow, InjuryRow, LineRow, PlayerGameRow, TeamGameRow};
use proto::{GameKey, PlayerLookup, Quote, TeamCode};
use warehouse::{ClosingQuote, Stamped};

use super::closings::{Closing, Closings};
use crate::season::is_competitive;

/// Days of history a date needs: a year for players and teams.
pub const HISTORY_DAYS: i32 = 400;

/// Points, rebounds, assists and threes, by [`Stat`].
pub(crate) type Stats = [f64; 4];

/// What has a market of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stat {
    Points,
    Rebounds,
    Assists,
    Threes,
}

impl Stat {
    /// All but points, whose features have names of their own.
    pub(crate) const BESIDE_POINTS: [Self; 3] = [Self::Rebounds, Self::Assists, Self::Threes];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Rebounds => "rebounds",
            Self::Assists => "assists",
            Self::Threes => "threes",
        }
    }
}

/// One game a player appeared in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Appearance {
    pub(crate) date: Date,
    pub(crate) game: GameKey,
    pub(crate) team: TeamCode,
    pub(crate) opponent: TeamCode,
    pub(crate) season: i16,
    pub(crate) counts_for_season: bool,
    pub(crate) minutes: f64,
    stats: Stats,
    pub(crate) fga: f64,
    pub(crate) fg3a: f64,
    pub(crate) ftm: f64,
    /// Attempts, trips to the line and turnovers: what he ended himself.
    ended: f64,
    /// Share of what his team ended while he played, in percent; none without minutes or the team's row.
    pub(crate) usage: Option<f64>,
    pub(crate) ingested_at: Timestamp,
}

impl Appearance {
    pub(crate) const fn stat(&self, stat: Stat) -> f64 {
        self.stats[stat as usize]
    }
}

/// One game a team played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TeamNight {
    pub(crate) date: Date,
    pub(crate) game: GameKey,
    opponent: TeamCode,
    pub(crate) season: i16,
    pub(crate) won: bool,
    pub(crate) points: f64,
    pub(crate) possessions: f64,
    ended: f64,
    minutes: f64,
    /// Possessions per 48 minutes, mean of both teams; none until the opponent's row is there.
    pub(crate) pace: Option<f64>,
    /// Points and possessions of the opponent; none until its row is there.
    pub(crate) allowed: Option<(f64, f64)>,
    /// Sums over the opponent's players; none until one of them has a row.
    allowed_stats: Option<Stats>,
    /// True when a player of this team has a row.
    pub(crate) has_players: bool,
    pub(crate) margin: f64,
    pub(crate) ingested_at: Timestamp,
}

impl TeamNight {
    pub(crate) fn allowed_stat(&self, stat: Stat) -> Option<f64> {
        self.allowed_stats.map(|stats| stats[stat as usize])
    }
}

/// One availability report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub(crate) row: InjuryRow,
    pub(crate) ingested_at: Timestamp,
}

/// Box scores, games and lines, indexed for point-in-time reads.
#[derive(Debug, Default)]
pub struct History {
    players: BTreeMap<PlayerLookup, Vec<Appearance>>,
    teams: HashMap<TeamCode, Vec<TeamNight>>,
    games: BTreeMap<Date, Vec<GameRow>>,
    quotes: HashMap<GameKey, BTreeMap<PlayerLookup, Vec<Quote>>>,
    vendor_tips: HashMap<GameKey, Timestamp>,
    game_lines: HashMap<GameKey, Vec<Stamped<GameLineRow>>>,
    reports: HashMap<PlayerLookup, Vec<Report>>,
    reported: Vec<Timestamp>,
    closings: Closings,
}

impl History {
    /// An empty history; give it games, box scores and lines in any order, then [`History::settle`] it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds box scores of players.
    pub fn add_player_games(&mut self, rows: impl IntoIterator<Item = Stamped<PlayerGameRow>>) {
        for Stamped { row, ingested_at } in rows {
            if !is_competitive(row.phase) {
                continue;
            }
            let appearance = Appearance {
                date: row.game_id.date,
                game: row.game_id,
                team: row.team,
                opponent: row.opponent,
                season: row.season,
                counts_for_season: crate::season::counts_for_season(row.phase),
                minutes: row.minutes,
                stats: [row.points, row.rebounds, row.assists, row.threes],
                fga: row.fga,
                fg3a: row.fg3a,
                ftm: row.ftm,
                ended: row.fga + 0.44 * row.fta + row.tov,
                usage: None,
                ingested_at,
            };
            self.players.entry(row.player_lookup).or_default().push(appearance);
        }
    }

    /// Adds box scores of teams.
    pub fn add_team_games(&mut self, rows: impl IntoIterator<Item = Stamped<TeamGameRow>>) {
        for Stamped { row, ingested_at } in rows {
            if !is_competitive(row.phase) {
                continue;
            }
            self.teams.entry(row.team).or_default().push(TeamNight {
                date: row.game_id.date,
                game: row.game_id,
                opponent: row.opponent,
                season: row.season,
                won: row.won,
                points: row.points,
                possessions: row.fga + 0.44 * row.fta - row.oreb + row.tov,
                ended: row.fga + 0.44 * row.fta + row.tov,
                minutes: row.minutes,
                pace: None,
                allowed: None,
                allowed_stats: None,
                has_players: false,
                margin: row.plus_minus,
                ingested_at,
            });
        }
    }

    /// Adds games.
    pub fn add_games(&mut self, rows: impl IntoIterator<Item = GameRow>) {
        for row in rows {
            self.games.entry(row.game_id.date).or_default().push(row);
        }
    }

    /// Adds quotes; those that fit no player or no game are left out.
    pub fn add_lines(&mut self, rows: impl IntoIterator<Item = LineRow>) {
        for row in rows {
            let Some(game) = row.game_id else { continue };
            let tip = self.vendor_tips.entry(game).or_insert(row.commence_time);
            *tip = row.commence_time.min(*tip);
            if row.player_resolved {
                let player = row.player_lookup.clone();
                self.quotes.entry(game).or_default().entry(player).or_default().push(quote(row));
            }
        }
    }

    /// Adds spreads and totals.
    pub fn add_game_lines(&mut self, rows: impl IntoIterator<Item = Stamped<GameLineRow>>) {
        for line in rows {
            self.game_lines.entry(line.row.game_id).or_default().push(line);
        }
    }

    /// Adds availability reports, in order of time and among those of one instant of arrival.
    pub fn add_reports(&mut self, rows: impl IntoIterator<Item = Stamped<InjuryRow>>) {
        for Stamped { row, ingested_at } in rows {
            self.reported.push(row.reported_at);
            let player = row.player_lookup.clone();
            self.reports.entry(player).or_default().push(Report { row, ingested_at });
        }
    }

    /// Adds the points quotes with which books went into games.
    pub fn add_closings(&mut self, quotes: impl IntoIterator<Item = ClosingQuote>) {
        self.closings.add(quotes);
    }

    /// Forgets quotes and game lines, before those of the next date are added.
    pub fn clear_lines(&mut self) {
        self.quotes.clear();
        self.vendor_tips.clear();
        self.game_lines.clear();
    }

    /// Sorts everything and lets the rows of each game meet. Call it after the last row.
    #[must_use]
    pub fn settle(mut self) -> Self {
        for rows in self.players.values_mut() {
            rows.sort_by_key(|row| (row.date, row.opponent));
        }
        for nights in self.teams.values_mut() {
            nights.sort_by_key(|night| (night.date, night.game));
        }
        for reports in self.reports.values_mut() {
            reports.sort_by_key(|report| report.row.reported_at);
        }
        self.reported.sort_unstable();
        self.closings.settle();
        self.meet();
        self
    }

    /// What one row of a game says about another: paces, points allowed, usage.
    fn meet(&mut self) {
        let sides: HashMap<(GameKey, TeamCode), TeamNight> = self
            .teams
            .iter()
            .flat_map(|(team, nights)| nights.iter().map(|n| ((n.game, *team), *n)))
            .collect();
        let mut totals: HashMap<(GameKey, TeamCode), Stats> = HashMap::new();
        for game in self.players.values_mut().flatten() {
            let total = totals.entry((game.game, game.team)).or_default();
            total.iter_mut().zip(game.stats).for_each(|(sum, value)| *sum += value);
            game.usage = sides.get(&(game.game, game.team)).and_then(|side| usage(game, side));
        }
        for (team, nights) in &mut self.teams {
            for night in nights {
                let other = sides.get(&(night.game, night.opponent));
                night.allowed = other.map(|other| (other.points, other.possessions));
                night.pace = other.and_then(|other| {
                    let regulation = night.minutes / 5.0;
                    let possessions = (night.possessions + other.possessions) / 2.0;
                    (regulation > 0.0).then(|| 48.0 * possessions / regulation)
                });
                night.allowed_stats = totals.get(&(night.game, night.opponent)).copied();
                night.has_players = totals.contains_key(&(night.game, *team));
            }
        }
    }

    /// The games of a date.
    pub(crate) fn games_on(&self, date: Date) -> &[GameRow] {
        self.games.get(&date).map_or(&[], Vec::as_slice)
    }

    /// A player's newest report at an instant.
    pub(crate) fn report_at(&self, at: Timestamp, player: &PlayerLookup) -> Option<&Report> {
        let reports = self.reports.get(player)?;
        reports[..reports.partition_point(|report| report.row.reported_at <= at)].last()
    }

    /// True when nobody at all was reported in the days up to an instant: the list is not kept up.
    pub(crate) fn is_list_silent(&self, at: Timestamp, days: i64) -> bool {
        let since = at - SignedDuration::from_hours(24 * days);
        let newest = self.reported[..self.reported.partition_point(|reported| *reported <= at)].last();
        newest.is_none_or(|newest| *newest < since)
    }

    /// A player's closing lines strictly before a date, oldest first.
    pub(crate) fn closings_before(&self, date: Date, player: &PlayerLookup) -> &[Closing] {
        self.closings.before(date, player)
    }

    /// Everybody with a box score.
    pub(crate) fn players(&self) -> impl Iterator<Item = &PlayerLookup> {
        self.players.keys()
    }

    /// Games a player appeared in, strictly before a date, oldest first.
    pub(crate) fn player_before(&self, date: Date, player: &PlayerLookup) -> &[Appearance] {
        let rows = self.players.get(player).map_or(&[][..], Vec::as_slice);
        &rows[..rows.partition_point(|row| row.date < date)]
    }

    /// Games a team played, strictly before a date, oldest first.
    pub(crate) fn team_before(&self, date: Date, team: TeamCode) -> &[TeamNight] {
        let rows = self.teams.get(&team).map_or(&[][..], Vec::as_slice);
        &rows[..rows.partition_point(|row| row.date < date)]
    }

    /// True when the team played the day before: by box scores, or by the schedule while that day has none.
    pub(crate) fn played_the_day_before(&self, date: Date, team: TeamCode) -> Option<bool> {
        let before = date.checked_sub(1.day()).ok()?;
        let has_row = self.team_before(date, team).last().is_some_and(|night| night.date == before);
        if has_row {
            return Some(true);
        }
        let any_rows = self.teams.values().any(|nights| {
            let at = nights.partition_point(|night| night.date < before);
            nights.get(at).is_some_and(|night| night.date == before)
        });
        if any_rows {
            return Some(false);
        }
        Some(self.games_on(before).iter().any(|game| {
            let plays = game.game_id.opponent_of(team).is_some();
            plays && is_competitive(game.phase) && will_be_played(game)
        }))
    }

    /// Tip-off of a game by its key.
    pub(crate) fn tip_of(&self, game: &GameKey) -> Option<Timestamp> {
        let scheduled = self.games_on(game.date).iter().find(|row| row.game_id == *game);
        scheduled.map_or_else(|| self.vendor_tips.get(game).copied(), |row| self.tip_off(row))
    }

    /// Tip-off: the earlier of schedule and vendor.
    pub(crate) fn tip_off(&self, game: &GameRow) -> Option<Timestamp> {
        let vendor = self.vendor_tips.get(&game.game_id).copied();
        match (game.tip_off, vendor) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// True when a book quotes the player for the game.
    pub(crate) fn is_quoted(&self, game: &GameKey, player: &PlayerLookup) -> bool {
        self.quotes.get(game).is_some_and(|players| players.contains_key(player))
    }

    /// A player's quotes for a game; whoever reads them says as of when.
    pub(crate) fn quotes_of(&self, game: &GameKey, player: &PlayerLookup) -> &[Quote] {
        self.quotes.get(game).and_then(|players| players.get(player)).map_or(&[], Vec::as_slice)
    }

    /// Each book's newest spread and total of a game before an instant.
    pub(crate) fn game_lines_before(&self, game: &GameKey, at: Timestamp) -> Vec<&Stamped<GameLineRow>> {
        let mut newest: BTreeMap<&str, &Stamped<GameLineRow>> = BTreeMap::new();
        let all = self.game_lines.get(game).map_or(&[][..], Vec::as_slice);
        for line in all.iter().filter(|line| line.row.snapshot_at < at) {
            let held = newest.entry(line.row.book.as_str()).or_insert(line);
            if line.row.snapshot_at > held.row.snapshot_at {
                *held = line;
            }
        }
        newest.into_values().collect()
    }
}

/// Share of the team's endings that were his while he played, in percent.
fn usage(game: &Appearance, side: &TeamNight) -> Option<f64> {
    let of_team = game.minutes * side.ended;
    (of_team > 0.0).then(|| 100.0 * game.ended * (side.minutes / 5.0) / of_team)
}

/// True unless the game is off.
pub(crate) fn will_be_played(game: &GameRow) -> bool {
    !matches!(game.status, proto::GameStatus::Postponed | proto::GameStatus::Cancelled)
}

/// A stored quote as gates and features see it.
pub(crate) fn quote(row: LineRow) -> Quote {
    Quote {
        book: Some(row.book.into()),
        event_id: Some(row.event_id.into()),
        market: row.market,
        line: row.line,
        over: row.over_price,
        under: row.under_price,
        snapshot_at: Some(row.snapshot_at),
        market_updated_at: row.market_updated_at,
        is_main: row.is_main,
        source: row.source.into(),
    }
}
