#![allow(clippy::unwrap_used)] // a test may stop at the first surprise
use warehouse::coverage::LineFacts;

use super::*;

const NOW: &str = "2026-01-25T17:00:00Z";

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn game(id: &str, phase: SeasonPhase, status: GameStatus) -> GameRow {
    GameRow {
        game_id: id.parse().unwrap(),
        league_game_id: None,
        season: 2025,
        phase,
        tip_off: None,
        status,
        home_score: None,
        away_score: None,
    }
}

fn facts(games: &[(&str, SeasonPhase, GameStatus)], with_everything: &[&str]) -> CoverageFacts {
    let mut facts = CoverageFacts {
        games: games.iter().map(|(id, phase, status)| game(id, *phase, *status)).collect(),
        ..CoverageFacts::default()
    };
    for id in with_everything {
        let key: GameKey = id.parse().unwrap();
        facts.lines.insert(key, LineFacts { players: 16, books: 8, rows: 500 });
        facts.books.push((key.date, "draftkings".to_owned(), 60));
        *facts.snapshots.entry(key.date).or_default() += 1;
        facts.seen.entry(Market::points()).or_default().insert(key.date);
        for team in [key.away, key.home] {
            facts.features.entry(key).or_default().insert(team, (12, 11));
            facts.box_scores.entry(key).or_default().insert(team, 10);
        }
        facts.predictions.insert(key, (16, 192));
    }
    facts
}

fn report(facts: &CoverageFacts, from: &str, to: &str) -> CoverageReport {
    describe(date(from), date(to), facts, NOW.parse().unwrap())
}

#[test]
fn incident_68_what_is_expected_follows_from_the_games_of_the_day() {
    use GameStatus::{Cancelled, Final, Postponed, Scheduled};
    use SeasonPhase::{AllStar, Playoffs, Preseason, Regular};
    let games = [
        ("20260120_BOS_NYK", Regular, Final),
        ("20260121_LAL_MIA", AllStar, Final),
        ("20260122_LAL_MIA", Preseason, Final),
        ("20260123_GSW_MIN", Regular, Postponed),
        ("20260123_LAC_PHX", Regular, Cancelled),
        // One game is all there is on a night in May.
        ("20260124_DEN_OKC", Playoffs, Final),
        ("20260126_BOS_LAL", Regular, Scheduled),
    ];
    let all = report(&facts(&games, &["20260120_BOS_NYK", "20260124_DEN_OKC"]), "2026-01-19", "2026-01-26");
    let status: Vec<_> = all.days.iter().map(|day| day.status.as_str()).collect();
    assert_eq!(
        status,
        ["no_games", "complete", "no_games", "no_games", "no_games", "complete", "no_games", "missing"]
    );
    assert!(all.is_complete(), "{all:#?}");
    let quiet: Vec<_> = all.without_games.iter().map(ToString::to_string).collect();
    assert_eq!(quiet, ["2026-01-19", "2026-01-21", "2026-01-22", "2026-01-23", "2026-01-25"]);
}

#[test]
fn incident_30_nine_games_of_ten_without_lines_are_named() {
    let ids = ["20260124_BOS_NYK", "20260124_LAL_MIA", "20260124_DEN_OKC"];
    let games = ids.map(|id| (id, SeasonPhase::Regular, GameStatus::Final));
    let found = report(&facts(&games, &ids[..1]), "2026-01-24", "2026-01-24");
    assert_eq!(found.days[0].status, DayStatus::Partial);
    assert_eq!(
        found.days[0].missing,
        [
            "no lines: 20260124_LAL_MIA, 20260124_DEN_OKC",
            "no box scores of both teams: 20260124_LAL_MIA, 20260124_DEN_OKC",
            "no features: 20260124_LAL_MIA, 20260124_DEN_OKC",
        ]
    );
    assert!(found.without_snapshot.is_empty() && !found.is_complete());
}

#[test]
fn incident_59_a_day_nobody_looked_at_is_named_although_its_games_have_older_lines() {
    let games =
        ["20260123_BOS_NYK", "20260124_LAL_MIA"].map(|id| (id, SeasonPhase::Regular, GameStatus::Final));
    let mut seen = facts(&games, &["20260123_BOS_NYK", "20260124_LAL_MIA"]);
    seen.snapshots.remove(&date("2026-01-24"));
    let found = report(&seen, "2026-01-23", "2026-01-24");
    assert_eq!(found.days[1].status, DayStatus::Complete);
    assert_eq!(found.without_snapshot, [date("2026-01-24")]);
    assert!(!found.is_complete());
}

#[test]
fn a_day_on_which_only_another_market_was_seen_is_named_for_the_market() {
    let games =
        ["20260123_BOS_NYK", "20260124_LAL_MIA"].map(|id| (id, SeasonPhase::Regular, GameStatus::Final));
    let mut seen = facts(&games, &["20260123_BOS_NYK", "20260124_LAL_MIA"]);
    let [rebounds, assists]: [Market; 2] = ["rebounds", "assists"].map(|name| name.parse().unwrap());
    for market in [&rebounds, &assists] {
        seen.seen.entry(market.clone()).or_default().insert(date("2026-01-23"));
    }
    let found = report(&seen, "2026-01-23", "2026-01-24");
    assert!(found.without_snapshot.is_empty());
    let missing = [date("2026-01-24")];
    assert_eq!(gaps(&found.without_market), [(vec![&assists, &rebounds], &missing[..])]);
}

#[test]
fn incident_69_a_game_with_one_team_is_named() {
    let id = "20260124_TOR_POR";
    let mut seen = facts(&[(id, SeasonPhase::Regular, GameStatus::Scheduled)], &[id]);
    let key: GameKey = id.parse().unwrap();
    seen.features.get_mut(&key).unwrap().remove(&key.home);
    let found = report(&seen, "2026-01-24", "2026-01-24");
    assert_eq!(found.days[0].missing, ["features of one team only: 20260124_TOR_POR"]);
}

#[test]
fn books_are_counted_by_week() {
    let games =
        ["20260123_BOS_NYK", "20260124_LAL_MIA"].map(|id| (id, SeasonPhase::Regular, GameStatus::Final));
    let found = report(&facts(&games, &["20260123_BOS_NYK", "20260124_LAL_MIA"]), "2026-01-23", "2026-01-24");
    assert_eq!(found.weeks.len(), 1);
    assert_eq!((found.weeks[0].monday, found.weeks[0].days), (date("2026-01-19"), 2));
    assert_eq!(found.weeks[0].books["draftkings"], (2, 120));
}

#[test]
fn a_range_has_an_order_and_a_length() {
    assert!(check_range(date("2026-01-24"), date("2026-01-23")).is_err());
    assert!(check_range(date("2024-01-01"), date("2026-01-23")).is_err());
    assert!(check_range(date("2026-01-23"), date("2026-01-23")).is_ok());
}
