//! One stage of a date again, by hand: refused while what it depends on is not ready, and the override is on record.

use jiff::SignedDuration;
use jiff::civil::Date;
use pipeline::simulate::{SimOptions, days};
use pipeline::stages::{Stage, StageEnd, StageRequest, run_stage};
use warehouse::LeaseRequest;

use crate::fixtures::{World, at};

const DATE: Date = Date::constant(2026, 1, 23);
const NOW: &str = "2026-01-23T23:00:00Z";

fn request(stage: Stage, override_dependency: bool) -> StageRequest {
    let (now, accept) = (at(NOW), Vec::new());
    let lines = rules::lines::LinePolicy::default();
    StageRequest { stage, game_date: DATE, override_dependency, now, machine_now: now, accept, lines }
}

/// A fortnight, ingested but for files whose names hold a word.
async fn fortnight(without: &str) -> World {
    let world = World::new().await;
    let from = Date::constant(2026, 1, 10);
    let options = SimOptions { from, days: 14, games_per_day: 3, ..SimOptions::ending(DATE, 5) };
    let sim = days(&options, &world.path("sim")).unwrap();
    let is_wanted = |file: &&std::path::PathBuf| {
        without.is_empty() || !file.file_name().unwrap().to_string_lossy().contains(without)
    };
    let files: Vec<_> = sim.files.iter().filter(is_wanted).cloned().collect();
    world.ingest_at(&files, NOW).await;
    world
}

/// Everything that the context stage writes.
async fn context_of(world: &World) -> Vec<String> {
    let mut all = world
        .sql(
            "select event_id, market, player_lookup, book, half_points, snapshot_at, tag, minutes_before_tip
              from lines order by 1, 2, 3, 4, 5, 6",
        )
        .await;
    all.extend(
        world
            .sql(
                "select event_id, market, player_lookup, snapshot_at, num_books, median_line, no_vig_over
                  from line_summaries order by 1, 2, 3, 4",
            )
            .await,
    );
    all
}

#[tokio::test]
async fn a_stage_runs_alone_and_gives_what_it_gave_before() {
    let world = fortnight("").await;
    let before = context_of(&world).await;
    let done = run_stage(&world.warehouse, &request(Stage::Context, false)).await.unwrap();
    let StageEnd::Done(report) = done else { panic!("{done:?}") };
    assert_eq!((report.events, &report.build, report.overridden.len()), (Some(3), &None, 0));
    assert_eq!(context_of(&world).await, before, "nothing had changed");
    assert_eq!(world.count("select count(*) from features").await, 0, "exactly one stage");

    let done = run_stage(&world.warehouse, &request(Stage::Features, false)).await.unwrap();
    let StageEnd::Done(report) = done else { panic!("{done:?}") };
    let build = report.build.unwrap();
    assert_eq!(build.days.keys().collect::<Vec<_>>(), [&DATE], "exactly one date");
    assert!(build.days[&DATE].rows > 0, "{build:?}");
}

#[tokio::test]
async fn incident_73_features_wait_for_what_they_are_made_of() {
    let world = fortnight("box").await;
    let refused = run_stage(&world.warehouse, &request(Stage::Features, false)).await.unwrap();
    let StageEnd::NotReady(unmet) = refused else { panic!("{refused:?}") };
    assert!(unmet.len() == 1 && unmet[0].contains("box scores for 0 of the 21 games"), "{unmet:?}");
    assert_eq!(world.count("select count(*) from features").await, 0);
    let forced = run_stage(&world.warehouse, &request(Stage::Features, true)).await.unwrap();
    let StageEnd::Done(report) = forced else { panic!("{forced:?}") };
    assert_eq!(report.overridden, unmet, "what was overridden is told");
}

#[tokio::test]
async fn incident_38_a_date_that_is_being_ingested_is_not_ready_until_its_lease_ends() {
    let world = fortnight("").await;
    let ttl = SignedDuration::from_secs(60);
    let of_date = LeaseRequest {
        resource: format!("ingest/odds_v4_json/{DATE}"),
        holder: "another process".to_owned(),
        ttl,
    };
    world.warehouse.acquire_lease(&of_date, at(NOW)).await.unwrap();
    let refused = run_stage(&world.warehouse, &request(Stage::Context, false)).await.unwrap();
    let StageEnd::NotReady(unmet) = refused else { panic!("{refused:?}") };
    assert!(unmet[0].contains("is being ingested"), "{unmet:?}");
    let later = StageRequest { machine_now: at(NOW) + ttl + ttl, ..request(Stage::Context, false) };
    let done = run_stage(&world.warehouse, &later).await.unwrap();
    assert!(matches!(done, StageEnd::Done(_)), "a holder that died is nobody: {done:?}");
}
