//! Trees as one flat array, walked without branches and without recursion.
//!
//! Every branch mode of ONNX becomes one question, `x <= t`: `x < t` is `x <= next_down(t)`, `>` and `>=` swap the
//! children, and equality asks twice. Thresholds are finite, so a missing value needs no question of its own: each row is
//! laid out twice, once with missing values as `+inf`, which answers no, and once as `-inf`, which answers yes, and a node
//! looks at the one its flag wants. A leaf asks something that is never true and leads back to itself, so a walk takes the
//! same steps whatever it finds, and eight rows go down one tree side by side.
//!
//! The answer of a row does not depend on the other seven: each only ever picks a leaf, and leaves are added in tree order
//! in `f64`.

use super::ensemble::{Aggregate, Ensemble, Mode, SourceNode, SourceTree};

/// Rows that go down a tree side by side: enough to hide the latency of a step, few enough to stay in registers.
const LANES: usize = 8;
/// Rows laid out at a time: with their features they stay in the nearest cache while all trees pass over them.
const BLOCK_ROWS: usize = 32;

/// A branch (`value` is the threshold) or a leaf (`value` is the weight, `no` is itself).
#[derive(Debug, Clone, Copy)]
struct Node {
    value: f64,
    /// Where a no leads. A yes leads to the node behind this one.
    no: u32,
    /// Where in a laid-out row the value to compare stands.
    column: u32,
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    /// Where its nodes begin and end; positions are counted from the beginning, the root is 0.
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
    layout: Layout,
    rounds_to_f32: bool,
}

impl Compiled {
    pub(super) fn new(ensemble: &Ensemble, width: usize, rounds_to_f32: bool) -> Compiled {
        let layout = Layout { width };
        let mut nodes = Vec::new();
        let mut trees = Vec::with_capacity(ensemble.trees.len());
        for tree in &ensemble.trees {
            let start = nodes.len();
            nodes.extend(flatten(tree, layout));
            let (nearest, farthest) = distances(&nodes[start..]);
            trees.push(Tree { start, end: nodes.len(), nearest, farthest });
        }
        Compiled { nodes, trees, aggregate: ensemble.aggregate, base: ensemble.base, layout, rounds_to_f32 }
    }

    pub(super) fn width(&self) -> usize {
        self.layout.width
    }

    pub(super) fn num_trees(&self) -> usize {
        self.trees.len()
    }

    /// Answers `out.len()` rows; `block(from, to)` hands out rows `from..to` one after the other.
    pub(super) fn predict<'a>(&self, block: impl Fn(usize, usize) -> &'a [f64], out: &mut [f64]) {
        let mut laid_out = Vec::with_capacity(out.len().min(BLOCK_ROWS) * self.layout.stride());
        let mut from = 0;
        for answers in out.chunks_mut(BLOCK_ROWS) {
            laid_out.clear();
            for row in block(from, from + answers.len()).chunks_exact(self.layout.width) {
                self.layout.lay_out(row, self.rounds_to_f32, &mut laid_out);
            }
            from += answers.len();
            self.predict_block(&laid_out, answers);
        }
    }

    fn predict_block(&self, rows: &[f64], out: &mut [f64]) {
        let stride = self.layout.stride();
        out.fill(match self.aggregate {
            Aggregate::Sum | Aggregate::Average => 0.0,
            Aggregate::Min => f64::INFINITY,
            Aggregate::Max => f64::NEG_INFINITY,
        });
        for tree in &self.trees {
            let nodes = &self.nodes[tree.start..tree.end];
            let (groups, rest) = out.as_chunks_mut::<LANES>();
            let (group_rows, rest_rows) = rows.split_at(groups.len() * LANES * stride);
            for (answers, rows) in groups.iter_mut().zip(group_rows.chunks_exact(LANES * stride)) {
                let leaves = walk::<LANES>(nodes, tree, rows, stride);
                answers.iter_mut().zip(leaves).for_each(|(answer, leaf)| self.add(answer, leaf));
            }
            for (answer, row) in rest.iter_mut().zip(rest_rows.chunks_exact(stride)) {
                let [leaf] = walk::<1>(nodes, tree, row, stride);
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
fn walk<const N: usize>(nodes: &[Node], tree: &Tree, rows: &[f64], stride: usize) -> [f64; N] {
    let mut at = [0_u32; N];
    for _ in 0..tree.nearest {
        step(nodes, rows, stride, &mut at);
    }
    for _ in tree.nearest..tree.farthest {
        if !step(nodes, rows, stride, &mut at) {
            break;
        }
    }
    at.map(|position| nodes[position as usize].value)
}

/// One question for each row; says whether any row moved.
#[inline(always)]
fn step<const N: usize>(nodes: &[Node], rows: &[f64], stride: usize, at: &mut [u32; N]) -> bool {
    let mut changed = 0;
    for (lane, position) in at.iter_mut().enumerate() {
        let node = &nodes[*position as usize];
        let is_yes = rows[lane * stride + node.column as usize] <= node.value;
        // A branch would be guessed wrong every other time: this is twice as fast.
        let next = std::hint::select_unpredictable(is_yes, position.wrapping_add(1), node.no);
        changed |= next ^ *position;
        *position = next;
    }
    changed != 0
}

/// A laid-out row: the features with missing values as `+inf`, the features with missing values as `-inf`, and one `+inf`
/// for leaves to look at.
#[derive(Debug, Clone, Copy)]
struct Layout {
    width: usize,
}

impl Layout {
    fn stride(self) -> usize {
        2 * self.width + 1
    }

    fn column(self, feature: u32, missing_is_yes: bool) -> u32 {
        // A feature is below the width, and a width is the length of a list in memory.
        if missing_is_yes { feature + self.width as u32 } else { feature }
    }

    fn leaf_column(self) -> u32 {
        2 * self.width as u32
    }

    fn lay_out(self, row: &[f64], rounds_to_f32: bool, out: &mut Vec<f64>) {
        // What a `float` tensor would hold; the widest finite values become infinite, as they do in a cast.
        let values = row.iter().map(|value| if rounds_to_f32 { f64::from(*value as f32) } else { *value });
        out.extend(values.clone().map(|value| if value.is_nan() { f64::INFINITY } else { value }));
        out.extend(values.map(|value| if value.is_nan() { f64::NEG_INFINITY } else { value }));
        out.push(f64::INFINITY);
    }
}

/// One tree's nodes, each branch with what a yes leads to right behind it; equality takes a second node.
fn flatten(tree: &SourceTree, layout: Layout) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::with_capacity(tree.nodes.len());
    // What is still to be placed, and the node whose `no` it is.
    let mut open: Vec<(usize, Option<usize>)> = vec![(0, None)];
    while let Some((source, asked_by)) = open.pop() {
        let position = nodes.len();
        if let Some(parent) = asked_by {
            nodes[parent].no = position as u32;
        }
        match tree.nodes[source] {
            SourceNode::Leaf { weight } => {
                nodes.push(Node { value: weight, no: position as u32, column: layout.leaf_column() });
            }
            SourceNode::Branch { mode, feature, threshold, on_true, on_false, missing_is_true } => {
                // The last one in is the first one out, so a yes stands right behind its question.
                let mut ask = |value: f64, missing_is_yes: bool, no: usize, yes: usize| {
                    nodes.push(Node { value, no: 0, column: layout.column(feature, missing_is_yes) });
                    open.push((no, Some(nodes.len() - 1)));
                    open.push((yes, None));
                };
                let below = threshold.next_down();
                match mode {
                    Mode::Leq => ask(threshold, missing_is_true, on_false, on_true),
                    Mode::Lt => ask(below, missing_is_true, on_false, on_true),
                    Mode::Gt => ask(threshold, !missing_is_true, on_true, on_false),
                    Mode::Gte => ask(below, !missing_is_true, on_true, on_false),
                    // First: is it at most the threshold? Then: is it even below? A no to the first and a yes to the second
                    // say unequal and share what stands behind the second.
                    Mode::Eq | Mode::Neq => {
                        let is_eq = mode == Mode::Eq;
                        // NaN is unequal to everything, so it takes the true child of Neq whatever the flag says.
                        let column = layout.column(feature, is_eq && missing_is_true);
                        nodes.push(Node { value: threshold, no: position as u32 + 2, column });
                        let (equal, unequal) = if is_eq { (on_true, on_false) } else { (on_false, on_true) };
                        let column = layout.column(feature, false);
                        nodes.push(Node { value: below, no: 0, column });
                        open.push((equal, Some(position + 1)));
                        open.push((unequal, None));
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
        let no = node.no as usize;
        if no == position {
            continue;
        }
        let (no, yes) = (to_leaf[no], to_leaf[position + 1]);
        to_leaf[position] = (no.0.min(yes.0) + 1, no.1.max(yes.1) + 1);
    }
    to_leaf[0]
}
