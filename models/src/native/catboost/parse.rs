//! CatBoost's trees out of JSON, one by one: each is handed over as soon as it is closed, and no list is kept that could
//! grow beyond what a model can use. A tree read into a structure of its own would cost ten times its place in the file.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{MOST_SPLITS, Part, Planter, Split};
use crate::native::OnnxError;
use crate::native::ensemble::MOST_HEADS;

/// The model's map, of which only the trees are read.
pub(super) struct Trees<'p, 'e>(pub(super) &'p mut Planter<'e>);

impl<'de> Visitor<'de> for Trees<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a CatBoost model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::ObliviousTrees => map.next_value_seed(Each(Symmetric(self.0)))?,
                Key::Trees => map.next_value_seed(Each(Free(self.0)))?,
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

/// The names that matter within a model; others are passed over without being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    ObliviousTrees,
    Trees,
    Splits,
    LeafValues,
    Split,
    Left,
    Right,
    Value,
    #[serde(other)]
    Other,
}

/// What can read one element of a list, again and again.
trait Element<'de> {
    fn read<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<Option<()>, A::Error>;
}

/// A list, element by element; nothing of it is kept.
struct Each<T>(T);

impl<'de, T: Element<'de>> DeserializeSeed<'de> for Each<T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Element<'de>> Visitor<'de> for Each<T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while self.0.read(&mut list)?.is_some() {}
        Ok(())
    }
}

/// A symmetric tree: the questions of its levels, and its leaves.
struct Symmetric<'p, 'e>(&'p mut Planter<'e>);

impl<'de> Element<'de> for Symmetric<'_, '_> {
    fn read<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<Option<()>, A::Error> {
        list.next_element_seed(Symmetric(self.0))
    }
}

impl<'de> DeserializeSeed<'de> for Symmetric<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Symmetric<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a tree")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.values.clear();
        let mut splits = Vec::new();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Splits => map.next_value_seed(Splits(self.0, &mut splits))?,
                Key::LeafValues => map.next_value_seed(Each(Values(self.0)))?,
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        let planted = self.0.oblivious(&splits);
        self.0.keep(planted)
    }
}

/// The questions of a symmetric tree; a tree that is one leaf says `null`.
struct Splits<'p, 'e>(&'p mut Planter<'e>, &'p mut Vec<Split>);

impl<'de> DeserializeSeed<'de> for Splits<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Splits<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of splits")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(split) = list.next_element()? {
            if self.1.len() == MOST_SPLITS {
                let reason = format!("has more than {MOST_SPLITS} splits, CatBoost stops there");
                let refusal = Err(OnnxError::tree(self.0.tree(), reason));
                return self.0.keep(refusal);
            }
            self.1.push(split);
        }
        Ok(())
    }
}

/// Leaf values, put aside until the splits are known too.
struct Values<'p, 'e>(&'p mut Planter<'e>);

impl<'de> Element<'de> for Values<'_, '_> {
    fn read<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<Option<()>, A::Error> {
        let Some(value) = list.next_element()? else { return Ok(None) };
        let most = self.0.ensemble.heads << MOST_SPLITS;
        if self.0.values.len() == most {
            let reason = format!("has more than {most} leaf values");
            let refusal = Err(OnnxError::tree(self.0.tree(), reason));
            return self.0.keep(refusal);
        }
        self.0.values.push(value);
        Ok(Some(()))
    }
}

/// A tree of any shape.
struct Free<'p, 'e>(&'p mut Planter<'e>);

impl<'de> Element<'de> for Free<'_, '_> {
    fn read<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<Option<()>, A::Error> {
        self.0.nodes.clear();
        let Some(root) = list.next_element_seed(Free(self.0))? else { return Ok(None) };
        let planted = self.0.free(root);
        self.0.keep(planted).map(Some)
    }
}

impl<'de> DeserializeSeed<'de> for Free<'_, '_> {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Free<'_, '_> {
    type Value = u32;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a node")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u32, A::Error> {
        let mut part = Part::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Split => part.split = Some(map.next_value()?),
                Key::Left => part.left = Some(map.next_value_seed(Free(self.0))?),
                Key::Right => part.right = Some(map.next_value_seed(Free(self.0))?),
                Key::Value => {
                    let weights: FewNumbers = map.next_value()?;
                    let leaf = self.0.leaf(&weights.0);
                    part.leaf = Some(self.0.keep(leaf)?);
                }
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        let node = self.0.node(part);
        self.0.keep(node)
    }
}

/// How much a list of trees holds, counted without keeping any of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) trees: usize,
    /// Leaf values of symmetric trees, leaves of others.
    pub(super) values: usize,
}

impl<'de> Deserialize<'de> for Totals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut totals = Totals::default();
        deserializer.deserialize_seq(Each(CountedTree(&mut totals)))?;
        Ok(totals)
    }
}

struct CountedTree<'t>(&'t mut Totals);

impl<'de> Element<'de> for CountedTree<'_> {
    fn read<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<Option<()>, A::Error> {
        self.0.trees += 1;
        let read = list.next_element_seed(CountedTree(self.0))?;
        self.0.trees -= usize::from(read.is_none());
        Ok(read)
    }
}

impl<'de> DeserializeSeed<'de> for CountedTree<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for CountedTree<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a tree")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::LeafValues => map.next_value_seed(Each(CountedValue(self.0)))?,
                Key::Left | Key::Right => map.next_value_seed(CountedTree(self.0))?,
                Key::Value => {
                    self.0.values += 1;
                    map.next_value::<IgnoredAny>().map(drop)?;
                }
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

struct CountedValue<'t>(&'t mut Totals);

impl<'de> Element<'de> for CountedValue<'_> {
    fn read<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<Option<()>, A::Error> {
        let read = list.next_element::<IgnoredAny>()?.map(drop);
        self.0.values += usize::from(read.is_some());
        Ok(read)
    }
}

/// One number or a short list of them. A file may repeat a number of two bytes millions of times, so the list is not read
/// beyond what a model can use.
#[derive(Debug)]
pub(super) struct FewNumbers(pub(super) Vec<f64>);

impl<'de> Deserialize<'de> for FewNumbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Numbers)
    }
}

struct Numbers;

impl<'de> Visitor<'de> for Numbers {
    type Value = FewNumbers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a number or a list of at most {MOST_HEADS} numbers")
    }

    fn visit_f64<E>(self, number: f64) -> Result<FewNumbers, E> {
        Ok(FewNumbers(vec![number]))
    }

    fn visit_u64<E>(self, number: u64) -> Result<FewNumbers, E> {
        Ok(FewNumbers(vec![number as f64]))
    }

    fn visit_i64<E>(self, number: i64) -> Result<FewNumbers, E> {
        Ok(FewNumbers(vec![number as f64]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FewNumbers, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = list.next_element()? {
            if numbers.len() as i64 == MOST_HEADS {
                return Err(A::Error::invalid_length(numbers.len() + 1, &self));
            }
            numbers.push(number);
        }
        Ok(FewNumbers(numbers))
    }
}
