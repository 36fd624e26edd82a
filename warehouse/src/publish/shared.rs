//! What the rows of one player and market share: the line they are held against and the inputs they were made from.
//! A dozen systems predict against one line; it is stored once, and rows that disagree about it are refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::{GameKey, Market, PlayerLookup, PredictionRow};

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

/// The shared part of a row.
#[derive(Debug, PartialEq)]
pub(super) struct SharedLine<'a> {
    game: GameKey,
    player: &'a PlayerLookup,
    market: &'a Market,
    inputs_sha256: &'a str,
    half_points: i32,
    line_source: &'a str,
    line_source_api: &'a str,
    book: &'a str,
    was_line_fallback: bool,
    over_price: &'a str,
    under_price: &'a str,
    line_snapshot_at: Timestamp,
    line_minutes_before_game: i64,
    consensus_line: Option<f64>,
    line_spread: Option<f64>,
    no_vig_over: f64,
    feature_quality_score: f64,
    default_feature_count: u32,
    as_of: Timestamp,
    predicted_at: Timestamp,
}

impl<'a> SharedLine<'a> {
    fn of(row: &'a PredictionRow) -> Self {
        Self {
            game: row.key.game,
            player: &row.key.player,
            market: &row.key.market,
            inputs_sha256: &row.inputs_sha256,
            half_points: row.line.half_points(),
            line_source: &row.line_source,
            line_source_api: &row.line_source_api,
            book: &row.book,
            was_line_fallback: row.was_line_fallback,
            over_price: &row.over_price,
            under_price: &row.under_price,
            line_snapshot_at: row.line_snapshot_at,
            line_minutes_before_game: row.line_minutes_before_game,
            consensus_line: row.consensus_line,
            line_spread: row.line_spread,
            no_vig_over: row.no_vig_over,
            feature_quality_score: row.feature_quality_score,
            default_feature_count: row.default_feature_count,
            as_of: row.as_of,
            predicted_at: row.predicted_at,
        }
    }

    /// Writes its cells in the order of [`LINES`].
    pub(super) fn write(&self, cells: &mut Cells) {
        cells.text(self.game).text(self.player).text(self.market).text(self.inputs_sha256);
        cells.int(self.half_points.into());
        cells.text(self.line_source).text(self.line_source_api).text(self.book).flag(self.was_line_fallback);
        cells.text(self.over_price).text(self.under_price);
        cells.instant(self.line_snapshot_at).int(self.line_minutes_before_game);
        cells.opt_real(self.consensus_line).opt_real(self.line_spread).real(self.no_vig_over);
        cells.real(self.feature_quality_score).int(self.default_feature_count.into());
        cells.instant(self.as_of).instant(self.predicted_at);
    }
}

/// The line of each player and market, once; an error when two systems hold different ones.
pub(super) fn shared_lines<'a>(rows: &[&'a PredictionRow]) -> Result<Vec<SharedLine<'a>>> {
    let mut lines: BTreeMap<(GameKey, &PlayerLookup, &Market), SharedLine<'_>> = BTreeMap::new();
    for row in rows {
        let key = &row.key;
        let line = SharedLine::of(row);
        let first = lines.entry((key.game, &key.player, &key.market)).or_insert_with(|| SharedLine::of(row));
        if *first != line {
            return Err(Error::Inconsistent {
                what: format!(
                    "the systems of a batch hold different lines or inputs for {} of `{}` in `{}`: `{}` has {line:?}, \
                     another has {first:?}",
                    key.market, key.player, key.game, key.system_id
                ),
            });
        }
    }
    Ok(lines.into_values().collect())
}
