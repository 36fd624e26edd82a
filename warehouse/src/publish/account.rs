//! Where every owed row went. Pure: what the receipt says follows from the outcomes alone.

use std::collections::BTreeMap;

use proto::outcome::OutcomeCounts;
use proto::{Code, CodeNote, GameKey, JobId, Market, OutcomeKind, SystemId, Text};

use crate::error::{Error, Result};

/// The end of one job, as the state store kept it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOutcome {
    /// Player and game.
    pub job: JobId,
    /// The name to show.
    pub name: String,
    /// Which of the six ways.
    pub kind: OutcomeKind,
    /// The primary reason.
    pub code: Code,
    /// What happened, with names and figures.
    pub sentence: String,
    /// Every refusal on the way.
    pub codes: Vec<CodeNote>,
    /// Claims that were charged.
    pub attempts: u32,
    /// Wanted markets times wanted systems.
    pub rows_owed: u32,
    /// Fingerprint of the inputs.
    pub inputs_sha256: String,
}

/// Sums over the jobs of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) jobs: OutcomeCounts,
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) rows_owed: u64,
    pub(crate) rows_staged: u64,
    /// Rows owed for which there is none, by code.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Staged rows by what a receipt counts them by.
    pub(crate) groups: BTreeMap<Group, u64>,
}

/// What a receipt counts rows by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) game: GameKey,
    pub(crate) market: Market,
    pub(crate) system_id: SystemId,
    pub(crate) line_source: Text,
}

impl Account {
    /// Adds a job with the number of its rows.
    pub(crate) fn add(&mut self, outcome: &JobOutcome, rows: u64) -> Result<()> {
        let owed = u64::from(outcome.rows_owed);
        let predicted = outcome.kind == OutcomeKind::Predicted;
        // Incident 27: "predicted" without rows was called a success.
        if predicted != (rows > 0) || rows > owed {
            return Err(Error::Inconsistent {
                what: format!("job `{}` is {}, owes {owed} rows and has {rows}", outcome.job, outcome.kind),
            });
        }
        self.jobs.add(outcome.kind, 1);
        *self.reasons.entry(outcome.code.to_string()).or_default() += 1;
        self.rows_owed += owed;
        self.rows_staged += rows;
        for (code, count) in refused_rows(outcome, owed - rows) {
            *self.refused.entry(code.to_string()).or_default() += count;
        }
        Ok(())
    }
}

/// Gives each missing row of a job its code: without rows the primary one; else one row for each note that is not
/// about a book's quote (a row check, a system's features), and what is left to the first refused quote's market.
fn refused_rows(outcome: &JobOutcome, missing: u64) -> Vec<(Code, u64)> {
    if outcome.kind != OutcomeKind::Predicted {
        return vec![(outcome.code, missing)];
    }
    let mut left = missing;
    let mut given = Vec::new();
    for note in outcome.codes.iter().filter(|note| note.book.is_none()) {
        if left == 0 {
            return given;
        }
        given.push((note.code, 1));
        left -= 1;
    }
    if left > 0 {
        let quote = outcome.codes.iter().find(|note| note.book.is_some());
        given.push((quote.map_or(Code::Model, |note| note.code), left));
    }
    given
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn outcome(code: Code, owed: u32, codes: &[(Option<&str>, Code)]) -> JobOutcome {
        JobOutcome {
            job: "jalenbrunson@20260123_BOS_NYK".parse().unwrap(),
            name: "Jalen Brunson".to_owned(),
            kind: code.outcome(),
            code,
            sentence: code.sentence().to_owned(),
            codes: codes
                .iter()
                .map(|(book, code)| CodeNote {
                    market: None,
                    book: book.map(str::to_owned),
                    code: *code,
                    sentence: String::new(),
                })
                .collect(),
            attempts: 1,
            rows_owed: owed,
            inputs_sha256: String::new(),
        }
    }

    #[test]
    fn owed_is_published_plus_refused() {
        for (outcome, rows, refused) in [
            (outcome(Code::Predicted, 3, &[]), 3, vec![]),
            (outcome(Code::NoLine, 3, &[]), 0, vec![("no_line", 3)]),
            (
                outcome(Code::Predicted, 3, &[(Some("bovada"), Code::Stale), (None, Code::NotFinite)]),
                2,
                vec![("not_finite", 1)],
            ),
            (
                outcome(
                    Code::Predicted,
                    4,
                    &[(None, Code::RequiredDefault), (Some("fanduel"), Code::OneSided)],
                ),
                1,
                vec![("one_sided", 2), ("required_default", 1)],
            ),
            (outcome(Code::Predicted, 2, &[]), 1, vec![("model", 1)]),
        ] {
            let mut account = Account::default();
            account.add(&outcome, rows).unwrap();
            let expected: BTreeMap<String, u64> =
                refused.into_iter().map(|(code, n)| (code.to_owned(), n)).collect();
            assert_eq!(account.refused, expected);
            let sum: u64 = account.refused.values().filter(|n| **n > 0).sum();
            assert_eq!(account.rows_owed, account.rows_staged + sum);
        }
    }

    #[test]
    fn incident_27_predicted_without_rows_is_refused() {
        let mut account = Account::default();
        for (code, owed, rows) in [(Code::Predicted, 3, 0), (Code::NoLine, 3, 1), (Code::Predicted, 1, 2)] {
            assert!(account.add(&outcome(code, owed, &[]), rows).is_err(), "{code} {owed} {rows}");
        }
        assert_eq!(account, Account::default());
    }
}
