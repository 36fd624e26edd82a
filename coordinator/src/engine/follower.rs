//! Late data: what came after a publication is taken up, by exactly the players it concerns.
//!
//! The predecessor read injuries once and lines when they happened to be there; who was out stayed on the page
//! (incident 60), and the day's second half of lines reached eleven of 104 players (55). Here two things lead to a
//! batch of `only: changed`: a message (an open run, see `Service::accept_event`), and the watcher, which compares each
//! player's inputs with what was tried last and writes such a message itself.
//!
//! # What is promised
//! 1. A message is acted upon once its slate has no open batch, whatever process took it, and stays open until then.
//! 2. Who is affected follows from inputs alone. Acting twice on one message finds nothing to do the second time.
//! 3. What cannot be acted upon is tried ten times, then it is a dead letter; other slates do not wait for it.
//! 4. The watcher tries each change once: who fails with the same inputs again is not tried for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proto::Slate;
use proto::api::ConsolidateRequest;
use proto::league_time::league_date;
use proto::trigger::{Trigger, TriggerKind};
use protocol::backoff::full_jitter;
use warehouse::{ErrorClass, RunEnd, RunRecord};

use crate::service::{Service, ServiceError, StartOutcome};

/// How often a message is tried when the stores are there and the slate is free.
const MOST_TRIES: u32 = 10;

/// How old an open message may be when nobody was there to act on it.
const MOST_AGE: SignedDuration = SignedDuration::from_hours(24);

/// How far back open messages are looked for, once the older ones have been seen.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

/// Takes up what is late. Any number of them may run, in any number of processes.
#[derive(Debug)]
pub struct Follower {
    service: Service,
    tries: BTreeMap<String, Tries>,
    has_looked_far_back: bool,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u32,
    /// By the machine's clock, as every pause between tries.
    not_before: Instant,
}

/// What became of acting on a message.
#[derive(Debug)]
enum Acted {
    /// It has had its effect, or needs none; in words and figures.
    Done(serde_json::Value),
    /// The slate is taken: not a try.
    Wait,
    /// It did not work; perhaps the next time.
    Failed(String),
    /// It cannot work.
    Hopeless(String),
}

impl Follower {
    /// A follower of one instance.
    pub fn new(service: Service) -> Self {
        Self { service, tries: BTreeMap::new(), has_looked_far_back: false }
    }

    /// Acts on every message that can be acted upon now.
    pub async fn round(&mut self) -> Result<(), ServiceError> {
        let context = self.service.context();
        let now = context.now();
        let since = if self.has_looked_far_back { now - LOOK_BACK } else { Timestamp::MIN };
        let open = context.warehouse.open_runs(since).await?;
        self.has_looked_far_back = true;
        let mut by_slate: BTreeMap<(Date, Action), Vec<RunRecord>> = BTreeMap::new();
        for run in open {
            let Some((kind, date)) = TriggerKind::of_stage(&run.stage).zip(run.game_date) else { continue };
            if self.tries.get(&run.run_id).is_none_or(|tries| tries.not_before <= Instant::now()) {
                by_slate.entry((date, Action::of(kind))).or_default().push(run);
            }
        }
        for ((date, action), runs) in by_slate {
            let (runs, forgotten): (Vec<_>, Vec<_>) =
                runs.into_iter().partition(|run| now.duration_since(run.started_at) <= MOST_AGE);
            for run in forgotten {
                self.give_up(&run, "nobody acted on it within a day").await?;
            }
            if !runs.is_empty() {
                let acted = self.act(date, action).await;
                self.note(&runs, acted).await?;
            }
        }
        Ok(())
    }

    /// Compares inputs with what was tried last, for tonight and tomorrow; a difference becomes a message.
    pub async fn watch(&mut self) -> Result<(), ServiceError> {
        let now = self.service.context().now();
        let today = league_date(now);
        for date in [Some(today), today.checked_add(1.day()).ok()].into_iter().flatten() {
            if self.service.context().store.open_batch_of(&Slate::nba(date)).await?.is_some() {
                continue;
            }
            // Whose game has begun is settled: his rows may not change any more.
            let mut affected = self.service.affected(date).await?;
            affected.retain(|player| player.tip_off > now);
            if affected.is_empty() {
                continue;
            }
            let players: Vec<String> = affected.iter().map(|one| one.id.player.to_string()).collect();
            tracing::info!(game_date = %date, "the inputs of {} players differ: {}", players.len(), named(&players));
            let trigger = Trigger {
                kind: TriggerKind::InputsChanged,
                id: format!("{date}/{}", now.as_millisecond()),
                source: "watcher".to_owned(),
                time: now,
                game_date: date,
            };
            self.service.mark(&trigger).await?;
        }
        Ok(())
    }

    async fn act(&self, date: Date, action: Action) -> Acted {
        match action {
            Action::Follow { may_be_first } => {
                let kind = if may_be_first { TriggerKind::FeaturesReady } else { TriggerKind::InputsChanged };
                followed(self.service.follow(kind, date, "late-data").await)
            }
            Action::Consolidate => {
                let request =
                    ConsolidateRequest { game_date: Some(date.to_string()), ..ConsolidateRequest::default() };
                match self.service.consolidate(request).await {
                    Ok(answer) => Acted::Done(serde_json::json!({
                        "result": answer.status, "batch_id": answer.batch_id, "state": answer.state,
                    })),
                    Err(error) => failed(&error),
                }
            }
        }
    }

    async fn note(&mut self, runs: &[RunRecord], acted: Acted) -> Result<(), ServiceError> {
        for run in runs {
            match &acted {
                Acted::Done(counts) => {
                    self.tries.remove(&run.run_id);
                    self.end(&run.run_id, &RunEnd::Success, counts).await?;
                }
                Acted::Wait => {}
                Acted::Hopeless(why) => self.give_up(run, why).await?,
                Acted::Failed(why) => {
                    let count = self.tries.get(&run.run_id).map_or(0, |tries| tries.count) + 1;
                    if count >= MOST_TRIES {
                        self.give_up(run, &format!("tried {count} times: {why}")).await?;
                        continue;
                    }
                    // Ten times a worker's backoff: what is missing comes in minutes, not in seconds.
                    let wait_ms = 10 * full_jitter(count + 3, self.service.context().random() as u64);
                    let not_before = Instant::now() + Duration::from_millis(wait_ms.unsigned_abs());
                    tracing::warn!(run = %run.run_id, "a change waits, try {count} failed: {why}");
                    self.tries.insert(run.run_id.clone(), Tries { count, not_before });
                }
            }
        }
        Ok(())
    }

    /// The letter first: a message is never ended without one.
    async fn give_up(&mut self, run: &RunRecord, why: &str) -> Result<(), ServiceError> {
        self.tries.remove(&run.run_id);
        let body = serde_json::json!({"stage": run.stage, "game_date": run.game_date}).to_string();
        self.service.bury(&run.run_id, body.as_bytes(), why).await?;
        let end = RunEnd::Failed { error: why.to_owned(), class: ErrorClass::Input };
        self.end(&run.run_id, &end, &serde_json::Value::Null).await
    }

    async fn end(&self, run_id: &str, end: &RunEnd, counts: &serde_json::Value) -> Result<(), ServiceError> {
        let context = self.service.context();
        Ok(context.warehouse.run_finish(run_id, end, counts, context.now()).await?)
    }
}

/// Runs until the instance stops. `watch_every` of none: only messages lead to anything.
pub(crate) async fn run(service: Service, look_every: Duration, watch_every: Option<Duration>) {
    let mut follower = Follower::new(service.clone());
    let mut watched: Option<Instant> = None;
    loop {
        let due = |every| watched.is_none_or(|at: Instant| at.elapsed() >= every);
        if watch_every.is_some_and(due) {
            watched = Some(Instant::now());
            if let Err(error) = follower.watch().await {
                tracing::warn!(%error, "the watcher could not look; it looks again");
            }
        }
        if let Err(error) = follower.round().await {
            tracing::warn!(%error, "messages about changes wait");
        }
        tokio::select! {
            () = service.context().follower_rung() => {}
            () = tokio::time::sleep(look_every) => {}
        }
    }
}

/// What messages of a slate lead to; those with the same action are one act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Consolidate,
    Follow { may_be_first: bool },
}

impl Action {
    fn of(kind: TriggerKind) -> Self {
        match kind {
            TriggerKind::Consolidate => Self::Consolidate,
            TriggerKind::FeaturesReady => Self::Follow { may_be_first: true },
            TriggerKind::LinesUpdated
            | TriggerKind::InjuryChanged
            | TriggerKind::ScheduleChanged
            | TriggerKind::InputsChanged => Self::Follow { may_be_first: false },
        }
    }
}

fn followed(answer: Result<Option<StartOutcome>, ServiceError>) -> Acted {
    match answer {
        Ok(Some(StartOutcome::Started(started))) => Acted::Done(serde_json::json!({
            "result": "started", "batch_id": started.batch_id, "players": started.total_jobs,
        })),
        Ok(Some(StartOutcome::Nothing(nothing))) => {
            Acted::Done(serde_json::json!({"result": nothing.status}))
        }
        Ok(None) => Acted::Done(serde_json::json!({"result": "nothing_published"})),
        Err(ServiceError::Conflict { kind: "already-running", .. }) => Acted::Wait,
        Err(error) => failed(&error),
    }
}

fn failed(error: &ServiceError) -> Acted {
    match error {
        // Somebody is filling it: it can be consolidated in a moment.
        ServiceError::Conflict { kind: "filling", .. } => Acted::Wait,
        ServiceError::Conflict { .. } | ServiceError::NotFound { .. } | ServiceError::Invalid { .. } => {
            Acted::Hopeless(error.to_string())
        }
        ServiceError::Incomplete { detail, missing } => {
            Acted::Failed(format!("{detail}: {}", missing.join("; ")))
        }
        ServiceError::Busy { .. }
        | ServiceError::Unavailable { .. }
        | ServiceError::Gone { .. }
        | ServiceError::Internal { .. } => Acted::Failed(error.to_string()),
    }
}

/// The first few names, and how many more.
fn named(players: &[String]) -> String {
    const MOST: usize = 10;
    let shown = players.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match players.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict(kind: &'static str) -> ServiceError {
        ServiceError::Conflict { kind, detail: "why".to_owned(), batch: None, receipt: None }
    }

    #[test]
    fn a_taken_slate_is_waited_for_and_a_hopeless_message_is_not_tried_again() {
        let shape = |acted: &Acted| match acted {
            Acted::Done(_) => "done",
            Acted::Wait => "wait",
            Acted::Failed(_) => "failed",
            Acted::Hopeless(_) => "hopeless",
        };
        let text = || "why".to_owned();
        for (error, wanted) in [
            (conflict("already-running"), "wait"),
            (conflict("filling"), "wait"),
            (conflict("below-coverage"), "hopeless"),
            (ServiceError::NotFound { detail: text() }, "hopeless"),
            (ServiceError::Invalid { field: None, detail: text() }, "hopeless"),
            (ServiceError::Incomplete { detail: text(), missing: vec![] }, "failed"),
            (ServiceError::Unavailable { detail: text() }, "failed"),
            (ServiceError::Busy { detail: text() }, "failed"),
        ] {
            let acted = followed(Err(error));
            assert_eq!(shape(&acted), wanted, "{acted:?}");
        }
        assert_eq!(shape(&followed(Ok(None))), "done");
    }

    #[test]
    fn a_long_list_of_players_is_cut() {
        let players: Vec<String> = (0..12).map(|n| format!("p{n}")).collect();
        assert!(named(&players).ends_with("p9 and 2 more"));
        assert_eq!(named(&players[..2]), "p0, p1");
    }
}
