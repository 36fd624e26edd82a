//! Changing a role: the file beside the cards, the record of the change, and `tipoff models disable`.
//!
//! The roles are read again under a lock, and the registry they would make is loaded before anything is written: a role for
//! a model that cannot run is refused here, not found out by the server (incident 81).

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::Path;

use jiff::civil::Date;
use models::{ROLES_FILE, Registry};
use proto::{Market, Role, SystemId};
use rules::promotion::Gate;
use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::local::run::recorded;
use crate::cli::local::tables::{load_models, open_or_make};
use crate::cli::output::Output;
use crate::config::Config;

/// Stage of a role change in `runs`.
pub(super) const STAGE: &str = "models";

/// Held while the roles are changed.
const LOCK_FILE: &str = ".roles.lock";

/// Flags of a command that changes something.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Sure {
    /// Say what would change, do nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}

/// Arguments of `tipoff models disable`.
#[derive(Debug, clap::Args)]
pub(super) struct DisableArgs {
    /// A system of `tipoff models list`
    system: SystemId,

    /// The market
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,

    /// Disable the champion too, which leaves the market without one; recorded
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    sure: Sure,
}

/// A change of one role: what is shown, and what is recorded.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    pub(super) system_id: SystemId,
    pub(super) market: Market,
    /// None for a model that was refused.
    pub(super) role_before: Option<Role>,
    pub(super) role: Role,
    pub(super) champion_before: Option<SystemId>,
    /// True when something that refuses was overridden.
    pub(super) forced: bool,
    /// What speaks against it, each in a sentence; a forced change is made all the same.
    pub(super) against: Vec<String>,
    /// What the gates were judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<Evidence>,
    /// Every gate of a promotion to champion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gates: Vec<Gate>,
    /// True when it was written.
    pub(super) done: bool,
}

/// The rows a promotion was judged by.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Evidence {
    pub(super) from: Date,
    pub(super) to: Date,
    /// Rows of the model.
    pub(super) rows: usize,
    /// First days of the refits that answered; empty for the model itself.
    pub(super) refits: Vec<Date>,
}

impl Change {
    /// What stands now, for a change to `role`.
    pub(super) fn of(registry: &Registry, system: &SystemId, market: &Market, role: Role) -> Change {
        Change {
            system_id: system.clone(),
            market: market.clone(),
            role_before: role_of(registry, system, market),
            role,
            champion_before: champion_of(registry, market),
            forced: false,
            against: Vec::new(),
            evidence: None,
            gates: Vec::new(),
            done: false,
        }
    }

    /// The same once it was written, without the gates: the record's sentences are enough.
    pub(super) fn for_the_record(&self) -> Change {
        Change { gates: Vec::new(), done: true, ..self.clone() }
    }

    /// In a sentence.
    pub(super) fn sentence(&self) -> String {
        let Change { system_id, market, role, .. } = self;
        let before = self.role_before.map_or_else(|| "refused".to_owned(), |role| role.to_string());
        let mut sentence = format!("{system_id} for {market}: {before} -> {role}");
        match &self.champion_before {
            Some(champion) if champion == system_id && *role != Role::Champion => {
                sentence += &format!("; {market} has no champion then");
            }
            Some(champion) if *role == Role::Champion => {
                sentence += &format!("; {champion}: champion -> shadow");
            }
            Some(_) | None => {}
        }
        sentence
    }
}

/// The folder that the roles are written to.
pub(super) fn folder(config: &Config) -> Result<&Path, Failure> {
    config.models.as_deref().ok_or_else(|| {
        let failure = Failure::usage("there is no folder for roles");
        failure.hint("name the one that the server runs with: --models DIR, or TIPOFF_MODELS")
    })
}

/// The role a model has now, disabled ones too.
pub(super) fn role_of(registry: &Registry, system: &SystemId, market: &Market) -> Option<Role> {
    let served = registry.by_system(system, market).map(|model| model.card.role);
    let mut disabled = registry.disabled().iter();
    let is_it = |card: &&models::Card| card.system_id == *system && card.market == *market;
    served.or_else(|| disabled.find(is_it).map(|card| card.role))
}

pub(super) fn champion_of(registry: &Registry, market: &Market) -> Option<SystemId> {
    registry.champion(market).map(|model| model.pin.system_id.clone())
}

/// `tipoff models disable`.
pub(super) async fn disable(args: &DisableArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let folder = folder(config)?;
    let registry = load_models(config);
    let mut change = Change::of(&registry, &args.system, &args.market, Role::Disabled);
    change.against = may_be_disabled(&registry, args)?;
    change.forced = !change.against.is_empty();
    if change.role_before == Some(Role::Disabled) {
        out.either(&change, |change| {
            format!("{} is disabled for {} already\n", change.system_id, change.market)
        })?;
        return Ok(Exit::Ok);
    }
    if !agreed(&change, args.sure, out)? {
        return Ok(Exit::Ok);
    }
    let warehouse = open_or_make(config).await?;
    let work = async { apply(folder, &change).map(|()| change.for_the_record()) };
    recorded(&warehouse, config, STAGE, None, work).await?;
    done(change, folder, out)
}

/// What a force would override; an error for what no force does.
fn may_be_disabled(registry: &Registry, args: &DisableArgs) -> Result<Vec<String>, Failure> {
    let (system, market) = (&args.system, &args.market);
    let is_refused = registry
        .refused()
        .iter()
        .any(|refused| refused.system_id.as_ref() == Some(system) && refused.market.as_ref() == Some(market));
    if role_of(registry, system, market).is_none() && !is_refused {
        let failure = Failure::new(Exit::NotFound, format!("there is no model `{system}` for {market}"));
        return Err(failure.hint("`tipoff models list` shows systems and markets"));
    }
    let mut others = registry.models().iter().filter(|model| model.pin.market == *market);
    if registry.by_system(system, market).is_some() && others.all(|model| model.pin.system_id == *system) {
        let failure = Failure::new(Exit::Conflict, format!("{system} is the last model for {market}"));
        return Err(failure.hint("without one nobody is predicted; leave the market out of /start instead"));
    }
    if champion_of(registry, market).as_ref() != Some(system) {
        return Ok(Vec::new());
    }
    let sentence = format!("{system} is the champion for {market}");
    if args.force {
        return Ok(vec![sentence]);
    }
    Err(Failure::new(Exit::Conflict, sentence)
        .hint("promote another one first: `tipoff models promote SYSTEM`")
        .hint("--force leaves the market without a champion; it is recorded"))
}

/// Shows a dry run, or asks; true when the change may be made.
pub(super) fn agreed(change: &Change, sure: Sure, out: Output) -> Result<bool, Failure> {
    if sure.dry_run {
        out.either(change, |change| format!("would change {}\n", change.sentence()))?;
        return Ok(false);
    }
    match out.confirm(&format!("{}. Change it", change.sentence()), sure.yes)? {
        true => Ok(true),
        false => Err(Failure::failed("nothing was done")),
    }
}

/// Says what was done.
pub(super) fn done(change: Change, folder: &Path, out: Output) -> Result<Exit, Failure> {
    let change = Change { done: true, ..change };
    out.either(&change, |change| format!("{}\n", change.sentence()))?;
    if !out.json {
        out.say(&format!(
            "written to {}; a running server takes it up by itself, open batches end on what they pinned",
            folder.join(ROLES_FILE).display()
        ));
    }
    Ok(Exit::Ok)
}

/// Writes a change, or refuses it with nothing written.
pub(super) fn apply(folder: &Path, change: &Change) -> Result<(), Failure> {
    let at = |error: std::io::Error| Failure::failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(at)?;
    // Dropped with its lock when this is over, on every way out.
    let lock = File::create(folder.join(LOCK_FILE)).map_err(at)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            Failure::new(Exit::TryAgain, "somebody else is changing roles; try again")
        }
        TryLockError::Error(error) => at(error),
    })?;
    let before = Registry::read_roles(folder).map_err(|reason| {
        Failure::failed(reason).hint(format!("mend or remove {ROLES_FILE} in the folder"))
    })?;
    let Change { system_id, market, role, .. } = change;
    let champion_now = champion_of(&loaded(folder, &before), market);
    if champion_now != change.champion_before {
        let now = champion_now.map_or_else(|| "nobody".to_owned(), |system| system.to_string());
        let failure = format!("{now} is champion for {market} by now; look again");
        return Err(Failure::new(Exit::TryAgain, failure));
    }
    let roles = before.with(system_id, market, *role, champion_now.as_ref());
    let after = loaded(folder, &roles);
    if role_of(&after, system_id, market) != Some(*role) {
        let refused = after.refused().iter().find(|refused| {
            refused.system_id.as_ref() == Some(system_id) && refused.market.as_ref() == Some(market)
        });
        let why = refused.map_or("it is not among the models", |refused| refused.reason.as_str());
        return Err(Failure::failed(format!("{system_id} cannot be {role} for {market}: {why}")));
    }
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(at)?;
    draft.write_all(roles.to_toml().as_bytes()).map_err(at)?;
    draft.as_file().sync_all().map_err(at)?;
    draft.persist(folder.join(ROLES_FILE)).map_err(|error| at(error.error))?;
    Ok(())
}

/// The registry of a folder under these roles, as a server would check it.
fn loaded(folder: &Path, roles: &models::Roles) -> Registry {
    let contract = rules::contract();
    Registry::load_with(Some(folder), roles).checked_against(|name| contract.position(name).is_some())
}
