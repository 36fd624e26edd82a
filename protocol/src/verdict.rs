//! How a batch ends: one pure function, called inside the warehouse transaction.

use std::collections::BTreeMap;

use proto::outcome::OutcomeCounts;
use proto::verdict::VerdictReason;
use proto::{Code, EndState, Verdict};

use crate::batch::{CloseReason, Closing, Mode};

/// Everything the decision looks at.
#[derive(Debug, Clone)]
pub struct VerdictInput<'a> {
    /// Frozen at close.
    pub closing: &'a Closing,
    /// This batch's number among the slate's.
    pub generation: u64,
    /// The slate's published generation, read under the slate's lock.
    pub published_generation: u64,
    /// Jobs by outcome, after the drain.
    pub jobs: &'a OutcomeCounts,
    /// Jobs by primary code.
    pub reasons: &'a BTreeMap<String, u64>,
}

/// Predicted over what was owed: rejected and skipped jobs owe nothing; 1 when nothing was owed.
pub fn coverage(jobs: &OutcomeCounts) -> f64 {
    let owed = jobs.predicted + jobs.unfinished();
    if owed == 0 { 1.0 } else { jobs.predicted as f64 / owed as f64 }
}

/// Coverage if the batch were closed now: open jobs would end unfinished.
pub fn coverage_if_closed_now(jobs: &OutcomeCounts, open: u64) -> f64 {
    coverage(&OutcomeCounts { abandoned: jobs.abandoned + open, ..*jobs })
}

/// Decides the end of a batch.
pub fn decide(input: &VerdictInput<'_>) -> Verdict {
    let VerdictInput { closing, jobs, .. } = input;
    if let Some(verdict) = discarded(closing) {
        return verdict;
    }
    if input.published_generation > input.generation {
        return failed(
            VerdictReason::Overtaken,
            format!(
                "generation {} of the slate is already published, this batch is generation {}",
                input.published_generation, input.generation
            ),
        );
    }
    let covered = coverage(jobs);
    if covered < closing.min_coverage {
        return failed(
            VerdictReason::Coverage,
            format!(
                "{} of {} owed players were predicted ({:.1} %), below the floor of {:.1} %; the previous slate stays",
                jobs.predicted,
                jobs.predicted + jobs.unfinished(),
                covered * 100.0,
                closing.min_coverage * 100.0
            ),
        );
    }
    if jobs.predicted == 0 && nobody_is_suspicious(input) {
        return failed(
            VerdictReason::NothingPredicted,
            "nobody was predicted although players were owed a prediction; the previous slate stays"
                .to_owned(),
        );
    }
    published(jobs)
}

fn discarded(closing: &Closing) -> Option<Verdict> {
    let reason = match (closing.mode, closing.reason) {
        (Mode::Publish, _) => return None,
        (Mode::Discard, CloseReason::NeverSealed) => VerdictReason::NeverSealed,
        (Mode::Discard, CloseReason::StateLost) => VerdictReason::StateLost,
        (Mode::Discard, CloseReason::Finalizer) => VerdictReason::Finalizer,
        (Mode::Discard, _) => VerdictReason::Reset,
    };
    let sentence = format!("{}; the previous slate stays", closing.reason.sentence());
    Some(match reason {
        VerdictReason::Reset => Verdict { state: EndState::Reset, reason, sentence },
        _ => failed(reason, sentence),
    })
}

/// Nobody predicted is in order only where nothing was owed (incident 27: zero rows were called a success).
fn nobody_is_suspicious(input: &VerdictInput<'_>) -> bool {
    let has = |code: Code| input.reasons.get(code.as_str()).is_some_and(|n| *n > 0);
    let of_slate = input.jobs.rejected > 0 || has(Code::NoLine) || has(Code::FeatureQuality);
    input.jobs.unfinished() > 0 || (input.closing.whole_slate && of_slate)
}

fn published(jobs: &OutcomeCounts) -> Verdict {
    let unfinished = jobs.unfinished();
    if unfinished > 0 {
        return Verdict {
            state: EndState::Partial,
            reason: VerdictReason::Unfinished,
            sentence: format!(
                "{} players predicted; {} failed, {} expired, {} abandoned",
                jobs.predicted, jobs.failed, jobs.expired, jobs.abandoned
            ),
        };
    }
    Verdict {
        state: EndState::Complete,
        reason: VerdictReason::AllDone,
        sentence: format!(
            "{} players predicted; {} rejected and {} skipped, each with its reason",
            jobs.predicted, jobs.rejected, jobs.skipped
        ),
    }
}

fn failed(reason: VerdictReason, sentence: String) -> Verdict {
    Verdict { state: EndState::Failed, reason, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(
        predicted: u64,
        rejected: u64,
        skipped: u64,
        failed: u64,
        expired: u64,
        abandoned: u64,
    ) -> OutcomeCounts {
        OutcomeCounts { predicted, rejected, skipped, failed, expired, abandoned }
    }

    fn verdict_of(reason: CloseReason, jobs: OutcomeCounts, whole_slate: bool, codes: &[Code]) -> String {
        let closing = Closing { mode: reason.mode(), reason, min_coverage: 0.5, whole_slate, closed_at: 0 };
        let reasons = codes.iter().map(|code| (code.to_string(), 1)).collect();
        let input = VerdictInput {
            closing: &closing,
            generation: 2,
            published_generation: 1,
            jobs: &jobs,
            reasons: &reasons,
        };
        let verdict = decide(&input);
        format!("{}({})", verdict.state, verdict.reason)
    }

    #[test]
    fn the_verdict_is_a_table() {
        use CloseReason::{AllDone, Finalizer, FinishBy, NeverSealed, Operator, Reset, StateLost};
        for (reason, counts, whole, codes, want) in [
            (AllDone, jobs(77, 4, 0, 0, 0, 0), true, &[][..], "complete(all_done)"),
            (AllDone, jobs(77, 0, 0, 1, 0, 0), true, &[], "partial(unfinished)"),
            (FinishBy, jobs(50, 0, 0, 0, 50, 0), true, &[], "partial(unfinished)"),
            (FinishBy, jobs(49, 0, 0, 0, 51, 0), true, &[], "failed(coverage)"),
            (Operator, jobs(95, 0, 0, 0, 0, 5), true, &[], "partial(unfinished)"),
            (AllDone, jobs(0, 5, 0, 0, 0, 0), true, &[], "failed(nothing_predicted)"),
            (AllDone, jobs(0, 5, 0, 0, 0, 0), false, &[], "complete(all_done)"),
            (AllDone, jobs(0, 0, 9, 0, 0, 0), true, &[Code::NoLine], "failed(nothing_predicted)"),
            (AllDone, jobs(0, 0, 9, 0, 0, 0), true, &[Code::FeatureQuality], "failed(nothing_predicted)"),
            (AllDone, jobs(0, 0, 9, 0, 0, 0), true, &[Code::InjuredOut], "complete(all_done)"),
            (AllDone, jobs(0, 0, 9, 0, 0, 0), false, &[Code::NoLine], "complete(all_done)"),
            (Reset, jobs(77, 0, 0, 0, 0, 4), true, &[], "reset(reset)"),
            (NeverSealed, jobs(0, 0, 0, 0, 0, 9), true, &[], "failed(never_sealed)"),
            (StateLost, jobs(0, 0, 0, 0, 0, 0), true, &[], "failed(state_lost)"),
            (Finalizer, jobs(9, 0, 0, 0, 0, 0), true, &[], "failed(finalizer)"),
        ] {
            assert_eq!(verdict_of(reason, counts, whole, codes), want, "{reason:?} {counts:?} {codes:?}");
        }
    }

    #[test]
    fn a_min_coverage_of_zero_still_refuses_nobody() {
        let closing = Closing {
            mode: Mode::Publish,
            reason: CloseReason::FinishBy,
            min_coverage: 0.0,
            whole_slate: false,
            closed_at: 0,
        };
        let counts = jobs(0, 0, 0, 0, 3, 0);
        let reasons = BTreeMap::new();
        let input = VerdictInput {
            closing: &closing,
            generation: 1,
            published_generation: 0,
            jobs: &counts,
            reasons: &reasons,
        };
        assert_eq!(decide(&input).reason, VerdictReason::NothingPredicted);
    }

    #[test]
    fn an_older_generation_never_publishes_over_a_newer_one() {
        let closing = Closing {
            mode: Mode::Publish,
            reason: CloseReason::AllDone,
            min_coverage: 0.5,
            whole_slate: true,
            closed_at: 0,
        };
        let counts = jobs(10, 0, 0, 0, 0, 0);
        let reasons = BTreeMap::new();
        for (generation, published_generation, state) in
            [(3, 4, EndState::Failed), (4, 4, EndState::Complete), (4, 3, EndState::Complete)]
        {
            let input = VerdictInput {
                closing: &closing,
                generation,
                published_generation,
                jobs: &counts,
                reasons: &reasons,
            };
            assert_eq!(decide(&input).state, state, "{generation} after {published_generation}");
        }
    }

    #[test]
    fn coverage_counts_what_was_owed() {
        assert_eq!(coverage(&jobs(0, 3, 4, 0, 0, 0)), 1.0);
        assert_eq!(coverage(&jobs(1, 3, 4, 1, 1, 1)), 0.25);
        assert_eq!(coverage_if_closed_now(&jobs(95, 0, 0, 0, 0, 0), 5), 0.95);
    }
}
