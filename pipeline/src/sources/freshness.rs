//! What is lost, within the hour.
//!
//! The predecessor's odds were silent for five days before anybody noticed (incident 59). A source is lost when it
//! has not answered for an hour on a day with games still to come, whoever is to blame: the vendor, the network, or a
//! watcher that nobody started. A breaker that is open is told on any day.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ledger::{Account, Ledger};

/// A source that should be well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its name.
    pub name: String,
    /// After so long without an answer it is lost; none: its silence means nothing.
    pub fresh_within: Option<SignedDuration>,
}

/// How a source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHealth {
    /// Its name.
    pub source: String,
    /// True when it answers as it should.
    pub is_well: bool,
    /// Seconds since it last answered; none when it never did.
    pub age_seconds: Option<i64>,
    /// In words.
    pub sentence: String,
}

/// How each source is. `games_ahead`: games of today have not begun yet.
pub fn health(
    expected: &[Expected],
    ledger: &Ledger,
    now: Timestamp,
    games_ahead: bool,
) -> Vec<SourceHealth> {
    expected.iter().map(|one| health_of(one, &ledger.account(&one.name), now, games_ahead)).collect()
}

fn health_of(one: &Expected, account: &Account, now: Timestamp, games_ahead: bool) -> SourceHealth {
    let name = &one.name;
    let age = account.answered_at.map(|at| now.duration_since(at));
    let cause = account.trouble.as_ref().map(|seen| {
        let times = if seen.times > 1 { format!(", {} times in a row", seen.times) } else { String::new() };
        format!(": {}: {}{times}", seen.error.code(), seen.error)
    });
    let cause = cause.unwrap_or_default();
    let since = || account.answered_at.map_or_else(|| "ever".to_owned(), |at| format!("since {at:.0}"));
    let is_silent = |limit: SignedDuration| {
        // Silence counts from the last answer, or from the first question.
        let from = account.answered_at.or(account.since);
        from.is_none_or(|from| now.duration_since(from) > limit)
    };
    let lost = games_ahead && one.fresh_within.is_some_and(is_silent);
    let sentence = if !account.breaker.is_closed() {
        format!(
            "source `{name}` is not asked for now{cause}; the lines in the tables are as of its last answer"
        )
    } else if lost && account.since.is_none() {
        format!("source `{name}` is configured and nobody asks it; run `tipoff ingest --watch`")
    } else if lost && cause.is_empty() {
        format!(
            "source `{name}` has not answered {} and nobody asks it; run `tipoff ingest --watch`",
            since()
        )
    } else if lost {
        format!("source `{name}` has not answered {}{cause}", since())
    } else {
        let age = age.map_or_else(
            || "has not answered yet".to_owned(),
            |age| format!("answered {} min ago", age.as_mins()),
        );
        return SourceHealth {
            source: name.clone(),
            is_well: true,
            age_seconds: account.answered_at.map(|at| now.duration_since(at).as_secs()),
            sentence: format!("source `{name}` {age}{cause}"),
        };
    };
    SourceHealth { source: name.clone(), is_well: false, age_seconds: age.map(|age| age.as_secs()), sentence }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;
    use crate::sources::breaker::Breaker;
    use crate::sources::error::SourceError;
    use crate::sources::ledger::Seen;

    fn at(minutes: i64) -> Timestamp {
        "2026-02-18T20:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    fn look(account: Account, games_ahead: bool) -> SourceHealth {
        let expected = Expected { name: "x".to_owned(), fresh_within: Some(SignedDuration::from_mins(60)) };
        health_of(&expected, &account, at(0), games_ahead)
    }

    #[test]
    fn incident_59_a_lost_source_is_seen_within_the_hour_on_a_game_day() {
        let answered =
            |minutes| Account { answered_at: Some(at(minutes)), since: Some(at(-600)), ..Account::default() };
        let trouble = |error| Some(Seen { error, at: at(-2), times: 7 });
        let blocked = Account {
            breaker: Breaker::Open { until: at(10), trips: 1 },
            trouble: trouble(SourceError::Forbidden),
            ..answered(-20)
        };
        let failing = Account { trouble: trouble(SourceError::Unavailable { status: 500 }), ..answered(-61) };
        for (account, games_ahead, is_well, says) in [
            (answered(-59), true, true, "answered 59 min ago"),
            (answered(-61), true, false, "nobody asks it"),
            (answered(-6_000), false, true, "answered 6000 min ago"),
            (Account::default(), true, false, "nobody asks it"),
            (Account::default(), false, true, "has not answered yet"),
            (Account { since: Some(at(-30)), ..Account::default() }, true, true, "has not answered yet"),
            (Account { since: Some(at(-61)), ..Account::default() }, true, false, "has not answered ever"),
            (blocked.clone(), true, false, "forbidden"),
            (blocked, false, false, "7 times in a row"),
            (failing, true, false, "status 500"),
        ] {
            let health = look(account.clone(), games_ahead);
            assert!(health.is_well == is_well && health.sentence.contains(says), "{health:?} {account:?}");
        }
    }
}
