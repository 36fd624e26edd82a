//! A process that dies at any named instruction leaves the old slate or the new one, and the batch can still end.
//! Run with `--features crash-points`; the child is this test binary, asked to run [`child`] alone.

use std::process::Command;

use proto::Code;
use tempfile::TempDir;
use warehouse::crash::POINTS;

use crate::fixtures::*;

const FOLDER: &str = "TIPOFF_CRASH_FOLDER";
const OLD: [&str; 2] = ["a alpha 25", "a beta 25"];
const NEW: [&str; 2] = ["a alpha 22", "a beta 22"];

/// Registers and publishes generation 2 in the folder it is told, and dies where it is told.
#[tokio::test]
#[ignore = "runs as a child process of the test below"]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let url = warehouse::WarehouseUrl::sqlite(std::path::Path::new(&folder).join("w.db"));
    let warehouse = warehouse::Warehouse::open(&url, &contract()).await.unwrap();
    run(&warehouse, 2, &[("a", G1, Code::Predicted, 22.0)]).await;
}

fn die_at(dir: &TempDir, point: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["crashes::child", "--exact", "--ignored"])
        .env(FOLDER, dir.path())
        .env("TIPOFF_CRASH_AT", point)
        .status()
        .unwrap();
    assert!(!status.success(), "nothing died at {point}");
}

#[tokio::test]
async fn a_crash_anywhere_leaves_the_old_slate_or_the_new_one() {
    for point in POINTS {
        let (warehouse, dir) = fresh().await;
        run(&warehouse, 1, &[("a", G1, Code::Predicted, 25.0)]).await;
        warehouse.close().await;
        die_at(&dir, point);

        let warehouse = open(&dir).await;
        let ended = warehouse.verdict(&batch_id(2)).await.unwrap();
        let expected = if ended.is_some() { NEW } else { OLD };
        assert_eq!(active(&warehouse).await, expected, "after {point}");
        assert_eq!(ended.is_some(), point == "verdict.after_commit", "{point}");
        let registered = warehouse.batch(&batch_id(2)).await.unwrap().is_some();
        assert_eq!(registered, point != "register.before_commit", "{point}");
        // A successor ends the batch, once.
        let end = run(&warehouse, 2, &[("a", G1, Code::Predicted, 22.0)]).await;
        assert_eq!(end.first, ended.is_none(), "{point}");
        assert_eq!(active(&warehouse).await, NEW, "after {point} and its repair");
        let runs = warehouse.runs(None, 10).await.unwrap();
        assert!(runs.len() == 2 && runs.iter().all(|run| run.status == "success"), "{point}: {runs:?}");
    }
}
