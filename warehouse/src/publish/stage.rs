//! Loading a batch into the temporary tables of the writer connection, and checking it on the way in.

use std::collections::{BTreeMap, BTreeSet};

use proto::{BatchId, GameKey, Market, OutcomeKind, PlayerLookup, PredictionRow, SystemId};

use super::PublicationHead;
use super::account::{Account, Group, JobOutcome};
use super::shared::{LINES, shared_lines};
use crate::error::{Doing, Error, Result};
use crate::sqlite::Conn;
use crate::sqlite::bulk::{self, Cells, Insert};

const ROWS: Insert<'static> = Insert {
    table: "staged_rows",
    columns: &[
        "game_id",
        "player_lookup",
        "market",
        "system_id",
        "prediction_id",
        "model_sha256",
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

const WANTED: Insert<'static> = Insert {
    table: "staged_wanted",
    columns: &["market", "system_id"],
    conflict: "ON CONFLICT DO NOTHING",
    doing: "load what a batch wanted",
};

pub(super) const STARTED: Insert<'static> = Insert {
    table: "staged_started",
    columns: &["game_id"],
    conflict: "ON CONFLICT DO NOTHING",
    doing: "load the games that have begun",
};

/// Forgets what an earlier publication left behind.
pub(super) async fn clear(conn: &mut Conn) -> Result<()> {
    sqlx::raw_sql(include_str!("../../sql/clear_staging.sql"))
        .execute(conn)
        .await
        .doing("clear the temporary tables")?;
    Ok(())
}

pub(super) async fn wanted(conn: &mut Conn, wanted: &[(Market, SystemId)]) -> Result<()> {
    bulk::insert(conn, &WANTED, wanted, |(market, system), cells| {
        cells.text(market).text(system);
    })
    .await?;
    Ok(())
}

pub(super) async fn lines(conn: &mut Conn, rows: &[&PredictionRow]) -> Result<()> {
    let lines = shared_lines(rows)?;
    bulk::insert(conn, &LINES, &lines, |line, cells| line.write(cells)).await?;
    Ok(())
}

pub(super) async fn rows(
    conn: &mut Conn,
    batch_id: &BatchId,
    generation: u64,
    rows: &[&PredictionRow],
) -> Result<()> {
    bulk::insert(conn, &ROWS, rows, |row, cells| write_row(row, batch_id, generation, cells)).await?;
    Ok(())
}

fn write_row(row: &PredictionRow, batch_id: &BatchId, generation: u64, cells: &mut Cells) {
    let key = &row.key;
    cells.text(key.game).text(&key.player).text(&key.market).text(&key.system_id);
    cells.text(row.prediction_id(batch_id, generation)).text(&row.model_sha256);
    cells.real(row.predicted_value).int(row.basis.line.half_points().into());
    cells.opt_real(row.over_probability).opt_real(row.over_expected_value).opt_real(row.under_expected_value);
    cells.opt_text(row.over_fair_price.as_ref());
    cells.real(row.line_margin).text(row.recommendation).flag(row.in_sample).text(&row.row_sha256);
}

pub(super) async fn outcomes(conn: &mut Conn, outcomes: &[(&JobOutcome, u64)]) -> Result<()> {
    bulk::insert(conn, &OUTCOMES, outcomes, |(outcome, rows), cells| {
        let codes = serde_json::to_string(&outcome.codes).unwrap_or_else(|_| "[]".to_owned());
        cells.text(&outcome.job.player).text(outcome.job.game).text(&outcome.name);
        cells.text(outcome.kind).text(outcome.code).text(&outcome.sentence).text(codes);
        cells.int(outcome.attempts.into()).int(outcome.rows_owed.into());
        cells.int(i64::try_from(*rows).unwrap_or(i64::MAX)).text(&outcome.inputs_sha256);
    })
    .await?;
    Ok(())
}

/// A row must belong to the slate, to a job that is predicted, and to what was wanted.
pub(super) fn check(
    head: &PublicationHead,
    wanted: &BTreeSet<(Market, SystemId)>,
    rows: &[&PredictionRow],
    outcomes: &[&JobOutcome],
) -> Result<()> {
    let date = head.slate.game_date;
    let refuse = |what: String| Err(Error::Inconsistent { what });
    let mut predicted: BTreeSet<(&PlayerLookup, GameKey)> = BTreeSet::new();
    for outcome in outcomes {
        if outcome.job.game.date != date {
            return refuse(format!("job `{}` is not of slate `{}`", outcome.job, head.slate));
        }
        if outcome.kind == OutcomeKind::Predicted {
            predicted.insert((&outcome.job.player, outcome.job.game));
        }
    }
    for row in rows {
        let key = &row.key;
        if !predicted.contains(&(&key.player, key.game)) {
            return refuse(format!(
                "a row of `{}` in `{}` has no predicted job beside it",
                key.player, key.game
            ));
        }
        if !wanted.contains(&(key.market.clone(), key.system_id.clone())) {
            return refuse(format!("`{}` of `{}` was not wanted from this batch", key.market, key.system_id));
        }
    }
    Ok(())
}

/// Counts a page into the account; answers each outcome with the number of its rows.
pub(super) fn count<'a>(
    account: &mut Account,
    rows: &[&PredictionRow],
    outcomes: &[&'a JobOutcome],
) -> Result<Vec<(&'a JobOutcome, u64)>> {
    let mut per_job: BTreeMap<(&PlayerLookup, GameKey), u64> = BTreeMap::new();
    for row in rows {
        let key = &row.key;
        *per_job.entry((&key.player, key.game)).or_default() += 1;
        let group = Group {
            game: key.game,
            market: key.market.clone(),
            system_id: key.system_id.clone(),
            line_source: row.basis.line_source.clone(),
        };
        *account.groups.entry(group).or_default() += 1;
    }
    let counted = |outcome: &'a JobOutcome| {
        let rows = per_job.get(&(&outcome.job.player, outcome.job.game)).copied().unwrap_or(0);
        (outcome, rows)
    };
    let counted: Vec<_> = outcomes.iter().copied().map(counted).collect();
    for (outcome, rows) in &counted {
        account.add(outcome, *rows)?;
    }
    Ok(counted)
}
