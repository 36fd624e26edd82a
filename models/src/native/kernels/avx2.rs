//! Kernels for AVX2.
//!
//! A block's 64 bins of a column are two registers, its halves. Bins are laid down as [`signed`] bytes, because AVX2 compares
//! no others: then a question is one comparison for 32 rows, with the bins straight from memory.
//!
//! The weights of a tree with up to 128 leaves are looked up inside registers, a byte of the `float` at a time. A shuffle
//! chooses among sixteen leaves by the answers of the first four levels; each further level chooses between two shuffles, and
//! its answers are a blend's mask as they are. Interleaving the four bytes of 32 rows gives four registers of `float`s, in
//! an order that [`ADDED_FROM`] knows. A gather would be simpler, and on AMD's processors takes three times as long.
//!
//! Every function here needs the features in its attribute; `unsafe` is left for what reads or writes through a pointer.

mod beside;
mod bins;
mod small;

use std::arch::x86_64::*;

pub(super) use beside::{leaves as beside_leaves, weights as beside_weights};
pub(super) use bins::{bin, bin_row};

use super::{Blocks, Scratch, portable};
use crate::native::columns::{Lane, Question, ROWS};
use crate::native::forest::{Forest, Kind, Run, Tree, Weights, signed};

/// Rows of a half: as many as a register has bytes.
const HALF: usize = 32;
/// Trees whose leaves are looked up before they are added: long enough for the additions to keep their sums in registers,
/// short enough for the weights to stay near.
const GROUP: usize = 8;
/// Where in a half of [`Found`] the weights of rows 4 k to 4 k + 3 are.
const ADDED_FROM: [usize; HALF / 4] = [0, 8, 16, 24, 4, 12, 20, 28];

/// The weights that up to 64 rows found in one tree, by halves, in the order that interleaving gives.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Found([[f32; HALF]; 2]);

/// Which leaf each row reached, by halves, as look-ups in registers want it.
#[derive(Clone, Copy)]
struct Reached<const HALVES: usize> {
    /// The last four bits of its number, in a byte.
    low: [__m256i; HALVES],
    /// The next bits: all bits of a byte if it is not set.
    is_off: [[__m256i; HALVES]; 3],
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn load(lane: &Lane, half: usize) -> __m256i {
    let (halves, _) = lane.0.as_chunks::<HALF>();
    // SAFETY: a lane is 64 bytes on a 64-byte boundary, so each half is 32 on a 32-byte boundary.
    #[expect(unsafe_code, reason = "reads a whole register")]
    unsafe {
        _mm256_load_si256(halves[half].as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn store(lane: &mut Lane, half: usize, value: __m256i) {
    let (halves, _) = lane.0.as_chunks_mut::<HALF>();
    // SAFETY: a lane is 64 bytes on a 64-byte boundary, so each half is 32 on a 32-byte boundary.
    #[expect(unsafe_code, reason = "writes a whole register")]
    unsafe {
        _mm256_store_si256(halves[half].as_mut_ptr().cast(), value);
    }
}

/// Adds the leaves of a run's trees to the sums of some blocks.
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn add(
    forest: &Forest,
    run: &Run,
    weights: &Weights,
    blocks: Blocks<'_>,
    scratch: &mut Scratch,
    sums: &mut [[f64; ROWS]],
) {
    // What is left after whole blocks may fit into half of one.
    let (whole, rest) = (blocks.rows / ROWS, blocks.rows % ROWS);
    let halves = if rest == 0 { 0 } else { rest.div_ceil(HALF) };
    let trees = &forest.trees[run.trees.clone()];
    let mut found = [Found([[0.0; HALF]; 2]); GROUP];
    for trees in trees.chunks(GROUP) {
        for (index, (lanes, sums)) in blocks.iter().zip(&mut *sums).enumerate() {
            if index < whole || halves == 2 {
                add_group::<2>(forest, run.kind, trees, weights, lanes, scratch, &mut found, sums);
            } else {
                add_group::<1>(forest, run.kind, trees, weights, lanes, scratch, &mut found, sums);
            }
        }
    }
}

/// Up to eight trees of one kind for one block, or its first half.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn add_group<const HALVES: usize>(
    forest: &Forest,
    kind: Kind,
    trees: &[Tree],
    weights: &Weights,
    lanes: &[Lane],
    scratch: &mut Scratch,
    found: &mut [Found; GROUP],
    sums: &mut [f64; ROWS],
) {
    match (kind, weights) {
        (Kind::Oblivious, Weights::F32 { list, planes }) => {
            add_oblivious::<HALVES>(forest, trees, list, planes, lanes, found, sums);
        }
        (Kind::Small, Weights::F32 { list, planes }) => {
            add_small::<HALVES>(forest, trees, list, planes, lanes, scratch, found, sums);
        }
        _ => add_others(forest, kind, trees, weights, lanes, scratch, sums),
    }
}

/// Trees with one question per level and weights that are floats.
#[inline(never)]
#[target_feature(enable = "avx2,popcnt")]
fn add_oblivious<const HALVES: usize>(
    forest: &Forest,
    trees: &[Tree],
    list: &[f32],
    planes: &[u8],
    lanes: &[Lane],
    found: &mut [Found; GROUP],
    sums: &mut [f64; ROWS],
) {
    for (tree, found) in trees.iter().zip(&mut *found) {
        let asked = (&forest.questions[tree.questions()], &forest.least[tree.questions()]);
        match tree.depth {
            6 => descend::<HALVES, 6, 4>(asked, tree, planes, lanes, found),
            0 => descend::<HALVES, 0, 1>(asked, tree, planes, lanes, found),
            1 => descend::<HALVES, 1, 1>(asked, tree, planes, lanes, found),
            2 => descend::<HALVES, 2, 1>(asked, tree, planes, lanes, found),
            3 => descend::<HALVES, 3, 1>(asked, tree, planes, lanes, found),
            4 => descend::<HALVES, 4, 1>(asked, tree, planes, lanes, found),
            5 => descend::<HALVES, 5, 2>(asked, tree, planes, lanes, found),
            7 => descend::<HALVES, 7, 8>(asked, tree, planes, lanes, found),
            _ => pick(&deep(asked, lanes), &list[tree.weights()], found),
        }
    }
    add_floats::<HALVES>(&found[..trees.len()], sums);
}

/// One tree of so many levels, whose leaves are so many shuffles, for all rows.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn descend<const HALVES: usize, const LEVELS: usize, const TABLES: usize>(
    (questions, least): (&[Question], &[u32]),
    tree: &Tree,
    planes: &[u8],
    lanes: &[Lane],
    found: &mut Found,
) {
    let mut reached =
        Reached { low: [_mm256_setzero_si256(); HALVES], is_off: [[_mm256_setzero_si256(); HALVES]; 3] };
    for level in 0..LEVELS {
        let lane = &lanes[questions[level].column()];
        let least = _mm256_set1_epi32(least[level] as i32);
        for half in 0..HALVES {
            let is_yes = _mm256_cmpgt_epi8(least, load(lane, half));
            if level < 4 {
                let no = _mm256_andnot_si256(is_yes, _mm256_set1_epi8(1 << level));
                reached.low[half] = _mm256_or_si256(reached.low[half], no);
            } else {
                reached.is_off[level - 4][half] = is_yes;
            }
        }
    }
    look_up::<HALVES, TABLES>(&planes[4 * tree.weights as usize..], 1 << LEVELS, &reached, found);
}

/// The weights of a tree of `count` leaves, sixteen to a table, looked up in registers; its planes are the first of `planes`.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn look_up<const HALVES: usize, const TABLES: usize>(
    planes: &[u8],
    count: usize,
    reached: &Reached<HALVES>,
    found: &mut Found,
) {
    assert!(planes.len() >= 3 * count + 16 * TABLES, "the last tree is followed by as much as is read");
    // First the lower two bytes of each float, then the upper two.
    let mut words = [[[_mm256_setzero_si256(); 2]; 2]; HALVES];
    for upper in 0..2 {
        let mut bytes = [[_mm256_setzero_si256(); 2]; HALVES];
        for odd in 0..2 {
            let mut tables = [_mm256_setzero_si256(); TABLES];
            for (index, table) in tables.iter_mut().enumerate() {
                // SAFETY: a plane's number is at most 3 and a table's below `TABLES`, so by the assertion these sixteen
                // bytes are inside `planes`; the load wants no alignment.
                #[expect(unsafe_code, reason = "reads half a register")]
                let leaves = unsafe {
                    _mm_loadu_si128(planes.as_ptr().add((2 * upper + odd) * count + 16 * index).cast())
                };
                *table = _mm256_broadcastsi128_si256(leaves);
            }
            for half in 0..HALVES {
                bytes[half][odd] = choose::<HALVES, TABLES>(&tables, reached, half);
            }
        }
        for half in 0..HALVES {
            let [even, odd] = bytes[half];
            words[half][upper] = [_mm256_unpacklo_epi8(even, odd), _mm256_unpackhi_epi8(even, odd)];
        }
    }
    for half in 0..HALVES {
        let [lower, upper] = words[half];
        let (eights, _) = found.0[half].as_chunks_mut::<8>();
        store_words(&mut eights[0], _mm256_unpacklo_epi16(lower[0], upper[0]));
        store_words(&mut eights[1], _mm256_unpackhi_epi16(lower[0], upper[0]));
        store_words(&mut eights[2], _mm256_unpacklo_epi16(lower[1], upper[1]));
        store_words(&mut eights[3], _mm256_unpackhi_epi16(lower[1], upper[1]));
    }
}

/// One byte of the weight that each row of a half reached.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn choose<const HALVES: usize, const TABLES: usize>(
    tables: &[__m256i; TABLES],
    reached: &Reached<HALVES>,
    half: usize,
) -> __m256i {
    let mut chosen = [_mm256_setzero_si256(); TABLES];
    for (chosen, table) in chosen.iter_mut().zip(tables) {
        *chosen = _mm256_shuffle_epi8(*table, reached.low[half]);
    }
    let mut left = TABLES;
    for is_off in &reached.is_off {
        left /= 2;
        for pair in 0..left {
            chosen[pair] = _mm256_blendv_epi8(chosen[2 * pair + 1], chosen[2 * pair], is_off[half]);
        }
    }
    chosen[0]
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn store_words(floats: &mut [f32; 8], value: __m256i) {
    // SAFETY: the array is eight floats, and the store wants no alignment.
    #[expect(unsafe_code, reason = "writes a whole register")]
    unsafe {
        _mm256_storeu_si256(floats.as_mut_ptr().cast(), value);
    }
}

/// Trees of any shape with up to 256 leaves and weights that are floats.
#[inline(never)]
#[target_feature(enable = "avx2,popcnt")]
fn add_small<const HALVES: usize>(
    forest: &Forest,
    trees: &[Tree],
    list: &[f32],
    planes: &[u8],
    lanes: &[Lane],
    scratch: &mut Scratch,
    found: &mut [Found; GROUP],
    sums: &mut [f64; ROWS],
) {
    for (tree, found) in trees.iter().zip(&mut *found) {
        let (planes, count) = (&planes[4 * tree.weights as usize..], tree.leaves as usize);
        let leaves = small::merge::<HALVES>(&forest.merges[tree.merges()], lanes, scratch);
        match count {
            0..=16 => look_up::<HALVES, 1>(planes, count, &small::reached(leaves), found),
            17..=32 => look_up::<HALVES, 2>(planes, count, &small::reached(leaves), found),
            33..=64 => look_up::<HALVES, 4>(planes, count, &small::reached(leaves), found),
            65..=128 => look_up::<HALVES, 8>(planes, count, &small::reached(leaves), found),
            _ => pick(&small::numbers(leaves), &list[tree.weights()], found),
        }
    }
    add_floats::<HALVES>(&found[..trees.len()], sums);
}

/// Large trees, and weights that are doubles.
#[inline(never)]
#[target_feature(enable = "avx2,popcnt")]
fn add_others(
    forest: &Forest,
    kind: Kind,
    trees: &[Tree],
    weights: &Weights,
    lanes: &[Lane],
    scratch: &mut Scratch,
    sums: &mut [f64; ROWS],
) {
    for tree in trees {
        let leaves = match kind {
            Kind::Oblivious => {
                deep((&forest.questions[tree.questions()], &forest.least[tree.questions()]), lanes)
            }
            Kind::Small => small::numbers(small::merge::<2>(&forest.merges[tree.merges()], lanes, scratch)),
            Kind::Large => {
                let leaves = portable::walk::<{ signed(0) }>(&forest.steps[tree.steps()], tree, lanes);
                portable::add_leaves(weights, tree, &leaves, sums);
                continue;
            }
        };
        portable::add_leaves(weights, tree, &leaves, sums);
    }
}

/// The leaves of a tree with up to sixteen levels.
#[inline(never)]
#[target_feature(enable = "avx2,popcnt")]
fn deep((questions, least): (&[Question], &[u32]), lanes: &[Lane]) -> [u16; ROWS] {
    let mut bytes = [Lane([0; ROWS]); 2];
    for ((questions, least), bytes) in questions.chunks(8).zip(least.chunks(8)).zip(&mut bytes) {
        for half in 0..2 {
            let mut leaves = _mm256_setzero_si256();
            let mut bit = _mm256_set1_epi8(1);
            for (question, least) in questions.iter().zip(least) {
                let least = _mm256_set1_epi32(*least as i32);
                let is_yes = _mm256_cmpgt_epi8(least, load(&lanes[question.column()], half));
                leaves = _mm256_or_si256(leaves, _mm256_andnot_si256(is_yes, bit));
                bit = _mm256_add_epi8(bit, bit);
            }
            store(bytes, half, leaves);
        }
    }
    let [low, high] = bytes;
    std::array::from_fn(|row| u16::from_le_bytes([low.0[row], high.0[row]]))
}

/// The weights of a tree with many leaves, one by one.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn pick(leaves: &[u16; ROWS], list: &[f32], found: &mut Found) {
    let (halves, _) = leaves.as_chunks::<HALF>();
    for (leaves, found) in halves.iter().zip(&mut found.0) {
        let (fours, _) = leaves.as_chunks::<4>();
        for (leaves, at) in fours.iter().zip(ADDED_FROM) {
            for (leaf, weight) in leaves.iter().zip(&mut found[at..at + 4]) {
                *weight = list[usize::from(*leaf)];
            }
        }
    }
}

/// Adds the weights of some trees to the sums, tree after tree.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn add_floats<const HALVES: usize>(found: &[Found], sums: &mut [f64; ROWS]) {
    let (halves, _) = sums.as_chunks_mut::<HALF>();
    for half in 0..HALVES {
        let (fours, _) = halves[half].as_chunks_mut::<4>();
        let mut totals = [_mm256_setzero_pd(); HALF / 4];
        for (total, sums) in totals.iter_mut().zip(&*fours) {
            // SAFETY: the array is four doubles, and the load wants no alignment.
            #[expect(unsafe_code, reason = "reads a whole register")]
            unsafe {
                *total = _mm256_loadu_pd(sums.as_ptr());
            }
        }
        for found in found {
            for (total, at) in totals.iter_mut().zip(ADDED_FROM) {
                let weights = &found.0[half][at..at + 4];
                // SAFETY: the slice is four floats, and the load wants no alignment.
                #[expect(unsafe_code, reason = "reads a whole register")]
                let weights = unsafe { _mm_loadu_ps(weights.as_ptr()) };
                *total = _mm256_add_pd(*total, _mm256_cvtps_pd(weights));
            }
        }
        for (total, sums) in totals.iter().zip(fours) {
            // SAFETY: as above.
            #[expect(unsafe_code, reason = "writes a whole register")]
            unsafe {
                _mm256_storeu_pd(sums.as_mut_ptr(), *total);
            }
        }
    }
}
