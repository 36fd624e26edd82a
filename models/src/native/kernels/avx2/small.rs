//! Trees of any shape with up to 256 leaves: merged from the bottom up, a byte of a register being a row.

use std::arch::x86_64::*;

use super::{HALF, load, store};
use crate::native::columns::{Lane, ROWS};
use crate::native::forest::{Merge, signed};
use crate::native::kernels::Scratch;

/// The numbers of the leaves that a block's rows reach, by halves.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn merge<const HALVES: usize>(
    merges: &[Merge],
    lanes: &[Lane],
    scratch: &mut Scratch,
) -> [__m256i; HALVES] {
    let operands = scratch.lanes.as_mut_slice();
    // The least bin that answers no is one above the cut; added with what turns the highest bit.
    let above = _mm256_set1_epi8(signed(1) as i8);
    let mut results = [_mm256_setzero_si256(); HALVES];
    for (index, merge) in merges.iter().enumerate() {
        let bins = &lanes[merge.question.column()];
        let least = _mm256_add_epi8(_mm256_set1_epi32(merge.question.cuts() as i32), above);
        for (half, result) in results.iter_mut().enumerate() {
            let is_yes = _mm256_cmpgt_epi8(least, load(bins, half));
            let yes = load(&operands[usize::from(merge.yes)], half);
            let no = load(&operands[usize::from(merge.no)], half);
            *result = _mm256_blendv_epi8(no, yes, is_yes);
            store(&mut operands[256 + index], half, *result);
        }
    }
    results
}

/// Those of a half as numbers.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn numbers(leaves: __m256i) -> [u32; HALF] {
    let mut lane = Lane([0; ROWS]);
    store(&mut lane, 0, leaves);
    std::array::from_fn(|row| u32::from(lane.0[row]))
}
