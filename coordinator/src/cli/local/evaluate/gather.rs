//! Answers as they would have been published, and what came of them.
//!
//! Each game is predicted as of its own tip-off by the path a batch takes: the slate's load, the jobs' build, the worker's
//! chunk. No batch is opened and nothing is written. Results are joined afterwards; nothing a model sees depends on them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::codec::{decode_outcome, encode_job};
use proto::features::FeatureContract;
use proto::league_time::start_of;
use proto::tables::PlayerGameRow;
use proto::{Code, FeatureSource, GameKey, Job, JobId, Market, PredictionRow, RunMode, Slate, SystemId};
use protocol::ops::ClaimedJob;
use protocol::worker::JobResult;
use rules::evaluate::Scored;
use serde::Serialize;
use warehouse::{AsOf, LoadSlate, SlateInputs, SlateLoad, Warehouse};
use workers::{Rulebook, predict_chunk};

use super::walk::{Refit, Walk};
use crate::cli::failure::Failure;
use crate::cli::local::tables::failure;
use crate::service::jobs::{Wanted, build};

/// The median of the books' lines, as if it were a prediction.
pub(super) const CONSENSUS: &str = "consensus_line";
/// The mean of a player's last ten games, as if it were a prediction.
pub(super) const LAST_TEN: &str = "last_ten_average";

/// What is evaluated.
pub(super) struct Window<'a> {
    pub(super) from: Date,
    pub(super) to: Date,
    pub(super) market: Option<&'a Market>,
    pub(super) rulebook: &'a Rulebook,
    pub(super) min_minutes: f64,
}

/// Rows of one system that are in no figure, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(in crate::cli::local) struct LeftOut {
    /// Its training window reaches the date: a result it may have seen proves nothing.
    pub(in crate::cli::local) in_sample: u64,
    /// The player did not play.
    pub(in crate::cli::local) void: u64,
    /// The game has no box score yet.
    pub(in crate::cli::local) no_result: u64,
    /// Rows that count but for their probability, because its calibration was fitted on that date or later.
    pub(in crate::cli::local) probability_in_sample: u64,
}

/// Everything that was found in the window.
#[derive(Debug, Default)]
pub(in crate::cli::local) struct Gathered {
    pub(in crate::cli::local) scored: Vec<Scored>,
    pub(in crate::cli::local) left_out: BTreeMap<(Market, SystemId), LeftOut>,
    /// Players by how their jobs ended.
    pub(in crate::cli::local) jobs: BTreeMap<String, u64>,
    pub(in crate::cli::local) games: u64,
    /// Dates with games and without any feature row.
    pub(in crate::cli::local) without_features: Vec<Date>,
    /// Dates with games before the first refit.
    pub(in crate::cli::local) without_models: Vec<Date>,
    /// First days of the refits that answered; empty for one set of models.
    pub(in crate::cli::local) refits: BTreeSet<Date>,
}

/// Goes through the window by date; `tell` hears of each.
pub(super) async fn gather(
    warehouse: &Warehouse,
    walk: &mut Walk,
    window: &Window<'_>,
    tell: impl Fn(Date, usize),
) -> Result<Gathered, Failure> {
    let results = Results::read(warehouse, window.from, window.to).await?;
    let mut gathered = Gathered::default();
    let mut date = window.from;
    while date <= window.to {
        tell(date, gathered.scored.len());
        gathered.day(warehouse, walk, window, &results, date).await?;
        let Ok(next) = date.checked_add(1.day()) else { break };
        date = next;
    }
    Ok(gathered)
}

impl Gathered {
    async fn day(
        &mut self,
        warehouse: &Warehouse,
        walk: &mut Walk,
        window: &Window<'_>,
        results: &Results,
        date: Date,
    ) -> Result<(), Failure> {
        let games = warehouse.games_on(date).await.map_err(failure)?.len() as u64;
        if games == 0 {
            return Ok(());
        }
        let Some(refit) = walk.on(date) else {
            self.without_models.push(date);
            return Ok(());
        };
        self.games += games;
        let wanted = wanted(refit, window, end_of(date));
        if wanted.pins.is_empty() {
            // Nobody answers for the market that was asked for.
            return Ok(());
        }
        // Tip-offs by the newest word on them; then each as it was known at that instant.
        let seen = load(warehouse, date, &wanted).await?;
        self.refits.extend(refit.from);
        if seen.features.is_empty() {
            self.without_features.push(date);
            return Ok(());
        }
        let mut by_tip: BTreeMap<Timestamp, HashSet<GameKey>> = BTreeMap::new();
        for game in &seen.games {
            let tip = game.tip_off.unwrap_or_else(|| end_of(date));
            by_tip.entry(tip).or_default().insert(game.row.game_id);
        }
        for (tip, games) in by_tip {
            let wanted = Wanted { as_of: tip, ..wanted.clone() };
            let inputs = load(warehouse, date, &wanted).await?;
            let rulebook = window.rulebook;
            let mut jobs = build(inputs, &wanted, rulebook.contract, &rulebook.lines);
            jobs.retain(|job| games.contains(&job.id.game));
            self.answer(rulebook, refit, jobs, results);
        }
        Ok(())
    }

    /// Predicts the jobs as a worker would and joins the results.
    fn answer(&mut self, rulebook: &Rulebook, refit: &Refit, jobs: Vec<Job>, results: &Results) {
        let claimed: Vec<ClaimedJob> = jobs
            .iter()
            .enumerate()
            .map(|(seq, job)| ClaimedJob {
                seq: seq as u32,
                id: job.id.clone(),
                attempts: 0,
                payload: encode_job(job),
            })
            .collect();
        let version = &rulebook.contract.version;
        let mut ended = Vec::with_capacity(jobs.len());
        predict_chunk(rulebook, &refit.set, version, &claimed, Timestamp::UNIX_EPOCH, &mut |result| {
            ended.push(result);
        });
        ended.sort_by_key(JobResult::seq);
        for (job, result) in jobs.iter().zip(ended) {
            let outcome = match result {
                JobResult::Completed(completion) => decode_outcome(&completion.body).ok(),
                JobResult::Refused { .. } | JobResult::Retry { .. } => None,
            };
            let code = outcome.as_ref().map_or(Code::Error, |outcome| outcome.code);
            *self.jobs.entry(code.to_string()).or_default() += 1;
            let rows = outcome.map(|outcome| outcome.rows).unwrap_or_default();
            self.join(rulebook.contract, refit, job, &rows, results);
        }
    }

    fn join(
        &mut self,
        contract: &FeatureContract,
        refit: &Refit,
        job: &Job,
        rows: &[PredictionRow],
        results: &Results,
    ) {
        let mut markets_seen = BTreeSet::new();
        for row in rows {
            let market = &row.key.market;
            let result = results.of(&job.id, market);
            let left_out = self.left_out.entry((market.clone(), row.key.system_id.clone())).or_default();
            if row.in_sample {
                left_out.in_sample += 1;
            }
            match result {
                _ if row.in_sample => {}
                Found::NoResult => left_out.no_result += 1,
                Found::Void => left_out.void += 1,
                Found::Actual(actual) => {
                    let may_be_judged = calibrated_before(refit, row, job.id.game.date);
                    if row.over_probability.is_some() && !may_be_judged {
                        left_out.probability_in_sample += 1;
                    }
                    let probability = row.over_probability.filter(|_| may_be_judged);
                    self.scored.push(scored(
                        row,
                        &row.key.system_id,
                        row.predicted_value,
                        actual,
                        probability,
                    ));
                }
            }
            if let (Found::Actual(actual), true) = (result, markets_seen.insert(market.clone())) {
                self.baselines(contract, job, row, actual);
            }
        }
    }

    /// What needs no model, on every line that any system had an answer for.
    fn baselines(&mut self, contract: &FeatureContract, job: &Job, row: &PredictionRow, actual: f64) {
        let known =
            [(CONSENSUS, row.basis.consensus_line), (LAST_TEN, last_ten(contract, job, &row.key.market))];
        for (name, predicted) in known {
            if let (Ok(system), Some(predicted)) = (name.parse(), predicted) {
                self.scored.push(scored(row, &system, predicted, actual, None));
            }
        }
    }
}

fn wanted(refit: &Refit, window: &Window<'_>, as_of: Timestamp) -> Wanted {
    let mut pins = refit.registry.pins();
    pins.retain(|pin| window.market.is_none_or(|market| *market == pin.market));
    pins.sort();
    let markets: BTreeSet<Market> = pins.iter().map(|pin| pin.market.clone()).collect();
    let systems: BTreeSet<SystemId> = pins.iter().map(|pin| pin.system_id.clone()).collect();
    Wanted {
        as_of,
        run_mode: RunMode::Backfill,
        markets: markets.into_iter().collect(),
        systems: systems.into_iter().collect(),
        players: None,
        min_minutes: window.min_minutes,
        only_changed: false,
        pins,
    }
}

async fn load(warehouse: &Warehouse, date: Date, wanted: &Wanted) -> Result<SlateInputs, Failure> {
    let request = LoadSlate {
        slate: Slate::nba(date),
        as_of: wanted.as_of,
        generation: None,
        markets: wanted.markets.clone(),
        settled: false,
    };
    match warehouse.load_slate(&request).await.map_err(failure)? {
        SlateLoad::Inputs(inputs) => Ok(*inputs),
        // Without a generation of our own nothing can overtake us.
        SlateLoad::Overtaken { newest } => {
            Err(Failure::failed(format!("generation {newest} of {date} was registered meanwhile; try again")))
        }
    }
}

fn end_of(date: Date) -> Timestamp {
    start_of(date.saturating_add(1.day()))
}

/// True when the probability's calibration had seen nothing of the date.
fn calibrated_before(refit: &Refit, row: &PredictionRow, date: Date) -> bool {
    let model = refit.registry.by_system(&row.key.system_id, &row.key.market);
    model.and_then(|model| model.card.calibration.as_ref()).is_some_and(|calibration| calibration.to < date)
}

fn scored(
    row: &PredictionRow,
    system: &SystemId,
    predicted: f64,
    actual: f64,
    over_probability: Option<f64>,
) -> Scored {
    Scored {
        job: JobId { player: row.key.player.clone(), game: row.key.game },
        system: system.clone(),
        market: row.key.market.clone(),
        predicted,
        line: row.basis.line,
        actual,
        over_probability,
        no_vig_over: row.basis.no_vig_over,
        over_price: row.basis.over_price.clone(),
        under_price: row.basis.under_price.clone(),
    }
}

/// The feature of that name, unless it was filled in.
fn last_ten(contract: &FeatureContract, job: &Job, market: &Market) -> Option<f64> {
    let at = contract.position(&format!("{market}_avg_last_10"))?;
    let feature = job.features.as_ref()?.features.get(at)?;
    let is_own =
        !feature.defaulted && !matches!(feature.source, FeatureSource::Default | FeatureSource::Missing);
    (is_own && feature.value.is_finite()).then_some(feature.value)
}

/// What came of a bet.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Found {
    NoResult,
    Void,
    Actual(f64),
}

/// The box scores of the window.
struct Results {
    rows: HashMap<JobId, PlayerGameRow>,
    games: HashSet<GameKey>,
}

impl Results {
    async fn read(warehouse: &Warehouse, from: Date, to: Date) -> Result<Self, Failure> {
        let after = to.saturating_add(1.day());
        let as_of = AsOf::new(after, start_of(after));
        let rows = warehouse.player_games_before(&as_of, from).await.map_err(failure)?;
        let by_job =
            |row: PlayerGameRow| (JobId { player: row.player_lookup.clone(), game: row.game_id }, row);
        let rows: HashMap<JobId, PlayerGameRow> = rows.into_iter().map(|row| by_job(row.row)).collect();
        let games = rows.keys().map(|job| job.game).collect();
        Ok(Self { rows, games })
    }

    fn of(&self, job: &JobId, market: &Market) -> Found {
        if !self.games.contains(&job.game) {
            return Found::NoResult;
        }
        match self.rows.get(job).filter(|row| row.minutes > 0.0) {
            None => Found::Void,
            Some(row) => actual(row, market).map_or(Found::NoResult, Found::Actual),
        }
    }
}

/// The result of a market; none for one that no column or sum of columns answers.
fn actual(row: &PlayerGameRow, market: &Market) -> Option<f64> {
    let one = |name: &str| match name {
        "points" => Some(row.points),
        "rebounds" => Some(row.rebounds),
        "assists" => Some(row.assists),
        "threes" => Some(row.threes),
        "steals" => Some(row.stl),
        "blocks" => Some(row.blk),
        "turnovers" => Some(row.tov),
        _ => None,
    };
    market.as_str().split('_').map(one).sum()
}
