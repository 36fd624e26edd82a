//! `tipoff models`: what this build and folder can answer with, a look into any one model, and who is champion.

mod compare;
mod import;
mod invent;
mod list;
mod look;
mod predict;
mod promote;
mod roles;
mod sheet;
mod verify;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::Config;

pub(super) use invent::invented;
pub(super) use look::{EngineChoice, MaxSize, find};

/// Arguments of `tipoff models`.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

/// What can be done with models; nothing said: list them.
#[derive(Debug, clap::Subcommand)]
enum ModelsCommand {
    /// List the models, and those that were refused
    ///
    /// Loads each card as the server does: hash, width, reference vectors. Exit code 3 when one is refused.
    List,
    /// Show one model's card
    Show(look::ShowArgs),
    /// Replay every model's reference vectors
    ///
    /// Says how far each answer lies from the one in the card. Exit code 3 when a model is refused.
    Verify,
    /// Ask a model about rows of your own
    ///
    /// MODEL is a system of `tipoff models list`, a card (.toml), or a model file alone: ONNX or CatBoost JSON, also .gz. A
    /// system or card takes its columns by name; a file alone takes all columns in order. An empty cell is a missing value.
    /// With --json: {"predictions":[…]} in the order of the rows; null where the model has no answer.
    Predict(predict::PredictArgs),
    /// Take a model file into the folder of --models
    ///
    /// Reads it as the server would and refuses what cannot run, naming the node, tree or feature. What the native engine
    /// does not run is for ONNX Runtime, where that is installed. Writes a card beside a copy of the file, with reference
    /// vectors answered by it, as a shadow.
    Import(import::ImportArgs),
    /// Judge the models on days that are over
    ///
    /// Predicts every game as of its tip-off, as a batch would, and compares with the results: errors beside the line's,
    /// probabilities beside the market's, returns by size of the margin, each with an interval over dates. With --models
    /// DIR/2025-10-27/… each date is answered by the newest folder named by a day not after it. Rows of models trained on
    /// their date or later are left out. Exit code 3 when a date or model could not be evaluated.
    Evaluate(super::evaluate::EvaluateArgs),
    /// Hold two systems against each other on the same rows
    ///
    /// As `models evaluate`, but paired: every figure over rows that both answered, the difference with an interval over
    /// dates, and who is better if that interval leaves zero out.
    Compare(compare::CompareArgs),
    /// Make a model champion of its market, or a disabled one a shadow again
    ///
    /// A champion must pass the gates: hit rate and number of bets at bold margins, overs and unders apart, no lean to one
    /// side of the line, no bias at stars or bench, no day it was trained on, no twin, two dates in the shadow. A gate
    /// that does not hold refuses, with figure and threshold (exit code 5); --force overrides and is recorded in `tipoff
    /// runs`. The role is written to roles.toml in the folder of --models; a running server takes it up by itself, and
    /// open batches end on what they pinned. The champion before goes on as a shadow. Asks first.
    Promote(promote::PromoteArgs),
    /// Take a model out of new batches
    ///
    /// Its file stays, and `models promote --as shadow` brings it back. The champion is refused without --force (exit code
    /// 5): promote another one first. The last model of a market is always refused. Asks first.
    Disable(roles::DisableArgs),
}

/// `tipoff models`.
pub(crate) async fn models(args: &ModelsArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    match args.command.as_ref().unwrap_or(&ModelsCommand::List) {
        ModelsCommand::List => list::list(config, out),
        ModelsCommand::Show(args) => look::show(args, config, out),
        ModelsCommand::Verify => verify::verify(config, out),
        ModelsCommand::Predict(args) => predict::predict(args, config, out),
        ModelsCommand::Import(args) => import::import(args, config, out),
        ModelsCommand::Evaluate(args) => super::evaluate::evaluate(args, config, out).await,
        ModelsCommand::Compare(args) => compare::compare(args, config, out).await,
        ModelsCommand::Promote(args) => promote::promote(args, config, out).await,
        ModelsCommand::Disable(args) => roles::disable(args, config, out).await,
    }
}
