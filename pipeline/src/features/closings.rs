//! With which line the books went into a game: what graded features are measured against.
//!
//! A game that is over has one answer, whenever it is asked for: each book's newest main quote strictly before that
//! game's own tip-off. Nobody can look at a date itself or later.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use proto::{GameKey, PlayerLookup};
use rules::line_features::{consensus_line, preferred_line};
use warehouse::ClosingQuote;

/// The market's last word about a player before a game.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Closing {
    pub(crate) game: GameKey,
    /// Line of the preferred book.
    pub(crate) line: f64,
    /// Median of the counting books; none when none of them quotes.
    pub(crate) consensus: Option<f64>,
}

/// Closing lines of points by player.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    quotes: HashMap<PlayerLookup, BTreeMap<GameKey, BTreeMap<String, i32>>>,
    settled: HashMap<PlayerLookup, Vec<Closing>>,
}

impl Closings {
    pub(crate) fn add(&mut self, quotes: impl IntoIterator<Item = ClosingQuote>) {
        for quote in quotes {
            let games = self.quotes.entry(quote.player_lookup).or_default();
            let books = games.entry(quote.game_id).or_default();
            let half = quote.line.half_points();
            // Of two lines in one snapshot the smaller one, as everywhere.
            books.entry(quote.book).and_modify(|held| *held = half.min(*held)).or_insert(half);
        }
    }

    /// Turns quotes into one line a game, ordered by date.
    pub(crate) fn settle(&mut self) {
        for (player, games) in self.quotes.drain() {
            let closings = games.into_iter().filter_map(|(game, books)| {
                let line = preferred_line(&books)?;
                Some(Closing { game, line, consensus: consensus_line(&books) })
            });
            let mut closings: Vec<Closing> = closings.collect();
            closings.sort_by_key(|closing| (closing.game.date, closing.game));
            self.settled.insert(player, closings);
        }
    }

    pub(crate) fn before(&self, date: Date, player: &PlayerLookup) -> &[Closing] {
        let all = self.settled.get(player).map_or(&[][..], Vec::as_slice);
        &all[..all.partition_point(|closing| closing.game.date < date)]
    }
}
