//! Ingest: natural keys, the ledger, corrections.

use jiff::civil::Date;
use proto::tables::{AliasRow, GameLineRow, QuarantineRow, TeamRow};
use proto::{GameStatus, InjuryStatus, Line};
use warehouse::{IngestBatch, Warehouse};

use crate::fixtures::*;

fn night() -> IngestBatch {
    IngestBatch {
        games: vec![game(G1, TIP1)],
        teams: vec![TeamRow {
            team: "BOS".parse().unwrap(),
            league_team_id: 2,
            full_name: "Boston Celtics".to_owned(),
            nickname: "Celtics".to_owned(),
        }],
        team_games: vec![team_game("20260121_BOS_NYK", "BOS", 110.0)],
        player_games: vec![player_game("20260121_BOS_NYK", "jaylenbrown", "BOS", 36.0, 27.0)],
        injuries: vec![injury("jaylenbrown", InjuryStatus::Probable, "2026-01-22T12:00:00Z")],
        aliases: vec![AliasRow {
            alias: "jbrown".parse().unwrap(),
            player_lookup: "jaylenbrown".parse().unwrap(),
        }],
        lines: vec![
            line("jaylenbrown", "draftkings", 53, "2026-01-23T15:00:00Z"),
            line("jaylenbrown", "draftkings", 54, "2026-01-23T15:00:00Z"),
        ],
        game_lines: vec![GameLineRow {
            game_id: game_key(G1),
            book: "draftkings".to_owned(),
            home_spread: Some(Line::from_half_points(-13)),
            total: Some(Line::from_half_points(443)),
            snapshot_at: at("2026-01-23T15:00:00Z"),
            source: "odds_api".to_owned(),
        }],
        ..IngestBatch::default()
    }
}

pub(crate) async fn a_file_goes_in_once(warehouse: Warehouse) {
    let mut file = file("night.json", "2026-01-23T16:00:00Z");
    file.rows_refused = 2;
    let counts = warehouse.ingest_file(&file, &night()).await.unwrap();
    // The game was in the schedule already.
    assert_eq!((counts.new, counts.known), (8, 1));
    assert_eq!(counts.by_table["lines"].new, 2);
    let known = warehouse.known_file(&file.sha256).await.unwrap().unwrap();
    assert_eq!((known.rows_read, known.rows_new, known.rows_known, known.rows_refused), (11, 8, 1, 2));
    assert_eq!(warehouse.known_file("0").await.unwrap(), None);
    let tables = warehouse.table_counts().await.unwrap();
    for (table, rows) in [("games", 2), ("lines", 2), ("players", 1), ("player_aliases", 1), ("injuries", 1)]
    {
        assert_eq!(tables[table], rows, "{table}");
    }
    assert_eq!(warehouse.teams().await.unwrap(), night().teams);
    assert_eq!(warehouse.aliases().await.unwrap(), night().aliases);
}

pub(crate) async fn incident_36_ingesting_twice_changes_nothing(warehouse: Warehouse) {
    warehouse.ingest_file(&file("a", "2026-01-23T16:00:00Z"), &night()).await.unwrap();
    let before = warehouse.table_counts().await.unwrap();
    // The same content under another name, later, and twice in one file.
    let mut twice = night();
    twice.lines.extend(night().lines);
    let counts = warehouse.ingest_file(&file("b", "2026-01-23T17:00:00Z"), &twice).await.unwrap();
    assert_eq!((counts.new, counts.known), (0, 11));
    let mut after = warehouse.table_counts().await.unwrap();
    after.insert("source_files", before["source_files"]);
    assert_eq!(before, after);
}

pub(crate) async fn a_file_is_in_the_ledger_wholly_or_not_at_all(warehouse: Warehouse) {
    let before = warehouse.table_counts().await.unwrap();
    let mut ingest = warehouse.begin_ingest("half", at(NOON)).await.unwrap();
    ingest.add(&night()).await.unwrap();
    drop(ingest);
    assert_eq!(warehouse.table_counts().await.unwrap(), before);

    let mut ingest = warehouse.begin_ingest("whole", at(NOON)).await.unwrap();
    let mut counts = ingest.add(&night()).await.unwrap();
    counts.add(&ingest.add(&night()).await.unwrap());
    let mut whole = file("whole", NOON);
    (whole.rows_read, whole.rows_new, whole.rows_known) = (18, counts.new as i64, counts.known as i64);
    ingest.commit(&whole).await.unwrap();
    assert_eq!(warehouse.known_file(&whole.sha256).await.unwrap(), Some(whole));
}

pub(crate) async fn corrected_facts_are_updated_and_count_as_new(warehouse: Warehouse) {
    ingest(&warehouse, night()).await;
    let mut corrected = player_game("20260121_BOS_NYK", "jaylenbrown", "BOS", 36.0, 29.0);
    corrected.plus_minus = None;
    let counts =
        ingest(&warehouse, IngestBatch { player_games: vec![corrected.clone()], ..IngestBatch::default() })
            .await;
    assert_eq!((counts.new, counts.known), (1, 0));
    let as_of = warehouse::AsOf::new(day(DATE), at(NOON));
    let rows = warehouse.player_games_before(&as_of, Date::MIN).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].row, corrected);
}

pub(crate) async fn an_older_schedule_takes_nothing_back(warehouse: Warehouse) {
    let mut done = game(G1, TIP1);
    (done.status, done.home_score, done.away_score) = (GameStatus::Final, Some(101), Some(99));
    done.league_game_id = Some("0022500641".parse().unwrap());
    done.tip_off = None;
    let batch =
        |row: &proto::tables::GameRow| IngestBatch { games: vec![row.clone()], ..IngestBatch::default() };
    assert_eq!(ingest(&warehouse, batch(&done)).await.new, 1);
    assert_eq!(ingest(&warehouse, batch(&game(G1, TIP1))).await.new, 0);
    let stored = &warehouse.games_on(day(DATE)).await.unwrap()[0];
    assert_eq!(
        (stored.status, stored.home_score, stored.tip_off),
        (GameStatus::Final, Some(101), Some(at(TIP1)))
    );
    // A postponement is news, whatever came before.
    let mut postponed = game(G2, TIP2);
    postponed.status = GameStatus::Postponed;
    assert_eq!(ingest(&warehouse, batch(&postponed)).await.new, 1);
    assert_eq!(warehouse.games_on(day(DATE)).await.unwrap()[1].status, GameStatus::Postponed);
}

pub(crate) async fn players_follow_from_box_scores(warehouse: Warehouse) {
    let mut newer = player_game("20260121_BOS_NYK", "jarenjacksonjr", "NYK", 30.0, 20.0);
    newer.player_name = "Jaren Jackson Jr.".to_owned();
    let mut older = player_game("20260119_MEM_LAL", "jarenjacksonjr", "MEM", 30.0, 20.0);
    older.player_name = "Jaren Jackson".to_owned();
    for games in [vec![newer.clone()], vec![older.clone()], vec![older, newer]] {
        ingest(&warehouse, IngestBatch { player_games: games, ..IngestBatch::default() }).await;
        let found = warehouse
            .sql("select player_name, base_lookup, team, last_game_date from players", Default::default())
            .await
            .unwrap();
        let texts: Vec<&str> = found.rows[0].iter().map(|v| v.as_deref().unwrap()).collect();
        assert_eq!(texts, ["Jaren Jackson Jr.", "jarenjackson", "NYK", "2026-01-21"]);
    }
}

pub(crate) async fn counts_that_do_not_add_up_are_refused(warehouse: Warehouse) {
    let mut ingest = warehouse.begin_ingest("x", at(NOON)).await.unwrap();
    ingest.add(&night()).await.unwrap();
    let mut wrong = file("x", NOON);
    (wrong.rows_read, wrong.rows_new) = (10, 9);
    let error = ingest.commit(&wrong).await.unwrap_err();
    assert!(error.is_refused_by_constraint() && error.certainly_not_applied(), "{error}");
    assert_eq!(warehouse.known_file(&wrong.sha256).await.unwrap(), None);
    assert_eq!(warehouse.table_counts().await.unwrap()["lines"], 0);
}

pub(crate) async fn quarantine_keeps_reasons(warehouse: Warehouse) {
    let refused = |code: &str, date: Option<&str>| QuarantineRow {
        source_file: "odds.json".to_owned(),
        line_number: Some(3),
        code: code.to_owned(),
        sentence: "field `price` is missing".to_owned(),
        excerpt: "{".to_owned(),
        game_date: date.map(day),
    };
    let rows = vec![refused("malformed", None), refused("game_unresolved", Some(DATE))];
    let counts = ingest(&warehouse, IngestBatch { quarantine: rows.clone(), ..IngestBatch::default() }).await;
    assert_eq!((counts.new, counts.known), (0, 0));
    assert_eq!(warehouse.quarantine(None, 10).await.unwrap(), [rows[1].clone(), rows[0].clone()]);
    assert_eq!(warehouse.quarantine(Some(day(DATE)), 10).await.unwrap(), [rows[1].clone()]);
}
