//! One row through the oblivious trees of a run, up to 64 of them side by side: a byte of two registers is a tree.
//!
//! The row's bins lie in registers as well, sixteen columns in each, so that a level asks 32 trees at once: shuffles fetch
//! each tree's bin, a comparison answers, and only the weights come from memory.

use std::arch::x86_64::*;

use super::{HALF, load, store};
use crate::native::columns::{Lane, ROWS};
use crate::native::forest::{Beside, BesideLevel, SIDE_BY_SIDE};

/// Sixteen columns' bins, in both halves of a register.
const TABLE: usize = 16;

/// The leaves that a row reaches in the trees of a run. `bins` are the row's, one byte for each column.
#[target_feature(enable = "avx2,popcnt")]
pub(in super::super) fn leaves(beside: &Beside, bins: &[Lane]) -> Lane {
    let mut leaves = [_mm256_setzero_si256(); 2];
    let mut power = _mm256_set1_epi8(1);
    for level in &beside.levels {
        for (half, leaves) in leaves.iter_mut().enumerate() {
            let (asked, cuts) = (asked(level, bins, half), load(&level.cuts, half));
            let is_yes = _mm256_cmpeq_epi8(_mm256_max_epu8(asked, cuts), cuts);
            *leaves = _mm256_or_si256(*leaves, _mm256_andnot_si256(is_yes, power));
        }
        power = _mm256_add_epi8(power, power);
    }
    let mut lane = Lane([0; ROWS]);
    leaves.into_iter().enumerate().for_each(|(half, leaves)| store(&mut lane, half, leaves));
    lane
}

/// The bin that each tree of a half asks for at a level.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn asked(level: &BesideLevel, bins: &[Lane], half: usize) -> __m256i {
    let columns = load(&level.columns, half);
    // A blend looks at the highest bit of a byte, and at no other.
    let (fifth, sixth) = (_mm256_slli_epi16::<3>(columns), _mm256_slli_epi16::<2>(columns));
    let mut asked = _mm256_setzero_si256();
    for (chunk, (bins, trees)) in bins.iter().zip(&level.trees).enumerate() {
        let (tables, _) = bins.0.as_chunks::<TABLE>();
        let low = _mm256_blendv_epi8(look(&tables[0], columns), look(&tables[1], columns), fifth);
        let high = _mm256_blendv_epi8(look(&tables[2], columns), look(&tables[3], columns), fifth);
        let found = _mm256_blendv_epi8(low, high, sixth);
        asked = if chunk == 0 {
            found
        } else {
            _mm256_blendv_epi8(asked, found, spread((trees >> (half * HALF)) as u32))
        };
    }
    asked
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn look(table: &[u8; TABLE], places: __m256i) -> __m256i {
    // SAFETY: the array is sixteen bytes, and the load wants no alignment.
    #[expect(unsafe_code, reason = "reads half a register")]
    let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), places)
}

/// A byte of ones for each bit that is set.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn spread(bits: u32) -> __m256i {
    let bytes = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let each = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), bytes), each);
    _mm256_cmpeq_epi8(spread, each)
}

/// The weights of those leaves.
#[target_feature(enable = "avx2,popcnt")]
pub(in super::super) fn weights(beside: &Beside, leaves: &Lane, list: &[f32]) -> [f32; SIDE_BY_SIDE] {
    let mut places = [0_u32; SIDE_BY_SIDE];
    let (eights, _) = places.as_chunks_mut::<8>();
    let (firsts, _) = beside.firsts.as_chunks::<8>();
    let (leaves, _) = leaves.0.as_chunks::<8>();
    for ((places, firsts), leaves) in eights.iter_mut().zip(firsts).zip(leaves) {
        // SAFETY: the arrays are eight integers and eight bytes, and neither loads nor the store want alignment.
        #[expect(unsafe_code, reason = "reads and writes whole registers")]
        unsafe {
            let leaves = _mm256_cvtepu8_epi32(_mm_loadl_epi64(leaves.as_ptr().cast()));
            let place = _mm256_add_epi32(_mm256_loadu_si256(firsts.as_ptr().cast()), leaves);
            _mm256_storeu_si256(places.as_mut_ptr().cast(), place);
        }
    }
    // One by one: a gather would take as long.
    places.map(|place| list[place as usize])
}
