//! A look at the outline of a file before it is decoded.
//!
//! A protobuf message of two bytes becomes a structure of a hundred and fifty, so a hostile file within the size limit could
//! still ask for gigabytes. What takes room is counted here without building anything: messages on the way to the
//! ensemble's lists, and the texts in those lists (one per node of a tree). Anything malformed is left to the decoder,
//! which says what is wrong.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::OnnxError;

/// Messages outside the lists: nodes, attributes, initializers, shapes. A real export has about fifty.
const MAX_MESSAGES: usize = 20_000;
/// Texts in attributes: one per node of a tree. A thousand trees of depth six have 127,000.
const MAX_TEXTS: usize = 4_000_000;
/// Bytes of one description of an input or output; a real one has about thirty.
const MAX_DESCRIPTION: usize = 64 << 10;

/// `ModelProto.graph`, `GraphProto.node`, `NodeProto.attribute`: the way to the lists.
const GRAPH: u32 = 7;
const NODE: u32 = 1;
const ATTRIBUTE: u32 = 5;
/// `GraphProto.input` and `output`.
const DESCRIPTIONS: [u32; 2] = [11, 12];
/// No field has this tag; it stands for a group, which the decoder would skip and this walk does not read.
const GROUP: u32 = 0;

/// Refuses a file whose outline is larger than any real ensemble's.
pub(super) fn check_outline(model: &[u8]) -> Result<(), OnnxError> {
    let mut messages = 0;
    let mut texts = 0;
    for (tag, graph) in fields(model, &mut messages, MAX_MESSAGES)? {
        if tag != GRAPH {
            continue;
        }
        for (tag, part) in fields(graph, &mut messages, MAX_MESSAGES)? {
            if DESCRIPTIONS.contains(&tag) && part.len() > MAX_DESCRIPTION {
                return Err(too_much("a description of an input or output is larger than 64 KiB"));
            }
            if tag != NODE {
                continue;
            }
            for (tag, attribute) in fields(part, &mut messages, MAX_MESSAGES)? {
                if tag == ATTRIBUTE {
                    fields(attribute, &mut texts, MAX_TEXTS)?;
                }
            }
        }
    }
    Ok(())
}

/// The fields of a message, added to the count of all.
fn fields<'a>(message: &'a [u8], count: &mut usize, most: usize) -> Result<Fields<'a>, OnnxError> {
    for (tag, _) in (Fields { rest: message }) {
        if tag == GROUP {
            return Err(OnnxError::Decode { reason: "it has groups, which ONNX does not use".to_owned() });
        }
        *count += 1;
        if *count > most {
            return Err(too_much(&format!("it has more than {most} parts or texts")));
        }
    }
    Ok(Fields { rest: message })
}

fn too_much(what: &str) -> OnnxError {
    OnnxError::Decode { reason: format!("{what}, no tree ensemble needs that") }
}

/// The length-delimited fields of a message up to the first byte that is not one.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while self.rest.has_remaining() {
            let (tag, wire_type) = decode_key(&mut self.rest).ok()?;
            let skip = match wire_type {
                WireType::Varint => {
                    decode_varint(&mut self.rest).ok()?;
                    0
                }
                WireType::SixtyFourBit => 8,
                WireType::ThirtyTwoBit => 4,
                WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut self.rest).ok()?).ok()?;
                    let (field, rest) = self.rest.split_at_checked(length)?;
                    self.rest = rest;
                    return Some((tag, field));
                }
                WireType::StartGroup | WireType::EndGroup => {
                    return Some((GROUP, std::mem::take(&mut self.rest)));
                }
            };
            self.rest = self.rest.get(skip..)?;
        }
        None
    }
}
