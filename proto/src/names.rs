//! One name normaliser for everybody (incidents 63 and 64: five of them gave silent zero-row joins).
//!
//! The rule is the field's: lower-case, decompose (NFD), drop combining marks, then drop everything outside
//! `[a-z0-9]`. Suffixes (`jr`, `sr`, `ii` …) stay, because a father and a son may both play; the form without a
//! suffix is kept beside it and is only used where exactly one player of an event's two teams fits.

use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::ParseError;
use crate::text::{Text, name_text};

/// Generational suffixes that sources write or leave out at will.
const SUFFIXES: [&str; 6] = ["jr", "sr", "ii", "iii", "iv", "v"];

/// Join key of a person: lower-case letters and digits only, e.g. `nikolajokic`, `pjtucker`, `jarenjacksonjr`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayerLookup(Text);

impl FromStr for PlayerLookup {
    type Err = ParseError;

    /// Accepts a key that is already normal; a display name goes through [`PlayerName::parse`].
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let normal = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.is_empty() || text.len() > 80 || !normal {
            return Err(ParseError::new(
                "player lookup",
                text,
                "expected 1 to 80 of a-z and 0-9, e.g. nikolajokic",
            ));
        }
        Ok(Self(text.into()))
    }
}
name_text!(PlayerLookup);

/// A name as a source wrote it, with the two keys derived from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerName {
    /// The name as written, white space trimmed.
    pub display: String,
    /// The join key, suffix kept.
    pub lookup: PlayerLookup,
    /// The join key without a generational suffix; equal to `lookup` when there is none.
    pub without_suffix: PlayerLookup,
}

impl PlayerName {
    /// Normalises a display name; refused when no letter or digit is left.
    pub fn parse(display: &str) -> Result<Self, ParseError> {
        let display = display.trim();
        let refuse =
            |_| ParseError::new("player name", display, "no letter or digit of it is left after normalising");
        let lookup = normalise(display).parse().map_err(refuse)?;
        let without_suffix = normalise(without_suffix(display)).parse().map_err(refuse)?;
        Ok(Self { display: display.to_owned(), lookup, without_suffix })
    }
}

/// The normaliser itself, for texts that are not persons too (team names).
pub fn normalise(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        .collect()
}

/// Cuts a trailing suffix word, unless the name would be a suffix alone.
fn without_suffix(display: &str) -> &str {
    let Some((head, last)) = display.rsplit_once(|c: char| c.is_whitespace() || c == ',') else {
        return display;
    };
    let is_suffix = SUFFIXES.contains(&normalise(last).as_str());
    if is_suffix && !normalise(head).is_empty() { head.trim_end_matches([' ', ',']) } else { display }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_names() {
        for (name, lookup, base) in [
            ("Nikola Jokić", "nikolajokic", "nikolajokic"),
            ("P.J. Tucker", "pjtucker", "pjtucker"),
            ("D'Angelo Russell", "dangelorussell", "dangelorussell"),
            ("D’Angelo Russell", "dangelorussell", "dangelorussell"),
            ("Jaren Jackson Jr.", "jarenjacksonjr", "jarenjackson"),
            ("Jaren Jackson, Jr.", "jarenjacksonjr", "jarenjackson"),
            ("Trey Murphy III", "treymurphyiii", "treymurphy"),
            ("Robert Williams III", "robertwilliamsiii", "robertwilliams"),
            ("Gary Payton II", "garypaytonii", "garypayton"),
            ("Karl-Anthony Towns", "karlanthonytowns", "karlanthonytowns"),
            ("Luka Dončić", "lukadoncic", "lukadoncic"),
            ("Dāvis Bertāns", "davisbertans", "davisbertans"),
            ("  Nenê ", "nene", "nene"),
            ("V Jr", "vjr", "v"),
            ("Jr", "jr", "jr"),
            ("Shai Gilgeous-Alexander", "shaigilgeousalexander", "shaigilgeousalexander"),
        ] {
            let parsed = PlayerName::parse(name).unwrap();
            assert_eq!((parsed.lookup.as_str(), parsed.without_suffix.as_str()), (lookup, base), "{name}");
        }
    }

    #[test]
    fn a_name_without_letters_is_refused() {
        assert!(PlayerName::parse("…").is_err());
        assert!(PlayerName::parse("").is_err());
        assert!("Jokic".parse::<PlayerLookup>().is_err());
    }

    proptest! {
        #[test]
        fn incident_12_any_name_gives_a_key_that_is_legal_everywhere(name in "\\PC{0,40}") {
            if let Ok(parsed) = PlayerName::parse(&name) {
                let again: PlayerLookup = parsed.lookup.as_str().parse().unwrap();
                prop_assert_eq!(&again, &parsed.lookup);
                prop_assert_eq!(normalise(parsed.lookup.as_str()), parsed.lookup.as_str());
            }
        }
    }
}
