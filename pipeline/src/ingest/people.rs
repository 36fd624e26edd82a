//! Who a quoted or reported name is, by the box scores and aliases that are known when a file goes in.
//!
//! Identity may use everything that is known, also later box scores: that a name is a person is no leak, and features
//! never read any of this. A player belongs to the teams he played for in the season of a game and in the one before.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use proto::{PlayerLookup, PlayerName, TeamCode, league_time};
use rules::aliases::{Resolution, Resolver};
use warehouse::{AsOf, Warehouse};

use crate::error::Result;

/// Key, key without suffix, team.
type Member = (PlayerLookup, PlayerLookup, TeamCode);

/// Rosters and resolvers by season, read when the first name of a season is met.
#[derive(Debug, Default)]
pub(crate) struct People {
    rosters: HashMap<i16, HashSet<Member>>,
    resolvers: HashMap<i16, Resolver>,
}

impl People {
    /// Makes sure that names of a season can be resolved.
    pub(crate) async fn ready(&mut self, warehouse: &Warehouse, season: i16) -> Result<()> {
        if self.resolvers.contains_key(&season) {
            return Ok(());
        }
        let mut members: HashSet<Member> = HashSet::new();
        for year in [season - 1, season] {
            if let Entry::Vacant(slot) = self.rosters.entry(year) {
                slot.insert(roster(warehouse, year).await?);
            }
            members.extend(self.rosters[&year].iter().cloned());
        }
        self.resolvers.insert(season, Resolver::new(members, warehouse.aliases().await?));
        Ok(())
    }

    /// Forgets everything: box scores or aliases have changed.
    pub(crate) fn forget(&mut self) {
        self.rosters.clear();
        self.resolvers.clear();
    }

    /// The player, or the name itself and false when it fits nobody.
    pub(crate) fn who(&self, name: &PlayerName, teams: &[TeamCode], season: i16) -> (PlayerLookup, bool) {
        let resolution = self.resolvers.get(&season).map(|r| r.resolve(name, teams));
        match resolution.as_ref().and_then(|r| r.player()) {
            Some(player) => (player.clone(), true),
            None => (name.lookup.clone(), false),
        }
    }

    /// Players of the teams a name may stand for when it fits nobody, for whoever writes the alias.
    pub(crate) fn candidates(&self, name: &PlayerName, teams: &[TeamCode], season: i16) -> Vec<PlayerLookup> {
        match self.resolvers.get(&season).map(|r| r.resolve(name, teams)) {
            Some(Resolution::Unresolved { candidates }) => candidates,
            Some(found) => found.player().into_iter().cloned().collect(),
            None => Vec::new(),
        }
    }

    /// True when a player played for one of the teams in a season or the one before.
    pub(crate) fn plays_for(&self, player: &PlayerLookup, teams: &[TeamCode], season: i16) -> bool {
        [season - 1, season]
            .iter()
            .filter_map(|year| self.rosters.get(year))
            .flatten()
            .any(|(member, _, team)| member == player && teams.contains(team))
    }
}

/// Everybody with a box score between one August and the next, with his teams.
async fn roster(warehouse: &Warehouse, year: i16) -> Result<HashSet<Member>> {
    let (Ok(since), Ok(before)) = (Date::new(year, 8, 1), Date::new(year + 1, 8, 1)) else {
        return Ok(HashSet::new());
    };
    let as_of = AsOf::new(before, league_time::start_of(before));
    let games = warehouse.player_games_before(&as_of, since).await?;
    let member = |name: PlayerName, team| (name.lookup, name.without_suffix, team);
    Ok(games
        .into_iter()
        .filter_map(|game| Some(member(PlayerName::parse(&game.row.player_name).ok()?, game.row.team)))
        .collect())
}
