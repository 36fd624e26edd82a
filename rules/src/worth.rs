//! What a probability is worth at a price: expected value and fair price.
//!
//! A model's probability is a float and is taken to six places; from there everything is a fraction of whole numbers and
//! exact, because two people who check a price by hand must come to the same figure. A property test holds it to
//! `bigdecimal`, which said the same more slowly; every row of a slate passes here.

use proto::Price;

use crate::odds::Implied;

/// One, in the unit of probabilities and expected values: six decimal places.
const MILLION: u128 = 1_000_000;

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
    let probability = millionths(over_probability)?;
    let other = MILLION - probability;
    Some(Worth {
        over_expected_value: expected_value(probability, over)?,
        under_expected_value: expected_value(other, under)?,
        over_fair_price: fair_price(probability)?,
    })
}

/// A probability in millionths, rounded half to even; none for 0, 1 and what lies outside. A float is a whole number of
/// powers of two, so the rounding is exact too.
fn millionths(probability: f64) -> Option<u128> {
    if !(probability > 0.0 && probability < 1.0) {
        return None;
    }
    let bits = probability.to_bits();
    let exponent = (bits >> 52) as i32 - 1_075;
    let mantissa = u128::from(bits & ((1 << 52) - 1) | 1 << 52);
    // Below a ten-millionth nothing is left at six places, subnormal numbers included.
    let rounded = if exponent < -100 { 0 } else { quotient_half_even(mantissa * MILLION, 1 << -exponent) };
    (rounded > 0 && rounded < MILLION).then_some(rounded)
}

/// Probability times what the price returns, less the stake.
fn expected_value(probability: u128, price: &Price) -> Option<f64> {
    let (num, den) = Implied::of(price)?.fraction();
    let returned = quotient_half_even(probability * den, num);
    Some((returned as i128 - MILLION as i128) as f64 / MILLION as f64)
}

/// Minus odds for a favourite, plus odds for an underdog, `100` for an even chance.
fn fair_price(probability: u128) -> Option<Price> {
    let other = MILLION - probability;
    let (sign, num, den) =
        if probability > other { ("-", probability, other) } else { ("", other, probability) };
    let american = (200 * num + den) / (2 * den);
    format!("{sign}{american}").parse().ok()
}

fn quotient_half_even(num: u128, den: u128) -> u128 {
    let (floor, rest) = (num / den, num % den);
    match (2 * rest).cmp(&den) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Equal => floor + floor % 2,
        std::cmp::Ordering::Greater => floor + 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use bigdecimal::{BigDecimal, FromPrimitive, One, RoundingMode, ToPrimitive};
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
    fn a_tie_goes_to_the_even_side() {
        // 0.876451 * 2364/2264 - 1 = -0.0848365 exactly.
        let tie = price("-2264");
        let found = worth(0.876_450_620_876_363_7, &tie, &tie).unwrap().over_expected_value;
        assert_eq!(found, -0.084_836);
        assert_eq!(by_decimals(0.876_450_620_876_363_7, &tie), found);
    }

    #[test]
    fn what_is_no_probability_is_worth_nothing() {
        for probability in [0.0, 1.0, -0.1, 1.1, f64::NAN, f64::INFINITY, 1e-9, 0.999_999_9] {
            assert_eq!(worth(probability, &price("-110"), &price("-110")), None, "{probability}");
        }
    }

    /// The same by big decimals. The quotient comes last: of a price alone it has no end, and what is cut off moves a tie.
    fn by_decimals(probability: f64, price: &Price) -> f64 {
        let rounded = |value: BigDecimal| value.with_scale_round(6, RoundingMode::HalfEven);
        let probability = rounded(BigDecimal::from_f64(probability).unwrap());
        let (num, den) = Implied::of(price).unwrap().fraction();
        let returned = probability * BigDecimal::from(den) / BigDecimal::from(num);
        rounded(returned - BigDecimal::one()).to_f64().unwrap()
    }

    proptest! {
        #[test]
        fn agrees_with_big_decimals(
            probability in 0.000_001..0.999_999_f64,
            american in prop_oneof![-9_999i64..=-100, 100i64..=9_999],
        ) {
            let price: Price = american.to_string().parse().unwrap();
            let found = worth(probability, &price, &price);
            // A fair price of more than a million is none.
            prop_assume!(found.is_some());
            prop_assert_eq!(found.unwrap().over_expected_value, by_decimals(probability, &price));
        }

        #[test]
        fn a_fair_price_has_no_edge(probability in 0.02..0.98_f64) {
            let first = worth(probability, &price("-110"), &price("-110")).unwrap();
            let fair = worth(probability, &first.over_fair_price, &price("-110")).unwrap();
            // A whole American price is at most half a point off.
            prop_assert!(fair.over_expected_value.abs() < 0.005, "{fair:?}");
        }
    }
}
