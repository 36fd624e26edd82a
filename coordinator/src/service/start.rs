//! `POST /start`: what is asked for, whether it can be, and the answer; [`super::opening`] does it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pipeline::stages::missing_inputs;
use proto::api::{NothingStarted, Only, PlayerLine, StartRequest, StartSummary, Started, StateReason};
use proto::league_time::league_date;
use proto::{BatchId, Job, OutcomeKind, RunMode, Slate};
use protocol::Millis;
use rules::gate::{Gate, before_predict};
use warehouse::{BatchRecord, Completeness, LoadSlate, SlateInputs, SlateLoad};

use super::jobs::{Wanted, build};
use super::opening::Claim;
use super::operate::check_coverage;
use super::{Service, ServiceError};

/// Answer to a start.
#[derive(Debug, Clone, PartialEq)]
pub enum StartOutcome {
    /// A batch runs, or a dry run said what would.
    Started(Box<Started>),
    /// There is nothing to run.
    Nothing(NothingStarted),
}

/// A request with every default filled in.
pub(super) struct Plan {
    pub(super) slate: Slate,
    pub(super) wanted: Wanted,
    pub(super) finish_by_ms: Millis,
    pub(super) min_coverage: f64,
    pub(super) whole_slate: bool,
    force: bool,
    dry_run: bool,
    pub(super) request_json: String,
    /// Whether a slate is left alone whose inputs are newer than its features.
    pub(super) only_fresh: bool,
}

impl Service {
    /// Starts a batch for a slate, or says why not. Whose features are older than their inputs is skipped with that reason.
    pub async fn start(&self, request: StartRequest, request_id: &str) -> Result<StartOutcome, ServiceError> {
        self.carry_out(self.plan(&request)?, request_id).await
    }

    /// The same for features that were built a moment ago: when an input came in since, nothing is started
    /// ([`ServiceError::Busy`]), for a batch would find everybody of its game stale, and the next one would predict all
    /// of them again.
    pub async fn start_fresh(
        &self,
        request: StartRequest,
        request_id: &str,
    ) -> Result<StartOutcome, ServiceError> {
        self.carry_out(Plan { only_fresh: true, ..self.plan(&request)? }, request_id).await
    }

    async fn carry_out(&self, plan: Plan, request_id: &str) -> Result<StartOutcome, ServiceError> {
        self.refuse_if_open(&plan.slate, plan.dry_run).await?;
        let gate = self.context.start_gate.lock().await;
        self.refuse_if_open(&plan.slate, plan.dry_run).await?;
        let found = self.context.warehouse.completeness(plan.slate).await?;
        if found.games_on_date == 0 && found.schedule_covers {
            return Ok(nothing("no_games_scheduled", &plan));
        }
        let date = plan.slate.game_date;
        let built_for = match found.any_features {
            true => None,
            false => self.context.warehouse.other_contract_of(date).await?,
        };
        let missing = missing(&found, &plan.slate, built_for.as_deref());
        if !missing.is_empty() && !plan.force && !plan.dry_run {
            let detail =
                format!("the inputs of {} are incomplete; `force` starts anyway", plan.slate.game_date);
            return Err(ServiceError::Incomplete { detail, missing });
        }
        if plan.dry_run || plan.wanted.players.is_some() {
            let inputs = self.look(&plan).await?;
            self.check_players(&inputs, &plan)?;
            if plan.dry_run {
                let games = inputs.games.len();
                let jobs = build(inputs, &plan.wanted, self.context.contract, &self.context.lines);
                return Ok(self.forecast(&plan, games, &jobs, missing));
            }
        }
        let claim = self.claim(&plan).await?;
        drop(gate);
        tracing::info!(batch.id = %claim.batch_id, request.id = request_id, "opened `{}`", claim.batch_id);
        match self.fill(&plan, &claim).await {
            Ok(Some(filled)) => {
                Ok(StartOutcome::Started(Box::new(self.started(&plan, &claim, filled.games, &filled.jobs))))
            }
            Ok(None) => {
                self.withdraw(&claim, "nothing to do").await?;
                Ok(nothing("nothing_to_do", &plan))
            }
            Err(error) => {
                self.give_up(&claim, &error).await;
                Err(error)
            }
        }
    }

    /// The jobs that a request would run now; nothing is claimed.
    pub(super) async fn changed_jobs(&self, request: &StartRequest) -> Result<Vec<Job>, ServiceError> {
        let plan = self.plan(request)?;
        let inputs = self.look(&plan).await?;
        Ok(build(inputs, &plan.wanted, self.context.contract, &self.context.lines))
    }

    fn plan(&self, request: &StartRequest) -> Result<Plan, ServiceError> {
        check_coverage(request.min_coverage)?;
        let (now, defaults) = (self.context.now(), self.context.defaults);
        let slate = self.slate_of(request.game_date.as_deref().unwrap_or("TODAY"))?;
        let backfill = slate.game_date < league_date(now);
        let run_mode =
            request.run_mode.unwrap_or(if backfill { RunMode::Backfill } else { RunMode::Overnight });
        let min_minutes = request.min_minutes.unwrap_or(defaults.min_minutes);
        if !(0.0..=48.0).contains(&min_minutes) {
            return Err(ServiceError::field(
                "min_minutes",
                format!("min_minutes is {min_minutes}, it must be 0 to 48"),
            ));
        }
        let registry = self.context.shelf.registry();
        let known = |pins: &[proto::ModelPin]| -> (BTreeSet<_>, BTreeSet<_>) {
            (
                pins.iter().map(|p| p.market.clone()).collect(),
                pins.iter().map(|p| p.system_id.clone()).collect(),
            )
        };
        let (all_markets, all_systems) = known(&registry.pins());
        let markets = chosen("markets", request.markets.as_deref(), &all_markets)?;
        let systems = chosen("systems", request.systems.as_deref(), &all_systems)?;
        let mut pins = registry.pins();
        pins.retain(|pin| markets.contains(&pin.market) && systems.contains(&pin.system_id));
        pins.sort();
        let finish_by = request.finish_by_seconds.map(finish_by_ms).transpose()?;
        Ok(Plan {
            slate,
            wanted: Wanted {
                as_of: request.as_of.unwrap_or(now),
                run_mode,
                markets,
                systems,
                players: request.players.as_ref().map(|players| players.iter().cloned().collect()),
                min_minutes,
                only_changed: request.only == Only::Changed,
                pins,
            },
            finish_by_ms: finish_by.unwrap_or(defaults.finish_by_ms),
            min_coverage: request.min_coverage.unwrap_or(defaults.min_coverage),
            whole_slate: request.players.is_none() && request.only == Only::All,
            force: request.force,
            dry_run: request.dry_run,
            request_json: serde_json::to_string(request).map_err(ServiceError::internal)?,
            only_fresh: false,
        })
    }

    async fn refuse_if_open(&self, slate: &Slate, dry_run: bool) -> Result<(), ServiceError> {
        match self.context.store.open_batch_of(slate).await? {
            Some(batch_id) if !dry_run => Err(self.already_running(&batch_id).await?),
            _ => Ok(()),
        }
    }

    pub(super) async fn already_running(&self, batch_id: &BatchId) -> Result<ServiceError, ServiceError> {
        let view = self.context.store.batch(batch_id).await?;
        let detail = format!("{batch_id} is open for this date: watch it, consolidate it or reset it");
        Ok(ServiceError::conflict("already-running", detail, view.as_ref()))
    }

    /// The slate without a claim: what is forecast, and whose names are checked. A batch loads under its generation.
    async fn look(&self, plan: &Plan) -> Result<SlateInputs, ServiceError> {
        match self.load(plan, None).await? {
            SlateLoad::Inputs(inputs) => Ok(*inputs),
            SlateLoad::Overtaken { .. } => {
                Err(ServiceError::internal("a look around was refused as overtaken"))
            }
        }
    }

    pub(super) async fn load(&self, plan: &Plan, generation: Option<u64>) -> Result<SlateLoad, ServiceError> {
        let wanted = LoadSlate {
            slate: plan.slate,
            as_of: plan.wanted.as_of,
            generation,
            markets: plan.wanted.markets.clone(),
            settled: plan.wanted.only_changed,
        };
        Ok(self.context.warehouse.load_slate(&wanted).await?)
    }

    fn check_players(&self, inputs: &SlateInputs, plan: &Plan) -> Result<(), ServiceError> {
        let Some(wanted) = &plan.wanted.players else { return Ok(()) };
        let known = |player: &&proto::PlayerLookup| {
            !inputs.players.contains_key(*player) && !inputs.quotes.keys().any(|id| id.player == **player)
        };
        match wanted.iter().find(known) {
            Some(player) => Err(ServiceError::field(
                "players",
                format!(
                    "`{player}` is not on the slate of {}; `tipoff slate` lists who is",
                    plan.slate.game_date
                ),
            )),
            None => Ok(()),
        }
    }

    fn started(&self, plan: &Plan, claim: &Claim, games: usize, jobs: &[Job]) -> Started {
        let id = &claim.batch_id;
        let links = [
            ("status", format!("/status?batch_id={id}")),
            ("players", format!("/batches/{id}/players")),
            ("why", format!("/batches/{id}/why")),
            ("predictions", format!("/predictions?game_date={}", plan.slate.game_date)),
        ];
        Started {
            status: "started".to_owned(),
            batch_id: Some(id.clone()),
            game_date: plan.slate.game_date,
            generation: Some(claim.generation),
            total_jobs: jobs.len() as u64,
            systems: plan.wanted.systems.clone(),
            summary: summary(games, jobs),
            links: links.into_iter().map(|(rel, href)| (rel.to_owned(), href)).collect(),
        }
    }

    /// What a start would do: the gates are run, nothing is claimed or written.
    fn forecast(&self, plan: &Plan, games: usize, jobs: &[Job], missing: Vec<String>) -> StartOutcome {
        let set = self.context.shelf.stock().set_for(&plan.wanted.pins);
        let mut summary = summary(games, jobs);
        summary.missing = missing;
        for job in jobs {
            let gate = before_predict(job, set.needs(), self.context.contract, &self.context.lines);
            let code = match gate {
                Gate::Go(_) => proto::Code::Predicted,
                Gate::End(outcome) => {
                    summary.not_predicted.push(PlayerLine {
                        player_lookup: job.id.player.clone(),
                        name: job.name.clone(),
                        game_id: job.id.game.to_string(),
                        outcome: Some(outcome.kind()),
                        reason: Some(StateReason {
                            code: outcome.code.to_string(),
                            sentence: outcome.sentence,
                        }),
                        codes: outcome.codes,
                        attempts: 0,
                        published: 0,
                        carried: 0,
                    });
                    outcome.code
                }
            };
            *summary.forecast.entry(code.to_string()).or_insert(0) += 1;
        }
        debug_assert!(summary.not_predicted.iter().all(|line| line.outcome != Some(OutcomeKind::Predicted)));
        StartOutcome::Started(Box::new(Started {
            status: "dry_run".to_owned(),
            batch_id: None,
            game_date: plan.slate.game_date,
            generation: None,
            total_jobs: jobs.len() as u64,
            systems: plan.wanted.systems.clone(),
            summary,
            links: BTreeMap::new(),
        }))
    }
}

fn nothing(status: &str, plan: &Plan) -> StartOutcome {
    StartOutcome::Nothing(NothingStarted { status: status.to_owned(), game_date: plan.slate.game_date })
}

fn summary(games: usize, jobs: &[Job]) -> StartSummary {
    let count = |of: &dyn Fn(&Job) -> bool| jobs.iter().filter(|job| of(job)).count() as u64;
    StartSummary {
        games: games as u64,
        players: jobs.len() as u64,
        players_with_quotes: count(&|job| !job.quotes.is_empty()),
        players_with_features: count(&|job| job.features.is_some()),
        ..StartSummary::default()
    }
}

/// What keeps a start from being worth it (design.md 10): a check that fails counts as incomplete.
fn missing(found: &Completeness, slate: &Slate, built_for: Option<&str>) -> Vec<String> {
    let mut missing = missing_inputs(found, slate.game_date);
    if !found.any_features {
        let date = slate.game_date;
        let none = match built_for {
            Some(other) => {
                format!("the features for {date} are of contract {other}, which this build does not read")
            }
            None => format!("no features for {date}"),
        };
        missing.push(format!("{none}; run `tipoff features build --game-date {date}`"));
    }
    missing
}

/// The named ones, each of which must be known, or all; sorted.
fn chosen<T: Ord + Clone + std::fmt::Display>(
    field: &str,
    named: Option<&[T]>,
    all: &BTreeSet<T>,
) -> Result<Vec<T>, ServiceError> {
    let Some(named) = named else { return Ok(all.iter().cloned().collect()) };
    let known = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        return Err(ServiceError::field(field, format!("`{unknown}` has no model; known: {}", known())));
    }
    if named.is_empty() {
        return Err(ServiceError::field(
            field,
            format!("{field} is empty; leave it out for all: {}", known()),
        ));
    }
    Ok(named.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect())
}

/// Finish-by of a request in milliseconds: a second to a day.
pub(super) fn finish_by_ms(seconds: u64) -> Result<Millis, ServiceError> {
    match seconds {
        1..=86_400 => Ok(seconds as Millis * 1_000),
        _ => Err(ServiceError::field("finish_by_seconds", format!("{seconds} is not between 1 and 86400"))),
    }
}

/// When a registered batch was to end, from its stored request.
pub(super) fn finish_by_of(record: &BatchRecord, default_ms: Millis) -> Timestamp {
    let request: Option<StartRequest> =
        record.request.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let ms = request
        .and_then(|request| request.finish_by_seconds)
        .and_then(|seconds| finish_by_ms(seconds).ok())
        .unwrap_or(default_ms);
    let opened_at = record.registered_at.unwrap_or(Timestamp::MIN);
    opened_at.checked_add(jiff::SignedDuration::from_millis(ms)).unwrap_or(opened_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_inputs_are_named() {
        let full = Completeness {
            games_on_date: 7,
            schedule_covers: true,
            games_before: 50,
            final_before: 50,
            with_box_scores: 40,
            any_features: true,
        };
        let slate = Slate::nba(jiff::civil::date(2026, 1, 23));
        assert_eq!(missing(&full, &slate, None), [""; 0]);
        for (found, word) in [
            (Completeness { schedule_covers: false, ..full }, "schedule"),
            (Completeness { with_box_scores: 39, ..full }, "box scores for 39 of the 50"),
            (Completeness { any_features: false, ..full }, "features build"),
        ] {
            let missing = missing(&found, &slate, None);
            assert!(missing.len() == 1 && missing[0].contains(word), "{missing:?}");
        }
        let old = missing(&Completeness { any_features: false, ..full }, &slate, Some("v1"));
        assert!(old[0].contains("are of contract v1") && old[0].contains("features build"), "{old:?}");
        assert_eq!(missing(&Completeness::default(), &slate, None).len(), 2, "nothing known is incomplete");
    }
}
