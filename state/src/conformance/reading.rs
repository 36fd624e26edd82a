//! Scenarios of views.

use std::sync::Arc;

use proto::Code;
use protocol::CloseReason;
use protocol::model::LOG_ENTRIES;
use protocol::ops::{Claimed, Drained, EndAnswer, Ticket};

use super::kit::{
    T0, batch, claim, claim_request, complete, done, job, jobs, lease, log, other_slate, places, release,
    request, running, ticket, token, view,
};
use crate::{BatchStore, Paired};

/// Progress is derived from where the jobs are.
pub async fn views_add_up(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1_000).await;
    let first = claim(&*store, 1, 300, T0).await;
    claim(&*store, 2, 500, T0).await;
    complete(&*store, &batch(0), 1, &first[..100], Code::Predicted, T0 + 1).await;
    complete(&*store, &batch(0), 1, &first[100..150], Code::Stale, T0 + 2).await;
    complete(&*store, &batch(0), 1, &first[150..160], Code::Hang, T0 + 3).await;
    assert_eq!(places(&*store, &batch(0)).await, (1_000, 200, 640, 160));
    let view = view(&*store, &batch(0)).await;
    assert_eq!((view.jobs.predicted, view.jobs.rejected, view.jobs.failed), (100, 50, 10));
    assert_eq!(view.reasons, [(Code::Hang, 10), (Code::Predicted, 100), (Code::Stale, 50)]);
    assert_eq!((view.staged_rows, view.updated_at, view.slate), (200, T0 + 3, batch(0).slate()));
    let leases = store.leases().await.unwrap();
    let held: Vec<_> = leases.iter().map(|lease| (lease.lease, lease.held)).collect();
    assert_eq!(held, [(lease(1), 140), (lease(2), 500)]);
    assert_eq!((leases[0].claimed_at, &leases[0].batch_id), (T0, &batch(0)));
}

/// Pages are by number, whatever the state of the jobs.
pub async fn jobs_are_read_in_pages(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1_203).await;
    claim(&*store, 1, 10, T0).await;
    complete(&*store, &batch(0), 1, &[2, 7], Code::Predicted, T0).await;
    let page = store.jobs(&batch(0), 0, 500).await.unwrap();
    assert_eq!((page.len(), page[499].seq, &page[499].id), (500, 499, &job(499).id));
    assert_eq!(page[2].done.as_ref().unwrap().body, done(2, Code::Predicted).body);
    assert_eq!((page[3].done.as_ref(), &page[3].payload), (None, &job(3).payload));
    assert_eq!(store.jobs(&batch(0), 1_000, 500).await.unwrap().len(), 203);
    assert_eq!(store.jobs(&batch(0), 1_203, 500).await.unwrap(), []);
    assert_eq!(store.jobs(&batch(0), 5, 0).await.unwrap(), []);
    assert_eq!(store.jobs(&batch(0), 0, 5_000).await.unwrap().len(), 1_203);
    let staged = |from, limit| {
        let store = Arc::clone(&store);
        async move {
            let page = store.staged(&batch(0), from, limit).await.unwrap();
            page.into_iter().map(|job| job.seq).collect::<Vec<_>>()
        }
    };
    assert_eq!(staged(0, 500).await, [2, 7]);
    assert_eq!(staged(0, 7).await, [2], "the limit counts numbers, not ended jobs");
    assert_eq!(staged(3, 500).await, [7]);
}

/// The newest thousand entries explain what is.
pub async fn the_log_keeps_its_newest_entries(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 1).await;
    store.close(&batch(0), CloseReason::FinishBy, None, T0).await.unwrap();
    let before = log(&*store, &batch(0)).await;
    assert_eq!(before, ["opened", "sealed generation 1 with 1 jobs", "closed: finish_by"]);
    for n in 0..LOG_ENTRIES + 5 {
        store.take_ticket(&batch(0), &ticket(1), T0).await.unwrap();
        store
            .return_ticket(&batch(0), &ticket(1), Some(&format!("no {n}")), T0, T0 + n as i64)
            .await
            .unwrap();
    }
    let entries = store.log(&batch(0)).await.unwrap();
    assert_eq!((entries.len(), entries[0].text.as_str()), (LOG_ENTRIES, "finalizer refused: no 5"));
    assert_eq!(entries[LOG_ENTRIES - 1].at, T0 + 1_004);
}

/// All batches by id, or the open ones.
pub async fn batches_are_listed_by_id(store: Arc<dyn BatchStore>) {
    running(&*store, &other_slate(3), 1).await;
    running(&*store, &batch(5), 1).await;
    store.end(&batch(5), proto::EndState::Reset, "{}", "e", "{}", T0).await.unwrap();
    store.open(&request(&batch(12), 1), T0).await.unwrap();
    store.add_jobs(&batch(12), &token(1), &jobs(2), T0).await.unwrap();
    let ids = |open_only| {
        let store = Arc::clone(&store);
        async move {
            let views = store.batches(open_only).await.unwrap();
            views.into_iter().map(|view| view.batch_id).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids(false).await, [batch(5), batch(12), other_slate(3)]);
    assert_eq!(ids(true).await, [batch(12), other_slate(3)]);
    let views = store.batches(true).await.unwrap();
    assert_eq!(views[0], view(&*store, &batch(12)).await);
}

/// An instance whose warehouse is another one hears it; the store counts what was written.
pub async fn a_store_belongs_to_one_warehouse(store: Arc<dyn BatchStore>) {
    let before = store.identity().await.unwrap();
    assert!(before.warehouse_id.is_none() && !before.store_id.is_empty());
    for _ in 0..2 {
        assert_eq!(store.pair("w-1").await.unwrap(), Paired::Paired);
    }
    let other = Paired::Other { warehouse_id: "w-1".to_owned() };
    assert_eq!(store.pair("w-2").await.unwrap(), other);
    running(&*store, &batch(0), 1).await;
    let after = store.identity().await.unwrap();
    assert_eq!((after.store_id, after.warehouse_id.as_deref()), (before.store_id, Some("w-1")));
    assert!(after.writes > before.writes, "{} then {}", before.writes, after.writes);
}

/// Nothing is made up about what is not there.
pub async fn what_is_unknown_is_said_to_be_unknown(store: Arc<dyn BatchStore>) {
    let id = batch(0);
    assert_eq!(store.batch(&id).await.unwrap(), None);
    assert_eq!(store.batches(false).await.unwrap(), []);
    assert_eq!(store.jobs(&id, 0, 9).await.unwrap(), []);
    assert_eq!(store.staged(&id, 0, 9).await.unwrap(), []);
    assert_eq!(store.log(&id).await.unwrap(), []);
    assert_eq!(store.leases().await.unwrap(), []);
    let nothing = Claimed::Nothing { next_at: None, unservable: false };
    assert_eq!(store.claim(&claim_request(1, 9), T0).await.unwrap(), nothing);
    assert_eq!(store.give_back(&id, &lease(1), &[release(0)], T0).await.unwrap().answers.len(), 1);
    assert_eq!(store.take_ticket(&id, &ticket(1), T0).await.unwrap(), Ticket::Unknown);
    assert!(!store.return_ticket(&id, &ticket(1), None, T0, T0).await.unwrap());
    assert_eq!(store.drain(&id, &ticket(1), 9, T0).await.unwrap(), Drained::LostTicket);
    let end = store.end(&id, proto::EndState::Failed, "{}", "e", "{}", T0).await.unwrap();
    assert_eq!(end, EndAnswer::Unknown);
    assert_eq!(store.outbox_due(9, T0).await.unwrap(), [], "an unknown batch announces nothing");
    assert!(!store.drop_staged(&id).await.unwrap() && !store.forget(&id).await.unwrap());
}
