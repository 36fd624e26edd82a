//! CatBoost's own JSON model: the same trees as its ONNX export, with the weights in double precision.
//!
//! Trees are read one at a time into the ensemble, because a file of short numbers would grow several times over if it were
//! parsed as a whole. Borders are compared as `float`s, as CatBoost compares them. What is not numbers (categories, texts,
//! embeddings) is refused by name.

mod parse;

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use self::parse::{FewNumbers, Totals, Trees};
use super::ensemble::MOST_HEADS;
use super::trees::{After, Aggregate, Budget, Ensemble, Mode, Node, feature_within};
use super::{MOST_FEATURES, OnnxError};

/// Most levels of a symmetric tree: CatBoost's own limit.
const MOST_SPLITS: usize = 16;

/// The parts that are not trees.
#[derive(Debug, Deserialize)]
struct Head {
    features_info: FeaturesInfo,
    scale_and_bias: (f64, FewNumbers),
    #[serde(default)]
    oblivious_trees: Totals,
    #[serde(default)]
    trees: Totals,
}

#[derive(Debug, Deserialize)]
struct FeaturesInfo {
    float_features: Vec<FloatFeature>,
    #[serde(default)]
    categorical_features: Vec<IgnoredAny>,
    #[serde(default)]
    text_features: Vec<IgnoredAny>,
    #[serde(default)]
    embedding_features: Vec<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct FloatFeature {
    feature_index: i64,
    flat_feature_index: i64,
    #[serde(default)]
    nan_value_treatment: Treatment,
}

/// What `x > border` says of a missing x.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum Treatment {
    /// There was none in training: as floats compare, false.
    #[default]
    #[serde(rename = "AsIs")]
    Compared,
    #[serde(rename = "AsFalse")]
    False,
    #[serde(rename = "AsTrue")]
    True,
}

#[derive(Debug, Deserialize)]
struct Split {
    split_type: String,
    #[serde(default)]
    border: f64,
    #[serde(default)]
    float_feature_index: i64,
}

/// Reads a model; `width` is the number of features of a row, or nothing if the model shall say.
pub(super) fn read(
    bytes: &[u8],
    width: Option<usize>,
    budget: Budget,
) -> Result<(Ensemble, usize), OnnxError> {
    let head: Head = serde_json::from_slice(bytes).map_err(json)?;
    let info = &head.features_info;
    let others = [
        ("categorical", info.categorical_features.len()),
        ("text", info.text_features.len()),
        ("embedding", info.embedding_features.len()),
    ];
    if let Some((kind, count)) = others.into_iter().find(|(_, count)| *count > 0) {
        return Err(OnnxError::Json {
            reason: format!("it has {count} {kind} features, only numbers can be read"),
        });
    }
    let last = info.float_features.iter().map(|feature| feature.flat_feature_index).max();
    let own_width = last.map_or(0, |last| usize::try_from(last).map_or(0, |last| last.saturating_add(1)));
    if own_width > MOST_FEATURES {
        return Err(OnnxError::Json {
            reason: format!("it numbers a feature {}, at most {MOST_FEATURES} can be", own_width - 1),
        });
    }
    let width = width.unwrap_or(own_width);
    if width != own_width {
        return Err(OnnxError::Width { card: width, file: own_width });
    }
    let mut ensemble = empty(&head)?;
    reserve(&head, &mut ensemble, budget)?;
    let features = info.float_features.iter();
    let features = features
        .map(|feature| (feature.feature_index, (feature.flat_feature_index, feature.nan_value_treatment)))
        .collect();
    let mut planter = Planter {
        features,
        width,
        ensemble: &mut ensemble,
        nodes: Vec::new(),
        values: Vec::new(),
        refusal: None,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = deserializer.deserialize_map(Trees(&mut planter));
    if let Some(refusal) = planter.refusal {
        return Err(refusal);
    }
    read.map_err(json)?;
    if ensemble.num_trees() == 0 {
        return Err(OnnxError::NoTrees);
    }
    Ok((ensemble, width))
}

/// Makes room for all trees at once, if the file may cost that much. A list that grows as it is read would hold three times
/// what it needs.
fn reserve(head: &Head, ensemble: &mut Ensemble, budget: Budget) -> Result<(), OnnxError> {
    let heads = ensemble.heads;
    let symmetric = head.oblivious_trees.values / heads;
    let free = head.trees.values;
    let trees = head.oblivious_trees.trees + head.trees.trees;
    // What a leaf costs with the branch above it: two nodes; as it is compiled, its number, and each weight twice. A tree of
    // any shape is put together from its parts besides, and becomes steps and merges.
    let weights = 16 * heads;
    let cost = [(symmetric, 52 + weights), (free, 200 + weights), (trees, 64)];
    budget.afford(
        cost.into_iter().map(|(count, bytes)| count.saturating_mul(bytes)).fold(0, usize::saturating_add),
    )?;
    ensemble.nodes.reserve_exact(2 * (symmetric + free));
    ensemble.weights.reserve_exact((symmetric + free) * heads);
    ensemble.ends.reserve_exact(trees);
    Ok(())
}

fn json(error: serde_json::Error) -> OnnxError {
    OnnxError::Json { reason: error.to_string() }
}

/// The ensemble before its trees: a sum times the scale plus each head's bias.
fn empty(head: &Head) -> Result<Ensemble, OnnxError> {
    let (scale, bias) = &head.scale_and_bias;
    let bias = bias.0.clone();
    let refuse = |reason: String| Err(OnnxError::attribute("scale_and_bias", reason));
    if bias.is_empty() || bias.len() as i64 > MOST_HEADS {
        return refuse(format!("has {} biases, a model predicts 1 to {MOST_HEADS} numbers", bias.len()));
    }
    if let Some(number) = bias.iter().chain([scale]).find(|number| !number.is_finite()) {
        return refuse(format!("has {number}, it must be finite"));
    }
    if *scale == 1.0 {
        return Ok(Ensemble::empty(Aggregate::Sum, bias, true));
    }
    let [bias] = bias.as_slice() else {
        return refuse(format!("scales {} numbers by {scale}, only one can be", bias.len()));
    };
    let mut ensemble = Ensemble::empty(Aggregate::Sum, vec![0.0], true);
    ensemble.after = vec![After::Times(*scale), After::Plus(*bias)];
    Ok(ensemble)
}

/// Puts trees into the ensemble as they are read.
struct Planter<'e> {
    /// Place in a row and treatment of missing values, by the model's number of the feature.
    features: HashMap<i64, (i64, Treatment)>,
    width: usize,
    ensemble: &'e mut Ensemble,
    /// Nodes of the tree of any shape that is being read, children before their parents.
    nodes: Vec<Node>,
    /// Leaf values of the symmetric tree that is being read.
    values: Vec<f64>,
    /// Why a tree was refused; the parser's own error only says where.
    refusal: Option<OnnxError>,
}

/// A node of a tree of any shape, as far as it was read: a leaf has a value, a branch the rest.
#[derive(Default)]
struct Part {
    split: Option<Split>,
    left: Option<u32>,
    right: Option<u32>,
    leaf: Option<Node>,
}

impl Planter<'_> {
    fn tree(&self) -> i64 {
        self.ensemble.num_trees() as i64
    }

    /// A question as a branch without children.
    fn branch(&self, split: &Split) -> Result<Node, OnnxError> {
        let refuse = |reason: String| OnnxError::tree(self.tree(), reason);
        if split.split_type != "FloatFeature" {
            let kind = &split.split_type;
            return Err(refuse(format!("asks a question of type {kind}, only FloatFeature can be run")));
        }
        let number = split.float_feature_index;
        let (feature, treatment) = *self
            .features
            .get(&number)
            .ok_or_else(|| refuse(format!("reads float feature {number}, which the model does not list")))?;
        let feature = feature_within(feature, self.width).map_err(refuse)?;
        if !split.border.is_finite() {
            return Err(refuse(format!("compares with {}, a border must be finite", split.border)));
        }
        Ok(Node::branch(Mode::Gt, feature, split.border, treatment == Treatment::True, 0, 0))
    }

    fn leaf(&mut self, weights: &[f64]) -> Result<Node, OnnxError> {
        if weights.len() != self.ensemble.heads {
            let (got, heads) = (weights.len(), self.ensemble.heads);
            return Err(OnnxError::tree(
                self.tree(),
                format!("has a leaf of {got} numbers, the model predicts {heads}"),
            ));
        }
        if let Some(weight) = weights.iter().find(|weight| !weight.is_finite()) {
            return Err(OnnxError::tree(self.tree(), format!("has the weight {weight}, it must be finite")));
        }
        let number = self.ensemble.weights.len() / self.ensemble.heads;
        self.ensemble.weights.extend_from_slice(weights);
        Ok(Node::leaf(number as u32))
    }

    /// Bit `l` of a leaf's number says whether `x > border` held at level `l`.
    fn oblivious(&mut self, splits: &[Split]) -> Result<(), OnnxError> {
        let values = std::mem::take(&mut self.values);
        let (heads, depth) = (self.ensemble.heads, splits.len());
        let leaves = 1_usize << depth;
        if leaves * heads != values.len() {
            let reason = format!("has {depth} splits and {} leaf values", values.len());
            return Err(OnnxError::tree(self.tree(), reason));
        }
        let levels = splits.iter().map(|split| self.branch(split)).collect::<Result<Vec<_>, _>>()?;
        let first = self.ensemble.weights.len() / heads;
        for weights in values.chunks_exact(heads) {
            self.leaf(weights)?;
        }
        self.values = values;
        // A node's number: its level above, the answers so far below.
        let number = |level: usize, answers: u32| ((level as u32) << 26) | answers;
        let describe = |node: u32| {
            let (level, answers) = ((node >> 26) as usize, node & ((1 << 26) - 1));
            let Some(question) = levels.get(level) else { return Ok(Node::leaf(first as u32 + answers)) };
            let is_above = number(level + 1, answers | 1 << level);
            Ok(Node { no: is_above, yes: number(level + 1, answers), ..*question })
        };
        self.ensemble.plant(0, describe).map(drop)
    }

    /// Plants the nodes that were read, from their root.
    fn free(&mut self, root: u32) -> Result<(), OnnxError> {
        let nodes = std::mem::take(&mut self.nodes);
        self.ensemble.plant(root, |number| Ok(nodes[number as usize]))?;
        self.nodes = nodes;
        Ok(())
    }

    /// Adds a node of a tree of any shape and says its number.
    fn node(&mut self, part: Part) -> Result<u32, OnnxError> {
        let node = match part {
            Part { split: Some(split), left: Some(yes), right: Some(no), leaf: None } => {
                Node { no, yes, ..self.branch(&split)? }
            }
            Part { split: None, left: None, right: None, leaf: Some(leaf) } => leaf,
            _ => return Err(OnnxError::tree(self.tree(), "has a node that is neither branch nor leaf")),
        };
        self.nodes.push(node);
        Ok(self.nodes.len() as u32 - 1)
    }

    /// Keeps the reason of a refusal, and gives the parser an error to stop with.
    fn keep<T, E: serde::de::Error>(&mut self, result: Result<T, OnnxError>) -> Result<T, E> {
        result.map_err(|refusal| {
            self.refusal = Some(refusal);
            E::custom("a tree was refused")
        })
    }
}
