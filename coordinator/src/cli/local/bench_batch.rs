//! `tipoff bench batch`: a whole batch of invented players through the real parts, from start to ended and readable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use pipeline::features::build_range;
use pipeline::ingest::{self, IngestOptions};
use pipeline::simulate::{self, SimOptions, SimReport};
use proto::api::StartRequest;
use proto::league_time::league_date;
use proto::{Market, SystemId};

use super::tables::{open_or_make, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;
use crate::engine::Instance;
use crate::service::{PredictionQuery, Service, StartOutcome};

/// Books quote at most so many players of a game in the simulation.
const QUOTED_PER_GAME: u32 = 24;

/// Arguments of `tipoff bench batch`.
#[derive(Debug, clap::Args)]
pub(crate) struct BatchArgs {
    /// Quoted players of the slate, at most 360
    #[arg(long, value_name = "N", default_value_t = 334, value_parser = clap::value_parser!(u32).range(1..=360))]
    players: u32,

    /// Market that is predicted, or `all`
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: String,

    /// Systems that predict, the first by name; fewer where the market has fewer
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    systems: u32,

    /// Batches that are measured
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
}

/// What one batch asks for.
struct Ask {
    game_date: String,
    as_of: Timestamp,
    markets: Option<Vec<Market>>,
    systems: Vec<SystemId>,
}

/// Milliseconds of one batch: until the start was answered, until it had ended, until its rows were read.
#[derive(Debug, Clone, Copy)]
struct Laps {
    started: f64,
    ended: f64,
    read: f64,
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
    /// Medians of the parts: the answer to the start, from there to the end, reading the rows.
    start_ms: f64,
    run_ms: f64,
    read_ms: f64,
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
    let ask = Arc::new(ask(args, &instance, &league)?);
    let (mut laps, mut last) = (Vec::new(), (0, 0, 0));
    for _ in 0..args.repeat {
        // As a request is served: in a task, for this thread is the one that the actors live on.
        let (service, ask) = (instance.service.clone(), Arc::clone(&ask));
        let one = tokio::spawn(async move { one(&service, &ask).await });
        let (lap, counts) = one.await.map_err(Failure::failed)??;
        laps.push(lap);
        last = counts;
    }
    instance.stop(Duration::from_secs(1)).await;
    out.say(&format!("measured {} batches", laps.len()));
    let (predicted, rows, systems) = last;
    let store = config.state.to_string().split(':').next().unwrap_or_default().to_owned();
    let whole = sorted(&laps, |lap| lap.read);
    Ok(BatchBench {
        store,
        players: args.players,
        predicted,
        rows,
        systems,
        repeat: args.repeat,
        min_ms: whole.first().copied().unwrap_or(f64::NAN),
        median_ms: median(&whole),
        max_ms: whole.last().copied().unwrap_or(f64::NAN),
        start_ms: median(&sorted(&laps, |lap| lap.started)),
        run_ms: median(&sorted(&laps, |lap| lap.ended - lap.started)),
        read_ms: median(&sorted(&laps, |lap| lap.read - lap.ended)),
    })
}

fn sorted(laps: &[Laps], of: impl Fn(&Laps) -> f64) -> Vec<f64> {
    let mut times: Vec<f64> = laps.iter().map(of).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The market and the systems of the arguments, as far as the models have them.
fn ask(args: &BatchArgs, instance: &Instance, league: &SimReport) -> Result<Ask, Failure> {
    let market: Option<Market> =
        (args.market != "all").then(|| args.market.parse()).transpose().map_err(Failure::usage)?;
    let registry = instance.context.shelf.registry();
    let mut systems: Vec<SystemId> = registry
        .pins()
        .into_iter()
        .filter(|pin| market.as_ref().is_none_or(|market| pin.market == *market))
        .map(|pin| pin.system_id)
        .collect();
    systems.sort();
    systems.dedup();
    systems.truncate(args.systems as usize);
    if systems.is_empty() {
        return Err(Failure::usage(format!(
            "no model predicts `{}`; `tipoff models` lists them",
            args.market
        )));
    }
    let markets = market.map(|market| vec![market]);
    Ok(Ask { game_date: league.last_day.to_string(), as_of: league.as_of, markets, systems })
}

/// The slate of the day before: of today's games some may have begun, and a batch leaves those alone.
async fn prepare(args: &BatchArgs, config: &Config) -> Result<SimReport, Failure> {
    let day = league_date(Timestamp::now()).saturating_sub(1.day());
    let options = SimOptions {
        games_per_day: args.players.div_ceil(QUOTED_PER_GAME).max(1),
        players_per_team: 13,
        quoted_players: Some(args.players),
        injured: 0,
        late: 0,
        ..SimOptions::ending(day, 1)
    };
    let league = simulate::days(&options, &config.dir.join("files")).map_err(stage_failure)?;
    let warehouse = open_or_make(config).await?;
    let files: Vec<_> = league.files.iter().chain(&league.late_files).cloned().collect();
    ingest::run(&warehouse, &files, IngestOptions { ahead: true, ..config.ingest_options() }, |_| {})
        .await
        .map_err(stage_failure)?;
    let day = league.last_day;
    build_range(&warehouse, day, day, Timestamp::now(), |_, _| {}).await.map_err(stage_failure)?;
    warehouse.close().await;
    Ok(league)
}

/// One batch from start to ended, and its rows read. One that leaves none has measured nothing.
async fn one(service: &Service, ask: &Ask) -> Result<(Laps, (u64, u64, usize)), Failure> {
    let request = StartRequest {
        game_date: Some(ask.game_date.clone()),
        as_of: Some(ask.as_of),
        markets: ask.markets.clone(),
        systems: Some(ask.systems.clone()),
        ..StartRequest::default()
    };
    let begun = Instant::now();
    let lap = || begun.elapsed().as_secs_f64() * 1_000.0;
    let StartOutcome::Started(start) = service.start(request, "bench").await? else {
        return Err(Failure::failed("the simulated slate has nothing to run"));
    };
    let Some(batch_id) = start.batch_id else { return Err(Failure::failed("no batch was started")) };
    let started = lap();
    service.until_ended(&batch_id).await?;
    let ended = lap();
    let query = PredictionQuery { game_date: Some(ask.game_date.clone()), ..PredictionQuery::default() };
    let rows = service.predictions(query).await?.rows.len() as u64;
    let read = lap();
    let status = service.batch(&batch_id).await?;
    if rows == 0 {
        let why = status.state_reason.map(|reason| reason.sentence).unwrap_or_default();
        return Err(Failure::failed(format!(
            "`{batch_id}` ended as {} and left no row to read: {why}",
            status.state
        )));
    }
    Ok((Laps { started, ended, read }, (status.progress.predicted, rows, start.systems.len())))
}

fn page(bench: &BatchBench) -> String {
    let BatchBench { store, players, predicted, rows, systems, repeat, .. } = bench;
    let BatchBench { min_ms, median_ms, max_ms, start_ms, run_ms, read_ms, .. } = bench;
    format!(
        "{players} quoted players x {systems} systems, state in {store}: median {median_ms:.1} ms of {repeat} \
         (min {min_ms:.1}, max {max_ms:.1}), of which start {start_ms:.1}, run {run_ms:.1}, read {read_ms:.1}; \
         {predicted} predicted, {rows} rows read\n"
    )
}
