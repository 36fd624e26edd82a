//! Offers in the shape of BettingPros: with a key only, and never around a block.
//!
//! A 403 opens the breaker, is shown, and the other sources carry on; it is tried again in the same way after a rest,
//! with the same address and our own name. The predecessor's two proxies were both blocked (incident 59).
//!
//! An offer names its event by number only, so the day's events are asked first. Their clock is not documented and
//! therefore not believed: the date is theirs, the tip-off is the schedule's. Quotes of other markets must not mix in
//! (incident 58): a market is asked for by its number, and an offer that does not name its own is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::error::SourceError;
use super::http::{Http, Miss, Patience, by_status};
use super::mapping::{SOURCE, TableWriter, side};
use super::{Account, Ask, Event, Now, Plan, Poll, Reading, Reply, Secret, Source, end_of_day, repeated};
use crate::error::Result;

/// Name of the source.
pub const NAME: &str = "bettingpros";

/// The vendor's numbers of markets.
const MARKETS: [(i64, &str); 6] = [
    (156, "player_points"),
    (157, "player_rebounds"),
    (151, "player_assists"),
    (162, "player_threes"),
    (160, "player_steals"),
    (152, "player_blocks"),
];

/// The vendor's numbers of books. 0 is its own consensus, which is no book.
const BOOKS: [(i64, &str); 13] = [
    (10, "fanduel"),
    (12, "draftkings"),
    (13, "williamhill_us"),
    (14, "pointsbetus"),
    (18, "betrivers"),
    (19, "betmgm"),
    (24, "bet365"),
    (33, "fanatics"),
    (36, "espnbet"),
    (37, "hardrockbet"),
    (49, "fliff"),
    // Fantasy operators: stored, but they count in no consensus (`[books] not_in_consensus`).
    (60, "prizepicks"),
    (63, "underdog"),
];

/// Codes of teams that the vendor writes in its own way.
const TEAMS: [(&str, &str); 3] = [("PHO", "PHX"), ("UTH", "UTA"), ("NOR", "NOP")];

/// Most pages of one market; a night has about 20 of ten offers.
const MAX_PAGES: i64 = 100;
/// Offers on a page.
const LIMIT: &str = "10";

const COLUMNS: [&str; 13] = [
    "event_id",
    "game_date_et",
    "home_team",
    "away_team",
    "bookmaker_key",
    "market_key",
    "player_name",
    "side",
    "price",
    "line",
    "market_last_update",
    "snapshot_or_update_utc",
    SOURCE,
];

/// How the vendor is used.
#[derive(Debug, Clone)]
pub struct BettingProsConfig {
    /// Base address.
    pub base_url: String,
    /// The key.
    pub key: Secret,
    /// Markets, as the domain calls them.
    pub markets: Vec<String>,
    /// How often each market is asked for.
    pub every: SignedDuration,
    /// Pause between pages.
    pub page_pause: Duration,
    /// Deadlines and retries.
    pub patience: Patience,
}

/// BettingPros as a source.
#[derive(Debug)]
pub struct BettingPros {
    config: BettingProsConfig,
    http: Http,
}

impl BettingPros {
    /// Makes the client; nothing is asked yet.
    pub fn new(config: BettingProsConfig) -> Result<Self> {
        let http = Http::new(&config.base_url, true, &[("x-api-key", config.key.reveal())], config.patience)?;
        Ok(Self { config, http })
    }

    /// True for a market that has a number.
    pub fn knows(market: &str) -> bool {
        market_id(market).is_some()
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> std::result::Result<Vec<u8>, SourceError> {
        let answer = self.http.get(&["v3", path], query, |a| by_status(a.status, "none".to_owned())).await;
        match answer {
            Ok(answer) => Ok(answer.body),
            Err(Miss { error: SourceError::EventGone, .. }) => {
                Err(SourceError::Refused { status: 404, token: "none".to_owned() })
            }
            Err(miss) => Err(miss.error),
        }
    }

    async fn events(&self, date: Date) -> Reply {
        let day = date.to_string();
        match self.get("events", &[("sport", "NBA"), ("date", &day)]).await {
            Err(error) => Reply::failed(error),
            Ok(body) => {
                let events = events(&body, date);
                let failed =
                    events.is_none().then(|| SourceError::NotData { expected: "list of events".to_owned() });
                Reply { bodies: vec![body], events: events.unwrap_or_default(), failed, ..Reply::default() }
            }
        }
    }

    /// All pages of a market; those that came before an error are kept.
    async fn offers(&self, market: &str, ids: &str) -> Reply {
        let mut reply = Reply::default();
        let Some(market) = market_id(market) else { return reply };
        let market = market.to_string();
        for page in 1..=MAX_PAGES {
            if page > 1 {
                tokio::time::sleep(self.config.page_pause).await;
            }
            let number = page.to_string();
            let query = [
                ("sport", "NBA"),
                ("market_id", market.as_str()),
                ("event_id", ids),
                ("book_id", "null"),
                ("limit", LIMIT),
                ("page", &number),
            ];
            let body = match self.get("offers", &query).await {
                Ok(body) => body,
                Err(error) => {
                    reply.failed = Some(error);
                    return reply;
                }
            };
            let pages = pages(&body);
            reply.bodies.push(body);
            match pages {
                None => {
                    reply.failed = Some(SourceError::NotData { expected: "page of offers".to_owned() });
                    return reply;
                }
                Some(pages) if page >= pages => return reply,
                Some(_) => {}
            }
        }
        reply
    }

    fn of_date<'a>(&self, date: Date, account: &'a Account) -> Vec<&'a Event> {
        account.events.values().filter(|event| event.game_date() == date).collect()
    }

    fn markets(&self, date: Date) -> impl Iterator<Item = Ask> + '_ {
        self.config.markets.iter().map(move |market| Ask::Market { date, market: market.clone() })
    }
}

#[async_trait::async_trait]
impl Source for BettingPros {
    fn name(&self) -> &str {
        NAME
    }

    fn plan(&self, now: Now<'_>) -> Plan {
        let today = proto::league_time::league_date(now.at);
        let until = end_of_day(now.at);
        let list = Ask::Events { date: today };
        let mut polls = repeated(list, self.config.every, now, until, "list of events");
        if !self.of_date(today, now.account).is_empty() {
            for ask in self.markets(today) {
                polls.extend(repeated(ask, self.config.every, now, until, "all offers of the day"));
            }
        }
        polls.sort();
        Plan { polls, ..Plan::default() }
    }

    fn plan_date(&self, date: Date, now: Now<'_>) -> Plan {
        let mut plan = Plan::default();
        if date < proto::league_time::league_date(now.at) {
            plan.notes.push(format!("offers of {date} are over; the vendor keeps no snapshots"));
            return plan;
        }
        let poll = |ask, about: &str| Poll { at: now.at, ask, cost: 0, about: about.to_owned() };
        plan.polls.push(poll(Ask::Events { date }, "list of events"));
        if !self.of_date(date, now.account).is_empty() {
            plan.polls.extend(self.markets(date).map(|ask| poll(ask, "all offers of the day")));
        }
        plan
    }

    async fn ask(&self, ask: &Ask, account: &Account) -> Reply {
        match ask {
            Ask::Events { date } => self.events(*date).await,
            Ask::Market { date, market } => {
                let events = self.of_date(*date, account);
                let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
                if ids.is_empty() { Reply::default() } else { self.offers(market, &ids.join(":")).await }
            }
            Ask::Odds { .. } | Ask::PastEvents { .. } | Ask::PastOdds { .. } | Ask::Everything { .. } => {
                Reply::default()
            }
        }
    }

    fn read(&self, body: &[u8], account: &Account, seen_at: Timestamp) -> Reading {
        let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Reading::AsItIs };
        match (answer.get("offers"), answer.get("events")) {
            (Some(Value::Array(offers)), _) => table(offers, &answer, account, seen_at),
            (None, Some(Value::Array(_))) => Reading::Nothing,
            _ => Reading::AsItIs,
        }
    }

    fn fresh_within(&self) -> Option<SignedDuration> {
        Some(SignedDuration::from_mins(60).max(self.config.every * 2))
    }
}

fn market_id(market: &str) -> Option<i64> {
    MARKETS.iter().find(|(_, name)| *name == market).map(|(id, _)| *id)
}

/// Pages that a market has; none when the answer is no page of offers.
fn pages(body: &[u8]) -> Option<i64> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer.get("offers")?.as_array()?;
    let pages = answer.get("_pagination").and_then(|p| p.get("total_pages")).and_then(Value::as_i64);
    Some(pages.unwrap_or(1))
}

/// The events of a list; none when it is no list.
fn events(body: &[u8], date: Date) -> Option<Vec<Event>> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let list = answer.get("events")?.as_array()?;
    let noon = proto::league_time::start_of(date) + SignedDuration::from_hours(12);
    let event = |raw: &Value| {
        let id = text(raw.get("id")).filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))?;
        let team = |name: &str| text(raw.get(name)).map(team_code);
        Some(Event { id, commence: noon, home: team("home")?, away: team("visitor")? })
    };
    Some(list.iter().filter_map(event).collect())
}

fn team_code(code: String) -> String {
    TEAMS.iter().find(|(theirs, _)| *theirs == code).map_or(code, |(_, ours)| (*ours).to_owned())
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One row for each line of each book; what is off the board or no book is counted and not a row.
fn table(offers: &[Value], answer: &Value, account: &Account, seen_at: Timestamp) -> Reading {
    let mut out = TableWriter::new(&COLUMNS);
    let mut not_used: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = |why: &str| *not_used.entry(why.to_owned()).or_default() += 1;
    // A page asked for one market names it once; an offer that names its own is believed first.
    let of_page = match list(answer, "markets") {
        [only] => only.get("id").and_then(Value::as_i64),
        _ => None,
    };
    let is_off = |value: &Value| value.get("active").and_then(Value::as_bool) == Some(false);
    for offer in offers {
        let market = offer.get("market_id").and_then(Value::as_i64).or(of_page);
        let market = market.map(|id| {
            let known = MARKETS.iter().find(|(number, _)| *number == id);
            known.map_or_else(|| format!("bettingpros_{id}"), |(_, name)| (*name).to_owned())
        });
        let id = text(offer.get("event_id")).unwrap_or_default();
        let event = account.events.get(&id);
        let player = list(offer, "participants").first().and_then(|p| text(p.get("name")));
        for selection in list(offer, "selections") {
            let side = side(text(selection.get("selection")).unwrap_or_default());
            for book in list(selection, "books") {
                let Some(book_key) = book_key(book) else {
                    list(book, "lines").iter().for_each(|_| count("consensus"));
                    continue;
                };
                for line in list(book, "lines") {
                    if is_off(offer) || is_off(selection) || is_off(line) {
                        count("off_the_board");
                        continue;
                    }
                    let cells = [
                        id.clone(),
                        event.map(|e| e.game_date().to_string()).unwrap_or_default(),
                        event.map(|e| e.home.clone()).unwrap_or_default(),
                        event.map(|e| e.away.clone()).unwrap_or_default(),
                        book_key.clone(),
                        market.clone().unwrap_or_default(),
                        player.clone().unwrap_or_default(),
                        side.clone(),
                        text(line.get("cost")).unwrap_or_default(),
                        text(line.get("line")).unwrap_or_default(),
                        text(line.get("updated")).map(instant).unwrap_or_default(),
                        seen_at.to_string(),
                        NAME.to_owned(),
                    ];
                    out.row(cells.into_iter());
                }
            }
        }
    }
    Reading::Table { csv: out.finish(), not_used }
}

/// The key of a book; none for the vendor's own consensus.
fn book_key(book: &Value) -> Option<String> {
    match book.get("id").and_then(Value::as_i64) {
        Some(0) => None,
        Some(id) => {
            let known = BOOKS.iter().find(|(number, _)| *number == id);
            Some(known.map_or_else(|| format!("bettingpros_{id}"), |(_, key)| (*key).to_owned()))
        }
        // Without a number the row is written without a book, and refused for it.
        None => Some(String::new()),
    }
}

/// An instant as RFC 3339; a wall clock without an offset cannot be trusted and is left out.
fn instant(text: String) -> String {
    text.parse::<Timestamp>().map(|at| at.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    const DATE: Date = Date::constant(2026, 2, 18);

    #[test]
    fn incident_58_markets_do_not_mix_and_books_have_their_own_names() {
        let list = r#"{"events":[{"id":101,"home":"BOS","visitor":"PHO","scheduled":"2026-02-18 19:10:00"},{"id":{}}]}"#;
        let mut account = Account::default();
        for event in events(list.as_bytes(), DATE).unwrap() {
            account.events.insert(event.id.clone(), event);
        }
        let line = |id: i64, line: &str, cost: i64, active: bool| {
            format!(
                r#"{{"id":{id},"lines":[{{"id":"x","line":{line},"cost":{cost},"active":{active},"best":true,"updated":"2026-02-18 17:00:00"}}]}}"#
            )
        };
        let offer = |market: &str, event: i64, books: &str| {
            format!(
                r#"{{"id":1,{market}"event_id":{event},"active":true,"participants":[{{"name":"Sample Guard Jr.","player":{{"team":"BOS","position":"G"}}}}],
                "selections":[{{"selection":"over","active":true,"books":[{books}]}}]}}"#
            )
        };
        let page = format!(
            r#"{{"offers":[{},{},{}],"markets":[{{"id":156}}],"_pagination":{{"page":1,"total_pages":1}}}}"#,
            offer(
                "",
                101,
                &[line(12, "21.5", -115, true), line(0, "21.5", -110, true), line(60, "21.5", -137, false)]
                    .join(",")
            ),
            offer(r#""market_id":157,"#, 101, &line(999, "7.5", 105, true)),
            offer("", 404, &line(10, "21.5", -115, true)),
        );
        let page: Value = serde_json::from_str(&page).unwrap();
        let at: Timestamp = "2026-02-18T22:00:00Z".parse().unwrap();
        let Reading::Table { csv, not_used } = table(list_of(&page), &page, &account, at) else { panic!() };
        assert_eq!(
            csv.lines().skip(1).collect::<Vec<_>>(),
            [
                "101,2026-02-18,BOS,PHX,draftkings,player_points,Sample Guard Jr.,Over,-115,21.5,,2026-02-18T22:00:00Z,bettingpros",
                "101,2026-02-18,BOS,PHX,bettingpros_999,player_rebounds,Sample Guard Jr.,Over,105,7.5,,2026-02-18T22:00:00Z,bettingpros",
                "404,,,,fanduel,player_points,Sample Guard Jr.,Over,-115,21.5,,2026-02-18T22:00:00Z,bettingpros",
            ]
        );
        assert_eq!(not_used, [("consensus".to_owned(), 1), ("off_the_board".to_owned(), 1)].into());
    }

    fn list_of(page: &Value) -> &[Value] {
        list(page, "offers")
    }

    #[test]
    fn what_is_no_page_has_no_pages() {
        assert_eq!(pages(b"<html>"), None);
        assert_eq!(pages(br#"{"offers":[]}"#), Some(1));
        assert_eq!(pages(br#"{"offers":[],"_pagination":{"total_pages":7}}"#), Some(7));
        assert_eq!(events(br#"{"offers":[]}"#, DATE), None);
    }
}
