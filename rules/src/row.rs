//! The row a prediction becomes. Value, line, margin and recommendation are written together, in one place.

use jiff::Timestamp;
use proto::{Code, CodeNote, Job, Market, PredictionRow, RowKey, SystemId};

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

/// What a row is made of.
#[derive(Debug, Clone)]
pub struct RowInputs<'a> {
    /// The job.
    pub job: &'a Job,
    /// The system that answered.
    pub system_id: &'a SystemId,
    /// The market it answered for.
    pub market: &'a Market,
    /// The model's hash, as pinned.
    pub model_sha256: &'a str,
    /// The answer.
    pub predicted: f64,
    /// The line it is compared with.
    pub line: &'a ChosenLine,
    /// The model's probability of the over at that line, if it gives one.
    pub over_probability: Option<f64>,
    /// Score of the features as the gate computed it ([`crate::gate::Prepared::quality`]).
    pub feature_quality_score: f64,
    /// The policy, with the card's own threshold.
    pub recommend: &'a RecommendPolicy,
    /// True when the model's training window reaches the game's date or later.
    pub in_sample: bool,
    /// When the model answered; the only clock in a row.
    pub predicted_at: Timestamp,
}

/// Checks an answer and makes it a sealed row, or refuses it with one code and a sentence that names the system.
pub fn build(inputs: &RowInputs<'_>) -> Result<PredictionRow, CodeNote> {
    let RowInputs { job, system_id, market, line, predicted, .. } = inputs;
    let refuse = |code, why: String| CodeNote {
        market: Some((*market).clone()),
        book: None,
        code,
        sentence: format!("{system_id}: {why}"),
    };
    let (line_margin, recommendation) = recommend(*predicted, line.quote.line, inputs.recommend);
    check_answer(*predicted, line_margin, market).map_err(|(code, why)| refuse(code, why))?;
    let quote = &line.quote;
    let (Some(book), Some(_), Some(line_snapshot_at), Some(over), Some(under)) =
        (&quote.book, &quote.event_id, quote.snapshot_at, &quote.over, &quote.under)
    else {
        return Err(refuse(Code::Placeholder, format!("the line {} has no provenance", quote.line)));
    };
    if &quote.market != *market {
        return Err(refuse(Code::WrongMarket, format!("the line {} is of {}", quote.line, quote.market)));
    }
    let worth = inputs.over_probability.and_then(|probability| worth(probability, over, under));
    let row = PredictionRow {
        key: RowKey {
            game: job.id.game,
            player: job.id.player.clone(),
            market: (*market).clone(),
            system_id: (*system_id).clone(),
        },
        model_sha256: inputs.model_sha256.to_owned(),
        inputs_sha256: job.inputs_sha256.clone(),
        predicted_value: *predicted,
        line: quote.line,
        line_source: ACTUAL_PROP.to_owned(),
        line_source_api: quote.source.clone(),
        book: book.clone(),
        was_line_fallback: line.was_fallback,
        over_price: over.to_string(),
        under_price: under.to_string(),
        line_snapshot_at,
        line_minutes_before_game: job.tip_off.duration_since(line_snapshot_at).as_mins(),
        consensus_line: line.consensus_line,
        line_spread: line.line_spread,
        no_vig_over: line.no_vig_over,
        over_probability: inputs.over_probability.filter(|_| worth.is_some()),
        over_expected_value: worth.as_ref().map(|worth| worth.over_expected_value),
        under_expected_value: worth.as_ref().map(|worth| worth.under_expected_value),
        over_fair_price: worth.as_ref().map(|worth| worth.over_fair_price.to_string()),
        line_margin,
        recommendation,
        feature_quality_score: inputs.feature_quality_score,
        // A system that reads a required default is refused before it predicts.
        default_feature_count: 0,
        in_sample: inputs.in_sample,
        as_of: job.as_of,
        predicted_at: inputs.predicted_at,
        row_sha256: String::new(),
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

    fn row_at(predicted: f64, line: &str) -> Result<PredictionRow, CodeNote> {
        let job = job();
        let chosen = choose(&[quote("fanduel", line, "-110", "-112")], &LinePolicy::default()).unwrap();
        build(&RowInputs {
            job: &job,
            system_id: &"sys_a".parse().unwrap(),
            market: &Market::points(),
            model_sha256: "m",
            predicted,
            line: &chosen,
            over_probability: Some(0.55),
            feature_quality_score: 97.5,
            recommend: &RecommendPolicy::default(),
            in_sample: false,
            predicted_at: at(AS_OF),
        })
    }

    #[test]
    fn a_row_carries_its_provenance() {
        let row = row_at(27.0, "24.5").unwrap();
        assert_eq!((row.line_margin, row.recommendation), (2.5, Recommendation::Over));
        assert_eq!((row.book.as_str(), row.was_line_fallback), ("fanduel", true));
        assert_eq!((row.line_source.as_str(), row.line_source_api.as_str()), ("ACTUAL_PROP", "odds_api"));
        assert_eq!((row.line_minutes_before_game, row.row_sha256.len()), (90, 64));
        assert_eq!((row.over_price.as_str(), row.under_price.as_str()), ("-110", "-112"));
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
            assert!(refused.sentence.starts_with("sys_a: answered"), "{}", refused.sentence);
            assert_eq!((refused.market, refused.book), (Some(Market::points()), None));
        }
        for (predicted, line) in [(0.0, "10.5"), (80.0, "70.5"), (44.5, "24.5"), (4.5, "24.5")] {
            assert!(row_at(predicted, line).is_ok(), "{predicted}");
        }
        assert_eq!(largest_value(&"points_rebounds_assists".parse().unwrap()), LARGEST_COMBINED_VALUE);
    }

    #[test]
    fn incident_52_a_line_without_provenance_becomes_no_row() {
        let job = job();
        let mut chosen = choose(&[quote("fanduel", "20.0", "-110", "-112")], &LinePolicy::default()).unwrap();
        chosen.quote.event_id = None;
        let built = build(&RowInputs {
            job: &job,
            system_id: &"sys_a".parse().unwrap(),
            market: &Market::points(),
            model_sha256: "m",
            predicted: 21.0,
            line: &chosen,
            over_probability: Some(0.55),
            feature_quality_score: 97.5,
            recommend: &RecommendPolicy::default(),
            in_sample: false,
            predicted_at: at(AS_OF),
        });
        assert_eq!(built.unwrap_err().code, Code::Placeholder);
        assert_eq!(row_at(21.0, "20.0").unwrap().line_source, ACTUAL_PROP, "a real 20.0 becomes one");
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
                prop_assert_eq!(row.line_margin, row.predicted_value - row.line.points());
            }
        }
    }
}
