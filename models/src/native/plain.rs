//! The plain engine: every question asked of `f64`s, one after the other. It is what the kernels are compared with.
//!
//! It also runs what the kernels leave out (MIN and MAX, more questions than bins can number). A missing value needs no
//! question of its own: each row is laid out twice, once with missing values as NaN, which answers no, and once as
//! `-inf`, which answers yes, and a node looks at the one its flag wants. A leaf asks something that is never true and leads
//! back to itself, so a walk takes the same steps whatever it finds, and eight rows go down one tree side by side.
//!
//! The answer of a row does not depend on the other seven: each only ever picks a leaf, and leaves are added in tree order
//! in `f64`.

use super::trees::{After, Aggregate, Ask, Ensemble, Node as SourceNode};

/// Rows that go down a tree side by side: enough to hide the latency of a step, few enough to stay in registers.
const LANES: usize = 8;
/// Rows laid out at a time: with their features they stay in the nearest cache while all trees pass over them.
const BLOCK_ROWS: usize = 32;

/// A branch (`value` is the threshold) or a leaf (`value` is its number, `no` is itself).
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
pub(super) struct Plain {
    nodes: Vec<Node>,
    trees: Vec<Tree>,
    /// `heads` of them for each leaf.
    weights: Vec<f64>,
    heads: usize,
    aggregate: Aggregate,
    base: Vec<f64>,
    after: Vec<After>,
    layout: Layout,
    rounds_to_f32: bool,
}

impl Plain {
    pub(super) fn new(ensemble: Ensemble, width: usize) -> Plain {
        let layout = Layout { width };
        let mut nodes = Vec::new();
        let mut trees = Vec::with_capacity(ensemble.num_trees());
        for tree in ensemble.trees() {
            let start = nodes.len();
            flatten(tree, layout, &mut nodes);
            let (nearest, farthest) = distances(&nodes[start..]);
            trees.push(Tree { start, end: nodes.len(), nearest, farthest });
        }
        Plain {
            nodes,
            trees,
            weights: ensemble.weights,
            heads: ensemble.heads,
            aggregate: ensemble.aggregate,
            base: ensemble.base,
            after: ensemble.after,
            layout,
            rounds_to_f32: ensemble.rounds_to_f32,
        }
    }

    /// Answers the rows of `values`, which stand one after the other, into `out`, `heads` numbers a row.
    pub(super) fn predict(&self, values: &[f64], out: &mut [f64]) {
        let rows = out.len() / self.heads;
        let mut laid_out = Vec::with_capacity(rows.min(BLOCK_ROWS) * self.layout.stride());
        for (index, answers) in out.chunks_mut(BLOCK_ROWS * self.heads).enumerate() {
            let from = index * BLOCK_ROWS * self.layout.width;
            let to = from + answers.len() / self.heads * self.layout.width;
            laid_out.clear();
            for row in values[from..to].chunks_exact(self.layout.width) {
                self.layout.lay_out(row, self.rounds_to_f32, &mut laid_out);
            }
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
            let mut answers = out.chunks_exact_mut(self.heads);
            let mut groups = rows.chunks_exact(LANES * stride);
            for rows in &mut groups {
                let leaves = walk::<LANES>(nodes, tree, rows, stride);
                leaves.iter().zip(answers.by_ref()).for_each(|(leaf, answer)| self.add_leaf(answer, *leaf));
            }
            for (row, answer) in groups.remainder().chunks_exact(stride).zip(answers) {
                let [leaf] = walk::<1>(nodes, tree, row, stride);
                self.add_leaf(answer, leaf);
            }
        }
        for (index, answer) in out.iter_mut().enumerate() {
            let base = self.base[index % self.heads];
            *answer = Ensemble::finish(self.aggregate, self.trees.len(), base, &self.after, *answer);
        }
    }

    fn add_leaf(&self, answers: &mut [f64], leaf: u32) {
        let weights = &self.weights[leaf as usize * self.heads..][..self.heads];
        answers.iter_mut().zip(weights).for_each(|(answer, weight)| self.add(answer, *weight));
    }

    fn add(&self, answer: &mut f64, leaf: f64) {
        *answer = match self.aggregate {
            Aggregate::Sum | Aggregate::Average => *answer + leaf,
            Aggregate::Min => answer.min(leaf),
            Aggregate::Max => answer.max(leaf),
        };
    }
}

/// The numbers of the leaves that `N` rows end in.
fn walk<const N: usize>(nodes: &[Node], tree: &Tree, rows: &[f64], stride: usize) -> [u32; N] {
    let mut at = [0_u32; N];
    for _ in 0..tree.nearest {
        step(nodes, rows, stride, &mut at);
    }
    for _ in tree.nearest..tree.farthest {
        if !step(nodes, rows, stride, &mut at) {
            break;
        }
    }
    at.map(|position| nodes[position as usize].value as u32)
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

/// A laid-out row: the features with missing values as NaN, the features with missing values as `-inf`, and one `+inf`
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
        out.extend(values.clone());
        out.extend(values.map(|value| if value.is_nan() { f64::NEG_INFINITY } else { value }));
        out.push(f64::INFINITY);
    }
}

/// Appends one tree's nodes, each branch with what a yes leads to right behind it; equality takes a second node.
fn flatten(tree: &[SourceNode], layout: Layout, nodes: &mut Vec<Node>) {
    let start = nodes.len();
    // What is still to be placed, and the node whose `no` it is.
    let mut open: Vec<(u32, Option<usize>)> = vec![(0, None)];
    while let Some((source, asked_by)) = open.pop() {
        let position = (nodes.len() - start) as u32;
        if let Some(parent) = asked_by {
            nodes[parent].no = position;
        }
        let source = tree[source as usize];
        let column = layout.column(source.feature, source.missing_is_yes);
        match source.ask {
            Ask::Leaf => {
                let column = layout.leaf_column();
                nodes.push(Node { value: f64::from(source.yes), no: position, column });
            }
            Ask::AtMost => {
                nodes.push(Node { value: source.value, no: 0, column });
                // The last one in is the first one out, so a yes stands right behind its question.
                open.push((source.no, Some(nodes.len() - 1)));
                open.push((source.yes, None));
            }
            // First: is it at most the value? Then: is it even below? A no to the first and a yes to the second say
            // unequal and share what stands behind the second.
            Ask::Equal => {
                nodes.push(Node { value: source.value, no: position + 2, column });
                let column = layout.column(source.feature, false);
                nodes.push(Node { value: source.value.next_down(), no: 0, column });
                open.push((source.yes, Some(nodes.len() - 1)));
                open.push((source.no, None));
            }
        }
    }
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
