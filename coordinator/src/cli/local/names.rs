//! `tipoff names`: quoted and reported names that stand for nobody, and whom a person says they mean.

use pipeline::names::{self, AliasReport, NamesReport, Unresolved};
use proto::PlayerLookup;

use super::tables::{open_existing, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Names that a page lists.
const LISTED: usize = 100;

/// Subcommands of `tipoff names`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum NamesCommand {
    /// List quoted and reported names that fit no player of their teams, with where they stand and whom they may mean
    ///
    /// And how well each source's names join. Names are looked at again whenever box scores or aliases arrive.
    Unresolved,
    /// Say whom a spelling means
    ///
    /// Recorded in player_aliases; quotes and injury reports that wait under the spelling are given to the player at once,
    /// and later ones resolve by themselves. A player of no team in any of the games and reports where it stands is
    /// refused.
    Alias {
        /// The name as the odds write it
        #[arg(value_name = "ODDS NAME")]
        name: String,

        /// The player's key, such as herbertjones
        #[arg(value_name = "PLAYER_LOOKUP")]
        player: PlayerLookup,

        /// Record it even if he played for none of those teams
        #[arg(long)]
        anyway: bool,

        /// Say what would happen and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// `tipoff names …`.
pub(crate) async fn names(command: &NamesCommand, config: &Config, out: Output) -> Result<Exit, Failure> {
    let warehouse = open_existing(config).await?;
    match command {
        NamesCommand::Unresolved => {
            let report = names::unresolved(&warehouse).await.map_err(stage_failure)?;
            out.either(&report, names_page)?;
        }
        NamesCommand::Alias { name, player, anyway, dry_run } => {
            let report =
                names::alias(&warehouse, &config.lines, name, player, config.now(), *dry_run, *anyway)
                    .await
                    .map_err(stage_failure)?;
            out.either(&report, |report| alias_page(report, *dry_run))?;
        }
    }
    Ok(Exit::Ok)
}

fn names_page(report: &NamesReport) -> String {
    let rows = report.sources.iter().map(|source| {
        let share = if source.names == 0 {
            "-".to_owned()
        } else {
            format!("{:.3} %", 100.0 * source.unresolved as f64 / source.names as f64)
        };
        vec![
            source.source.clone(),
            source.names.to_string(),
            source.unresolved.to_string(),
            share,
            source.unresolved_rows.to_string(),
        ]
    });
    let header = ["source", "names in games", "unresolved", "share", "quotes waiting"];
    let mut page = table(&header, &[1, 2, 3, 4], rows) + "\n";
    if report.names.is_empty() {
        return page + "\nevery name is a player\n";
    }
    let rows = report.names.iter().take(LISTED).map(|name| {
        let candidates: Vec<&str> = name.candidates.iter().map(PlayerLookup::as_str).collect();
        vec![
            name.name.clone(),
            name.games.to_string(),
            name.rows.to_string(),
            name.reports.to_string(),
            newest(name),
            name.sources.iter().cloned().collect::<Vec<_>>().join(", "),
            if candidates.is_empty() { "nobody".to_owned() } else { candidates.join(", ") },
        ]
    });
    let header = ["name", "games", "quotes", "reports", "newest", "source", "may be"];
    page += &format!("\n{}\n", table(&header, &[1, 2, 3], rows));
    if report.names.len() > LISTED {
        page += &format!("and {} more; --json lists them\n", report.names.len() - LISTED);
    }
    page + "\nsay whom one means with `tipoff names alias \"NAME\" PLAYER_LOOKUP`\n"
}

/// Where a name stood last: its game, and the date and teams of its reports.
fn newest(name: &Unresolved) -> String {
    let game = name.newest_game.map(|game| game.to_string());
    let report = name.newest_report.map(|date| {
        let teams: Vec<String> = name.teams.iter().map(ToString::to_string).collect();
        format!("{date} {}", if teams.is_empty() { "no team".to_owned() } else { teams.join(" ") })
    });
    game.into_iter().chain(report).collect::<Vec<_>>().join(", ")
}

fn alias_page(report: &AliasReport, dry_run: bool) -> String {
    let AliasReport {
        alias,
        player_lookup,
        before,
        games,
        games_of_other_teams,
        rows_waiting,
        reports_waiting,
        reports_of_other_teams,
        rows_resolved,
        reports_resolved,
    } = report;
    let means = if dry_run { "would mean" } else { "means" };
    let mut page = format!("{alias} {means} {player_lookup}");
    if let Some(before) = before {
        page += &format!(" (before: {before})");
    }
    page += "\n";
    page += &match dry_run {
        true => format!("{rows_waiting} quotes in {games} games and {reports_waiting} reports wait for it\n"),
        false => format!(
            "{rows_resolved} quotes and {reports_resolved} reports were given to players; \
             {rows_waiting} in {games} games and {reports_waiting} waited\n"
        ),
    };
    if *reports_of_other_teams > 0 {
        page += &format!(
            "{reports_of_other_teams} of these reports are by teams he played for in neither season\n"
        );
    }
    if *games_of_other_teams > 0 {
        page += &format!("in {games_of_other_teams} of these games he played for neither team\n");
    }
    page
}
