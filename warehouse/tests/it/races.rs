//! Two finalizers at once: in one process, and in two that share the file.

use proto::{Code, EndState};
use protocol::CloseReason;
use tempfile::TempDir;

use crate::fixtures::*;

async fn two_processes() -> (warehouse::Warehouse, warehouse::Warehouse, TempDir) {
    let (one, dir) = fresh().await;
    let other = open(&dir).await;
    assert_eq!(one.id(), other.id());
    (one, other, dir)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incident_19_two_publications_of_one_batch_race_and_one_verdict_stands() {
    let (one, other, _dir) = two_processes().await;
    for round in 0..10 {
        register(&one, round).await;
        let value = 22.0 + round as f64;
        let publish = request(round, &[("a", G1, Code::Predicted, value), ("b", G2, Code::Predicted, value)]);
        let mut reset = publish.clone();
        reset.closing = closing(CloseReason::Reset);
        let (x, y, z) = tokio::join!(one.publish(&publish), other.publish(&reset), other.publish(&publish));
        let ends = [x.unwrap(), y.unwrap(), z.unwrap()];
        assert_eq!(ends.iter().filter(|end| end.first).count(), 1, "round {round}");
        assert!(ends.iter().all(|end| end.receipt == ends[0].receipt), "round {round}");
        let rows = active(&one).await;
        if ends[0].verdict.state == EndState::Complete {
            assert_eq!(rows[0], format!("a alpha {value}"));
        }
        assert!(rows.len() == 4 || rows.is_empty(), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_generations_race_and_the_newer_one_is_shown() {
    let (one, other, _dir) = two_processes().await;
    for round in 0..10 {
        let (old, new) = (2 * round, 2 * round + 1);
        register(&one, old).await;
        register(&other, new).await;
        let of = |second: i64, value: f64| request(second, &[("a", G1, Code::Predicted, value)]);
        let (earlier, later) = (of(old, 22.0), of(new, 25.0));
        let (x, y) = tokio::join!(one.publish(&earlier), other.publish(&later));
        let (x, y) = (x.unwrap(), y.unwrap());
        assert_eq!(y.verdict.state, EndState::Complete);
        assert!(matches!(x.verdict.state, EndState::Complete | EndState::Failed));
        assert_eq!(active(&one).await, ["a alpha 25", "a beta 25"], "round {round}");
        assert_eq!(one.published_generation(slate()).await.unwrap(), y.receipt.generation);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_race_and_each_has_its_own_number() {
    let (one, other, _dir) = two_processes().await;
    let mut tasks = Vec::new();
    for second in 0..40_i64 {
        let warehouse = if second % 2 == 0 { one.clone() } else { other.clone() };
        tasks.push(tokio::spawn(async move { register(&warehouse, second).await }));
    }
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incident_22_readers_see_the_old_slate_or_the_new_one() {
    let (one, other, _dir) = two_processes().await;
    let jobs = |value: f64| [("a", G1, Code::Predicted, value), ("b", G2, Code::Predicted, value)];
    run(&one, 0, &jobs(0.0)).await;
    let writer = tokio::spawn(async move {
        for round in 1..=30 {
            run(&one, round, &jobs(round as f64)).await;
        }
    });
    let mut seen = 0;
    while !writer.is_finished() {
        let rows = other.active_rows(slate()).await.unwrap();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row.predicted_value == rows[0].predicted_value), "{rows:?}");
        assert!(rows[0].predicted_value >= f64::from(seen));
        seen = rows[0].predicted_value as i32;
    }
    writer.await.unwrap();
}
