//! `tipoff features`: build what models read, look at it, or write it as a table for training.

mod look;
mod pages;

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use pipeline::features::{BuildRequest, ExportRequest, build_request, export as write_table};
use pipeline::stages::{Stage, StageEnd, StageRequest, run_stage};
use warehouse::Warehouse;

use super::run::recorded;
use super::tables::{date, open_existing, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::ProgressLine;
use crate::config::Config;

pub(crate) use self::look::{CheckArgs, DiffArgs, ShowArgs, check, diff, show};

/// What can be done with features.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum FeaturesCommand {
    /// Compute and store the features of one date or a range
    ///
    /// Reads only what was known before each date. Building twice changes nothing. A date whose columns are not alive
    /// (constant, flat or out of range over fifty rows) is not stored: exit code 3, and what was stored before stays.
    Build(BuildArgs),
    /// Show every feature of a player on a date
    ///
    /// Value, source, whether it is a default, and the contract's range.
    Show(ShowArgs),
    /// Compare two dates, or what is stored with what a build would give now
    ///
    /// With one date nothing is written: the stored rows are held against a fresh build, value by value. With two dates
    /// the columns are held against each other, or the values of one player. Exit code 3 when a build differs.
    Diff(DiffArgs),
    /// Judge the stored columns: constant, flat, out of range
    ///
    /// Exit code 3 when one is not alive.
    Check(CheckArgs),
    /// Write stored features as CSV or Parquet, with results and lines beside them
    ///
    /// One row for each player and game: key, results, each market's chosen line with decimal prices, then every feature
    /// by name; for training. The file's ending says the format. Missing values and defaults are empty.
    Export(ExportArgs),
}

/// Arguments of `tipoff features build`.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The date, or the first of a range
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`, league time. Default: today and tomorrow.
    #[arg(long, value_name = "DATE", visible_alias = "from")]
    game_date: Option<String>,

    /// The last date of a range
    #[arg(long, value_name = "DATE", requires = "game_date")]
    to: Option<String>,

    /// Store even though this feature's column is not alive; recorded with the run
    #[arg(long, value_name = "FEATURE")]
    accept: Vec<String>,

    /// Run exactly this stage of one date: context or features
    ///
    /// Context is what follows from the date's quotes: tags, minutes before tip-off, summaries of the books. Refused while
    /// what the stage depends on is not ready: the schedule and no ingestion in hand; for features also box scores of
    /// the week before, and context.
    #[arg(long, value_name = "STAGE", requires = "game_date", conflicts_with = "to")]
    stage: Option<Stage>,

    /// Run the stage although what it depends on is not ready; recorded with the run
    #[arg(long, requires = "stage")]
    override_dependency: bool,
}

/// Arguments of `tipoff features export`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The first date
    #[arg(long, value_name = "DATE", visible_alias = "from")]
    game_date: String,

    /// The last date; default: the first
    #[arg(long, value_name = "DATE")]
    to: Option<String>,

    /// The file to write, ending in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `tipoff features build`.
pub(crate) async fn build(args: &BuildArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let (from, to) = match (&args.game_date, &args.to) {
        (None, _) => (date("TODAY", config)?, date("TOMORROW", config)?),
        (Some(from), None) => (date(from, config)?, date(from, config)?),
        (Some(from), Some(to)) => (date(from, config)?, date(to, config)?),
    };
    let warehouse = open_existing(config).await?;
    if let Some(stage) = args.stage {
        return one_stage(stage, from, args, &warehouse, config, out).await;
    }
    let line = ProgressLine::text();
    let request = BuildRequest { from, to, now: config.now(), accept: args.accept.clone() };
    let built = recorded(&warehouse, config, "features", Some(from), async {
        let tell = |date, rows| line.say(format!("features up to {date}: {rows} rows"));
        build_request(&warehouse, &request, tell).await.map_err(stage_failure)
    });
    let report = built.await?;
    drop(line);
    out.either(&report, pages::build)?;
    let blocked = report.blocked();
    if report.days.is_empty() && !out.json {
        out.say(&format!("no games from {from} to {to}; `tipoff slate {from}` says what is missing"));
    }
    if blocked.is_empty() {
        return Ok(if report.faults.is_empty() { Exit::Ok } else { Exit::Degraded });
    }
    // Talk, so that a program that reads the JSON has it in its log too.
    out.say(&format!(
        "nothing was stored for {}; look at the inputs, or name the feature with --accept",
        blocked.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    ));
    Ok(Exit::Degraded)
}

/// `tipoff features build --stage`.
async fn one_stage(
    stage: Stage,
    game_date: Date,
    args: &BuildArgs,
    warehouse: &Warehouse,
    config: &Config,
    out: Output,
) -> Result<Exit, Failure> {
    let request = StageRequest {
        stage,
        game_date,
        override_dependency: args.override_dependency,
        now: config.now(),
        machine_now: Timestamp::now(),
        accept: args.accept.clone(),
        lines: config.lines.clone(),
    };
    let work = async {
        match run_stage(warehouse, &request).await.map_err(stage_failure)? {
            StageEnd::Done(report) => Ok(report),
            StageEnd::NotReady(unmet) => Err(Failure::new(Exit::TryAgain, unmet.join("; "))
                .hint("--override-dependency runs it anyway, recorded with the run")),
        }
    };
    let report = recorded(warehouse, config, stage.as_str(), Some(game_date), work).await?;
    out.either(&report, |report| pages::stage(report, game_date))?;
    let is_blocked = report.build.as_ref().is_some_and(|build| !build.blocked().is_empty());
    Ok(if is_blocked { Exit::Degraded } else { Exit::Ok })
}

/// `tipoff features export`.
pub(crate) async fn export(args: &ExportArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let from = date(&args.game_date, config)?;
    let to = args.to.as_deref().map(|to| date(to, config)).transpose()?.unwrap_or(from);
    let warehouse = open_existing(config).await?;
    let request = ExportRequest { from, to, out: args.out.clone(), lines: config.lines.clone() };
    let rows = write_table(&warehouse, &request).await.map_err(stage_failure)?;
    let answer = serde_json::json!({ "rows": rows, "file": args.out });
    out.either(&answer, |_| format!("{rows} rows in {}\n", args.out.display()))?;
    Ok(Exit::Ok)
}
