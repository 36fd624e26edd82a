//! What can stop a whole stage. What is wrong with one file or one row is no error: it is quarantined.

use std::path::PathBuf;

/// A stage could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The warehouse refused or did not answer.
    #[error("warehouse: {0}")]
    Warehouse(#[from] warehouse::Error),
    /// A file of ours could not be written.
    #[error("write `{path}`: {source}; check that the folder exists and has room")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What was asked for contradicts itself.
    #[error("{0}")]
    Invalid(String),
}

/// Result of a stage.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failed write, with the file's name in it.
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }
}
