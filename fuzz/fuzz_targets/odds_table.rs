//! The reader of odds tables, in each of the shapes it knows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::ingest::Kind::OddsTable;

/// Two rows a quote or one, and five ways to say when it was seen.
const HEADERS: [(pipeline::ingest::Kind, &str); 5] = [
    (
        OddsTable,
        "snapshot_file_date,event_id,commence_time,game_date_et,home_team,away_team,bookmaker_key,market_key,market_last_update,outcome_name,outcome_description,outcome_price,outcome_point",
    ),
    (
        OddsTable,
        "source_file_mmddyyyy,event_date,home_team,away_team,bookmaker,market,player,over_price,under_price,line",
    ),
    (
        OddsTable,
        "snapshot_file,event_id,commence_time,home_team,away_team,bookmaker,market,player,line,over_price,under_price",
    ),
    (
        OddsTable,
        "snapshot_or_update_utc,event_id,commence_time,home_team,away_team,bookmaker,market,outcome_description,side,price,point,last_update",
    ),
    (OddsTable, "timestamp,event_date,home_team,away_team,bookmaker,player_name,line,over_price,under_price"),
];

fuzz_target!(|bytes: &[u8]| {
    fuzz::table(&HEADERS, bytes);
});
