//! Reset, consolidate and live changes: what an operator does to an open batch.

use std::time::Instant;

use proto::api::{
    BatchStatus, ConsolidateAnswer, ConsolidateForecast, ConsolidateRequest, PatchBatch, ResetAnswer,
    ResetRequest,
};
use proto::{BatchId, EndState, Receipt};
use protocol::ops::{BatchView, Closed, Patched};
use protocol::verdict::coverage_if_closed_now;
use protocol::{BatchState, CloseReason};

use super::{LOOK_EVERY, Service, ServiceError, VERDICT_WAIT};

impl Service {
    /// Ends a batch for good without publishing it; answers when a verdict stands, or `closing` after 20 s.
    pub async fn reset(&self, request: ResetRequest) -> Result<ResetAnswer, ServiceError> {
        let batch_id = match (request.batch_id, &request.game_date) {
            (Some(batch_id), _) => batch_id,
            (None, Some(date)) => {
                let slate = self.slate_of(date)?;
                self.context.store.open_batch_of(&slate).await?.ok_or_else(|| {
                    ServiceError::not_found(format!("{} has no open batch to reset", slate.game_date))
                })?
            }
            (None, None) => return Err(ServiceError::field("batch_id", "name a batch_id or a game_date")),
        };
        let view = self.context.store.batch(&batch_id).await?;
        let discarded_rows = view.as_ref().map_or(0, |view| view.staged_rows);
        let open = view.as_ref().filter(|view| view.state.is_open());
        if let (true, Some(view)) = (request.dry_run, open) {
            return Ok(ResetAnswer {
                status: "dry_run".to_owned(),
                batch_id,
                state: view.state.to_string(),
                generation: view.generation,
                discarded_rows,
            });
        }
        if !request.dry_run && open.is_some() {
            self.context.store.close(&batch_id, CloseReason::Reset, None, self.context.wall_clock()).await?;
            self.context.ring_finalizer(&batch_id);
        }
        match self.wait_for_verdict(&batch_id).await? {
            Some(receipt) => reset_answer(receipt, discarded_rows, request.dry_run),
            None if open.is_some() => Ok(ResetAnswer {
                status: "closing".to_owned(),
                batch_id,
                state: BatchState::Finalizing.to_string(),
                generation: view.map_or(0, |view| view.generation),
                discarded_rows,
            }),
            None => Err(ServiceError::not_found(format!("there is no batch {batch_id}"))),
        }
    }

    /// Ends what is open as abandoned and publishes the rest, unless too little is there.
    pub async fn consolidate(&self, request: ConsolidateRequest) -> Result<ConsolidateAnswer, ServiceError> {
        check_coverage(request.min_coverage)?;
        let batch_id = match (request.batch_id, &request.game_date) {
            (Some(batch_id), _) => batch_id,
            (None, Some(date)) => self.newest_of(date).await?,
            (None, None) => return Err(ServiceError::field("batch_id", "name a batch_id or a game_date")),
        };
        let view = self.context.store.batch(&batch_id).await?.filter(|view| view.state.is_open());
        let Some(view) = view else { return self.already_ended(&batch_id).await };
        if request.dry_run {
            return Ok(consolidate_forecast(&view, request.min_coverage));
        }
        let now = self.context.wall_clock();
        match self.context.store.close(&batch_id, CloseReason::Operator, request.min_coverage, now).await? {
            Closed::Finalizing(_) => self.context.ring_finalizer(&batch_id),
            Closed::Ended(_) | Closed::Unknown => return self.already_ended(&batch_id).await,
            Closed::Refused(state) => {
                let detail =
                    format!("{batch_id} is {state}: there is nothing to publish yet; wait, or reset it");
                return Err(ServiceError::conflict("filling", detail, Some(&view)));
            }
            Closed::BelowCoverage { coverage, min_coverage } => {
                let detail = format!(
                    "{:.1} % of the owed players are predicted, {:.1} % are required; nothing was ended. Wait, or \
                     consolidate with a lower min_coverage",
                    coverage * 100.0,
                    min_coverage * 100.0
                );
                return Err(ServiceError::conflict("below-coverage", detail, Some(&view)));
            }
        }
        let receipt = self.wait_for_verdict(&batch_id).await?;
        let state = receipt.as_ref().map_or(BatchState::Finalizing, |r| BatchState::Ended(r.verdict.state));
        let status = if receipt.is_some() { "consolidated" } else { "closing" };
        let state = state.to_string();
        Ok(ConsolidateAnswer { status: status.to_owned(), batch_id, state, receipt, forecast: None })
    }

    /// Changes finish-by or the coverage floor of a batch that is not closed yet.
    pub async fn patch(&self, batch_id: &BatchId, patch: PatchBatch) -> Result<BatchStatus, ServiceError> {
        check_coverage(patch.min_coverage)?;
        let finish_by_ms = patch.finish_by_seconds.map(super::start::finish_by_ms).transpose()?;
        let now = self.context.wall_clock();
        match self.context.store.patch(batch_id, finish_by_ms, patch.min_coverage, now).await? {
            Patched::Patched => self.batch(batch_id).await,
            Patched::Frozen(state) => {
                let view = self.context.store.batch(batch_id).await?;
                let detail = format!("{batch_id} is {state}: its finish-by and coverage are frozen");
                Err(ServiceError::conflict("frozen", detail, view.as_ref()))
            }
            Patched::Unknown => {
                let ended = self.ended_status(batch_id).await?;
                Err(ServiceError::Conflict {
                    kind: "frozen",
                    detail: format!("{batch_id} has ended: its finish-by and coverage are frozen"),
                    receipt: ended.receipt.clone().map(Box::new),
                    batch: Some(Box::new(ended)),
                })
            }
        }
    }

    async fn already_ended(&self, batch_id: &BatchId) -> Result<ConsolidateAnswer, ServiceError> {
        let receipt = self.receipt(batch_id).await?;
        let receipt =
            receipt.ok_or_else(|| ServiceError::not_found(format!("there is no batch {batch_id}")))?;
        Ok(ConsolidateAnswer {
            status: "ended".to_owned(),
            batch_id: batch_id.clone(),
            state: receipt.verdict.state.to_string(),
            receipt: Some(receipt),
            forecast: None,
        })
    }

    /// The receipt, as soon as a verdict stands; none after 20 s.
    async fn wait_for_verdict(&self, batch_id: &BatchId) -> Result<Option<Receipt>, ServiceError> {
        let started = Instant::now();
        loop {
            if let Some(receipt) = self.receipt(batch_id).await? {
                // The slate is free once the store has copied the verdict: a new start may follow at once.
                let open = self.context.store.batch(batch_id).await?.is_some_and(|view| view.state.is_open());
                if !open {
                    return Ok(Some(receipt));
                }
            } else if self.context.store.batch(batch_id).await?.is_none() {
                return Ok(None);
            }
            if started.elapsed() >= VERDICT_WAIT {
                return Ok(None);
            }
            // Late is no failure: then it looks again.
            let _ = tokio::time::timeout(LOOK_EVERY, self.context.ended_rung()).await;
        }
    }
}

fn reset_answer(receipt: Receipt, discarded_rows: u64, dry_run: bool) -> Result<ResetAnswer, ServiceError> {
    let state = receipt.verdict.state;
    if state.is_published() {
        return Err(ServiceError::Conflict {
            kind: "already-published",
            detail: format!("{} is {state}: its rows are published and stay", receipt.batch_id),
            batch: None,
            receipt: Some(Box::new(receipt)),
        });
    }
    debug_assert!(matches!(state, EndState::Failed | EndState::Reset));
    Ok(ResetAnswer {
        status: if dry_run { "dry_run" } else { "reset" }.to_owned(),
        batch_id: receipt.batch_id,
        state: state.to_string(),
        generation: receipt.generation,
        discarded_rows,
    })
}

fn consolidate_forecast(view: &BatchView, min_coverage: Option<f64>) -> ConsolidateAnswer {
    let open = view.queued + view.leased;
    ConsolidateAnswer {
        status: "dry_run".to_owned(),
        batch_id: view.batch_id.clone(),
        state: view.state.to_string(),
        receipt: None,
        forecast: Some(ConsolidateForecast {
            coverage: coverage_if_closed_now(&view.jobs, open),
            min_coverage: min_coverage.unwrap_or(view.min_coverage),
            would_abandon: open,
            would_publish: view.staged_rows,
        }),
    }
}

/// A share, if one is given.
pub(super) fn check_coverage(min_coverage: Option<f64>) -> Result<(), ServiceError> {
    match min_coverage {
        Some(share) if !(0.0..=1.0).contains(&share) => {
            Err(ServiceError::field("min_coverage", format!("min_coverage is {share}, it must be 0 to 1")))
        }
        _ => Ok(()),
    }
}
