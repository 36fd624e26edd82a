//! `tipoff features`: build what models read, or write it as a table for training.

use std::path::PathBuf;

use jiff::Timestamp;
use pipeline::features::{BuildReport, build_range, export_csv};

use super::run::recorded;
use super::tables::{date, open_existing, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::progress::ProgressLine;
use crate::cli::render::number;
use crate::config::Config;

/// What can be done with features.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum FeaturesCommand {
    /// Compute and store the features of one date or a range
    ///
    /// Reads only what was known before each date. Building twice changes nothing.
    Build(BuildArgs),
    /// Write stored features as CSV, with results beside them
    ///
    /// One row for each player and game: key, minutes, points, line, then every feature by name; for training.
    Export(ExportArgs),
}

/// Arguments of `tipoff features build`.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The date, or the first of a range
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`, league time. Default: today and tomorrow.
    #[arg(long, value_name = "DATE")]
    game_date: Option<String>,

    /// The last date of a range
    #[arg(long, value_name = "DATE", requires = "game_date")]
    to: Option<String>,
}

/// Arguments of `tipoff features export`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The first date
    #[arg(long, value_name = "DATE")]
    game_date: String,

    /// The last date; default: the first
    #[arg(long, value_name = "DATE")]
    to: Option<String>,

    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `tipoff features build`.
pub(crate) async fn build(args: &BuildArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let (from, to) = match (&args.game_date, &args.to) {
        (None, _) => (date("TODAY")?, date("TOMORROW")?),
        (Some(from), None) => (date(from)?, date(from)?),
        (Some(from), Some(to)) => (date(from)?, date(to)?),
    };
    let warehouse = open_existing(config).await?;
    let line = ProgressLine::text();
    let built = recorded(&warehouse, "features", Some(from), async {
        let tell = |date, rows| line.say(format!("features up to {date}: {rows} rows"));
        build_range(&warehouse, from, to, now, tell).await.map_err(stage_failure)
    });
    let report = built.await?;
    drop(line);
    out.either(&report, page)?;
    if report.rows == 0 && !out.json {
        out.say(&format!("no games from {from} to {to}; `tipoff slate {from}` says what is missing"));
    }
    Ok(Exit::Ok)
}

fn page(report: &BuildReport) -> String {
    let days = report.days.iter().map(|(date, day)| {
        vec![
            date.to_string(),
            day.games.to_string(),
            day.rows.to_string(),
            day.ready.to_string(),
            number(day.mean_quality),
            day.without_team.join(", "),
        ]
    });
    let header = ["date", "games", "rows", "ready", "quality", "quoted, but not of a team that plays"];
    let mut page = format!(
        "contract {}: {} rows\n\n{}\n",
        report.contract,
        report.rows,
        table(&header, &[1, 2, 3, 4], days)
    );
    if !report.absent.is_empty() {
        let rows = report.absent.iter().map(|(feature, n)| vec![feature.clone(), n.to_string()]);
        page += &format!("\n{}\n", table(&["feature defaulted or missing", "rows"], &[1], rows));
    }
    page
}

/// `tipoff features export`.
pub(crate) async fn export(args: &ExportArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let from = date(&args.game_date)?;
    let to = args.to.as_deref().map(date).transpose()?.unwrap_or(from);
    let warehouse = open_existing(config).await?;
    let rows = export_csv(&warehouse, from, to, &args.out).await.map_err(stage_failure)?;
    let answer = serde_json::json!({ "rows": rows, "file": args.out });
    out.either(&answer, |_| format!("{rows} rows in {}\n", args.out.display()))?;
    Ok(Exit::Ok)
}
