//! Everything hostile that a source may send: each has a code and a sentence in the quarantine, where people look, and the
//! good that stands beside it goes in.

use std::fmt::Write;

use pipeline::ingest::{FileState, Kind, read};

use crate::fixtures::{BOX, SCHEDULE, World, book, event, gz, market, pair, world};

const SEEN: &str = "2024-03-29T18:58:54Z";

fn good(id: &str) -> String {
    let points = [pair("Aaron Ace", "24.5", "-110", "-110")];
    event(id, &[book("draftkings", &[market("player_points", SEEN, &points)])])
}

/// An event with one quote, after a change of its text.
fn with(from: &str, to: &str) -> String {
    let text = good("bad");
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// What the quarantine says, code and sentence.
async fn quarantined(world: &World) -> Vec<String> {
    world.sql("SELECT code || ': ' || sentence FROM quarantine ORDER BY code, sentence").await
}

#[tokio::test]
async fn hostile_events_cost_themselves_and_say_why() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let cases: Vec<(&str, String)> = vec![
        ("10,000 lists deep", with(r#""bookmakers":["#, &format!(r#""bookmakers":[{deep},"#))),
        ("10,000 objects deep", with(r#""id":"bad""#, &format!(r#""id":{objects}"#))),
        ("nothing but depth", deep.clone()),
        ("a price of 1e400", with(r#""price":-110"#, r#""price":1e400"#)),
        ("a point of 1e400", with(r#""point":24.5"#, r#""point":1e400"#)),
        ("a point of 1e-400", with(r#""point":24.5"#, r#""point":1e-400"#)),
        ("a key twice", with(r#""id":"bad""#, r#""id":"bad","id":"worse""#)),
        ("a key twice in an outcome", with(r#""price":-110"#, r#""price":-110,"price":-250"#)),
        ("a number for an id", with(r#""id":"bad""#, r#""id":5"#)),
        (
            "a list for a time",
            with(r#""commence_time":"2024-03-29T23:10:00Z""#, r#""commence_time":["2024"]"#),
        ),
        ("a text for the books", with(r#""bookmakers":["#, r#""bookmakers":"none","more":["#)),
        ("an object for a price", with(r#""price":-110"#, r#""price":{"american":-110}"#)),
        ("true for a player", with(r#""description":"Aaron Ace""#, r#""description":true"#)),
        ("a time that is none", with("2024-03-29T23:10:00Z", "tonight")),
        ("a year far away", with("2024-03-29T23:10:00Z", "-009999-01-01T00:00:00Z")),
        ("the last moment there is", with("2024-03-29T23:10:00Z", "9999-12-30T22:00:00Z")),
        ("an endless id", with(r#""id":"bad""#, &format!(r#""id":"{}""#, "x".repeat(5_000)))),
        ("an id with a zero", with(r#""id":"bad""#, r#""id":"b\u0000d""#)),
        ("a line below zero", with(r#""point":24.5"#, r#""point":-24.5"#)),
        ("prices within (-100, 100)", with(r#""price":-110"#, r#""price":-99"#)),
        ("a price of nothing", with(r#""price":-110"#, r#""price":0"#)),
        ("a name of signs", with("Aaron Ace", "?!")),
        ("a name with a zero", with("Aaron Ace", "Aaron\\u0000Ace")),
        ("a lone surrogate", with("Aaron Ace", "Aaron \\ud800")),
        ("no book", with(r#""key":"draftkings","title":"draftkings""#, r#""key":"","title":"""#)),
        ("another sport", with("basketball_nba", "americanfootball_nfl")),
        ("a team of another league", with("Charlotte Hornets", "Melbourne United")),
        ("a team against itself", with("Golden State Warriors", "Charlotte Hornets")),
    ];
    let mut said = String::new();
    for (what, bad) in &cases {
        let world = world().await;
        let report = world.take("odds.json", format!("[{},{bad},{}]", good("e1"), good("e2"))).await;
        assert_eq!(report.state, FileState::Ingested, "{what}: {report:?}");
        let events =
            world.sql("SELECT DISTINCT event_id FROM lines WHERE event_id LIKE 'e%' ORDER BY 1").await;
        assert_eq!(events, ["e1", "e2"], "{what}: whole good events beside it go in");
        let rows = quarantined(&world).await;
        assert!(!rows.is_empty(), "{what} went in unseen");
        writeln!(said, "{what}").unwrap();
        rows.iter().for_each(|row| writeln!(said, "    {row}").unwrap());
    }
    insta::assert_snapshot!(said);
}

#[tokio::test]
async fn fields_that_nobody_knows_yet_change_nothing() {
    let world = world().await;
    let new = with(r#""id":"bad""#, r#""id":"e3","venue":{"name":"x","deep":[[[1]]]},"live":null"#)
        .replace(r#""price":-110"#, r#""price":-110,"bet_limit":500,"link":"x""#);
    let report = world.take("odds.json", new).await;
    assert_eq!((report.new, report.num_refused()), (2, 0), "{report:?}");
}

#[tokio::test]
async fn a_hundred_megabytes_in_one_value_cost_that_value() {
    let world = world().await;
    let huge = with(r#""id":"bad""#, &format!(r#""id":"bad","filler":"{}""#, "x".repeat(100 << 20)));
    let report = world.take("odds.json", format!("[{},{huge},{}]", good("e1"), good("e2"))).await;
    assert_eq!(report.refused.get("too_large"), Some(&1), "{report:?}");
    assert_eq!(world.sql("SELECT DISTINCT event_id FROM lines ORDER BY 1").await, ["e1", "e2"]);
}

#[tokio::test]
async fn answers_that_are_no_data_are_foreign_whatever_their_name() {
    let utf16: Vec<u8> = SCHEDULE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a page under status 200", b"<!DOCTYPE html><title>Just a moment</title>".to_vec()),
        ("an error object", br#"{"message":"API key is missing","error_code":"MISSING_KEY"}"#.to_vec()),
        ("a text", b"Internal Server Error\n".to_vec()),
        ("UTF-16", utf16),
        ("an image", vec![0x89, b'P', b'N', b'G', 0, 1, 2, 3]),
        ("a header with a name missing", SCHEDULE.replacen("home_team,", "", 1).into_bytes()),
        ("another delimiter", SCHEDULE.replace(',', ";").into_bytes()),
        ("packed noise", [&[0x1f, 0x8b], &b"this is not a stream"[..]].concat()),
    ];
    let world = World::new().await;
    let mut said = String::new();
    for (at, (what, bytes)) in cases.iter().enumerate() {
        let report = world.take(&format!("answer_{at}.json"), bytes).await;
        assert_eq!(report.state, FileState::Quarantined, "{what}: {report:?}");
        let codes: Vec<&String> = report.refused.keys().collect();
        writeln!(said, "{what}\n    {}: {}", codes[0], report.sentence).unwrap();
        assert!(read("x", bytes).is_balanced(), "{what}");
    }
    assert_eq!(world.count("SELECT count(*) FROM quarantine").await, cases.len() as u64);
    insta::assert_snapshot!(said);
}

#[tokio::test]
async fn encodings_and_quotes_cost_their_own_rows() {
    let world = World::new().await;
    let row = |id: &str, home: &[u8]| {
        [
            format!("00223010{id},x,2024-03-2{},19:00:00,,A,B,7:00 pm ET,2,1,", &id[1..]).as_bytes(),
            home,
            b",GSW,,,23-24\n",
        ]
        .concat()
    };
    let header = SCHEDULE.lines().next().unwrap();
    let mut bytes = [&[0xef, 0xbb, 0xbf], header.as_bytes(), b"\r\n"].concat();
    bytes.extend(row("01", b"CHA"));
    bytes.extend(row("02", b"Dvo\xf8\xe1k"));
    bytes.extend(row("03", b"C\0A"));
    bytes.extend(row("04", b"\"CHA"));
    bytes.extend(row("05", b"\"CHA\""));
    let report = world.take("schedule.csv", bytes).await;
    assert_eq!((report.new, report.refused.get("malformed")), (2, Some(&3)), "{report:?}");
    insta::assert_snapshot!(quarantined(&world).await.join("\n"));
}

#[tokio::test]
async fn clocks_in_the_future_are_refused_and_nothing_honest_looks_older_for_it() {
    let world = world().await;
    let ahead = "2024-04-01T13:00:00Z"; // now it is twelve
    let tip = |text: String| text.replace("2024-03-29T23:10:00Z", "2024-04-01T23:10:00Z");
    // The vendor's own clock: everything in its answer.
    let wrapped = format!(r#"{{"timestamp":"{ahead}","data":{}}}"#, tip(good("e1")));
    let report = world.take("ahead.json", wrapped).await;
    assert_eq!((report.new, report.refused.get("clock_ahead")), (0, Some(&2)), "{report:?}");
    // One book's clock: its quotes, and the others keep their snapshot.
    let seen = "2024-04-01T11:50:00Z";
    let quotes = [pair("Aaron Ace", "24.5", "-110", "-110")];
    let books = [
        book("draftkings", &[market("player_points", seen, &quotes)]),
        book("fanduel", &[market("player_points", ahead, &quotes)]),
    ];
    let report = world.take("one_ahead.json", tip(event("e2", &books))).await;
    assert_eq!((report.new, report.refused.get("clock_ahead")), (2, Some(&2)), "{report:?}");
    assert_eq!(
        world.sql("SELECT book, snapshot_at FROM lines").await,
        ["draftkings|2024-04-01T11:50:00.000000Z"]
    );
    let injuries = "reported_at,player,team,status,note\n2024-04-02T17:00:00Z,Aaron Ace Jr.,GSW,out,ankle\n";
    let report = world.take("injuries.csv", injuries).await;
    assert_eq!((report.new, report.refused.get("clock_ahead")), (0, Some(&1)), "{report:?}");
    let results = BOX.replace("2024-03-20", "2024-04-02").replace("0022301001", "0022301100");
    let report = world.take("box.csv", results).await;
    assert_eq!((report.new, report.refused.get("clock_ahead")), (0, Some(&3)), "{report:?}");
    assert_eq!(world.count("SELECT count(*) FROM games WHERE game_date > '2024-04-01'").await, 0);
    insta::assert_snapshot!(quarantined(&world).await.join("\n"));
    // When the hour has come, the same file goes in.
    let paths = [world.path("one_ahead.json")];
    let mut options = pipeline::ingest::IngestOptions::at("2024-04-01T14:00:00Z".parse().unwrap());
    options.force = true;
    let again = pipeline::ingest::run(&world.warehouse, &paths, options, |_| {}).await.unwrap();
    assert!(again.is_clean(), "{again:?}");
}

#[tokio::test]
async fn a_player_on_two_teams_and_two_players_of_one_name_are_told() {
    let world = World::new().await;
    let row = |name: &str, id: &str| {
        BOX.lines().nth(1).unwrap().replace("Aaron Ace Jr.", name).replacen(",1,", id, 1)
    };
    let swapped = BOX.lines().nth(1).unwrap().replace("GSW,CHA,0", "CHA,GSW,1");
    let text = format!("{BOX}{swapped}\n{}\n{}\n", row("Aaron Ace Jr", ",77,"), row("Cy Young", ",78,"));
    let report = world.take("box.csv", text).await;
    assert_eq!((report.new, report.refused.get("ambiguous_player")), (4, Some(&2)), "{report:?}");
    let players = "SELECT player_lookup, team, league_player_id FROM player_games ORDER BY 1";
    let found = world.sql(players).await;
    assert!(found.contains(&"aaronacejr|GSW|1".to_owned()), "who came first stands: {found:?}");
    insta::assert_snapshot!(quarantined(&world).await.join("\n"));
}

#[tokio::test]
async fn a_quote_for_a_name_that_fits_two_players_is_unresolved_and_stored() {
    let world = world().await;
    let twins = BOX.replace("Bo Bünyan", "Aaron Ace III");
    world.take("twins.csv", twins).await;
    let report = world.take("odds.json", good("e1")).await;
    assert_eq!(report.new, 2, "{report:?}");
    assert_eq!(world.sql("SELECT player_name, player_resolved FROM lines").await, ["Aaron Ace|0"]);
}

#[tokio::test]
async fn a_team_with_two_games_at_once_keeps_the_one_that_is_known() {
    let world = World::new().await;
    let twice = "0022301074,20240329/LALCHA,2024-03-29,19:30:00,,A,B,7:30 pm ET,2,3,CHA,LAL,,,23-24\n";
    let report = world.take("schedule.csv", format!("{SCHEDULE}{twice}")).await;
    assert_eq!((report.new, report.refused.get("team_twice")), (2, Some(&1)), "{report:?}");
    // The schedule knows whom Charlotte plays; of two games that nobody knows the first one stands.
    let other = good("e2").replace("Golden State Warriors", "Los Angeles Lakers");
    let (first, second) = (
        good("e3")
            .replace("Charlotte Hornets", "Boston Celtics")
            .replace("Golden State Warriors", "Utah Jazz"),
        good("e4")
            .replace("Charlotte Hornets", "Boston Celtics")
            .replace("Golden State Warriors", "Miami Heat"),
    );
    let report = world.take("odds.json", format!("[{},{other},{first},{second}]", good("e1"))).await;
    assert_eq!((report.new, report.refused.get("team_twice")), (4, Some(&4)), "{report:?}");
    assert_eq!(world.sql("SELECT DISTINCT event_id FROM lines ORDER BY 1").await, ["e1", "e3"]);
    insta::assert_snapshot!(quarantined(&world).await.join("\n"));
}

/// One good row of every table that is read, below its header.
const TABLES: [(Kind, &str, &str); 13] = [
    (Kind::Teams, "team_id,team,full_name,nickname", "1610612737,ATL,Atlanta Hawks,Hawks"),
    (Kind::Aliases, "odds_name,box_name", "Herb Jones,Herbert Jones"),
    (
        Kind::ScheduleWallClock,
        "game_id,date_et,time_et,status,home_team,away_team,home_score,away_score,season",
        "0022301001,2024-03-20,19:00:00,Final,CHA,GSW,100.0,110.0,23-24",
    ),
    (
        Kind::ScheduleInstants,
        "game_id,season_year,date_est,datetime_utc,home_tricode,away_tricode",
        "0022300001,2023-24,2024-03-21,2024-03-21 23:30:00+00:00,OKC,HOU",
    ),
    (
        Kind::TeamGames,
        "season,season_type,game_id,game_date,team,opponent,is_home,wl,min,pts,fga,fta,oreb,tov,plus_minus",
        "2023-24,regular,0022301001,2024-03-20,GSW,CHA,0,W,240,110,88,20,10,13,10.0",
    ),
    (
        Kind::BoxScores,
        "season,season_type,game_id,game_date,player_id,player_name,team_id,team,opponent,is_home,wl,min,pts,reb,ast,fgm,fga,fg3m,fg3a,ftm,fta,oreb,dreb,stl,blk,tov,pf,plus_minus",
        "2023-24,regular,0022301001,2024-03-20,1,Aaron Ace Jr.,1,GSW,CHA,0,W,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10",
    ),
    (
        Kind::GameLinesClosing,
        "season,date,away,home,whos_favored,spread,total",
        "2024,2024-03-20,gs,cha,home,3.5,220.5",
    ),
    (
        Kind::InjuryMoves,
        "Date,Team,Acquired,Relinquished,Notes",
        "2024-03-20,Hornets,,Aaron Ace,placed on IL",
    ),
    (
        Kind::InjuryReports,
        "reported_at,player,team,status,note",
        "2024-03-20T17:00:00Z,Aaron Ace,GSW,out,ankle",
    ),
    (
        Kind::OddsTable,
        "snapshot_file_date,event_id,commence_time,game_date_et,home_team,away_team,bookmaker_key,market_key,market_last_update,outcome_name,outcome_description,outcome_price,outcome_point",
        "2024-03-29,e1,2024-03-29T23:10:00Z,2024-03-29,Charlotte Hornets,Golden State Warriors,draftkings,player_points,2024-03-29T18:58:54Z,Over,Aaron Ace,-110,24.5",
    ),
    (
        Kind::OddsTable,
        "source_file_mmddyyyy,event_date,commence_time,home_team,away_team,bookmaker,market,player,over_price,under_price,line",
        "03_29_2024,2024-03-29,2024-03-29T23:10:00Z,Charlotte Hornets,Golden State Warriors,PrizePicks,player_points,Aaron Ace,-137,-137,24.5",
    ),
    (
        Kind::OddsTable,
        "snapshot_file,event_id,commence_time,home_team,away_team,bookmaker,market,player,line,over_price,under_price",
        "20240329_185900,e1,2024-03-29T23:10:00Z,Charlotte Hornets,Golden State Warriors,draftkings,player_points,Aaron Ace,24.5,-110,-110",
    ),
    (
        Kind::OddsTable,
        "timestamp,event_date,commence_time,home_team,away_team,bookmaker,player_name,line,over_price,under_price",
        "2024-03-29T14:32:14,2024-03-29,2024-03-29T23:10:00Z,Charlotte Hornets,Golden State Warriors,DraftKings,Aaron Ace,34.5,-110,-110",
    ),
];

/// What may stand in a field.
const VALUES: [&str; 34] = [
    "",
    " ",
    "0",
    "-1",
    "-0.0",
    "1e308",
    "-1e308",
    "1e400",
    "NaN",
    "inf",
    "0.25",
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999",
    "20.25",
    "-9999-01-01",
    "9999-12-31",
    "2024-02-30",
    "12_31_9999",
    "99991231_235959",
    "-009999-01-02T01:59:59Z",
    "-009999-01-01T00:00:00Z",
    "9999-12-30T22:00:00Z",
    "9999-12-30T22:00:00.999999999",
    "9999-12-30 22:00:00+00:00",
    "24:00:00",
    "'; DROP TABLE lines; --",
    "=cmd|' /C calc'!A0",
    "\"a \"\"quoted\"\" name\"",
    "Ünïcödé Näme",
    "\u{202e}reversed",
    "𝕬𝖆𝖗𝖔𝖓 𝕬𝖈𝖊",
    "•",
    "x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x",
];

#[tokio::test]
async fn no_value_in_any_field_of_any_table_stops_a_run_or_takes_the_good_rows_with_it() {
    for (at, (kind, header, row)) in TABLES.iter().enumerate() {
        let world = World::new().await;
        let fields: Vec<&str> = row.split(',').collect();
        let mut text = format!("{header}\n{row}\n");
        let mut lines = 1;
        for place in 0..fields.len() {
            for value in VALUES {
                let mut changed = fields.clone();
                changed[place] = value;
                writeln!(text, "{}", changed.join(",")).unwrap();
                lines += 1;
            }
        }
        for name in ["table.csv", "packed.csv.gz"] {
            let bytes =
                if name.ends_with(".gz") { gz(format!("{text}\n")) } else { text.clone().into_bytes() };
            let report = world.take(name, bytes).await;
            assert_eq!(
                (report.state, report.kind.as_str()),
                (FileState::Ingested, kind.as_str()),
                "{at}: {report:?}"
            );
            assert_eq!(report.read, lines, "{at} {header}: {report:?}");
            assert!(report.new + report.known >= 1, "{at} {header}: the good row is gone: {report:?}");
        }
        let reading = read("table.csv", text.as_bytes());
        assert!(reading.is_balanced(), "{at} {header}: {reading:?}");
    }
}

/// Found by the test above: the second before the first instant there is, reckoned from a date that has no next day.
#[test]
fn a_date_at_the_end_of_time_costs_its_row_and_does_not_stop_the_reader() {
    let (_, header, row) = TABLES[9];
    for (date, refused) in [("9999-12-31", Some(&1)), ("0001-01-01", Some(&1)), ("2024-03-29", None)] {
        let text = format!("{header}\n{}\n", row.replacen("2024-03-29", date, 1));
        assert_eq!(read("odds.csv", text.as_bytes()).refused.get("bad_field"), refused, "{date}");
    }
}
