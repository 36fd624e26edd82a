//! Work that is shared, and messages that wait.

use jiff::SignedDuration;
use warehouse::claims::{Claim, Piece};
use warehouse::{ErrorClass, RunEnd, RunStart, Warehouse};

use crate::fixtures::*;

const TTL: SignedDuration = SignedDuration::from_secs(10);

fn piece() -> Piece {
    Piece { stage: "backfill_features".to_owned(), game_date: day(DATE) }
}

/// A claim at so many seconds past noon; what has ended may be tried again if `again`.
async fn claim(warehouse: &Warehouse, owner: &str, seconds: i64, again: bool) -> Claim {
    let now = at(NOON) + SignedDuration::from_secs(seconds);
    warehouse.claim_piece(&piece(), owner, TTL, now, move |_| again).await.unwrap()
}

fn yours(number: u32) -> Claim {
    Claim::Yours { run_id: format!("backfill_features/{DATE}/{number}"), before: None }
}

pub(crate) async fn a_piece_has_one_holder_until_its_claim_lapses(warehouse: Warehouse) {
    assert_eq!(claim(&warehouse, "a", 0, true).await, yours(1));
    assert_eq!(claim(&warehouse, "a", 1, true).await, yours(1), "a repeat");
    let until = at(NOON) + SignedDuration::from_secs(11);
    assert_eq!(claim(&warehouse, "b", 5, true).await, Claim::Held { until });
    let Claim::Yours { run_id, .. } = yours(1) else { unreachable!("it is built two lines above") };
    let renewed = warehouse.renew_piece(&run_id, "a", at(NOON) + SignedDuration::from_secs(9)).await.unwrap();
    assert!(renewed);
    assert!(matches!(claim(&warehouse, "b", 15, true).await, Claim::Held { .. }), "renewed at nine");
    let taken_over = Claim::Yours { run_id: run_id.clone(), before: Some("a".to_owned()) };
    assert_eq!(
        claim(&warehouse, "b", 19, true).await,
        taken_over,
        "under the same run, and from whom is told"
    );
    let lost = warehouse.renew_piece(&run_id, "a", at(NOON) + SignedDuration::from_secs(20)).await.unwrap();
    assert!(!lost, "it is somebody else's by now");
}

pub(crate) async fn a_piece_that_has_ended_is_tried_again_only_when_asked(warehouse: Warehouse) {
    let Claim::Yours { run_id, .. } = claim(&warehouse, "a", 0, false).await else { panic!("not claimed") };
    let failed = RunEnd::Failed { error: "why".to_owned(), class: ErrorClass::Input };
    warehouse.run_finish(&run_id, &failed, &serde_json::json!({}), at(NOON)).await.unwrap();
    match claim(&warehouse, "b", 1, false).await {
        Claim::Ended(run) => assert_eq!((run.status.as_str(), run.error.as_deref()), ("failed", Some("why"))),
        other => panic!("{other:?}"),
    }
    assert_eq!(claim(&warehouse, "b", 2, true).await, yours(2));
    // The tenth attempt is newer than the ninth, whatever their names say.
    for number in 2..=11 {
        let run_id = format!("backfill_features/{DATE}/{number}");
        warehouse.run_finish(&run_id, &RunEnd::Success, &serde_json::json!({}), at(NOON)).await.unwrap();
        assert_eq!(claim(&warehouse, "b", 3, true).await, yours(number + 1));
    }
    let newest = warehouse.newest_attempt(&piece()).await.unwrap().unwrap();
    assert_eq!(
        (newest.run_id.as_str(), newest.status.as_str()),
        (&*format!("backfill_features/{DATE}/12"), "running")
    );
}

pub(crate) async fn open_messages_are_listed_until_they_end(warehouse: Warehouse) {
    for (run_id, seconds) in [("lines_updated/x/1", 0), ("lines_updated/x/2", 5)] {
        let run = RunStart {
            run_id: run_id.to_owned(),
            stage: "lines_updated".to_owned(),
            game_date: Some(day(DATE)),
            batch_id: None,
            started_at: at(NOON) + SignedDuration::from_secs(seconds),
        };
        warehouse.run_start(&run).await.unwrap();
    }
    let open = async |since: i64| -> Vec<String> {
        let since = at(NOON) + SignedDuration::from_secs(since);
        warehouse.open_runs(since).await.unwrap().into_iter().map(|run| run.run_id).collect()
    };
    assert_eq!(open(0).await, ["lines_updated/x/1", "lines_updated/x/2"]);
    assert_eq!(open(1).await, ["lines_updated/x/2"]);
    warehouse
        .run_finish("lines_updated/x/1", &RunEnd::Success, &serde_json::json!({}), at(NOON))
        .await
        .unwrap();
    assert_eq!(open(0).await, ["lines_updated/x/2"]);
    assert!(warehouse.run_exists("lines_updated/x/1").await.unwrap());
    assert!(!warehouse.run_exists("lines_updated/x/3").await.unwrap());
}
