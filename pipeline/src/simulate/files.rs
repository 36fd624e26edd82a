//! Simulated days as files, in the very shapes that real ones have.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::league::Team;
use super::market::{BOOKS, Point, STRANGERS};
use super::play::{Game, Line, Result as Played};
use crate::error::{Error, Result};

/// A file in the making.
struct Csv {
    path: PathBuf,
    writer: csv::Writer<Vec<u8>>,
}

impl Csv {
    fn new(folder: &Path, name: &str, header: &[&str]) -> Result<Self> {
        let mut csv = Self { path: folder.join(name), writer: csv::Writer::from_writer(Vec::new()) };
        csv.row(header)?;
        Ok(csv)
    }

    fn row<T: AsRef<[u8]>>(&mut self, fields: &[T]) -> Result<()> {
        self.writer.write_record(fields).map_err(|e| Error::write(&self.path)(std::io::Error::other(e)))
    }

    fn finish(self) -> Result<PathBuf> {
        let bytes = self.writer.into_inner().map_err(|e| Error::write(&self.path)(e.into_error()))?;
        put(&self.path, &bytes)?;
        Ok(self.path)
    }
}

/// Writes a whole file.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::write(folder))?;
    }
    let mut file = fs::File::create(path).map_err(Error::write(path))?;
    file.write_all(bytes).map_err(Error::write(path))
}

pub(super) fn teams(folder: &Path, teams: &[Team]) -> Result<PathBuf> {
    let mut csv = Csv::new(folder, "teams.csv", &["team_id", "team", "full_name", "nickname"])?;
    for team in teams {
        let row = &team.row;
        csv.row(&[&row.league_team_id.to_string(), row.team.as_str(), &row.full_name, &row.nickname])?;
    }
    csv.finish()
}

pub(super) fn schedule(folder: &Path, games: &[(Game, Option<Played>)], teams: &[Team]) -> Result<PathBuf> {
    let header = [
        "game_id",
        "game_code",
        "date_et",
        "time_et",
        "series_text",
        "arena",
        "arena_city",
        "status",
        "home_team_id",
        "away_team_id",
        "home_team",
        "away_team",
        "home_score",
        "away_score",
        "season",
    ];
    let mut csv = Csv::new(folder, "schedule.csv", &header)?;
    for (game, played) in games {
        let (away, home) = (&teams[game.away].row, &teams[game.home].row);
        let score = |lines: fn(&Played) -> &Vec<Option<Line>>| {
            played.as_ref().map_or(String::new(), |p| format!("{}.0", Played::score(lines(p))))
        };
        let date = game.key.date;
        csv.row(&[
            game.league_id.clone(),
            format!("{}/{}{}", date.strftime("%Y%m%d"), away.team, home.team),
            date.to_string(),
            game.time.strftime("%H:%M:%S").to_string(),
            String::new(),
            "Simulated Arena".to_owned(),
            "Nowhere".to_owned(),
            if played.is_some() {
                "Final".to_owned()
            } else {
                game.time.strftime("%-I:%M pm ET").to_string()
            },
            home.league_team_id.to_string(),
            away.league_team_id.to_string(),
            home.team.to_string(),
            away.team.to_string(),
            score(|p| &p.home),
            score(|p| &p.away),
            season_text(game.season),
        ])?;
    }
    csv.finish()
}

fn season_text(season: i16) -> String {
    format!("{season}-{:02}", (season + 1) % 100)
}

pub(super) fn team_games(folder: &Path, games: &[(Game, Option<Played>)], teams: &[Team]) -> Result<PathBuf> {
    let header = [
        "season",
        "season_type",
        "game_id",
        "game_date",
        "team_id",
        "team",
        "opponent",
        "is_home",
        "wl",
        "min",
        "pts",
        "fga",
        "fta",
        "oreb",
        "tov",
        "plus_minus",
    ];
    let mut csv = Csv::new(folder, "team_games.csv", &header)?;
    for (game, played) in games {
        let Some(played) = played else { continue };
        for (own, other, lines, others, is_home) in [
            (game.away, game.home, &played.away, &played.home, "0"),
            (game.home, game.away, &played.home, &played.away, "1"),
        ] {
            let sum = |of: fn(&Line) -> u32| lines.iter().flatten().map(of).sum::<u32>();
            let margin = i64::from(Played::score(lines)) - i64::from(Played::score(others));
            csv.row(&[
                season_text(game.season),
                "regular".to_owned(),
                game.league_id.clone(),
                game.key.date.to_string(),
                teams[own].row.league_team_id.to_string(),
                teams[own].row.team.to_string(),
                teams[other].row.team.to_string(),
                is_home.to_owned(),
                if margin > 0 { "W" } else { "L" }.to_owned(),
                "240".to_owned(),
                sum(|l| l.points).to_string(),
                sum(|l| l.fga).to_string(),
                sum(|l| l.fta).to_string(),
                sum(|l| l.oreb).to_string(),
                sum(|l| l.tov).to_string(),
                margin.to_string(),
            ])?;
        }
    }
    csv.finish()
}

pub(super) fn box_scores(folder: &Path, games: &[(Game, Option<Played>)], teams: &[Team]) -> Result<PathBuf> {
    let header = [
        "season",
        "season_type",
        "game_id",
        "game_date",
        "player_id",
        "player_name",
        "team_id",
        "team",
        "opponent",
        "is_home",
        "wl",
        "min",
        "pts",
        "reb",
        "ast",
        "fgm",
        "fga",
        "fg3m",
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
    ];
    let mut csv = Csv::new(folder, "box_scores.csv", &header)?;
    for (game, played) in games {
        let Some(played) = played else { continue };
        for (own, other, lines, others, is_home) in [
            (game.away, game.home, &played.away, &played.home, "0"),
            (game.home, game.away, &played.home, &played.away, "1"),
        ] {
            let won = Played::score(lines) > Played::score(others);
            for (player, line) in teams[own].players.iter().zip(lines) {
                let Some(l) = line else { continue };
                let mut row = vec![
                    season_text(game.season),
                    "regular".to_owned(),
                    game.league_id.clone(),
                    game.key.date.to_string(),
                    player.id.to_string(),
                    player.name.clone(),
                    teams[own].row.league_team_id.to_string(),
                    teams[own].row.team.to_string(),
                    teams[other].row.team.to_string(),
                    is_home.to_owned(),
                    if won { "W" } else { "L" }.to_owned(),
                ];
                let numbers = [
                    l.minutes,
                    l.points,
                    l.oreb + l.dreb,
                    l.ast,
                    l.fgm,
                    l.fga,
                    l.fg3m,
                    l.fg3a,
                    l.ftm,
                    l.fta,
                    l.oreb,
                    l.dreb,
                    l.stl,
                    l.blk,
                    l.tov,
                    l.pf,
                ];
                row.extend(numbers.iter().map(ToString::to_string));
                row.push(l.plus_minus.to_string());
                csv.row(&row)?;
            }
        }
    }
    csv.finish()
}

/// One availability report.
#[derive(Debug, Clone)]
pub(super) struct Injury {
    pub(super) reported_at: Timestamp,
    pub(super) player: String,
    pub(super) team: String,
    pub(super) status: &'static str,
    pub(super) note: &'static str,
}

pub(super) fn injuries(folder: &Path, injuries: &[Injury]) -> Result<PathBuf> {
    let mut csv = Csv::new(folder, "injuries.csv", &["reported_at", "player", "team", "status", "note"])?;
    for injury in injuries {
        let at = injury.reported_at.to_string();
        csv.row(&[&at, &injury.player, &injury.team, injury.status, injury.note])?;
    }
    csv.finish()
}

#[derive(Serialize)]
struct JsonWrapper<'a> {
    timestamp: String,
    data: JsonEvent<'a>,
}

#[derive(Serialize)]
struct JsonEvent<'a> {
    id: String,
    sport_key: &'a str,
    sport_title: &'a str,
    commence_time: String,
    home_team: &'a str,
    away_team: &'a str,
    bookmakers: Vec<JsonBook<'a>>,
}

#[derive(Serialize)]
struct JsonBook<'a> {
    key: &'a str,
    title: &'a str,
    markets: Vec<JsonMarket<'a>>,
}

#[derive(Serialize)]
struct JsonMarket<'a> {
    key: &'a str,
    last_update: String,
    outcomes: Vec<JsonOutcome>,
}

#[derive(Serialize)]
struct JsonOutcome {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    price: i64,
    point: f64,
}

/// Everything books say about one game in one snapshot.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) points: BTreeMap<&'static str, Vec<Point>>,
    /// Spread of the home team and total, by book.
    pub(super) game: BTreeMap<&'static str, (f64, f64)>,
}

/// Writes one snapshot of a day: an event a line, in the vendor's historical wrapper.
pub(super) fn snapshot(
    path: PathBuf,
    at: Timestamp,
    boards: &BTreeMap<usize, Board>,
    games: &[Game],
    teams: &[Team],
) -> Result<PathBuf> {
    let mut bytes = Vec::new();
    for (number, board) in boards {
        let game = &games[*number];
        for (is_ours, id) in [(true, event_id(game)), (false, format!("f{}", &event_id(game)[1..]))] {
            let books = books(board, game, teams, at, is_ours);
            if books.is_empty() {
                continue;
            }
            let home = if is_ours { &teams[game.home].row.full_name } else { STRANGERS[0] };
            let away = if is_ours { &teams[game.away].row.full_name } else { STRANGERS[1] };
            let event = JsonEvent {
                id,
                sport_key: "basketball_nba",
                sport_title: "NBA",
                commence_time: game.tip_off().to_string(),
                home_team: home,
                away_team: away,
                bookmakers: books,
            };
            let line = serde_json::to_string(&JsonWrapper { timestamp: at.to_string(), data: event })
                .map_err(|e| Error::write(&path)(std::io::Error::other(e)))?;
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
    }
    put(&path, &bytes)?;
    Ok(path)
}

/// 32 hexadecimal digits that follow from the game.
pub(super) fn event_id(game: &Game) -> String {
    proto::codec::sha256_hex(format!("simulated event {}", game.key).as_bytes())[..32].replacen('f', "e", 1)
}

fn books<'a>(
    board: &'a Board,
    game: &Game,
    teams: &'a [Team],
    at: Timestamp,
    is_ours: bool,
) -> Vec<JsonBook<'a>> {
    let mut books = Vec::new();
    for book in BOOKS {
        let points: Vec<&Point> =
            board.points.get(book).into_iter().flatten().filter(|p| p.has_game == is_ours).collect();
        let (named, nameless): (Vec<&Point>, Vec<&Point>) = points.into_iter().partition(|p| p.has_book);
        let mut markets = markets(&named);
        if let Some((spread, total)) = board.game.get(book).filter(|_| is_ours) {
            markets.extend(game_markets(game, teams, at, *spread, *total));
        }
        if !markets.is_empty() {
            books.push(JsonBook { key: book, title: book, markets });
        }
        if !nameless.is_empty() {
            books.push(JsonBook { key: "", title: "", markets: self::markets(&nameless) });
        }
    }
    books
}

/// Points by market and time of change, in the order of their first.
fn markets<'a>(points: &[&Point]) -> Vec<JsonMarket<'a>> {
    let mut markets: Vec<JsonMarket<'a>> = Vec::new();
    let newest = points.iter().map(|p| (p.market, p.updated)).max_by_key(|(_, at)| *at);
    for point in points {
        // A book changes a market as a whole; only what is updated in play stands apart.
        let calm = points.iter().filter(|p| p.market == point.market).map(|p| p.updated).min();
        let in_play = calm.is_some_and(|calm| point.updated.duration_since(calm).as_hours() > 0);
        let updated = if in_play { Some(point.updated) } else { calm }.or(newest.map(|(_, at)| at));
        let updated = updated.map_or(String::new(), |at| at.to_string());
        let outcomes =
            [("Over", point.over), ("Under", point.under)].into_iter().filter_map(|(side, price)| {
                Some(JsonOutcome {
                    name: side.to_owned(),
                    description: Some(point.name.clone()),
                    price: price?,
                    point: point.point,
                })
            });
        match markets.iter_mut().find(|m| m.key == point.market && m.last_update == updated) {
            Some(market) => market.outcomes.extend(outcomes),
            None => {
                let outcomes = outcomes.collect();
                markets.push(JsonMarket { key: point.market, last_update: updated, outcomes });
            }
        }
    }
    markets
}

fn game_markets<'a>(
    game: &Game,
    teams: &'a [Team],
    at: Timestamp,
    spread: f64,
    total: f64,
) -> [JsonMarket<'a>; 2] {
    let outcome =
        |name: &str, point: f64| JsonOutcome { name: name.to_owned(), description: None, price: -110, point };
    let (home, away) = (&teams[game.home].row.full_name, &teams[game.away].row.full_name);
    let updated = at.to_string();
    [
        JsonMarket {
            key: "spreads",
            last_update: updated.clone(),
            outcomes: vec![outcome(home, spread), outcome(away, -spread)],
        },
        JsonMarket {
            key: "totals",
            last_update: updated,
            outcomes: vec![outcome("Over", total), outcome("Under", total)],
        },
    ]
}
