//! Loading a batch into the temporary tables of the writer connection, and checking it on the way in.

use std::collections::{BTreeSet, HashMap};

use proto::{
    BatchId, GameKey, Market, OutcomeKind, PlayerLookup, PredictionIds, PredictionRow, RowKey, Sha256,
    SystemId, Text,
};

use super::PublicationHead;
use super::account::{Account, Group, JobOutcome};
use super::dictionary::Dictionary;
use super::shared::{LINES, SharedLine};
use crate::error::{Doing, Error, Result};
use crate::numbers::line_of;
use crate::sqlite::Conn;
use crate::sqlite::bulk::{self, Insert, Statement};

const ROWS: Insert<'static> = Insert {
    table: "staged_rows",
    columns: &[
        "row_no",
        "prediction_id",
        "model_id",
        "predicted_value",
        "half_points",
        "over_probability",
        "over_expected_value",
        "under_expected_value",
        "over_fair_price",
        "line_margin",
        "recommendation",
        "in_sample",
        "row_sha256",
    ],
    conflict: "",
    doing: "load the rows of a batch",
};

const OUTCOMES: Insert<'static> = Insert {
    table: "staged_outcomes",
    columns: &[
        "player_lookup",
        "game_id",
        "name",
        "outcome",
        "code",
        "sentence",
        "codes",
        "attempts",
        "rows_owed",
        "rows_staged",
        "inputs_sha256",
    ],
    conflict: "",
    doing: "load the outcomes of a batch",
};

pub(super) const STARTED: Insert<'static> = Insert {
    table: "staged_started",
    columns: &["game_id"],
    conflict: "ON CONFLICT DO NOTHING",
    doing: "load the games that have begun",
};

/// Forgets what an earlier publication left behind, and notes what this batch wanted.
pub(super) async fn begin(conn: &mut Conn, wanted: &[(Market, SystemId)]) -> Result<()> {
    sqlx::query(include_str!("../../sql/begin_staging.sql"))
        // Names always can be written.
        .bind(serde_json::to_string(wanted).unwrap_or_default())
        .execute(conn)
        .await
        .doing("prepare the temporary tables")?;
    Ok(())
}

pub(super) fn lines(lines: &[SharedLine<'_>]) -> impl Iterator<Item = Result<Statement>> {
    bulk::statements(&LINES, lines, |line, cells| line.write(cells))
}

pub(super) fn rows<'r>(
    batch_id: &'r BatchId,
    generation: u64,
    models: &'r Dictionary<Sha256>,
    rows: &'r [(i64, &'r PredictionRow)],
) -> impl Iterator<Item = Result<Statement>> + 'r {
    // Rows of a line stand together.
    let mut newest: Option<(i64, PredictionIds)> = None;
    bulk::statements(&ROWS, rows, move |(row_no, row), cells| {
        let line_no = line_of(*row_no);
        newest.take_if(|(of, _)| *of != line_no);
        let new = || (line_no, PredictionIds::of(batch_id, generation, &row.key));
        let (_, ids) = newest.get_or_insert_with(new);
        cells.int(*row_no).bytes(ids.of_system(&row.key.system_id).as_bytes());
        cells.opt_int(models.number_of(&row.model_sha256)).real(row.predicted_value);
        cells.int(row.basis.line.half_points().into()).opt_real(row.over_probability);
        cells.opt_real(row.over_expected_value).opt_real(row.under_expected_value);
        cells.opt_text(row.over_fair_price.as_ref()).real(row.line_margin).text(row.recommendation);
        cells.flag(row.in_sample).bytes(row.row_sha256.as_bytes());
    })
}

pub(super) fn outcomes(outcomes: &[(&JobOutcome, u64)]) -> impl Iterator<Item = Result<Statement>> {
    bulk::statements(&OUTCOMES, outcomes, |(outcome, rows), cells| {
        let codes = serde_json::to_string(&outcome.codes).unwrap_or_else(|_| "[]".to_owned());
        cells.text(&outcome.job.player).text(outcome.job.game).text(&outcome.name);
        cells.text(outcome.kind).text(outcome.code).text(&outcome.sentence).text(codes);
        cells.int(outcome.attempts.into()).int(outcome.rows_owed.into());
        cells.int(i64::try_from(*rows).unwrap_or(i64::MAX)).text(&outcome.inputs_sha256);
    })
}

/// Counts a page into the account; answers each outcome with the number of its rows. A job must be one of the slate, and a
/// row must belong to a job of the page that is predicted, and to what was wanted.
pub(super) fn count<'a>(
    account: &mut Account,
    head: &PublicationHead,
    wanted: &BTreeSet<(Market, SystemId)>,
    rows: &[&PredictionRow],
    outcomes: &[&'a JobOutcome],
) -> Result<Vec<(&'a JobOutcome, u64)>> {
    let refuse = |what: String| Err(Error::Inconsistent { what });
    let mut per_job: HashMap<(&PlayerLookup, GameKey), u64> = HashMap::new();
    for rows in rows.chunk_by(|a, b| (a.key.game, &a.key.player) == (b.key.game, &b.key.player)) {
        let RowKey { game, player, .. } = &rows[0].key;
        *per_job.entry((player, *game)).or_default() += rows.len() as u64;
    }
    let mut counted = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let job = &outcome.job;
        if job.game.date != head.slate.game_date {
            return refuse(format!("job `{job}` is not of slate `{}`", head.slate));
        }
        let rows = match outcome.kind {
            OutcomeKind::Predicted => per_job.remove(&(&job.player, job.game)).unwrap_or(0),
            _ => 0,
        };
        account.add(outcome, rows)?;
        counted.push((*outcome, rows));
    }
    if let Some((player, game)) = per_job.into_keys().next() {
        return refuse(format!("a row of `{player}` in `{game}` has no predicted job beside it"));
    }
    let mut per_group: HashMap<(GameKey, &Market, &SystemId, &Text), u64> = HashMap::new();
    for row in rows {
        let RowKey { game, market, system_id, .. } = &row.key;
        *per_group.entry((*game, market, system_id, &row.basis.line_source)).or_default() += 1;
    }
    for ((game, market, system_id, line_source), count) in per_group {
        let asked = (market.clone(), system_id.clone());
        if !wanted.contains(&asked) {
            return refuse(format!("`{market}` of `{system_id}` was not wanted from this batch"));
        }
        let group = Group { game, market: asked.0, system_id: asked.1, line_source: line_source.clone() };
        *account.groups.entry(group).or_default() += count;
    }
    Ok(counted)
}
