//! Books that quote the players of a day: one truth, twelve opinions, and the defects that were asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::Code;

use super::league::{Team, stranger};
use super::play::{ASSISTS_PER_MINUTE, Game, REBOUNDS_PER_MINUTE, expected_points};
use super::rng::Rng;

/// The vendor's twelve books.
pub(super) const BOOKS: [&str; 12] = [
    "draftkings",
    "fanduel",
    "betmgm",
    "williamhill_us",
    "betrivers",
    "bovada",
    "espnbet",
    "hardrockbet",
    "betonlineag",
    "fliff",
    "betparx",
    "ballybet",
];
/// Books that carry alternates under the plain market key, as their real feeds do.
const WITH_ALTERNATES: [&str; 2] = ["betrivers", "bovada"];
/// Place of bovada among the books.
const BOVADA: usize = 5;
/// So many books quote more than points.
const WITH_OTHER_MARKETS: usize = 4;
/// Left out of the lines of an outlier, so that those who count are an even number and the median lies between.
const ABSENT_AT_OUTLIERS: &str = "ballybet";
/// Teams of another league, for events that fit no game.
pub(super) const STRANGERS: [&str; 2] = ["Springfield Isotopes", "Shelbyville Sharks"];

/// A player somebody quotes.
#[derive(Debug, Clone)]
pub(super) struct Quoted {
    /// Place of the game among the day's.
    pub(super) game: usize,
    pub(super) name: String,
    pub(super) lookup: String,
    pub(super) team: String,
    /// What the market believes of his points.
    belief: f64,
    /// What it believes of the rest, by the vendor's name of the market.
    others: [(&'static str, f64); 3],
    /// Where it moves over the day.
    drift: f64,
    pub(super) defect: Option<Code>,
    /// Quoted in the last snapshot only.
    pub(super) is_late: bool,
    number: usize,
}

/// One point of one book.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) market: &'static str,
    pub(super) name: String,
    pub(super) point: f64,
    pub(super) over: Option<i64>,
    pub(super) under: Option<i64>,
    pub(super) updated: Timestamp,
    /// False: no book stands behind it.
    pub(super) has_book: bool,
    /// False: the event is of another league.
    pub(super) has_game: bool,
}

/// A snapshot of a day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot {
    pub(super) at: Timestamp,
    /// Place in the day, from 0.
    pub(super) number: usize,
    /// How many there are.
    pub(super) of: usize,
}

/// Makes players of a day ready to be quoted.
pub(super) fn quoted(
    rng: &mut Rng,
    chosen: &[(usize, usize, usize)],
    games: &[Game],
    teams: &[Team],
) -> Vec<Quoted> {
    chosen
        .iter()
        .enumerate()
        .map(|(number, (game, team, at))| {
            let (own, player) = (&teams[*team], &teams[*team].players[*at]);
            let other = if games[*game].home == *team { games[*game].away } else { games[*game].home };
            let belief = expected_points(player, own, &teams[other]) + rng.normal(0.0, 0.6);
            let drift = if rng.chance(0.3) { rng.normal(0.0, 0.8) } else { 0.0 };
            Quoted {
                game: *game,
                name: player.odds_name.clone(),
                lookup: super::league::lookup(&player.name),
                team: own.row.team.to_string(),
                belief: belief.max(1.0),
                others: [
                    ("player_rebounds", player.minutes * REBOUNDS_PER_MINUTE),
                    ("player_assists", player.minutes * ASSISTS_PER_MINUTE),
                    ("player_threes", belief.max(1.0) * player.threes / 3.0),
                ],
                drift,
                defect: None,
                is_late: false,
                number,
            }
        })
        .collect()
}

/// What every book says about a player in a snapshot.
pub(super) fn points(
    rng: &Rng,
    quoted: &Quoted,
    snapshot: Snapshot,
    tip_off: Timestamp,
) -> BTreeMap<&'static str, Vec<Point>> {
    let mut all = BTreeMap::new();
    let is_last = snapshot.number + 1 == snapshot.of;
    let hidden = (quoted.is_late && !is_last) || (quoted.defect == Some(Code::Stale) && snapshot.number > 0);
    if hidden {
        return all;
    }
    for (place, book) in BOOKS.into_iter().enumerate() {
        if quoted.defect == Some(Code::Outlier) && book == ABSENT_AT_OUTLIERS {
            continue;
        }
        // A book's opinion is its own and stays the same over the day, whoever else is quoted.
        let mut rng = rng.fork(quoted.number as u64 * 64 + place as u64);
        let points = of_book(&mut rng, quoted, snapshot, tip_off, place, book);
        all.insert(book, points);
    }
    all
}

fn of_book(
    rng: &mut Rng,
    quoted: &Quoted,
    snapshot: Snapshot,
    tip_off: Timestamp,
    place: usize,
    book: &str,
) -> Vec<Point> {
    let moved = quoted.drift * snapshot.number as f64 / snapshot.of.max(1) as f64;
    let opinion = if rng.chance(0.25) { rng.between(-0.7, 0.7) } else { 0.0 };
    let belief = quoted.belief + moved;
    let line = ((belief + opinion).floor() + 0.5).max(0.5);
    let lean = ((belief - line) * 0.06).clamp(-0.05, 0.05);
    let hold = rng.between(0.045, 0.065);
    let seconds = rng.between(20.0, 280.0) as i64;
    let main = Point {
        market: "player_points",
        name: quoted.name.clone(),
        point: line,
        over: Some(american((0.5 + lean) * (1.0 + hold))),
        under: Some(american((0.5 - lean) * (1.0 + hold))),
        updated: snapshot.at - jiff::SignedDuration::from_secs(seconds),
        has_book: true,
        has_game: true,
    };
    match quoted.defect {
        Some(code) => defective(main, code, quoted, tip_off, place),
        None => {
            let others = if place < WITH_OTHER_MARKETS { others(&main, quoted) } else { Vec::new() };
            let points = if WITH_ALTERNATES.contains(&book) { with_alternates(main) } else { vec![main] };
            points.into_iter().chain(others).collect()
        }
    }
}

/// The other markets, at the prices of the first: who is to be rejected has none, or they would save him.
fn others(main: &Point, quoted: &Quoted) -> Vec<Point> {
    let point = |(market, belief): (&'static str, f64)| Point {
        market,
        point: (belief.floor() + 0.5).max(0.5),
        ..main.clone()
    };
    quoted.others.map(point).into()
}

fn with_alternates(main: Point) -> Vec<Point> {
    let low =
        Point { point: (main.point - 2.0).max(0.5), over: Some(-190), under: Some(145), ..main.clone() };
    let high = Point { point: main.point + 2.0, over: Some(150), under: Some(-195), ..main.clone() };
    let has_low = low.point < main.point;
    has_low.then_some(low).into_iter().chain([main, high]).collect()
}

/// The main point with one thing wrong.
fn defective(main: Point, code: Code, quoted: &Quoted, tip_off: Timestamp, place: usize) -> Vec<Point> {
    let one = |point: Point| vec![point];
    match code {
        Code::Placeholder => one(Point { has_book: false, ..main }),
        Code::InPlay => one(Point { updated: tip_off + jiff::SignedDuration::from_mins(7), ..main }),
        Code::OneSided => one(Point { under: None, ..main }),
        Code::OffGrid => one(Point { point: main.point + 0.25, ..main }),
        Code::PriceOutOfRange => one(Point { over: Some(-1200), under: Some(650), ..main }),
        Code::HoldOutOfRange => one(Point { over: Some(-160), under: Some(-160), ..main }),
        Code::WrongMarket => one(Point { market: "batter_total_bases", ..main }),
        Code::PlayerUnresolved => one(Point { name: stranger(quoted.number), ..main }),
        Code::GameUnresolved => one(Point { has_game: false, ..main }),
        Code::Outlier => {
            let middle = (quoted.belief.floor() + 0.5).max(0.5);
            let far = (0.3 * middle).ceil().max(6.0);
            // Bovada counts in no median; the others alternate, so that it lies in the middle.
            let counting = if place > BOVADA { place - 1 } else { place };
            let point = if counting % 2 == 0 { middle + far } else { middle - far };
            one(Point { point, ..main })
        }
        Code::DuplicateQuote => {
            let again = Point { over: main.over.map(|p| p - 5), ..main.clone() };
            vec![main, again]
        }
        _ => one(main),
    }
}

/// The American price of an implied probability.
pub(super) fn american(implied: f64) -> i64 {
    let implied = implied.clamp(0.02, 0.98);
    let price =
        if implied >= 0.5 { -100.0 * implied / (1.0 - implied) } else { 100.0 * (1.0 - implied) / implied };
    let whole = price.round() as i64;
    if whole.abs() < 100 { 100 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_prices() {
        for (implied, price) in [(0.5, -100), (0.5238, -110), (0.4878, 105), (0.0, 4900), (1.0, -4900)] {
            assert_eq!(american(implied), price, "{implied}");
        }
    }
}
