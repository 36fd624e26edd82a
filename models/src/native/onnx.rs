//! The messages and fields of ONNX that a tree ensemble needs, as views into the file.
//!
//! Field numbers are those of `onnx.proto3`. Fields that are not named here are skipped; whatever could change an answer is
//! named, so that it can be refused rather than overlooked. Lists stay in the file until the trees are built.

use super::OnnxError;
use super::wire::{Element, Field, Fields, List, damaged};

/// `TensorProto.DataType.FLOAT`.
pub(super) const FLOAT: i32 = 1;
/// `TensorProto.DataType.UINT8`.
const UINT8: i32 = 2;
/// `TensorProto.DataType.DOUBLE`.
pub(super) const DOUBLE: i32 = 11;

/// Nodes, attributes, initializers, names and dimensions of a graph together. A real export has about fifty.
const MOST_PARTS: usize = 20_000;

/// A model, as far as it matters.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) graph: Option<Graph<'a>>,
    /// The name of a function that the model defines: it could redefine an operator.
    pub(super) function: Option<&'a str>,
}

#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) initializers: Vec<Tensor<'a>>,
    pub(super) inputs: Vec<Value<'a>>,
    pub(super) outputs: Vec<&'a str>,
}

#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) name: &'a str,
    pub(super) op_type: &'a str,
    pub(super) domain: &'a str,
    pub(super) attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) i: i64,
    pub(super) s: &'a [u8],
    pub(super) t: Option<Tensor<'a>>,
    message: &'a [u8],
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    message: &'a [u8],
}

/// An input of the graph.
#[derive(Debug, Default)]
pub(super) struct Value<'a> {
    pub(super) name: &'a str,
    /// Element type, if it is a tensor.
    pub(super) elem_type: Option<i32>,
    /// Its dimensions, if it says them; one without a number is whatever comes.
    pub(super) dims: Option<Vec<Option<i64>>>,
}

/// Counts parts, each of which becomes a structure.
struct Parts(usize);

impl Parts {
    fn one_more(&mut self) -> Result<(), OnnxError> {
        self.0 += 1;
        if self.0 > MOST_PARTS {
            return Err(damaged(&format!(
                "it has more than {MOST_PARTS} parts, no tree ensemble needs that"
            )));
        }
        Ok(())
    }
}

impl<'a> Model<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Model<'a>, OnnxError> {
        let mut parts = Parts(0);
        let mut model = Model { graph: None, function: None };
        for field in Fields::of(file) {
            match field? {
                (7, field) => model.graph = Some(Graph::read(field.bytes()?, &mut parts)?),
                (25, field) => model.function = Some(text_of(field.bytes()?, 1)?),
                _ => {}
            }
        }
        Ok(model)
    }
}

fn text_of(message: &[u8], wanted: u32) -> Result<&str, OnnxError> {
    let mut text = "";
    for field in Fields::of(message) {
        let (tag, field) = field?;
        if tag == wanted {
            text = field.text()?;
        }
    }
    Ok(text)
}

impl<'a> Graph<'a> {
    fn read(message: &'a [u8], parts: &mut Parts) -> Result<Graph<'a>, OnnxError> {
        let mut graph = Graph::default();
        for field in Fields::of(message) {
            let (tag, field) = field?;
            match tag {
                1 => graph.nodes.push(Node::read(field.bytes()?, parts)?),
                5 => graph.initializers.push(Tensor::read(field.bytes()?, parts)?),
                11 => graph.inputs.push(Value::read(field.bytes()?, parts)?),
                12 => {
                    parts.one_more()?;
                    graph.outputs.push(text_of(field.bytes()?, 1)?);
                }
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl<'a> Node<'a> {
    fn read(message: &'a [u8], parts: &mut Parts) -> Result<Node<'a>, OnnxError> {
        parts.one_more()?;
        let mut node = Node::default();
        for field in Fields::of(message) {
            let (tag, field) = field?;
            match tag {
                1 | 2 => {
                    parts.one_more()?;
                    if tag == 1 { &mut node.inputs } else { &mut node.outputs }.push(field.text()?);
                }
                3 => node.name = field.text()?,
                4 => node.op_type = field.text()?,
                5 => node.attributes.push(Attribute::read(field.bytes()?, parts)?),
                7 => node.domain = field.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    /// How the node is called in a sentence: operator, and name if it has one.
    pub(super) fn title(&self) -> String {
        let domain = if self.domain.is_empty() { String::new() } else { format!("{}.", self.domain) };
        if self.name.is_empty() {
            format!("`{domain}{}`", self.op_type)
        } else {
            format!("`{domain}{}` named `{}`", self.op_type, self.name)
        }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// A list of integers; empty when the attribute is not there.
    pub(super) fn integers(&self, name: &str) -> Result<List<'a>, OnnxError> {
        self.attribute(name).map_or(Ok(List::empty()), |found| List::of(found.message, 8, Element::Integer))
    }

    /// A list of reals: as floats, or as the tensor that stands for them since version 3 of the operator; not both.
    pub(super) fn reals(&self, name: &str) -> Result<List<'a>, OnnxError> {
        let floats = match self.attribute(name) {
            Some(found) => List::of(found.message, 7, Element::Float)?,
            None => List::empty(),
        };
        let tensor_name = format!("{name}_as_tensor");
        match self.attribute(&tensor_name).and_then(|attribute| attribute.t) {
            None => Ok(floats),
            Some(_) if floats.len() > 0 => {
                Err(OnnxError::attribute(&tensor_name, format!("is there together with `{name}`")))
            }
            Some(tensor) => tensor.list().map_err(|error| OnnxError::within(&tensor_name, error)),
        }
    }

    /// A list that is a tensor; empty when the attribute is not there.
    pub(super) fn tensor(&self, name: &str) -> Result<List<'a>, OnnxError> {
        match self.attribute(name).and_then(|attribute| attribute.t) {
            None => Ok(List::empty()),
            Some(tensor) => tensor.list().map_err(|error| OnnxError::within(name, error)),
        }
    }

    /// A list of texts; none when the attribute is not there.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let message = self.attribute(name).map_or(&[][..], |found| found.message);
        // Damage was found when the attribute was read.
        Fields::of(message).filter_map(|field| match field {
            Ok((9, Field::Bytes(text))) => Some(text),
            _ => None,
        })
    }

    /// A text, or what is said when the attribute is not there.
    pub(super) fn text(&self, name: &str, default: &'a str) -> Result<&'a str, OnnxError> {
        self.attribute(name).map_or(Ok(default), |found| {
            std::str::from_utf8(found.s).map_err(|_| OnnxError::attribute(name, "is not text"))
        })
    }

    /// A number, or what is said when the attribute is not there.
    pub(super) fn number(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |found| found.i)
    }
}

impl<'a> Attribute<'a> {
    fn read(message: &'a [u8], parts: &mut Parts) -> Result<Attribute<'a>, OnnxError> {
        parts.one_more()?;
        let mut attribute = Attribute { message, ..Attribute::default() };
        for field in Fields::of(message) {
            let (tag, field) = field?;
            match tag {
                1 => attribute.name = field.text()?,
                3 => attribute.i = field.number()?,
                4 => attribute.s = field.bytes()?,
                5 => attribute.t = Some(Tensor::read(field.bytes()?, parts)?),
                _ => {}
            }
        }
        Ok(attribute)
    }

    /// Whether it holds a graph, or several: what loops and branches run.
    pub(super) fn holds_graph(&self) -> bool {
        messages(self.message, 6).chain(messages(self.message, 11)).next().is_some()
    }
}

impl<'a> Tensor<'a> {
    fn read(message: &'a [u8], parts: &mut Parts) -> Result<Tensor<'a>, OnnxError> {
        parts.one_more()?;
        Ok(Tensor { name: text_of(message, 8)?, message })
    }

    /// Whether its data is in another file.
    pub(super) fn is_elsewhere(&self) -> bool {
        Fields::of(self.message)
            .any(|field| matches!(field, Ok((14, Field::Number(location))) if location != 0))
    }

    /// The numbers of the tensor.
    pub(super) fn list(&self) -> Result<List<'a>, OnnxError> {
        let (mut data_type, mut location, mut raw, mut product) = (0, 0, None, Some(1_i64));
        for field in Fields::of(self.message) {
            let (tag, field) = field?;
            match tag {
                2 => data_type = field.number()? as i32,
                9 => raw = Some(field.bytes()?),
                14 => location = field.number()?,
                _ => {}
            }
        }
        let dims = List::of(self.message, 1, Element::Integer)?;
        for dim in dims.integers() {
            product = product.and_then(|product| product.checked_mul(dim));
        }
        if location != 0 {
            return Err(damaged("keeps its data in another file; save the model as one file"));
        }
        let list = match (data_type, raw.filter(|raw| !raw.is_empty())) {
            (FLOAT, None) => List::of(self.message, 4, Element::Float),
            (DOUBLE, None) => List::of(self.message, 10, Element::Double),
            (UINT8, None) => List::of(self.message, 5, Element::Integer),
            (FLOAT, Some(raw)) => List::raw(raw, Element::Float),
            (DOUBLE, Some(raw)) => List::raw(raw, Element::Double),
            (UINT8, Some(raw)) => List::raw(raw, Element::Byte),
            (other, _) => {
                return Err(damaged(&format!(
                    "has element type {other}, only float (1) and double (11) can be read"
                )));
            }
        }?;
        if product.and_then(|count| usize::try_from(count).ok()) == Some(list.len()) {
            Ok(list)
        } else {
            Err(damaged(&format!("declares a shape of other size and holds {} values", list.len())))
        }
    }
}

impl<'a> Value<'a> {
    fn read(message: &'a [u8], parts: &mut Parts) -> Result<Value<'a>, OnnxError> {
        parts.one_more()?;
        let mut value = Value { name: text_of(message, 1)?, ..Value::default() };
        for tensor in messages(message, 2).flat_map(|kind| messages(kind, 1)) {
            value.elem_type = Some(0);
            for field in Fields::of(tensor) {
                let (tag, field) = field?;
                match tag {
                    1 => value.elem_type = Some(field.number()? as i32),
                    2 => {
                        let mut dims = Vec::new();
                        for dim in messages(field.bytes()?, 1) {
                            parts.one_more()?;
                            let number = Fields::of(dim).find_map(|field| match field {
                                Ok((1, Field::Number(number))) => Some(number as i64),
                                _ => None,
                            });
                            dims.push(number);
                        }
                        value.dims = Some(dims);
                    }
                    _ => {}
                }
            }
        }
        Ok(value)
    }
}

/// The messages in a field; damage shows as their absence.
fn messages(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    Fields::of(message).filter_map(move |field| match field {
        Ok((tag, Field::Bytes(bytes))) if tag == wanted => Some(bytes),
        _ => None,
    })
}
