//! An outcome as the store takes it: encoded, hashed without its clock, and small enough.

use proto::codec::{encode_outcome, outcome_digest};
use proto::{Code, CodeNote, Outcome};
use protocol::MAX_STAGED_BYTES;
use protocol::ops::Completion;
use protocol::worker::JobResult;

/// The completion of a job.
///
/// The digest leaves the clock out: a completion that is repeated after a lost answer, or made again by another worker
/// from the same inputs, is the same result; a different one is an alarm.
pub(super) fn completed(seq: u32, outcome: Outcome) -> JobResult {
    let (outcome, body) = fitted(outcome);
    let digest = outcome_digest(&body);
    let num_rows = outcome.rows.len() as u32;
    JobResult::Completed(Completion { seq, code: outcome.code, num_rows, body, digest })
}

/// The outcome and its encoding, within what the store takes for one job. Refused quotes go first, since the rows'
/// accounts do not need them; an outcome that is still too large is a failure that says so.
fn fitted(mut outcome: Outcome) -> (Outcome, Vec<u8>) {
    let encoded = encode_outcome(&outcome);
    if encoded.len() <= MAX_STAGED_BYTES {
        return (outcome, encoded);
    }
    let notes = outcome.codes.len();
    outcome.codes.retain(|note| note.book.is_none());
    let left_out = notes - outcome.codes.len();
    let sentence =
        format!("{left_out} refused quotes are not listed, because the outcome would be too large");
    outcome.codes.push(CodeNote::of_job(outcome.code, sentence));
    let encoded = encode_outcome(&outcome);
    if encoded.len() <= MAX_STAGED_BYTES {
        return (outcome, encoded);
    }
    let rows = outcome.rows.len();
    let sentence = format!(
        "the outcome with {rows} rows takes {} bytes, a job may stage {MAX_STAGED_BYTES}; ask for fewer systems or markets",
        encoded.len()
    );
    let outcome = Outcome::without_rows(Code::Error, sentence, outcome.rows_owed);
    let encoded = encode_outcome(&outcome);
    (outcome, encoded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use proto::codec::decode_outcome;

    use super::*;

    fn completion(outcome: Outcome) -> Completion {
        match completed(3, outcome) {
            JobResult::Completed(completion) => completion,
            other => panic!("{other:?}"),
        }
    }

    fn note(book: Option<&str>, bytes: usize) -> CodeNote {
        CodeNote { book: book.map(str::to_owned), ..CodeNote::of_job(Code::Stale, "x".repeat(bytes)) }
    }

    #[test]
    fn too_many_refused_quotes_are_left_out_with_a_word() {
        let mut outcome = Outcome::without_rows(Code::Stale, "no quote is left", 12);
        outcome.codes = (0..100).map(|_| note(Some("fanduel"), 1_000)).collect();
        outcome.codes.push(note(None, 10));
        let sent = completion(outcome);
        let kept = decode_outcome(&sent.body).unwrap();
        assert!(sent.body.len() < MAX_STAGED_BYTES);
        assert_eq!((sent.seq, sent.code, kept.codes.len()), (3, Code::Stale, 2));
        assert!(
            kept.codes[1].sentence.starts_with("100 refused quotes are not listed"),
            "{:?}",
            kept.codes[1]
        );
    }

    #[test]
    fn an_outcome_that_cannot_be_staged_fails_with_a_sentence() {
        let mut outcome = Outcome::without_rows(Code::Stale, "no quote is left", 12);
        outcome.codes = (0..100).map(|_| note(None, 1_000)).collect();
        let sent = completion(outcome);
        let kept = decode_outcome(&sent.body).unwrap();
        assert_eq!((sent.code, kept.code, kept.rows_owed), (Code::Error, Code::Error, 12));
        assert!(kept.sentence.contains("a job may stage 65536"), "{}", kept.sentence);
    }
}
