//! One stage of a date, run again by hand.
//!
//! Between files and predictions stand two stages: *context* (what follows from a date's quotes and its schedule: tags,
//! minutes before tip-off, summaries of the books) and *features* (one row for each player, made from everything before
//! the date). Both are brought up to date by whoever changes what they are made of, so running one again is for what a
//! person mended beside the program, and for a doubt.
//!
//! The predecessor ran features before their context and got half of them wrong (incident 73), and a stage that was not
//! ready was retried five hundred times an hour (38). Here a stage whose dependency is not ready is refused, once, with a
//! sentence; who overrides that is told from what, and the run's record keeps it.

use jiff::Timestamp;
use jiff::civil::Date;
use proto::Slate;
use rules::lines::LinePolicy;
use warehouse::{Completeness, Warehouse};

use crate::error::Result;
use crate::features::{BuildReport, BuildRequest, build_request};
use crate::ingest::settle::{Touched, settle};

/// Share of the games of the seven days before a date that must have box scores.
const MIN_BOX_SCORES: f64 = 0.8;

/// A stage between files and predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// What follows from the date's quotes.
    Context,
    /// The rows that models read.
    Features,
}

impl Stage {
    /// Its name in `runs`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Features => "features",
        }
    }
}

impl std::str::FromStr for Stage {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let known = [Self::Context, Self::Features];
        let found = known.into_iter().find(|stage| stage.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no stage; there are context and features"))
    }
}

/// What a stage depends on, as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// Counts of schedule and box scores.
    pub inputs: Completeness,
    /// Ingestions of the date that are in hand, by what they are of.
    pub in_hand: Vec<String>,
    /// Events whose quotes have no context.
    pub without_context: u64,
}

/// What is not ready, in words; empty when a stage may run.
pub fn unmet(stage: Stage, date: Date, found: &Dependencies) -> Vec<String> {
    let mut unmet: Vec<String> =
        found.in_hand.iter().map(|what| format!("{what} is being ingested; wait for its end")).collect();
    match stage {
        Stage::Context => unmet.extend(without_schedule(&found.inputs, date)),
        Stage::Features => {
            unmet.extend(missing_inputs(&found.inputs, date));
            if found.without_context > 0 {
                unmet.push(format!(
                    "{} events of {date} have no context; run its stage first: --stage context",
                    found.without_context
                ));
            }
        }
    }
    unmet
}

/// What features and predictions of a date need and do not have: a schedule, and most box scores of the week before.
pub fn missing_inputs(found: &Completeness, date: Date) -> Vec<String> {
    let mut missing: Vec<String> = without_schedule(found, date).into_iter().collect();
    let share = found.with_box_scores as f64 / found.games_before.max(1) as f64;
    if found.games_before > 0 && share < MIN_BOX_SCORES {
        missing.push(format!(
            "box scores for {} of the {} games of the seven days before, {:.0} % are required",
            found.with_box_scores,
            found.games_before,
            MIN_BOX_SCORES * 100.0
        ));
    }
    missing
}

fn without_schedule(found: &Completeness, date: Date) -> Option<String> {
    (!found.schedule_covers).then(|| format!("no ingested schedule covers {date}"))
}

/// One stage of one date.
#[derive(Debug, Clone)]
pub struct StageRequest {
    /// Which.
    pub stage: Stage,
    /// Of which date.
    pub game_date: Date,
    /// Run although what it depends on is not ready; recorded.
    pub override_dependency: bool,
    /// The moment of the run, in the world.
    pub now: Timestamp,
    /// The same by the machine's clock, which leases go by.
    pub machine_now: Timestamp,
    /// Features whose columns may be at fault, by name; recorded.
    pub accept: Vec<String>,
    /// The books that summaries of quotes count.
    pub lines: LinePolicy,
}

/// What a stage did; the counts of its run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// What it depends on and was not ready, when that was overridden.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<String>,
    /// Events whose context was derived again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// What the build of features did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildReport>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StageEnd {
    /// It ran.
    Done(Box<StageReport>),
    /// It did not, because this is not ready.
    NotReady(Vec<String>),
}

/// Runs exactly one stage of one date.
pub async fn run_stage(warehouse: &Warehouse, request: &StageRequest) -> Result<StageEnd> {
    let (stage, date) = (request.stage, request.game_date);
    let unmet = unmet(stage, date, &dependencies(warehouse, date, request.machine_now).await?);
    if !unmet.is_empty() && !request.override_dependency {
        return Ok(StageEnd::NotReady(unmet));
    }
    let mut report = StageReport { stage, overridden: unmet, events: None, build: None };
    match stage {
        Stage::Context => report.events = Some(context(warehouse, date, request).await?),
        Stage::Features => {
            let accept = request.accept.clone();
            let build = BuildRequest { from: date, to: date, now: request.now, accept };
            report.build = Some(build_request(warehouse, &build, |_, _| ()).await?);
        }
    }
    Ok(StageEnd::Done(Box::new(report)))
}

async fn dependencies(warehouse: &Warehouse, date: Date, machine_now: Timestamp) -> Result<Dependencies> {
    // A holder that died is no work under way.
    let leases = warehouse.open_leases().await?.into_iter().filter(|lease| lease.expires_at > machine_now);
    Ok(Dependencies {
        inputs: warehouse.completeness(Slate::nba(date)).await?,
        in_hand: leases.map(|lease| lease.resource).filter(|resource| is_about(resource, date)).collect(),
        without_context: warehouse.events_without_context(date).await?,
    })
}

/// True for what is ingested of a date, and for tables, which are about many.
fn is_about(resource: &str, date: Date) -> bool {
    let mut parts = resource.split('/').skip(2);
    parts.next().is_none_or(|of| of == date.to_string())
}

/// Derives what follows from the quotes of a date again, in one transaction; how many events that were.
async fn context(warehouse: &Warehouse, date: Date, request: &StageRequest) -> Result<u64> {
    let mut tx = warehouse.begin_ingest("context derived again", request.now).await?;
    let mut touched = Touched::default();
    let events = tx.events_of_date(date).await?;
    let count = events.len() as u64;
    for (event_id, game) in events {
        touched.event(event_id, game);
    }
    settle(&mut tx, &touched, &request.lines).await?;
    tx.commit_without_file().await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: Date = Date::constant(2025, 11, 14);

    fn full() -> Dependencies {
        Dependencies {
            inputs: Completeness {
                games_on_date: 4,
                any_features: true,
                schedule_covers: true,
                games_before: 50,
                final_before: 50,
                with_box_scores: 40,
            },
            ..Dependencies::default()
        }
    }

    #[test]
    fn each_stage_names_what_is_not_ready() {
        let few = Completeness { with_box_scores: 39, ..full().inputs };
        let uncovered = Completeness { schedule_covers: false, ..full().inputs };
        let in_hand = vec!["ingest/odds_v4_json/2025-11-14".to_owned()];
        for (found, context, features) in [
            (full(), None, None),
            (Dependencies { inputs: few, ..full() }, None, Some("box scores for 39 of the 50")),
            (
                Dependencies { inputs: uncovered, ..full() },
                Some("no ingested schedule"),
                Some("no ingested schedule"),
            ),
            (Dependencies { in_hand, ..full() }, Some("is being ingested"), Some("is being ingested")),
            (
                Dependencies { without_context: 2, ..full() },
                None,
                Some("2 events of 2025-11-14 have no context"),
            ),
        ] {
            for (stage, wanted) in [(Stage::Context, context), (Stage::Features, features)] {
                let said = unmet(stage, DATE, &found).join("; ");
                assert!(wanted.map_or(said.is_empty(), |wanted| said.contains(wanted)), "{stage:?}: {said}");
            }
        }
    }

    #[test]
    fn an_ingestion_is_about_its_date_or_about_many() {
        for (resource, wanted) in [
            ("ingest/odds_v4_json/2025-11-14", true),
            ("ingest/odds_v4_json/2025-11-13", false),
            ("ingest/player_box_scores", true),
        ] {
            assert_eq!(is_about(resource, DATE), wanted, "{resource}");
        }
    }

    #[test]
    fn stages_are_known_by_name() {
        for stage in [Stage::Context, Stage::Features] {
            assert_eq!(stage.as_str().parse(), Ok(stage));
        }
        assert!("predict".parse::<Stage>().is_err_and(|why| why.contains("context and features")));
    }
}
