//! Who a quoted name is, by the box scores and aliases that are known when a file goes in.
//!
//! Identity may use everything that is known, also later box scores: that a name is a person is no leak, and features
//! never read any of this. A player belongs to the teams he played for in the season of a game and in the one before.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use proto::tables::AliasRow;
use proto::{GameKey, PlayerLookup, PlayerName, TeamCode, league_time};
use rules::aliases::Resolver;
use warehouse::{AsOf, Warehouse};

use crate::error::Result;

/// Resolvers by season, made when the first name of a season is met.
#[derive(Debug, Default)]
pub(crate) struct People {
    seasons: HashMap<i16, Resolver>,
}

impl People {
    /// Makes sure that names of a season can be resolved.
    pub(crate) async fn ready(&mut self, warehouse: &Warehouse, season: i16) -> Result<()> {
        if self.seasons.contains_key(&season) {
            return Ok(());
        }
        let (Ok(since), Ok(before)) = (Date::new(season - 1, 8, 1), Date::new(season + 1, 11, 1)) else {
            return Ok(());
        };
        let as_of = AsOf::new(before, league_time::start_of(before));
        let mut rosters: HashSet<(PlayerLookup, PlayerLookup, TeamCode)> = HashSet::new();
        for game in warehouse.player_games_before(&as_of, since).await? {
            let row = game.row;
            if let Ok(name) = PlayerName::parse(&row.player_name) {
                rosters.insert((row.player_lookup, name.without_suffix, row.team));
            }
        }
        let aliases: Vec<AliasRow> = warehouse.aliases().await?;
        self.seasons.insert(season, Resolver::new(rosters, aliases));
        Ok(())
    }

    /// Forgets everything: box scores or aliases have changed.
    pub(crate) fn forget(&mut self) {
        self.seasons.clear();
    }

    /// The player, or the name itself and false when it fits nobody.
    pub(crate) fn who(&self, name: &PlayerName, game: &GameKey, season: i16) -> (PlayerLookup, bool) {
        let resolution = self.seasons.get(&season).map(|r| r.resolve(name, [game.away, game.home]));
        match resolution.as_ref().and_then(|r| r.player()) {
            Some(player) => (player.clone(), true),
            None => (name.lookup.clone(), false),
        }
    }
}
