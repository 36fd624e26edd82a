//! Features of a range in the warehouse, and the table that training reads.

use jiff::civil::Date;
use pipeline::features::{build_range, export_csv};

use crate::fixtures::{World, at};

const DAY: Date = Date::constant(2024, 3, 29);
/// The date of the only game with box scores.
const GAME_DAY: Date = Date::constant(2024, 3, 20);

#[tokio::test]
async fn a_range_is_built_stored_and_exported() {
    let world = crate::fixtures::world().await;
    let points = [crate::fixtures::pair("Aaron Ace", "24.5", "-110", "-110")];
    let text = crate::fixtures::event(
        "e1",
        &[crate::fixtures::book(
            "draftkings",
            &[crate::fixtures::market("player_points", "2024-03-29T18:58:54Z", &points)],
        )],
    );
    world.take("odds.json", text).await;
    let now = at("2024-04-02T00:00:00Z");
    let mut seen = Vec::new();
    let report = build_range(&world.warehouse, Date::constant(2024, 3, 19), DAY, now, |date, rows| {
        seen.push((date, rows))
    })
    .await
    .unwrap();
    assert_eq!(seen, [(GAME_DAY, 0), (DAY, 3)], "the first game has no past, the second has three players");
    assert_eq!((report.rows, report.days[&DAY].games), (3, 1));
    assert!(report.absent["team_pace"] == 3 && !report.absent.contains_key("home_away"));
    let stored = world.warehouse.features_of(DAY).await.unwrap();
    assert_eq!(stored.len(), 3);
    let out = world.path("features.csv");
    assert_eq!(export_csv(&world.warehouse, Date::constant(2024, 3, 9), DAY, &out).await.unwrap(), 3);
    let text = std::fs::read_to_string(&out).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let first = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| &first[header.iter().position(|column| column == name).unwrap()];
    assert!(text.starts_with(
        "game_date,game_id,player_lookup,team,minutes,points,rebounds,assists,threes,points_chosen_book,"
    ));
    for (name, wanted) in [
        ("game_date", "2024-03-29"),
        ("game_id", "20240329_GSW_CHA"),
        ("player_lookup", "aaronacejr"),
        ("minutes", ""),
        ("points_chosen_book", "draftkings"),
        ("points_chosen_line", "24.5"),
        ("rebounds_chosen_line", ""),
        ("points_avg_last_5", "30"),
        ("vegas_points_line", "24.5"),
        ("points_no_vig_over", "0.5"),
        ("team_win_pct", ""),
    ] {
        assert_eq!(cell(name), wanted, "{name}: a default is an empty cell too");
    }
    assert!(cell("points_chosen_over_price").starts_with("1.909"), "{}", cell("points_chosen_over_price"));
    let error =
        build_range(&world.warehouse, DAY, Date::constant(2024, 3, 28), now, |_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("before it begins"), "{error}");
}

#[tokio::test]
async fn incident_79_an_unplayed_game_has_no_label() {
    let world = World::new().await;
    let zero = crate::fixtures::BOX.replace("W,30,0,", "W,0,0,");
    world.take("box.csv", zero).await;
    world.take("schedule.csv", crate::fixtures::SCHEDULE).await;
    let before = crate::fixtures::BOX.replace("2024-03-20", "2024-03-18").replace("0022301001", "0022300990");
    world.take("earlier.csv", before).await;
    build_range(&world.warehouse, GAME_DAY, GAME_DAY, at("2024-04-02T00:00:00Z"), |_, _| {}).await.unwrap();
    let out = world.path("features.csv");
    export_csv(&world.warehouse, GAME_DAY, GAME_DAY, &out).await.unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let labels: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').skip(2).take(4).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(labels, ["aaronacejr,GSW,36,30", "bobunyan,GSW,,", "herbertjones,CHA,33,12"], "{text}");
}
