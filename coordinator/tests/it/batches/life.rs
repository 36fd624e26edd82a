//! The ordinary life of a batch.

use proto::api::Only;
use proto::verdict::HealthLevel;

use crate::world::{World, count, finish, small, start};

#[test]
fn a_slate_is_published_and_every_player_has_rows_or_a_reason() {
    let world = World::new(&small());
    world.with_instance(&world.config(|_| ()), async |instance| {
        let status = finish(instance, world.request()).await;
        assert_eq!(status.state, "complete", "{status:#?}");
        assert_eq!(status.health, Some(HealthLevel::Healthy), "{:#?}", status.findings);
        assert_eq!(status.progress.total, status.progress.done);
        assert_eq!(status.progress.predicted, world.report.quoted.len() as u64, "{:?}", status.reasons);
        let models = instance.service.models().await.unwrap().models.len() as u64;
        assert_eq!(status.rows.published, status.progress.predicted * models, "{:#?}", status.receipt);
        let receipt = status.receipt.clone().unwrap();
        let refused: u64 = receipt.refused.values().sum();
        assert_eq!(receipt.rows_owed, receipt.published + refused, "every owed row is accounted for");

        let players = instance.service.players(&status.batch_id, None, None, None).await.unwrap().rows;
        assert_eq!(players.len() as u64, status.progress.total);
        for player in &players {
            let reason = player.reason.as_ref().expect("an ended job has a reason");
            assert!(!reason.sentence.is_empty(), "{player:?}");
            assert_eq!(player.published > 0, reason.code == "predicted", "{player:?}");
        }
        let active = count(instance, "select count(*) from predictions where is_active").await;
        assert_eq!(active as u64, status.rows.active);
        let outcomes = count(instance, "select count(*) from job_outcomes").await;
        assert_eq!(outcomes as u64, status.progress.total);
    });
}

#[test]
fn the_next_generation_supersedes_and_one_row_per_key_is_active() {
    let world = World::new(&small());
    world.with_instance(&world.config(|_| ()), async |instance| {
        let first = finish(instance, world.request()).await;
        let second = finish(instance, world.request()).await;
        assert_eq!((first.generation, second.generation), (1, 2));
        assert_eq!(second.rows.active, first.rows.active);
        let twice = count(
            instance,
            "select count(*) from (select 1 from predictions where is_active
             group by game_id, player_lookup, market, system_id having count(*) > 1)",
        )
        .await;
        assert_eq!(twice, 0);
        let superseded =
            count(instance, "select count(*) from predictions where superseded_by is not null").await;
        assert_eq!(superseded as u64, first.rows.published);
        assert_eq!(
            second.receipt.unwrap().slate_sha256,
            first.receipt.unwrap().slate_sha256,
            "the same inputs give the same slate"
        );
    });
}

#[test]
fn incident_18_nothing_changed_nothing_run() {
    let world = World::new(&small());
    world.with_instance(&world.config(|_| ()), async |instance| {
        finish(instance, world.request()).await;
        let again = proto::api::StartRequest { only: Only::Changed, ..world.request() };
        let answer = instance.service.start(again, "test").await.unwrap();
        assert!(matches!(answer, coordinator::service::StartOutcome::Nothing(ref n) if n.status == "nothing_to_do"));
        let third = start(instance, world.request()).await;
        assert_eq!(third.generation, Some(3), "the number of a withdrawn batch stays used");
    });
}

#[test]
fn a_dry_run_says_what_a_start_would_do_and_does_nothing() {
    let world = World::new(&small());
    world.with_instance(&world.config(|_| ()), async |instance| {
        let dry = start(instance, proto::api::StartRequest { dry_run: true, ..world.request() }).await;
        assert_eq!((dry.status.as_str(), &dry.batch_id), ("dry_run", &None));
        assert_eq!(count(instance, "select count(*) from batches").await, 0);
        let real = finish(instance, world.request()).await;
        assert_eq!(dry.summary.forecast, real.reasons, "the forecast is what happens");
        assert_eq!(dry.total_jobs, real.progress.total);
    });
}
