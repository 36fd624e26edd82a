//! What a probability is worth at a price: expected value and fair price.
//!
//! A model's probability is a float and is taken to six places; from there everything is decimal and exact, because two
//! people who check a price by hand must come to the same figure.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, FromPrimitive, One, RoundingMode, ToPrimitive};
use proto::Price;

/// Decimal places of a probability, and of an expected value.
const PLACES: i64 = 6;

/// Both sides of a bet, judged by one probability. On a whole-number line a push returns the stake and is not counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Worth {
    /// Mean profit of one unit on the over, to six places.
    pub over_expected_value: f64,
    /// Mean profit of one unit on the under, to six places.
    pub under_expected_value: f64,
    /// The American price at which the over is worth nothing, rounded half away from zero; the under's has the other sign.
    pub over_fair_price: Price,
}

/// Judges both prices of a quote; none for what is no probability strictly between 0 and 1 at six places.
pub fn worth(over_probability: f64, over: &Price, under: &Price) -> Option<Worth> {
    let probability =
        BigDecimal::from_f64(over_probability)?.with_scale_round(PLACES, RoundingMode::HalfEven);
    let other = BigDecimal::one() - &probability;
    Some(Worth {
        over_expected_value: expected_value(&probability, over)?,
        under_expected_value: expected_value(&other, under)?,
        over_fair_price: fair_price(&probability)?,
    })
}

fn expected_value(probability: &BigDecimal, price: &Price) -> Option<f64> {
    let value = probability * price.decimal() - BigDecimal::one();
    value.with_scale_round(PLACES, RoundingMode::HalfEven).to_f64()
}

/// Minus odds for a favourite, plus odds for an underdog, `100` for an even chance.
fn fair_price(probability: &BigDecimal) -> Option<Price> {
    let (zero, one) = (BigDecimal::from(0), BigDecimal::one());
    if *probability <= zero || *probability >= one {
        return None;
    }
    let hundred = BigDecimal::from(BigInt::from(100));
    let other = &one - probability;
    let american =
        if *probability > other { -(hundred * probability / other) } else { hundred * other / probability };
    american.with_scale_round(0, RoundingMode::HalfUp).to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use proptest::prelude::*;

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn by_hand() {
        // 55 % at -110: 0.55 * 210/110 - 1 = 0.05; the under at 45 %: 0.45 * 210/110 - 1 = -0.140909…
        let found = worth(0.55, &price("-110"), &price("-110")).unwrap();
        assert_eq!((found.over_expected_value, found.under_expected_value), (0.05, -0.140_909));
        assert_eq!(found.over_fair_price.as_str(), "-122");
        let even = worth(0.5, &price("2.00"), &price("105")).unwrap();
        assert_eq!((even.over_expected_value, even.under_expected_value), (0.0, 0.025));
        assert_eq!(even.over_fair_price.as_str(), "100");
        let dog = worth(0.45, &price("-110"), &price("-110")).unwrap();
        assert_eq!(dog.over_fair_price.as_str(), "122");
    }

    #[test]
    fn what_is_no_probability_is_worth_nothing() {
        for probability in [0.0, 1.0, -0.1, 1.1, f64::NAN, f64::INFINITY, 1e-9, 0.999_999_9] {
            assert_eq!(worth(probability, &price("-110"), &price("-110")), None, "{probability}");
        }
    }

    proptest! {
        #[test]
        fn a_fair_price_has_no_edge(probability in 0.02..0.98_f64) {
            let first = worth(probability, &price("-110"), &price("-110")).unwrap();
            let fair = worth(probability, &first.over_fair_price, &price("-110")).unwrap();
            // A whole American price is at most half a point off.
            prop_assert!(fair.over_expected_value.abs() < 0.005, "{fair:?}");
        }
    }
}
