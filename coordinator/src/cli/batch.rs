//! Commands about batches, over HTTP: status, watch, players, reset, consolidate.

use std::time::{Duration, Instant};

use proto::api::{
    BatchStatus, ConsolidateAnswer, ConsolidateRequest, OpenBatches, Page, PlayerLine, ResetAnswer,
    ResetRequest,
};
use proto::{BatchId, OutcomeKind};
use reqwest::Method;

use super::client::{Client, Reply};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::progress::ProgressLine;
use super::render;
use super::target::{Target, TargetArgs};

/// How often a watched batch is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a server may be away while a batch is watched: a restart, not an end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of `tipoff status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Say what holds the batch and what happens next by itself
    ///
    /// Shows open leases, waiting jobs, troubles of the finalizer, the next action with its time, and the batch's log.
    #[arg(long)]
    why: bool,
}

/// `tipoff status`: one batch, or all that are open.
pub(crate) async fn status(args: &StatusArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    if args.why {
        let (_, batch) = args.target.find(client).await?;
        return why(&batch.batch_id, client, out).await;
    }
    if args.target.target() == Target::Unsaid {
        let reply = client.get("/status", &[]).await?;
        let open: OpenBatches = reply.read()?;
        show(out, &reply, || render::open_batches(&open))?;
        return Ok(Exit::Ok);
    }
    let (reply, batch) = args.target.find(client).await?;
    show(out, &reply, || render::status(&batch))?;
    Ok(Exit::of_status(&batch))
}

async fn why(batch_id: &BatchId, client: &Client, out: Output) -> Result<Exit, Failure> {
    let reply = client.get(&format!("/batches/{batch_id}/why"), &[]).await?;
    let why: serde_json::Value = reply.read()?;
    let text = |key: &str| why.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let items = |key: &str| why.get(key).and_then(|value| value.as_array()).cloned().unwrap_or_default();
    show(out, &reply, || {
        let mut page = format!("{batch_id}  {}\n", text("state"));
        for hold in items("holds") {
            page += &format!("held: {}\n", hold.as_str().unwrap_or_default());
        }
        let at = text("next_at");
        let at = if at.is_empty() { at } else { format!(" (at the latest {at})") };
        page += &format!("next: {}{at}\n", text("next_action"));
        for line in items("log") {
            let part =
                |key: &str| line.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            page += &format!("{}  {}\n", part("at"), part("text"));
        }
        page
    })?;
    Ok(Exit::Ok)
}

/// `tipoff watch`: follows a batch to its end.
pub(crate) async fn watch(args: &TargetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let (_, batch) = args.find(client).await?;
    follow(&batch.batch_id, client, out).await
}

/// Follows a batch to its end, then shows what came out.
pub(crate) async fn follow(batch_id: &BatchId, client: &Client, out: Output) -> Result<Exit, Failure> {
    let (reply, batch) = until_ended(batch_id, client).await?;
    show(out, &reply, || render::status(&batch))?;
    let exit = Exit::of_status(&batch);
    if batch.progress.predicted < batch.progress.total && !out.json {
        out.say(&format!("who has no prediction, and why: tipoff players {batch_id}"));
    }
    Ok(exit)
}

async fn until_ended(batch_id: &BatchId, client: &Client) -> Result<(Reply, BatchStatus), Failure> {
    let line = ProgressLine::bar();
    let mut away_since: Option<Instant> = None;
    loop {
        match client.get("/status", &[("batch_id", Some(batch_id.to_string()))]).await {
            Ok(reply) => {
                away_since = None;
                let batch: BatchStatus = reply.read()?;
                if batch.ended_at.is_some() {
                    return Ok((reply, batch));
                }
                line.show_batch(&batch);
            }
            Err(failure) if failure.exit == Exit::TryAgain => {
                let since = *away_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    return Err(
                        failure.hint(format!("the batch goes on without us: tipoff watch {batch_id}"))
                    );
                }
                line.say(format!("{}, trying again", failure.message));
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Arguments of `tipoff players`.
#[derive(Debug, clap::Args)]
pub(crate) struct PlayersArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Only players who ended this way
    ///
    /// predicted, rejected, skipped, failed, expired or abandoned. Default: everybody without a prediction.
    #[arg(long, value_name = "OUTCOME", conflicts_with = "all")]
    outcome: Option<OutcomeKind>,

    /// Everybody, predicted or not
    #[arg(long)]
    all: bool,

    /// Every refusal on the way, quote by quote
    ///
    /// One line for each refused quote, feature or row, with its market and book, instead of one for each player.
    #[arg(long)]
    codes: bool,
}

/// `tipoff players`: who ended how, and why.
pub(crate) async fn players(args: &PlayersArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let (_, batch) = args.target.find(client).await?;
    let path = format!("/batches/{}/players", batch.batch_id);
    let mut lines: Vec<PlayerLine> = Vec::new();
    let mut cursor = None;
    loop {
        let outcome = args.outcome.map(|outcome| outcome.to_string());
        let reply = client.get(&path, &[("outcome", outcome), ("cursor", cursor)]).await?;
        let page: Page<PlayerLine> = reply.read()?;
        lines.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if args.outcome.is_none() && !args.all {
        lines.retain(|line| line.outcome != Some(OutcomeKind::Predicted));
    }
    let shown = Page { rows: lines, next: None };
    let human = |page: &Page<PlayerLine>| match args.codes {
        true => render::codes(&page.rows),
        false => render::players(&page.rows),
    };
    out.either(&shown, human)?;
    if !out.json && args.outcome.is_none() && !args.all {
        out.say(&format!(
            "{} of {} players of {} are predicted; --all lists them too",
            batch.progress.predicted, batch.progress.total, batch.batch_id
        ));
    }
    Ok(Exit::Ok)
}

/// Arguments of `tipoff reset`.
#[derive(Debug, clap::Args)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Say what would be thrown away, do nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// `tipoff reset`: ends an open batch without publishing it.
pub(crate) async fn reset(args: &ResetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let (batch_id, game_date) = args.target.named()?;
    let mut request = ResetRequest { batch_id, game_date, dry_run: true };
    if args.dry_run || !args.yes {
        let reply = client.send(Method::POST, "/reset", &request).await?;
        let would: ResetAnswer = reply.read()?;
        let what = format!("{} is {}; {} staged rows", would.batch_id, would.state, would.discarded_rows);
        if args.dry_run {
            show(out, &reply, || format!("{what} would be thrown away\n"))?;
            return Ok(Exit::Ok);
        }
        if !out.confirm(&format!("{what} are thrown away, what is published stays. Reset it"), false)? {
            return Err(Failure::failed("nothing was done"));
        }
        request = ResetRequest { batch_id: Some(would.batch_id), game_date: None, dry_run: true };
    }
    request.dry_run = false;
    let reply = client.send(Method::POST, "/reset", &request).await?;
    let answer: ResetAnswer = reply.read()?;
    let next = match answer.status.as_str() {
        "closing" => "the verdict is still to come; ask again",
        _ => "a new start may follow at once",
    };
    show(out, &reply, || {
        format!(
            "{} is {}; {} staged rows discarded; {next}\n",
            answer.batch_id, answer.state, answer.discarded_rows
        )
    })?;
    Ok(closing_or(&answer.status, Exit::Ok))
}

/// Arguments of `tipoff consolidate`.
#[derive(Debug, clap::Args)]
pub(crate) struct ConsolidateArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Publish from this share of predicted players on
    ///
    /// 0 to 1. Default: the batch's own floor.
    #[arg(long, value_name = "SHARE")]
    min_coverage: Option<f64>,

    /// Say what would be published and who would be left out, do nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// `tipoff consolidate`: publishes what an open batch has, now.
pub(crate) async fn consolidate(
    args: &ConsolidateArgs,
    client: &Client,
    out: Output,
) -> Result<Exit, Failure> {
    let (batch_id, game_date) = args.target.named()?;
    let min_coverage = args.min_coverage;
    let mut request = ConsolidateRequest { batch_id, game_date, min_coverage, dry_run: true };
    if args.dry_run || !args.yes {
        let reply = client.send(Method::POST, "/consolidate", &request).await?;
        let would: ConsolidateAnswer = reply.read()?;
        let Some(forecast) = &would.forecast else { return consolidated(&reply, &would, out) };
        let what = format!(
            "{} is {}: {} rows would be published, {} open players abandoned; coverage {:.1} % of at least {:.1} %",
            would.batch_id,
            would.state,
            forecast.would_publish,
            forecast.would_abandon,
            forecast.coverage * 100.0,
            forecast.min_coverage * 100.0
        );
        if args.dry_run {
            show(out, &reply, || format!("{what}\n"))?;
            return Ok(Exit::Ok);
        }
        if !out.confirm(&format!("{what}. Publish it now"), false)? {
            return Err(Failure::failed("nothing was done"));
        }
        request.batch_id = Some(would.batch_id);
        request.game_date = None;
    }
    request.dry_run = false;
    let reply = client.send(Method::POST, "/consolidate", &request).await?;
    consolidated(&reply, &reply.read()?, out)
}

fn consolidated(reply: &Reply, answer: &ConsolidateAnswer, out: Output) -> Result<Exit, Failure> {
    show(out, reply, || match &answer.receipt {
        Some(receipt) => format!(
            "{} is {}: {}; {} rows published, {} carried\n",
            answer.batch_id,
            answer.state,
            receipt.verdict.sentence,
            receipt.published,
            receipt.carried.len()
        ),
        None => format!("{} is {}; the verdict is still to come, ask again\n", answer.batch_id, answer.state),
    })?;
    let health =
        answer.receipt.as_ref().and_then(|receipt| receipt.health.as_ref()).map(|health| health.level);
    Ok(closing_or(&answer.status, Exit::of_end(&answer.state, health)))
}

/// A verdict that is still to come is "try again".
fn closing_or(status: &str, otherwise: Exit) -> Exit {
    if status == "closing" { Exit::TryAgain } else { otherwise }
}

/// The API's own JSON for programs, else a page for people.
pub(crate) fn show(out: Output, reply: &Reply, page: impl FnOnce() -> String) -> Result<(), Failure> {
    if out.json { out.data(&reply.text) } else { out.data(&page()) }
}
