//! `tipoff bench`: measurements anybody can repeat.

use state::{BenchReport, OpenOptions, bench_jobs};

use super::tables::make_folders;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;

/// What can be measured.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum BenchCommand {
    /// Carry empty jobs through the state store with the full guarantee
    ///
    /// Opens a batch of a date that no league plays on, adds the jobs and seals; then measures claim, complete, drain and
    /// end, and cleans up after itself. The store is the one of --state.
    Jobs(JobsArgs),

    /// Run whole batches of invented players, from start to ended and readable
    ///
    /// Simulates sixty days in a temporary folder, then measures so many batches of the last one through the real parts,
    /// with the state in the store of --state. The median is the figure to quote.
    Batch(super::bench_batch::BatchArgs),

    /// Time one model, a batch of rows at a time, on one thread
    ///
    /// The rows are invented, the same each time. The median and the least time of a batch, per row, in microseconds.
    Inference(super::bench_inference::InferenceArgs),
}

/// Arguments of `tipoff bench jobs`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobsArgs {
    /// Jobs of the batch, at most 100000
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    jobs: usize,

    /// Jobs of one claim, at most 500
    #[arg(long, value_name = "N", default_value_t = 250)]
    chunk: usize,

    /// Workers at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    parallel: usize,
}

/// `tipoff bench jobs`.
pub(crate) async fn bench(command: &BenchCommand, config: &Config, out: Output) -> Result<Exit, Failure> {
    let args = match command {
        BenchCommand::Jobs(args) => args,
        BenchCommand::Batch(args) => return super::bench_batch::bench_batch(args, config, out).await,
        BenchCommand::Inference(args) => return super::bench_inference::bench_inference(args, config, out),
    };
    make_folders(config)?;
    let store = state::open(&config.state, OpenOptions::default()).await.map_err(Failure::failed)?;
    let report = bench_jobs(store, args.jobs, args.chunk, args.parallel).await.map_err(Failure::failed)?;
    let kind = config.state.to_string().split(':').next().unwrap_or_default().to_owned();
    out.either(&Measured { store: kind, report }, |measured| page(&measured.report))?;
    Ok(Exit::Ok)
}

/// A report with the kind of its store.
#[derive(Debug, serde::Serialize)]
struct Measured {
    store: String,
    #[serde(flatten)]
    report: BenchReport,
}

fn page(report: &BenchReport) -> String {
    let BenchReport { jobs, chunk, parallel, fill_seconds, seconds, jobs_per_second } = report;
    format!(
        "{jobs} jobs in chunks of {chunk} by {parallel} workers: {seconds:.3} s, {jobs_per_second:.0} jobs/s (filled in {fill_seconds:.3} s)\n"
    )
}
