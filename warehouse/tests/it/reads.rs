//! Point-in-time reads.

use jiff::civil::Date;
use proto::tables::FeatureRow;
use proto::{Feature, FeatureSource, FeatureVector, GameStatus, InjuryStatus, Market};
use warehouse::{AsOf, Error, IngestBatch, Warehouse};

use crate::fixtures::*;

fn tonight() -> AsOf {
    AsOf::new(day(DATE), at(NOON))
}

pub(crate) async fn results_are_strictly_before_the_date(warehouse: Warehouse) {
    let player_games = vec![
        player_game("20260121_BOS_NYK", "a", "BOS", 30.0, 1.0),
        player_game("20260122_BOS_MIA", "a", "BOS", 30.0, 2.0),
        player_game(G1, "a", "BOS", 30.0, 3.0),
        player_game("20260125_BOS_MIA", "a", "BOS", 30.0, 4.0),
    ];
    let team_games = vec![team_game("20260122_BOS_MIA", "BOS", 2.0), team_game(G1, "BOS", 3.0)];
    ingest(&warehouse, IngestBatch { player_games, team_games, ..IngestBatch::default() }).await;
    let points = async |as_of: AsOf, since: Date| -> Vec<f64> {
        let rows = warehouse.player_games_before(&as_of, since).await.unwrap();
        rows.iter().map(|row| row.row.points).collect()
    };
    assert_eq!(points(tonight(), Date::MIN).await, [1.0, 2.0]);
    assert_eq!(points(tonight(), day("2026-01-22")).await, [2.0]);
    // On the evening before, last night's game has no result yet.
    let evening_before = AsOf::new(day(DATE), at("2026-01-22T23:00:00Z"));
    assert_eq!(points(evening_before, Date::MIN).await, [1.0]);
    let teams = warehouse.team_games_before(&tonight(), Date::MIN).await.unwrap();
    assert_eq!(teams.len(), 1);
    assert_eq!(teams[0].row, team_game("20260122_BOS_MIA", "BOS", 2.0));
    assert_eq!(teams[0].ingested_at, at("2026-01-23T10:00:00Z"));
}

pub(crate) async fn incident_57_quotes_end_before_tip_off(warehouse: Warehouse) {
    // The vendor says the game begins half an hour before the schedule does.
    let early = |snapshot: &str| {
        let mut quote = line("a", "draftkings", 41, snapshot);
        quote.commence_time = at("2026-01-24T00:00:00Z");
        quote
    };
    let lines = vec![
        early("2026-01-23T17:00:00Z"),
        early("2026-01-23T23:59:59Z"),
        early("2026-01-24T00:00:00Z"),
        early("2026-01-24T02:00:00Z"),
    ];
    ingest(&warehouse, IngestBatch { lines: lines.clone(), ..IngestBatch::default() }).await;
    for (as_of, seen) in [("2026-01-23T16:59:59Z", 0), (NOON, 1), ("2026-07-01T00:00:00Z", 2)] {
        let found = warehouse.lines_of(&AsOf::new(day(DATE), at(as_of)), &Market::points()).await.unwrap();
        let rows: Vec<_> = found.into_iter().map(|line| line.row).collect();
        assert_eq!(rows, lines[..seen], "as of {as_of}");
    }
    let rebounds = "rebounds".parse().unwrap();
    assert_eq!(warehouse.lines_of(&tonight(), &rebounds).await.unwrap(), []);
}

pub(crate) async fn rosters_have_the_newest_team(warehouse: Warehouse) {
    let player_games = vec![
        player_game("20260110_BOS_NYK", "a", "BOS", 30.0, 1.0),
        player_game("20260120_LAL_MIA", "a", "LAL", 30.0, 1.0),
        player_game("20260125_LAL_MIA", "a", "MIA", 30.0, 1.0),
    ];
    ingest(&warehouse, IngestBatch { player_games, ..IngestBatch::default() }).await;
    let roster = warehouse.rosters(&tonight()).await.unwrap();
    assert_eq!(roster.len(), 1);
    assert_eq!((roster[0].team.as_str(), roster[0].last_game_date), ("LAL", day("2026-01-20")));
}

pub(crate) async fn the_newest_report_counts(warehouse: Warehouse) {
    let injuries = vec![
        injury("a", InjuryStatus::Out, "2026-01-22T12:00:00Z"),
        injury("a", InjuryStatus::Available, "2026-01-23T12:00:00Z"),
        injury("a", InjuryStatus::Doubtful, "2026-01-23T20:00:00Z"),
        injury("b", InjuryStatus::Out, "2026-01-23T12:00:00Z"),
        injury("b", InjuryStatus::Available, "2026-01-23T12:00:00Z"),
    ];
    ingest(&warehouse, IngestBatch { injuries, ..IngestBatch::default() }).await;
    let newest = warehouse.injuries_before(&tonight()).await.unwrap();
    assert_eq!(newest[&"a".parse().unwrap()].status, InjuryStatus::Available);
    assert_eq!(
        newest[&"b".parse().unwrap()].status,
        InjuryStatus::Available,
        "of one instant the last in counts"
    );
}

pub(crate) fn features(player: &str, values: [Feature; 3]) -> FeatureRow {
    FeatureRow {
        game_id: game_key(G1),
        player_lookup: player.parse().unwrap(),
        team: "BOS".parse().unwrap(),
        vector: FeatureVector { contract_version: "t1".to_owned(), features: values.to_vec() },
        quality_score: 93.25,
        matchup_quality: 100.0,
        required_default_count: 0,
        as_of: at(NOON),
        built_at: at("2026-01-23T17:30:00Z"),
        inputs_ingested_at: Some(at("2026-01-23T10:00:00Z")),
    }
}

pub(crate) async fn features_keep_every_bit(warehouse: Warehouse) {
    let rows = vec![
        features(
            "a",
            [
                Feature::real(0.1 + 0.2, FeatureSource::Facts),
                Feature::missing(),
                Feature::real(0.0, FeatureSource::Calculated),
            ],
        ),
        features(
            "b",
            [
                Feature::real(f64::MIN_POSITIVE, FeatureSource::OpponentHistory),
                Feature::real(-20.5, FeatureSource::Odds),
                Feature::default_of(10.0),
            ],
        ),
    ];
    warehouse.put_features(&rows).await.unwrap();
    assert_eq!(warehouse.features_of(day(DATE)).await.unwrap(), rows);
    // Building again replaces, and an empty date is empty, not an error.
    warehouse.put_features(&rows[..1]).await.unwrap();
    assert_eq!(warehouse.features_of(day(DATE)).await.unwrap(), rows);
    assert_eq!(warehouse.features_of(day("2026-01-24")).await.unwrap(), []);
    let shown = warehouse
        .sql(
            "select points_avg_last_5, vegas_points_line, sources, defaulted from features order by 1",
            Default::default(),
        )
        .await
        .unwrap();
    assert_eq!(
        shown.rows[1],
        [Some("0.30000000000000004".to_owned()), None, Some("fmc".to_owned()), Some("000".to_owned())]
    );
    assert_eq!(shown.rows[0][3].as_deref(), Some("001"));
}

pub(crate) async fn features_of_another_contract_are_refused(warehouse: Warehouse) {
    let three = || [Feature::missing(), Feature::missing(), Feature::missing()];
    let mut other = features("a", three());
    other.vector.contract_version = "t2".to_owned();
    let mut narrow = features("a", three());
    narrow.vector.features.pop();
    assert!(matches!(warehouse.put_features(&[other]).await, Err(Error::Contract { .. })));
    assert!(matches!(warehouse.put_features(&[narrow]).await, Err(Error::Inconsistent { .. })));
    assert_eq!(warehouse.features_of(day(DATE)).await.unwrap(), []);
}

pub(crate) async fn incident_88_an_error_is_not_an_empty_answer(warehouse: Warehouse) {
    // Empty is an answer.
    assert_eq!(warehouse.active_rows(slate()).await.unwrap(), []);
    assert_eq!(warehouse.verdict(&batch_id(0)).await.unwrap(), None);
    // A value that cannot be read is an error that names the table, not a row less.
    let statement = "insert into games values ('20260123_MIA_CHI', 'nba', '2026-01-23', 'MIA', 'CHI', null, 2025, \
                     'regular', 'at night', 'scheduled', null, null, 'f', 'x')";
    crate::schema::write(&warehouse, statement).await.unwrap();
    let error = warehouse.games_on(day(DATE)).await.unwrap_err();
    assert!(matches!(&error, Error::Corrupt { table: "games", .. }), "{error}");
    // So is a database that does not answer.
    warehouse.close().await;
    let error = warehouse.verdict(&batch_id(0)).await.unwrap_err();
    assert!(error.is_unreachable() && error.certainly_not_applied(), "{error}");
    assert_eq!(GameStatus::Scheduled.as_str(), "scheduled");
}
