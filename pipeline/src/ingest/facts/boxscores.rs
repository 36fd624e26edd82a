//! Player box scores: one row per player who appeared. A player without a row did not play; he has no points, not
//! zero points (incident 78), and a row without minutes or points is refused for the same reason (79).

use std::collections::{BTreeMap, HashMap};

use proto::tables::{GameRow, PlayerGameRow};
use proto::{GameKey, GameStatus, LeagueGameId, PlayerLookup, SeasonPhase, TeamCode};

use super::super::harvest::Harvest;
use super::super::known::Known;
use super::super::refuse::{AMBIGUOUS_PLAYER, BAD_FIELD, DID_NOT_PLAY, Refusal};
use super::super::table::{Damage, Row, Table, columns};
use super::each_row;
use crate::season::{parse_phase, parse_season};

columns!(pub(crate) struct GameColumns {
    season = "season",
    season_type = "season_type",
    game_id = "game_id",
    date = "game_date",
    team = "team",
    opponent = "opponent",
    is_home = "is_home",
});

/// What a row of a box score says about its game.
#[derive(Debug, Clone)]
pub(crate) struct GameSide {
    pub(crate) league_id: LeagueGameId,
    pub(crate) game: GameKey,
    pub(crate) team: TeamCode,
    pub(crate) opponent: TeamCode,
    pub(crate) is_home: bool,
    pub(crate) season: i16,
    pub(crate) phase: SeasonPhase,
}

impl GameColumns {
    /// Season and phase, by their columns or by the league id.
    pub(crate) fn season(&self, row: &Row<'_>, id: &LeagueGameId) -> Result<(i16, SeasonPhase), Refusal> {
        let season = match row.opt(self.season) {
            None => id.season_start_year(),
            Some(text) => {
                parse_season(text).ok_or_else(|| Refusal::bad("season", text, "a season such as 2024-25"))?
            }
        };
        let phase = match row.opt(self.season_type) {
            None => id.phase(),
            Some(text) => parse_phase(text)
                .ok_or_else(|| Refusal::bad("season_type", text, "regular, playoffs, playin …"))?,
        };
        Ok((season, phase))
    }

    /// The side of a game. On neutral ground sources call nobody at home; then whoever knows the game by its league
    /// id says who is, else the first row of the file does, so that one game never becomes two (incident 65).
    pub(crate) fn side(&self, row: &Row<'_>, known: &Known, seen: &mut Seen) -> Result<GameSide, Refusal> {
        let league_id: LeagueGameId = row.parse(self.game_id, "ten digits that begin with 001 to 006")?;
        let (season, phase) = self.season(row, &league_id)?;
        let date = row.date(self.date)?;
        let team = known.teams.need("team", row.text(self.team)?)?;
        let opponent = known.teams.need("opponent", row.text(self.opponent)?)?;
        let is_home = row.flag(self.is_home)?;
        let fits = |game: &GameKey| game.date == date && game.opponent_of(team) == Some(opponent);
        let announced = known.game_by_league_id(&league_id).or_else(|| seen.get(&league_id).copied());
        let game = match announced.filter(fits).or_else(|| known.game_of(date, team, opponent)) {
            Some(game) => game,
            None if is_home => key(date, opponent, team)?,
            None => key(date, team, opponent)?,
        };
        if is_home && game.home != team {
            let sentence = format!("`is_home` is 1 for {team}, but the game is known as {game}");
            return Err(Refusal::new(BAD_FIELD, sentence));
        }
        seen.insert(league_id.clone(), game);
        Ok(GameSide { league_id, game, team, opponent, is_home: game.home == team, season, phase })
    }
}

/// Games of one file by league id.
pub(crate) type Seen = HashMap<LeagueGameId, GameKey>;

fn key(date: jiff::civil::Date, away: TeamCode, home: TeamCode) -> Result<GameKey, Refusal> {
    GameKey::nba(date, away, home).map_err(|e| Refusal::new(BAD_FIELD, e.to_string()))
}

columns!(struct Columns {
    player_id = "player_id",
    player_name = "player_name",
    min = "min",
    pts = "pts",
    reb = "reb",
    ast = "ast",
    fgm = "fgm",
    fga = "fga",
    fg3m = "fg3m",
    fg3a = "fg3a",
    ftm = "ftm",
    fta = "fta",
    oreb = "oreb",
    dreb = "dreb",
    stl = "stl",
    blk = "blk",
    tov = "tov",
    pf = "pf",
    plus_minus = "plus_minus",
});

/// Points and players seen of one side of one game.
#[derive(Debug, Default, Clone, Copy)]
struct Side {
    points: f64,
    players: u32,
}

/// `season, season_type, game_id, game_date, player_id, player_name, team, opponent, is_home, min, pts …`
pub(crate) fn players(table: &mut Table, known: &Known, out: &mut Harvest) -> Result<(), Damage> {
    let game = GameColumns::of(&table.header);
    let c = Columns::of(&table.header);
    let mut games: BTreeMap<GameKey, (GameSide, Side, Side)> = BTreeMap::new();
    let mut seen = Seen::new();
    let mut played = Played::default();
    let end = each_row(table, out, |row, out| {
        let side = game.side(row, known, &mut seen)?;
        let line = player_row(row, &c, &side)?;
        played.check(&line)?;
        let seen = games.entry(side.game).or_insert((side.clone(), Side::default(), Side::default()));
        let total = if side.is_home { &mut seen.1 } else { &mut seen.2 };
        total.points += line.points;
        total.players += 1;
        out.chunk.player_games.push(line, 1);
        Ok(())
    });
    out.chunk.implied_games.extend(games.into_values().map(|(side, home, away)| finished(&side, home, away)));
    end
}

/// Whom a file has seen on the date it is at; files are sorted by date, or nearly so.
#[derive(Debug, Default)]
struct Played {
    date: Option<jiff::civil::Date>,
    players: HashMap<PlayerLookup, (i64, TeamCode)>,
}

impl Played {
    /// On one date a name is one person of one team. A second person under the same name would overwrite the first one's
    /// night, and a player on two teams would count for both; the row that comes second is refused.
    fn check(&mut self, line: &PlayerGameRow) -> Result<(), Refusal> {
        if self.date != Some(line.game_id.date) {
            self.date = Some(line.game_id.date);
            self.players.clear();
        }
        let this = (line.league_player_id, line.team);
        let before = *self.players.entry(line.player_lookup.clone()).or_insert(this);
        let (name, date) = (&line.player_name, line.game_id.date);
        let sentence = match before {
            _ if before == this => return Ok(()),
            (id, team) if id == this.0 => {
                format!("`{name}` stands in box scores of {team} and of {} on {date}", this.1)
            }
            (id, _) => {
                format!(
                    "`{name}` is player {id} and player {} on {date}; an alias must tell them apart",
                    this.0
                )
            }
        };
        Err(Refusal::new(AMBIGUOUS_PLAYER, sentence))
    }
}

fn player_row(row: &Row<'_>, c: &Columns, side: &GameSide) -> Result<PlayerGameRow, Refusal> {
    let name = row.player(c.player_name)?;
    if row.opt(c.min).is_none() || row.opt(c.pts).is_none() {
        return Err(Refusal::new(DID_NOT_PLAY, "no minutes or no points: the player did not play"));
    }
    Ok(PlayerGameRow {
        game_id: side.game,
        player_lookup: name.lookup,
        player_name: name.display,
        league_player_id: row.parse(c.player_id, "a whole number")?,
        team: side.team,
        opponent: side.opponent,
        is_home: side.is_home,
        season: side.season,
        phase: side.phase,
        minutes: row.amount(c.min)?,
        points: row.amount(c.pts)?,
        rebounds: row.amount(c.reb)?,
        assists: row.amount(c.ast)?,
        threes: row.amount(c.fg3m)?,
        fgm: row.amount(c.fgm)?,
        fga: row.amount(c.fga)?,
        fg3a: row.amount(c.fg3a)?,
        ftm: row.amount(c.ftm)?,
        fta: row.amount(c.fta)?,
        oreb: row.amount(c.oreb)?,
        dreb: row.amount(c.dreb)?,
        stl: row.amount(c.stl)?,
        blk: row.amount(c.blk)?,
        tov: row.amount(c.tov)?,
        pf: row.amount(c.pf)?,
        plus_minus: row.opt_number(c.plus_minus)?,
    })
}

/// A game that box scores prove to be over. Its score is the sum of its players, once both sides are whole enough
/// to be one (five have to play).
fn finished(side: &GameSide, home: Side, away: Side) -> GameRow {
    let whole = home.players >= 5 && away.players >= 5;
    GameRow {
        game_id: side.game,
        league_game_id: Some(side.league_id.clone()),
        season: side.season,
        phase: side.phase,
        tip_off: None,
        status: GameStatus::Final,
        home_score: whole.then_some(home.points as i32),
        away_score: whole.then_some(away.points as i32),
    }
}
