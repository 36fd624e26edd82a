//! Leases, and what a write under one that was lost comes to.

use jiff::SignedDuration;
use warehouse::{Error, FileOrigin, IngestBatch, Lease, LeaseAnswer, LeaseRequest, Warehouse};

use crate::fixtures::*;

async fn ask(warehouse: &Warehouse, holder: &str, now: &str) -> LeaseAnswer {
    let request = LeaseRequest {
        resource: "ingest/odds/2026-01-23".to_owned(),
        holder: holder.to_owned(),
        ttl: SignedDuration::from_mins(2),
    };
    warehouse.acquire_lease(&request, at(now)).await.unwrap()
}

fn taken(answer: LeaseAnswer) -> Lease {
    match answer {
        LeaseAnswer::Taken { lease, .. } => lease,
        LeaseAnswer::Held(by) => panic!("held by {by:?}"),
    }
}

fn origin() -> FileOrigin {
    FileOrigin { name: "o.json".to_owned(), sha256: "s".to_owned(), path: "/in/o.json".to_owned() }
}

pub(crate) async fn incident_29_a_zombie_writes_nothing_under_a_lease_it_lost(warehouse: Warehouse) {
    let first = taken(ask(&warehouse, "a", "2026-01-23T18:00:00Z").await);
    assert!(matches!(ask(&warehouse, "b", "2026-01-23T18:01:59Z").await, LeaseAnswer::Held(_)));
    // It wrote a file at 18:01, which renewed its lease; so at 18:02 it is still its own.
    let file = warehouse.begin_file(origin(), at(NOON), &first, at("2026-01-23T18:01:00Z")).await.unwrap();
    file.commit(&file_row()).await.unwrap();
    assert!(matches!(ask(&warehouse, "b", "2026-01-23T18:02:00Z").await, LeaseAnswer::Held(_)));

    // Then it is silent for too long, and another one takes over under the next fence.
    let second = match ask(&warehouse, "b", "2026-01-23T18:03:00Z").await {
        LeaseAnswer::Taken { lease, abandoned: Some(dead) } if dead.holder == "a" => lease,
        other => panic!("{other:?}"),
    };
    assert_eq!((first.fence, second.fence), (1, 2));
    let error =
        warehouse.begin_file(origin(), at(NOON), &first, at("2026-01-23T18:03:01Z")).await.unwrap_err();
    assert!(matches!(&error, Error::LeaseLost { .. }) && error.certainly_not_applied(), "{error}");
    // Giving back what is no longer its own takes nothing from the other.
    warehouse.release_lease(&first, at("2026-01-23T18:03:02Z")).await.unwrap();
    assert!(matches!(ask(&warehouse, "c", "2026-01-23T18:03:03Z").await, LeaseAnswer::Held(_)));
    assert_eq!(warehouse.open_leases().await.unwrap().len(), 1);
    warehouse.release_lease(&second, at("2026-01-23T18:03:04Z")).await.unwrap();
    assert_eq!(warehouse.open_leases().await.unwrap(), []);
    assert_eq!(taken(ask(&warehouse, "c", "2026-01-23T18:03:05Z").await).fence, 3);
}

fn file_row() -> proto::tables::SourceFileRow {
    proto::tables::SourceFileRow { sha256: "s".to_owned(), ..file("o.json", NOON) }
}

pub(crate) async fn a_content_that_is_read_again_has_one_account(warehouse: Warehouse) {
    let refused = |n: i64| proto::tables::QuarantineRow {
        source_file: "o.json".to_owned(),
        line_number: Some(n),
        code: "game_unresolved".to_owned(),
        sentence: "no such game".to_owned(),
        excerpt: "x".to_owned(),
        game_date: None,
    };
    let read = async |lines: usize, refusals: i64, kind: &str| {
        let lease = taken(ask(&warehouse, "a", "2026-01-23T18:00:00Z").await);
        let mut tx = warehouse.begin_file(origin(), at(NOON), &lease, at(NOON)).await.unwrap();
        let batch = IngestBatch {
            lines: (0..lines).map(|n| line("a", "draftkings", 41 + n as i32, NOON)).collect(),
            quarantine: (0..refusals).map(refused).collect(),
            ..IngestBatch::default()
        };
        let counts = tx.add(&batch).await.unwrap();
        let (new, known) = (counts.new as i64, counts.known as i64);
        let row = proto::tables::SourceFileRow {
            kind: kind.to_owned(),
            rows_read: new + known + refusals,
            rows_new: new,
            rows_known: known,
            rows_refused: refusals,
            ..file_row()
        };
        tx.commit(&row).await.unwrap();
        let known = warehouse.known_file("s").await.unwrap().unwrap();
        let kept = warehouse.quarantine_entries(None, 10).await.unwrap().len();
        (known.kind, known.rows_read, known.rows_new, known.rows_known, known.rows_refused, kept)
    };
    assert_eq!(read(0, 3, "quarantined").await, ("quarantined".to_owned(), 3, 0, 0, 3, 3));
    assert_eq!(read(2, 1, "odds_table").await, ("odds_table".to_owned(), 3, 2, 0, 1, 1));
    assert_eq!(read(2, 1, "odds_table").await, ("odds_table".to_owned(), 3, 2, 0, 1, 1));
    assert_eq!(read(3, 0, "odds_table").await, ("odds_table".to_owned(), 3, 3, 0, 0, 0));
    let entry = warehouse.quarantine_entry(1).await.unwrap();
    assert_eq!(entry, None, "an entry of an earlier reading is gone");
}
