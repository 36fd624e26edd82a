//! Loading a batch into the temporary tables of the writer connection, and checking it on the way in.

use std::collections::{BTreeMap, BTreeSet};

use proto::{BatchId, GameKey, Market, OutcomeKind, PlayerLookup, PredictionRow, SystemId};

use super::PublicationHead;
use super::account::{Account, JobOutcome};
use crate::error::{Doing, Error, Result};
use crate::sqlite::Conn;
use crate::sqlite::bulk::{self, Cells, Insert};

const ROWS: Insert<'static> = Insert {
    table: "staged_rows",
    columns: &[
        "prediction_id",
        "game_id",
        "player_lookup",
        "market",
        "system_id",
        "model_sha256",
        "inputs_sha256",
        "predicted_value",
        "half_points",
        "line_source",
        "line_source_api",
        "book",
        "was_line_fallback",
        "over_price",
        "under_price",
        "line_snapshot_at",
        "line_minutes_before_game",
        "consensus_line",
        "line_spread",
        "no_vig_over",
        "over_probability",
        "over_expected_value",
        "under_expected_value",
        "over_fair_price",
        "line_margin",
        "recommendation",
        "feature_quality_score",
        "default_feature_count",
        "in_sample",
        "as_of",
        "predicted_at",
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

pub(super) async fn rows(
    conn: &mut Conn,
    batch_id: &BatchId,
    generation: u64,
    rows: &[PredictionRow],
) -> Result<()> {
    bulk::insert(conn, &ROWS, rows, |row, cells| write_row(row, batch_id, generation, cells)).await?;
    Ok(())
}

fn write_row(row: &PredictionRow, batch_id: &BatchId, generation: u64, cells: &mut Cells) {
    let key = &row.key;
    cells.text(row.prediction_id(batch_id, generation));
    cells.text(key.game).text(&key.player).text(&key.market).text(&key.system_id);
    cells.text(&row.model_sha256).text(&row.inputs_sha256);
    cells.real(row.predicted_value).int(row.line.half_points().into());
    cells.text(&row.line_source).text(&row.line_source_api).text(&row.book).flag(row.was_line_fallback);
    cells.text(&row.over_price).text(&row.under_price);
    cells.instant(row.line_snapshot_at).int(row.line_minutes_before_game);
    cells.opt_real(row.consensus_line).opt_real(row.line_spread).real(row.no_vig_over);
    cells.opt_real(row.over_probability).opt_real(row.over_expected_value).opt_real(row.under_expected_value);
    cells.opt_text(row.over_fair_price.as_ref());
    cells.real(row.line_margin).text(row.recommendation);
    cells.real(row.feature_quality_score).int(row.default_feature_count.into()).flag(row.in_sample);
    cells.instant(row.as_of).instant(row.predicted_at).text(&row.row_sha256);
}

pub(super) async fn outcomes(conn: &mut Conn, outcomes: &[JobOutcome]) -> Result<()> {
    bulk::insert(conn, &OUTCOMES, outcomes, |outcome, cells| {
        let codes = serde_json::to_string(&outcome.codes).unwrap_or_else(|_| "[]".to_owned());
        cells.text(&outcome.job.player).text(outcome.job.game).text(&outcome.name);
        cells.text(outcome.kind).text(outcome.code).text(&outcome.sentence).text(codes);
        cells.int(outcome.attempts.into()).int(outcome.rows_owed.into()).text(&outcome.inputs_sha256);
    })
    .await?;
    Ok(())
}

/// A row must belong to the slate, to a job that is predicted, and to what was wanted.
pub(super) fn check(
    head: &PublicationHead,
    wanted: &BTreeSet<(Market, SystemId)>,
    rows: &[PredictionRow],
    outcomes: &[JobOutcome],
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

/// Counts a page into the account.
pub(super) fn count(account: &mut Account, rows: &[PredictionRow], outcomes: &[JobOutcome]) -> Result<()> {
    let mut per_job: BTreeMap<(&PlayerLookup, GameKey), u64> = BTreeMap::new();
    for row in rows {
        *per_job.entry((&row.key.player, row.key.game)).or_default() += 1;
    }
    for outcome in outcomes {
        let rows = per_job.get(&(&outcome.job.player, outcome.job.game)).copied().unwrap_or(0);
        account.add(outcome, rows)?;
    }
    Ok(())
}
