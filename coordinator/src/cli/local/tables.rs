//! What commands open: the warehouse, the models, and the dates they are given.

use std::path::Path;

use jiff::civil::Date;
use models::Registry;
use proto::league_time::parse_game_date;
use state::StateUrl;
use warehouse::{Warehouse, WarehouseUrl};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::config::Config;

/// Opens the warehouse, making folder and file where there are none.
pub(crate) async fn open_or_make(config: &Config) -> Result<Warehouse, Failure> {
    make_folders(config)?;
    open(config).await.map_err(failure)
}

/// Opens a warehouse that is there; a command that only reads makes none.
pub(crate) async fn open_existing(config: &Config) -> Result<Warehouse, Failure> {
    let WarehouseUrl::Sqlite(path) = &config.warehouse;
    if !path.exists() {
        let failure = Failure::new(Exit::NotFound, format!("there is no warehouse at `{}`", path.display()));
        return Err(failure.hint("`tipoff ingest PATH…` makes one; --dir or --warehouse names another"));
    }
    open(config).await.map_err(failure)
}

/// Opens the warehouse in the world whose time it is.
pub(crate) async fn open(config: &Config) -> warehouse::Result<Warehouse> {
    Warehouse::open_in(config.clock.world(), &config.warehouse, rules::contract()).await
}

/// The warehouse's sentence with its exit code.
pub(crate) fn failure(error: warehouse::Error) -> Failure {
    let exit = match &error {
        warehouse::Error::NotFound { .. } => Exit::NotFound,
        warehouse::Error::Statement { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

/// A stage's sentence with its exit code.
pub(crate) fn stage_failure(error: pipeline::Error) -> Failure {
    match error {
        pipeline::Error::Invalid(why) => Failure::usage(why),
        pipeline::Error::Warehouse(error) => failure(error),
        error => Failure::failed(error),
    }
}

/// Reads a date of the command line.
pub(crate) fn date(text: &str, config: &Config) -> Result<Date, Failure> {
    parse_game_date(text, config.now()).map_err(Failure::usage)
}

/// The models of this build and of the configured folder, checked against the contract.
pub(crate) fn load_models(config: &Config) -> Registry {
    let contract = rules::contract();
    Registry::load(config.models.as_deref()).checked_against(|name| contract.position(name).is_some())
}

/// Makes the folders of embedded stores where they are missing.
pub(crate) fn make_folders(config: &Config) -> Result<(), Failure> {
    let WarehouseUrl::Sqlite(warehouse) = &config.warehouse;
    let state = match &config.state {
        StateUrl::Sqlite(path) => Some(path),
        StateUrl::Redis(_) | StateUrl::Memory => None,
    };
    for file in state.into_iter().chain([warehouse]) {
        let Some(folder) = file.parent().filter(|folder| *folder != Path::new("")) else { continue };
        std::fs::create_dir_all(folder).map_err(|error| {
            let failure = Failure::failed(format!("make the folder `{}`: {error}", folder.display()));
            failure.hint("choose another with --dir")
        })?;
    }
    Ok(())
}
