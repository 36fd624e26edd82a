//! `tipoff models verify`: every model asked again what it answered where it was made (incident 80).

use proto::{Market, SystemId};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::local::tables::load_models;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// What came out.
#[derive(Debug, serde::Serialize)]
struct Verified {
    models: Vec<Checked>,
    refused: Vec<Refused>,
}

/// A model that passed.
#[derive(Debug, serde::Serialize)]
struct Checked {
    system_id: SystemId,
    market: Market,
    references: usize,
    /// Largest distance from a reference, relative to `max(1, |expected|)`.
    largest_deviation: f64,
    sha256: String,
}

/// A model that did not.
#[derive(Debug, serde::Serialize)]
struct Refused {
    name: String,
    reason: String,
}

/// `tipoff models verify`.
pub(super) fn verify(config: &Config, out: Output) -> Result<Exit, Failure> {
    // Loading replays the references and refuses whoever answers otherwise; here the distances are shown.
    let registry = load_models(config);
    let mut verified = Verified { models: Vec::new(), refused: Vec::new() };
    for model in registry.models() {
        let name = format!("{} {}", model.pin.system_id, model.pin.market);
        match model.largest_deviation() {
            Ok(largest_deviation) => verified.models.push(Checked {
                system_id: model.pin.system_id.clone(),
                market: model.pin.market.clone(),
                references: model.card.references.len(),
                largest_deviation,
                sha256: model.pin.sha256.clone(),
            }),
            Err(error) => verified.refused.push(Refused { name, reason: error.to_string() }),
        }
    }
    verified.refused.extend(
        registry
            .refused()
            .iter()
            .map(|refused| Refused { name: refused.origin.clone(), reason: refused.reason.clone() }),
    );
    out.either(&verified, page)?;
    Ok(if verified.refused.is_empty() { Exit::Ok } else { Exit::Degraded })
}

fn page(verified: &Verified) -> String {
    let rows = verified.models.iter().map(|model| {
        vec![
            model.system_id.to_string(),
            model.market.to_string(),
            model.references.to_string(),
            format!("{:.1e}", model.largest_deviation),
            model.sha256.clone(),
        ]
    });
    let mut page =
        table(&["system", "market", "references", "largest deviation", "sha256"], &[2, 3], rows) + "\n";
    if !verified.refused.is_empty() {
        let rows = verified.refused.iter().map(|refused| vec![refused.name.clone(), refused.reason.clone()]);
        page += &format!("\n{}\n", table(&["refused", "why"], &[], rows));
    }
    page
}
