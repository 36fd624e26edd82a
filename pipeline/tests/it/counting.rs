//! `read = new + known + refused`, whatever a file holds; and a file twice changes nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fixtures::{World, at, book, event, market, pair, world};
use pipeline::ingest::{FileState, IngestOptions, run};

/// Cells that a table may hold, good and bad.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("-110".to_owned()),
        Just("24.5".to_owned()),
        Just("24.25".to_owned()),
        Just("NaN".to_owned()),
        Just("-3".to_owned()),
        Just("Aaron Ace".to_owned()),
        Just("\"open".to_owned()),
        Just("a,b".to_owned()),
        Just("é\u{0}".to_owned()),
        "[a-z0-9]{0,6}",
    ]
}

/// A row of a paired table of odds with one cell replaced, or a line that is no row.
fn row() -> impl Strategy<Value = String> {
    let good = [
        "20240329_170000",
        "e1",
        "2024-03-29T23:10:00Z",
        "2024-03-29",
        "Charlotte Hornets",
        "Golden State Warriors",
        "draftkings",
        "player_points",
        "Aaron Ace",
        "24.5",
        "-110",
        "-110",
    ]
    .map(str::to_owned);
    let points = prop_oneof![Just("23.5"), Just("24.5"), Just("25.5")];
    let damaged = (0usize..14, cell(), points).prop_map(move |(at, cell, point)| {
        let mut cells = good.clone();
        cells[9] = point.to_owned();
        if let Some(place) = cells.get_mut(at) {
            *place = cell;
        }
        cells.join(",")
    });
    prop_oneof![8 => damaged, 1 => "[ -~]{0,40}", 1 => Just(String::new())]
}

#[test]
fn read_is_new_and_known_and_refused_for_any_table() {
    let header = "snapshot_file,event_id,commence_time,game_date_et,home_team,away_team,bookmaker,market,player,line,over_price,under_price";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(world());
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let files = (prop::collection::vec(row(), 0..30), any::<u32>());
    runner
        .run(&files, |(rows, salt)| {
            let text = format!(
                "{header},salt{salt}\n{}\n",
                rows.iter().map(|r| format!("{r},")).collect::<Vec<_>>().join("\n")
            );
            let lines = text.lines().skip(1).filter(|line| !line.trim().is_empty()).count() as u64;
            // `take` asserts the sum.
            let report = runtime.block_on(world.take("any.csv", text));
            prop_assert_eq!(report.read, lines, "{:?}", report);
            Ok(())
        })
        .unwrap();
}

#[test]
fn read_is_new_and_known_and_refused_for_any_json() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(world());
    let good = {
        let points = [pair("Aaron Ace", "24.5", "-110", "-110"), pair("Bo Bunyan", "14.5", "1.91", "1.95")];
        let books = ["draftkings", "fanduel"]
            .map(|key| book(key, &[market("player_points", "2024-03-29T18:58:54Z", &points)]));
        let events = ["e1", "e2", "e3"].map(|id| event(id, &books));
        format!("[{}]", events.join(","))
    };
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let edits = prop::collection::vec((0..good.len(), any::<u8>(), any::<bool>()), 0..4);
    runner
        .run(&edits, |edits| {
            let mut bytes = good.clone().into_bytes();
            for (at, byte, cut) in edits {
                let at = at.min(bytes.len().saturating_sub(1));
                if cut {
                    bytes.truncate(at.max(200));
                } else if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            // `take` asserts the sum; nothing panics, whatever the bytes are.
            runtime.block_on(world.take("any.json", bytes));
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_file_twice_changes_nothing_and_is_not_read_again() {
    let world = world().await;
    let points = [pair("Aaron Ace", "24.5", "-110", "-110"), pair("Bo Bunyan", "14.25", "-110", "-110")];
    let text =
        event("e1", &[book("draftkings", &[market("player_points", "2024-03-29T18:58:54Z", &points)])]);
    let first = world.take("odds.json", &text).await;
    assert_eq!((first.new, first.num_refused()), (2, 2));
    let tables = || async {
        let counts = "SELECT (SELECT count(*) FROM lines), (SELECT count(*) FROM games),
            (SELECT count(*) FROM quarantine), (SELECT count(*) FROM source_files)";
        world.sql(counts).await
    };
    let before = tables().await;
    let again = world.take("same content, other name.json", &text).await;
    assert_eq!((again.state, again.read, again.new, again.known), (FileState::Known, 4, 0, 2));
    assert_eq!(tables().await, before);
    // Read again on purpose: every row is known.
    let path = world.write("odds.json", &text);
    let options = IngestOptions { force: true, ..IngestOptions::at(at("2024-04-02T00:00:00Z")) };
    let forced = run(&world.warehouse, &[path], options, |_| {}).await.unwrap();
    assert_eq!((forced.files[0].new, forced.files[0].known), (0, 2));
    assert_eq!(world.count("SELECT count(*) FROM lines").await, 1);
}

#[tokio::test]
async fn incident_30_and_31_files_that_come_later_go_in() {
    let world = World::new().await;
    for (n, id) in ["e1", "e2", "e3"].into_iter().enumerate() {
        let points = [pair("Aaron Ace", "24.5", "-110", "-110")];
        let text =
            event(id, &[book("draftkings", &[market("player_points", "2024-03-29T18:58:54Z", &points)])]);
        world.write(&format!("in/{n}.json"), text);
        let report = world.ingest(&[world.path("in")]).await;
        let states: Vec<FileState> = report.files.iter().map(|f| f.state).collect();
        assert_eq!(states.iter().filter(|s| **s == FileState::Ingested).count(), 1, "{report:?}");
        assert_eq!(world.count("SELECT count(DISTINCT event_id) FROM lines").await, n as u64 + 1);
    }
}
