//! Hashes inside records: hexadecimal in JSON, thirty-two bytes in the compact form (see `codec`). A text that is no sha256
//! in lower-case hexadecimal stays the text it is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Sha256;

#[derive(Serialize, Deserialize)]
enum Compact<T> {
    Sha256(Sha256),
    Text(T),
}

/// For `#[serde(with = …)]` on a text that holds a hash.
pub(crate) fn serialize<S: Serializer>(text: &impl AsRef<str>, s: S) -> Result<S::Ok, S::Error> {
    let text = text.as_ref();
    if s.is_human_readable() {
        return text.serialize(s);
    }
    text.parse().map_or(Compact::Text(text), Compact::Sha256).serialize(s)
}

/// The inverse of [`serialize`].
pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: From<String>>(d: D) -> Result<T, D::Error> {
    let text = match d.is_human_readable() {
        true => String::deserialize(d)?,
        false => match Compact::<String>::deserialize(d)? {
            Compact::Sha256(hash) => hash.to_string(),
            Compact::Text(text) => text,
        },
    };
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record(#[serde(with = "super")] String);

    #[test]
    fn every_text_comes_back_and_a_hash_is_short() {
        for (text, bytes) in [
            ("09af".repeat(16), 33),
            ("09AF".repeat(16), 66),
            ("09ag".repeat(16), 66),
            ("ab".repeat(31), 64),
            (String::new(), 2),
        ] {
            let record = Record(text);
            let compact = postcard::to_allocvec(&record).unwrap();
            assert_eq!(compact.len(), bytes, "{record:?}");
            assert_eq!(postcard::from_bytes::<Record>(&compact).unwrap(), record);
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(json, format!("\"{}\"", record.0));
            assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
        }
    }
}
