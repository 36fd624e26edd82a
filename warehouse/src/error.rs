//! What can go wrong, and the two questions a caller asks about it.
//!
//! *Was it applied?* A finalizer that does not know must read the verdict before it tries again.
//! *Is the warehouse reachable at all?* An unreachable warehouse is waited for; a refusal counts as an attempt.
//! An error is never turned into an empty answer (incident 88).

use std::path::{Path, PathBuf};

use sqlx::error::ErrorKind;

use crate::World;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with the warehouse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder of the file is not there.
    #[error("the folder `{folder}` of the warehouse does not exist; create it or choose another --dir")]
    MissingFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The path is not a file.
    #[error("the warehouse `{path}` is a folder; name a file in it")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// SQLite's locks do not work there.
    #[error(
        "the warehouse `{path}` lies on a network file system ({kind}), where locks are not reliable; use a local disk"
    )]
    NetworkFileSystem {
        /// The path.
        path: PathBuf,
        /// The file system's type.
        kind: String,
    },
    /// Another program's file, or none of SQLite's.
    #[error("`{path}` is not a Tipoff warehouse; name another file")]
    NotAWarehouse {
        /// The path.
        path: PathBuf,
    },
    /// Migrated by a newer binary.
    #[error("the warehouse has schema version {found}, this binary knows {known}; run the newer binary")]
    Newer {
        /// Version of the file.
        found: i64,
        /// Newest version of this binary.
        known: i64,
    },
    /// A migration that was applied is not the one this binary carries.
    #[error("schema version {version} of the warehouse is not this binary's; it was made by another build")]
    OtherSchema {
        /// The version.
        version: i64,
    },
    /// A warehouse of real days under a clock that somebody sets, or the other way round.
    #[error("{}", other_world(path, *world))]
    OtherWorld {
        /// The path.
        path: PathBuf,
        /// The world that it was to be opened in.
        world: World,
    },
    /// Opening took too long.
    #[error("the warehouse `{path}` could not be opened within {seconds} s; another process holds it")]
    OpenTimeout {
        /// The path.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// A feature contract that cannot be stored.
    #[error("feature contract `{version}`: {why}")]
    Contract {
        /// Its version.
        version: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// Somebody else has taken over what a lease was for; nothing was written.
    #[error(
        "the lease of `{resource}` was taken over by another process; what it has not done, that one does"
    )]
    LeaseLost {
        /// What it was for.
        resource: String,
    },
    /// What the caller handed over contradicts itself; nothing was written.
    #[error("{what}")]
    Inconsistent {
        /// What contradicts what, with identifiers.
        what: String,
    },
    /// Something named does not exist.
    #[error("{what} not found")]
    NotFound {
        /// Kind and name, e.g. ``batch `batch_…` ``.
        what: String,
    },
    /// A stored value cannot be read back.
    #[error("table `{table}` holds a value that cannot be read: {why}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Value and reason.
        why: String,
    },
    /// A statement of `tipoff sql` that is not one read-only statement.
    #[error("{why}")]
    Statement {
        /// What is wrong with it.
        why: String,
    },
    /// The database refused or did not answer.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// True when a COMMIT was under way, so that nobody knows.
        committing: bool,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
}

/// SQLite result codes of a store that may answer later: busy, locked, out of memory, read-only, I/O error,
/// full, cannot open, protocol.
const LATER: [i32; 8] = [5, 6, 7, 8, 10, 13, 14, 15];

impl Error {
    /// True when the failed call surely changed nothing.
    pub fn certainly_not_applied(&self) -> bool {
        match self {
            // A COMMIT that found the file busy or broke a deferred constraint was refused; anything else is unknown.
            Self::Database { committing: true, source, .. } => {
                matches!(primary_code(source), Some(5 | 6 | 19))
            }
            _ => true,
        }
    }

    /// True when trying again later may succeed without anybody changing anything in the request.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::OpenTimeout { .. } => true,
            Self::Database { source, .. } => match source {
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed => true,
                _ => primary_code(source).is_some_and(|code| LATER.contains(&code)),
            },
            _ => false,
        }
    }

    /// True when a constraint of the schema refused a row.
    pub fn is_refused_by_constraint(&self) -> bool {
        let Self::Database { source: sqlx::Error::Database(error), .. } = self else {
            return false;
        };
        matches!(
            error.kind(),
            ErrorKind::CheckViolation
                | ErrorKind::UniqueViolation
                | ErrorKind::NotNullViolation
                | ErrorKind::ForeignKeyViolation
        )
    }
}

fn other_world(path: &Path, world: World) -> String {
    let path = path.display();
    match world {
        World::Real => format!(
            "the warehouse `{path}` is of a simulated world; set TIPOFF_WORLD_CLOCK to the file of its clock, or choose \
             another --dir"
        ),
        World::Simulated => format!(
            "the warehouse `{path}` is of real days, which nobody may date back; unset TIPOFF_WORLD_CLOCK, or choose \
             another --dir"
        ),
    }
}

/// SQLite's primary result code: the low byte of the extended one.
fn primary_code(source: &sqlx::Error) -> Option<i32> {
    let code: i32 = source.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Says what was being done when the database failed.
pub(crate) trait Doing<T> {
    /// Outside a COMMIT: a failure changed nothing.
    fn doing(self, what: &'static str) -> Result<T>;
    /// During a COMMIT: a failure may have changed everything.
    fn committing(self, what: &'static str) -> Result<T>;
}

impl<T> Doing<T> for std::result::Result<T, sqlx::Error> {
    fn doing(self, what: &'static str) -> Result<T> {
        self.map_err(|source| Error::Database { doing: what, committing: false, source })
    }

    fn committing(self, what: &'static str) -> Result<T> {
        self.map_err(|source| Error::Database { doing: what, committing: true, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_commit_can_be_uncertain() {
        let lost = |committing| Error::Database {
            doing: "write the verdict",
            committing,
            source: sqlx::Error::WorkerCrashed,
        };
        assert!(lost(false).certainly_not_applied());
        assert!(!lost(true).certainly_not_applied());
        assert!(lost(true).is_unreachable());
    }

    #[test]
    fn a_refusal_is_not_an_outage() {
        let error = Error::Inconsistent { what: "two rows of one key".to_owned() };
        assert!(!error.is_unreachable() && error.certainly_not_applied());
    }
}
