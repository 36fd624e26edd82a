//! Credits: what the vendor still gives, what today may cost, and what is out right now.
//!
//! Each call is reserved before it goes out and settled by the vendor's own figures when it is back. What never came
//! back counts as spent: of two mistakes, asking too little is the one that can be mended tomorrow.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A reservation whose call was never heard of again counts as spent after this long.
const LAPSE: SignedDuration = SignedDuration::from_mins(10);
/// Days of spending that are remembered.
const KEPT_DAYS: usize = 40;
/// What a first day may cost while the vendor has not said what is left.
const UNKNOWN: i64 = 100;

/// What may be spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CreditLimits {
    /// Credits a league date may cost; none: what the vendor says is left, spread over the days of the month.
    pub per_day: Option<i64>,
    /// Credits that are never touched.
    pub keep: i64,
}

/// What the vendor's headers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditHeaders {
    /// `x-requests-remaining`.
    pub remaining: Option<i64>,
    /// `x-requests-used`.
    pub used: Option<i64>,
    /// `x-requests-last`: what the last call cost.
    pub last: Option<i64>,
}

impl CreditHeaders {
    /// True when the vendor said nothing.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }
}

/// A call that is out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// What is asked, and by whom.
    pub id: String,
    /// What it should cost.
    pub cost: i64,
    /// When it went out.
    pub at: Timestamp,
}

/// Not enough credits for a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the call costs {cost} credits, {available} are left for {date}; raise `credits_per_day` or wait")]
pub struct Shortage {
    /// What the call costs.
    pub cost: i64,
    /// What is left.
    pub available: i64,
    /// The league date.
    pub date: Date,
}

/// The credit account of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    /// The vendor's last word.
    pub told: CreditHeaders,
    /// When it was heard.
    pub told_at: Option<Timestamp>,
    /// Spent by league date.
    pub spent: BTreeMap<Date, i64>,
    /// Calls that are out.
    pub reserved: Vec<Reservation>,
}

impl Credits {
    /// What a league date may still cost.
    pub fn available(&self, date: Date, limits: &CreditLimits) -> i64 {
        let spent = self.spent.get(&date).copied().unwrap_or(0);
        let out: i64 = self.reserved.iter().map(|r| r.cost).sum();
        let left = self.told.remaining.map(|n| n - limits.keep);
        let allowance = limits.per_day.unwrap_or_else(|| match left {
            // Of the whole month's rest, today's share; what today has cost was in it this morning.
            Some(left) => (left + spent).div_euclid(days_left_in_month(date)),
            None => UNKNOWN,
        });
        let of_today = allowance - spent - out;
        left.map_or(of_today, |left| of_today.min(left - out)).max(0)
    }

    /// What the vendor says is left, without what is never touched and what is out; none before it said anything.
    pub fn left(&self, keep: i64) -> Option<i64> {
        let out: i64 = self.reserved.iter().map(|r| r.cost).sum();
        self.told.remaining.map(|n| (n - keep - out).max(0))
    }

    /// Sets credits aside for a call; a call that costs nothing always may go out.
    pub fn reserve(
        &mut self,
        reservation: Reservation,
        date: Date,
        limits: &CreditLimits,
    ) -> Result<(), Shortage> {
        self.lapse(reservation.at, date);
        let (cost, available) = (reservation.cost, self.available(date, limits));
        if cost > available {
            return Err(Shortage { cost, available, date });
        }
        if cost > 0 {
            self.reserved.push(reservation);
        }
        Ok(())
    }

    /// Books a call that is back. `told` is silent when no answer came; then it counts as spent if it `may_have_cost`.
    pub fn settle(&mut self, id: &str, told: CreditHeaders, may_have_cost: bool, date: Date, now: Timestamp) {
        let reserved: i64 = self.reserved.iter().filter(|r| r.id == id).map(|r| r.cost).sum();
        self.reserved.retain(|r| r.id != id);
        let cost = told.last.unwrap_or(if may_have_cost { reserved } else { 0 });
        self.spend(date, cost);
        if !told.is_silent() {
            // Answers may overtake each other: of two figures within one month the lower one is the newer.
            let lower = match (self.told.remaining, told.remaining, self.told_at) {
                (Some(a), Some(b), Some(at)) if now.duration_since(at) < LAPSE => Some(a.min(b)),
                (before, after, _) => after.or(before),
            };
            self.told = CreditHeaders {
                remaining: lower,
                used: told.used.or(self.told.used),
                last: told.last.or(self.told.last),
            };
            self.told_at = Some(now);
        }
    }

    /// Calls that were never heard of again become spent.
    fn lapse(&mut self, now: Timestamp, date: Date) {
        let (gone, out): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.reserved).into_iter().partition(|r| r.at + LAPSE <= now);
        self.reserved = out;
        self.spend(date, gone.iter().map(|r| r.cost).sum());
    }

    fn spend(&mut self, date: Date, cost: i64) {
        if cost > 0 {
            *self.spent.entry(date).or_default() += cost;
        }
        while self.spent.len() > KEPT_DAYS {
            self.spent.pop_first();
        }
    }
}

/// Days from a date to the end of its month, itself included.
fn days_left_in_month(date: Date) -> i64 {
    i64::from(date.days_in_month() - date.day() + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    const DAY: Date = Date::constant(2026, 2, 19);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_771_500_000 + seconds).unwrap()
    }

    fn told(remaining: i64, last: i64) -> CreditHeaders {
        CreditHeaders { remaining: Some(remaining), used: Some(1), last: Some(last) }
    }

    fn reservation(id: &str, cost: i64, seconds: i64) -> Reservation {
        Reservation { id: id.to_owned(), cost, at: at(seconds) }
    }

    #[test]
    fn what_a_day_may_cost() {
        let per_day = |n| CreditLimits { per_day: Some(n), keep: 50 };
        let spread = CreditLimits { per_day: None, keep: 50 };
        let account = |remaining, spent| Credits {
            told: CreditHeaders { remaining, ..CreditHeaders::default() },
            spent: [(DAY, spent)].into(),
            ..Credits::default()
        };
        for (account, limits, available) in [
            (Credits::default(), per_day(30), 30),
            (Credits::default(), spread, UNKNOWN),
            (account(Some(1_000), 10), per_day(30), 20),
            (account(Some(60), 0), per_day(30), 10),
            (account(Some(50), 0), per_day(30), 0),
            (account(Some(0), 0), per_day(30), 0),
            // 19 February: ten days are left of 28.
            (account(Some(1_050), 0), spread, 100),
            (account(Some(1_010), 40), spread, 60),
            (account(Some(950), 140), spread, 0),
        ] {
            assert_eq!(account.available(DAY, &limits), available, "{account:?} {limits:?}");
        }
    }

    #[test]
    fn two_processes_spend_no_credit_twice() {
        let limits = CreditLimits { per_day: Some(10), keep: 0 };
        let mut account = Credits::default();
        account.reserve(reservation("a", 6, 0), DAY, &limits).unwrap();
        let shortage = account.reserve(reservation("b", 6, 1), DAY, &limits).unwrap_err();
        assert_eq!((shortage.cost, shortage.available), (6, 4));
        account.settle("a", told(500, 3), true, DAY, at(2));
        assert_eq!(account.available(DAY, &limits), 7, "the vendor charged less than was set aside");
        account.reserve(reservation("b", 6, 3), DAY, &limits).unwrap();
        account.settle("b", CreditHeaders::default(), true, DAY, at(4));
        assert_eq!(account.available(DAY, &limits), 1, "no answer came: it may have cost");
    }

    #[test]
    fn a_call_whose_process_died_counts_as_spent_and_nothing_else_changes() {
        let limits = CreditLimits { per_day: Some(10), keep: 0 };
        let mut account = Credits::default();
        account.reserve(reservation("dead", 6, 0), DAY, &limits).unwrap();
        account.reserve(reservation("free", 0, 700), DAY, &limits).unwrap();
        assert_eq!((account.reserved.len(), account.spent[&DAY]), (0, 6));
        account.settle("dead", told(500, 6), true, DAY, at(701));
        assert_eq!(account.spent[&DAY], 12, "it came back after all: told twice is safer than told never");
    }

    #[test]
    fn answers_that_overtake_each_other_do_not_give_credits_back() {
        let mut account = Credits::default();
        account.settle("b", told(90, 5), true, DAY, at(10));
        account.settle("a", told(95, 5), true, DAY, at(11));
        assert_eq!(account.told.remaining, Some(90));
        account.settle("c", told(20_000, 5), true, DAY, at(10_000));
        assert_eq!(account.told.remaining, Some(20_000), "a new month");
    }
}
