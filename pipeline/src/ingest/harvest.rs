//! What a file gives: rows for the tables, and how many rows of the file stand behind each.
//!
//! A source may write one quote as two rows (over, under) or repeat it. Each primary row carries how many source
//! rows it is made of, so that `read = new + known + refused` counts what the file holds, not what we made of it.
//!
//! The parser runs on a thread of its own and hands chunks over a bounded channel: memory stays flat, and one core
//! reads while the other writes.

use jiff::Timestamp;
use proto::PlayerName;
use proto::tables::{AliasRow, GameLineRow, GameRow, InjuryRow, PlayerGameRow, TeamGameRow, TeamRow};
use tokio::sync::mpsc::Sender;

use super::known::Event;
use super::odds::Offer;
use super::refuse::Tally;
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
    sink: Sender<Chunk>,
}

impl Harvest {
    pub(crate) fn new(source_file: &str, sink: Sender<Chunk>) -> Self {
        Self { tally: Tally::new(source_file), chunk: Chunk::default(), sink }
    }

    /// Hands over a chunk that is large enough.
    pub(crate) fn flow(&mut self) -> Result<(), Damage> {
        if self.chunk.len() < CHUNK_ROWS { Ok(()) } else { self.flush() }
    }

    /// Hands over what is there.
    pub(crate) fn flush(&mut self) -> Result<(), Damage> {
        let chunk = std::mem::take(&mut self.chunk);
        self.sink.blocking_send(chunk).map_err(|_| Damage::Stopped)
    }
}
