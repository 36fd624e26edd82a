//! Each stage a person runs leaves a row in `runs`: when, what came of it, and why not.

use jiff::civil::Date;
use serde::Serialize;
use warehouse::{ErrorClass, RunEnd, RunStart, Warehouse};

use super::tables::failure;
use crate::cli::failure::Failure;
use crate::config::Config;

/// Runs a stage and records it. A record that cannot be written does not undo the stage's work; it is said.
pub(crate) async fn recorded<T: Serialize>(
    warehouse: &Warehouse,
    config: &Config,
    stage: &str,
    game_date: Option<Date>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let run_id = uuid::Uuid::new_v4().to_string();
    let started_at = config.now();
    let start =
        RunStart { run_id: run_id.clone(), stage: stage.to_owned(), game_date, batch_id: None, started_at };
    warehouse.run_start(&start).await.map_err(failure)?;
    let done = work.await;
    let (end, counts) = match &done {
        Ok(counts) => (RunEnd::Success, serde_json::to_value(counts).unwrap_or_default()),
        Err(failure) => {
            let error = failure.message.clone();
            (RunEnd::Failed { error, class: ErrorClass::Input }, serde_json::Value::Null)
        }
    };
    if let Err(error) = warehouse.run_finish(&run_id, &end, &counts, config.now()).await {
        tracing::warn!("the record of run `{run_id}` was not closed: {error}");
    }
    done
}
