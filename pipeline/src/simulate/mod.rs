//! Days that look real: a league of invented players, its games and box scores, and a last day that twelve books quote.
//!
//! The files have the shapes of real ones and go through the same code; nothing in this program knows where a row came
//! from. Everything follows from the seed: the same options give the same bytes on every machine.
//!
//! The last day has odds and no results. Defects can be asked for by code: all quotes of so many players of that day
//! are then wrong in that way. Three kinds never become quotes (`placeholder`, `off_grid`, `wrong_market`): ingest
//! quarantines them and the player ends `no_line`; `game_unresolved` likewise. Of a `duplicate_quote` the first stands,
//! as it does at real books, and the player is predicted.

mod files;
mod league;
mod market;
mod play;
mod rng;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proto::{Code, league_time};

use self::files::{Board, Injury};
use self::league::Team;
use self::market::{BOOKS, Quoted, Snapshot};
use self::play::{Game, Result as Played};
use self::rng::Rng;
use crate::error::{Error, Result};

/// Hours of league time at which a day is looked at, before the late one.
const LOOKS: [(i8, i8); 4] = [(6, 0), (10, 0), (14, 0), (17, 0)];
/// The look that brings late lines.
const LATE_LOOK: (i8, i8) = (18, 0);
/// Books that quote spreads and totals.
const GAME_LINE_BOOKS: usize = 4;
/// Teams that can play on one day.
const MAX_GAMES: u32 = 15;

/// Codes that [`SimOptions::defects`] understands.
pub const DEFECTS: [Code; 12] = [
    Code::Placeholder,
    Code::Stale,
    Code::InPlay,
    Code::OneSided,
    Code::OffGrid,
    Code::PriceOutOfRange,
    Code::HoldOutOfRange,
    Code::Outlier,
    Code::DuplicateQuote,
    Code::WrongMarket,
    Code::PlayerUnresolved,
    Code::GameUnresolved,
];

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct SimOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// The first day.
    pub from: Date,
    /// Days, the last one included.
    pub days: u32,
    /// Games a day, at most 15.
    pub games_per_day: u32,
    /// Players a team, 8 to 15.
    pub players_per_team: u32,
    /// How many days at the end have odds; at least the last one.
    pub odds_days: u32,
    /// Players quoted on the last day; none: eight of each team that has lines.
    pub quoted_players: Option<u32>,
    /// Games with lines on the last day; none: all (one of ten is the night of incident 30).
    pub games_with_lines: Option<u32>,
    /// Players who are out on the last day; nobody quotes them.
    pub injured: u32,
    /// Quoted players of the last day who appear in its last snapshot only.
    pub late: u32,
    /// For each code so many quoted players of the last day.
    pub defects: Vec<(Code, usize)>,
}

impl SimOptions {
    /// Sixty days that end on `last_day`, with ten games each.
    pub fn ending(last_day: Date, seed: u64) -> Self {
        Self {
            seed,
            from: last_day.checked_sub(59.days()).unwrap_or(last_day),
            days: 60,
            games_per_day: 10,
            players_per_team: 12,
            odds_days: 2,
            quoted_players: None,
            games_with_lines: None,
            injured: 3,
            late: 4,
            defects: Vec::new(),
        }
    }

    fn check(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::Invalid(why));
        if self.days == 0 || !(1..=MAX_GAMES).contains(&self.games_per_day) {
            return refuse(format!("simulate at least one day with 1 to {MAX_GAMES} games"));
        }
        if !(8..=15).contains(&self.players_per_team) {
            return refuse("a team has 8 to 15 players".to_owned());
        }
        if let Some((code, _)) = self.defects.iter().find(|(code, _)| !DEFECTS.contains(code)) {
            let known: Vec<&str> = DEFECTS.iter().map(|code| code.as_str()).collect();
            return refuse(format!("`{code}` cannot be simulated; choose from {}", known.join(", ")));
        }
        Ok(())
    }
}

/// What was simulated.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SimReport {
    /// Every file but the late ones, in an order that can be ingested.
    pub files: Vec<PathBuf>,
    /// Files that arrive late: the last look at the last day.
    pub late_files: Vec<PathBuf>,
    /// The day that has odds and no results.
    pub last_day: Date,
    /// An hour before its first tip-off, after its last look.
    pub as_of: Timestamp,
    /// Its first tip-off.
    pub first_tip_off: Timestamp,
    /// Games over all days.
    pub games: u64,
    /// Player box scores.
    pub box_scores: u64,
    /// Players quoted on the last day, by lookup.
    pub quoted: Vec<String>,
    /// Players of the last day who are out.
    pub injured: Vec<String>,
    /// Quoted players who come late.
    pub late: Vec<String>,
    /// Players whose quotes are defective, by code.
    pub defects: BTreeMap<String, Vec<String>>,
}

/// Simulates days and writes their files below `out_dir`.
pub fn days(options: &SimOptions, out_dir: &Path) -> Result<SimReport> {
    options.check()?;
    let rng = Rng::new(options.seed);
    let teams = league::league(&mut rng.fork(1), options.players_per_team as usize);
    let per_day = options.games_per_day as usize;
    let games = play::schedule(&mut rng.fork(2), &teams, options.from, options.days, per_day);
    let last_day = options.from.checked_add(i64::from(options.days - 1).days()).unwrap_or(options.from);
    let played = play_all(&rng, &games, &teams, last_day);

    let last = LastDay::new(&rng, options, &games, &teams, last_day)?;
    let mut files = vec![
        files::teams(out_dir, &teams)?,
        files::schedule(out_dir, &played, &teams)?,
        files::team_games(out_dir, &played, &teams)?,
        files::box_scores(out_dir, &played, &teams)?,
        files::injuries(out_dir, &last.injuries)?,
    ];
    for back in (1..options.odds_days).rev() {
        if let Ok(date) = last_day.checked_sub(i64::from(back).days())
            && date >= options.from
        {
            files.extend(earlier_odds(&rng, out_dir, date, &games, &teams)?);
        }
    }
    let (on_time, late_files) = last.write(&rng, out_dir, &teams)?;
    files.extend(on_time);
    let first_tip_off =
        last.games.iter().map(Game::tip_off).min().unwrap_or_else(|| league_time::start_of(last_day));
    Ok(SimReport {
        files,
        late_files,
        last_day,
        as_of: look(last_day, LATE_LOOK) + SignedDuration::from_mins(20),
        first_tip_off,
        games: games.len() as u64,
        box_scores: played.iter().filter_map(|(_, p)| p.as_ref()).map(appeared).sum(),
        quoted: last.quoted.iter().map(|q| q.lookup.clone()).collect(),
        injured: last.injured,
        late: last.quoted.iter().filter(|q| q.is_late).map(|q| q.lookup.clone()).collect(),
        defects: last.quoted.iter().fold(BTreeMap::new(), |mut all: BTreeMap<String, Vec<String>>, q| {
            if let Some(code) = q.defect {
                all.entry(code.to_string()).or_default().push(q.lookup.clone());
            }
            all
        }),
    })
}

fn appeared(played: &Played) -> u64 {
    played.away.iter().chain(&played.home).flatten().count() as u64
}

/// The instant of a look at a day.
fn look(date: Date, (hour, minute): (i8, i8)) -> Timestamp {
    league_time::league_instant(date.at(hour, minute, 0, 0))
}

fn play_all(rng: &Rng, games: &[Game], teams: &[Team], last_day: Date) -> Vec<(Game, Option<Played>)> {
    let mut rng = rng.fork(3);
    games
        .iter()
        .map(|game| {
            let is_over = game.key.date < last_day;
            let played = is_over.then(|| play::play(&mut rng, game, teams, &|_, _| false));
            (game.clone(), played)
        })
        .collect()
}

/// The odds of a day that is over: two looks, eight players of each team, nothing wrong.
fn earlier_odds(rng: &Rng, out: &Path, date: Date, games: &[Game], teams: &[Team]) -> Result<Vec<PathBuf>> {
    let games: Vec<Game> = games.iter().filter(|game| game.key.date == date).cloned().collect();
    let rng = rng.fork(u64::from(date.day_of_year().unsigned_abs()) + 1000);
    let chosen = choose(&games, teams, 8, games.len(), &BTreeSet::new());
    let quoted = market::quoted(&mut rng.fork(1), &chosen, &games, teams);
    let looks = [LOOKS[1], LOOKS[3]];
    let mut files = Vec::new();
    for (number, time) in looks.into_iter().enumerate() {
        let snapshot = Snapshot { at: look(date, time), number, of: looks.len() };
        files.push(write_look(&rng, out, snapshot, &quoted, &games, teams, games.len())?);
    }
    Ok(files)
}

/// Places (game, team, player): the first `per_team` of both teams of the first games, without those who are out.
fn choose(
    games: &[Game],
    teams: &[Team],
    per_team: usize,
    with_lines: usize,
    out: &BTreeSet<(usize, usize)>,
) -> Vec<(usize, usize, usize)> {
    let mut chosen = Vec::new();
    for at in 0..teams.first().map_or(0, |team| team.players.len()) {
        for (number, game) in games.iter().enumerate().take(with_lines) {
            for team in [game.away, game.home] {
                let so_far = chosen.iter().filter(|(_, t, _)| *t == team).count();
                if so_far < per_team && !out.contains(&(team, at)) {
                    chosen.push((number, team, at));
                }
            }
        }
    }
    chosen
}

/// Everything about the last day.
struct LastDay {
    games: Vec<Game>,
    quoted: Vec<Quoted>,
    injured: Vec<String>,
    injuries: Vec<Injury>,
    date: Date,
    with_lines: usize,
}

impl LastDay {
    fn new(rng: &Rng, options: &SimOptions, games: &[Game], teams: &[Team], date: Date) -> Result<Self> {
        let games: Vec<Game> = games.iter().filter(|game| game.key.date == date).cloned().collect();
        let with_lines = options.games_with_lines.map_or(games.len(), |n| n as usize).min(games.len());
        let mut rng = rng.fork(4);
        let out = injured(&mut rng, options, &games, teams);
        let per_team = options.quoted_players.map_or(8, |_| options.players_per_team as usize);
        let mut chosen = choose(&games, teams, per_team, with_lines, &out);
        if let Some(wanted) = options.quoted_players {
            if chosen.len() < wanted as usize {
                let (games, most) = (with_lines, chosen.len());
                return Err(Error::Invalid(format!(
                    "{games} games with lines have {most} players, {wanted} are wanted"
                )));
            }
            chosen.truncate(wanted as usize);
        }
        let mut quoted = market::quoted(&mut rng, &chosen, &games, teams);
        set_defects(&mut rng, &mut quoted, options)?;
        let names = |places: &BTreeSet<(usize, usize)>| {
            places.iter().map(|(team, at)| league::lookup(&teams[*team].players[*at].name)).collect()
        };
        let injuries = reports(date, &out, &quoted, teams);
        Ok(Self { injured: names(&out), games, quoted, injuries, date, with_lines })
    }

    /// The looks of the day; the last one apart, because it comes late.
    fn write(&self, rng: &Rng, out: &Path, teams: &[Team]) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let looks: Vec<(i8, i8)> = LOOKS.into_iter().chain([LATE_LOOK]).collect();
        let mut files = Vec::new();
        for (number, time) in looks.iter().enumerate() {
            let snapshot = Snapshot { at: look(self.date, *time), number, of: looks.len() };
            let rng = rng.fork(5);
            files.push(write_look(&rng, out, snapshot, &self.quoted, &self.games, teams, self.with_lines)?);
        }
        let late = files.pop().into_iter().collect();
        Ok((files, late))
    }
}

fn write_look(
    rng: &Rng,
    out: &Path,
    snapshot: Snapshot,
    quoted: &[Quoted],
    games: &[Game],
    teams: &[Team],
    with_lines: usize,
) -> Result<PathBuf> {
    let mut boards: BTreeMap<usize, Board> = BTreeMap::new();
    for player in quoted {
        let board = boards.entry(player.game).or_default();
        for (book, points) in market::points(rng, player, snapshot, games[player.game].tip_off()) {
            board.points.entry(book).or_default().extend(points);
        }
    }
    for (number, game) in games.iter().enumerate().take(with_lines) {
        let (spread, total) = game.expectation(teams);
        let board = boards.entry(number).or_default();
        for (place, book) in BOOKS.into_iter().enumerate().take(GAME_LINE_BOOKS) {
            let mut rng = rng.fork(0x9000 + number as u64 * 16 + place as u64);
            let half = |value: f64| (value * 2.0).round() / 2.0;
            board
                .game
                .insert(book, (half(spread + rng.normal(0.0, 0.3)), half(total + rng.normal(0.0, 0.7))));
        }
    }
    let name = snapshot.at.strftime("%Y%m%d_%H%M%S-snap-%H%M.jsonl").to_string();
    files::snapshot(out.join("odds").join(name), snapshot.at, &boards, games, teams)
}

/// Who is out: rotation players, so that it matters.
fn injured(rng: &mut Rng, options: &SimOptions, games: &[Game], teams: &[Team]) -> BTreeSet<(usize, usize)> {
    let playing: Vec<usize> = games.iter().flat_map(|game| [game.away, game.home]).collect();
    let mut out = BTreeSet::new();
    let most = playing.len() * 2;
    while out.len() < (options.injured as usize).min(most) && !playing.is_empty() {
        let team = *rng.pick(&playing);
        out.insert((team, rng.below(8.min(teams[team].players.len()))));
    }
    out
}

/// The morning's reports: who is out, and two quoted players who may or may not play.
fn reports(date: Date, out: &BTreeSet<(usize, usize)>, quoted: &[Quoted], teams: &[Team]) -> Vec<Injury> {
    let reported_at = look(date, (9, 30));
    let mut reports: Vec<Injury> = out
        .iter()
        .map(|(team, at)| Injury {
            reported_at,
            player: teams[*team].players[*at].name.clone(),
            team: teams[*team].row.team.to_string(),
            status: "out",
            note: "simulated sprained ankle",
        })
        .collect();
    for (status, player) in ["questionable", "probable"].into_iter().zip(quoted) {
        reports.push(Injury {
            reported_at,
            player: player.name.clone(),
            team: player.team.clone(),
            status,
            note: "simulated soreness",
        });
    }
    reports
}

/// Gives each asked-for defect to players of its own; what is left may come late.
fn set_defects(rng: &mut Rng, quoted: &mut [Quoted], options: &SimOptions) -> Result<()> {
    let wanted: usize = options.defects.iter().map(|(_, n)| n).sum();
    if wanted > quoted.len() {
        return Err(Error::Invalid(format!(
            "{wanted} players shall be defective, only {} are quoted",
            quoted.len()
        )));
    }
    let mut order: Vec<usize> = (0..quoted.len()).collect();
    rng.shuffle(&mut order);
    let mut next = order.into_iter();
    for (code, n) in &options.defects {
        for at in next.by_ref().take(*n) {
            quoted[at].defect = Some(*code);
        }
    }
    for at in next.take(options.late as usize) {
        quoted[at].is_late = true;
    }
    Ok(())
}
