//! A prediction row, its key, and the pin that says which model made it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::text::named_enum;
use crate::{BatchId, GameKey, Line, Market, PlayerLookup, Price, Sha256, SystemId, Text};

named_enum! {
    /// What a row recommends (domain.md 3.5; one rule here, upstream had five).
    Recommendation, "recommendation" {
        /// Bet the over.
        Over = "OVER",
        /// Bet the under.
        Under = "UNDER",
        /// Too close to the line.
        Pass = "PASS",
        /// Beyond the common threshold, below the card's own.
        Hold = "HOLD",
        /// There is no line.
        NoLine = "NO_LINE",
    }
}

named_enum! {
    /// The role of a model. Champion and shadows all predict; only roles differ.
    Role, "model role" {
        /// The one people act on.
        Champion = "champion",
        /// Predicts and is graded, for comparison.
        Shadow = "shadow",
        /// Does not predict.
        Disabled = "disabled",
    }
}

/// A model as a batch pins it: an answer is only as identified as the bytes that gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ModelPin {
    /// The system.
    pub system_id: SystemId,
    /// The market it predicts.
    pub market: Market,
    /// Hash of model file and of what in the card changes an answer, hexadecimal.
    pub sha256: String,
}

/// The key of a prediction: publish, supersede, grade and export all use this type (incident 23).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct RowKey {
    /// The game.
    pub game: GameKey,
    /// The player.
    pub player: PlayerLookup,
    /// The market.
    pub market: Market,
    /// The system.
    pub system_id: SystemId,
}

/// What the systems of a batch share when they predict one player and market: the line they are held against and the
/// inputs they answered from. A dozen rows refer to one; fields follow the columns of the `predictions` table.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Basis {
    /// Fingerprint of the inputs.
    #[serde(with = "crate::hash")]
    pub inputs_sha256: String,
    /// The line.
    pub line: Line,
    /// Provenance class of the line; `ACTUAL_PROP` for a quote with book, event and snapshot.
    pub line_source: Text,
    /// The source that delivered the line, e.g. `odds_api`.
    pub line_source_api: Text,
    /// The book whose line was chosen.
    pub book: Text,
    /// True when the best-ranked book had no line that survived.
    pub was_line_fallback: bool,
    /// Over price as the book wrote it.
    pub over_price: Price,
    /// Under price as the book wrote it.
    pub under_price: Price,
    /// When the chosen quote was seen.
    #[serde(with = "crate::instant")]
    pub line_snapshot_at: Timestamp,
    /// Whole minutes from the quote to tip-off.
    pub line_minutes_before_game: i64,
    /// Median line of the books that count.
    pub consensus_line: Option<f64>,
    /// Population standard deviation of the books' lines; none below two books.
    pub line_spread: Option<f64>,
    /// No-vig probability of the over at the chosen book.
    pub no_vig_over: f64,
    /// Feature quality score, 0 to 100.
    pub feature_quality_score: f64,
    /// How many required features carry their default; zero for every row that passes the gate.
    pub default_feature_count: u32,
    /// What the gates judged by.
    #[serde(with = "crate::instant")]
    pub as_of: Timestamp,
    /// When the models answered: the only clock. A record keeps it once, at its end (see `codec`).
    #[serde(skip)]
    pub predicted_at: Timestamp,
}

/// One prediction. Line, margin and recommendation are written together by `rules::recommend` (incident 54);
/// fields follow the columns of the `predictions` table.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRow {
    /// Key: game, player, market, system.
    pub key: RowKey,
    /// What it shares with the rows of the other systems.
    pub basis: Arc<Basis>,
    /// The model that answered.
    pub model_sha256: Sha256,
    /// The answer, in units of the market.
    pub predicted_value: f64,
    /// The model's calibrated probability of the over at this line; none for a model that has no calibration.
    pub over_probability: Option<f64>,
    /// Mean profit of one unit on the over at the offered price, by that probability.
    pub over_expected_value: Option<f64>,
    /// Mean profit of one unit on the under.
    pub under_expected_value: Option<f64>,
    /// The American price at which the over is worth nothing; the under's has the other sign.
    pub over_fair_price: Option<Price>,
    /// Answer minus line.
    pub line_margin: f64,
    /// What to do about it.
    pub recommendation: Recommendation,
    /// True when the model's training window reaches the game's date or later.
    pub in_sample: bool,
    /// Everything above except the clock, hashed when the row is built; the receipt hashes these.
    pub row_sha256: Sha256,
}

impl PredictionRow {
    /// The text that [`PredictionRow::row_sha256`] is the hash of: key, value, line, recommendation and model.
    pub fn hashed_text(&self) -> String {
        let key = &self.key;
        format!(
            "{}|{}|{}|{}|{}|{}|{}|{}",
            key.game,
            key.player,
            key.market,
            key.system_id,
            self.predicted_value,
            self.basis.line.half_points(),
            self.recommendation,
            self.model_sha256,
        )
    }

    /// Fills [`PredictionRow::row_sha256`]; call it last.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.row_sha256 = Sha256::of(self.hashed_text().as_bytes());
        self
    }

    /// The slate's date.
    pub fn game_date(&self) -> Date {
        self.key.game.date
    }
}

/// Ids of the rows of one player and market.
#[derive(Debug, Clone)]
pub struct PredictionIds {
    name: String,
    shared: usize,
}

impl PredictionIds {
    /// Those of a batch; which system the key names does not matter.
    pub fn of(batch_id: &BatchId, generation: u64, key: &RowKey) -> Self {
        let RowKey { game, player, market, system_id: _ } = key;
        let name = format!("{batch_id}|{generation}|{game}|{player}|{market}|");
        Self { shared: name.len(), name }
    }

    /// The id of a system's row: UUIDv5 of batch, generation and key, so that a repeated publication makes no second row.
    pub fn of_system(&mut self, system_id: &SystemId) -> uuid::Uuid {
        self.name.truncate(self.shared);
        self.name.push_str(system_id.as_str());
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn an_id_is_the_hash_of_batch_generation_and_key() {
        let key = |system: &str| RowKey {
            game: "20260123_LAL_BOS".parse().unwrap(),
            player: "lebronjames".parse().unwrap(),
            market: Market::points(),
            system_id: system.parse().unwrap(),
        };
        let batch_id: BatchId = "batch_2026-01-23_1769191200".parse().unwrap();
        let mut ids = PredictionIds::of(&batch_id, 7, &key("lgbm_v2"));
        for system in ["lgbm_v2", "catboost_v2_noveg", "x"] {
            let whole = format!("{batch_id}|7|20260123_LAL_BOS|lebronjames|points|{system}");
            let expected = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, whole.as_bytes());
            assert_eq!(ids.of_system(&key(system).system_id), expected);
        }
        assert_ne!(
            PredictionIds::of(&batch_id, 8, &key("x")).of_system(&key("x").system_id),
            ids.of_system(&key("x").system_id)
        );
    }
}
