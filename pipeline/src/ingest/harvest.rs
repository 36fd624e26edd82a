//! What a file gives: rows for the tables, and how many rows of the file stand behind each.
//!
//! A source may write one quote as two rows (over, under) or repeat it. Each primary row carries how many source
//! rows it is made of, so that `read = new + known + refused` counts what the file holds, not what we made of it.
//!
//! The parser runs on a thread of its own and hands chunks over a bounded channel: memory stays flat, and one core
//! reads while the other writes.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::tables::{AliasRow, GameLineRow, GameRow, InjuryRow, PlayerGameRow, TeamGameRow, TeamRow};
use proto::{GameKey, PlayerName, TeamCode};
use tokio::sync::mpsc::Sender;

use super::known::Event;
use super::odds::Offer;
use super::refuse::{Refusal, TEAM_TWICE, Tally};
use super::table::Damage;

/// Rows a chunk has before it is handed over.
const CHUNK_ROWS: usize = 4_000;

/// Rows of one table with the number of source rows behind each.
#[derive(Debug)]
pub(crate) struct Weighted<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) weights: Vec<u32>,
}

impl<T> Default for Weighted<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), weights: Vec::new() }
    }
}

impl<T> Weighted<T> {
    pub(crate) fn push(&mut self, row: T, source_rows: u32) {
        self.rows.push(row);
        self.weights.push(source_rows);
    }

    /// Takes out the rows for which `wrong` has a reason, with their weights and it.
    pub(crate) fn take_wrong<R>(&mut self, wrong: impl Fn(&T) -> Option<R>) -> Vec<(T, u32, R)> {
        if !self.rows.iter().any(|row| wrong(row).is_some()) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        let all = std::mem::take(self);
        for (row, weight) in all.rows.into_iter().zip(all.weights) {
            match wrong(&row) {
                Some(reason) => taken.push((row, weight, reason)),
                None => self.push(row, weight),
            }
        }
        taken
    }

    /// Rows by weight, lightest first, so that counts of a table turn into counts of source rows.
    pub(crate) fn by_weight(self) -> Vec<(u32, Vec<T>)> {
        let mut groups: std::collections::BTreeMap<u32, Vec<T>> = std::collections::BTreeMap::new();
        for (row, weight) in self.rows.into_iter().zip(self.weights) {
            groups.entry(weight).or_default().push(row);
        }
        groups.into_iter().collect()
    }
}

/// Offers of one event in one snapshot, still to be turned into quotes.
#[derive(Debug)]
pub(crate) struct EventOffers {
    pub(crate) event: Event,
    pub(crate) snapshot_at: Timestamp,
    pub(crate) offers: Vec<Offer>,
    pub(crate) source: String,
}

/// Some thousand rows of a file.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) teams: Weighted<TeamRow>,
    pub(crate) games: Weighted<GameRow>,
    pub(crate) team_games: Weighted<TeamGameRow>,
    pub(crate) player_games: Weighted<PlayerGameRow>,
    /// Reports with the name as written, still to be resolved.
    pub(crate) injuries: Weighted<(InjuryRow, PlayerName)>,
    pub(crate) aliases: Weighted<AliasRow>,
    pub(crate) game_lines: Weighted<GameLineRow>,
    pub(crate) events: Vec<EventOffers>,
    /// Games that other rows need and nobody has announced; no source row stands behind them.
    pub(crate) implied_games: Vec<GameRow>,
}

impl Chunk {
    fn len(&self) -> usize {
        self.teams.rows.len()
            + self.games.rows.len()
            + self.team_games.rows.len()
            + self.player_games.rows.len()
            + self.injuries.rows.len()
            + self.aliases.rows.len()
            + self.game_lines.rows.len()
            + self.implied_games.len()
            + self.events.iter().map(|e| e.offers.len()).sum::<usize>()
    }
}

/// Everything one file gives, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Harvest {
    pub(crate) tally: Tally,
    pub(crate) chunk: Chunk,
    sink: Sink,
    /// The game that each team has on each date by the odds of this file.
    games: HashMap<(Date, TeamCode), GameKey>,
}

/// Where full chunks go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// To the writer, who may be slower than the parser.
    Writer(Sender<Chunk>),
    /// Into a list, for who reads without a warehouse.
    List(Vec<Chunk>),
}

impl Harvest {
    pub(crate) fn new(source_file: &str, sink: Sink) -> Self {
        Self { tally: Tally::new(source_file), chunk: Chunk::default(), sink, games: HashMap::new() }
    }

    /// Takes note of the game of an odds event; no team has two on one date, and the one that comes second is refused.
    pub(crate) fn claim(&mut self, event: &Event) -> Result<(), Refusal> {
        let game = event.game;
        for team in [game.home, game.away] {
            let claimed = *self.games.entry((game.date, team)).or_insert(game);
            if claimed != game {
                let sentence = format!("{team} cannot play {game} and {claimed} on one date");
                return Err(Refusal::new(TEAM_TWICE, sentence));
            }
        }
        Ok(())
    }

    /// Hands over a chunk that is large enough.
    pub(crate) fn flow(&mut self) -> Result<(), Damage> {
        if self.chunk.len() < CHUNK_ROWS { Ok(()) } else { self.flush() }
    }

    /// Hands over what is there.
    pub(crate) fn flush(&mut self) -> Result<(), Damage> {
        let chunk = std::mem::take(&mut self.chunk);
        match &mut self.sink {
            Sink::Writer(writer) => writer.blocking_send(chunk).map_err(|_| Damage::Stopped),
            Sink::List(list) => {
                list.push(chunk);
                Ok(())
            }
        }
    }

    /// The counts, and the chunks that were kept.
    pub(crate) fn into_parts(self) -> (Tally, Vec<Chunk>) {
        let chunks = match self.sink {
            Sink::Writer(_) => Vec::new(),
            Sink::List(list) => list,
        };
        (self.tally, chunks)
    }
}
