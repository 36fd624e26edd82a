//! The command line as people type it. Help is written: a terse line, then a paragraph with default and unit; a
//! snapshot test keeps it reviewed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use super::batch::{ConsolidateArgs, PlayersArgs, ResetArgs, StatusArgs};
use super::config::ConfigCommand;
use super::local;
use super::predictions::PredictionsArgs;
use super::start::StartArgs;
use super::target::TargetArgs;
use super::workers::WorkersArgs;
use crate::config::{FlagValue, Sources};

/// A self-hosted prediction coordinator for player props
///
/// Betting lines and box scores go in; every player of a slate runs through every model; one consistent set of
/// predictions per slate comes out, atomically, on time, with a reason for every player that has none.
///
/// Exit codes: 0 ok, 1 failed or reset, 2 usage, 3 degraded or partial, 4 not found, 5 conflict, 75 try again.
#[derive(Debug, Parser)]
#[command(name = "tipoff", version, max_term_width = 110)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Folder of state.db and warehouse.db
    ///
    /// Environment: TIPOFF_DIR. Default: ./tipoff-data; `demo` uses ./tipoff-demo.
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Where open batches live
    ///
    /// sqlite:PATH, or redis://HOST:PORT/DB for more than one machine. Wins over --dir. Environment: TIPOFF_STATE.
    /// Default: sqlite:DIR/state.db.
    #[arg(long, global = true, value_name = "URL")]
    state: Option<String>,

    /// Where the tables live
    ///
    /// sqlite:PATH. Wins over --dir. Environment: TIPOFF_WAREHOUSE. Default: sqlite:DIR/warehouse.db.
    #[arg(long, global = true, value_name = "URL")]
    warehouse: Option<String>,

    /// Folder of model cards beside the embedded ones
    ///
    /// A card with the id of an embedded model replaces it. Environment: TIPOFF_MODELS. Default: the embedded ones only.
    #[arg(long, global = true, value_name = "DIR")]
    models: Option<PathBuf>,

    /// The server to talk to
    ///
    /// For start, status, watch, players, reset, consolidate, predictions and workers. Its key is read from
    /// TIPOFF_API_KEY or TIPOFF_API_KEY_FILE. Environment: TIPOFF_SERVER. Default: http://127.0.0.1:8080.
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,

    /// Read this configuration file instead of ./tipoff.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How the log looks
    ///
    /// `pretty` for people, `json` for collectors; on stderr. What is logged: TIPOFF_LOG. Default: pretty.
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["pretty", "json"])]
    log_format: Option<String>,

    /// Print JSON for programs instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The commands, in the order of a first day.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work: sixty invented days, then tonight's slate
    ///
    /// Invents a league's last sixty days, ingests them, builds features, runs tonight's slate in this process and shows
    /// what came out. Run it again, and the next generation supersedes the first.
    Demo(local::demo::DemoArgs),
    /// Invent days that look real, as files
    ///
    /// Schedule, box scores, twelve books with snapshots in The Odds API v4 shape, late lines, injuries and, on request,
    /// defects. Seeded, with invented names; `tipoff ingest` reads the result like real files.
    Simulate(local::simulate::SimulateArgs),
    /// Bring files into the tables
    ///
    /// Recognises by content: The Odds API v4 JSON (also JSON lines, the historical wrapper, .gz), box scores, schedule,
    /// teams, team games, game lines, injuries, aliases. A bad row or file is refused with its reason and the rest goes
    /// in; exit code 3 says that something was refused as a whole, 75 that files wait for another process or another
    /// run. Files of one kind and date are one run, which lists until none is left. Ingesting twice changes nothing.
    Ingest(local::ingest::IngestArgs),
    /// See whom quoted names stand for, and say it where nobody knows
    #[command(subcommand)]
    Names(local::names::NamesCommand),
    /// Build, look at, judge or export features
    #[command(subcommand)]
    Features(local::features::FeaturesCommand),
    /// Show what a slate has and lacks
    ///
    /// Games, players, quotes, features, and what is missing in words. Exit code 3 when something is.
    Slate(local::slate::SlateArgs),
    /// Serve the API and run workers
    ///
    /// Runs until SIGINT or SIGTERM, then lets workers finish and drains connections. A kill at any moment is safe too.
    Serve(local::serve::ServeArgs),
    /// Start a batch for a slate
    Start(Box<StartArgs>),
    /// Show where a batch stands, or all open ones
    ///
    /// Exit code 0 open or complete, 3 partial or degraded, 1 failed or reset.
    Status(StatusArgs),
    /// Follow a batch to its end
    ///
    /// One line of progress on a terminal, then outcomes by reason, health and findings.
    Watch(TargetArgs),
    /// List players with their reasons
    ///
    /// Everybody without a prediction and why, in a sentence.
    Players(PlayersArgs),
    /// End a batch without publishing it
    ///
    /// What is published stays; a new start may follow at once. Asks first.
    Reset(ResetArgs),
    /// Publish what a batch has, now
    ///
    /// Open players end as abandoned(operator). Refused below the coverage floor. Asks first.
    Consolidate(ConsolidateArgs),
    /// List published predictions
    Predictions(PredictionsArgs),
    /// Show or resize the workers
    Workers(WorkersArgs),
    /// List, verify, judge, compare, promote and import models, or look into one
    ///
    /// Without a subcommand: list them.
    Models(local::models::ModelsArgs),
    /// Show what there is of each day, and what is missing
    ///
    /// Games with lines, players with lines, books by week, sources with files and rows, box scores, features, predictions.
    /// A day without games lacks nothing. Exit code 3 when something is missing.
    Coverage(local::coverage::CoverageArgs),
    /// Give dates that are over their features and predictions
    ///
    /// The plan comes first, date by date. What is there is left alone, dates ascend, each step is claimed: two of these
    /// share the work, and one that was killed resumes. Exit code 3 when a step failed.
    Backfill(local::backfill::BackfillArgs),
    /// List runs of any stage, newest first
    Runs(local::runs::RunsArgs),
    /// Ask the tables one read-only question
    Sql(local::sql::SqlArgs),
    /// Find what would stop a run, before it does
    ///
    /// Settings and where each came from, both stores and whether they belong together, models, clock, disk, and, on
    /// request, files. Exit code 0 all well, 3 something to look at, 1 something broken.
    Doctor(local::doctor::DoctorArgs),
    /// Show or write the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Measure parts of this build
    #[command(subcommand)]
    Bench(local::bench::BenchCommand),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Cli {
    /// Parses arguments; an error prints itself and carries its exit code.
    pub(crate) fn parse_from_os<I: IntoIterator<Item = OsString>>(args: I) -> Result<Self, clap::Error> {
        Self::try_parse_from(args)
    }

    /// What the configuration is loaded from.
    pub(crate) fn sources(&self) -> Sources {
        let is_demo = matches!(self.command, Command::Demo(_));
        let mut flags = self.global.flags();
        match &self.command {
            Command::Serve(args) => flags.extend(args.flags()),
            Command::Demo(args) => flags.extend(args.flags()),
            _ => {}
        }
        Sources {
            file: self.global.config.clone(),
            // Ours are ASCII; a name or value that is no text cannot be one of them.
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            flags,
            default_dir: is_demo.then_some("./tipoff-demo"),
        }
    }
}

impl GlobalArgs {
    fn flags(&self) -> Vec<FlagValue> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [
            ("dir", "--dir", path(&self.dir)),
            ("state", "--state", self.state.clone()),
            ("warehouse", "--warehouse", self.warehouse.clone()),
            ("models", "--models", path(&self.models)),
            ("client.server", "--server", self.server.clone()),
            ("log.format", "--log-format", self.log_format.clone()),
        ]
        .into_iter()
        .filter_map(|(key, flag, value)| Some(FlagValue { key, flag, value: value?.into() }))
        .collect()
    }
}

/// The definition, for completions and the test of the help.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn the_help_is_as_reviewed() {
        let mut page = String::new();
        let mut root = definition().term_width(100);
        root.build();
        write_help(&mut root, "tipoff", &mut page);
        insta::assert_snapshot!("help", page);
    }

    /// The long help of a command and of each below it, global options only once.
    fn write_help(command: &mut clap::Command, path: &str, page: &mut String) {
        let help = command.clone().term_width(100).render_long_help().to_string();
        let own = if path == "tipoff" { &*help } else { help.split("\nGlobal options:").next().unwrap() };
        let own: String = own.trim_end().lines().map(|line| format!("{}\n", line.trim_end())).collect();
        *page += &format!("===== {path}\n{own}\n");
        for sub in command.get_subcommands_mut() {
            let path = format!("{path} {}", sub.get_name());
            write_help(sub, &path, page);
        }
    }

    #[test]
    fn flags_reach_the_configuration() {
        let args = ["tipoff", "serve", "--dir", "/d", "--listen", "127.0.0.1:0", "--workers", "0"];
        let cli = Cli::parse_from_os(args.map(OsString::from)).unwrap();
        let keys: Vec<_> = cli.sources().flags.iter().map(|flag| flag.key).collect();
        assert_eq!(keys, ["dir", "server.listen", "workers.size"]);
    }
}
