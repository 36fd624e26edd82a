//! The accounts of a job: every owed row is there or has one code.

use std::collections::BTreeMap;

use proto::{Code, CodeNote, Job, Market, Outcome, PredictionRow, SystemId};

use super::{Prepared, row_note};

/// Ends a job that ran. Each wanted market and system has exactly one row or one refusing note in the outcome, whatever
/// the answers are: one that is missing is refused as `model`, one nobody asked for, or under another key, is not
/// written.
pub fn finish(
    job: &Job,
    prepared: Prepared,
    answers: Vec<(SystemId, Market, Result<PredictionRow, CodeNote>)>,
) -> Outcome {
    let owed = job.rows_owed();
    let Prepared { run, refused, mut notes, .. } = prepared;
    let mut answers = Answers::of(answers);
    let mut rows = Vec::with_capacity(run.len());
    let mut row_notes: Vec<CodeNote> = refused.into_iter().map(|(_, _, note)| note).collect();
    let refused_before = row_notes.len();
    for (system, market) in &run {
        match answers.take(job, system, market) {
            Ok(row) => rows.push(row),
            Err(note) => row_notes.push(note),
        }
    }
    notes.extend(answers.strangers());
    debug_assert_eq!(rows.len() + row_notes.len(), owed as usize, "rows and refusals add up to rows owed");
    let (code, sentence) = match rows.len() {
        0 => nothing_left(job, &row_notes[refused_before..]),
        n => (Code::Predicted, predicted_sentence(n, owed, &row_notes)),
    };
    notes.extend(row_notes);
    Outcome { code, sentence, codes: notes, rows_owed: owed, rows }
}

/// Refused rows of an outcome by code: with its rows they add up to what it owes.
pub fn refused_rows(outcome: &Outcome) -> BTreeMap<Code, u64> {
    let mut counts = BTreeMap::new();
    if outcome.rows.is_empty() {
        if outcome.rows_owed > 0 {
            counts.insert(outcome.code, u64::from(outcome.rows_owed));
        }
        return counts;
    }
    for note in outcome.codes.iter().filter(|n| n.market.is_some() && n.book.is_none()) {
        *counts.entry(note.code).or_default() += 1;
    }
    counts
}

type Answer = Result<PredictionRow, CodeNote>;

struct Answers(BTreeMap<(SystemId, Market), Answer>);

impl Answers {
    /// The first answer for a key counts.
    fn of(answers: Vec<(SystemId, Market, Answer)>) -> Self {
        let mut first = BTreeMap::new();
        for (system, market, answer) in answers {
            first.entry((system, market)).or_insert(answer);
        }
        Self(first)
    }

    fn take(&mut self, job: &Job, system: &SystemId, market: &Market) -> Answer {
        let refuse = |why: &str| Err(row_note(system, market, Code::Model, why));
        match self.0.remove(&(system.clone(), market.clone())) {
            None => refuse("gave no answer"),
            Some(Ok(row)) => {
                let key = &row.key;
                let is_its_own = &key.system_id == system && &key.market == market;
                if is_its_own && key.player == job.id.player && key.game == job.id.game {
                    Ok(row)
                } else {
                    refuse("answered under another key")
                }
            }
            // The shape of the note is what makes it count as this row.
            Some(Err(note)) => {
                let named = note.sentence.starts_with(&format!("{system}: "));
                let sentence = if named { note.sentence } else { format!("{system}: {}", note.sentence) };
                Err(CodeNote { market: Some(market.clone()), book: None, code: failure(note.code), sentence })
            }
        }
    }

    /// Answers nobody asked for: shown, never written.
    fn strangers(self) -> impl Iterator<Item = CodeNote> {
        self.0.into_keys().map(|(system, market)| {
            CodeNote::of_job(
                Code::Model,
                format!("{system}: answered for {market}, which nobody asked it for"),
            )
        })
    }
}

/// Predicting and row checks can only fail; any other code would turn a failure into an innocent outcome.
fn failure(code: Code) -> Code {
    match code.outcome() {
        proto::OutcomeKind::Failed => code,
        _ => Code::Model,
    }
}

fn predicted_sentence(rows: usize, owed: u32, refused: &[CodeNote]) -> String {
    if refused.is_empty() {
        return format!("{rows} of {owed} rows");
    }
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for note in refused {
        *counts.entry(note.code).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(code, n)| format!("{n} {code}")).collect();
    format!("{rows} of {owed} rows, refused: {}", parts.join(", "))
}

/// Every answer was refused: by the row checks if one got that far, else by the models.
fn nothing_left(job: &Job, refused: &[CodeNote]) -> (Code, String) {
    let is_row_check =
        |n: &&CodeNote| matches!(n.code, Code::NotFinite | Code::OutOfRange | Code::EdgeOutOfRange);
    let (code, example) = match refused.iter().find(is_row_check) {
        Some(note) => (Code::RowCheck, note.sentence.as_str()),
        None => (Code::Model, refused.first().map_or("no system ran", |n| n.sentence.as_str())),
    };
    (code, format!("no answer for {} could be written; {example}", job.name))
}
