//! Values to bins: how many thresholds lie below a value is counted, two registers of thresholds at a time.
//!
//! A search would follow eight answers one after the other. Here a value is compared with every sixteenth threshold at once,
//! and then with the fifteen between two of those.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{load, store};
use crate::native::columns::{Columns, Cuts, Ladder, Lane, ROWS, RUNG_LEVELS, Rung};
use crate::native::forest::signed;
use crate::native::kernels::{Rows, portable};

/// Thresholds beside each other in two registers.
#[derive(Clone, Copy)]
struct Pair(__m256, __m256);

impl Pair {
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    fn load(rung: &Rung) -> Pair {
        let (halves, _) = rung.0.as_chunks::<8>();
        // SAFETY: each half of a rung is eight floats, and the loads want no alignment.
        #[expect(unsafe_code, reason = "reads whole registers")]
        unsafe {
            Pair(_mm256_loadu_ps(halves[0].as_ptr()), _mm256_loadu_ps(halves[1].as_ptr()))
        }
    }

    /// Twice how many of them the value exceeds, which stands in all places of `x`.
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    fn twice_below(self, x: __m256) -> usize {
        let low = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(x, self.0));
        let high = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(x, self.1));
        // Packed to half their width, so that one mask takes both: two bits each.
        let mask = _mm256_movemask_epi8(_mm256_packs_epi32(low, high)) as u32;
        mask.count_ones() as usize
    }
}

/// The bin of a value that stands in all places of `x`; the least one if it is missing.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn find(x: __m256, choices: Pair, rungs: &[Rung]) -> u8 {
    let rung = choices.twice_below(x) / 2;
    ((rung << RUNG_LEVELS) + Pair::load(&rungs[rung]).twice_below(x) / 2) as u8
}

/// The same where there is no choice.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn find_in_one(x: __m256, rung: Pair) -> u8 {
    (rung.twice_below(x) / 2) as u8
}

/// Features of a strip: eight bytes of each make two lines of a cache.
const STRIP: usize = 16;

/// Some features of a block's rows as floats.
struct Strip {
    cells: [[f32; STRIP]; ROWS],
    /// The features it holds.
    features: Range<usize>,
}

impl Strip {
    /// Takes the strip that a feature is in. Rows are read from left to right, because values from one column of rows that
    /// were not read before come slowly.
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    fn take(&mut self, feature: usize, rows: Rows<'_>) {
        let first = feature / STRIP * STRIP;
        self.features = first..(first + STRIP).min(rows.width);
        for (cells, row) in self.cells.iter_mut().zip(rows.values.chunks_exact(rows.width)) {
            let values = &row[self.features.clone()];
            // A whole strip is four registers.
            if let Some(values) = values.as_array::<STRIP>() {
                cells.iter_mut().zip(values).for_each(|(cell, value)| *cell = *value as f32);
            } else {
                cells.iter_mut().zip(values).for_each(|(cell, value)| *cell = *value as f32);
            }
        }
    }

    /// One feature of the rows.
    fn column(&self, feature: usize, rows: usize) -> impl Iterator<Item = &f32> {
        self.cells[..rows].iter().map(move |cells| &cells[feature % STRIP])
    }
}

/// Writes the bins of a block, as signed bytes.
#[target_feature(enable = "avx2,popcnt")]
pub(in super::super) fn bin(columns: &Columns, rows: Rows<'_>, lanes: &mut [Lane]) {
    let lanes = &mut lanes[..columns.list.len()];
    match &columns.cuts {
        Cuts::F32(_) => {
            let mut strip = Strip { cells: [[0.0; STRIP]; ROWS], features: 0..0 };
            for (column, lane) in columns.list.iter().zip(&mut *lanes) {
                let feature = column.feature as usize;
                // Columns are in the order of their features.
                if !strip.features.contains(&feature) {
                    strip.take(feature, rows);
                }
                bin_column(columns.ladder(column), &strip, feature, rows.count, lane);
                if !column.missing_is_yes {
                    // A missing value exceeded nothing; where it answers no it is to exceed everything.
                    for (bin, value) in lane.0.iter_mut().zip(strip.column(feature, rows.count)) {
                        *bin |= if value.is_nan() { u8::MAX } else { 0 };
                    }
                }
            }
        }
        Cuts::F64(_) => portable::bin(columns, rows, lanes),
    }
    let flip = _mm256_set1_epi8(signed(0) as i8);
    for lane in lanes {
        for half in 0..2 {
            let flipped = _mm256_xor_si256(load(lane, half), flip);
            store(lane, half, flipped);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn bin_column(ladder: Ladder<'_>, strip: &Strip, feature: usize, rows: usize, lane: &mut Lane) {
    let bins = lane.0.iter_mut().zip(strip.column(feature, rows));
    match ladder {
        Ladder::One(rung) => {
            let rung = Pair::load(rung);
            for (bin, value) in bins {
                *bin = find_in_one(_mm256_set1_ps(*value), rung);
            }
        }
        Ladder::Many { choices, rungs } => {
            let choices = Pair::load(choices);
            for (bin, value) in bins {
                *bin = find(_mm256_set1_ps(*value), choices, rungs);
            }
        }
    }
}

/// All bins of one row, one after the other, as they are.
#[target_feature(enable = "avx2,popcnt")]
pub(in super::super) fn bin_row(columns: &Columns, row: &[f64], lanes: &mut [Lane]) {
    if matches!(columns.cuts, Cuts::F64(_)) {
        return columns.bin_row(row, lanes);
    }
    for (column, bin) in columns.list.iter().zip(lanes.iter_mut().flat_map(|lane| &mut lane.0)) {
        let value = row[column.feature as usize] as f32;
        let x = _mm256_set1_ps(value);
        let found = match columns.ladder(column) {
            Ladder::One(rung) => find_in_one(x, Pair::load(rung)),
            Ladder::Many { choices, rungs } => find(x, Pair::load(choices), rungs),
        };
        *bin = if value.is_nan() && !column.missing_is_yes { u8::MAX } else { found };
    }
}
