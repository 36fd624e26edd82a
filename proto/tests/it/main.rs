//! Stored formats as museum pieces: records of each format number are kept and must read for as long as a store may
//! hold one. `TIPOFF_WRITE_RECORDS=1` writes those of the present format, once, when the number changes.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

mod schemas;

use std::path::PathBuf;
use std::sync::Arc;

use proto::codec::{
    CodecError, FORMAT, decode_job, decode_outcome, encode_job, encode_outcome, outcome_digest,
};
use proto::{
    Basis, Code, CodeNote, Feature, FeatureSource, FeatureVector, GameStatus, InjuryStatus, Job, Market,
    Outcome, PredictionRow, Quote, Recommendation, RowKey, RunMode, Sha256,
};

fn job() -> Job {
    Job {
        id: "jarenjacksonjr@20240329_GSW_CHA".parse().unwrap(),
        name: "Jaren Jackson Jr.".into(),
        team: Some("CHA".parse().unwrap()),
        tip_off: "2024-03-29T23:10:00Z".parse().unwrap(),
        game_status: GameStatus::Scheduled,
        as_of: "2024-03-29T20:00:00Z".parse().unwrap(),
        run_mode: RunMode::Overnight,
        markets: vec![Market::points()],
        wanted: vec![(Market::points(), "catboost_v1".parse().unwrap())],
        player_resolved: true,
        quotes: vec![Quote {
            book: Some("draftkings".into()),
            event_id: Some("ee8cfaef963aea9276e133873f77c26a".into()),
            market: Market::points(),
            line: "20.0".parse().unwrap(),
            over: Some("-110".parse().unwrap()),
            under: None,
            snapshot_at: Some("2024-03-29T18:58:54Z".parse().unwrap()),
            market_updated_at: None,
            is_main: true,
            source: "odds_api".into(),
        }],
        event_newest_snapshot: Some("2024-03-29T18:58:54Z".parse().unwrap()),
        injury: InjuryStatus::Questionable,
        projected_minutes: Some(31.5),
        min_minutes: 15.0,
        features: Some(FeatureVector {
            contract_version: "v1".into(),
            features: vec![
                Feature::real(0.0, FeatureSource::Facts),
                Feature::missing(),
                Feature::default_of(0.5),
            ],
        }),
        features_built_at: Some("2024-03-29T19:00:00Z".parse().unwrap()),
        inputs_ingested_at: None,
        inputs_sha256: "ab".repeat(32),
    }
}

fn outcome() -> Outcome {
    let basis = Arc::new(Basis {
        inputs_sha256: "ab".repeat(32),
        line: "20.0".parse().unwrap(),
        line_source: "ACTUAL_PROP".into(),
        line_source_api: "odds_api".into(),
        book: "draftkings".into(),
        was_line_fallback: false,
        over_price: "-110".parse().unwrap(),
        under_price: "-110".parse().unwrap(),
        line_snapshot_at: "2024-03-29T18:58:54Z".parse().unwrap(),
        line_minutes_before_game: 251,
        consensus_line: Some(20.5),
        line_spread: None,
        no_vig_over: 0.5,
        feature_quality_score: 97.5,
        default_feature_count: 0,
        as_of: job().as_of,
        predicted_at: "2024-03-29T20:00:01.5Z".parse().unwrap(),
    });
    let row = |system: &str, value: f64| PredictionRow {
        key: RowKey {
            game: job().id.game,
            player: job().id.player,
            market: Market::points(),
            system_id: system.parse().unwrap(),
        },
        basis: Arc::clone(&basis),
        model_sha256: Sha256::from_bytes([0xcd; 32]),
        predicted_value: value,
        over_probability: Some(0.55),
        over_expected_value: Some(0.05),
        under_expected_value: Some(-0.140_909),
        over_fair_price: Some("-122".parse().unwrap()),
        line_margin: value - 20.0,
        recommendation: Recommendation::Over,
        in_sample: false,
        row_sha256: Sha256::default(),
    };
    let rows = [row("catboost_v1", 22.25), row("lightgbm_v1", 23.5)];
    Outcome {
        code: Code::Predicted,
        sentence: "2 of 2 rows".into(),
        codes: vec![CodeNote {
            market: Some(Market::points()),
            book: Some("bovada".into()),
            code: Code::OneSided,
            sentence: "bovada offers only one side".into(),
        }],
        rows_owed: 2,
        rows: rows.map(PredictionRow::sealed).to_vec(),
    }
}

/// A kept record of the present format, after comparing it with what this build would write.
fn kept(name: &str, fresh: &[u8]) -> Vec<u8> {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/records/{name}_v{FORMAT}.bin"));
    if std::env::var_os("TIPOFF_WRITE_RECORDS").is_some() && !file.exists() {
        std::fs::write(&file, fresh).unwrap();
    }
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(bytes, fresh, "{name}: what is written has changed; give it a new format number");
    bytes
}

#[test]
fn records_of_every_format_read_as_they_were_meant() {
    let bytes = kept("job", &encode_job(&job()));
    assert_eq!(decode_job(&bytes).unwrap(), job());
    let bytes = kept("outcome", &encode_outcome(&outcome()));
    assert_eq!(decode_outcome(&bytes).unwrap(), outcome());
}

#[test]
fn what_quotes_share_stands_once_and_each_gets_it_back() {
    let quote = |book: &str, event: Option<&str>, market: &str, source: &str| Quote {
        book: Some(book.into()),
        event_id: event.map(Into::into),
        market: market.parse().unwrap(),
        source: source.into(),
        ..job().quotes[0].clone()
    };
    let event = Some("ee8cfaef963aea9276e133873f77c26a");
    let quotes = vec![
        quote("draftkings", event, "points", "odds_api"),
        quote("fanduel", event, "points", "odds_api"),
        quote("fanduel", event, "rebounds", "odds_api"),
        quote("betmgm", None, "points", "odds_api"),
        quote("bovada", event, "points", "by_hand"),
        quote("bovada", event, "points", "odds_api"),
    ];
    let systems = ["catboost_v1", "lightgbm_v1"];
    let rows = |market: &str| systems.map(|system| (market.parse().unwrap(), system.parse().unwrap()));
    let wanted = [rows("points"), rows("rebounds")].concat();
    let whole = Job { quotes, wanted, ..job() };
    let bytes = encode_job(&whole);
    assert_eq!(decode_job(&bytes).unwrap(), whole);
    let times = |what: &str| bytes.windows(what.len()).filter(|part| *part == what.as_bytes()).count();
    assert_eq!((times("ee8cfaef963aea9276e133873f77c26a"), times("by_hand")), (3, 1));
}

/// Formats 1 to 4 were never released: their jobs cost nothing and wait for whoever can read them.
#[test]
fn earlier_formats_are_refused_by_name() {
    for found in [1, 2, 3, 4] {
        let kept = |name: &str| {
            let file = format!("tests/it/records/{name}_v{found}.bin");
            std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
        };
        assert_eq!(decode_job(&kept("job")), Err(CodecError::Format { found }));
        assert_eq!(decode_outcome(&kept("outcome")), Err(CodecError::Format { found }));
    }
}

#[test]
fn an_unknown_format_and_damage_are_refused_by_name() {
    let mut bytes = encode_job(&job());
    bytes[0] = 200;
    assert_eq!(decode_job(&bytes), Err(CodecError::Format { found: 200 }));
    let whole = encode_job(&job());
    for len in 0..whole.len() {
        assert!(decode_job(&whole[..len]).is_err(), "truncated to {len}");
    }
    let whole = encode_outcome(&outcome());
    for len in 0..whole.len() {
        assert!(decode_outcome(&whole[..len]).is_err(), "truncated to {len}");
    }
}

#[test]
fn rows_of_one_record_share_their_basis_again() {
    let read = decode_outcome(&encode_outcome(&outcome())).unwrap();
    assert!(Arc::ptr_eq(&read.rows[0].basis, &read.rows[1].basis));
    let mut two_lines = outcome();
    Arc::make_mut(&mut two_lines.rows[1].basis).book = "fanduel".into();
    assert_eq!(decode_outcome(&encode_outcome(&two_lines)).unwrap(), two_lines);
}

#[test]
fn the_digest_of_an_outcome_has_no_clock() {
    let digest = |outcome: &Outcome| outcome_digest(&encode_outcome(outcome));
    let mut later = outcome();
    for row in &mut later.rows {
        Arc::make_mut(&mut row.basis).predicted_at = "2024-03-29T21:00:00Z".parse().unwrap();
    }
    assert_ne!(encode_outcome(&later), encode_outcome(&outcome()));
    assert_eq!(digest(&later), digest(&outcome()));
    let mut other = outcome();
    other.rows[0].predicted_value += 1.0;
    assert_ne!(digest(&other), digest(&outcome()));
}
