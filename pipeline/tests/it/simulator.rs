//! Simulated days go through the same code as real ones, come out the same for a seed, and hold what was asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::civil::Date;
use pipeline::ingest::{FileState, IngestReport};
use pipeline::simulate::{DEFECTS, SimOptions, SimReport, days};
use pipeline::{features, slate};
use proto::{Code, Market};
use rules::lines::{LineContext, LinePolicy, judge};
use rules::staleness::StalenessBudget;
use warehouse::{LoadSlate, SlateInputs, SlateLoad};

use crate::fixtures::World;

const LAST: Date = Date::constant(2026, 1, 23);

fn small() -> SimOptions {
    let from = Date::constant(2026, 1, 4);
    SimOptions { from, days: 20, games_per_day: 5, ..SimOptions::ending(LAST, 7) }
}

async fn simulated(world: &World, options: &SimOptions) -> (SimReport, IngestReport) {
    let sim = days(options, &world.path("sim")).unwrap();
    let files: Vec<PathBuf> = sim.files.iter().chain(&sim.late_files).cloned().collect();
    let report = world.ingest_at(&files, &sim.as_of.to_string()).await;
    assert!(report.files.iter().all(|f| f.state == FileState::Ingested), "{report:?}");
    (sim, report)
}

async fn inputs(world: &World, sim: &SimReport) -> SlateInputs {
    let load = LoadSlate {
        slate: proto::Slate::nba(sim.last_day),
        as_of: sim.as_of,
        generation: None,
        markets: vec![Market::points()],
        settled: false,
    };
    match world.warehouse.load_slate(&load).await.unwrap() {
        SlateLoad::Inputs(inputs) => *inputs,
        SlateLoad::Overtaken { newest } => panic!("generation {newest}"),
    }
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    std::fs::read(path).unwrap(),
                );
            }
        }
    }
    all
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, c) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    days(&small(), &a).unwrap();
    days(&small(), &b).unwrap();
    days(&SimOptions { seed: 8, ..small() }, &c).unwrap();
    let (a, b, c) = (contents(&a), contents(&b), contents(&c));
    assert!(a.len() > 10, "{:?}", a.keys());
    assert_eq!(a, b);
    assert_ne!(a["box_scores.csv"], c["box_scores.csv"]);
}

#[tokio::test]
async fn simulated_days_look_real_and_are_complete() {
    let world = World::new().await;
    let (sim, report) = simulated(&world, &small()).await;
    assert_eq!(report.files.iter().map(|f| f.num_refused()).sum::<u64>(), 0, "{report:?}");
    assert_eq!(world.count("SELECT count(*) FROM games").await, 100);
    assert_eq!(world.count("SELECT count(*) FROM player_games").await, sim.box_scores);
    assert_eq!(
        world.count("SELECT count(*) FROM lines WHERE NOT player_resolved OR game_id IS NULL").await,
        0
    );
    assert_eq!(world.count("SELECT count(DISTINCT book) FROM lines").await, 12);
    let odd = "SELECT count(*) FROM (SELECT game_id, team, sum(minutes) m FROM player_games GROUP BY 1, 2) WHERE m <> 240";
    assert_eq!(world.count(odd).await, 0);
    let score = "SELECT count(*) FROM games WHERE status = 'final' AND home_score = away_score";
    assert_eq!(world.count(score).await, 0, "no ties");
    // The market is worth something: main lines are nearer to results than chance.
    let error = "SELECT round(avg(abs(p.points - l.line)), 1) FROM lines l JOIN player_games p
                 ON p.game_id = l.game_id AND p.player_lookup = l.player_lookup
                 WHERE l.is_main AND l.market = 'points'";
    let error: f64 = world.sql(error).await[0].parse().unwrap();
    assert!((2.0..7.0).contains(&error), "{error}");

    let built = features::build_range(&world.warehouse, LAST, LAST, sim.as_of, |_, _| {}).await.unwrap();
    assert_eq!(built.days[&LAST].blocked, [""; 0], "every column is alive");
    let slate =
        slate::slate(&world.warehouse, LAST, sim.as_of, &[Market::points()], &StalenessBudget::default())
            .await
            .unwrap();
    assert_eq!(slate.games.len(), 5);
    assert_eq!(slate.quoted, sim.quoted.len() as u64);
    assert_eq!(slate.missing, Vec::<String>::new());
    assert!(slate.ready >= slate.quoted, "{slate:?}");
    let inputs = inputs(&world, &sim).await;
    let ctx_of = |game| context(&inputs, game, &sim);
    for (job, quotes) in &inputs.quotes {
        let judged = judge(&quotes.quotes, &ctx_of(job.game), &LinePolicy::default());
        assert!(judged.survivors.len() >= 10, "{job}: {:?}", judged.refused);
    }
    let out: Vec<String> = inputs
        .injuries
        .values()
        .filter(|report| report.status == proto::InjuryStatus::Out)
        .map(|report| report.player_lookup.to_string())
        .collect();
    assert_eq!(out.len(), 3);
    assert!(out.iter().all(|player| sim.injured.contains(player) && !sim.quoted.contains(player)));
}

fn context(inputs: &SlateInputs, game: proto::GameKey, sim: &SimReport) -> LineContext {
    let game = inputs.games.iter().find(|g| g.row.game_id == game).unwrap();
    let tip_off = game.tip_off.unwrap();
    LineContext {
        market: Market::points(),
        as_of: sim.as_of.min(tip_off),
        tip_off,
        event_newest_snapshot: game.newest_snapshot,
        backfill: false,
    }
}

#[tokio::test]
async fn every_defect_is_found_by_its_own_code() {
    let world = World::new().await;
    let options = SimOptions { late: 0, defects: DEFECTS.iter().map(|code| (*code, 2)).collect(), ..small() };
    let (sim, report) = simulated(&world, &options).await;
    let inputs = inputs(&world, &sim).await;
    let refused =
        |code: Code| -> u64 { report.files.iter().filter_map(|f| f.refused.get(code.as_str())).sum() };
    for code in DEFECTS {
        let players = &sim.defects[code.as_str()];
        assert_eq!(players.len(), 2, "{code}");
        for player in players {
            let found = inputs.quotes.iter().find(|(job, _)| job.player.as_str() == player);
            match code {
                // These never become quotes; the quarantine has them.
                Code::Placeholder | Code::OffGrid | Code::WrongMarket | Code::GameUnresolved => {
                    assert!(found.is_none(), "{code} {player}");
                    assert!(refused(code) > 0, "{code}");
                }
                Code::PlayerUnresolved => {
                    assert!(found.is_none(), "{code} {player}");
                    let strangers = inputs.quotes.values().filter(|q| !q.resolved).count();
                    assert_eq!(strangers, 2);
                }
                Code::DuplicateQuote => {
                    assert!(refused(code) > 0);
                    let (job, quotes) = found.unwrap();
                    let judged =
                        judge(&quotes.quotes, &context(&inputs, job.game, &sim), &LinePolicy::default());
                    assert!(!judged.survivors.is_empty(), "the first of the two stands");
                }
                _ => {
                    let (job, quotes) = found.unwrap_or_else(|| panic!("{code} {player}"));
                    let judged =
                        judge(&quotes.quotes, &context(&inputs, job.game, &sim), &LinePolicy::default());
                    assert_eq!(judged.survivors, vec![], "{code} {player}");
                    let codes: Vec<Code> = judged.refused.iter().map(|note| note.code).collect();
                    assert!(codes.iter().all(|c| *c == code), "{code} {player}: {codes:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn incident_2_and_30_nights_can_be_made() {
    let world = World::new().await;
    let defects = vec![(Code::OneSided, 2), (Code::Stale, 1), (Code::HoldOutOfRange, 1)];
    let options = SimOptions { quoted_players: Some(81), late: 0, defects, ..small() };
    let (sim, _) = simulated(&world, &options).await;
    assert_eq!((sim.quoted.len(), sim.defects.values().map(Vec::len).sum::<usize>()), (81, 4));
    assert_eq!(inputs(&world, &sim).await.quotes.len(), 81);

    let world = World::new().await;
    let one = SimOptions { games_with_lines: Some(1), games_per_day: 10, ..small() };
    let (sim, _) = simulated(&world, &one).await;
    features::build_range(&world.warehouse, LAST, LAST, sim.as_of, |_, _| {}).await.unwrap();
    let slate =
        slate::slate(&world.warehouse, LAST, sim.as_of, &[Market::points()], &StalenessBudget::default())
            .await
            .unwrap();
    assert_eq!(slate.games.iter().filter(|g| g.quotes == 0).count(), 9);
    assert!(
        slate.missing.iter().any(|line| line.starts_with("9 games without lines")),
        "{:?}",
        slate.missing
    );
}

#[tokio::test]
async fn late_lines_come_in_the_last_file() {
    let world = World::new().await;
    let sim = days(&small(), &world.path("sim")).unwrap();
    assert_eq!(sim.late.len(), 4);
    world.ingest_at(&sim.files, &sim.as_of.to_string()).await;
    let quoted = |sim: SimReport, inputs: SlateInputs| {
        sim.late.iter().filter(|p| inputs.quotes.keys().any(|job| job.player.as_str() == p.as_str())).count()
    };
    assert_eq!(quoted(sim.clone(), inputs(&world, &sim).await), 0);
    world.ingest_at(&sim.late_files, &sim.as_of.to_string()).await;
    assert_eq!(quoted(sim.clone(), inputs(&world, &sim).await), 4);
}

#[test]
fn the_load_runs_have_334_players() {
    let dir = tempfile::tempdir().unwrap();
    let options = SimOptions { games_per_day: 15, quoted_players: Some(334), odds_days: 1, ..small() };
    let sim = days(&options, dir.path()).unwrap();
    let mut players = sim.quoted.clone();
    players.sort();
    players.dedup();
    assert_eq!((players.len(), sim.quoted.len()), (334, 334));
}

#[test]
fn what_cannot_be_simulated_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    for (options, says) in [
        (SimOptions { games_per_day: 16, ..small() }, "1 to 15"),
        (SimOptions { players_per_team: 3, ..small() }, "8 to 15"),
        (SimOptions { defects: vec![(Code::BookExcluded, 1)], ..small() }, "cannot be simulated"),
        (SimOptions { quoted_players: Some(500), ..small() }, "are wanted"),
        (SimOptions { defects: vec![(Code::Stale, 500)], ..small() }, "defective"),
    ] {
        let error = days(&options, dir.path()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn sixty_days_are_ready_in_seconds() {
    let world = World::new().await;
    let began = Instant::now();
    let options = SimOptions { quoted_players: Some(200), ..SimOptions::ending(LAST, 1) };
    let (sim, report) = simulated(&world, &options).await;
    let ingested = began.elapsed();
    let built = features::build_range(&world.warehouse, LAST, LAST, sim.as_of, |_, _| {}).await.unwrap();
    eprintln!("simulated and ingested in {ingested:.2?}, features in {:.2?}", began.elapsed() - ingested);
    assert_eq!(built.days[&LAST].blocked, [""; 0], "every column is alive");
    assert!(built.rows >= 200);
    assert_eq!(report.tables["team_games"], 2 * (sim.games - 10));
}
