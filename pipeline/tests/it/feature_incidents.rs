//! What contract v2 added, by hand; and the incidents of the field that are about features.

use jiff::Timestamp;
use pipeline::features::{BuildRequest, History, build_range, build_request};
use proto::tables::{InjuryRow, PlayerGameRow};
use proto::{FeatureSource, InjuryStatus, Line};
use warehouse::ClosingQuote;

use crate::features::{
    DAY, PLAYER, appeared, days_before, game, key, near, played, real, stamped, team, tonight,
    world_before_tonight,
};
use crate::fixtures::{World, at};

#[test]
fn golden_values_of_what_v2_added() {
    let row = tonight(world_before_tonight());
    // Four games in the week (-10), none long, one pair on consecutive days (-5); he rested two days.
    near(&row, "fatigue_score", 85.0);
    near(&row, "minutes_load_last_7d", 120.0);
    near(&row, "rest_advantage", -2.0);
    near(&row, "pace_score", -3.0);
    near(&row, "opponent_def_rating", 100.0 * 1040.0 / 970.0);
    near(&row, "recent_trend", -2.0);
    near(&row, "minutes_change", 0.0);
    near(&row, "pts_slope_10g", -32.0 / 82.5);
    near(&row, "pts_vs_season_zscore", (16.0 - 220.0 / 12.0) / 56f64.sqrt());
    near(&row, "breakout_flag", 0.0);
    near(&row, "games_since_structural_change", 12.0);
    // DraftKings 20.5 (opened at 19.5) and FanDuel 21.5.
    near(&row, "points_consensus_line", 21.0);
    near(&row, "points_no_vig_over", 0.5);
    near(&row, "points_line_minus_consensus", -0.5);
    near(&row, "points_book_count", 2.0);
    near(&row, "points_line_move", 0.5);
    for name in ["prop_over_streak", "injury_risk", "usage_rate_last_5", "dnp_rate", "rebounds_line"] {
        assert_eq!(real(&row, name), None, "{name}");
    }
}

/// A box score of somebody of GSW against LAL, with what usage needs.
fn shot(name: &str, days: i32, fga: f64, tov: f64, points: f64) -> PlayerGameRow {
    let row = appeared(days_before(days), "LAL", 24.0, points);
    let player_lookup = name.parse().unwrap();
    PlayerGameRow { player_lookup, fga, tov, fg3a: fga / 2.0, ftm: 1.0, rebounds: 4.0, ..row }
}

fn report(name: &str, status: InjuryStatus, reported: &str) -> InjuryRow {
    InjuryRow {
        player_lookup: name.parse().unwrap(),
        player_name: name.to_owned(),
        player_resolved: true,
        team: None,
        status,
        reported_at: at(reported),
        note: String::new(),
    }
}

/// Four games of GSW: the player misses one of them, his mate none.
fn shooting() -> History {
    let mut history = History::new();
    for days in [8, 6, 2] {
        history.add_player_games([stamped(shot(PLAYER, days, 10.0, 2.0, 20.0))]);
    }
    for days in [8, 6, 4, 2] {
        history.add_player_games([stamped(shot("mate", days, 20.0, 0.0, 90.0))]);
        history
            .add_team_games(played(days_before(days), "GSW", "LAL", 110.0, 100.0, 100.0, 98.0).map(stamped));
    }
    history.add_games([game(key(DAY, "GSW", "LAL"), None)]);
    history
}

#[test]
fn usage_shots_and_absences_by_hand() {
    let row = tonight(shooting());
    // 12 of the 100 shots and turnovers of the team, in half of its 48 minutes.
    near(&row, "usage_rate_last_5", 24.0);
    near(&row, "dnp_rate", 0.25);
    near(&row, "pct_three", 0.5);
    near(&row, "rebounds_avg_last_5", 4.0);
    near(&row, "rebounds_per_minute_last_10", 4.0 / 24.0);
    assert_eq!(real(&row, "pct_free_throw"), None, "three games are too few");
    // Tonight's opponent let GSW's players score 110, 110, 90 and 110, and take 8, 8, 4 and 8 rebounds.
    near(&row, "opponent_points_allowed_last_10", 105.0);
    assert_eq!(real(&row, "opponent_rebounds_allowed_last_10"), None, "7 rebounds are not believed");
}

#[test]
fn whoever_is_out_leaves_his_work_to_others_and_a_silent_list_says_nothing() {
    let mut history = shooting();
    history.add_reports([
        stamped(report("mate", InjuryStatus::Out, "2024-03-28T16:00:00Z")),
        stamped(report(PLAYER, InjuryStatus::Questionable, "2024-03-29T16:00:00Z")),
        // After the as-of.
        stamped(report(PLAYER, InjuryStatus::Out, "2024-03-29T21:00:00Z")),
    ]);
    let row = tonight(history);
    near(&row, "injury_risk", 2.0);
    near(&row, "star_teammates_out", 1.0);
    near(&row, "teammate_usage_available", 40.0);
    let mut silent = shooting();
    silent.add_reports([stamped(report("mate", InjuryStatus::Out, "2024-03-10T16:00:00Z"))]);
    let row = tonight(silent);
    for name in ["injury_risk", "star_teammates_out", "teammate_usage_available"] {
        assert_eq!(real(&row, name), None, "{name}: nobody reported anything for a fortnight");
    }
}

fn closing(days: i32, book: &str, half_points: i32) -> ClosingQuote {
    ClosingQuote {
        game_id: key(days_before(days), "LAL", "GSW"),
        player_lookup: PLAYER.parse().unwrap(),
        book: book.to_owned(),
        line: Line::from_half_points(half_points),
    }
}

#[test]
fn games_against_their_lines_by_hand() {
    let mut history = world_before_tonight();
    // He scored 24, 26, 0 and 8.
    history.add_closings([closing(7, "draftkings", 41), closing(5, "draftkings", 41)]);
    history.add_closings([closing(3, "fanduel", 11), closing(3, "draftkings", 9), closing(2, "bovada", 20)]);
    // Tonight's own closing line is nobody's business.
    history.add_closings([ClosingQuote { game_id: key(DAY, "GSW", "CHA"), ..closing(2, "draftkings", 99) }]);
    let row = tonight(history);
    near(&row, "prop_over_streak", 0.0);
    near(&row, "prop_under_streak", 2.0);
    near(&row, "over_rate_last_10", 0.5);
    near(&row, "margin_vs_line_avg_last_5", (3.5 + 5.5 - 4.5 - 2.0) / 4.0);
    // Bovada is no opinion, so the game before counts: 5.5 and 4.5.
    near(&row, "points_previous_line", 5.0);
    near(&row, "prop_line_delta", 21.0 - 5.0);
}

#[test]
fn incident_70_an_empty_week_is_a_value_and_nobody_is_blocked_after_a_break() {
    let mut history = History::new();
    for days in [20, 18, 16, 14, 12, 10, 9] {
        history.add_player_games([stamped(appeared(days_before(days), "LAL", 30.0, 20.0))]);
        for (home, away) in [("GSW", "LAL"), ("CHA", "MIA")] {
            history.add_team_games(
                played(days_before(days), home, away, 110.0, 100.0, 100.0, 98.0).map(stamped),
            );
        }
    }
    history.add_games([game(key(DAY, "GSW", "CHA"), None)]);
    let row = tonight(history);
    for (name, wanted) in [("games_in_last_7_days", 0.0), ("minutes_load_last_7d", 0.0), ("days_rest", 9.0)] {
        near(&row, name, wanted);
    }
    assert_eq!(row.required_default_count, 0, "empty by calendar is no default");
}

#[test]
fn incident_72_only_what_is_required_blocks() {
    let row = tonight(shooting());
    let absent = |required: bool| {
        let pairs = rules::contract().features.iter().zip(&row.vector.features);
        pairs.filter(|(spec, f)| spec.required == required && f.source == FeatureSource::Missing).count()
    };
    assert!(absent(false) > 30, "no line, no list, little history");
    assert_eq!(absent(true), 0, "what is required is a value or a default");
    let defaults = row.vector.features.iter().filter(|f| f.defaulted).count();
    assert_eq!(row.required_default_count as usize, defaults, "one function defines what blocks");
}

/// Ten teams whose sixty players all do the same, twice; and a night on which they meet again.
async fn monotony() -> World {
    let world = World::new().await;
    let teams = ["ATL", "BOS", "BKN", "CHA", "CHI", "CLE", "DAL", "DEN", "DET", "GSW"];
    let mut rows = String::from(crate::fixtures::BOX.lines().next().unwrap());
    let mut schedule = String::from(crate::fixtures::SCHEDULE.lines().next().unwrap());
    for (round, date) in ["2024-03-24", "2024-03-26"].into_iter().enumerate() {
        for (at, pair) in teams.chunks(2).enumerate() {
            for (side, own) in pair.iter().enumerate() {
                for player in 0..6 {
                    let id = 100 * (2 * at + side) + player;
                    rows += &format!(
                        "\n2023-24,regular,00223{round}00{at}{at},{date},{id},Player {id},{id},{own},{},{side},W,30,10,5,5,\
                         4,9,1,5,1,2,1,4,1,0,2,2,4",
                        pair[1 - side]
                    );
                }
            }
        }
    }
    for (at, pair) in teams.chunks(2).enumerate() {
        schedule += &format!(
            "\n002230200{at},20240329/X,2024-03-29,19:00:00,,A,B,7:00 pm ET,2,1,{},{},,,23-24",
            pair[1], pair[0]
        );
    }
    let files = [world.write("schedule.csv", schedule + "\n"), world.write("box.csv", rows + "\n")];
    let report = world.ingest(&files).await;
    assert!(report.is_clean(), "{report:?}");
    world
}

#[tokio::test]
async fn incident_76_a_dead_column_blocks_the_date_and_leaves_what_was_stored() {
    let world = monotony().await;
    let now: Timestamp = at("2024-03-29T20:00:00Z");
    let report = build_range(&world.warehouse, DAY, DAY, now, |_, _| {}).await.unwrap();
    assert_eq!((report.rows, report.blocked()), (0, vec![DAY]));
    let why = report.days[&DAY].blocked.join("; ");
    assert!(why.contains("points_avg_last_5 is 10 in all 60 rows"), "{why}");
    assert_eq!(world.warehouse.features_of(DAY).await.unwrap(), []);

    let faulty = report.days[&DAY].blocked.iter();
    let accept: Vec<String> = faulty.map(|why| why.split(' ').next().unwrap().to_owned()).collect();
    let request = BuildRequest { from: DAY, to: DAY, now, accept };
    let accepted = build_request(&world.warehouse, &request, |_, _| {}).await.unwrap();
    assert_eq!((accepted.rows, accepted.accepted.len()), (60, request.accept.len()));
    let later = at("2024-03-29T21:00:00Z");
    build_range(&world.warehouse, DAY, DAY, later, |_, _| {}).await.unwrap();
    let stored = world.warehouse.features_of(DAY).await.unwrap();
    assert!(
        stored.len() == 60 && stored.iter().all(|row| row.built_at == now),
        "a blocked build writes nothing"
    );
    let unknown = BuildRequest { accept: vec!["nonsense".to_owned()], ..request };
    let error = build_request(&world.warehouse, &unknown, |_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("is no feature"), "{error}");
}

#[tokio::test]
async fn incident_49_a_build_without_rows_is_not_done() {
    let world = World::new().await;
    world.take("schedule.csv", crate::fixtures::SCHEDULE).await;
    let now = at("2024-04-02T00:00:00Z");
    let first = build_range(&world.warehouse, DAY, DAY, now, |_, _| {}).await.unwrap();
    assert_eq!(first.rows, 0, "nobody has played yet");
    world.take("box.csv", crate::fixtures::BOX).await;
    let second = build_range(&world.warehouse, DAY, DAY, now, |_, _| {}).await.unwrap();
    assert_eq!(second.rows, 3, "the box scores came, and the run before stands in nobody's way");
}

#[tokio::test]
async fn incident_74_a_second_build_sees_what_came_in_between() {
    let world = crate::fixtures::world().await;
    let now = at("2024-04-02T00:00:00Z");
    build_range(&world.warehouse, DAY, DAY, now, |_, _| {}).await.unwrap();
    let before = world.warehouse.features_of(DAY).await.unwrap();
    let more = crate::fixtures::BOX.replace("2024-03-20", "2024-03-22").replace("0022301001", "0022301010");
    world.take("more.csv", more).await;
    build_range(&world.warehouse, DAY, DAY, at("2024-04-03T00:00:00Z"), |_, _| {}).await.unwrap();
    let after = world.warehouse.features_of(DAY).await.unwrap();
    assert_eq!(before.len(), after.len());
    assert!(
        before.iter().zip(&after).all(|(old, new)| old.vector != new.vector && old.built_at < new.built_at)
    );
    let difference = pipeline::features::look::differences(&before, &after);
    assert!(
        difference.differences.iter().any(|found| found.feature == "games_in_last_7_days"),
        "{difference:?}"
    );
}

#[test]
fn a_change_of_team_or_a_long_pause_begins_anew() {
    let since = |games: &[(i32, &str)]| {
        let mut history = History::new();
        for (days, plays_for) in games {
            let mut row = appeared(days_before(*days), "LAL", 30.0, 20.0);
            row.team = team(plays_for);
            history.add_player_games([stamped(row)]);
        }
        history.add_games([game(key(DAY, "GSW", "CHA"), None)]);
        real(&tonight(history), "games_since_structural_change")
    };
    for (games, wanted) in [
        (&[(9, "GSW"), (6, "GSW"), (2, "GSW")][..], 3.0),
        (&[(9, "BOS"), (6, "GSW"), (2, "GSW")][..], 2.0),
        (&[(30, "GSW"), (6, "GSW"), (2, "GSW")][..], 2.0),
        (&[(20, "GSW"), (6, "GSW"), (2, "GSW")][..], 3.0),
        (&[(20, "GSW"), (16, "GSW")][..], 0.0),
    ] {
        assert_eq!(since(games), Some(wanted), "{games:?}");
    }
}
