//! What the schema itself refuses, whoever writes.

use proto::Code;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use warehouse::{ErrorClass, RunEnd, RunStart, Warehouse};

use crate::fixtures::*;

/// Writes past the warehouse, as a hand at the database would.
pub(crate) async fn write(warehouse: &Warehouse, statement: &str) -> Result<u64, sqlx::Error> {
    let found = warehouse.sql("select file from pragma_database_list", Default::default()).await.unwrap();
    let path = found.rows[0][0].clone().unwrap();
    let mut conn = SqliteConnectOptions::new().filename(path).connect().await?;
    let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut conn).await?;
    Ok(done.rows_affected())
}

/// What the schema says to a statement; rows of predictions are named by their player.
async fn refusal(warehouse: &Warehouse, statement: &str) -> String {
    let of_player = "where line_id in (select line_id from published_lines natural join prediction_keys where player_lookup";
    let statement = match statement.split_once("where player_lookup") {
        Some((head, player)) if head.contains("published_predictions") => {
            format!("{head}{of_player}{player})")
        }
        _ => statement.to_owned(),
    };
    write(warehouse, &statement).await.unwrap_err().to_string()
}

pub(crate) async fn incident_54_a_recommendation_against_its_sign_is_refused(warehouse: Warehouse) {
    run(&warehouse, 1, &[("a", G1, Code::Predicted, 25.0), ("b", G1, Code::Predicted, 15.0)]).await;
    for statement in [
        "update published_predictions set recommendation = 'UNDER' where player_lookup = 'a'",
        "update published_predictions set recommendation = 'OVER' where player_lookup = 'b'",
        // Another line under the same recommendation is how it happened.
        "update published_predictions set half_points = 61, line_margin = -5.5 where player_lookup = 'a'",
    ] {
        let error = refusal(&warehouse, statement).await;
        assert!(error.contains("recommendation_follows_sign"), "{statement}: {error}");
    }
    let error =
        refusal(&warehouse, "update published_predictions set half_points = 39 where player_lookup = 'a'")
            .await;
    assert!(error.contains("margin_is_value_minus_line"), "{error}");
    // And through the front door: the batch is refused as a whole, the slate stays.
    let before = active(&warehouse).await;
    register(&warehouse, 2).await;
    let mut wrong = request(2, &[("a", G1, Code::Predicted, 19.0)]);
    wrong.rows[1].recommendation = proto::Recommendation::Over;
    let error = warehouse.publish(&wrong).await.unwrap_err();
    assert!(error.is_refused_by_constraint() && error.certainly_not_applied(), "{error}");
    assert_eq!(active(&warehouse).await, before);
    assert_eq!(warehouse.verdict(&batch_id(2)).await.unwrap(), None);
}

pub(crate) async fn two_active_rows_of_a_key_are_refused(warehouse: Warehouse) {
    run(&warehouse, 1, &[("a", G1, Code::Predicted, 25.0)]).await;
    let error = refusal(
        &warehouse,
        "insert into active_predictions select key_no, generation + 1, row_no from active_predictions",
    )
    .await;
    assert!(error.contains("UNIQUE"), "{error}");
}

pub(crate) async fn a_line_off_the_grid_is_refused(warehouse: Warehouse) {
    run(&warehouse, 1, &[("a", G1, Code::Predicted, 25.0)]).await;
    let batch = warehouse::IngestBatch {
        lines: vec![line("a", "draftkings", 41, "2026-01-23T15:00:00Z")],
        ..warehouse::IngestBatch::default()
    };
    ingest(&warehouse, batch).await;
    for table in ["published_lines", "lines"] {
        let error = refusal(&warehouse, &format!("update {table} set half_points = 40.5")).await;
        assert!(error.contains("CHECK"), "{table}: {error}");
        // `line` follows from it and cannot be written.
        let error = refusal(&warehouse, &format!("update {table} set line = 20")).await;
        assert!(error.contains("generated"), "{table}: {error}");
    }
}

pub(crate) async fn a_failed_run_without_an_error_is_refused(warehouse: Warehouse) {
    let start = RunStart {
        run_id: "r1".to_owned(),
        stage: "ingest".to_owned(),
        game_date: None,
        batch_id: None,
        started_at: at(NOON),
    };
    warehouse.run_start(&start).await.unwrap();
    let silent = RunEnd::Failed { error: String::new(), class: ErrorClass::Bug };
    let error = warehouse.run_finish("r1", &silent, &serde_json::json!({}), at(NOON)).await.unwrap_err();
    assert!(error.is_refused_by_constraint(), "{error}");
    let error = refusal(&warehouse, "update runs set status = 'failed', finished_at = 'x'").await;
    assert!(error.contains("failed_run_has_an_error"), "{error}");
}

pub(crate) async fn hashes_and_ids_have_their_length(warehouse: Warehouse) {
    run(&warehouse, 1, &[("a", G1, Code::Predicted, 25.0)]).await;
    for column in ["row_sha256", "prediction_id"] {
        let error = refusal(&warehouse, &format!("update published_predictions set {column} = x'00'")).await;
        assert!(error.contains(&format!("length({column})")), "{column}: {error}");
    }
}

pub(crate) async fn a_row_cannot_be_set_aside_without_a_reason(warehouse: Warehouse) {
    run(&warehouse, 1, &[("a", G1, Code::Predicted, 25.0)]).await;
    for (statement, why) in [
        ("delete from active_predictions", "inactive_has_a_reason"),
        ("update active_predictions set generation = generation - 1", "newer_takes_over"),
        ("update published_predictions set invalidated_at = 'now'", "CHECK"),
        ("update predictions set is_active = false", "view"),
        ("delete from predictions", "view"),
    ] {
        let error = refusal(&warehouse, statement).await;
        assert!(error.contains(why), "{statement}: {error}");
    }
}
