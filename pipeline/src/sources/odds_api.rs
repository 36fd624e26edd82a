//! The Odds API v4: events, the odds of one event, and both as they were.
//!
//! The list of events costs nothing and is asked for every few minutes: it tells new and moved games, and it is the
//! pulse by which a lost source is noticed. Odds cost one credit for each market and region (ten as they were), so
//! they are asked event by event, as [`super::plan`] says. 204 and an empty list mean that there is nothing yet.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::credits::CreditLimits;
use super::error::SourceError;
use super::http::{Answer, Http, Miss, Patience, by_status, clean_token};
use super::plan::{Cadence, Question, Upcoming, schedule};
use super::{Account, Ask, Event, Now, Plan, Poll, Reply, Secret, Source, end_of_day, repeated};
use crate::error::Result;

/// What the vendor calls the league.
const SPORT: &str = "basketball_nba";
/// Name of the source.
pub const NAME: &str = "odds-api";
/// Odds as they were cost so many times as much.
const PAST_FACTOR: i64 = 10;
/// Books that cost as much as one region.
const BOOKS_PER_REGION: usize = 10;
/// The grid that the vendor's past snapshots lie on.
const PAST_GRID: SignedDuration = SignedDuration::from_mins(5);
/// When the events of a date that is over are looked at, from its beginning: an event vanishes at its tip-off, and none
/// begins in the morning.
const PAST_LIST: SignedDuration = SignedDuration::from_hours(6);

/// How the vendor is used.
#[derive(Debug, Clone)]
pub struct OddsApiConfig {
    /// Base address.
    pub base_url: String,
    /// The key.
    pub key: Secret,
    /// Markets by the vendor's names.
    pub markets: Vec<String>,
    /// Regions of books.
    pub regions: Vec<String>,
    /// Books instead of regions; empty: all books of the regions.
    pub bookmakers: Vec<String>,
    /// What calls may cost.
    pub limits: CreditLimits,
    /// Calls that may be out at once.
    pub concurrency: usize,
    /// When events are asked for.
    pub cadence: Cadence,
    /// How often the list of events is asked for.
    pub events_every: SignedDuration,
    /// For dates that are over: at how many minutes before tip-off.
    pub past_minutes_before_tip: Vec<i64>,
    /// Deadlines and retries.
    pub patience: Patience,
}

/// The Odds API v4 as a source.
#[derive(Debug)]
pub struct OddsApi {
    config: OddsApiConfig,
    http: Http,
}

impl OddsApi {
    /// Makes the client; nothing is asked yet.
    pub fn new(config: OddsApiConfig) -> Result<Self> {
        let http = Http::new(&config.base_url, true, &[], config.patience)?;
        Ok(Self { config, http })
    }

    /// What the odds of one event cost: markets times regions, ten books counting as a region.
    fn cost(&self) -> i64 {
        let groups = match self.config.bookmakers.len() {
            0 => self.config.regions.len(),
            books => books.div_ceil(BOOKS_PER_REGION),
        };
        (self.config.markets.len() * groups) as i64
    }

    fn odds_query<'a>(&self, lists: &'a Lists) -> Vec<(&'static str, &'a str)> {
        let books = match lists.bookmakers.is_empty() {
            true => ("regions", lists.regions.as_str()),
            false => ("bookmakers", lists.bookmakers.as_str()),
        };
        vec![books, ("markets", &lists.markets), ("oddsFormat", "decimal"), ("dateFormat", "iso")]
    }

    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> std::result::Result<Answer, Miss> {
        let mut all = vec![("apiKey", self.config.key.reveal())];
        all.extend_from_slice(query);
        self.http.get(path, &all, by_status_and_word).await
    }

    /// Events that are asked for, with their names for people.
    fn upcoming(&self, now: Now<'_>, fits: impl Fn(Date) -> bool) -> Vec<(Upcoming, String)> {
        let asked = |event: &str| now.account.asked.get(&format!("odds {event}")).copied();
        let events = now.account.events.values().filter(|e| fits(e.game_date())).map(|e| {
            let upcoming = Upcoming { event: e.id.clone(), tip_off: e.commence, asked: asked(&e.id) };
            (upcoming, format!("{} at {}", e.away, e.home))
        });
        let announced: Vec<_> = events.collect();
        if !announced.is_empty() {
            return announced;
        }
        // Before the first list of events: what the schedule knows, so that a plan can be looked at for nothing.
        let games = now.games.iter().filter(|g| fits(proto::league_time::league_date(g.tip_off)));
        games.map(|game| (game.clone(), format!("{} (by the schedule)", game.event))).collect()
    }

    /// The questions about a date that is over as far as the budget reaches.
    fn past_plan(&self, date: Date, now: Now<'_>) -> Plan {
        let today = proto::league_time::league_date(now.at);
        let budget = now.account.credits.available(today, &self.config.limits);
        let mut plan = Plan { budget: Some(budget), ..Plan::default() };
        let mut left = budget;
        for poll in self.past(date, now) {
            if poll.cost > left {
                plan.notes.push(format!("no credits are left for {}", poll.about));
                continue;
            }
            left -= poll.cost;
            plan.polls.push(poll);
        }
        plan
    }
}

/// Lists as the vendor reads them.
struct Lists {
    markets: String,
    regions: String,
    bookmakers: String,
}

impl Lists {
    fn of(config: &OddsApiConfig) -> Self {
        Self {
            markets: config.markets.join(","),
            regions: config.regions.join(","),
            bookmakers: config.bookmakers.join(","),
        }
    }
}

#[async_trait::async_trait]
impl Source for OddsApi {
    fn name(&self) -> &str {
        NAME
    }

    fn plan(&self, now: Now<'_>) -> Plan {
        let until = end_of_day(now.at);
        let today = proto::league_time::league_date(now.at);
        let budget = now.account.credits.available(today, &self.config.limits);
        // Tomorrow's first game may open its window tonight.
        let named = self.upcoming(now, |date| date >= today);
        let events: Vec<Upcoming> = named.iter().map(|(upcoming, _)| upcoming.clone()).collect();
        let question = Question { now: now.at, until, cost: self.cost(), budget };
        let schedule = schedule(&events, &self.config.cadence, &question);
        let about = |event: &str| {
            let found = named.iter().find(|(upcoming, _)| upcoming.event == event);
            found.map_or_else(|| event.to_owned(), |(_, about)| about.clone())
        };
        let date = |event: &str| {
            let found = events.iter().find(|upcoming| upcoming.event == event);
            found.map_or(today, |upcoming| proto::league_time::league_date(upcoming.tip_off))
        };
        let odds = schedule.slots.into_iter().map(|slot| Poll {
            at: slot.at,
            about: about(&slot.event),
            ask: Ask::Odds { date: date(&slot.event), event: slot.event },
            cost: question.cost,
        });
        let list = Ask::Events { date: today };
        let mut polls = repeated(list, self.config.events_every, now, until, "list of events");
        polls.extend(odds);
        polls.sort();
        let notes = schedule.left_out.iter().map(|event| format!("no credits are left for {}", about(event)));
        Plan { polls, budget: Some(budget), stretch: Some(schedule.stretch), notes: notes.collect() }
    }

    fn plan_date(&self, date: Date, now: Now<'_>) -> Plan {
        if date < proto::league_time::league_date(now.at) {
            return self.past_plan(date, now);
        }
        let today = proto::league_time::league_date(now.at);
        let budget = now.account.credits.available(today, &self.config.limits);
        let (cost, mut left) = (self.cost(), budget);
        let mut plan = Plan { budget: Some(budget), ..Plan::default() };
        let ask = Ask::Events { date };
        plan.polls.push(Poll { at: now.at, ask, cost: 0, about: "list of events".to_owned() });
        for (game, about) in self.upcoming(now, |d| d == date) {
            if game.tip_off <= now.at {
                plan.notes.push(format!("{about} has begun"));
            } else if cost > left {
                plan.notes.push(format!("no credits are left for {about}"));
            } else {
                left -= cost;
                plan.polls.push(Poll { at: now.at, ask: Ask::Odds { date, event: game.event }, cost, about });
            }
        }
        plan
    }

    fn past(&self, date: Date, now: Now<'_>) -> Vec<Poll> {
        let cost = self.cost() * PAST_FACTOR;
        let list = Ask::PastEvents { date, at: proto::league_time::start_of(date) + PAST_LIST };
        let is_listed = now.account.asked.contains_key(&list.key());
        let mut polls = Vec::new();
        if !is_listed {
            polls.push(Poll { at: now.at, ask: list, cost: 1, about: format!("events of {date}") });
        }
        // Once the vendor has told its events, the schedule stands in for them no longer.
        let now = if is_listed { Now { games: &[], ..now } } else { now };
        for (game, about) in self.upcoming(now, |d| d == date) {
            for minutes in &self.config.past_minutes_before_tip {
                let at = on_grid(game.tip_off - SignedDuration::from_mins(*minutes));
                let ask = Ask::PastOdds { date, event: game.event.clone(), at };
                if !now.account.asked.contains_key(&ask.key()) {
                    polls.push(Poll { at: now.at, ask, cost, about: format!("{about}, -{minutes} min") });
                }
            }
        }
        polls
    }

    async fn ask(&self, ask: &Ask, _account: &Account) -> Reply {
        let lists = Lists::of(&self.config);
        let iso = |at: &Timestamp| format!("{at:.0}");
        let sport = ["v4", "sports", SPORT, "events"];
        let past = ["v4", "historical", "sports", SPORT, "events"];
        let answer = match ask {
            Ask::Events { .. } => self.get(&sport, &[("dateFormat", "iso")]).await,
            Ask::PastEvents { at, .. } => self.get(&past, &[("date", &iso(at)), ("dateFormat", "iso")]).await,
            Ask::Odds { event, .. } | Ask::PastOdds { event, .. } if !is_plain_id(event) => {
                return Reply::failed(SourceError::EventGone);
            }
            Ask::Odds { event, .. } => {
                let path = [&sport[..], &[event, "odds"]].concat();
                self.get(&path, &self.odds_query(&lists)).await
            }
            Ask::PastOdds { event, at, .. } => {
                let path = [&past[..], &[event, "odds"]].concat();
                let at = iso(at);
                let mut query = self.odds_query(&lists);
                query.push(("date", &at));
                self.get(&path, &query).await
            }
            Ask::Market { .. } | Ask::Everything { .. } => return Reply::default(),
        };
        match answer {
            Err(Miss { error, told, .. }) => Reply { failed: Some(error), told, ..Reply::default() },
            Ok(answer) => reply(ask, answer),
        }
    }

    fn concurrency(&self) -> usize {
        self.config.concurrency
    }

    fn limits(&self) -> CreditLimits {
        self.config.limits
    }

    fn fresh_within(&self) -> Option<SignedDuration> {
        Some(SignedDuration::from_mins(60))
    }
}

fn reply(ask: &Ask, answer: Answer) -> Reply {
    let Answer { status, told, body, .. } = answer;
    if status.as_u16() == 204 || body.is_empty() {
        return Reply { told, ..Reply::default() };
    }
    let failed = serde_json::from_slice::<IgnoredAny>(&body)
        .is_err()
        .then(|| SourceError::NotData { expected: "JSON".to_owned() });
    let events = match ask {
        Ask::Events { .. } | Ask::PastEvents { .. } => events(&body),
        _ => Vec::new(),
    };
    Reply { bodies: vec![body], events, told, failed, files: Vec::new() }
}

/// The vendor's word decides; the status where it says none.
fn by_status_and_word(answer: &Answer) -> Option<SourceError> {
    #[derive(Deserialize)]
    struct Problem {
        error_code: Option<String>,
    }
    let by_number = by_status(answer.status, "none".to_owned())?;
    let word = serde_json::from_slice::<Problem>(&answer.body).ok().and_then(|p| p.error_code);
    Some(match word {
        Some(word) => by_word(&clean_token(&word), answer, by_number),
        // The vendor answers 401 for both; without a word the headers tell.
        None if answer.status.as_u16() == 401 && answer.told.remaining == Some(0) => {
            SourceError::OutOfCredits
        }
        None => by_number,
    })
}

fn by_word(word: &str, answer: &Answer, otherwise: SourceError) -> SourceError {
    let token = word.to_owned();
    match word {
        "MISSING_KEY" | "INVALID_KEY" | "DEACTIVATED_KEY" | "EXPIRED_KEY" => SourceError::BadKey { token },
        "OUT_OF_USAGE_CREDITS" => SourceError::OutOfCredits,
        "EXCEEDED_FREQ_LIMIT" => SourceError::TooManyRequests,
        "EVENT_NOT_FOUND" | "INVALID_EVENT_ID" => SourceError::EventGone,
        _ if word.contains("MARKET") || word.contains("BOOKMAKER") || word.contains("REGION") => {
            SourceError::UnsupportedMarket { token }
        }
        _ => match otherwise {
            SourceError::BadKey { .. }
            | SourceError::UnsupportedMarket { .. }
            | SourceError::Refused { .. } => SourceError::Refused { status: answer.status.as_u16(), token },
            other => other,
        },
    }
}

/// Events of a list, or of the wrapper of a past one. What is no event is left to ingest, which says so.
fn events(body: &[u8]) -> Vec<Event> {
    #[derive(Deserialize)]
    struct Wrapper {
        data: Vec<serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Raw {
        id: String,
        commence_time: Timestamp,
        home_team: String,
        away_team: String,
    }
    let list = serde_json::from_slice::<Vec<serde_json::Value>>(body)
        .or_else(|_| serde_json::from_slice::<Wrapper>(body).map(|wrapper| wrapper.data));
    let raw = list.unwrap_or_default().into_iter().filter_map(|v| serde_json::from_value::<Raw>(v).ok());
    raw.filter(|raw| is_plain_id(&raw.id))
        .map(|raw| Event {
            id: raw.id,
            commence: raw.commence_time,
            home: raw.home_team,
            away: raw.away_team,
        })
        .collect()
}

/// An id that may stand in a path.
fn is_plain_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The vendor's snapshots lie on a grid, and an instant means the one before.
fn on_grid(at: Timestamp) -> Timestamp {
    let step = PAST_GRID.as_secs();
    Timestamp::from_second(at.as_second().div_euclid(step) * step).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use reqwest::StatusCode;

    use super::*;
    use crate::sources::credits::CreditHeaders;

    fn answer(status: u16, body: &str, remaining: Option<i64>) -> Answer {
        let told = CreditHeaders { remaining, ..CreditHeaders::default() };
        Answer::for_test(StatusCode::from_u16(status).unwrap(), told, body)
    }

    #[test]
    fn errors_are_told_by_the_vendors_word_then_by_the_status() {
        for (status, word, code) in [
            (401, "INVALID_KEY", Some("bad_key")),
            (401, "MISSING_KEY", Some("bad_key")),
            (401, "DEACTIVATED_KEY", Some("bad_key")),
            (401, "OUT_OF_USAGE_CREDITS", Some("out_of_credits")),
            (429, "EXCEEDED_FREQ_LIMIT", Some("too_many_requests")),
            (404, "EVENT_NOT_FOUND", Some("event_gone")),
            (422, "INVALID_EVENT_ID", Some("event_gone")),
            (422, "INVALID_MARKET", Some("unsupported_market")),
            (422, "INVALID_REGION", Some("unsupported_market")),
            (422, "HISTORICAL_MARKETS_UNAVAILABLE_AT_DATE", Some("unsupported_market")),
            (401, "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN", Some("refused")),
            (422, "INVALID_HISTORICAL_TIMESTAMP", Some("refused")),
            (401, "", Some("bad_key")),
            (403, "", Some("forbidden")),
            (404, "", Some("event_gone")),
            (422, "", Some("unsupported_market")),
            (429, "", Some("too_many_requests")),
            (400, "", Some("refused")),
            (301, "", Some("redirected")),
            (500, "", Some("unavailable")),
            (503, "", Some("unavailable")),
            (200, "", None),
            (204, "", None),
        ] {
            let body = match word {
                "" => "<html>".to_owned(),
                word => format!(r#"{{"message":"about apiKey=canary","error_code":"{word}"}}"#),
            };
            let error = by_status_and_word(&answer(status, &body, None));
            assert_eq!(error.as_ref().map(SourceError::code), code, "{status} {word}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        let silent = by_status_and_word(&answer(401, "", Some(0)));
        assert_eq!(silent, Some(SourceError::OutOfCredits));
    }

    #[test]
    fn events_are_read_one_by_one() {
        let good = r#"{"id":"e1","commence_time":"2026-02-19T00:10:00Z","home_team":"H","away_team":"A"}"#;
        let list = format!(
            r#"[{good},{{"id":"../x","commence_time":"2026-02-19T00:10:00Z","home_team":"H","away_team":"A"}},{{"id":7}}]"#
        );
        assert_eq!(events(list.as_bytes()).len(), 1);
        let past = format!(r#"{{"timestamp":"2026-02-18T17:00:00Z","data":[{good}]}}"#);
        assert_eq!(events(past.as_bytes())[0].game_date().to_string(), "2026-02-18");
        assert!(events(b"<html>").is_empty());
    }
}
