//! Where a batch stands, as `GET /status` shows it: the same bytes from every instance.
//!
//! An open batch is told from the state store, an ended one from the warehouse, never mixed (incident 8).

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::Receipt;
use proto::api::{BatchStatus, Progress, RowCounts, StateReason};
use proto::outcome::OutcomeCounts;
use protocol::Millis;
use protocol::ops::BatchView;
use warehouse::BatchRecord;

/// The status of a batch that is open in the store. `active` are the slate's active rows in the warehouse.
pub(crate) fn of_open(view: &BatchView, active: u64) -> BatchStatus {
    let reason = view.closing.as_ref().map(|closing| StateReason {
        code: closing.reason.as_str().to_owned(),
        sentence: closing.reason.sentence().to_owned(),
    });
    BatchStatus {
        batch_id: view.batch_id.clone(),
        game_date: view.slate.game_date,
        state: view.state.to_string(),
        state_reason: reason,
        generation: view.generation,
        health: None,
        findings: Vec::new(),
        progress: progress(view.total, view.queued, view.leased, &view.jobs),
        rows: RowCounts { staged: view.staged_rows, published: 0, carried: 0, active },
        reasons: view.reasons.iter().map(|(code, n)| (code.to_string(), *n)).collect(),
        figures: BTreeMap::new(),
        started_at: instant(view.opened_at),
        updated_at: instant(view.updated_at),
        finish_by: instant(view.finish_by),
        ended_at: None,
        receipt: None,
    }
}

/// The status of a batch whose verdict stands: the receipt's numbers, in the same shape.
pub(crate) fn of_ended(
    record: &BatchRecord,
    receipt: &Receipt,
    finish_by: Timestamp,
    active: u64,
) -> BatchStatus {
    let jobs = &receipt.jobs;
    let health = receipt.health.as_ref();
    BatchStatus {
        batch_id: receipt.batch_id.clone(),
        game_date: receipt.slate.game_date,
        state: receipt.verdict.state.to_string(),
        state_reason: Some(StateReason {
            code: receipt.verdict.reason.to_string(),
            sentence: receipt.verdict.sentence.clone(),
        }),
        generation: receipt.generation,
        health: health.map(|health| health.level),
        findings: health.map(|health| health.findings.clone()).unwrap_or_default(),
        progress: progress(jobs.total(), 0, 0, jobs),
        rows: RowCounts {
            staged: 0,
            published: receipt.published,
            carried: receipt.carried.len() as u64,
            active,
        },
        reasons: receipt.reasons.clone(),
        figures: health.map(|health| health.figures.clone()).unwrap_or_default(),
        started_at: record.registered_at.unwrap_or(receipt.decided_at),
        updated_at: receipt.decided_at,
        finish_by,
        ended_at: Some(receipt.decided_at),
        receipt: Some(receipt.clone()),
    }
}

/// Progress is derived from places: it cannot exceed 100 %, and is 100 % only when nothing is open.
pub(crate) fn progress(total: u64, queued: u64, leased: u64, jobs: &OutcomeCounts) -> Progress {
    let done = jobs.total();
    let pct = match total {
        0 => 0.0,
        _ if done == total => 100.0,
        _ => (done as f64 * 1000.0 / total as f64).floor().min(999.0) / 10.0,
    };
    Progress {
        total,
        done,
        pct,
        open: queued + leased,
        queued,
        leased,
        predicted: jobs.predicted,
        rejected: jobs.rejected,
        skipped: jobs.skipped,
        failed: jobs.failed,
        expired: jobs.expired,
        abandoned: jobs.abandoned,
    }
}

/// Milliseconds of the store's clock as an instant; beyond what a calendar holds, its end.
pub(crate) fn instant(ms: Millis) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incident_94_progress_never_exceeds_and_never_pretends() {
        for (total, done, pct) in [(0, 0, 0.0), (3, 1, 33.3), (100_000, 99_999, 99.9), (7, 7, 100.0)] {
            let jobs = OutcomeCounts { predicted: done, ..OutcomeCounts::default() };
            let progress = progress(total, total - done, 0, &jobs);
            assert_eq!((progress.pct, progress.open), (pct, total - done), "{done} of {total}");
        }
    }
}
