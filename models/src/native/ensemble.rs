//! The attributes of a `TreeEnsembleRegressor`, checked and turned into trees.
//!
//! ONNX keeps an ensemble as a dozen parallel lists. Here they become an [`Ensemble`], with children as
//! positions instead of ids, every promise checked on the way: lists of equal length, each node once, children that exist,
//! one root, every node reached exactly once, leaves finite, thresholds numbers, features within the width. What comes out can
//! be compiled without further checks.

use std::collections::HashMap;

use super::OnnxError;
use super::onnx::NodeProto;
use super::trees::{Aggregate, Ask, Ensemble, Node};

/// Everything the operator may carry; another attribute might change an answer, so it is refused.
const KNOWN_ATTRIBUTES: [&str; 20] = [
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
];

/// Reads and checks the operator; `width` is the number of features of a row.
pub(super) fn read(node: &NodeProto, width: usize, rounds_to_f32: bool) -> Result<Ensemble, OnnxError> {
    for attribute in &node.attribute {
        if !KNOWN_ATTRIBUTES.contains(&attribute.name.as_str())
            && attribute.name != "target_weights_as_tensor"
        {
            return Err(OnnxError::attribute(&attribute.name, "is not known to the native engine"));
        }
    }
    let post_transform = text(node, "post_transform", "NONE")?;
    if post_transform != "NONE" {
        return Err(OnnxError::attribute(
            "post_transform",
            format!("is {post_transform}, only NONE gives points"),
        ));
    }
    let n_targets = node.attribute("n_targets").map_or(1, |attribute| attribute.i);
    if n_targets != 1 {
        return Err(OnnxError::attribute(
            "n_targets",
            format!("is {n_targets}, a model predicts one number"),
        ));
    }
    let aggregate = aggregate(node)?;
    let base = base(node)?;
    let lists = NodeLists::read(node)?;
    let mut trees = lists.group()?;
    hang_weights(node, &mut trees)?;
    if trees.is_empty() {
        return Err(OnnxError::NoTrees);
    }
    let mut ensemble = Ensemble {
        aggregate,
        heads: 1,
        base: vec![base],
        nodes: Vec::with_capacity(lists.tree_ids.len()),
        ends: Vec::with_capacity(trees.len()),
        weights: Vec::new(),
        rounds_to_f32,
        after: Vec::new(),
    };
    for tree in trees {
        tree.finish(&lists, width, &mut ensemble)?;
    }
    Ok(ensemble)
}

fn aggregate(node: &NodeProto) -> Result<Aggregate, OnnxError> {
    match text(node, "aggregate_function", "SUM")?.as_str() {
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

fn base(node: &NodeProto) -> Result<f64, OnnxError> {
    let values = reals(node, "base_values")?;
    match values.as_slice() {
        [] => Ok(0.0),
        [base] if base.is_finite() => Ok(*base),
        [base] => Err(OnnxError::attribute("base_values", format!("is {base}, it must be finite"))),
        more => Err(OnnxError::attribute("base_values", format!("has {} values for one target", more.len()))),
    }
}

/// The lists that have one entry per node.
struct NodeLists<'a> {
    tree_ids: &'a [i64],
    node_ids: &'a [i64],
    true_ids: &'a [i64],
    false_ids: &'a [i64],
    features: &'a [i64],
    modes: &'a [Vec<u8>],
    thresholds: Vec<f64>,
    /// Empty when the exporter says nothing: then a missing value fails every comparison.
    missing_is_true: &'a [i64],
}

impl<'a> NodeLists<'a> {
    fn read(node: &'a NodeProto) -> Result<NodeLists<'a>, OnnxError> {
        let lists = NodeLists {
            tree_ids: integers(node, "nodes_treeids"),
            node_ids: integers(node, "nodes_nodeids"),
            true_ids: integers(node, "nodes_truenodeids"),
            false_ids: integers(node, "nodes_falsenodeids"),
            features: integers(node, "nodes_featureids"),
            modes: node.attribute("nodes_modes").map_or(&[], |attribute| attribute.strings.as_slice()),
            thresholds: reals(node, "nodes_values")?,
            missing_is_true: integers(node, "nodes_missing_value_tracks_true"),
        };
        let count = lists.tree_ids.len();
        let lengths = [
            ("nodes_nodeids", lists.node_ids.len()),
            ("nodes_truenodeids", lists.true_ids.len()),
            ("nodes_falsenodeids", lists.false_ids.len()),
            ("nodes_featureids", lists.features.len()),
            ("nodes_modes", lists.modes.len()),
            ("nodes_values", lists.thresholds.len()),
        ];
        for (name, length) in lengths {
            same_length(name, length, "nodes_treeids", count)?;
        }
        if !lists.missing_is_true.is_empty() {
            same_length(
                "nodes_missing_value_tracks_true",
                lists.missing_is_true.len(),
                "nodes_treeids",
                count,
            )?;
        }
        Ok(lists)
    }

    /// Sorts the nodes into trees, each tree in the order of its nodes.
    fn group(&self) -> Result<Vec<Grove>, OnnxError> {
        let mut trees: Vec<Grove> = Vec::new();
        let mut by_id: HashMap<i64, usize> = HashMap::new();
        for (row, (&tree_id, &node_id)) in self.tree_ids.iter().zip(self.node_ids).enumerate() {
            let index = *by_id.entry(tree_id).or_insert_with(|| {
                trees.push(Grove {
                    id: tree_id,
                    rows: Vec::new(),
                    positions: HashMap::new(),
                    weights: Vec::new(),
                });
                trees.len() - 1
            });
            let tree = &mut trees[index];
            if tree.positions.insert(node_id, tree.rows.len()).is_some() {
                return Err(OnnxError::node(tree_id, node_id, "is there twice"));
            }
            tree.rows.push(row);
            tree.weights.push(None);
        }
        Ok(trees)
    }
}

/// A tree while it is put together: rows of the lists, and where each node id stands.
struct Grove {
    id: i64,
    rows: Vec<usize>,
    positions: HashMap<i64, usize>,
    weights: Vec<Option<f64>>,
}

/// Puts each leaf's weight where it belongs.
fn hang_weights(node: &NodeProto, trees: &mut [Grove]) -> Result<(), OnnxError> {
    let tree_ids = integers(node, "target_treeids");
    let node_ids = integers(node, "target_nodeids");
    let targets = integers(node, "target_ids");
    let weights = reals(node, "target_weights")?;
    same_length("target_nodeids", node_ids.len(), "target_treeids", tree_ids.len())?;
    same_length("target_ids", targets.len(), "target_treeids", tree_ids.len())?;
    same_length("target_weights", weights.len(), "target_treeids", tree_ids.len())?;
    let by_id: HashMap<i64, usize> = trees.iter().enumerate().map(|(index, tree)| (tree.id, index)).collect();
    for (((&tree_id, &node_id), &target), &weight) in tree_ids.iter().zip(node_ids).zip(targets).zip(&weights)
    {
        if target != 0 {
            return Err(OnnxError::node(
                tree_id,
                node_id,
                format!("has a weight for target {target}, there is only target 0"),
            ));
        }
        if !weight.is_finite() {
            return Err(OnnxError::node(
                tree_id,
                node_id,
                format!("has the weight {weight}, it must be finite"),
            ));
        }
        let tree = by_id.get(&tree_id).map(|index| &mut trees[*index]);
        let tree = tree.ok_or_else(|| OnnxError::tree(tree_id, "has weights but no nodes"))?;
        let position = tree.positions.get(&node_id).copied();
        let position =
            position.ok_or_else(|| OnnxError::node(tree_id, node_id, "has a weight but does not exist"))?;
        if tree.weights[position].replace(weight).is_some() {
            return Err(OnnxError::node(tree_id, node_id, "has two weights"));
        }
    }
    Ok(())
}

impl Grove {
    fn finish(self, lists: &NodeLists<'_>, width: usize, ensemble: &mut Ensemble) -> Result<(), OnnxError> {
        let nodes = (0..self.rows.len())
            .map(|position| self.node(position, lists, width))
            .collect::<Result<Vec<_>, _>>()?;
        let order = self.order_from_root(&nodes, lists)?;
        let mut moved_to = vec![0; nodes.len()];
        for (new, &old) in order.iter().enumerate() {
            moved_to[old] = new as u32;
        }
        for &old in &order {
            let mut node = nodes[old];
            if node.ask == Ask::Leaf {
                node.yes = ensemble.weights.len() as u32;
                ensemble.weights.push(node.value);
                node.value = 0.0;
            } else {
                node.yes = moved_to[node.yes as usize];
                node.no = moved_to[node.no as usize];
            }
            ensemble.nodes.push(node);
        }
        ensemble.ends.push(ensemble.nodes.len() as u32);
        Ok(())
    }

    fn node(&self, position: usize, lists: &NodeLists<'_>, width: usize) -> Result<Node, OnnxError> {
        let row = self.rows[position];
        let node_id = lists.node_ids[row];
        let refuse = |reason: String| OnnxError::node(self.id, node_id, reason);
        let weight = self.weights[position];
        let mode = lists.modes[row].as_slice();
        if mode == b"LEAF" {
            let value = weight.ok_or_else(|| refuse("is a leaf without a weight".to_owned()))?;
            return Ok(Node { value, yes: 0, no: 0, feature: 0, ask: Ask::Leaf, missing_is_yes: false });
        }
        let threshold = lists.thresholds[row];
        let is_missing_true = lists.missing_is_true.get(row).is_some_and(|flag| *flag != 0);
        let below = threshold.next_down();
        // What is asked of what, whether a yes is the mode's true, and where a missing value goes.
        let (ask, value, is_true, missing_is_yes) = match mode {
            b"BRANCH_LEQ" => (Ask::AtMost, threshold, true, is_missing_true),
            b"BRANCH_LT" => (Ask::AtMost, below, true, is_missing_true),
            b"BRANCH_GTE" => (Ask::AtMost, below, false, !is_missing_true),
            b"BRANCH_GT" => (Ask::AtMost, threshold, false, !is_missing_true),
            b"BRANCH_EQ" => (Ask::Equal, threshold, true, is_missing_true),
            // NaN is unequal to everything, so it takes the true child whatever the flag says.
            b"BRANCH_NEQ" => (Ask::Equal, threshold, false, false),
            other => {
                return Err(refuse(format!("has the unknown mode `{}`", String::from_utf8_lossy(other))));
            }
        };
        if weight.is_some() {
            return Err(refuse("has a weight but is not a leaf".to_owned()));
        }
        // LightGBM writes `x <= inf` to tell missing values from all others; the other two say nothing.
        if threshold.is_nan() || threshold == f64::NEG_INFINITY {
            return Err(refuse(format!("compares with {threshold}, which no value can be below")));
        }
        let feature = lists.features[row];
        let within = usize::try_from(feature).is_ok_and(|feature| feature < width);
        let feature = u32::try_from(feature).ok().filter(|_| within);
        let feature = feature.ok_or_else(|| {
            refuse(format!("reads feature {}, the card names {width} (counted from 0)", lists.features[row]))
        })?;
        let on_true = self.child(node_id, "true", lists.true_ids[row])? as u32;
        let on_false = self.child(node_id, "false", lists.false_ids[row])? as u32;
        let (yes, no) = if is_true { (on_true, on_false) } else { (on_false, on_true) };
        Ok(Node { value, yes, no, feature, ask, missing_is_yes })
    }

    fn child(&self, node_id: i64, side: &str, child: i64) -> Result<usize, OnnxError> {
        let position = self.positions.get(&child).copied();
        position.ok_or_else(|| {
            OnnxError::node(
                self.id,
                node_id,
                format!("names node {child} as its {side} child, which does not exist"),
            )
        })
    }

    /// Positions from the root downwards, true child first; that every node is in it exactly once is what makes it a tree.
    fn order_from_root(&self, nodes: &[Node], lists: &NodeLists<'_>) -> Result<Vec<usize>, OnnxError> {
        let node_id = |position: usize| lists.node_ids[self.rows[position]];
        let mut has_parent = vec![false; nodes.len()];
        for node in nodes {
            for child in children(node) {
                if std::mem::replace(&mut has_parent[child], true) {
                    return Err(OnnxError::node(self.id, node_id(child), "is the child of two branches"));
                }
            }
        }
        let mut roots = (0..nodes.len()).filter(|position| !has_parent[*position]);
        let root = roots
            .next()
            .ok_or_else(|| OnnxError::tree(self.id, "runs in a circle: every node has a parent"))?;
        if let Some(second) = roots.next() {
            return Err(OnnxError::tree(
                self.id,
                format!("has two roots, nodes {} and {}", node_id(root), node_id(second)),
            ));
        }
        let mut order = Vec::with_capacity(nodes.len());
        let mut open = vec![root];
        while let Some(position) = open.pop() {
            order.push(position);
            // The last one in is the first one out.
            open.extend(children(&nodes[position]).rev());
        }
        if order.len() == nodes.len() {
            return Ok(order);
        }
        let mut reached = vec![false; nodes.len()];
        order.iter().for_each(|position| reached[*position] = true);
        let lost = reached.iter().position(|reached| !reached).map_or(0, node_id);
        Err(OnnxError::node(self.id, lost, "is never reached from the root: it is part of a circle"))
    }
}

fn children(node: &Node) -> impl DoubleEndedIterator<Item = usize> + use<> {
    let both =
        if node.ask == Ask::Leaf { [None; 2] } else { [Some(node.yes as usize), Some(node.no as usize)] };
    both.into_iter().flatten()
}

fn same_length(name: &str, length: usize, other: &str, expected: usize) -> Result<(), OnnxError> {
    if length == expected {
        Ok(())
    } else {
        Err(OnnxError::attribute(name, format!("has {length} entries, `{other}` has {expected}")))
    }
}

fn integers<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    node.attribute(name).map_or(&[], |attribute| attribute.ints.as_slice())
}

/// A list of reals: as floats, or as the tensor that stands for them since version 3 of the operator; not both.
fn reals(node: &NodeProto, name: &str) -> Result<Vec<f64>, OnnxError> {
    let floats = node.attribute(name).map_or(&[][..], |attribute| attribute.floats.as_slice());
    let tensor_name = format!("{name}_as_tensor");
    match node.attribute(&tensor_name).and_then(|attribute| attribute.t.as_ref()) {
        None => Ok(floats.iter().map(|value| f64::from(*value)).collect()),
        Some(_) if !floats.is_empty() => {
            Err(OnnxError::attribute(&tensor_name, format!("is there together with `{name}`")))
        }
        Some(tensor) => tensor.reals().map_err(|reason| OnnxError::attribute(&tensor_name, reason)),
    }
}

fn text(node: &NodeProto, name: &str, default: &str) -> Result<String, OnnxError> {
    match node.attribute(name) {
        None => Ok(default.to_owned()),
        Some(attribute) => {
            String::from_utf8(attribute.s.clone()).map_err(|_| OnnxError::attribute(name, "is not text"))
        }
    }
}
