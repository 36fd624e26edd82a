//! `tipoff config`: what holds now and who said so; a commented page to begin with.

use std::io::Write;
use std::path::PathBuf;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, table};
use crate::config::{Config, DEFAULT_TOML, FILE_NAME};

/// Arguments of `tipoff config`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting with its value and who set it
    ///
    /// Values come from the built-in page, `tipoff.toml`, the environment and flags, later ones first. Secrets are
    /// shown as `(set)`.
    Show,
    /// Write the commented defaults as a file to edit
    ///
    /// Never overwrites.
    Init {
        /// The file to write
        ///
        /// `-` writes to stdout. Default: tipoff.toml, which is read from the working directory.
        #[arg(value_name = "FILE", default_value = FILE_NAME)]
        path: PathBuf,
    },
}

/// `tipoff config show`.
pub(crate) fn show(config: &Config, out: Output) -> Result<Exit, Failure> {
    out.either(&config.shown(), |settings| {
        let rows = settings.iter().map(|s| vec![s.key.to_owned(), s.value.clone(), s.origin.clone()]);
        table(&["setting", "value", "from"], &[], rows) + "\n"
    })?;
    Ok(Exit::Ok)
}

/// `tipoff config init`.
pub(crate) fn init(path: &PathBuf, out: Output) -> Result<Exit, Failure> {
    if path.as_os_str() == "-" {
        out.data(DEFAULT_TOML)?;
        return Ok(Exit::Ok);
    }
    let refuse = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Conflict, format!("`{}` exists and was not touched", path.display()))
        }
        _ => Failure::failed(format!("write `{}`: {error}", path.display())),
    };
    let mut file = std::fs::File::create_new(path).map_err(refuse)?;
    file.write_all(DEFAULT_TOML.as_bytes()).map_err(refuse)?;
    out.say(&format!("wrote `{}`; every setting stands there with its default", path.display()));
    Ok(Exit::Ok)
}
