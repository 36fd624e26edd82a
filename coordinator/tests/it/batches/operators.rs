//! Reset, consolidate, live changes, simultaneous starts.

use coordinator::config::PoolSize;
use coordinator::service::{ServiceError, StartOutcome};
use proto::api::{ConsolidateRequest, PatchBatch, ResetRequest};
use proto::{BatchId, Code, codec};
use protocol::PROTOCOL_VERSION;
use protocol::ops::{Claim, Claimed, Completion};

use crate::world::{World, count, ended, finish, small, start};

fn reset_of(batch_id: &BatchId) -> ResetRequest {
    ResetRequest { batch_id: Some(batch_id.clone()), ..ResetRequest::default() }
}

#[test]
fn a_reset_ends_a_batch_and_a_new_start_may_follow_at_once() {
    let world = World::new(&small());
    world.with_instance(&world.config(|c| c.workers = PoolSize::Fixed(0)), async |instance| {
        let first = start(instance, world.request()).await.batch_id.unwrap();
        let dry = instance.service.reset(ResetRequest { dry_run: true, ..reset_of(&first) }).await.unwrap();
        assert_eq!((dry.status.as_str(), dry.state.as_str()), ("dry_run", "running"));
        let answer = instance.service.reset(reset_of(&first)).await.unwrap();
        assert_eq!((answer.status.as_str(), answer.state.as_str(), answer.generation), ("reset", "reset", 1));
        let again = instance.service.reset(reset_of(&first)).await.unwrap();
        assert_eq!(again.status, "reset", "a repeat gets the same");
        let second = start(instance, world.request()).await;
        assert_eq!(second.generation, Some(2));
        let by_date = ResetRequest { game_date: world.request().game_date, ..ResetRequest::default() };
        instance.service.reset(by_date.clone()).await.unwrap();
        let none_open = instance.service.reset(by_date).await.unwrap_err();
        assert!(matches!(none_open, ServiceError::NotFound { .. }), "{none_open}");
    });
}

#[test]
fn a_published_batch_cannot_be_reset() {
    let world = World::new(&small());
    world.with_instance(&world.config(|_| ()), async |instance| {
        let status = finish(instance, world.request()).await;
        let refused = instance.service.reset(reset_of(&status.batch_id)).await.unwrap_err();
        let ServiceError::Conflict { kind, receipt, .. } = refused else { panic!("{refused}") };
        assert_eq!((kind, receipt.unwrap().published), ("already-published", status.rows.published));
    });
}

#[test]
fn incident_09_three_hundred_starts_make_one_batch() {
    let world = World::new(&small());
    world.with_instance(&world.config(|c| c.workers = PoolSize::Fixed(0)), async |instance| {
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..300 {
            let (service, request) = (instance.service.clone(), world.request());
            starts.spawn(async move { service.start(request, "test").await });
        }
        let (mut started, mut refused) = (Vec::new(), Vec::new());
        while let Some(answer) = starts.join_next().await {
            match answer.unwrap() {
                Ok(StartOutcome::Started(batch)) => started.push(batch.batch_id.unwrap()),
                Err(ServiceError::Conflict { kind: "already-running", batch, .. }) => {
                    refused.push(batch.unwrap().batch_id)
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((started.len(), refused.len()), (1, 299));
        assert!(refused.iter().all(|id| *id == started[0]));
        assert_eq!(count(instance, "select count(*) from batches").await, 1);
    });
}

/// Claims every job and completes `of_all` of them without rows, as a worker would.
pub(super) async fn complete_some(instance: &coordinator::engine::Instance, of_all: usize) {
    let store = &instance.context.store;
    let claim = Claim {
        lease: proto::LeaseId::from_random(1),
        worker: proto::WorkerId::from_random(1),
        protocol_version: PROTOCOL_VERSION,
        serves: instance.context.shelf.stock().serves().to_vec(),
        max_jobs: of_all,
    };
    let now = instance.context.wall_clock();
    let Claimed::Chunk(chunk) = store.claim(&claim, now).await.unwrap() else { panic!("no jobs") };
    let predictor =
        workers::ModelPredictor::new(workers::Rulebook::default(), std::sync::Arc::new(jiff::Timestamp::now));
    let set = instance.context.shelf.stock().only_set().unwrap();
    let mut done: Vec<Completion> = Vec::new();
    let task = workers::Task { models: &set, contract_version: &chunk.contract_version, jobs: &chunk.jobs };
    workers::predictor::predict_isolated(&predictor, task, &mut |result| match result {
        protocol::worker::JobResult::Completed(completion) => done.push(completion),
        other => panic!("{other:?}"),
    });
    assert_eq!(done.len(), of_all);
    assert!(codec::decode_outcome(&done[0].body).is_ok());
    store.complete(&chunk.batch_id, &claim.lease, &done, now).await.unwrap();
}

#[test]
fn consolidating_publishes_what_there_is_and_lists_the_rest() {
    let world = World::new(&small());
    world.with_instance(&world.config(|c| c.workers = PoolSize::Fixed(0)), async |instance| {
        let started = start(instance, world.request()).await;
        let batch_id = started.batch_id.unwrap();
        let total = started.total_jobs as usize;
        let request =
            ConsolidateRequest { batch_id: Some(batch_id.clone()), ..ConsolidateRequest::default() };
        let refused = instance.service.consolidate(request.clone()).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Conflict { kind: "below-coverage", .. }), "{refused}");

        complete_some(instance, total * 95 / 100).await;
        let dry = ConsolidateRequest { dry_run: true, ..request.clone() };
        let forecast = instance.service.consolidate(dry).await.unwrap().forecast.unwrap();
        assert_eq!(forecast.would_abandon as usize, total - total * 95 / 100);
        let answer = instance.service.consolidate(request.clone()).await.unwrap();
        assert_eq!((answer.status.as_str(), answer.state.as_str()), ("consolidated", "partial"));
        let receipt = answer.receipt.unwrap();
        assert_eq!(receipt.jobs.abandoned, forecast.would_abandon);
        assert_eq!(receipt.published, forecast.would_publish);
        assert_eq!(receipt.reasons[Code::Operator.as_str()], forecast.would_abandon);
        let again = instance.service.consolidate(request).await.unwrap();
        assert_eq!((again.status.as_str(), again.receipt), ("ended", Some(receipt)));
        ended(instance, &batch_id).await;
    });
}

#[test]
fn finish_by_can_be_moved_until_the_batch_is_closed() {
    let world = World::new(&small());
    world.with_instance(&world.config(|c| c.workers = PoolSize::Fixed(0)), async |instance| {
        let batch_id = start(instance, world.request()).await.batch_id.unwrap();
        let wrong = PatchBatch { min_coverage: Some(1.5), ..PatchBatch::default() };
        let refused = instance.service.patch(&batch_id, wrong).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Invalid { ref field, .. } if field.as_deref() == Some("min_coverage")));
        let soon = PatchBatch { finish_by_seconds: Some(1), ..PatchBatch::default() };
        instance.service.patch(&batch_id, soon.clone()).await.unwrap();
        let status = ended(instance, &batch_id).await;
        assert_eq!(status.state, "failed", "nobody was predicted: the previous slate stays");
        assert_eq!(status.state_reason.unwrap().code, "coverage");
        assert_eq!(status.progress.expired, status.progress.total);
        let frozen = instance.service.patch(&batch_id, soon).await.unwrap_err();
        assert!(matches!(frozen, ServiceError::Conflict { kind: "frozen", .. }), "{frozen}");
    });
}
