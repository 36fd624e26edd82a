//! Known nights, and what must hold whatever the books say.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use proptest::prelude::*;

use super::*;

/// A quote as owned texts, from which [`BookLine`]s borrow.
type Owned = (String, Line, Option<Price>, Option<Price>);

fn owned(book: &str, line: &str, over: &str, under: &str) -> Owned {
    let price = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    (book.to_owned(), line.parse().unwrap(), price(over), price(under))
}

fn of(quotes: &[Owned]) -> Option<LineSummary> {
    let borrowed = quotes.iter().map(|(book, line, over, under)| BookLine {
        book,
        line: *line,
        over: over.as_ref(),
        under: under.as_ref(),
    });
    summarise(borrowed, &LinePolicy::default())
}

#[test]
fn a_night_of_six_books() {
    let summary = of(&[
        owned("draftkings", "24.5", "-110", "-110"),
        owned("fanduel", "24.5", "-105", "-115"),
        owned("betmgm", "25.5", "100", "-120"),
        owned("betonlineag", "23.5", "-120", "100"),
        owned("bovada", "29.5", "-110", "-110"),
        owned("prizepicks", "20", "-137", "-137"),
    ])
    .unwrap();
    assert_eq!((summary.num_books, summary.median_line), (4, 24.5));
    assert_eq!(summary.outliers, ["bovada", "prizepicks"], "they do not count, and stand alone all the same");
    assert_eq!([summary.min_line, summary.max_line].map(|line| line.to_string()), ["23.5", "25.5"]);
    assert_eq!((summary.sharp_line, summary.soft_line), (Some(23.5), Some(24.5)));
    let spread = summary.line_spread.unwrap();
    assert!((spread - 0.5f64.sqrt()).abs() < 1e-12, "{spread}");
    // Over minus under, decimal: 0, 1.952-1.870, 2-1.833, 1.833-2.
    let skew = summary.juice_skew.unwrap();
    assert!((skew - (1.0 + 100.0 / 105.0 - 1.0 - 100.0 / 115.0) / 4.0).abs() < 1e-12, "{skew}");
    // At 24.5: draftkings says one half, fanduel 0.5122 / (0.5122 + 0.5349).
    let (over, under) = (105.0 / 205.0, 115.0 / 215.0);
    let wanted = f64::midpoint(0.5, over / (over + under));
    assert_eq!(summary.no_vig_line, Some("24.5".parse().unwrap()));
    assert!((summary.no_vig_over.unwrap() - wanted).abs() < 1e-12);
}

#[test]
fn too_few_books_judge_nobody() {
    let one = of(&[owned("draftkings", "24.5", "-110", "")]).unwrap();
    assert_eq!((one.num_books, one.line_spread, one.juice_skew), (1, None, None));
    assert_eq!((one.no_vig_line, one.no_vig_over, one.sharp_line), (None, None, None));
    let two =
        of(&[owned("draftkings", "10.5", "-110", "-110"), owned("fanduel", "30.5", "-110", "-110")]).unwrap();
    assert!(two.outliers.is_empty(), "of two books nobody can say which is wrong");
    assert_eq!(of(&[owned("bovada", "24.5", "-110", "-110")]), None);
    assert_eq!(of(&[]), None);
}

fn book() -> impl Strategy<Value = String> {
    let books =
        ["draftkings", "fanduel", "betmgm", "betonlineag", "pinnacle", "bovada", "underdog", "espnbet"];
    prop::sample::select(books.to_vec()).prop_map(str::to_owned)
}

fn quotes() -> impl Strategy<Value = Vec<Owned>> {
    let side = || prop::option::weighted(0.9, prop_oneof![-300i64..=-100, 100i64..=300]);
    let one = (book(), 1i32..80, side(), side()).prop_map(|(book, half, over, under)| {
        let price = |p: Option<i64>| p.map(|p| p.to_string().parse().unwrap());
        (book, Line::from_half_points(half), price(over), price(under))
    });
    prop::collection::vec(one, 0..9).prop_map(|quotes| {
        let by_book: BTreeMap<String, Owned> = quotes.into_iter().map(|q| (q.0.clone(), q)).collect();
        by_book.into_values().collect()
    })
}

fn near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (a, b) => a.is_none() && b.is_none(),
    }
}

proptest! {
    #[test]
    fn figures_stay_within_what_the_books_say(quotes in quotes()) {
        let Some(summary) = of(&quotes) else { return Ok(()) };
        let (min, max) = (summary.min_line.points(), summary.max_line.points());
        prop_assert!(min <= summary.median_line && summary.median_line <= max);
        prop_assert!(summary.line_spread.is_none_or(|s| (0.0..=(max - min) / 2.0 + 1e-9).contains(&s)));
        prop_assert_eq!(summary.line_spread.is_some(), summary.num_books >= 2);
        prop_assert!(summary.no_vig_over.is_none_or(|p| p > 0.0 && p < 1.0));
        prop_assert_eq!(summary.no_vig_line.is_some(), summary.no_vig_over.is_some());
        prop_assert!(summary.no_vig_line.is_none_or(|l| (min..=max).contains(&l.points())));
        for side in [summary.sharp_line, summary.soft_line].into_iter().flatten() {
            prop_assert!((min..=max).contains(&side));
        }
        prop_assert!(summary.sharp_line.is_some() || summary.soft_line.is_some());
        let limit = LinePolicy::default().outlier_limit(summary.median_line);
        for (book, line, ..) in &quotes {
            let far = (line.points() - summary.median_line).abs() > limit && summary.num_books >= 3;
            prop_assert_eq!(summary.outliers.contains(book), far, "{}", book);
        }
    }

    #[test]
    fn the_order_of_books_does_not_matter(quotes in quotes(), by in 0usize..9) {
        let mut turned = quotes.clone();
        if !turned.is_empty() {
            let by = by % turned.len();
            turned.rotate_left(by);
        }
        prop_assert_eq!(of(&turned), of(&quotes));
    }

    #[test]
    fn swapping_sides_mirrors_the_prices_and_keeps_the_lines(quotes in quotes()) {
        let swapped: Vec<Owned> = quotes.iter().cloned().map(|(b, l, o, u)| (b, l, u, o)).collect();
        let (Some(a), Some(b)) = (of(&quotes), of(&swapped)) else { return Ok(()) };
        prop_assert!(near(a.juice_skew, b.juice_skew.map(|s| -s)));
        prop_assert!(near(a.no_vig_over, b.no_vig_over.map(|p| 1.0 - p)));
        let lines = |s: &LineSummary| (s.num_books, s.median_line, s.line_spread, s.no_vig_line, s.outliers.clone());
        prop_assert_eq!(lines(&a), lines(&b));
    }

    #[test]
    fn moving_every_line_moves_the_medians_and_nothing_else(quotes in quotes(), by in 1i32..40) {
        let moved: Vec<Owned> = quotes
            .iter()
            .cloned()
            .map(|(b, l, o, u)| (b, Line::from_half_points(l.half_points() + by), o, u))
            .collect();
        let (Some(a), Some(b)) = (of(&quotes), of(&moved)) else { return Ok(()) };
        let shift = f64::from(by) / 2.0;
        prop_assert!(near(Some(a.median_line + shift), Some(b.median_line)));
        prop_assert!(near(a.sharp_line.map(|l| l + shift), b.sharp_line));
        prop_assert!(near(a.line_spread, b.line_spread) && near(a.juice_skew, b.juice_skew));
        prop_assert!(near(a.no_vig_over, b.no_vig_over));
    }
}
