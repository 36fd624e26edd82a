//! Models that come, change and break while batches run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coordinator::engine::Instance;
use workers::{PoolSize, WorkerContext};

use crate::world::{World, count, ended, finish, small, start};

fn card(weight: f64) -> String {
    format!(
        "format = 1\nsystem_id = \"mine_v1\"\nmarket = \"points\"\ntarget = \"points\"\nrole = \"shadow\"\n\
         engine = \"formula\"\nfeatures = [\"points_avg_season\"]\n\n[weights]\npoints_avg_season = {weight:?}\n\n\
         [[reference]]\ninputs = [10.0]\nexpected = {:?}\n",
        weight * 10.0
    )
}

/// Beside and renamed, as a careful person would.
pub(super) fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join("draft"), text).unwrap();
    std::fs::rename(folder.join("draft"), folder.join(name)).unwrap();
}

async fn sha_of_mine(instance: &Instance) -> Option<String> {
    let models = instance.service.models().await.unwrap();
    models.models.into_iter().find(|model| model.system_id.as_str() == "mine_v1").map(|model| model.sha256)
}

#[test]
fn incident_80_a_batch_ends_on_the_models_it_began_with() {
    let world = World::new(&small());
    let zoo = world.dir.path().join("zoo");
    std::fs::create_dir(&zoo).unwrap();
    put(&zoo, "mine.toml", &card(1.0));
    let config = world.config(|config| {
        config.models = Some(zoo.clone());
        config.workers = coordinator::config::PoolSize::Fixed(0);
    });
    world.with_instance(&config, async |instance| {
        let old = sha_of_mine(instance).await.unwrap();
        let open = start(instance, world.request()).await.batch_id.unwrap();

        put(&zoo, "mine.toml", &card(0.5));
        put(&zoo, "broken.toml", "format = 1\nsystem_id = \"broken_v1\"\nmarket = \"points\"\n");
        let since = Instant::now();
        while sha_of_mine(instance).await.as_ref() == Some(&old) {
            assert!(since.elapsed() < Duration::from_secs(30), "the folder was never looked at again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let new = sha_of_mine(instance).await.unwrap();
        let refused = instance.service.models().await.unwrap().refused;
        assert!(refused.iter().any(|model| model.name == "broken.toml"), "{refused:?}");

        // Only now does anybody work, with a shelf that has both.
        let context = &instance.context;
        let predictor =
            workers::predictor(workers::Rulebook::default(), Arc::new(jiff::Timestamp::now)).unwrap();
        let bell = Arc::clone(context);
        let work = WorkerContext::new(Arc::clone(&context.store), Arc::clone(&context.shelf), predictor)
            .on_closed(Arc::new(move |batch_id| bell.ring_finalizer(batch_id)));
        let pool = workers::start_pool(work, PoolSize::Fixed(1)).unwrap();
        let first = ended(instance, &open).await;
        assert_eq!(first.state, "complete", "{first:#?}");
        let rows_of = async |sha: &str| {
            count(instance, &format!("select count(*) from predictions where model_sha256 = '{sha}'")).await
        };
        assert_eq!(
            rows_of(&old).await as u64,
            first.progress.predicted,
            "rows carry the model that made them"
        );
        assert_eq!(rows_of(&new).await, 0);

        let second = finish(instance, world.request()).await;
        assert_eq!(second.state, "complete", "{second:#?}");
        assert_eq!(rows_of(&new).await as u64, second.progress.predicted);
        let noted = count(instance, "select count(*) from models where system_id = 'mine_v1'").await;
        assert_eq!(noted, 2, "both hashes can be explained");
        pool.drain(Duration::from_secs(1)).await;
    });
}
