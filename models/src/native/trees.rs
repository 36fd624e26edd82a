//! Trees between reader and kernels: every reader ends here, every way of running begins here.
//!
//! Six branch modes become two questions, `x <= t` and `x == t`: `x < t` is `x <= next_down(t)`, and `>`, `>=` and `!=` swap
//! the children (and with them the way of a missing value). What is in an [`Ensemble`] has been checked: children exist and
//! stand behind their parents, every node has one parent, weights are finite, thresholds are no NaN, features are within the width.

/// How the trees' answers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// What a node asks of its feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// `x <= value`
    AtMost,
    /// `x == value`
    Equal,
    /// Nothing: the node is a leaf.
    Leaf,
}

/// A branch or a leaf; small, because a model file may hold millions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// What the feature is compared with; nothing in a leaf.
    pub(super) value: f64,
    /// Position in the tree of the node that a yes leads to. In a leaf: its number among all leaves of the ensemble.
    pub(super) yes: u32,
    /// Position of the node that a no leads to.
    pub(super) no: u32,
    /// Column of the row.
    pub(super) feature: u32,
    pub(super) ask: Ask,
    /// Whether a missing value counts as a yes.
    pub(super) missing_is_yes: bool,
}

/// A change of the sum that the graph makes behind the ensemble.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum After {
    Times(f64),
    Plus(f64),
}

/// A checked ensemble in the order in which its trees are first named.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ensemble {
    pub(super) aggregate: Aggregate,
    /// Numbers per row; a quantile model has several.
    pub(super) heads: usize,
    /// Added to each head's aggregate.
    pub(super) base: Vec<f64>,
    /// All nodes, tree after tree, each tree's root first and parents before children.
    pub(super) nodes: Vec<Node>,
    /// Where in `nodes` each tree ends.
    pub(super) ends: Vec<u32>,
    /// `heads` weights for each leaf.
    pub(super) weights: Vec<f64>,
    /// Whether features are rounded to `float` before they are compared.
    pub(super) rounds_to_f32: bool,
    /// What happens to each head's number at last, in this order.
    pub(super) after: Vec<After>,
}

impl Ensemble {
    pub(super) fn num_trees(&self) -> usize {
        self.ends.len()
    }

    /// The trees in order.
    pub(super) fn trees(&self) -> impl Iterator<Item = &[Node]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let tree = &self.nodes[start..*end as usize];
            start = *end as usize;
            tree
        })
    }

    /// The answer of a head from what its trees add up to.
    pub(super) fn finish(
        aggregate: Aggregate,
        num_trees: usize,
        base: f64,
        after: &[After],
        sum: f64,
    ) -> f64 {
        let mean = if aggregate == Aggregate::Average { sum / num_trees as f64 } else { sum };
        after.iter().fold(mean + base, |value, step| match step {
            After::Times(factor) => value * factor,
            After::Plus(term) => value + term,
        })
    }
}

/// Steps from the root to the farthest leaf.
pub(super) fn depth(tree: &[Node]) -> usize {
    let mut to_leaf = vec![0_usize; tree.len()];
    for (position, node) in tree.iter().enumerate().rev() {
        if node.ask != Ask::Leaf {
            to_leaf[position] = to_leaf[node.yes as usize].max(to_leaf[node.no as usize]) + 1;
        }
    }
    to_leaf.first().copied().unwrap_or(0)
}
