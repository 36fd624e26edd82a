//! Kernels for AVX2.
//!
//! A block's 64 bins of a column are two registers, its halves. Bins are laid down as [`signed`] bytes, because AVX2 compares
//! no others: then a question is one comparison for 32 rows, with the bins straight from memory.
//!
//! The weights of a tree with up to 128 leaves are looked up inside registers, a byte of the `float` at a time: a shuffle
//! chooses among sixteen leaves, and a tree of 64 takes four for each byte. Interleaving the four bytes of 32 rows gives four
//! registers of `float`s, in an order that [`ADDED_FROM`] knows. A gather would be simpler, but fetches one row at a time.
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
    let mut found = [Found([[0.0; HALF]; 2]); GROUP];
    for trees in forest.trees[run.trees.clone()].chunks(GROUP) {
        let group = Group { forest, kind: run.kind, trees, weights };
        for (index, (lanes, sums)) in blocks.iter().zip(&mut *sums).enumerate() {
            if index < whole || halves == 2 {
                add_group::<2>(group, lanes, scratch, &mut found, sums);
            } else {
                add_group::<1>(group, lanes, scratch, &mut found, sums);
            }
        }
    }
}

/// Up to eight trees of one kind.
#[derive(Clone, Copy)]
struct Group<'a> {
    forest: &'a Forest,
    kind: Kind,
    trees: &'a [Tree],
    /// Those of one head.
    weights: &'a Weights,
}

/// Adds the leaves of a group's trees to the sums of one block, or to its first half.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn add_group<const HALVES: usize>(
    group: Group<'_>,
    lanes: &[Lane],
    scratch: &mut Scratch,
    found: &mut [Found; GROUP],
    sums: &mut [f64; ROWS],
) {
    let Group { forest, kind, trees, weights } = group;
    match (kind, weights) {
        (Kind::Oblivious, Weights::F32 { list, planes }) => {
            for half in 0..HALVES {
                find_oblivious(forest, trees, list, planes, lanes, half, found);
            }
            add_floats::<HALVES>(&found[..trees.len()], sums);
        }
        (Kind::Small, Weights::F32 { list, planes }) => {
            find_small::<HALVES>(forest, trees, list, planes, lanes, scratch, found);
            add_floats::<HALVES>(&found[..trees.len()], sums);
        }
        _ => {
            for tree in trees {
                let leaves = numbers(forest, kind, tree, lanes, scratch);
                portable::add_leaves(weights, tree, &leaves, sums);
            }
        }
    }
}

/// Trees with one question per level and weights that are floats, for half a block.
#[inline(never)]
#[target_feature(enable = "avx2,popcnt")]
fn find_oblivious(
    forest: &Forest,
    trees: &[Tree],
    list: &[f32],
    planes: &[u8],
    lanes: &[Lane],
    half: usize,
    found: &mut [Found; GROUP],
) {
    for (tree, found) in trees.iter().zip(&mut *found) {
        let found = &mut found.0[half];
        let asked = (&forest.questions[tree.questions()], &forest.least[tree.questions()]);
        match tree.depth {
            6 => descend::<6, 4>(asked, tree, planes, lanes, half, found),
            0 => descend::<0, 1>(asked, tree, planes, lanes, half, found),
            1 => descend::<1, 1>(asked, tree, planes, lanes, half, found),
            2 => descend::<2, 1>(asked, tree, planes, lanes, half, found),
            3 => descend::<3, 1>(asked, tree, planes, lanes, half, found),
            4 => descend::<4, 1>(asked, tree, planes, lanes, half, found),
            5 => descend::<5, 2>(asked, tree, planes, lanes, half, found),
            7 => descend::<7, 8>(asked, tree, planes, lanes, half, found),
            _ => pick(&deep(asked, lanes, half), &list[tree.weights()], found),
        }
    }
}

/// One tree of so many levels, whose leaves are so many shuffles, for half a block.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn descend<const LEVELS: usize, const TABLES: usize>(
    (questions, least): (&[Question], &[u32]),
    tree: &Tree,
    planes: &[u8],
    lanes: &[Lane],
    half: usize,
    found: &mut [f32; HALF],
) {
    let mut leaves = _mm256_setzero_si256();
    for level in 0..LEVELS {
        let lane = &lanes[questions[level].column()];
        let least = _mm256_set1_epi32(least[level] as i32);
        let is_yes = _mm256_cmpgt_epi8(least, load(lane, half));
        leaves = _mm256_or_si256(leaves, _mm256_andnot_si256(is_yes, _mm256_set1_epi8(1 << level)));
    }
    look_up::<TABLES>(&planes[4 * tree.weights as usize..], 1 << LEVELS, leaves, found);
}

/// The weights of a tree of `count` leaves, sixteen to a table, looked up in registers; its planes are the first of `planes`.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn look_up<const TABLES: usize>(planes: &[u8], count: usize, leaves: __m256i, found: &mut [f32; HALF]) {
    assert!(planes.len() >= 3 * count + 16 * TABLES, "the last tree is followed by as much as is read");
    // A shuffle gives zero where the highest bit is set. So each table is asked for its own leaves, which are below 16 once
    // their number is taken away, and all others get that bit; what the tables give is put together by an or.
    let mut places = [leaves; TABLES];
    for (table, place) in places.iter_mut().enumerate() {
        let own = _mm256_xor_si256(leaves, _mm256_set1_epi8(16 * table as i8));
        *place = _mm256_adds_epu8(own, _mm256_set1_epi8(0x70));
    }
    let mut bytes = [_mm256_setzero_si256(); 4];
    for (plane, byte) in bytes.iter_mut().enumerate() {
        for (table, place) in places.into_iter().enumerate() {
            // SAFETY: a plane's number is at most 3 and a table's below `TABLES`, so by the assertion these sixteen bytes
            // are inside `planes`; the load wants no alignment.
            #[expect(unsafe_code, reason = "reads half a register")]
            let weights = unsafe { _mm_loadu_si128(planes.as_ptr().add(plane * count + 16 * table).cast()) };
            let own = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(weights), place);
            *byte = _mm256_or_si256(*byte, own);
        }
    }
    interleave(bytes, found);
}

/// Puts the four bytes of each row's float together, in the order that [`ADDED_FROM`] knows.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn interleave([first, second, third, fourth]: [__m256i; 4], found: &mut [f32; HALF]) {
    let low = [_mm256_unpacklo_epi8(first, second), _mm256_unpacklo_epi8(third, fourth)];
    let high = [_mm256_unpackhi_epi8(first, second), _mm256_unpackhi_epi8(third, fourth)];
    let (eights, _) = found.as_chunks_mut::<8>();
    store_words(&mut eights[0], _mm256_unpacklo_epi16(low[0], low[1]));
    store_words(&mut eights[1], _mm256_unpackhi_epi16(low[0], low[1]));
    store_words(&mut eights[2], _mm256_unpacklo_epi16(high[0], high[1]));
    store_words(&mut eights[3], _mm256_unpackhi_epi16(high[0], high[1]));
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
fn find_small<const HALVES: usize>(
    forest: &Forest,
    trees: &[Tree],
    list: &[f32],
    planes: &[u8],
    lanes: &[Lane],
    scratch: &mut Scratch,
    found: &mut [Found; GROUP],
) {
    for (tree, found) in trees.iter().zip(&mut *found) {
        let (planes, count) = (&planes[4 * tree.weights as usize..], tree.leaves as usize);
        let leaves = small::merge::<HALVES>(&forest.merges[tree.merges()], lanes, scratch);
        for (leaves, found) in leaves.into_iter().zip(&mut found.0) {
            match count {
                0..=16 => look_up::<1>(planes, count, leaves, found),
                17..=32 => look_up::<2>(planes, count, leaves, found),
                33..=64 => look_up::<4>(planes, count, leaves, found),
                65..=128 => look_up::<8>(planes, count, leaves, found),
                _ => pick(&small::numbers(leaves), &list[tree.weights()], found),
            }
        }
    }
}

/// The leaves of a large tree, or of one whose weights are doubles.
#[inline(never)]
#[target_feature(enable = "avx2,popcnt")]
fn numbers(forest: &Forest, kind: Kind, tree: &Tree, lanes: &[Lane], scratch: &mut Scratch) -> [u32; ROWS] {
    let mut leaves = [0; ROWS];
    let (halves, _) = leaves.as_chunks_mut::<HALF>();
    match kind {
        Kind::Oblivious => {
            let asked = (&forest.questions[tree.questions()], &forest.least[tree.questions()]);
            halves.iter_mut().enumerate().for_each(|(half, leaves)| *leaves = deep(asked, lanes, half));
        }
        Kind::Small => {
            let merged = small::merge::<2>(&forest.merges[tree.merges()], lanes, scratch);
            halves.iter_mut().zip(merged).for_each(|(leaves, merged)| *leaves = small::numbers(merged));
        }
        Kind::Large => {
            leaves = portable::walk::<{ signed(0) }>(&forest.steps[tree.steps()], tree, lanes);
        }
    }
    leaves
}

/// The leaves of an oblivious tree with up to sixteen levels.
#[inline(never)]
#[target_feature(enable = "avx2,popcnt")]
fn deep((questions, least): (&[Question], &[u32]), lanes: &[Lane], half: usize) -> [u32; HALF] {
    let mut bytes = [Lane([0; ROWS]); 2];
    for ((questions, least), bytes) in questions.chunks(8).zip(least.chunks(8)).zip(&mut bytes) {
        let mut leaves = _mm256_setzero_si256();
        let mut bit = _mm256_set1_epi8(1);
        for (question, least) in questions.iter().zip(least) {
            let least = _mm256_set1_epi32(*least as i32);
            let is_yes = _mm256_cmpgt_epi8(least, load(&lanes[question.column()], half));
            leaves = _mm256_or_si256(leaves, _mm256_andnot_si256(is_yes, bit));
            bit = _mm256_add_epi8(bit, bit);
        }
        store(bytes, 0, leaves);
    }
    let [low, high] = bytes;
    std::array::from_fn(|row| u32::from(low.0[row]) | u32::from(high.0[row]) << 8)
}

/// The weights of a tree with many leaves, one by one.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn pick(leaves: &[u32; HALF], list: &[f32], found: &mut [f32; HALF]) {
    let (fours, _) = leaves.as_chunks::<4>();
    for (leaves, at) in fours.iter().zip(ADDED_FROM) {
        for (leaf, weight) in leaves.iter().zip(&mut found[at..at + 4]) {
            *weight = list[*leaf as usize];
        }
    }
}

/// Adds the weights of some trees to the sums, tree after tree.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn add_floats<const HALVES: usize>(found: &[Found], sums: &mut [f64; ROWS]) {
    let (halves, _) = sums.as_chunks_mut::<HALF>();
    for (half, sums) in halves.iter_mut().enumerate().take(HALVES) {
        let (fours, _) = sums.as_chunks_mut::<4>();
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
