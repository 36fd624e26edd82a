//! The gates before and the accounts after a prediction: what runs, what does not, and why.
//!
//! ```text
//! injury, postponement ──> line ──> features ──> (predict) ──> row checks ──> finish
//!        │ skipped          │ rejected, skipped    │ skipped       │ failed
//! ```
//!
//! A gate that leaves nothing to run ends the job with its outcome. A gate that refuses only some rows lets the others
//! go on and writes each refused row down, so that at the end rows written and rows refused add up to rows owed.
//!
//! Gates fail closed (incident 86): a score that is no number, a count or a time that is missing refuses. The quality
//! is computed here, from the vector; what a table says about it is not asked (85).
//!
//! **How an outcome is read back.** A note with a market and no book is one refused row; a note with a book is a
//! refused quote; a note without a market is about the whole job. [`refused_rows`] counts by that rule.

mod features;
mod finish;
mod line;

use std::collections::BTreeMap;

use proto::features::FeatureContract;
use proto::{Code, CodeNote, GameStatus, InjuryStatus, Job, Market, Outcome, SystemId};

pub use finish::{finish, refused_rows};

use crate::lines::{ChosenLine, LinePolicy};
use crate::quality::Quality;

/// What one system needs for one market, from its model card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemNeeds {
    /// The system.
    pub system_id: SystemId,
    /// The market it predicts.
    pub market: Market,
    /// Positions in the contract of the features it reads.
    pub features: Vec<usize>,
    /// True when its target is the margin over the line, so that it cannot answer without one.
    pub target_needs_line: bool,
}

/// What the gates say about a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Gate {
    /// It ends here.
    End(Outcome),
    /// It runs.
    Go(Prepared),
}

/// A job that may run.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The chosen line of each market that has one.
    pub lines: BTreeMap<Market, ChosenLine>,
    /// The rows to predict, in the order of markets, then systems.
    pub run: Vec<(SystemId, Market)>,
    /// Rows owed that are refused already, one note each.
    pub refused: Vec<(SystemId, Market, CodeNote)>,
    /// Refused quotes and remarks on the job.
    pub notes: Vec<CodeNote>,
    /// Quality of the features as seen by the systems that run: no required default is among what they read.
    pub quality: Quality,
}

/// Judges a job before any model is asked. Pure: the same job gives the same answer on every worker.
pub fn before_predict(
    job: &Job,
    needs: &[SystemNeeds],
    contract: &FeatureContract,
    policy: &LinePolicy,
) -> Gate {
    if let Some(outcome) = not_playing(job) {
        return Gate::End(outcome);
    }
    let lines = match line::gate(job, policy) {
        Ok(lines) => lines,
        Err(outcome) => return Gate::End(outcome),
    };
    features::gate(job, needs, contract, lines)
}

/// Injury and postponement: nothing is predicted for who does not play (incidents 4, 5 and 61). Terminal, no retry.
fn not_playing(job: &Job) -> Option<Outcome> {
    let (code, why) = match (job.injury, job.game_status) {
        (InjuryStatus::Out, _) => (Code::InjuredOut, "is out by the newest injury report".to_owned()),
        (_, GameStatus::Postponed) => {
            (Code::GamePostponed, format!("does not play: {} is postponed", job.id.game))
        }
        (_, GameStatus::Cancelled) => {
            (Code::GamePostponed, format!("does not play: {} is cancelled", job.id.game))
        }
        _ => return None,
    };
    Some(Outcome::without_rows(code, format!("{} {why}", job.name), job.rows_owed()))
}

/// A note that refuses one owed row; its sentence begins with the system.
pub(crate) fn row_note(system: &SystemId, market: &Market, code: Code, why: &str) -> CodeNote {
    CodeNote { market: Some(market.clone()), book: None, code, sentence: format!("{system}: {why}") }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
