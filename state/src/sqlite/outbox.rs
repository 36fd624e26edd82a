//! Events that wait to be delivered.

use protocol::Millis;
use protocol::model::MAX_DELIVERIES;
use protocol::ops::OutboxEvent;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::fault::SqlResult;
use super::row::count_write;

fn event(row: &SqliteRow) -> SqlResult<OutboxEvent> {
    Ok(OutboxEvent {
        id: row.try_get("id")?,
        payload: row.try_get("payload")?,
        attempts: row.try_get("attempts")?,
        not_before: row.try_get("not_before")?,
    })
}

pub(super) async fn put(
    conn: &mut SqliteConnection,
    event_id: &str,
    payload: &str,
    now: Millis,
) -> SqlResult<()> {
    sqlx::query("INSERT OR IGNORE INTO outbox (id, payload, attempts, not_before) VALUES ($1, $2, 0, $3)")
        .bind(event_id)
        .bind(payload)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn due(
    conn: &mut SqliteConnection,
    limit: usize,
    now: Millis,
) -> SqlResult<Vec<OutboxEvent>> {
    let rows = sqlx::query(
        "SELECT * FROM outbox WHERE dead IS NULL AND not_before <= $1 ORDER BY not_before, id LIMIT $2",
    )
    .bind(now)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    rows.iter().map(event).collect()
}

pub(super) async fn delivered(conn: &mut SqliteConnection, event_id: &str) -> SqlResult<bool> {
    let deleted = sqlx::query("DELETE FROM outbox WHERE id = $1").bind(event_id).execute(&mut *conn).await?;
    count_write(conn).await?;
    Ok(deleted.rows_affected() > 0)
}

pub(super) async fn failed(
    conn: &mut SqliteConnection,
    event_id: &str,
    error: &str,
    retry_at: Millis,
) -> SqlResult<bool> {
    count_write(conn).await?;
    let row = sqlx::query(
        "UPDATE outbox SET attempts = attempts + 1, not_before = $2, \
         dead = CASE WHEN attempts + 1 >= $3 THEN $4 ELSE dead END \
         WHERE id = $1 RETURNING dead IS NOT NULL",
    )
    .bind(event_id)
    .bind(retry_at)
    .bind(MAX_DELIVERIES)
    .bind(error)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

pub(super) async fn dead_letters(conn: &mut SqliteConnection) -> SqlResult<Vec<(OutboxEvent, String)>> {
    let rows = sqlx::query("SELECT * FROM outbox WHERE dead IS NOT NULL ORDER BY id").fetch_all(conn).await?;
    rows.iter().map(|row| Ok((event(row)?, row.try_get("dead")?))).collect()
}
