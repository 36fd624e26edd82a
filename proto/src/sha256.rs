//! A sha256 as a value: thirty-two bytes in memory, in records and in tables, lower-case hexadecimal wherever people read.
//!
//! A slate's rows carry two of them each; as texts they take twice the bytes, an allocation each, and a conversion at every step.

use std::fmt;
use std::str::FromStr;

use sha2::Digest;

use crate::ParseError;
use crate::codec::{HEX_PIECE, hex_of, push_hex};
use crate::text::compact_serde;

/// The length of a hash, in bytes.
const BYTES: usize = 32;

/// The sha256 of some bytes. Hashes are in the order of their hexadecimal forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sha256([u8; BYTES]);

impl Sha256 {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// The hash over a set of hashes, in order and one a line in hexadecimal: the same whatever order they come in.
    pub fn of_all(mut hashes: Vec<Self>) -> Self {
        hashes.sort_unstable();
        let mut lines = String::with_capacity(hashes.len() * (2 * BYTES + 1));
        for hash in hashes {
            push_hex(&mut lines, &hash.0);
            lines.push('\n');
        }
        Self::of(lines.as_bytes())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(hex_of(&self.0, &mut [0; 2 * HEX_PIECE]))
    }
}

impl FromStr for Sha256 {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        bytes_of(text)
            .map(Self)
            .ok_or_else(|| ParseError::new("sha256", text, "expected 64 digits of 0-9 and a-f"))
    }
}

compact_serde!(Sha256, [u8; BYTES], |hash| hash.0, |bytes| Some(Sha256(bytes)));

/// The bytes that a text is the lower-case hexadecimal form of.
fn bytes_of(text: &str) -> Option<[u8; BYTES]> {
    let digit = |of: u8| match of {
        b'0'..=b'9' => Some(of - b'0'),
        b'a'..=b'f' => Some(of - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; BYTES];
    if pairs.len() != BYTES || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn a_hash_is_text_for_people_and_bytes_in_records() {
        let hash = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((hash.to_string().as_str(), text.parse()), (text, Ok(hash)));
        assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Sha256>(&format!("\"{text}\"")).unwrap(), hash);
        let record = postcard::to_allocvec(&hash).unwrap();
        assert_eq!((record.len(), postcard::from_bytes(&record)), (BYTES, Ok(hash)));
        for wrong in ["", "m", &text[1..], &text.to_uppercase(), &format!("{text}0")] {
            assert!(wrong.parse::<Sha256>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_set_has_one_hash_in_any_order() {
        let [a, b, c] = ["a", "b", "c"].map(|text| Sha256::of(text.as_bytes()));
        assert_eq!(Sha256::of_all(vec![a, b, c]), Sha256::of_all(vec![c, a, b]));
        let mut texts = [a, b, c].map(|hash| hash.to_string());
        texts.sort();
        let lines = format!("{}\n{}\n{}\n", texts[0], texts[1], texts[2]);
        assert_eq!(Sha256::of_all(vec![a, b, c]), Sha256::of(lines.as_bytes()));
    }
}
