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
    assert!(matches!(error, Error::Newer { found: 99, known: 1 }), "{error}");
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
