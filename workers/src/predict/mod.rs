//! Job in, outcome with rows out: the gates in order, then every wanted model, then the row checks.
//!
//! Pure and synchronous; a chunk is answered as a whole, one matrix for each model, because that is what engines are
//! fast at. A job's answer depends on that job alone: a chunk of n gives what n chunks of one give, bit for bit
//! (a property test says so).
//!
//! Every job of the chunk is emitted exactly once:
//! - [`JobResult::Completed`]: it ended, with rows or with a reason. Refusals are outcomes, never retries (incident 2).
//! - [`JobResult::Refused`]: this build cannot read it; costs nothing, somebody else may.
//! - [`JobResult::Retry`]: its record is damaged; bounded by the store.

mod complete;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use models::{FeatureMatrix, Model, NoPrediction};
use proto::codec::{CodecError, decode_job};
use proto::features::FeatureContract;
use proto::{
    Basis, Code, CodeNote, Feature, FeatureSource, Job, Market, ParseError, PredictionRow, Sha256, SystemId,
};
use protocol::ops::ClaimedJob;
use protocol::worker::JobResult;
use rules::gate::{Gate, Prepared, before_predict, finish};
use rules::lines::LinePolicy;
use rules::recommend::RecommendPolicy;
use rules::row::{RowInputs, RowRefusal, basis, build};

use self::complete::completed;
use crate::shelf::{Entry, ModelSet};

/// What an answer depends on besides the job and the models; the same on every worker of a deployment.
#[derive(Debug, Clone)]
pub struct Rulebook {
    /// The feature contract of this build.
    pub contract: &'static FeatureContract,
    /// How quotes are judged.
    pub lines: Arc<LinePolicy>,
    /// What to do about a margin.
    pub recommend: RecommendPolicy,
}

impl Default for Rulebook {
    fn default() -> Self {
        Self {
            contract: rules::contract(),
            lines: Arc::new(LinePolicy::default()),
            recommend: RecommendPolicy::default(),
        }
    }
}

/// Predicts a chunk whose jobs were built for `contract_version`; emits each job once, early ends first.
pub fn predict_chunk(
    rulebook: &Rulebook,
    models: &ModelSet,
    contract_version: &str,
    jobs: &[ClaimedJob],
    predicted_at: Timestamp,
    emit: &mut dyn FnMut(JobResult),
) {
    if contract_version != rulebook.contract.version {
        // Another build may serve this contract; ours would misread every position (incident 84).
        jobs.iter().for_each(|job| emit(JobResult::Refused { seq: job.seq }));
        return;
    }
    let mut running = Vec::with_capacity(jobs.len());
    for claimed in jobs {
        match begin(rulebook, models, claimed, predicted_at) {
            Begun::Over(result) => emit(result),
            Begun::Running(job) => running.push(*job),
        }
    }
    for entry in models.entries() {
        ask(rulebook, entry, &mut running);
    }
    for Running { seq, job, prepared, answers, .. } in running {
        emit(completed(seq, finish(&job, prepared, answers)));
    }
}

/// A job that passed the gates, with the answers it has so far.
struct Running {
    seq: u32,
    job: Job,
    prepared: Prepared,
    /// What the rows of each market share, or why there can be none.
    bases: BTreeMap<Market, Result<Arc<Basis>, RowRefusal>>,
    answers: Vec<(SystemId, Market, Result<PredictionRow, CodeNote>)>,
}

enum Begun {
    Over(JobResult),
    Running(Box<Running>),
}

fn begin(rulebook: &Rulebook, models: &ModelSet, claimed: &ClaimedJob, predicted_at: Timestamp) -> Begun {
    let seq = claimed.seq;
    let job = match decode_job(&claimed.payload) {
        Ok(job) => job,
        Err(CodecError::Format { .. }) => return Begun::Over(JobResult::Refused { seq }),
        // Giving it back for nothing would go on for ever; as a failure it is over after its attempts.
        Err(error @ CodecError::Damaged { .. }) => {
            let error = format!("job {}: {error}", claimed.id);
            return Begun::Over(JobResult::Retry { seq, code: Code::Error, error });
        }
    };
    match before_predict(&job, models.needs(), rulebook.contract, &rulebook.lines) {
        Gate::End(outcome) => Begun::Over(completed(seq, outcome)),
        Gate::Go(prepared) => {
            let score = prepared.quality.score;
            let shared = |(market, line): (&Market, _)| {
                (market.clone(), basis(&job, market, line, score, predicted_at))
            };
            let bases = prepared.lines.iter().map(shared).collect();
            Begun::Running(Box::new(Running { seq, job, prepared, bases, answers: Vec::new() }))
        }
    }
}

/// Asks one model about every job that wants it, and makes its answers rows or refusals.
fn ask(rulebook: &Rulebook, entry: &Entry, running: &mut [Running]) {
    let model = entry.model.as_ref();
    let pin = &model.pin;
    let mut matrix = FeatureMatrix::with_capacity(entry.positions.len(), running.len());
    let mut row = Vec::with_capacity(entry.positions.len());
    let (mut asked, mut lines) = (Vec::with_capacity(running.len()), Vec::with_capacity(running.len()));
    for job in running.iter_mut() {
        let wants = |(system, market): &(SystemId, Market)| *system == pin.system_id && *market == pin.market;
        if !job.prepared.run.iter().any(wants) {
            continue;
        }
        row.clear();
        row.extend(entry.positions.iter().map(|at| model_input(&job.job, *at)));
        // The row has the matrix's width by construction; a refused one would leave the job without an answer, which
        // `finish` accounts for.
        if matrix.push_row(&row).is_ok() {
            lines.push(job.prepared.lines.get(&pin.market).map(|line| line.quote.line.points()));
            asked.push(job);
        }
    }
    if asked.is_empty() {
        return;
    }
    match identified(model, &matrix, &lines) {
        Ok((sha256, values)) => {
            for (job, value) in asked.into_iter().zip(values) {
                let answer = value
                    .map_err(|refusal| refused(model, refusal))
                    .and_then(|predicted| written(rulebook, model, sha256, job, predicted));
                job.answers.push((pin.system_id.clone(), pin.market.clone(), answer));
            }
        }
        Err(why) => {
            for job in asked {
                let note = row_note(model, Code::Model, why.clone());
                job.answers.push((pin.system_id.clone(), pin.market.clone(), Err(note)));
            }
        }
    }
}

/// What a model answers, and the hash under which it does; or why there is no answer.
fn identified(
    model: &Model,
    matrix: &FeatureMatrix,
    lines: &[Option<f64>],
) -> Result<(Sha256, Vec<Result<f64, NoPrediction>>), String> {
    let sha256 = model.pin.sha256.parse().map_err(|error: ParseError| error.to_string())?;
    let values = model.predict(matrix, lines).map_err(|error| error.to_string())?;
    Ok((sha256, values))
}

/// What a model sees of a feature: its own value, or NaN. A default never enters (incidents 71 and 75); where a required
/// feature has no value of its own the gate has refused the system before.
fn model_input(job: &Job, at: usize) -> f64 {
    let feature = job.features.as_ref().and_then(|vector| vector.features.get(at));
    feature.filter(|feature| is_own(feature)).map_or(f64::NAN, |feature| feature.value)
}

fn is_own(feature: &Feature) -> bool {
    let is_filled_in = matches!(feature.source, FeatureSource::Default | FeatureSource::Missing);
    !feature.defaulted && !is_filled_in && feature.value.is_finite()
}

fn written(
    rulebook: &Rulebook,
    model: &Model,
    model_sha256: Sha256,
    running: &Running,
    predicted: f64,
) -> Result<PredictionRow, CodeNote> {
    let pin = &model.pin;
    let basis = match running.bases.get(&pin.market) {
        Some(Ok(basis)) => basis,
        Some(Err(refusal)) => return Err(refusal.note(&pin.system_id, &pin.market)),
        None => return Err(row_note(model, Code::Model, "there is no line to compare with".to_owned())),
    };
    let row = build(&RowInputs {
        job: &running.job.id,
        system_id: &pin.system_id,
        market: &pin.market,
        model_sha256,
        predicted,
        basis,
        over_probability: model.card.calibration.as_ref().and_then(|calibration| {
            calibration.over_probability(predicted - basis.line.points(), basis.no_vig_over)
        }),
        recommend: &RecommendPolicy { hold_below: model.card.hold_below, ..rulebook.recommend },
        in_sample: model.in_sample(running.job.id.game.date),
    });
    row.map_err(|refusal| refusal.note(&pin.system_id, &pin.market))
}

fn refused(model: &Model, refusal: NoPrediction) -> CodeNote {
    let code = match refusal {
        NoPrediction::NotFinite => Code::NotFinite,
        NoPrediction::NoLine | NoPrediction::MissingFeature(_) => Code::Model,
    };
    let sentence = model.explain(refusal);
    let why = sentence.strip_prefix(model.pin.system_id.as_str()).unwrap_or(&sentence).trim_start();
    row_note(model, code, why.to_owned())
}

fn row_note(model: &Model, code: Code, why: String) -> CodeNote {
    RowRefusal { code, why }.note(&model.pin.system_id, &model.pin.market)
}
