//! Nights of the predecessor, replayed from end to end.

use coordinator::config::PoolSize;
use pipeline::simulate::SimOptions;
use proto::api::StartRequest;
use proto::verdict::HealthLevel;
use proto::{Code, OutcomeKind};

use crate::world::{World, count, finish, small};

fn night() -> SimOptions {
    SimOptions { games_per_day: 10, players_per_team: 9, injured: 0, ..small() }
}

#[test]
fn incident_02_four_refused_lines_do_not_hold_seventy_seven_players() {
    let options = SimOptions {
        quoted_players: Some(81),
        defects: vec![(Code::OneSided, 2), (Code::PriceOutOfRange, 1), (Code::Stale, 1)],
        ..night()
    };
    let world = World::new(&options);
    world.with_instance(&world.config(|_| ()), async |instance| {
        let status = finish(instance, world.request()).await;
        assert_eq!(status.state, "complete", "{status:#?}");
        assert_eq!((status.progress.predicted, status.progress.rejected), (77, 4), "{:?}", status.reasons);
        let rejected =
            instance.service.players(&status.batch_id, Some(OutcomeKind::Rejected), None, None).await;
        for player in rejected.unwrap().rows {
            let wanted = &world.report.defects[&player.reason.unwrap().code];
            assert!(wanted.contains(&player.player_lookup.to_string()), "{}", player.player_lookup);
            assert!(!player.codes.is_empty(), "each refused quote is listed");
        }
        assert_eq!(
            count(instance, "select count(distinct player_lookup) from predictions where is_active").await,
            77
        );
    });
}

#[test]
fn incident_30_one_game_of_ten_with_lines_is_degraded_and_the_nine_are_named() {
    let world = World::new(&SimOptions { games_with_lines: Some(1), ..night() });
    world.with_instance(&world.config(|_| ()), async |instance| {
        let status = finish(instance, world.request()).await;
        assert_eq!(status.health, Some(HealthLevel::Degraded), "{status:#?}");
        let finding = status.findings.iter().find(|finding| finding.count == 9).expect("nine games");
        let games = count(instance, "select count(*) from games where game_date = '2025-11-14'").await;
        assert_eq!(games, 10);
        let named = finding.sentence.matches(" at ").count();
        assert_eq!(named, 9, "{}", finding.sentence);
    });
}

#[test]
fn incident_15_readiness_takes_the_way_of_a_request() {
    let world = World::new(&small());
    world.with_instance(&world.config(|_| ()), async |instance| {
        let ready = instance.service.ready().await;
        assert!(ready.ok, "{ready:#?}");
        instance.context.warehouse.close().await;
        let ready = instance.service.ready().await;
        let failed: Vec<_> = ready.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect();
        assert_eq!((ready.ok, failed), (false, vec!["warehouse"]), "{ready:#?}");
    });
}

#[test]
fn a_failed_batch_leaves_the_previous_slate_active() {
    let world = World::new(&small());
    let published = world.with_instance(&world.config(|_| ()), async |instance| {
        finish(instance, world.request()).await.receipt.unwrap().slate_sha256
    });
    world.with_instance(&world.config(|c| c.workers = PoolSize::Fixed(0)), async |instance| {
        let request = StartRequest { finish_by_seconds: Some(1), ..world.request() };
        let failed = finish(instance, request).await;
        assert_eq!((failed.state.as_str(), failed.generation), ("failed", 2), "{failed:#?}");
        let receipt = failed.receipt.unwrap();
        assert_eq!((receipt.published, receipt.slate_sha256), (0, published));
    });
}

#[test]
fn incident_69_old_injuries_are_a_warning_of_the_batch_and_of_the_slate() {
    let world = World::new(&small());
    let hours = jiff::SignedDuration::from_hours;
    // The morning's reports at half past nine, a start in the evening.
    for (budget, code) in [(24, None), (2, Some("injuries_stale"))] {
        let config = world.config(|config| config.staleness.injuries = hours(budget));
        world.with_instance(&config, async |instance| {
            let request = StartRequest { force: true, ..world.request() };
            let status = finish(instance, request).await;
            let found = status.findings.iter().find(|finding| finding.code.ends_with("_stale"));
            assert_eq!(found.map(|finding| finding.code.as_str()), code, "{status:#?}");
            if let Some(finding) = found {
                assert!(finding.sentence.contains("the limit is 2 h; ingest a newer one"), "{finding:?}");
                assert_ne!(status.health, Some(HealthLevel::Healthy), "{status:#?}");
            }
            // Seen from today, everything of that day is old.
            let slate = instance.service.slate(&world.report.last_day.to_string()).await.unwrap();
            assert!(
                slate.missing.iter().any(|line| line.contains("injury report is")),
                "{:?}",
                slate.missing
            );
        });
    }
}
