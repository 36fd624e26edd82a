//! The real binary, as a person and as a script meet it.

mod backfill;
mod backfill_lines;
mod engines;
mod evaluate;
mod local;
mod models;
mod roles;
mod server;
mod sources;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// Checks the exit code and hands itself on.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// The binary in a folder, without this process's settings.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tipoff"));
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_string_lossy().starts_with("TIPOFF_");
        if is_ours || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the binary in a folder.
pub(crate) fn tipoff(folder: &Path, args: &[&str]) -> Said {
    command(folder).args(args).output().unwrap().into()
}
