//! Scenarios of events that wait to be delivered.

use std::sync::Arc;

use super::kit::T0;
use crate::BatchStore;

/// Events are handed out by time and id until somebody says that they were delivered.
pub async fn events_wait_in_order(store: Arc<dyn BatchStore>) {
    for (id, at) in [("c", 5), ("b", 7), ("a", 7), ("z", 9)] {
        store.put_event(id, &format!("{{\"id\":\"{id}\"}}"), T0 + at).await.unwrap();
    }
    store.put_event("c", "another", T0 + 100).await.unwrap();
    let ids = |limit, at| {
        let store = Arc::clone(&store);
        async move {
            let due = store.outbox_due(limit, T0 + at).await.unwrap();
            due.into_iter().map(|event| event.id).collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(ids(9, 8).await, "c a b");
    assert_eq!(ids(2, 8).await, "c a");
    assert_eq!(ids(0, 8).await, "");
    let due = store.outbox_due(1, T0 + 5).await.unwrap();
    assert_eq!((due[0].payload.as_str(), due[0].attempts, due[0].not_before), ("{\"id\":\"c\"}", 0, T0 + 5));
    assert!(store.outbox_delivered("a").await.unwrap());
    assert!(!store.outbox_delivered("a").await.unwrap(), "once");
    assert_eq!(ids(9, 100).await, "c b z");
}

/// A sink that refuses ten times makes a dead letter, which delays nobody and can still be delivered by hand.
pub async fn ten_failures_make_a_dead_letter(store: Arc<dyn BatchStore>) {
    store.put_event("poison", "{}", T0).await.unwrap();
    store.put_event("good", "{}", T0 + 1).await.unwrap();
    for n in 1..=10 {
        let at = T0 + n * 10;
        let dead = store.outbox_failed("poison", &format!("answer {n}"), at).await.unwrap();
        assert_eq!(dead, n == 10);
        if n < 10 {
            assert_eq!(store.outbox_due(9, at - 1).await.unwrap().len(), 1, "the good one alone");
        }
    }
    assert!(!store.outbox_failed("unknown", "x", T0).await.unwrap());
    let due = store.outbox_due(9, T0 + 10_000).await.unwrap();
    assert_eq!(due.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["good"]);
    let dead = store.dead_letters().await.unwrap();
    assert_eq!((dead.len(), dead[0].0.attempts, dead[0].0.not_before), (1, 10, T0 + 100));
    assert_eq!(dead[0].1, "answer 10");
    store.put_event("poison", "again", T0).await.unwrap();
    assert_eq!(store.dead_letters().await.unwrap()[0].0.payload, "{}", "it is known");
    assert!(store.outbox_delivered("poison").await.unwrap());
    assert_eq!(store.dead_letters().await.unwrap(), []);
}
