//! One row through the oblivious trees of a run, up to 64 of them side by side: a byte of a register is a tree.
//!
//! The row's bins lie in registers as well, 64 columns in each, so that a level asks all trees at once: a permute fetches
//! each tree's bin, a comparison answers, and only the weights come from memory.

use std::arch::x86_64::*;

use crate::native::columns::{Lane, ROWS};
use crate::native::forest::{Beside, SIDE_BY_SIDE};

/// The leaves that a row reaches in the trees of a run. `bins` are the row's, one byte for each column.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn leaves(beside: &Beside, bins: &[Lane]) -> Lane {
    let mut leaves = _mm512_setzero_si512();
    let mut power = _mm512_set1_epi8(1);
    for level in &beside.levels {
        let columns = load(&level.columns);
        let mut asked = _mm512_setzero_si512();
        for (bins, trees) in bins.iter().zip(&level.trees) {
            asked = _mm512_mask_permutexvar_epi8(asked, *trees, columns, load(bins));
        }
        let is_no = _mm512_cmpgt_epu8_mask(asked, load(&level.cuts));
        leaves = _mm512_mask_add_epi8(leaves, is_no, leaves, power);
        power = _mm512_add_epi8(power, power);
    }
    let mut lane = Lane([0; ROWS]);
    // SAFETY: a lane is 64 bytes on a 64-byte boundary.
    #[expect(unsafe_code, reason = "writes a whole register")]
    unsafe {
        _mm512_store_si512((&raw mut lane.0).cast(), leaves);
    }
    lane
}

/// The weights of those leaves.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn weights(beside: &Beside, leaves: &Lane, list: &[f32]) -> [f32; SIDE_BY_SIDE] {
    let mut found = [0.0; SIDE_BY_SIDE];
    let (quarters, _) = found.as_chunks_mut::<16>();
    let (firsts, _) = beside.firsts.as_chunks::<16>();
    let (leaves, _) = leaves.0.as_chunks::<16>();
    assert!(!list.is_empty(), "an ensemble has a leaf");
    let last = _mm512_set1_epi32(list.len() as i32 - 1);
    for ((found, firsts), leaves) in quarters.iter_mut().zip(firsts).zip(leaves) {
        // SAFETY: the three arrays are sixteen numbers each, and neither loads nor stores want alignment; no index is above
        // the last place of `list`, by the minimum.
        #[expect(unsafe_code, reason = "gathers through computed offsets")]
        unsafe {
            let leaves = _mm512_cvtepu8_epi32(_mm_loadu_si128(leaves.as_ptr().cast()));
            let at = _mm512_add_epi32(_mm512_loadu_si512(firsts.as_ptr().cast()), leaves);
            let weights = _mm512_i32gather_ps::<4>(_mm512_min_epu32(at, last), list.as_ptr());
            _mm512_storeu_ps(found.as_mut_ptr(), weights);
        }
    }
    found
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn load(lane: &Lane) -> __m512i {
    // SAFETY: a lane is 64 bytes on a 64-byte boundary.
    #[expect(unsafe_code, reason = "reads a whole register")]
    unsafe {
        _mm512_load_si512((&raw const lane.0).cast())
    }
}
