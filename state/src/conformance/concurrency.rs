//! Scenarios of many callers at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::Code;
use protocol::ops::{CompletionAnswer, Opened};
use protocol::{BatchState, CloseReason};
use tokio::task::JoinSet;

use super::kit::{T0, batch, claim, complete, places, request, running, view};
use crate::BatchStore;

/// Three hundred starts of one slate: one batch, and 299 that hear which.
pub async fn three_hundred_openers_make_one_batch(store: Arc<dyn BatchStore>) {
    let mut openers = JoinSet::new();
    for n in 0..300_i64 {
        let store = Arc::clone(&store);
        openers.spawn(async move { (n, store.open(&request(&batch(n), n as u128), T0).await.unwrap()) });
    }
    let answers = openers.join_all().await;
    let opened: Vec<_> = answers.iter().filter(|(_, answer)| *answer == Opened::Opened).collect();
    assert_eq!(opened.len(), 1);
    let winner = Opened::SlateTaken { batch_id: batch(opened[0].0) };
    assert_eq!(answers.iter().filter(|(_, answer)| *answer == winner).count(), 299);
    assert_eq!(store.batches(false).await.unwrap().len(), 1);
}

/// Sixteen workers at once: nobody gets what another one has, nothing is left over.
pub async fn sixteen_claimers_get_disjoint_jobs(store: Arc<dyn BatchStore>) {
    const JOBS: usize = 2_000;
    running(&*store, &batch(0), JOBS).await;
    let mut workers = JoinSet::new();
    for worker in 0..16_u128 {
        let store = Arc::clone(&store);
        workers.spawn(async move {
            let mut got = Vec::new();
            for round in 0.. {
                let lease_no = worker * 1_000 + round + 1;
                let seqs = claim(&*store, lease_no, 37, T0).await;
                if seqs.is_empty() {
                    return got;
                }
                let (answers, _) = complete(&*store, &batch(0), lease_no, &seqs, Code::Predicted, T0).await;
                assert!(answers.iter().all(|answer| *answer == CompletionAnswer::Accepted));
                got.extend(seqs);
            }
            got
        });
    }
    let all: Vec<u32> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), JOBS, "every job once");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), JOBS, "and no job twice");
    assert_eq!(places(&*store, &batch(0)).await, (JOBS as u64, 0, 0, JOBS as u64));
    assert_eq!(view(&*store, &batch(0)).await.closing.unwrap().reason, CloseReason::AllDone);
}

/// Whatever order a reset and completions come in, the answers fit what is staged.
pub async fn closing_and_completing_at_once_agree(store: Arc<dyn BatchStore>) {
    running(&*store, &batch(0), 200).await;
    let mut claimed = Vec::new();
    for lease_no in 1..=20 {
        claimed.push((lease_no, claim(&*store, lease_no, 10, T0).await));
    }
    let mut callers = JoinSet::new();
    for (lease_no, seqs) in claimed {
        let worker = Arc::clone(&store);
        callers.spawn(
            async move { complete(&*worker, &batch(0), lease_no, &seqs, Code::Predicted, T0).await.0 },
        );
        if lease_no == 10 {
            let operator = Arc::clone(&store);
            callers.spawn(async move {
                operator.close(&batch(0), CloseReason::Reset, None, T0).await.unwrap();
                Vec::new()
            });
        }
    }
    let answers: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    let accepted = answers.iter().filter(|answer| **answer == CompletionAnswer::Accepted).count() as u64;
    let refused = answers.iter().filter(|answer| **answer == CompletionAnswer::Closed).count() as u64;
    assert_eq!(accepted + refused, 200);
    let seen = view(&*store, &batch(0)).await;
    assert_eq!((seen.jobs.predicted, seen.stale_writes), (accepted, refused));
    assert_eq!(seen.state, BatchState::Finalizing);
}
