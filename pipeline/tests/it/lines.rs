//! What follows from quotes: tags, minutes, changes, summaries, names that find their player later.

use std::path::PathBuf;

use pipeline::ingest::{IngestOptions, run};
use pipeline::names;
use proto::PlayerLookup;
use rules::lines::LinePolicy;

use crate::fixtures::{ALIASES, BOX, SCHEDULE, World, at, book, event, market, pair, world};

/// Tip-off of the event in fixtures is 23:10 by the vendor and 23:00 by the schedule.
fn seen(at: &str, books: &[String]) -> String {
    format!(r#"{{"timestamp":"{at}","data":{}}}"#, event("e1", books))
}

fn points(book_key: &str, updated: &str, player: &str, line: &str, over: &str, under: &str) -> String {
    book(book_key, &[market("player_points", updated, &[pair(player, line, over, under)])])
}

fn ace(at: &str, line: &str, over: &str) -> String {
    seen(at, &[points("draftkings", at, "Aaron Ace", line, over, "-110")])
}

async fn tags(world: &World) -> Vec<String> {
    world
        .sql("SELECT substr(snapshot_at, 12, 5), tag, minutes_before_tip FROM lines ORDER BY snapshot_at")
        .await
}

#[tokio::test]
async fn tags_follow_from_all_snapshots_in_whatever_order_they_come() {
    let world = world().await;
    world.take("b.json", ace("2024-03-29T20:00:00Z", "24.5", "-110")).await;
    assert_eq!(tags(&world).await, ["20:00|opening_line|180"], "the only one is the opening line");
    world.take("c.json", ace("2024-03-29T22:00:00Z", "24.5", "-110")).await;
    assert_eq!(tags(&world).await, ["20:00|opening_line|180", "22:00|closing_line|60"]);
    world.take("a.json", ace("2024-03-29T15:00:00Z", "24.5", "-110")).await;
    let wanted = ["15:00|opening_line|480", "20:00|morning_line|180", "22:00|closing_line|60"];
    assert_eq!(tags(&world).await, wanted, "an earlier snapshot arrived late");
}

#[tokio::test]
async fn incident_57_quotes_in_play_have_no_tag_and_no_summary() {
    let world = world().await;
    world.take("a.json", ace("2024-03-29T20:00:00Z", "24.5", "-110")).await;
    world.take("b.json", ace("2024-03-29T23:05:00Z", "30.5", "-110")).await;
    // The schedule says 23:00: five minutes before the vendor's tip-off the game is on.
    assert_eq!(tags(&world).await, ["20:00|opening_line|180", "23:05||-5"]);
    let summaries = world.sql("SELECT substr(snapshot_at, 12, 5), median_line FROM line_summaries").await;
    assert_eq!(summaries, ["20:00|24.5"]);
    let changes = world.sql("SELECT line FROM line_changes").await;
    assert_eq!(changes, ["24.5"], "a move in play is no move of the line");
}

#[tokio::test]
async fn changes_are_apart_from_heartbeats() {
    let world = world().await;
    for (n, (line, over)) in
        [("24.5", "-110"), ("24.5", "-110"), ("25.5", "-110"), ("25.5", "-115"), ("25.5", "-115")]
            .into_iter()
            .enumerate()
    {
        let seen_at = format!("2024-03-29T{}:00:00Z", 15 + n);
        world.take(&format!("{n}.json"), ace(&seen_at, line, over)).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM lines").await, 5, "every heartbeat is stored");
    let changes = world
        .sql(
            "SELECT substr(snapshot_at, 12, 2), line_before, line, line_move, over_price_before, over_price
             FROM line_changes WHERE game_date = '2024-03-29' ORDER BY snapshot_at",
        )
        .await;
    assert_eq!(changes, ["15||24.5|||-110", "17|24.5|25.5|1|-110|-110", "18|25.5|25.5|0|-110|-115"]);
}

#[tokio::test]
async fn incident_58_the_books_are_summed_up_market_by_market() {
    let world = world().await;
    let at = "2024-03-29T20:00:00Z";
    let both = |key: &str, points: &str, assists: &str| {
        let one =
            |market_key: &str, line: &str| market(market_key, at, &[pair("Aaron Ace", line, "-110", "-110")]);
        book(key, &[one("player_points", points), one("player_assists", assists)])
    };
    let books = [
        both("draftkings", "24.5", "5.5"),
        both("fanduel", "25.5", "5.5"),
        both("betonlineag", "23.5", "6.5"),
        both("bovada", "31.5", "5.5"),
    ];
    world.take("a.json", seen(at, &books)).await;
    let found = world
        .sql(
            "SELECT market, num_books, median_line, outliers, sharp_line, soft_line, no_vig_over, minutes_before_tip
             FROM line_summaries ORDER BY 1",
        )
        .await;
    // What one market says is never in another's figures.
    let wanted = ["assists|3|5.5|[]|6.5|5.5|0.5|180", "points|3|24.5|[\"bovada\"]|23.5|25|0.5|180"];
    assert_eq!(found, wanted);
    // Another book arrives in another file, for the same snapshot: the figures are those of all four.
    world.take("late.json", seen(at, &[both("betmgm", "25.5", "5.5")])).await;
    let found = world.sql("SELECT market, num_books, median_line FROM line_summaries ORDER BY 1").await;
    assert_eq!(found, ["assists|4|5.5", "points|4|25"]);
}

#[tokio::test]
async fn summaries_count_the_books_that_are_configured() {
    let world = world().await;
    let at = "2024-03-29T20:00:00Z";
    let quote = |book: &str, line: &str| points(book, at, "Aaron Ace", line, "-110", "-110");
    let path = world.write(
        "a.json",
        seen(at, &[quote("draftkings", "24.5"), quote("fanduel", "26.5"), quote("bovada", "31.5")]),
    );
    let configured = LinePolicy {
        exclude: vec!["draftkings".to_owned()],
        not_in_consensus: Vec::new(),
        ..LinePolicy::default()
    };
    let options = IngestOptions::at(crate::fixtures::at(crate::fixtures::NOW)).with_lines(configured.clone());
    run(&world.warehouse, &[path], options, |_| {}).await.unwrap();
    let summary = "SELECT num_books, median_line FROM line_summaries";
    assert_eq!(world.sql(summary).await, ["2|29"], "not DraftKings, and Bovada");

    // Names that find their player later are summed up by the same books.
    world.take("b.json", seen(at, &[points("draftkings", at, "A. Ace", "24.5", "-110", "-110")])).await;
    let (ace, now) = ("aaronacejr".parse().unwrap(), crate::fixtures::at("2024-04-02T12:00:00Z"));
    let done = names::alias(&world.warehouse, &configured, "A. Ace", &ace, now, false, false).await.unwrap();
    assert_eq!(done.rows_resolved, 0, "DraftKings quotes him already: {done:?}");
    world.take("c.json", seen(at, &[points("betmgm", at, "Ace Aaron", "30.5", "-110", "-110")])).await;
    names::alias(&world.warehouse, &configured, "Ace Aaron", &ace, now, false, false).await.unwrap();
    assert_eq!(world.sql(summary).await, ["3|30.5"], "still not DraftKings");
}

#[tokio::test]
async fn a_moved_tip_off_moves_what_follows_from_it() {
    let world = world().await;
    world.take("a.json", ace("2024-03-29T15:00:00Z", "24.5", "-110")).await;
    world.take("b.json", ace("2024-03-29T20:30:00Z", "25.5", "-110")).await;
    assert_eq!(world.count("SELECT count(*) FROM line_summaries").await, 2);
    // To four in the afternoon New York time, 20:00 UTC: the second snapshot was in play.
    let moved = SCHEDULE.replace("2024-03-29,19:00:00", "2024-03-29,16:00:00");
    let path = world.write("moved.csv", moved);
    world.ingest_at(&[path], "2024-04-02T12:00:00Z").await;
    assert_eq!(tags(&world).await, ["15:00|opening_line|300", "20:30||-30"]);
    let summaries =
        world.sql("SELECT substr(snapshot_at, 12, 2), minutes_before_tip FROM line_summaries").await;
    assert_eq!(summaries, ["15|300"]);
}

#[tokio::test]
async fn a_tip_off_that_the_vendor_moves_is_that_of_earlier_snapshots_too() {
    let world = World::new().await;
    let at_three = ace("2024-03-29T15:00:00Z", "24.5", "-110");
    world.take("a.json", at_three).await;
    let later = ace("2024-03-29T20:00:00Z", "25.5", "-110").replace("T23:10:00Z", "T22:10:00Z");
    world.take("b.json", later).await;
    assert_eq!(tags(&world).await, ["15:00|opening_line|430", "20:00|closing_line|130"]);
}

#[tokio::test]
async fn incident_63_a_name_finds_its_player_when_the_roster_arrives_later() {
    let world = World::new().await;
    let files = |files: &[(&str, &str)]| -> Vec<PathBuf> {
        files.iter().map(|(name, text)| world.write(name, text)).collect()
    };
    let at_noon = "2024-03-29T16:00:00Z";
    let books = ["Aaron Ace", "Herb Jones", "Nobody Known"]
        .map(|name| market("player_points", at_noon, &[pair(name, "10.5", "-110", "-110")]));
    let odds = seen(at_noon, &[book("draftkings", &books)]);
    world.ingest(&files(&[("schedule.csv", SCHEDULE), ("odds.json", &odds)])).await;
    let names = || async { world.sql("SELECT player_lookup, player_resolved FROM lines ORDER BY 1").await };
    assert_eq!(names().await, ["aaronace|0", "herbjones|0", "nobodyknown|0"]);
    assert_eq!(world.count("SELECT count(*) FROM line_summaries").await, 0);

    // Box scores arrive: the suffix is found. The alias comes a day later.
    let report = world.ingest_at(&files(&[("box.csv", BOX)]), "2024-04-02T12:00:00Z").await;
    assert_eq!((report.resolved_again, report.is_clean()), (1, true), "{report:?}");
    assert_eq!(names().await, ["aaronacejr|1", "herbjones|0", "nobodyknown|0"]);
    let report = world.ingest_at(&files(&[("aliases.csv", ALIASES)]), "2024-04-03T12:00:00Z").await;
    assert_eq!(report.resolved_again, 1, "{report:?}");
    assert_eq!(names().await, ["aaronacejr|1", "herbertjones|1", "nobodyknown|0"]);
    let summed = world.sql("SELECT player_lookup FROM line_summaries ORDER BY 1").await;
    assert_eq!(summed, ["aaronacejr", "herbertjones"]);
    // Who is still nobody is listed, and a second look changes nothing.
    let left = names::unresolved(&world.warehouse).await.unwrap();
    assert_eq!((left.names.len(), left.names[0].name.as_str()), (1, "Nobody Known"));
    assert_eq!((left.sources[0].names, left.sources[0].unresolved), (3, 1));
    assert_eq!(world.ingest_at(&files(&[("box.csv", BOX)]), "2024-04-04T12:00:00Z").await.resolved_again, 0);
}

#[tokio::test]
async fn incident_60_a_report_about_somebody_unknown_finds_him_when_he_is_known() {
    let world = World::new().await;
    let files = |files: &[(&str, &str)]| -> Vec<PathBuf> {
        files.iter().map(|(name, text)| world.write(name, text)).collect()
    };
    let reports = "reported_at,player,team,status,note\n\
        2024-03-29T12:00:00Z,Aaron Ace,GSW,out,knee\n\
        2024-03-29T12:00:00Z,Herb Jones,CHA,questionable,back\n\
        2024-03-29T12:00:00Z,Bo Bünyan,,out,flu\n\
        2024-03-29T12:00:00Z,Nobody Known,CHA,out,toe\n";
    world.ingest(&files(&[("schedule.csv", SCHEDULE), ("injuries.csv", reports)])).await;
    let names = || async {
        world.sql("SELECT player_lookup, player_resolved, player_name FROM injuries ORDER BY 1").await
    };
    let waiting = [
        "aaronace|0|Aaron Ace",
        "bobunyan|0|Bo Bünyan",
        "herbjones|0|Herb Jones",
        "nobodyknown|0|Nobody Known",
    ];
    assert_eq!(names().await, waiting);

    let report = world.ingest_at(&files(&[("box.csv", BOX)]), "2024-04-02T12:00:00Z").await;
    assert_eq!(
        (report.resolved_again, report.reports_resolved_again),
        (0, 2),
        "a suffix, and a name without team"
    );
    let report = world.ingest_at(&files(&[("aliases.csv", ALIASES)]), "2024-04-03T12:00:00Z").await;
    assert_eq!(report.reports_resolved_again, 1, "{report:?}");
    let found = [
        "aaronacejr|1|Aaron Ace",
        "bobunyan|1|Bo Bünyan",
        "herbertjones|1|Herb Jones",
        "nobodyknown|0|Nobody Known",
    ];
    assert_eq!(names().await, found);
    // He is out from now on, and what was built of nobody is behind.
    let as_of = warehouse::AsOf::new("2024-03-29".parse().unwrap(), at("2024-03-29T20:00:00Z"));
    let injuries = world.warehouse.injuries_before(&as_of).await.unwrap();
    assert_eq!(injuries[&"aaronacejr".parse::<PlayerLookup>().unwrap()].status, proto::InjuryStatus::Out);
    let since = "SELECT ingested_at FROM injuries WHERE player_lookup = 'aaronacejr'";
    assert_eq!(world.sql(since).await, ["2024-04-02T12:00:00.000000Z"]);

    // Who is still nobody is listed with where he stands; a person says whom he means, and then somebody else.
    let left = names::unresolved(&world.warehouse).await.unwrap().names;
    assert_eq!((left.len(), left[0].name.as_str(), left[0].reports, left[0].rows), (1, "Nobody Known", 1, 0));
    assert_eq!(left[0].newest_report, Some("2024-03-29".parse().unwrap()));
    assert_eq!(left[0].teams.iter().map(ToString::to_string).collect::<Vec<_>>(), ["CHA"]);
    let now = at("2024-04-04T12:00:00Z");
    let say = async |player: &str, anyway| {
        let player: PlayerLookup = player.parse().unwrap();
        let lines = LinePolicy::default();
        names::alias(&world.warehouse, &lines, "Nobody Known", &player, now, false, anyway).await
    };
    let refused = say("bobunyan", false).await.unwrap_err().to_string();
    assert!(refused.contains("none of the teams in the 0 games and 1 reports"), "{refused}");
    assert_eq!(say("bobunyan", true).await.unwrap().reports_resolved, 1);
    let done = say("herbertjones", false).await.unwrap();
    assert_eq!(done.reports_resolved, 1, "taken from one and given to the other: {done:?}");
    assert!(names().await.contains(&"herbertjones|1|Nobody Known".to_owned()));
    assert!(names::unresolved(&world.warehouse).await.unwrap().names.is_empty());
}

#[tokio::test]
async fn names_are_looked_at_again_although_the_process_that_brought_the_roster_died() {
    let world = World::new().await;
    let noon = "2024-03-29T16:00:00Z";
    let odds = seen(noon, &[points("draftkings", noon, "Aaron Ace", "24.5", "-110", "-110")]);
    let files = [world.write("schedule.csv", SCHEDULE), world.write("odds.json", odds)];
    world.ingest(&files).await;
    // Box scores go in, and nothing after them is done.
    let half = World::new().await;
    half.ingest(&[half.write("box.csv", BOX)]).await;
    let as_of = warehouse::AsOf::new("2024-04-01".parse().unwrap(), at("2024-04-01T12:00:00Z"));
    let rows = half.warehouse.player_games_before(&as_of, jiff::civil::Date::MIN).await.unwrap();
    let batch = warehouse::IngestBatch {
        player_games: rows.into_iter().map(|stamped| stamped.row).collect(),
        ..Default::default()
    };
    let mut tx = world.warehouse.begin_ingest("box.csv", at("2024-04-02T12:00:00Z")).await.unwrap();
    tx.add(&batch).await.unwrap();
    tx.commit_without_file().await.unwrap();
    let unresolved = "SELECT count(*) FROM lines WHERE NOT player_resolved";
    assert_eq!(world.count(unresolved).await, 1);
    // The next run finds every file known, and looks at the names all the same.
    assert_eq!(world.ingest_at(&files, "2024-04-03T12:00:00Z").await.resolved_again, 1);
    assert_eq!(world.count(unresolved).await, 0);
}

#[tokio::test]
async fn a_person_says_whom_a_spelling_means() {
    let world = world().await;
    let noon = "2024-03-29T16:00:00Z";
    let names_quoted = [pair("B. Bunyan", "10.5", "-110", "-110"), pair("Aaron Ace", "24.5", "-110", "-110")];
    world
        .take("o.json", seen(noon, &[book("fanduel", &[market("player_points", noon, &names_quoted)])]))
        .await;
    let listed = names::unresolved(&world.warehouse).await.unwrap().names.remove(0);
    let candidates: Vec<&str> = listed.candidates.iter().map(PlayerLookup::as_str).collect();
    assert_eq!((listed.name.as_str(), candidates), ("B. Bunyan", vec!["bobunyan"]));

    let now = at("2024-04-02T12:00:00Z");
    let key = |text: &str| text.parse::<PlayerLookup>().unwrap();
    let say = |player: &str, dry: bool| {
        let player = key(player);
        let warehouse = world.warehouse.clone();
        async move {
            names::alias(&warehouse, &LinePolicy::default(), "B. Bunyan", &player, now, dry, false).await
        }
    };
    let error = say("bobunyam", false).await.unwrap_err().to_string();
    assert!(error.contains("bobunyam") && error.contains("not found"), "{error}");
    let error = say("bbunyan", false).await.unwrap_err().to_string();
    assert!(error.contains("not found") || error.contains("own name"), "{error}");

    let dry = say("bobunyan", true).await.unwrap();
    assert_eq!((dry.games, dry.rows_waiting, dry.rows_resolved, dry.games_of_other_teams), (1, 1, 0, 0));
    assert_eq!(world.count("SELECT count(*) FROM player_aliases WHERE alias = 'bbunyan'").await, 0);

    // The wrong man first: what was given to him goes to the right one.
    assert_eq!(say("aaronacejr", false).await.unwrap().rows_resolved, 1);
    let done = say("bobunyan", false).await.unwrap();
    assert_eq!((done.before, done.rows_resolved), (Some(key("aaronacejr")), 1));
    let found = world.sql("SELECT player_name, player_lookup FROM lines ORDER BY 1").await;
    assert_eq!(found, ["Aaron Ace|aaronacejr", "B. Bunyan|bobunyan"]);
    let summed = world.sql("SELECT player_lookup, num_books FROM line_summaries ORDER BY 1").await;
    assert_eq!(summed, ["aaronacejr|1", "bobunyan|1"]);
}

#[tokio::test]
async fn a_player_of_other_teams_is_refused_until_somebody_insists() {
    let world = world().await;
    let stranger = BOX.lines().next().unwrap().to_owned()
        + "\n2023-24,regular,0022301002,2024-03-20,9,Far Away,9,BOS,NYK,0,W,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10\n";
    world.take("stranger.csv", stranger).await;
    let noon = "2024-03-29T16:00:00Z";
    world.take("o.json", seen(noon, &[points("fanduel", noon, "F. Away", "10.5", "-110", "-110")])).await;
    let (now, player) = (at("2024-04-02T12:00:00Z"), "faraway".parse::<PlayerLookup>().unwrap());
    let refused =
        names::alias(&world.warehouse, &LinePolicy::default(), "F. Away", &player, now, false, false)
            .await
            .unwrap_err();
    assert!(refused.to_string().contains("none of the teams"), "{refused}");
    let done = names::alias(&world.warehouse, &LinePolicy::default(), "F. Away", &player, now, false, true)
        .await
        .unwrap();
    assert_eq!((done.rows_resolved, done.games_of_other_teams), (1, 1));
}

#[tokio::test]
async fn incident_64_a_source_whose_names_do_not_join_raises_an_alert() {
    let world = world().await;
    let noon = "2024-03-29T16:00:00Z";
    let strangers: Vec<String> =
        (0..30).map(|n| pair(&format!("Unknown Person{n}"), "10.5", "-110", "-110")).collect();
    world.take("o.json", seen(noon, &[book("fanduel", &[market("player_points", noon, &strangers)])])).await;
    let alerts = world.warehouse.open_alerts().await.unwrap();
    assert_eq!(
        (alerts.len(), alerts[0].code.as_str(), alerts[0].subject.as_str()),
        (1, "join_rate", "odds_api")
    );
    assert!(alerts[0].sentence.contains("30 of 30 names"), "{alerts:?}");
}

#[tokio::test]
async fn spreads_and_totals_imply_what_each_team_scores() {
    let world = world().await;
    let noon = "2024-03-29T16:00:00Z";
    let outcome = |name: &str, point: &str| format!(r#"{{"name":"{name}","price":1.91,"point":{point}}}"#);
    let spreads = market(
        "spreads",
        noon,
        &[outcome("Charlotte Hornets", "6.5"), outcome("Golden State Warriors", "-6.5")],
    );
    let totals = market("totals", noon, &[outcome("Over", "221.5"), outcome("Under", "221.5")]);
    world.take("g.json", seen(noon, &[book("fanduel", &[spreads, totals])])).await;
    let found =
        world.sql("SELECT home_spread, total, home_implied_total, away_implied_total FROM game_lines").await;
    assert_eq!(found, ["6.5|221.5|107.5|114"], "the visitors are favoured");
}
