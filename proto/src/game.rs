//! One type for a game, whatever a source calls it (incident 65: three live formats gave empty joins).

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use crate::text::{compact_serde, named_enum, text_serde};
use crate::{ParseError, Sport};

/// A team's three-letter code, e.g. `BOS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamCode([u8; 3]);

impl TeamCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    fn from_letters(letters: [u8; 3]) -> Option<Self> {
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }
}

impl fmt::Display for TeamCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TeamCode {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let letters = <[u8; 3]>::try_from(text.as_bytes()).ok();
        letters
            .and_then(Self::from_letters)
            .ok_or_else(|| ParseError::new("team code", text, "expected three capital letters, e.g. BOS"))
    }
}
compact_serde!(TeamCode, [u8; 3], |team| team.0, TeamCode::from_letters);

/// A game: who plays at whose place on which league date. Written `YYYYMMDD_AWAY_HOME`, away first.
///
/// The league's own ten-digit id is an attribute ([`LeagueGameId`]), not part of equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GameKey {
    /// The sport.
    pub sport: Sport,
    /// Date of tip-off in the league's zone.
    pub date: Date,
    /// The visiting team.
    pub away: TeamCode,
    /// The home team.
    pub home: TeamCode,
}

impl GameKey {
    /// A game of the only sport there is; a team cannot play itself.
    pub fn nba(date: Date, away: TeamCode, home: TeamCode) -> Result<Self, ParseError> {
        if away == home {
            return Err(ParseError::new("game", away.as_str(), "a team cannot play itself"));
        }
        Ok(Self { sport: Sport::Nba, date, away, home })
    }

    /// The other team of this game, or none if `team` does not play in it.
    pub fn opponent_of(&self, team: TeamCode) -> Option<TeamCode> {
        match team {
            t if t == self.home => Some(self.away),
            t if t == self.away => Some(self.home),
            _ => None,
        }
    }
}

impl fmt::Display for GameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = (self.date.year(), self.date.month(), self.date.day());
        write!(f, "{y:04}{m:02}{d:02}_{}_{}", self.away, self.home)
    }
}

impl FromStr for GameKey {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse =
            || ParseError::new("game id", text, "expected YYYYMMDD_AWAY_HOME, e.g. 20240329_GSW_CHA");
        let mut parts = text.split('_');
        let (Some(date), Some(away), Some(home), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse());
        };
        if date.len() != 8 || !date.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        let number = |range: std::ops::Range<usize>| date[range].parse::<i16>().map_err(|_| refuse());
        let day = Date::new(number(0..4)?, number(4..6)? as i8, number(6..8)? as i8).map_err(|_| refuse())?;
        Self::nba(day, away.parse().map_err(|_| refuse())?, home.parse().map_err(|_| refuse())?)
    }
}
compact_serde!(
    GameKey,
    ((i16, i8, i8), TeamCode, TeamCode),
    |game| ((game.date.year(), game.date.month(), game.date.day()), game.away, game.home),
    |((year, month, day), away, home)| GameKey::nba(Date::new(year, month, day).ok()?, away, home).ok()
);

named_enum! {
    /// Part of a season.
    SeasonPhase, "season phase" {
        /// Games before the season that count for nothing.
        Preseason = "preseason",
        /// The 82 games.
        Regular = "regular",
        /// The all-star weekend.
        AllStar = "all_star",
        /// Play-off games.
        Playoffs = "playoffs",
        /// The games for the last play-off places.
        PlayIn = "play_in",
        /// The final of the in-season cup, which counts for no table.
        CupFinal = "cup_final",
    }
}

/// The league's ten-digit game id, e.g. `0022500441`; its first three digits tell the season phase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeagueGameId(String);

impl LeagueGameId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The season phase the id names.
    pub fn phase(&self) -> SeasonPhase {
        match &self.0[..3] {
            "001" => SeasonPhase::Preseason,
            "003" => SeasonPhase::AllStar,
            "004" => SeasonPhase::Playoffs,
            "005" => SeasonPhase::PlayIn,
            "006" => SeasonPhase::CupFinal,
            _ => SeasonPhase::Regular,
        }
    }

    /// Calendar year in which the season of this game began, e.g. 2025 for `0022500441`.
    pub fn season_start_year(&self) -> i16 {
        let two: i16 = self.0[3..5].parse().unwrap_or(0);
        if two >= 46 { 1900 + two } else { 2000 + two }
    }
}

impl fmt::Display for LeagueGameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for LeagueGameId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known = ["001", "002", "003", "004", "005", "006"].iter().any(|p| text.starts_with(p));
        if text.len() != 10 || !text.bytes().all(|b| b.is_ascii_digit()) || !known {
            return Err(ParseError::new(
                "league game id",
                text,
                "expected ten digits that begin with 001 to 006",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}
text_serde!(LeagueGameId);

named_enum! {
    /// Where a game stands.
    GameStatus, "game status" {
        /// Not begun.
        Scheduled = "scheduled",
        /// Being played.
        InProgress = "in_progress",
        /// Over, with a score.
        Final = "final",
        /// Moved to another date, or final without a score (incident 61).
        Postponed = "postponed",
        /// Will not be played.
        Cancelled = "cancelled",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn incident_65_a_game_id_has_one_shape_and_reads_back() {
        let key: GameKey = "20240329_GSW_CHA".parse().unwrap();
        assert_eq!((key.away.as_str(), key.home.as_str()), ("GSW", "CHA"));
        assert_eq!(key.to_string(), "20240329_GSW_CHA");
        assert_eq!(key.opponent_of("CHA".parse().unwrap()).unwrap().as_str(), "GSW");
        assert_eq!(key.opponent_of("BOS".parse().unwrap()), None);
        let home_first: GameKey = "20240329_CHA_GSW".parse().unwrap();
        assert_ne!(key, home_first, "home first is another game, never a silent match");
        for wrong in
            ["0022300001", "20240329-GSW-CHA", "20241301_GSW_CHA", "20240329_GSW_GSW", "20240329_GSW", ""]
        {
            assert!(wrong.parse::<GameKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn league_ids_tell_phase_and_season() {
        let id: LeagueGameId = "0042300211".parse().unwrap();
        assert_eq!((id.phase(), id.season_start_year()), (SeasonPhase::Playoffs, 2023));
        assert!("22500441".parse::<LeagueGameId>().is_err());
        assert!("0092500441".parse::<LeagueGameId>().is_err());
    }
}
