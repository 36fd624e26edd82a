//! `GET /runs`, `POST /runs`: what was run, and one stage again by hand.

use jiff::Timestamp;
use pipeline::stages::{Stage, StageEnd, StageRequest, run_stage};
use proto::api::RunStage;
use warehouse::{ErrorClass, RunEnd, RunRecord, RunStart};

use super::{Service, ServiceError};

/// Most runs of one answer.
const MOST_RUNS: u32 = 1_000;

impl Service {
    /// Runs, newest first.
    pub async fn runs(
        &self,
        stage: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Vec<RunRecord>, ServiceError> {
        let limit = limit.unwrap_or(100).min(MOST_RUNS);
        Ok(self.context.warehouse.runs(stage, limit).await?)
    }

    /// Runs one stage of one date and records it, whatever comes of it.
    pub async fn run_stage(&self, request: RunStage) -> Result<RunRecord, ServiceError> {
        let stage: Stage = request.stage.parse().map_err(|why: String| ServiceError::field("stage", why))?;
        let (warehouse, now) = (&self.context.warehouse, self.context.now());
        let game_date = self.slate_of(&request.game_date)?.game_date;
        let run_id = uuid::Uuid::from_u128(self.context.random()).to_string();
        let stage_name = stage.as_str().to_owned();
        let start = RunStart {
            run_id: run_id.clone(),
            stage: stage_name.clone(),
            game_date: Some(game_date),
            batch_id: None,
            started_at: now,
        };
        warehouse.run_start(&start).await?;
        let machine_now = Timestamp::from_millisecond(self.context.wall_clock()).unwrap_or(now);
        let ended = self
            .stage(StageRequest {
                stage,
                game_date,
                override_dependency: request.override_dependency,
                now,
                machine_now,
                accept: Vec::new(),
                lines: (*self.context.lines).clone(),
            })
            .await;
        let (end, counts) = match &ended {
            Ok(StageEnd::Done(report)) => {
                (RunEnd::Success, serde_json::to_value(report).map_err(ServiceError::internal)?)
            }
            Ok(StageEnd::NotReady(unmet)) => (failed(unmet.join("; ")), serde_json::Value::Null),
            Err(error) => (failed(error.to_string()), serde_json::Value::Null),
        };
        let finished_at = self.context.now();
        warehouse.run_finish(&run_id, &end, &counts, finished_at).await?;
        match ended? {
            StageEnd::NotReady(missing) => Err(ServiceError::Incomplete {
                detail: format!(
                    "{stage_name} of {game_date} is not ready to run; `override_dependency` runs it anyway, recorded"
                ),
                missing,
            }),
            StageEnd::Done(_) => Ok(RunRecord {
                run_id,
                stage: stage_name,
                game_date: Some(game_date),
                batch_id: None,
                status: "success".to_owned(),
                started_at: now,
                finished_at: Some(finished_at),
                counts,
                error: None,
                error_class: None,
            }),
        }
    }

    /// Arithmetic for a second: no thread that answers requests shall do it.
    async fn stage(&self, request: StageRequest) -> Result<StageEnd, ServiceError> {
        let warehouse = self.context.warehouse.clone();
        let work = tokio::task::spawn_blocking(move || {
            tokio::runtime::Handle::current().block_on(run_stage(&warehouse, &request))
        });
        match work.await.map_err(ServiceError::internal)? {
            Ok(end) => Ok(end),
            Err(pipeline::Error::Warehouse(error)) => Err(error.into()),
            Err(error) => Err(ServiceError::internal(error)),
        }
    }
}

fn failed(error: String) -> RunEnd {
    RunEnd::Failed { error, class: ErrorClass::Input }
}
