//! What sources call teams and books, turned into codes and keys.
//!
//! The thirty teams are public facts and built in, so that no order of files matters; a team table that is
//! ingested later adds to them and never takes a name away.

use std::collections::HashMap;

use proto::TeamCode;
use proto::names::normalise;
use proto::tables::TeamRow;

use super::refuse::Refusal;

/// League id, code, full name, nickname.
const TEAMS: [(i64, &str, &str, &str); 30] = [
    (1_610_612_737, "ATL", "Atlanta Hawks", "Hawks"),
    (1_610_612_738, "BOS", "Boston Celtics", "Celtics"),
    (1_610_612_751, "BKN", "Brooklyn Nets", "Nets"),
    (1_610_612_766, "CHA", "Charlotte Hornets", "Hornets"),
    (1_610_612_741, "CHI", "Chicago Bulls", "Bulls"),
    (1_610_612_739, "CLE", "Cleveland Cavaliers", "Cavaliers"),
    (1_610_612_742, "DAL", "Dallas Mavericks", "Mavericks"),
    (1_610_612_743, "DEN", "Denver Nuggets", "Nuggets"),
    (1_610_612_765, "DET", "Detroit Pistons", "Pistons"),
    (1_610_612_744, "GSW", "Golden State Warriors", "Warriors"),
    (1_610_612_745, "HOU", "Houston Rockets", "Rockets"),
    (1_610_612_754, "IND", "Indiana Pacers", "Pacers"),
    (1_610_612_746, "LAC", "Los Angeles Clippers", "Clippers"),
    (1_610_612_747, "LAL", "Los Angeles Lakers", "Lakers"),
    (1_610_612_763, "MEM", "Memphis Grizzlies", "Grizzlies"),
    (1_610_612_748, "MIA", "Miami Heat", "Heat"),
    (1_610_612_749, "MIL", "Milwaukee Bucks", "Bucks"),
    (1_610_612_750, "MIN", "Minnesota Timberwolves", "Timberwolves"),
    (1_610_612_740, "NOP", "New Orleans Pelicans", "Pelicans"),
    (1_610_612_752, "NYK", "New York Knicks", "Knicks"),
    (1_610_612_760, "OKC", "Oklahoma City Thunder", "Thunder"),
    (1_610_612_753, "ORL", "Orlando Magic", "Magic"),
    (1_610_612_755, "PHI", "Philadelphia 76ers", "76ers"),
    (1_610_612_756, "PHX", "Phoenix Suns", "Suns"),
    (1_610_612_757, "POR", "Portland Trail Blazers", "Trail Blazers"),
    (1_610_612_758, "SAC", "Sacramento Kings", "Kings"),
    (1_610_612_759, "SAS", "San Antonio Spurs", "Spurs"),
    (1_610_612_761, "TOR", "Toronto Raptors", "Raptors"),
    (1_610_612_762, "UTA", "Utah Jazz", "Jazz"),
    (1_610_612_764, "WAS", "Washington Wizards", "Wizards"),
];

/// Further names that sources use: full names, nicknames and foreign codes alike.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("LA Clippers", "LAC"),
    ("Blazers", "POR"),
    ("Sixers", "PHI"),
    ("gs", "GSW"),
    ("sa", "SAS"),
    ("no", "NOP"),
    ("ny", "NYK"),
    ("utah", "UTA"),
    ("wsh", "WAS"),
];

/// Titles that books carry in tables without keys, with the vendor's key.
const BOOKS: [(&str, &str); 9] = [
    ("caesars", "williamhill_us"),
    ("pointsbetus", "pointsbetus"),
    ("betonlineag", "betonlineag"),
    ("mybookieag", "mybookieag"),
    ("unibet", "unibet_us"),
    ("barstoolsportsbook", "barstool"),
    ("hardrockbet", "hardrockbet"),
    ("lowvigag", "lowvig"),
    ("espnbet", "espnbet"),
];

/// The thirty teams as rows of the team table.
pub(crate) fn built_in_teams() -> Vec<TeamRow> {
    TEAMS
        .iter()
        .filter_map(|(id, code, full_name, nickname)| {
            Some(TeamRow {
                team: code.parse().ok()?,
                league_team_id: *id,
                full_name: (*full_name).to_owned(),
                nickname: (*nickname).to_owned(),
            })
        })
        .collect()
}

/// Every name a team is known by.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    by_name: HashMap<String, TeamCode>,
}

impl Default for Directory {
    fn default() -> Self {
        let mut directory = Self { by_name: HashMap::new() };
        directory.learn(&built_in_teams());
        for (name, code) in OTHER_NAMES {
            if let Ok(code) = code.parse() {
                directory.by_name.insert(normalise(name), code);
            }
        }
        directory
    }
}

impl Directory {
    /// Adds the names of a team table.
    pub(crate) fn learn(&mut self, teams: &[TeamRow]) {
        for team in teams {
            for name in [team.full_name.as_str(), team.nickname.as_str(), team.team.as_str()] {
                self.by_name.entry(normalise(name)).or_insert(team.team);
            }
        }
    }

    /// The team of a full name, nickname or code.
    pub(crate) fn team(&self, name: &str) -> Option<TeamCode> {
        self.by_name.get(&normalise(name)).copied()
    }

    /// The team of a name, or a refusal that names the field.
    pub(crate) fn need(&self, field: &str, name: &str) -> Result<TeamCode, Refusal> {
        if name.is_empty() {
            return Err(Refusal::missing(field));
        }
        self.team(name).ok_or_else(|| Refusal::bad(field, name, "a team of the league"))
    }
}

/// The vendor's key of a book, from a key or a title; none when nothing is left of it.
pub(crate) fn book_key(key_or_title: &str) -> Option<String> {
    let text = key_or_title.trim();
    let is_key = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !text.is_empty() && text.len() <= 48 && is_key {
        return Some(text.to_owned());
    }
    let plain = normalise(text);
    match BOOKS.iter().find(|(title, _)| *title == plain) {
        Some((_, key)) => Some((*key).to_owned()),
        None if plain.is_empty() || plain.len() > 48 => None,
        None => Some(plain),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn teams_are_known_by_every_name_sources_use() {
        let directory = Directory::default();
        assert_eq!(built_in_teams().len(), 30);
        for (name, code) in [
            ("Boston Celtics", "BOS"),
            ("Los Angeles Clippers", "LAC"),
            ("LA Clippers", "LAC"),
            ("Blazers", "POR"),
            ("Trail Blazers", "POR"),
            ("76ers", "PHI"),
            ("gs", "GSW"),
            ("wsh", "WAS"),
            ("utah", "UTA"),
            ("bkn", "BKN"),
            ("UTA", "UTA"),
        ] {
            assert_eq!(directory.team(name).unwrap().as_str(), code, "{name}");
        }
        assert_eq!(directory.team("Melbourne United"), None);
        assert_eq!(directory.need("home_team", "").unwrap_err().code, "missing_field");
    }

    #[test]
    fn book_titles_become_the_vendors_keys() {
        for (title, key) in [
            ("draftkings", "draftkings"),
            ("DraftKings", "draftkings"),
            ("Caesars", "williamhill_us"),
            ("PointsBet (US)", "pointsbetus"),
            ("BetOnline.ag", "betonlineag"),
            ("Unibet", "unibet_us"),
            ("williamhill_us", "williamhill_us"),
            ("PrizePicks", "prizepicks"),
        ] {
            assert_eq!(book_key(title).unwrap(), key, "{title}");
        }
        assert_eq!(book_key("  "), None);
    }
}
