//! A job: everything a worker needs to predict one player of one game, and nothing it would have to look up.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::text::{named_enum, text_serde};
use crate::{
    FeatureVector, GameKey, GameStatus, Market, ParseError, PlayerLookup, Quote, SystemId, TeamCode,
};

/// Name of a job within its batch: one per player and game (incident 35). Written `player@game_id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    /// The player.
    pub player: PlayerLookup,
    /// The game.
    pub game: GameKey,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.player, self.game)
    }
}

impl FromStr for JobId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (player, game) =
            text.split_once('@').ok_or_else(|| ParseError::new("job id", text, "expected player@game_id"))?;
        Ok(Self { player: player.parse()?, game: game.parse()? })
    }
}
text_serde!(JobId);

named_enum! {
    /// Why a batch is run; selects the feature-quality threshold (domain.md 2.4).
    RunMode, "run mode" {
        /// First run of the night.
        Overnight = "OVERNIGHT",
        /// As early as lines are there.
        Early = "EARLY",
        /// The evening before.
        PreGame = "PRE_GAME",
        /// The first full run of the day.
        First = "FIRST",
        /// The morning of the games.
        Morning = "MORNING",
        /// The day of the games.
        SameDay = "SAME_DAY",
        /// A further try.
        Retry = "RETRY",
        /// The try at lower quality.
        FinalRetry = "FINAL_RETRY",
        /// The last try before tip-off.
        LastCall = "LAST_CALL",
        /// A date that is over.
        Backfill = "BACKFILL",
        /// Lines looked at again.
        LineCheck = "LINE_CHECK",
        /// Lines have moved.
        LineUpdate = "LINE_UPDATE",
    }
}

named_enum! {
    /// A player's availability by the newest report before the as-of.
    InjuryStatus, "injury status" {
        /// On no list.
        Available = "available",
        /// Likely to play.
        Probable = "probable",
        /// May play.
        Questionable = "questionable",
        /// Unlikely to play.
        Doubtful = "doubtful",
        /// Will not play.
        Out = "out",
    }
}

/// One player of one game, ready to be predicted by any worker.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Job {
    /// Its name within the batch.
    pub id: JobId,
    /// The name to show to people.
    pub name: String,
    /// The player's team, if resolved.
    pub team: Option<TeamCode>,
    /// When the game begins: the earlier of schedule and the vendor's commence time.
    #[serde(with = "crate::instant")]
    pub tip_off: Timestamp,
    /// Where the game stands at the as-of.
    pub game_status: GameStatus,
    /// What gates judge by: the earlier of the request's as-of and tip-off.
    #[serde(with = "crate::instant")]
    pub as_of: Timestamp,
    /// Why the batch runs.
    pub run_mode: RunMode,
    /// Markets wanted, sorted.
    pub markets: Vec<Market>,
    /// The rows wanted: every market with each system that the batch pins a model of for it, sorted.
    #[serde(with = "by_market")]
    pub wanted: Vec<(Market, SystemId)>,
    /// False when the quoted name fits no player of the two teams.
    pub player_resolved: bool,
    /// Quotes of the wanted markets seen before the as-of: each book's newest main quote.
    #[serde(with = "crate::quote::together")]
    pub quotes: Vec<Quote>,
    /// The newest snapshot of this event at the as-of, over all players and books.
    #[serde(default, with = "crate::instant::optional")]
    pub event_newest_snapshot: Option<Timestamp>,
    /// Availability.
    pub injury: InjuryStatus,
    /// Mean minutes of the last ten games; none without a game.
    pub projected_minutes: Option<f64>,
    /// Mean minutes below which a player without a quote is `low_minutes`.
    pub min_minutes: f64,
    /// Features in contract order; none when no row is built.
    pub features: Option<FeatureVector>,
    /// When the feature row was built.
    #[serde(default, with = "crate::instant::optional")]
    pub features_built_at: Option<Timestamp>,
    /// When the newest of the row's inputs was ingested.
    #[serde(default, with = "crate::instant::optional")]
    pub inputs_ingested_at: Option<Timestamp>,
    /// Fingerprint of what decides the answer; see `rules::inputs`.
    #[serde(with = "crate::hash")]
    pub inputs_sha256: String,
}

impl Job {
    /// Rows this job owes: one for each wanted market and system.
    pub fn rows_owed(&self) -> u32 {
        self.wanted.len() as u32
    }
}

/// Wanted rows inside records: pairs in JSON, in the compact form each market once with its systems.
mod by_market {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{Market, SystemId};

    type Group<'a> = (Cow<'a, Market>, Vec<Cow<'a, SystemId>>);

    pub(super) fn serialize<S: Serializer>(wanted: &[(Market, SystemId)], s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            return wanted.serialize(s);
        }
        let groups = wanted.chunk_by(|(one, _), (other, _)| one == other).map(|group| {
            (Cow::Borrowed(&group[0].0), group.iter().map(|(_, system)| Cow::Borrowed(system)).collect())
        });
        groups.collect::<Vec<Group<'_>>>().serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(Market, SystemId)>, D::Error> {
        if d.is_human_readable() {
            return Vec::deserialize(d);
        }
        let groups = Vec::<Group<'_>>::deserialize(d)?;
        let pairs = groups.into_iter().flat_map(|(market, systems)| {
            systems.into_iter().map(move |system| (market.as_ref().clone(), system.into_owned()))
        });
        Ok(pairs.collect())
    }
}
