//! Schedules, box scores, injuries and the rest, as they stand in the tables.

use crate::fixtures::{ALIASES, BOX, SCHEDULE, World, book, event, market, pair, world};

#[tokio::test]
async fn a_schedule_gives_games_with_their_tip_off() {
    let world = World::new().await;
    let report = world.take("schedule.csv", SCHEDULE).await;
    assert_eq!((report.kind.as_str(), report.new), ("schedule_wall_clock", 2));
    let found = world.sql("SELECT game_id, league_game_id, season, phase, tip_off, status, home_score FROM games ORDER BY 1").await;
    let wanted = [
        "20240320_GSW_CHA|0022301001|2023|regular|2024-03-20T23:00:00.000000Z|final|100",
        "20240329_GSW_CHA|0022301073|2023|regular|2024-03-29T23:00:00.000000Z|scheduled|",
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn the_other_schedule_has_instants() {
    let world = World::new().await;
    let text = "\
game_id,season_year,game_label,game_subtype,game_status_text,date_utc,datetime_utc,date_est,datetime_est,home_team_id,home_tricode,home_city,home_name,away_team_id,away_tricode,away_city,away_name
0022500008,2025-26,,,10:00 pm ET,2025-10-22,2025-10-22 02:00:00+00:00,2025-10-21,2025-10-21 22:00:00+00:00,1,LAL,Los Angeles,Lakers,2,GSW,Golden State,Warriors
0022500009,2025-26,,,10:00 pm ET,2025-10-22,2025-10-22 02:00:00+00:00,2025-10-22,2025-10-21 22:00:00+00:00,1,LAL,Los Angeles,Lakers,2,GSW,Golden State,Warriors
";
    let report = world.take("schedule.csv", text).await;
    assert_eq!(
        (report.new, report.refused.get("bad_field")),
        (1, Some(&1)),
        "a date that is not the league's is refused"
    );
    assert_eq!(
        world.sql("SELECT game_id, tip_off FROM games").await,
        ["20251021_GSW_LAL|2025-10-22T02:00:00.000000Z"]
    );
}

#[tokio::test]
async fn incident_78_who_did_not_play_has_no_row_and_a_real_zero_stays() {
    let world = World::new().await;
    let dnp = "2023-24,regular,0022301001,2024-03-20,4,Did Notplay,1,GSW,CHA,0,W,,,,,,,,,,,,,,,,,\n";
    let report = world.take("box.csv", format!("{BOX}{dnp}")).await;
    assert_eq!((report.new, report.refused.get("did_not_play")), (3, Some(&1)), "{report:?}");
    let found =
        world.sql("SELECT player_lookup, points, minutes, team, is_home FROM player_games ORDER BY 1").await;
    assert_eq!(found, ["aaronacejr|30|36|GSW|0", "bobunyan|0|30|GSW|0", "herbertjones|12|33|CHA|1"]);
}

#[tokio::test]
async fn incident_90_a_bad_row_costs_itself() {
    let world = World::new().await;
    let bad = "2023-24,regular,0022301001,2024-03-20,x,Bad Id,1,GSW,CHA,0,W,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10\n\
               2023-24,regular,22301001,2024-03-20,9,Bad Game,1,GSW,CHA,0,W,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10\n\
               2023-24,regular,0022301001,2024-13-20,9,Bad Date,1,GSW,CHA,0,W,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10\n\
               2023-24,regular,0022301001,2024-03-20,9,Bad Points,1,GSW,CHA,0,W,36,-3,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10\n\
               2023-24,regular,0022301001,2024-03-20,9,Bad Team,1,XXX,CHA,0,W,36,3,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10\n";
    let report = world.take("box.csv", format!("{BOX}{bad}")).await;
    assert_eq!((report.read, report.new, report.refused.get("bad_field")), (8, 3, Some(&5)), "{report:?}");
    let kept = world.sql("SELECT line_number, sentence FROM quarantine ORDER BY 1").await;
    assert!(kept[0].starts_with("5|") && kept[0].contains("player_id"), "{kept:?}");
}

#[tokio::test]
async fn incident_65_a_game_on_neutral_ground_stays_one_game() {
    let world = World::new().await;
    // Nobody is at home, and one source lets the home team play itself.
    let teams = "\
season,season_type,game_id,game_date,team_id,team,opponent,is_home,wl,min,pts,fgm,fga,fg3m,fg3a,ftm,fta,oreb,dreb,reb,ast,stl,blk,tov,pf,plus_minus
2024-25,regular,0022401229,2024-12-14,1,ATL,MIL,0,L,240,102,40,90,10,30,12,15,10,30,40,20,5,5,12,20,-8.0
2024-25,regular,0022401229,2024-12-14,2,MIL,MIL,0,W,240,110,42,91,10,30,16,20,10,30,40,20,5,5,14,20,8.0
";
    let players = BOX.lines().next().unwrap().to_owned()
        + "\n2024-25,regular,0022401229,2024-12-14,2,Bucks Player,1,MIL,ATL,0,W,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10"
        + "\n2024-25,regular,0022401229,2024-12-14,3,Hawks Player,1,ATL,MIL,0,L,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,-10\n";
    let files = [world.write("players.csv", players), world.write("teams.csv", teams)];
    let report = world.ingest_at(&files, "2025-01-01T12:00:00Z").await;
    assert!(report.files.iter().all(|f| f.num_refused() == 0), "{report:?}");
    assert_eq!(
        world.sql("SELECT game_id, home_score, away_score FROM games").await,
        ["20241214_ATL_MIL|110|102"]
    );
    assert_eq!(world.sql("SELECT team, is_home FROM player_games ORDER BY 1").await, ["ATL|0", "MIL|1"]);
}

#[tokio::test]
async fn closing_lines_carry_a_signed_spread() {
    let world = World::new().await;
    world.take("schedule.csv", SCHEDULE).await;
    let text = "\
season,date,regular,playoffs,away,home,score_away,score_home,whos_favored,spread,total
2024,2024-03-20,True,False,gs,cha,110,100,away,7.5,221.5
2024,2024-03-21,True,False,ny,utah,110,100,home,3,
2024,2024-03-21,True,False,sa,no,110,100,home,,
";
    let report = world.take("closing.csv", text).await;
    assert_eq!((report.new, report.refused.get("missing_field")), (2, Some(&1)), "{report:?}");
    let found = world.sql("SELECT game_id, home_spread, total, snapshot_at FROM game_lines ORDER BY 1").await;
    let wanted = [
        "20240320_GSW_CHA|7.5|221.5|2024-03-20T22:59:59.000000Z",
        "20240321_NYK_UTA|-3||2024-03-21T04:00:00.000000Z",
    ];
    assert_eq!(found, wanted);
}

/// The source knows dates only, so its moment follows from the tip-off: the earlier one, whichever file came first.
#[tokio::test]
async fn a_closing_line_stands_before_the_earlier_tip_off() {
    let text = "\
season,date,regular,playoffs,away,home,score_away,score_home,whos_favored,spread,total
2024,2024-03-29,True,False,gs,cha,110,100,away,7.5,221.5
";
    let quote = book(
        "draftkings",
        &[market("player_points", "2024-03-29T20:00:00Z", &[pair("Aaron Ace", "24.5", "-110", "-110")])],
    );
    let early = event("e1", &[quote]).replace("T23:10:00Z", "T22:40:00Z");
    let odds = format!(r#"{{"timestamp":"2024-03-29T20:00:00Z","data":{early}}}"#);
    for closing_first in [true, false] {
        let world = world().await;
        let mut files = [("closing.csv", text), ("odds.json", odds.as_str())];
        if !closing_first {
            files.reverse();
        }
        for (name, content) in files {
            world.take(name, content).await;
        }
        let found = world.sql("SELECT snapshot_at, total FROM game_lines").await;
        assert_eq!(found, ["2024-03-29T22:39:59.000000Z|221.5"], "closing first: {closing_first}");
    }
}

#[tokio::test]
async fn injuries_by_move_and_by_report() {
    let world = World::new().await;
    let moves = "\
Date,Team,Player,Acquired,Relinquished,Notes,EstimatedDaysOut
2024-03-18,Warriors,• Bo Bünyan,,• Bo Bünyan,placed on IL with sprained ankle,4.0
2024-03-19,Blazers,Herb Jones,,Herb Jones,sore knee (DTD),
2024-03-22,Warriors,• Bo Bünyan,• Bo Bünyan,,activated from IL,
2024-03-23,Pacers,,,,,
";
    let report = world.take("moves.csv", moves).await;
    assert_eq!((report.new, report.refused.get("missing_field")), (3, Some(&1)));
    let reports = "reported_at,player,team,status,note\n2024-03-29T15:00:00Z,Aaron Ace,GSW,doubtful,knee\n";
    assert_eq!(world.take("reports.csv", reports).await.new, 1);
    let found =
        world.sql("SELECT player_lookup, team, status, reported_at FROM injuries ORDER BY reported_at").await;
    let wanted = [
        "bobunyan|GSW|out|2024-03-18T04:00:00.000000Z",
        "herbjones|POR|questionable|2024-03-19T04:00:00.000000Z",
        "bobunyan|GSW|available|2024-03-22T04:00:00.000000Z",
        "aaronace|GSW|doubtful|2024-03-29T15:00:00.000000Z",
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn aliases_and_teams() {
    let world = World::new().await;
    assert_eq!(world.take("aliases.csv", ALIASES).await.new, 1);
    let teams = "team_id,team,full_name,nickname\n1610612738,BOS,Boston Celtics,Celtics\n";
    assert_eq!(world.take("teams.csv", teams).await.new, 1);
    assert_eq!(
        world.sql("SELECT alias, player_lookup FROM player_aliases").await,
        ["herbjones|herbertjones"]
    );
    assert_eq!(world.sql("SELECT team, full_name FROM teams").await, ["BOS|Boston Celtics"]);
}

#[tokio::test]
async fn incident_63_a_report_is_about_the_player_of_the_team_it_names() {
    let world = crate::fixtures::world().await;
    let reports = "reported_at,player,team,status,note\n\
                   2024-03-29T15:00:00Z,Aaron Ace,GSW,out,knee\n\
                   2024-03-29T15:00:00Z,Herb Jones,CHA,probable,\n\
                   2024-03-29T15:00:00Z,Aaron Ace,BOS,out,another man\n";
    world.take("reports.csv", reports).await;
    let found = world.sql("SELECT player_lookup, team FROM injuries ORDER BY 1").await;
    assert_eq!(found, ["aaronace|BOS", "aaronacejr|GSW", "herbertjones|CHA"]);
}
