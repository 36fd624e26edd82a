//! The batch machine: four states, one `match` for all transitions, used live and in tests.

use std::fmt;

use proto::{Code, EndState};

use crate::Millis;

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchState {
    /// Its opener is adding jobs; nothing can be claimed.
    Filling,
    /// Jobs can be claimed and completed.
    Running,
    /// Closed; staged rows do not change any more.
    Finalizing,
    /// Ended with a verdict; terminal.
    Ended(EndState),
}

impl BatchState {
    /// True until a verdict was copied.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Ended(_))
    }

    /// The name in JSON and tables: an ended batch shows how it ended.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Running => "running",
            Self::Finalizing => "finalizing",
            Self::Ended(end) => end.as_str(),
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "filling" => Some(Self::Filling),
            "running" => Some(Self::Running),
            "finalizing" => Some(Self::Finalizing),
            other => other.parse().ok().map(Self::Ended),
        }
    }

    /// The only way a batch changes its state.
    pub fn next(self, event: BatchEvent) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Filling, BatchEvent::Seal) => Ok(Self::Running),
            (Self::Filling, BatchEvent::Close(CloseReason::NeverSealed | CloseReason::Reset)) => {
                Ok(Self::Finalizing)
            }
            (Self::Running, BatchEvent::Close(reason)) if reason != CloseReason::NeverSealed => {
                Ok(Self::Finalizing)
            }
            // A verdict is the truth wherever it is read: after a rollback the store may still think it is running.
            (Self::Filling | Self::Running | Self::Finalizing, BatchEvent::End(end)) => Ok(Self::Ended(end)),
            (Self::Ended(was), BatchEvent::End(end)) if was == end => Ok(self),
            _ => Err(IllegalTransition { from: self, event }),
        }
    }
}

impl fmt::Display for BatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What can happen to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchEvent {
    /// All jobs are in.
    Seal,
    /// Nothing can be claimed or completed from here on.
    Close(CloseReason),
    /// A verdict was read.
    End(EndState),
}

/// A transition that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a batch that is {from} cannot take {event:?}")]
pub struct IllegalTransition {
    /// Where it stood.
    pub from: BatchState,
    /// What was tried.
    pub event: BatchEvent,
}

/// Why a batch was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// Its last open job ended.
    AllDone,
    /// Its time was up.
    FinishBy,
    /// An operator wanted what there was.
    Operator,
    /// An operator threw it away.
    Reset,
    /// Its opener went away.
    NeverSealed,
    /// The state store does not know it any more.
    StateLost,
    /// Finalizing failed five times.
    Finalizer,
}

impl CloseReason {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 7] = [
        Self::AllDone,
        Self::FinishBy,
        Self::Operator,
        Self::Reset,
        Self::NeverSealed,
        Self::StateLost,
        Self::Finalizer,
    ];

    /// The name as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllDone => "all_done",
            Self::FinishBy => "finish_by",
            Self::Operator => "operator",
            Self::Reset => "reset",
            Self::NeverSealed => "never_sealed",
            Self::StateLost => "state_lost",
            Self::Finalizer => "finalizer",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// What the reason means for a person who watches.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AllDone => "every job has ended",
            Self::FinishBy => "the finish-by time was reached",
            Self::Operator => "an operator published what there was",
            Self::Reset => "an operator reset the batch",
            Self::NeverSealed => "the process that opened the batch went away before it was complete",
            Self::StateLost => "the state store lost the batch",
            Self::Finalizer => "finalizing failed five times",
        }
    }

    /// The code with which a drain ends the jobs that are still open.
    pub const fn drain_code(self) -> Code {
        match self {
            Self::FinishBy | Self::AllDone => Code::FinishBy,
            Self::Operator => Code::Operator,
            Self::Reset => Code::Reset,
            Self::NeverSealed => Code::NeverSealed,
            Self::StateLost | Self::Finalizer => Code::StateLost,
        }
    }

    /// Whether rows of a batch closed for this reason may be published at all.
    pub const fn mode(self) -> Mode {
        match self {
            Self::AllDone | Self::FinishBy | Self::Operator => Mode::Publish,
            Self::Reset | Self::NeverSealed | Self::StateLost | Self::Finalizer => Mode::Discard,
        }
    }
}

/// What the verdict may do with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Publish, if the verdict allows it.
    Publish,
    /// Throw away.
    Discard,
}

/// What is frozen when a batch is closed; the verdict is decided from it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Closing {
    /// Publish or discard.
    pub mode: Mode,
    /// Why it was closed.
    pub reason: CloseReason,
    /// Below this coverage nothing is published.
    pub min_coverage: f64,
    /// True when the batch ran everybody of the slate, which makes "nobody" suspicious.
    pub whole_slate: bool,
    /// When it was closed.
    pub closed_at: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn every_transition_is_in_one_table() {
        let states = [
            BatchState::Filling,
            BatchState::Running,
            BatchState::Finalizing,
            BatchState::Ended(EndState::Complete),
            BatchState::Ended(EndState::Reset),
        ];
        let mut events = vec![BatchEvent::Seal];
        events.extend(CloseReason::ALL.map(BatchEvent::Close));
        events.extend([EndState::Complete, EndState::Reset].map(BatchEvent::End));
        let mut table = String::new();
        for state in states {
            for event in &events {
                if let Ok(next) = state.next(*event) {
                    let _ = writeln!(table, "{state:<10} {event:<20?} -> {next}", event = event);
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn names_read_back() {
        for reason in CloseReason::ALL {
            assert_eq!(CloseReason::parse(reason.as_str()), Some(reason));
        }
        for text in ["filling", "running", "finalizing", "complete", "partial", "failed", "reset"] {
            assert_eq!(BatchState::parse(text).map(BatchState::as_str), Some(text));
        }
        assert_eq!(BatchState::parse("no_active_batch"), None);
    }
}
