//! A price as a book wrote it, American or decimal, with exact arithmetic.
//!
//! Both notations live on disjoint ranges: American prices are whole and at least 100 away from zero, decimal
//! prices lie between 1 and 100. One parser therefore reads both; what lies between -100 and 1 is no price.
//! Conversion rounds (1.91 is -110); the predecessor truncated to -109.

use std::str::FromStr;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, One, RoundingMode, ToPrimitive, Zero};

use crate::ParseError;
use crate::text::{Text, name_text};

/// Decimal places kept where a quotient has no finite expansion.
const SCALE: i64 = 12;

/// A price of one side of a bet. Kept as written; an American `+105` or `-115.0` is kept as `105` and `-115`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Text);

impl Price {
    /// What one unit staked returns when the bet wins, stake included; exact, or to twelve places.
    pub fn decimal(&self) -> BigDecimal {
        let value = self.value();
        let hundred = BigDecimal::from(100);
        if value.abs() < hundred {
            value
        } else if value > BigDecimal::zero() {
            BigDecimal::one() + value / hundred
        } else {
            BigDecimal::one() + quotient(&hundred, &value.abs())
        }
    }

    /// The American price, rounded half away from zero.
    pub fn american(&self) -> i64 {
        let value = self.value();
        let hundred = BigDecimal::from(100);
        if value.abs() >= hundred {
            return value.to_i64().unwrap_or(0);
        }
        let profit = value - BigDecimal::one();
        let american =
            if profit >= BigDecimal::one() { profit * hundred } else { -quotient(&hundred, &profit) };
        american.with_scale_round(0, RoundingMode::HalfUp).to_i64().unwrap_or(0)
    }

    /// Probability at which the price is fair: one over the decimal price, to twelve places.
    pub fn implied_probability(&self) -> BigDecimal {
        quotient(&BigDecimal::one(), &self.decimal())
    }

    fn value(&self) -> BigDecimal {
        self.0.parse().unwrap_or_else(|_| BigDecimal::from(BigInt::one()))
    }
}

/// `a / b` rounded half to even at [`SCALE`] places; `b` is never zero here, since prices exclude 1.
fn quotient(a: &BigDecimal, b: &BigDecimal) -> BigDecimal {
    (a / b).with_scale_round(SCALE, RoundingMode::HalfEven)
}

impl FromStr for Price {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |why| ParseError::new("price", text, why);
        let trimmed = text.trim().trim_start_matches('+');
        let plain =
            trimmed.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') && trimmed.len() <= 16;
        let value: f64 =
            trimmed.parse().map_err(|_| refuse("expected a number such as -110, 105 or 1.91"))?;
        if !plain || !value.is_finite() {
            return Err(refuse("expected a number such as -110, 105 or 1.91"));
        }
        if value.abs() >= 100.0 {
            if value.fract() != 0.0 || value.abs() > 1_000_000.0 {
                return Err(refuse("an american price is a whole number of at most a million"));
            }
            return Ok(Self(compact_str::format_compact!("{}", value as i64)));
        }
        if value <= 1.0 {
            return Err(refuse(
                "american prices are <= -100 or >= 100, decimal prices lie between 1 and 100",
            ));
        }
        Ok(Self(trimmed.into()))
    }
}
name_text!(Price);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_notations_convert_with_rounding() {
        for (text, american, decimal) in [
            ("-110", -110, "1.909090909091"),
            ("+105", 105, "2.05"),
            ("-115.0", -115, "1.869565217391"),
            ("1.91", -110, "1.91"),
            ("2.0", 100, "2.0"),
            ("2.5", 150, "2.5"),
            ("100", 100, "2"),
        ] {
            let price: Price = text.parse().unwrap();
            assert_eq!(price.american(), american, "{text}");
            assert_eq!(
                price.decimal().normalized(),
                decimal.parse::<BigDecimal>().unwrap().normalized(),
                "{text}"
            );
        }
        assert_eq!("-115.0".parse::<Price>().unwrap().as_str(), "-115");
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for wrong in ["-99", "0", "0.5", "1", "-1.91", "1e3", "NaN", "", "110.5", "--110"] {
            assert!(wrong.parse::<Price>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn american_survives_the_way_through_decimal(american in prop_oneof![-5000i64..=-100, 100i64..=5000]) {
            let price: Price = american.to_string().parse().unwrap();
            prop_assert_eq!(price.american(), american);
            let implied = price.implied_probability().to_f64().unwrap();
            prop_assert!(implied > 0.0 && implied < 1.0);
        }
    }
}
