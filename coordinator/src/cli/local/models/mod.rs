//! `tipoff models`: what this build and folder can answer with, and a look into any one model.

mod import;
mod invent;
mod list;
mod look;
mod predict;
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
    }
}
