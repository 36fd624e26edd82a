//! Exact arithmetic on prices without big numbers.
//!
//! A book's margin and the no-vig probability decide whether a quote counts and which point is its main one, so
//! they must not depend on rounding. A price is a fraction of small whole numbers; sums and comparisons of such
//! fractions fit 128 bits. That is exact like `bigdecimal` (a property test holds it to that) and a hundred times
//! quicker, which matters because every quote of a slate passes here.

use std::cmp::Ordering;

use proto::Price;

/// Probability at which a price is fair: `num / den`, exact. Both below 10^16.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Implied {
    num: u128,
    den: u128,
}

impl Implied {
    /// The fraction of a price; none only for a text that is no price, which the parser of [`Price`] refuses.
    pub(crate) fn of(price: &Price) -> Option<Self> {
        let text = price.as_str();
        if let Some(digits) = text.strip_prefix('-') {
            let stake: u128 = digits.parse().ok()?;
            return Some(Self { num: stake, den: stake + 100 });
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let mut mantissa = whole.parse::<u128>().ok()?.checked_mul(scale)?;
        if !fraction.is_empty() {
            mantissa = mantissa.checked_add(fraction.parse().ok()?)?;
        }
        if mantissa >= 10u128.pow(16) || mantissa == 0 {
            return None;
        }
        let is_american = mantissa >= 100 * scale;
        Some(if is_american {
            Self { num: 100 * scale, den: 100 * scale + mantissa }
        } else {
            Self { num: scale, den: mantissa }
        })
    }

    /// The fraction of an American price; none for what is no such price.
    pub(crate) fn of_american(american: i64) -> Option<Self> {
        let size = u128::from(american.unsigned_abs());
        match american {
            ..=-100 => Some(Self { num: size, den: size + 100 }),
            100.. => Some(Self { num: 100, den: size + 100 }),
            _ => None,
        }
    }

    /// Numerator and denominator; the other way round they are what one unit staked returns.
    pub(crate) fn fraction(self) -> (u128, u128) {
        (self.num, self.den)
    }

    /// Orders by probability: the longest underdog first.
    pub(crate) fn cmp_probability(self, other: Self) -> Ordering {
        cmp_fractions((self.num, self.den), (other.num, other.den))
    }

    /// The decimal price: what one unit returns, stake included.
    pub(crate) fn decimal(self) -> f64 {
        self.den as f64 / self.num as f64
    }

    /// Distance from one half, as a fraction.
    fn off_even(self) -> (u128, u128) {
        ((2 * self.num).abs_diff(self.den), self.den)
    }

    /// Orders by distance from an even chance, nearest first.
    pub(crate) fn cmp_evenness(self, other: Self) -> Ordering {
        cmp_fractions(self.off_even(), other.off_even())
    }
}

/// Both sides of one point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TwoSided {
    over: u128,
    under: u128,
    den: u128,
}

impl TwoSided {
    /// Brings both sides to one denominator.
    pub(crate) fn of(over: &Price, under: &Price) -> Option<Self> {
        let (o, u) = (Implied::of(over)?, Implied::of(under)?);
        Some(Self { over: o.num * u.den, under: u.num * o.den, den: o.den * u.den })
    }

    /// The book's margin: both implied probabilities minus one.
    pub(crate) fn hold(self) -> f64 {
        let excess = (self.over + self.under) as i128 - self.den as i128;
        excess as f64 / self.den as f64
    }

    /// True when the margin lies within these bounds, given in millionths; exact.
    pub(crate) fn hold_within(self, min_millionths: i128, max_millionths: i128) -> bool {
        let scaled = ((self.over + self.under) as i128 - self.den as i128) * 1_000_000;
        let den = self.den as i128;
        scaled >= min_millionths * den && scaled <= max_millionths * den
    }

    /// Probability of the over with the margin taken out in proportion.
    pub(crate) fn no_vig_over(self) -> f64 {
        self.over as f64 / (self.over + self.under) as f64
    }

    /// Orders by distance of the no-vig probability from one half, nearest first; exact.
    pub(crate) fn cmp_evenness(self, other: Self) -> Ordering {
        let off = |s: Self| (s.over.abs_diff(s.under), s.over + s.under);
        cmp_fractions(off(self), off(other))
    }
}

/// Compares `a.0 / a.1` with `b.0 / b.1` without a product that could overflow: Euclid on both at once.
fn cmp_fractions(mut a: (u128, u128), mut b: (u128, u128)) -> Ordering {
    let mut flipped = false;
    loop {
        let order = (a.0 / a.1).cmp(&(b.0 / b.1));
        let (rest_a, rest_b) = (a.0 % a.1, b.0 % b.1);
        let order = match (order, rest_a, rest_b) {
            (Ordering::Equal, 0, 0) => return Ordering::Equal,
            (Ordering::Equal, 0, _) => Ordering::Less,
            (Ordering::Equal, _, 0) => Ordering::Greater,
            (Ordering::Equal, _, _) => {
                (a, b, flipped) = ((a.1, rest_a), (b.1, rest_b), !flipped);
                continue;
            }
            (unequal, _, _) => unequal,
        };
        return if flipped { order.reverse() } else { order };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use bigdecimal::{BigDecimal, ToPrimitive};
    use proptest::prelude::*;

    use super::*;

    fn price() -> impl Strategy<Value = Price> {
        prop_oneof![
            (-20_000i64..=-100).prop_map(|v| v.to_string()),
            (100i64..=20_000).prop_map(|v| v.to_string()),
            (101u32..9_999).prop_map(|v| format!("{}.{:02}", v / 100, v % 100)),
            (1_000_000_000_001u64..99_999_999_999_999).prop_map(|v| format!(
                "{}.{:012}",
                v / 1_000_000_000_000,
                v % 1_000_000_000_000
            )),
        ]
        .prop_map(|text| text.parse().unwrap())
    }

    fn exact_hold(over: &Price, under: &Price) -> BigDecimal {
        over.implied_probability() + under.implied_probability() - BigDecimal::from(1)
    }

    #[test]
    fn known_prices() {
        for (over, under, hold, no_vig) in [
            ("-110", "-110", 1.0 / 21.0, 0.5),
            ("1.91", "1.91", 2.0 / 1.91 - 1.0, 0.5),
            ("+100", "-120", 0.5 + 120.0 / 220.0 - 1.0, 0.5 / (0.5 + 120.0 / 220.0)),
            ("2", "2.0", 0.0, 0.5),
        ] {
            let both = TwoSided::of(&over.parse().unwrap(), &under.parse().unwrap()).unwrap();
            assert!((both.hold() - hold).abs() < 1e-15, "{over} {under}: {}", both.hold());
            assert!((both.no_vig_over() - no_vig).abs() < 1e-15, "{over} {under}");
        }
    }

    #[test]
    fn probabilities_order_prices_of_both_notations() {
        let sorted = ["9.5", "400", "5", "150", "2.5", "100", "2", "-110", "1.5", "-200", "-600", "1.01"];
        let fractions: Vec<Implied> =
            sorted.map(|text| Implied::of(&text.parse().unwrap()).unwrap()).to_vec();
        assert!(fractions.is_sorted_by(|a, b| a.cmp_probability(*b).is_le()));
        for (american, decimal) in [(400, "5"), (150, "2.5"), (-200, "1.5"), (-100, "2"), (100, "2")] {
            let other = Implied::of(&decimal.parse().unwrap()).unwrap();
            assert!(Implied::of_american(american).unwrap().cmp_probability(other).is_eq(), "{american}");
        }
        assert!(Implied::of_american(99).is_none() && Implied::of_american(-99).is_none());
    }

    proptest! {
        #[test]
        fn agrees_with_big_decimals(over in price(), under in price()) {
            let both = TwoSided::of(&over, &under).unwrap();
            let exact = exact_hold(&over, &under);
            prop_assert!((both.hold() - exact.to_f64().unwrap()).abs() < 1e-10);
            let millionths = (exact * BigDecimal::from(1_000_000)).to_f64().unwrap();
            if (millionths - millionths.round()).abs() > 1e-3 {
                let floor = millionths.floor() as i128;
                prop_assert!(both.hold_within(floor, floor + 1));
                prop_assert!(!both.hold_within(floor + 1, i128::from(i64::MAX)));
            }
        }

        #[test]
        fn evenness_is_a_total_order_that_floats_approve_of(a in price(), b in price(), c in price(), d in price()) {
            let (x, y) = (TwoSided::of(&a, &b).unwrap(), TwoSided::of(&c, &d).unwrap());
            let (fx, fy) = ((x.no_vig_over() - 0.5).abs(), (y.no_vig_over() - 0.5).abs());
            if (fx - fy).abs() > 1e-12 {
                prop_assert_eq!(x.cmp_evenness(y), fx.total_cmp(&fy));
            }
            prop_assert_eq!(x.cmp_evenness(y), y.cmp_evenness(x).reverse());
            prop_assert_eq!(x.cmp_evenness(x), Ordering::Equal);
        }
    }
}
