//! A role that changes while batches run.

use std::time::{Duration, Instant};

use coordinator::engine::Instance;
use workers::{PoolSize, WorkerContext};

use crate::cli::tipoff;
use crate::world::{World, count, ended, finish, small, start};

/// Whether a system is served for points, disabled otherwise.
async fn is_served(instance: &Instance, system: &str) -> bool {
    let models = instance.service.models().await.unwrap();
    let is_it =
        |of: &proto::SystemId, market: &proto::Market| of.as_str() == system && market.as_str() == "points";
    let served = models.models.iter().any(|model| is_it(&model.system_id, &model.market));
    let disabled = models.disabled.iter().any(|model| is_it(&model.system_id, &model.market));
    assert_ne!(served, disabled, "{models:?}");
    served
}

#[test]
fn incident_82_a_running_instance_takes_a_role_up_and_an_open_batch_keeps_its_models() {
    const SYSTEM: &str = "moving_average_v1";
    let world = World::new(&small());
    let folder = world.dir.path();
    std::fs::create_dir(folder.join("zoo")).unwrap();
    let config = world.config(|config| {
        config.models = Some(folder.join("zoo"));
        config.workers = coordinator::config::PoolSize::Fixed(0);
    });
    world.with_instance(&config, async |instance| {
        assert!(is_served(instance, SYSTEM).await);
        let open = start(instance, world.request()).await.batch_id.unwrap();
        let disable = ["--dir", ".", "--models", "zoo", "models", "disable", SYSTEM, "--yes"];
        tipoff(folder, &disable).exit(0);
        let noted = || async {
            let sql = format!("select count(*) from models where system_id = '{SYSTEM}' and role = 'disabled'");
            count(instance, &sql).await
        };
        let since = Instant::now();
        while is_served(instance, SYSTEM).await || noted().await == 0 {
            assert!(since.elapsed() < Duration::from_secs(30), "the role was never taken up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(noted().await, 1, "one market, one hash");

        // Only now does anybody work: with what the batch pinned, then with what is served.
        let context = &instance.context;
        let predictor = workers::predictor(workers::Rulebook::default(), std::sync::Arc::new(jiff::Timestamp::now)).unwrap();
        let bell = std::sync::Arc::clone(context);
        let (store, shelf) = (std::sync::Arc::clone(&context.store), std::sync::Arc::clone(&context.shelf));
        let work = WorkerContext::new(store, shelf, predictor)
            .on_closed(std::sync::Arc::new(move |batch_id| bell.ring_finalizer(batch_id)));
        let pool = workers::start_pool(work, PoolSize::Fixed(1)).unwrap();
        let rows_of = async |batch: &proto::BatchId| {
            let sql = format!(
                "select count(*) from predictions where system_id = '{SYSTEM}' and market = 'points' and batch_id = '{batch}'"
            );
            count(instance, &sql).await as u64
        };
        let first = ended(instance, &open).await;
        assert_eq!(first.state, "complete", "{first:#?}");
        assert_eq!(rows_of(&open).await, first.progress.predicted, "it was pinned, so it answers");
        let second = finish(instance, world.request()).await;
        assert_eq!(second.state, "complete", "{second:#?}");
        assert_eq!(rows_of(&second.batch_id).await, 0, "a disabled model is asked by nobody");
        pool.drain(Duration::from_secs(1)).await;
    });
}
