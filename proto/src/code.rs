//! Every reason there is, each with a severity and a sentence. No job ends without one.
//!
//! A code is what programs branch on; the sentence is what a person reads in `tipoff players` and `/why`.
//! Thresholds live in `rules`; this is the vocabulary.

use crate::text::named_enum;
use crate::{Market, OutcomeKind};

named_enum! {
    /// A reason, as it stands in outcomes, tables and JSON.
    Code, "reason code" {
        /// Rows were written.
        Predicted = "predicted",

        /// Line gate: no book, event or snapshot stands behind the quote.
        Placeholder = "placeholder",
        /// Line gate: seen too long before the as-of, or long before the event's newest snapshot.
        Stale = "stale",
        /// Line gate: seen or updated at or after tip-off.
        InPlay = "in_play",
        /// Line gate: over or under price is missing.
        OneSided = "one_sided",
        /// Line gate: not on the half-point grid.
        OffGrid = "off_grid",
        /// Line gate: a price outside what books offer.
        PriceOutOfRange = "price_out_of_range",
        /// Line gate: the book's margin is impossible.
        HoldOutOfRange = "hold_out_of_range",
        /// Line gate: far from the median of the books.
        Outlier = "outlier",
        /// Line gate: the book is excluded by configuration.
        BookExcluded = "book_excluded",
        /// Line gate: the same book quoted the same point twice in one snapshot.
        DuplicateQuote = "duplicate_quote",
        /// Line gate: the quote belongs to another market.
        WrongMarket = "wrong_market",
        /// The quoted name fits no player of the two teams.
        PlayerUnresolved = "player_unresolved",
        /// The quoted event fits no game of the schedule.
        GameUnresolved = "game_unresolved",

        /// Nobody quotes this player.
        NoLine = "no_line",
        /// The player is out by the newest injury report.
        InjuredOut = "injured_out",
        /// The game is postponed or cancelled.
        GamePostponed = "game_postponed",
        /// Plays too little to be quoted.
        LowMinutes = "low_minutes",
        /// Feature gate refused every system.
        FeatureQuality = "feature_quality",

        /// Feature gate: no feature row for this player and game.
        NoFeatures = "no_features",
        /// Feature gate: a required feature carries its default.
        RequiredDefault = "required_default",
        /// Feature gate: quality score below the run mode's threshold.
        QualityBelowThreshold = "quality_below_threshold",
        /// Feature gate: matchup features below their floor.
        MatchupBelowFloor = "matchup_below_floor",
        /// Feature gate: an input was ingested after the row was built.
        StaleFeatures = "stale_features",
        /// Feature gate: the row was built for another contract version.
        ContractMismatch = "contract_mismatch",

        /// Row check: the model answered NaN or an infinity.
        NotFinite = "not_finite",
        /// Row check: below zero or above 80 points.
        OutOfRange = "out_of_range",
        /// Row check: more than 20 points away from the line.
        EdgeOutOfRange = "edge_out_of_range",

        /// The model refused its input or has none that can run.
        Model = "model",
        /// Every row was refused by the row checks.
        RowCheck = "row_check",
        /// Prediction was silent past its deadline, twice, alone.
        Hang = "hang",
        /// Prediction panicked until its attempts were used up.
        Panic = "panic",
        /// An error nobody has a name for, until its attempts were used up.
        Error = "error",

        /// Still open at finish-by.
        FinishBy = "finish_by",
        /// Its leases were lost until its attempts were used up.
        Lease = "lease",
        /// Still open when an operator consolidated.
        Operator = "operator",
        /// Still open when an operator reset the batch.
        Reset = "reset",
        /// The batch was never sealed.
        NeverSealed = "never_sealed",
        /// The state store lost the batch.
        StateLost = "state_lost",
    }
}

/// How much a code weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Expected; nothing to do.
    Info,
    /// Somebody should look at the inputs.
    Warning,
    /// Somebody should act.
    Error,
}

impl Code {
    /// What happened, in one sentence without identifiers.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Predicted => "every wanted system answered",
            Self::Placeholder => {
                "the quote has no book, event or snapshot behind it, so it is not a market line"
            }
            Self::Stale => "the quote is too old for the time of this prediction",
            Self::InPlay => "the quote was made at or after tip-off",
            Self::OneSided => "the book offers only one side of this line",
            Self::OffGrid => "the line is not on the half-point grid",
            Self::PriceOutOfRange => "a price lies outside what books offer on a main line",
            Self::HoldOutOfRange => "the book's margin over both sides is not plausible",
            Self::Outlier => "the line is far from the median of the books",
            Self::BookExcluded => "this book is excluded by the configuration",
            Self::DuplicateQuote => "the book quoted the same line twice in one snapshot",
            Self::WrongMarket => "the quote belongs to another market",
            Self::PlayerUnresolved => "the quoted name fits no player of the two teams; add an alias",
            Self::GameUnresolved => "the quoted event fits no game of the schedule",
            Self::NoLine => "no book quotes this player",
            Self::InjuredOut => "the player is out by the newest injury report",
            Self::GamePostponed => "the game is postponed or cancelled",
            Self::LowMinutes => {
                "the player averages fewer minutes than the slate asks for, and nobody quotes him"
            }
            Self::FeatureQuality => "the features are not good enough for any wanted system",
            Self::NoFeatures => {
                "no features are built for this player and game; build them and run `changed`"
            }
            Self::RequiredDefault => "a feature that the system requires is missing and carries its default",
            Self::QualityBelowThreshold => {
                "the feature quality score is below the threshold of this run mode"
            }
            Self::MatchupBelowFloor => "the matchup features are below their floor",
            Self::StaleFeatures => "an input of the features arrived after they were built; build them again",
            Self::ContractMismatch => {
                "the features were built for another contract version; build them again"
            }
            Self::NotFinite => "the model's answer is not a number",
            Self::OutOfRange => "the model's answer lies outside 0 to 80",
            Self::EdgeOutOfRange => "the model's answer is more than 20 away from the line",
            Self::Model => "no wanted model could answer",
            Self::RowCheck => "every answer was refused by the row checks",
            Self::Hang => "the prediction gave no sign of life past its deadline, twice",
            Self::Panic => "the prediction panicked each time it was tried",
            Self::Error => "the prediction failed each time it was tried",
            Self::FinishBy => "the batch reached its finish-by time before this player was done",
            Self::Lease => "the workers that held this player were lost each time",
            Self::Operator => "an operator published the batch before this player was done",
            Self::Reset => "an operator reset the batch before this player was done",
            Self::NeverSealed => "the batch was given up before it was complete",
            Self::StateLost => "the state store lost the batch before this player was done",
        }
    }

    /// How much the code weighs when it ends a job or refuses a quote.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Predicted | Self::NoLine | Self::InjuredOut | Self::GamePostponed | Self::LowMinutes => {
                Severity::Info
            }
            Self::BookExcluded | Self::DuplicateQuote | Self::Operator | Self::Reset | Self::Stale => {
                Severity::Info
            }
            Self::Model | Self::Hang | Self::Panic | Self::Error | Self::Lease | Self::StateLost => {
                Severity::Error
            }
            Self::NotFinite | Self::OutOfRange | Self::EdgeOutOfRange | Self::RowCheck => Severity::Error,
            _ => Severity::Warning,
        }
    }

    /// The outcome a job takes when this is its primary reason.
    pub const fn outcome(self) -> OutcomeKind {
        match self {
            Self::Predicted => OutcomeKind::Predicted,
            Self::Placeholder | Self::Stale | Self::InPlay | Self::OneSided | Self::OffGrid => {
                OutcomeKind::Rejected
            }
            Self::PriceOutOfRange | Self::HoldOutOfRange | Self::Outlier => OutcomeKind::Rejected,
            Self::BookExcluded | Self::DuplicateQuote | Self::WrongMarket => OutcomeKind::Rejected,
            Self::PlayerUnresolved | Self::GameUnresolved => OutcomeKind::Rejected,
            Self::NoLine | Self::InjuredOut | Self::GamePostponed | Self::LowMinutes => OutcomeKind::Skipped,
            Self::FeatureQuality | Self::NoFeatures | Self::RequiredDefault => OutcomeKind::Skipped,
            Self::QualityBelowThreshold | Self::MatchupBelowFloor => OutcomeKind::Skipped,
            Self::StaleFeatures | Self::ContractMismatch => OutcomeKind::Skipped,
            Self::NotFinite | Self::OutOfRange | Self::EdgeOutOfRange | Self::RowCheck => OutcomeKind::Failed,
            Self::Model | Self::Hang | Self::Panic | Self::Error => OutcomeKind::Failed,
            Self::FinishBy | Self::Lease => OutcomeKind::Expired,
            Self::Operator | Self::Reset | Self::NeverSealed | Self::StateLost => OutcomeKind::Abandoned,
        }
    }
}

/// One refusal with its place: which market, book or system, and a sentence with the figures.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CodeNote {
    /// The market it concerns, if one.
    pub market: Option<Market>,
    /// The book whose quote was refused, if one.
    pub book: Option<String>,
    /// The code.
    pub code: Code,
    /// What happened, with names and figures.
    pub sentence: String,
}

impl CodeNote {
    /// A note on the whole job.
    pub fn of_job(code: Code, sentence: impl Into<String>) -> Self {
        Self { market: None, book: None, code, sentence: sentence.into() }
    }
}
