//! Carrying a plan out: claims, steps in order, dates ascending, progress with the time that is left.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use pipeline::backfill::{DatePlan, Reprocess, Step, lines_outcome};
use pipeline::sources::odds_api;
use pipeline::sources::past::Purse;
use proto::api::{BatchStatus, Only, StartRequest};
use proto::{BatchId, RunMode, Slate};
use warehouse::claims::Claim;
use warehouse::{ErrorClass, RunEnd, RunRecord, Warehouse};

use super::{Buyer, Done, Request, piece};
use crate::cli::failure::Failure;
use crate::cli::local::tables::failure;
use crate::cli::progress::ProgressLine;
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::Instance;
use crate::service::{Service, ServiceError, StartOutcome};

/// How often a batch, or somebody else's piece, is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Longest wait for one batch: its finish-by is a day at most, a backfill's is what the configuration says.
const BATCH_PATIENCE: Duration = Duration::from_secs(3_600);

/// How long workers may finish what they have.
const DRAIN: Duration = Duration::from_secs(2);

/// What the pieces of one backfill share.
struct Backfill<'a> {
    warehouse: &'a Warehouse,
    service: Option<&'a Service>,
    buyer: Option<&'a Buyer>,
    purse: Purse,
    request: &'a Request,
    /// Of the world; claims go by the machine's.
    clock: Clock,
    ttl: SignedDuration,
    done: Mutex<Done>,
    finished: AtomicU64,
    total: u64,
    begun: Instant,
    line: ProgressLine,
}

/// Why a step failed.
struct Trouble {
    class: ErrorClass,
    sentence: String,
}

impl From<String> for Trouble {
    fn from(sentence: String) -> Self {
        Self { class: ErrorClass::Input, sentence }
    }
}

/// Carries out a plan; errors mean the warehouse, what goes wrong with a date is in the answer.
pub(super) async fn carry_out(
    warehouse: &Warehouse,
    config: &Config,
    request: &Request,
    buyer: Option<&Buyer>,
    dates: &[DatePlan],
) -> Result<Done, Failure> {
    let total = dates.iter().map(|date| date.steps.len() as u64).sum();
    if total == 0 {
        return Ok(Done::default());
    }
    let predicts = dates.iter().any(|date| date.steps.contains_key(&Step::Predictions));
    // Late data of other slates is nobody's business here.
    let mut config = config.clone();
    config.watch_every = None;
    let instance = if predicts { Some(Instance::start(&config).await?) } else { None };
    let backfill = Backfill {
        warehouse,
        service: instance.as_ref().map(|instance| &instance.service),
        buyer,
        purse: request.credits.map_or_else(Purse::default, Purse::of),
        request,
        clock: config.clock.clone(),
        ttl: SignedDuration::from_millis(config.timing.lease_ms),
        done: Mutex::default(),
        finished: AtomicU64::new(0),
        total,
        begun: Instant::now(),
        line: ProgressLine::bar(),
    };
    let mut running = futures::stream::iter(dates.iter().filter(|date| !date.steps.is_empty()))
        .map(|date| backfill.date(date))
        .buffer_unordered(request.concurrency);
    let mut first_error = Ok(());
    while let Some(ended) = running.next().await {
        if let (Err(error), Ok(())) = (ended, &first_error) {
            first_error = Err(error);
        }
    }
    drop(running);
    if let Some(instance) = &instance {
        instance.stop(DRAIN).await;
    }
    first_error?;
    Ok(backfill.done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

impl Backfill<'_> {
    /// The steps of one date in order; a step after one that failed is not tried.
    async fn date(&self, plan: &DatePlan) -> Result<(), Failure> {
        for step in plan.steps.keys() {
            let goes_on = self.step(*step, plan.date).await?;
            let finished = self.finished.fetch_add(1, Ordering::Relaxed) + 1;
            let each = self.begun.elapsed().as_secs_f64() / finished as f64;
            let left = each * (self.total.saturating_sub(finished)) as f64;
            let message = format!("{} {}: {left:.0} s left", plan.date, step.as_str());
            self.line.show(finished, self.total, message);
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Claims a step and carries it out, or waits for whoever has it. True when the next step may follow.
    async fn step(&self, step: Step, date: Date) -> Result<bool, Failure> {
        let piece = piece(step, date);
        let (begun, reprocess) = (self.request.begun, self.request.reprocess);
        let mut was_held = false;
        loop {
            // Whatever comes of a piece that somebody else had in hand is this campaign's result, too.
            let again = move |run: &RunRecord| !was_held && may_be_tried_again(run, reprocess, begun);
            let claim = self
                .warehouse
                .claim_piece(&piece, &self.request.owner, self.ttl, Timestamp::now(), again)
                .await;
            match claim.map_err(failure)? {
                Claim::Yours { run_id, before } => {
                    return self.carry(step, date, &run_id, before.as_deref()).await;
                }
                Claim::Held { .. } => {
                    was_held = true;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Claim::Ended(run) => {
                    self.with_done(|done| done.elsewhere += 1);
                    return Ok(run.status == "success");
                }
            }
        }
    }

    async fn carry(
        &self,
        step: Step,
        date: Date,
        run_id: &str,
        before: Option<&str>,
    ) -> Result<bool, Failure> {
        let work = async {
            match step {
                Step::Lines => self.lines(date, before).await,
                Step::Features => self.features(date).await.map_err(Trouble::from),
                Step::Predictions => self.predictions(date).await.map_err(Trouble::from),
            }
        };
        let result = self.renewing(run_id, work).await;
        let (end, counts) = match &result {
            Ok(counts) => (RunEnd::Success, counts.clone()),
            Err(Trouble { class, sentence }) => (
                RunEnd::Failed { error: sentence.clone(), class: *class },
                serde_json::json!({"owner": self.request.owner}),
            ),
        };
        self.warehouse.run_finish(run_id, &end, &counts, Timestamp::now()).await.map_err(failure)?;
        self.with_done(|done| match &result {
            Ok(_) => *done.done.entry(step.as_str()).or_default() += 1,
            Err(Trouble { sentence, .. }) => {
                done.failed.push(format!("{date} {}: {sentence}", step.as_str()));
            }
        });
        Ok(result.is_ok())
    }

    /// Works while prolonging the claim. A claim that was lost meanwhile costs double work, never a wrong result.
    async fn renewing<T>(&self, run_id: &str, work: impl Future<Output = T>) -> T {
        let every = Duration::from_millis((self.ttl.as_millis() / 3).max(1) as u64);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(every) => {
                    if let Err(error) = self.warehouse.renew_piece(run_id, &self.request.owner, Timestamp::now()).await {
                        tracing::warn!(%error, "a claim could not be renewed");
                    }
                }
            }
        }
    }

    /// What the vendor still has to tell of a date. Calls of whoever had the claim before are asked again: he is gone.
    async fn lines(&self, date: Date, before: Option<&str>) -> Result<serde_json::Value, Trouble> {
        let upstream = |sentence: String| Trouble { class: ErrorClass::Upstream, sentence };
        let runner = &self.buyer.ok_or_else(|| "no source is configured".to_owned())?.runner;
        let now = self.clock.now();
        if let Some(gone) = before {
            runner.take_over(odds_api::NAME, gone, date, now).await.map_err(|e| upstream(e.to_string()))?;
        }
        let report = runner.fetch_past(odds_api::NAME, date, now, &self.purse).await;
        let (counts, why) = lines_outcome(&report.map_err(|e| upstream(e.to_string()))?);
        self.with_done(|done| done.calls += counts.calls);
        match why {
            Some(why) => Err(upstream(why)),
            None => Ok(serde_json::json!({"owner": self.request.owner, "lines": counts})),
        }
    }

    async fn features(&self, date: Date) -> Result<serde_json::Value, String> {
        let (warehouse, now) = (self.warehouse.clone(), self.clock.now());
        // Arithmetic for a second: the thread that renews the claim shall not do it.
        let build = tokio::task::spawn_blocking(move || {
            let build = pipeline::features::build_range(&warehouse, date, date, now, |_, _| ());
            tokio::runtime::Handle::current().block_on(build)
        });
        let report = build.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        let blocked: Vec<&String> = report.days.values().flat_map(|day| &day.blocked).collect();
        match blocked.first() {
            Some(why) => Err(format!("the features are blocked: {why}")),
            None => Ok(serde_json::json!({"owner": self.request.owner, "rows": report.rows})),
        }
    }

    /// One batch, as of each tip-off. A batch that is open already, of a process that died or of somebody else, is
    /// waited for; if it published, that is the date's.
    async fn predictions(&self, date: Date) -> Result<serde_json::Value, String> {
        let service = self.service.ok_or("no instance runs")?;
        let slate = Slate::nba(date);
        let again = self.request.reprocess == Reprocess::All;
        let since = Instant::now();
        loop {
            let published = self.warehouse.published_generation(slate).await.map_err(|e| e.to_string())?;
            if published > 0 && !again {
                return Ok(serde_json::json!({"owner": self.request.owner, "generation": published}));
            }
            let request = StartRequest {
                game_date: Some(date.to_string()),
                run_mode: Some(RunMode::Backfill),
                only: Only::All,
                force: self.request.force,
                ..StartRequest::default()
            };
            let status = match service.start(request, "backfill").await {
                Ok(StartOutcome::Nothing(nothing)) => return Err(nothing.status),
                Ok(StartOutcome::Started(started)) => {
                    let batch_id = started.batch_id.ok_or("the start was a forecast only")?;
                    self.ended(service, &batch_id, since).await?
                }
                Err(ServiceError::Conflict { kind: "already-running", batch: Some(open), .. }) => {
                    self.ended(service, &open.batch_id, since).await?;
                    continue;
                }
                Err(ServiceError::Incomplete { detail, missing }) => {
                    return Err(format!("{detail}: {}", missing.join("; ")));
                }
                Err(error) => return Err(error.to_string()),
            };
            return match status.state.as_str() {
                "complete" | "partial" => Ok(serde_json::json!({
                    "owner": self.request.owner, "batch_id": status.batch_id, "state": status.state,
                    "predicted": status.progress.predicted, "rows": status.rows.published,
                })),
                state => {
                    let why = status.state_reason.map(|reason| reason.sentence).unwrap_or_default();
                    Err(format!("{} ended {state}: {why}", status.batch_id))
                }
            };
        }
    }

    async fn ended(
        &self,
        service: &Service,
        batch_id: &BatchId,
        since: Instant,
    ) -> Result<BatchStatus, String> {
        loop {
            match service.batch(batch_id).await {
                Ok(status) if status.ended_at.is_some() => return Ok(status),
                // Not found: withdrawn, or between the two stores for a moment.
                Ok(_) | Err(ServiceError::Unavailable { .. }) => {}
                Err(ServiceError::NotFound { .. }) if since.elapsed() < Duration::from_secs(60) => {}
                Err(error) => return Err(error.to_string()),
            }
            if since.elapsed() > BATCH_PATIENCE {
                return Err(format!(
                    "{batch_id} has not ended within an hour; look at it with `tipoff status`"
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn with_done(&self, change: impl FnOnce(&mut Done)) {
        change(&mut self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// Whether an attempt that has ended may be followed by another one in a campaign that began at `begun`. What another
/// process of the same campaign has done since counts as done.
fn may_be_tried_again(run: &RunRecord, reprocess: Reprocess, begun: Timestamp) -> bool {
    // The plan has looked: a success that is not good any more, for its inputs changed, is done again.
    run.started_at < begun && (run.status == "success" || reprocess != Reprocess::None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn run(status: &str, started_at: &str) -> RunRecord {
        RunRecord {
            run_id: "backfill_features/2025-11-14/1".to_owned(),
            stage: Step::Features.stage().to_owned(),
            game_date: None,
            batch_id: None,
            status: status.to_owned(),
            started_at: started_at.parse().unwrap(),
            finished_at: None,
            counts: serde_json::Value::Null,
            error: None,
            error_class: None,
        }
    }

    #[test]
    fn what_this_campaign_has_done_is_not_done_twice() {
        let begun: Timestamp = "2026-01-23T12:00:00Z".parse().unwrap();
        let (before, since) = ("2026-01-23T11:00:00Z", "2026-01-23T12:00:05Z");
        for (status, started_at, reprocess, again) in [
            ("success", before, Reprocess::None, true),
            ("failed", before, Reprocess::None, false),
            ("failed", before, Reprocess::Failed, true),
            ("success", before, Reprocess::All, true),
            ("success", since, Reprocess::All, false),
            ("failed", since, Reprocess::Failed, false),
            ("success", since, Reprocess::None, false),
        ] {
            let found = may_be_tried_again(&run(status, started_at), reprocess, begun);
            assert_eq!(found, again, "{status} {started_at} {reprocess:?}");
        }
    }
}
