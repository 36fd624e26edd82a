//! Rows of the warehouse's input tables, as ingest writes them and features read them.
//!
//! Only `warehouse` knows SQL; everybody else knows these. Fields carry the names of the columns (design.md 6).

use jiff::Timestamp;
use jiff::civil::Date;

use crate::{
    FeatureVector, GameKey, GameStatus, InjuryStatus, LeagueGameId, Line, Market, PlayerLookup, Price,
    QuoteTag, SeasonPhase, TeamCode,
};

/// A game of the schedule.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GameRow {
    /// The game.
    pub game_id: GameKey,
    /// The league's id, if the source has it.
    pub league_game_id: Option<LeagueGameId>,
    /// Calendar year in which the season began.
    pub season: i16,
    /// Part of the season.
    pub phase: SeasonPhase,
    /// Scheduled tip-off.
    pub tip_off: Option<Timestamp>,
    /// Where it stands.
    pub status: GameStatus,
    /// Points of the home team, once final.
    pub home_score: Option<i32>,
    /// Points of the visitors, once final.
    pub away_score: Option<i32>,
}

/// A team.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TeamRow {
    /// Three letters.
    pub team: TeamCode,
    /// The league's id.
    pub league_team_id: i64,
    /// As odds sources write it, e.g. `Boston Celtics`.
    pub full_name: String,
    /// E.g. `Celtics`.
    pub nickname: String,
}

/// One team's box score of one game.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TeamGameRow {
    /// The game.
    pub game_id: GameKey,
    /// The team.
    pub team: TeamCode,
    /// The other team.
    pub opponent: TeamCode,
    /// True at home.
    pub is_home: bool,
    /// Calendar year in which the season began.
    pub season: i16,
    /// Part of the season.
    pub phase: SeasonPhase,
    /// True when it won.
    pub won: bool,
    /// Minutes over all players; 240 without overtime.
    pub minutes: f64,
    /// Points.
    pub points: f64,
    /// Field goals attempted.
    pub fga: f64,
    /// Free throws attempted.
    pub fta: f64,
    /// Offensive rebounds.
    pub oreb: f64,
    /// Turnovers.
    pub tov: f64,
    /// Points minus the opponent's.
    pub plus_minus: f64,
}

/// One player's box score of one game he appeared in. No row means he did not play; never a zero (incident 78).
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlayerGameRow {
    /// The game.
    pub game_id: GameKey,
    /// The player.
    pub player_lookup: PlayerLookup,
    /// As the source wrote it.
    pub player_name: String,
    /// The league's id of the player.
    pub league_player_id: i64,
    /// His team that night.
    pub team: TeamCode,
    /// The other team.
    pub opponent: TeamCode,
    /// True at home.
    pub is_home: bool,
    /// Calendar year in which the season began.
    pub season: i16,
    /// Part of the season.
    pub phase: SeasonPhase,
    /// Minutes played.
    pub minutes: f64,
    /// Points.
    pub points: f64,
    /// Rebounds.
    pub rebounds: f64,
    /// Assists.
    pub assists: f64,
    /// Threes made.
    pub threes: f64,
    /// Field goals made.
    pub fgm: f64,
    /// Field goals attempted.
    pub fga: f64,
    /// Threes attempted.
    pub fg3a: f64,
    /// Free throws made.
    pub ftm: f64,
    /// Free throws attempted.
    pub fta: f64,
    /// Offensive rebounds.
    pub oreb: f64,
    /// Defensive rebounds.
    pub dreb: f64,
    /// Steals.
    pub stl: f64,
    /// Blocks.
    pub blk: f64,
    /// Turnovers.
    pub tov: f64,
    /// Personal fouls.
    pub pf: f64,
    /// Plus-minus.
    pub plus_minus: Option<f64>,
}

/// One availability report.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct InjuryRow {
    /// The player; the name's own key while it stands for nobody.
    pub player_lookup: PlayerLookup,
    /// The name as the source wrote it.
    pub player_name: String,
    /// False while the name fits no player.
    pub player_resolved: bool,
    /// His team, if the source tells.
    pub team: Option<TeamCode>,
    /// Availability.
    pub status: InjuryStatus,
    /// When it was reported; a source with dates only: the start of that league date.
    pub reported_at: Timestamp,
    /// As the source wrote it.
    pub note: String,
}

/// How new the inputs of a slate are that have no date of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InputAges {
    /// The newest availability report at the as-of.
    pub newest_report: Option<Timestamp>,
    /// The newest date with a box score, before the slate's.
    pub newest_box_score: Option<Date>,
    /// Games that were to be played after that date and before the slate's.
    pub games_since: u64,
}

/// A spelling that stands for a player.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AliasRow {
    /// The normalised spelling.
    pub alias: PlayerLookup,
    /// The player.
    pub player_lookup: PlayerLookup,
}

/// One quote of one snapshot: the natural key is (event, book, market, player, half points, snapshot).
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LineRow {
    /// The vendor's event id.
    pub event_id: String,
    /// The vendor's book key.
    pub book: String,
    /// The market.
    pub market: Market,
    /// The player, resolved where that was possible, else the normalised name.
    pub player_lookup: PlayerLookup,
    /// The name as the source wrote it.
    pub player_name: String,
    /// False when the name fits no player of the two teams.
    pub player_resolved: bool,
    /// The line.
    pub line: Line,
    /// When it was seen.
    pub snapshot_at: Timestamp,
    /// The game, if the event could be resolved.
    pub game_id: Option<GameKey>,
    /// League date of tip-off.
    pub game_date: Date,
    /// The vendor's tip-off.
    pub commence_time: Timestamp,
    /// Over price; none: one-sided.
    pub over_price: Option<Price>,
    /// Under price; none: one-sided.
    pub under_price: Option<Price>,
    /// The book's point nearest to even money in this snapshot.
    pub is_main: bool,
    /// Place in the event's day.
    pub tag: Option<QuoteTag>,
    /// Whole minutes from snapshot to tip-off; negative: in play.
    pub minutes_before_tip: i64,
    /// When the book changed the market, if the source tells.
    pub market_updated_at: Option<Timestamp>,
    /// The source, e.g. `odds_api`.
    pub source: String,
}

/// Spread and total of a game by one book in one snapshot.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GameLineRow {
    /// The game.
    pub game_id: GameKey,
    /// The book, or the name of a consensus source.
    pub book: String,
    /// Home spread in half points: negative when the home team is favoured.
    pub home_spread: Option<Line>,
    /// Total in half points.
    pub total: Option<Line>,
    /// When it was seen; a source with dates only: tip-off minus one second, or the date's start without a tip-off.
    pub snapshot_at: Timestamp,
    /// The source.
    pub source: String,
}

/// What could not be used, kept with its reason and shown.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct QuarantineRow {
    /// Name of the file it came from.
    pub source_file: String,
    /// Line of a text file, or position of a record; none for the whole file.
    pub line_number: Option<i64>,
    /// Stable reason.
    pub code: String,
    /// What is wrong, with the field.
    pub sentence: String,
    /// The start of the refused text, at most 500 characters.
    pub excerpt: String,
    /// The slate it belongs to, if known.
    pub game_date: Option<Date>,
}

/// One file in the ledger of what was ingested; done-ness is per content hash (incidents 30, 31).
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceFileRow {
    /// sha256 of the bytes.
    pub sha256: String,
    /// Name as given, without folders of the machine.
    pub name: String,
    /// What it was recognised as.
    pub kind: String,
    /// Bytes.
    pub size: i64,
    /// Rows read.
    pub rows_read: i64,
    /// Rows that are new.
    pub rows_new: i64,
    /// Rows already known.
    pub rows_known: i64,
    /// Rows refused; read = new + known + refused.
    pub rows_refused: i64,
    /// When it went in.
    pub ingested_at: Timestamp,
}

/// The features of one player for one game.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FeatureRow {
    /// The game.
    pub game_id: GameKey,
    /// The player.
    pub player_lookup: PlayerLookup,
    /// His team.
    pub team: TeamCode,
    /// Values in the order of the contract.
    pub vector: FeatureVector,
    /// Quality score, 0 to 100.
    pub quality_score: f64,
    /// Mean weight of the matchup features, 0 to 100.
    pub matchup_quality: f64,
    /// Required features that carry their default.
    pub required_default_count: u32,
    /// What the row was built as of.
    pub as_of: Timestamp,
    /// When it was built.
    pub built_at: Timestamp,
    /// When the newest of its inputs was ingested.
    pub inputs_ingested_at: Option<Timestamp>,
}
