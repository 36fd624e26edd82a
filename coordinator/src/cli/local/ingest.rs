//! `tipoff ingest`: files into tables, with an account of every row.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pipeline::ingest::{self, FileReport, IngestOptions, IngestReport, RunState};
use warehouse::Warehouse;

use super::ledger::{self, LsArgs, QuarantineCommand};
use super::sources::{self, SourceArgs};
use super::tables::{open_or_make, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::progress::ProgressLine;
use crate::config::Config;

/// Arguments of `tipoff ingest`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct IngestArgs {
    #[command(subcommand)]
    command: Option<IngestCommand>,

    /// Files and folders, in any order
    #[arg(value_name = "PATH", required_unless_present_any = ["source", "watch"])]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    sources: SourceArgs,

    /// Read files again although their content is known
    ///
    /// Rows that are known stay known; useful after aliases or teams were added.
    #[arg(long)]
    force: bool,

    /// Take rows that are dated later than now
    ///
    /// As those of simulated days are. Without it they are refused as clock_ahead: a clock is wrong.
    #[arg(long)]
    ahead: bool,

    /// List every file, not only those that need a look
    #[arg(long)]
    files: bool,
}

/// Subcommands of `tipoff ingest`; a folder of such a name is `./ls`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum IngestCommand {
    /// List the files that have rows about a date, and those that are not in yet: size, rows, state
    Ls(LsArgs),
    /// Look at what was refused, or try it again
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
}

/// `tipoff ingest`.
pub(crate) async fn ingest(args: &IngestArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    match &args.command {
        Some(IngestCommand::Ls(args)) => return ledger::ls(args, config, out).await,
        Some(IngestCommand::Quarantine(command)) => return ledger::quarantine(command, config, out).await,
        None => {}
    }
    if args.sources.is_used() {
        return sources::ingest(&args.sources, args.force, config, out).await;
    }
    for path in &args.paths {
        if !path.exists() {
            return Err(Failure::new(Exit::NotFound, format!("there is no `{}`", path.display())));
        }
    }
    let warehouse = open_or_make(config).await?;
    let options = config.ingest_options();
    let options = IngestOptions { force: args.force, ahead: args.ahead, ..options };
    let report = run(&warehouse, &args.paths, options).await?;
    out.either(&report, |report| page(report, args.files))?;
    Ok(exit(&report))
}

/// What a report means to a script.
pub(crate) fn exit(report: &IngestReport) -> Exit {
    match (report.is_unfinished(), report.is_clean()) {
        (true, _) => Exit::TryAgain,
        (false, true) => Exit::Ok,
        (false, false) => Exit::Degraded,
    }
}

/// Ingests with a line of progress.
pub(crate) async fn run(
    warehouse: &Warehouse,
    paths: &[PathBuf],
    options: IngestOptions,
) -> Result<IngestReport, Failure> {
    let line = ProgressLine::bar();
    let tell = |at: ingest::Progress<'_>| {
        line.show(at.files_done as u64, at.files_total as u64, format!("{}: {} rows", at.name, at.rows));
    };
    ingest::run(warehouse, paths, options, tell).await.map_err(stage_failure)
}

/// Sums of the files of one kind.
#[derive(Debug, Default)]
struct KindSum {
    files: u64,
    read: u64,
    new: u64,
    known: u64,
    refused: u64,
}

/// The account: by kind, refused rows by reason, files that need a look, rows by table.
pub(crate) fn page(report: &IngestReport, every_file: bool) -> String {
    let mut kinds: BTreeMap<&str, KindSum> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for file in &report.files {
        let sum = kinds.entry(if file.kind.is_empty() { "not recognised" } else { &file.kind }).or_default();
        sum.files += 1;
        sum.read += file.read;
        sum.new += file.new;
        sum.known += file.known;
        sum.refused += file.num_refused();
        for (reason, n) in &file.refused {
            *reasons.entry(reason).or_default() += n;
        }
    }
    let rows = kinds.iter().map(|(kind, sum)| {
        let counts = [sum.files, sum.read, sum.new, sum.known, sum.refused];
        std::iter::once((*kind).to_owned()).chain(counts.map(|n| n.to_string())).collect()
    });
    let header = ["kind", "files", "read", "new", "known", "refused"];
    let mut page = table(&header, &[1, 2, 3, 4, 5], rows) + "\n";
    if !reasons.is_empty() {
        let rows = reasons.iter().map(|(reason, n)| vec![(*reason).to_owned(), n.to_string()]);
        page += &format!("\n{}\n", table(&["refused because", "rows"], &[1], rows));
    }
    let shown: Vec<&FileReport> =
        report.files.iter().filter(|file| every_file || file.needs_attention()).collect();
    if !shown.is_empty() {
        let rows = shown.iter().map(|file| {
            let state = if file.damaged { "damaged" } else { file.state.as_str() };
            vec![file.name.clone(), state.to_owned(), file.new.to_string(), file.sentence.clone()]
        });
        page += &format!("\n{}\n", table(&["file", "state", "new", "what happened"], &[2], rows));
    }
    let unwell: Vec<_> = report.runs.iter().filter(|run| run.state != RunState::Success).collect();
    if !unwell.is_empty() {
        let rows = unwell.iter().map(|run| {
            let kind = if run.kind.is_empty() { "not recognised" } else { &run.kind };
            let date = run.game_date.map(|date| date.to_string()).unwrap_or_default();
            let seen = format!("{} of {}", run.files_seen, run.files_listed);
            vec![kind.to_owned(), date, run.state.as_str().to_owned(), seen, run.sentence.clone()]
        });
        page += &format!("\n{}\n", table(&["run", "date", "state", "files seen", "why"], &[], rows));
    }
    if !report.tables.is_empty() {
        let rows = report.tables.iter().map(|(name, n)| vec![name.clone(), n.to_string()]);
        page += &format!("\n{}\n", table(&["table", "rows written"], &[1], rows));
    }
    page += &format!("\n{} files listed, {} accounted for", report.files_listed, report.files.len());
    if report.resolved_again > 0 {
        page += &format!("; {} quotes found their player after all", report.resolved_again);
    }
    if report.reports_resolved_again > 0 {
        page += &format!("; {} reports found their player after all", report.reports_resolved_again);
    }
    page += "\n";
    for error in &report.unrecorded {
        page += &format!("the record of a run was not written: {error}\n");
    }
    page
}
