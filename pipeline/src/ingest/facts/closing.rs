//! Closing spreads and totals by game, one row each, from a source with dates only.

use jiff::{SignedDuration, Timestamp};
use proto::tables::{GameLineRow, GameRow};
use proto::{GameKey, GameStatus, Line, league_time};

use super::super::harvest::Harvest;
use super::super::known::Known;
use super::super::refuse::{MISSING_FIELD, Refusal};
use super::super::table::{Damage, Row, Table, columns};
use super::each_row;
use crate::season::likely_phase;

/// Name of the consensus in the column of the books.
const BOOK: &str = "closing";
/// Name of the source. Its lines stand just before tip-off, and move with it.
pub(crate) const SOURCE: &str = "closing_lines";

columns!(struct Columns {
    season = "season",
    date = "date",
    away = "away",
    home = "home",
    favoured = "whos_favored",
    spread = "spread",
    total = "total",
});

/// `season (its last year), date, … away, home, … whos_favored, spread (without sign), total …`
pub(crate) fn closing(table: &mut Table, known: &Known, out: &mut Harvest) -> Result<(), Damage> {
    let c = Columns::of(&table.header);
    each_row(table, out, |row, out| {
        let date = row.date(c.date)?;
        let away = known.teams.need("away", row.text(c.away)?)?;
        let home = known.teams.need("home", row.text(c.home)?)?;
        let written = GameKey::nba(date, away, home)
            .map_err(|e| Refusal::bad("home", home.as_str(), &format!("another team than away: {e}")))?;
        let game_id = known.game_of(date, away, home).unwrap_or(written);
        let spread = home_spread(row, &c)?;
        let total = row.opt(c.total).map(|_| row.point(c.total)).transpose()?;
        if spread.is_none() && total.is_none() {
            return Err(Refusal::new(MISSING_FIELD, "neither `spread` nor `total` is there"));
        }
        if !known.knows(&game_id) {
            out.chunk.implied_games.push(announced(game_id, row, &c)?);
        }
        let swapped = game_id.home != home;
        let line = GameLineRow {
            game_id,
            book: BOOK.to_owned(),
            home_spread: spread.map(|s| if swapped { negated(s) } else { s }),
            total,
            snapshot_at: seen_at(known.tip_off(&game_id), date),
            source: SOURCE.to_owned(),
        };
        out.chunk.game_lines.push(line, 1);
        Ok(())
    })
}

/// Just before tip-off, or the date's start when tip-off is unknown.
fn seen_at(tip_off: Option<Timestamp>, date: jiff::civil::Date) -> Timestamp {
    tip_off.map_or_else(
        || league_time::start_of(date),
        |tip| tip.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN),
    )
}

fn home_spread(row: &Row<'_>, c: &Columns) -> Result<Option<Line>, Refusal> {
    let Some(text) = row.opt(c.spread) else { return Ok(None) };
    let spread = row.point(c.spread)?;
    if spread.half_points() < 0 {
        return Err(Refusal::bad("spread", text, "a spread without sign"));
    }
    match row.text(c.favoured)? {
        "home" => Ok(Some(negated(spread))),
        "away" => Ok(Some(spread)),
        other => Err(Refusal::bad("whos_favored", other, "home or away")),
    }
}

fn negated(line: Line) -> Line {
    Line::from_half_points(-line.half_points())
}

/// A game the lines speak of and nobody else does yet.
fn announced(game_id: GameKey, row: &Row<'_>, c: &Columns) -> Result<GameRow, Refusal> {
    let last_year: i16 = row.parse(c.season, "the year in which the season ends")?;
    Ok(GameRow {
        game_id,
        league_game_id: None,
        season: last_year - 1,
        phase: likely_phase(game_id.date),
        tip_off: None,
        status: GameStatus::Scheduled,
        home_score: None,
        away_score: None,
    })
}
