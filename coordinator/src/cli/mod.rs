//! The command line: parse, run, map the outcome to an exit code, print an error once.
//!
//! Data goes to stdout, conversation to stderr; `--json` prints the API's own JSON. Commands about batches speak HTTP
//! (`batch`, `start`, `predictions`, `workers`); those about files, tables and models open the stores
//! (`local`). What does not work yet is not in the help.

mod args;
mod batch;
mod client;
mod config;
mod exit;
mod failure;
mod local;
mod log;
mod output;
mod predictions;
mod progress;
mod render;
mod start;
mod target;
mod workers;

use std::future::Future;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use self::args::{Cli, Command};
use self::client::Client;
use self::config::ConfigCommand;
pub use self::exit::Exit;
pub use self::failure::Failure;
use self::local::features::FeaturesCommand;
use self::output::Output;
use crate::config::Config;
use crate::engine;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::parse_from_os(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout and is no error; a reader that went away is none either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let out = Output { json: cli.global.json };
    match run(&cli, out) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.is_closed_pipe() {
                out.say(&failure.to_string());
            }
            failure.exit.into()
        }
    }
}

fn run(cli: &Cli, out: Output) -> Result<Exit, Failure> {
    // These need no configuration, so a broken one cannot take them away.
    match &cli.command {
        Command::Completions { shell } => return completions(*shell, out),
        Command::Config(ConfigCommand::Init { path }) => return config::init(path, out),
        _ => {}
    }
    let config = Config::load(&cli.sources())?;
    log::install(&config, quiet_log(&cli.command));
    if let Some(file) = config.clock.file() {
        let (now, file) = (config.now(), file.display());
        tracing::warn!("this is a simulated world: it is {now} there, by the clock in `{file}`");
    }
    // A process has one ONNX Runtime, so this is said once, before any model is loaded.
    models::ort::use_library(config.onnxruntime.clone());
    match &cli.command {
        Command::Config(ConfigCommand::Show) => config::show(&config, out),
        Command::Serve(_) => on_actor_system(local::serve::serve(&config, out)),
        Command::Backfill(args) => on_actor_system(local::backfill::backfill(args, &config, out)),
        Command::Demo(args) => on_actor_system(local::demo::demo(args, &config, out)),
        Command::Bench(command) => on_actor_system(local::bench::bench(command, &config, out)),
        _ => on_runtime(other(cli, &config, out)),
    }
}

/// What is logged when nobody has said what.
fn quiet_log(command: &Command) -> Option<&'static str> {
    match command {
        Command::Serve(_) => None,
        Command::Demo(_) | Command::Bench(_) => Some("error"),
        _ => Some("warn"),
    }
}

async fn other(cli: &Cli, config: &Config, out: Output) -> Result<Exit, Failure> {
    let client = || Client::new(&config.client);
    match &cli.command {
        Command::Start(args) => start::start(args, &client()?, out).await,
        Command::Status(args) => batch::status(args, &client()?, out).await,
        Command::Watch(args) => batch::watch(args, &client()?, out).await,
        Command::Players(args) => batch::players(args, &client()?, out).await,
        Command::Reset(args) => batch::reset(args, &client()?, out).await,
        Command::Consolidate(args) => batch::consolidate(args, &client()?, out).await,
        Command::Predictions(args) => predictions::predictions(args, &client()?, out).await,
        Command::Workers(args) => workers::workers(args, &client()?, out).await,
        Command::Simulate(args) => local::simulate::simulate(args, config, out),
        Command::Ingest(args) => local::ingest::ingest(args, config, out).await,
        Command::Names(command) => local::names::names(command, config, out).await,
        Command::Features(FeaturesCommand::Build(args)) => local::features::build(args, config, out).await,
        Command::Features(FeaturesCommand::Show(args)) => local::features::show(args, config, out).await,
        Command::Features(FeaturesCommand::Diff(args)) => local::features::diff(args, config, out).await,
        Command::Features(FeaturesCommand::Check(args)) => local::features::check(args, config, out).await,
        Command::Features(FeaturesCommand::Export(args)) => local::features::export(args, config, out).await,
        Command::Slate(args) => local::slate::slate(args, config, out).await,
        Command::Coverage(args) => local::coverage::coverage(args, config, out).await,
        Command::Runs(args) => local::runs::runs(args, config, out).await,
        Command::Sql(args) => local::sql::sql(args, config, out).await,
        Command::Doctor(args) => local::doctor::doctor(args, config, out).await,
        Command::Models(args) => local::models::models(args, config, out).await,
        // Answered by `run` before a runtime is there.
        Command::Backfill(_)
        | Command::Demo(_)
        | Command::Serve(_)
        | Command::Bench(_)
        | Command::Config(_)
        | Command::Completions { .. } => Ok(Exit::Ok),
    }
}

fn completions(shell: clap_complete::Shell, out: Output) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_complete::generate(shell, &mut args::definition(), "tipoff", &mut page);
    out.data(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Ok)
}

fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| Failure::failed(format!("start the runtime: {error}")))
}

fn on_runtime(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    runtime()?.block_on(command)
}

/// Runs a command that starts actors.
fn on_actor_system(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    engine::run(command).map_err(|error| Failure::failed(format!("start the runtime: {error}")))?
}
