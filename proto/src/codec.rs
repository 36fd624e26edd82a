//! Jobs and outcomes as compact binary records with a format number, and the hash used everywhere.
//!
//! A record begins with one byte: the format number. An unknown number is refused by name, so that a newer
//! process can hand a job to an older one without a crash; a sample of each format is kept as a test.
//!
//! Records are not human readable to serde, so types that have a shorter form than their text use it.

mod outcome;

use sha2::{Digest, Sha256};

pub use self::outcome::{decode_outcome, encode_outcome, outcome_digest};
use crate::Job;

/// Format number of the records this build writes. 2: rows carry a probability and what it is worth. 3: names of closed
/// sets, games, lines and instants are numbers. 4: what the rows of an outcome share stands once, the clock at the end.
/// 5: so does what quotes share and whose the rows are; hashes are bytes.
pub const FORMAT: u8 = 5;

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
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

/// Appends bytes in lower-case hexadecimal. Hashes and feature values are written by the ten thousand, so without a formatter
/// and a piece at a time.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const PIECE: usize = 32;
    for piece in bytes.chunks(PIECE) {
        let mut digits = [0; 2 * PIECE];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(piece) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        // Digits are ASCII.
        text.push_str(str::from_utf8(&digits[..2 * piece.len()]).unwrap_or_default());
    }
}

/// sha256 of texts that begin alike: what they share is hashed once.
#[derive(Debug, Clone)]
pub struct SharedBeginning(Sha256);

impl SharedBeginning {
    /// For texts that begin with `text`.
    pub fn new(text: &str) -> Self {
        Self(Sha256::new_with_prefix(text))
    }

    /// The hash of the beginning and `rest`, in lower-case hexadecimal.
    pub fn sha256_hex(&self, rest: &str) -> String {
        hex(&self.0.clone().chain_update(rest).finalize())
    }
}

/// sha256 over texts in sorted order, one a line: the same set has the same hash in any order.
pub fn sha256_of_sorted<S: AsRef<str>>(mut texts: Vec<S>) -> String {
    texts.sort_by(|a, b| a.as_ref().cmp(b.as_ref()));
    let mut hash = Sha256::new();
    for text in &texts {
        hash.update(text.as_ref().as_bytes());
        hash.update(b"\n");
    }
    hex(&hash.finalize())
}
