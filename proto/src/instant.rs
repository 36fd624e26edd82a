//! Instants inside records: text in JSON, seconds and nanoseconds in the compact form (see `codec`).

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// For `#[serde(with = …)]` on a [`Timestamp`].
pub(crate) fn serialize<S: Serializer>(at: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
    match s.is_human_readable() {
        true => at.serialize(s),
        false => (at.as_second(), at.subsec_nanosecond()).serialize(s),
    }
}

/// The inverse of [`serialize`].
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
    if d.is_human_readable() {
        return Timestamp::deserialize(d);
    }
    let (second, nanosecond) = <(i64, i32)>::deserialize(d)?;
    Timestamp::new(second, nanosecond).map_err(D::Error::custom)
}

/// The same for an instant that may be missing.
pub(crate) mod optional {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct At(#[serde(with = "super")] Timestamp);

    pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, s: S) -> Result<S::Ok, S::Error> {
        at.map(At).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<At>::deserialize(d)?.map(|At(at)| at))
    }
}
