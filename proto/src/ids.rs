//! Names of batches, slates, systems and of the parties that act on them.
//!
//! Parsing is strict: a text that is not exactly of the documented shape is refused, so that an alias such as
//! `TODAY` can never travel into a table (incident 17).

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use crate::ParseError;
use crate::text::{Text, name_text, named_enum, text_serde};

named_enum! {
    /// A sport. One for now.
    Sport, "sport" {
        /// National Basketball Association.
        Nba = "nba",
    }
}

/// All games of one sport on one calendar date in the league's zone; at most one batch of it is open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slate {
    /// The sport.
    pub sport: Sport,
    /// The date of tip-off in the league's zone.
    pub game_date: Date,
}

impl Slate {
    /// The slate of the only sport there is.
    pub fn nba(game_date: Date) -> Self {
        Self { sport: Sport::Nba, game_date }
    }
}

impl fmt::Display for Slate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sport, self.game_date)
    }
}

/// `batch_{game_date}_{unix_seconds}`, e.g. `batch_2026-01-23_1769180406`: one attempt at one slate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    game_date: Date,
    unix_seconds: i64,
}

impl BatchId {
    /// The id of a batch for `game_date` that is opened at `unix_seconds`.
    pub fn new(game_date: Date, unix_seconds: i64) -> Self {
        Self { game_date, unix_seconds }
    }

    /// The slate's date.
    pub fn game_date(&self) -> Date {
        self.game_date
    }

    /// The slate this batch is for.
    pub fn slate(&self) -> Slate {
        Slate::nba(self.game_date)
    }

    /// The id one second later: the next candidate when this one is taken.
    #[must_use]
    pub fn next_second(&self) -> Self {
        Self { game_date: self.game_date, unix_seconds: self.unix_seconds + 1 }
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch_{}_{}", self.game_date, self.unix_seconds)
    }
}

impl FromStr for BatchId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || ParseError::new("batch id", text, "expected batch_YYYY-MM-DD_UNIXSECONDS");
        let (date, seconds) =
            text.strip_prefix("batch_").and_then(|rest| rest.split_once('_')).ok_or_else(refuse)?;
        let canonical =
            seconds.bytes().all(|b| b.is_ascii_digit()) && (seconds == "0" || !seconds.starts_with('0'));
        if date.len() != 10 || seconds.is_empty() || seconds.len() > 12 || !canonical {
            return Err(refuse());
        }
        Ok(Self {
            game_date: date.parse().map_err(|_| refuse())?,
            unix_seconds: seconds.parse().map_err(|_| refuse())?,
        })
    }
}
text_serde!(BatchId);

/// Name of one predictor in one configuration, e.g. `catboost_v1_noveg`: `[a-z][a-z0-9_]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemId(Text);

impl FromStr for SystemId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let head = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let tail = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !head || !tail || text.len() > 64 {
            return Err(ParseError::new(
                "system id",
                text,
                "expected a lower-case letter, then at most 63 of a-z, 0-9 and _",
            ));
        }
        Ok(Self(text.into()))
    }
}
name_text!(SystemId);

/// A 128-bit random id, written as 32 hexadecimal digits. Randomness is passed in.
macro_rules! random_id {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The id made of these random bits.
            pub const fn from_random(bits: u128) -> Self {
                Self(bits)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                let canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                match u128::from_str_radix(text, 16) {
                    Ok(bits) if canonical => Ok(Self(bits)),
                    _ => Err(ParseError::new($what, text, "expected 32 lower-case hexadecimal digits")),
                }
            }
        }
        text_serde!($name);
    };
}

random_id! {
    /// One process of `tipoff serve` or `tipoff worker`; new for each start.
    InstanceId, "instance id"
}
random_id! {
    /// One worker of a pool; new for each process start, so that an old one can never be mistaken for it.
    WorkerId, "worker id"
}
random_id! {
    /// One claim: the fence of every job it got. New for each claim; a repeated claim repeats it.
    LeaseId, "lease id"
}
random_id! {
    /// The opener of one batch; proves that add and seal come from who claimed the slate.
    OpenerToken, "opener token"
}
random_id! {
    /// One attempt at finalizing a batch.
    TicketId, "finalizer ticket"
}
