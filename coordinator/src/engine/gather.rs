//! From staged records to what the verdict transaction takes: every job with its outcome, every row, and the facts
//! by which the slate's health is judged.

use std::sync::Arc;

use jiff::Timestamp;
use proto::codec::{CodecError, decode_job, decode_outcome};
use proto::features::FeatureContract;
use proto::{BatchId, Job, Outcome, PredictionRow, RunMode, TeamCode};
use protocol::ops::StagedJob;
use rules::findings::{PlayerFacts, PlayerQuality};
use state::{BatchStore, StoreError};
use tokio::sync::mpsc;
use warehouse::JobOutcome;

/// Jobs that are read at a time.
const PAGE: usize = 128;
/// Pages that wait for whoever loads them; while they do, no further one is fetched.
const PAGES_AHEAD: usize = 2;

/// What keeps a staged job from being used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatherError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its record is damaged or of another version.
    #[error("job {id}: {source}")]
    Record {
        /// The job.
        id: String,
        /// Why.
        source: CodecError,
    },
    /// What it says about itself does not add up.
    #[error("job {id}: {why}")]
    Inconsistent {
        /// The job.
        id: String,
        /// Why.
        why: String,
    },
}

/// One job as it ended.
#[derive(Debug, Clone)]
pub(crate) struct EndedJob {
    /// What the verdict transaction stores.
    pub(crate) outcome: JobOutcome,
    /// Its rows.
    pub(crate) rows: Vec<PredictionRow>,
    /// What health looks at.
    pub(crate) facts: PlayerFacts,
    /// His team, if known.
    pub(crate) team: Option<TeamCode>,
    /// Why the batch ran.
    pub(crate) run_mode: RunMode,
    /// What its inputs were known as of.
    pub(crate) as_of: Timestamp,
}

/// Everything that is staged of a batch, page by page and in order. A task of its own fetches and reads the next pages
/// while one is loaded; it ends with the last page, with the first error, or when nobody listens any more.
pub(crate) fn pages(
    store: Arc<dyn BatchStore>,
    batch_id: BatchId,
    contract: &'static FeatureContract,
) -> mpsc::Receiver<Result<Vec<EndedJob>, GatherError>> {
    let (sender, pages) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(async move {
        let mut from = 0;
        loop {
            let page = match store.staged(&batch_id, from, PAGE).await {
                Ok(staged) => match staged.last() {
                    Some(last) => {
                        from = last.seq + 1;
                        staged.iter().map(|staged| read_staged(staged, contract)).collect()
                    }
                    None => return,
                },
                Err(error) => Err(error.into()),
            };
            let has_failed = page.is_err();
            if sender.send(page).await.is_err() || has_failed {
                return;
            }
        }
    });
    pages
}

/// Reads one job and its end.
pub(crate) fn read_staged(staged: &StagedJob, contract: &FeatureContract) -> Result<EndedJob, GatherError> {
    let record = |source| GatherError::Record { id: staged.id.to_string(), source };
    let job = decode_job(&staged.payload).map_err(record)?;
    let done = &staged.done;
    let outcome = if done.body.is_empty() {
        let why = if done.note.is_empty() { done.code.sentence() } else { done.note.as_str() };
        Outcome::without_rows(done.code, format!("{}: {why}", job.name), job.rows_owed())
    } else {
        decode_outcome(&done.body).map_err(record)?
    };
    check(staged, &outcome)?;
    let facts = facts_of(&job, &outcome, contract);
    let ended = JobOutcome {
        job: staged.id.clone(),
        name: job.name,
        kind: outcome.kind(),
        code: outcome.code,
        sentence: outcome.sentence,
        codes: outcome.codes,
        attempts: done.attempts,
        rows_owed: outcome.rows_owed,
        inputs_sha256: job.inputs_sha256,
    };
    Ok(EndedJob {
        outcome: ended,
        rows: outcome.rows,
        facts,
        team: job.team,
        run_mode: job.run_mode,
        as_of: job.as_of,
    })
}

fn facts_of(job: &Job, outcome: &Outcome, contract: &FeatureContract) -> PlayerFacts {
    let quality = job.features.as_ref().filter(|vector| vector.contract_version == contract.version);
    let quality = quality.map(|vector| rules::quality::of(contract, vector)).map(|quality| PlayerQuality {
        score: quality.score,
        ready: quality.ready,
        required_default_count: quality.required_default_count,
    });
    PlayerFacts { job: job.id.clone(), code: outcome.code, has_quotes: !job.quotes.is_empty(), quality }
}

/// The record beside the body must say the same: progress was counted by it.
fn check(staged: &StagedJob, outcome: &Outcome) -> Result<(), GatherError> {
    let inconsistent = |why: String| Err(GatherError::Inconsistent { id: staged.id.to_string(), why });
    if outcome.code != staged.done.code {
        return inconsistent(format!("ended as {} but its record says {}", staged.done.code, outcome.code));
    }
    if outcome.rows.len() != staged.done.num_rows as usize {
        return inconsistent(format!("{} rows counted, {} staged", staged.done.num_rows, outcome.rows.len()));
    }
    if let Some(row) = outcome.rows.iter().find(|row| row.key.player != staged.id.player) {
        return inconsistent(format!("holds a row of {}", row.key.player));
    }
    Ok(())
}
