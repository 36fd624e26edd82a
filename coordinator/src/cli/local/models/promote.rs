//! `tipoff models promote`: evidence gathered, gates judged, the role written, and the record of it.

use std::path::PathBuf;

use jiff::ToSpan;
use jiff::civil::Date;
use models::{Model, Registry};
use proto::league_time::league_date;
use proto::{Market, Role, SystemId};
use rules::evaluate::Options;
use rules::promotion::{Gate, Record, Weight, judge};
use warehouse::Warehouse;

use super::roles::{Change, Evidence, STAGE, Sure, agreed, apply, done, folder, role_of};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::local::evaluate::{Observed, observe};
use crate::cli::local::run::recorded;
use crate::cli::local::tables::{date, failure, load_models, open_existing, open_or_make};
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Days of evidence, unless said otherwise.
const EVIDENCE_DAYS: i64 = 28;

/// Arguments of `tipoff models promote`.
#[derive(Debug, clap::Args)]
pub(super) struct PromoteArgs {
    /// A system of `tipoff models list`
    system: SystemId,

    /// The market
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,

    /// What it becomes
    ///
    /// A shadow predicts and is graded, and nobody acts on it: nothing is asked of one but that it runs.
    #[arg(long = "as", value_name = "ROLE", default_value = "champion")]
    role: Promoted,

    /// First date of the evidence
    ///
    /// Default: four weeks before --to, but after the last day the model was trained on.
    #[arg(long, value_name = "DATE")]
    from: Option<String>,

    /// Last date of the evidence; default: yesterday
    #[arg(long, value_name = "DATE")]
    to: Option<String>,

    /// Judge the answers of these refits
    ///
    /// Folders of cards named by the first day they answer for, as for `models evaluate`: each date is answered by what
    /// had been trained by then.
    #[arg(long, value_name = "DIR")]
    refits: Option<PathBuf>,

    /// Promote although a gate does not hold; recorded
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    sure: Sure,
}

/// Roles one can be promoted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Promoted {
    Champion,
    Shadow,
}

/// `tipoff models promote`.
pub(super) async fn promote(args: &PromoteArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let folder = folder(config)?;
    let registry = load_models(config);
    let role = match args.role {
        Promoted::Champion => Role::Champion,
        Promoted::Shadow => Role::Shadow,
    };
    let mut change = Change::of(&registry, &args.system, &args.market, role);
    check_role(&registry, args, &change)?;
    if change.role_before == Some(role) {
        out.either(&change, |change| {
            format!("{} is {role} for {} already\n", change.system_id, change.market)
        })?;
        return Ok(Exit::Ok);
    }
    let warehouse = match role {
        Role::Champion => open_existing(config).await?,
        _ => open_or_make(config).await?,
    };
    let mut refusal = None;
    if let (Role::Champion, Some(model)) = (role, registry.by_system(&args.system, &args.market)) {
        let observed = gather(&warehouse, args, config, model).await?;
        let record = record(&warehouse, &registry, model, &observed).await?;
        let rows = &observed.gathered.scored;
        change.gates = judge(rows, &args.system, &args.market, &record, Options::default());
        change.against =
            change.gates.iter().filter(|gate| gate.refuses()).map(|gate| gate.sentence.clone()).collect();
        change.evidence = Some(Evidence {
            from: observed.from,
            to: observed.to,
            rows: rows.iter().filter(|row| row.system == args.system && row.market == args.market).count(),
            refits: observed.gathered.refits.iter().copied().collect(),
        });
        change.forced = args.force && !change.against.is_empty();
        show_gates(&change, &observed, out);
        refusal = (!args.force).then(|| refused(&change, &observed)).flatten();
    }
    if let Some(refusal) = refusal {
        return Err(refuse(&warehouse, config, &change, refusal, args.sure, out).await);
    }
    if !agreed(&change, args.sure, out)? {
        return Ok(Exit::Ok);
    }
    let work = async { apply(folder, &change).map(|()| change.for_the_record()) };
    recorded(&warehouse, config, STAGE, None, work).await?;
    done(change, folder, out)
}

/// A champion comes from among the shadows; whoever cannot run has no role.
fn check_role(registry: &Registry, args: &PromoteArgs, change: &Change) -> Result<(), Failure> {
    let (system, market) = (&args.system, &args.market);
    match role_of(registry, system, market) {
        Some(Role::Disabled) if args.role == Promoted::Champion => {
            let failure = format!("{system} is disabled for {market}: it has shown nothing");
            Err(Failure::new(Exit::Conflict, failure)
                .hint(format!("first `tipoff models promote {system} --market {market} --as shadow`")))
        }
        Some(Role::Champion) if args.role == Promoted::Shadow => {
            let failure = format!("{system} is the champion for {market}");
            Err(Failure::new(Exit::Conflict, failure)
                .hint("promote another one, and this one goes on as a shadow"))
        }
        Some(_) => Ok(()),
        None => {
            let refused = registry.refused().iter().find(|refused| {
                refused.system_id.as_ref() == Some(&change.system_id)
                    && refused.market.as_ref().is_none_or(|of| of == market)
            });
            let message = match refused {
                Some(refused) => format!("the model `{system}` was refused: {}", refused.reason),
                None => format!("there is no model `{system}` for {market}"),
            };
            Err(Failure::new(Exit::NotFound, message).hint("`tipoff models list` shows systems and markets"))
        }
    }
}

/// The rows to judge by.
async fn gather(
    warehouse: &Warehouse,
    args: &PromoteArgs,
    config: &Config,
    model: &Model,
) -> Result<Observed, Failure> {
    let to = match &args.to {
        Some(text) => date(text, config)?,
        None => league_date(config.now()).saturating_sub(1.day()),
    };
    let from = match &args.from {
        Some(text) => date(text, config)?,
        None => first_day(to, model.card.training.map(|window| window.end), args.refits.is_some()),
    };
    if to < from {
        return Err(Failure::usage(format!("the evidence would end on {to}, before it begins on {from}"))
            .hint("name days after its training with --from and --to, or weekly refits with --refits"));
    }
    // A folder that the roles will make is no folder yet; refits that are named must be there.
    let own = config.models.as_deref().filter(|folder| folder.exists());
    let models = args.refits.as_deref().or(own);
    observe(warehouse, config, models, (from, to), Some(&args.market)).await
}

/// Four weeks to `to`, but no day that the model itself was trained on; refits were trained before each day.
fn first_day(to: Date, trained_until: Option<Date>, has_refits: bool) -> Date {
    let four_weeks = to.saturating_sub((EVIDENCE_DAYS - 1).days());
    match trained_until {
        Some(end) if !has_refits => four_weeks.max(end.saturating_add(1.day())),
        Some(_) | None => four_weeks,
    }
}

/// What is known beside the rows.
async fn record(
    warehouse: &Warehouse,
    registry: &Registry,
    model: &Model,
    observed: &Observed,
) -> Result<Record, Failure> {
    let (system, market) = (&model.pin.system_id, &model.pin.market);
    let left_out = observed.gathered.left_out.get(&(market.clone(), system.clone()));
    Ok(Record {
        in_sample: left_out.map_or(0, |left_out| left_out.in_sample),
        shadow_days: warehouse.published_dates(system, market).await.map_err(failure)?,
        twin: twin(&warehouse.models().await.map_err(failure)?, registry, model),
    })
}

/// Another model of the market that is the same one under another name, or another try of the system on the same days: the
/// better of two tries looks better than it is.
fn twin(known: &[warehouse::ModelRow], registry: &Registry, model: &Model) -> Option<String> {
    let (pin, training) = (&model.pin, model.card.training);
    let same = registry.models().iter().find(|other| {
        other.pin.market == pin.market
            && other.pin.sha256 == pin.sha256
            && other.pin.system_id != pin.system_id
    });
    let earlier = known.iter().find(|row| {
        row.system_id == pin.system_id
            && row.market == pin.market
            && row.sha256 != pin.sha256
            && training.is_some_and(|window| {
                (row.training_start, row.training_end) == (Some(window.start), Some(window.end))
            })
    });
    same.map(|other| other.pin.system_id.to_string())
        .or_else(|| earlier.map(|row| format!("{} ({:.12})", row.system_id, row.sha256)))
}

/// Why it may not be champion; none when every gate holds.
fn refused(change: &Change, observed: &Observed) -> Option<Failure> {
    let failing: Vec<&Gate> = change.gates.iter().filter(|gate| gate.refuses()).collect();
    if failing.is_empty() {
        return None;
    }
    let Change { system_id, market, .. } = change;
    let (n, all) = (failing.len(), change.gates.len());
    let verb = if n == 1 { "does" } else { "do" };
    let message = format!("{system_id} may not be champion for {market}: {n} of {all} gates {verb} not hold");
    let mut failure = Failure::new(Exit::Conflict, message);
    failure.hints.extend(failing.iter().map(|gate| format!("{}: {}", gate.gate, gate.sentence)));
    if observed.gathered.scored.is_empty() {
        failure.hints.push(observed.nothing().message);
    }
    Some(failure.hint("--force promotes it all the same; it is recorded in `tipoff runs`"))
}

/// A refusal is recorded too, unless nothing was meant to be done.
async fn refuse(
    warehouse: &Warehouse,
    config: &Config,
    change: &Change,
    refusal: Failure,
    sure: Sure,
    out: Output,
) -> Failure {
    if out.json
        && let Err(error) = out.json_data(change)
    {
        return error;
    }
    if sure.dry_run {
        return refusal;
    }
    let sentences = change.against.join("; ");
    let (exit, hints) = (refusal.exit, refusal.hints.clone());
    let message = refusal.message.clone();
    let work = async { Err::<Change, _>(Failure::new(exit, format!("{message}: {sentences}"))) };
    match recorded(warehouse, config, STAGE, None, work).await {
        // What is said has a line for each gate; the record has one sentence.
        Err(recorded) if recorded.exit == exit => Failure { exit, message, hints },
        Err(error) => error,
        Ok(_) => refusal,
    }
}

/// The gates as a table, before anybody is asked.
fn show_gates(change: &Change, observed: &Observed, out: Output) {
    if out.json {
        return;
    }
    let rows = change.gates.iter().map(|gate| {
        let mark = match (gate.passed, gate.weight) {
            (true, _) => "holds",
            (false, Weight::Hard) => "refuses",
            (false, Weight::Soft) => "look",
        };
        vec![gate.gate.to_owned(), mark.to_owned(), gate.sentence.clone()]
    });
    let page = table(&["gate", "", "what was found"], &[], rows);
    let refits = match observed.gathered.refits.len() {
        0 => String::new(),
        n => format!(", answered by {n} refits"),
    };
    let head = format!("{} for {}, {} to {}", change.system_id, change.market, observed.from, observed.to);
    out.say(&format!("{head}{refits}\n\n{page}\n"));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn evidence_begins_after_the_training_or_four_weeks_ago() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let to = day("2025-11-30");
        for (until, has_refits, from) in [
            (None, false, "2025-11-03"),
            (Some("2025-10-01"), false, "2025-11-03"),
            (Some("2025-11-09"), false, "2025-11-10"),
            (Some("2025-11-09"), true, "2025-11-03"),
            // Ends before it begins, which is then said.
            (Some("2025-12-03"), false, "2025-12-04"),
        ] {
            assert_eq!(first_day(to, until.map(day), has_refits), day(from), "{until:?}");
        }
    }

    #[test]
    fn incident_83_a_second_try_on_the_same_days_is_a_twin() {
        let registry = Registry::zoo();
        let model = registry.champion(&Market::points()).unwrap();
        let window = model.card.training.unwrap();
        let row = |sha256: &str, end: Date| warehouse::ModelRow {
            system_id: model.pin.system_id.clone(),
            market: Market::points(),
            sha256: sha256.to_owned(),
            role: Role::Shadow,
            engine: "native".to_owned(),
            contract_version: "v2".to_owned(),
            training_start: Some(window.start),
            training_end: Some(end),
            card: String::new(),
            first_seen_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let itself = row(&model.pin.sha256, window.end);
        let older = row("an older one", window.end.saturating_sub(7.days()));
        assert_eq!(twin(&[itself.clone(), older], &registry, model), None);
        let again = twin(&[itself, row("0123456789abcdef", window.end)], &registry, model);
        assert_eq!(again.unwrap(), "catboost_v2 (0123456789ab)");
    }
}
