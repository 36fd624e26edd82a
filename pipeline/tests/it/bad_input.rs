//! Bad input: quarantined with its reason, the others go in, nothing is half written.

use pipeline::ingest::{FileState, IngestOptions, run};

use crate::fixtures::{ALIASES, BOX, SCHEDULE, World, at, book, event, gz, market, pair, world};

fn good_event(id: &str) -> String {
    let points = [pair("Aaron Ace", "24.5", "-110", "-110")];
    event(id, &[book("draftkings", &[market("player_points", "2024-03-29T18:58:54Z", &points)])])
}

#[tokio::test]
async fn foreign_files_are_quarantined_and_the_others_go_in() {
    let world = World::new().await;
    let bomb = gz(vec![b'a'; 64 << 20]);
    let mut corrupt = gz(format!("{ALIASES}{}", "A B,C D,1\n".repeat(2000)));
    let middle = corrupt.len() - 6;
    corrupt[middle] ^= 0xff;
    let files = [
        world.write("schedule.csv", SCHEDULE),
        world.write("page.json", "<html><body>502 Bad Gateway</body></html>"),
        world.write("empty.csv", ""),
        world.write("binary.csv", [0u8, 159, 146, 150]),
        world.write("other.json", r#"{"meta":{"version":1},"game":{"gameId":"0022000180"}}"#),
        world.write("other.csv", "alpha,beta\n1,2\n"),
        world.write("bomb.csv.gz", bomb),
        world.write("corrupt.csv.gz", corrupt),
        world.path("not_there.csv"),
        world.write("box.csv", BOX),
    ];
    let report = world.ingest(&files).await;
    assert!(!report.is_clean());
    let state = |name: &str| report.files.iter().find(|f| f.name == name).unwrap();
    for (name, code) in [
        ("page.json", "foreign"),
        ("empty.csv", "foreign"),
        ("binary.csv", "foreign"),
        ("other.json", "foreign"),
        ("other.csv", "foreign"),
        ("bomb.csv.gz", "foreign"), // its first line is no header we know, so it is never unpacked
        ("corrupt.csv.gz", "malformed"),
        ("not_there.csv", "unreadable"),
    ] {
        let file = state(name);
        assert_eq!(file.state, FileState::Quarantined, "{file:?}");
        assert!(file.refused.contains_key(code) && !file.sentence.is_empty(), "{code}: {file:?}");
    }
    assert_eq!((state("box.csv").new, state("schedule.csv").new), (3, 2));
    assert_eq!(world.count("SELECT count(*) FROM quarantine WHERE line_number IS NULL").await, 8);
    assert_eq!(
        world.count("SELECT count(*) FROM player_aliases").await,
        0,
        "nothing of a corrupt file is kept"
    );
    // Again: the same reasons, and no second copy of them.
    let again = world.ingest(&files).await;
    assert!(!again.is_clean());
    assert_eq!(world.count("SELECT count(*) FROM quarantine WHERE line_number IS NULL").await, 8);
}

#[tokio::test]
async fn a_bomb_with_an_honest_header_is_refused_whole() {
    let world = World::new().await;
    let text = format!("{ALIASES}{}", "A".repeat(64 << 20));
    let report = world.take("bomb.csv.gz", gz(text)).await;
    assert_eq!(report.state, FileState::Quarantined, "{report:?}");
    assert!(report.refused.contains_key("too_large"));
    assert_eq!(world.count("SELECT count(*) FROM player_aliases").await, 0);
}

#[tokio::test]
async fn a_truncated_file_gives_what_came_before_the_damage() {
    let whole = format!("[{},{},{}]", good_event("e1"), good_event("e2"), good_event("e3"));
    let cut = whole.find("e3").unwrap() + 40;
    for (name, bytes) in [
        ("cut.json", whole.as_bytes()[..cut].to_vec()),
        ("cut.json.gz", {
            let packed = gz(&whole);
            packed[..packed.len() - 10].to_vec()
        }),
        ("cut.jsonl", {
            let lines = format!("{}\n{}\n{}", good_event("e1"), good_event("e2"), &good_event("e3")[..60]);
            lines.into_bytes()
        }),
    ] {
        let world = world().await;
        let report = world.take(name, bytes).await;
        assert_eq!(report.state, FileState::Ingested, "{name}: {report:?}");
        assert!(report.damaged && report.needs_attention(), "{name}: {report:?}");
        assert!(report.refused.contains_key("truncated"), "{name}: {report:?}");
        let events = world.sql("SELECT DISTINCT event_id FROM lines ORDER BY 1").await;
        assert!(events.len() >= 2 && events[0] == "e1", "{name}: {events:?}");
    }
}

#[tokio::test]
async fn a_truncated_table_keeps_whole_rows_and_no_half_quote() {
    let world = world().await;
    let header = "snapshot_file_date,event_id,commence_time,game_date_et,home_team,away_team,bookmaker_key,market_key,market_last_update,outcome_name,outcome_description,outcome_price,outcome_point\n";
    let row = |side: &str, player: &str| {
        format!(
            "2024-03-29,e1,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,draftkings,player_points,2024-03-29T18:58:54Z,{side},{player},-110,24.5\n"
        )
    };
    // Packed in two members, the second broken off: the stream ends after a whole row that lacks its other side.
    let rows = [row("Over", "Aaron Ace"), row("Under", "Aaron Ace"), row("Over", "Bo Bunyan")].concat();
    let mut bytes = gz(format!("{header}{rows}"));
    bytes.extend_from_slice(&gz(row("Under", "Bo Bunyan"))[..8]);
    let report = world.take("cut.csv.gz", bytes).await;
    assert!(report.damaged, "{report:?}");
    assert_eq!((report.new, report.refused.get("truncated")), (2, Some(&2)), "{report:?}");
    assert_eq!(world.sql("SELECT player_lookup, under_price FROM lines").await, ["aaronacejr|-110"]);
}

#[tokio::test]
async fn lines_that_hold_results_are_refused_as_foreign() {
    let world = World::new().await;
    let joined = "snapshot_file,event_id,commence_time,game_date_et,home_team,away_team,bookmaker,market,player,line,over_price,under_price,status,player_id,team,opponent,is_home,season_type,min,actual,outcome\n";
    let report = world.take("joined.csv", joined).await;
    assert_eq!(report.state, FileState::Quarantined);
    assert!(report.sentence.contains("results beside lines"), "{report:?}");
}

#[tokio::test]
async fn what_nobody_uses_says_so() {
    let world = World::new().await;
    for (name, text, says) in [
        (
            "positions.csv",
            "season,player_id,team_id,position,position_simple\n2021-22,1,2,G,G\n",
            "positions",
        ),
        ("metrics.csv", "season,TEAM_NAME,TEAM_ID,E_OFF_RATING,E_PACE\n2021-22,X,1,100,99\n", "whole season"),
    ] {
        let report = world.take(name, text).await;
        assert_eq!(
            (report.state, report.read, report.refused.get("not_used")),
            (FileState::NotUsed, 1, Some(&1))
        );
        assert!(report.sentence.contains(says), "{report:?}");
    }
    assert!(world.sql("SELECT * FROM source_files").await.is_empty());
}

#[tokio::test]
async fn folders_are_walked_in_order_and_what_is_skipped_is_named() {
    let world = World::new().await;
    world.write("in/b/box.csv", BOX);
    world.write("in/a_schedule.csv", SCHEDULE);
    world.write("in/notes.md", "# notes");
    world.write("in/.hidden.csv", BOX);
    world.write("in/secret.sealed", "never opened");
    let mut seen = Vec::new();
    let paths = [world.path("in"), world.path("in/a_schedule.csv")];
    let options = IngestOptions::at(at(crate::fixtures::NOW));
    let report = run(&world.warehouse, &paths, options, |p| {
        if seen.last().is_none_or(|last| last != p.name) {
            seen.push(p.name.to_owned());
        }
    })
    .await
    .unwrap();
    assert_eq!(seen, ["a_schedule.csv", "box.csv"]);
    assert_eq!(report.files.len(), 2, "a file named twice goes in once");
    assert_eq!(report.skipped, ["notes.md", "secret.sealed"]);
}
