//! The attributes of `TreeEnsemble` (version 5 of ai.onnx.ml), checked and turned into trees.
//!
//! Here branches and leaves are lists of their own: a child is a position in one of them, and a flag says in which. A tree
//! that is one leaf is written as a branch whose two children are that leaf. `BRANCH_MEMBER` asks for membership in a set,
//! which the native engine does not run: the node is named.

use super::OnnxError;
use super::ensemble::{heads, refuse_unknown, same_length};
use super::onnx::Node as Operator;
use super::trees::{Aggregate, Budget, Ensemble, Mode, Node, check_threshold, feature_within};

const KNOWN_ATTRIBUTES: [&str; 17] = [
    "aggregate_function",
    "leaf_targetids",
    "leaf_weights",
    "membership_values",
    "n_targets",
    "nodes_falseleafs",
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_hitrates",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_splits",
    "nodes_trueleafs",
    "nodes_truenodeids",
    "post_transform",
    "tree_roots",
    "nodes_hitrates_as_tensor",
];
/// In a child's number: it is a leaf.
const LEAF: u32 = 1 << 31;

/// A branch; children are branches, or leaves with [`LEAF`].
struct Branch {
    threshold: f64,
    feature: u32,
    on_true: u32,
    on_false: u32,
    mode: Mode,
    is_missing_true: bool,
}

/// Reads and checks the operator; `width` is the number of features of a row.
pub(super) fn read(
    operator: &Operator<'_>,
    width: usize,
    rounds_to_f32: bool,
    budget: Budget,
) -> Result<Ensemble, OnnxError> {
    refuse_unknown(operator, &KNOWN_ATTRIBUTES)?;
    let post_transform = operator.number("post_transform", 0);
    if post_transform != 0 {
        let reason = format!("is {post_transform}, only 0 (NONE) gives points");
        return Err(OnnxError::attribute("post_transform", reason));
    }
    let aggregate = match operator.number("aggregate_function", 1) {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => {
            let reason = format!("is {other}, known are 0 to 3");
            return Err(OnnxError::attribute("aggregate_function", reason));
        }
    };
    let heads = heads(operator.number("n_targets", 1))?;
    if heads > 1 && matches!(aggregate, Aggregate::Min | Aggregate::Max) {
        let reason = "asks for MIN or MAX of several targets, of which a leaf has only one";
        return Err(OnnxError::attribute("aggregate_function", reason));
    }
    let mut ensemble = Ensemble::empty(aggregate, vec![0.0; heads], rounds_to_f32);
    ensemble.weights = weights(operator, heads, budget)?;
    let branches = branches(operator, width, ensemble.weights.len() / heads, budget)?;
    plant(operator, &branches, &mut ensemble)?;
    Ok(ensemble)
}

/// The weights of the leaves, `heads` for each; every leaf says one of them.
fn weights(operator: &Operator<'_>, heads: usize, budget: Budget) -> Result<Vec<f64>, OnnxError> {
    let (targets, weights) = (operator.integers("leaf_targetids")?, operator.tensor("leaf_weights")?);
    same_length("leaf_targetids", targets.len(), "leaf_weights", weights.len())?;
    budget.check(0, weights.len().saturating_mul(heads))?;
    let mut all = vec![0.0; weights.len() * heads];
    for (leaf, (target, weight)) in targets.integers().zip(weights.reals()).enumerate() {
        let head = usize::try_from(target).ok().filter(|head| *head < heads);
        let head = head.ok_or_else(|| {
            OnnxError::attribute(
                "leaf_targetids",
                format!("names target {target} at leaf {leaf}, of {heads}"),
            )
        })?;
        if !weight.is_finite() {
            let reason = format!("is {weight} at leaf {leaf}, it must be finite");
            return Err(OnnxError::attribute("leaf_weights", reason));
        }
        all[leaf * heads + head] = weight;
    }
    Ok(all)
}

fn branches(
    operator: &Operator<'_>,
    width: usize,
    leaves: usize,
    budget: Budget,
) -> Result<Vec<Branch>, OnnxError> {
    let modes = operator.tensor("nodes_modes")?;
    let count = modes.len();
    let integers = |name: &str| {
        let list = operator.integers(name)?;
        same_length(name, list.len(), "nodes_modes", count).map(|()| list.integers())
    };
    let (features, on_true) = (integers("nodes_featureids")?, integers("nodes_truenodeids")?);
    let (on_false, true_leaf) = (integers("nodes_falsenodeids")?, integers("nodes_trueleafs")?);
    let false_leaf = integers("nodes_falseleafs")?;
    let splits = operator.tensor("nodes_splits")?;
    same_length("nodes_splits", splits.len(), "nodes_modes", count)?;
    let missing = operator.integers("nodes_missing_value_tracks_true")?;
    if missing.len() > 0 {
        same_length("nodes_missing_value_tracks_true", missing.len(), "nodes_modes", count)?;
    }
    // Every branch has two children, each of which may be a leaf of its own.
    budget.check(2 * count + 1, leaves)?;
    let mut branches = Vec::with_capacity(count);
    let questions = features.zip(modes.integers()).zip(splits.reals());
    let children = on_true.zip(true_leaf).zip(on_false.zip(false_leaf));
    let missing = missing.integers().chain(std::iter::repeat(0));
    for (index, ((question, (yes, no)), missing)) in questions.zip(children).zip(missing).enumerate() {
        let ((feature, mode), threshold) = question;
        let refuse = |reason: String| at(index, reason);
        check_threshold(threshold).map_err(refuse)?;
        let child = |side: &str, (child, is_leaf): (i64, i64)| {
            let (most, what, flag) = if is_leaf != 0 { (leaves, "leaf", LEAF) } else { (count, "node", 0) };
            let is_there = usize::try_from(child).is_ok_and(|child| child < most);
            u32::try_from(child)
                .ok()
                .filter(|child| is_there && *child < LEAF)
                .map(|child| child | flag)
                .ok_or_else(|| {
                    refuse(format!("names {what} {child} as its {side} child, which does not exist"))
                })
        };
        branches.push(Branch {
            threshold,
            feature: feature_within(feature, width).map_err(refuse)?,
            on_true: child("true", yes)?,
            on_false: child("false", no)?,
            mode: mode_of(mode).map_err(refuse)?,
            is_missing_true: missing != 0,
        });
    }
    Ok(branches)
}

fn at(node: usize, reason: impl Into<String>) -> OnnxError {
    OnnxError::attribute(&format!("nodes_modes[{node}]"), reason)
}

fn mode_of(number: i64) -> Result<Mode, String> {
    match number {
        0 => Ok(Mode::Leq),
        1 => Ok(Mode::Lt),
        2 => Ok(Mode::Gte),
        3 => Ok(Mode::Gt),
        4 => Ok(Mode::Eq),
        5 => Ok(Mode::Neq),
        6 => {
            Err("asks for membership in a set (BRANCH_MEMBER), which the native engine does not run"
                .to_owned())
        }
        other => Err(format!("has the unknown mode {other}")),
    }
}

/// Plants the trees from their roots; every branch must be in one tree, once.
fn plant(operator: &Operator<'_>, branches: &[Branch], ensemble: &mut Ensemble) -> Result<(), OnnxError> {
    let mut has_parent = vec![false; branches.len()];
    for branch in branches {
        for child in [branch.on_true, branch.on_false].into_iter().filter(|child| child & LEAF == 0) {
            if std::mem::replace(&mut has_parent[child as usize], true) {
                return Err(at(child as usize, "is the child of two branches"));
            }
        }
    }
    let roots = operator.integers("tree_roots")?;
    if roots.len() == 0 {
        return Err(OnnxError::NoTrees);
    }
    let mut planted = 0;
    for (tree, root) in roots.integers().enumerate() {
        let tree = tree as i64;
        let root = u32::try_from(root).ok().filter(|root| (*root as usize) < branches.len());
        let root = root.ok_or_else(|| OnnxError::tree(tree, "has a root that does not exist"))?;
        // A root that another tree has too counts as its parent.
        if std::mem::replace(&mut has_parent[root as usize], true) {
            return Err(OnnxError::tree(tree, format!("has the root {root}, which is part of another tree")));
        }
        planted += ensemble.plant(root, |number| Ok(describe(branches, number)))? / 2;
    }
    if planted == branches.len() {
        return Ok(());
    }
    Err(OnnxError::attribute("tree_roots", format!("reach {planted} of {} nodes", branches.len())))
}

fn describe(branches: &[Branch], number: u32) -> Node {
    if number & LEAF != 0 {
        return Node::leaf(number & !LEAF);
    }
    let branch = &branches[number as usize];
    let missing = branch.is_missing_true;
    Node::branch(branch.mode, branch.feature, branch.threshold, missing, branch.on_true, branch.on_false)
}
