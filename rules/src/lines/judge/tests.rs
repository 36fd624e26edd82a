#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use proptest::prelude::*;

use super::super::samples::{AS_OF, SEEN, TIP, at, quote, three_books};
use super::*;

fn context() -> LineContext {
    LineContext {
        market: Market::points(),
        as_of: at(AS_OF),
        tip_off: at(TIP),
        event_newest_snapshot: Some(at(SEEN)),
        backfill: false,
    }
}

fn judged(quotes: &[Quote]) -> Judged {
    judge(quotes, &context(), &LinePolicy::default())
}

/// The only code of a quote that stands beside three clean books.
fn code_of(quote: Quote) -> Option<Code> {
    let mut quotes = three_books();
    quotes.push(quote);
    let judged = judged(&quotes);
    assert_eq!(judged.survivors.len() + judged.refused.len(), 4, "one account for each quote");
    assert!(judged.refused.iter().all(|n| n.book.is_some() && n.market.is_some()));
    judged.refused.first().map(|n| n.code)
}

fn other() -> Quote {
    quote("fliff", "24.5", "-110", "-112")
}

#[test]
fn every_code_has_its_edge() {
    let seen = |text: &str| Quote { snapshot_at: Some(at(text)), market_updated_at: None, ..other() };
    let updated = |text: &str| Quote { market_updated_at: Some(at(text)), ..other() };
    for (quote, code) in [
        (other(), None),
        (Quote { book: None, ..other() }, Some(Code::Placeholder)),
        (Quote { book: Some(" ".into()), ..other() }, Some(Code::Placeholder)),
        (Quote { event_id: None, ..other() }, Some(Code::Placeholder)),
        (Quote { snapshot_at: None, ..other() }, Some(Code::Placeholder)),
        (Quote { market: "rebounds".parse().unwrap(), ..other() }, Some(Code::WrongMarket)),
        (seen(TIP), Some(Code::InPlay)),
        (seen("2026-01-24T01:00:00Z"), Some(Code::InPlay)),
        (updated(TIP), Some(Code::InPlay)),
        (updated("2026-01-24T00:29:59Z"), None),
        (seen("2026-01-23T21:30:00Z"), None),
        (seen("2026-01-23T21:29:59Z"), Some(Code::Stale)),
        (quote("fliff", "24.5", "-110", ""), Some(Code::OneSided)),
        (quote("fliff", "24.5", "", "-110"), Some(Code::OneSided)),
        // Beside the three at 24.5 such prices would be an outlier.
        (quote("fliff", "25.5", "-600", "400"), None),
        (quote("fliff", "24.5", "-600", "400"), Some(Code::Outlier)),
        (quote("fliff", "24.5", "-601", "390"), Some(Code::PriceOutOfRange)),
        (quote("fliff", "24.5", "-580", "401"), Some(Code::PriceOutOfRange)),
        (quote("fliff", "24.5", "100", "102"), Some(Code::HoldOutOfRange)),
        (quote("fliff", "24.5", "-130", "-131"), Some(Code::HoldOutOfRange)),
        (quote("fliff", "24.5", "-127", "-128"), None),
        (quote("fliff", "27.0", "-110", "-110"), None),
        (quote("fliff", "27.5", "-110", "-110"), Some(Code::Outlier)),
        (quote("fliff", "21.5", "-110", "-110"), Some(Code::Outlier)),
        (quote("bovada", "30.5", "-110", "-110"), Some(Code::Outlier)),
        (quote("fanduel", "24.5", "-110", "-112"), Some(Code::DuplicateQuote)),
        (quote("fanduel", "25.5", "-110", "-112"), Some(Code::DuplicateQuote)),
    ] {
        assert_eq!(code_of(quote.clone()), code, "{quote:?}");
    }
    let policy = LinePolicy { exclude: vec!["fliff".to_owned()], ..LinePolicy::default() };
    assert_eq!(judge(&[other()], &context(), &policy).refused[0].code, Code::BookExcluded);
}

#[test]
fn age_at_the_as_of_has_two_limits() {
    for (hours, backfill, stale) in
        [(12, false, false), (13, false, true), (24, true, false), (25, true, true)]
    {
        let seen = at(AS_OF) - SignedDuration::from_hours(hours);
        let ctx = LineContext { event_newest_snapshot: Some(seen), backfill, ..context() };
        let quote = Quote { snapshot_at: Some(seen), market_updated_at: None, ..other() };
        let judged = judge(&[quote], &ctx, &LinePolicy::default());
        assert_eq!(
            judged.refused.first().map(|n| n.code),
            stale.then_some(Code::Stale),
            "{hours} {backfill}"
        );
    }
}

#[test]
fn the_newest_quote_stands_in_for_an_unknown_event() {
    let ctx = LineContext { event_newest_snapshot: None, ..context() };
    let old = Quote { snapshot_at: Some(at("2026-01-23T20:00:00Z")), ..other() };
    let mut quotes = three_books();
    quotes.push(old);
    let judged = judge(&quotes, &ctx, &LinePolicy::default());
    assert_eq!((judged.survivors.len(), judged.refused[0].code), (3, Code::Stale));
}

#[test]
fn incident_52_provenance_decides_never_the_number() {
    let twenty = |book| quote(book, "20.0", "-110", "-110");
    let real = judged(&[twenty("draftkings"), twenty("fanduel")]);
    assert_eq!((real.survivors.len(), real.refused.len()), (2, 0), "a real 20.0 passes");
    let invented =
        Quote { book: None, event_id: None, snapshot_at: None, ..quote("x", "20.5", "-110", "-110") };
    let refused = judged(&[invented]);
    assert_eq!(refused.refused[0].code, Code::Placeholder);
    assert_eq!(refused.refused[0].sentence, "? 20.5 has no book and no event and no snapshot behind it");
}

#[test]
fn incident_58_another_market_never_passes() {
    let ctx = LineContext { market: "assists".parse().unwrap(), ..context() };
    let judged = judge(&three_books(), &ctx, &LinePolicy::default());
    assert!(judged.survivors.is_empty());
    assert!(judged.refused.iter().all(|n| n.code == Code::WrongMarket));
}

#[test]
fn two_books_make_no_median() {
    let judged =
        judged(&[quote("draftkings", "24.5", "-110", "-110"), quote("fanduel", "34.5", "-110", "-110")]);
    assert_eq!(judged.survivors.len(), 2);
}

#[test]
fn a_book_outside_the_consensus_moves_no_median() {
    let mut quotes =
        vec![quote("draftkings", "24.5", "-110", "-110"), quote("fanduel", "24.5", "-110", "-110")];
    quotes.push(quote("bovada", "34.5", "-110", "-110"));
    assert_eq!(judged(&quotes).survivors.len(), 3, "two counting books judge nobody");
}

#[test]
fn alternates_are_not_judged() {
    let alternate = Quote { is_main: false, ..quote("fanduel", "34.5", "500", "-900") };
    let mut quotes = three_books();
    quotes.push(alternate);
    let judged = judged(&quotes);
    assert_eq!((judged.survivors.len(), judged.refused.len()), (3, 0));
}

#[test]
fn a_bad_quote_does_not_push_out_the_good_one_of_its_book() {
    let judged = judged(&[quote("fanduel", "24.5", "-110", ""), quote("fanduel", "24.5", "-110", "-110")]);
    assert_eq!((judged.survivors.len(), judged.refused[0].code), (1, Code::OneSided));
}

#[test]
fn an_older_snapshot_of_a_book_gives_way() {
    let older =
        Quote { snapshot_at: Some(at("2026-01-23T22:00:00Z")), ..quote("fanduel", "23.5", "-110", "-110") };
    let judged = judged(&[older, quote("fanduel", "24.5", "-110", "-110")]);
    assert_eq!(judged.survivors[0].line.to_string(), "24.5");
    assert_eq!(judged.refused[0].sentence, "fanduel 23.5 was replaced by 24.5 of the same book");
}

#[test]
fn swapped_sides_show_beside_the_other_books() {
    let books = |swapped: (&str, &str)| {
        let mut quotes: Vec<Quote> =
            ["draftkings", "fanduel", "betmgm"].map(|book| quote(book, "24.5", "-150", "120")).to_vec();
        quotes.push(quote("fliff", "24.5", swapped.0, swapped.1));
        quotes
    };
    let found = judged(&books(("120", "-150")));
    assert_eq!((found.survivors.len(), found.refused[0].code), (3, Code::Outlier));
    assert_eq!(
        found.refused[0].sentence,
        "fliff 24.5 gives the over 43.1 %, the median of 4 books at this line is 56.9 %; the limit is 7.0 % apart: \
         are its sides swapped?"
    );
    assert_eq!(judged(&books(("-130", "102"))).survivors.len(), 4, "an opinion");
    let elsewhere = [&books(("-150", "120"))[..3], &[quote("fliff", "25.5", "120", "-150")]].concat();
    assert_eq!(judged(&elsewhere).survivors.len(), 4, "at another line other prices are right");
    let two = [&books(("-150", "120"))[..1], &[quote("fliff", "24.5", "120", "-150")]].concat();
    assert_eq!(judged(&two).survivors.len(), 2, "of two nobody knows who is right");
}

#[test]
fn a_book_that_repeats_yesterday_is_stale() {
    let changed = |text: &str| Quote { market_updated_at: Some(at(text)), ..other() };
    assert_eq!(code_of(changed("2026-01-23T11:00:00Z")), None);
    assert_eq!(code_of(changed("2026-01-22T23:00:00Z")), Some(Code::Stale));
    let judged = judged(&[changed("2026-01-22T23:00:00Z")]);
    assert!(judged.refused[0].sentence.contains("changed last 24 h before it was seen"), "{judged:?}");
}

#[test]
fn a_broken_threshold_refuses() {
    let policy = LinePolicy { outlier_distance: f64::NAN, outlier_share: f64::NAN, ..LinePolicy::default() };
    assert!(judge(&three_books(), &context(), &policy).survivors.is_empty());
}

fn any_quote() -> impl Strategy<Value = Quote> {
    let book = prop_oneof![
        Just(None),
        Just(Some(proto::Text::default())),
        proptest::sample::select(vec!["draftkings", "fanduel", "betmgm", "bovada", "fliff"])
            .prop_map(|b| Some(b.into())),
    ];
    let price = prop_oneof![
        Just(None),
        proptest::sample::select(vec!["-110", "100", "-10000", "900", "1.91", "1.01", "99.99", "-600"])
            .prop_map(|p| Some(p.parse().unwrap())),
    ];
    let when =
        proptest::option::of((-100_000i64..20_000).prop_map(|s| at(TIP) + SignedDuration::from_secs(s)));
    (book, price.clone(), price, when.clone(), when, -20i32..120, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(book, over, under, snapshot_at, market_updated_at, half, event, is_main, points)| Quote {
            book,
            event_id: event.then(|| "e".into()),
            market: if points { Market::points() } else { "rebounds".parse().unwrap() },
            line: proto::Line::from_half_points(half),
            over,
            under,
            snapshot_at,
            market_updated_at,
            is_main,
            source: "odds_api".into(),
        })
}

proptest! {
    #[test]
    fn incident_53_each_main_quote_has_one_account_and_survivors_are_sound(
        quotes in proptest::collection::vec(any_quote(), 0..12), backfill in any::<bool>()
    ) {
        let ctx = LineContext { backfill, ..context() };
        let judged = judge(&quotes, &ctx, &LinePolicy::default());
        let mains = quotes.iter().filter(|q| q.is_main).count();
        prop_assert_eq!(judged.survivors.len() + judged.refused.len(), mains);
        let mut books: Vec<_> = judged.survivors.iter().map(|q| q.book.clone().unwrap()).collect();
        books.sort();
        books.dedup();
        prop_assert_eq!(books.len(), judged.survivors.len(), "one line for each book");
        for q in &judged.survivors {
            prop_assert!(q.is_main && q.over.is_some() && q.under.is_some() && q.event_id.is_some());
            prop_assert!(q.market == Market::points() && q.snapshot_at.unwrap() < ctx.tip_off);
            prop_assert!(ctx.as_of.duration_since(q.snapshot_at.unwrap()) <= SignedDuration::from_hours(24));
        }
        for n in &judged.refused {
            prop_assert_eq!(n.code.outcome(), proto::OutcomeKind::Rejected);
            prop_assert!(n.book.is_some());
        }
    }
}
