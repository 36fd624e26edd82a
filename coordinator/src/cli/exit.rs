//! Exit codes, a contract with scripts: 0 ok, 1 failed or reset, 2 usage, 3 degraded or partial, 4 not found,
//! 5 conflict, 75 try again. Every way to one of them is a function here.

use std::process::ExitCode;

use proto::EndState;
use proto::api::BatchStatus;
use proto::verdict::HealthLevel;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// It failed, or the batch is failed or reset.
    Failed,
    /// The command line, the configuration or the request is wrong.
    Usage,
    /// Done, and somebody should look: degraded, partial, or some input refused.
    Degraded,
    /// There is no such thing.
    NotFound,
    /// Something stands in the way.
    Conflict,
    /// Not now; the same command may work later.
    TryAgain,
}

impl Exit {
    /// The code as a shell sees it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Degraded => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::TryAgain => 75,
        }
    }

    /// What a batch's status means to a script. An open batch is in order.
    pub fn of_status(status: &BatchStatus) -> Self {
        Self::of_end(&status.state, status.health)
    }

    /// The same for a state's name and a health.
    pub fn of_end(state: &str, health: Option<HealthLevel>) -> Self {
        match state.parse() {
            Ok(EndState::Failed | EndState::Reset) => Self::Failed,
            Ok(EndState::Partial) => Self::Degraded,
            Ok(EndState::Complete) if health == Some(HealthLevel::Degraded) => Self::Degraded,
            Ok(EndState::Complete) | Err(_) => Self::Ok,
        }
    }

    /// What a server's answer means to a script.
    pub const fn of_http(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            400 | 413 | 415 | 422 => Self::Usage,
            404 => Self::NotFound,
            409 => Self::Conflict,
            408 | 410 | 429 | 502 | 503 | 504 => Self::TryAgain,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_batches() {
        use HealthLevel::{Degraded, Healthy, Warning};
        for (state, health, expected) in [
            ("complete", Some(Healthy), 0),
            ("complete", Some(Warning), 0),
            ("complete", Some(Degraded), 3),
            ("complete", None, 0),
            ("partial", Some(Healthy), 3),
            ("partial", Some(Degraded), 3),
            ("failed", Some(Healthy), 1),
            ("failed", None, 1),
            ("reset", None, 1),
            ("filling", None, 0),
            ("running", None, 0),
            ("finalizing", None, 0),
        ] {
            assert_eq!(Exit::of_end(state, health).code(), expected, "{state} {health:?}");
        }
    }

    #[test]
    fn answers_of_servers() {
        for (status, expected) in [
            (200, 0),
            (202, 0),
            (400, 2),
            (401, 1),
            (403, 1),
            (404, 4),
            (405, 1),
            (409, 5),
            (410, 75),
            (413, 2),
            (415, 2),
            (422, 2),
            (429, 75),
            (500, 1),
            (502, 75),
            (503, 75),
            (504, 75),
        ] {
            assert_eq!(Exit::of_http(status).code(), expected, "{status}");
        }
    }
}
