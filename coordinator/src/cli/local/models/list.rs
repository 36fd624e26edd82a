//! `tipoff models list`: what this build and folder can answer with.

use proto::Role;
use proto::league_time::league_date;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::local::tables::load_models;
use crate::cli::output::{Output, table};
use crate::cli::render::number;
use crate::config::Config;
use crate::service::{Models, models_of};

/// `tipoff models list`.
pub(super) fn list(config: &Config, out: Output) -> Result<Exit, Failure> {
    let registry = load_models(config);
    let models = models_of(&registry, league_date(config.now()));
    out.either(&models, page)?;
    let refused = &models.refused;
    if models.models.is_empty() {
        return Err(Failure::failed("no model can run").hint("`tipoff doctor` says why"));
    }
    Ok(if refused.is_empty() { Exit::Ok } else { Exit::Degraded })
}

fn page(models: &Models) -> String {
    let rows = models.models.iter().map(|model| {
        let until = model.trained_until.map_or_else(|| "-".to_owned(), |date| date.to_string());
        // Mean absolute errors, the market's beside them; --json has every figure of the card.
        let errors = model.metrics.iter().filter(|(name, _)| name.contains("mae"));
        let errors: Vec<String> = errors.map(|(name, value)| format!("{name} {}", number(*value))).collect();
        vec![
            model.system_id.to_string(),
            model.market.to_string(),
            model.role.to_string(),
            model.engine.clone(),
            model.num_features.to_string(),
            until,
            if model.stale { "stale" } else { "" }.to_owned(),
            errors.join(", "),
        ]
    });
    let header = ["system", "market", "role", "engine", "features", "trained until", "", "errors"];
    let mut page = table(&header, &[4], rows) + "\n";
    if !models.models.iter().any(|model| model.role == Role::Champion) {
        page += "\nno model is champion: nothing is marked as the one to act on\n";
    }
    if !models.disabled.is_empty() {
        let rows = models.disabled.iter().map(|off| vec![off.system_id.to_string(), off.market.to_string()]);
        page += &format!("\n{}\n", table(&["disabled", "market"], &[], rows));
    }
    if !models.refused.is_empty() {
        let rows = models.refused.iter().map(|refused| vec![refused.name.clone(), refused.reason.clone()]);
        page += &format!("\n{}\n", table(&["refused", "why"], &[], rows));
    }
    page
}
