//! Why a model file is refused, in a sentence that names the place.

use thiserror::Error;

/// A model file that the native engine does not run.
#[derive(Debug, Clone, PartialEq, Error)]
#[allow(missing_docs, reason = "each variant is its sentence; the fields are the names in it")]
pub enum OnnxError {
    #[error(
        "the model file has more than {limit} bytes, which no tree ensemble needs: refused before reading it"
    )]
    TooLarge { limit: usize },
    #[error("the model file is not a whole ONNX model ({reason}): copy or export it again")]
    Decode { reason: String },
    #[error("the model file is not a whole CatBoost JSON model ({reason}): copy or export it again")]
    Json { reason: String },
    #[error(
        "the model file unpacks to more than four times its size: no exporter writes trees that small, refused"
    )]
    Hungry,
    #[error("the model file has no graph: it is not an ONNX model, or it is empty")]
    NoGraph,
    #[error("the model defines its own function `{name}`: export it without functions")]
    Functions { name: String },
    #[error("the graph has {count} inputs, it must have one: a table of features")]
    Inputs { count: usize },
    #[error(
        "the graph's input `{name}` has element type {elem_type}: it must be a float (1) or double (11) tensor"
    )]
    InputType { name: String, elem_type: i32 },
    #[error("the graph's input `{name}` has {dims} dimensions: it must have two, rows and features")]
    InputShape { name: String, dims: usize },
    #[error(
        "the card names {card} features, the model file takes {file}: the list of names must be the one it was trained with"
    )]
    Width { card: usize, file: usize },
    #[error("the model takes no features: a prediction must depend on something")]
    NoFeatures,
    #[error("the graph has {count} outputs, it must have one: the prediction")]
    Outputs { count: usize },
    #[error("the value `{name}` is made by two nodes")]
    TwoProducers { name: String },
    #[error("no node makes the value `{name}`")]
    NoProducer { name: String },
    #[error("the graph runs in a circle through {node}")]
    Cycle { node: String },
    #[error("{node} is not on the way from the input to the output: only single chains can be run")]
    OffChain { node: String },
    #[error(
        "the graph has no TreeEnsembleRegressor or TreeEnsemble: the native engine runs tree ensembles only"
    )]
    NoEnsemble,
    #[error(
        "{node} runs a graph of its own, which may never end: export the model without loops and branches"
    )]
    Subgraph { node: String },
    #[error("{node} draws random numbers: the same row must have the same answer twice")]
    Random { node: String },
    #[error("{name} keeps its data in another file: save the model as one file")]
    Elsewhere { name: String },
    #[error("the native engine does not run {node}")]
    UnsupportedNode { node: String },
    #[error("{node} casts to element type {to}: only float (1) and double (11) keep a prediction as it is")]
    CastType { node: String, to: i32 },
    #[error("{node} {reason}")]
    Operand { node: String, reason: String },
    #[error("the ensemble's attribute `{attribute}` {reason}")]
    Attribute { attribute: String, reason: String },
    #[error("the ensemble has no tree")]
    NoTrees,
    #[error("node {node} of tree {tree} {reason}")]
    Node { tree: i64, node: i64, reason: String },
    #[error("tree {tree} {reason}")]
    Tree { tree: i64, reason: String },
}

impl OnnxError {
    pub(super) fn attribute(attribute: &str, reason: impl Into<String>) -> OnnxError {
        OnnxError::Attribute { attribute: attribute.to_owned(), reason: reason.into() }
    }

    /// What is wrong within an attribute, said of the attribute.
    pub(super) fn within(attribute: &str, error: OnnxError) -> OnnxError {
        OnnxError::attribute(attribute, error.reason())
    }

    /// The reason alone, where another sentence goes around it.
    pub(super) fn reason(self) -> String {
        match self {
            OnnxError::Decode { reason } => reason,
            other => other.to_string(),
        }
    }

    pub(super) fn node(tree: i64, node: i64, reason: impl Into<String>) -> OnnxError {
        OnnxError::Node { tree, node, reason: reason.into() }
    }

    pub(super) fn tree(tree: i64, reason: impl Into<String>) -> OnnxError {
        OnnxError::Tree { tree, reason: reason.into() }
    }
}
