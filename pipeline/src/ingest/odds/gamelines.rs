//! Spreads and totals of a game, by book and snapshot.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::tables::GameLineRow;
use proto::{Code, Line};

use crate::ingest::directory::Directory;
use crate::ingest::harvest::Harvest;
use crate::ingest::known::Event;
use crate::ingest::refuse::{Place, Refusal};

/// Markets of a whole game that are stored.
pub(crate) const GAME_MARKETS: [&str; 2] = ["spreads", "totals"];

/// True for game markets that are known and of no use here: money lines, alternates, parts of games.
pub(crate) fn is_unused_market(key: &str) -> bool {
    key == "h2h"
        || key == "outrights"
        || ["h2h_", "spreads_", "totals_", "alternate_", "team_totals"]
            .iter()
            .any(|start| key.starts_with(start))
}

/// One outcome of a game market.
#[derive(Debug, Clone)]
pub(crate) struct GameOutcome {
    pub(crate) place: Place,
    pub(crate) book: String,
    pub(crate) market: String,
    /// Team, `Over` or `Under`.
    pub(crate) name: String,
    pub(crate) point: Line,
}

#[derive(Debug, Default)]
struct Both {
    spread: Option<Line>,
    total: Option<Line>,
    source_rows: u32,
}

/// Turns the outcomes of one event in one snapshot into one row a book. Both sides of a market say the same thing;
/// where they do not, the second is refused.
pub(crate) fn assemble_game(
    event: &Event,
    snapshot_at: Timestamp,
    outcomes: Vec<GameOutcome>,
    source: &str,
    teams: &Directory,
    out: &mut Harvest,
) {
    if let Some(game) = &event.implied {
        out.chunk.implied_games.push(game.clone());
    }
    let mut books: BTreeMap<String, Both> = BTreeMap::new();
    for outcome in outcomes {
        let (place, excerpt) = (outcome.place, format!("{outcome:?}"));
        if let Err(refusal) = take(&mut books, outcome, event, teams) {
            out.tally.refuse(place, refusal, &excerpt, 1, Some(event.game.date));
        }
    }
    for (book, both) in books {
        let row = GameLineRow {
            game_id: event.game,
            book,
            home_spread: both.spread,
            total: both.total,
            snapshot_at,
            source: source.to_owned(),
        };
        out.chunk.game_lines.push(row, both.source_rows);
    }
}

fn take(
    books: &mut BTreeMap<String, Both>,
    outcome: GameOutcome,
    event: &Event,
    teams: &Directory,
) -> Result<(), Refusal> {
    let value = match outcome.market.as_str() {
        "spreads" => {
            let team = teams.need("name", &outcome.name)?;
            if team == event.game.home {
                outcome.point
            } else if team == event.game.away {
                Line::from_half_points(-outcome.point.half_points())
            } else {
                return Err(Refusal::of(
                    Code::GameUnresolved,
                    format!("{team} does not play in {}", event.game),
                ));
            }
        }
        _ => outcome.point,
    };
    let both = books.entry(outcome.book).or_default();
    let slot = if outcome.market == "spreads" { &mut both.spread } else { &mut both.total };
    match slot {
        Some(held) if *held != value => {
            return Err(Refusal::of(
                Code::DuplicateQuote,
                format!("{} says {value} where its other side says {held}", outcome.market),
            ));
        }
        _ => *slot = Some(value),
    }
    both.source_rows += 1;
    Ok(())
}
