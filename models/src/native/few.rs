//! One row alone through all trees.
//!
//! With a single row there is nothing to do side by side but trees. Oblivious trees are answered a run at a time; others
//! are walked eight at a time, so that the steps of one hide the latency of another.

use super::columns::ROWS;
use super::forest::{Forest, Kind, Tree, Weights};
use super::kernels::Isa;

/// Trees that one row walks down at the same time.
const ABREAST: usize = 8;

/// Up to how many rows go alone faster than as a block of 64.
pub(super) fn most_rows(forest: &Forest, _isa: Isa) -> usize {
    if forest.is_oblivious() { 4 } else { 8 }
}

/// Answers one row, one number for each head.
pub(super) fn answer(forest: &Forest, _isa: Isa, row: &[f64], answers: &mut [f64]) {
    let mut bins: Vec<u8> = Vec::with_capacity(forest.columns.list.len() + 1);
    bins.extend(forest.columns.list.iter().map(|column| forest.columns.bin(column, row)));
    bins.push(u8::MAX);
    answers.fill(0.0);
    let mut leaves = [0_u32; ROWS];
    for run in &forest.runs {
        let trees = &forest.trees[run.trees.clone()];
        let leaves = &mut leaves[..trees.len()];
        match run.kind {
            Kind::Oblivious => oblivious(forest, trees, &bins, leaves),
            Kind::Small | Kind::Large => walk(forest, trees, &bins, leaves),
        }
        for (sum, weights) in answers.iter_mut().zip(&forest.heads) {
            add(weights, trees, leaves, sum);
        }
    }
    for (head, answer) in answers.iter_mut().enumerate() {
        *answer = forest.finish(head, *answer);
    }
}

fn oblivious(forest: &Forest, trees: &[Tree], bins: &[u8], leaves: &mut [u32]) {
    for (tree, leaf) in trees.iter().zip(leaves) {
        *leaf = 0;
        for (level, question) in forest.questions[tree.questions()].iter().enumerate() {
            *leaf |= u32::from(question.is_no(bins[question.column()])) << level;
        }
    }
}

fn walk(forest: &Forest, trees: &[Tree], bins: &[u8], leaves: &mut [u32]) {
    for (trees, leaves) in trees.chunks(ABREAST).zip(leaves.chunks_mut(ABREAST)) {
        let steps = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
        let mut at: [u32; ABREAST] = std::array::from_fn(|lane| trees.get(lane).map_or(0, |tree| tree.steps));
        for _ in 0..steps {
            let mut moved = 0;
            for (lane, tree) in trees.iter().enumerate() {
                let position = at[lane];
                let step = forest.steps[position as usize];
                let is_no = step.question.is_no(bins[step.question.column()]);
                let next = std::hint::select_unpredictable(is_no, tree.steps + step.no, position + 1);
                moved |= next ^ position;
                at[lane] = next;
            }
            if moved == 0 {
                break;
            }
        }
        for (leaf, position) in leaves.iter_mut().zip(at) {
            *leaf = forest.steps[position as usize].leaf;
        }
    }
}

fn add(weights: &Weights, trees: &[Tree], leaves: &[u32], sum: &mut f64) {
    let at = trees.iter().zip(leaves).map(|(tree, leaf)| (tree.weights + leaf) as usize);
    match weights {
        Weights::F32 { list, .. } => at.for_each(|leaf| *sum += f64::from(list[leaf])),
        Weights::F64(list) => at.for_each(|leaf| *sum += list[leaf]),
    }
}
