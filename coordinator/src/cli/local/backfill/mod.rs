//! `tipoff backfill`: dates that are over get their lines, features and predictions, each as it would have been known
//! then.
//!
//! The plan and its cost come first, and a plan that costs more than there is does not begin. Each (step, date) is claimed in the warehouse, so two of these share the work; one
//! that is killed is taken over when its claim lapses. Predictions take the way of any batch: as of each tip-off, through
//! the batch protocol, in this process.

mod carry;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use pipeline::backfill::{DatePlan, DateState, Reprocess, Step, plan_date, states};
use pipeline::coverage::{check_range, describe};
use pipeline::ingest::{self, RunLimits};
use pipeline::sources::credits::CreditLimits;
use pipeline::sources::odds_api::{self, OddsApi, OddsApiConfig};
use pipeline::sources::past::PastNeed;
use pipeline::sources::{Runner, Source};
use proto::league_time::league_date;
use proto::{Market, Slate};
use warehouse::claims::Piece;
use warehouse::{RunRecord, Warehouse};

use self::carry::carry_out;
use super::coverage::unseen;
use super::run::recorded;
use super::tables::{date, failure, open_or_make, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// More credits than a vendor sells.
const NO_DAILY_LIMIT: i64 = 1 << 40;

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
    /// `lines` asks The Odds API how the odds stood before each tip-off, which costs credits, or reads raw files (--files)
    /// that were not read before; `features` builds what is missing or behind its inputs; `predictions` runs a batch for
    /// each date, as of each game's tip-off.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "features,predictions",
          value_parser = ["lines", "features", "predictions"])]
    what: Vec<String>,

    /// What is done again
    ///
    /// `none`: only what was never done; `failed`: what failed, too; `all`: everything. Lines that were answered once are
    /// never asked for again.
    #[arg(long, value_name = "WHICH", default_value = "none", value_parser = ["none", "failed", "all"])]
    reprocess: String,

    /// For `lines`: read these raw files or folders and ask nobody
    #[arg(long, value_name = "PATH", num_args = 1..)]
    files: Vec<PathBuf>,

    /// For `lines`: how many minutes before each tip-off, comma-separated
    ///
    /// Default: odds_api.past_minutes_before_tip.
    #[arg(long, value_name = "MINUTES", value_delimiter = ',', conflicts_with = "files",
          value_parser = clap::value_parser!(u32).range(1..=10_080))]
    before_tip: Vec<u32>,

    /// For `lines`: credits that this may cost, whatever the daily limit is
    ///
    /// A plan that costs more does not begin. Default: what the daily limit leaves for today.
    #[arg(long, value_name = "N", conflicts_with = "files", value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
    credits: Option<i64>,

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
    credits: Option<i64>,
    begun: Timestamp,
    /// Names this process in claims, of pieces and of calls.
    owner: String,
}

/// Who asks for lines.
struct Buyer {
    runner: Runner,
    before_tip: Vec<i64>,
    budget: i64,
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
    /// What is asked at the vendor of lines, when anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<LinesPlan>,
    /// Credits that this spends at a vendor: raw files cost none.
    credits: i64,
}

/// What lines cost.
#[derive(Debug, Clone, serde::Serialize)]
struct LinesPlan {
    /// Minutes before each tip-off.
    before_tip: Vec<i64>,
    /// Calls.
    calls: u64,
    /// Of the credits, those of dates whose events the vendor has not told: by the schedule's games.
    estimated_credits: i64,
    /// What may be spent.
    budget: i64,
}

/// What came of it.
#[derive(Debug, Clone, Default, serde::Serialize)]
struct Done {
    /// Steps that were carried out here, by name.
    done: BTreeMap<&'static str, u64>,
    /// Calls to the vendor of lines.
    calls: u64,
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
        let is_done = |step: &Step| wants(step.as_str()) && (*step != Step::Lines || self.files.is_empty());
        let steps = [Step::Lines, Step::Features, Step::Predictions].into_iter().filter(is_done);
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
            credits: self.credits,
            begun: Timestamp::now(),
            owner: uuid::Uuid::new_v4().to_string(),
        })
    }

    /// The source of past lines, if they are asked for. Nothing is asked yet.
    async fn buyer(
        &self,
        request: &Request,
        config: &Config,
        warehouse: &Warehouse,
    ) -> Result<Option<Buyer>, Failure> {
        if !request.what.contains(&Step::Lines) {
            return Ok(None);
        }
        let Some(odds) = &config.feeds.odds_api else {
            let failure = Failure::usage("`--what lines` asks The Odds API, and there is no key for it");
            return Err(failure
                .hint("set TIPOFF_ODDS_API_KEY or TIPOFF_ODDS_API_KEY_FILE")
                .hint("--files reads raw files instead"));
        };
        let odds = odds_as_asked(odds.clone(), &self.before_tip, request.credits);
        let before_tip = odds.past_minutes_before_tip.clone();
        let source: Arc<dyn Source> = Arc::new(OddsApi::new(odds).map_err(stage_failure)?);
        let runner = Runner::new(&config.dir, warehouse.clone(), vec![source], request.owner.clone())
            .with_limits(RunLimits::default())
            .with_lines(config.lines.clone());
        let runner = if request.credits.is_some() { runner.apart() } else { runner };
        let budget = runner.past_budget(odds_api::NAME, request.credits, request.begun).await;
        Ok(Some(Buyer { runner, before_tip, budget: budget.map_err(stage_failure)? }))
    }
}

/// The vendor's settings with what this backfill asks for; credits that are named win over the limit of a day.
fn odds_as_asked(mut odds: OddsApiConfig, before_tip: &[u32], credits: Option<i64>) -> OddsApiConfig {
    if !before_tip.is_empty() {
        odds.past_minutes_before_tip = before_tip.iter().map(|minutes| i64::from(*minutes)).collect();
    }
    odds.past_minutes_before_tip.sort_by_key(|minutes| std::cmp::Reverse(*minutes));
    odds.past_minutes_before_tip.dedup();
    if credits.is_some() {
        odds.limits = CreditLimits { per_day: Some(NO_DAILY_LIMIT), ..odds.limits };
    }
    odds
}

/// `tipoff backfill`.
pub(crate) async fn backfill(args: &BackfillArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let request = args.request(config)?;
    let warehouse = open_or_make(config).await?;
    let reads_files = args.what.iter().any(|what| what == "lines");
    let files = if reads_files { args.files.clone() } else { Vec::new() };
    let buyer = args.buyer(&request, config, &warehouse).await?;
    if args.dry_run {
        let plan = plan(&warehouse, &request, buyer.as_ref(), files).await?;
        out.either(&plan, page)?;
        return Ok(Exit::Ok);
    }
    if !files.is_empty() {
        let read = async {
            let options = config.ingest_options();
            ingest::run(&warehouse, &files, options, |_| ()).await.map_err(stage_failure)
        };
        let report = recorded(&warehouse, config, "ingest", None, read).await?;
        let new: u64 = report.files.iter().map(|file| file.new).sum();
        out.say(&format!("read {} files: {new} rows are new", report.files.len()));
    }
    let plan = plan(&warehouse, &request, buyer.as_ref(), files).await?;
    if !out.json {
        out.say(&page(&plan));
    }
    if let Some(lines) = plan.lines.as_ref().filter(|lines| plan.credits > lines.budget) {
        let sentence = format!("the plan costs {} credits, {} may be spent", plan.credits, lines.budget);
        let failure = Failure::new(Exit::Conflict, sentence);
        return Err(
            failure.hint(format!("--credits {} allows it; fewer dates or moments cost less", plan.credits))
        );
    }
    let done = carry_out(&warehouse, config, &request, buyer.as_ref(), &plan.dates).await?;
    out.either(&done, result_page)?;
    Ok(if done.failed.is_empty() { Exit::Ok } else { Exit::Degraded })
}

async fn plan(
    warehouse: &Warehouse,
    request: &Request,
    buyer: Option<&Buyer>,
    files: Vec<PathBuf>,
) -> Result<Plan, Failure> {
    let facts = warehouse.coverage_facts(request.from, request.to).await.map_err(failure)?;
    let report = describe(request.from, request.to, &facts, request.begun);
    let needs = match buyer {
        Some(buyer) => {
            let range = (request.from, request.to);
            buyer.runner.past_needs(odds_api::NAME, range, request.begun).await.map_err(stage_failure)?
        }
        None => BTreeMap::new(),
    };
    let today = league_date(request.begun);
    let mut dates = Vec::new();
    for (date, mut state) in states(&report, &facts) {
        state.lines = needs.get(&date).copied();
        state.is_over = date < today;
        if state.games > 0 {
            look(warehouse, date, &mut state).await.map_err(failure)?;
        }
        dates.push(plan_date(date, &state, &request.what, request.reprocess));
    }
    let lines = buyer.map(|buyer| lines_plan(buyer, &dates));
    Ok(Plan {
        from: request.from,
        to: request.to,
        credits: needed(&dates).map(|need| need.credits).sum(),
        dates,
        without_snapshot: report.without_snapshot,
        without_market: report.without_market,
        files,
        lines,
    })
}

/// What is asked for, date by date.
fn needed(dates: &[DatePlan]) -> impl Iterator<Item = PastNeed> {
    dates.iter().filter_map(|date| date.lines)
}

fn lines_plan(buyer: &Buyer, dates: &[DatePlan]) -> LinesPlan {
    LinesPlan {
        before_tip: buyer.before_tip.clone(),
        calls: needed(dates).map(|need| need.calls).sum(),
        estimated_credits: needed(dates).filter(|need| need.is_estimate).map(|need| need.credits).sum(),
        budget: buyer.budget,
    }
}

/// What counts do not tell: freshness, what is published, and how the newest attempts went.
async fn look(warehouse: &Warehouse, date: Date, state: &mut DateState) -> Result<(), warehouse::Error> {
    state.is_behind = state.with_features > 0 && warehouse.features_are_behind(date).await?;
    state.is_published = warehouse.published_generation(Slate::nba(date)).await? > 0;
    let newest = async |step| warehouse.newest_attempt(&piece(step, date)).await;
    let has_failed = |run: Option<RunRecord>| run.is_some_and(|run| run.status == "failed");
    state.features_failed = has_failed(newest(Step::Features).await?);
    state.predictions_failed = has_failed(newest(Step::Predictions).await?);
    if state.lines.is_some() {
        let run = newest(Step::Lines).await?;
        state.lines_cut_off = run.as_ref().is_some_and(|run| run.status == "running");
        state.lines_failed = has_failed(run);
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
    let asked = plan.lines.as_ref().map(lines_page).unwrap_or_default();
    format!(
        "{} to {}: {steps} steps on {} dates; {} raw files or folders; {} credits\n{asked}\
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

fn lines_page(lines: &LinesPlan) -> String {
    let LinesPlan { before_tip, calls, estimated_credits, budget } = lines;
    let minutes = before_tip.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let guess = match estimated_credits {
        0 => "exact".to_owned(),
        n => format!("{n} of them by the schedule, for the vendor has not told its events yet"),
    };
    format!(
        "lines at {minutes} minutes before each tip-off: {calls} calls; credits {guess}; {budget} may be spent\n"
    )
}

fn result_page(done: &Done) -> String {
    let steps = done.done.iter().map(|(step, n)| format!("{n} {step}")).collect::<Vec<_>>().join(", ");
    let calls = if done.calls > 0 { format!(" ({} calls)", done.calls) } else { String::new() };
    let mut page = format!(
        "done: {}{calls}; {} elsewhere; {} failed\n",
        if steps.is_empty() { "nothing" } else { &steps },
        done.elsewhere,
        done.failed.len()
    );
    page.extend(done.failed.iter().map(|why| format!("  {why}\n")));
    page
}
