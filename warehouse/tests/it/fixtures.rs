//! A small night: two games, a few players, two systems; everything a test changes is an argument.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::features::{FeatureCategory, FeatureContract, FeatureGrain, FeatureSpec};
use proto::tables::{GameRow, InjuryRow, LineRow, PlayerGameRow, SourceFileRow, TeamGameRow};
use proto::{
    Basis, BatchId, Code, GameKey, GameStatus, InjuryStatus, JobId, Line, Market, OpenerToken, PlayerLookup,
    PredictionRow, Recommendation, RowKey, RunMode, SeasonPhase, Sha256, Slate, SystemId,
};
use protocol::{CloseReason, Closing};
use tempfile::TempDir;
use warehouse::{
    IngestBatch, JobOutcome, PublicationHead, PublishRequest, Published, Registered, Registration, Warehouse,
    WarehouseUrl,
};

pub(crate) const DATE: &str = "2026-01-23";
pub(crate) const G1: &str = "20260123_BOS_NYK";
pub(crate) const G2: &str = "20260123_LAL_DEN";
/// 13:00 in New York, hours before the first tip-off.
pub(crate) const NOON: &str = "2026-01-23T18:00:00Z";
pub(crate) const TIP1: &str = "2026-01-24T00:30:00Z";
pub(crate) const TIP2: &str = "2026-01-24T03:00:00Z";
pub(crate) const SYSTEMS: [&str; 2] = ["alpha", "beta"];

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub(crate) fn slate() -> Slate {
    Slate::nba(day(DATE))
}

pub(crate) fn game_key(text: &str) -> GameKey {
    text.parse().unwrap()
}

pub(crate) fn contract_named(version: &str, names: &[&str]) -> FeatureContract {
    let spec = |(index, name): (usize, &&str)| FeatureSpec {
        index: index as u16,
        name: (*name).to_owned(),
        category: FeatureCategory::PlayerHistory,
        default: Some(10.0),
        min: 0.0,
        max: 80.0,
        required: true,
        quality: true,
        grain: FeatureGrain::Player,
        std_floor: None,
        may_be_constant: false,
        meaning: "for tests".to_owned(),
    };
    let features = names.iter().enumerate().map(spec).collect();
    FeatureContract { version: version.to_owned(), features, absent: Vec::new() }
}

pub(crate) fn contract() -> FeatureContract {
    contract_named("t1", &["points_avg_last_5", "vegas_points_line", "home_away"])
}

pub(crate) async fn open(dir: &TempDir) -> Warehouse {
    Warehouse::open(&WarehouseUrl::sqlite(dir.path().join("w.db")), &contract()).await.unwrap()
}

/// A warehouse with the night's schedule.
pub(crate) async fn fresh() -> (Warehouse, TempDir) {
    let dir = TempDir::new().unwrap();
    let warehouse = open(&dir).await;
    ingest(&warehouse, IngestBatch { games: vec![game(G1, TIP1), game(G2, TIP2)], ..IngestBatch::default() })
        .await;
    (warehouse, dir)
}

pub(crate) async fn ingest(warehouse: &Warehouse, batch: IngestBatch) -> warehouse::IngestCounts {
    ingest_at(warehouse, batch, "2026-01-23T10:00:00Z").await
}

pub(crate) async fn ingest_at(
    warehouse: &Warehouse,
    batch: IngestBatch,
    when: &str,
) -> warehouse::IngestCounts {
    let known = warehouse.source_files().await.unwrap().len();
    warehouse.ingest_file(&file(&format!("file-{known}"), when), &batch).await.unwrap()
}

pub(crate) fn file(name: &str, when: &str) -> SourceFileRow {
    SourceFileRow {
        sha256: proto::codec::sha256_hex(name.as_bytes()),
        name: name.to_owned(),
        kind: "test".to_owned(),
        size: 1,
        rows_read: 0,
        rows_new: 0,
        rows_known: 0,
        rows_refused: 0,
        ingested_at: at(when),
    }
}

pub(crate) fn game(id: &str, tip: &str) -> GameRow {
    GameRow {
        game_id: game_key(id),
        league_game_id: None,
        season: 2025,
        phase: SeasonPhase::Regular,
        tip_off: Some(at(tip)),
        status: GameStatus::Scheduled,
        home_score: None,
        away_score: None,
    }
}

pub(crate) fn player_game(id: &str, player: &str, team: &str, minutes: f64, points: f64) -> PlayerGameRow {
    let game_id = game_key(id);
    let team = team.parse().unwrap();
    PlayerGameRow {
        game_id,
        player_lookup: player.parse().unwrap(),
        player_name: player.to_owned(),
        league_player_id: 7,
        team,
        opponent: game_id.opponent_of(team).unwrap(),
        is_home: team == game_id.home,
        season: 2025,
        phase: SeasonPhase::Regular,
        minutes,
        points,
        rebounds: 4.0,
        assists: 3.0,
        threes: 2.0,
        fgm: 7.0,
        fga: 15.0,
        fg3a: 5.0,
        ftm: 3.0,
        fta: 4.0,
        oreb: 1.0,
        dreb: 3.0,
        stl: 1.0,
        blk: 0.0,
        tov: 2.0,
        pf: 2.0,
        plus_minus: Some(-3.0),
    }
}

pub(crate) fn team_game(id: &str, team: &str, points: f64) -> TeamGameRow {
    let game_id = game_key(id);
    let team = team.parse().unwrap();
    TeamGameRow {
        game_id,
        team,
        opponent: game_id.opponent_of(team).unwrap(),
        is_home: team == game_id.home,
        season: 2025,
        phase: SeasonPhase::Regular,
        won: true,
        minutes: 240.0,
        points,
        fga: 88.0,
        fta: 20.0,
        oreb: 10.0,
        tov: 12.0,
        plus_minus: 5.0,
    }
}

/// A main quote of points for the first game.
pub(crate) fn line(player: &str, book: &str, half_points: i32, snapshot: &str) -> LineRow {
    LineRow {
        event_id: "e1".to_owned(),
        book: book.to_owned(),
        market: Market::points(),
        player_lookup: player.parse().unwrap(),
        player_name: player.to_owned(),
        player_resolved: true,
        line: Line::from_half_points(half_points),
        snapshot_at: at(snapshot),
        game_id: Some(game_key(G1)),
        game_date: day(DATE),
        commence_time: at(TIP1),
        over_price: Some("-110".parse().unwrap()),
        under_price: Some("1.91".parse().unwrap()),
        is_main: true,
        tag: None,
        minutes_before_tip: 60,
        market_updated_at: None,
        source: "odds_api".to_owned(),
    }
}

pub(crate) fn injury(player: &str, status: InjuryStatus, reported: &str) -> InjuryRow {
    InjuryRow {
        player_lookup: player.parse().unwrap(),
        player_name: player.to_owned(),
        player_resolved: true,
        team: None,
        status,
        reported_at: at(reported),
        note: status.to_string(),
    }
}

pub(crate) fn job(player: &str, game: &str) -> JobId {
    JobId { player: player.parse().unwrap(), game: game_key(game) }
}

pub(crate) fn system(name: &str) -> SystemId {
    name.parse().unwrap()
}

/// A consistent row: the line is 20.5, the recommendation follows the sign.
pub(crate) fn row(player: &str, game: &str, system_id: &str, value: f64) -> PredictionRow {
    let line = Line::from_half_points(41);
    let margin = value - line.points();
    let recommendation = match margin {
        m if m >= 1.0 => Recommendation::Over,
        m if m <= -1.0 => Recommendation::Under,
        _ => Recommendation::Pass,
    };
    let price = |text: &str| text.parse().unwrap();
    let basis = Basis {
        inputs_sha256: "i".repeat(64),
        line,
        line_source: "ACTUAL_PROP".into(),
        line_source_api: "odds_api".into(),
        book: "draftkings".into(),
        was_line_fallback: false,
        over_price: price("-110"),
        under_price: price("-110"),
        line_snapshot_at: at("2026-01-23T17:00:00Z"),
        line_minutes_before_game: 450,
        consensus_line: Some(20.5),
        line_spread: None,
        no_vig_over: 0.5,
        feature_quality_score: 91.5,
        default_feature_count: 0,
        as_of: at(NOON),
        predicted_at: at(NOON),
    };
    PredictionRow {
        key: RowKey {
            game: game_key(game),
            player: player.parse::<PlayerLookup>().unwrap(),
            market: Market::points(),
            system_id: system(system_id),
        },
        basis: Arc::new(basis),
        model_sha256: Sha256::of(b"m"),
        predicted_value: value,
        over_probability: Some(0.55),
        over_expected_value: Some(0.05),
        under_expected_value: Some(-0.140_909),
        over_fair_price: Some(price("-122")),
        line_margin: margin,
        recommendation,
        in_sample: false,
        row_sha256: Sha256::default(),
    }
    .sealed()
}

pub(crate) fn outcome(player: &str, game: &str, code: Code) -> JobOutcome {
    JobOutcome {
        job: job(player, game),
        name: player.to_owned(),
        kind: code.outcome(),
        code,
        sentence: code.sentence().to_owned(),
        codes: Vec::new(),
        attempts: 1,
        rows_owed: SYSTEMS.len() as u32,
        inputs_sha256: format!("inputs of {player}"),
    }
}

pub(crate) fn batch_id(second: i64) -> BatchId {
    BatchId::new(day(DATE), 1_769_180_000 + second)
}

pub(crate) fn registration(second: i64, opener: u128) -> Registration {
    Registration {
        batch_id: batch_id(second),
        slate: slate(),
        opener: OpenerToken::from_random(opener),
        request: "{}".to_owned(),
        as_of: at(NOON),
        now: at(NOON),
    }
}

/// Registers batch number `second` of the night and answers its generation.
pub(crate) async fn register(warehouse: &Warehouse, second: i64) -> u64 {
    match warehouse.register(&registration(second, second as u128 + 1)).await.unwrap() {
        Registered::Generation(generation) => generation,
        Registered::IdTaken => panic!("batch {second} is taken"),
    }
}

pub(crate) fn closing(reason: CloseReason) -> Closing {
    Closing { mode: reason.mode(), reason, min_coverage: 0.5, whole_slate: false, closed_at: 0 }
}

/// One player of one game and how his job ended; a predicted one gets a row of each system with this value.
pub(crate) type Ended<'a> = (&'a str, &'a str, Code, f64);

pub(crate) fn request(second: i64, jobs: &[Ended<'_>]) -> PublishRequest {
    let mut rows = Vec::new();
    for (player, game, code, value) in jobs {
        if *code == Code::Predicted {
            rows.extend(SYSTEMS.iter().map(|system| row(player, game, system, *value)));
        }
    }
    PublishRequest {
        head: PublicationHead {
            batch_id: batch_id(second),
            slate: slate(),
            wanted: SYSTEMS.iter().map(|name| (Market::points(), system(name))).collect(),
        },
        run_mode: RunMode::Overnight,
        closing: closing(CloseReason::AllDone),
        rows,
        outcomes: jobs.iter().map(|(player, game, code, _)| outcome(player, game, *code)).collect(),
        health: None,
        now: at(NOON),
    }
}

/// Registers and publishes.
pub(crate) async fn run(warehouse: &Warehouse, second: i64, jobs: &[Ended<'_>]) -> Published {
    register(warehouse, second).await;
    warehouse.publish(&request(second, jobs)).await.unwrap()
}

/// The slate's active rows as `player system value`.
pub(crate) async fn active(warehouse: &Warehouse) -> Vec<String> {
    let rows = warehouse.active_rows(slate()).await.unwrap();
    let mut shown: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row.key.player, row.key.system_id, row.predicted_value))
        .collect();
    shown.sort();
    shown
}
