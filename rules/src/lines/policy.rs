//! The thresholds of the line gate, with what real quotes say about each (`docs/line-quality.md`).

use jiff::SignedDuration;
use proto::Price;

use crate::odds::Implied;

/// How quotes are judged and ranked. The defaults refuse less than 0.5 % of the main quotes of real books.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinePolicy {
    /// Books by preference, as the vendor spells them: `williamhill_us` is Caesars. A book that is not listed
    /// comes after all that are, by name.
    pub rank: Vec<String>,
    /// Books whose quotes are refused.
    pub exclude: Vec<String>,
    /// Books whose lines may be chosen when nobody better quotes, but count in no median, spread or consensus.
    /// Bovada shades its lines for its own customers; operators of daily fantasy have no prices of their own.
    pub not_in_consensus: Vec<String>,
    /// A quote older than this at the as-of is stale, in hours.
    pub stale_hours: u32,
    /// The same for a backfill, whose sources often have one snapshot a day.
    pub stale_hours_backfill: u32,
    /// A quote this much older than its event's newest snapshot is stale, in minutes: the book took it down.
    pub behind_newest_minutes: u32,
    /// A quote that its book changed last so many hours before it was seen repeats an earlier day: books confirm what they
    /// offer every few minutes.
    pub repeated_hours: u32,
    /// The longest favourite a main line may have, American.
    pub price_min_american: i64,
    /// The longest underdog a main line may have, American.
    pub price_max_american: i64,
    /// Smallest plausible margin of a book over both sides; below it somebody mistyped or sides are mixed up.
    pub hold_min: f64,
    /// Largest plausible margin.
    pub hold_max: f64,
    /// A line further than this from the median of the books is an outlier, in units of the market …
    pub outlier_distance: f64,
    /// … or further than this share of the median, whichever is more.
    pub outlier_share: f64,
    /// A no-vig probability further than this from the median of the books at the same line is an outlier too: what a book
    /// says whose sides are swapped.
    pub outlier_probability: f64,
    /// How many counting books a median needs before it judges anybody.
    pub outlier_min_books: usize,
}

impl Default for LinePolicy {
    fn default() -> Self {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Self {
            rank: names(&BOOK_RANK),
            exclude: Vec::new(),
            not_in_consensus: NOT_IN_CONSENSUS
                .iter()
                .chain(&DFS_OPERATORS)
                .map(|s| (*s).to_owned())
                .collect(),
            stale_hours: 12,
            stale_hours_backfill: 24,
            behind_newest_minutes: 90,
            repeated_hours: 12,
            price_min_american: -600,
            price_max_american: 400,
            hold_min: 0.01,
            hold_max: 0.13,
            outlier_distance: 2.0,
            outlier_share: 0.12,
            outlier_probability: 0.07,
            outlier_min_books: 3,
        }
    }
}

/// Default order of preference: DraftKings first because features 25 and 26 prefer it, then by size of the book.
pub const BOOK_RANK: [&str; 16] = [
    "draftkings",
    "fanduel",
    "betmgm",
    "williamhill_us",
    "pointsbetus",
    "fanatics",
    "espnbet",
    "hardrockbet",
    "betrivers",
    "unibet_us",
    "fliff",
    "betparx",
    "ballybet",
    "betonlineag",
    "mybookieag",
    "bovada",
];

/// Part of the default of [`LinePolicy::not_in_consensus`], and what feature 50 leaves out whatever the configuration
/// says.
pub const NOT_IN_CONSENSUS: [&str; 1] = ["bovada"];

/// The other part: operators of daily fantasy. Their prices are conventions, not opinions.
pub const DFS_OPERATORS: [&str; 4] = ["prizepicks", "underdog", "pick6", "betr_us_dfs"];

impl LinePolicy {
    /// The policy as text for the fingerprint of a job's inputs: the same policy gives the same text.
    pub fn fingerprint_text(&self) -> String {
        format!("{self:?}")
    }

    /// Place of a book in [`LinePolicy::rank`]; one that is not listed comes last, by name.
    pub fn rank_of<'a>(&self, book: &'a str) -> (usize, &'a str) {
        (self.rank.iter().position(|b| b == book).unwrap_or(usize::MAX), book)
    }

    /// True when the book's line counts in medians and consensus.
    pub fn counts(&self, book: &str) -> bool {
        !self.not_in_consensus.iter().any(|b| b == book) && !self.is_excluded(book)
    }

    /// True when the configuration refuses the book.
    pub fn is_excluded(&self, book: &str) -> bool {
        self.exclude.iter().any(|b| b == book)
    }

    /// Age at the as-of up to which a quote is fresh.
    pub(crate) fn stale_after(&self, backfill: bool) -> SignedDuration {
        let hours = if backfill { self.stale_hours_backfill } else { self.stale_hours };
        SignedDuration::from_hours(i64::from(hours))
    }

    /// Age behind the event's newest snapshot up to which a quote still stands.
    pub(crate) fn behind_newest(&self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.behind_newest_minutes))
    }

    /// Time from a book's last change to when it was seen up to which a quote is of that day.
    pub(crate) fn repeated_after(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.repeated_hours))
    }

    /// Bounds of the margin in millionths, so that the comparison is exact; NaN becomes 0 and refuses everything.
    pub(crate) fn hold_bounds(&self) -> (i128, i128) {
        let millionths = |share: f64| (share * 1e6).round() as i128;
        (millionths(self.hold_min), millionths(self.hold_max))
    }

    /// True when a main line of a real book may carry this price; bounds that are no American prices refuse everything.
    pub(crate) fn price_in_range(&self, price: &Price) -> bool {
        let bounds =
            Implied::of_american(self.price_max_american).zip(Implied::of_american(self.price_min_american));
        match (Implied::of(price), bounds) {
            (Some(found), Some((underdog, favourite))) => {
                found.cmp_probability(underdog).is_ge() && found.cmp_probability(favourite).is_le()
            }
            _ => false,
        }
    }

    /// How far a line may be from this median.
    pub(crate) fn outlier_limit(&self, median: f64) -> f64 {
        self.outlier_distance.max(self.outlier_share * median.abs())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn a_configuration_says_only_what_it_changes() {
        let policy: LinePolicy = toml::from_str("exclude = [\"fliff\"]\nstale_hours = 6").unwrap();
        assert_eq!(
            (policy.stale_hours, policy.is_excluded("fliff"), policy.counts("fliff")),
            (6, true, false)
        );
        assert_eq!(policy.rank, LinePolicy::default().rank);
        assert!(toml::from_str::<LinePolicy>("stale_hour = 6").is_err(), "a misspelt key is refused");
        let written = toml::to_string(&LinePolicy::default()).unwrap();
        assert_eq!(toml::from_str::<LinePolicy>(&written).unwrap(), LinePolicy::default());
    }

    #[test]
    fn ranks_and_caesars() {
        let policy = LinePolicy::default();
        assert!(policy.rank_of("draftkings") < policy.rank_of("fanduel"));
        assert!(
            policy.rank_of("williamhill_us") < policy.rank_of("bovada"),
            "Caesars is ranked by its vendor key"
        );
        assert!(policy.rank_of("bovada") < policy.rank_of("a_new_book"));
        assert!(policy.rank_of("a_new_book") < policy.rank_of("b_new_book"));
        assert!(!policy.counts("bovada") && policy.counts("a_new_book"));
    }

    #[test]
    fn every_threshold_is_in_the_fingerprint() {
        let base = LinePolicy::default().fingerprint_text();
        for change in [
            "rank = []",
            "exclude = [\"x\"]",
            "not_in_consensus = []",
            "stale_hours = 1",
            "stale_hours_backfill = 1",
            "behind_newest_minutes = 1",
            "repeated_hours = 1",
            "price_min_american = -1000",
            "price_max_american = 1000",
            "hold_min = 0.0",
            "hold_max = 0.2",
            "outlier_distance = 9.0",
            "outlier_share = 0.5",
            "outlier_probability = 0.5",
            "outlier_min_books = 9",
        ] {
            assert_ne!(toml::from_str::<LinePolicy>(change).unwrap().fingerprint_text(), base, "{change}");
        }
    }

    #[test]
    fn thresholds_that_are_no_numbers_refuse() {
        let broken = LinePolicy { hold_max: f64::NAN, ..LinePolicy::default() };
        assert_eq!(broken.hold_bounds().1, 0);
        let broken = LinePolicy { price_max_american: 5, ..LinePolicy::default() };
        assert!(!broken.price_in_range(&"-110".parse().unwrap()));
    }
}
