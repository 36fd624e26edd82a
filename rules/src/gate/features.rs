//! The feature gate: first what refuses the whole job, then each system by what it reads, then the quality that is left.

use proto::features::FeatureContract;
use proto::{Code, CodeNote, FeatureVector, Job, Market, Outcome, SystemId};

use super::line::Lines;
use super::{Gate, Prepared, SystemNeeds, row_note};
use crate::quality::{self, MATCHUP_FLOOR, Quality};

pub(super) fn gate(job: &Job, needs: &[SystemNeeds], contract: &FeatureContract, lines: Lines) -> Gate {
    let mut notes = lines.notes.clone();
    let vector = match usable_row(job, contract) {
        Ok(vector) => vector,
        Err(note) => {
            notes.push(note);
            return Gate::End(refused(job, notes));
        }
    };
    let rows = Rows::split(job, needs, contract, vector, &lines);
    if rows.run.is_empty() {
        return Gate::End(nobody_left(job, rows, notes));
    }
    let quality = quality::of_read(contract, vector, |at| rows.read[at]);
    let too_low = too_low(job, &quality);
    if !too_low.is_empty() {
        notes.extend(too_low);
        notes.extend(rows.refused.into_iter().map(|(_, _, note)| note));
        return Gate::End(refused(job, notes));
    }
    let Rows { run, refused, .. } = rows;
    Gate::Go(Prepared {
        lines: lines.chosen,
        run: run.into_iter().map(|n| (n.system_id.clone(), n.market.clone())).collect(),
        refused,
        notes,
        quality,
    })
}

/// The vector, if it was built, for this contract, after its newest input. A time that is missing refuses.
fn usable_row<'a>(job: &'a Job, contract: &FeatureContract) -> Result<&'a FeatureVector, CodeNote> {
    let note = |code, sentence: String| Err(CodeNote::of_job(code, sentence));
    let (name, game) = (&job.name, job.id.game);
    let Some(vector) = &job.features else {
        return note(Code::NoFeatures, format!("no features are built for {name} in {game}"));
    };
    if !quality::fits(contract, vector) {
        let (found, width) = (&vector.contract_version, vector.features.len());
        let (wanted, needed) = (&contract.version, contract.features.len());
        return note(
            Code::ContractMismatch,
            format!(
                "the features of {name} are of contract {found} with {width} values, wanted is {wanted} with {needed}"
            ),
        );
    }
    match (job.features_built_at, job.inputs_ingested_at) {
        (Some(built), Some(ingested)) if ingested <= built => Ok(vector),
        (Some(built), Some(ingested)) => note(
            Code::StaleFeatures,
            format!("the features of {name} were built {built}, an input of them arrived {ingested}"),
        ),
        (None, _) => {
            note(Code::StaleFeatures, format!("nothing says when the features of {name} were built"))
        }
        (_, None) => note(
            Code::StaleFeatures,
            format!("nothing says when the inputs of the features of {name} arrived"),
        ),
    }
}

/// Owed rows, told apart: those that may run, and those that are refused with one note each.
struct Rows<'a> {
    run: Vec<&'a SystemNeeds>,
    refused: Vec<(SystemId, Market, CodeNote)>,
    /// Of each position of the contract, whether a running system reads it.
    read: Vec<bool>,
}

impl<'a> Rows<'a> {
    fn split(
        job: &Job,
        needs: &'a [SystemNeeds],
        contract: &FeatureContract,
        vector: &FeatureVector,
        lines: &Lines,
    ) -> Self {
        let mut rows =
            Rows { run: Vec::new(), refused: Vec::new(), read: vec![false; contract.features.len()] };
        for (market, system) in &job.wanted {
            let wanted = needs.iter().find(|n| &n.system_id == system && &n.market == market);
            let verdict = line_of(market, lines)
                .and_then(|()| {
                    wanted.ok_or_else(|| (Code::Model, format!("has no model that can run for {market}")))
                })
                .and_then(|needs| defaults(needs, contract, vector).map(|()| needs));
            match verdict {
                Ok(needs) => {
                    needs.features.iter().for_each(|at| rows.read[*at] = true);
                    rows.run.push(needs);
                }
                Err((code, why)) => {
                    let note = row_note(system, market, code, &why);
                    rows.refused.push((system.clone(), market.clone(), note));
                }
            }
        }
        rows
    }
}

fn line_of(market: &Market, lines: &Lines) -> Result<(), (Code, String)> {
    match lines.without.get(market) {
        Some(refusal) => Err(refusal.clone()),
        None if lines.chosen.contains_key(market) => Ok(()),
        None => Err((Code::NoLine, format!("no book quotes {market}"))),
    }
}

/// Refuses a system that reads a required feature without a value of its own, or one the contract does not have.
fn defaults(
    needs: &SystemNeeds,
    contract: &FeatureContract,
    vector: &FeatureVector,
) -> Result<(), (Code, String)> {
    let mut names = Vec::new();
    for at in &needs.features {
        let (Some(spec), Some(feature)) = (contract.features.get(*at), vector.features.get(*at)) else {
            return Err((Code::ContractMismatch, format!("reads feature {at}, the contract has none there")));
        };
        if quality::is_required_default(spec, feature) {
            names.push(spec.name.as_str());
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    Err((Code::RequiredDefault, format!("requires {}, which is missing", names.join(", "))))
}

/// Floor and threshold; written so that a score that is no number refuses.
fn too_low(job: &Job, quality: &Quality) -> Vec<CodeNote> {
    let mut notes = Vec::new();
    let (name, mode) = (&job.name, job.run_mode);
    let threshold = quality::threshold(mode);
    let is_matchup_enough = quality.matchup >= MATCHUP_FLOOR;
    let is_score_enough = quality.score >= threshold;
    if !is_matchup_enough {
        let sentence =
            format!("matchup quality of {name} is {:.1}, the floor is {MATCHUP_FLOOR}", quality.matchup);
        notes.push(CodeNote::of_job(Code::MatchupBelowFloor, sentence));
    }
    if !is_score_enough {
        let sentence = format!("feature quality of {name} is {:.1}, {mode} needs {threshold}", quality.score);
        notes.push(CodeNote::of_job(Code::QualityBelowThreshold, sentence));
    }
    notes
}

/// No row is left to run: features refused some, or no model is there for any.
fn nobody_left(job: &Job, rows: Rows<'_>, mut notes: Vec<CodeNote>) -> Outcome {
    let by_features = |note: &CodeNote| matches!(note.code, Code::RequiredDefault | Code::ContractMismatch);
    let row_notes: Vec<CodeNote> = rows.refused.into_iter().map(|(_, _, note)| note).collect();
    let is_feature_refusal = row_notes.iter().any(by_features);
    let example = row_notes.first().map_or_else(|| "no system is wanted".to_owned(), |n| n.sentence.clone());
    notes.extend(row_notes);
    if is_feature_refusal {
        return refused(job, notes);
    }
    let sentence = format!("no wanted model can answer for {}; {example}", job.name);
    Outcome { codes: notes, ..Outcome::without_rows(Code::Model, sentence, job.rows_owed()) }
}

/// `skipped(feature_quality)`, with the first specific code in the sentence.
fn refused(job: &Job, notes: Vec<CodeNote>) -> Outcome {
    let is_feature_code = |code| {
        matches!(
            code,
            Code::NoFeatures
                | Code::RequiredDefault
                | Code::QualityBelowThreshold
                | Code::MatchupBelowFloor
                | Code::StaleFeatures
                | Code::ContractMismatch
        )
    };
    let why = notes
        .iter()
        .find(|n| is_feature_code(n.code))
        .map_or("the features are not good enough", |n| &n.sentence);
    let sentence = why.to_owned();
    Outcome { codes: notes, ..Outcome::without_rows(Code::FeatureQuality, sentence, job.rows_owed()) }
}
