//! Late data and SIGKILL: a message outlives the process that took it, and nobody is predicted twice for it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use jiff::SignedDuration;
use proto::PlayerName;
use serde_json::{Value, json};

use crate::cli::tipoff;
use crate::server::{PATIENCE, Server};
use crate::world::{World, small, vendor_line};

/// The last look with one player's lines moved, a few minutes later; his lookup.
fn moved_line(world: &World, number: i64) -> String {
    let at = world.report.as_of + SignedDuration::from_mins(number);
    let look = world.report.files.last().unwrap();
    // The folder the files were made in is gone: the look is made again from the same seed.
    let again = pipeline::simulate::days(&small(), &world.dir.path().join("again")).unwrap();
    let file = again.files.iter().find(|file| file.file_name() == look.file_name()).unwrap();
    let mut mover: Option<String> = None;
    let mut text = String::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event["timestamp"] = json!(at.to_string());
        for book in event["data"]["bookmakers"].as_array_mut().unwrap() {
            for market in book["markets"].as_array_mut().unwrap() {
                market["last_update"] = json!(at.to_string());
                for outcome in market["outcomes"].as_array_mut().unwrap() {
                    let Some(name) = outcome["description"].as_str() else { continue };
                    if mover.get_or_insert_with(|| name.to_owned()) == name {
                        outcome["point"] = json!(outcome["point"].as_f64().unwrap() + number as f64);
                    }
                }
            }
        }
        text += &vendor_line(&event);
    }
    fs::write(world.dir.path().join(format!("late-{number}.jsonl")), text).unwrap();
    PlayerName::parse(&mover.unwrap()).unwrap().lookup.to_string()
}

fn serve(world: &World, workers: u32) -> Server {
    Server::start(world.dir.path(), None, workers, &[("TIPOFF_EVENTS_WATCH_SECONDS", "0")])
}

/// Says that lines came in.
async fn tell(server: &Server, world: &World, id: &str) {
    let message = json!({
        "specversion": "1.0", "id": id, "source": "test", "type": "tipoff.lines.updated.v1",
        "time": jiff::Timestamp::now().to_string(), "data": {"game_date": world.report.last_day.to_string()}
    });
    let (status, answer) = server.post("/events", message).await.unwrap();
    assert_eq!(status, 202, "{answer:#}");
}

fn ask(world: &World, statement: &str) -> Vec<Vec<String>> {
    let said = tipoff(world.dir.path(), &["sql", "--dir", ".", "--json", statement]).exit(0);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    let cells = |row: &Value| {
        let cells = row.as_array().unwrap().iter();
        cells.map(|cell| cell.as_str().unwrap_or_default().to_owned()).collect()
    };
    answer["rows"].as_array().unwrap().iter().map(cells).collect()
}

#[test]
fn a_change_is_taken_up_exactly_once_however_often_the_server_is_killed() {
    let world = World::new(&small());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let first = serve(&world, 2).run_batch(serde_json::to_value(world.request()).unwrap()).await;
        assert_eq!(first["state"], "complete", "{first:#}");
        // The dropped server was killed. The next ones coordinate only: whatever they start stays open, and they die.
        let mut mover = String::new();
        for number in 1..=3 {
            mover = moved_line(&world, number);
            tipoff(world.dir.path(), &["ingest", "--dir", ".", &format!("late-{number}.jsonl")]).exit(0);
            let server = serve(&world, 0);
            tell(&server, &world, &number.to_string()).await;
            if number == 3 {
                // And one that lives a little longer: long enough to have acted.
                server.get("/status").await;
            }
        }
        let server = serve(&world, 2);
        let since = Instant::now();
        let open =
            "select count(*) from runs where status = 'running' and stage in ('lines_updated', 'predict')";
        while ask(&world, open)[0][0] != "0" {
            assert!(since.elapsed() < PATIENCE, "something stays open: {:#}", server.get("/status").await);
        }
        server.settled("late data").await;
        let after = ask(
            &world,
            "select o.player_lookup, count(*) from job_outcomes o join batches b on b.batch_id = o.batch_id
             where b.generation > 1 and b.state in ('complete', 'partial') group by 1",
        );
        let after: BTreeMap<String, u64> =
            after.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
        assert_eq!(after.keys().collect::<Vec<_>>(), [&mover], "the player who moved, nobody else");
        assert!((1..=3).contains(&after[&mover]), "once per change at most: {after:?}");
        // What stands is the last change: nothing differs any more.
        let request = json!({"game_date": world.report.last_day.to_string(), "only": "changed"});
        let (status, answer) = server.post("/start", request).await.unwrap();
        assert_eq!((status, &answer["status"]), (200, &json!("nothing_to_do")), "{answer:#}");
    });
}
