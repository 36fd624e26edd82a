//! Why a command did not come to its end: one sentence, what to do next, and the exit code.

use std::fmt;
use std::io;

use proto::api::Problem;

use super::exit::Exit;
use crate::config::ConfigError;
use crate::service::ServiceError;

/// A command that could not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// What to do next, a line each.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), hints: Vec::new() }
    }

    /// Something failed.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line is wrong.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// A refusal of the server, with its own words and what a person at a terminal can do about it.
    pub fn of_problem(status: u16, problem: &Problem) -> Self {
        let message = match &problem.field {
            Some(field) if !problem.detail.contains(&format!("`{field}`")) => {
                format!("`{field}`: {}", problem.detail)
            }
            _ => problem.detail.clone(),
        };
        let mut failure = Self::new(Exit::of_http(status), message);
        failure.hints.extend(problem.missing.iter().map(|missing| format!("missing: {missing}")));
        let batch = problem.batch_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let next = match problem.kind.rsplit('/').next().unwrap_or_default() {
            "already-running" => format!("watch it with `tipoff watch {batch}`"),
            "data-incomplete" => "ingest what is missing, or start anyway with --force".to_owned(),
            "unauthorized" => "set TIPOFF_API_KEY (or TIPOFF_API_KEY_FILE) to the server's key".to_owned(),
            "filling" => "try again when it is sealed".to_owned(),
            _ => String::new(),
        };
        if !next.is_empty() {
            failure.hints.push(next);
        }
        if status == 500 {
            failure.hints.push(format!("the server's log has more under request id {}", problem.request_id));
        }
        failure
    }

    /// True when the reader of our output went away, which is no failure.
    pub fn is_closed_pipe(&self) -> bool {
        self.exit == Exit::Ok
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for hint in &self.hints {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            // A store that cannot be reached by its address is a failure, like one that does not answer.
            ConfigError::Address { .. } => Self::failed(error),
            _ => Self::usage(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // `tipoff players | head` is in order.
            io::ErrorKind::BrokenPipe => Self::new(Exit::Ok, "the reader went away"),
            _ => Self::failed(format!("write output: {error}")),
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let exit = match &error {
            ServiceError::Invalid { .. } => Exit::Usage,
            ServiceError::NotFound { .. } => Exit::NotFound,
            ServiceError::Conflict { .. } => Exit::Conflict,
            ServiceError::Incomplete { .. }
            | ServiceError::Busy { .. }
            | ServiceError::Unavailable { .. }
            | ServiceError::Gone { .. } => Exit::TryAgain,
            ServiceError::Internal { .. } => Exit::Failed,
        };
        let mut failure = Self::new(exit, &error);
        if let ServiceError::Incomplete { missing, .. } = &error {
            failure.hints.extend(missing.iter().map(|missing| format!("missing: {missing}")));
        }
        failure
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, status: u16, field: Option<&str>) -> Problem {
        Problem {
            kind: format!("/problems/{kind}"),
            title: String::new(),
            status,
            detail: "the sentence".to_owned(),
            request_id: "r1".to_owned(),
            field: field.map(str::to_owned),
            batch_id: "batch_2026-01-23_1769180406".parse().ok(),
            state: None,
            progress: None,
            missing: vec!["no schedule".to_owned()],
            receipt: None,
        }
    }

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let text =
            |kind, status, field| Failure::of_problem(status, &problem(kind, status, field)).to_string();
        let running = text("already-running", 409, None);
        assert!(
            running.contains("the sentence") && running.contains("tipoff watch batch_2026-01-23_1769180406")
        );
        let incomplete = text("data-incomplete", 503, None);
        assert!(incomplete.contains("missing: no schedule") && incomplete.contains("--force"));
        assert!(text("invalid", 422, Some("players[0]")).contains("`players[0]`: the sentence"));
        assert!(text("internal", 500, None).contains("request id r1"));
        assert!(text("unauthorized", 401, None).contains("TIPOFF_API_KEY"));
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_closed_pipe());
        assert!(!Failure::from(io::Error::from(io::ErrorKind::StorageFull)).is_closed_pipe());
    }
}
