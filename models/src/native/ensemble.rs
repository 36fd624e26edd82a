//! The attributes of a `TreeEnsembleRegressor` (versions 1 to 3 of the operator), checked and turned into trees.
//!
//! ONNX keeps an ensemble as a dozen parallel lists. They are read side by side, once, into one [`Row`] per node; every
//! promise is checked on the way: lists of equal length, each node once, children that exist, one root, every node reached
//! exactly once, leaves finite, thresholds numbers, features within the width. What comes out can be compiled without
//! further checks.

use std::collections::HashMap;
use std::ops::Range;

use super::OnnxError;
use super::onnx::Node as Operator;
use super::trees::{Aggregate, Budget, Ensemble, Mode, Node, check_threshold, feature_within};

/// Everything the operator may carry; another attribute might change an answer, so it is refused.
const KNOWN_ATTRIBUTES: [&str; 21] = [
    "aggregate_function",
    "base_values",
    "base_values_as_tensor",
    "n_targets",
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_hitrates",
    "nodes_hitrates_as_tensor",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
    "nodes_values",
    "nodes_values_as_tensor",
    "post_transform",
    "target_ids",
    "target_nodeids",
    "target_treeids",
    "target_weights",
    "target_weights_as_tensor",
];
/// Most numbers per row: a model with more is no model of one prop.
pub(super) const MOST_HEADS: i64 = 64;

/// Reads and checks the operator; `width` is the number of features of a row.
pub(super) fn read(
    operator: &Operator<'_>,
    width: usize,
    rounds_to_f32: bool,
    budget: Budget,
) -> Result<Ensemble, OnnxError> {
    refuse_unknown(operator, &KNOWN_ATTRIBUTES)?;
    let post_transform = operator.text("post_transform", "NONE")?;
    if post_transform != "NONE" {
        let reason = format!("is {post_transform}, only NONE gives points");
        return Err(OnnxError::attribute("post_transform", reason));
    }
    let heads = heads(operator.number("n_targets", 1))?;
    let mut ensemble = Ensemble::empty(aggregate(operator)?, base(operator, heads)?, rounds_to_f32);
    let mut rows = Rows::read(operator, width, budget)?;
    budget.check(rows.list.len(), rows.leaves * heads)?;
    ensemble.weights = rows.weights(operator, &ensemble)?;
    let has_parent = rows.resolve()?;
    rows.plant(&has_parent, &mut ensemble)?;
    Ok(ensemble)
}

/// Refuses an operator with an attribute that is not among `known`.
pub(super) fn refuse_unknown(operator: &Operator<'_>, known: &[&str]) -> Result<(), OnnxError> {
    match operator.attributes.iter().find(|attribute| !known.contains(&attribute.name)) {
        Some(unknown) => Err(OnnxError::attribute(unknown.name, "is not known to the native engine")),
        None => Ok(()),
    }
}

/// The number of targets.
pub(super) fn heads(n_targets: i64) -> Result<usize, OnnxError> {
    usize::try_from(n_targets).ok().filter(|heads| *heads > 0 && n_targets <= MOST_HEADS).ok_or_else(|| {
        OnnxError::attribute(
            "n_targets",
            format!("is {n_targets}, a model predicts 1 to {MOST_HEADS} numbers"),
        )
    })
}

fn aggregate(operator: &Operator<'_>) -> Result<Aggregate, OnnxError> {
    match operator.text("aggregate_function", "SUM")? {
        "SUM" => Ok(Aggregate::Sum),
        "AVERAGE" => Ok(Aggregate::Average),
        "MIN" => Ok(Aggregate::Min),
        "MAX" => Ok(Aggregate::Max),
        other => Err(OnnxError::attribute(
            "aggregate_function",
            format!("is {other}, known are SUM, AVERAGE, MIN and MAX"),
        )),
    }
}

fn base(operator: &Operator<'_>, heads: usize) -> Result<Vec<f64>, OnnxError> {
    let list = operator.reals("base_values")?;
    match list.len() {
        0 => return Ok(vec![0.0; heads]),
        count if count == heads => {}
        count => {
            let reason = format!("has {count} values for {heads} targets");
            return Err(OnnxError::attribute("base_values", reason));
        }
    }
    let base: Vec<f64> = list.reals().collect();
    match base.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(OnnxError::attribute("base_values", format!("is {value}, it must be finite"))),
        None => Ok(base),
    }
}

/// One node as it stands in the lists.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Threshold of a branch.
    threshold: f64,
    /// Position in [`Rows::trees`].
    tree: u32,
    id: u32,
    /// A branch's children: ids at first, rows once they are resolved. A leaf's number is its `on_true`.
    on_true: u32,
    on_false: u32,
    feature: u32,
    /// No mode: a leaf.
    mode: Option<Mode>,
    is_missing_true: bool,
}

/// All nodes, sorted by tree and id; trees in the order in which they are first named.
struct Rows {
    list: Vec<Row>,
    /// The trees' own ids.
    trees: Vec<i64>,
    leaves: usize,
}

impl Rows {
    fn read(operator: &Operator<'_>, width: usize, budget: Budget) -> Result<Rows, OnnxError> {
        let tree_ids = operator.integers("nodes_treeids")?;
        let count = tree_ids.len();
        let same = |name: &str, length: usize| same_length(name, length, "nodes_treeids", count);
        let integers = |name: &str| {
            let list = operator.integers(name)?;
            same(name, list.len()).map(|()| list.integers())
        };
        let (ids, features) = (integers("nodes_nodeids")?, integers("nodes_featureids")?);
        let (on_true, on_false) = (integers("nodes_truenodeids")?, integers("nodes_falsenodeids")?);
        let modes = operator.texts("nodes_modes");
        same("nodes_modes", modes.clone().count())?;
        let thresholds = operator.reals("nodes_values")?;
        same("nodes_values", thresholds.len())?;
        // Empty when the exporter says nothing: then a missing value fails every comparison.
        let missing = operator.integers("nodes_missing_value_tracks_true")?;
        if missing.len() > 0 {
            same("nodes_missing_value_tracks_true", missing.len())?;
        }
        if count == 0 {
            return Err(OnnxError::NoTrees);
        }
        budget.check(count, 0)?;
        let mut rows = Rows { list: Vec::with_capacity(count), trees: Vec::new(), leaves: 0 };
        let mut names = Names::default();
        let zeros = std::iter::repeat(0);
        let children = on_true.zip(on_false).zip(missing.integers().chain(zeros));
        let questions = features.zip(modes).zip(thresholds.reals());
        for (((tree, id), question), ((on_true, on_false), missing)) in
            tree_ids.integers().zip(ids).zip(questions).zip(children)
        {
            let ((feature, mode), threshold) = question;
            let refuse = |reason: String| OnnxError::node(tree, id, reason);
            let mut row = Row {
                threshold,
                tree: names.position(tree, &mut rows.trees),
                id: u32::try_from(id).map_err(|_| refuse("has an id that is no small number".to_owned()))?,
                on_true: rows.leaves as u32,
                on_false: 0,
                feature: 0,
                mode: mode_of(mode).map_err(refuse)?,
                is_missing_true: missing != 0,
            };
            if row.mode.is_some() {
                check_threshold(threshold).map_err(refuse)?;
                row.feature = feature_within(feature, width).map_err(refuse)?;
                // An id that is no small number is none of the tree's.
                let child = |side: &str, child: i64| {
                    u32::try_from(child).map_err(|_| no_child(tree, id, side, child))
                };
                (row.on_true, row.on_false) = (child("true", on_true)?, child("false", on_false)?);
            } else {
                rows.leaves += 1;
            }
            rows.list.push(row);
        }
        rows.sort()?;
        Ok(rows)
    }

    /// By tree and id, which is how exporters write them; no id twice.
    fn sort(&mut self) -> Result<(), OnnxError> {
        let key = |row: &Row| (row.tree, row.id);
        if !self.list.is_sorted_by_key(key) {
            self.list.sort_unstable_by_key(key);
        }
        match self.list.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            Some(pair) => Err(self.refuse(&pair[0], "is there twice")),
            None => Ok(()),
        }
    }

    fn refuse(&self, row: &Row, reason: impl Into<String>) -> OnnxError {
        OnnxError::node(self.trees[row.tree as usize], i64::from(row.id), reason)
    }

    /// The row of a node. Ids mostly count from 0, so that it stands where the id says.
    fn find(&self, tree: u32, id: u32) -> Option<usize> {
        self.list.binary_search_by_key(&(tree, id), |row| (row.tree, row.id)).ok()
    }

    /// The weights of all leaves, `heads` for each.
    fn weights(&self, operator: &Operator<'_>, ensemble: &Ensemble) -> Result<Vec<f64>, OnnxError> {
        let tree_ids = operator.integers("target_treeids")?;
        let count = tree_ids.len();
        let same = |name: &str, length: usize| same_length(name, length, "target_treeids", count);
        let (ids, targets) = (operator.integers("target_nodeids")?, operator.integers("target_ids")?);
        let weights = operator.reals("target_weights")?;
        same("target_nodeids", ids.len())?;
        same("target_ids", targets.len())?;
        same("target_weights", weights.len())?;
        let heads = ensemble.heads;
        // Not a number: not yet said.
        let mut found = vec![f64::NAN; self.leaves * heads];
        let mut names = Names::of(&self.trees);
        let targets = targets.integers().zip(weights.reals());
        for ((tree_id, id), (target, weight)) in tree_ids.integers().zip(ids.integers()).zip(targets) {
            let refuse = |reason: String| OnnxError::node(tree_id, id, reason);
            let head = usize::try_from(target).ok().filter(|head| *head < heads).ok_or_else(|| {
                refuse(format!("has a weight for target {target}, of {heads} counted from 0"))
            })?;
            if !weight.is_finite() {
                return Err(refuse(format!("has the weight {weight}, it must be finite")));
            }
            let tree =
                names.known(tree_id).ok_or_else(|| OnnxError::tree(tree_id, "has weights but no nodes"))?;
            let row = u32::try_from(id).ok().and_then(|id| self.find(tree, id));
            let row = row.ok_or_else(|| refuse("has a weight but does not exist".to_owned()))?;
            if self.list[row].mode.is_some() {
                return Err(refuse("has a weight but is not a leaf".to_owned()));
            }
            let place = &mut found[self.list[row].on_true as usize * heads + head];
            if !std::mem::replace(place, weight).is_nan() {
                return Err(refuse("has two weights".to_owned()));
            }
        }
        self.fill(ensemble, found)
    }

    /// A leaf without a weight for one of several targets adds nothing to it; one without any is a mistake.
    fn fill(&self, ensemble: &Ensemble, mut weights: Vec<f64>) -> Result<Vec<f64>, OnnxError> {
        let is_sum = matches!(ensemble.aggregate, Aggregate::Sum | Aggregate::Average);
        for row in self.list.iter().filter(|row| row.mode.is_none()) {
            let weights = &mut weights[row.on_true as usize * ensemble.heads..][..ensemble.heads];
            let missing = weights.iter().filter(|weight| weight.is_nan()).count();
            if missing == weights.len() {
                return Err(self.refuse(row, "is a leaf without a weight"));
            }
            if missing > 0 && !is_sum {
                return Err(
                    self.refuse(row, "has no weight for one of the targets, so that MIN and MAX cannot tell")
                );
            }
            weights.iter_mut().filter(|weight| weight.is_nan()).for_each(|weight| *weight = 0.0);
        }
        Ok(weights)
    }

    /// Turns the ids of children into rows and says which rows have a parent; none may have two.
    fn resolve(&mut self) -> Result<Vec<bool>, OnnxError> {
        let mut has_parent = vec![false; self.list.len()];
        for index in 0..self.list.len() {
            let row = self.list[index];
            if row.mode.is_none() {
                continue;
            }
            let mut resolved = [0; 2];
            for (place, (side, id)) in
                [("true", row.on_true), ("false", row.on_false)].into_iter().enumerate()
            {
                let tree = self.trees[row.tree as usize];
                let child = self
                    .find(row.tree, id)
                    .ok_or_else(|| no_child(tree, i64::from(row.id), side, i64::from(id)))?;
                if std::mem::replace(&mut has_parent[child], true) {
                    return Err(self.refuse(&self.list[child], "is the child of two branches"));
                }
                resolved[place] = child as u32;
            }
            (self.list[index].on_true, self.list[index].on_false) = (resolved[0], resolved[1]);
        }
        Ok(has_parent)
    }

    /// Plants each tree from its one root and sees that every node was reached.
    fn plant(&self, has_parent: &[bool], ensemble: &mut Ensemble) -> Result<(), OnnxError> {
        ensemble.nodes.reserve_exact(self.list.len());
        let mut start = 0;
        for tree in self.list.chunk_by(|one, other| one.tree == other.tree) {
            let id = self.trees[tree[0].tree as usize];
            let mut roots = (start..start + tree.len()).filter(|row| !has_parent[*row]);
            let root = roots
                .next()
                .ok_or_else(|| OnnxError::tree(id, "runs in a circle: every node has a parent"))?;
            if let Some(second) = roots.next() {
                let (first, second) = (self.list[root].id, self.list[second].id);
                return Err(OnnxError::tree(id, format!("has two roots, nodes {first} and {second}")));
            }
            if ensemble.plant(root as u32, |row| Ok(self.describe(row)))? != tree.len() {
                return Err(self.lost(root as u32, start..start + tree.len()));
            }
            start += tree.len();
        }
        Ok(())
    }

    fn describe(&self, row: u32) -> Node {
        let row = &self.list[row as usize];
        match row.mode {
            None => Node::leaf(row.on_true),
            Some(mode) => {
                let missing = row.is_missing_true;
                Node::branch(mode, row.feature, row.threshold, missing, row.on_true, row.on_false)
            }
        }
    }

    /// Names a node that is not reached from the root.
    fn lost(&self, root: u32, tree: Range<usize>) -> OnnxError {
        let mut reached = vec![false; tree.len()];
        let mut open = vec![root as usize];
        while let Some(at) = open.pop() {
            reached[at - tree.start] = true;
            let row = &self.list[at];
            if row.mode.is_some() {
                open.extend([row.on_true as usize, row.on_false as usize]);
            }
        }
        let lost = reached.iter().position(|reached| !reached).unwrap_or(0);
        self.refuse(&self.list[tree.start + lost], "is never reached from the root: it is part of a circle")
    }
}

/// Numbers trees by their first appearance.
#[derive(Default)]
struct Names {
    table: HashMap<i64, u32>,
    /// The newest answer: lists name a tree many times in a row.
    last: Option<(i64, u32)>,
}

impl Names {
    fn of(trees: &[i64]) -> Names {
        Names { table: trees.iter().copied().zip(0..).collect(), last: None }
    }

    /// The number of a tree; a new one is appended to `trees`.
    fn position(&mut self, id: i64, trees: &mut Vec<i64>) -> u32 {
        self.known(id).unwrap_or_else(|| {
            let position = trees.len() as u32;
            trees.push(id);
            self.table.insert(id, position);
            self.last = Some((id, position));
            position
        })
    }

    fn known(&mut self, id: i64) -> Option<u32> {
        if let Some((_, position)) = self.last.filter(|(last, _)| *last == id) {
            return Some(position);
        }
        let position = *self.table.get(&id)?;
        self.last = Some((id, position));
        Some(position)
    }
}

fn no_child(tree: i64, id: i64, side: &str, child: i64) -> OnnxError {
    OnnxError::node(tree, id, format!("names node {child} as its {side} child, which does not exist"))
}

/// The comparison of a mode; none for a leaf.
fn mode_of(name: &[u8]) -> Result<Option<Mode>, String> {
    match name {
        b"LEAF" => Ok(None),
        b"BRANCH_LEQ" => Ok(Some(Mode::Leq)),
        b"BRANCH_LT" => Ok(Some(Mode::Lt)),
        b"BRANCH_GTE" => Ok(Some(Mode::Gte)),
        b"BRANCH_GT" => Ok(Some(Mode::Gt)),
        b"BRANCH_EQ" => Ok(Some(Mode::Eq)),
        b"BRANCH_NEQ" => Ok(Some(Mode::Neq)),
        other => Err(format!("has the unknown mode `{}`", String::from_utf8_lossy(other))),
    }
}

pub(super) fn same_length(name: &str, length: usize, other: &str, expected: usize) -> Result<(), OnnxError> {
    if length == expected {
        Ok(())
    } else {
        Err(OnnxError::attribute(name, format!("has {length} entries, `{other}` has {expected}")))
    }
}
