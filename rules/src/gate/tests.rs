#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use jiff::Timestamp;
use proptest::prelude::*;
use proto::{Feature, FeatureSource, OutcomeKind, PredictionRow, Quote, RunMode, Sha256};

use super::samples::{job, needs, vector};
use super::*;
use crate::contract;
use crate::lines::samples::{AS_OF, at, quote};
use crate::recommend::RecommendPolicy;
use crate::row::{self, RowInputs};

fn gate(job: &Job) -> Gate {
    before_predict(job, &needs(), contract(), &LinePolicy::default())
}

fn ended(job: &Job) -> Outcome {
    match gate(job) {
        Gate::End(outcome) => {
            assert!(outcome.rows.is_empty() && !outcome.sentence.is_empty());
            assert_eq!(outcome.rows_owed, job.rows_owed());
            outcome
        }
        Gate::Go(prepared) => panic!("it runs: {prepared:?}"),
    }
}

fn went(job: &Job) -> Prepared {
    match gate(job) {
        Gate::Go(prepared) => prepared,
        Gate::End(outcome) => panic!("it ended: {outcome:?}"),
    }
}

fn with_features(changes: &[(&str, Feature)]) -> Job {
    Job { features: Some(vector(changes)), ..job() }
}

fn row(
    job: &Job,
    prepared: &Prepared,
    system: &SystemId,
    market: &Market,
    value: f64,
) -> Result<PredictionRow, CodeNote> {
    let built = row::basis(job, market, &prepared.lines[market], prepared.quality.score, at(AS_OF)).and_then(
        |basis| {
            row::build(&RowInputs {
                job: &job.id,
                system_id: system,
                market,
                model_sha256: Sha256::of(b"m"),
                predicted: value,
                basis: &basis,
                over_probability: None,
                recommend: &RecommendPolicy::default(),
                in_sample: false,
            })
        },
    );
    built.map_err(|refusal| refusal.note(system, market))
}

/// Runs a job with the same answer from every system.
fn run(job: &Job, value: f64) -> Outcome {
    match gate(job) {
        Gate::End(outcome) => outcome,
        Gate::Go(prepared) => {
            let answers = prepared
                .run
                .iter()
                .map(|(s, m)| (s.clone(), m.clone(), row(job, &prepared, s, m, value)))
                .collect();
            finish(job, prepared, answers)
        }
    }
}

#[test]
fn a_clean_job_runs_every_system() {
    let prepared = went(&job());
    assert_eq!(prepared.run.len(), 2);
    assert_eq!((prepared.notes.len(), prepared.refused.len()), (0, 0));
    assert_eq!(prepared.quality.score, 100.0);
    let outcome = run(&job(), 27.0);
    assert_eq!(
        (outcome.code, outcome.rows.len(), outcome.sentence.as_str()),
        (Code::Predicted, 2, "2 of 2 rows")
    );
    assert!(refused_rows(&outcome).is_empty());
}

#[test]
fn incident_4_and_5_injured_and_postponed_end_at_once() {
    let injured = ended(&Job { injury: InjuryStatus::Out, ..job() });
    assert_eq!((injured.code, injured.kind()), (Code::InjuredOut, OutcomeKind::Skipped));
    assert_eq!(injured.sentence, "Sample Guard is out by the newest injury report");
    for status in [GameStatus::Postponed, GameStatus::Cancelled] {
        assert_eq!(ended(&Job { game_status: status, ..job() }).code, Code::GamePostponed);
    }
    for status in [InjuryStatus::Probable, InjuryStatus::Questionable, InjuryStatus::Doubtful] {
        went(&Job { injury: status, ..job() });
    }
    let out_and_unquoted = Job { injury: InjuryStatus::Out, quotes: vec![], features: None, ..job() };
    assert_eq!(ended(&out_and_unquoted).code, Code::InjuredOut, "the first gate names the reason");
}

#[test]
fn without_a_quote_minutes_name_the_reason() {
    let unquoted = |minutes| Job { quotes: vec![], projected_minutes: minutes, ..job() };
    for (minutes, code) in [
        (Some(14.9), Code::LowMinutes),
        (Some(0.0), Code::LowMinutes),
        (Some(15.0), Code::NoLine),
        (None, Code::NoLine),
        (Some(f64::NAN), Code::NoLine),
    ] {
        assert_eq!(ended(&unquoted(minutes)).code, code, "{minutes:?}");
    }
    let quoted = Job { projected_minutes: Some(3.0), ..job() };
    assert_eq!(went(&quoted).run.len(), 2, "who is quoted plays enough");
}

#[test]
fn an_unresolved_player_is_rejected() {
    let outcome = ended(&Job { player_resolved: false, ..job() });
    assert_eq!((outcome.code, outcome.kind()), (Code::PlayerUnresolved, OutcomeKind::Rejected));
}

#[test]
fn a_player_is_rejected_only_when_nothing_survives() {
    let one_bad = Job {
        quotes: vec![quote("fanduel", "24.5", "-110", ""), quote("betmgm", "24.5", "-110", "-112")],
        ..job()
    };
    let prepared = went(&one_bad);
    assert_eq!((prepared.run.len(), prepared.notes.len()), (2, 1));
    let all_bad = Job {
        quotes: vec![quote("fanduel", "24.5", "-110", ""), quote("betmgm", "24.5", "-9000", "-112")],
        ..job()
    };
    let outcome = ended(&all_bad);
    assert_eq!((outcome.code, outcome.codes.len()), (Code::OneSided, 2), "a tie goes to the first code");
    assert_eq!(
        outcome.sentence,
        "Sample Guard: none of 2 quotes can be used; fanduel 24.5 has no price for the under"
    );
    assert_eq!(refused_rows(&outcome), BTreeMap::from([(Code::OneSided, 2)]));
}

#[test]
fn quotes_of_another_market_do_not_count() {
    let rebounds = Quote { market: "rebounds".parse().unwrap(), ..quote("fanduel", "7.5", "-110", "-112") };
    assert_eq!(ended(&Job { quotes: vec![rebounds.clone()], ..job() }).code, Code::WrongMarket);
    let mut both = job();
    both.quotes.push(rebounds);
    assert_eq!(went(&both).notes[0].code, Code::WrongMarket);
}

#[test]
fn incident_2_four_bad_lines_leave_77_players_to_run() {
    let outcomes: Vec<Outcome> = (0..81)
        .map(|i| {
            let mut job = job();
            job.id.player = format!("player{i}").parse().unwrap();
            if i < 4 {
                let invented = |q: Quote| Quote { event_id: None, line: "20".parse().unwrap(), ..q };
                job.quotes = job.quotes.into_iter().map(invented).collect();
            }
            run(&job, 27.0)
        })
        .collect();
    let of_code = |code| outcomes.iter().filter(|o| o.code == code).count();
    assert_eq!((of_code(Code::Predicted), of_code(Code::Placeholder)), (77, 4));
}

#[test]
fn incident_88_empty_refused_and_chosen_are_three_things() {
    let nobody = ended(&Job { quotes: vec![], ..job() });
    let refused = ended(&Job { quotes: vec![quote("fanduel", "24.5", "", "-110")], ..job() });
    assert_eq!((nobody.code, nobody.kind()), (Code::NoLine, OutcomeKind::Skipped));
    assert_eq!((refused.code, refused.kind()), (Code::OneSided, OutcomeKind::Rejected));
    assert!(went(&job()).lines.contains_key(&Market::points()));
}

#[test]
fn only_alternates_are_no_line() {
    let quotes = job().quotes.into_iter().map(|q| Quote { is_main: false, ..q }).collect();
    assert_eq!(ended(&Job { quotes, ..job() }).code, Code::NoLine);
}

#[test]
fn feature_codes_that_end_the_job() {
    let later = Some(at("2026-01-23T16:00:00Z"));
    let mut other_contract = job();
    other_contract.features.as_mut().unwrap().contract_version = "v0".to_owned();
    let mut too_short = job();
    too_short.features.as_mut().unwrap().features.pop();
    for (job, code) in [
        (Job { features: None, ..job() }, Code::NoFeatures),
        (other_contract, Code::ContractMismatch),
        (too_short, Code::ContractMismatch),
        (Job { inputs_ingested_at: later, ..job() }, Code::StaleFeatures),
        (with_features(&[("opponent_pace", Feature::default_of(100.0))]), Code::MatchupBelowFloor),
    ] {
        let outcome = ended(&job);
        assert_eq!((outcome.code, outcome.kind()), (Code::FeatureQuality, OutcomeKind::Skipped));
        assert_eq!(outcome.codes[0].code, code);
        assert_eq!(outcome.sentence, outcome.codes[0].sentence);
        assert_eq!(refused_rows(&outcome), BTreeMap::from([(Code::FeatureQuality, 2)]));
    }
}

#[test]
fn a_required_default_refuses_only_who_reads_it() {
    let job = with_features(&[("team_win_pct", Feature::default_of(0.5))]);
    let prepared = went(&job);
    assert_eq!(prepared.run, [("sys_b".parse().unwrap(), Market::points())]);
    assert_eq!(prepared.refused[0].2.code, Code::RequiredDefault);
    assert_eq!(prepared.refused[0].2.sentence, "sys_a: requires team_win_pct, which is missing");
    assert_eq!(prepared.quality.required_default_count, 0);
    assert!(prepared.quality.score > 95.0);
    let outcome = run(&job, 27.0);
    assert_eq!((outcome.code, outcome.rows.len()), (Code::Predicted, 1));
    assert_eq!(refused_rows(&outcome), BTreeMap::from([(Code::RequiredDefault, 1)]));
    assert_eq!(outcome.sentence, "1 of 2 rows, refused: 1 required_default");

    let nobody = ended(&with_features(&[("points_avg_last_5", Feature::default_of(10.0))]));
    assert_eq!(nobody.code, Code::FeatureQuality);
    assert!(nobody.codes.iter().all(|n| n.code == Code::RequiredDefault));
}

#[test]
fn an_optional_feature_that_is_missing_refuses_nobody() {
    assert_eq!(went(&with_features(&[("avg_points_vs_opponent", Feature::missing())])).run.len(), 2);
}

#[test]
fn the_quality_threshold_follows_the_run_mode() {
    // Six required features that nobody reads carry defaults: 100 - 6 * 60 / 33 = 89.1; ten: 81.8; fifteen: 72.7.
    let defaults = |n: usize| -> Job {
        let read = ["points_avg_last_5", "points_avg_season", "team_win_pct", "opponent_pace"];
        let names = contract().features.iter().filter(|s| !read.contains(&s.name.as_str()));
        let changes: Vec<_> = names.take(n).map(|s| (s.name.as_str(), Feature::default_of(1.0))).collect();
        with_features(&changes)
    };
    for (n, mode, runs) in [
        (6, RunMode::Overnight, true),
        (10, RunMode::Overnight, false),
        (10, RunMode::FinalRetry, true),
        (15, RunMode::FinalRetry, false),
        (15, RunMode::LastCall, true),
        (15, RunMode::Backfill, true),
        (18, RunMode::Backfill, false),
    ] {
        let job = Job { run_mode: mode, ..defaults(n) };
        match (gate(&job), runs) {
            (Gate::Go(_), true) => {}
            (Gate::End(outcome), false) => assert_eq!(outcome.codes[0].code, Code::QualityBelowThreshold),
            (found, _) => panic!("{n} {mode}: {found:?}"),
        }
    }
}

#[test]
fn incident_71_zeros_are_values() {
    let zeros: Vec<_> = contract()
        .features
        .iter()
        .map(|spec| (spec.name.as_str(), Feature::real(0.0, FeatureSource::Calculated)))
        .collect();
    assert_eq!(went(&with_features(&zeros)).run.len(), 2);
}

#[test]
fn incident_86_a_gate_that_lacks_a_fact_refuses() {
    let nan = Feature::real(f64::NAN, FeatureSource::Facts);
    for (what, job) in [
        ("no vector", Job { features: None, ..job() }),
        ("no time of build", Job { features_built_at: None, ..job() }),
        ("no time of ingest", Job { inputs_ingested_at: None, ..job() }),
        ("NaN that everybody reads", with_features(&[("points_avg_last_5", nan)])),
        ("NaN matchup", with_features(&[("opponent_pace", nan)])),
    ] {
        assert_eq!(ended(&job).code, Code::FeatureQuality, "{what}");
    }
    let unknown_position = vec![SystemNeeds { features: vec![9_999], ..needs().remove(0) }];
    let Gate::End(outcome) = before_predict(&job(), &unknown_position, contract(), &LinePolicy::default())
    else {
        panic!("a system that reads what is not there must not run");
    };
    assert_eq!(outcome.code, Code::FeatureQuality);
}

#[test]
fn incident_87_every_feature_guard_blocks() {
    // One job for each code, each of which would run but for that one fact: a guard that only observes fails here.
    let guards = [
        (Code::NoFeatures, Job { features: None, ..job() }),
        (Code::StaleFeatures, Job { inputs_ingested_at: Some(Timestamp::MAX), ..job() }),
        (Code::RequiredDefault, with_features(&[("points_avg_last_5", Feature::default_of(1.0))])),
        (Code::MatchupBelowFloor, with_features(&[("opponent_pace", Feature::default_of(1.0))])),
    ];
    for (code, job) in guards {
        let outcome = run(&job, 27.0);
        assert!(outcome.rows.is_empty() && outcome.codes.iter().any(|n| n.code == code), "{code}");
    }
}

#[test]
fn no_model_for_any_wanted_row_is_a_failure() {
    let Gate::End(outcome) = before_predict(&job(), &[], contract(), &LinePolicy::default()) else {
        panic!("nobody can answer");
    };
    assert_eq!((outcome.code, outcome.kind()), (Code::Model, OutcomeKind::Failed));
}

#[test]
fn several_markets_are_accounted_apart() {
    let rebounds: Market = "rebounds".parse().unwrap();
    let mut job = job();
    job.markets.push(rebounds.clone());
    job.wanted.extend(["sys_a", "sys_b"].map(|system| (rebounds.clone(), system.parse().unwrap())));
    job.quotes.push(Quote { market: rebounds.clone(), ..quote("fanduel", "7.5", "-110", "") });
    let mut all_needs = needs();
    all_needs.push(SystemNeeds { market: rebounds.clone(), ..needs().remove(1) });
    let Gate::Go(prepared) = before_predict(&job, &all_needs, contract(), &LinePolicy::default()) else {
        panic!("points have a line");
    };
    assert_eq!((prepared.run.len(), prepared.refused.len()), (2, 2));
    assert!(
        prepared.refused.iter().all(|(_, market, note)| market == &rebounds && note.code == Code::OneSided)
    );
    let answers =
        prepared.run.iter().map(|(s, m)| (s.clone(), m.clone(), row(&job, &prepared, s, m, 27.0))).collect();
    let outcome = finish(&job, prepared, answers);
    assert_eq!((outcome.rows.len(), outcome.rows_owed), (2, 4));
    assert_eq!(
        refused_rows(&outcome),
        BTreeMap::from([(Code::OneSided, 2)]),
        "the refused quote is no refused row"
    );
}

#[test]
fn every_answer_refused_is_a_failure_with_its_gate() {
    let outcome = run(&job(), 90.0);
    assert_eq!((outcome.code, outcome.kind()), (Code::RowCheck, OutcomeKind::Failed));
    let prepared = went(&job());
    let silent = finish(&job(), prepared.clone(), vec![]);
    assert_eq!((silent.code, silent.codes.len()), (Code::Model, 2));
    assert!(silent.codes[0].sentence.starts_with("sys_a: gave no answer"));
    let innocent = prepared
        .run
        .iter()
        .map(|(s, m)| (s.clone(), m.clone(), Err(CodeNote::of_job(Code::NoLine, "no"))))
        .collect();
    assert_eq!(
        finish(&job(), prepared, innocent).kind(),
        OutcomeKind::Failed,
        "a failure cannot look like a skip"
    );
}

#[test]
fn incident_35_an_answer_under_another_key_is_not_written() {
    let prepared = went(&job());
    let (system, market) = prepared.run[0].clone();
    let mut stolen = row(&job(), &prepared, &system, &market, 27.0).unwrap();
    stolen.key.player = "somebodyelse".parse().unwrap();
    let stranger: SystemId = "sys_z".parse().unwrap();
    let own = row(&job(), &prepared, &prepared.run[1].0, &market, 27.0);
    let answers = vec![
        (system, market.clone(), Ok(stolen)),
        (prepared.run[1].0.clone(), market.clone(), own.clone()),
        (prepared.run[1].0.clone(), market.clone(), own.clone()),
        (stranger, market, own),
    ];
    let outcome = finish(&job(), prepared, answers);
    assert_eq!(outcome.rows.len(), 1, "twice the same answer is one row");
    assert_eq!(refused_rows(&outcome), BTreeMap::from([(Code::Model, 1)]));
    assert!(outcome.codes.iter().any(|n| n.sentence.contains("nobody asked")));
}

proptest! {
    #[test]
    fn rows_and_refusals_always_add_up(
        values in proptest::collection::vec(prop_oneof![Just(f64::NAN), -10.0..100.0f64], 4),
        win_pct_missing in any::<bool>(),
        with_rebounds in any::<bool>(),
        answered in 0usize..5,
        known_systems in 0usize..3,
    ) {
        let rebounds: Market = "rebounds".parse().unwrap();
        let mut job = job();
        job.markets.push(rebounds.clone());
        job.wanted.extend(["sys_a", "sys_b"].map(|system| (rebounds.clone(), system.parse().unwrap())));
        if with_rebounds {
            job.quotes.push(Quote { market: rebounds.clone(), ..quote("fanduel", "7.5", "-110", "-110") });
        }
        if win_pct_missing {
            job.features = Some(vector(&[("team_win_pct", Feature::default_of(0.5))]));
        }
        let mut all_needs: Vec<SystemNeeds> = needs().into_iter().take(known_systems).collect();
        all_needs.extend(needs().into_iter().map(|n| SystemNeeds { market: rebounds.clone(), ..n }));
        let outcome = match before_predict(&job, &all_needs, contract(), &LinePolicy::default()) {
            Gate::End(outcome) => outcome,
            Gate::Go(prepared) => {
                let answers = prepared.run.iter().zip(&values).take(answered)
                    .map(|((s, m), v)| (s.clone(), m.clone(), row(&job, &prepared, s, m, *v)))
                    .collect();
                finish(&job, prepared, answers)
            }
        };
        prop_assert_eq!(outcome.rows_owed, 4);
        let refused: u64 = refused_rows(&outcome).values().sum();
        prop_assert_eq!(outcome.rows.len() as u64 + refused, 4);
        prop_assert_eq!(outcome.rows.is_empty(), outcome.code != Code::Predicted);
    }
}
