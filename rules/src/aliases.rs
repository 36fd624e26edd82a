//! Who is meant by a quoted name.
//!
//! Sources write, drop and invent generational suffixes; joining them by luck once turned real lines into an invented
//! 20.0 (incident 63). The order: exact and of the event's two teams; by alias; without suffix, if exactly one player
//! of the two teams fits; exact but of another team by the roster (he was traded since). Two players who fit are
//! nobody: a guess is worse than a gap with a name. The exact name of the event's teams goes before everything, and a
//! namesake elsewhere, such as a father in old box scores, after everything.

use std::collections::{BTreeMap, BTreeSet};

use proto::names::normalise;
use proto::tables::AliasRow;
use proto::{PlayerLookup, PlayerName, TeamCode};

/// Whom a name stands for, and how that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The name itself.
    Exact(PlayerLookup),
    /// An alias says so.
    Alias(PlayerLookup),
    /// The only player of the two teams whose name is the same without suffix.
    Suffix(PlayerLookup),
    /// Nobody, or more than one.
    Unresolved {
        /// Players of the two teams it may stand for, for whoever writes the alias: all that fit, else all who share
        /// the last name.
        candidates: Vec<PlayerLookup>,
    },
}

impl Resolution {
    /// The player, if one was found.
    pub fn player(&self) -> Option<&PlayerLookup> {
        match self {
            Self::Exact(player) | Self::Alias(player) | Self::Suffix(player) => Some(player),
            Self::Unresolved { .. } => None,
        }
    }
}

/// Resolves names against rosters and aliases.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    players: BTreeSet<PlayerLookup>,
    /// Players of each team, with their keys without suffix.
    teams: BTreeMap<TeamCode, BTreeMap<PlayerLookup, PlayerLookup>>,
    aliases: BTreeMap<PlayerLookup, PlayerLookup>,
}

impl Resolver {
    /// Builds it from rosters (key, key without suffix, latest team) and aliases. A player may stand in several rosters.
    pub fn new(
        rosters: impl IntoIterator<Item = (PlayerLookup, PlayerLookup, TeamCode)>,
        aliases: impl IntoIterator<Item = AliasRow>,
    ) -> Self {
        let mut resolver = Self::default();
        for (player, base, team) in rosters {
            resolver.players.insert(player.clone());
            resolver.teams.entry(team).or_default().insert(player, base);
        }
        resolver.aliases = aliases.into_iter().map(|row| (row.alias, row.player_lookup)).collect();
        resolver
    }

    /// Whom a source means that writes `name` in an event of these two teams, in a report of this one, or of none that
    /// is told.
    pub fn resolve(&self, name: &PlayerName, teams: &[TeamCode]) -> Resolution {
        let rosters = || teams.iter().filter_map(|team| self.teams.get(team)).flatten();
        if rosters().any(|(player, _)| player == &name.lookup) {
            return Resolution::Exact(name.lookup.clone());
        }
        if let Some(player) = self.aliases.get(&name.lookup) {
            return Resolution::Alias(player.clone());
        }
        let fitting: BTreeSet<&PlayerLookup> =
            rosters().filter(|(_, base)| *base == &name.without_suffix).map(|(player, _)| player).collect();
        match (fitting.len(), fitting.first()) {
            (1, Some(player)) => return Resolution::Suffix((*player).clone()),
            (0, _) => {}
            _ => return Resolution::Unresolved { candidates: fitting.into_iter().cloned().collect() },
        }
        if self.players.contains(&name.lookup) {
            return Resolution::Exact(name.lookup.clone());
        }
        let last_name = last_name(name);
        let namesakes: BTreeSet<&PlayerLookup> = rosters()
            .filter(|(_, base)| last_name.len() >= 3 && base.as_str().ends_with(&last_name))
            .map(|(player, _)| player)
            .collect();
        Resolution::Unresolved { candidates: namesakes.into_iter().cloned().collect() }
    }
}

/// The last word of a name that is not its suffix, normalised.
fn last_name(name: &PlayerName) -> String {
    let base = name.without_suffix.as_str();
    let words: Vec<String> = name.display.split_whitespace().map(normalise).collect();
    words
        .iter()
        .rev()
        .find(|word| !word.is_empty() && base.ends_with(word.as_str()))
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn team(text: &str) -> TeamCode {
        text.parse().unwrap()
    }

    fn resolver() -> Resolver {
        let rosters = [
            ("Jaren Jackson Jr.", "MEM"),
            ("Gary Payton II", "GSW"),
            ("Gary Payton", "SEA"),
            ("Nikola Jokić", "DEN"),
            ("Herbert Jones", "NOP"),
            ("Jalen Williams", "OKC"),
            ("Jaylin Williams", "OKC"),
            ("Tim Hardaway Jr.", "DAL"),
            ("Same Name Jr.", "UTA"),
            ("Same Name III", "UTA"),
            ("Jimmy Butler", "MIA"),
        ];
        let rosters = rosters.map(|(name, code)| {
            let name = PlayerName::parse(name).unwrap();
            (name.lookup, name.without_suffix, team(code))
        });
        let alias =
            AliasRow { alias: "herbjones".parse().unwrap(), player_lookup: "herbertjones".parse().unwrap() };
        Resolver::new(rosters, [alias])
    }

    fn resolve(name: &str, a: &str, b: &str) -> Resolution {
        resolver().resolve(&PlayerName::parse(name).unwrap(), &[team(a), team(b)])
    }

    #[test]
    fn incident_63_the_order_of_ways() {
        let key = |text: &str| text.parse::<PlayerLookup>().unwrap();
        for (name, teams, wanted) in [
            ("Jaren Jackson Jr", ("MEM", "DEN"), Resolution::Exact(key("jarenjacksonjr"))),
            ("Jaren Jackson", ("MEM", "DEN"), Resolution::Suffix(key("jarenjacksonjr"))),
            ("Nikola Jokic", ("MEM", "DEN"), Resolution::Exact(key("nikolajokic"))),
            ("Herb Jones", ("NOP", "DEN"), Resolution::Alias(key("herbertjones"))),
            ("Jimmy Butler III", ("MIA", "DEN"), Resolution::Suffix(key("jimmybutler"))),
            // The son plays tonight, the father is in old box scores.
            ("Gary Payton", ("GSW", "DEN"), Resolution::Suffix(key("garypaytonii"))),
            ("Gary Payton", ("SEA", "DEN"), Resolution::Exact(key("garypayton"))),
            // Traded since the roster was read.
            ("Tim Hardaway Jr.", ("DET", "DEN"), Resolution::Exact(key("timhardawayjr"))),
        ] {
            assert_eq!(resolve(name, teams.0, teams.1), wanted, "{name}");
        }
    }

    #[test]
    fn a_report_may_name_one_team_or_none() {
        let resolve = |name: &str, teams: &[TeamCode]| {
            resolver().resolve(&PlayerName::parse(name).unwrap(), teams).player().map(ToString::to_string)
        };
        for (name, teams, found) in [
            ("Jaren Jackson", &["MEM"][..], Some("jarenjacksonjr")),
            ("Jaren Jackson", &[], None),
            ("Nikola Jokic", &[], Some("nikolajokic")),
            ("Herb Jones", &[], Some("herbertjones")),
            ("Nobody Known", &["MEM"], None),
        ] {
            let teams: Vec<TeamCode> = teams.iter().map(|code| team(code)).collect();
            assert_eq!(resolve(name, &teams).as_deref(), found, "{name} {teams:?}");
        }
    }

    #[test]
    fn who_fits_twice_is_nobody() {
        let found = resolve("Same Name", "UTA", "DEN");
        assert_eq!(
            found,
            Resolution::Unresolved {
                candidates: vec!["samenameiii".parse().unwrap(), "samenamejr".parse().unwrap()]
            }
        );
        assert_eq!(found.player(), None);
    }

    #[test]
    fn an_unknown_name_shows_who_shares_the_last_one() {
        let Resolution::Unresolved { candidates } = resolve("J. Williams", "OKC", "DEN") else {
            panic!("a guess")
        };
        assert_eq!(candidates.len(), 2);
        assert_eq!(resolve("Nobody Known", "OKC", "DEN"), Resolution::Unresolved { candidates: vec![] });
        assert_eq!(resolve("Jaren Jackson", "OKC", "DEN"), Resolution::Unresolved { candidates: vec![] });
    }
}
