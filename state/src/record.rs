//! How the stores write the end of a job, and Redis a job, into one value, and small conversions that stores share.
//!
//! A job is `name NUL payload`: a name never holds a NUL. The end of a job is, with lengths as big-endian numbers:
//! lease (32 characters, all `-` when the store ended it), digest (2-byte length), code (2), rows (4), note (4), body.
//! Lease and digest come first, because the script of completions compares them. `prelude.lua` writes the same.

use proto::{Code, JobId, LeaseId};
use protocol::ops::{Completion, Done, JobView, StagedJob};

use crate::{Result, StoreError};

/// Stands where the lease would, when the store ended the job itself.
const NOBODY: &[u8; 32] = b"--------------------------------";

/// A job that has ended as the finalizer reads it; none for one that has not.
pub(crate) fn staged(job: JobView) -> Option<StagedJob> {
    let JobView { seq, id, payload, attempts: _, done } = job;
    done.map(|done| StagedJob { seq, id, payload, done })
}

/// A job as stored.
pub(crate) fn encode_job(id: &JobId, payload: &[u8]) -> Vec<u8> {
    let name = id.to_string();
    let mut record = Vec::with_capacity(name.len() + 1 + payload.len());
    record.extend_from_slice(name.as_bytes());
    record.push(0);
    record.extend_from_slice(payload);
    record
}

/// Reads a stored job.
pub(crate) fn decode_job(record: &[u8]) -> Result<(JobId, Vec<u8>)> {
    let corrupt = |why: String| StoreError::corrupt("job", why);
    let end = record.iter().position(|byte| *byte == 0).ok_or_else(|| corrupt("it has no name".into()))?;
    let name = std::str::from_utf8(&record[..end]).map_err(|e| corrupt(e.to_string()))?;
    let id = name.parse().map_err(|e: proto::ParseError| corrupt(e.to_string()))?;
    Ok((id, record[end + 1..].to_vec()))
}

/// A result as a worker's call stores it.
pub(crate) fn encode_done(lease: &str, item: &Completion) -> Vec<u8> {
    encode(lease.as_bytes(), &item.digest, item.code, item.num_rows, "", &item.body)
}

/// The end of a job that the store itself ended.
pub(crate) fn encode_end(code: Code, note: &str) -> Vec<u8> {
    encode(NOBODY, "", code, 0, note, &[])
}

fn encode(lease: &[u8], digest: &str, code: Code, num_rows: u32, note: &str, body: &[u8]) -> Vec<u8> {
    let code = code.as_str();
    let len = lease.len() + digest.len() + code.len() + note.len() + body.len() + 12;
    let mut record = Vec::with_capacity(len);
    record.extend_from_slice(lease);
    record.extend_from_slice(&(digest.len() as u16).to_be_bytes());
    record.extend_from_slice(digest.as_bytes());
    record.extend_from_slice(&(code.len() as u16).to_be_bytes());
    record.extend_from_slice(code.as_bytes());
    record.extend_from_slice(&num_rows.to_be_bytes());
    record.extend_from_slice(&(note.len() as u32).to_be_bytes());
    record.extend_from_slice(note.as_bytes());
    record.extend_from_slice(body);
    record
}

/// Reads a stored end. `attempts` are the charged ones before it: a completion is one more, an end by the store is not.
pub(crate) fn decode_done(record: &[u8], attempts: u32) -> Result<Done> {
    let mut rest = record;
    let lease = match take(&mut rest, 32)? {
        lease if lease == NOBODY => None,
        lease => Some(text(lease)?.parse::<LeaseId>().map_err(|e| StoreError::corrupt("end of a job", e))?),
    };
    let digest = sized(&mut rest, 2)?;
    let code: Code =
        text(sized(&mut rest, 2)?)?.parse().map_err(|e| StoreError::corrupt("end of a job", e))?;
    let num_rows = number(take(&mut rest, 4)?);
    let note = sized(&mut rest, 4)?;
    Ok(Done {
        code,
        num_rows,
        attempts: attempts + u32::from(lease.is_some()),
        lease,
        digest: text(digest)?.to_owned(),
        note: String::from_utf8_lossy(note).into_owned(),
        body: rest.to_vec(),
    })
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
    let (head, tail) = rest
        .split_at_checked(len)
        .ok_or_else(|| StoreError::corrupt("end of a job", format!("{len} bytes are missing")))?;
    *rest = tail;
    Ok(head)
}

fn sized<'a>(rest: &mut &'a [u8], width: usize) -> Result<&'a [u8]> {
    let len = number(take(rest, width)?);
    take(rest, len as usize)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| StoreError::corrupt("end of a job", e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn completion() -> Completion {
        Completion {
            seq: 7,
            code: Code::Predicted,
            num_rows: 300,
            body: vec![0, 1, 255],
            digest: "ab".repeat(32),
        }
    }

    #[test]
    fn records_read_back() {
        let lease = LeaseId::from_random(9);
        let record = encode_done(&lease.to_string(), &completion());
        let done = decode_done(&record, 2).unwrap();
        assert_eq!((done.code, done.num_rows, done.attempts), (Code::Predicted, 300, 3));
        assert_eq!((done.lease, done.digest.len(), done.body), (Some(lease), 64, vec![0, 1, 255]));
        let id: JobId = "nikolajokic@20260123_LAL_BOS".parse().unwrap();
        let record = encode_job(&id, &[0, 0, 7]);
        assert_eq!(decode_job(&record).unwrap(), (id, vec![0, 0, 7]));
    }

    #[test]
    fn damaged_records_are_refused_and_never_panic() {
        let whole = encode_done(&LeaseId::from_random(9).to_string(), &completion());
        let body = whole.len() - 3;
        for len in 0..body {
            assert!(decode_done(&whole[..len], 0).is_err(), "cut after {len} bytes");
        }
        assert!(decode_job(b"no end").is_err());
        assert!(decode_job(b"No Player\0x").is_err());
    }

    /// A museum piece: what this format looked like when it was written first.
    #[test]
    fn the_format_stays() {
        let mut sample = b"--------------------------------".to_vec();
        sample.extend_from_slice(b"\0\0\0\x05lease\0\0\0\0\0\0\0\x04note");
        let done = decode_done(&sample, 3).unwrap();
        assert_eq!((done.code, done.attempts, done.note.as_str()), (Code::Lease, 3, "note"));
        assert_eq!((done.lease, done.body), (None, Vec::new()));
        assert_eq!(encode_end(Code::Lease, "note"), sample);
    }
}
