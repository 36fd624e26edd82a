//! Finds the tree ensemble in an ONNX graph and checks that nothing around it changes what it says.
//!
//! Exporters wrap the ensemble: a `Cast` in front, an `Identity` or `Reshape` behind. Walking back from the graph's output,
//! each node has one data input, so the graph must be a single chain; a node that is not on it, or that is on it and is not
//! known here, is refused by name. Guessing would answer with another model than the one that was trained.

use std::collections::{HashMap, HashSet};

use super::OnnxError;
use super::onnx::{DOUBLE, FLOAT, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::trees::After;

/// What the graph comes to.
pub(super) struct Plan<'a> {
    /// The one `TreeEnsembleRegressor`.
    pub(super) ensemble: &'a NodeProto,
    /// Whether the graph computes on `float`: inputs are rounded to it before they are compared.
    pub(super) rounds_to_f32: bool,
    /// What the graph does to the ensemble's answer.
    pub(super) after: Vec<After>,
}

/// Reads the graph as a chain from its input to its output.
pub(super) fn plan(model: &ModelProto, width: usize) -> Result<Plan<'_>, OnnxError> {
    let graph = model.graph.as_ref().ok_or(OnnxError::NoGraph)?;
    if let Some(function) = model.functions.first() {
        return Err(OnnxError::Functions { name: function.name.clone() });
    }
    let input = single_input(graph)?;
    let mut rounds_to_f32 = input_is_float(input, width)?;
    let chain = chain(graph, &input.name)?;
    let position =
        chain.iter().position(|node| node.op_type == "TreeEnsembleRegressor").ok_or(OnnxError::NoEnsemble)?;
    let (before, rest) = chain.split_at(position);
    let (ensemble, after) = rest.split_first().ok_or(OnnxError::NoEnsemble)?;
    if ensemble.domain != "ai.onnx.ml" {
        return Err(unsupported(ensemble));
    }
    for node in before {
        rounds_to_f32 |= passes_input_through(node)? == Some(FLOAT);
    }
    let mut changes = Vec::new();
    for node in after {
        changes.extend(after_ensemble(graph, node)?);
    }
    Ok(Plan { ensemble, rounds_to_f32, after: changes })
}

fn single_input(graph: &GraphProto) -> Result<&ValueInfoProto, OnnxError> {
    // Old exporters list constants among the inputs as well.
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut inputs = graph.input.iter().filter(|input| !constants.contains(input.name.as_str()));
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (first, _) => Err(OnnxError::Inputs { count: first.map_or(0, |_| 2 + inputs.count()) }),
    }
}

/// Whether the input is `float` (else it is `double`), with its declared width checked.
fn input_is_float(input: &ValueInfoProto, width: usize) -> Result<bool, OnnxError> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| OnnxError::InputType { name: input.name.clone(), elem_type: 0 })?;
    if tensor.elem_type != FLOAT && tensor.elem_type != DOUBLE {
        return Err(OnnxError::InputType { name: input.name.clone(), elem_type: tensor.elem_type });
    }
    if let Some(shape) = &tensor.shape {
        let [_, features] = shape.dim.as_slice() else {
            return Err(OnnxError::InputShape { name: input.name.clone(), dims: shape.dim.len() });
        };
        let declared = features.dim_value.unwrap_or(-1);
        if declared > 0 && usize::try_from(declared) != Ok(width) {
            return Err(OnnxError::Width { card: width, file: declared });
        }
    }
    Ok(tensor.elem_type == FLOAT)
}

/// The nodes from the graph's input to its only output, in that order.
fn chain<'a>(graph: &'a GraphProto, input: &str) -> Result<Vec<&'a NodeProto>, OnnxError> {
    let [output] = graph.output.as_slice() else {
        return Err(OnnxError::Outputs { count: graph.output.len() });
    };
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        for name in &node.output {
            if producers.insert(name, index).is_some() {
                return Err(OnnxError::TwoProducers { name: name.clone() });
            }
        }
    }
    let mut chain = Vec::new();
    let mut on_chain = vec![false; graph.node.len()];
    let mut wanted = output.name.as_str();
    while wanted != input {
        let index =
            *producers.get(wanted).ok_or_else(|| OnnxError::NoProducer { name: wanted.to_owned() })?;
        if std::mem::replace(&mut on_chain[index], true) {
            return Err(OnnxError::Cycle { node: graph.node[index].title() });
        }
        let node = &graph.node[index];
        chain.push(node);
        wanted = data_input(graph, node).ok_or_else(|| unsupported(node))?;
    }
    // A constant holds the shape of a reshape; it is not data on its way through.
    let stray =
        graph.node.iter().zip(&on_chain).find(|(node, on_chain)| !**on_chain && node.op_type != "Constant");
    if let Some((node, _)) = stray {
        return Err(OnnxError::OffChain { node: node.title() });
    }
    chain.reverse();
    Ok(chain)
}

/// In front of the ensemble: only what keeps the features as they are. A cast's type is returned.
fn passes_input_through(node: &NodeProto) -> Result<Option<i32>, OnnxError> {
    match standard_op(node) {
        Some("Identity") => Ok(None),
        Some("Cast") => cast_to(node).map(Some),
        _ => Err(unsupported(node)),
    }
}

/// Behind the ensemble: what keeps one number a row in its order, which every change of shape alone does, and one number
/// that is added to all or that all are multiplied with.
fn after_ensemble(graph: &GraphProto, node: &NodeProto) -> Result<Option<After>, OnnxError> {
    match standard_op(node) {
        Some("Identity" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten") => Ok(None),
        Some("Cast") => cast_to(node).map(|_| None),
        Some("Mul") => operand(graph, node).map(|factor| Some(After::Times(factor))),
        Some("Add") => operand(graph, node).map(|term| Some(After::Plus(term))),
        _ => Err(unsupported(node)),
    }
}

/// The input of a node that carries the data: the first, or of a sum or product the one that is no constant.
fn data_input<'a>(graph: &GraphProto, node: &'a NodeProto) -> Option<&'a str> {
    let is_commutative = matches!(standard_op(node), Some("Mul" | "Add"));
    let mut inputs = node.input.iter().filter(|name| !is_commutative || constant(graph, name).is_none());
    inputs.next().map(String::as_str)
}

/// The constant of this name: an initializer, or what a `Constant` node holds.
fn constant<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    graph.initializer.iter().find(|tensor| tensor.name == name).or_else(|| {
        let maker = graph.node.iter().find(|node| node.output.iter().any(|output| output == name))?;
        (standard_op(maker) == Some("Constant")).then(|| maker.attribute("value")?.t.as_ref()).flatten()
    })
}

/// The one finite number that a sum or product has beside the data.
fn operand(graph: &GraphProto, node: &NodeProto) -> Result<f64, OnnxError> {
    let refuse = |reason: String| OnnxError::Operand { node: node.title(), reason };
    let mut tensors = node.input.iter().filter_map(|name| constant(graph, name));
    let (Some(tensor), None, 2) = (tensors.next(), tensors.next(), node.input.len()) else {
        return Err(refuse("needs one constant beside the data".to_owned()));
    };
    match tensor.reals().map_err(refuse)?.as_slice() {
        [number] if number.is_finite() => Ok(*number),
        [number] => Err(refuse(format!("has the constant {number}, it must be finite"))),
        more => Err(refuse(format!("has a constant of {} numbers, it must be one", more.len()))),
    }
}

fn standard_op(node: &NodeProto) -> Option<&str> {
    matches!(node.domain.as_str(), "" | "ai.onnx").then_some(node.op_type.as_str())
}

fn cast_to(node: &NodeProto) -> Result<i32, OnnxError> {
    match node.attribute("to").and_then(|to| i32::try_from(to.i).ok()) {
        Some(to @ (FLOAT | DOUBLE)) => Ok(to),
        other => Err(OnnxError::CastType { node: node.title(), to: other.unwrap_or(0) }),
    }
}

fn unsupported(node: &NodeProto) -> OnnxError {
    OnnxError::UnsupportedNode { node: node.title() }
}
