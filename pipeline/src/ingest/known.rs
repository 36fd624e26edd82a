//! What is known while files are read: teams and games.
//!
//! Loaded once per run and kept up to date by the files of the run itself, so that no row asks the warehouse.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::tables::GameRow;
use proto::{Code, GameKey, GameStatus, LeagueGameId, TeamCode};

use super::directory::Directory;
use super::refuse::{Refusal, TEAM_TWICE};
use super::table::is_plain;
use crate::season::{likely_phase, season_of};

/// Everything the parsers of one run share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) teams: Directory,
    games: HashMap<GameKey, GameRow>,
    by_league_id: HashMap<LeagueGameId, GameKey>,
    /// The league's own games by date and team; what only an odds source has announced is not among them.
    by_team: HashMap<(Date, TeamCode), GameKey>,
}

/// An event of an odds source, resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) game: GameKey,
    pub(crate) commence: Timestamp,
    /// The earlier of schedule and vendor.
    pub(crate) tip: Timestamp,
    pub(crate) season: i16,
    /// A game that nobody has announced before, or whose tip-off nobody has told.
    pub(crate) implied: Option<GameRow>,
}

/// How an odds source tells when a game begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// By instant.
    Commence(Timestamp),
    /// By league date only; the schedule must know the rest.
    Date(Date),
}

impl Known {
    /// Takes over what rows tell about games, as the table does: what a row leaves out keeps its value.
    pub(crate) fn learn(&mut self, games: &[GameRow]) {
        for game in games {
            let mut row = game.clone();
            if let Some(before) = self.games.get(&game.game_id) {
                row.tip_off = row.tip_off.or(before.tip_off);
                row.league_game_id = row.league_game_id.or_else(|| before.league_game_id.clone());
                if before.status == GameStatus::Final && row.status == GameStatus::Scheduled {
                    row.status = GameStatus::Final;
                }
            }
            if let Some(id) = &row.league_game_id
                && (row.status != GameStatus::Postponed || !self.by_league_id.contains_key(id))
            {
                self.by_league_id.insert(id.clone(), row.game_id);
            }
            self.learn_teams(&row);
            self.games.insert(row.game_id, row);
        }
    }

    fn learn_teams(&mut self, row: &GameRow) {
        let key = row.game_id;
        let is_off = matches!(row.status, GameStatus::Postponed | GameStatus::Cancelled);
        for team in [key.home, key.away] {
            if is_off && self.by_team.get(&(key.date, team)) == Some(&key) {
                self.by_team.remove(&(key.date, team));
            } else if !is_off && row.league_game_id.is_some() {
                self.by_team.insert((key.date, team), key);
            }
        }
    }

    /// The game with a league id.
    pub(crate) fn game_by_league_id(&self, id: &LeagueGameId) -> Option<GameKey> {
        self.by_league_id.get(id).copied()
    }

    /// The game of two teams on a date, whoever is called home there.
    pub(crate) fn game_of(&self, date: Date, away: TeamCode, home: TeamCode) -> Option<GameKey> {
        let as_written = GameKey::nba(date, away, home).ok()?;
        let swapped = GameKey::nba(date, home, away).ok()?;
        [as_written, swapped].into_iter().find(|key| self.games.contains_key(key))
    }

    pub(crate) fn knows(&self, key: &GameKey) -> bool {
        self.games.contains_key(key)
    }

    pub(crate) fn tip_off(&self, key: &GameKey) -> Option<Timestamp> {
        self.games.get(key)?.tip_off
    }

    /// Fits a row about a game to what is known of its league id. One game never becomes two because a source takes
    /// the other team for the home team; and one id on two dates means that the game was moved (incident 61): the date
    /// without a result is postponed, and of two without one the date that was known before.
    pub(crate) fn settle(&self, row: &mut GameRow) -> Option<GameRow> {
        let id = row.league_game_id.as_ref()?;
        let other = self.games.get(self.by_league_id.get(id)?)?;
        if other.game_id == row.game_id {
            return None;
        }
        if other.game_id.date == row.game_id.date {
            if other.game_id.opponent_of(row.game_id.home) == Some(row.game_id.away) {
                row.game_id = other.game_id;
                std::mem::swap(&mut row.home_score, &mut row.away_score);
            }
            return None;
        }
        if other.status == GameStatus::Final {
            row.status = GameStatus::Postponed;
            return None;
        }
        let is_news = other.status != GameStatus::Postponed;
        is_news.then(|| GameRow { status: GameStatus::Postponed, ..other.clone() })
    }

    /// Resolves an event to its game, and makes the game where the schedule lacks it (flexed and cup games).
    pub(crate) fn event(
        &self,
        id: Option<&str>,
        home: &str,
        away: &str,
        when: When,
    ) -> Result<Event, Refusal> {
        if let Some(id) = id.filter(|id| !is_plain(id)) {
            return Err(Refusal::bad("id", id, "an event's id"));
        }
        let team = |name: &str| {
            let sentence = || format!("`{name}` is no team of the league, so the game is unknown");
            self.teams.team(name).ok_or_else(|| Refusal::of(Code::GameUnresolved, sentence()))
        };
        let (home, away) = (team(home)?, team(away)?);
        let date = match when {
            When::Commence(at) => proto::league_time::league_date(at),
            When::Date(date) => date,
        };
        let written =
            GameKey::nba(date, away, home).map_err(|e| Refusal::of(Code::GameUnresolved, e.to_string()))?;
        let game = self.game_of(date, away, home).unwrap_or(written);
        for team in [home, away] {
            if let Some(other) = self.by_team.get(&(date, team)).filter(|other| **other != game) {
                return Err(Refusal::new(TEAM_TWICE, format!("{team} plays {other} that day, not {game}")));
            }
        }
        let row = self.games.get(&game);
        let scheduled = row.and_then(|row| row.tip_off);
        let commence = match (when, scheduled) {
            (When::Commence(at), _) | (When::Date(_), Some(at)) => at,
            (When::Date(_), None) => {
                let sentence =
                    format!("tip-off of {game} is in neither file nor schedule; ingest the schedule");
                return Err(Refusal::of(Code::GameUnresolved, sentence));
            }
        };
        let season = row.map_or_else(|| season_of(date), |row| row.season);
        let implied = match row {
            Some(row) if row.tip_off.is_some() => None,
            Some(row) => Some(GameRow { tip_off: Some(commence), ..row.clone() }),
            None => Some(implied_game(game, season, commence)),
        };
        let id = id.map_or_else(|| game.to_string(), str::to_owned);
        let tip = scheduled.map_or(commence, |at| at.min(commence));
        Ok(Event { id, game, commence, tip, season, implied })
    }

    /// The game of an event as the schedule knows it, or as the event announces it.
    pub(crate) fn announced(&self, event: &Event) -> GameRow {
        let known = event.implied.as_ref().or_else(|| self.games.get(&event.game));
        known.cloned().unwrap_or_else(|| implied_game(event.game, event.season, event.tip))
    }
}

/// A game that only an odds source has announced so far.
fn implied_game(game: GameKey, season: i16, tip_off: Timestamp) -> GameRow {
    GameRow {
        game_id: game,
        league_game_id: None,
        season,
        phase: likely_phase(game.date),
        tip_off: Some(tip_off),
        status: GameStatus::Scheduled,
        home_score: None,
        away_score: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn game(key: &str, league_id: Option<&str>, status: GameStatus) -> GameRow {
        GameRow {
            league_game_id: league_id.map(|id| id.parse().unwrap()),
            status,
            tip_off: None,
            ..implied_game(key.parse().unwrap(), 2024, "2025-01-12T00:00:00Z".parse().unwrap())
        }
    }

    fn known(games: &[GameRow]) -> Known {
        let mut known = Known::default();
        known.learn(games);
        known
    }

    #[test]
    fn incident_61_one_id_on_two_dates_is_a_postponed_game() {
        let id = Some("0022400538");
        let planned = game("20250111_SAS_LAL", id, GameStatus::Scheduled);
        let played = game("20250317_SAS_LAL", id, GameStatus::Final);

        let corrected = known(std::slice::from_ref(&planned)).settle(&mut played.clone()).unwrap();
        assert_eq!((corrected.game_id, corrected.status), (planned.game_id, GameStatus::Postponed));

        let mut late_view = planned.clone();
        assert_eq!(known(std::slice::from_ref(&played)).settle(&mut late_view), None);
        assert_eq!(
            late_view.status,
            GameStatus::Postponed,
            "an old view of the schedule arrives after the result"
        );
    }

    #[test]
    fn incident_65_home_and_away_swapped_by_a_source_stay_one_game() {
        let schedule = game("20250123_SAS_IND", Some("0022400621"), GameStatus::Scheduled);
        let known = known(&[schedule]);
        let mut swapped = GameRow {
            home_score: Some(140),
            away_score: Some(110),
            ..game("20250123_IND_SAS", Some("0022400621"), GameStatus::Final)
        };
        assert_eq!(known.settle(&mut swapped), None);
        assert_eq!(swapped.game_id.to_string(), "20250123_SAS_IND");
        assert_eq!((swapped.home_score, swapped.away_score), (Some(110), Some(140)));

        let tip: Timestamp = "2025-01-23T19:00:00Z".parse().unwrap();
        let event =
            known.event(Some("e"), "San Antonio Spurs", "Indiana Pacers", When::Commence(tip)).unwrap();
        assert_eq!(event.game.to_string(), "20250123_SAS_IND");
    }

    #[test]
    fn an_event_makes_the_game_the_schedule_lacks() {
        let tip: Timestamp = "2025-12-14T01:30:00Z".parse().unwrap();
        let event = Known::default()
            .event(Some("e"), "Orlando Magic", "New York Knicks", When::Commence(tip))
            .unwrap();
        let implied = event.implied.unwrap();
        assert_eq!(
            implied.game_id.to_string(),
            "20251213_NYK_ORL",
            "the league date of 01:30 UTC is the day before"
        );
        assert_eq!((implied.status, implied.season), (GameStatus::Scheduled, 2025));
    }

    #[test]
    fn an_event_without_teams_or_tip_off_is_unresolved() {
        let tip: Timestamp = "2025-12-14T01:30:00Z".parse().unwrap();
        let known = Known::default();
        let foreign = known.event(Some("e"), "Melbourne United", "New York Knicks", When::Commence(tip));
        assert_eq!(foreign.unwrap_err().code, "game_unresolved");
        let same = known.event(Some("e"), "New York Knicks", "New York Knicks", When::Commence(tip));
        assert_eq!(same.unwrap_err().code, "game_unresolved");
        let date = When::Date("2025-12-13".parse().unwrap());
        let unknown_tip = known.event(Some("e"), "Orlando Magic", "New York Knicks", date);
        assert_eq!(unknown_tip.unwrap_err().code, "game_unresolved");
    }

    #[test]
    fn tip_off_is_the_earlier_of_schedule_and_vendor() {
        let scheduled: Timestamp = "2025-01-12T00:00:00Z".parse().unwrap();
        let row = GameRow {
            tip_off: Some(scheduled),
            ..game("20250111_SAS_LAL", Some("0022400538"), GameStatus::Scheduled)
        };
        let known = known(&[row]);
        let vendor: Timestamp = "2025-01-12T00:10:00Z".parse().unwrap();
        let event = known
            .event(Some("e"), "Los Angeles Lakers", "San Antonio Spurs", When::Commence(vendor))
            .unwrap();
        assert_eq!((event.tip, event.commence, event.implied), (scheduled, vendor, None));
    }
}
