//! `POST /events`: what is taken, what is refused and kept, and what a message does to a slate with an open batch.

use proto::api::{Page, Problem};
use proto::trigger::TriggerAccepted;
use serde_json::{Value, json};

use super::day::{Day, settled};
use crate::rest::{Answer, Api};
use crate::world::{World, count, ended, finish, small, start};

fn message(day: &Day, kind: &str, id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "scraper", "type": kind, "time": day.now().to_string(),
        "data": {"game_date": day.report.last_day.to_string()}
    })
}

async fn dead_letters(api: &Api) -> Vec<Value> {
    let page: Page<Value> = api.get("/dead-letters").await.read(200);
    page.rows
}

#[test]
fn what_is_refused_is_kept_and_said() {
    let world = World::new(&small());
    let config = world.config(|_| ());
    world.with_instance(&config, async |instance| {
        let api = Api::of(instance, &config);
        let now = jiff::Timestamp::now();
        let good = json!({
            "specversion": "1.0", "id": "1", "source": "scraper", "type": "tipoff.lines.updated.v1",
            "time": now.to_string(), "data": {"game_date": world.report.last_day.to_string()}
        });
        let with = |field: &str, value: Value| {
            let mut message = good.clone();
            message[field] = value;
            message.to_string()
        };
        let old = (now - jiff::SignedDuration::from_secs(3_700)).to_string();
        let cases = [
            (with("colour", json!("red")), "colour"),
            (with("data", json!({})), "game_date"),
            (with("type", json!("tipoff.lines.updated.v9")), "type"),
            (with("time", json!(old)), "time"),
        ];
        for (number, (body, field)) in cases.iter().enumerate() {
            let answer: Answer = api.call("POST", "/events", body).await;
            let problem: Problem = answer.read(422);
            assert_eq!(problem.field.as_deref(), Some(*field), "{body}");
            let letters = dead_letters(&api).await;
            assert_eq!(letters.len(), number + 1);
            assert_eq!(letters[0]["body"], json!(body));
            assert!(problem.detail.contains(letters[0]["error"].as_str().unwrap()), "{letters:#?}");
        }
        assert_eq!(api.call("POST", "/events", "{").await.status, 422);
        assert_eq!(dead_letters(&api).await.len(), cases.len() + 1, "what is no JSON is kept, too");
        assert_eq!(count(instance, "select count(*) from runs where stage = 'lines_updated'").await, 0);
    });
}

#[test]
fn a_message_is_acted_upon_once_and_a_change_after_nothing_is_no_change() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, config| {
        let api = Api::of(instance, config);
        let lines = message(&day, "tipoff.lines.updated.v1", "1");
        let taken: TriggerAccepted = api.post("/events", &lines).await.read(202);
        assert_eq!((taken.status.as_str(), &taken.batch_id), ("accepted", &None));
        settled(instance).await;
        assert_eq!(count(instance, "select count(*) from batches").await, 0, "nothing is published");
        let again: TriggerAccepted = api.post("/events", &lines).await.read(202);
        assert_eq!((again.status.as_str(), again.run_id), ("known", taken.run_id));

        // Features are what a first batch waits for.
        let _: TriggerAccepted =
            api.post("/events", &message(&day, "tipoff.features.ready.v1", "1")).await.read(202);
        settled(instance).await;
        let first = "select batch_id from batches where generation = 1";
        let batch_id = instance.context.warehouse.sql(first, warehouse::SqlLimits::default()).await.unwrap();
        let first = ended(instance, &batch_id.rows[0][0].as_ref().unwrap().parse().unwrap()).await;
        assert_eq!(first.state, "complete", "{first:#?}");
        assert!(first.progress.total >= day.report.quoted.len() as u64, "the whole slate");

        let _: TriggerAccepted =
            api.post("/events", &message(&day, "tipoff.injury.changed.v1", "1")).await.read(202);
        settled(instance).await;
        let results =
            "select group_concat(stage || ' ' || status || ' ' || json_extract(counts, '$.result'), ', ')
                       from (select * from runs where stage in ('lines_updated', 'features_ready', 'injury_changed')
                       order by started_at, rowid)";
        let table = instance.context.warehouse.sql(results, warehouse::SqlLimits::default()).await.unwrap();
        assert_eq!(
            table.rows[0][0].as_deref(),
            Some(
                "lines_updated success nothing_published, features_ready success started, \
                 injury_changed success nothing_to_do"
            )
        );
    });
}

#[test]
fn a_message_for_a_slate_with_an_open_batch_marks_it_and_its_successor_takes_it_up() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        finish(instance, day.request()).await;
    });
    // Nobody works here: the second batch stays open until somebody ends it.
    day.with_instance(0, async |instance, config| {
        let api = Api::of(instance, config);
        let open = start(instance, day.request()).await.batch_id.unwrap();
        let mut moved = None;
        day.set("07:00");
        let file = day.odds(|name, outcome| {
            let mover = moved.get_or_insert_with(|| name.to_owned());
            if *mover == name {
                outcome["point"] = (outcome["point"].as_f64().unwrap() + 1.0).into();
            }
        });
        day.arrive(instance, file).await;
        let message = message(&day, "tipoff.lines.updated.v1", "7");
        let taken: TriggerAccepted = api.post("/events", &message).await.read(202);
        assert_eq!((taken.status.as_str(), taken.batch_id.as_ref()), ("marked", Some(&open)));
        let mut follower = coordinator::engine::Follower::new(instance.service.clone());
        follower.round().await.unwrap();
        let waiting = "select count(*) from runs where stage = 'lines_updated' and status = 'running'";
        assert_eq!(count(instance, waiting).await, 1, "it waits for the batch");

        let reset = json!({"batch_id": open});
        assert_eq!(api.post("/reset", &reset).await.status, 200);
        settled(instance).await;
        let sql = "select json_extract(counts, '$.players') from runs where stage = 'lines_updated'";
        assert_eq!(count(instance, sql).await, 1, "exactly the player who moved");
    });
}

#[test]
fn a_message_that_cannot_work_is_a_dead_letter() {
    let day = Day::dawn();
    day.with_instance(1, async |instance, config| {
        let api = Api::of(instance, config);
        let message = message(&day, "tipoff.consolidate.requested.v1", "1");
        let _: TriggerAccepted = api.post("/events", &message).await.read(202);
        settled(instance).await;
        let letters = dead_letters(&api).await;
        assert_eq!(letters.len(), 1, "{letters:#?}");
        assert!(letters[0]["error"].as_str().unwrap().contains("no batch was ever started"), "{letters:#?}");
        let failed = "select count(*) from runs where stage = 'consolidate' and status = 'failed'";
        assert_eq!(count(instance, failed).await, 1);
    });
}
