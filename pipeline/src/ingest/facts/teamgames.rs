//! Team box scores: two rows per game.

use std::collections::BTreeMap;

use proto::tables::{GameRow, TeamGameRow};
use proto::{GameKey, GameStatus};

use super::super::harvest::Harvest;
use super::super::known::Known;
use super::super::refuse::Refusal;
use super::super::table::{Damage, Row, Table, columns};
use super::boxscores::{GameColumns, GameSide, Seen};
use super::each_row;

columns!(struct Columns {
    team = "team",
    opponent = "opponent",
    wl = "wl",
    min = "min",
    pts = "pts",
    fga = "fga",
    fta = "fta",
    oreb = "oreb",
    tov = "tov",
    plus_minus = "plus_minus",
});

/// `season, season_type, game_id, game_date, team_id, team, opponent, is_home, wl, min, pts …`
pub(crate) fn teams(table: &mut Table, known: &Known, out: &mut Harvest) -> Result<(), Damage> {
    let (game, c) = (GameColumns::of(&table.header), Columns::of(&table.header));
    let mut seen = Seen::new();
    let mut games: BTreeMap<GameKey, GameRow> = BTreeMap::new();
    let end = each_row(table, out, |row, out| {
        let side = match plays_itself(row, &c) {
            true => at_home_on_neutral_ground(row, &game, known, &seen)?,
            false => game.side(row, known, &mut seen)?,
        };
        let line = team_row(row, &c, &side)?;
        let entry = games.entry(side.game).or_insert_with(|| finished(&side));
        let score = if side.is_home { &mut entry.home_score } else { &mut entry.away_score };
        *score = Some(line.points as i32);
        out.chunk.team_games.push(line, 1);
        Ok(())
    });
    out.chunk.implied_games.extend(games.into_values());
    end
}

/// One source writes `MIA @ WAS` on both rows of a game on neutral ground and takes the right side for the opponent,
/// so the home team plays itself there.
fn plays_itself(row: &Row<'_>, c: &Columns) -> bool {
    row.opt(c.team).is_some() && row.opt(c.team) == row.opt(c.opponent)
}

/// The home team's row of such a game: its opponent is the team of the other row, which comes before it or is known
/// by the league id.
fn at_home_on_neutral_ground(
    row: &Row<'_>,
    c: &GameColumns,
    known: &Known,
    seen: &Seen,
) -> Result<GameSide, Refusal> {
    let id: proto::LeagueGameId = row.parse(c.game_id, "ten digits that begin with 001 to 006")?;
    let (season, phase) = c.season(row, &id)?;
    let date = row.date(c.date)?;
    let team = known.teams.need("team", row.text(c.team)?)?;
    let by_id = known.game_by_league_id(&id).and_then(|game| game.opponent_of(team));
    let by_row = seen.get(&id).and_then(|game| game.opponent_of(team));
    let opponent = by_id.or(by_row).ok_or_else(|| {
        Refusal::bad("opponent", team.as_str(), "the other team; a team cannot play itself")
    })?;
    let game = GameKey::nba(date, opponent, team)
        .map_err(|e| Refusal::new(super::super::refuse::BAD_FIELD, e.to_string()))?;
    let game = known.game_of(date, game.away, game.home).unwrap_or(game);
    Ok(GameSide { league_id: id, game, team, opponent, is_home: game.home == team, season, phase })
}

fn team_row(row: &Row<'_>, c: &Columns, side: &GameSide) -> Result<TeamGameRow, Refusal> {
    let won = match row.text(c.wl)? {
        "W" => true,
        "L" => false,
        other => return Err(Refusal::bad("wl", other, "W or L")),
    };
    Ok(TeamGameRow {
        game_id: side.game,
        team: side.team,
        opponent: side.opponent,
        is_home: side.is_home,
        season: side.season,
        phase: side.phase,
        won,
        minutes: row.amount(c.min)?,
        points: row.amount(c.pts)?,
        fga: row.amount(c.fga)?,
        fta: row.amount(c.fta)?,
        oreb: row.amount(c.oreb)?,
        tov: row.amount(c.tov)?,
        plus_minus: row.number(c.plus_minus)?,
    })
}

fn finished(side: &GameSide) -> GameRow {
    GameRow {
        game_id: side.game,
        league_game_id: Some(side.league_id.clone()),
        season: side.season,
        phase: side.phase,
        tip_off: None,
        status: GameStatus::Final,
        home_score: None,
        away_score: None,
    }
}
