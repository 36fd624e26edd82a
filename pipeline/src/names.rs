//! Quoted and reported names that stand for nobody: shown with whom they may mean, and resolved again when somebody new is
//! known.
//!
//! A name that is resolved once and never again loses its quotes and reports for good when they arrive before rosters
//! (who was out stayed on the page); a join that quietly fits nobody emptied whole nights (incidents 63, 64). So names are looked at again whenever box scores or
//! aliases have come since, each source's join rate is watched, and whom a spelling means is a person's decision, with
//! the candidates beside it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use proto::league_time::league_date;
use proto::names::normalise;
use proto::tables::AliasRow;
use proto::verdict::FindingLevel;
use proto::{GameKey, PlayerLookup, PlayerName, TeamCode};
use rules::lines::LinePolicy;
use warehouse::{
    Alert, IngestBatch, JoinRate, RunEnd, RunStart, UnresolvedName, UnresolvedReport, Warehouse,
};

use crate::error::{Error, Result};
use crate::ingest::people::People;
use crate::ingest::settle::{Touched, settle};
use crate::season::season_of;

/// What reports count as among the sources of names.
const REPORTS: &str = "injuries";
/// Stage under which looking at names again is recorded.
const STAGE: &str = "names";
/// Code of the alert about a source whose names do not join; its subject is the source.
pub const JOIN_RATE_ALERT: &str = "join_rate";
/// Share of a source's names that must be players; below it something is wrong with the names, not with the players.
pub const MIN_JOIN_RATE: f64 = 0.9;
/// Fewer names tell nothing.
const MIN_NAMES: u64 = 20;

/// A name that stands for nobody, over all its games.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unresolved {
    /// The name as a source wrote it.
    pub name: String,
    /// Its own key.
    pub lookup: PlayerLookup,
    /// Sources that wrote it.
    pub sources: BTreeSet<String>,
    /// Games it was quoted for.
    pub games: u64,
    /// The newest of them.
    pub newest_game: Option<GameKey>,
    /// Quotes under it.
    pub rows: i64,
    /// Availability reports under it.
    pub reports: i64,
    /// League date of the newest of them.
    pub newest_report: Option<Date>,
    /// Teams that reported it.
    pub teams: BTreeSet<TeamCode>,
    /// Players of those games' and reports' teams whom it may mean.
    pub candidates: BTreeSet<PlayerLookup>,
}

/// How well a source's names join.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Joins {
    /// The source.
    pub source: String,
    /// Names in games; each counts once a game.
    pub names: u64,
    /// Names that are no players.
    pub unresolved: u64,
    /// Quotes whose name is no player.
    pub unresolved_rows: i64,
}

/// What is unresolved.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NamesReport {
    /// Names, those with the most quotes first, then those with the newest reports.
    pub names: Vec<Unresolved>,
    /// Every source.
    pub sources: Vec<Joins>,
}

/// What looking at names again gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ResolvedAgain {
    /// Names (in games, or in reports of an instant) that are players now.
    pub names: u64,
    /// Quotes that were given to them.
    pub rows: u64,
    /// Availability reports that were given to them.
    pub reports: u64,
}

/// What an alias does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AliasReport {
    /// The spelling's key.
    pub alias: PlayerLookup,
    /// Whom it means from now on.
    pub player_lookup: PlayerLookup,
    /// Whom it meant before.
    pub before: Option<PlayerLookup>,
    /// Games in which the spelling waits for its player.
    pub games: u64,
    /// Of these, games of two teams he played for in neither that season nor the one before.
    pub games_of_other_teams: u64,
    /// Quotes that wait.
    pub rows_waiting: i64,
    /// Availability reports that wait.
    pub reports_waiting: i64,
    /// Of these, reports by teams he played for in neither that season nor the one before.
    pub reports_of_other_teams: i64,
    /// Quotes that were given to players; 0 in a dry run.
    pub rows_resolved: u64,
    /// Availability reports that were given to players; 0 in a dry run.
    pub reports_resolved: u64,
}

impl AliasReport {
    /// True when he has nothing to do with any place where the spelling waits.
    fn is_strange(&self) -> bool {
        let waits = self.games > 0 || self.reports_waiting > 0;
        waits
            && self.games == self.games_of_other_teams
            && self.reports_waiting == self.reports_of_other_teams
    }
}

/// Lists names that stand for nobody, with candidates, and how well each source joins.
pub async fn unresolved(warehouse: &Warehouse) -> Result<NamesReport> {
    let mut people = People::default();
    let mut by_name: BTreeMap<(PlayerLookup, String), Unresolved> = BTreeMap::new();
    let mut rows: BTreeMap<String, i64> = BTreeMap::new();
    for found in warehouse.unresolved_names().await? {
        *rows.entry(found.source.clone()).or_default() += found.rows;
        let season = season_of(found.game_id.date);
        people.ready(warehouse, season).await?;
        let teams = [found.game_id.away, found.game_id.home];
        let candidates = candidates(&people, &found.player_name, &teams, season);
        let entry = entry(&mut by_name, found.player_lookup, found.player_name);
        entry.sources.insert(found.source);
        entry.games += 1;
        entry.newest_game = entry.newest_game.max(Some(found.game_id));
        entry.rows += found.rows;
        entry.candidates.extend(candidates);
    }
    for found in warehouse.unresolved_reports().await? {
        let date = league_date(found.reported_at);
        people.ready(warehouse, season_of(date)).await?;
        let candidates = candidates(&people, &found.player_name, found.team.as_slice(), season_of(date));
        let entry = entry(&mut by_name, found.player_lookup, found.player_name);
        entry.sources.insert(REPORTS.to_owned());
        entry.reports += found.rows;
        entry.newest_report = entry.newest_report.max(Some(date));
        entry.teams.extend(found.team);
        entry.candidates.extend(candidates);
    }
    let mut names: Vec<Unresolved> = by_name.into_values().collect();
    names.sort_by(|a, b| (b.rows, b.newest_report, &a.name).cmp(&(a.rows, a.newest_report, &b.name)));
    let join = |rate: JoinRate| Joins {
        unresolved: rate.names - rate.resolved,
        unresolved_rows: rows.get(&rate.source).copied().unwrap_or(0),
        names: rate.names,
        source: rate.source,
    };
    let sources = warehouse.join_rates().await?.into_iter().map(join).collect();
    Ok(NamesReport { names, sources })
}

fn entry(
    by_name: &mut BTreeMap<(PlayerLookup, String), Unresolved>,
    lookup: PlayerLookup,
    name: String,
) -> &mut Unresolved {
    by_name.entry((lookup.clone(), name.clone())).or_insert_with(|| Unresolved {
        name,
        lookup,
        sources: BTreeSet::new(),
        games: 0,
        newest_game: None,
        rows: 0,
        reports: 0,
        newest_report: None,
        teams: BTreeSet::new(),
        candidates: BTreeSet::new(),
    })
}

fn candidates(people: &People, name: &str, teams: &[TeamCode], season: i16) -> Vec<PlayerLookup> {
    PlayerName::parse(name).map(|name| people.candidates(&name, teams, season)).unwrap_or_default()
}

/// Records whom a spelling means and gives the quotes and reports that wait for it to that player. A player who has
/// nothing to do with the teams of any of those games and reports is refused, unless `anyway`.
pub async fn alias(
    warehouse: &Warehouse,
    lines: &LinePolicy,
    spelling: &str,
    player: &PlayerLookup,
    now: Timestamp,
    dry_run: bool,
    anyway: bool,
) -> Result<AliasReport> {
    let name = PlayerName::parse(spelling).map_err(|e| Error::Invalid(e.to_string()))?;
    known_player(warehouse, player).await?;
    if &name.lookup == player {
        return Err(Error::Invalid(format!("`{spelling}` is the player's own name; it needs no alias")));
    }
    let mut report = waiting_for(warehouse, &name.lookup, player).await?;
    if report.is_strange() && !anyway {
        let sentence = format!(
            "`{player}` played for none of the teams in the {} games and {} reports where `{spelling}` stands; \
             --anyway records it all the same",
            report.games, report.reports_waiting
        );
        return Err(Error::Invalid(sentence));
    }
    if dry_run {
        return Ok(report);
    }
    let mut tx = warehouse.begin_ingest("tipoff names alias", now).await?;
    let row = AliasRow { alias: name.lookup.clone(), player_lookup: player.clone() };
    tx.add(&IngestBatch { aliases: vec![row], ..IngestBatch::default() }).await?;
    if let Some(before) = report.before.clone().filter(|before| before != player) {
        for spelling in warehouse.names_of(&before).await? {
            if normalise(&spelling) == name.lookup.as_str() {
                tx.unresolve(&before, &spelling, &name.lookup).await?;
            }
        }
    }
    tx.commit_without_file().await?;
    let resolved = resolve_again(warehouse, lines, now).await?;
    (report.rows_resolved, report.reports_resolved) = (resolved.rows, resolved.reports);
    Ok(report)
}

async fn known_player(warehouse: &Warehouse, player: &PlayerLookup) -> Result<()> {
    let players = warehouse.player_names().await?;
    if players.iter().any(|(known, _)| known == player) {
        return Ok(());
    }
    let alike = |known: &&(PlayerLookup, String)| {
        let (a, b) = (known.0.as_str(), player.as_str());
        a.contains(b) || b.contains(a) || (b.len() >= 6 && a.ends_with(&b[b.len() - 6..]))
    };
    let alike: Vec<String> =
        players.iter().filter(alike).take(5).map(|(known, name)| format!("{known} ({name})")).collect();
    let what = match alike.is_empty() {
        true => format!("player `{player}`"),
        false => format!("player `{player}` (is it {}?)", alike.join(", ")),
    };
    Err(warehouse::Error::NotFound { what }.into())
}

async fn waiting_for(
    warehouse: &Warehouse,
    alias: &PlayerLookup,
    player: &PlayerLookup,
) -> Result<AliasReport> {
    let before = warehouse.aliases().await?.into_iter().find(|row| &row.alias == alias);
    let mut people = People::default();
    let (mut games, mut strange, mut rows) = (BTreeSet::new(), BTreeSet::new(), 0);
    for found in warehouse.unresolved_names().await?.into_iter().filter(|n| &n.player_lookup == alias) {
        let season = season_of(found.game_id.date);
        people.ready(warehouse, season).await?;
        rows += found.rows;
        games.insert(found.game_id);
        if !people.plays_for(player, &[found.game_id.away, found.game_id.home], season) {
            strange.insert(found.game_id);
        }
    }
    let (mut reports, mut strange_reports) = (0, 0);
    for found in warehouse.unresolved_reports().await?.into_iter().filter(|r| &r.player_lookup == alias) {
        let season = season_of(league_date(found.reported_at));
        people.ready(warehouse, season).await?;
        reports += found.rows;
        if found.team.is_some_and(|team| !people.plays_for(player, &[team], season)) {
            strange_reports += found.rows;
        }
    }
    Ok(AliasReport {
        alias: alias.clone(),
        player_lookup: player.clone(),
        before: before.map(|row| row.player_lookup),
        games: games.len() as u64,
        games_of_other_teams: strange.len() as u64,
        rows_waiting: rows,
        reports_waiting: reports,
        reports_of_other_teams: strange_reports,
        rows_resolved: 0,
        reports_resolved: 0,
    })
}

/// Looks at every name that stands for nobody once more, and settles the events of those that are players now.
pub async fn resolve_again(
    warehouse: &Warehouse,
    lines: &LinePolicy,
    now: Timestamp,
) -> Result<ResolvedAgain> {
    let waiting = warehouse.unresolved_names().await?;
    let mut people = People::default();
    let mut found: Vec<(UnresolvedName, PlayerLookup)> = Vec::new();
    for name in waiting {
        let season = season_of(name.game_id.date);
        people.ready(warehouse, season).await?;
        let Ok(parsed) = PlayerName::parse(&name.player_name) else { continue };
        let (player, is_player) = people.who(&parsed, &[name.game_id.away, name.game_id.home], season);
        if is_player {
            found.push((name, player));
        }
    }
    let mut reports: Vec<(UnresolvedReport, PlayerLookup)> = Vec::new();
    for report in warehouse.unresolved_reports().await? {
        let season = season_of(league_date(report.reported_at));
        people.ready(warehouse, season).await?;
        let Ok(parsed) = PlayerName::parse(&report.player_name) else { continue };
        let (player, is_player) = people.who(&parsed, report.team.as_slice(), season);
        if is_player {
            reports.push((report, player));
        }
    }
    let mut resolved = ResolvedAgain::default();
    if found.is_empty() && reports.is_empty() {
        return Ok(resolved);
    }
    let mut tx = warehouse.begin_ingest("names resolved again", now).await?;
    let mut touched = Touched::default();
    for (name, player) in &found {
        let (rows, events) = tx.rename(name, player).await?;
        resolved.names += 1;
        resolved.rows += rows;
        for event in events {
            touched.event(event, name.game_id);
        }
    }
    for (report, player) in &reports {
        resolved.names += 1;
        resolved.reports += tx.rename_report(report, player).await?;
    }
    settle(&mut tx, &touched, lines).await?;
    tx.commit_without_file().await?;
    Ok(resolved)
}

/// Looks at names again when box scores or aliases came since that was done last: also when the process that brought
/// them died before it could. Its own row in `runs` says when.
pub(crate) async fn after_ingest(
    warehouse: &Warehouse,
    lines: &LinePolicy,
    now: Timestamp,
) -> Result<ResolvedAgain> {
    let newest = warehouse.newest_people().await?;
    let done = warehouse.runs(Some(STAGE), 1).await?.into_iter().find(|run| run.status == "success");
    if !is_due(newest, done.map(|run| run.started_at)) {
        return Ok(ResolvedAgain::default());
    }
    let resolved = resolve_again(warehouse, lines, now).await?;
    let run_id = format!("names_{}", uuid::Uuid::new_v4());
    let start = RunStart {
        run_id: run_id.clone(),
        stage: STAGE.to_owned(),
        game_date: None,
        batch_id: None,
        started_at: now,
    };
    let counts = serde_json::to_value(resolved).unwrap_or_default();
    warehouse.run_start(&start).await?;
    warehouse.run_finish(&run_id, &RunEnd::Success, &counts, now).await?;
    Ok(resolved)
}

/// True when somebody new is known since names were looked at last.
fn is_due(newest_people: Option<Timestamp>, looked_at: Option<Timestamp>) -> bool {
    match (newest_people, looked_at) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(newest), Some(looked)) => newest > looked,
    }
}

/// True when so many of a source's names are no players that the names themselves must be wrong.
fn is_alarming(names: u64, players: u64) -> bool {
    names >= MIN_NAMES && (players as f64) < MIN_JOIN_RATE * names as f64
}

/// Raises or resolves the alert of each source by the names of one run.
pub(crate) async fn watch_joins(
    warehouse: &Warehouse,
    met: &BTreeMap<String, (u64, u64)>,
    now: Timestamp,
) -> Result<()> {
    for (source, (names, players)) in met {
        if is_alarming(*names, *players) {
            let sentence = format!(
                "{} of {names} names of {source} are no players; look at `tipoff names unresolved`",
                names - players
            );
            let alert = Alert {
                code: JOIN_RATE_ALERT.to_owned(),
                level: FindingLevel::Degraded,
                sentence,
                subject: (*source).to_owned(),
                raised_at: now,
            };
            warehouse.raise_alert(&alert).await?;
        } else if *names >= MIN_NAMES {
            warehouse.resolve_alert(JOIN_RATE_ALERT, source, now).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn names_are_looked_at_again_when_somebody_came_since() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let (early, late) = (at("2026-01-23T10:00:00Z"), at("2026-01-23T11:00:00Z"));
        for (people, looked, due) in [
            (None, None, false),
            (None, early, false),
            (early, None, true),
            (late, early, true),
            (early, early, false),
            (early, late, false),
        ] {
            assert_eq!(is_due(people, looked), due, "{people:?} {looked:?}");
        }
    }

    #[test]
    fn incident_64_below_nine_of_ten_names_something_is_wrong_with_the_names() {
        for (names, players, alarming) in
            [(100, 90, false), (100, 89, true), (20, 17, true), (19, 0, false), (0, 0, false), (100, 0, true)]
        {
            assert_eq!(is_alarming(names, players), alarming, "{players} of {names}");
        }
    }
}
