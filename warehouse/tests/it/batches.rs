//! Registration, withdrawal, runs, alerts.

use proto::verdict::FindingLevel;
use proto::{Code, EndState, Market, OpenerToken, Role, RunMode};
use warehouse::{
    Alert, BatchFilter, DeadLetter, Error, ErrorClass, ModelRow, Registered, RunEnd, RunStart, Warehouse,
};

use crate::fixtures::*;

pub(crate) async fn generations_count_up_and_repeat_for_their_opener(warehouse: Warehouse) {
    assert_eq!(register(&warehouse, 1).await, 1);
    assert_eq!(register(&warehouse, 2).await, 2);
    // A repeat after a lost answer.
    assert_eq!(register(&warehouse, 1).await, 1);
    let mut stranger = registration(1, 99);
    assert_eq!(warehouse.register(&stranger).await.unwrap(), Registered::IdTaken);
    stranger.batch_id = stranger.batch_id.next_second().next_second();
    assert_eq!(warehouse.register(&stranger).await.unwrap(), Registered::Generation(3));
    let record = warehouse.batch(&batch_id(1)).await.unwrap().unwrap();
    assert_eq!((record.generation, record.slate, record.as_of), (1, slate(), Some(at(NOON))));
    assert_eq!((record.request.as_deref(), record.verdict), (Some("{}"), None));
    let slate_record = warehouse.slate_record(slate()).await.unwrap();
    assert_eq!((slate_record.last_generation, slate_record.published_generation), (3, 0));
}

pub(crate) async fn a_withdrawn_batch_keeps_its_number(warehouse: Warehouse) {
    register(&warehouse, 1).await;
    warehouse.withdraw(&batch_id(1), "no jobs", at(NOON)).await.unwrap();
    warehouse.withdraw(&batch_id(1), "again", at(TIP1)).await.unwrap();
    let record = warehouse.batch(&batch_id(1)).await.unwrap().unwrap();
    assert_eq!(record.withdrawn, Some((at(NOON), "no jobs".to_owned())));
    assert_eq!(warehouse.runs(None, 10).await.unwrap()[0].status, "cancelled");
    assert_eq!(register(&warehouse, 2).await, 2);
    let error = warehouse.withdraw(&batch_id(9), "x", at(NOON)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    // A zombie that publishes after all changes nothing.
    let end = warehouse.publish(&request(1, &[("a", G1, Code::Predicted, 25.0)])).await.unwrap();
    assert_eq!(end.verdict.state, EndState::Reset);
    assert_eq!(active(&warehouse).await, Vec::<String>::new());
    let error = warehouse.withdraw(&batch_id(2), "x", at(NOON)).await;
    assert!(error.is_ok());
}

pub(crate) async fn open_batches_are_listed_until_they_end(warehouse: Warehouse) {
    let open = async || -> Vec<String> {
        let records = warehouse.open_registered().await.unwrap();
        records.iter().map(|record| record.batch_id.to_string()).collect()
    };
    for second in 1..=3 {
        register(&warehouse, second).await;
    }
    assert_eq!(open().await.len(), 3);
    warehouse.withdraw(&batch_id(1), "no jobs", at(NOON)).await.unwrap();
    warehouse.publish(&request(2, &[("a", G1, Code::Predicted, 25.0)])).await.unwrap();
    assert_eq!(open().await, [batch_id(3).to_string()]);

    let ids = async |filter: BatchFilter, limit: u32| -> Vec<String> {
        let records = warehouse.batches(&filter, limit).await.unwrap();
        records.iter().map(|record| record.batch_id.to_string()).collect()
    };
    assert_eq!(ids(BatchFilter::default(), 2).await, [batch_id(3).to_string(), batch_id(2).to_string()]);
    let complete = BatchFilter { state: Some(EndState::Complete), game_date: Some(day(DATE)), before: None };
    assert_eq!(ids(complete, 10).await, [batch_id(2).to_string()]);
    let page = BatchFilter { before: Some(batch_id(2)), ..BatchFilter::default() };
    assert_eq!(ids(page, 10).await, [batch_id(1).to_string()]);
    let elsewhere = BatchFilter { game_date: Some(day("2026-01-24")), ..BatchFilter::default() };
    assert_eq!(ids(elsewhere, 10).await, Vec::<String>::new());
    warehouse.announced(&batch_id(2), at(TIP1)).await.unwrap();
    warehouse.announced(&batch_id(2), at(TIP2)).await.unwrap();
    assert_eq!(warehouse.batch(&batch_id(2)).await.unwrap().unwrap().announced_at, Some(at(TIP1)));
    assert_eq!(registration(1, 2).opener, OpenerToken::from_random(2));
}

pub(crate) async fn runs_end_once(warehouse: Warehouse) {
    let start = RunStart {
        run_id: "r1".to_owned(),
        stage: "features".to_owned(),
        game_date: Some(day(DATE)),
        batch_id: None,
        started_at: at(NOON),
    };
    warehouse.run_start(&start).await.unwrap();
    warehouse.run_start(&start).await.unwrap();
    let counts = serde_json::json!({"rows": 3});
    let failed = RunEnd::Failed { error: "no schedule".to_owned(), class: ErrorClass::Input };
    warehouse.run_finish("r1", &failed, &counts, at(TIP1)).await.unwrap();
    // The end is final: no sweeper turns it into something else.
    warehouse.run_finish("r1", &RunEnd::Success, &counts, at(TIP2)).await.unwrap();
    let runs = warehouse.runs(Some("features"), 10).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].status.as_str(), runs[0].finished_at), ("failed", Some(at(TIP1))));
    assert_eq!(
        (runs[0].error.as_deref(), runs[0].error_class.as_deref()),
        (Some("no schedule"), Some("input"))
    );
    assert_eq!(runs[0].counts, counts);
    assert_eq!(warehouse.runs(Some("grade"), 10).await.unwrap(), []);
    let error = warehouse.run_finish("r2", &RunEnd::Success, &counts, at(TIP2)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

pub(crate) async fn alerts_and_dead_letters_are_kept(warehouse: Warehouse) {
    let alert = |sentence: &str| Alert {
        code: "source_silent".to_owned(),
        level: FindingLevel::Warning,
        sentence: sentence.to_owned(),
        subject: "odds_api".to_owned(),
        raised_at: at(NOON),
    };
    warehouse.raise_alert(&alert("first")).await.unwrap();
    warehouse.raise_alert(&alert("second")).await.unwrap();
    assert_eq!(warehouse.open_alerts().await.unwrap(), [alert("first")]);
    warehouse.resolve_alert("source_silent", "odds_api", at(TIP1)).await.unwrap();
    assert_eq!(warehouse.open_alerts().await.unwrap(), []);
    warehouse.raise_alert(&alert("third")).await.unwrap();
    assert_eq!(warehouse.open_alerts().await.unwrap(), [alert("third")]);
    let letter = DeadLetter {
        source: "POST /events".to_owned(),
        body: "{}".to_owned(),
        error: "field `game_date` is missing".to_owned(),
        received_at: at(NOON),
    };
    warehouse.put_dead_letter(&letter).await.unwrap();
    assert_eq!(warehouse.dead_letters(10).await.unwrap(), [letter]);
}

pub(crate) async fn models_are_remembered(warehouse: Warehouse) {
    let model = ModelRow {
        system_id: system("alpha"),
        market: Market::points(),
        sha256: "a".repeat(64),
        role: Role::Shadow,
        engine: "native".to_owned(),
        contract_version: "t1".to_owned(),
        training_start: Some(day("2024-10-22")),
        training_end: None,
        card: "card".to_owned(),
        first_seen_at: at(NOON),
    };
    warehouse.put_models(std::slice::from_ref(&model)).await.unwrap();
    let promoted = ModelRow { role: Role::Champion, first_seen_at: at(TIP1), ..model.clone() };
    warehouse.put_models(&[promoted]).await.unwrap();
    assert_eq!(warehouse.models().await.unwrap(), [ModelRow { role: Role::Champion, ..model }]);
}

pub(crate) async fn nights_of_a_model_are_counted_without_backfills(warehouse: Warehouse) {
    let nights =
        async |name: &str, market: Market| warehouse.published_dates(&system(name), &market).await.unwrap();
    let jobs = [("a", G1, Code::Predicted, 25.0)];
    register(&warehouse, 1).await;
    let mut backfill = request(1, &jobs);
    backfill.run_mode = RunMode::Backfill;
    warehouse.publish(&backfill).await.unwrap();
    assert_eq!(nights("alpha", Market::points()).await, 0, "made after the games");
    for second in [2, 3] {
        run(&warehouse, second, &jobs).await;
        assert_eq!(nights("alpha", Market::points()).await, 1, "two runs of one night are one night");
    }
    assert_eq!(nights("nobody", Market::points()).await, 0);
    assert_eq!(nights("alpha", "rebounds".parse().unwrap()).await, 0);
}
