//! Where each kind of input row goes: columns, natural key, and what happens to a row that is known.
//!
//! Quotes and reports are facts of an instant: a known key is left alone. Games and box scores are corrected by
//! their sources: a known key is updated when its content differs, and counts as new.

use std::sync::LazyLock;

use jiff::Timestamp;
use proto::tables::{
    AliasRow, GameLineRow, GameRow, InjuryRow, LineRow, PlayerGameRow, QuarantineRow, TeamGameRow, TeamRow,
};

use super::PlayerRow;
use crate::sqlite::bulk::{Cells, Insert};

/// Where a row came from and when it went in; the last two columns of every input table.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub(crate) source_file: String,
    pub(crate) ingested_at: Timestamp,
}

impl Stamp {
    pub(crate) fn write(&self, cells: &mut Cells) {
        cells.text(&self.source_file).instant(self.ingested_at);
    }
}

/// `ON CONFLICT (key) DO UPDATE` of the content, unless it is the same already.
fn update_if_different(table: &str, key: &[&str], columns: &[&str]) -> String {
    let is_content =
        |column: &&&str| !key.contains(*column) && **column != "source_file" && **column != "ingested_at";
    let content: Vec<&str> = columns.iter().filter(is_content).copied().collect();
    let set: Vec<String> =
        columns.iter().filter(|c| !key.contains(c)).map(|c| format!("{c} = excluded.{c}")).collect();
    let old: Vec<String> = content.iter().map(|c| format!("{table}.{c}")).collect();
    let new: Vec<String> = content.iter().map(|c| format!("excluded.{c}")).collect();
    format!(
        "ON CONFLICT ({}) DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})",
        key.join(", "),
        set.join(", "),
        old.join(", "),
        new.join(", "),
    )
}

const GAME_COLUMNS: [&str; 14] = [
    "game_id",
    "sport",
    "game_date",
    "away",
    "home",
    "league_game_id",
    "season",
    "phase",
    "tip_off",
    "status",
    "home_score",
    "away_score",
    "source_file",
    "ingested_at",
];

/// Several sources know parts of a game: what a source leaves out keeps its value, and an older view of the
/// schedule never takes back that a game has begun or ended.
const GAME_CONFLICT: &str = include_str!("../../sql/merge_games.sql");

pub(crate) const GAMES: Insert<'static> =
    Insert { table: "games", columns: &GAME_COLUMNS, conflict: GAME_CONFLICT, doing: "ingest games" };

pub(crate) fn write_game(row: &GameRow, cells: &mut Cells) {
    let game = &row.game_id;
    cells.text(game).text(game.sport).date(game.date).text(game.away).text(game.home);
    cells.opt_text(row.league_game_id.as_ref()).int(row.season.into()).text(row.phase);
    cells.opt_instant(row.tip_off).text(row.status);
    cells.opt_int(row.home_score.map(i64::from)).opt_int(row.away_score.map(i64::from));
}

const TEAM_COLUMNS: [&str; 6] =
    ["team", "league_team_id", "full_name", "nickname", "source_file", "ingested_at"];
static TEAM_CONFLICT: LazyLock<String> =
    LazyLock::new(|| update_if_different("teams", &["team"], &TEAM_COLUMNS));

pub(crate) fn teams() -> Insert<'static> {
    Insert { table: "teams", columns: &TEAM_COLUMNS, conflict: &TEAM_CONFLICT, doing: "ingest teams" }
}

pub(crate) fn write_team(row: &TeamRow, cells: &mut Cells) {
    cells.text(row.team).int(row.league_team_id).text(&row.full_name).text(&row.nickname);
}

const TEAM_GAME_COLUMNS: [&str; 17] = [
    "game_id",
    "team",
    "game_date",
    "opponent",
    "is_home",
    "season",
    "phase",
    "won",
    "minutes",
    "points",
    "fga",
    "fta",
    "oreb",
    "tov",
    "plus_minus",
    "source_file",
    "ingested_at",
];
static TEAM_GAME_CONFLICT: LazyLock<String> =
    LazyLock::new(|| update_if_different("team_games", &["game_id", "team"], &TEAM_GAME_COLUMNS));

pub(crate) fn team_games() -> Insert<'static> {
    Insert {
        table: "team_games",
        columns: &TEAM_GAME_COLUMNS,
        conflict: &TEAM_GAME_CONFLICT,
        doing: "ingest team games",
    }
}

pub(crate) fn write_team_game(row: &TeamGameRow, cells: &mut Cells) {
    cells.text(row.game_id).text(row.team).date(row.game_id.date).text(row.opponent).flag(row.is_home);
    cells.int(row.season.into()).text(row.phase).flag(row.won);
    for value in [row.minutes, row.points, row.fga, row.fta, row.oreb, row.tov, row.plus_minus] {
        cells.real(value);
    }
}

const PLAYER_GAME_COLUMNS: [&str; 29] = [
    "game_id",
    "player_lookup",
    "game_date",
    "player_name",
    "league_player_id",
    "team",
    "opponent",
    "is_home",
    "season",
    "phase",
    "minutes",
    "points",
    "rebounds",
    "assists",
    "threes",
    "fgm",
    "fga",
    "fg3a",
    "ftm",
    "fta",
    "oreb",
    "dreb",
    "stl",
    "blk",
    "tov",
    "pf",
    "plus_minus",
    "source_file",
    "ingested_at",
];
static PLAYER_GAME_CONFLICT: LazyLock<String> = LazyLock::new(|| {
    update_if_different("player_games", &["game_id", "player_lookup"], &PLAYER_GAME_COLUMNS)
});

pub(crate) fn player_games() -> Insert<'static> {
    Insert {
        table: "player_games",
        columns: &PLAYER_GAME_COLUMNS,
        conflict: &PLAYER_GAME_CONFLICT,
        doing: "ingest player games",
    }
}

pub(crate) fn write_player_game(row: &PlayerGameRow, cells: &mut Cells) {
    cells.text(row.game_id).text(&row.player_lookup).date(row.game_id.date).text(&row.player_name);
    cells.int(row.league_player_id).text(row.team).text(row.opponent).flag(row.is_home);
    cells.int(row.season.into()).text(row.phase);
    let box_score = [
        row.minutes,
        row.points,
        row.rebounds,
        row.assists,
        row.threes,
        row.fgm,
        row.fga,
        row.fg3a,
        row.ftm,
        row.fta,
        row.oreb,
        row.dreb,
        row.stl,
        row.blk,
        row.tov,
        row.pf,
    ];
    for value in box_score {
        cells.real(value);
    }
    cells.opt_real(row.plus_minus);
}

const PLAYER_COLUMNS: [&str; 8] = [
    "player_lookup",
    "player_name",
    "base_lookup",
    "league_player_id",
    "team",
    "last_game_date",
    "source_file",
    "ingested_at",
];

pub(crate) const PLAYERS: Insert<'static> = Insert {
    table: "players",
    columns: &PLAYER_COLUMNS,
    conflict: include_str!("../../sql/merge_players.sql"),
    doing: "ingest players",
};

pub(crate) fn write_player(row: &PlayerRow, cells: &mut Cells) {
    cells.text(&row.player_lookup).text(&row.player_name).text(&row.base_lookup);
    cells.opt_int(row.league_player_id).opt_text(row.team).opt_date(row.last_game_date);
}

const ALIAS_COLUMNS: [&str; 4] = ["alias", "player_lookup", "source_file", "ingested_at"];
static ALIAS_CONFLICT: LazyLock<String> =
    LazyLock::new(|| update_if_different("player_aliases", &["alias"], &ALIAS_COLUMNS));

pub(crate) fn aliases() -> Insert<'static> {
    Insert {
        table: "player_aliases",
        columns: &ALIAS_COLUMNS,
        conflict: &ALIAS_CONFLICT,
        doing: "ingest aliases",
    }
}

pub(crate) fn write_alias(row: &AliasRow, cells: &mut Cells) {
    cells.text(&row.alias).text(&row.player_lookup);
}

pub(crate) const INJURIES: Insert<'static> = Insert {
    table: "injuries",
    columns: &[
        "player_lookup",
        "player_name",
        "player_resolved",
        "team",
        "status",
        "reported_at",
        "note",
        "source_file",
        "ingested_at",
    ],
    conflict: "ON CONFLICT DO NOTHING",
    doing: "ingest injuries",
};

pub(crate) fn write_injury(row: &InjuryRow, cells: &mut Cells) {
    cells
        .text(&row.player_lookup)
        .text(&row.player_name)
        .flag(row.player_resolved)
        .opt_text(row.team)
        .text(row.status)
        .instant(row.reported_at)
        .text(&row.note);
}

pub(crate) const LINES: Insert<'static> = Insert {
    table: "lines",
    columns: &[
        "event_id",
        "market",
        "player_lookup",
        "book",
        "snapshot_at",
        "half_points",
        "game_id",
        "game_date",
        "player_name",
        "player_resolved",
        "commence_time",
        "over_price",
        "under_price",
        "is_main",
        "tag",
        "minutes_before_tip",
        "market_updated_at",
        "source",
        "source_file",
        "ingested_at",
    ],
    conflict: "ON CONFLICT DO NOTHING",
    doing: "ingest lines",
};

pub(crate) fn write_line(row: &LineRow, cells: &mut Cells) {
    cells.text(&row.event_id).text(&row.market).text(&row.player_lookup).text(&row.book);
    cells.instant(row.snapshot_at).int(row.line.half_points().into());
    cells.opt_text(row.game_id).date(row.game_date).text(&row.player_name).flag(row.player_resolved);
    cells.instant(row.commence_time).opt_text(row.over_price.as_ref()).opt_text(row.under_price.as_ref());
    cells.flag(row.is_main).opt_text(row.tag).int(row.minutes_before_tip);
    cells.opt_instant(row.market_updated_at).text(&row.source);
}

pub(crate) const GAME_LINES: Insert<'static> = Insert {
    table: "game_lines",
    columns: &[
        "game_id",
        "book",
        "snapshot_at",
        "game_date",
        "home_spread_half_points",
        "total_half_points",
        "source",
        "source_file",
        "ingested_at",
    ],
    conflict: "ON CONFLICT DO NOTHING",
    doing: "ingest game lines",
};

pub(crate) fn write_game_line(row: &GameLineRow, cells: &mut Cells) {
    cells.text(row.game_id).text(&row.book).instant(row.snapshot_at).date(row.game_id.date);
    cells.opt_int(row.home_spread.map(|l| l.half_points().into()));
    cells.opt_int(row.total.map(|l| l.half_points().into())).text(&row.source);
}

pub(crate) const QUARANTINE: Insert<'static> = Insert {
    table: "quarantine",
    columns: &[
        "source_file",
        "line_number",
        "code",
        "sentence",
        "excerpt",
        "game_date",
        "ingested_at",
        "sha256",
    ],
    conflict: "",
    doing: "quarantine rows",
};

pub(crate) fn write_quarantine(row: &QuarantineRow, cells: &mut Cells) {
    cells.text(&row.source_file).opt_int(row.line_number).text(&row.code).text(&row.sentence);
    cells.text(&row.excerpt).opt_date(row.game_date);
}
