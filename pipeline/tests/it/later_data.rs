//! Adding all later data changes no earlier feature: on simulated days, and on real ones where a machine has them
//! (incident 77). The history with everything in it and the one that ends the day before give the same rows, bit by bit.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use pipeline::features::{Built, History, build};
use pipeline::simulate::{SimOptions, days};
use proto::{Market, league_time};
use warehouse::{AsOf, Warehouse};

use crate::fixtures::World;

/// Everything the warehouse knows of `date` and, up to `end`, of what came later.
async fn built(warehouse: &Warehouse, date: Date, end: Date, now: Timestamp) -> Built {
    let as_of = AsOf::new(end, now);
    let since = date.checked_sub(400.days()).unwrap();
    let mut history = History::new();
    history.add_games(warehouse.games_between(since, end).await.unwrap());
    history.add_player_games(warehouse.player_games_before(&as_of, since).await.unwrap());
    history.add_team_games(warehouse.team_games_before(&as_of, since).await.unwrap());
    history.add_reports(warehouse.injury_reports(&as_of, league_time::start_of(since)).await.unwrap());
    let points = Market::points();
    history.add_closings(warehouse.closing_lines(&as_of, since, &points).await.unwrap());
    let tonight = AsOf::new(date, now);
    for market in rules::line_features::markets() {
        let lines = warehouse.lines_of(&tonight, &market.parse().unwrap()).await.unwrap();
        history.add_lines(lines.into_iter().map(|line| line.row));
    }
    history.add_game_lines(warehouse.game_lines_of(&tonight).await.unwrap());
    build(date, &history.settle(), rules::contract(), now)
}

/// Builds a date from what was known that day, and again from everything.
pub(crate) async fn assert_later_data_changes_nothing(world: &World, date: Date, end: Date, now: Timestamp) {
    let then = built(&world.warehouse, date, date, now).await;
    let later = built(&world.warehouse, date, end, now).await;
    assert!(!then.rows.is_empty(), "{date} has rows");
    assert_eq!(then, later, "{date}: later data changed an earlier feature");
    for row in &then.rows {
        // Incident 85: what is stored about a row is derived from it, by the one who writes it.
        let quality = rules::quality::of(rules::contract(), &row.vector);
        assert_eq!(row.required_default_count, quality.required_default_count);
        assert!((row.quality_score - quality.score).abs() < 1e-12);
    }
}

#[tokio::test]
async fn incident_85_and_77_simulated_days_are_the_same_whatever_comes_later() {
    for seed in [3, 11] {
        let world = World::new().await;
        let last = Date::constant(2026, 1, 23);
        let from = Date::constant(2026, 1, 2);
        let options = SimOptions { from, days: 22, games_per_day: 4, ..SimOptions::ending(last, seed) };
        let sim = days(&options, &world.path("sim")).unwrap();
        let files: Vec<_> = sim.files.iter().chain(&sim.late_files).cloned().collect();
        world.ingest_at(&files, &sim.as_of.to_string()).await;
        for back in [1, 6, 12] {
            let date = last.checked_sub(back.days()).unwrap();
            assert_later_data_changes_nothing(&world, date, last, sim.as_of).await;
        }
    }
}
