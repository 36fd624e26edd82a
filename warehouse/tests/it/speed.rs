//! How fast rows go in; run with `cargo test -p warehouse --release --test it speed -- --ignored --nocapture`.

#![allow(clippy::print_stdout)] // a measurement prints what it measured

use std::time::Instant;

use proto::{Code, Market};
use warehouse::{IngestBatch, LoadSlate, SlateLoad};

use crate::fixtures::*;

fn report(what: &str, rows: usize, since: Instant) {
    let seconds = since.elapsed().as_secs_f64();
    println!("{what}: {rows} rows in {:.0} ms, {:.0} rows/s", seconds * 1e3, rows as f64 / seconds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn rows_per_second() {
    let (warehouse, _dir) = fresh().await;
    let mut lines = Vec::new();
    for event in 0..70 {
        for player in 0..20 {
            for book in 0..10 {
                for snapshot in 0..20 {
                    let seen = format!("2026-01-23T{:02}:{:02}:00Z", 8 + snapshot / 2, (snapshot % 2) * 30);
                    let mut row = line(&format!("playername{player}"), &format!("book{book}"), 41, &seen);
                    row.event_id = format!("{event:032x}");
                    row.game_id = Some(game_key(if event % 2 == 0 { G1 } else { G2 }));
                    row.game_date = if event < 10 { day(DATE) } else { day("2026-01-22") };
                    lines.push(row);
                }
            }
        }
    }
    let start = Instant::now();
    let mut ingest = warehouse.begin_ingest("odds.csv.gz", at(NOON)).await.unwrap();
    for chunk in lines.chunks(5_000) {
        ingest.add(&IngestBatch { lines: chunk.to_vec(), ..IngestBatch::default() }).await.unwrap();
    }
    let mut whole = file("odds.csv.gz", NOON);
    (whole.rows_read, whole.rows_new) = (lines.len() as i64, lines.len() as i64);
    ingest.commit(&whole).await.unwrap();
    report("lines, new", lines.len(), start);

    let start = Instant::now();
    let (again, batch) =
        (file("again", NOON), IngestBatch { lines: lines.clone(), ..IngestBatch::default() });
    assert_eq!(warehouse.ingest_file(&again, &batch).await.unwrap().new, 0);
    report("lines, known", lines.len(), start);

    let mut games = Vec::new();
    for player in 0..400 {
        for day in 1..=20 {
            games.push(player_game(
                &format!("202601{day:02}_BOS_NYK"),
                &format!("p{player}"),
                "BOS",
                30.0,
                20.0,
            ));
        }
    }
    let start = Instant::now();
    ingest_file_of(&warehouse, games.clone()).await;
    report("player games", games.len(), start);

    let start = Instant::now();
    let wanted =
        LoadSlate { slate: slate(), as_of: at(TIP1), generation: None, markets: vec![Market::points()] };
    let SlateLoad::Inputs(inputs) = warehouse.load_slate(&wanted).await.unwrap() else { panic!("overtaken") };
    report("load slate: lines of the date", 40_000, start);
    println!("  {} quoted, {} players", inputs.quotes.len(), inputs.players.len());

    for round in 0..3 {
        let mut request = request(round, &[]);
        let systems: Vec<String> = (0..12).map(|s| format!("system{s}")).collect();
        request.head.wanted = systems.iter().map(|s| (Market::points(), system(s))).collect();
        for player in 0..334 {
            let name = format!("player{player}");
            request.rows.extend(systems.iter().map(|s| row(&name, G1, s, 25.0)));
            let mut outcome = outcome(&name, G1, Code::Predicted);
            outcome.rows_owed = 12;
            request.outcomes.push(outcome);
        }
        register(&warehouse, round).await;
        let start = Instant::now();
        let end = warehouse.publish(&request).await.unwrap();
        report(&format!("publish generation {}", end.receipt.generation), request.rows.len(), start);
        assert_eq!(end.receipt.active, 4_008);
    }
}

async fn ingest_file_of(warehouse: &warehouse::Warehouse, player_games: Vec<proto::tables::PlayerGameRow>) {
    ingest(warehouse, IngestBatch { player_games, ..IngestBatch::default() }).await;
}
