//! Kernels for AVX-512 with byte permutes.
//!
//! A block's 64 bins of a column are one register, so a question is one comparison for 64 rows. The weights of a tree with up
//! to 64 leaves are four registers, one for each byte of a `float`: a permute looks 64 leaves up at once, and four of them,
//! interleaved, are the weights. Larger trees gather from memory.
//!
//! Interleaving works within quarters of a register, which would leave the rows in disorder. So the bins of a block are laid
//! down in the order that interleaving turns into the natural one: the byte at `16 a + 4 b + i` belongs to row
//! `16 b + 4 a + i`. Only this file knows.
//!
//! Every function here needs the features in its attribute; `unsafe` is left for what reads or writes through a pointer.

use std::arch::x86_64::*;

use super::{Rows, Scratch, portable};
use crate::native::columns::{Column, Columns, Cuts, Lane, Question, ROWS};
use crate::native::forest::{Forest, Kind, MOST_PLANE_LEAVES, Merge, Run, Tree, Weights};

/// Trees whose leaves are looked up before they are added: long enough for the additions to be loops of their own, short
/// enough for the weights to stay near.
const GROUP: usize = 8;
/// Widest row that is gathered: 64 of them must be within reach of a 32-bit offset.
const MOST_WIDTH: usize = 1 << 24;

/// The weights that 64 rows found in one tree, rows in natural order.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Found([f32; ROWS]);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn load(lane: &Lane) -> __m512i {
    // SAFETY: a lane is 64 bytes on a 64-byte boundary.
    #[expect(unsafe_code, reason = "reads a whole register")]
    unsafe {
        _mm512_load_si512((&raw const lane.0).cast())
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn store(lane: &mut Lane, value: __m512i) {
    // SAFETY: a lane is 64 bytes on a 64-byte boundary.
    #[expect(unsafe_code, reason = "writes a whole register")]
    unsafe {
        _mm512_store_si512((&raw mut lane.0).cast(), value);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn load_floats(floats: &[f32; 16]) -> __m512 {
    // SAFETY: the array is 16 floats, and the load wants no alignment.
    #[expect(unsafe_code, reason = "reads a whole register")]
    unsafe {
        _mm512_loadu_ps(floats.as_ptr())
    }
}

/// Register `index` of consecutive floats; the slice is checked once for all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn table(floats: &[[f32; 16]], index: usize) -> __m512 {
    load_floats(&floats[index])
}

/// Where the bytes of natural order go, by fours; the same way back.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn swap_order(bytes: __m512i) -> __m512i {
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(order, bytes)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn bin(columns: &Columns, rows: Rows<'_>, lanes: &mut [Lane]) {
    match &columns.cuts {
        Cuts::F32(cuts) if rows.width <= MOST_WIDTH => {
            let offsets = offsets(rows);
            for (column, lane) in columns.list.iter().zip(lanes) {
                let values = gather_column(column, rows, &offsets);
                store(lane, search(column, &cuts[column.start as usize..], &values));
            }
        }
        _ => {
            portable::bin(columns, rows, lanes);
            for lane in &mut lanes[..columns.list.len()] {
                let ordered = swap_order(load(lane));
                store(lane, ordered);
            }
        }
    }
}

/// Where each row of the block begins, counted in values; a row beyond the block is its last one again.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn offsets(rows: Rows<'_>) -> [__m256i; 8] {
    let width = _mm256_set1_epi32(rows.width as i32);
    let last = _mm256_set1_epi32(rows.count as i32 - 1);
    std::array::from_fn(|eight| {
        let first = _mm256_set1_epi32(8 * eight as i32);
        let row = _mm256_add_epi32(first, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        _mm256_mullo_epi32(_mm256_min_epi32(row, last), width)
    })
}

/// One feature of 64 rows as floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn gather_column(column: &Column, rows: Rows<'_>, offsets: &[__m256i; 8]) -> [__m512; 4] {
    let feature = column.feature as usize;
    assert!(feature < rows.width && rows.values.len() == rows.count * rows.width, "rows of another width");
    let eight = |which: usize| {
        // SAFETY: an offset is a row's number below `count` times the width, the feature is below the width, and the values
        // are `count` rows of that width: each of the eight places is inside `values`.
        #[expect(unsafe_code, reason = "gathers through computed offsets")]
        let values = unsafe { _mm512_i32gather_pd::<8>(offsets[which], rows.values.as_ptr().add(feature)) };
        _mm512_cvtpd_ps(values)
    };
    std::array::from_fn(|quarter| {
        let low = _mm512_castps_pd(_mm512_castps256_ps512(eight(2 * quarter)));
        let high = _mm256_castps_pd(eight(2 * quarter + 1));
        _mm512_castpd_ps(_mm512_insertf64x4::<1>(low, high))
    })
}

/// The bins of 64 values: up to eight questions each, asked of registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn search(column: &Column, cuts: &[f32], values: &[__m512; 4]) -> __m512i {
    let mut answers = [_mm512_setzero_si512(); 4];
    // The answers of levels 5 and 6, which choose between registers.
    let (mut fifth, mut sixth) = ([0; 4], [0; 4]);
    for level in 0..column.levels {
        let cuts = &cuts[(1 << level) - 1..];
        let (tables, _) = cuts.as_chunks::<16>();
        let bit = _mm512_set1_epi32(1 << level);
        for quarter in 0..4 {
            let at = answers[quarter];
            let two =
                |first: usize| _mm512_permutex2var_ps(table(tables, first), at, table(tables, first + 1));
            let cut = match level {
                0..=4 => _mm512_permutexvar_ps(at, table(tables, 0)),
                5 => two(0),
                6 => _mm512_mask_blend_ps(fifth[quarter], two(0), two(2)),
                _ => {
                    let low = _mm512_mask_blend_ps(fifth[quarter], two(0), two(2));
                    let high = _mm512_mask_blend_ps(fifth[quarter], two(4), two(6));
                    _mm512_mask_blend_ps(sixth[quarter], low, high)
                }
            };
            let is_no = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(values[quarter], cut);
            answers[quarter] = _mm512_mask_or_epi32(at, is_no, at, bit);
            match level {
                5 => fifth[quarter] = is_no,
                6 => sixth[quarter] = is_no,
                _ => {}
            }
        }
    }
    if !column.missing_is_yes {
        // A missing value exceeded nothing; where it answers no it is to exceed everything.
        for (answers, values) in answers.iter_mut().zip(values) {
            let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(*values, *values);
            *answers = _mm512_mask_mov_epi32(*answers, is_nan, _mm512_set1_epi32(0xff));
        }
    }
    let [a, b, c, d] = answers;
    let low = _mm512_or_si512(a, _mm512_slli_epi32::<8>(b));
    let high = _mm512_or_si512(_mm512_slli_epi32::<16>(c), _mm512_slli_epi32::<24>(d));
    bins(column.levels, _mm512_or_si512(low, high))
}

/// From answers, first one lowest, byte `4 k + q` belonging to row `16 q + k`, to bins in the order of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn bins(levels: u8, answers: __m512i) -> __m512i {
    const ORDER: Lane = {
        let mut order = [0; ROWS];
        let mut at = 0;
        while at < ROWS {
            // The byte at 16 a + 4 b + i belongs to row 16 b + 4 a + i.
            let (a, b, i) = (at / 16, at / 4 % 4, at % 4);
            order[at] = (4 * (4 * a + i) + b) as u8;
            at += 1;
        }
        Lane(order)
    };
    let answers = _mm512_permutexvar_epi8(load(&ORDER), answers);
    // Backwards: each half of a byte through a table of sixteen.
    let half = _mm512_set1_epi8(0x0f);
    let reversed =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15));
    let low = _mm512_shuffle_epi8(reversed, _mm512_and_si512(answers, half));
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(answers), half);
    let high = _mm512_shuffle_epi8(reversed, high);
    let bytes = _mm512_or_si512(_mm512_slli_epi16::<4>(low), high);
    let unused = u32::from(8 - levels);
    let kept = _mm512_set1_epi8((0xff_u8 >> unused) as i8);
    _mm512_and_si512(_mm512_srl_epi16(bytes, _mm_cvtsi32_si128(unused as i32)), kept)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn add(
    forest: &Forest,
    run: &Run,
    weights: &Weights,
    lanes: &[Lane],
    scratch: &mut Scratch,
    sums: &mut [f64; ROWS],
) {
    let trees = &forest.trees[run.trees.clone()];
    match (run.kind, weights) {
        (Kind::Oblivious, Weights::F32 { list, planes }) => {
            add_oblivious(forest, trees, list, planes, lanes, &scratch.powers, sums);
        }
        (Kind::Small, Weights::F32 { list, planes }) => {
            add_small(forest, trees, list, planes, lanes, scratch, sums);
        }
        _ => add_others(forest, run, weights, lanes, scratch, sums),
    }
}

/// Trees with one question per level and weights that are floats.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn add_oblivious(
    forest: &Forest,
    trees: &[Tree],
    list: &[f32],
    planes: &[u8],
    lanes: &[Lane],
    powers: &[Lane; 8],
    sums: &mut [f64; ROWS],
) {
    let mut found = [Found([0.0; ROWS]); GROUP];
    for trees in trees.chunks(GROUP) {
        for (tree, found) in trees.iter().zip(&mut found) {
            let questions = &forest.questions[tree.questions()];
            if let Some(six) = questions.as_array::<6>() {
                // The usual depth: loops that are none, registers that are full.
                let mut leaves = _mm512_setzero_si512();
                for level in 0..6 {
                    let power = load(&powers[level]);
                    leaves = _mm512_mask_add_epi8(leaves, is_no(six[level], lanes), leaves, power);
                }
                look_up_planes::<true>(tree, leaves, planes, found);
            } else if questions.len() < 6 {
                look_up_planes::<false>(tree, bits(questions, lanes), planes, found);
            } else {
                gather_floats(tree, deep(questions, lanes), list, found);
            }
        }
        add_floats(&found[..trees.len()], sums);
    }
}

/// Trees of any shape with up to 256 leaves and weights that are floats.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn add_small(
    forest: &Forest,
    trees: &[Tree],
    list: &[f32],
    planes: &[u8],
    lanes: &[Lane],
    scratch: &mut Scratch,
    sums: &mut [f64; ROWS],
) {
    let mut found = [Found([0.0; ROWS]); GROUP];
    for trees in trees.chunks(GROUP) {
        for (tree, found) in trees.iter().zip(&mut found) {
            let leaves = merge(&forest.merges[tree.merges()], lanes, scratch);
            if tree.leaves as usize <= MOST_PLANE_LEAVES {
                look_up_planes::<false>(tree, leaves, planes, found);
            } else {
                gather_floats(tree, words(leaves), list, found);
            }
        }
        add_floats(&found[..trees.len()], sums);
    }
}

/// Large trees, and weights that are doubles.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn add_others(
    forest: &Forest,
    run: &Run,
    weights: &Weights,
    lanes: &[Lane],
    scratch: &mut Scratch,
    sums: &mut [f64; ROWS],
) {
    for tree in &forest.trees[run.trees.clone()] {
        let leaves = match run.kind {
            Kind::Oblivious => deep(&forest.questions[tree.questions()], lanes),
            Kind::Small => words(merge(&forest.merges[tree.merges()], lanes, scratch)),
            Kind::Large => walked(&portable::walk::<0>(&forest.steps[tree.steps()], tree, lanes)),
        };
        match weights {
            Weights::F32 { list, .. } => {
                let mut found = Found([0.0; ROWS]);
                gather_floats(tree, leaves, list, &mut found);
                add_floats(&[found], sums);
            }
            Weights::F64(list) => add_doubles(&list[tree.weights()], leaves, sums),
        }
    }
}

/// The leaves of a tree with up to sixteen levels, in natural order, sixteen at a time.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn deep(questions: &[Question], lanes: &[Lane]) -> [__m512i; 4] {
    let (low, high) = questions.split_at(questions.len().min(8));
    let (low, high) = (words(bits(low, lanes)), words(bits(high, lanes)));
    std::array::from_fn(|quarter| _mm512_or_si512(low[quarter], _mm512_slli_epi32::<8>(high[quarter])))
}

/// Large trees were walked place by place, so their leaves are still in the order of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn walked(leaves: &[u32; ROWS]) -> [__m512i; 4] {
    std::array::from_fn(|quarter| {
        let natural: [u32; 16] = std::array::from_fn(|k| leaves[16 * (k / 4) + 4 * quarter + k % 4]);
        // SAFETY: the array is sixteen integers, and the load wants no alignment.
        #[expect(unsafe_code, reason = "reads a whole register")]
        unsafe {
            _mm512_loadu_si512(natural.as_ptr().cast())
        }
    })
}

/// From one byte a row in the order of a block to natural order, sixteen at a time.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn words(bytes: __m512i) -> [__m512i; 4] {
    let natural = swap_order(bytes);
    [
        _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<0>(natural)),
        _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<1>(natural)),
        _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<2>(natural)),
        _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<3>(natural)),
    ]
}

/// The rows that answer a question with no.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn is_no(question: Question, lanes: &[Lane]) -> __mmask64 {
    let cuts = _mm512_set1_epi32(question.cuts() as i32);
    _mm512_cmpgt_epu8_mask(load(&lanes[question.column()]), cuts)
}

/// The answers to up to eight questions, the first as the lowest bit.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn bits(questions: &[Question], lanes: &[Lane]) -> __m512i {
    let mut leaves = _mm512_setzero_si512();
    let mut bit = _mm512_set1_epi8(1);
    for question in questions {
        leaves = _mm512_mask_add_epi8(leaves, is_no(*question, lanes), leaves, bit);
        bit = _mm512_add_epi8(bit, bit);
    }
    leaves
}

/// The leaves of a small tree, from the bottom up.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn merge(merges: &[Merge], lanes: &[Lane], scratch: &mut Scratch) -> __m512i {
    let operands = scratch.lanes.as_mut_slice();
    let mut result = _mm512_setzero_si512();
    for (index, merge) in merges.iter().enumerate() {
        let (yes, no) = (load(&operands[usize::from(merge.yes)]), load(&operands[usize::from(merge.no)]));
        result = _mm512_mask_blend_epi8(is_no(merge.question, lanes), yes, no);
        store(&mut operands[256 + index], result);
    }
    result
}

/// The weights of a tree with up to 64 leaves, or exactly so many if it is `FULL`, looked up in registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn look_up_planes<const FULL: bool>(tree: &Tree, leaves: __m512i, planes: &[u8], found: &mut Found) {
    let (begin, count) = (tree.weights as usize, tree.leaves as usize);
    let planes = &planes[4 * begin..][..4 * count];
    let tables = if FULL {
        let (planes, _) = planes.as_chunks::<ROWS>();
        // SAFETY: the array is 64 bytes, and the load wants no alignment.
        #[expect(unsafe_code, reason = "reads a whole register")]
        std::array::from_fn(|which| unsafe { _mm512_loadu_si512(planes[which].as_ptr().cast()) })
    } else {
        assert!((1..=MOST_PLANE_LEAVES).contains(&count), "a byte of each leaf is one register");
        let mask = u64::MAX >> (64 - count);
        // SAFETY: of the 64 bytes behind `which * count` only the first `count` are read, which are inside `planes`.
        #[expect(unsafe_code, reason = "reads part of a register")]
        std::array::from_fn(|which| unsafe {
            _mm512_maskz_loadu_epi8(mask, planes.as_ptr().add(which * count).cast())
        })
    };
    let (quarters, _) = found.0.as_chunks_mut::<16>();
    for (quarter, weights) in quarters.iter_mut().zip(interleave(tables, leaves)) {
        store_floats(quarter, _mm512_castsi512_ps(weights));
    }
}

/// The weights of a tree with more leaves, gathered from memory.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn gather_floats(tree: &Tree, leaves: [__m512i; 4], list: &[f32], found: &mut Found) {
    let list = &list[tree.weights()];
    let last = _mm512_set1_epi32(list.len() as i32 - 1);
    let (quarters, _) = found.0.as_chunks_mut::<16>();
    for (quarter, leaves) in quarters.iter_mut().zip(leaves) {
        // SAFETY: no index is above the last place of `list`, by the minimum; a tree has a leaf, so there is a last place.
        #[expect(unsafe_code, reason = "gathers through computed offsets")]
        let weights = unsafe { _mm512_i32gather_ps::<4>(_mm512_min_epu32(leaves, last), list.as_ptr()) };
        store_floats(quarter, weights);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn store_floats(floats: &mut [f32; 16], value: __m512) {
    // SAFETY: the array is sixteen floats, and the store wants no alignment.
    #[expect(unsafe_code, reason = "writes a whole register")]
    unsafe {
        _mm512_storeu_ps(floats.as_mut_ptr(), value);
    }
}

/// Looks each byte of a row's float up, and puts the four together.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn interleave(tables: [__m512i; 4], leaves: __m512i) -> [__m512i; 4] {
    let [first, second, third, fourth] = tables.map(|table| _mm512_permutexvar_epi8(leaves, table));
    let low = [_mm512_unpacklo_epi8(first, second), _mm512_unpacklo_epi8(third, fourth)];
    let high = [_mm512_unpackhi_epi8(first, second), _mm512_unpackhi_epi8(third, fourth)];
    [
        _mm512_unpacklo_epi16(low[0], low[1]),
        _mm512_unpackhi_epi16(low[0], low[1]),
        _mm512_unpacklo_epi16(high[0], high[1]),
        _mm512_unpackhi_epi16(high[0], high[1]),
    ]
}

/// Adds the weights of some trees to the sums, tree after tree.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn add_floats(found: &[Found], sums: &mut [f64; ROWS]) {
    let (sums, _) = sums.as_chunks_mut::<8>();
    // SAFETY: each array is eight doubles, and neither load nor store wants alignment.
    #[expect(unsafe_code, reason = "reads and writes whole registers")]
    let mut totals: [__m512d; 8] =
        std::array::from_fn(|eight| unsafe { _mm512_loadu_pd(sums[eight].as_ptr()) });
    for found in found {
        let (eights, _) = found.0.as_chunks::<8>();
        for (total, eight) in totals.iter_mut().zip(eights) {
            // SAFETY: the array is eight floats, and the load wants no alignment.
            #[expect(unsafe_code, reason = "reads a whole register")]
            let weights = unsafe { _mm256_loadu_ps(eight.as_ptr()) };
            *total = _mm512_add_pd(*total, _mm512_cvtps_pd(weights));
        }
    }
    for (sums, total) in sums.iter_mut().zip(totals) {
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "reads and writes whole registers")]
        unsafe {
            _mm512_storeu_pd(sums.as_mut_ptr(), total);
        }
    }
}

/// Adds one tree's weights, which are doubles, to the sums.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn add_doubles(list: &[f64], leaves: [__m512i; 4], sums: &mut [f64; ROWS]) {
    let last = _mm512_set1_epi32(list.len() as i32 - 1);
    let (quarters, _) = sums.as_chunks_mut::<16>();
    for (quarter, leaves) in quarters.iter_mut().zip(leaves) {
        let leaves = _mm512_min_epu32(leaves, last);
        let halves = [_mm512_castsi512_si256(leaves), _mm512_extracti64x4_epi64::<1>(leaves)];
        let (eights, _) = quarter.as_chunks_mut::<8>();
        for (sums, leaves) in eights.iter_mut().zip(halves) {
            // SAFETY: no index is above the last place of `list`, by the minimum; `sums` is eight doubles.
            #[expect(unsafe_code, reason = "gathers through computed offsets")]
            unsafe {
                let weights = _mm512_i32gather_pd::<8>(leaves, list.as_ptr());
                let total = _mm512_add_pd(_mm512_loadu_pd(sums.as_ptr()), weights);
                _mm512_storeu_pd(sums.as_mut_ptr(), total);
            }
        }
    }
}
