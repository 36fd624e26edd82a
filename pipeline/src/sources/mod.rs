//! Sources: where lines come from, asked in time, within credits, and never twice for the same thing.
//!
//! The predecessor read its odds through scrapers that were blocked for five days before anybody noticed (incident
//! 59), spent a quota it did not count, and lost what arrived while it was busy (30, 31). Here
//!
//! - every source is a [`Source`]: it plans what to ask when (pure), and asks (with a deadline, a retry budget, and
//!   errors by what to do about them);
//! - each call is claimed in the [`Ledger`] before it goes out, so processes share breakers and credits;
//! - an answer is kept as it came before anybody parses it, and then goes through [`crate::ingest`] like any file;
//! - a source that fails costs itself only: the others carry on, and [`freshness`] says what is lost within the hour.
//!
//! Read in this order: [`plan`] (when), [`credits`] and [`breaker`] (whether), [`ledger`] (shared memory), [`error`],
//! the sources ([`odds_api`], [`bettingpros`], [`feed`], [`folder`]), [`runner`] (all of it together), [`past`] (dates
//! that are over), [`freshness`].

pub mod bettingpros;
pub mod breaker;
pub mod credits;
pub mod error;
pub mod feed;
pub mod folder;
pub mod freshness;
mod http;
pub mod ledger;
pub mod mapping;
mod marks;
pub mod odds_api;
pub mod past;
pub mod plan;
mod raw;
pub mod runner;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::error::{Meaning, SourceError};
pub use self::http::{Patience, check_base};
pub use self::ledger::{Account, Ledger, LedgerFile};
pub use self::raw::kept_files;
pub use self::runner::{CycleReport, PollEnd, PollReport, Runner};

use self::credits::{CreditHeaders, CreditLimits};
use self::plan::Upcoming;

/// A key of a vendor. Prints as `(secret)`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// An event as a source announces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The source's own id.
    pub id: String,
    /// When it begins.
    pub commence: Timestamp,
    /// The home team as the source writes it.
    pub home: String,
    /// The away team as the source writes it.
    pub away: String,
}

impl Event {
    /// The league date it belongs to.
    pub fn game_date(&self) -> Date {
        proto::league_time::league_date(self.commence)
    }
}

/// One thing to ask a source for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Ask {
    /// The events that are announced.
    Events {
        /// The league date the answer is filed under.
        date: Date,
    },
    /// The quotes of one event.
    Odds {
        /// Its league date.
        date: Date,
        /// The source's id.
        event: String,
    },
    /// The events as they were announced at an instant.
    PastEvents {
        /// Their league date.
        date: Date,
        /// The instant.
        at: Timestamp,
    },
    /// The quotes of one event as they stood at an instant.
    PastOdds {
        /// Its league date.
        date: Date,
        /// The source's id.
        event: String,
        /// The instant.
        at: Timestamp,
    },
    /// All quotes of a date in one market, page by page.
    Market {
        /// The league date.
        date: Date,
        /// The market, as the domain calls it.
        market: String,
    },
    /// Whatever the source has now.
    Everything {
        /// The league date the answer is filed under.
        date: Date,
    },
}

impl Ask {
    /// What two processes must not ask for at once.
    pub fn key(&self) -> String {
        match self {
            // The date is where the answer is filed; the question is the same on any day.
            Self::Events { .. } => "events".to_owned(),
            Self::Everything { .. } => "everything".to_owned(),
            Self::Odds { event, .. } => format!("odds {event}"),
            Self::PastEvents { date, at } => format!("events of {date} at {at}"),
            Self::PastOdds { event, at, .. } => format!("odds {event} at {at}"),
            Self::Market { date, market } => format!("{market} of {date}"),
        }
    }

    /// The league date the answer is filed under.
    pub const fn date(&self) -> Date {
        match self {
            Self::Events { date }
            | Self::Odds { date, .. }
            | Self::PastEvents { date, .. }
            | Self::PastOdds { date, .. }
            | Self::Market { date, .. }
            | Self::Everything { date } => *date,
        }
    }

    /// True when it is about how things were: the answer is the same for ever.
    pub const fn is_past(&self) -> bool {
        matches!(self, Self::PastEvents { .. } | Self::PastOdds { .. })
    }

    /// The event that is asked about.
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::Odds { event, .. } | Self::PastOdds { event, .. } => Some(event),
            Self::Events { .. } | Self::PastEvents { .. } | Self::Market { .. } | Self::Everything { .. } => {
                None
            }
        }
    }
}

/// A call that is planned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Poll {
    /// When it is due.
    pub at: Timestamp,
    /// What is asked for.
    pub ask: Ask,
    /// What it costs at most, in credits.
    pub cost: i64,
    /// The game, for people.
    pub about: String,
}

/// The calls of one source from now on.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// In order of time.
    pub polls: Vec<Poll>,
    /// What they may cost together; none where calls cost nothing.
    pub budget: Option<i64>,
    /// By how much steps are stretched to fit the budget.
    pub stretch: Option<f64>,
    /// What a person should know: events for which credits are missing, a breaker that is open.
    pub notes: Vec<String>,
}

/// What came back from a call. Part of an answer may be there beside an error: pages before the one that failed.
#[derive(Debug, Default)]
pub struct Reply {
    /// Answers as they came.
    pub bodies: Vec<Vec<u8>>,
    /// Files that are ours to read where they stand.
    pub files: Vec<PathBuf>,
    /// Events the answers announce.
    pub events: Vec<Event>,
    /// The vendor's figures.
    pub told: CreditHeaders,
    /// What went wrong.
    pub failed: Option<SourceError>,
}

impl Reply {
    fn failed(error: SourceError) -> Self {
        Self { failed: Some(error), ..Self::default() }
    }
}

/// What ingest reads of a kept answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The answer itself.
    AsItIs,
    /// A table made of it; a field that the answer lacks is an empty cell, which ingest refuses with its reason.
    Table {
        /// The table, with a header.
        csv: String,
        /// Entries that are no quotes of today by the vendor's own word, by why.
        not_used: BTreeMap<String, u64>,
    },
    /// Nothing; it only tells what to ask next.
    Nothing,
}

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// The instant.
    pub at: Timestamp,
    /// What is remembered of the source.
    pub account: &'a Account,
    /// Games that the schedule knows, for a source that has announced none yet.
    pub games: &'a [Upcoming],
}

/// Somebody who has lines.
///
/// A source holds no state that another process needs: what it must remember is in its [`Account`].
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// Its name: a folder name, and what people call it.
    fn name(&self) -> &str;

    /// The calls from now to the end of the league date. Pure: the same question gives the same plan.
    fn plan(&self, now: Now<'_>) -> Plan;

    /// The calls that bring one league date, asked for by hand.
    fn plan_date(&self, date: Date, now: Now<'_>) -> Plan;

    /// Everything that is still to be asked about a date that is over, whatever it costs: a list of its events first,
    /// and until that is told one question for each of the schedule's games and moments in their stead. Empty for a
    /// source that keeps no past.
    fn past(&self, date: Date, now: Now<'_>) -> Vec<Poll> {
        let _ = (date, now);
        Vec::new()
    }

    /// Asks. Every wait inside has a deadline; retries are bounded. Never an address in an error.
    async fn ask(&self, ask: &Ask, account: &Account) -> Reply;

    /// What ingest reads of an answer that was kept; `seen_at` is when its content was first seen.
    fn read(&self, body: &[u8], account: &Account, seen_at: Timestamp) -> Reading {
        let _ = (body, account, seen_at);
        Reading::AsItIs
    }

    /// Ending of kept answers.
    fn extension(&self) -> &'static str {
        "json"
    }

    /// Calls that may be out at once.
    fn concurrency(&self) -> usize {
        1
    }

    /// What calls may cost.
    fn limits(&self) -> CreditLimits {
        CreditLimits { per_day: Some(0), keep: 0 }
    }

    /// After so long without an answer on a game day the source is lost; none: its silence means nothing.
    fn fresh_within(&self) -> Option<SignedDuration>;
}

/// A poll that is due again `every` so often, since it was last asked for.
fn repeated(ask: Ask, every: SignedDuration, now: Now<'_>, until: Timestamp, about: &str) -> Vec<Poll> {
    let last = now.account.asked.get(&ask.key());
    let mut at = last.map_or(now.at, |last| (*last + every).max(now.at));
    let mut polls = Vec::new();
    while at < until && polls.len() < MAX_REPEATS {
        polls.push(Poll { at, ask: ask.clone(), cost: 0, about: about.to_owned() });
        at += every;
    }
    polls
}

/// Bound of a plan: a poll every ten seconds for a day.
const MAX_REPEATS: usize = 8_640;

/// The end of the league date of an instant.
fn end_of_day(at: Timestamp) -> Timestamp {
    let date = proto::league_time::league_date(at);
    proto::league_time::start_of(date.tomorrow().unwrap_or(date))
}
