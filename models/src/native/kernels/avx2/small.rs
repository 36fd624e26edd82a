//! Trees of any shape with up to 256 leaves: merged from the bottom up, a byte of a register being a row.

use std::arch::x86_64::*;

use super::{HALF, Reached, load, store};
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
    let flip = _mm256_set1_epi8(signed(0) as i8);
    let mut result = [_mm256_setzero_si256(); HALVES];
    for (index, merge) in merges.iter().enumerate() {
        let bins = &lanes[merge.question.column()];
        let cuts = _mm256_xor_si256(_mm256_set1_epi32(merge.question.cuts() as i32), flip);
        for half in 0..HALVES {
            let is_no = _mm256_cmpgt_epi8(load(bins, half), cuts);
            let yes = load(&operands[usize::from(merge.yes)], half);
            let no = load(&operands[usize::from(merge.no)], half);
            result[half] = _mm256_blendv_epi8(yes, no, is_no);
            store(&mut operands[256 + index], half, result[half]);
        }
    }
    result
}

/// Those leaves as look-ups want them, if there are up to 128.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn reached<const HALVES: usize>(leaves: [__m256i; HALVES]) -> Reached<HALVES> {
    let mut reached = Reached { low: leaves, is_off: [[_mm256_setzero_si256(); HALVES]; 3] };
    for half in 0..HALVES {
        reached.low[half] = _mm256_and_si256(leaves[half], _mm256_set1_epi8(0x0f));
        // A blend looks at the highest bit of a byte, and at no other.
        let off = _mm256_xor_si256(leaves[half], _mm256_set1_epi8(-1));
        reached.is_off[0][half] = _mm256_slli_epi16::<3>(off);
        reached.is_off[1][half] = _mm256_slli_epi16::<2>(off);
        reached.is_off[2][half] = _mm256_slli_epi16::<1>(off);
    }
    reached
}

/// Those leaves as numbers; what stands for a half that was not merged means nothing.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn numbers<const HALVES: usize>(leaves: [__m256i; HALVES]) -> [u16; ROWS] {
    let mut lane = Lane([0; ROWS]);
    for (half, leaves) in leaves.into_iter().enumerate() {
        store(&mut lane, half, leaves);
    }
    debug_assert!(HALVES * HALF <= ROWS);
    lane.0.map(u16::from)
}
