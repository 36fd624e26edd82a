//! `tipoff start`: opens a batch for a slate, and on request follows it to its end.

use jiff::Timestamp;
use proto::api::{NothingStarted, Only, StartRequest, Started};
use proto::{Market, PlayerLookup, PlayerName, RunMode, SystemId};
use reqwest::Method;

use super::batch::{follow, show};
use super::client::Client;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::render;

/// Arguments of `tipoff start`.
#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// The slate's date
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`, in league time (New York). Default: TODAY.
    #[arg(long, value_name = "DATE")]
    game_date: Option<String>,

    /// Why the batch is run; selects the feature-quality threshold
    ///
    /// OVERNIGHT, EARLY, PRE_GAME, FIRST, MORNING, SAME_DAY, RETRY, FINAL_RETRY, LAST_CALL or BACKFILL. Default:
    /// BACKFILL for a date before today, else OVERNIGHT.
    #[arg(long, value_name = "MODE")]
    run_mode: Option<RunMode>,

    /// Only these markets, comma-separated
    ///
    /// Default: every market with a model.
    #[arg(long, value_name = "MARKET", value_delimiter = ',')]
    market: Vec<Market>,

    /// Only these systems, comma-separated
    ///
    /// Default: every system that is not disabled; `tipoff models` lists them.
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    system: Vec<SystemId>,

    /// Only these players, comma-separated, by name or lookup
    ///
    /// `LeBron James` or `lebronjames`. Default: every player of the slate.
    #[arg(long, value_name = "PLAYER", value_delimiter = ',', value_parser = player)]
    player: Vec<PlayerLookup>,

    /// Predict with what was known at this instant
    ///
    /// RFC 3339, e.g. 2025-11-14T18:00:00Z. Default: now. A game that begins earlier is judged at its tip-off.
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<Timestamp>,

    /// Seconds until the batch ends with what it has
    ///
    /// From opening. Default: the server's `[protocol] finish_by_seconds`, 600.
    #[arg(long, value_name = "SECONDS")]
    finish_by_seconds: Option<u64>,

    /// Publish nothing below this share of predicted players
    ///
    /// 0 to 1. Default: the server's `[protocol] min_coverage`, 0.5.
    #[arg(long, value_name = "SHARE")]
    min_coverage: Option<f64>,

    /// Mean minutes below which a player without a quote is `low_minutes`
    ///
    /// 0 to 48, over the last ten games. Default: the server's `[protocol] min_minutes`, 15.
    #[arg(long, value_name = "MINUTES")]
    min_minutes: Option<f64>,

    /// Run only whom something changed for
    ///
    /// Players whose inputs differ from their last settled outcome, or who have none: late lines, failures of the run
    /// before.
    #[arg(long)]
    changed: bool,

    /// Start although inputs are incomplete
    ///
    /// Overrides the check of schedule, box scores and features; never a batch that is open.
    #[arg(long)]
    force: bool,

    /// Say who would be predicted, who not and why; start nothing
    #[arg(long, conflicts_with = "watch")]
    dry_run: bool,

    /// Follow the batch to its end
    ///
    /// Shows progress on a terminal, then outcomes by reason, health and findings. Exit code 0 complete, 3 partial or
    /// degraded, 1 failed or reset.
    #[arg(long, short)]
    watch: bool,
}

fn player(text: &str) -> Result<PlayerLookup, proto::ParseError> {
    text.parse().or_else(|_| PlayerName::parse(text).map(|name| name.lookup))
}

impl StartArgs {
    fn request(&self) -> StartRequest {
        fn some<T: Clone>(items: &[T]) -> Option<Vec<T>> {
            (!items.is_empty()).then(|| items.to_vec())
        }
        StartRequest {
            game_date: self.game_date.clone(),
            run_mode: self.run_mode,
            markets: some(&self.market),
            systems: some(&self.system),
            players: some(&self.player),
            as_of: self.as_of,
            finish_by_seconds: self.finish_by_seconds,
            min_coverage: self.min_coverage,
            min_minutes: self.min_minutes,
            only: if self.changed { Only::Changed } else { Only::All },
            force: self.force,
            dry_run: self.dry_run,
        }
    }
}

/// `tipoff start`.
pub(crate) async fn start(args: &StartArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let reply = client.send(Method::POST, "/start", &args.request()).await?;
    if let Ok(nothing) = reply.read::<NothingStarted>()
        && matches!(nothing.status.as_str(), "no_games_scheduled" | "nothing_to_do")
    {
        let why = match nothing.status.as_str() {
            "no_games_scheduled" => "no games are scheduled",
            _ => "nothing to do: no player's inputs have changed",
        };
        show(out, &reply, || format!("{}: {why}\n", nothing.game_date))?;
        return Ok(Exit::Ok);
    }
    let started: Started = reply.read()?;
    match &started.batch_id {
        Some(batch_id) if args.watch => {
            if !out.json {
                out.say(render::started(&started).trim_end());
            }
            follow(batch_id, client, out).await
        }
        Some(batch_id) => {
            show(out, &reply, || render::started(&started))?;
            if !out.json {
                out.say(&format!("follow it: tipoff watch {batch_id}"));
            }
            Ok(Exit::Ok)
        }
        None => {
            show(out, &reply, || render::started(&started))?;
            Ok(Exit::Ok)
        }
    }
}
