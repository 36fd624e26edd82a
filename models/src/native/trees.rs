//! Trees between reader and kernels: every reader ends here, every way of running begins here.
//!
//! Six branch modes become two questions, `x <= t` and `x == t`: `x < t` is `x <= next_down(t)`, and `>`, `>=` and `!=` swap
//! the children (and with them the way of a missing value). What is in an [`Ensemble`] has been checked: children exist and
//! stand behind their parents, every node has one parent, weights are finite, thresholds are no NaN, features are within the width.

use super::OnnxError;

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

impl Node {
    /// The leaf of this number.
    pub(super) fn leaf(number: u32) -> Node {
        Node { value: 0.0, yes: number, no: 0, feature: 0, ask: Ask::Leaf, missing_is_yes: false }
    }

    /// A comparison as the formats write them; `is_missing_true` says that a missing value takes the true child.
    pub(super) fn branch(
        mode: Mode,
        feature: u32,
        threshold: f64,
        is_missing_true: bool,
        on_true: u32,
        on_false: u32,
    ) -> Node {
        let below = threshold.next_down();
        // What is asked of what, whether a yes is the mode's true, and where a missing value goes.
        let (ask, value, is_true, missing_is_yes) = match mode {
            Mode::Leq => (Ask::AtMost, threshold, true, is_missing_true),
            Mode::Lt => (Ask::AtMost, below, true, is_missing_true),
            Mode::Gte => (Ask::AtMost, below, false, !is_missing_true),
            Mode::Gt => (Ask::AtMost, threshold, false, !is_missing_true),
            Mode::Eq => (Ask::Equal, threshold, true, is_missing_true),
            // NaN is unequal to everything, so it takes the true child whatever the flag says.
            Mode::Neq => (Ask::Equal, threshold, false, false),
        };
        let (yes, no) = if is_true { (on_true, on_false) } else { (on_false, on_true) };
        Node { value, yes, no, feature, ask, missing_is_yes }
    }
}

/// The comparison at a branch, as the formats write it: true goes to the true child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
}

/// The feature of a node as a column, if a row has it.
pub(super) fn feature_within(feature: i64, width: usize) -> Result<u32, String> {
    let is_within = usize::try_from(feature).is_ok_and(|feature| feature < width);
    u32::try_from(feature)
        .ok()
        .filter(|_| is_within)
        .ok_or_else(|| format!("reads feature {feature}, the card names {width} (counted from 0)"))
}

/// Whether a value can be compared with this, or why not.
pub(super) fn check_threshold(threshold: f64) -> Result<(), String> {
    // LightGBM writes `x <= inf` to tell missing values from all others; the other two say nothing.
    if threshold.is_nan() || threshold == f64::NEG_INFINITY {
        return Err(format!("compares with {threshold}, which no value can be below"));
    }
    Ok(())
}

/// What a file may cost once it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    bytes: usize,
}

impl Budget {
    /// A small file may cost this much whatever its size.
    const ALWAYS: usize = 16 << 20;
    /// What nodes and weights cost while they are compiled: as read, as steps, as hops, as merges and as what is asked; as read,
    /// as floats and as planes.
    const NODE: usize = 64;
    const WEIGHT: usize = 24;

    /// `times` the size of a file of `bytes`.
    pub(super) fn of(bytes: usize, times: usize) -> Budget {
        Budget { bytes: bytes.saturating_mul(times).max(Budget::ALWAYS) }
    }

    /// Refuses an ensemble of that many nodes and weights if it would cost more.
    pub(super) fn check(self, nodes: usize, weights: usize) -> Result<(), OnnxError> {
        let nodes = nodes.saturating_mul(Budget::NODE);
        let cost = nodes.saturating_add(weights.saturating_mul(Budget::WEIGHT));
        if cost <= self.bytes && nodes < u32::MAX as usize { Ok(()) } else { Err(OnnxError::Hungry) }
    }
}

impl Budget {
    /// Refuses what would cost that many bytes.
    pub(super) fn afford(self, bytes: usize) -> Result<(), OnnxError> {
        if bytes <= self.bytes { Ok(()) } else { Err(OnnxError::Hungry) }
    }
}

impl Ensemble {
    pub(super) fn num_trees(&self) -> usize {
        self.ends.len()
    }

    /// An ensemble that has no tree yet.
    pub(super) fn empty(aggregate: Aggregate, base: Vec<f64>, rounds_to_f32: bool) -> Ensemble {
        Ensemble {
            aggregate,
            heads: base.len(),
            base,
            nodes: Vec::new(),
            ends: Vec::new(),
            weights: Vec::new(),
            rounds_to_f32,
            after: Vec::new(),
        }
    }

    /// Adds a tree from its root downwards, a yes before a no, and says how many of the reader's nodes it has. Every node
    /// must be the child of at most one, and the root of none: that is what keeps this from going round in circles.
    pub(super) fn plant(
        &mut self,
        root: u32,
        mut describe: impl FnMut(u32) -> Result<Node, OnnxError>,
    ) -> Result<usize, OnnxError> {
        let start = self.nodes.len();
        // What is still to be planted, and whose child it is: yes or no.
        let mut open: Vec<(u32, Option<(usize, bool)>)> = vec![(root, None)];
        while let Some((number, parent)) = open.pop() {
            let position = self.nodes.len();
            if let Some((parent, is_yes)) = parent {
                let parent = &mut self.nodes[parent];
                *if is_yes { &mut parent.yes } else { &mut parent.no } = (position - start) as u32;
            }
            let node = describe(number)?;
            if node.ask != Ask::Leaf {
                open.push((node.no, Some((position, false))));
                open.push((node.yes, Some((position, true))));
            }
            self.nodes.push(node);
        }
        self.ends.push(self.nodes.len() as u32);
        Ok(self.nodes.len() - start)
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
