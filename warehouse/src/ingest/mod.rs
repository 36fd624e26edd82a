//! Ingest: all rows of one file and its entry in the ledger, in one transaction.
//!
//! A file is in the ledger or it is not; there is no lock that could outlive a run and no half-written file
//! (incidents 30, 31). Rows already known by their natural key are counted, not written again, so that the same
//! content under another name, or a file cut differently, changes nothing (the predecessor stored 115 copies).

mod ledger;
mod names;
mod quotes;
pub(crate) mod tables;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use proto::tables::{
    AliasRow, GameLineRow, GameRow, InjuryRow, LineRow, PlayerGameRow, QuarantineRow, SourceFileRow,
    TeamGameRow, TeamRow,
};
use proto::{PlayerLookup, PlayerName, TeamCode};

use self::tables::Stamp;
use crate::Warehouse;
use crate::error::{Doing, Result};
use crate::leases::{self, Lease};
use crate::sqlite::bulk::{self, Cells, Insert};
use crate::sqlite::{Durability, Tx};
use crate::text;

pub use self::ledger::{LedgerEntry, QuarantineEntry};
pub use self::names::{JoinRate, UnresolvedName, UnresolvedReport};
pub use self::quotes::{EventSnapshot, MainQuote, SummaryRow};

/// A person of the `players` table; derived from box scores, or given by a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerRow {
    /// Join key, suffix kept.
    pub player_lookup: PlayerLookup,
    /// The name to show.
    pub player_name: String,
    /// Join key without a generational suffix.
    pub base_lookup: PlayerLookup,
    /// The league's id.
    pub league_player_id: Option<i64>,
    /// Newest team.
    pub team: Option<TeamCode>,
    /// Date of the newest game.
    pub last_game_date: Option<Date>,
}

/// Rows of one file, or of a chunk of it.
#[derive(Debug, Clone, Default)]
pub struct IngestBatch {
    /// Schedule.
    pub games: Vec<GameRow>,
    /// Teams.
    pub teams: Vec<TeamRow>,
    /// Team box scores.
    pub team_games: Vec<TeamGameRow>,
    /// Player box scores; `players` follows from them.
    pub player_games: Vec<PlayerGameRow>,
    /// Availability reports.
    pub injuries: Vec<InjuryRow>,
    /// Spellings.
    pub aliases: Vec<AliasRow>,
    /// Players of a roster, where there are no box scores yet.
    pub players: Vec<PlayerRow>,
    /// Player quotes.
    pub lines: Vec<LineRow>,
    /// Spreads and totals.
    pub game_lines: Vec<GameLineRow>,
    /// What was refused; counted by the caller as refused, not here.
    pub quarantine: Vec<QuarantineRow>,
}

/// Rows of one table that were new and that were known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewKnown {
    /// Inserted, or corrected because the content differed.
    pub new: u64,
    /// Known by their natural key.
    pub known: u64,
}

/// What an ingestion did; quarantine is not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestCounts {
    /// Over all tables.
    pub new: u64,
    /// Over all tables.
    pub known: u64,
    /// By table.
    pub by_table: BTreeMap<&'static str, NewKnown>,
}

impl IngestCounts {
    fn count(&mut self, table: &'static str, rows: usize, changed: u64) {
        if rows == 0 {
            return;
        }
        let known = (rows as u64).saturating_sub(changed);
        let entry = self.by_table.entry(table).or_default();
        entry.new += changed;
        entry.known += known;
        self.new += changed;
        self.known += known;
    }

    /// Adds what a later chunk of the same file did.
    pub fn add(&mut self, later: &Self) {
        self.new += later.new;
        self.known += later.known;
        for (table, counts) in &later.by_table {
            let entry = self.by_table.entry(table).or_default();
            entry.new += counts.new;
            entry.known += counts.known;
        }
    }
}

/// A file as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOrigin {
    /// Name without folders; every row says it came from there.
    pub name: String,
    /// sha256 of its bytes.
    pub sha256: String,
    /// Where it lay, so that what was refused can be tried again.
    pub path: String,
}

/// One file on its way in. Dropped without [`IngestTransaction::commit`], it never happened.
///
/// It holds the writer: other writers of this process wait, other processes' for their busy timeout. So add what
/// is parsed, and await nothing slow between two calls.
#[derive(Debug)]
pub struct IngestTransaction {
    tx: Tx,
    stamp: Stamp,
    origin: Option<FileOrigin>,
}

impl IngestTransaction {
    /// Writes a chunk of any size; memory stays flat when chunks are small (some thousand rows).
    pub async fn add(&mut self, batch: &IngestBatch) -> Result<IngestCounts> {
        let mut counts = IngestCounts::default();
        self.load(&mut counts, &tables::GAMES, &batch.games, tables::write_game).await?;
        self.load(&mut counts, &tables::teams(), &batch.teams, tables::write_team).await?;
        self.load(&mut counts, &tables::team_games(), &batch.team_games, tables::write_team_game).await?;
        self.load(&mut counts, &tables::player_games(), &batch.player_games, tables::write_player_game)
            .await?;
        self.load(&mut counts, &tables::INJURIES, &batch.injuries, tables::write_injury).await?;
        self.load(&mut counts, &tables::aliases(), &batch.aliases, tables::write_alias).await?;
        self.load(&mut counts, &tables::PLAYERS, &batch.players, tables::write_player).await?;
        self.load(&mut counts, &tables::LINES, &batch.lines, tables::write_line).await?;
        self.load(&mut counts, &tables::GAME_LINES, &batch.game_lines, tables::write_game_line).await?;
        // Derived and refused rows are not the file's counts.
        let mut uncounted = IngestCounts::default();
        let players = players_of(&batch.player_games);
        self.load(&mut uncounted, &tables::PLAYERS, &players, tables::write_player).await?;
        self.quarantine(&batch.quarantine).await?;
        Ok(counts)
    }

    async fn load<R: Sync>(
        &mut self,
        counts: &mut IngestCounts,
        into: &Insert<'static>,
        rows: &[R],
        write: impl Fn(&R, &mut Cells) + Send + Sync,
    ) -> Result<()> {
        let stamp = &self.stamp;
        let changed = bulk::insert(&mut self.tx, into, rows, |row, cells| {
            write(row, cells);
            stamp.write(cells);
        })
        .await?;
        counts.count(into.table, rows.len(), changed);
        Ok(())
    }

    async fn quarantine(&mut self, rows: &[QuarantineRow]) -> Result<()> {
        let at = self.stamp.ingested_at;
        let sha256 = self.origin.as_ref().map(|origin| origin.sha256.as_str());
        bulk::insert(&mut self.tx, &tables::QUARANTINE, rows, |row, cells| {
            tables::write_quarantine(row, cells);
            cells.instant(at).opt_text(sha256);
        })
        .await?;
        Ok(())
    }

    /// Writes the file into the ledger and commits. The ledger refuses counts that do not add up
    /// (read = new + known + refused).
    pub async fn commit(mut self, file: &SourceFileRow) -> Result<()> {
        sqlx::query(include_str!("../../sql/put_source_file.sql"))
            .bind(&file.sha256)
            .bind(&file.name)
            .bind(&file.kind)
            .bind(file.size)
            .bind(file.rows_read)
            .bind(file.rows_new)
            .bind(file.rows_known)
            .bind(file.rows_refused)
            .bind(text::instant(file.ingested_at))
            .bind(self.origin.as_ref().map(|origin| origin.path.as_str()))
            .execute(&mut *self.tx)
            .await
            .doing("write the file into the ledger")?;
        self.tx.commit().await.committing("commit an ingested file")
    }
}

/// The newest row of each player of these box scores.
fn players_of(rows: &[PlayerGameRow]) -> Vec<PlayerRow> {
    let mut newest: HashMap<&PlayerLookup, &PlayerGameRow> = HashMap::new();
    for row in rows {
        let entry = newest.entry(&row.player_lookup).or_insert(row);
        if row.game_id.date > entry.game_id.date {
            *entry = row;
        }
    }
    let mut players: Vec<PlayerRow> = newest.into_values().map(player_of).collect();
    players.sort_by(|a, b| a.player_lookup.cmp(&b.player_lookup));
    players
}

fn player_of(row: &PlayerGameRow) -> PlayerRow {
    let base_lookup = match PlayerName::parse(&row.player_name) {
        Ok(name) => name.without_suffix,
        Err(_) => row.player_lookup.clone(),
    };
    PlayerRow {
        player_lookup: row.player_lookup.clone(),
        player_name: row.player_name.clone(),
        base_lookup,
        league_player_id: Some(row.league_player_id),
        team: Some(row.team),
        last_game_date: Some(row.game_id.date),
    }
}

impl Warehouse {
    /// Begins to ingest a file; see [`IngestTransaction`].
    pub async fn begin_ingest(&self, source_file: &str, ingested_at: Timestamp) -> Result<IngestTransaction> {
        let tx = self.store().write(Durability::Normal).await?;
        let stamp = Stamp { source_file: source_file.to_owned(), ingested_at };
        Ok(IngestTransaction { tx, stamp, origin: None })
    }

    /// Begins to ingest a file under a lease: refused when the lease is somebody else's by now, renewed at `now`
    /// otherwise. What an earlier reading of the same content refused is dropped, since this reading says it anew.
    pub async fn begin_file(
        &self,
        origin: FileOrigin,
        ingested_at: Timestamp,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<IngestTransaction> {
        let mut tx = self.store().write(Durability::Normal).await?;
        leases::renew(&mut tx, lease, now).await?;
        sqlx::query(include_str!("../../sql/forget_refusals.sql"))
            .bind(&origin.sha256)
            .execute(&mut *tx)
            .await
            .doing("forget what an earlier reading refused")?;
        let stamp = Stamp { source_file: origin.name.clone(), ingested_at };
        Ok(IngestTransaction { tx, stamp, origin: Some(origin) })
    }

    /// Ingests a whole file at once. Fills the row counts of `file` from what happened and from its `rows_refused`.
    pub async fn ingest_file(&self, file: &SourceFileRow, batch: &IngestBatch) -> Result<IngestCounts> {
        let mut ingest = self.begin_ingest(&file.name, file.ingested_at).await?;
        let counts = ingest.add(batch).await?;
        let (new, known) = (clamped(counts.new), clamped(counts.known));
        let counted = SourceFileRow {
            rows_read: new + known + file.rows_refused,
            rows_new: new,
            rows_known: known,
            ..file.clone()
        };
        ingest.commit(&counted).await?;
        Ok(counts)
    }
}

fn clamped(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
