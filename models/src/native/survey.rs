//! What an ONNX file may hold that another engine runs for us.
//!
//! ONNX Runtime runs whatever a graph says: loops that never end, numbers from a generator, weights in any file of the
//! machine. A model must be none of that, whoever runs it: one file with one hash, an end, and the same answer twice.

use super::OnnxError;
use super::onnx::Model;

/// Operators that draw numbers: no reference vector could hold them to anything.
const RANDOM: [&str; 6] =
    ["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"];

/// Operators that were made for missing values. Everything else meets one by accident: a maximum with 0 may turn it into a
/// number like any other.
const KNOW_GAPS: [&str; 5] =
    ["Imputer", "IsNaN", "TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"];

/// What a graph says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Whether it knows what to do about a missing feature.
    pub(crate) knows_gaps: bool,
}

/// Refuses a file that is no single, finite, repeatable graph.
pub(crate) fn survey(bytes: &[u8], most_bytes: usize) -> Result<Survey, OnnxError> {
    if bytes.len() > most_bytes {
        return Err(OnnxError::TooLarge { limit: most_bytes });
    }
    let model = Model::read(bytes)?;
    if let Some(name) = model.function {
        return Err(OnnxError::Functions { name: name.to_owned() });
    }
    let graph = model.graph.ok_or(OnnxError::NoGraph)?;
    if let Some(tensor) = graph.initializers.iter().find(|tensor| tensor.is_elsewhere()) {
        return Err(OnnxError::Elsewhere { name: tensor.name.to_owned() });
    }
    for node in &graph.nodes {
        if node.attributes.iter().any(|attribute| attribute.holds_graph()) {
            return Err(OnnxError::Subgraph { node: node.title() });
        }
        if RANDOM.contains(&node.op_type) {
            return Err(OnnxError::Random { node: node.title() });
        }
        let tensors = node.attributes.iter().filter_map(|attribute| attribute.t);
        if tensors.into_iter().any(|tensor| tensor.is_elsewhere()) {
            return Err(OnnxError::Elsewhere { name: node.title() });
        }
    }
    Ok(Survey { knows_gaps: graph.nodes.iter().any(|node| KNOW_GAPS.contains(&node.op_type)) })
}
