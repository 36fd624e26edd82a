//! A file without a warehouse: what its bytes would give, and what of them would be refused.
//!
//! The readers are decisions about bytes, so they can be asked without a database: by a fuzzer that sends them garbage
//! all night, by a test, by somebody who wants to know what a file is before it goes in. It is the code that ingest runs,
//! with teams that are built in and no games or players known.

use std::collections::BTreeMap;

use proto::tables::QuarantineRow;

use super::file::{Parsed, count_break, fit_games, not_used, parse, refusal_of};
use super::harvest::{Chunk, Sink};
use super::kind::{Kind, recognise};
use super::known::Known;
use super::odds::assemble::{Quotes, assemble};
use super::people::People;
use super::refuse::{Refusal, Tally, UNREADABLE};
use super::report::FileReport;
use super::source::Source;

/// What a file gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// What it is; nothing when that cannot be told.
    pub kind: Option<Kind>,
    /// Rows of the file; a file that is refused whole counts as one.
    pub read: u64,
    /// Rows of the file that become rows of a table.
    pub used: u64,
    /// Rows of the file that repeat another one word for word.
    pub repeated: u64,
    /// Rows of the file that are refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Rows by table.
    pub tables: BTreeMap<&'static str, u64>,
    /// The first refusals of each code, with sentence and text.
    pub quarantine: Vec<QuarantineRow>,
    /// Whether the file breaks off.
    pub damaged: bool,
}

impl Reading {
    /// Whether every row of the file is accounted for: used, repeated or refused.
    pub fn is_balanced(&self) -> bool {
        self.read == self.used + self.repeated + self.refused.values().sum::<u64>()
    }
}

/// Reads the bytes of a file that would be called `name`; packed ones are unpacked within the usual limits.
pub fn read(name: &str, bytes: &[u8]) -> Reading {
    let source = Source::in_memory(name, bytes);
    let head =
        source.head().map_err(|e| Refusal::new(UNREADABLE, format!("the content cannot be unpacked: {e}")));
    let recognised = match head.and_then(|head| recognise(&head)) {
        Ok(recognised) => recognised,
        Err(refusal) => return refused_whole(name, None, refusal),
    };
    let kind = recognised.kind();
    if let Some(because) = kind.unused_because() {
        let FileReport { read, refused, .. } = not_used(&source, kind, because);
        return Reading { kind: Some(kind), read, refused, ..Reading::default() };
    }
    let mut known = Known::default();
    let Parsed { mut tally, kept, end } = parse(&source, recognised, &known, Sink::List(Vec::new()));
    if let Some(refusal) = refusal_of(&end) {
        return refused_whole(name, Some(kind), refusal);
    }
    let mut reading = Reading { kind: Some(kind), ..Reading::default() };
    for chunk in kept {
        reading.take(chunk, &mut known, &mut tally);
    }
    reading.damaged = count_break(&mut tally, end);
    reading.close(tally)
}

fn refused_whole(name: &str, kind: Option<Kind>, refusal: Refusal) -> Reading {
    let mut tally = Tally::new(name);
    tally.read = 1;
    tally.refuse(None, refusal, kind.map_or("", Kind::as_str), 1, None);
    Reading { kind, ..Reading::default() }.close(tally)
}

impl Reading {
    fn close(mut self, tally: Tally) -> Reading {
        (self.read, self.refused, self.quarantine) = (tally.read, tally.refused, tally.quarantine);
        self
    }

    fn take(&mut self, chunk: Chunk, known: &mut Known, tally: &mut Tally) {
        let (games, implied) = fit_games(known, chunk.games, chunk.implied_games);
        known.teams.learn(&chunk.teams.rows);
        let mut quotes = Quotes::default();
        let people = People::default();
        for event in chunk.events {
            assemble(event, &people, &mut quotes, tally);
        }
        self.repeated += quotes.repeated;
        self.count("games", implied.len(), &[]);
        self.count("games", games.rows.len(), &games.weights);
        self.count("teams", chunk.teams.rows.len(), &chunk.teams.weights);
        self.count("team_games", chunk.team_games.rows.len(), &chunk.team_games.weights);
        self.count("player_games", chunk.player_games.rows.len(), &chunk.player_games.weights);
        self.count("injuries", chunk.injuries.rows.len(), &chunk.injuries.weights);
        self.count("player_aliases", chunk.aliases.rows.len(), &chunk.aliases.weights);
        self.count("game_lines", chunk.game_lines.rows.len(), &chunk.game_lines.weights);
        self.count("lines", quotes.rows.rows.len(), &quotes.rows.weights);
    }

    fn count(&mut self, table: &'static str, rows: usize, weights: &[u32]) {
        if rows > 0 {
            *self.tables.entry(table).or_default() += rows as u64;
        }
        self.used += weights.iter().map(|weight| u64::from(*weight)).sum::<u64>();
    }
}
