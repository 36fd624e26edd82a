//! What SQLite says when it cannot, in the words of [`StoreError`].

use std::path::Path;

use crate::StoreError;

/// A failure inside an operation, before it is known which.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database's.
    Sql(sqlx::Error),
    /// Something stored that makes no sense, or a refusal.
    Store(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Primary result codes that go away by themselves or by making room: busy, locked, read-only, I/O, full, cannot open.
const PASSING: [i32; 6] = [5, 6, 8, 10, 13, 14];

/// Corrupt, not a database.
const DAMAGED: [i32; 2] = [11, 26];

impl Fault {
    /// The error a caller sees. `maybe_applied` is false until COMMIT was sent: SQLite rolls everything else back.
    pub(super) fn into_error(self, path: &Path, call: &'static str, maybe_applied: bool) -> StoreError {
        let store = format!("sqlite:{}", path.display());
        let error = match self {
            Self::Store(error) => return error,
            Self::Sql(error) => error,
        };
        let code = match &error {
            sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i32>().ok()),
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => Some(PASSING[0]),
            _ => None,
        };
        let cause = error.to_string();
        match code.map(|code| code & 0xff) {
            Some(primary) if PASSING.contains(&primary) => {
                StoreError::Unreachable { store, cause, maybe_applied }
            }
            Some(primary) if DAMAGED.contains(&primary) => StoreError::corrupt(store, cause),
            _ => StoreError::Failed { store, call, cause },
        }
    }
}

pub(super) type SqlResult<T> = std::result::Result<T, Fault>;
