//! One job's trouble stays its own.

use std::collections::BTreeMap;
use std::sync::Mutex;

use proto::Code;
use protocol::worker::JobResult;
use workers::fault::FaultyPredictor;
use workers::predictor::predict_isolated;
use workers::{ModelPredictor, Predictor, Rulebook, Task};

use crate::samples::{at, chunk, claimed, job, models};

fn real() -> workers::SharedPredictor {
    std::sync::Arc::new(ModelPredictor::new(
        Rulebook::default(),
        std::sync::Arc::new(|| at("2026-01-23T23:31:00Z")),
    ))
}

/// Results of a chunk of these players, each exactly once.
fn results(predictor: &dyn Predictor, players: &[&str]) -> BTreeMap<u32, JobResult> {
    let jobs = (0u32..).zip(players).map(|(seq, player)| claimed(seq, &job(player, &["alpha"]))).collect();
    let mut results = BTreeMap::new();
    let (models, chunk) = (models(), chunk(jobs));
    let task = Task { models: &models, contract_version: &chunk.contract_version, jobs: &chunk.jobs };
    predict_isolated(predictor, task, &mut |result| {
        assert_eq!(results.insert(result.seq(), result), None, "once");
    });
    assert_eq!(results.len(), players.len(), "each job has a result");
    results
}

fn is_predicted(result: &JobResult) -> bool {
    matches!(result, JobResult::Completed(done) if done.code == Code::Predicted)
}

#[test]
fn a_panic_costs_only_the_job_that_causes_it() {
    let faulty = FaultyPredictor::new(real(), "panic:beta".parse().unwrap());
    let results = results(&faulty, &["alphaplayer", "beta", "gamma", "delta"]);
    for seq in [0, 2, 3] {
        assert!(is_predicted(&results[&seq]), "{:?}", results[&seq]);
    }
    let JobResult::Retry { code, error, .. } = &results[&1] else { panic!("{:?}", results[&1]) };
    assert_eq!(*code, Code::Panic);
    assert_eq!(error, "predicting beta@20260123_MIA_BOS panicked: the drill panics on beta@20260123_MIA_BOS");
}

/// Counts the tasks it gets, and does with each what it is told to.
struct Scripted(Mutex<Vec<usize>>, fn(&dyn Predictor, Task<'_>, &mut dyn FnMut(JobResult)));

impl Predictor for Scripted {
    fn predict(&self, task: Task<'_>, emit: &mut dyn FnMut(JobResult)) {
        self.0.lock().unwrap().push(task.jobs.len());
        (self.1)(real().as_ref(), task, emit);
    }
}

#[test]
fn a_job_alone_is_tried_once_and_others_get_a_try_of_their_own() {
    let always = Scripted(Mutex::default(), |_, _, _| panic!("always"));
    results(&always, &["alone"]);
    assert_eq!(*always.0.lock().unwrap(), [1]);

    let always = Scripted(Mutex::default(), |_, _, _| panic!("always"));
    results(&always, &["one", "two"]);
    assert_eq!(*always.0.lock().unwrap(), [2, 1, 1]);
}

#[test]
fn a_predictor_that_forgets_or_repeats_itself_is_set_right() {
    let forgetful = Scripted(Mutex::default(), |real, task, emit| {
        real.predict(Task { jobs: &task.jobs[1..], ..task }, emit);
    });
    let answers = results(&forgetful, &["forgotten", "kept"]);
    assert!(
        matches!(&answers[&0], JobResult::Retry { code: Code::Error, error, .. } if error.ends_with("gave no result")),
        "{:?}",
        answers[&0]
    );
    assert!(is_predicted(&answers[&1]));

    let twice = Scripted(Mutex::default(), |real, task, emit| {
        real.predict(task, emit);
        real.predict(task, emit);
        emit(JobResult::Refused { seq: 99 });
    });
    assert!(is_predicted(&results(&twice, &["once"])[&0]));
}
