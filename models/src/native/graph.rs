//! Finds the tree ensemble in an ONNX graph and checks that nothing around it changes what it says.
//!
//! Exporters wrap the ensemble: a `Cast` in front, an `Identity` or `Reshape` behind, a `Mul` or `Add` with one number. Walking
//! back from the graph's output, each node has one data input, so the graph must be a single chain; a node that is not on it,
//! or that is on it and is not known here, is refused by name. Guessing would answer with another model than the one that
//! was trained.

use std::collections::{HashMap, HashSet};

use super::OnnxError;
use super::onnx::{DOUBLE, FLOAT, Graph, Model, Node, Tensor, Value};
use super::trees::After;

/// Tensors that are no data, by name.
type Constants<'a> = HashMap<&'a str, Tensor<'a>>;

/// What the graph comes to.
#[derive(Debug)]
pub(super) struct Plan<'m, 'a> {
    /// The one ensemble.
    pub(super) ensemble: &'m Node<'a>,
    /// Whether the graph computes on `float`: inputs are rounded to it before they are compared.
    pub(super) rounds_to_f32: bool,
    /// Features of a row, if the input says so.
    pub(super) width: Option<usize>,
    /// What the graph does to the ensemble's answer.
    pub(super) after: Vec<After>,
}

/// Reads the graph as a chain from its input to its output.
pub(super) fn plan<'m, 'a>(model: &'m Model<'a>) -> Result<Plan<'m, 'a>, OnnxError> {
    let graph = model.graph.as_ref().ok_or(OnnxError::NoGraph)?;
    if let Some(name) = model.function {
        return Err(OnnxError::Functions { name: name.to_owned() });
    }
    let input = single_input(graph)?;
    let mut rounds_to_f32 = input_is_float(input)?;
    let constants = constants(graph);
    let chain = chain(graph, &constants, input.name)?;
    let is_ensemble = |node: &&Node<'_>| matches!(node.op_type, "TreeEnsembleRegressor" | "TreeEnsemble");
    let position = chain.iter().position(is_ensemble).ok_or_else(|| no_ensemble(&constants, &chain))?;
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
        changes.extend(after_ensemble(&constants, node)?);
    }
    Ok(Plan { ensemble, rounds_to_f32, width: declared_width(input), after: changes })
}

/// Why there is no ensemble: the node that does the work instead, if there is one.
fn no_ensemble(constants: &Constants<'_>, chain: &[&Node<'_>]) -> OnnxError {
    let other = chain
        .iter()
        .find(|node| passes_input_through(node).is_err() && after_ensemble(constants, node).is_err());
    other.map_or(OnnxError::NoEnsemble, |node| unsupported(node))
}

fn single_input<'m, 'a>(graph: &'m Graph<'a>) -> Result<&'m Value<'a>, OnnxError> {
    // Old exporters list constants among the inputs as well.
    let constants: HashSet<&str> = graph.initializers.iter().map(|tensor| tensor.name).collect();
    let mut inputs = graph.inputs.iter().filter(|input| !constants.contains(input.name));
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (first, _) => Err(OnnxError::Inputs { count: first.map_or(0, |_| 2 + inputs.count()) }),
    }
}

/// Whether the input is `float` (else it is `double`), with its shape checked.
fn input_is_float(input: &Value<'_>) -> Result<bool, OnnxError> {
    let elem_type = input.elem_type.unwrap_or(0);
    if elem_type != FLOAT && elem_type != DOUBLE {
        return Err(OnnxError::InputType { name: input.name.to_owned(), elem_type });
    }
    match &input.dims {
        Some(dims) if dims.len() != 2 => {
            Err(OnnxError::InputShape { name: input.name.to_owned(), dims: dims.len() })
        }
        _ => Ok(elem_type == FLOAT),
    }
}

fn declared_width(input: &Value<'_>) -> Option<usize> {
    let width = (*input.dims.as_ref()?.get(1)?)?;
    usize::try_from(width).ok().filter(|width| *width > 0)
}

/// The nodes from the graph's input to its only output, in that order.
fn chain<'m, 'a>(
    graph: &'m Graph<'a>,
    constants: &Constants<'a>,
    input: &str,
) -> Result<Vec<&'m Node<'a>>, OnnxError> {
    let [output] = graph.outputs.as_slice() else {
        return Err(OnnxError::Outputs { count: graph.outputs.len() });
    };
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for name in &node.outputs {
            if producers.insert(name, index).is_some() {
                return Err(OnnxError::TwoProducers { name: (*name).to_owned() });
            }
        }
    }
    let mut chain = Vec::new();
    let mut on_chain = vec![false; graph.nodes.len()];
    let mut wanted = *output;
    while wanted != input {
        let index =
            *producers.get(wanted).ok_or_else(|| OnnxError::NoProducer { name: wanted.to_owned() })?;
        if std::mem::replace(&mut on_chain[index], true) {
            return Err(OnnxError::Cycle { node: graph.nodes[index].title() });
        }
        let node = &graph.nodes[index];
        chain.push(node);
        wanted = data_input(constants, node).ok_or_else(|| unsupported(node))?;
    }
    // A constant holds the shape of a reshape or a number; it is not data on its way through.
    let stray =
        graph.nodes.iter().zip(&on_chain).find(|(node, on_chain)| !**on_chain && node.op_type != "Constant");
    if let Some((node, _)) = stray {
        return Err(OnnxError::OffChain { node: node.title() });
    }
    chain.reverse();
    Ok(chain)
}

/// In front of the ensemble: only what keeps the features as they are. A cast's type is returned.
fn passes_input_through(node: &Node<'_>) -> Result<Option<i32>, OnnxError> {
    match standard_op(node) {
        Some("Identity") => Ok(None),
        Some("Cast") => cast_to(node).map(Some),
        _ => Err(unsupported(node)),
    }
}

/// Behind the ensemble: what keeps one number a row in its order, which every change of shape alone does, and one number
/// that is added to all or that all are multiplied with.
fn after_ensemble(constants: &Constants<'_>, node: &Node<'_>) -> Result<Option<After>, OnnxError> {
    match standard_op(node) {
        Some("Identity" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten") => Ok(None),
        Some("Cast") => cast_to(node).map(|_| None),
        Some("Mul") => operand(constants, node).map(|factor| Some(After::Times(factor))),
        Some("Add") => operand(constants, node).map(|term| Some(After::Plus(term))),
        _ => Err(unsupported(node)),
    }
}

/// The constants of a graph by name: its initializers, and what `Constant` nodes hold.
fn constants<'a>(graph: &Graph<'a>) -> Constants<'a> {
    let mut constants: Constants<'_> =
        graph.initializers.iter().map(|tensor| (tensor.name, *tensor)).collect();
    for node in graph.nodes.iter().filter(|node| standard_op(node) == Some("Constant")) {
        let value = node.attribute("value").and_then(|attribute| attribute.t);
        constants.extend(node.outputs.first().zip(value).map(|(name, value)| (*name, value)));
    }
    constants
}

/// The input of a node that carries the data: the first, or of a sum or product the one that is no constant.
fn data_input<'a>(constants: &Constants<'_>, node: &Node<'a>) -> Option<&'a str> {
    let is_commutative = matches!(standard_op(node), Some("Mul" | "Add"));
    node.inputs.iter().copied().find(|name| !is_commutative || !constants.contains_key(name))
}

/// The one finite number that a sum or product has beside the data.
fn operand(constants: &Constants<'_>, node: &Node<'_>) -> Result<f64, OnnxError> {
    let refuse = |reason: String| OnnxError::Operand { node: node.title(), reason };
    let mut tensors = node.inputs.iter().filter_map(|name| constants.get(name));
    let (Some(tensor), None, 2) = (tensors.next(), tensors.next(), node.inputs.len()) else {
        return Err(refuse("needs one constant beside the data".to_owned()));
    };
    let list = tensor.list().map_err(|error| refuse(error.reason()))?;
    let (count, mut numbers) = (list.len(), list.reals());
    match numbers.next() {
        Some(number) if count == 1 && number.is_finite() => Ok(number),
        Some(number) if count == 1 => Err(refuse(format!("has the constant {number}, it must be finite"))),
        _ => Err(refuse(format!("has a constant of {count} numbers, it must be one"))),
    }
}

fn standard_op<'a>(node: &Node<'a>) -> Option<&'a str> {
    matches!(node.domain, "" | "ai.onnx").then_some(node.op_type)
}

fn cast_to(node: &Node<'_>) -> Result<i32, OnnxError> {
    match i32::try_from(node.number("to", 0)) {
        Ok(to @ (FLOAT | DOUBLE)) => Ok(to),
        other => Err(OnnxError::CastType { node: node.title(), to: other.unwrap_or(0) }),
    }
}

fn unsupported(node: &Node<'_>) -> OnnxError {
    OnnxError::UnsupportedNode { node: node.title() }
}
