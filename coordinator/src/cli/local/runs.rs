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
    let json: Vec<serde_json::Value> = runs.iter().map(as_json).collect();
    out.either(&json, |_| page(&runs))?;
    Ok(Exit::Ok)
}

fn as_json(run: &RunRecord) -> serde_json::Value {
    serde_json::json!({
        "run_id": run.run_id,
        "stage": run.stage,
        "game_date": run.game_date,
        "batch_id": run.batch_id,
        "status": run.status,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "counts": run.counts,
        "error": run.error,
        "error_class": run.error_class,
    })
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
            run.error.clone().unwrap_or_else(|| run.counts.to_string()),
        ]
    });
    table(&["started", "stage", "date", "status", "took", "counts or error"], &[4], rows) + "\n"
}
