//! One file: parsed on a thread, written in chunks, committed with its entry in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::league_time::league_date;
use proto::tables::{GameRow, InjuryRow, LineRow, SourceFileRow};
use proto::{GameKey, PlayerName};
use tokio::sync::mpsc;
use warehouse::{IngestBatch, IngestCounts, IngestTransaction, Lease, Warehouse};

use super::batch::Clock;
use super::clock;
use super::facts;
use super::harvest::{Chunk, Harvest, Sink, Weighted};
use super::kind::{Kind, Recognised};
use super::known::Known;
use super::odds::assemble::{Quotes, assemble};
use super::odds::{sheet, v4};
use super::refuse::{DID_NOT_PLAY, MALFORMED, NOT_USED, Refusal, TOO_LARGE, TRUNCATED, Tally, UNREADABLE};
use super::refused::{REFUSED, Refused};
use super::report::{FileReport, FileState};
use super::settle::{Touched, settle};
use super::source::Source;
use super::table::{Damage, Table};
use super::{IngestOptions, Shared};
use crate::error::{Error, Result};
use crate::season::season_of;

/// Chunks that may wait for the writer.
const WAITING_CHUNKS: usize = 2;

/// What one file did.
pub(super) struct Outcome {
    pub(super) report: FileReport,
    /// Changed rows by table.
    pub(super) tables: BTreeMap<&'static str, u64>,
}

/// What a run holds while it works on a file.
pub(super) struct Hold<'a> {
    /// Renewed when a file begins, in the file's own transaction; whoever lost it writes nothing.
    pub(super) lease: &'a Lease,
    pub(super) clock: Clock<'a>,
    /// When the run's time is up; what is half read then never happened.
    pub(super) deadline: Timestamp,
}

/// The report of a file that needs no reading: it is of no use here, or its content is in the ledger.
pub(super) async fn without_reading(
    warehouse: &Warehouse,
    source: &Source,
    kind: Kind,
) -> Result<Option<FileReport>> {
    if let Some(because) = kind.unused_because() {
        return Ok(Some(not_used(source, kind, because)));
    }
    let before = warehouse.known_file(&source.sha256).await?;
    Ok(before.filter(|before| before.kind != REFUSED).map(|before| known(source, &before)))
}

/// Ingests one recognised file.
pub(super) async fn ingest(
    warehouse: &Warehouse,
    source: &Source,
    recognised: Recognised,
    shared: &mut Shared,
    options: &IngestOptions,
    hold: &Hold<'_>,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<Outcome> {
    let kind = recognised.kind();
    let without_rows = |report| Outcome { report, tables: BTreeMap::new() };
    if let Some(because) = kind.unused_because() {
        return Ok(without_rows(not_used(source, kind, because)));
    }
    let (sink, mut chunks) = mpsc::channel(WAITING_CHUNKS);
    let parser = {
        let (source, known) = (source.clone(), Arc::clone(&shared.known));
        tokio::task::spawn_blocking(move || parse(&source, recognised, &known, Sink::Writer(sink)))
    };
    let mut writer = Writer::begin(warehouse, source, options, hold).await?;
    while let Some(chunk) = chunks.recv().await {
        if (hold.clock)() >= hold.deadline {
            drop(writer); // nothing of it happened
            drop(chunks); // and the parser stops
            let why = "the run's time was up inside this file; split it, or run it again alone";
            let report =
                FileReport::without_rows(source.name.clone(), kind.as_str(), FileState::Waiting, why);
            return Ok(without_rows(report));
        }
        writer.take(chunk, warehouse, shared).await?;
        tell(writer.rows);
    }
    let Parsed { tally, end, .. } =
        parser.await.map_err(|e| Error::Invalid(format!("the parser of `{}` stopped: {e}", source.name)))?;
    match refusal_of(&end) {
        Some(refusal) => {
            drop(writer); // nothing of it happened
            let refused = Refused::content(source, kind.as_str(), refusal);
            Ok(without_rows(refused.report(warehouse, options.now, hold).await?))
        }
        None => writer.finish(source, kind, tally, end, shared, options.now).await,
    }
}

/// What reading a file came to.
pub(super) struct Parsed {
    pub(super) tally: Tally,
    /// The chunks, where nobody took them.
    pub(super) kept: Vec<Chunk>,
    pub(super) end: std::result::Result<(), Damage>,
}

/// Reads a file to its end, chunk by chunk.
pub(super) fn parse(source: &Source, recognised: Recognised, known: &Known, sink: Sink) -> Parsed {
    let mut out = Harvest::new(&source.name, sink);
    let end = read(source, recognised, known, &mut out);
    let end = match end {
        Err(Damage::Stopped) => end,
        _ => out.flush().and(end),
    };
    // Only now is the channel closed, by which the writer knows that nothing more comes.
    let (tally, kept) = out.into_parts();
    Parsed { tally, kept, end }
}

fn read(
    source: &Source,
    recognised: Recognised,
    known: &Known,
    out: &mut Harvest,
) -> std::result::Result<(), Damage> {
    let kind = match &recognised {
        Recognised::Odds(shape) => return sheet::quotes(source, shape, known, out),
        Recognised::Plain(kind) => *kind,
    };
    if matches!(kind, Kind::OddsV4 | Kind::OddsEvents) {
        let head = source.head().map_err(|e| Damage::of(&e))?;
        return v4::events(source, &head, known, out);
    }
    let mut table = Table::open(source)?;
    match kind {
        Kind::Teams => facts::people::teams(&mut table, out),
        Kind::Aliases => facts::people::aliases(&mut table, out),
        Kind::ScheduleWallClock => facts::schedule::wall_clock(&mut table, out),
        Kind::ScheduleInstants => facts::schedule::instants(&mut table, out),
        Kind::TeamGames => facts::teamgames::teams(&mut table, known, out),
        Kind::BoxScores => facts::boxscores::players(&mut table, known, out),
        Kind::GameLinesClosing => facts::closing::closing(&mut table, known, out),
        Kind::InjuryMoves => facts::injuries::moves(&mut table, known, out),
        Kind::InjuryReports => facts::injuries::reports(&mut table, known, out),
        Kind::OddsEvents | Kind::OddsV4 | Kind::OddsTable | Kind::Positions | Kind::SeasonMetrics => Ok(()),
    }
}

/// Damage that makes the whole file unusable.
pub(super) fn refusal_of(end: &std::result::Result<(), Damage>) -> Option<Refusal> {
    match end {
        Ok(()) | Err(Damage::Truncated(_) | Damage::Stopped) => None,
        Err(Damage::Corrupt(why)) => {
            Some(Refusal::new(MALFORMED, format!("the packed content contradicts its checksum: {why}")))
        }
        Err(Damage::Bomb(why)) => Some(Refusal::new(TOO_LARGE, format!("the file {why}"))),
        Err(Damage::Unreadable(why)) => {
            Some(Refusal::new(UNREADABLE, format!("the file cannot be read: {why}")))
        }
    }
}

/// The transaction of one file, with its counts in source rows.
struct Writer {
    tx: IngestTransaction,
    tally: Tally,
    counts: IngestCounts,
    new: u64,
    known: u64,
    rows: u64,
    people_changed: bool,
    options: IngestOptions,
    /// Games or their closing lines: what follows from a tip-off is looked at.
    games_changed: bool,
    /// Events with new quotes.
    touched: Touched,
    /// Rows by the date of the game they are about.
    dates: BTreeMap<Date, u64>,
    /// True when an availability report is new.
    has_reports: bool,
}

impl Writer {
    async fn begin(
        warehouse: &Warehouse,
        source: &Source,
        options: &IngestOptions,
        hold: &Hold<'_>,
    ) -> Result<Self> {
        Ok(Self {
            tx: warehouse.begin_file(source.origin(), options.now, hold.lease, (hold.clock)()).await?,
            tally: Tally::new(&source.name),
            counts: IngestCounts::default(),
            new: 0,
            known: 0,
            rows: 0,
            people_changed: false,
            games_changed: false,
            touched: Touched::default(),
            dates: BTreeMap::new(),
            has_reports: false,
            options: options.clone(),
        })
    }

    async fn take(&mut self, mut chunk: Chunk, warehouse: &Warehouse, shared: &mut Shared) -> Result<()> {
        if !self.options.ahead {
            clock::refuse_ahead(&mut chunk, self.options.now, &mut self.tally);
        }
        let known = Arc::make_mut(&mut shared.known);
        let (games, implied) = fit_games(known, chunk.games, chunk.implied_games);
        known.teams.learn(&chunk.teams.rows);
        self.people_changed |= !chunk.player_games.rows.is_empty() || !chunk.aliases.rows.is_empty();
        self.games_changed |= !games.rows.is_empty() || !chunk.game_lines.rows.is_empty();

        let mut quotes = Quotes::default();
        for event in chunk.events {
            shared.people.ready(warehouse, event.event.season).await?;
            assemble(event, &shared.people, &mut quotes, &mut self.tally);
        }
        self.known += quotes.repeated;
        shared.meet(&quotes.names);
        self.date(&games, |row| row.game_id.date);
        self.date(&chunk.team_games, |row| row.game_id.date);
        self.date(&chunk.player_games, |row| row.game_id.date);
        self.date(&chunk.game_lines, |row| row.game_id.date);
        self.date(&quotes.rows, |row| row.game_date);

        self.derived(IngestBatch { games: implied, ..IngestBatch::default() }).await?;
        self.counted(chunk.teams, |rows| IngestBatch { teams: rows, ..IngestBatch::default() }).await?;
        self.counted(games, |rows| IngestBatch { games: rows, ..IngestBatch::default() }).await?;
        self.counted(chunk.team_games, |rows| IngestBatch { team_games: rows, ..IngestBatch::default() })
            .await?;
        self.counted(chunk.player_games, |rows| IngestBatch { player_games: rows, ..IngestBatch::default() })
            .await?;
        let injuries = self.injuries(chunk.injuries, warehouse, shared).await?;
        let before = self.new;
        self.counted(injuries, |rows| IngestBatch { injuries: rows, ..IngestBatch::default() }).await?;
        self.has_reports |= self.new > before;
        self.counted(chunk.aliases, |rows| IngestBatch { aliases: rows, ..IngestBatch::default() }).await?;
        self.counted(chunk.game_lines, |rows| IngestBatch { game_lines: rows, ..IngestBatch::default() })
            .await?;
        self.quotes(quotes.rows).await
    }

    /// Quotes, noting the events in which one is new.
    async fn quotes(&mut self, quotes: Weighted<LineRow>) -> Result<()> {
        let mut events: BTreeMap<(String, Timestamp), GameKey> = BTreeMap::new();
        for row in &quotes.rows {
            if let Some(game) = row.game_id {
                events.entry((row.event_id.clone(), row.snapshot_at)).or_insert(game);
            }
        }
        let before = self.new;
        self.counted(quotes, |rows| IngestBatch { lines: rows, ..IngestBatch::default() }).await?;
        if self.new > before {
            for ((event, at), game) in events {
                self.touched.snapshot(&event, game, at);
            }
        }
        Ok(())
    }

    /// Notes which dates rows are about.
    fn date<T>(&mut self, rows: &Weighted<T>, of: impl Fn(&T) -> Date) {
        for (row, weight) in rows.rows.iter().zip(&rows.weights) {
            *self.dates.entry(of(row)).or_default() += u64::from(*weight);
        }
    }

    /// League dates that what is new may be about. Whoever is reported about today, or was before, may play tonight.
    fn changed(&self) -> BTreeSet<Date> {
        if self.new == 0 {
            return BTreeSet::new();
        }
        let tonight = self.has_reports.then(|| league_date(self.options.now));
        self.dates.keys().copied().chain(tonight).collect()
    }

    /// Reports under the keys of the players they mean; who is nobody yet keeps his name and is looked at again.
    async fn injuries(
        &self,
        reports: Weighted<(InjuryRow, PlayerName)>,
        warehouse: &Warehouse,
        shared: &mut Shared,
    ) -> Result<Weighted<InjuryRow>> {
        let mut resolved = Weighted::default();
        for ((mut report, name), weight) in reports.rows.into_iter().zip(reports.weights) {
            let season = season_of(league_date(report.reported_at));
            shared.people.ready(warehouse, season).await?;
            (report.player_lookup, report.player_resolved) =
                shared.people.who(&name, report.team.as_slice(), season);
            resolved.push(report, weight);
        }
        Ok(resolved)
    }

    /// Rows of the file: each table row counts as the source rows it is made of.
    async fn counted<T>(&mut self, rows: Weighted<T>, batch: impl Fn(Vec<T>) -> IngestBatch) -> Result<()> {
        for (weight, rows) in rows.by_weight() {
            let weight = u64::from(weight);
            let counts = self.tx.add(&batch(rows)).await?;
            self.new += weight * counts.new;
            self.known += weight * counts.known;
            self.rows += weight * (counts.new + counts.known);
            self.counts.add(&counts);
        }
        Ok(())
    }

    /// Rows that follow from the file's rows and are none of them.
    async fn derived(&mut self, batch: IngestBatch) -> Result<()> {
        let counts = self.tx.add(&batch).await?;
        self.counts.add(&counts);
        Ok(())
    }

    async fn finish(
        mut self,
        source: &Source,
        kind: Kind,
        tally: Tally,
        end: std::result::Result<(), Damage>,
        shared: &mut Shared,
        now: Timestamp,
    ) -> Result<Outcome> {
        let mut all = tally;
        all.add(std::mem::take(&mut self.tally));
        let damaged = count_break(&mut all, end);
        if all.read == 0 {
            // Not in the ledger: a source that had nothing yet is not done (incident 49).
            let why = "the file holds no rows; it is looked at again the next time";
            let report = FileReport::without_rows(source.name.clone(), kind.as_str(), FileState::Empty, why);
            return Ok(Outcome { report, tables: BTreeMap::new() });
        }
        self.derived(IngestBatch { quarantine: all.quarantine, ..IngestBatch::default() }).await?;
        if self.games_changed {
            for (event, game) in self.tx.events_of_changed_games().await? {
                self.touched.event(event, game);
            }
        }
        settle(&mut self.tx, &self.touched, &self.options.lines).await?;
        self.tx.note_dates(&self.dates).await?;
        let refused: u64 = all.refused.values().sum();
        let is_useless = self.new + self.known == 0 && all.refused.keys().any(|code| may_be_used_later(code));
        let report = FileReport {
            name: source.name.clone(),
            kind: kind.as_str().to_owned(),
            state: if is_useless { FileState::Quarantined } else { FileState::Ingested },
            read: all.read,
            new: self.new,
            known: self.known,
            sentence: sentence(self.new, self.known, &all.refused, damaged),
            refused: all.refused,
            damaged,
            changed: self.changed(),
        };
        self.tx.commit(&ledger(source, &report, refused, now)).await?;
        if self.people_changed {
            shared.people.forget();
        }
        let tables = self.counts.by_table.iter().map(|(table, counts)| (*table, counts.new)).collect();
        Ok(Outcome { report, tables })
    }
}

/// Counts a stream that broke off as one row more, and tells whether anything was cut.
pub(super) fn count_break(all: &mut Tally, end: std::result::Result<(), Damage>) -> bool {
    if let Err(Damage::Truncated(why)) = end {
        all.read += 1;
        let (sentence, name) = (format!("{why}; what came before is in"), all.source_file().to_owned());
        all.refuse(None, Refusal::new(TRUNCATED, sentence), &name, 1, None);
    }
    all.refused.contains_key(TRUNCATED)
}

/// Fits the games of a chunk to what is known and learns them: the file's own rows, and those that follow from it.
pub(super) fn fit_games(
    known: &mut Known,
    mut games: Weighted<GameRow>,
    implied: Vec<GameRow>,
) -> (Weighted<GameRow>, Vec<GameRow>) {
    let mut corrected = Vec::new();
    let mut implied = unique(implied);
    for row in games.rows.iter_mut().chain(implied.iter_mut()) {
        corrected.extend(known.settle(row));
        known.learn(std::slice::from_ref(row));
    }
    known.learn(&corrected);
    implied.extend(corrected);
    (games, implied)
}

/// The last word on each game, in order of its first.
fn unique(games: Vec<GameRow>) -> Vec<GameRow> {
    let mut by_key: BTreeMap<proto::GameKey, GameRow> = BTreeMap::new();
    for game in games {
        by_key.insert(game.game_id, game);
    }
    by_key.into_values().collect()
}

fn ledger(source: &Source, report: &FileReport, refused: u64, now: Timestamp) -> SourceFileRow {
    let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    // A file of which nothing is used is read again the next time: what it lacked may be there by then.
    let is_refused = report.state == FileState::Quarantined;
    SourceFileRow {
        sha256: source.sha256.clone(),
        name: source.name.clone(),
        kind: if is_refused { REFUSED.to_owned() } else { report.kind.clone() },
        size: clamp(source.size),
        rows_read: clamp(report.read),
        rows_new: clamp(report.new),
        rows_known: clamp(report.known),
        rows_refused: clamp(refused),
        ingested_at: now,
    }
}

/// False for rows that are refused by what they are, whatever else is known.
fn may_be_used_later(code: &str) -> bool {
    code != NOT_USED && code != DID_NOT_PLAY
}

fn sentence(new: u64, known: u64, refused: &BTreeMap<String, u64>, damaged: bool) -> String {
    let mut parts = vec![format!("{new} rows are new, {known} were known")];
    if !refused.is_empty() {
        let reasons: Vec<String> = refused.iter().map(|(code, n)| format!("{n} {code}")).collect();
        parts.push(format!("not used: {}", reasons.join(", ")));
    }
    if damaged {
        parts.push("the file breaks off; what came before is in".to_owned());
    }
    parts.join("; ")
}

/// The report of a file that is recognised and of no use.
pub(super) fn not_used(source: &Source, kind: Kind, because: &str) -> FileReport {
    let mut rows = 0;
    if let Ok(mut table) = Table::open(source) {
        while let Ok(Some(_)) = table.next() {
            rows += 1;
        }
    }
    let (refused, sentence) = super::unused(because, rows);
    FileReport {
        name: source.name.clone(),
        kind: kind.as_str().to_owned(),
        state: FileState::NotUsed,
        read: rows,
        new: 0,
        known: 0,
        refused,
        damaged: false,
        changed: BTreeSet::new(),
        sentence,
    }
}

/// A file whose content is in the ledger: its rows are known, those it refused are refused still.
fn known(source: &Source, before: &SourceFileRow) -> FileReport {
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let refused = count(before.rows_refused);
    let reasons = (refused > 0).then(|| ("refused_before".to_owned(), refused)).into_iter().collect();
    FileReport {
        name: source.name.clone(),
        kind: before.kind.clone(),
        state: FileState::Known,
        read: count(before.rows_read),
        new: 0,
        known: count(before.rows_read) - refused.min(count(before.rows_read)),
        refused: reasons,
        damaged: false,
        changed: BTreeSet::new(),
        sentence: format!("this content went in at {} as `{}`", before.ingested_at, before.name),
    }
}
