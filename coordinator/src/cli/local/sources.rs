//! `tipoff ingest --source` and `--watch`: lines that come by themselves.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::gauge;
use pipeline::sources::freshness::{SourceHealth, health};
use pipeline::sources::{CycleReport, LedgerFile, Plan, PollEnd, Runner};
use tokio_util::sync::CancellationToken;

use super::ingest::page;
use super::run::recorded;
use super::serve::stop_signal;
use super::tables::{date, open_or_make, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::clock::Clock;
use crate::config::Config;

/// How long a turn in hand may take after a signal; a kill loses no more than a call.
const DRAIN: Duration = Duration::from_secs(20);
/// How often the health of sources is looked at.
const HEALTH_EVERY: Duration = Duration::from_secs(30);
/// Pause of a source after its turn could not be taken at all.
const AFTER_ERROR: SignedDuration = SignedDuration::from_secs(30);
/// Lease of an ingestion in leases of the protocol: a file takes longer than a prediction.
const LEASES: i64 = 12;
/// Calls of one source that a printed plan lists.
const LISTED: usize = 40;

/// Flags of `tipoff ingest` that ask sources instead of reading files.
#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// Ask this source now instead of reading files
    ///
    /// odds-api, bettingpros, or a name of [[sources]] in the configuration. What was asked for within the last minute
    /// is not asked for again, except with --force. Raw answers are kept under DIR/raw.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["paths", "watch"])]
    source: Option<String>,

    /// The league date to ask for
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`. A date that is over costs ten times the credits. Default: TODAY.
    #[arg(long, value_name = "DATE", requires = "source")]
    game_date: Option<String>,

    /// Ask all sources until stopped
    ///
    /// Each by its own plan: denser toward tip-off, within the credits, with a rest after failures. Folders are looked
    /// into every few seconds. Ends on SIGINT or SIGTERM.
    #[arg(long, conflicts_with = "paths")]
    watch: bool,

    /// Print what would be asked when, and what it costs, and ask nobody
    #[arg(long, conflicts_with = "paths")]
    plan: bool,
}

impl SourceArgs {
    /// True when sources are asked.
    pub(crate) fn is_used(&self) -> bool {
        self.source.is_some() || self.watch
    }
}

/// `tipoff ingest --source …` or `--watch`.
pub(crate) async fn ingest(
    args: &SourceArgs,
    force: bool,
    config: &Config,
    out: Output,
) -> Result<Exit, Failure> {
    let sources = config.feeds.build().map_err(stage_failure)?;
    if sources.is_empty() {
        let failure = Failure::usage("no source is configured");
        return Err(failure
            .hint("set TIPOFF_ODDS_API_KEY or TIPOFF_ODDS_API_KEY_FILE, or add [[sources]] to tipoff.toml")
            .hint("`tipoff config init` writes a page that explains them"));
    }
    let warehouse = open_or_make(config).await?;
    let who = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4());
    let lease = SignedDuration::from_millis(LEASES * config.timing.lease_ms);
    let runner = Runner::new(&config.dir, warehouse.clone(), sources, who)
        .with_lease(lease)
        .with_lines(config.lines.clone());
    let runner = Arc::new(runner);
    let now = config.now();
    let wanted = match &args.source {
        Some(_) => Some(date(args.game_date.as_deref().unwrap_or("TODAY"), config)?),
        None => None,
    };
    if args.plan {
        let mut plans = runner.plans(wanted, now).await.map_err(stage_failure)?;
        plans.retain(|(name, _)| args.source.as_ref().is_none_or(|source| source == name));
        if plans.is_empty() {
            return Err(unknown(args.source.as_deref().unwrap_or_default(), &runner));
        }
        out.either(&plans, |plans| plans.iter().map(|(name, plan)| plan_page(name, plan)).collect())?;
        return Ok(Exit::Ok);
    }
    match (&args.source, wanted) {
        (Some(source), Some(wanted)) => {
            if !runner.names().contains(source) {
                return Err(unknown(source, &runner));
            }
            let work = async { runner.fetch(source, wanted, now, force).await.map_err(stage_failure) };
            let report = recorded(&warehouse, config, "fetch", Some(wanted), work).await?;
            out.either(&report, report_page)?;
            Ok(if report.is_clean() { Exit::Ok } else { Exit::Degraded })
        }
        _ => watch(runner, config, out).await,
    }
}

fn unknown(source: &str, runner: &Runner) -> Failure {
    Failure::new(Exit::NotFound, format!("no source is called `{source}`"))
        .hint(format!("configured are {}", runner.names().join(", ")))
}

/// Turns of all sources, each by itself, until a signal.
async fn watch(runner: Arc<Runner>, config: &Config, out: Output) -> Result<Exit, Failure> {
    let now = config.now();
    for (name, plan) in runner.plans(None, now).await.map_err(stage_failure)? {
        out.say(plan_page(&name, &plan).trim_end());
    }
    let left_behind = runner.recover(now).await.map_err(stage_failure)?;
    tell(&left_behind, out)?;
    let stop = CancellationToken::new();
    let mut turns = tokio::task::JoinSet::new();
    for name in runner.names() {
        turns.spawn(turns_of(Arc::clone(&runner), name, config.clock.clone(), out, stop.clone()));
    }
    turns.spawn(watch_health(Arc::clone(&runner), config.clone(), out, stop.clone()));
    let signal = stop_signal().await?;
    out.say(&format!("stopping on {signal}: calls that are out come to their end"));
    stop.cancel();
    let ended = async { while turns.join_next().await.is_some() {} };
    tokio::select! {
        ended = tokio::time::timeout(DRAIN, ended) => if ended.is_err() {
            out.say("a call did not come back; what was kept is ingested by the next start");
        },
        again = stop_signal() => out.say(&format!("ended at once on a second {}", again?)),
    }
    Ok(Exit::Ok)
}

/// One source, turn by turn. Nothing ends it but the stop: what goes wrong is said and tried again.
async fn turns_of(runner: Arc<Runner>, name: String, clock: Clock, out: Output, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let now = clock.now();
        let next = match runner.turn(&name, now).await {
            Ok(report) => {
                if tell(&report, out).is_err() {
                    // Nobody reads any more; the work goes on.
                    tracing::debug!("the report of `{name}` was not read");
                }
                runner.next_turn(&name, clock.now()).await
            }
            Err(error) => Err(error),
        };
        let next = next.unwrap_or_else(|error| {
            out.say(&format!("source `{name}`: {error}"));
            now + AFTER_ERROR
        });
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(next) => {}
        }
    }
}

/// Says when a source is lost, and when it is back.
async fn watch_health(runner: Arc<Runner>, config: Config, out: Output, stop: CancellationToken) {
    let mut told: Vec<String> = Vec::new();
    loop {
        let now = config.now();
        let games_ahead = runner.games_ahead(now).await.unwrap_or(true);
        if let Ok(ledger) = LedgerFile::of(&config.dir).read().await {
            let lost = health(&runner.expected(), &ledger, now, games_ahead);
            let lost: Vec<SourceHealth> = lost.into_iter().filter(|source| !source.is_well).collect();
            for source in lost.iter().filter(|source| !told.contains(&source.source)) {
                out.say(&source.sentence);
            }
            for name in told.iter().filter(|name| !lost.iter().any(|source| source.source == **name)) {
                out.say(&format!("source `{name}` is well again"));
            }
            told = lost.into_iter().map(|source| source.source).collect();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HEALTH_EVERY) => {}
        }
    }
}

/// How each configured source is.
pub(crate) async fn source_health(
    config: &Config,
    now: Timestamp,
    games_ahead: bool,
) -> Result<Vec<SourceHealth>, Failure> {
    let sources = config.feeds.build().map_err(stage_failure)?;
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let expected: Vec<_> = sources
        .iter()
        .map(|source| pipeline::sources::freshness::Expected {
            name: source.name().to_owned(),
            fresh_within: source.fresh_within(),
        })
        .collect();
    let ledger = LedgerFile::of(&config.dir).read().await.map_err(stage_failure)?;
    Ok(health(&expected, &ledger, now, games_ahead))
}

/// Sentences about sources that are not well, for `tipoff slate`.
pub(crate) async fn lost_sources(
    config: &Config,
    now: Timestamp,
    games_ahead: bool,
) -> Result<Vec<String>, Failure> {
    let all = source_health(config, now, games_ahead).await?;
    Ok(all.into_iter().filter(|source| !source.is_well).map(|source| source.sentence).collect())
}

/// Keeps the metrics of sources up to date while a server runs; whoever asks the sources may be another process.
pub(crate) async fn publish_health(config: Config, stop: CancellationToken) {
    let Ok(sources) = config.feeds.build() else { return };
    while !sources.is_empty() {
        match LedgerFile::of(&config.dir).read().await {
            Err(error) => tracing::warn!("{error}"),
            Ok(ledger) => {
                let now = config.now();
                for source in &sources {
                    let (name, account) = (source.name().to_owned(), ledger.account(source.name()));
                    if let Some(at) = account.answered_at.or(account.since) {
                        let age = now.duration_since(at).as_secs_f64();
                        gauge!("tipoff_source_age_seconds", "source" => name.clone()).set(age);
                    }
                    let asked = f64::from(u8::from(account.breaker.is_closed()));
                    gauge!("tipoff_source_asked", "source" => name.clone()).set(asked);
                    if let Some(left) = account.credits.told.remaining {
                        gauge!("tipoff_source_credits", "source" => name).set(left as f64);
                    }
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HEALTH_EVERY) => {}
        }
    }
}

/// A turn in a few lines: what was asked, what came of it, what was ingested. Quiet when nothing happened.
fn tell(report: &CycleReport, out: Output) -> Result<(), Failure> {
    let happened = report.polls.iter().any(|poll| !is_quiet(&poll.end));
    if !happened && report.files.is_empty() && report.trouble.is_none() {
        return Ok(());
    }
    out.either(report, turn_page)
}

/// What happens every few seconds and means nothing.
fn is_quiet(end: &PollEnd) -> bool {
    matches!(end, PollEnd::Nothing | PollEnd::NotAsked { .. })
}

fn turn_page(report: &CycleReport) -> String {
    let mut page = String::new();
    for poll in report.polls.iter().filter(|poll| !is_quiet(&poll.end)) {
        page += &format!("{}: {}: {}\n", poll.source, poll.about, end_text(&poll.end));
    }
    if !report.files.is_empty() {
        let known: u64 = report.files.iter().map(|file| file.known).sum();
        let refused: u64 = report.files.iter().map(pipeline::ingest::FileReport::num_refused).sum();
        let dates: Vec<String> = report.changed.iter().map(ToString::to_string).collect();
        let changed =
            if dates.is_empty() { String::new() } else { format!("; changed: {}", dates.join(", ")) };
        let marked: Vec<String> = report.marked.iter().map(ToString::to_string).collect();
        let marked = match marked.is_empty() {
            true => String::new(),
            false => format!("; published and marked, so a server follows: {}", marked.join(", ")),
        };
        page += &format!(
            "ingested {} files: {} rows are new, {known} were known, {refused} refused{changed}{marked}\n",
            report.files.len(),
            report.new_rows(),
        );
    }
    for file in report.files.iter().filter(|file| file.needs_attention()) {
        page += &format!("  {}: {}\n", file.name, file.sentence);
    }
    if let Some(trouble) = &report.trouble {
        page += &format!("{} files wait: {trouble}\n", report.waiting);
    }
    page
}

fn end_text(end: &PollEnd) -> String {
    match end {
        PollEnd::Answered { new, all, not_used } => {
            let unused: Vec<String> = not_used.iter().map(|(why, n)| format!("{n} {why}")).collect();
            let unused = if unused.is_empty() { String::new() } else { format!(" ({})", unused.join(", ")) };
            format!("{new} new of {all}{unused}")
        }
        PollEnd::Nothing => "nothing yet".to_owned(),
        PollEnd::Failed { code, sentence } => format!("failed ({code}): {sentence}"),
        PollEnd::NotAsked { sentence } => format!("not asked: {sentence}"),
    }
}

/// One fetch by hand: every call, then the account of files.
fn report_page(report: &CycleReport) -> String {
    let rows = report.polls.iter().map(|p| vec![p.source.clone(), p.about.clone(), end_text(&p.end)]);
    let mut text = table(&["source", "asked for", "what came of it"], &[], rows) + "\n";
    if !report.files.is_empty() {
        let files = pipeline::ingest::IngestReport { files: report.files.clone(), ..Default::default() };
        text += &format!("\n{}", page(&files, false));
    }
    if let Some(trouble) = &report.trouble {
        text += &format!("\n{} files wait: {trouble}\n", report.waiting);
    }
    text
}

/// A plan: what it costs, its first calls, and what a person should know.
fn plan_page(name: &str, plan: &Plan) -> String {
    let cost: i64 = plan.polls.iter().map(|poll| poll.cost).sum();
    let budget = plan.budget.map(|budget| format!(", {cost} of {budget} credits")).unwrap_or_default();
    let stretch = match plan.stretch {
        Some(stretch) if stretch > 1.0 => format!(", pauses stretched {stretch:.1} times to fit"),
        _ => String::new(),
    };
    let mut page = format!("{name}: {} calls{budget}{stretch}\n", plan.polls.len());
    let zone = proto::league_time::zone();
    let rows = plan.polls.iter().take(LISTED).map(|poll| {
        let at = poll.at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S");
        vec![format!("  {at}"), poll.about.clone(), poll.cost.to_string()]
    });
    if !plan.polls.is_empty() {
        page += &format!("{}\n", table(&["  league time", "asked for", "credits"], &[2], rows));
    }
    if plan.polls.len() > LISTED {
        page += &format!("  and {} more\n", plan.polls.len() - LISTED);
    }
    page.extend(plan.notes.iter().map(|note| format!("  {note}\n")));
    page
}
