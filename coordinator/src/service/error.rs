//! What the service refuses, each kind once; `rest` maps it to problem details, the command line to exit codes.

use proto::Receipt;
use proto::api::BatchStatus;
use protocol::ops::BatchView;

/// A refusal with everything a caller needs to act.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The request cannot be carried out as written.
    #[error("{detail}")]
    Invalid {
        /// The field that is wrong, if one is.
        field: Option<String>,
        /// What is wrong and what would be right.
        detail: String,
    },
    /// There is no such thing.
    #[error("{detail}")]
    NotFound {
        /// What was looked for, and where to look.
        detail: String,
    },
    /// Something stands in the way; it is shown.
    #[error("{detail}")]
    Conflict {
        /// `already-running`, `already-published`, `frozen`, `below-coverage` or `filling`.
        kind: &'static str,
        /// What stands in the way.
        detail: String,
        /// The batch in the way.
        batch: Option<Box<BatchStatus>>,
        /// Its receipt, if it has ended.
        receipt: Option<Box<Receipt>>,
    },
    /// Inputs are incomplete; `force` overrides.
    #[error("{detail}")]
    Incomplete {
        /// In one sentence.
        detail: String,
        /// What is missing, in words.
        missing: Vec<String>,
    },
    /// The store takes no more.
    #[error("{detail}")]
    Busy {
        /// Why, and when to try again.
        detail: String,
    },
    /// The state store or the warehouse does not answer.
    #[error("{detail}")]
    Unavailable {
        /// Which one, without secrets.
        detail: String,
    },
    /// A cursor's generation has moved on.
    #[error("{detail}")]
    Gone {
        /// What to do instead.
        detail: String,
    },
    /// A fault of this program; the detail is for the log only.
    #[error("internal error: {detail_for_log}")]
    Internal {
        /// Never shown to callers.
        detail_for_log: String,
    },
}

impl ServiceError {
    /// A field that is wrong.
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid { field: Some(field.to_owned()), detail: detail.into() }
    }

    /// Something that does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::NotFound { detail: detail.into() }
    }

    /// A fault of this program.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal { detail_for_log: error.to_string() }
    }

    /// An open batch in the way.
    pub(crate) fn conflict(kind: &'static str, detail: impl Into<String>, view: Option<&BatchView>) -> Self {
        let batch = view.map(|view| Box::new(super::status::of_open(view, 0)));
        Self::Conflict { kind, detail: detail.into(), batch, receipt: None }
    }
}

impl From<state::StoreError> for ServiceError {
    fn from(error: state::StoreError) -> Self {
        if error.is_unreachable() {
            Self::Unavailable { detail: format!("the state store does not answer: {error}; try again") }
        } else {
            Self::internal(format!("state store: {error}"))
        }
    }
}

impl From<warehouse::Error> for ServiceError {
    fn from(error: warehouse::Error) -> Self {
        if error.is_unreachable() {
            Self::Unavailable { detail: format!("the warehouse does not answer: {error}; try again") }
        } else {
            Self::internal(format!("warehouse: {error}"))
        }
    }
}
