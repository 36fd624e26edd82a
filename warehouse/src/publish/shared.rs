//! What the rows of one player and market share: the line they are held against and the inputs they were made from.
//! A dozen systems predict against one line; it is stored once, and rows that disagree about it are refused.

use std::collections::HashMap;
use std::sync::Arc;

use proto::{Basis, GameKey, Market, PlayerLookup, PredictionRow, RowKey, SystemId};

use super::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::numbers::row_no;
use crate::sqlite::bulk::{Cells, Insert};

pub(super) const LINES: Insert<'static> = Insert {
    table: "staged_lines",
    columns: &[
        "line_no",
        "game_id",
        "player_lookup",
        "market",
        "inputs_sha256",
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
        "feature_quality_score",
        "default_feature_count",
        "as_of",
        "predicted_at",
    ],
    conflict: "",
    doing: "load the lines of a batch",
};

/// The line of one player and market, with the inputs that its systems share.
#[derive(Debug)]
pub(super) struct SharedLine<'a> {
    line_no: i64,
    key: &'a RowKey,
    basis: &'a Arc<Basis>,
}

impl SharedLine<'_> {
    /// Writes its cells in the order of [`LINES`].
    pub(super) fn write(&self, cells: &mut Cells) {
        let (key, basis) = (self.key, self.basis);
        cells.int(self.line_no).text(key.game).text(&key.player).text(&key.market).text(&basis.inputs_sha256);
        cells.int(basis.line.half_points().into());
        cells.text(&basis.line_source).text(&basis.line_source_api).text(&basis.book);
        cells.flag(basis.was_line_fallback).text(&basis.over_price).text(&basis.under_price);
        cells.instant(basis.line_snapshot_at).int(basis.line_minutes_before_game);
        cells.opt_real(basis.consensus_line).opt_real(basis.line_spread).real(basis.no_vig_over);
        cells.real(basis.feature_quality_score).int(basis.default_feature_count.into());
        cells.instant(basis.as_of).instant(basis.predicted_at);
    }
}

/// Rows with their numbers, in the order of their table, and their lines, once each.
#[derive(Debug)]
pub(super) struct Numbered<'a> {
    pub(super) lines: Vec<SharedLine<'a>>,
    pub(super) rows: Vec<(i64, &'a PredictionRow)>,
}

/// Numbers a page, its lines after `last`; an error when two systems hold different ones for a player and market.
pub(super) fn numbered<'a>(
    rows: &[&'a PredictionRow],
    last: i64,
    systems: &Dictionary<SystemId>,
) -> Result<Numbered<'a>> {
    let mut found = Numbered { lines: Vec::new(), rows: Vec::with_capacity(rows.len()) };
    let mut places: HashMap<(GameKey, &PlayerLookup, &Market), usize> = HashMap::new();
    for row in rows {
        let RowKey { game, player, market, system_id } = &row.key;
        let place = *places.entry((*game, player, market)).or_insert_with(|| {
            let line_no = last + 1 + found.lines.len() as i64;
            found.lines.push(SharedLine { line_no, key: &row.key, basis: &row.basis });
            found.lines.len() - 1
        });
        let first = &found.lines[place];
        if !Arc::ptr_eq(first.basis, &row.basis) && first.basis != &row.basis {
            return Err(Error::Inconsistent {
                what: format!(
                    "the systems of a batch hold different lines or inputs for {market} of `{player}` in `{game}`: \
                     `{system_id}` has {:?}, another has {:?}",
                    row.basis, first.basis
                ),
            });
        }
        let system_no = system_no(systems, system_id)?;
        found.rows.push((row_no(first.line_no, system_no), *row));
    }
    found.rows.sort_unstable_by_key(|(row_no, _)| *row_no);
    Ok(found)
}

/// Only the systems that were wanted were looked up.
fn system_no(systems: &Dictionary<SystemId>, system: &SystemId) -> Result<u16> {
    let number = systems.number_of(system).and_then(|number| u16::try_from(number).ok());
    let unknown = || Error::Inconsistent { what: format!("`{system}` was not wanted from this batch") };
    number.ok_or_else(unknown)
}
