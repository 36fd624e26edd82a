//! Kernels without a special instruction: plain loops over the 64 rows of a block, which the compiler turns into whatever
//! registers it may use. `avx2` and `avx512` take from here what they do no faster.

use super::{Rows, Scratch};
use crate::native::columns::{Columns, Lane, Question, ROWS};
use crate::native::forest::{Forest, Kind, Merge, Run, Step, Tree, Weights};

/// Rows that walk down a large tree side by side: enough to hide the latency of a step.
const ABREAST: usize = 8;

#[inline(always)]
pub(super) fn bin(columns: &Columns, rows: Rows<'_>, lanes: &mut [Lane]) {
    for (column, lane) in columns.list.iter().zip(lanes) {
        for (index, bin) in lane.0[..rows.count].iter_mut().enumerate() {
            *bin = columns.bin(column, rows.row(index));
        }
    }
}

#[inline(always)]
pub(super) fn add(
    forest: &Forest,
    run: &Run,
    weights: &Weights,
    lanes: &[Lane],
    scratch: &mut Scratch,
    sums: &mut [f64; ROWS],
) {
    for tree in &forest.trees[run.trees.clone()] {
        match run.kind {
            Kind::Oblivious => {
                let questions = &forest.questions[tree.questions()];
                if let Some(questions) = questions.get(..8).filter(|first| first.len() < questions.len()) {
                    let low = bits(questions, lanes);
                    let high = bits(&forest.questions[tree.questions()][8..], lanes);
                    let leaves = std::array::from_fn(|row| u16::from_le_bytes([low.0[row], high.0[row]]));
                    add_leaves(weights, tree, &leaves, sums);
                } else {
                    add_leaves(weights, tree, &bits(questions, lanes).0, sums);
                }
            }
            Kind::Small => {
                let leaves = merge(&forest.merges[tree.merges()], lanes, scratch);
                add_leaves(weights, tree, &leaves.0, sums);
            }
            Kind::Large => {
                add_leaves(weights, tree, &walk::<0>(&forest.steps[tree.steps()], tree, lanes), sums)
            }
        }
    }
}

/// The answers to up to eight questions, the first as the lowest bit.
#[inline(always)]
fn bits(questions: &[Question], lanes: &[Lane]) -> Lane {
    let mut leaves = Lane([0; ROWS]);
    for (level, question) in questions.iter().enumerate() {
        let lane = &lanes[question.column()];
        for (leaf, bin) in leaves.0.iter_mut().zip(lane.0) {
            *leaf |= u8::from(question.is_no(bin)) << level;
        }
    }
    leaves
}

/// The leaves of a small tree, from the bottom up.
#[inline(always)]
fn merge(merges: &[Merge], lanes: &[Lane], scratch: &mut Scratch) -> Lane {
    let (mut results, mut last) = (256, Lane([0; ROWS]));
    for merge in merges {
        // Three lanes by value, so that nothing is thought to overlap.
        let bins = lanes[merge.question.column()].0;
        let yes = scratch.lanes[usize::from(merge.yes)].0;
        let no = scratch.lanes[usize::from(merge.no)].0;
        for row in 0..ROWS {
            let mask = u8::from(merge.question.is_no(bins[row])).wrapping_neg();
            last.0[row] = (no[row] & mask) | (yes[row] & !mask);
        }
        scratch.lanes[results] = last;
        results += 1;
    }
    last
}

/// The leaves of a large tree, numbered as its steps meet them. In each byte of `lanes` the bits of `FLIP` are turned over.
#[inline(always)]
pub(super) fn walk<const FLIP: u8>(steps: &[Step], tree: &Tree, lanes: &[Lane]) -> [u32; ROWS] {
    let mut leaves = [0; ROWS];
    let (groups, _) = leaves.as_chunks_mut::<ABREAST>();
    for (group, at) in groups.iter_mut().enumerate() {
        for _ in 0..tree.depth {
            let mut moved = 0;
            for (lane, position) in at.iter_mut().enumerate() {
                let step = steps[*position as usize];
                let bin = lanes[step.question.column()].0[group * ABREAST + lane] ^ FLIP;
                // A branch would be guessed wrong every other time.
                let next = std::hint::select_unpredictable(step.question.is_no(bin), step.no, *position + 1);
                moved |= next ^ *position;
                *position = next;
            }
            if moved == 0 {
                break;
            }
        }
        for position in at {
            *position = steps[*position as usize].leaf;
        }
    }
    leaves
}

/// Adds each row's leaf to its sum.
#[inline(always)]
pub(super) fn add_leaves<T: Copy + Into<u32>>(
    weights: &Weights,
    tree: &Tree,
    leaves: &[T; ROWS],
    sums: &mut [f64; ROWS],
) {
    match weights {
        Weights::F32 { list, .. } => {
            let list = &list[tree.weights()];
            let found: [f32; ROWS] = std::array::from_fn(|row| list[leaves[row].into() as usize]);
            for (sum, weight) in sums.iter_mut().zip(found) {
                *sum += f64::from(weight);
            }
        }
        Weights::F64(list) => {
            let list = &list[tree.weights()];
            for (sum, leaf) in sums.iter_mut().zip(leaves) {
                *sum += list[(*leaf).into() as usize];
            }
        }
    }
}
