//! Both shapes of a schedule: one with wall-clock times of the league, one with instants.

use std::collections::HashMap;

use jiff::civil::Date;
use proto::tables::GameRow;
use proto::{GameKey, GameStatus, LeagueGameId, SeasonPhase, TeamCode, league_time};

use super::super::harvest::Harvest;
use super::super::refuse::{BAD_FIELD, Refusal, TEAM_TWICE};
use super::super::table::{Column, Damage, Row, Table, columns, instant};
use super::each_row;
use crate::season::parse_season;

columns!(struct Et {
    game_id = "game_id",
    date = "date_et",
    time = "time_et",
    status = "status",
    home = "home_team",
    away = "away_team",
    home_score = "home_score",
    away_score = "away_score",
    season = "season",
});

/// `game_id, game_code, date_et, time_et, … status, … home_team, away_team, home_score, away_score, season`
pub(crate) fn wall_clock(table: &mut Table, out: &mut Harvest) -> Result<(), Damage> {
    let c = Et::of(&table.header);
    let mut dates = Dates::default();
    each_row(table, out, |row, out| {
        let date = row.date(c.date)?;
        // Midnight stands for "not known yet".
        let time = row.time(c.time)?;
        let tip_off = (time != jiff::civil::Time::midnight())
            .then(|| league_time::league_instant(date.to_datetime(time)));
        let id: LeagueGameId = league_id(row, c.game_id)?;
        let scores = (score(row, c.home_score)?, score(row, c.away_score)?);
        let status = status(row.opt(c.status), scores);
        let scores = if status == GameStatus::Final { scores } else { (None, None) };
        let season = row.opt(c.season).and_then(parse_season).unwrap_or_else(|| id.season_start_year());
        let game = GameRow {
            game_id: key(date, row, c.away, c.home)?,
            phase: id.phase(),
            league_game_id: Some(id),
            season,
            tip_off,
            status,
            home_score: scores.0,
            away_score: scores.1,
        };
        dates.check(&game)?;
        out.chunk.games.push(game, 1);
        Ok(())
    })
}

columns!(struct Utc {
    game_id = "game_id",
    season = "season_year",
    date = "date_est",
    instant = "datetime_utc",
    home = "home_tricode",
    away = "away_tricode",
});

/// `game_id, season_year, … date_est, … datetime_utc, … home_tricode, … away_tricode …`
pub(crate) fn instants(table: &mut Table, out: &mut Harvest) -> Result<(), Damage> {
    let c = Utc::of(&table.header);
    let mut dates = Dates::default();
    each_row(table, out, |row, out| {
        let text = row.text(c.instant)?.replacen(' ', "T", 1);
        let tip_off = instant("datetime_utc", &text)?;
        let date = row.date(c.date)?;
        if league_time::league_date(tip_off) != date {
            let sentence = format!("`date_est` is {date}, tip-off {tip_off} is another league date");
            return Err(Refusal::new(BAD_FIELD, sentence));
        }
        let id = league_id(row, c.game_id)?;
        let season = row.opt(c.season).and_then(parse_season).unwrap_or_else(|| id.season_start_year());
        let game = GameRow {
            game_id: key(date, row, c.away, c.home)?,
            phase: id.phase(),
            league_game_id: Some(id),
            season,
            tip_off: Some(tip_off),
            status: GameStatus::Scheduled,
            home_score: None,
            away_score: None,
        };
        dates.check(&game)?;
        out.chunk.games.push(game, 1);
        Ok(())
    })
}

/// Who plays whom on each date of a file.
#[derive(Debug, Default)]
struct Dates {
    games: HashMap<(Date, TeamCode), GameKey>,
}

impl Dates {
    /// No team plays twice on one date: of two such games one is not, and its players would be predicted twice. The one
    /// that comes second is refused. A game that was put off or called off does not count, and neither does the small
    /// tournament of the all-star weekend.
    fn check(&mut self, game: &GameRow) -> Result<(), Refusal> {
        let is_off = matches!(game.status, GameStatus::Postponed | GameStatus::Cancelled);
        if is_off || game.phase == SeasonPhase::AllStar {
            return Ok(());
        }
        let key = game.game_id;
        for team in [key.home, key.away] {
            match self.games.get(&(key.date, team)) {
                Some(other) if *other != key => {
                    return Err(Refusal::new(
                        TEAM_TWICE,
                        format!("{team} cannot play {key} and {other} on one date"),
                    ));
                }
                _ => {}
            }
        }
        for team in [key.home, key.away] {
            self.games.insert((key.date, team), key);
        }
        Ok(())
    }
}

fn league_id(row: &Row<'_>, column: Column) -> Result<LeagueGameId, Refusal> {
    row.parse(column, "ten digits that begin with 001 to 006")
}

fn key(date: Date, row: &Row<'_>, away: Column, home: Column) -> Result<GameKey, Refusal> {
    let away: TeamCode = row.parse(away, "three capital letters")?;
    let home: TeamCode = row.parse(home, "three capital letters")?;
    GameKey::nba(date, away, home).map_err(|e| Refusal::new(BAD_FIELD, e.to_string()))
}

fn score(row: &Row<'_>, column: Column) -> Result<Option<i32>, Refusal> {
    Ok(row.opt_number(column)?.map(|points| points as i32))
}

/// Final without a score is a game that was not played (incident 61); any other text is a game to come, because a
/// schedule is a view of one moment and box scores tell what became of it.
fn status(text: Option<&str>, scores: (Option<i32>, Option<i32>)) -> GameStatus {
    let text = text.unwrap_or_default().to_ascii_lowercase();
    match (text.as_str(), scores) {
        ("final", (Some(_), Some(_))) => GameStatus::Final,
        ("final", _) | ("ppd" | "postponed", _) => GameStatus::Postponed,
        ("cancelled" | "canceled", _) => GameStatus::Cancelled,
        _ => GameStatus::Scheduled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incident_61_final_without_a_score_is_postponed() {
        for (text, scores, wanted) in [
            ("Final", (Some(104), Some(84)), GameStatus::Final),
            ("Final", (None, None), GameStatus::Postponed),
            ("PPD", (None, None), GameStatus::Postponed),
            ("8:00 pm ET", (None, None), GameStatus::Scheduled),
            ("1st Qtr", (Some(12), Some(4)), GameStatus::Scheduled),
        ] {
            assert_eq!(status(Some(text), scores), wanted, "{text}");
        }
    }
}
