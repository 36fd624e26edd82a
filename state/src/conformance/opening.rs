//! Scenarios of openers.

use std::sync::Arc;

use protocol::ops::{Added, NewJob, Opened, OpenerRefusal, Sealed};
use protocol::{BatchState, MAX_ITEMS_PER_CALL};

use super::kit::{T0, batch, claim, job, jobs, other_slate, places, request, running, token, view};
use crate::{BatchStore, Withdrawn};

/// A lost answer to opening costs nothing.
pub async fn opening_repeats_by_token(store: Arc<dyn BatchStore>) {
    let first = request(&batch(0), 1);
    assert_eq!(store.open(&first, T0).await.unwrap(), Opened::Opened);
    assert_eq!(store.open(&first, T0 + 5).await.unwrap(), Opened::Opened);
    assert_eq!(store.open(&request(&batch(0), 2), T0).await.unwrap(), Opened::IdKnown);
    let view = view(&*store, &batch(0)).await;
    assert_eq!((view.state, view.opened_at, view.finish_by), (BatchState::Filling, T0, T0 + 600_000));
    assert_eq!((view.pins, view.request, view.timing), (first.pins, first.request, first.timing));
}

/// The slate is the lock, and one function makes its key: another id of the same date meets the same holder.
pub async fn incident_20_a_slate_has_one_holder_whatever_the_batch_id(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    let taken = Opened::SlateTaken { batch_id: batch(0) };
    assert_eq!(store.open(&request(&batch(1), 2), T0).await.unwrap(), taken);
    assert_eq!(store.open(&request(&batch(1), 1), T0).await.unwrap(), taken, "not even the same opener");
    assert_eq!(store.open(&request(&other_slate(1), 2), T0).await.unwrap(), Opened::Opened);
    assert_eq!(store.open_batch_of(&batch(9).slate()).await.unwrap(), Some(batch(0)));
    assert_eq!(store.batch(&batch(1)).await.unwrap(), None);
}

/// A call with one bad job adds none; numbers follow the order of adding.
pub async fn jobs_are_added_all_or_none(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    let added = store.add_jobs(&batch(0), &token(1), &jobs(3), T0 + 1).await.unwrap();
    assert_eq!(added, Added::Added { new: 3, total: 3 });
    let wrong = NewJob { payload: vec![7], ..job(1) };
    let refused = store.add_jobs(&batch(0), &token(1), &[job(3), wrong.clone()], T0 + 2).await.unwrap();
    assert_eq!(refused, Added::Duplicate { id: job(1).id });
    assert_eq!(view(&*store, &batch(0)).await.total, 3);
    let again = store.add_jobs(&batch(0), &token(1), &[job(4), job(0), job(3)], T0 + 3).await.unwrap();
    assert_eq!(again, Added::Added { new: 2, total: 5 });
    let read = store.jobs(&batch(0), 0, 10).await.unwrap();
    let ids: Vec<_> = read.iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids, [0, 1, 2, 4, 3].map(|n| job(n).id));
    let empty = store.add_jobs(&batch(0), &token(1), &[], T0 + 9).await.unwrap();
    assert_eq!(empty, Added::Added { new: 0, total: 5 });
    assert_eq!(store.due_index().await.unwrap()[0].1, T0 + 9 + 15_000, "an empty call renews the opener");
}

/// A traded player came three and four times and blocked the export: here the same name is the same job.
pub async fn incident_35_a_job_is_there_once(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    let added = store.add_jobs(&batch(0), &token(1), &[job(0), job(0), job(1)], T0).await.unwrap();
    assert_eq!(added, Added::Added { new: 2, total: 2 });
    let other_team = NewJob { payload: vec![2, 2], ..job(7) };
    let twice = store.add_jobs(&batch(0), &token(1), &[job(7), other_team], T0).await.unwrap();
    assert_eq!(twice, Added::Duplicate { id: job(7).id });
    assert_eq!(view(&*store, &batch(0)).await.total, 2);
}

/// Names are never part of a path, payloads never part of a text.
pub async fn incident_12_any_name_and_any_bytes_come_back(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    let payloads =
        [vec![], vec![0], b"\0a\0\r\n\xff\xfe'\"%s{}".to_vec(), (0..=255).collect(), vec![b'x'; 70_000]];
    let added: Vec<NewJob> = payloads
        .into_iter()
        .zip(["a", "9", "shaigilgeousalexander", "jarenjacksonjr", "zz0"])
        .map(|(payload, name)| NewJob { id: format!("{name}@20260123_LAL_BOS").parse().unwrap(), payload })
        .collect();
    store.add_jobs(&batch(0), &token(1), &added, T0).await.unwrap();
    store.seal(&batch(0), &token(1), 1, 5, T0).await.unwrap();
    let chunk = super::kit::try_claim(&*store, 1, 10, T0).await.unwrap();
    for (claimed, new) in chunk.jobs.iter().zip(&added) {
        assert_eq!((&claimed.id, &claimed.payload), (&new.id, &new.payload));
    }
    let body = b"\0\xff\n".to_vec();
    let item = protocol::ops::Completion { body, ..super::kit::done(2, proto::Code::Predicted) };
    store.complete(&batch(0), &super::kit::lease(1), std::slice::from_ref(&item), T0).await.unwrap();
    let staged = store.staged(&batch(0), 0, 10).await.unwrap();
    assert_eq!((staged[0].seq, &staged[0].id), (2, &added[2].id));
    assert_eq!((&staged[0].payload, &staged[0].done.body), (&added[2].payload, &item.body));
}

/// The number expected is the number there, not one counted before a gate removed some.
pub async fn incident_06_sealing_counts_what_is_there(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    assert_eq!(store.seal(&batch(0), &token(1), 4, 0, T0).await.unwrap(), Sealed::Missing { have: 0 });
    store.add_jobs(&batch(0), &token(1), &jobs(2), T0).await.unwrap();
    for wrong in [1, 3, 181] {
        let sealed = store.seal(&batch(0), &token(1), 4, wrong, T0).await.unwrap();
        assert_eq!(sealed, Sealed::Missing { have: 2 });
    }
    assert_eq!(view(&*store, &batch(0)).await.state, BatchState::Filling);
    assert_eq!(store.seal(&batch(0), &token(1), 4, 2, T0 + 1).await.unwrap(), Sealed::Sealed);
    assert_eq!(store.seal(&batch(0), &token(1), 4, 2, T0 + 2).await.unwrap(), Sealed::Sealed, "a repeat");
    let view = view(&*store, &batch(0)).await;
    assert_eq!((view.state, view.generation, view.updated_at), (BatchState::Running, 4, T0 + 1));
    assert_eq!(places(&*store, &batch(0)).await, (2, 2, 0, 0));
    let due: Vec<_> =
        store.due_index().await.unwrap().into_iter().map(|(key, at)| (key.to_string(), at)).collect();
    assert_eq!(due, [(format!("finish:{}", batch(0)), T0 + 600_000)]);
}

/// Every opener's call names its token, and says why it is refused.
pub async fn an_opener_is_known_by_its_token(store: Arc<dyn BatchStore>) {
    let (mine, wrong) = (token(1), token(2));
    let unknown = OpenerRefusal::Unknown;
    assert_eq!(store.add_jobs(&batch(0), &mine, &[], T0).await.unwrap(), Added::Refused(unknown));
    assert_eq!(store.seal(&batch(0), &mine, 1, 1, T0).await.unwrap(), Sealed::Refused(unknown));
    running(&*store, &batch(0), 1).await;
    let refusal = OpenerRefusal::WrongToken;
    assert_eq!(store.add_jobs(&batch(0), &wrong, &[], T0).await.unwrap(), Added::Refused(refusal));
    assert_eq!(store.seal(&batch(0), &wrong, 1, 1, T0).await.unwrap(), Sealed::Refused(refusal));
    assert_eq!(store.withdraw(&batch(0), &wrong).await.unwrap(), Withdrawn::Refused(refusal));
    let refusal = OpenerRefusal::NotFilling(BatchState::Running);
    assert_eq!(store.add_jobs(&batch(0), &mine, &jobs(1), T0).await.unwrap(), Added::Refused(refusal));
    assert_eq!(store.withdraw(&batch(0), &mine).await.unwrap(), Withdrawn::Refused(refusal));
}

/// A batch that never ran disappears: its id, its slate, its jobs, its due entry.
pub async fn withdrawing_leaves_nothing(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    store.add_jobs(&batch(0), &token(1), &jobs(3), T0).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.withdraw(&batch(0), &token(1)).await.unwrap(), Withdrawn::Withdrawn);
    }
    assert_eq!(store.batch(&batch(0)).await.unwrap(), None);
    assert_eq!(store.open_batch_of(&batch(0).slate()).await.unwrap(), None);
    assert_eq!(store.due_index().await.unwrap(), []);
    assert_eq!(store.jobs(&batch(0), 0, 10).await.unwrap(), []);
    running(&*store, &batch(0), 2).await;
    assert_eq!(claim(&*store, 1, 10, T0).await, [0, 1], "numbers begin anew");
}

/// A call takes 500 jobs, not 501.
pub async fn too_many_jobs_are_refused(store: Arc<dyn BatchStore>) {
    store.open(&request(&batch(0), 1), T0).await.unwrap();
    let many = jobs(MAX_ITEMS_PER_CALL + 1);
    assert_eq!(store.add_jobs(&batch(0), &token(1), &many, T0).await.unwrap(), Added::TooMany);
    assert_eq!(view(&*store, &batch(0)).await.total, 0);
    let most = store.add_jobs(&batch(0), &token(1), &many[..MAX_ITEMS_PER_CALL], T0).await.unwrap();
    assert_eq!(most, Added::Added { new: 500, total: 500 });
}
