//! Opening: what cannot work is refused with a sentence, what can is created once.

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use warehouse::{Error, Warehouse, WarehouseUrl};

use crate::fixtures::*;

async fn refusal(path: &std::path::Path) -> Error {
    Warehouse::open(&WarehouseUrl::sqlite(path), &contract()).await.unwrap_err()
}

async fn execute(path: &std::path::Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn a_warehouse_keeps_its_id_and_its_rows() {
    let (first, dir) = fresh().await;
    let id = first.id().to_owned();
    assert_eq!((id.len(), first.contract_version()), (36, "t1"));
    first.close().await;
    let again = open(&dir).await;
    assert_eq!(again.id(), id);
    assert_eq!(again.table_counts().await.unwrap()["games"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_starts_do_not_race() {
    let dir = TempDir::new().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let url = WarehouseUrl::sqlite(dir.path().join("w.db"));
        tasks.push(tokio::spawn(
            async move { Warehouse::open(&url, &contract()).await.unwrap().id().to_owned() },
        ));
    }
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn what_cannot_work_is_refused() {
    let dir = TempDir::new().unwrap();
    let error = refusal(&dir.path().join("nowhere/w.db")).await;
    assert!(matches!(&error, Error::MissingFolder { folder } if folder.ends_with("nowhere")), "{error}");
    assert!(matches!(refusal(dir.path()).await, Error::NotAFile { .. }));

    let text = dir.path().join("text");
    std::fs::write(&text, "not a database, but long enough to look like one").unwrap();
    assert!(matches!(refusal(&text).await, Error::NotAWarehouse { .. }));

    let foreign = dir.path().join("foreign.db");
    execute(&foreign, "create table t (x)").await;
    let before = std::fs::read(&foreign).unwrap();
    assert!(matches!(refusal(&foreign).await, Error::NotAWarehouse { .. }));
    assert_eq!(std::fs::read(&foreign).unwrap(), before, "another program's file is not touched");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (warehouse, dir) = fresh().await;
    warehouse.close().await;
    let path = dir.path().join("w.db");
    execute(&path, "insert into _sqlx_migrations values (99, 'later', '2030-01-01', true, x'00', 1)").await;
    let error = refusal(&path).await;
    assert!(matches!(error, Error::Newer { found: 99, known: 8 }), "{error}");
    execute(
        &path,
        "delete from _sqlx_migrations where version = 99; update _sqlx_migrations set checksum = x'00'",
    )
    .await;
    assert!(matches!(refusal(&path).await, Error::OtherSchema { version: 1 }));
}

#[tokio::test]
async fn a_contract_version_never_changes_its_meaning() {
    let (first, dir) = fresh().await;
    let url = WarehouseUrl::sqlite(dir.path().join("w.db"));
    first.close().await;
    let changed = contract_named("t1", &["points_avg_last_5", "home_away", "vegas_points_line"]);
    let error = Warehouse::open(&url, &changed).await.unwrap_err();
    assert!(matches!(&error, Error::Contract { version, .. } if version == "t1"), "{error}");
    // A new version shares columns and may add some.
    let next = contract_named("t2", &["home_away", "team_pace"]);
    let second = Warehouse::open(&url, &next).await.unwrap();
    assert_eq!(second.contract_version(), "t2");
    for wrong in ["game_id", "Points", "x; drop table games", ""] {
        let error = Warehouse::open(&url, &contract_named("t3", &[wrong])).await.unwrap_err();
        assert!(matches!(error, Error::Contract { .. }), "{wrong}: {error}");
    }
    assert!(Warehouse::open(&url, &contract_named("t3", &["a", "a"])).await.is_err());
    assert!(Warehouse::open(&url, &contract()).await.is_ok());
}

/// Incident 7: code wrote columns that the table did not have. Here a contract gets its columns when it is opened.
#[tokio::test]
async fn incident_07_a_wider_contract_has_its_columns_before_anything_is_written() {
    let (first, dir) = fresh().await;
    let url = WarehouseUrl::sqlite(dir.path().join("w.db"));
    let missing = [proto::Feature::missing(); 3];
    first.put_features(&[crate::reads::features("a", missing)]).await.unwrap();
    assert_eq!(first.other_contract_of(day(DATE)).await.unwrap(), None);
    first.close().await;

    let wider = ["points_avg_last_5", "vegas_points_line", "home_away", "threes_line"];
    let second = Warehouse::open(&url, &contract_named("t2", &wider)).await.unwrap();
    assert_eq!(second.features_of(day(DATE)).await.unwrap(), [], "rows of another contract are not ours");
    assert_eq!(second.other_contract_of(day(DATE)).await.unwrap().as_deref(), Some("t1"));
    let mut row = crate::reads::features("a", missing);
    row.vector.contract_version = "t2".to_owned();
    row.vector.features.push(proto::Feature::real(2.5, proto::FeatureSource::Odds));
    second.put_features(std::slice::from_ref(&row)).await.unwrap();
    assert_eq!(second.features_of(day(DATE)).await.unwrap(), [row]);
}

/// Incident 7 again: what an older binary wrote is there after the migration, with the columns the newer one writes.
#[tokio::test]
async fn incident_07_a_warehouse_of_the_first_version_is_migrated_with_its_rows() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("w.db");
    let first = sqlx::migrate::Migration::new(
        1,
        "tables".into(),
        sqlx::migrate::MigrationType::Simple,
        sqlx::SqlSafeStr::into_sql_str(include_str!("../../migrations/sqlite/0001_tables.sql")),
        false,
    );
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    let mut migrator = sqlx::migrate::Migrator::with_migrations(vec![first]);
    migrator.set_locking(false);
    migrator.run(&mut conn).await.unwrap();
    sqlx::raw_sql(
        "insert into runs (run_id, stage, status, started_at, finished_at, error, error_class) values
            ('a', 'ingest', 'running', '2026-01-23T18:00:00Z', null, null, null),
            ('b', 'grade', 'failed', '2026-01-23T18:00:00Z', '2026-01-23T18:01:00Z', 'why', 'bug');
         insert into game_lines values ('20260123_BOS_NYK', 'x', '2026-01-23T18:00:00.000000Z', '2026-01-23', -13, 443,
            'odds_api', 'f', '2026-01-23T18:00:00.000000Z');
         insert into players values ('bobunyan', 'Bo Bunyan', 'bobunyan', 2, 'GSW', '2026-01-20', 'f', '2026-01-23');
         insert into injuries (player_lookup, team, status, reported_at, note, source_file, ingested_at) values
            ('bobunyan', 'GSW', 'out', '2026-01-23T12:00:00.000000Z', 'knee', 'f', '2026-01-23T18:00:00.000000Z'),
            ('nobody', 'GSW', 'out', '2026-01-23T12:00:00.000000Z', 'toe', 'f', '2026-01-23T18:00:00.000000Z')",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::Connection::close(conn).await.unwrap();

    let warehouse = Warehouse::open(&WarehouseUrl::sqlite(&path), &contract()).await.unwrap();
    let statuses: Vec<String> =
        warehouse.runs(None, 10).await.unwrap().into_iter().map(|run| run.status).collect();
    assert_eq!(statuses, ["failed", "running"]);
    let end = warehouse::RunEnd::TimedOut("one file is left".to_owned());
    warehouse.run_finish("a", &end, &serde_json::json!({}), at(NOON)).await.unwrap();
    let run = warehouse.runs(Some("ingest"), 1).await.unwrap().remove(0);
    assert_eq!((run.status.as_str(), run.error_class.as_deref()), ("timed_out", Some("timeout")));
    let totals = warehouse
        .sql("select home_implied_total, away_implied_total from game_lines", warehouse::SqlLimits::default())
        .await
        .unwrap();
    assert_eq!(totals.rows[0], [Some("114".to_owned()), Some("107.5".to_owned())]);
    let waiting = warehouse.unresolved_reports().await.unwrap();
    let names: Vec<&str> = waiting.iter().map(|report| report.player_name.as_str()).collect();
    assert_eq!(names, ["nobody"], "who was a player then is one now");
}

/// A warehouse as version 2 left it, with one row that another took over from and one that was invalidated.
#[tokio::test]
async fn what_an_older_version_published_is_kept() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("w.db");
    let (now, url) = (fresh().await, WarehouseUrl::sqlite(&path));
    let applied =
        now.0.sql("select hex(checksum) from _sqlx_migrations order by version", Default::default()).await;
    let checksums: Vec<String> =
        applied.unwrap().rows.into_iter().map(|row| row[0].clone().unwrap()).collect();
    execute(&path, include_str!("../../migrations/sqlite/0001_tables.sql")).await;
    execute(&path, include_str!("../../migrations/sqlite/0002_lines_and_runs.sql")).await;
    let known: String = checksums[..2]
        .iter()
        .zip(1..)
        .map(|(sum, no)| {
            format!("insert into _sqlx_migrations values ({no}, 'm', '2026-01-01', true, x'{sum}', 1);")
        })
        .collect();
    let rows: String = [(1, "a", 0, "null", "'00000000-0000-5000-8000-00000000002a'"), (1, "b", 0, "'injured_out'", "null"), (2, "a", 1, "null", "null")]
        .map(|(generation, player, active, reason, heir)| {
            format!(
                "insert into predictions (prediction_id, batch_id, generation, sport, game_date, game_id, player_lookup, market, \
                 system_id, prediction_run_mode, model_sha256, inputs_sha256, predicted_value, half_points, line_source, \
                 line_source_api, book, was_line_fallback, over_price, under_price, line_snapshot_at, \
                 line_minutes_before_game, no_vig_over, line_margin, recommendation, feature_quality_score, \
                 default_feature_count, in_sample, as_of, predicted_at, row_sha256, is_active, invalidation_reason, \
                 invalidated_at, superseded_by, superseded_at, created_at) values \
                 ('00000000-0000-5000-8000-0000000000{generation}{player}', 'b{generation}', \
                 {generation}, 'nba', '2026-01-23', '20260123_BOS_NYK', '{player}', 'points', 's', 'OVERNIGHT', 'm', 'i', 21.5, 41, \
                 'ACTUAL_PROP', 'odds_api', 'fanduel', 0, '-110', '-110', 't', 30, 0.5, 1.0, 'OVER', 90, 0, 0, 't', 't', \
                 '{sha}', {active}, {reason}, iif({reason} is null, null, 't2'), {heir}, iif({heir} is null, null, 't2'), 't1');",
                sha = "0".repeat(64),
            )
        })
        .concat();
    let batches = "insert into batches (batch_id, sport, game_date, generation, state, receipt, decided_at) values \
                   ('b1', 'nba', '2026-01-23', 1, 'complete', '{}', 't1'), ('b2', 'nba', '2026-01-23', 2, 'complete', '{}', 't2');";
    let ledger = "create table _sqlx_migrations (version bigint primary key, description text not null, installed_on \
                  timestamp not null default current_timestamp, success boolean not null, checksum blob not null, \
                  execution_time bigint not null);";
    let all = format!("{ledger}{known}{batches}{rows}");
    let mut conn = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut conn).await.unwrap();
    drop(conn);

    let warehouse = Warehouse::open(&url, &contract()).await.unwrap();
    let select = "select generation, player_lookup, is_active, invalidation_reason, superseded_by, superseded_at, line, book, \
                  predicted_value from predictions order by generation, player_lookup";
    let found = warehouse.sql(select, Default::default()).await.unwrap();
    let found: Vec<String> = found
        .rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.clone().unwrap_or_default()).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        found,
        [
            "1 a 0  00000000-0000-5000-8000-00000000002a t2 20.5 fanduel 21.5",
            "1 b 0 injured_out   20.5 fanduel 21.5",
            "2 a 1    20.5 fanduel 21.5",
        ]
    );
}
