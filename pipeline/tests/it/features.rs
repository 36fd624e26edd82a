//! Features by hand: golden values, point in time, and what a zero or an absence means.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use pipeline::features::{Built, History, build};
use proto::tables::{FeatureRow, GameLineRow, GameRow, LineRow, PlayerGameRow, TeamGameRow};
use proto::{FeatureSource, GameKey, GameStatus, Line, SeasonPhase, TeamCode};
use warehouse::Stamped;

use crate::fixtures::at;

pub(crate) const DAY: Date = Date::constant(2024, 3, 29);
pub(crate) const INGESTED: &str = "2024-03-29T08:00:00Z";
pub(crate) const NOW: &str = "2024-03-29T20:00:00Z";
pub(crate) const PLAYER: &str = "aaronacejr";

pub(crate) fn team(code: &str) -> TeamCode {
    code.parse().unwrap()
}

pub(crate) fn key(date: Date, away: &str, home: &str) -> GameKey {
    GameKey::nba(date, team(away), team(home)).unwrap()
}

pub(crate) fn days_before(days: i32) -> Date {
    DAY.checked_sub(days.days()).unwrap()
}

pub(crate) fn stamped<T>(row: T) -> Stamped<T> {
    Stamped { row, ingested_at: at(INGESTED) }
}

pub(crate) fn game(key: GameKey, tip_off: Option<&str>) -> GameRow {
    GameRow {
        game_id: key,
        league_game_id: None,
        season: 2023,
        phase: SeasonPhase::Regular,
        tip_off: tip_off.map(at),
        status: GameStatus::Scheduled,
        home_score: None,
        away_score: None,
    }
}

/// A box score of `PLAYER` for GSW at home against `opponent`.
pub(crate) fn appeared(date: Date, opponent: &str, minutes: f64, points: f64) -> PlayerGameRow {
    PlayerGameRow {
        game_id: key(date, opponent, "GSW"),
        player_lookup: PLAYER.parse().unwrap(),
        player_name: "Aaron Ace Jr.".to_owned(),
        league_player_id: 1,
        team: team("GSW"),
        opponent: team(opponent),
        is_home: true,
        season: 2023,
        phase: SeasonPhase::Regular,
        minutes,
        points,
        rebounds: 0.0,
        assists: 0.0,
        threes: 0.0,
        fgm: 0.0,
        fga: 0.0,
        fg3a: 0.0,
        ftm: 0.0,
        fta: 0.0,
        oreb: 0.0,
        dreb: 0.0,
        stl: 0.0,
        blk: 0.0,
        tov: 0.0,
        pf: 0.0,
        plus_minus: None,
    }
}

/// Both rows of a game: possessions are `fga` of each side.
pub(crate) fn played(
    date: Date,
    home: &str,
    away: &str,
    home_pts: f64,
    away_pts: f64,
    home_poss: f64,
    away_poss: f64,
) -> [TeamGameRow; 2] {
    let row = |own: &str, other: &str, is_home: bool, points: f64, against: f64, fga: f64| TeamGameRow {
        game_id: key(date, away, home),
        team: team(own),
        opponent: team(other),
        is_home,
        season: 2023,
        phase: SeasonPhase::Regular,
        won: points > against,
        minutes: 240.0,
        points,
        fga,
        fta: 0.0,
        oreb: 0.0,
        tov: 0.0,
        plus_minus: points - against,
    };
    [
        row(home, away, true, home_pts, away_pts, home_poss),
        row(away, home, false, away_pts, home_pts, away_poss),
    ]
}

pub(crate) fn quote(book: &str, half_points: i32, seen: &str) -> LineRow {
    LineRow {
        event_id: "e1".to_owned(),
        book: book.to_owned(),
        market: proto::Market::points(),
        player_lookup: PLAYER.parse().unwrap(),
        player_name: "Aaron Ace".to_owned(),
        player_resolved: true,
        line: Line::from_half_points(half_points),
        snapshot_at: at(seen),
        game_id: Some(key(DAY, "GSW", "CHA")),
        game_date: DAY,
        commence_time: at("2024-03-29T23:10:00Z"),
        over_price: Some("-110".parse().unwrap()),
        under_price: Some("-110".parse().unwrap()),
        is_main: true,
        tag: None,
        minutes_before_tip: 60,
        market_updated_at: None,
        source: "odds_api".to_owned(),
    }
}

fn game_line(book: &str, half_spread: i32, half_total: i32, seen: &str) -> GameLineRow {
    GameLineRow {
        game_id: key(DAY, "GSW", "CHA"),
        book: book.to_owned(),
        home_spread: Some(Line::from_half_points(half_spread)),
        total: Some(Line::from_half_points(half_total)),
        snapshot_at: at(seen),
        source: "odds_api".to_owned(),
    }
}

/// Twelve games of the player, oldest first: (days before, opponent, minutes, points).
const PAST: [(i32, &str, f64, f64); 12] = [
    (40, "CHA", 30.0, 50.0),
    (30, "LAL", 30.0, 10.0),
    (28, "LAL", 30.0, 12.0),
    (26, "LAL", 30.0, 14.0),
    (24, "LAL", 30.0, 16.0),
    (22, "CHA", 30.0, 18.0),
    (20, "LAL", 30.0, 20.0),
    (12, "LAL", 30.0, 22.0),
    (7, "LAL", 30.0, 24.0),
    (5, "LAL", 40.0, 26.0),
    (3, "LAL", 20.0, 0.0),
    (2, "LAL", 30.0, 8.0),
];

pub(crate) fn world_before_tonight() -> History {
    let mut history = History::new();
    history.add_player_games(
        PAST.map(|(days, opponent, m, p)| stamped(appeared(days_before(days), opponent, m, p))),
    );
    // Charlotte: ten slow games, of which it wins five; one older that must not count.
    for n in 0..10 {
        let (home, away) = if n % 2 == 0 { (120.0, 100.0) } else { (100.0, 108.0) };
        history.add_team_games(
            played(days_before(4 + 2 * n), "CHA", "MIA", home, away, 95.0, 97.0).map(stamped),
        );
    }
    history.add_team_games(played(days_before(60), "CHA", "MIA", 200.0, 100.0, 190.0, 190.0).map(stamped));
    // Golden State: six fast games, last one yesterday.
    for n in 0..6 {
        history.add_team_games(
            played(days_before(1 + 2 * n), "GSW", "BOS", 121.0, 110.0, 104.0, 100.0).map(stamped),
        );
    }
    history.add_games([game(key(DAY, "GSW", "CHA"), Some("2024-03-29T23:00:00Z"))]);
    history.add_lines([
        quote("draftkings", 39, "2024-03-29T14:00:00Z"),
        quote("draftkings", 41, "2024-03-29T19:00:00Z"),
        quote("fanduel", 43, "2024-03-29T19:00:00Z"),
    ]);
    history.add_game_lines([
        stamped(game_line("fanduel", 13, 443, "2024-03-29T15:00:00Z")),
        stamped(game_line("fanduel", 11, 445, "2024-03-29T19:00:00Z")),
        stamped(game_line("draftkings", 13, 447, "2024-03-29T19:00:00Z")),
    ]);
    history
}

fn built(history: History) -> Built {
    build(DAY, &history.settle(), rules::contract(), at(NOW))
}

pub(crate) fn tonight(history: History) -> FeatureRow {
    let built = built(history);
    built.rows.into_iter().find(|row| row.player_lookup.as_str() == PLAYER).unwrap()
}

/// A value; none when it is missing or a default.
pub(crate) fn real(row: &FeatureRow, name: &str) -> Option<f64> {
    let feature = row.vector.features[rules::contract().position(name).unwrap()];
    (!feature.defaulted && feature.source != FeatureSource::Missing).then_some(feature.value)
}

pub(crate) fn near(row: &FeatureRow, name: &str, wanted: f64) {
    let found = real(row, name).unwrap_or(f64::NAN);
    assert!((found - wanted).abs() < 1e-9, "{name}: {found}, wanted {wanted}");
}

#[test]
fn golden_values_by_hand() {
    let row = tonight(world_before_tonight());
    // Last five: 22, 24, 26, 0, 8. Last ten: 12 … 8 without the 50 and the 10.
    near(&row, "points_avg_last_5", 16.0);
    near(&row, "points_avg_last_10", 16.0);
    near(&row, "points_avg_season", 220.0 / 12.0);
    // Deviations from 16: -4 -2 0 2 4 6 8 10 -16 -8; squares add up to 560.
    near(&row, "points_std_last_10", 56f64.sqrt());
    near(&row, "games_in_last_7_days", 4.0);
    near(&row, "minutes_avg_last_10", 30.0);
    near(&row, "ppm_avg_last_10", 160.0 / 300.0);
    near(&row, "minutes_volatility_last_10", 20f64.sqrt());
    near(&row, "days_rest", 2.0);
    near(&row, "avg_points_vs_opponent", 34.0);
    near(&row, "games_vs_opponent", 2.0);
    near(&row, "points_avg_last_3", 34.0 / 3.0);
    // Last seven: 18 20 22 24 26 0 8 at -3 … 3: sum of products -66, of squares 28.
    near(&row, "scoring_trend_slope", -66.0 / 28.0);
    let form = [50.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0, 26.0, 0.0, 8.0];
    let mean = form.iter().sum::<f64>() / 12.0;
    let std = (form.iter().map(|p: &f64| (p - mean).powi(2)).sum::<f64>() / 12.0).sqrt();
    near(&row, "deviation_from_avg_last3", (34.0 / 3.0 - mean) / std);
    // Season mean 18.33: 8 and 0 are below, 26 is not.
    near(&row, "consecutive_games_below_avg", 2.0);
    near(&row, "opponent_pace", 96.0);
    near(&row, "team_pace", 102.0);
    near(&row, "opponent_pace_mismatch", 6.0);
    near(&row, "team_off_rating", 100.0 * 121.0 / 104.0);
    near(&row, "team_win_pct", 1.0);
    near(&row, "blowout_minutes_risk", 0.0);
    near(&row, "home_away", 0.0);
    near(&row, "back_to_back", 1.0);
    near(&row, "playoff_game", 0.0);
    near(&row, "vegas_points_line", 20.5);
    near(&row, "vegas_opening_line", 19.5);
    near(&row, "vegas_line_move", 1.0);
    near(&row, "has_vegas_line", 1.0);
    near(&row, "multi_book_line_std", 0.5);
    near(&row, "line_vs_season_avg", 20.5 - 220.0 / 12.0);
    // Newest of each book: totals 222.5 and 223.5, home spreads 5.5 and 6.5; the player's side gets 6 more.
    near(&row, "game_total_line", 223.0);
    near(&row, "spread_magnitude", 6.0);
    near(&row, "implied_team_total", (223.0 + 6.0) / 2.0);
    assert_eq!(row.required_default_count, 0);
    assert_eq!(row.as_of, at(NOW), "before tip-off the as-of is now");
    assert_eq!(row.inputs_ingested_at, Some(at(INGESTED)));
    assert_eq!(row.vector.features.len(), rules::contract().features.len());
}

#[test]
fn incident_77_adding_the_night_itself_or_later_changes_nothing() {
    let before = tonight(world_before_tonight());
    let mut later = world_before_tonight();
    let mut tonight_row = appeared(DAY, "CHA", 48.0, 99.0);
    tonight_row.game_id = key(DAY, "GSW", "CHA");
    let tomorrow = DAY.checked_add(1.day()).unwrap();
    later.add_player_games([tonight_row, appeared(tomorrow, "LAL", 48.0, 99.0)].map(stamped));
    later.add_team_games(played(DAY, "CHA", "GSW", 70.0, 190.0, 150.0, 150.0).map(stamped));
    later.add_team_games(played(tomorrow, "GSW", "BOS", 70.0, 190.0, 150.0, 150.0).map(stamped));
    later.add_games([game(key(tomorrow, "BOS", "GSW"), None)]);
    // Lines after the as-of, and after tip-off.
    later.add_lines([
        quote("draftkings", 99, "2024-03-29T20:00:00Z"),
        quote("betmgm", 99, "2024-03-29T22:00:00Z"),
        quote("betmgm", 99, "2024-03-30T00:00:00Z"),
    ]);
    later.add_game_lines([stamped(game_line("fanduel", 99, 499, "2024-03-29T22:30:00Z"))]);
    assert_eq!(tonight(later), before);
}

#[test]
fn incident_77_a_backfill_sees_nothing_after_tip_off() {
    let mut history = world_before_tonight();
    history.add_lines([quote("draftkings", 99, "2024-03-29T23:00:00Z")]);
    history.add_game_lines([stamped(game_line("fanduel", 99, 499, "2024-03-29T23:05:00Z"))]);
    let now: Timestamp = at("2024-06-01T00:00:00Z");
    let built = build(DAY, &history.settle(), rules::contract(), now);
    let row = built.rows.iter().find(|row| row.player_lookup.as_str() == PLAYER).unwrap();
    near(row, "vegas_points_line", 20.5);
    near(row, "game_total_line", 223.0);
    assert_eq!(row.as_of, at("2024-03-29T23:00:00Z"), "the as-of of a game that is over is its tip-off");
}

#[test]
fn incident_71_a_zero_is_a_value() {
    let mut history = History::new();
    // Nobody ever scored: every mean is a real zero, none is a default.
    for days in [20, 18, 16, 14, 12, 10, 9, 8] {
        history.add_player_games([stamped(appeared(days_before(days), "LAL", 20.0, 0.0))]);
    }
    for n in 0..6 {
        history.add_team_games(
            played(days_before(8 + 2 * n), "GSW", "LAL", 100.0, 110.0, 100.0, 100.0).map(stamped),
        );
        history.add_team_games(
            played(days_before(8 + 2 * n), "CHA", "MIA", 100.0, 110.0, 100.0, 100.0).map(stamped),
        );
    }
    history.add_games([game(key(DAY, "GSW", "CHA"), None)]);
    let row = tonight(history);
    for name in [
        "points_avg_last_5",
        "points_avg_last_10",
        "points_avg_season",
        "points_std_last_10",
        "games_in_last_7_days", // the week was empty by calendar, not by a gap (incident 70)
        "ppm_avg_last_10",
        "team_win_pct",
        "games_vs_opponent",
        "back_to_back",
        "home_away",
        "playoff_game",
        "has_vegas_line",
    ] {
        assert_eq!(real(&row, name), Some(0.0), "{name}");
    }
    assert_eq!(row.required_default_count, 0);
    for name in ["avg_points_vs_opponent", "vegas_points_line", "deviation_from_avg_last3", "game_total_line"]
    {
        let feature = row.vector.features[rules::contract().position(name).unwrap()];
        assert!(feature.value.is_nan() && !feature.defaulted, "{name} is missing, never a default");
    }
}

#[test]
fn incident_78_a_game_he_did_not_appear_in_does_not_exist_for_him() {
    let with_gap = tonight(world_before_tonight());
    // His team played on days on which he has no row; nothing of his changes.
    let mut more_team_games = world_before_tonight();
    for days in [6, 8, 10] {
        more_team_games
            .add_team_games(played(days_before(days), "GSW", "MIA", 121.0, 110.0, 104.0, 100.0).map(stamped));
    }
    let row = tonight(more_team_games);
    for name in
        ["points_avg_last_5", "points_avg_last_10", "minutes_avg_last_10", "points_std_last_10", "days_rest"]
    {
        assert_eq!(real(&row, name), real(&with_gap, name), "{name}");
    }
}

#[test]
fn what_is_missing_is_a_default_or_nothing_by_contract() {
    let mut history = History::new();
    history.add_player_games([stamped(appeared(days_before(2), "LAL", 30.0, 20.0))]);
    history.add_games([game(key(DAY, "GSW", "CHA"), None)]);
    let row = tonight(history);
    let absent: Vec<&str> = rules::contract()
        .features
        .iter()
        .zip(&row.vector.features)
        .filter(|(_, f)| f.defaulted)
        .map(|(spec, _)| spec.name.as_str())
        .collect();
    let team = ["opponent_pace", "team_pace", "team_off_rating", "team_win_pct"];
    assert_eq!(absent, [&team[..], &["pace_score", "rest_advantage", "opponent_def_rating"]].concat());
    assert_eq!(row.required_default_count, 7);
    assert!(row.quality_score <= rules::quality::CAP_ONE_DEFAULT, "{}", row.quality_score);
    near(&row, "points_avg_last_5", 20.0);
    assert_eq!(real(&row, "scoring_trend_slope"), None, "one game makes no trend");
    assert_eq!(real(&row, "opponent_pace_mismatch"), None, "a default minus a default is nothing");
}

#[test]
fn fewer_than_five_games_tell_nothing_of_a_team() {
    let wins = |games: i32| {
        let mut history = History::new();
        history.add_player_games([stamped(appeared(days_before(2), "LAL", 30.0, 20.0))]);
        history.add_games([game(key(DAY, "GSW", "CHA"), None)]);
        for n in 0..games {
            history.add_team_games(
                played(days_before(2 + n), "GSW", "LAL", 120.0, 110.0, 100.0, 100.0).map(stamped),
            );
        }
        real(&tonight(history), "team_win_pct")
    };
    assert_eq!((wins(4), wins(5)), (None, Some(1.0)));
}

#[test]
fn who_is_on_the_slate() {
    let person = |name: &str, days: i32, plays_for: &str| {
        let mut row = appeared(days_before(days), "LAL", 20.0, 10.0);
        row.player_lookup = name.parse().unwrap();
        row.team = team(plays_for);
        stamped(row)
    };
    let quoted = |name: &str| LineRow {
        player_lookup: name.parse().unwrap(),
        ..quote("fanduel", 21, "2024-03-29T15:00:00Z")
    };
    let mut history = History::new();
    history.add_player_games([
        person("lately", 30, "GSW"),
        person("longago", 31, "GSW"),
        person("longagoquoted", 200, "CHA"),
        person("toolongago", 366, "CHA"),
        person("elsewhere", 2, "BOS"),
        person("traded", 2, "BOS"),
        person("came", 20, "BOS"),
        person("came", 3, "CHA"),
    ]);
    history.add_games([game(key(DAY, "GSW", "CHA"), None)]);
    history.add_lines(["longagoquoted", "toolongago", "traded"].map(quoted));
    let built = built(history);
    let names: Vec<&str> = built.rows.iter().map(|row| row.player_lookup.as_str()).collect();
    assert_eq!(names, ["came", "lately", "longagoquoted"]);
    let left: Vec<&str> = built.without_team.iter().map(|p| p.as_str()).collect();
    assert_eq!(left, ["traded"], "quoted for a team he has not played for: nobody knows his side");
}

#[test]
fn last_season_counts_for_the_player_and_not_for_his_season() {
    let mut history = History::new();
    let mut old = appeared(days_before(200), "LAL", 30.0, 40.0);
    old.season = 2022;
    let mut exhibition = appeared(days_before(10), "LAL", 30.0, 90.0);
    exhibition.phase = SeasonPhase::Preseason;
    history.add_player_games([old, appeared(days_before(2), "LAL", 30.0, 20.0), exhibition].map(stamped));
    history.add_games([game(key(DAY, "GSW", "CHA"), None)]);
    let row = tonight(history);
    near(&row, "points_avg_last_5", 30.0);
    near(&row, "points_avg_season", 20.0);
}
