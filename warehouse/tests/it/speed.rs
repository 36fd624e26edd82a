//! How fast rows go in; run with `cargo test -p warehouse --release --test it speed -- --ignored --nocapture`.

#![allow(clippy::print_stdout)] // a measurement prints what it measured

use std::time::Instant;

use proto::{Code, Market};
use warehouse::{IngestBatch, LoadSlate, SlateLoad};

use crate::fixtures::*;

/// Wall clock, and the processor time of all threads: on a busy machine only the second means something.
struct Watch(Instant, f64);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), processor_seconds())
    }

    fn report(&self, what: &str, rows: usize) {
        let (wall, busy) = (self.0.elapsed().as_secs_f64(), processor_seconds() - self.1);
        println!(
            "{what}: {rows} rows in {:.0} ms ({:.0} rows/s), processor {:.0} ms ({:.0} rows/s)",
            wall * 1e3,
            rows as f64 / wall,
            busy * 1e3,
            rows as f64 / busy.max(0.001)
        );
    }
}

/// User and system time of this process, where the kernel tells (in hundredths of a second).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // After the name: state (no number), then pid fields; utime and stime are the 14th and 15th of all.
    fields.get(10).zip(fields.get(11)).map_or(0.0, |(user, system)| (user + system) / 100.0)
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
    let watch = Watch::start();
    let mut ingest = warehouse.begin_ingest("odds.csv.gz", at(NOON)).await.unwrap();
    for chunk in lines.chunks(5_000) {
        ingest.add(&IngestBatch { lines: chunk.to_vec(), ..IngestBatch::default() }).await.unwrap();
    }
    let mut whole = file("odds.csv.gz", NOON);
    (whole.rows_read, whole.rows_new) = (lines.len() as i64, lines.len() as i64);
    ingest.commit(&whole).await.unwrap();
    watch.report("lines, new", lines.len());

    let watch = Watch::start();
    let (again, batch) =
        (file("again", NOON), IngestBatch { lines: lines.clone(), ..IngestBatch::default() });
    assert_eq!(warehouse.ingest_file(&again, &batch).await.unwrap().new, 0);
    watch.report("lines, known", lines.len());

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
    let watch = Watch::start();
    ingest_file_of(&warehouse, games.clone()).await;
    watch.report("player games", games.len());

    let watch = Watch::start();
    let wanted =
        LoadSlate { slate: slate(), as_of: at(TIP1), generation: None, markets: vec![Market::points()] };
    let SlateLoad::Inputs(inputs) = warehouse.load_slate(&wanted).await.unwrap() else { panic!("overtaken") };
    watch.report("load slate: lines of the date", 40_000);
    println!("  {} quoted, {} players", inputs.quotes.len(), inputs.players.len());

    for round in 0..10 {
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
        let watch = Watch::start();
        let end = warehouse.publish(&request).await.unwrap();
        watch.report(&format!("publish generation {}", end.receipt.generation), request.rows.len());
        assert_eq!(end.receipt.active, 4_008);
    }
}

async fn ingest_file_of(warehouse: &warehouse::Warehouse, player_games: Vec<proto::tables::PlayerGameRow>) {
    ingest(warehouse, IngestBatch { player_games, ..IngestBatch::default() }).await;
}
