//! `tipoff demo`: from nothing to a published slate in one process.
//!
//! The league is invented once and kept: a second run starts the next generation of the same slate, so that one sees
//! what superseding means. Its day is tomorrow when it is made; once that day is over, a run is a backfill.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use pipeline::features::build_range;
use pipeline::ingest::IngestOptions;
use pipeline::simulate::{self, SimOptions, SimReport};
use proto::api::{BatchStatus, StartRequest};
use proto::league_time::league_date;
use proto::{BatchId, Code};
use serde_json::Value;

use super::ingest;
use super::run::recorded;
use super::tables::{make_folders, open_or_make, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::predictions::rows_table;
use crate::cli::progress::ProgressLine;
use crate::cli::render;
use crate::config::{Config, FlagValue};
use crate::engine::Instance;
use crate::service::{PredictionQuery, Service, ServiceError, StartOutcome};

/// Rows of the sample that is shown.
const SAMPLE: usize = 8;

/// How often the batch is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Arguments of `tipoff demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Which league is invented
    ///
    /// Only the first run in a folder invents one.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Worker threads
    ///
    /// Default: one for each processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
}

impl DemoArgs {
    pub(crate) fn flags(&self) -> Vec<FlagValue> {
        let size = self.workers.map(|n| FlagValue {
            key: "workers.size",
            flag: "--workers",
            value: i64::from(n).into(),
        });
        size.into_iter().collect()
    }
}

/// `tipoff demo`.
pub(crate) async fn demo(args: &DemoArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    make_folders(config)?;
    let league = league(args, config, out)?;
    prepare(&league, config, out).await?;
    let instance = Instance::start(config).await?;
    let status = run_batch(&instance.service, &league, out).await?;
    let sample = sample(&instance.service, &league).await?;
    instance.stop(Duration::from_secs(2)).await;
    out.either(&status, |status| page(status, &sample))?;
    if !out.json {
        out.say(&next_commands(config, &league, &status, begun.elapsed()));
    }
    Ok(Exit::of_status(&status))
}

/// The league of this folder, invented if there is none yet.
fn league(args: &DemoArgs, config: &Config, out: Output) -> Result<SimReport, Failure> {
    let folder = config.dir.join("simulated");
    let page = folder.join("league.json");
    if let Some(known) =
        fs::read(&page).ok().and_then(|bytes| serde_json::from_slice::<SimReport>(&bytes).ok())
    {
        out.say(&format!(
            "the league of `{}` is here: another run of {}",
            config.dir.display(),
            known.last_day
        ));
        return Ok(known);
    }
    let today = league_date(config.now());
    let tomorrow = today.checked_add(1.day()).unwrap_or(today);
    let defects = vec![(Code::Stale, 2), (Code::OneSided, 1), (Code::InPlay, 1)];
    let options = SimOptions { defects, ..SimOptions::ending(tomorrow, args.seed) };
    out.say(&format!("inventing a league: {} days, {} games a day", options.days, options.games_per_day));
    let report = simulate::days(&options, &folder).map_err(stage_failure)?;
    write_page(&page, &report)?;
    Ok(report)
}

fn write_page(path: &Path, report: &SimReport) -> Result<(), Failure> {
    let failed = |why: String| Failure::failed(format!("write `{}`: {why}", path.display()));
    let text = serde_json::to_vec(report).map_err(|error| failed(error.to_string()))?;
    fs::write(path, text).map_err(|error| failed(error.to_string()))
}

/// Files into tables, tables into features. Doing it again changes nothing.
async fn prepare(league: &SimReport, config: &Config, out: Output) -> Result<(), Failure> {
    let warehouse = open_or_make(config).await?;
    let files: Vec<PathBuf> = league.files.iter().chain(&league.late_files).cloned().collect();
    let report =
        ingest::run(&warehouse, &files, IngestOptions { ahead: true, ..config.ingest_options() }).await?;
    let (read, new) =
        report.files.iter().fold((0, 0), |(read, new), file| (read + file.read, new + file.new));
    out.say(&format!("ingested {} files: {read} rows read, {new} new", report.files.len()));
    let day = league.last_day;
    let build =
        async { build_range(&warehouse, day, day, config.now(), |_, _| {}).await.map_err(stage_failure) };
    let built = recorded(&warehouse, config, "features", Some(day), build).await?;
    out.say(&format!("built features: {} rows for {day}", built.rows));
    warehouse.close().await;
    Ok(())
}

/// Starts the slate and follows it to its end. A batch that a killed run left open is finished first.
async fn run_batch(service: &Service, league: &SimReport, out: Output) -> Result<BatchStatus, Failure> {
    let request = StartRequest {
        game_date: Some(league.last_day.to_string()),
        as_of: Some(league.as_of),
        ..StartRequest::default()
    };
    let started = match service.start(request.clone(), "demo").await {
        Err(ServiceError::Conflict { kind: "already-running", batch: Some(open), .. }) => {
            out.say(&format!(
                "{} was left open by a run that did not end: finishing it first",
                open.batch_id
            ));
            until_ended(service, &open.batch_id).await?;
            service.start(request, "demo").await
        }
        answer => answer,
    };
    match started? {
        StartOutcome::Started(started) => {
            out.say(render::started(&started).trim_end());
            let Some(batch_id) = started.batch_id else {
                return Err(Failure::failed("the start was a forecast only"));
            };
            until_ended(service, &batch_id).await
        }
        StartOutcome::Nothing(nothing) => {
            let failure = Failure::failed(format!("nothing was started: {}", nothing.status));
            Err(failure.hint("remove the folder and run `tipoff demo` again"))
        }
    }
}

async fn until_ended(service: &Service, batch_id: &BatchId) -> Result<BatchStatus, Failure> {
    let line = ProgressLine::bar();
    loop {
        let status = service.batch(batch_id).await?;
        if status.ended_at.is_some() {
            return Ok(status);
        }
        line.show_batch(&status);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The active rows with the largest margins.
async fn sample(service: &Service, league: &SimReport) -> Result<Vec<Value>, Failure> {
    let query =
        PredictionQuery { game_date: Some(league.last_day.to_string()), ..PredictionQuery::default() };
    let mut rows = service.predictions_all(query).await?;
    rows.sort_by(|a, b| b.line_margin.abs().total_cmp(&a.line_margin.abs()));
    let rows = rows.iter().take(SAMPLE).map(serde_json::to_value);
    rows.collect::<Result<_, _>>().map_err(|error| Failure::failed(format!("show predictions: {error}")))
}

fn page(status: &BatchStatus, sample: &[Value]) -> String {
    format!("{}\nlargest margins\n{}\n", render::status(status), rows_table(sample))
}

fn next_commands(config: &Config, league: &SimReport, status: &BatchStatus, took: Duration) -> String {
    let dir = config.dir.display();
    let (day, batch) = (league.last_day, &status.batch_id);
    let sql = "select recommendation, count(*) from predictions where is_active group by 1";
    format!(
        "\ndone in {:.1} s; everything lies in `{dir}`. Next:\n  \
         tipoff sql --dir {dir} \"{sql}\"\n  \
         tipoff serve --dir {dir} &\n  \
         tipoff status {batch}\n  \
         tipoff players {batch}\n  \
         tipoff predictions --game-date {day}\n  \
         tipoff start --game-date {day} --as-of {} --watch\n  \
         tipoff demo        the next generation takes over",
        took.as_secs_f64(),
        league.as_of
    )
}
