//! The facts by which a slate is judged: this batch's players, whoever is not in it with his newest outcome, and the rows
//! that are active after it. Which rows stay is known within the verdict transaction; the rest is looked up before it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proto::tables::{GameRow, InputAges};
use proto::verdict::Health;
use proto::{Code, GameKey, JobId, PredictionRow, RowKey, Slate, TeamCode};
use protocol::{Closing, Mode};
use rules::findings::{GameFacts, ModelFacts, PlayerFacts, RowFacts, SlateFacts};
use rules::staleness::stale_inputs;
use warehouse::{ActiveRow, Publication, Staying, StoredOutcome};

use super::context::Context;
use super::gather::EndedJob;

/// What the warehouse knows of a slate before a batch is published.
pub(crate) struct Surroundings {
    games: Vec<GameRow>,
    others: Vec<StoredOutcome>,
    ages: InputAges,
    as_of: Timestamp,
}

/// Looks around; none when the batch is thrown away, for then nothing is judged. The publication holds all of it.
pub(crate) async fn look_around(
    context: &Context,
    publication: &mut Publication,
    slate: Slate,
    closing: &Closing,
    ended: &[EndedJob],
) -> Result<Option<Surroundings>, warehouse::Error> {
    if closing.mode == Mode::Discard {
        return Ok(None);
    }
    // A backfill sees each game as of its tip-off; what is old at the last one is old.
    let as_of = ended.iter().map(|job| job.as_of).max().unwrap_or(context.now());
    let warehouse = &context.warehouse;
    let (games, others, ages) = futures::try_join!(
        warehouse.games_on(slate.game_date),
        publication.outcomes_besides(),
        warehouse.input_ages(slate.game_date, as_of)
    )?;
    Ok(Some(Surroundings { games, others, ages, as_of }))
}

/// Health of the slate as this batch leaves it.
pub(crate) fn judge(
    context: &Context,
    slate: Slate,
    around: Surroundings,
    ended: &[EndedJob],
    staying: Staying,
) -> Health {
    let Surroundings { games, others, ages, as_of } = around;
    let mut players: BTreeMap<JobId, PlayerFacts> = others
        .into_iter()
        .map(|stored| {
            let outcome = stored.outcome;
            let has_quotes = !matches!(outcome.code, Code::NoLine | Code::LowMinutes);
            let facts =
                PlayerFacts { job: outcome.job.clone(), code: outcome.code, has_quotes, quality: None };
            (outcome.job, facts)
        })
        .collect();
    players.extend(ended.iter().map(|job| (job.facts.job.clone(), job.facts.clone())));

    let rows = active_rows(ended, staying);
    let teams = teams_seen(ended, &rows);
    let registry = context.shelf.registry();
    let facts = SlateFacts {
        game_date: slate.game_date,
        games: games
            .into_iter()
            .map(|game| GameFacts {
                game: game.game_id,
                status: game.status,
                has_lines: players.values().any(|p| p.job.game == game.game_id && p.has_quotes),
                has_features: has_features(&players, ended, game.game_id),
                teams_seen: teams.get(&game.game_id).cloned().unwrap_or_default(),
            })
            .collect(),
        players: players.into_values().collect(),
        rows,
        systems: registry
            .pins()
            .into_iter()
            .map(|pin| pin.system_id)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        models: registry
            .models()
            .iter()
            .map(|model| ModelFacts {
                system_id: model.pin.system_id.clone(),
                market: model.pin.market.clone(),
                trained_until: model.card.training.map(|window| window.end),
            })
            .collect(),
        configured_sources: context.line_sources,
        stale: stale_inputs(&ages, as_of, &context.staleness),
    };
    rules::findings::health(&facts)
}

/// Each key once: what stays, as the rows of a game that had begun do, and what came for other keys.
fn active_rows(ended: &[EndedJob], staying: Staying) -> Vec<RowFacts> {
    let kept: BTreeSet<RowKey> = staying.rows.iter().map(|row| row.key.clone()).collect();
    let mut rows: Vec<RowFacts> = staying.rows.into_iter().map(stays).collect();
    if staying.is_published {
        let arriving = ended.iter().flat_map(|job| &job.rows).filter(|row| !kept.contains(&row.key));
        rows.extend(arriving.map(arrives));
    }
    rows
}

fn arrives(row: &PredictionRow) -> RowFacts {
    let basis = &row.basis;
    RowFacts {
        key: row.key.clone(),
        predicted_value: row.predicted_value,
        line: basis.line,
        recommendation: row.recommendation,
        line_source: basis.line_source.clone(),
        line_source_api: basis.line_source_api.clone(),
        in_sample: row.in_sample,
        before_tip_off: basis.line_minutes_before_game >= 0,
    }
}

fn stays(row: ActiveRow) -> RowFacts {
    RowFacts {
        key: row.key,
        predicted_value: row.predicted_value,
        line: row.line,
        recommendation: row.recommendation,
        line_source: row.line_source,
        line_source_api: row.line_source_api,
        in_sample: row.in_sample,
        before_tip_off: true,
    }
}

/// A game has features when a player of it has a row, or was predicted before (which takes one).
fn has_features(players: &BTreeMap<JobId, PlayerFacts>, ended: &[EndedJob], game: GameKey) -> bool {
    ended.iter().any(|job| job.facts.job.game == game && job.facts.quality.is_some())
        || players.values().any(|player| player.job.game == game && player.code == Code::Predicted)
}

/// Teams by game: of this batch's players; a row that stays active proves that both were seen before.
fn teams_seen(ended: &[EndedJob], rows: &[RowFacts]) -> BTreeMap<GameKey, BTreeSet<TeamCode>> {
    let mut teams: BTreeMap<GameKey, BTreeSet<TeamCode>> = BTreeMap::new();
    for job in ended {
        teams.entry(job.facts.job.game).or_default().extend(job.team);
    }
    let games: BTreeSet<GameKey> = rows.iter().map(|row| row.key.game).collect();
    for game in games {
        teams.entry(game).or_insert_with(|| [game.home, game.away].into());
    }
    teams
}
