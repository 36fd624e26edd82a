//! What can go wrong with a store, sorted by what the caller should do next.

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A store operation that has no answer. Refusals of the protocol are answers, not errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or is busy or out of space: wait and repeat the call.
    #[error("cannot reach the state store {store}: {cause}")]
    Unreachable {
        /// The store, without secrets.
        store: String,
        /// What the system said.
        cause: String,
        /// True when the call may have been carried out all the same.
        maybe_applied: bool,
    },
    /// The store took too long; the call may have been carried out: repeat it.
    #[error(
        "the state store {store} did not answer within {after_ms} ms; check whether it is overloaded or stopped"
    )]
    Timeout {
        /// The store, without secrets.
        store: String,
        /// The limit.
        after_ms: u64,
    },
    /// The store is set up in a way that cannot work; the sentence says what to change.
    #[error("{0}")]
    Refused(String),
    /// The store holds something this build cannot read.
    #[error(
        "the state store holds an unreadable {what}: {why}; run one version everywhere, or restore the store"
    )]
    Corrupt {
        /// What was read.
        what: String,
        /// Why it makes no sense.
        why: String,
    },
    /// A call failed inside the store in a way that has no name.
    #[error("the state store {store} failed in {call}: {cause}")]
    Failed {
        /// The store, without secrets.
        store: String,
        /// The operation.
        call: &'static str,
        /// What the store said.
        cause: String,
    },
}

impl StoreError {
    /// True when the call has certainly changed nothing. Otherwise only repeating it tells.
    pub fn certainly_not_applied(&self) -> bool {
        match self {
            Self::Unreachable { maybe_applied, .. } => !maybe_applied,
            Self::Refused(_) => true,
            Self::Timeout { .. } | Self::Corrupt { .. } | Self::Failed { .. } => false,
        }
    }

    /// True when the store may answer later: nobody's failure, worth waiting for.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. })
    }

    pub(crate) fn corrupt(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: what.into(), why: why.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_a_caller_may_assume() {
        let down = |maybe_applied| StoreError::Unreachable {
            store: "redis://127.0.0.1:1/0".into(),
            cause: "connection refused".into(),
            maybe_applied,
        };
        let slow = StoreError::Timeout { store: "x".into(), after_ms: 2_000 };
        let table = [
            (down(false), true, true),
            (down(true), false, true),
            (slow, false, true),
            (StoreError::Refused("set it up".into()), true, false),
            (StoreError::corrupt("state", "`x`"), false, false),
        ];
        for (error, not_applied, unreachable) in table {
            assert_eq!(
                (error.certainly_not_applied(), error.is_unreachable()),
                (not_applied, unreachable),
                "{error}"
            );
        }
    }
}
