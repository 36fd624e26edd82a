//! What can be wrong with a source, by what to do about it and not by number.
//!
//! No sentence here repeats an address: the odds vendor's key travels in it.

use serde::{Deserialize, Serialize};

/// Why a source gave no answer that can be used. Sentences name neither address nor key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum SourceError {
    /// The vendor does not accept the key.
    #[error("the key was refused (`{token}`); check the key of this source")]
    BadKey {
        /// The vendor's own word for it.
        token: String,
    },
    /// The vendor's credits are used up.
    #[error(
        "the vendor's credits are used up; they come back with the next billing month, or with a larger plan"
    )]
    OutOfCredits,
    /// The vendor does not let this machine in. It is asked again later, in the same way, and never around a block.
    #[error("the vendor refuses access (403); ask the vendor, and use another source meanwhile")]
    Forbidden,
    /// The event has begun, or was withdrawn.
    #[error("the event is gone at the vendor: it has begun or was withdrawn")]
    EventGone,
    /// The vendor does not know one of the markets asked for.
    #[error(
        "the vendor does not offer what was asked for (`{token}`); check `markets`, `regions` and `bookmakers`"
    )]
    UnsupportedMarket {
        /// The vendor's own word for it.
        token: String,
    },
    /// Too many calls in a short time.
    #[error("the vendor wants fewer calls (429); lower `concurrency` if this goes on")]
    TooManyRequests,
    /// The vendor is in trouble.
    #[error("the vendor is in trouble (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// The vendor refuses for a reason that has no better name.
    #[error("the vendor refused with status {status} (`{token}`)")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The vendor's own word for it, or `none`.
        token: String,
    },
    /// The vendor sends us elsewhere, which is never followed: the key would go there too.
    #[error(
        "the vendor answered with a redirect ({status}), which is not followed; set its new address yourself"
    )]
    Redirected {
        /// The HTTP status.
        status: u16,
    },
    /// No connection.
    #[error("the vendor cannot be reached; check network, name and certificate")]
    Unreachable,
    /// No whole answer within the deadline.
    #[error("no whole answer within {seconds} s")]
    TimedOut {
        /// The deadline in seconds.
        seconds: u64,
    },
    /// More bytes than any honest answer.
    #[error("the answer has more than {limit} bytes and was not kept")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// An answer that is no data, such as an error page under status 200. It is kept and quarantined.
    #[error("the answer is no whole {expected}; it is kept and listed in the quarantine")]
    NotData {
        /// What it should have been.
        expected: String,
    },
    /// A folder or file of a source cannot be read.
    #[error("read `{path}`: {why}; check that it exists and may be read")]
    Unreadable {
        /// What.
        path: String,
        /// Why.
        why: String,
    },
}

/// What an error says about whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It may go better in a moment: worth a retry.
    Passing,
    /// Asking the same again now is pointless, and it counts against the source.
    Lasting,
    /// The source refuses us altogether: nothing is asked until it has had a rest.
    Refusal,
    /// The source is well, only this one thing is not there.
    ThisOnly,
}

impl SourceError {
    /// Stable name, as it stands in reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadKey { .. } => "bad_key",
            Self::OutOfCredits => "out_of_credits",
            Self::Forbidden => "forbidden",
            Self::EventGone => "event_gone",
            Self::UnsupportedMarket { .. } => "unsupported_market",
            Self::TooManyRequests => "too_many_requests",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } => "refused",
            Self::Redirected { .. } => "redirected",
            Self::Unreachable => "unreachable",
            Self::TimedOut { .. } => "timed_out",
            Self::TooLarge { .. } => "too_large",
            Self::NotData { .. } => "not_data",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// What to do about it.
    pub const fn meaning(&self) -> Meaning {
        match self {
            Self::BadKey { .. } | Self::OutOfCredits | Self::Forbidden => Meaning::Refusal,
            Self::EventGone => Meaning::ThisOnly,
            Self::TooManyRequests | Self::Unavailable { .. } | Self::Unreachable | Self::TimedOut { .. } => {
                Meaning::Passing
            }
            Self::UnsupportedMarket { .. }
            | Self::Refused { .. }
            | Self::Redirected { .. }
            | Self::TooLarge { .. }
            | Self::NotData { .. }
            | Self::Unreadable { .. } => Meaning::Lasting,
        }
    }
}
