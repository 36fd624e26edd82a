//! Reads the real odds and rosters, in the two shapes they come in.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use proto::{Code, Market, Quote};

/// The folder with real data, if the environment names one.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os("TIPOFF_DATA").map(PathBuf::from)
}

/// One offered point of one book, before it became a quote.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) event: String,
    pub(crate) teams: [String; 2],
    pub(crate) date: Date,
    pub(crate) tip_off: Timestamp,
    pub(crate) player: String,
    pub(crate) market: Market,
    pub(crate) book: String,
    pub(crate) line: String,
    pub(crate) over: String,
    pub(crate) under: String,
    /// Name of the snapshot's file, so that snapshots of one event stay apart.
    pub(crate) snapshot: String,
    /// None until [`v4`] has seen all updates of the event.
    pub(crate) snapshot_at: Option<Timestamp>,
    pub(crate) updated_at: Option<Timestamp>,
}

impl Offer {
    /// The quote, or the code it is refused with before it is one.
    pub(crate) fn quote(&self) -> Result<Quote, Code> {
        let price = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Code::PriceOutOfRange),
        };
        Ok(Quote {
            book: Some(self.book.as_str().into()),
            event_id: Some(self.event.as_str().into()),
            market: self.market.clone(),
            line: rules::lines::line_on_grid(&self.line).map_err(|note| note.code)?,
            over: price(&self.over)?,
            under: price(&self.under)?,
            snapshot_at: self.snapshot_at,
            market_updated_at: self.updated_at,
            is_main: false,
            source: "odds_api".into(),
        })
    }
}

/// All offers of both seasons.
pub(crate) fn offers(data: &Path) -> Vec<Offer> {
    let mut all = Vec::new();
    for month in ["2024-03", "2024-04", "2024-05"] {
        all.extend(v4(&data.join(format!("odds/oddsapi_v4_props_{month}.csv.gz"))));
    }
    all.extend(paired(&data.join("odds/oddsapi_props_2025-10-21_to_2025-11-16.csv.gz")));
    all
}

/// Calls `row` with the fields of each line by name.
pub(crate) fn rows(path: &Path, mut row: impl FnMut(&dyn Fn(&str) -> String)) {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(file));
    let places: HashMap<String, usize> =
        reader.headers().unwrap().iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).unwrap() {
        row(&|name| record[places[name]].to_owned());
    }
}

/// One row for each side; the snapshot is taken to be the event's newest update before tip-off, as ingest does.
fn v4(path: &Path) -> Vec<Offer> {
    let mut offers: BTreeMap<[String; 6], Offer> = BTreeMap::new();
    let mut newest: HashMap<(String, String), Timestamp> = HashMap::new();
    rows(path, |field| {
        let updated: Timestamp = field("market_last_update").parse().unwrap();
        let tip_off: Timestamp = field("commence_time").parse().unwrap();
        let (snapshot, event) = (field("snapshot_file_date"), field("event_id"));
        if updated < tip_off {
            let known = newest.entry((snapshot.clone(), event.clone())).or_insert(updated);
            *known = updated.max(*known);
        }
        let (player, book) = (field("outcome_description"), field("bookmaker_key"));
        let (market, line) = (field("market_key"), field("outcome_point"));
        let key = [&snapshot, &event, &market, &player, &book, &line].map(Clone::clone);
        let offer = offers.entry(key).or_insert_with(|| Offer {
            event,
            teams: [field("home_team"), field("away_team")],
            date: field("game_date_et").parse().unwrap(),
            tip_off,
            player,
            market: market.parse().unwrap(),
            book,
            line,
            over: String::new(),
            under: String::new(),
            snapshot,
            snapshot_at: None,
            updated_at: Some(updated),
        });
        let side = if field("outcome_name") == "Over" { &mut offer.over } else { &mut offer.under };
        *side = field("outcome_price");
    });
    let mut offers: Vec<Offer> = offers.into_values().collect();
    for offer in &mut offers {
        let seen = newest.get(&(offer.snapshot.clone(), offer.event.clone())).copied();
        offer.snapshot_at = seen.or(offer.updated_at);
    }
    offers
}

/// Both sides in one row, the snapshot's instant in the name of its file.
fn paired(path: &Path) -> Vec<Offer> {
    let mut offers = Vec::new();
    rows(path, |field| {
        let snapshot = field("snapshot_file");
        let wall = DateTime::strptime("%Y%m%d_%H%M%S", &snapshot).unwrap();
        offers.push(Offer {
            event: field("event_id"),
            teams: [field("home_team"), field("away_team")],
            date: field("game_date_et").parse().unwrap(),
            tip_off: field("commence_time").parse().unwrap(),
            player: field("player"),
            market: field("market").parse().unwrap(),
            book: field("bookmaker"),
            line: field("line"),
            over: field("over_price"),
            under: field("under_price"),
            snapshot_at: Some(wall.to_zoned(TimeZone::UTC).unwrap().timestamp()),
            snapshot,
            updated_at: None,
        });
    });
    offers
}
