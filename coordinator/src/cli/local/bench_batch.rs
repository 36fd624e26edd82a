//! `tipoff bench batch`: a whole batch of invented players through the real parts, from start to ended and readable.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use pipeline::features::build_range;
use pipeline::ingest::{self, IngestOptions};
use pipeline::simulate::{self, SimOptions, SimReport};
use proto::api::StartRequest;
use proto::league_time::league_date;

use super::tables::{open_or_make, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;
use crate::engine::Instance;
use crate::service::{PredictionQuery, Service, StartOutcome};

/// Books quote at most so many players of a game in the simulation.
const QUOTED_PER_GAME: u32 = 24;

/// How often the batch is looked at: a tenth of what is measured at the very least.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// Arguments of `tipoff bench batch`.
#[derive(Debug, clap::Args)]
pub(crate) struct BatchArgs {
    /// Quoted players of the slate, at most 360
    #[arg(long, value_name = "N", default_value_t = 334, value_parser = clap::value_parser!(u32).range(1..=360))]
    players: u32,

    /// Batches that are measured
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
}

/// What was measured.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct BatchBench {
    store: String,
    players: u32,
    predicted: u64,
    rows: u64,
    systems: usize,
    repeat: u32,
    min_ms: f64,
    median_ms: f64,
    max_ms: f64,
}

/// Measures in a folder of its own; the state store is the configured one, the warehouse a new one.
pub(crate) async fn bench_batch(args: &BatchArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let folder = std::env::temp_dir().join(format!("tipoff-bench-{:032x}", rand::random::<u128>()));
    std::fs::create_dir_all(&folder).map_err(Failure::failed)?;
    let mut own = config.clone();
    // The embedded store of a folder belongs to that folder's warehouse; the bench has its own pair.
    if own.state == Config::for_dir(&config.dir).map_err(Failure::failed)?.state {
        own.state =
            format!("sqlite:{}", folder.join("state.db").display()).parse().map_err(Failure::failed)?;
    }
    own.warehouse =
        format!("sqlite:{}", folder.join("warehouse.db").display()).parse().map_err(Failure::failed)?;
    own.dir = folder.clone();
    let measured = measure(args, &own, out).await;
    // What is left in a temporary folder harms nobody.
    let _ = std::fs::remove_dir_all(&folder);
    out.either(&measured?, page)?;
    Ok(Exit::Ok)
}

async fn measure(args: &BatchArgs, config: &Config, out: Output) -> Result<BatchBench, Failure> {
    let league = prepare(args, config).await?;
    let instance = Instance::start(config).await?;
    let (mut times, mut last) = (Vec::new(), (0, 0, 0));
    for _ in 0..args.repeat {
        let begun = Instant::now();
        last = one(&instance.service, &league).await?;
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    instance.stop(Duration::from_secs(1)).await;
    times.sort_by(f64::total_cmp);
    out.say(&format!("measured {} batches", times.len()));
    let (predicted, rows, systems) = last;
    let store = config.state.to_string().split(':').next().unwrap_or_default().to_owned();
    Ok(BatchBench {
        store,
        players: args.players,
        predicted,
        rows,
        systems,
        repeat: args.repeat,
        min_ms: times.first().copied().unwrap_or(f64::NAN),
        median_ms: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
        max_ms: times.last().copied().unwrap_or(f64::NAN),
    })
}

async fn prepare(args: &BatchArgs, config: &Config) -> Result<SimReport, Failure> {
    let now = Timestamp::now();
    let options = SimOptions {
        games_per_day: args.players.div_ceil(QUOTED_PER_GAME).max(1),
        players_per_team: 13,
        quoted_players: Some(args.players),
        injured: 0,
        late: 0,
        ..SimOptions::ending(league_date(now), 1)
    };
    let league = simulate::days(&options, &config.dir.join("files")).map_err(stage_failure)?;
    let warehouse = open_or_make(config).await?;
    let files: Vec<_> = league.files.iter().chain(&league.late_files).cloned().collect();
    ingest::run(&warehouse, &files, IngestOptions::at(now), |_| {}).await.map_err(stage_failure)?;
    let day = league.last_day;
    build_range(&warehouse, day, day, Timestamp::now(), |_, _| {}).await.map_err(stage_failure)?;
    warehouse.close().await;
    Ok(league)
}

/// One batch from start to ended, and its rows read. A backfill, so that tip-offs that have passed do not matter.
async fn one(service: &Service, league: &SimReport) -> Result<(u64, u64, usize), Failure> {
    let request = StartRequest {
        game_date: Some(league.last_day.to_string()),
        as_of: Some(league.as_of),
        ..StartRequest::default()
    };
    let StartOutcome::Started(started) = service.start(request, "bench").await? else {
        return Err(Failure::failed("the simulated slate has nothing to run"));
    };
    let Some(batch_id) = started.batch_id else { return Err(Failure::failed("no batch was started")) };
    let status = loop {
        let status = service.batch(&batch_id).await?;
        if status.ended_at.is_some() {
            break status;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let query =
        PredictionQuery { game_date: Some(league.last_day.to_string()), ..PredictionQuery::default() };
    let rows = service.predictions(query).await?.rows.len() as u64;
    Ok((status.progress.predicted, rows, started.systems.len()))
}

fn page(bench: &BatchBench) -> String {
    let BatchBench { store, players, predicted, rows, systems, repeat, min_ms, median_ms, max_ms } = bench;
    format!(
        "{players} quoted players x {systems} systems, state in {store}: median {median_ms:.1} ms of {repeat} \
         (min {min_ms:.1}, max {max_ms:.1}); {predicted} predicted, {rows} rows read\n"
    )
}
