//! A bet type. Part of every key, so that rebounds can never mix into points (incident 58).

use std::str::FromStr;

use crate::ParseError;
use crate::text::{Text, name_text};

/// A player market by its short name: `points`, `rebounds`, `assists`, `threes` …; a vendor's `player_points` is `points`.
///
/// Any market can be stored; only those with a model are predicted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Market(Text);

impl Market {
    /// Points scored.
    pub fn points() -> Self {
        Self(Text::const_new("points"))
    }
}

impl FromStr for Market {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let name = text.strip_prefix("player_").unwrap_or(text);
        let head = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if !head
            || name.len() > 48
            || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            return Err(ParseError::new(
                "market",
                text,
                "expected a name such as points, rebounds or player_assists",
            ));
        }
        Ok(Self(name.into()))
    }
}
name_text!(Market);
