//! One row alone through all trees.
//!
//! With a single row there is nothing to do side by side but trees. Oblivious trees are answered a run at a time; others
//! are walked eight at a time, so that the steps of one hide the latency of another.

use super::columns::{Lane, ROWS};
use super::forest::{Beside, Forest, Kind, Run, SIDE_BY_SIDE, Tree, Weights};
use super::kernels::{self, Isa};

/// Trees that one row walks down at the same time.
const ABREAST: usize = 8;

/// Steps between two looks at whether all of them have arrived: looking costs as much as a third of a step.
const STEPS: u32 = 3;

/// Up to how many rows go alone faster than as a block of 64.
pub(super) fn most_rows(forest: &Forest, _isa: Isa) -> usize {
    if forest.is_oblivious() { 4 } else { 8 }
}

/// Answers one row, one number for each head.
pub(super) fn answer(forest: &Forest, isa: Isa, row: &[f64], answers: &mut [f64]) {
    // Behind the bins stands at least one 255, the column whose question is always answered with no.
    let mut lanes = vec![Lane([u8::MAX; ROWS]); forest.columns.list.len() / ROWS + 1];
    kernels::bin_row(isa, &forest.columns, row, &mut lanes);
    // The same as one list, for whoever does not take them side by side.
    let mut bins = Vec::new();
    answers.fill(0.0);
    let mut leaves = [0_u32; SIDE_BY_SIDE];
    for run in &forest.runs {
        let trees = &forest.trees[run.trees.clone()];
        if let Some((beside, reached)) = beside(run, isa, &lanes) {
            for (sum, weights) in answers.iter_mut().zip(&forest.heads) {
                *sum = add_beside(isa, beside, &reached, weights, trees, *sum);
            }
            continue;
        }
        if bins.is_empty() {
            lanes.iter().for_each(|lane| bins.extend_from_slice(&lane.0));
        }
        let leaves = &mut leaves[..trees.len()];
        match run.kind {
            Kind::Oblivious => oblivious(forest, trees, &bins, leaves),
            Kind::Small | Kind::Large => walk(forest, trees, &bins, leaves),
        }
        for (sum, weights) in answers.iter_mut().zip(&forest.heads) {
            *sum = add(weights, trees, leaves, *sum);
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

/// The sum with the weights of a run's trees, in their order.
fn add_beside(isa: Isa, beside: &Beside, reached: &Lane, weights: &Weights, trees: &[Tree], sum: f64) -> f64 {
    match weights {
        Weights::F32 { list, .. } => {
            let found = kernels::beside_weights(isa, beside, reached, list);
            found[..trees.len()].iter().fold(sum, |sum, weight| sum + f64::from(*weight))
        }
        Weights::F64(list) => {
            let at =
                trees.iter().zip(reached.0).map(|(tree, leaf)| tree.weights as usize + usize::from(leaf));
            at.fold(sum, |sum, leaf| sum + list[leaf])
        }
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
        // What is missing of a group is its first tree again.
        let trees: [&Tree; ABREAST] = std::array::from_fn(|lane| trees.get(lane).unwrap_or(&trees[0]));
        let found = if trees.iter().all(|tree| tree.hops.is_some()) {
            let hops = forest.hops.as_slice();
            let at = trees.map(|tree| tree.hops.unwrap_or(0));
            let at = abreast(at, steps, |_, at| {
                let hop = hops[at as usize];
                hop.ahead(bins[hop.column()])
            });
            at.map(|at| hops[at as usize].number())
        } else {
            let starts = trees.map(|tree| tree.steps);
            let at = abreast(starts, steps, |lane, at| {
                let step = forest.steps[at as usize];
                let no = step.no - (at - starts[lane]);
                std::hint::select_unpredictable(step.question.is_no(bins[step.question.column()]), no, 1)
            });
            at.map(|at| forest.steps[at as usize].leaf)
        };
        leaves.iter_mut().zip(found).for_each(|(leaf, found)| *leaf = found);
    }
}

/// Where walks from `at` are after so many steps, or after fewer if none moves any more.
#[inline(always)]
fn abreast(mut at: [u32; ABREAST], steps: u32, ahead: impl Fn(usize, u32) -> u32) -> [u32; ABREAST] {
    let mut left = steps;
    while left > 0 {
        let mut moved = 0;
        for _ in 0..left.min(STEPS) {
            moved = 0;
            for (lane, at) in at.iter_mut().enumerate() {
                let ahead = ahead(lane, *at);
                *at += ahead;
                moved |= ahead;
            }
        }
        if moved == 0 {
            break;
        }
        left -= left.min(STEPS);
    }
    at
}

fn add(weights: &Weights, trees: &[Tree], leaves: &[u32], sum: f64) -> f64 {
    let at = trees.iter().zip(leaves).map(|(tree, leaf)| (tree.weights + leaf) as usize);
    match weights {
        Weights::F32 { list, .. } => at.fold(sum, |sum, leaf| sum + f64::from(list[leaf])),
        Weights::F64(list) => at.fold(sum, |sum, leaf| sum + list[leaf]),
    }
}
