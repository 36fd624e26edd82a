//! Runs: who works on what, until nothing is left, and what each file came to.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pipeline::ingest::{
    FileState, IngestOptions, IngestReport, OLD_LEASE_ALERT, RunLimits, RunState, run, run_within,
};
use warehouse::{LeaseAnswer, LeaseRequest, RunStart};

use crate::fixtures::{NOW, World, at, book, event, market, pair, world};

fn odds(id: &str, point: &str) -> String {
    let points = [pair("Aaron Ace", point, "-110", "-110")];
    event(id, &[book("draftkings", &[market("player_points", "2024-03-29T18:58:54Z", &points)])])
}

const RESOURCE: &str = "ingest/odds_v4_json/2024-03-29";

/// Ingests with a clock that stands still, and waits for nobody.
async fn ingest_at(world: &World, paths: &[PathBuf], now: &str) -> IngestReport {
    let limits = RunLimits { wait: Duration::ZERO, ..RunLimits::default() };
    let now = at(now);
    run_within(&world.warehouse, paths, IngestOptions::at(now), limits, &|| now, |_| {}).await.unwrap()
}

fn states(report: &IngestReport) -> Vec<(&str, FileState)> {
    report.files.iter().map(|file| (file.name.as_str(), file.state)).collect()
}

#[tokio::test]
async fn incident_29_the_lease_of_a_dead_run_is_taken_over() {
    let world = world().await;
    let path = world.write("o.json", odds("e1", "24.5"));
    // A run of another process takes the lease and dies.
    let dead = LeaseRequest {
        resource: RESOURCE.to_owned(),
        holder: "ingest_dead".to_owned(),
        ttl: RunLimits::default().lease,
    };
    let began = at("2024-04-01T12:00:00Z");
    assert!(matches!(
        world.warehouse.acquire_lease(&dead, began).await.unwrap(),
        LeaseAnswer::Taken { abandoned: None, .. }
    ));
    let start = RunStart {
        run_id: dead.holder.clone(),
        stage: "ingest".to_owned(),
        game_date: None,
        batch_id: None,
        started_at: began,
    };
    world.warehouse.run_start(&start).await.unwrap();

    // While it may be alive, nobody else works on the same; the file waits and is shown.
    let report = ingest_at(&world, std::slice::from_ref(&path), "2024-04-01T12:01:00Z").await;
    assert_eq!(states(&report), [("o.json", FileState::Waiting)]);
    assert_eq!(
        (report.runs[0].state, report.is_clean(), report.is_unfinished()),
        (RunState::Busy, false, true)
    );
    assert_eq!(world.count("SELECT count(*) FROM lines").await, 0);

    // Its time is over: the next run takes over, and ends the dead one's record.
    let report = ingest_at(&world, &[path], "2024-04-01T12:02:00Z").await;
    assert_eq!((states(&report), report.is_clean()), (vec![("o.json", FileState::Ingested)], true));
    let runs = world
        .sql("SELECT status, error_class FROM runs WHERE stage = 'ingest' AND run_id = 'ingest_dead'")
        .await;
    assert_eq!(runs, ["failed|clean_up"]);
    assert_eq!(world.count("SELECT count(*) FROM leases WHERE released_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_lease_that_is_too_old_raises_an_alert_that_ends_with_the_next_good_run() {
    let world = world().await;
    let path = world.write("o.json", odds("e1", "24.5"));
    let dead = LeaseRequest {
        resource: RESOURCE.to_owned(),
        holder: "ingest_dead".to_owned(),
        ttl: SignedDuration::from_hours(24 * 7),
    };
    world.warehouse.acquire_lease(&dead, at("2024-04-01T12:00:00Z")).await.unwrap();
    let path = std::slice::from_ref(&path);
    assert_eq!(ingest_at(&world, path, "2024-04-01T12:14:00Z").await.runs[0].state, RunState::Busy);
    assert_eq!(world.warehouse.open_alerts().await.unwrap(), []);
    ingest_at(&world, path, "2024-04-01T12:15:00Z").await;
    let alerts = world.warehouse.open_alerts().await.unwrap();
    assert_eq!((alerts[0].code.as_str(), alerts[0].subject.as_str()), (OLD_LEASE_ALERT, RESOURCE));
    // Whatever was asked for, no lease lasts longer than half an hour.
    let report = ingest_at(&world, path, "2024-04-01T12:30:00Z").await;
    assert_eq!(report.runs[0].state, RunState::Success);
    world.write("o.json", odds("e2", "24.5"));
    ingest_at(&world, path, "2024-04-01T12:40:00Z").await;
    assert_eq!(world.warehouse.open_alerts().await.unwrap(), []);
}

#[tokio::test]
async fn incident_31_and_32_what_comes_during_a_run_is_in_it() {
    let world = world().await;
    world.write("in/0.json", odds("e0", "24.5"));
    let mut later = 1;
    let report = run(&world.warehouse, &[world.path("in")], IngestOptions::at(at(NOW)), |_| {
        // Sixteen files arrive while files are read.
        if later <= 16 {
            world.write(&format!("in/{later}.json"), odds(&format!("e{later}"), "24.5"));
            later += 1;
        }
    })
    .await
    .unwrap();
    assert_eq!(world.count("SELECT count(DISTINCT event_id) FROM lines").await, 17);
    assert_eq!((report.files_listed, report.files.len()), (17, 17));
    let [one] = &report.runs[..] else { panic!("one kind and date is one run: {:?}", report.runs) };
    assert_eq!((one.files_listed, one.files_seen, one.state), (17, 17, RunState::Success));
    assert!(one.passes > 1, "{one:?}");
    let counts =
        world.sql("SELECT status, counts FROM runs WHERE stage = 'ingest' ORDER BY started_at DESC").await;
    assert!(counts[0].contains(r#""files_listed":17,"files_seen":17"#), "{counts:?}");
}

#[tokio::test]
async fn a_run_whose_time_is_up_keeps_what_it_did_and_the_next_one_goes_on() {
    let world = world().await;
    for n in 0..4 {
        world.write(&format!("in/{n}.json"), odds(&format!("e{n}"), "24.5"));
    }
    // Every look at the clock costs a minute and a half.
    let seconds = AtomicI64::new(0);
    let start = at("2024-04-01T12:00:00Z");
    let clock = move || start + SignedDuration::from_secs(seconds.fetch_add(90, Ordering::Relaxed));
    let limits = RunLimits { wait: Duration::ZERO, ..RunLimits::default() };
    let options = IngestOptions::at(start);
    let report =
        run_within(&world.warehouse, &[world.path("in")], options, limits, &clock, |_| {}).await.unwrap();
    let one = &report.runs[0];
    assert_eq!((one.state, one.files_listed), (RunState::TimedOut, 4), "{report:?}");
    assert!((1..4).contains(&one.files_seen), "{one:?}");
    assert_eq!(report.files.len(), 4, "every file is accounted for");
    assert!(report.is_unfinished());
    let runs = world
        .sql("SELECT status, error_class FROM runs WHERE stage = 'ingest' ORDER BY rowid DESC LIMIT 1")
        .await;
    assert_eq!(runs, ["timed_out|timeout"]);
    let done = world.count("SELECT count(DISTINCT event_id) FROM lines").await;
    assert_eq!(done, one.files_seen);
    let report = ingest_at(&world, &[world.path("in")], "2024-04-01T13:00:00Z").await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(world.count("SELECT count(DISTINCT event_id) FROM lines").await, 4);
}

#[tokio::test]
async fn files_of_one_kind_and_date_are_one_run() {
    let world = World::new().await;
    let other_day = odds("e3", "24.5").replace("2024-03-29T23:10", "2024-03-31T23:10");
    for (name, text) in
        [("a.json", odds("e1", "24.5")), ("b.json", odds("e2", "24.5")), ("c.json", other_day)]
    {
        world.write(&format!("in/{name}"), text);
    }
    world.write("in/schedule.csv", crate::fixtures::SCHEDULE);
    world.write("in/foreign.csv", "colour,taste\nred,sweet\n");
    let report = world.ingest(&[world.path("in")]).await;
    let runs: Vec<String> = report
        .runs
        .iter()
        .map(|r| {
            format!("{}|{}|{}", r.kind, r.game_date.map_or("-".to_owned(), |d| d.to_string()), r.files_seen)
        })
        .collect();
    let wanted =
        ["|-|1", "schedule_wall_clock|-|1", "odds_v4_json|2024-03-29|2", "odds_v4_json|2024-03-31|1"];
    assert_eq!(runs, wanted);
    assert_eq!(report.runs[0].state, RunState::Partial, "what cannot be used is no success");
}

#[tokio::test]
async fn incident_34_who_looks_every_minute_and_finds_nothing_leaves_nothing_behind() {
    let world = world().await;
    for n in 0..3 {
        world.write(&format!("in/{n}.json"), odds(&format!("e{n}"), "24.5"));
    }
    let first = world.ingest(&[world.path("in")]).await;
    assert_eq!((first.runs.len(), first.is_clean()), (1, true), "{first:?}");
    let left =
        || async { world.sql("SELECT (SELECT count(*) FROM runs), (SELECT max(fence) FROM leases)").await };
    let before = left().await;
    for _ in 0..5 {
        let again = world.ingest(&[world.path("in")]).await;
        assert_eq!((again.runs.len(), again.files.len(), again.is_clean()), (0, 3, true), "{again:?}");
    }
    assert_eq!(left().await, before);
}

#[tokio::test]
async fn incident_49_a_file_without_rows_is_never_done() {
    let world = world().await;
    let header = "snapshot_file,event_id,commence_time,game_date_et,home_team,away_team,bookmaker,market,player,line,over_price,under_price\n";
    for (name, text) in [("none.json", "[]"), ("none.csv", header)] {
        let first = world.take(name, text).await;
        assert_eq!((first.state, first.read), (FileState::Empty, 0), "{first:?}");
        let again = world.take(name, text).await;
        assert_eq!(again.state, FileState::Empty, "it is looked at again: {again:?}");
    }
    assert_eq!(world.count("SELECT count(*) FROM source_files WHERE rows_read = 0").await, 0);
    let runs = world
        .sql("SELECT DISTINCT status FROM runs WHERE stage = 'ingest' AND counts LIKE '%\"kind\":\"odds%'")
        .await;
    assert_eq!(runs, ["partial"]);
    assert_eq!(
        world.take("none.json", odds("e1", "24.5")).await.new,
        2,
        "and what comes under its name goes in"
    );
}

#[tokio::test]
async fn incident_37_and_40_what_can_never_be_used_is_refused_and_leaves_one_account() {
    let world = World::new().await;
    let bad = odds("e1", "24.25");
    let first = world.take("o.json", &bad).await;
    assert_eq!((first.state, first.num_refused()), (FileState::Quarantined, 2), "{first:?}");
    let kept = "SELECT count(*) FROM quarantine";
    let before = world.count(kept).await;
    for _ in 0..3 {
        assert_eq!(world.take("o.json", &bad).await.state, FileState::Quarantined);
    }
    assert_eq!(world.count(kept).await, before);
    assert_eq!(world.sql("SELECT kind, rows_refused FROM source_files").await, ["quarantined|2"]);
}

#[tokio::test]
async fn incident_49_a_file_of_which_nothing_could_be_used_is_read_again_when_more_is_known() {
    let world = World::new().await;
    // This table tells a game's date and not its tip-off: without a schedule nobody knows whether the game was on.
    let table = "\
event_id,snapshot_or_update_utc,game_date_et,home_team,away_team,bookmaker,market,player,line,over_price,under_price
e1,2024-03-29T18:58:54Z,2024-03-29,Charlotte Hornets,Golden State Warriors,DraftKings,player_points,Aaron Ace,24.5,-110,-110
";
    let first = world.take("o.csv", table).await;
    assert_eq!(
        (first.state, first.refused.get("game_unresolved")),
        (FileState::Quarantined, Some(&1)),
        "{first:?}"
    );
    world.take("schedule.csv", crate::fixtures::SCHEDULE).await;
    let second = world.take("o.csv", table).await;
    assert_eq!((second.state, second.new), (FileState::Ingested, 1), "{second:?}");
    assert_eq!(world.count("SELECT count(*) FROM quarantine").await, 0, "what was refused is no longer");
    assert_eq!(world.take("o.csv", table).await.state, FileState::Known);
}

#[tokio::test]
async fn incident_44_a_write_that_failed_is_done_again_and_lost_nothing() {
    let world = world().await;
    let files = [world.write("a.json", odds("e1", "24.5")), world.write("b.json", odds("e2", "24.5"))];
    let url = warehouse::WarehouseUrl::Sqlite(world.path("../warehouse.db"));
    let broken = warehouse::Warehouse::open(&url, rules::contract()).await.unwrap();
    broken.close().await;
    let error = run(&broken, &files, IngestOptions::at(at(NOW)), |_| {}).await.unwrap_err();
    assert!(matches!(error, pipeline::Error::Warehouse(_)), "{error}");
    assert_eq!(world.count("SELECT count(*) FROM lines").await, 0);
    let report = world.ingest(&files).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(world.count("SELECT count(DISTINCT event_id) FROM lines").await, 2);
}

#[tokio::test]
async fn incident_50_a_run_that_could_not_begin_is_not_done() {
    let world = world().await;
    let path = [world.write("o.json", odds("e1", "24.5"))];
    let other = LeaseRequest {
        resource: RESOURCE.to_owned(),
        holder: "ingest_other".to_owned(),
        ttl: RunLimits::default().lease,
    };
    let began = at("2024-04-01T12:00:00Z");
    let LeaseAnswer::Taken { lease, .. } = world.warehouse.acquire_lease(&other, began).await.unwrap() else {
        panic!("nobody else asked")
    };
    assert_eq!(ingest_at(&world, &path, "2024-04-01T12:00:01Z").await.files[0].state, FileState::Waiting);
    world.warehouse.release_lease(&lease, at("2024-04-01T12:00:02Z")).await.unwrap();
    assert_eq!(ingest_at(&world, &path, "2024-04-01T12:00:03Z").await.files[0].state, FileState::Ingested);
}

#[tokio::test]
async fn incident_39_the_ledger_says_truthfully_what_came_from_where_and_of_which_date() {
    let world = world().await;
    let points = [pair("Aaron Ace", "24.5", "-110", "-110"), pair("Bo Bunyan", "14.25", "-110", "-110")];
    let text =
        event("e1", &[book("draftkings", &[market("player_points", "2024-03-29T18:58:54Z", &points)])]);
    let path = world.write("deep/in/o.json", text);
    world.ingest(std::slice::from_ref(&path)).await;
    let files = world.warehouse.files_about("2024-03-29".parse().unwrap()).await.unwrap();
    let named: Vec<(&str, i64, i64)> =
        files.iter().map(|f| (f.file.name.as_str(), f.rows_used, f.rows_quarantined)).collect();
    assert_eq!(named, [("o.json", 2, 2), ("schedule.csv", 1, 0)]);
    assert_eq!(files[0].path.as_deref(), path.canonicalize().unwrap().to_str());
    assert_eq!(world.sql("SELECT DISTINCT source_file FROM lines").await, ["o.json"]);
    // Trying the refused rows again adds nothing that is in, and keeps one account of what is still refused.
    let entry = world.warehouse.quarantine_entries(None, 1).await.unwrap().remove(0);
    let options = IngestOptions { force: true, ..IngestOptions::at(at("2024-04-02T12:00:00Z")) };
    let again = run(&world.warehouse, &[PathBuf::from(entry.path.unwrap())], options, |_| {}).await.unwrap();
    assert_eq!((again.files[0].new, again.files[0].known, again.files[0].num_refused()), (0, 2, 2));
    let entries = world.warehouse.quarantine_entries(None, 10).await.unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
    let ledger = world
        .sql("SELECT rows_read, rows_new, rows_known, rows_refused FROM source_files WHERE name = 'o.json'")
        .await;
    assert_eq!(ledger, ["4|2|0|2"], "what is new of a file stays counted as new");
}

#[tokio::test]
async fn incident_97_a_wrong_value_names_its_field() {
    let world = World::new().await;
    let text = crate::fixtures::BOX.replace(",36,30,5,5,", ",36,thirty,5,5,");
    let report = world.take("box.csv", text).await;
    assert_eq!((report.new, report.num_refused()), (2, 1), "{report:?}");
    let refused = world.warehouse.quarantine(None, 1).await.unwrap().remove(0);
    assert!(refused.sentence.contains("`pts`") && refused.sentence.contains("thirty"), "{refused:?}");
}

#[tokio::test]
async fn two_ingestions_at_once_share_the_work() {
    let world = world().await;
    for n in 0..6 {
        world.write(&format!("in/{n}.json"), odds(&format!("e{n}"), "24.5"));
    }
    let folder = [world.path("in")];
    let options = IngestOptions::at(Timestamp::now());
    let (a, b) = tokio::join!(
        run(&world.warehouse, &folder, options.clone(), |_| {}),
        run(&world.warehouse, &folder, options, |_| {})
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.is_clean() && b.is_clean(), "{a:?} {b:?}");
    let new = |report: &IngestReport| report.files.iter().map(|file| file.new).sum::<u64>();
    assert_eq!((new(&a) + new(&b), world.count("SELECT count(*) FROM lines").await), (12, 6));
}
