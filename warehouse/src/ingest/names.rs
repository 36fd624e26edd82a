//! Names that stand for nobody yet, and what happens when somebody is found for them.

use jiff::Timestamp;
use proto::{GameKey, PlayerLookup, TeamCode};

use super::IngestTransaction;
use crate::Warehouse;
use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::text;

/// A quoted name in a game whose teams have no such player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedName {
    /// The name's own key, under which its quotes wait.
    pub player_lookup: PlayerLookup,
    /// The name as the source wrote it.
    pub player_name: String,
    /// The game it was quoted for.
    pub game_id: GameKey,
    /// The source that wrote it.
    pub source: String,
    /// Quotes under it.
    pub rows: i64,
}

/// A name in availability reports that no player has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedReport {
    /// The name's own key, under which its reports wait.
    pub player_lookup: PlayerLookup,
    /// The name as the source wrote it.
    pub player_name: String,
    /// His team, if the source tells.
    pub team: Option<TeamCode>,
    /// When it was reported.
    pub reported_at: Timestamp,
    /// Reports of that instant.
    pub rows: i64,
}

/// How many of a source's names are players.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRate {
    /// The source.
    pub source: String,
    /// Names in games: each name counts once a game.
    pub names: u64,
    /// Of these, names that are players.
    pub resolved: u64,
}

impl Warehouse {
    /// Every name that stands for nobody, game by game.
    pub async fn unresolved_names(&self) -> Result<Vec<UnresolvedName>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/unresolved_names.sql");
        fetch(&mut tx, sql, Args::default(), "lines", "read unresolved names", |r| {
            Ok(UnresolvedName {
                player_lookup: r.parsed()?,
                player_name: r.text()?,
                game_id: r.parsed()?,
                source: r.text()?,
                rows: r.int()?,
            })
        })
        .await
    }

    /// Every reported name that stands for nobody, report by report.
    pub async fn unresolved_reports(&self) -> Result<Vec<UnresolvedReport>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/unresolved_reports.sql");
        fetch(&mut tx, sql, Args::default(), "injuries", "read unresolved reports", |r| {
            Ok(UnresolvedReport {
                player_lookup: r.parsed()?,
                player_name: r.text()?,
                team: r.opt_parsed()?,
                reported_at: r.instant()?,
                rows: r.int()?,
            })
        })
        .await
    }

    /// How well each source's names join, over all quotes; reads the whole table.
    pub async fn join_rates(&self) -> Result<Vec<JoinRate>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/join_rates.sql");
        fetch(&mut tx, sql, Args::default(), "lines", "count names by source", |r| {
            Ok(JoinRate { source: r.text()?, names: r.narrow()?, resolved: r.narrow()? })
        })
        .await
    }

    /// Spellings under which quotes and reports of a player are stored.
    pub async fn names_of(&self, player: &PlayerLookup) -> Result<Vec<String>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/names_of.sql");
        let args = Args::default().with(player.to_string());
        fetch(&mut tx, sql, args, "lines", "read the spellings of a player", |r| r.text()).await
    }

    /// Everybody who ever played, with the name to show.
    pub async fn player_names(&self) -> Result<Vec<(PlayerLookup, String)>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/player_names.sql");
        fetch(&mut tx, sql, Args::default(), "players", "read players", |r| Ok((r.parsed()?, r.text()?)))
            .await
    }

    /// When the newest box score or alias went in; none: there is nobody to be found.
    pub async fn newest_people(&self) -> Result<Option<Timestamp>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/newest_people.sql");
        let found =
            fetch(&mut tx, sql, Args::default(), "player_games", "see who came last", |r| r.opt_instant())
                .await?;
        Ok(found.into_iter().next().flatten())
    }
}

impl IngestTransaction {
    /// Moves the quotes of a name in a game from one key to a player's; answers how many, and of which events. A quote
    /// that the player has already, by the same book at the same point, stays where it is.
    pub async fn rename(&mut self, name: &UnresolvedName, to: &PlayerLookup) -> Result<(u64, Vec<String>)> {
        let args = Args::default()
            .with(name.player_lookup.to_string())
            .with(name.game_id.to_string())
            .with(name.player_name.clone());
        let sql = include_str!("../../sql/events_of_name.sql");
        let events =
            fetch(&mut self.tx, sql, args, "lines", "read the events of a name", |r| r.text()).await?;
        let done = sqlx::query(include_str!("../../sql/rename_player.sql"))
            .bind(name.player_lookup.to_string())
            .bind(name.game_id.to_string())
            .bind(&name.player_name)
            .bind(to.to_string())
            .execute(&mut *self.tx)
            .await
            .doing("give quotes to the player they are about")?;
        Ok((done.rows_affected(), events))
    }

    /// Gives the reports of a name and instant to a player; answers how many. One that he has already stays where it is.
    /// From now on it says something about somebody, so what is made of it is behind.
    pub async fn rename_report(&mut self, report: &UnresolvedReport, to: &PlayerLookup) -> Result<u64> {
        let done = sqlx::query(include_str!("../../sql/rename_report.sql"))
            .bind(report.player_lookup.to_string())
            .bind(&report.player_name)
            .bind(report.team.map(|team| team.to_string()))
            .bind(text::instant(report.reported_at))
            .bind(to.to_string())
            .bind(text::instant(self.stamp.ingested_at))
            .execute(&mut *self.tx)
            .await
            .doing("give reports to the player they are about")?;
        Ok(done.rows_affected())
    }

    /// Takes the quotes and reports of a spelling away from a player and puts them back under the name's own key, to be
    /// resolved again; answers how many quotes, and of which events. His summaries of those events are dropped.
    pub async fn unresolve(
        &mut self,
        player: &PlayerLookup,
        spelling: &str,
        to: &PlayerLookup,
    ) -> Result<(u64, Vec<String>)> {
        let args = Args::default().with(player.to_string()).with(spelling.to_owned());
        let sql = include_str!("../../sql/events_of_spelling.sql");
        let events =
            fetch(&mut self.tx, sql, args, "lines", "read the events of a spelling", |r| r.text()).await?;
        let done = sqlx::query(include_str!("../../sql/unresolve.sql"))
            .bind(player.to_string())
            .bind(spelling)
            .bind(to.to_string())
            .execute(&mut *self.tx)
            .await
            .doing("take quotes away from a player")?;
        sqlx::query(include_str!("../../sql/unresolve_reports.sql"))
            .bind(player.to_string())
            .bind(spelling)
            .bind(to.to_string())
            .bind(text::instant(self.stamp.ingested_at))
            .execute(&mut *self.tx)
            .await
            .doing("take reports away from a player")?;
        for event in &events {
            sqlx::query(include_str!("../../sql/drop_summaries_of.sql"))
                .bind(event)
                .bind(player.to_string())
                .execute(&mut *self.tx)
                .await
                .doing("drop the summaries of a player")?;
        }
        Ok((done.rows_affected(), events))
    }

    /// Commits what belongs to no file.
    pub async fn commit_without_file(self) -> Result<()> {
        self.tx.commit().await.committing("commit resolved names")
    }
}
