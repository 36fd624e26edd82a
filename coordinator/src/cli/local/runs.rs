//! `tipoff runs`: what was run, when, and how it ended.

use warehouse::RunRecord;

use super::tables::{failure, open_existing};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Arguments of `tipoff runs`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunsArgs {
    /// Only one stage
    ///
    /// `ingest`, `features`, `predict` …
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,

    /// Runs at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

/// `tipoff runs`.
pub(crate) async fn runs(args: &RunsArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let warehouse = open_existing(config).await?;
    let runs = warehouse.runs(args.stage.as_deref(), args.limit).await.map_err(failure)?;
    out.either(&runs, |runs| page(runs))?;
    Ok(Exit::Ok)
}

fn page(runs: &[RunRecord]) -> String {
    let rows = runs.iter().map(|run| {
        let date = run.game_date.map(|date| date.to_string()).unwrap_or_default();
        let took = run
            .finished_at
            .map(|end| format!("{:.1} s", (end - run.started_at).total(jiff::Unit::Second).unwrap_or(0.0)));
        vec![
            format!("{:.0}", run.started_at),
            run.stage.clone(),
            date,
            run.status.clone(),
            took.unwrap_or_default(),
            run.error.clone().unwrap_or_else(|| figures(&run.counts)),
        ]
    });
    table(&["started", "stage", "date", "status", "took", "counts or error"], &[4], rows) + "\n"
}

/// Counts of a run; what was overridden to get them comes first.
fn figures(counts: &serde_json::Value) -> String {
    let overridden = counts["overridden"].as_array().into_iter().flatten();
    let overridden: Vec<&str> = overridden.filter_map(serde_json::Value::as_str).collect();
    match overridden.as_slice() {
        [] => counts.to_string(),
        sentences => format!("OVERRIDDEN: {}; {counts}", sentences.join("; ")),
    }
}
