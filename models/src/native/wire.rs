//! Protobuf as it lies in the file: fields and lists are read where they stand, nothing is copied.
//!
//! A message of two bytes decoded into a structure takes a hundred, and a list of small numbers eight times its place in the
//! file; a hostile file within the size limit could ask for gigabytes that way. Here a message is a slice, a list is an
//! iterator over a slice, and only what becomes a tree is built.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::OnnxError;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Number(u64),
    Four([u8; 4]),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
}

/// The fields of a message in their order, with their tags.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    fn read(&mut self) -> Option<(u32, Field<'a>)> {
        let (tag, wire_type) = decode_key(&mut self.rest).ok()?;
        let field = match wire_type {
            WireType::Varint => Field::Number(decode_varint(&mut self.rest).ok()?),
            WireType::ThirtyTwoBit => Field::Four(self.take()?),
            WireType::SixtyFourBit => Field::Eight(self.take()?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut self.rest).ok()?).ok()?;
                let (bytes, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                Field::Bytes(bytes)
            }
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        Some((tag, field))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*first)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let left = self.rest.len();
        Some(self.read().ok_or_else(|| {
            self.rest = &[];
            damaged(&format!("a field {left} bytes before the end of its message cannot be read"))
        }))
    }
}

pub(super) fn damaged(reason: &str) -> OnnxError {
    OnnxError::Decode { reason: reason.to_owned() }
}

impl<'a> Field<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], OnnxError> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            _ => Err(damaged("a field that holds bytes holds a number")),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, OnnxError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged("a name is not text"))
    }

    pub(super) fn number(self) -> Result<i64, OnnxError> {
        match self {
            Field::Number(number) => Ok(number as i64),
            _ => Err(damaged("a field that holds a number holds something else")),
        }
    }
}

/// How the elements of a list lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Integer,
    Float,
    Double,
    Byte,
}

/// A list of numbers, checked once, read as often as wanted. The elements may stand packed in one field or each in its own.
#[derive(Debug, Clone)]
pub(super) struct List<'a> {
    fields: Fields<'a>,
    tag: u32,
    /// What is left of the packed field that is being read.
    packed: &'a [u8],
    element: Element,
    left: usize,
}

impl<'a> List<'a> {
    /// The field `tag` of a message as a list.
    pub(super) fn of(message: &'a [u8], tag: u32, element: Element) -> Result<List<'a>, OnnxError> {
        let mut list = List { fields: Fields::of(message), tag, packed: &[], element, left: usize::MAX };
        let mut count = 0;
        while list.step()?.is_some() {
            count += 1;
        }
        Ok(List { fields: Fields::of(message), tag, packed: &[], element, left: count })
    }

    /// Elements that lie one after the other.
    pub(super) fn raw(bytes: &'a [u8], element: Element) -> Result<List<'a>, OnnxError> {
        let mut list = List { fields: Fields::of(&[]), tag: 0, packed: bytes, element, left: usize::MAX };
        let mut count = 0;
        while list.step()?.is_some() {
            count += 1;
        }
        Ok(List { fields: Fields::of(&[]), tag: 0, packed: bytes, element, left: count })
    }

    pub(super) fn empty() -> List<'a> {
        List { fields: Fields::of(&[]), tag: 0, packed: &[], element: Element::Integer, left: 0 }
    }

    /// As integers.
    pub(super) fn integers(self) -> impl Iterator<Item = i64> {
        self.map(|bits| bits as i64)
    }

    /// As reals.
    pub(super) fn reals(self) -> impl Iterator<Item = f64> {
        let element = self.element;
        self.map(move |bits| match element {
            Element::Float => f64::from(f32::from_bits(bits as u32)),
            Element::Double => f64::from_bits(bits),
            Element::Integer | Element::Byte => bits as f64,
        })
    }

    /// The next element's bits.
    fn step(&mut self) -> Result<Option<u64>, OnnxError> {
        while self.packed.is_empty() {
            let Some((tag, field)) = self.fields.next().transpose()? else { return Ok(None) };
            if tag != self.tag {
                continue;
            }
            match (field, self.element) {
                (Field::Bytes(packed), _) => self.packed = packed,
                (Field::Number(number), Element::Integer | Element::Byte) => return Ok(Some(number)),
                (Field::Four(four), Element::Float) => return Ok(Some(u64::from(u32::from_le_bytes(four)))),
                (Field::Eight(eight), Element::Double) => return Ok(Some(u64::from_le_bytes(eight))),
                _ => return Err(damaged("a list holds elements of another type than its own")),
            }
        }
        let bits = match self.element {
            Element::Integer => {
                decode_varint(&mut self.packed).map_err(|_| damaged("a list ends within a number"))?
            }
            Element::Float => u64::from(u32::from_le_bytes(self.chunk()?)),
            Element::Double => u64::from_le_bytes(self.chunk()?),
            Element::Byte => u64::from(u8::from_le_bytes(self.chunk()?)),
        };
        Ok(Some(bits))
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], OnnxError> {
        let (chunk, rest) =
            self.packed.split_first_chunk::<N>().ok_or_else(|| damaged("a list ends within a number"))?;
        self.packed = rest;
        Ok(*chunk)
    }
}

impl Iterator for List<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        // Checked when the list was made.
        self.step().ok().flatten()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for List<'_> {}
