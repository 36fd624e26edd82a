//! CatBoost's own JSON model: the same trees as its ONNX export, with the weights in double precision.
//!
//! Trees are read one at a time into the ensemble, because a file of short numbers would grow several times over if it were
//! parsed as a whole. Borders are compared as `float`s, as CatBoost compares them. What is not numbers (categories, texts,
//! embeddings) is refused by name.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::OnnxError;
use super::ensemble::MOST_HEADS;
use super::trees::{After, Aggregate, Budget, Ensemble, Mode, Node, feature_within};

/// The parts that are not trees.
#[derive(Debug, Deserialize)]
struct Head {
    features_info: FeaturesInfo,
    scale_and_bias: (f64, Bias),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Bias {
    One(f64),
    Several(Vec<f64>),
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

#[derive(Debug, Deserialize)]
struct ObliviousTree {
    splits: Option<Vec<Split>>,
    leaf_values: Vec<f64>,
}

/// A tree of any shape: a leaf has a value, a branch the rest.
#[derive(Debug, Deserialize)]
struct FreeTree {
    split: Option<Split>,
    left: Option<Box<FreeTree>>,
    right: Option<Box<FreeTree>>,
    value: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    One(f64),
    Several(Vec<f64>),
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
    let own_width =
        info.float_features.iter().map(|feature| feature.flat_feature_index + 1).max().unwrap_or(0);
    let own_width = usize::try_from(own_width).unwrap_or(0);
    let width = width.unwrap_or(own_width);
    if width != own_width {
        return Err(OnnxError::Width { card: width, file: own_width });
    }
    let mut ensemble = empty(&head)?;
    let features = info.float_features.iter();
    let features = features
        .map(|feature| (feature.feature_index, (feature.flat_feature_index, feature.nan_value_treatment)))
        .collect();
    let mut planter = Planter { features, width, budget, ensemble: &mut ensemble, refusal: None };
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

fn json(error: serde_json::Error) -> OnnxError {
    OnnxError::Json { reason: error.to_string() }
}

/// The ensemble before its trees: a sum times the scale plus each head's bias.
fn empty(head: &Head) -> Result<Ensemble, OnnxError> {
    let (scale, bias) = &head.scale_and_bias;
    let bias = match bias {
        Bias::One(bias) => vec![*bias],
        Bias::Several(bias) => bias.clone(),
    };
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
    budget: Budget,
    ensemble: &'e mut Ensemble,
    /// Why a tree was refused; the parser's own error only says where.
    refusal: Option<OnnxError>,
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

    fn check(&self, more_nodes: usize, more_weights: usize) -> Result<(), OnnxError> {
        let (nodes, weights) = (self.ensemble.nodes.len(), self.ensemble.weights.len());
        self.budget.check(nodes + more_nodes, weights + more_weights)
    }

    /// Bit `l` of a leaf's number says whether `x > border` held at level `l`.
    fn oblivious(&mut self, tree: &ObliviousTree) -> Result<(), OnnxError> {
        let splits = tree.splits.as_deref().unwrap_or_default();
        let (heads, depth) = (self.ensemble.heads, splits.len());
        let leaves =
            1_usize.checked_shl(depth as u32).filter(|leaves| leaves * heads == tree.leaf_values.len());
        let Some(leaves) = leaves.filter(|_| depth < 32) else {
            let reason = format!("has {depth} splits and {} leaf values", tree.leaf_values.len());
            return Err(OnnxError::tree(self.tree(), reason));
        };
        self.check(2 * leaves, tree.leaf_values.len())?;
        let levels = splits.iter().map(|split| self.branch(split)).collect::<Result<Vec<_>, _>>()?;
        let first = self.ensemble.weights.len() / heads;
        for weights in tree.leaf_values.chunks_exact(heads) {
            self.leaf(weights)?;
        }
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

    fn free(&mut self, tree: &FreeTree) -> Result<(), OnnxError> {
        // Every part of the tree by number, children behind their parents.
        let mut parts = vec![tree];
        let mut nodes = Vec::new();
        let mut next = 0;
        while let Some(part) = parts.get(next).copied() {
            next += 1;
            let node = match (&part.split, &part.left, &part.right, &part.value) {
                (Some(split), Some(left), Some(right), None) => {
                    parts.extend([left.as_ref(), right.as_ref()]);
                    let right = parts.len() as u32 - 1;
                    Node { no: right, yes: right - 1, ..self.branch(split)? }
                }
                (None, None, None, Some(Value::One(weight))) => self.leaf(&[*weight])?,
                (None, None, None, Some(Value::Several(weights))) => self.leaf(weights)?,
                _ => return Err(OnnxError::tree(self.tree(), "has a node that is neither branch nor leaf")),
            };
            nodes.push(node);
            self.check(2 * nodes.len(), 0)?;
        }
        self.ensemble.plant(0, |number| Ok(nodes[number as usize])).map(drop)
    }
}

/// The model's map, of which only the trees are read.
struct Trees<'p, 'e>(&'p mut Planter<'e>);

impl<'de> Visitor<'de> for Trees<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a CatBoost model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "oblivious_trees" => map.next_value_seed(List(self.0, Planter::oblivious))?,
                "trees" => map.next_value_seed(List(self.0, Planter::free))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A list of trees of one kind, and what plants one.
struct List<'p, 'e, T>(&'p mut Planter<'e>, fn(&mut Planter<'e>, &T) -> Result<(), OnnxError>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for List<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<'_, '_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of trees")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut trees: A) -> Result<(), A::Error> {
        while let Some(tree) = trees.next_element::<T>()? {
            if let Err(refusal) = self.1(self.0, &tree) {
                self.0.refusal = Some(refusal);
                return Err(A::Error::custom("a tree was refused"));
            }
        }
        Ok(())
    }
}
