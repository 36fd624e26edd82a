//! `tipoff backfill`: dates that are over get their features and predictions, each as it would have been known then.
//!
//! The plan and its cost come first. Each (step, date) is claimed in the warehouse, so two of these share the work; one
//! that is killed is taken over when its claim lapses. Predictions take the way of any batch: as of each tip-off, through
//! the batch protocol, in this process.

mod carry;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use pipeline::backfill::{DatePlan, DateState, Reprocess, Step, plan_date, states};
use pipeline::coverage::{check_range, describe};
use pipeline::ingest::{self, IngestOptions};
use proto::{Market, Slate};
use warehouse::Warehouse;
use warehouse::claims::Piece;

use self::carry::carry_out;
use super::coverage::unseen;
use super::run::recorded;
use super::tables::{date, failure, open_or_make, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Arguments of `tipoff backfill`.
#[derive(Debug, clap::Args)]
pub(crate) struct BackfillArgs {
    /// The first date
    #[arg(long, value_name = "DATE")]
    from: String,

    /// The last date; 400 days at most
    #[arg(long, value_name = "DATE")]
    to: String,

    /// What to do, comma-separated
    ///
    /// `lines` reads raw files (--files) that were not read before; `features` builds what is missing or behind its inputs;
    /// `predictions` runs a batch for each date, as of each game's tip-off.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "features,predictions",
          value_parser = ["lines", "features", "predictions"])]
    what: Vec<String>,

    /// What is done again
    ///
    /// `none`: only what was never done; `failed`: what failed, too; `all`: everything.
    #[arg(long, value_name = "WHICH", default_value = "none", value_parser = ["none", "failed", "all"])]
    reprocess: String,

    /// Raw files or folders for `lines`
    #[arg(long, value_name = "PATH", num_args = 1..)]
    files: Vec<PathBuf>,

    /// Dates at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    concurrency: u16,

    /// Start batches although inputs are incomplete
    #[arg(long)]
    force: bool,

    /// Show the plan and its cost, do nothing
    #[arg(long)]
    dry_run: bool,
}

/// A backfill as it was asked for.
#[derive(Debug, Clone)]
struct Request {
    from: Date,
    to: Date,
    what: Vec<Step>,
    reprocess: Reprocess,
    concurrency: usize,
    force: bool,
    begun: Timestamp,
}

/// The plan, as programs read it.
#[derive(Debug, Clone, serde::Serialize)]
struct Plan {
    from: Date,
    to: Date,
    /// Dates with something to do, ascending.
    dates: Vec<DatePlan>,
    /// Days with games on which no snapshot was taken.
    without_snapshot: Vec<Date>,
    /// More of them, by market, on which others were seen.
    without_market: BTreeMap<Market, Vec<Date>>,
    /// Raw files that are read; what is known of them is not read twice.
    files: Vec<PathBuf>,
    /// Credits that this spends at a vendor: raw files cost none.
    credits: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, serde::Serialize)]
struct Done {
    /// Steps that were carried out here, by name.
    done: BTreeMap<&'static str, u64>,
    /// Steps that somebody else carried out meanwhile.
    elsewhere: u64,
    /// Steps that failed, with their reasons.
    failed: Vec<String>,
}

impl BackfillArgs {
    fn request(&self, config: &Config) -> Result<Request, Failure> {
        let (from, to) = (date(&self.from, config)?, date(&self.to, config)?);
        check_range(from, to).map_err(stage_failure)?;
        let wants = |name: &str| self.what.iter().any(|what| what == name);
        if wants("lines") && self.files.is_empty() {
            return Err(Failure::usage("`--what lines` reads raw files: name them with --files"));
        }
        let steps = [Step::Features, Step::Predictions].into_iter().filter(|step| wants(step.as_str()));
        Ok(Request {
            from,
            to,
            what: steps.collect(),
            reprocess: match self.reprocess.as_str() {
                "failed" => Reprocess::Failed,
                "all" => Reprocess::All,
                _ => Reprocess::None,
            },
            concurrency: usize::from(self.concurrency),
            force: self.force,
            begun: Timestamp::now(),
        })
    }
}

/// `tipoff backfill`.
pub(crate) async fn backfill(args: &BackfillArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let request = args.request(config)?;
    let warehouse = open_or_make(config).await?;
    let reads_files = args.what.iter().any(|what| what == "lines");
    let files = if reads_files { args.files.clone() } else { Vec::new() };
    if args.dry_run {
        let plan = plan(&warehouse, &request, files).await?;
        out.either(&plan, page)?;
        return Ok(Exit::Ok);
    }
    if reads_files {
        let read = async {
            let options = IngestOptions::at(config.now());
            ingest::run(&warehouse, &files, options, |_| ()).await.map_err(stage_failure)
        };
        let report = recorded(&warehouse, config, "ingest", None, read).await?;
        let new: u64 = report.files.iter().map(|file| file.new).sum();
        out.say(&format!("read {} files: {new} rows are new", report.files.len()));
    }
    let plan = plan(&warehouse, &request, files).await?;
    if !out.json {
        out.say(&page(&plan));
    }
    let done = carry_out(&warehouse, config, &request, &plan.dates).await?;
    out.either(&done, result_page)?;
    Ok(if done.failed.is_empty() { Exit::Ok } else { Exit::Degraded })
}

async fn plan(warehouse: &Warehouse, request: &Request, files: Vec<PathBuf>) -> Result<Plan, Failure> {
    let facts = warehouse.coverage_facts(request.from, request.to).await.map_err(failure)?;
    let report = describe(request.from, request.to, &facts, request.begun);
    let mut dates = Vec::new();
    for (date, mut state) in states(&report, &facts) {
        if state.games > 0 {
            look(warehouse, date, &mut state).await.map_err(failure)?;
        }
        dates.push(plan_date(date, &state, &request.what, request.reprocess));
    }
    Ok(Plan {
        from: request.from,
        to: request.to,
        dates,
        without_snapshot: report.without_snapshot,
        without_market: report.without_market,
        files,
        credits: 0,
    })
}

/// What counts do not tell: freshness, what is published, and how the newest attempts went.
async fn look(warehouse: &Warehouse, date: Date, state: &mut DateState) -> Result<(), warehouse::Error> {
    state.is_behind = state.with_features > 0 && warehouse.features_are_behind(date).await?;
    state.is_published = warehouse.published_generation(Slate::nba(date)).await? > 0;
    for (step, failed) in
        [(Step::Features, &mut state.features_failed), (Step::Predictions, &mut state.predictions_failed)]
    {
        let newest = warehouse.newest_attempt(&piece(step, date)).await?;
        *failed = newest.is_some_and(|run| run.status == "failed");
    }
    Ok(())
}

fn piece(step: Step, game_date: Date) -> Piece {
    Piece { stage: step.stage().to_owned(), game_date }
}

fn page(plan: &Plan) -> String {
    let words = |steps: &BTreeMap<Step, String>| {
        steps.iter().map(|(step, why)| format!("{} ({why})", step.as_str())).collect::<Vec<_>>().join(", ")
    };
    let rows = plan.dates.iter().map(|date| {
        vec![
            date.date.to_string(),
            date.games.to_string(),
            date.with_lines.to_string(),
            words(&date.steps),
            words(&date.left),
        ]
    });
    let steps: usize = plan.dates.iter().map(|date| date.steps.len()).sum();
    format!(
        "{} to {}: {steps} steps on {} dates; {} raw files or folders; {} credits\n\
         {}\n\n{}\n",
        plan.from,
        plan.to,
        plan.dates.iter().filter(|date| !date.steps.is_empty()).count(),
        plan.files.len(),
        plan.credits,
        unseen(&plan.without_snapshot, &plan.without_market),
        table(&["date", "games", "with lines", "does", "leaves"], &[1, 2], rows)
    )
}

fn result_page(done: &Done) -> String {
    let steps = done.done.iter().map(|(step, n)| format!("{n} {step}")).collect::<Vec<_>>().join(", ");
    let mut page = format!(
        "done: {}; {} elsewhere; {} failed\n",
        if steps.is_empty() { "nothing" } else { &steps },
        done.elsewhere,
        done.failed.len()
    );
    page.extend(done.failed.iter().map(|why| format!("  {why}\n")));
    page
}
