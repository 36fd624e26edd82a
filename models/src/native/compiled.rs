//! Trees as one flat array, walked without branches and without recursion.
//!
//! Every branch mode of ONNX becomes one question, `x <= t`, with a flag for where a missing value goes: `x < t` is
//! `x <= next_down(t)`, `>` and `>=` swap the children, and equality asks twice. A leaf points to itself, so a walk takes the
//! same steps whatever it finds and eight rows can go down one tree side by side; the answer of a row does not depend on the
//! other seven, because each only ever picks a leaf, and leaves are added in tree order in `f64`.

use super::ensemble::{Aggregate, Ensemble, Mode, SourceNode, SourceTree};

/// Rows that go down a tree side by side: enough to hide the latency of a step, few enough to stay in registers.
const LANES: usize = 8;
/// Rows copied and rounded at a time: with their features they stay in the nearest cache while all trees pass over them.
const BLOCK_ROWS: usize = 32;
/// Set in [`Node::question`] where a missing value goes left.
const MISSING_GOES_LEFT: u32 = 1 << 31;

/// A branch (`value` is the threshold) or a leaf (`value` is the weight, both children are itself).
#[derive(Debug, Clone, Copy)]
struct Node {
    value: f64,
    left: u32,
    right: u32,
    /// The feature asked for, and the top bit.
    question: u32,
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    /// Where its nodes begin and end; children are counted from the beginning, the root is 0.
    start: usize,
    end: usize,
    /// Steps to the nearest and to the farthest leaf.
    nearest: u32,
    farthest: u32,
}

/// An ensemble ready to run.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    nodes: Vec<Node>,
    trees: Vec<Tree>,
    aggregate: Aggregate,
    base: f64,
    width: usize,
    rounds_to_f32: bool,
}

impl Compiled {
    pub(super) fn new(ensemble: &Ensemble, width: usize, rounds_to_f32: bool) -> Compiled {
        let mut compiled = Compiled {
            nodes: Vec::new(),
            trees: Vec::new(),
            aggregate: ensemble.aggregate,
            base: ensemble.base,
            width,
            rounds_to_f32,
        };
        for tree in &ensemble.trees {
            let start = compiled.nodes.len();
            compiled.nodes.extend(flatten(tree));
            let (nearest, farthest) = distances(&compiled.nodes[start..]);
            compiled.trees.push(Tree { start, end: compiled.nodes.len(), nearest, farthest });
        }
        compiled
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn num_trees(&self) -> usize {
        self.trees.len()
    }

    /// Answers `out.len()` rows; `block(from, to)` hands out rows `from..to` one after the other.
    pub(super) fn predict<'a>(&self, block: impl Fn(usize, usize) -> &'a [f64], out: &mut [f64]) {
        let mut rounded =
            Vec::with_capacity(if self.rounds_to_f32 { out.len().min(BLOCK_ROWS) * self.width } else { 0 });
        let mut from = 0;
        for answers in out.chunks_mut(BLOCK_ROWS) {
            let rows = block(from, from + answers.len());
            from += answers.len();
            if self.rounds_to_f32 {
                rounded.clear();
                rounded.extend(rows.iter().map(|value| round_to_f32(*value)));
                self.predict_block(&rounded, answers);
            } else {
                self.predict_block(rows, answers);
            }
        }
    }

    fn predict_block(&self, rows: &[f64], out: &mut [f64]) {
        out.fill(match self.aggregate {
            Aggregate::Sum | Aggregate::Average => 0.0,
            Aggregate::Min => f64::INFINITY,
            Aggregate::Max => f64::NEG_INFINITY,
        });
        for tree in &self.trees {
            let nodes = &self.nodes[tree.start..tree.end];
            let (groups, rest) = out.as_chunks_mut::<LANES>();
            let (group_rows, rest_rows) = rows.split_at(groups.len() * LANES * self.width);
            for (answers, rows) in groups.iter_mut().zip(group_rows.chunks_exact(LANES * self.width)) {
                let leaves = walk::<LANES>(nodes, tree, rows, self.width);
                answers.iter_mut().zip(leaves).for_each(|(answer, leaf)| self.add(answer, leaf));
            }
            for (answer, row) in rest.iter_mut().zip(rest_rows.chunks_exact(self.width)) {
                let [leaf] = walk::<1>(nodes, tree, row, self.width);
                self.add(answer, leaf);
            }
        }
        for answer in out {
            if self.aggregate == Aggregate::Average {
                *answer /= self.trees.len() as f64;
            }
            *answer += self.base;
        }
    }

    fn add(&self, answer: &mut f64, leaf: f64) {
        *answer = match self.aggregate {
            Aggregate::Sum | Aggregate::Average => *answer + leaf,
            Aggregate::Min => answer.min(leaf),
            Aggregate::Max => answer.max(leaf),
        };
    }
}

/// The leaves that `N` rows end in.
fn walk<const N: usize>(nodes: &[Node], tree: &Tree, rows: &[f64], width: usize) -> [f64; N] {
    let mut at = [0_u32; N];
    for _ in 0..tree.nearest {
        step(nodes, rows, width, &mut at);
    }
    for _ in tree.nearest..tree.farthest {
        if !step(nodes, rows, width, &mut at) {
            break;
        }
    }
    at.map(|position| nodes[position as usize].value)
}

/// One question for each row; says whether any row moved.
fn step<const N: usize>(nodes: &[Node], rows: &[f64], width: usize, at: &mut [u32; N]) -> bool {
    let mut moved = false;
    for (lane, position) in at.iter_mut().enumerate() {
        let node = &nodes[*position as usize];
        let value = rows[lane * width + (node.question & !MISSING_GOES_LEFT) as usize];
        let missing_goes_left = node.question & MISSING_GOES_LEFT != 0;
        let goes_left = (value <= node.value) | (value.is_nan() & missing_goes_left);
        let next = if goes_left { node.left } else { node.right };
        moved |= next != *position;
        *position = next;
    }
    moved
}

/// What a `float` tensor would hold; the widest finite values become infinite, as they do in a cast.
fn round_to_f32(value: f64) -> f64 {
    f64::from(value as f32)
}

/// One tree's nodes; equality takes a second node, so positions move.
fn flatten(tree: &SourceTree) -> Vec<Node> {
    let mut position = 0_u32;
    let positions: Vec<u32> = tree
        .nodes
        .iter()
        .map(|node| {
            let mine = position;
            position += node.size();
            mine
        })
        .collect();
    let mut nodes = Vec::with_capacity(position as usize);
    for (node, &mine) in tree.nodes.iter().zip(&positions) {
        match *node {
            SourceNode::Leaf { weight } => {
                nodes.push(Node { value: weight, left: mine, right: mine, question: 0 })
            }
            SourceNode::Branch { mode, feature, threshold, on_true, on_false, missing_is_true } => {
                let (on_true, on_false) = (positions[on_true], positions[on_false]);
                let ask = |value: f64, left: u32, right: u32, missing_goes_left: bool| Node {
                    value,
                    left,
                    right,
                    question: feature | if missing_goes_left { MISSING_GOES_LEFT } else { 0 },
                };
                let below = threshold.next_down();
                match mode {
                    Mode::Leq => nodes.push(ask(threshold, on_true, on_false, missing_is_true)),
                    Mode::Lt => nodes.push(ask(below, on_true, on_false, missing_is_true)),
                    Mode::Gt => nodes.push(ask(threshold, on_false, on_true, !missing_is_true)),
                    Mode::Gte => nodes.push(ask(below, on_false, on_true, !missing_is_true)),
                    Mode::Eq => {
                        nodes.push(ask(threshold, mine + 1, on_false, missing_is_true));
                        nodes.push(ask(below, on_false, on_true, false));
                    }
                    // NaN is unequal to everything, so it takes the true child whatever the flag says.
                    Mode::Neq => {
                        nodes.push(ask(threshold, mine + 1, on_true, false));
                        nodes.push(ask(below, on_true, on_false, false));
                    }
                }
            }
        }
    }
    nodes
}

/// Steps from the root to the nearest and the farthest leaf. Children stand behind their parents, so one pass from the
/// back sees every node once; following the paths would not, because equalities share a child.
fn distances(nodes: &[Node]) -> (u32, u32) {
    let mut to_leaf = vec![(0_u32, 0_u32); nodes.len()];
    for (position, node) in nodes.iter().enumerate().rev() {
        if node.left as usize == position {
            continue;
        }
        let (left, right) = (to_leaf[node.left as usize], to_leaf[node.right as usize]);
        to_leaf[position] = (left.0.min(right.0) + 1, left.1.max(right.1) + 1);
    }
    to_leaf[0]
}

impl SourceNode {
    fn size(&self) -> u32 {
        match self {
            SourceNode::Branch { mode: Mode::Eq | Mode::Neq, .. } => 2,
            SourceNode::Branch { .. } | SourceNode::Leaf { .. } => 1,
        }
    }
}
