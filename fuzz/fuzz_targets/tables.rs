//! The readers of tables of facts: teams, aliases, schedules, box scores, injuries, closing lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::ingest::Kind;

const HEADERS: [(Kind, &str); 9] = [
    (Kind::Teams, "team_id,team,full_name,nickname"),
    (Kind::Aliases, "odds_name,box_name,player_id"),
    (
        Kind::ScheduleWallClock,
        "game_id,game_code,date_et,time_et,status,home_team,away_team,home_score,away_score,season",
    ),
    (Kind::ScheduleInstants, "game_id,season_year,date_est,datetime_utc,home_tricode,away_tricode"),
    (
        Kind::TeamGames,
        "season,season_type,game_id,game_date,team,opponent,is_home,wl,min,pts,fga,fta,oreb,tov,plus_minus",
    ),
    (
        Kind::BoxScores,
        "season,season_type,game_id,game_date,player_id,player_name,team_id,team,opponent,is_home,wl,min,pts,reb,ast,fgm,fga,fg3m,fg3a,ftm,fta,oreb,dreb,stl,blk,tov,pf,plus_minus",
    ),
    (Kind::GameLinesClosing, "season,date,away,home,whos_favored,spread,total"),
    (Kind::InjuryMoves, "Date,Team,Acquired,Relinquished,Notes"),
    (Kind::InjuryReports, "reported_at,player,team,status,note"),
];

fuzz_target!(|bytes: &[u8]| {
    fuzz::table(&HEADERS, bytes);
});
