//! The verdict transaction.

use std::sync::Arc;

use proto::verdict::{Health, HealthLevel, VerdictReason};
use proto::{BatchId, Code, EndState, GameStatus, Market, RunMode, Sha256, Slate};
use protocol::CloseReason;
use warehouse::{Error, IngestBatch, PredictionFilter, PublishRequest, Staying, Warehouse};

use crate::fixtures::*;

/// Batch, its jobs, why it was closed, and what its run record then says.
type RunCase<'a> = (i64, &'a [Ended<'a>], CloseReason, &'a str, Option<&'a str>);

const BOTH: [Ended<'static>; 2] = [("a", G1, Code::Predicted, 25.0), ("b", G2, Code::Predicted, 15.0)];

pub(crate) async fn a_first_publication_shows_its_rows(warehouse: Warehouse) {
    register(&warehouse, 1).await;
    let mut request = request(1, &[BOTH[0], BOTH[1], ("c", G1, Code::NoLine, 0.0)]);
    let health = Health {
        level: HealthLevel::Healthy,
        findings: vec![],
        figures: [("top_edge".to_owned(), 5.5)].into(),
    };
    request.health = Some(health.clone());
    let end = warehouse.publish(&request).await.unwrap();
    assert_eq!(
        (end.verdict.state, end.verdict.reason, end.first),
        (EndState::Complete, VerdictReason::AllDone, true)
    );
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 25", "b alpha 15", "b beta 15"]);
    let receipt = &end.receipt;
    assert_eq!((receipt.generation, receipt.published, receipt.active, receipt.rows_owed), (1, 4, 4, 6));
    assert_eq!(receipt.refused, [("no_line".to_owned(), 2)].into());
    assert_eq!(receipt.reasons, [("no_line".to_owned(), 1), ("predicted".to_owned(), 2)].into());
    assert_eq!(receipt.by_system, [("alpha".to_owned(), 2), ("beta".to_owned(), 2)].into());
    assert_eq!(receipt.by_game, [(G1.to_owned(), 2), (G2.to_owned(), 2)].into());
    assert_eq!(receipt.by_line_source, [("ACTUAL_PROP".to_owned(), 4)].into());
    assert_eq!(receipt.by_market, [("points".to_owned(), 4)].into());
    assert_eq!((receipt.health.as_ref(), receipt.decided_at), (Some(&health), at(NOON)));
    let hashes = request.rows.iter().map(|row| row.row_sha256).collect();
    assert_eq!(receipt.rows_sha256, Sha256::of_all(hashes).to_string());
    assert_eq!(receipt.slate_sha256, receipt.rows_sha256);
    assert_eq!(warehouse.verdict(&batch_id(1)).await.unwrap(), Some((end.verdict, end.receipt)));
    assert_eq!(warehouse.published_generation(slate()).await.unwrap(), 1);
    let outcomes = warehouse.job_outcomes(&batch_id(1)).await.unwrap();
    assert_eq!(outcomes.len(), 3);
    assert_eq!((&outcomes[2].outcome, outcomes[2].published), (&request.outcomes[2], 0));
    assert_eq!((outcomes[0].published, outcomes[0].generation), (2, 1));
}

pub(crate) async fn the_next_generation_supersedes(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    let end = run(&warehouse, 2, &[("a", G1, Code::Predicted, 22.0), BOTH[1]]).await;
    assert_eq!(active(&warehouse).await, ["a alpha 22", "a beta 22", "b alpha 15", "b beta 15"]);
    assert_eq!((end.receipt.published, end.receipt.active, end.receipt.carried.len()), (4, 4, 0));
    let all = warehouse.predictions(&PredictionFilter::default()).await.unwrap().rows;
    assert_eq!(all.len(), 8);
    for old in all.iter().filter(|row| row.generation == 1) {
        let heir = all.iter().find(|row| Some(&row.prediction_id) == old.superseded_by.as_ref()).unwrap();
        assert!(!old.is_active && heir.is_active && heir.generation == 2);
        assert_eq!(old.superseded_at, Some(at(NOON)));
        assert_eq!((&heir.player_lookup, &heir.system_id), (&old.player_lookup, &old.system_id));
    }
}

pub(crate) async fn incident_10_every_ending_closes_the_run_record(warehouse: Warehouse) {
    let status = async |second: i64| -> (String, Option<String>) {
        let runs = warehouse.runs(Some("predict"), 100).await.unwrap();
        let mine: Vec<_> = runs.iter().filter(|run| run.run_id == batch_id(second).to_string()).collect();
        assert_eq!(mine.len(), 1, "one row per run");
        assert_eq!(mine[0].finished_at.is_some(), mine[0].status != "running");
        (mine[0].status.clone(), mine[0].error_class.clone())
    };
    register(&warehouse, 1).await;
    assert_eq!(status(1).await, ("running".to_owned(), None));
    let failing = [("a", G1, Code::Predicted, 25.0), ("b", G1, Code::Panic, 0.0)];
    let uncovered =
        [("a", G1, Code::Predicted, 25.0), ("b", G1, Code::Panic, 0.0), ("c", G1, Code::Hang, 0.0)];
    let cases: [RunCase<'_>; 7] = [
        (1, &BOTH, CloseReason::AllDone, "success", None),
        (2, &failing, CloseReason::AllDone, "partial", None),
        (3, &uncovered, CloseReason::FinishBy, "failed", Some("upstream")),
        (4, &BOTH, CloseReason::Reset, "cancelled", None),
        (5, &[], CloseReason::NeverSealed, "failed", Some("clean_up")),
        (6, &[], CloseReason::StateLost, "failed", Some("clean_up")),
        (7, &BOTH, CloseReason::Finalizer, "failed", Some("bug")),
    ];
    for (second, jobs, reason, expected, class) in cases {
        register(&warehouse, second).await;
        let mut request = request(second, jobs);
        request.closing = closing(reason);
        warehouse.publish(&request).await.unwrap();
        assert_eq!(status(second).await, (expected.to_owned(), class.map(str::to_owned)), "{reason:?}");
    }
    // Also of a batch that was never registered.
    warehouse.publish(&request(8, &BOTH)).await.unwrap();
    assert_eq!(status(8).await.0, "cancelled");
}

pub(crate) async fn incident_19_a_second_publication_gets_the_first_verdict(warehouse: Warehouse) {
    let first = run(&warehouse, 1, &BOTH).await;
    let before = warehouse.table_counts().await.unwrap();
    // Another finalizer with another idea of the batch, later.
    let mut again = request(1, &[("a", G1, Code::Predicted, 30.0)]);
    again.closing = closing(CloseReason::Reset);
    again.now = at(TIP1);
    let second = warehouse.publish(&again).await.unwrap();
    assert!(!second.first);
    assert_eq!((second.verdict, second.receipt), (first.verdict, first.receipt));
    assert_eq!(warehouse.table_counts().await.unwrap(), before);
}

pub(crate) async fn incident_22_old_rows_leave_when_new_ones_come(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    // Refused in its middle by the schema, nothing of it happened.
    register(&warehouse, 2).await;
    let mut wrong = request(2, &[("a", G1, Code::Predicted, 22.0), ("b", G2, Code::Predicted, 22.0)]);
    wrong.rows[3].line_margin += 1.0;
    let error = warehouse.publish(&wrong).await.unwrap_err();
    assert!(error.certainly_not_applied() && error.is_refused_by_constraint(), "{error}");
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 25", "b alpha 15", "b beta 15"]);
    assert_eq!(warehouse.published_generation(slate()).await.unwrap(), 1);
    // Put right, the same batch is published.
    let right = request(2, &[("a", G1, Code::Predicted, 22.0), ("b", G2, Code::Predicted, 22.0)]);
    assert!(warehouse.publish(&right).await.unwrap().first);
    assert_eq!(active(&warehouse).await, ["a alpha 22", "a beta 22", "b alpha 22", "b beta 22"]);
}

pub(crate) async fn incident_23_the_key_has_a_system(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    // Only one of the two systems answers this time.
    register(&warehouse, 2).await;
    let mut one = request(2, &[("a", G1, Code::Predicted, 22.0)]);
    one.rows.retain(|row| row.key.system_id == system("beta"));
    let end = warehouse.publish(&one).await.unwrap();
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 22", "b alpha 15", "b beta 15"]);
    assert_eq!((end.receipt.published, end.receipt.active), (1, 4));
    let carried: Vec<&str> = end.receipt.carried.iter().map(|carried| carried.key.as_str()).collect();
    assert_eq!(carried, [format!("{G1}|a|points|alpha")]);
    assert_eq!(end.receipt.carried[0].batch_id, batch_id(1));
    assert_eq!(end.receipt.refused, [("model".to_owned(), 1)].into());
}

pub(crate) async fn incident_25_a_failed_batch_leaves_the_slate(warehouse: Warehouse) {
    let first = run(&warehouse, 1, &BOTH).await;
    let jobs = [("a", G1, Code::Predicted, 22.0), ("b", G2, Code::Panic, 0.0), ("c", G1, Code::Panic, 0.0)];
    let end = run(&warehouse, 2, &jobs).await;
    assert_eq!((end.verdict.state, end.verdict.reason), (EndState::Failed, VerdictReason::Coverage));
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 25", "b alpha 15", "b beta 15"]);
    assert_eq!(end.receipt.slate_sha256, first.receipt.slate_sha256);
    assert_eq!((end.receipt.published, end.receipt.active), (0, 4));
    assert_eq!(end.receipt.refused, [("coverage".to_owned(), 2), ("panic".to_owned(), 4)].into());
    assert_eq!(warehouse.slate_record(slate()).await.unwrap().published_batch, Some(batch_id(1)));
    // Its outcomes are kept all the same.
    assert_eq!(warehouse.job_outcomes(&batch_id(2)).await.unwrap().len(), 3);
    let newest = warehouse.newest_outcomes(slate()).await.unwrap();
    assert!(newest.iter().all(|outcome| outcome.generation == 1) && newest.len() == 2);
}

pub(crate) async fn incident_26_a_player_without_a_new_row_keeps_the_old_one(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    let end = run(&warehouse, 2, &[BOTH[0], ("b", G2, Code::QualityBelowThreshold, 0.0)]).await;
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 25", "b alpha 15", "b beta 15"]);
    let carried: Vec<String> =
        end.receipt.carried.iter().map(|carried| format!("{} {}", carried.key, carried.batch_id)).collect();
    let of = |system: &str| format!("{G2}|b|points|{system} {}", batch_id(1));
    assert_eq!(carried, [of("alpha"), of("beta")]);
    let outcomes = warehouse.job_outcomes(&batch_id(2)).await.unwrap();
    assert_eq!((outcomes[1].published, outcomes[1].carried), (0, 2));
    let newest = warehouse.newest_outcomes(slate()).await.unwrap();
    assert_eq!((newest[1].outcome.code, newest[1].generation), (Code::QualityBelowThreshold, 2));
}

pub(crate) async fn incident_27_zero_rows_never_replace_rows(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    let slate_before = active(&warehouse).await;
    // Nobody predicted although the whole slate ran: a failure, not a success with nothing in it.
    let jobs = [("a", G1, Code::NoLine, 0.0), ("b", G2, Code::NoLine, 0.0)];
    register(&warehouse, 2).await;
    let mut nobody = request(2, &jobs);
    nobody.closing.whole_slate = true;
    assert_eq!(warehouse.publish(&nobody).await.unwrap().verdict.reason, VerdictReason::NothingPredicted);
    assert_eq!(active(&warehouse).await, slate_before);
    // In order for a part of it, and still nothing is replaced.
    assert_eq!(run(&warehouse, 3, &jobs).await.verdict.state, EndState::Complete);
    assert_eq!(active(&warehouse).await, slate_before);
    // Predicted, but the rows did not arrive: refused, and nothing of it happened.
    register(&warehouse, 4).await;
    let mut lost = request(4, &BOTH);
    lost.rows.clear();
    let error = warehouse.publish(&lost).await.unwrap_err();
    assert!(matches!(error, Error::Inconsistent { .. }) && !error.is_unreachable(), "{error}");
    assert_eq!(warehouse.verdict(&batch_id(4)).await.unwrap(), None);
    assert_eq!(active(&warehouse).await, slate_before);
}

pub(crate) async fn an_injured_player_is_invalidated(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    let jobs = [("a", G1, Code::InjuredOut, 0.0), ("b", G2, Code::GamePostponed, 0.0)];
    let end = run(&warehouse, 2, &jobs).await;
    assert_eq!(end.verdict.state, EndState::Complete);
    assert_eq!(
        end.receipt.invalidated,
        [("game_postponed".to_owned(), 2), ("injured_out".to_owned(), 2)].into()
    );
    assert_eq!((end.receipt.active, end.receipt.carried.len()), (0, 0));
    let rows = warehouse.predictions(&PredictionFilter::default()).await.unwrap().rows;
    assert_eq!(rows[0].invalidation_reason.as_deref(), Some("injured_out"));
    assert_eq!((rows[0].invalidated_at, rows[0].superseded_by), (Some(at(NOON)), None));
    // Back again.
    run(&warehouse, 3, &BOTH[..1]).await;
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 25"]);
}

pub(crate) async fn a_subset_invalidates_only_what_it_wanted(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    register(&warehouse, 2).await;
    let mut subset = request(2, &[("a", G1, Code::InjuredOut, 0.0)]);
    subset.head.wanted = vec![(Market::points(), system("alpha"))];
    warehouse.publish(&subset).await.unwrap();
    assert_eq!(active(&warehouse).await, ["a beta 25", "b alpha 15", "b beta 15"]);
}

pub(crate) async fn absence_retires_nothing(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    let end = run(&warehouse, 2, &[("c", G1, Code::Predicted, 30.0)]).await;
    assert_eq!(end.receipt.carried, [], "nobody else has a job in this batch");
    assert_eq!((end.receipt.published, end.receipt.active), (2, 6));
}

pub(crate) async fn a_game_that_has_begun_is_left_alone(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    // The vendor saw the first game begin ten minutes before the schedule.
    let mut moved = line("a", "draftkings", 41, "2026-01-23T23:00:00Z");
    moved.commence_time = at("2026-01-24T00:20:00Z");
    ingest(&warehouse, IngestBatch { lines: vec![moved], ..IngestBatch::default() }).await;
    register(&warehouse, 2).await;
    let jobs = [
        ("a", G1, Code::Predicted, 22.0),
        ("b", G2, Code::Predicted, 22.0),
        ("c", G1, Code::InjuredOut, 0.0),
    ];
    let mut late = request(2, &jobs);
    late.now = at("2026-01-24T00:20:00Z");
    let end = warehouse.publish(&late).await.unwrap();
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 25", "b alpha 22", "b beta 22"]);
    assert_eq!(end.receipt.refused, [("game_started".to_owned(), 2), ("injured_out".to_owned(), 2)].into());
    assert_eq!((end.receipt.published, end.receipt.carried.len(), end.receipt.active), (2, 2, 4));
    // Nor is anybody taken out of a game that is being played.
    register(&warehouse, 3).await;
    let mut out = request(3, &[("a", G1, Code::InjuredOut, 0.0)]);
    out.now = late.now;
    assert_eq!(warehouse.publish(&out).await.unwrap().receipt.invalidated, [].into());
}

pub(crate) async fn a_backfill_may_change_old_games(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    register(&warehouse, 2).await;
    let mut backfill = request(2, &[("a", G1, Code::Predicted, 22.0)]);
    (backfill.now, backfill.run_mode) = (at("2026-01-24T18:00:00Z"), RunMode::Backfill);
    let end = warehouse.publish(&backfill).await.unwrap();
    assert_eq!(end.receipt.refused, [].into());
    assert_eq!(active(&warehouse).await, ["a alpha 22", "a beta 22", "b alpha 15", "b beta 15"]);
}

pub(crate) async fn an_older_generation_is_overtaken(warehouse: Warehouse) {
    register(&warehouse, 1).await;
    run(&warehouse, 2, &BOTH).await;
    let end = warehouse.publish(&request(1, &[("a", G1, Code::Predicted, 22.0)])).await.unwrap();
    assert_eq!((end.verdict.state, end.verdict.reason), (EndState::Failed, VerdictReason::Overtaken));
    assert_eq!(active(&warehouse).await, ["a alpha 25", "a beta 25", "b alpha 15", "b beta 15"]);
    assert_eq!(warehouse.published_generation(slate()).await.unwrap(), 2);
}

pub(crate) async fn a_reset_publishes_nothing(warehouse: Warehouse) {
    register(&warehouse, 1).await;
    let mut reset = request(1, &BOTH);
    reset.closing = closing(CloseReason::Reset);
    let end = warehouse.publish(&reset).await.unwrap();
    assert_eq!((end.verdict.state, end.receipt.published), (EndState::Reset, 0));
    assert_eq!(end.receipt.refused, [("reset".to_owned(), 4)].into());
    // A zombie finalizer wakes and wants to publish.
    let zombie = warehouse.publish(&request(1, &BOTH)).await.unwrap();
    assert_eq!((zombie.verdict.state, zombie.first), (EndState::Reset, false));
    assert_eq!(active(&warehouse).await, Vec::<String>::new());
}

pub(crate) async fn an_unregistered_batch_ends_as_reset(warehouse: Warehouse) {
    let end = warehouse.publish(&request(1, &BOTH)).await.unwrap();
    assert_eq!((end.verdict.state, end.receipt.generation), (EndState::Reset, 0));
    assert_eq!(active(&warehouse).await, Vec::<String>::new());
    // Its id can never be registered again.
    let taken = warehouse.register(&registration(1, 2)).await.unwrap();
    assert_eq!(taken, warehouse::Registered::IdTaken);
    assert_eq!(warehouse.open_registered().await.unwrap(), []);
}

pub(crate) async fn a_lost_batch_can_be_ended_without_jobs(warehouse: Warehouse) {
    register(&warehouse, 1).await;
    let mut lost = request(1, &[]);
    lost.closing = closing(CloseReason::StateLost);
    let end = warehouse.publish(&lost).await.unwrap();
    assert_eq!((end.verdict.state, end.verdict.reason), (EndState::Failed, VerdictReason::StateLost));
    assert_eq!(end.receipt.jobs.total(), 0);
}

pub(crate) async fn rows_without_a_job_are_refused(warehouse: Warehouse) {
    register(&warehouse, 1).await;
    let foreign = |change: fn(&mut PublishRequest)| {
        let mut wrong = request(1, &BOTH);
        change(&mut wrong);
        wrong
    };
    let wrongs = [
        foreign(|r| r.outcomes.truncate(1)),
        foreign(|r| r.head.wanted.truncate(1)),
        foreign(|r| r.rows.push(r.rows[0].clone())),
        foreign(|r| r.outcomes.push(outcome("a", G1, Code::NoLine))),
        foreign(|r| r.outcomes.push(outcome("a", "20260124_BOS_NYK", Code::NoLine))),
        foreign(|r| r.head.slate = Slate::nba(day("2026-01-24"))),
        // The systems of a player and market share one line.
        foreign(|r| Arc::make_mut(&mut r.rows[1].basis).book = "another".into()),
        foreign(|r| Arc::make_mut(&mut r.rows[0].basis).inputs_sha256 = "others".to_owned()),
    ];
    for wrong in wrongs {
        let error = warehouse.publish(&wrong).await.unwrap_err();
        assert!(error.certainly_not_applied() && !error.is_unreachable(), "{error}");
    }
    assert_eq!(warehouse.verdict(&batch_id(1)).await.unwrap(), None);
    assert!(warehouse.publish(&request(1, &BOTH)).await.unwrap().first);
}

pub(crate) async fn pages_are_one_publication(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    register(&warehouse, 2).await;
    let whole = request(2, &[("a", G1, Code::Predicted, 22.0), ("b", G2, Code::Predicted, 19.0)]);
    // One that is given up on the way leaves nothing behind.
    let mut given_up = warehouse.begin_publication(whole.head.clone()).await.unwrap();
    given_up.add(&whole.rows, &whole.outcomes).await.unwrap();
    drop(given_up);
    let mut pages = warehouse.begin_publication(whole.head.clone()).await.unwrap();
    pages.add(&whole.rows[..2], &whole.outcomes[..1]).await.unwrap();
    pages.add(&whole.rows[2..], &whole.outcomes[1..]).await.unwrap();
    let end = pages.settle(&whole.closing, whole.run_mode, |_| None, whole.now).await.unwrap();
    assert_eq!((end.receipt.published, end.receipt.jobs.predicted), (4, 2));
    assert_eq!(active(&warehouse).await, ["a alpha 22", "a beta 22", "b alpha 19", "b beta 19"]);
}

pub(crate) async fn health_is_judged_by_what_stays(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    let judged = async |second: i64, jobs: &[Ended<'_>], reason: CloseReason| -> (Vec<String>, bool) {
        register(&warehouse, second).await;
        let mut request = request(second, jobs);
        request.rows.retain(|row| row.key.system_id == system("beta"));
        let mut publication = warehouse.begin_publication(request.head).await.unwrap();
        publication.add(&request.rows, &request.outcomes).await.unwrap();
        let mut seen = None;
        let look = |staying| {
            seen = Some(staying);
            None
        };
        publication.settle(&closing(reason), request.run_mode, look, request.now).await.unwrap();
        let Staying { rows, is_published } = seen.unwrap();
        (rows.iter().map(|row| format!("{} {}", row.key.player, row.key.system_id)).collect(), is_published)
    };
    let again = [("a", G1, Code::Predicted, 22.0)];
    let (staying, is_published) = judged(2, &again, CloseReason::AllDone).await;
    assert_eq!((staying, is_published), (["a alpha", "b alpha", "b beta"].map(str::to_owned).into(), true));
    // What is thrown away leaves the slate as it was.
    let (staying, is_published) = judged(3, &again, CloseReason::Reset).await;
    assert_eq!((staying.len(), is_published), (4, false));
}

pub(crate) async fn predictions_are_read_in_pages(warehouse: Warehouse) {
    run(&warehouse, 1, &BOTH).await;
    run(&warehouse, 2, &[("a", G1, Code::Predicted, 22.0)]).await;
    let read = async |filter: PredictionFilter| -> Vec<String> {
        let rows = warehouse.predictions(&filter).await.unwrap().rows;
        rows.iter().map(|row| format!("{} {} {}", row.player_lookup, row.system_id, row.generation)).collect()
    };
    let all = read(PredictionFilter { game_date: Some(day(DATE)), ..Default::default() }).await;
    assert_eq!(all, ["a alpha 1", "a alpha 2", "a beta 1", "a beta 2", "b alpha 1", "b beta 1"]);
    for (filter, expected) in [
        (PredictionFilter { active: Some(true), ..Default::default() }, vec![1, 3, 4, 5]),
        (PredictionFilter { active: Some(false), ..Default::default() }, vec![0, 2]),
        (PredictionFilter { generation: Some(2), ..Default::default() }, vec![1, 3]),
        (PredictionFilter { player: Some("b".parse().unwrap()), ..Default::default() }, vec![4, 5]),
        (PredictionFilter { system: Some(system("beta")), ..Default::default() }, vec![2, 3, 5]),
        (PredictionFilter { market: Some("rebounds".parse().unwrap()), ..Default::default() }, vec![]),
        (PredictionFilter { game_date: Some(day("2026-01-24")), ..Default::default() }, vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(|at: usize| all[at].clone()).collect();
        assert_eq!(read(filter.clone()).await, expected, "{filter:?}");
    }
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let filter = PredictionFilter { game_date: Some(day(DATE)), after, limit: 4, ..Default::default() };
        paged.extend(read(filter.clone()).await);
        after = warehouse.predictions(&filter).await.unwrap().next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
    let bad = PredictionFilter { after: Some("nonsense".to_owned()), ..Default::default() };
    assert!(matches!(warehouse.predictions(&bad).await, Err(Error::Statement { .. })));
    let row = &warehouse.predictions(&PredictionFilter::default()).await.unwrap().rows[0];
    let json = serde_json::to_value(row).unwrap();
    assert_eq!((json["line"].as_f64(), json["recommendation"].as_str()), (Some(20.5), Some("OVER")));
    assert_eq!(
        (json["game_date"].as_str(), json["prediction_run_mode"].as_str()),
        (Some(DATE), Some("OVERNIGHT"))
    );
}

pub(crate) async fn receipts_add_up(warehouse: Warehouse) {
    register(&warehouse, 1).await;
    let jobs = [
        BOTH[0],
        BOTH[1],
        ("c", G1, Code::Stale, 0.0),
        ("d", G1, Code::NoLine, 0.0),
        ("e", G2, Code::Panic, 0.0),
        ("f", G2, Code::FinishBy, 0.0),
    ];
    let end = warehouse.publish(&request(1, &jobs)).await.unwrap();
    assert_eq!(end.verdict.state, EndState::Partial);
    let receipt = end.receipt;
    assert_eq!(receipt.rows_owed, receipt.published + receipt.refused.values().sum::<u64>());
    assert_eq!(receipt.jobs.total(), receipt.reasons.values().sum::<u64>());
    let by_sql = warehouse
        .sql(
            "select count(*), sum(rows_owed), sum(published), \
             (select count(*) from predictions where is_active) from job_outcomes",
            Default::default(),
        )
        .await
        .unwrap();
    let figures: Vec<&str> = by_sql.rows[0].iter().map(|value| value.as_deref().unwrap()).collect();
    assert_eq!(figures, ["6", "12", "4", "4"]);
    let other: BatchId = "batch_2026-01-24_1".parse().unwrap();
    assert_eq!(warehouse.job_outcomes(&other).await.unwrap(), []);
    assert_eq!(GameStatus::Final.as_str(), "final");
}
