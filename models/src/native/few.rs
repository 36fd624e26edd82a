//! One row alone through all trees.
//!
//! With a single row there is nothing to do side by side but trees. Oblivious trees are answered a run at a time; others
//! are walked eight at a time, so that the steps of one hide the latency of another.

use super::columns::{Lane, ROWS};
use super::forest::{Beside, Forest, Kind, Run, SIDE_BY_SIDE, Tree, Weights};
use super::kernels::{self, Isa};

/// Trees that one row walks down at the same time.
const ABREAST: usize = 8;

/// Up to how many rows go alone faster than as a block of 64.
pub(super) fn most_rows(forest: &Forest, _isa: Isa) -> usize {
    if forest.is_oblivious() { 4 } else { 8 }
}

/// Answers one row, one number for each head.
pub(super) fn answer(forest: &Forest, isa: Isa, row: &[f64], answers: &mut [f64]) {
    // Behind the bins stands at least one 255, the column whose question is always answered with no.
    let mut lanes = vec![Lane([u8::MAX; ROWS]); forest.columns.list.len() / ROWS + 1];
    forest.columns.bin_row(row, &mut lanes);
    answers.fill(0.0);
    let mut leaves = [0_u32; SIDE_BY_SIDE];
    for run in &forest.runs {
        let trees = &forest.trees[run.trees.clone()];
        if let Some((beside, reached)) = beside(run, isa, &lanes) {
            for (sum, weights) in answers.iter_mut().zip(&forest.heads) {
                add_beside(isa, beside, &reached, weights, trees, sum);
            }
            continue;
        }
        let leaves = &mut leaves[..trees.len()];
        match run.kind {
            Kind::Oblivious => oblivious(forest, trees, &lanes, leaves),
            Kind::Small | Kind::Large => walk(forest, trees, &lanes, leaves),
        }
        for (sum, weights) in answers.iter_mut().zip(&forest.heads) {
            add(weights, trees, leaves, sum);
        }
    }
    for (head, answer) in answers.iter_mut().enumerate() {
        *answer = forest.finish(head, *answer);
    }
}

fn beside<'a>(run: &'a Run, isa: Isa, bins: &[Lane]) -> Option<(&'a Beside, Lane)> {
    let beside = run.beside.as_ref()?;
    Some((beside, kernels::beside(isa, beside, bins)?))
}

fn add_beside(isa: Isa, beside: &Beside, reached: &Lane, weights: &Weights, trees: &[Tree], sum: &mut f64) {
    match weights {
        Weights::F32 { list, .. } => {
            let found = kernels::beside_weights(isa, beside, reached, list);
            found[..trees.len()].iter().for_each(|weight| *sum += f64::from(*weight));
        }
        Weights::F64(list) => {
            let at =
                trees.iter().zip(reached.0).map(|(tree, leaf)| tree.weights as usize + usize::from(leaf));
            at.for_each(|leaf| *sum += list[leaf]);
        }
    }
}

fn oblivious(forest: &Forest, trees: &[Tree], bins: &[Lane], leaves: &mut [u32]) {
    for (tree, leaf) in trees.iter().zip(leaves) {
        *leaf = 0;
        for (level, question) in forest.questions[tree.questions()].iter().enumerate() {
            *leaf |= u32::from(question.is_no(bins[question.column() / ROWS].0[question.column() % ROWS]))
                << level;
        }
    }
}

fn walk(forest: &Forest, trees: &[Tree], bins: &[Lane], leaves: &mut [u32]) {
    for (trees, leaves) in trees.chunks(ABREAST).zip(leaves.chunks_mut(ABREAST)) {
        let steps = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
        let mut at: [u32; ABREAST] = std::array::from_fn(|lane| trees.get(lane).map_or(0, |tree| tree.steps));
        for _ in 0..steps {
            let mut moved = 0;
            for (lane, tree) in trees.iter().enumerate() {
                let position = at[lane];
                let step = forest.steps[position as usize];
                let is_no =
                    step.question.is_no(bins[step.question.column() / ROWS].0[step.question.column() % ROWS]);
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
