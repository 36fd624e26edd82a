//! The record of an outcome: what its rows share stands once, and its clock behind everything else.
//!
//! A dozen systems answer for one player, from one set of inputs and against one line; up to format 3 each row repeated
//! both, up to format 4 whose it was. The clock is apart so that the same result has the same digest whenever it is
//! made: a completion that is repeated after a lost answer, or made again by another worker, is no different one.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CodecError, decode, encode, sha256_hex};
use crate::{
    Basis, Code, CodeNote, GameKey, Market, Outcome, PlayerLookup, PredictionRow, Price, Recommendation,
    RowKey, Sha256, SystemId,
};

/// Seconds and nanoseconds, little-endian.
const CLOCK_BYTES: usize = 12;

#[derive(Serialize, Deserialize)]
struct OutcomeRecord<'a> {
    code: Code,
    sentence: Cow<'a, str>,
    codes: Cow<'a, [CodeNote]>,
    rows_owed: u32,
    shared: Vec<Shared<'a>>,
    rows: Vec<RowRecord<'a>>,
}

/// Whose row it is, and its basis: the same for every system that answered for a player and market.
#[derive(Serialize, Deserialize)]
struct Shared<'a> {
    game: GameKey,
    player: Cow<'a, PlayerLookup>,
    market: Cow<'a, Market>,
    basis: Cow<'a, Basis>,
}

#[derive(Serialize, Deserialize)]
struct RowRecord<'a> {
    /// Place among what is shared.
    shared: u32,
    system_id: Cow<'a, SystemId>,
    model_sha256: Sha256,
    predicted_value: f64,
    over_probability: Option<f64>,
    over_expected_value: Option<f64>,
    under_expected_value: Option<f64>,
    over_fair_price: Option<Price>,
    line_margin: f64,
    recommendation: Recommendation,
    in_sample: bool,
    row_sha256: Sha256,
}

/// An outcome with its rows as stored. Its rows were answered together, so it has one clock: the newest of theirs.
pub fn encode_outcome(outcome: &Outcome) -> Vec<u8> {
    let mut firsts: Vec<&PredictionRow> = Vec::new();
    let rows = outcome.rows.iter().map(|row| RowRecord::of(row, place_of(&mut firsts, row))).collect();
    let clock = firsts.iter().map(|row| row.basis.predicted_at).max().unwrap_or_default();
    let mut bytes = encode(&OutcomeRecord {
        code: outcome.code,
        sentence: Cow::Borrowed(&outcome.sentence),
        codes: Cow::Borrowed(&outcome.codes),
        rows_owed: outcome.rows_owed,
        shared: firsts.into_iter().map(Shared::of).collect(),
        rows,
    });
    bytes.extend(clock.as_second().to_le_bytes());
    bytes.extend(clock.subsec_nanosecond().to_le_bytes());
    bytes
}

/// Where the first row stands that shares its part with this one; the newest is usually the one that is looked for.
fn place_of<'a>(firsts: &mut Vec<&'a PredictionRow>, row: &'a PredictionRow) -> u32 {
    let at = firsts.iter().rposition(|first| share(first, row)).unwrap_or_else(|| {
        firsts.push(row);
        firsts.len() - 1
    });
    at as u32
}

fn share(one: &PredictionRow, other: &PredictionRow) -> bool {
    let (RowKey { game, player, market, .. }, key) = (&one.key, &other.key);
    (game, player, market) == (&key.game, &key.player, &key.market)
        && (Arc::ptr_eq(&one.basis, &other.basis) || one.basis == other.basis)
}

/// Reads a stored outcome.
pub fn decode_outcome(bytes: &[u8]) -> Result<Outcome, CodecError> {
    let damaged = |why: String| CodecError::Damaged { len: bytes.len(), why };
    // A record of another format is named before its length is judged.
    let body = bytes.len().checked_sub(CLOCK_BYTES).map_or(bytes, |at| &bytes[..at]);
    let record: OutcomeRecord<'_> = decode(body)?;
    let predicted_at =
        clock_of(&bytes[body.len()..]).ok_or_else(|| damaged("its clock is damaged".to_owned()))?;
    let with_clock = |shared: &Shared<'_>| Arc::new(Basis { predicted_at, ..shared.basis.as_ref().clone() });
    let bases: Vec<Arc<Basis>> = record.shared.iter().map(with_clock).collect();
    let row = |row: RowRecord<'_>| {
        let at = row.shared as usize;
        let unknown = || damaged(format!("a row names part {at} of {}", bases.len()));
        let (shared, basis) = record.shared.get(at).zip(bases.get(at)).ok_or_else(unknown)?;
        Ok(row.into_row(shared, Arc::clone(basis)))
    };
    Ok(Outcome {
        code: record.code,
        sentence: record.sentence.into_owned(),
        codes: record.codes.into_owned(),
        rows_owed: record.rows_owed,
        rows: record.rows.into_iter().map(row).collect::<Result<_, CodecError>>()?,
    })
}

/// The hash of an outcome's record without its clock.
pub fn outcome_digest(record: &[u8]) -> String {
    sha256_hex(&record[..record.len().saturating_sub(CLOCK_BYTES)])
}

fn clock_of(bytes: &[u8]) -> Option<Timestamp> {
    let (second, nanosecond) = bytes.split_first_chunk::<8>()?;
    let nanosecond = i32::from_le_bytes(nanosecond.try_into().ok()?);
    Timestamp::new(i64::from_le_bytes(*second), nanosecond).ok()
}

impl<'a> Shared<'a> {
    fn of(row: &'a PredictionRow) -> Self {
        Self {
            game: row.key.game,
            player: Cow::Borrowed(&row.key.player),
            market: Cow::Borrowed(&row.key.market),
            basis: Cow::Borrowed(&row.basis),
        }
    }
}

impl<'a> RowRecord<'a> {
    fn of(row: &'a PredictionRow, shared: u32) -> Self {
        Self {
            shared,
            system_id: Cow::Borrowed(&row.key.system_id),
            model_sha256: row.model_sha256,
            predicted_value: row.predicted_value,
            over_probability: row.over_probability,
            over_expected_value: row.over_expected_value,
            under_expected_value: row.under_expected_value,
            over_fair_price: row.over_fair_price.clone(),
            line_margin: row.line_margin,
            recommendation: row.recommendation,
            in_sample: row.in_sample,
            row_sha256: row.row_sha256,
        }
    }

    fn into_row(self, shared: &Shared<'_>, basis: Arc<Basis>) -> PredictionRow {
        PredictionRow {
            key: RowKey {
                game: shared.game,
                player: shared.player.as_ref().clone(),
                market: shared.market.as_ref().clone(),
                system_id: self.system_id.into_owned(),
            },
            basis,
            model_sha256: self.model_sha256,
            predicted_value: self.predicted_value,
            over_probability: self.over_probability,
            over_expected_value: self.over_expected_value,
            under_expected_value: self.under_expected_value,
            over_fair_price: self.over_fair_price,
            line_margin: self.line_margin,
            recommendation: self.recommendation,
            in_sample: self.in_sample,
            row_sha256: self.row_sha256,
        }
    }
}
