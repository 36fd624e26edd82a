//! What a file is, by its first bytes: never by its name, never by its place.

use csv::StringRecord;

use super::odds::sheet::Shape;
use super::odds::v4::looks_like_v4;
use super::refuse::{FOREIGN, Refusal};
use super::table::{Header, split};

/// Everything that can be read, in the order in which files of one run go in: whoever is named before whoever names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Names and ids of teams.
    Teams,
    /// Spellings of players.
    Aliases,
    /// A schedule with wall-clock times of the league.
    ScheduleWallClock,
    /// A schedule with instants.
    ScheduleInstants,
    /// Team box scores.
    TeamGames,
    /// Player box scores.
    BoxScores,
    /// Closing spreads and totals.
    GameLinesClosing,
    /// Players put on and taken off the injured list.
    InjuryMoves,
    /// Injury reports with their instants.
    InjuryReports,
    /// v4 events without odds.
    OddsEvents,
    /// v4 events with odds.
    OddsV4,
    /// A table of odds, paired or by side.
    OddsTable,
    /// Positions of players: recognised, no feature reads them.
    Positions,
    /// Whole-season team metrics: recognised, and a leak if anything read them.
    SeasonMetrics,
}

impl Kind {
    /// Stable name, as it stands in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Aliases => "name_aliases",
            Self::ScheduleWallClock => "schedule_wall_clock",
            Self::ScheduleInstants => "schedule_instants",
            Self::TeamGames => "team_games",
            Self::BoxScores => "box_scores",
            Self::GameLinesClosing => "game_lines_closing",
            Self::InjuryMoves => "injury_moves",
            Self::InjuryReports => "injury_reports",
            Self::OddsEvents => "odds_events",
            Self::OddsV4 => "odds_v4_json",
            Self::OddsTable => "odds_table",
            Self::Positions => "player_positions",
            Self::SeasonMetrics => "team_season_metrics",
        }
    }

    /// Why a recognised file is not used, if it is not.
    pub(crate) const fn unused_because(self) -> Option<&'static str> {
        match self {
            Self::Positions => Some("no feature reads positions"),
            Self::SeasonMetrics => Some("metrics of a whole season would tell its end to its beginning"),
            _ => None,
        }
    }
}

/// A recognised file with what its parser needs.
#[derive(Debug, Clone)]
pub(crate) enum Recognised {
    Plain(Kind),
    Odds(Box<Shape>),
}

impl Recognised {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Plain(kind) => *kind,
            Self::Odds(_) => Kind::OddsTable,
        }
    }
}

/// Recognises a file by the beginning of its content.
pub(crate) fn recognise(head: &[u8]) -> Result<Recognised, Refusal> {
    let foreign = |sentence: &str| Err(Refusal::new(FOREIGN, sentence));
    if head.is_empty() {
        return foreign("the file is empty");
    }
    let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
    if first_line.contains(&0) {
        return foreign("the file is not text");
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match text.as_bytes().first() {
        // The vendor's answer when there is nothing to list: empty is no error.
        Some(b'[') if text.trim_end().trim_matches(['[', ']']).trim().is_empty() => {
            Ok(Recognised::Plain(Kind::OddsEvents))
        }
        Some(b'{' | b'[') if !looks_like_v4(text) => {
            foreign("the file is JSON, but holds no events of The Odds API v4")
        }
        Some(b'{' | b'[') if text.contains("\"bookmakers\"") => Ok(Recognised::Plain(Kind::OddsV4)),
        Some(b'{' | b'[') => Ok(Recognised::Plain(Kind::OddsEvents)),
        Some(b'<') => foreign("the file is a web page or XML, probably an error page of the source"),
        _ => table(text),
    }
}

fn table(text: &str) -> Result<Recognised, Refusal> {
    let mut record = StringRecord::new();
    split(text.lines().next().unwrap_or_default(), &mut record);
    let header = Header::of(&record);
    let prices = ["over_price", "outcome_price", "price"].iter().any(|name| header.find(name).is_some());
    let results = ["actual", "outcome", "won_bet"].iter().any(|name| header.find(name).is_some());
    if prices && results {
        let sentence = "the table holds results beside lines: whoever reads it as lines reads the answer";
        return Err(Refusal::new(FOREIGN, sentence));
    }
    if let Some(shape) = Shape::of(&header) {
        return Ok(Recognised::Odds(Box::new(shape)));
    }
    let known = TABLES.iter().find(|(_, names)| header.has_all(names));
    known.map(|(kind, _)| Recognised::Plain(*kind)).ok_or_else(|| {
        let names: Vec<&str> = record.iter().take(6).collect();
        Refusal::new(FOREIGN, format!("no table known here begins with `{}`", names.join(",")))
    })
}

/// Columns that tell a table; the first that fits wins, so the more particular ones come first.
const TABLES: [(Kind, &[&str]); 11] = [
    (
        Kind::BoxScores,
        &["game_id", "game_date", "player_id", "player_name", "team", "opponent", "min", "pts"],
    ),
    (Kind::TeamGames, &["game_id", "game_date", "team", "opponent", "wl", "min", "pts", "oreb", "tov"]),
    (Kind::ScheduleWallClock, &["game_id", "date_et", "time_et", "home_team", "away_team"]),
    (Kind::ScheduleInstants, &["game_id", "date_est", "datetime_utc", "home_tricode", "away_tricode"]),
    (Kind::Teams, &["team_id", "team", "full_name", "nickname"]),
    (Kind::Aliases, &["odds_name", "box_name"]),
    (Kind::GameLinesClosing, &["date", "away", "home", "whos_favored", "spread", "total"]),
    (Kind::InjuryMoves, &["Date", "Team", "Acquired", "Relinquished", "Notes"]),
    (Kind::InjuryReports, &["reported_at", "player", "team", "status"]),
    (Kind::SeasonMetrics, &["season", "TEAM_ID", "E_PACE", "E_OFF_RATING"]),
    (Kind::Positions, &["season", "player_id", "position"]),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn files_are_told_by_content() {
        for (head, wanted) in [
            ("team_id,team,full_name,nickname,city\n", "teams"),
            ("odds_name,box_name,player_id\n", "name_aliases"),
            ("\u{feff}odds_name,box_name\n", "name_aliases"),
            (
                r#"{"id":"e","commence_time":"t","home_team":"a","away_team":"b","bookmakers":[]}"#,
                "odds_v4_json",
            ),
            (r#"[ {"id":"e","commence_time":"t","home_team":"a","away_team":"b"}]"#, "odds_events"),
            ("[ ]\n", "odds_events"),
            ("season,player_id,team_id,position,position_simple\n", "player_positions"),
            (
                "event_id,commence_time,home_team,away_team,bookmaker,market,player,line,over_price,under_price,snapshot_file\n",
                "odds_table",
            ),
        ] {
            assert_eq!(recognise(head.as_bytes()).unwrap().kind().as_str(), wanted, "{head}");
        }
    }

    #[test]
    fn everything_else_is_foreign_and_says_why() {
        for (head, says) in [
            ("", "empty"),
            ("\u{0}\u{1}", "not text"),
            ("<html><body>502", "web page"),
            (r#"{"meta":{},"game":{}}"#, "no events"),
            ("a,b,c\n1,2,3\n", "a,b,c"),
            (
                "event_id,commence_time,home_team,away_team,bookmaker,market,player,line,over_price,under_price,\
                 snapshot_file,actual,outcome\n",
                "results beside lines",
            ),
        ] {
            let refusal = recognise(head.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, FOREIGN, "{head}");
            assert!(refusal.sentence.contains(says), "{head}: {}", refusal.sentence);
        }
    }
}
