//! Dates that are over: what is still to be asked about them, and that nothing is paid for twice.
//!
//! The past does not change, and a look at it costs ten times a look at the present. The ledger of sources forgets after
//! three days what it asked; what was answered about the past is noted for good, in `DIR/raw/SOURCE/DATE/.past.json`
//! beside the answers, together with the events of the date. The note changes under the lock of the ledger, so of two
//! processes one asks. A call that fails is no answer; "there is nothing" is one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::error::SourceError;
use super::ledger::{Account, replace};
use super::plan::Upcoming;
use super::raw::{self, Kept};
use super::runner::Files;
use super::{Ask, CycleReport, Event, Ledger, Now, Poll, PollEnd, PollReport, Runner, Source};
use crate::error::{Error, Result};

/// Format of the note.
const FORMAT: u32 = 1;

/// What a date that is over still needs from a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastNeed {
    /// Calls.
    pub calls: u64,
    /// What they cost together, in credits.
    pub credits: i64,
    /// True while the source has not told its events of the date: then the schedule stands in for them.
    pub is_estimate: bool,
}

impl PastNeed {
    fn of(polls: &[Poll]) -> Self {
        Self {
            calls: polls.len() as u64,
            credits: polls.iter().map(|poll| poll.cost).sum(),
            is_estimate: polls.iter().any(|poll| is_list(&poll.ask)),
        }
    }
}

fn is_list(ask: &Ask) -> bool {
    matches!(ask, Ask::PastEvents { .. })
}

/// What calls about the past may still cost, shared by whoever makes them.
#[derive(Debug, Default)]
pub struct Purse(Option<Mutex<i64>>);

impl Purse {
    /// So many credits, whatever the daily limit of the source is.
    pub fn of(credits: i64) -> Self {
        Self(Some(Mutex::new(credits)))
    }

    /// Takes credits out; what is in it, when that is too little.
    fn take(&self, cost: i64) -> std::result::Result<(), i64> {
        let Some(purse) = &self.0 else { return Ok(()) };
        let mut left = purse.lock().unwrap_or_else(PoisonError::into_inner);
        if cost > *left {
            return Err(*left);
        }
        *left -= cost;
        Ok(())
    }
}

/// What is noted of a date.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PastDay {
    format: u32,
    /// Its events, as the source told them.
    events: BTreeMap<String, Event>,
    /// Questions that were answered, and when.
    answered: BTreeMap<String, Timestamp>,
}

impl PastDay {
    /// What is noted; nothing where there is no note.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let damaged = |why: String| {
            Error::Invalid(format!(
                "the note of what was asked `{}` {why}; move it aside, and what it names is paid for again",
                path.display()
            ))
        };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(damaged(format!("cannot be read: {error}"))),
        };
        let day: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(format!("is damaged: {error}")))?;
        match day.format {
            FORMAT => Ok(day),
            other => Err(damaged(format!("has format {other}, this program reads {FORMAT}"))),
        }
    }

    /// When a question was answered.
    pub(super) fn answered_at(&self, ask: &Ask) -> Option<Timestamp> {
        self.answered.get(&ask.key()).copied()
    }

    /// Notes an answer.
    pub(super) fn note(path: &Path, ask: &Ask, events: &[Event], now: Timestamp) -> Result<()> {
        let mut day = Self { format: FORMAT, ..Self::read(path)? };
        day.answered.insert(ask.key(), now);
        let of_date = events.iter().filter(|event| event.game_date() == ask.date());
        day.events.extend(of_date.map(|event| (event.id.clone(), event.clone())));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
        }
        let text = serde_json::to_vec_pretty(&day)
            .map_err(|e| Error::Invalid(format!("what was asked cannot be noted: {e}")))?;
        replace(path, &text)
    }

    /// The source's account as a planner of this date should see it.
    pub(super) fn remind(self, account: &mut Account) {
        account.asked.extend(self.answered);
        account.events.extend(self.events);
    }
}

/// True for what has come to an end with this: an answer, or the word that there is none.
pub(super) fn is_answered(failed: Option<&SourceError>) -> bool {
    matches!(failed, None | Some(SourceError::EventGone))
}

impl Runner {
    /// The same, with credits booked on the dates they are spent for: a backfill takes nothing of tonight's share.
    pub fn apart(mut self) -> Self {
        self.is_apart = true;
        self
    }

    /// What backfills may cost: so many credits, or what the source's daily limit leaves; never more than the vendor
    /// says is left.
    pub async fn past_budget(&self, source: &str, credits: Option<i64>, now: Timestamp) -> Result<i64> {
        let limits = self.find(source)?.limits();
        let account = self.ledger.read().await?.account_at(source, now).credits;
        let today = proto::league_time::league_date(now);
        let wanted = credits.unwrap_or_else(|| account.available(today, &limits));
        Ok(account.left(limits.keep).map_or(wanted, |left| wanted.min(left)))
    }

    /// What each date from one to another still needs from a source. Asks nobody.
    pub async fn past_needs(
        &self,
        source: &str,
        (from, to): (Date, Date),
        now: Timestamp,
    ) -> Result<BTreeMap<Date, PastNeed>> {
        let source = self.find(source)?;
        let ledger = self.ledger.read().await?;
        let games = self.games(from, to).await?;
        let mut needs = BTreeMap::new();
        for date in from.series(1.day()).take_while(|date| *date <= to) {
            let polls = self.past_polls(source.as_ref(), &ledger, &games, date, now)?;
            needs.insert(date, PastNeed::of(&polls));
        }
        Ok(needs)
    }

    /// Brings what is missing of a date that is over: first what was kept and never ingested, then what was never
    /// answered, as far as the purse reaches.
    pub async fn fetch_past(
        &self,
        source: &str,
        date: Date,
        now: Timestamp,
        purse: &Purse,
    ) -> Result<CycleReport> {
        let source = self.find(source)?.as_ref();
        let account = self.account_of(source, Some(date), now).await?;
        let kept = self.raw.kept_of(source.name(), date);
        let mut report = self.ingest(self.readings(source, kept, &account, now)?, now).await;
        for lists in [true, false] {
            let ledger = self.ledger.read().await?;
            let mut polls = self.past_polls(source, &ledger, &[], date, now)?;
            let is_listed = !polls.iter().any(|poll| is_list(&poll.ask));
            polls.retain(|poll| is_list(&poll.ask) == lists);
            if polls.is_empty() || (!lists && !is_listed) {
                continue;
            }
            let need = PastNeed::of(&polls);
            match purse.take(need.credits) {
                Ok(()) => {
                    // After a rest one call finds out how things are.
                    let is_well = ledger.account(source.name()).breaker.is_closed();
                    let others = polls.split_off(usize::from(!is_well));
                    for some in [polls, others].into_iter().filter(|some| !some.is_empty()) {
                        report.add(self.polls(source, some, now).await?);
                    }
                }
                Err(left) => report.polls.push(PollReport {
                    source: source.name().to_owned(),
                    about: date.to_string(),
                    ask: None,
                    end: PollEnd::NotAsked {
                        sentence: format!(
                            "{} calls cost {} credits, {left} are left of the budget",
                            need.calls, need.credits
                        ),
                    },
                }),
            }
        }
        Ok(report)
    }

    /// Takes over from somebody who is known to be gone: his calls were not asked.
    pub async fn take_over(&self, source: &str, who: &str, date: Date, now: Timestamp) -> Result<()> {
        let (source, who) = (source.to_owned(), who.to_owned());
        self.ledger
            .update(move |ledger| {
                if let Some(account) = ledger.sources.get_mut(&source) {
                    account.disown(&who, date, now);
                }
            })
            .await
    }

    fn past_polls(
        &self,
        source: &dyn Source,
        ledger: &Ledger,
        games: &[Upcoming],
        date: Date,
        now: Timestamp,
    ) -> Result<Vec<Poll>> {
        let mut account = ledger.account_at(source.name(), now);
        PastDay::read(&self.raw.past_file(source.name(), date))?.remind(&mut account);
        Ok(source.past(date, Now { at: now, account: &account, games }))
    }

    /// What is remembered of a source, that of a date that is over included.
    pub(super) async fn account_of(
        &self,
        source: &dyn Source,
        date: Option<Date>,
        now: Timestamp,
    ) -> Result<Account> {
        let mut account = self.ledger.read().await?.account_at(source.name(), now);
        if let Some(date) = date {
            PastDay::read(&self.raw.past_file(source.name(), date))?.remind(&mut account);
        }
        Ok(account)
    }

    /// The files that ingest reads of kept answers.
    pub(super) fn readings(
        &self,
        source: &dyn Source,
        kept: Vec<std::path::PathBuf>,
        account: &Account,
        now: Timestamp,
    ) -> Result<Files> {
        let mut files = Files::new();
        for path in kept {
            let seen_at = raw::seen_at(&path).unwrap_or(now);
            let kept = Kept { path, seen_at, is_new: false };
            let (path, _) = self.reading(source, &kept, None, account)?;
            files.extend(path);
        }
        Ok(files)
    }

    /// Games that the schedule knows, as planners see them.
    pub(super) async fn games(&self, from: Date, to: Date) -> Result<Vec<Upcoming>> {
        let games = self.warehouse.games_between(from, to).await?;
        let upcoming = |game: proto::tables::GameRow| {
            Some(Upcoming { event: game.game_id.to_string(), tip_off: game.tip_off?, asked: None })
        };
        Ok(games.into_iter().filter_map(upcoming).collect())
    }
}

/// What was asked at any time is not asked again.
pub(super) const EVER: Timestamp = Timestamp::MIN;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    const DAY: Date = Date::constant(2026, 2, 18);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn event(id: &str, commence: &str) -> Event {
        Event { id: id.to_owned(), commence: at(commence), home: "H".to_owned(), away: "A".to_owned() }
    }

    #[test]
    fn what_was_answered_about_the_past_is_known_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("odds-api/2026-02-18/.past.json");
        assert_eq!(PastDay::read(&path).unwrap(), PastDay::default());
        let list = Ask::PastEvents { date: DAY, at: at("2026-02-18T11:00:00Z") };
        let odds = Ask::PastOdds { date: DAY, event: "e1".to_owned(), at: at("2026-02-18T23:00:00Z") };
        let told = [event("e1", "2026-02-19T00:10:00Z"), event("e2", "2026-02-20T00:10:00Z")];
        PastDay::note(&path, &list, &told, at("2026-11-01T10:00:00Z")).unwrap();
        PastDay::note(&path, &odds, &[], at("2026-11-01T10:00:05Z")).unwrap();
        let day = PastDay::read(&path).unwrap();
        assert_eq!(day.answered_at(&odds), Some(at("2026-11-01T10:00:05Z")));
        let mut account = Account::default();
        day.remind(&mut account);
        assert_eq!(account.events.keys().collect::<Vec<_>>(), ["e1"], "tomorrow's event is not of this date");
        assert_eq!(account.asked.len(), 2);
        std::fs::write(&path, "{\"format\":").unwrap();
        let error = PastDay::read(&path).unwrap_err().to_string();
        assert!(error.contains("paid for again"), "{error}");
    }

    #[test]
    fn a_failure_is_no_answer_and_nothing_is_one() {
        for (failed, is_end) in [
            (None, true),
            (Some(SourceError::EventGone), true),
            (Some(SourceError::Forbidden), false),
            (Some(SourceError::TooManyRequests), false),
            (Some(SourceError::Unavailable { status: 500 }), false),
            (Some(SourceError::TimedOut { seconds: 15 }), false),
            (Some(SourceError::UnsupportedMarket { token: "none".to_owned() }), false),
        ] {
            assert_eq!(is_answered(failed.as_ref()), is_end, "{failed:?}");
        }
    }

    #[test]
    fn a_purse_gives_what_is_in_it_and_no_more() {
        let purse = Purse::of(100);
        assert_eq!((purse.take(60), purse.take(60), purse.take(40)), (Ok(()), Err(40), Ok(())));
        assert_eq!(Purse::default().take(1_000_000), Ok(()), "the source's own limits bind");
    }
}
