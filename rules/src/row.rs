//! The row a prediction becomes. Value, line, margin and recommendation are written together, in one place.

use std::sync::Arc;

use jiff::Timestamp;
use proto::{Basis, Code, CodeNote, Job, JobId, Market, PredictionRow, RowKey, Sha256, SystemId};

use crate::gate::row_note;
use crate::lines::ChosenLine;
use crate::recommend::{RecommendPolicy, recommend};
use crate::worth::worth;

/// The line of a row is a book's own, seen in a snapshot; nothing else is ever written.
pub const ACTUAL_PROP: &str = "ACTUAL_PROP";
/// Further than this from the line an answer is a fault of the model or of the line, not an opinion.
pub const LARGEST_EDGE: f64 = 20.0;
/// More than this nobody scores.
pub const LARGEST_VALUE: f64 = 80.0;
/// The same for sums of several statistics, e.g. points, rebounds and assists.
pub const LARGEST_COMBINED_VALUE: f64 = 120.0;

/// Why there is no row, without the system that asked.
#[derive(Debug, Clone, PartialEq)]
pub struct RowRefusal {
    /// The reason.
    pub code: Code,
    /// What happened, with figures.
    pub why: String,
}

impl RowRefusal {
    /// The note that refuses the row of this system.
    pub fn note(&self, system: &SystemId, market: &Market) -> CodeNote {
        row_note(system, market, self.code, &self.why)
    }
}

/// What the rows of one job and market share, made once for all systems.
///
/// Refused for a line that is not a book's own, seen in a snapshot: nothing else is ever written (incident 52).
///
/// `feature_quality_score` is the gate's ([`crate::gate::Prepared::quality`]), `predicted_at` the only clock in a row.
pub fn basis(
    job: &Job,
    market: &Market,
    line: &ChosenLine,
    feature_quality_score: f64,
    predicted_at: Timestamp,
) -> Result<Arc<Basis>, RowRefusal> {
    let refuse = |code, why: String| Err(RowRefusal { code, why });
    let quote = &line.quote;
    let (Some(book), Some(_), Some(line_snapshot_at), Some(over), Some(under)) =
        (&quote.book, &quote.event_id, quote.snapshot_at, &quote.over, &quote.under)
    else {
        return refuse(Code::Placeholder, format!("the line {} has no provenance", quote.line));
    };
    if &quote.market != market {
        return refuse(Code::WrongMarket, format!("the line {} is of {}", quote.line, quote.market));
    }
    Ok(Arc::new(Basis {
        inputs_sha256: job.inputs_sha256.clone(),
        line: quote.line,
        line_source: ACTUAL_PROP.into(),
        line_source_api: quote.source.clone(),
        book: book.clone(),
        was_line_fallback: line.was_fallback,
        over_price: over.clone(),
        under_price: under.clone(),
        line_snapshot_at,
        line_minutes_before_game: job.tip_off.duration_since(line_snapshot_at).as_mins(),
        consensus_line: line.consensus_line,
        line_spread: line.line_spread,
        no_vig_over: line.no_vig_over,
        feature_quality_score,
        // A system that reads a required default is refused before it predicts.
        default_feature_count: 0,
        as_of: job.as_of,
        predicted_at,
    }))
}

/// What a row is made of.
#[derive(Debug, Clone)]
pub struct RowInputs<'a> {
    /// Player and game.
    pub job: &'a JobId,
    /// The system that answered.
    pub system_id: &'a SystemId,
    /// The market it answered for.
    pub market: &'a Market,
    /// The model's hash, as pinned.
    pub model_sha256: Sha256,
    /// The answer.
    pub predicted: f64,
    /// The line it is compared with and the inputs it is made from, by [`basis()`].
    pub basis: &'a Arc<Basis>,
    /// The model's probability of the over at that line, if it gives one.
    pub over_probability: Option<f64>,
    /// The policy, with the card's own threshold.
    pub recommend: &'a RecommendPolicy,
    /// True when the model's training window reaches the game's date or later.
    pub in_sample: bool,
}

/// Checks an answer and makes it a sealed row, or refuses it.
pub fn build(inputs: &RowInputs<'_>) -> Result<PredictionRow, RowRefusal> {
    let RowInputs { job, system_id, market, basis, predicted, .. } = inputs;
    let (line_margin, recommendation) = recommend(*predicted, basis.line, inputs.recommend);
    check_answer(*predicted, line_margin, market).map_err(|(code, why)| RowRefusal { code, why })?;
    let worth = inputs
        .over_probability
        .and_then(|probability| worth(probability, &basis.over_price, &basis.under_price));
    let row = PredictionRow {
        key: RowKey {
            game: job.game,
            player: job.player.clone(),
            market: (*market).clone(),
            system_id: (*system_id).clone(),
        },
        basis: Arc::clone(basis),
        model_sha256: inputs.model_sha256,
        predicted_value: *predicted,
        over_probability: inputs.over_probability.filter(|_| worth.is_some()),
        over_expected_value: worth.as_ref().map(|worth| worth.over_expected_value),
        under_expected_value: worth.as_ref().map(|worth| worth.under_expected_value),
        over_fair_price: worth.map(|worth| worth.over_fair_price),
        line_margin,
        recommendation,
        in_sample: inputs.in_sample,
        row_sha256: Sha256::default(),
    };
    Ok(row.sealed())
}

fn check_answer(predicted: f64, margin: f64, market: &Market) -> Result<(), (Code, String)> {
    if !predicted.is_finite() {
        return Err((Code::NotFinite, format!("answered {predicted}")));
    }
    let largest = largest_value(market);
    if !(0.0..=largest).contains(&predicted) {
        return Err((Code::OutOfRange, format!("answered {predicted:.1}, {market} lie in 0 to {largest}")));
    }
    if margin.abs() > LARGEST_EDGE {
        return Err((
            Code::EdgeOutOfRange,
            format!(
                "answered {predicted:.1}, {:.1} away from the line; the limit is {LARGEST_EDGE}",
                margin.abs()
            ),
        ));
    }
    Ok(())
}

/// The largest answer a market can mean; sums of statistics have an underscore in their name.
fn largest_value(market: &Market) -> f64 {
    if market.as_str().contains('_') { LARGEST_COMBINED_VALUE } else { LARGEST_VALUE }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use proptest::prelude::*;
    use proto::Recommendation;

    use super::*;
    use crate::gate::samples::job;
    use crate::lines::samples::{AS_OF, at, quote};
    use crate::lines::{LinePolicy, choose};
    use crate::recommend::agrees;

    fn basis_of(line: &ChosenLine) -> Result<Arc<Basis>, RowRefusal> {
        basis(&job(), &Market::points(), line, 97.5, at(AS_OF))
    }

    fn row_at(predicted: f64, line: &str) -> Result<PredictionRow, RowRefusal> {
        let chosen = choose(&[quote("fanduel", line, "-110", "-112")], &LinePolicy::default()).unwrap();
        build(&RowInputs {
            job: &job().id,
            system_id: &"sys_a".parse().unwrap(),
            market: &Market::points(),
            model_sha256: Sha256::of(b"m"),
            predicted,
            basis: &basis_of(&chosen)?,
            over_probability: Some(0.55),
            recommend: &RecommendPolicy::default(),
            in_sample: false,
        })
    }

    #[test]
    fn a_row_carries_its_provenance() {
        let row = row_at(27.0, "24.5").unwrap();
        assert_eq!((row.line_margin, row.recommendation), (2.5, Recommendation::Over));
        let basis = &row.basis;
        assert_eq!((basis.book.as_str(), basis.was_line_fallback), ("fanduel", true));
        assert_eq!((basis.line_source.as_str(), basis.line_source_api.as_str()), ("ACTUAL_PROP", "odds_api"));
        assert_eq!((basis.line_minutes_before_game, row.clone().sealed().row_sha256), (90, row.row_sha256));
        assert_eq!((basis.over_price.as_str(), basis.under_price.as_str()), ("-110", "-112"));
    }

    #[test]
    fn row_checks() {
        for (predicted, line, code) in [
            (f64::NAN, "24.5", Code::NotFinite),
            (f64::INFINITY, "24.5", Code::NotFinite),
            (-0.1, "10.5", Code::OutOfRange),
            (80.1, "70.5", Code::OutOfRange),
            (44.6, "24.5", Code::EdgeOutOfRange),
            (4.4, "24.5", Code::EdgeOutOfRange),
        ] {
            let refused = row_at(predicted, line).unwrap_err();
            assert_eq!(refused.code, code, "{predicted}");
            assert!(refused.why.starts_with("answered"), "{}", refused.why);
        }
        for (predicted, line) in [(0.0, "10.5"), (80.0, "70.5"), (44.5, "24.5"), (4.5, "24.5")] {
            assert!(row_at(predicted, line).is_ok(), "{predicted}");
        }
        assert_eq!(largest_value(&"points_rebounds_assists".parse().unwrap()), LARGEST_COMBINED_VALUE);
    }

    #[test]
    fn incident_52_a_line_without_provenance_becomes_no_row() {
        let mut chosen = choose(&[quote("fanduel", "20.0", "-110", "-112")], &LinePolicy::default()).unwrap();
        chosen.quote.event_id = None;
        assert_eq!(basis_of(&chosen).unwrap_err().code, Code::Placeholder);
        assert_eq!(row_at(21.0, "20.0").unwrap().basis.line_source, ACTUAL_PROP, "a real 20.0 becomes one");
    }

    #[test]
    fn incident_24_a_row_carries_the_market_line_and_the_key_names_no_line() {
        let (a, b) = (row_at(27.0, "24.5").unwrap(), row_at(27.0, "25.5").unwrap());
        assert_eq!(a.key, b.key, "another line is another version of the same row, never a second row");
        assert_ne!(a.row_sha256, b.row_sha256);
    }

    #[test]
    fn incident_23_the_key_has_the_system_in_it() {
        let row = row_at(27.0, "24.5").unwrap();
        let other = RowKey { system_id: "sys_b".parse().unwrap(), ..row.key.clone() };
        assert_ne!(row.key, other, "rows of two systems never share a key, so one cannot retire the other");
    }

    proptest! {
        #[test]
        fn incident_54_no_row_contradicts_its_sign(predicted in proptest::num::f64::ANY, half in 1i32..120) {
            let line = proto::Line::from_half_points(half).to_string();
            if let Ok(row) = row_at(predicted, &line) {
                prop_assert!(agrees(row.line_margin, row.recommendation));
                prop_assert!(row.predicted_value.is_finite() && row.line_margin.abs() <= LARGEST_EDGE);
                prop_assert_eq!(row.line_margin, row.predicted_value - row.basis.line.points());
            }
        }
    }
}
