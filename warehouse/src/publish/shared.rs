//! What the rows of one player and market share: the line they are held against and the inputs they were made from.
//! A dozen systems predict against one line; it is stored once, and rows that disagree about it are refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::{Basis, GameKey, Market, PlayerLookup, PredictionRow, RowKey};

use crate::error::{Error, Result};
use crate::sqlite::bulk::{Cells, Insert};

pub(super) const LINES: Insert<'static> = Insert {
    table: "staged_lines",
    columns: &[
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
    game: GameKey,
    player: &'a PlayerLookup,
    market: &'a Market,
    basis: &'a Arc<Basis>,
}

impl SharedLine<'_> {
    /// Writes its cells in the order of [`LINES`].
    pub(super) fn write(&self, cells: &mut Cells) {
        let basis = self.basis;
        cells.text(self.game).text(self.player).text(self.market).text(&basis.inputs_sha256);
        cells.int(basis.line.half_points().into());
        cells.text(&basis.line_source).text(&basis.line_source_api).text(&basis.book);
        cells.flag(basis.was_line_fallback).text(&basis.over_price).text(&basis.under_price);
        cells.instant(basis.line_snapshot_at).int(basis.line_minutes_before_game);
        cells.opt_real(basis.consensus_line).opt_real(basis.line_spread).real(basis.no_vig_over);
        cells.real(basis.feature_quality_score).int(basis.default_feature_count.into());
        cells.instant(basis.as_of).instant(basis.predicted_at);
    }
}

/// The line of each player and market, once; an error when two systems hold different ones.
pub(super) fn shared_lines<'a>(rows: &[&'a PredictionRow]) -> Result<Vec<SharedLine<'a>>> {
    let mut lines: BTreeMap<(GameKey, &PlayerLookup, &Market), &Arc<Basis>> = BTreeMap::new();
    for row in rows {
        let RowKey { game, player, market, system_id } = &row.key;
        let first = *lines.entry((*game, player, market)).or_insert(&row.basis);
        if !Arc::ptr_eq(first, &row.basis) && *first != row.basis {
            return Err(Error::Inconsistent {
                what: format!(
                    "the systems of a batch hold different lines or inputs for {market} of `{player}` in `{game}`: \
                     `{system_id}` has {:?}, another has {first:?}",
                    row.basis
                ),
            });
        }
    }
    let line = |((game, player, market), basis)| SharedLine { game, player, market, basis };
    Ok(lines.into_iter().map(line).collect())
}
