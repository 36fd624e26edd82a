//! `tipoff bench inference`: how long one model takes for a row, a batch at a time, on one thread.

use std::time::{Duration, Instant};

use models::FeatureMatrix;
use proto::Market;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::models::{EngineChoice, MaxSize, find};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;

/// Batches before anything is measured: code and leaves are in the caches then, as they are on a night.
const WARM_UP: usize = 3;

/// Most batches that are timed, however short one is.
const MOST_BATCHES: usize = 100_000;

/// Arguments of `tipoff bench inference`.
#[derive(Debug, clap::Args)]
pub(crate) struct InferenceArgs {
    /// A system, a card (.toml) or a model file
    #[arg(long, value_name = "MODEL_OR_FILE")]
    model: String,

    /// The market, where MODEL is a system
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,

    /// Rows a batch
    #[arg(long, value_name = "N", default_value_t = 334, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch: u32,

    /// Seconds to measure
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,

    #[command(flatten)]
    engine: EngineChoice,

    #[command(flatten)]
    max: MaxSize,
}

/// What was measured.
#[derive(Debug, serde::Serialize)]
struct Measured {
    model: String,
    engine: &'static str,
    batch: u32,
    features: usize,
    batches: usize,
    us_per_row_median: f64,
    us_per_row_min: f64,
}

/// `tipoff bench inference`.
pub(super) fn bench_inference(args: &InferenceArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let subject = find(&args.model, &args.market, args.max.bytes(), args.engine.name(), config)?;
    let (name, engine) = subject.engine();
    let rows = invented(engine.width(), args.batch as usize)?;
    let mut answers = vec![0.0; rows.rows() * engine.heads()];
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.len() < WARM_UP + 1
        || (begun.elapsed() < Duration::from_secs(args.seconds) && times.len() < MOST_BATCHES)
    {
        let mark = Instant::now();
        engine.predict(&rows, &mut answers).map_err(Failure::failed)?;
        times.push(mark.elapsed().as_secs_f64() * 1e6 / f64::from(args.batch));
    }
    let mut times = times.split_off(WARM_UP);
    times.sort_by(f64::total_cmp);
    let measured = Measured {
        model: args.model.clone(),
        engine: name.as_str(),
        batch: args.batch,
        features: engine.width(),
        batches: times.len(),
        us_per_row_median: times[times.len() / 2],
        us_per_row_min: times[0],
    };
    out.either(&measured, |m| {
        format!(
            "{} on {}: {:.3} us a row at {} rows a batch (median of {} batches, least {:.3})\n",
            m.model, m.engine, m.us_per_row_median, m.batch, m.batches, m.us_per_row_min
        )
    })?;
    Ok(Exit::Ok)
}

/// Rows within the range that features of this field have; one value in twenty is missing.
fn invented(width: usize, rows: usize) -> Result<FeatureMatrix, Failure> {
    let mut random = StdRng::seed_from_u64(7);
    let mut matrix = FeatureMatrix::with_capacity(width, rows);
    for _ in 0..rows {
        let row: Vec<f64> = (0..width)
            .map(|_| if random.random_ratio(1, 20) { f64::NAN } else { random.random_range(-5.0..40.0) })
            .collect();
        matrix.push_row(&row).map_err(Failure::failed)?;
    }
    Ok(matrix)
}
