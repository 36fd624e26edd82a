//! Odds of every shape: what comes out of them, and what one bad quote costs.

use jiff::civil::Date;
use pipeline::ingest::FileState;
use proto::Market;
use warehouse::AsOf;

use crate::fixtures::{World, at, book, event, gz, market, pair, world};

const UPDATED: &str = "2024-03-29T18:58:54Z";

fn two_books() -> String {
    let points = [pair("Aaron Ace", "24.5", "-110", "-110"), pair("Herb Jones", "11.5", "-115", "-105")];
    event(
        "e1",
        &[
            book("draftkings", &[market("player_points", UPDATED, &points)]),
            book("fanduel", &[market("player_points", "2024-03-29T18:30:00Z", &points)]),
        ],
    )
}

async fn lines(world: &World) -> Vec<String> {
    world
        .sql(
            "SELECT event_id, book, market, player_lookup, line, over_price, under_price, is_main, player_resolved
             FROM lines ORDER BY 1, 2, 3, 4, 5",
        )
        .await
}

#[tokio::test]
async fn every_json_shape_gives_the_same_quotes() {
    let event = two_books();
    let wrapped = format!(r#"{{"timestamp":"{UPDATED}","previous_timestamp":null,"data":{event}}}"#);
    let wrapped_list = format!(r#"{{"timestamp":"{UPDATED}","data":[{event}]}}"#);
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&event).unwrap()).unwrap();
    let shapes = [
        ("object.json", event.clone()),
        ("list.json", format!("[{event}]")),
        ("lines.jsonl", format!("{event}\n")),
        ("pretty.json", pretty),
        ("wrapped.json", wrapped),
        ("wrapped_list.json", wrapped_list),
    ];
    let mut first = None;
    for (name, text) in shapes {
        let world = world().await;
        let report = world.take(name, text).await;
        assert_eq!(
            (report.kind.as_str(), report.read, report.new),
            ("odds_v4_json", 8, 8),
            "{name}: {report:?}"
        );
        let found = lines(&world).await;
        assert_eq!(found.len(), 4, "{name}");
        assert_eq!(*first.get_or_insert(found.clone()), found, "{name}");
        let snapshots = world.sql("SELECT DISTINCT snapshot_at FROM lines").await;
        assert_eq!(
            snapshots,
            ["2024-03-29T18:58:54.000000Z"],
            "{name}: the event's newest update is its snapshot"
        );
    }
    let packed = world().await;
    assert_eq!(packed.take("packed.json.gz", gz(two_books())).await.new, 8);
    assert_eq!(Some(lines(&packed).await), first);
}

#[tokio::test]
async fn names_resolve_exactly_by_alias_and_without_suffix() {
    let world = world().await;
    let people = ["Aaron Ace", "Bo Bunyan", "Herb Jones", "Nobody Known"]
        .map(|name| pair(name, "10.5", "-110", "-110"));
    let text = event("e1", &[book("draftkings", &[market("player_points", UPDATED, &people)])]);
    world.take("e.json", text).await;
    let found = world.sql("SELECT player_name, player_lookup, player_resolved FROM lines ORDER BY 1").await;
    let wanted = [
        "Aaron Ace|aaronacejr|1", // incident 63: the odds leave the suffix out
        "Bo Bunyan|bobunyan|1",   // incident 64: or the accent
        "Herb Jones|herbertjones|1",
        "Nobody Known|nobodyknown|0",
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn alternates_are_stored_and_never_main() {
    let world = world().await;
    let points = [
        pair("Aaron Ace", "22.5", "-190", "145"),
        pair("Aaron Ace", "24.5", "-115", "-105"),
        pair("Aaron Ace", "26.5", "150", "-195"),
    ];
    let text = event("e1", &[book("betrivers", &[market("player_points", UPDATED, &points)])]);
    assert_eq!(world.take("e.json", text).await.new, 6);
    assert_eq!(world.sql("SELECT line, is_main FROM lines ORDER BY 1").await, ["22.5|0", "24.5|1", "26.5|0"]);
}

#[tokio::test]
async fn incident_52_a_quote_is_a_placeholder_by_provenance_never_by_number() {
    let world = world().await;
    let real = market("player_points", UPDATED, &[pair("Aaron Ace", "20.0", "-110", "-110")]);
    let no_book = r#"{"key":"","title":"","markets":[MARKET]}"#
        .replace("MARKET", &market("player_points", UPDATED, &[pair("Bo Bunyan", "20.5", "-110", "-110")]));
    let no_event = event(
        "",
        &[book("fanduel", &[market("player_points", UPDATED, &[pair("Bo Bunyan", "20.5", "-110", "-110")])])],
    );
    let no_snapshot = r#"{"key":"player_points","outcomes":[OUT]}"#
        .replace("OUT", &pair("Bo Bunyan", "9.5", "-110", "-110"));
    let text = format!(
        "{}\n{no_event}\n{}\n",
        event("e1", &[book("draftkings", &[real]), no_book]),
        event("e2", &[book("fanduel", &[no_snapshot])])
    );
    let report = world.take("e.jsonl", text).await;
    assert_eq!((report.new, report.refused.get("placeholder")), (2, Some(&6)), "{report:?}");
    assert_eq!(world.sql("SELECT player_lookup, line FROM lines").await, ["aaronacejr|20"]);
}

#[tokio::test]
async fn incident_57_what_is_seen_or_changed_after_tip_off_shows() {
    let world = world().await;
    let points = [pair("Aaron Ace", "24.5", "-110", "-110")];
    let late_update =
        market("player_points", "2024-03-29T23:40:00Z", &[pair("Bo Bunyan", "14.5", "-110", "-110")]);
    let text = event("e1", &[book("draftkings", &[market("player_points", UPDATED, &points), late_update])]);
    let in_play = format!(
        r#"{{"timestamp":"2024-03-30T00:10:00Z","data":{}}}"#,
        event("e1", &[book("draftkings", &[market("player_points", "2024-03-30T00:09:00Z", &points)])])
    );
    world.take("e.jsonl", format!("{text}\n{in_play}\n")).await;
    let found = world
        .sql("SELECT player_lookup, snapshot_at, minutes_before_tip, market_updated_at > '2024-03-29T23:00' FROM lines ORDER BY 2, 1")
        .await;
    let wanted = [
        // Tip-off is the schedule's 23:00, earlier than the vendor's 23:10.
        "aaronacejr|2024-03-29T18:58:54.000000Z|241|0",
        "bobunyan|2024-03-29T18:58:54.000000Z|241|1",
        "aaronacejr|2024-03-30T00:10:00.000000Z|-70|1",
    ];
    assert_eq!(found, wanted);
    let day: Date = "2024-03-29".parse().unwrap();
    let as_of = AsOf::new(day, at("2024-03-30T12:00:00Z"));
    let readable = world.warehouse.lines_of(&as_of, &Market::points()).await.unwrap();
    assert!(readable.iter().all(|line| line.row.minutes_before_tip > 0), "no in-play snapshot is ever read");
}

#[tokio::test]
async fn incident_58_markets_never_mix() {
    let world = world().await;
    let text = event(
        "e1",
        &[book(
            "draftkings",
            &[
                market("player_points", UPDATED, &[pair("Aaron Ace", "24.5", "-110", "-110")]),
                market("player_rebounds", UPDATED, &[pair("Aaron Ace", "5.5", "-120", "100")]),
                market("batter_hits", UPDATED, &[pair("Aaron Ace", "1.5", "-120", "100")]),
            ],
        )],
    );
    let report = world.take("e.json", text).await;
    assert_eq!((report.new, report.refused.get("wrong_market")), (4, Some(&2)));
    assert_eq!(
        world.sql("SELECT market, line, is_main FROM lines ORDER BY 1").await,
        ["points|24.5|1", "rebounds|5.5|1"]
    );
}

#[tokio::test]
async fn one_bad_quote_costs_itself() {
    let world = world().await;
    let mut outcomes = vec![pair("Aaron Ace", "24.5", "1.91", "1.95")];
    let bad = [
        (r#"{"name":"Over","description":"Bo Bunyan","price":-50,"point":14.5}"#, "price_out_of_range"),
        (r#"{"name":"Over","description":"Bo Bunyan","price":"abc","point":14.5}"#, "bad_field"),
        (r#"{"name":"Over","description":"Bo Bunyan","price":1e400,"point":14.5}"#, "bad_field"),
        (r#"{"name":"Over","description":"Bo Bunyan","price":-110,"point":14.25}"#, "off_grid"),
        (r#"{"name":"Over","description":"Bo Bunyan","point":14.5}"#, "missing_field"),
        (r#"{"name":"Over","price":-110,"point":14.5}"#, "missing_field"),
        (r#"{"name":"Sideways","description":"Bo Bunyan","price":-110,"point":14.5}"#, "bad_field"),
        (r#"{"name":"Over","name":"Under","description":"Bo","price":-110,"point":14.5}"#, "malformed"),
        ("17", "malformed"),
    ];
    outcomes.extend(bad.iter().map(|(text, _)| (*text).to_owned()));
    let broken_book = r#"{"key":"betmgm","markets":"none"}"#.to_owned();
    let text =
        event("e1", &[book("draftkings", &[market("player_points", UPDATED, &outcomes)]), broken_book]);
    let report = world.take("e.json", text).await;
    assert_eq!(report.new, 2, "{report:?}");
    for (_, code) in bad {
        assert!(report.refused.contains_key(code), "{code}: {report:?}");
    }
    assert_eq!(report.num_refused(), bad.len() as u64 + 1);
    let kept = world.sql("SELECT over_price, under_price FROM lines").await;
    assert_eq!(kept, ["1.91|1.95"], "a decimal price stays as the book wrote it");
    let quarantined =
        world.sql("SELECT code, excerpt, game_date FROM quarantine WHERE code = 'off_grid'").await;
    assert!(quarantined[0].contains("14.25") && quarantined[0].ends_with("2024-03-29"), "{quarantined:?}");
}

#[tokio::test]
async fn one_bad_event_costs_itself() {
    let world = world().await;
    let foreign = two_books().replace("Golden State Warriors", "Springfield Isotopes").replace("e1", "e2");
    let other_sport = two_books().replace("basketball_nba", "basketball_wnba");
    let broken = r#"{"id": "e3", "commence_time": {"home_team": 1}, "bookmakers": []}"#;
    let text = format!("[{broken},{foreign},{other_sport},{}]", two_books());
    let report = world.take("e.json", text).await;
    assert_eq!(report.new, 8, "{report:?}");
    assert_eq!(report.refused.get("game_unresolved"), Some(&16));
    assert_eq!(report.refused.get("malformed"), Some(&1));
}

#[tokio::test]
async fn incident_65_an_event_is_the_game_of_the_schedule_on_its_league_date() {
    let world = world().await;
    let late = two_books().replace("2024-03-29T23:10:00Z", "2024-03-30T02:40:00Z").replace("e1", "e2");
    world.take("e.jsonl", format!("{}\n{late}\n", two_books())).await;
    let found = world.sql("SELECT DISTINCT event_id, game_id, game_date FROM lines ORDER BY 1").await;
    assert_eq!(found, ["e1|20240329_GSW_CHA|2024-03-29", "e2|20240329_GSW_CHA|2024-03-29"]);
    assert_eq!(world.count("SELECT count(*) FROM games WHERE game_date = '2024-03-29'").await, 1);
}

#[tokio::test]
async fn an_event_without_a_game_announces_it() {
    let world = World::new().await;
    let listed = r#"[{"id":"e9","sport_key":"basketball_nba","commence_time":"2025-12-14T01:30:00Z",
        "home_team":"Orlando Magic","away_team":"New York Knicks"}]"#;
    let report = world.take("events.json", listed).await;
    assert_eq!((report.kind.as_str(), report.read, report.new), ("odds_events", 1, 1));
    assert_eq!(
        world.sql("SELECT game_id, status, season, phase FROM games").await,
        ["20251213_NYK_ORL|scheduled|2025|regular"]
    );
}

#[tokio::test]
async fn spreads_and_totals_become_game_lines() {
    let world = world().await;
    let side = |name: &str, point: &str| format!(r#"{{"name":"{name}","price":1.91,"point":{point}}}"#);
    let spreads = [side("Charlotte Hornets", "6.5"), side("Golden State Warriors", "-6.5")];
    let totals = [side("Over", "221.5"), side("Under", "221.5")];
    let h2h = [r#"{"name":"Charlotte Hornets","price":2.9}"#.to_owned()];
    let text = event(
        "e1",
        &[book(
            "fanduel",
            &[
                market("spreads", UPDATED, &spreads),
                market("totals", UPDATED, &totals),
                market("h2h", UPDATED, &h2h),
            ],
        )],
    );
    let report = world.take("e.json", text).await;
    assert_eq!((report.read, report.new, report.refused.get("not_used")), (5, 4, Some(&1)), "{report:?}");
    let found = world.sql("SELECT game_id, book, home_spread, total FROM game_lines").await;
    assert_eq!(found, ["20240329_GSW_CHA|fanduel|6.5|221.5"]);
}

#[tokio::test]
async fn a_quote_repeated_is_known_and_contradicted_is_refused() {
    let world = world().await;
    let points = [
        pair("Aaron Ace", "24.5", "-110", "-110"),
        pair("Aaron Ace", "24.5", "-110", "-110"),
        pair("Aaron Ace", "24.5", "-125", "-105"),
    ];
    let text = event("e1", &[book("draftkings", &[market("player_points", UPDATED, &points)])]);
    let report = world.take("e.json", text).await;
    let found = (report.read, report.new, report.known, report.refused.get("duplicate_quote"));
    assert_eq!(found, (6, 2, 2, Some(&2)), "{report:?}");
}

#[tokio::test]
async fn tables_paired_and_by_side_give_the_same_quotes() {
    let by_side = "\
snapshot_file_date,event_id,sport_key,commence_time,game_date_et,home_team,away_team,bookmaker_key,bookmaker_title,market_key,market_last_update,outcome_name,outcome_description,outcome_price,outcome_point
2024-03-29,e1,basketball_nba,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,draftkings,DraftKings,player_points,2024-03-29T18:58:54Z,Over,Aaron Ace,-110,24.5
2024-03-29,e1,basketball_nba,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,fanduel,FanDuel,player_points,2024-03-29T18:30:00Z,Over,Aaron Ace,-110,24.5
2024-03-29,e1,basketball_nba,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,fanduel,FanDuel,player_points,2024-03-29T18:30:00Z,Under,Aaron Ace,-110,24.5
2024-03-29,e1,basketball_nba,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,draftkings,DraftKings,player_points,2024-03-29T18:58:54Z,Under,Aaron Ace,-110,24.5
";
    let paired = "\
snapshot_file,event_id,commence_time,game_date_et,home_team,away_team,bookmaker,market,player,line,over_price,under_price
20240329_185854,e1,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,draftkings,player_points,Aaron Ace,24.5,-110,-110
20240329_185854,e1,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,FanDuel,player_points,Aaron Ace,24.5,-110,-110
";
    let (a, b) = (world().await, world().await);
    let report = a.take("sides.csv", by_side).await;
    assert_eq!((report.read, report.new), (4, 4), "two source rows a quote");
    let report = b.take("pairs.csv", paired).await;
    assert_eq!((report.read, report.new), (2, 2));
    let found = lines(&a).await;
    assert_eq!((found.len(), &found), (2, &lines(&b).await));
    let snapshot = "SELECT DISTINCT snapshot_at FROM lines";
    assert_eq!(a.sql(snapshot).await, b.sql(snapshot).await, "a date alone means the event's newest update");
    // The same quotes from the other file are known: each natural key goes in once.
    assert_eq!(a.take("pairs.csv", paired).await.known, 2);
}

#[tokio::test]
async fn one_side_missing_is_stored_as_one_sided() {
    let world = world().await;
    let paired = "\
snapshot_file,event_id,commence_time,game_date_et,home_team,away_team,bookmaker,market,player,line,over_price,under_price
20240329_170000,e1,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,draftkings,player_points,Aaron Ace,24.5,-110,
20240329_170000,e1,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,draftkings,player_points,Bo Bunyan,24.5,,
";
    let report = world.take("pairs.csv", paired).await;
    assert_eq!((report.new, report.refused.get("missing_field")), (1, Some(&1)));
    assert_eq!(world.sql("SELECT over_price, under_price FROM lines").await, ["-110|"]);
}

#[tokio::test]
async fn odds_wait_for_no_order_of_files() {
    let world = World::new().await;
    let files = [
        world.write("a_odds.json", two_books()),
        world.write("b_box.csv", crate::fixtures::BOX),
        world.write("c_schedule.csv", crate::fixtures::SCHEDULE),
        world.write("d_aliases.csv", crate::fixtures::ALIASES),
    ];
    let report = world.ingest(&files).await;
    assert!(report.files.iter().all(|f| f.state == FileState::Ingested), "{report:?}");
    assert_eq!(
        world.count("SELECT count(*) FROM lines WHERE player_resolved AND game_id IS NOT NULL").await,
        4
    );
}
