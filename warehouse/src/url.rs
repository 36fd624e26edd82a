//! Where a warehouse lives, as people type it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proto::ParseError;

/// A warehouse address: `sqlite:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WarehouseUrl {
    /// One file on a local disk.
    Sqlite(PathBuf),
}

impl WarehouseUrl {
    /// The address of a file.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::Sqlite(path.as_ref().to_path_buf())
    }
}

impl fmt::Display for WarehouseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

impl FromStr for WarehouseUrl {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(ParseError::new("warehouse address", text, "expected sqlite:PATH"));
        };
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path == ":memory:" || path.contains('?') {
                    return Err(ParseError::new(
                        "warehouse address",
                        text,
                        "expected sqlite:PATH with the path of a file, without parameters",
                    ));
                }
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            // The rest of a server's address may hold a password, so it is not repeated.
            "postgres" | "postgresql" => Err(ParseError::new(
                "warehouse address",
                "postgres:…",
                "this build has no PostgreSQL yet; use sqlite:PATH",
            )),
            _ => Err(ParseError::new("warehouse address", scheme, "expected sqlite:PATH")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn addresses_read_back() {
        for (text, path) in [
            ("sqlite:data/w.db", "data/w.db"),
            ("sqlite:/a/w.db", "/a/w.db"),
            ("sqlite:///a/w.db", "/a/w.db"),
        ] {
            let url: WarehouseUrl = text.parse().unwrap();
            assert_eq!(url, WarehouseUrl::sqlite(path));
            assert_eq!(url.to_string().parse::<WarehouseUrl>().unwrap(), url);
        }
    }

    #[test]
    fn wrong_addresses_say_what_is_expected_and_keep_secrets() {
        for text in ["sqlite:", "sqlite::memory:", "mysql://x", "w.db", "", "sqlite:a?mode=ro"] {
            let error = text.parse::<WarehouseUrl>().unwrap_err().to_string();
            assert!(error.contains("sqlite:PATH"), "{text}: {error}");
        }
        let error = "postgres://me:canary@host/db".parse::<WarehouseUrl>().unwrap_err().to_string();
        assert!(!error.contains("canary") && error.contains("PostgreSQL"), "{error}");
    }
}
