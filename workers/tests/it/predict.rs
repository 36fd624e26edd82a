//! Job in, rows out: every path through the gates, and that a chunk is no more than its jobs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use proto::codec::decode_outcome;
use proto::{
    Code, Feature, FeatureSource, GameStatus, InjuryStatus, Job, Market, Outcome, OutcomeKind,
    Recommendation, Sha256,
};
use protocol::ops::{ClaimedJob, Completion};
use protocol::worker::JobResult;
use workers::{ModelSet, Rulebook, predict_chunk};

use crate::samples::{at, claimed, job, models, quote, vector};

const NOW: &str = "2026-01-23T23:31:00Z";

fn predict(models: &ModelSet, jobs: &[ClaimedJob], now: Timestamp) -> BTreeMap<u32, JobResult> {
    let mut results = BTreeMap::new();
    let version = &rules::contract().version;
    predict_chunk(&Rulebook::default(), models, version, jobs, now, &mut |result| {
        let earlier = results.insert(result.seq(), result);
        assert_eq!(earlier, None, "each job is emitted once");
    });
    assert_eq!(results.len(), jobs.len(), "each job is emitted");
    results
}

fn completion_of(job: &Job) -> Completion {
    match predict(&models(), &[claimed(0, job)], at(NOW)).remove(&0) {
        Some(JobResult::Completed(completion)) => completion,
        other => panic!("{other:?}"),
    }
}

fn outcome_of(job: &Job) -> Outcome {
    let completion = completion_of(job);
    let outcome = decode_outcome(&completion.body).unwrap();
    assert_eq!((completion.code, completion.num_rows as usize), (outcome.code, outcome.rows.len()));
    let refused: u64 = rules::gate::refused_rows(&outcome).values().sum();
    let accounted = outcome.rows.len() as u64 + refused;
    assert_eq!(accounted, u64::from(job.rows_owed()), "each owed row is there or has a code: {outcome:?}");
    assert!(!outcome.sentence.is_empty());
    outcome
}

#[test]
fn a_clean_job_gets_a_row_from_every_system() {
    let outcome =
        outcome_of(&job("jaylenbrown", &["alpha", "beta", "gamma", "moving_average_v1", "catboost_v2"]));
    assert_eq!((outcome.code, outcome.rows.len()), (Code::Predicted, 5));
    let alpha = &outcome.rows[0];
    assert_eq!((alpha.key.system_id.as_str(), alpha.predicted_value), ("alpha", 24.0));
    let basis = &alpha.basis;
    assert_eq!((basis.line.points(), alpha.line_margin), (22.5, 1.5));
    assert_eq!((alpha.recommendation, basis.book.as_str()), (Recommendation::Over, "draftkings"));
    assert_eq!((basis.predicted_at, basis.feature_quality_score), (at(NOW), 100.0));
    let default = Sha256::default();
    assert!(outcome.rows.iter().all(|row| row.model_sha256 != default && row.row_sha256 != default));
    assert!(!alpha.in_sample, "a formula has seen no results");
}

/// A change to a clean job, and how the job must end: code, rows, and a code among the notes.
type Path = (&'static str, fn(&mut Job), Code, usize, Option<Code>);

fn defaulted(job: &mut Job, names: &[&str]) {
    let changes: Vec<_> = names.iter().map(|name| (*name, Feature::default_of(10.0))).collect();
    job.features = Some(vector(&changes));
}

#[test]
fn every_path_through_the_gates() {
    let paths: &[Path] = &[
        (
            "injury comes before lines",
            |j| (j.injury, j.quotes) = (InjuryStatus::Out, vec![]),
            Code::InjuredOut,
            0,
            None,
        ),
        ("questionable plays", |j| j.injury = InjuryStatus::Questionable, Code::Predicted, 3, None),
        ("postponed", |j| j.game_status = GameStatus::Postponed, Code::GamePostponed, 0, None),
        ("cancelled", |j| j.game_status = GameStatus::Cancelled, Code::GamePostponed, 0, None),
        ("unresolved player", |j| j.player_resolved = false, Code::PlayerUnresolved, 0, None),
        ("nobody quotes", |j| j.quotes.clear(), Code::NoLine, 0, None),
        (
            "nobody quotes a bench player",
            |j| (j.projected_minutes, j.quotes) = (Some(9.0), vec![]),
            Code::LowMinutes,
            0,
            None,
        ),
        (
            "no provenance",
            |j| j.quotes.iter_mut().for_each(|q| q.event_id = None),
            Code::Placeholder,
            0,
            Some(Code::Placeholder),
        ),
        (
            "one side only",
            |j| j.quotes.iter_mut().for_each(|q| q.under = None),
            Code::OneSided,
            0,
            Some(Code::OneSided),
        ),
        (
            "old quotes",
            |j| j.quotes.iter_mut().for_each(|q| q.snapshot_at = Some(at("2026-01-23T02:00:00Z"))),
            Code::Stale,
            0,
            Some(Code::Stale),
        ),
        (
            "in play",
            |j| j.quotes.iter_mut().for_each(|q| q.snapshot_at = Some(at("2026-01-24T00:30:00Z"))),
            Code::InPlay,
            0,
            Some(Code::InPlay),
        ),
        (
            "one bad quote costs itself",
            |j| j.quotes[0].under = None,
            Code::Predicted,
            3,
            Some(Code::OneSided),
        ),
        ("no features", |j| j.features = None, Code::FeatureQuality, 0, Some(Code::NoFeatures)),
        (
            "another contract",
            |j| j.features.as_mut().unwrap().contract_version = "v0".into(),
            Code::FeatureQuality,
            0,
            Some(Code::ContractMismatch),
        ),
        (
            "stale features",
            |j| j.features_built_at = Some(at("2026-01-23T13:00:00Z")),
            Code::FeatureQuality,
            0,
            Some(Code::StaleFeatures),
        ),
        (
            "a default costs who reads it",
            |j| defaulted(j, &["points_avg_last_5"]),
            Code::Predicted,
            2,
            Some(Code::RequiredDefault),
        ),
        (
            "no system is left",
            |j| {
                defaulted(j, &["points_avg_last_5", "points_avg_season"]);
                j.wanted.pop();
            },
            Code::FeatureQuality,
            0,
            Some(Code::RequiredDefault),
        ),
        (
            "matchup floor",
            |j| defaulted(j, &["opponent_pace"]),
            Code::FeatureQuality,
            0,
            Some(Code::MatchupBelowFloor),
        ),
        (
            "score below the threshold",
            |j| {
                defaulted(
                    j,
                    &[
                        "home_away",
                        "back_to_back",
                        "playoff_game",
                        "team_pace",
                        "team_off_rating",
                        "team_win_pct",
                        "has_vegas_line",
                        "games_vs_opponent",
                        "ppm_avg_last_10",
                        "points_std_last_10",
                    ],
                )
            },
            Code::FeatureQuality,
            0,
            Some(Code::QualityBelowThreshold),
        ),
        (
            "an optional feature is missing",
            |j| j.features = Some(vector(&[("avg_points_vs_opponent", Feature::missing())])),
            Code::Predicted,
            2,
            Some(Code::Model),
        ),
        (
            "the only system lacks it",
            |j| {
                j.features = Some(vector(&[("avg_points_vs_opponent", Feature::missing())]));
                j.wanted = vec![(Market::points(), "gamma".parse().unwrap())];
            },
            Code::Model,
            0,
            Some(Code::Model),
        ),
        (
            "a system this process lacks",
            |j| j.wanted.push((Market::points(), "omega".parse().unwrap())),
            Code::Predicted,
            3,
            Some(Code::Model),
        ),
        (
            "only systems this process lacks",
            |j| j.wanted = vec![(Market::points(), "omega".parse().unwrap())],
            Code::Model,
            0,
            Some(Code::Model),
        ),
        (
            "one answer is too far off",
            |j| {
                j.features = Some(vector(&[("points_avg_last_5", Feature::real(43.0, FeatureSource::Facts))]))
            },
            Code::Predicted,
            2,
            Some(Code::EdgeOutOfRange),
        ),
        (
            "every answer is impossible",
            |j| {
                j.features =
                    Some(vector(&[("points_avg_last_5", Feature::real(81.0, FeatureSource::Facts))]));
                j.quotes = vec![quote("fanduel", "70.5")];
                j.wanted.truncate(1);
            },
            Code::RowCheck,
            0,
            Some(Code::OutOfRange),
        ),
    ];
    for (name, change, code, rows, note) in paths {
        let mut job = job("jaylenbrown", &["alpha", "beta", "gamma"]);
        change(&mut job);
        let outcome = outcome_of(&job);
        assert_eq!((outcome.code, outcome.rows.len()), (*code, *rows), "{name}: {outcome:?}");
        let codes: Vec<Code> = outcome.codes.iter().map(|note| note.code).collect();
        assert!(note.is_none_or(|note| codes.contains(&note)), "{name}: {codes:?}");
    }
}

#[test]
fn incident_02_refusals_are_outcomes_and_cost_nobody_else() {
    let systems = ["alpha", "beta"];
    let mut jobs: Vec<Job> = (0..81).map(|n| job(&format!("player{n}"), &systems)).collect();
    for bad in &mut jobs[10..14] {
        bad.quotes.iter_mut().for_each(|quote| quote.over = None);
    }
    let chunk: Vec<_> = (0u32..).zip(&jobs).map(|(seq, job)| claimed(seq, job)).collect();
    let mut kinds: BTreeMap<OutcomeKind, usize> = BTreeMap::new();
    for result in predict(&models(), &chunk, at(NOW)).into_values() {
        let JobResult::Completed(completion) = result else { panic!("{result:?}") };
        *kinds.entry(completion.code.outcome()).or_default() += 1;
    }
    assert_eq!(kinds, BTreeMap::from([(OutcomeKind::Predicted, 77), (OutcomeKind::Rejected, 4)]));
}

#[test]
fn incident_75_a_model_never_sees_a_default() {
    // The five-game average is filled in with the contract's default: nobody may answer from it.
    let mut job = job("jaylenbrown", &["alpha", "moving_average_v1", "beta"]);
    defaulted(&mut job, &["points_avg_last_5"]);
    let outcome = outcome_of(&job);
    let systems: Vec<&str> = outcome.rows.iter().map(|row| row.key.system_id.as_str()).collect();
    assert_eq!(systems, ["beta"], "the one that does not read it");

    // An optional feature that somebody filled in all the same enters as missing.
    let mut filled = crate::samples::job("jaylenbrown", &["gamma"]);
    filled.features = Some(vector(&[(
        "avg_points_vs_opponent",
        Feature { defaulted: true, ..Feature::real(24.0, FeatureSource::OpponentHistory) },
    )]));
    assert_eq!(outcome_of(&filled).code, Code::Model);
}

#[test]
fn the_digest_leaves_the_clock_out() {
    let job = claimed(0, &job("jaylenbrown", &["alpha", "catboost_v2_noveg"]));
    let of = |now: &str| match predict(&models(), std::slice::from_ref(&job), at(now)).remove(&0) {
        Some(JobResult::Completed(completion)) => completion,
        other => panic!("{other:?}"),
    };
    let (first, again) = (of(NOW), of("2026-01-23T23:59:59.123456789Z"));
    assert_eq!(first.digest, again.digest);
    assert_ne!(first.body, again.body, "the rows say when they were made");
    assert_eq!(first.digest.len(), 64);
}

#[test]
fn another_answer_has_another_digest() {
    let of = |value: f64| {
        let features = vector(&[("points_avg_last_5", Feature::real(value, FeatureSource::Facts))]);
        completion_of(&Job { features: Some(features), ..job("jaylenbrown", &["alpha"]) }).digest
    };
    assert_ne!(of(24.0), of(24.0 + 1e-12));
}

#[test]
fn what_this_build_cannot_read_is_refused_and_what_is_damaged_fails_in_the_end() {
    let clean = claimed(0, &job("jaylenbrown", &["alpha"]));
    let of_format = |format: u8| {
        let mut payload = clean.payload.clone();
        payload[0] = format;
        ClaimedJob { seq: 1, payload, ..clean.clone() }
    };
    let damaged = ClaimedJob { seq: 2, payload: clean.payload[..40].to_vec(), ..clean.clone() };
    let empty = ClaimedJob { seq: 3, payload: Vec::new(), ..clean.clone() };
    let results = predict(&models(), &[clean.clone(), of_format(99), damaged, empty], at(NOW));
    assert!(matches!(&results[&0], JobResult::Completed(done) if done.code == Code::Predicted));
    assert_eq!(results[&1], JobResult::Refused { seq: 1 });
    for seq in [2, 3] {
        let JobResult::Retry { code, error, .. } = &results[&seq] else { panic!("{:?}", results[&seq]) };
        assert_eq!(*code, Code::Error);
        assert!(error.starts_with("job jaylenbrown@20260123_MIA_BOS: record of"), "{error}");
    }
}

#[test]
fn incident_84_jobs_of_another_contract_are_left_to_others() {
    let jobs = [claimed(7, &job("jaylenbrown", &["alpha"]))];
    let mut results = Vec::new();
    predict_chunk(&Rulebook::default(), &models(), "v999", &jobs, at(NOW), &mut |result| {
        results.push(result)
    });
    assert_eq!(results, [JobResult::Refused { seq: 7 }]);
}

#[test]
fn incident_84_features_reach_a_model_by_name_whatever_their_order() {
    // The predecessor took the share of shots from somewhere for the opponent's pace: one position for another.
    let card = |system: &str, features: [&str; 2], inputs: [f64; 2]| {
        format!(
            "format = 1\nsystem_id = \"{system}\"\nmarket = \"points\"\ntarget = \"points\"\nrole = \"shadow\"\n\
             engine = \"formula\"\nfeatures = [\"{}\", \"{}\"]\n[weights]\nopponent_pace = 0.2\npct_three = 10.0\n\
             [[reference]]\ninputs = {inputs:?}\nexpected = 25.0\n",
            features[0], features[1]
        )
    };
    let registry = crate::samples::registry_of(&[
        card("paint_first", ["pct_three", "opponent_pace"], [0.5, 100.0]),
        card("pace_first", ["opponent_pace", "pct_three"], [100.0, 0.5]),
    ]);
    let models = ModelSet::of_registry(&registry, rules::contract());
    let own = |value| Feature::real(value, FeatureSource::Facts);
    let features = vector(&[("opponent_pace", own(104.0)), ("pct_three", own(0.35))]);
    let job = Job { features: Some(features), ..job("jaylenbrown", &["paint_first", "pace_first"]) };
    let Some(JobResult::Completed(done)) = predict(&models, &[claimed(0, &job)], at(NOW)).remove(&0) else {
        panic!("not completed")
    };
    let answers: Vec<f64> =
        decode_outcome(&done.body).unwrap().rows.iter().map(|row| row.predicted_value).collect();
    let expected = 0.2 * 104.0 + 10.0 * 0.35;
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| (answer - expected).abs() < 1e-9), "{answers:?} for {expected}");
}

/// A job of a slate as it comes: most are clean, some end at each gate.
fn any_job() -> impl Strategy<Value = Job> {
    let systems =
        ["alpha", "beta", "gamma", "moving_average_v1", "catboost_v2", "catboost_v2_noveg", "omega"];
    let wanted = proptest::sample::subsequence(systems.to_vec(), 1..=7);
    (wanted, 0u32..40, 0.0..45.0f64, 0u8..14).prop_map(|(systems, half, average, defect)| {
        let mut job = job(&format!("player{half}"), &systems);
        let own = |value| Feature::real(value, FeatureSource::Facts);
        let mut changes =
            vec![("points_avg_last_5", own(average)), ("points_avg_season", own(average * 0.9))];
        match defect {
            0 => job.injury = InjuryStatus::Out,
            1 => job.quotes.clear(),
            2 => job.quotes.iter_mut().for_each(|quote| quote.over = None),
            3 => changes.push(("avg_points_vs_opponent", Feature::missing())),
            4 => changes.push(("points_avg_last_10", Feature::default_of(10.0))),
            5 => changes.push(("opponent_pace", Feature::default_of(100.0))),
            6 => changes.push(("vegas_points_line", own(f64::INFINITY))),
            7 => job.player_resolved = false,
            _ => job.quotes.truncate(1 + defect as usize % 3),
        }
        job.features = (defect != 8).then(|| vector(&changes));
        job
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_chunk_of_n_gives_what_n_chunks_of_one_give(jobs in proptest::collection::vec(any_job(), 1..24)) {
        let models = models();
        let chunk: Vec<_> = (0u32..).zip(&jobs).map(|(seq, job)| claimed(seq, job)).collect();
        let together = predict(&models, &chunk, at(NOW));
        for job in &chunk {
            let alone = predict(&models, std::slice::from_ref(job), at(NOW));
            prop_assert_eq!(&alone[&job.seq], &together[&job.seq]);
        }
        let mut backwards = chunk.clone();
        backwards.reverse();
        prop_assert_eq!(predict(&models, &backwards, at(NOW)), together);
    }
}
