//! The load of a start.

use proto::tables::{GameLineRow, GameRow};
use proto::{Code, Feature, FeatureSource, GameStatus, InjuryStatus, Market};
use warehouse::{IngestBatch, LoadSlate, SlateInputs, SlateLoad, Warehouse};

use crate::fixtures::*;
use crate::reads::features;

fn wanted(as_of: &str) -> LoadSlate {
    LoadSlate {
        slate: slate(),
        as_of: at(as_of),
        generation: None,
        markets: vec![Market::points()],
        settled: true,
    }
}

async fn load(warehouse: &Warehouse, as_of: &str) -> SlateInputs {
    match warehouse.load_slate(&wanted(as_of)).await.unwrap() {
        SlateLoad::Inputs(inputs) => *inputs,
        SlateLoad::Overtaken { newest } => panic!("overtaken by {newest}"),
    }
}

fn night() -> IngestBatch {
    let mut alternate = line("a", "draftkings", 51, "2026-01-23T17:00:00Z");
    alternate.is_main = false;
    let mut rebounds = line("a", "fanduel", 9, "2026-01-23T17:30:00Z");
    rebounds.market = "rebounds".parse().unwrap();
    let mut elsewhere = line("a", "draftkings", 41, "2026-01-23T17:00:00Z");
    (elsewhere.event_id, elsewhere.game_id) = ("e9".to_owned(), None);
    IngestBatch {
        player_games: vec![
            player_game("20260120_BOS_MIA", "a", "BOS", 30.0, 20.0),
            player_game("20260121_BOS_NYK", "a", "BOS", 36.0, 20.0),
            player_game("20260121_BOS_NYK", "b", "NYK", 12.0, 4.0),
            // Plays no more for a team of tonight.
            player_game("20260121_MIA_CHI", "c", "MIA", 30.0, 20.0),
            // His team plays, he has not for long; quoted all the same.
            player_game("20251101_BOS_NYK", "d", "NYK", 25.0, 20.0),
            // Likewise, and nobody quotes him.
            player_game("20251101_BOS_NYK", "e", "NYK", 25.0, 20.0),
        ],
        injuries: vec![injury("a", InjuryStatus::Questionable, "2026-01-23T12:00:00Z")],
        lines: vec![
            line("a", "draftkings", 41, "2026-01-23T15:00:00Z"),
            line("a", "draftkings", 43, "2026-01-23T17:00:00Z"),
            alternate,
            line("a", "fanduel", 42, "2026-01-23T15:00:00Z"),
            line("a", "draftkings", 45, "2026-01-23T20:00:00Z"),
            line("d", "draftkings", 31, "2026-01-23T17:00:00Z"),
            rebounds,
            elsewhere,
        ],
        ..IngestBatch::default()
    }
}

pub(crate) async fn a_slate_has_everything_as_of_an_instant(warehouse: Warehouse) {
    ingest(&warehouse, night()).await;
    let inputs = load(&warehouse, NOON).await;
    assert_eq!(inputs.games.len(), 2);
    assert_eq!(inputs.games[0].tip_off, Some(at(TIP1)));
    assert_eq!(inputs.games[0].newest_snapshot, Some(at("2026-01-23T17:30:00Z")), "over all markets");
    assert_eq!(inputs.games[1].newest_snapshot, None);

    let quoted: Vec<String> = inputs.quotes.keys().map(ToString::to_string).collect();
    assert_eq!(quoted, [format!("a@{G1}"), format!("d@{G1}")]);
    let quotes = &inputs.quotes[&job("a", G1)];
    let shown = |quotes: &[proto::Quote]| -> Vec<String> {
        quotes.iter().map(|q| format!("{} {} {}", q.book.as_deref().unwrap(), q.line, q.is_main)).collect()
    };
    // The alternate at 25.5 is stored; nobody who judges or chooses looks at it.
    assert_eq!(shown(&quotes.quotes), ["draftkings 21.5 true", "fanduel 21.0 true"]);
    assert_eq!(shown(&quotes.openings), ["draftkings 20.5 true", "fanduel 21.0 true"]);
    assert_eq!(quotes.quotes[0].event_id.as_deref(), Some("e1"));
    assert!(quotes.resolved);

    let players: Vec<String> = inputs
        .players
        .iter()
        .map(|(lookup, p)| format!("{lookup} {} {:?} {}", p.team, p.mean_minutes.unwrap(), p.plays_lately))
        .collect();
    assert_eq!(players, ["a BOS 33.0 true", "b NYK 12.0 true", "d NYK 25.0 false"]);
    assert_eq!(inputs.injuries[&"a".parse().unwrap()].status, InjuryStatus::Questionable);
}

pub(crate) async fn later_snapshots_are_not_seen_earlier(warehouse: Warehouse) {
    ingest(&warehouse, night()).await;
    let before = load(&warehouse, NOON).await;
    // Adding the future changes nothing about the past (incident 77).
    let mut future = line("a", "draftkings", 61, "2026-01-23T19:00:00Z");
    future.commence_time = at("2026-01-23T18:30:00Z");
    let batch = IngestBatch {
        lines: vec![future],
        injuries: vec![injury("a", InjuryStatus::Out, "2026-01-23T18:00:01Z")],
        player_games: vec![player_game(G1, "a", "BOS", 48.0, 60.0)],
        ..IngestBatch::default()
    };
    ingest(&warehouse, batch).await;
    assert_eq!(load(&warehouse, NOON).await, before);
    // In play, the moved tip-off cuts the quotes off.
    let later = load(&warehouse, "2026-01-23T21:00:00Z").await;
    assert_eq!(later.games[0].tip_off, Some(at(TIP1)), "the newest snapshot describes the event");
    assert_eq!(later.quotes[&job("a", G1)].quotes[0].line.to_string(), "22.5");
}

pub(crate) async fn a_higher_generation_refuses_the_load(warehouse: Warehouse) {
    let first = register(&warehouse, 1).await;
    let mut asked = wanted(NOON);
    asked.generation = Some(first);
    assert!(matches!(warehouse.load_slate(&asked).await.unwrap(), SlateLoad::Inputs(_)));
    let second = register(&warehouse, 2).await;
    assert_eq!(warehouse.load_slate(&asked).await.unwrap(), SlateLoad::Overtaken { newest: second });
    asked.generation = Some(second);
    assert!(matches!(warehouse.load_slate(&asked).await.unwrap(), SlateLoad::Inputs(_)));
}

pub(crate) async fn late_inputs_make_features_stale(warehouse: Warehouse) {
    ingest(&warehouse, night()).await;
    let values = || [Feature::real(1.0, FeatureSource::Facts), Feature::missing(), Feature::missing()];
    let rows = [features("a", values()), features("b", values())];
    warehouse.put_features(&rows).await.unwrap();
    let newest = async || -> Vec<String> {
        let inputs = load(&warehouse, NOON).await;
        inputs.features.values().map(|row| row.inputs_ingested_at.unwrap().to_string()).collect()
    };
    assert_eq!(newest().await, ["2026-01-23T10:00:00Z", "2026-01-23T10:00:00Z"]);
    // A corrected box score of one player, after the rows were built.
    let corrected = vec![player_game("20260121_BOS_NYK", "a", "BOS", 36.0, 21.0)];
    let batch = IngestBatch { player_games: corrected, ..IngestBatch::default() };
    ingest_at(&warehouse, batch, "2026-01-23T17:45:00Z").await;
    assert_eq!(newest().await, ["2026-01-23T17:45:00Z", "2026-01-23T10:00:00Z"]);
    // A spread of the game concerns both.
    let spread = GameLineRow {
        game_id: game_key(G1),
        book: "draftkings".to_owned(),
        home_spread: None,
        total: None,
        snapshot_at: at("2026-01-23T17:40:00Z"),
        source: "odds_api".to_owned(),
    };
    let batch = IngestBatch { game_lines: vec![spread], ..IngestBatch::default() };
    ingest_at(&warehouse, batch, "2026-01-23T17:50:00Z").await;
    assert_eq!(newest().await, ["2026-01-23T17:50:00Z", "2026-01-23T17:50:00Z"]);
}

pub(crate) async fn settled_inputs_are_those_of_the_last_settled_outcome(warehouse: Warehouse) {
    let settled = async || -> Vec<String> {
        let inputs = load(&warehouse, NOON).await;
        inputs.settled.iter().map(|(job, sha)| format!("{} {sha}", job.player)).collect()
    };
    assert_eq!(settled().await, Vec::<String>::new());
    let jobs = [("a", G1, Code::Predicted, 25.0), ("b", G1, Code::NoLine, 0.0), ("c", G2, Code::Panic, 0.0)];
    register(&warehouse, 1).await;
    let mut first = request(1, &jobs);
    first.outcomes[0].inputs_sha256 = "one".to_owned();
    warehouse.publish(&first).await.unwrap();
    assert_eq!(settled().await, ["a one", "b inputs of b"]);
    // A failure settles nothing; a failed batch neither.
    register(&warehouse, 2).await;
    let mut second = request(2, &[("a", G1, Code::Panic, 0.0), ("b", G1, Code::Predicted, 18.0)]);
    (second.outcomes[0].inputs_sha256, second.outcomes[1].inputs_sha256) =
        ("two".to_owned(), "two".to_owned());
    warehouse.publish(&second).await.unwrap();
    assert_eq!(settled().await, ["a one", "b two"]);
    register(&warehouse, 3).await;
    let mut third = request(3, &[("a", G1, Code::NoLine, 0.0), ("b", G1, Code::Panic, 0.0)]);
    third.outcomes[0].inputs_sha256 = "three".to_owned();
    assert_eq!(warehouse.publish(&third).await.unwrap().verdict.state.as_str(), "failed");
    assert_eq!(settled().await, ["a one", "b two"]);
}

pub(crate) async fn completeness_counts_the_week_before(warehouse: Warehouse) {
    let on = |id: &str, status: GameStatus| -> GameRow {
        let mut row = game(id, TIP1);
        row.status = status;
        row
    };
    let games = vec![
        on("20260115_BOS_MIA", GameStatus::Final),
        on("20260116_BOS_MIA", GameStatus::Final),
        on("20260121_BOS_NYK", GameStatus::Final),
        on("20260122_BOS_CHI", GameStatus::Scheduled),
        on("20260122_LAL_CHI", GameStatus::Postponed),
    ];
    let player_games = vec![player_game("20260121_BOS_NYK", "a", "BOS", 30.0, 1.0)];
    ingest(&warehouse, IngestBatch { games, player_games, ..IngestBatch::default() }).await;
    let found = load(&warehouse, NOON).await.completeness;
    assert_eq!((found.games_before, found.final_before, found.with_box_scores), (3, 2, 1));
    assert!(found.schedule_covers && !found.any_features);
    let far = LoadSlate { slate: proto::Slate::nba(day("2026-02-10")), ..wanted(NOON) };
    let SlateLoad::Inputs(inputs) = warehouse.load_slate(&far).await.unwrap() else { panic!("overtaken") };
    assert!(!inputs.completeness.schedule_covers);
}

pub(crate) async fn incident_69_rosters_and_injuries_have_an_age(warehouse: Warehouse) {
    let ages = async |as_of: &str| warehouse.input_ages(day(DATE), at(as_of)).await.unwrap();
    assert_eq!(ages(NOON).await, proto::tables::InputAges::default(), "nothing is in");
    let cancelled =
        GameRow { status: proto::GameStatus::Cancelled, ..game("20260121_BOS_NYK", "2026-01-22T00:00:00Z") };
    let batch = IngestBatch {
        games: vec![
            game("20260114_BOS_NYK", "2026-01-15T00:00:00Z"),
            game("20260120_BOS_NYK", "2026-01-21T00:00:00Z"),
            cancelled,
        ],
        player_games: vec![player_game("20260114_BOS_NYK", "p1", "BOS", 30.0, 20.0)],
        injuries: vec![
            injury("p1", proto::InjuryStatus::Out, "2026-01-22T05:00:00Z"),
            injury("p1", proto::InjuryStatus::Available, "2026-01-23T20:00:00Z"),
        ],
        ..IngestBatch::default()
    };
    ingest(&warehouse, batch).await;
    let found = ages(NOON).await;
    assert_eq!(
        found.newest_report,
        Some(at("2026-01-22T05:00:00Z")),
        "what comes after the as-of is not known"
    );
    assert_eq!(
        (found.newest_box_score, found.games_since),
        (Some(day("2026-01-14")), 1),
        "a cancelled game is none"
    );
    assert_eq!(ages("2026-01-23T23:00:00Z").await.newest_report, Some(at("2026-01-23T20:00:00Z")));
}
