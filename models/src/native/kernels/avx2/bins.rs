//! Values to bins: how many thresholds lie below a value is counted, two registers of thresholds at a time.
//!
//! A search would follow eight answers one after the other. Here a value is compared with every sixteenth threshold at once,
//! and then with the fifteen between two of those.

use std::arch::x86_64::*;

use super::{load, store};
use crate::native::columns::{Column, Columns, Cuts, Lane, ROWS, RUNG, RUNG_LEVELS, Rung};
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

    /// The thresholds that choose between a column's rungs.
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    fn choices(column: &Column, cuts: &[f32]) -> Pair {
        let mut choices = Rung([f32::INFINITY; RUNG]);
        let some = column.choices();
        choices.0[..some].copy_from_slice(&cuts[column.start as usize..][..some]);
        Pair::load(&choices)
    }

    /// How many of them the value exceeds, which stands in all places of `x`.
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    fn below(self, x: __m256) -> usize {
        let low = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(x, self.0));
        let high = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(x, self.1));
        // Packed to half their width, so that one mask takes both: two bits each.
        let mask = _mm256_movemask_epi8(_mm256_packs_epi32(low, high)) as u32;
        (mask.count_ones() / 2) as usize
    }
}

/// The bin of a value that stands in all places of `x`, if it is not missing.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn find(x: __m256, choices: Pair, rungs: &[Rung]) -> u8 {
    let rung = choices.below(x);
    (rung << RUNG_LEVELS | Pair::load(&rungs[rung]).below(x)) as u8
}

/// Writes the bins of a block, as signed bytes.
#[target_feature(enable = "avx2,popcnt")]
pub(in super::super) fn bin(columns: &Columns, rows: Rows<'_>, lanes: &mut [Lane]) {
    let lanes = &mut lanes[..columns.list.len()];
    match &columns.cuts {
        Cuts::F32(cuts) => {
            let mut values = [0.0; ROWS];
            for (column, lane) in columns.list.iter().zip(&mut *lanes) {
                let rungs = &columns.rungs[column.rung as usize..][..column.rungs()];
                gather_column(column, rows, &mut values);
                bin_column(column, Pair::choices(column, cuts), rungs, &values[..rows.count], lane);
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

/// One feature of a block's rows, as floats.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn gather_column(column: &Column, rows: Rows<'_>, values: &mut [f32; ROWS]) {
    for (value, row) in values.iter_mut().zip(rows.values.chunks_exact(rows.width)) {
        *value = row[column.feature as usize] as f32;
    }
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn bin_column(column: &Column, choices: Pair, rungs: &[Rung], values: &[f32], lane: &mut Lane) {
    let mut is_missing = false;
    if let [rung] = rungs {
        let rung = Pair::load(rung);
        for (bin, value) in lane.0.iter_mut().zip(values) {
            *bin = rung.below(_mm256_set1_ps(*value)) as u8;
            is_missing |= value.is_nan();
        }
    } else {
        for (bin, value) in lane.0.iter_mut().zip(values) {
            *bin = find(_mm256_set1_ps(*value), choices, rungs);
            is_missing |= value.is_nan();
        }
    }
    // A missing value exceeded nothing; where it answers no it is to exceed everything.
    if is_missing && !column.missing_is_yes {
        for (bin, value) in lane.0.iter_mut().zip(values) {
            *bin |= if value.is_nan() { u8::MAX } else { 0 };
        }
    }
}

/// All bins of one row, one after the other.
#[target_feature(enable = "avx2,popcnt")]
pub(in super::super) fn bin_row(columns: &Columns, row: &[f64], lanes: &mut [Lane]) {
    let Cuts::F32(cuts) = &columns.cuts else { return columns.bin_row(row, lanes) };
    for (column, bin) in columns.list.iter().zip(lanes.iter_mut().flat_map(|lane| &mut lane.0)) {
        let value = row[column.feature as usize] as f32;
        let rungs = &columns.rungs[column.rung as usize..][..column.rungs()];
        *bin = if value.is_nan() && !column.missing_is_yes {
            u8::MAX
        } else {
            find(_mm256_set1_ps(value), Pair::choices(column, cuts), rungs)
        };
    }
}
