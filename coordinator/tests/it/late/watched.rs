//! From a source's turn to the page: what `tipoff ingest --watch` brings marks the slate, and the follower of whatever
//! server runs predicts the players concerned again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coordinator::engine::Instance;
use coordinator::service::ServiceError;
use jiff::SignedDuration;
use pipeline::sources::folder::{Folder, FolderConfig};
use pipeline::sources::{CycleReport, Runner};
use proto::api::{BatchStatus, Only, StartRequest};

use super::day::{Day, active, differ, players_of, settled, watch};
use super::replay::{lookups, quoted, raise};
use crate::world::{PATIENCE, count, finish};

/// A watcher of the folder in which files of the day arrive, as a process beside the server has one.
fn watcher(day: &Day, instance: &Instance) -> Runner {
    let path = day.dir.path().join("arrived");
    let every = SignedDuration::from_secs(1);
    let folder = Folder::new(FolderConfig { name: "drop".to_owned(), path, every });
    let warehouse = instance.context.warehouse.clone();
    Runner::new(day.dir.path(), warehouse, vec![Arc::new(folder)], "watcher".to_owned())
}

/// Two looks, the second of them now: a file is read once it is at rest. Nothing goes in after the day's own clock, or
/// the follower, which may be quicker than the test, would build features that are older than what they are made of.
async fn turns(runner: &Runner, day: &Day) -> CycleReport {
    let now = day.now();
    let first = runner.turn("drop", now - SignedDuration::from_secs(2)).await.unwrap();
    let second = runner.turn("drop", now).await.unwrap();
    if second.files.is_empty() { first } else { second }
}

/// The slate's newest batch, ended, once every message has been acted on.
async fn followed(instance: &Instance, day: &Day) -> BatchStatus {
    settled(instance).await;
    let since = Instant::now();
    loop {
        // More than one: who found nothing to do withdraws his, which is open until then.
        let date = Some(day.report.last_day.to_string());
        let mut page = instance.service.batches(date, Some(20), None).await.unwrap();
        if page.rows.iter().all(|batch| batch.ended_at.is_some()) {
            return page.rows.remove(0);
        }
        assert!(since.elapsed() < PATIENCE, "still open: {page:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn open_marks(instance: &Instance) -> i64 {
    count(instance, "select count(*) from runs where stage = 'inputs_changed' and status = 'running'").await
}

#[test]
fn incident_55_a_line_that_a_watcher_brings_runs_exactly_the_player_it_is_about() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        let watcher = watcher(&day, instance);
        let moved = quoted(&day, 1);
        let line = |by: f64| -> PathBuf {
            day.odds(|name, outcome| {
                if name == moved[0].0 {
                    raise(outcome, by);
                }
            })
        };
        day.set("07:00");
        line(1.0);
        let early = turns(&watcher, &day).await;
        day.set("07:01");
        let date = BTreeSet::from([day.report.last_day]);
        assert_eq!((&early.changed, early.marked.len()), (&date, 0), "nothing is published: {early:?}");

        // What is made of lines is behind by now; a first batch waits for it.
        let (warehouse, last_day, now) = (&instance.context.warehouse, day.report.last_day, day.now());
        pipeline::features::build_range(warehouse, last_day, last_day, now, |_, _| ()).await.unwrap();
        let first = finish(instance, day.request()).await;
        assert_eq!(first.state, "complete", "{first:#?}");
        let before = active(instance, &day).await;
        day.set("08:00");
        line(2.0);
        let brought = turns(&watcher, &day).await;
        day.set("08:01");
        assert_eq!((&brought.changed, &brought.marked), (&date, &date), "{brought:?}");
        assert_eq!(open_marks(instance).await, 1, "it waits in the warehouse for whoever follows");
        let batch = followed(instance, &day).await;
        let after = active(instance, &day).await;
        assert_eq!(differ(&before, &after), lookups(&moved), "the others' rows stay byte-identical");
        assert_eq!(players_of(instance, &batch).await, lookups(&moved));

        // Nothing new: nothing marked. The same again under another clock: a look, and nobody is run.
        let quiet = turns(&watcher, &day).await;
        assert!(quiet.marked.is_empty() && quiet.files.is_empty(), "{quiet:?}");
        day.set("08:30");
        line(2.0);
        turns(&watcher, &day).await;
        day.set("08:31");
        assert_eq!(followed(instance, &day).await.batch_id, batch.batch_id, "nobody was run");
        assert_eq!(active(instance, &day).await, after, "a heartbeat changes no bit");
        assert_eq!(open_marks(instance).await, 0);
    });
}

/// Between building features and loading a batch upon them a file may come in; then everybody of its games would be refused
/// as stale, and predicted again by the next batch.
#[test]
fn a_batch_that_follows_does_not_begin_upon_features_that_an_input_overtook() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        finish(instance, day.request()).await;
        let before = active(instance, &day).await;
        let moved = quoted(&day, 1);
        day.set("09:00");
        let file = day.odds(|name, outcome| {
            if name == moved[0].0 {
                raise(outcome, 1.0);
            }
        });
        day.arrive(instance, file).await;
        day.set("09:01");
        let request = StartRequest { only: Only::Changed, ..day.request() };
        let begun = instance.service.start_fresh(request, "test").await;
        assert!(matches!(&begun, Err(ServiceError::Busy { .. })), "{begun:?}");
        let slate = proto::Slate::nba(day.report.last_day);
        assert_eq!(instance.context.store.open_batch_of(&slate).await.unwrap(), None, "the slate is free");
        assert_eq!(active(instance, &day).await, before);

        let batch = watch(instance, &day).await.unwrap();
        assert_eq!(players_of(instance, &batch).await, lookups(&moved));
        assert_eq!(differ(&before, &active(instance, &day).await), lookups(&moved));
    });
}

#[test]
fn incident_60_a_report_that_a_watcher_brings_takes_him_off_the_page() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        let watcher = watcher(&day, instance);
        turns(&watcher, &day).await;
        let out = quoted(&day, 1);
        finish(instance, day.request()).await;
        assert!(active(instance, &day).await.contains_key(&out[0].1));
        day.set("09:00");
        let team = format!("select team from features where player_lookup = '{}'", out[0].1);
        let team = instance.context.warehouse.sql(&team, warehouse::SqlLimits::default()).await.unwrap();
        day.injury_report(&out[0].0, team.rows[0][0].as_deref().unwrap(), "out");
        let brought = turns(&watcher, &day).await;
        day.set("09:01");
        assert_eq!(brought.marked, BTreeSet::from([day.report.last_day]), "{brought:?}");
        followed(instance, &day).await;
        assert!(!active(instance, &day).await.contains_key(&out[0].1), "he is out");
    });
}
