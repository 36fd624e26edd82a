//! From a slate as of an instant to its jobs: who is one, and everything a worker needs to know about him. Pure.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};
use proto::features::FeatureContract;
use proto::league_time::start_of;
use proto::tables::FeatureRow;
use proto::{Job, JobId, Market, ModelPin, PlayerLookup, RunMode, SystemId, TeamCode};
use rules::RecommendPolicy;
use rules::injury::availability;
use rules::inputs::Fingerprints;
use rules::lines::LinePolicy;
use warehouse::{PlayerQuotes, SlateGame, SlateInputs};

use crate::cores;

/// What a start wants of a slate.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) as_of: Timestamp,
    pub(crate) run_mode: RunMode,
    pub(crate) markets: Vec<Market>,
    pub(crate) systems: Vec<SystemId>,
    /// None: everybody.
    pub(crate) players: Option<BTreeSet<PlayerLookup>>,
    pub(crate) min_minutes: f64,
    /// True: only whose inputs differ from his last settled outcome.
    pub(crate) only_changed: bool,
    pub(crate) pins: Vec<ModelPin>,
}

/// Who may be a job, with what only he needs.
struct Candidate {
    id: JobId,
    quotes: Option<PlayerQuotes>,
    features: Option<FeatureRow>,
}

/// The jobs of a slate, in order of game and player; one per player and game (incident 35).
pub(crate) fn build(
    mut inputs: SlateInputs,
    wanted: &Wanted,
    contract: &FeatureContract,
    lines: &LinePolicy,
) -> Vec<Job> {
    let recommend = RecommendPolicy::default().fingerprint_text();
    let policy_text = format!("{} {recommend} min_minutes {}", lines.fingerprint_text(), wanted.min_minutes);
    let rows: Vec<_> = wanted.pins.iter().map(|pin| (pin.market.clone(), pin.system_id.clone())).collect();
    let fingerprints = Fingerprints::new(&wanted.markets, &rows, &wanted.pins, &policy_text);
    let wants = |id: &JobId| wanted.players.as_ref().is_none_or(|players| players.contains(&id.player));
    let mut candidates = candidates(&mut inputs);
    candidates.retain(|candidate| wants(&candidate.id));
    candidates.sort_by(|a, b| (a.id.game, &a.id.player).cmp(&(b.id.game, &b.id.player)));
    let made = cores::map(candidates, |candidate| {
        let game = inputs.games.iter().find(|game| game.row.game_id == candidate.id.game)?;
        let mut job = job_of(&inputs, wanted, &rows, contract, candidate, game);
        job.inputs_sha256 = fingerprints.of(&job);
        let settled = inputs.settled.get(&job.id) == Some(&job.inputs_sha256);
        (!(wanted.only_changed && settled)).then_some(job)
    });
    made.into_iter().flatten().collect()
}

/// Everybody who is a job: whoever is quoted, and whoever played lately and whose team plays. A player who is quoted
/// in one game is no job of another, whatever an old roster says (incident 35). Takes their quotes and features out.
fn candidates(inputs: &mut SlateInputs) -> Vec<Candidate> {
    let quotes = std::mem::take(&mut inputs.quotes);
    let quoted: BTreeSet<&PlayerLookup> = quotes.keys().map(|id| &id.player).collect();
    let unquoted =
        inputs.players.iter().filter(|(lookup, player)| player.plays_lately && !quoted.contains(lookup));
    let without: Vec<JobId> = unquoted
        .filter_map(|(lookup, player)| {
            let game = inputs.games.iter().find(|game| plays_in(game, player.team))?;
            Some(JobId { player: lookup.clone(), game: game.row.game_id })
        })
        .collect();
    let with = quotes.into_iter().map(|(id, quotes)| (id, Some(quotes)));
    with.chain(without.into_iter().map(|id| (id, None)))
        .map(|(id, quotes)| Candidate { features: inputs.features.remove(&id), id, quotes })
        .collect()
}

fn plays_in(game: &SlateGame, team: TeamCode) -> bool {
    game.row.game_id.opponent_of(team).is_some()
}

fn job_of(
    inputs: &SlateInputs,
    wanted: &Wanted,
    rows: &[(Market, SystemId)],
    contract: &FeatureContract,
    candidate: Candidate,
    game: &SlateGame,
) -> Job {
    let Candidate { id, quotes, features: row } = candidate;
    let player = inputs.players.get(&id.player);
    let name = player.map(|player| &player.name).or(quotes.as_ref().map(|quotes| &quotes.name)).cloned();
    // Without a time the game cannot have begun before its day is over.
    let tip_off = game.tip_off.unwrap_or_else(|| start_of(id.game.date.saturating_add(1.day())));
    let as_of = wanted.as_of.min(tip_off);
    let (features_built_at, inputs_ingested_at) =
        row.as_ref().map(|row| (row.built_at, row.inputs_ingested_at)).unzip();
    let features = row.map(|row| {
        let mut vector = row.vector;
        if vector.contract_version == contract.version {
            let seen = quotes.iter().flat_map(|quotes| quotes.quotes.iter().chain(&quotes.openings));
            rules::line_features::apply(contract, &mut vector, seen, as_of);
        }
        vector
    });
    Job {
        name: name.unwrap_or_else(|| id.player.to_string()),
        team: player.map(|player| player.team).filter(|team| plays_in(game, *team)),
        tip_off,
        game_status: game.row.status,
        as_of,
        run_mode: wanted.run_mode,
        markets: wanted.markets.clone(),
        wanted: rows.to_vec(),
        player_resolved: quotes.as_ref().is_none_or(|quotes| quotes.resolved),
        quotes: quotes.map(|quotes| quotes.quotes).unwrap_or_default(),
        event_newest_snapshot: game.newest_snapshot,
        injury: availability(
            inputs.injuries.get(&id.player),
            player.map(|player| player.last_game_date),
            as_of,
        ),
        projected_minutes: player.and_then(|player| player.mean_minutes),
        min_minutes: wanted.min_minutes,
        features,
        features_built_at,
        inputs_ingested_at: inputs_ingested_at.flatten(),
        inputs_sha256: String::new(),
        id,
    }
}
