//! `tipoff sql`.

use std::time::Duration;

use warehouse::{Error, SqlLimits, Warehouse};

pub(crate) async fn one_question_is_answered(warehouse: Warehouse) {
    let table = warehouse
        .sql("select game_id, 1, 0.5, null, x'ff' from games order by game_id;", SqlLimits::default())
        .await
        .unwrap();
    assert_eq!(table.columns, ["game_id", "1", "0.5", "null", "x'ff'"]);
    let first: Vec<Option<&str>> = table.rows[0].iter().map(Option::as_deref).collect();
    assert_eq!(first, [Some("20260123_BOS_NYK"), Some("1"), Some("0.5"), None, Some("ff")]);
    assert!(!table.truncated);
    // No rows still have columns.
    let empty = warehouse.sql("select batch_id from batches", SqlLimits::default()).await.unwrap();
    assert_eq!((empty.columns.len(), empty.rows.len()), (1, 0));
}

pub(crate) async fn writing_is_refused_with_a_sentence(warehouse: Warehouse) {
    let before = warehouse.table_counts().await.unwrap();
    for statement in [
        "delete from games",
        "select 1; delete from games",
        "attach 'other.db' as other",
        "pragma journal_mode = delete",
        "with doomed as (select game_id from games) delete from games where game_id in (select game_id from doomed)",
        "select nonsense from games",
        "select load_extension('x')",
        "select",
    ] {
        let error = warehouse.sql(statement, SqlLimits::default()).await.unwrap_err();
        assert!(matches!(error, Error::Statement { .. }), "{statement}: {error:?}");
        assert!(!error.is_unreachable());
    }
    assert_eq!(warehouse.table_counts().await.unwrap(), before);
}

pub(crate) async fn rows_and_time_are_limited(warehouse: Warehouse) {
    const ENDLESS: &str = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n";
    let limits = SqlLimits { rows: 3, ..SqlLimits::default() };
    let table = warehouse.sql(ENDLESS, limits).await.unwrap();
    assert_eq!((table.rows.len(), table.truncated), (3, true));
    let limits = SqlLimits { time: Duration::from_millis(20), ..SqlLimits::default() };
    let error = warehouse.sql(&format!("select count(*) from ({ENDLESS})"), limits).await.unwrap_err();
    assert!(error.to_string().contains("longer than 0.02 s"), "{error}");
}
