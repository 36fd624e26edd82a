//! The real data, where a machine has it (`TIPOFF_DATA`): every file is known by its content, counts add up, a second
//! run changes nothing, and names resolve. Times are printed, not judged: a shared machine would make them lie.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use pipeline::ingest::{FileState, IngestOptions, run};

use crate::fixtures::{World, at, real_data};
use crate::later_data::assert_later_data_changes_nothing;

const NOW: &str = "2026-01-05T12:00:00Z";
const FOLDERS: [&str; 6] = ["teams", "schedule", "boxscores", "odds", "injuries", "joined"];

#[tokio::test]
async fn real_files_go_in_once_and_add_up() {
    let Some(data) = real_data() else { return };
    let world = World::new().await;
    let paths: Vec<PathBuf> = FOLDERS.iter().map(|folder| data.join(folder)).collect();
    let began = Instant::now();
    let mut last = (String::new(), Instant::now());
    let report = run(&world.warehouse, &paths, IngestOptions::at(at(NOW)), |p| {
        if p.name != last.0 {
            last = (p.name.to_owned(), Instant::now());
        }
    })
    .await
    .unwrap();
    eprintln!("ingested in {:.1} s", began.elapsed().as_secs_f64());
    for f in &report.files {
        eprintln!(
            "{:<48} {:<20} {:<11} read {:>7} new {:>7} known {:>5} refused {:?}",
            f.name,
            f.kind,
            f.state.as_str(),
            f.read,
            f.new,
            f.known,
            f.refused
        );
        assert_eq!(f.read, f.new + f.known + f.num_refused(), "{f:?}");
        let joined = f.name.starts_with("lines_results");
        assert_eq!(f.state == FileState::Quarantined, joined, "{f:?}");
        // Tables without tip-offs lose what no schedule here covers; of the others hardly a row is refused.
        let most = if f.name.starts_with("oddsapi_pra") { 3 } else { 50 };
        assert!(f.num_refused() * most <= f.read || f.state != FileState::Ingested, "{f:?}");
    }
    let tables =
        ["games", "teams", "team_games", "player_games", "injuries", "player_aliases", "lines", "game_lines"];
    for table in tables {
        let n = world.count(&format!("SELECT count(*) FROM {table}")).await;
        eprintln!("{table:<16} {n:>8}");
    }
    for line in world
        .sql(
            "SELECT source, market, count(*), sum(player_resolved), sum(is_main), sum(minutes_before_tip < 0)
             FROM lines GROUP BY 1, 2 ORDER BY 3 DESC",
        )
        .await
    {
        eprintln!("{line}");
    }
    let began = Instant::now();
    let again = run(&world.warehouse, &paths, IngestOptions::at(at(NOW)), |_| {}).await.unwrap();
    eprintln!("again, by the ledger: {:.1} s", began.elapsed().as_secs_f64());
    assert!(again.files.iter().all(|f| f.new == 0 && f.state != FileState::Ingested), "{again:?}");
    // Read again on purpose, every row is known; the smaller folders tell it as well as the large ones.
    let small: Vec<PathBuf> =
        ["teams", "schedule", "injuries"].iter().map(|folder| data.join(folder)).collect();
    let forced =
        run(&world.warehouse, &small, IngestOptions { force: true, ..IngestOptions::at(at(NOW)) }, |_| {})
            .await
            .unwrap();
    for f in &forced.files {
        assert_eq!((f.new, f.read), (0, f.known + f.num_refused()), "{f:?}");
    }
    for (date, games) in [("2025-11-14", 9), ("2024-03-29", 12)] {
        let day = date.parse().unwrap();
        let began = Instant::now();
        let built =
            pipeline::features::build_range(&world.warehouse, day, day, at(NOW), |_, _| {}).await.unwrap();
        let slate = pipeline::slate::slate(
            &world.warehouse,
            day,
            at(NOW),
            &[proto::Market::points()],
            &rules::staleness::StalenessBudget::default(),
        )
        .await
        .unwrap();
        eprintln!("{date}: features in {:.2} s, {:?}", began.elapsed().as_secs_f64(), built.days);
        eprintln!("{} players, {} quoted, missing {:?}", slate.players, slate.quoted, slate.missing);
        assert_eq!(slate.games.len(), games, "{date}");
        assert!(slate.quoted > 100 && slate.features >= slate.quoted, "{slate:?}");
    }
    missing_snapshots_are_named(&world).await;
    if let Some(out) = std::env::var_os("TIPOFF_FEATURES_OUT") {
        let out = PathBuf::from(out);
        for date in ["2025-11-14", "2024-03-29"] {
            let day = date.parse().unwrap();
            let file = out.join(format!("{date}.csv"));
            pipeline::features::export_csv(&world.warehouse, day, day, &file).await.unwrap();
        }
    }
}

/// The days that the data's README names as days without a snapshot, of points, which only one set quotes.
async fn missing_snapshots_are_named(world: &World) {
    let missing = async |from: &str, to: &str| {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let report = pipeline::coverage::coverage(&world.warehouse, from, to, at(NOW)).await.unwrap();
        let of_points = report.without_market.get(&proto::Market::points()).cloned().unwrap_or_default();
        let all: BTreeSet<String> = [report.without_snapshot, of_points, report.without_games]
            .concat()
            .iter()
            .map(|d| d.to_string())
            .collect();
        all
    };
    let named = "03-01 03-16 04-07 04-09 04-13 04-16 04-19 04-20 04-21 04-27 04-28 04-29 05-18 05-25";
    let named: BTreeSet<String> = named.split(' ').map(|day| format!("2024-{day}")).collect();
    assert_eq!(missing("2024-03-01", "2024-05-25").await, named);
    assert_eq!(missing("2025-10-21", "2025-11-16").await, BTreeSet::new());
}

/// A set of odds as the data's README counts it.
struct Counted {
    files: &'static str,
    rows: u64,
    events: u64,
    dates: u64,
    books: u64,
    /// Different names as written.
    names: u64,
    /// Player, game and market for points, rebounds and assists.
    player_games: u64,
}

const COUNTED: [Counted; 2] = [
    Counted {
        files: "oddsapi_v4_props_2024",
        rows: 614_106,
        events: 378,
        dates: 77,
        books: 10,
        names: 354,
        player_games: 11_815,
    },
    Counted {
        files: "oddsapi_props_2025",
        rows: 126_556,
        events: 199,
        dates: 27,
        books: 8,
        names: 316,
        player_games: 8_820,
    },
];

#[tokio::test]
async fn the_real_odds_reconcile_with_their_readme() {
    let Some(data) = real_data() else { return };
    let world = World::new().await;
    let mut paths: Vec<PathBuf> =
        ["teams", "schedule", "boxscores"].iter().map(|folder| data.join(folder)).collect();
    paths.push(data.join("odds/name_aliases.csv.gz"));
    let odds = std::fs::read_dir(data.join("odds")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(odds.filter(|path| COUNTED.iter().any(|set| path.to_string_lossy().contains(set.files))));
    let report = run(&world.warehouse, &paths, IngestOptions::at(at(NOW)), |_| {}).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    for set in COUNTED {
        let of_set: Vec<_> = report.files.iter().filter(|f| f.name.starts_with(set.files)).collect();
        let sum = |of: fn(&pipeline::ingest::FileReport) -> u64| of_set.iter().map(|f| of(f)).sum::<u64>();
        assert_eq!(sum(|f| f.read), set.rows, "{}", set.files);
        assert_eq!(sum(|f| f.new + f.known + f.num_refused()), set.rows, "{}", set.files);
        let from = format!("FROM lines WHERE source_file LIKE '{}%'", set.files);
        let distinct = format!(
            "SELECT count(DISTINCT event_id), count(DISTINCT game_date), count(DISTINCT book),
                count(DISTINCT player_name) {from}"
        );
        let wanted = format!("{}|{}|{}|{}", set.events, set.dates, set.books, set.names);
        assert_eq!(world.sql(&distinct).await, [wanted], "{}", set.files);
        let combinations = format!(
            "SELECT count(*) FROM (SELECT DISTINCT player_name, event_id, market {from}
                AND market IN ('points', 'rebounds', 'assists'))"
        );
        assert_eq!(world.count(&combinations).await, set.player_games, "{}", set.files);
        // Every name is a player but one in a thousand, and those are listed.
        let unresolved = world.count(&format!("SELECT count(*) {from} AND NOT player_resolved")).await;
        let all = world.count(&format!("SELECT count(*) {from}")).await;
        let summaries = world.count("SELECT count(*) FROM line_summaries").await;
        eprintln!("{}: {all} quotes, {unresolved} without a player, {summaries} summaries", set.files);
        assert!(unresolved * 1_000 <= all, "{unresolved} of {all} quotes of {} have no player", set.files);
    }
    let listed = pipeline::names::unresolved(&world.warehouse).await.unwrap();
    let waiting = world.count("SELECT count(*) FROM lines WHERE NOT player_resolved").await;
    assert_eq!(listed.names.iter().map(|name| name.rows).sum::<i64>(), waiting.cast_signed());
    // What follows from quotes is there for all of them.
    let untagged = "SELECT count(*) FROM lines l JOIN games g USING (game_id)
        WHERE (l.tag IS NULL) <> (l.snapshot_at >= min(g.tip_off, l.commence_time))";
    assert_eq!(world.count(untagged).await, 0);
    let unsummed = "SELECT count(*) FROM (
            SELECT DISTINCT event_id, market, player_lookup, snapshot_at FROM lines
            WHERE is_main AND player_resolved AND tag IS NOT NULL AND book <> 'bovada'
        ) LEFT JOIN line_summaries USING (event_id, market, player_lookup, snapshot_at)
        WHERE median_line IS NULL";
    assert_eq!(world.count(unsummed).await, 0);
    let again = run(&world.warehouse, &paths, IngestOptions::at(at(NOW)), |_| {}).await.unwrap();
    assert!(again.is_clean() && again.files.iter().all(|f| f.new == 0), "{again:?}");
    assert!(again.runs.is_empty(), "{:?}", again.runs);
}

#[tokio::test]
async fn incident_77_on_real_dates_adding_all_later_data_changes_no_feature() {
    let Some(data) = real_data() else { return };
    let world = World::new().await;
    let paths: Vec<PathBuf> = FOLDERS.iter().map(|folder| data.join(folder)).collect();
    run(&world.warehouse, &paths, IngestOptions::at(at(NOW)), |_| {}).await.unwrap();
    let end = "2025-11-16".parse().unwrap();
    for date in ["2024-03-29", "2024-12-20", "2025-11-02"] {
        assert_later_data_changes_nothing(&world, date.parse().unwrap(), end, at(NOW)).await;
        eprintln!("{date}: everything up to {end} changes no feature");
    }
}

#[tokio::test]
async fn real_samples_are_told_apart() {
    let Some(data) = real_data() else { return };
    let world = World::new().await;
    let folders = ["schedule", "samples"].map(|folder| data.join(folder));
    let report = run(&world.warehouse, &folders, IngestOptions::at(at(NOW)), |_| {}).await.unwrap();
    let kind = |name: &str| {
        let file = report.files.iter().find(|f| f.name.starts_with(name)).unwrap();
        assert_eq!(file.read, file.new + file.known + file.num_refused(), "{file:?}");
        (file.kind.as_str(), file.state)
    };
    for name in ["event_odds_2024-03-29_12events", "event_odds_one_event_pra", "historical_event_odds"] {
        assert_eq!(kind(name), ("odds_v4_json", FileState::Ingested), "{name}");
    }
    assert_eq!(kind("events_2024-03-29"), ("odds_events", FileState::Ingested));
    assert_eq!(kind("oddsapi_game_lines_snapshot"), ("odds_table", FileState::Ingested));
    for name in ["boxscore_doc_example", "boxscoretraditionalv3", "scoreboardv3", "live_box_replay"] {
        assert_eq!(kind(name), ("", FileState::Quarantined), "{name}");
    }
    let events =
        world.count("SELECT count(DISTINCT event_id) FROM lines WHERE game_date = '2024-03-29'").await;
    let snapshots = "SELECT count(DISTINCT snapshot_at) FROM lines WHERE game_date = '2024-05-04'";
    assert_eq!(events, 12);
    assert!(world.count(snapshots).await >= 2, "the historical wrapper says when it was taken");
    let money_lines = report.files.iter().find(|f| f.name.starts_with("oddsapi_game_lines")).unwrap();
    assert_eq!(
        money_lines.refused.get("not_used"),
        Some(&money_lines.read),
        "this one holds money lines only"
    );
    let unresolved = report.files.iter().filter_map(|f| f.refused.get("game_unresolved")).sum::<u64>();
    assert_eq!(unresolved, 0, "{:?}", report.files);
}
