//! The one error of every parser here, and the macros that give a newtype its text forms.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// A short text: up to 24 bytes lie in the value itself. A slate holds a hundred thousand names of players, systems,
/// markets and books, and none of them is worth a piece of memory of its own.
pub type Text = compact_str::CompactString;

/// A text that is not what it should be: names what was expected and shows what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {what}: {why}")]
pub struct ParseError {
    /// What was expected, e.g. `batch id`.
    pub what: &'static str,
    /// The text that was refused, at most 80 characters of it.
    pub found: String,
    /// The rule it breaks, in words a person can act on.
    pub why: &'static str,
}

impl ParseError {
    /// Builds the error, keeping no more than 80 characters of the refused text.
    pub fn new(what: &'static str, found: &str, why: &'static str) -> Self {
        Self { what, found: found.chars().take(80).collect(), why }
    }
}

/// Reads a type through its `FromStr` from a text that stays where it is.
pub(crate) fn parse_from<'de, T, D>(d: D) -> Result<T, D::Error>
where
    T: FromStr<Err = ParseError>,
    D: serde::Deserializer<'de>,
{
    struct Parse<T>(PhantomData<T>);

    impl<T: FromStr<Err = ParseError>> serde::de::Visitor<'_> for Parse<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    d.deserialize_str(Parse(PhantomData))
}

/// Serialises a type as its `Display` text and reads it back through its `FromStr`: one parser, everywhere.
macro_rules! text_serde {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                $crate::text::parse_from(d)
            }
        }
    };
}
pub(crate) use text_serde;

/// What a newtype around a [`Text`] is to others: `as_str`, `Display`, and serde as [`text_serde`] has it.
macro_rules! name_text {
    ($type:ty) => {
        impl $type {
            /// The text as it is stored.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                $crate::text::parse_from(d)
            }
        }
    };
}
pub(crate) use name_text;

/// Like [`text_serde`], but records (see `codec`) hold `$raw` instead of the text: a slate's records hold a hundred
/// thousand of these, and writing and parsing texts was most of the time they took.
macro_rules! compact_serde {
    ($type:ty, $raw:ty, $into:expr, $from:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() {
                    return s.collect_str(self);
                }
                let into: fn(&$type) -> $raw = $into;
                serde::Serialize::serialize(&into(self), s)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    return $crate::text::parse_from(d);
                }
                let from: fn($raw) -> Option<$type> = $from;
                let unknown = || serde::de::Error::custom(concat!("not a ", stringify!($type)));
                from(serde::Deserialize::deserialize(d)?).ok_or_else(unknown)
            }
        }
    };
}
pub(crate) use compact_serde;

/// A closed set of names: `as_str`, `ALL`, `Display`, `FromStr` and serde from one list. Records hold a value's place in
/// the list, so a change of the order is a new record format.
macro_rules! named_enum {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as it stands in tables, JSON and URLs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ParseError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::ParseError::new($what, text, concat!("expected one of", $(" ", $text),+))),
                }
            }
        }

        $crate::text::compact_serde!($name, u8, |value| *value as u8, |at| $name::ALL.get(usize::from(at)).copied());
    };
}
pub(crate) use named_enum;
