//! Jobs and outcomes as compact binary records with a format number, and the hash used everywhere.
//!
//! A record begins with one byte: the format number. An unknown number is refused by name, so that a newer
//! process can hand a job to an older one without a crash; a sample of each format is kept as a test.
//!
//! Records are not human readable to serde, so types that have a shorter form than their text use it.

mod outcome;

use sha2::Digest;

pub use self::outcome::{decode_outcome, encode_outcome, outcome_digest};
use crate::{Job, Sha256};

/// Format number of the records this build writes. 2: rows carry a probability and what it is worth. 3: names of closed
/// sets, games, lines and instants are numbers. 4: what the rows of an outcome share stands once, the clock at the end.
/// 5: so does what quotes share and whose the rows are; hashes are bytes. 6: those of rows are nothing else.
pub const FORMAT: u8 = 6;

/// What most records take: with it, writing one asks for memory once.
const RECORD_BYTES: usize = 2048;

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Written by another version.
    #[error("record of format {found}, this build reads format {FORMAT}; run the same version everywhere")]
    Format {
        /// The number found.
        found: u8,
    },
    /// Truncated or damaged.
    #[error("record of {len} bytes cannot be read: {why}")]
    Damaged {
        /// Its length.
        len: usize,
        /// What the decoder said.
        why: String,
    },
}

fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.push(FORMAT);
    // Writing to a Vec cannot fail, and no type of ours refuses to be written.
    postcard::to_extend(value, bytes).unwrap_or_default()
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => postcard::from_bytes(body)
            .map_err(|e| CodecError::Damaged { len: bytes.len(), why: e.to_string() }),
        Some((&found, _)) => Err(CodecError::Format { found }),
        None => Err(CodecError::Damaged { len: 0, why: "it is empty".to_owned() }),
    }
}

/// A job as stored.
pub fn encode_job(job: &Job) -> Vec<u8> {
    encode(job)
}

/// Reads a stored job.
pub fn decode_job(bytes: &[u8]) -> Result<Job, CodecError> {
    decode(bytes)
}

/// sha256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::of(bytes).to_string()
}

/// Appends bytes in lower-case hexadecimal. Hashes and feature values are written by the ten thousand, so without a formatter
/// and a piece at a time.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    for piece in bytes.chunks(HEX_PIECE) {
        text.push_str(hex_of(piece, &mut [0; 2 * HEX_PIECE]));
    }
}

/// Bytes whose digits are put together at a time: a hash.
pub(crate) const HEX_PIECE: usize = 32;

/// The digits of at most [`HEX_PIECE`] bytes.
pub(crate) fn hex_of<'d>(piece: &[u8], digits: &'d mut [u8; 2 * HEX_PIECE]) -> &'d str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(piece) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    // Digits are ASCII.
    str::from_utf8(&digits[..2 * piece.len().min(HEX_PIECE)]).unwrap_or_default()
}

/// sha256 of texts that begin alike: what they share is hashed once.
#[derive(Debug, Clone)]
pub struct SharedBeginning(sha2::Sha256);

impl SharedBeginning {
    /// For texts that begin with `text`.
    pub fn new(text: &str) -> Self {
        Self(sha2::Sha256::new_with_prefix(text))
    }

    /// The hash of the beginning and `rest`.
    pub fn with(&self, rest: &str) -> Sha256 {
        Sha256::from_bytes(self.0.clone().chain_update(rest).finalize().into())
    }
}
