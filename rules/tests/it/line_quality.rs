//! How often each line code refuses a real quote. Prints the table of `docs/line-quality.md`.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise
#![allow(clippy::print_stdout)] // the table is what this test is run for

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::{Code, CodeNote, Market, Quote};
use rules::lines::{LineContext, LinePolicy, judge, mark_main};

use crate::real::{Offer, folder, offers};

/// One player and market of one event.
type Subject = (String, Market, String);

#[derive(Default)]
struct Tally {
    judged: usize,
    codes: BTreeMap<Code, (usize, String)>,
}

impl Tally {
    fn add(&mut self, judged: usize, refused: Vec<CodeNote>) {
        self.judged += judged;
        for note in refused {
            self.codes.entry(note.code).or_insert((0, note.sentence)).0 += 1;
        }
    }

    fn count(&self, code: Code) -> usize {
        self.codes.get(&code).map_or(0, |(n, _)| *n)
    }

    fn percent(&self, code: Code) -> f64 {
        100.0 * self.count(code) as f64 / self.judged as f64
    }
}

struct Real {
    tip_off: BTreeMap<String, Timestamp>,
    /// Marked quotes of each subject, by snapshot.
    quotes: BTreeMap<Subject, BTreeMap<String, Vec<Quote>>>,
    refused_before: BTreeMap<Code, usize>,
    offers: usize,
}

fn read(all: Vec<Offer>) -> Real {
    let mut real = Real {
        tip_off: BTreeMap::new(),
        quotes: BTreeMap::new(),
        refused_before: BTreeMap::new(),
        offers: all.len(),
    };
    for offer in all {
        match offer.quote() {
            Ok(quote) => {
                real.tip_off.insert(offer.event.clone(), offer.tip_off);
                let subject = (offer.event, offer.market, offer.player);
                real.quotes.entry(subject).or_default().entry(offer.snapshot).or_default().push(quote);
            }
            Err(code) => *real.refused_before.entry(code).or_default() += 1,
        }
    }
    for quotes in real.quotes.values_mut().flat_map(BTreeMap::values_mut) {
        mark_main(quotes);
    }
    real
}

fn context(market: &Market, tip_off: Timestamp, newest: Option<Timestamp>) -> LineContext {
    LineContext {
        market: market.clone(),
        as_of: tip_off,
        tip_off,
        event_newest_snapshot: newest,
        backfill: true,
    }
}

fn mains(quotes: &[Quote]) -> usize {
    quotes.iter().filter(|q| q.is_main).count()
}

/// Every snapshot judged on its own and at its own time: age refuses nothing, so every quote reaches the other checks.
fn each_snapshot(real: &Real, wanted: Option<&Market>) -> Tally {
    let mut tally = Tally::default();
    for ((event, market, _), snapshots) in &real.quotes {
        for quotes in snapshots.values().filter(|_| wanted.is_none_or(|w| w == market)) {
            let tip_off = real.tip_off[event];
            let newest = quotes.iter().filter_map(|q| q.snapshot_at).max();
            let as_of = newest.unwrap_or(tip_off).min(tip_off);
            let ctx = LineContext { as_of, ..context(market, tip_off, newest) };
            let judged = judge(quotes, &ctx, &LinePolicy::default());
            tally.add(mains(quotes), judged.refused);
        }
    }
    tally
}

/// As a job at tip-off: each book's newest quotes, beside the event's newest snapshot.
fn as_jobs(real: &Real, backfill: bool) -> Tally {
    let mut newest_of_event: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for ((event, ..), snapshots) in &real.quotes {
        let tip_off = real.tip_off[event];
        for seen in snapshots.values().flatten().filter_map(|q| q.snapshot_at).filter(|seen| *seen < tip_off)
        {
            let known = newest_of_event.entry(event).or_insert(seen);
            *known = seen.max(*known);
        }
    }
    let mut tally = Tally::default();
    for ((event, market, _), snapshots) in &real.quotes {
        let mut newest: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for quote in snapshots.values().flatten() {
            let (book, seen) = (quote.book.as_deref().unwrap(), quote.snapshot_at.unwrap());
            let known = newest.entry(book).or_insert(seen);
            *known = seen.max(*known);
        }
        let is_newest = |q: &&Quote| q.snapshot_at == newest.get(q.book.as_deref().unwrap()).copied();
        let quotes: Vec<Quote> = snapshots.values().flatten().filter(is_newest).cloned().collect();
        let newest = newest_of_event.get(event.as_str()).copied();
        let ctx = LineContext { backfill, ..context(market, real.tip_off[event], newest) };
        let judged = judge(&quotes, &ctx, &LinePolicy::default());
        tally.add(mains(&quotes), judged.refused);
    }
    tally
}

/// Shares below which 0.5, 1, 50, 99, 99.5 and 99.9 % of the values lie.
fn quantiles(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    [0.005, 0.01, 0.5, 0.99, 0.995, 0.999, 1.0].map(|share| format!("{:.3}", at(share))).join(" | ")
}

/// What the thresholds were chosen by: margins, the likelier side, and distances from the median of three books or more.
fn print_figures(real: &Real, wanted: Option<&Market>) {
    let implied = |price: &proto::Price| match price.american() as f64 {
        a if a < 0.0 => -a / (100.0 - a),
        a => 100.0 / (100.0 + a),
    };
    let (mut holds, mut sides, mut distances) = (Vec::new(), Vec::new(), Vec::new());
    let (mut minds, mut ages) = (Vec::new(), Vec::new());
    for ((_, market, _), snapshots) in &real.quotes {
        for quotes in snapshots.values().filter(|_| wanted.is_none_or(|w| w == market)) {
            let mains: Vec<&Quote> =
                quotes.iter().filter(|q| q.is_main && q.over.is_some() && q.under.is_some()).collect();
            for quote in &mains {
                let (over, under) =
                    (implied(quote.over.as_ref().unwrap()), implied(quote.under.as_ref().unwrap()));
                holds.push(over + under - 1.0);
                ages.extend(hours_unchanged(quote));
                sides.push(over.max(under));
            }
            minds.extend(distances_of_minds(&mains, implied));
            let mut lines: Vec<f64> = mains
                .iter()
                .filter(|q| q.book.as_deref() != Some("bovada"))
                .map(|q| q.line.points())
                .collect();
            lines.sort_by(f64::total_cmp);
            if lines.len() >= 3 {
                let median = (lines[(lines.len() - 1) / 2] + lines[lines.len() / 2]) / 2.0;
                distances.extend(mains.iter().map(|q| (q.line.points() - median).abs()));
            }
        }
    }
    let name = wanted.map_or("all markets", Market::as_str);
    println!("| margin, {name} | {} |", quantiles(holds));
    println!("| likelier side, {name} | {} |", quantiles(sides));
    println!("| distance from the median, {name} | {} |", quantiles(distances));
    println!("| no-vig over from the median at the line, {name} | {} |", quantiles(minds));
    println!("| hours unchanged when seen, {name} | {} |", quantiles(ages));
}

/// How long its book had left a quote unchanged when it was seen, where the source says so.
fn hours_unchanged(quote: &Quote) -> Option<f64> {
    Some(quote.snapshot_at?.duration_since(quote.market_updated_at?).as_secs_f64() / 3600.0)
}

/// How far each quote's no-vig probability is from the median at its line, where three books or more stand there.
fn distances_of_minds(mains: &[&Quote], implied: impl Fn(&proto::Price) -> f64) -> Vec<f64> {
    let mut by_line: BTreeMap<i32, Vec<f64>> = BTreeMap::new();
    for quote in mains.iter().filter(|q| q.book.as_deref() != Some("bovada")) {
        let (over, under) = (implied(quote.over.as_ref().unwrap()), implied(quote.under.as_ref().unwrap()));
        by_line.entry(quote.line.half_points()).or_default().push(over / (over + under));
    }
    by_line.retain(|_, minds| minds.len() >= 3);
    let distances = by_line.into_values().flat_map(|mut minds| {
        minds.sort_by(f64::total_cmp);
        let median = (minds[(minds.len() - 1) / 2] + minds[minds.len() / 2]) / 2.0;
        minds.into_iter().map(move |mind| (mind - median).abs())
    });
    distances.collect()
}

const LINE_CODES: [Code; 11] = [
    Code::WrongMarket,
    Code::Placeholder,
    Code::BookExcluded,
    Code::InPlay,
    Code::Stale,
    Code::OneSided,
    Code::PriceOutOfRange,
    Code::HoldOutOfRange,
    Code::DuplicateQuote,
    Code::Outlier,
    Code::OffGrid,
];

#[test]
fn clean_quotes_are_hardly_ever_refused() {
    let Some(data) = folder() else { return };
    let real = read(offers(&data));
    let points = Market::points();
    print_figures(&real, None);
    print_figures(&real, Some(&points));
    let (own, points) = (each_snapshot(&real, None), each_snapshot(&real, Some(&points)));
    let (backfill, live) = (as_jobs(&real, true), as_jobs(&real, false));
    println!("{} points offered, refused before they are quotes: {:?}", real.offers, real.refused_before);
    let heads = [&own, &points, &backfill, &live].map(|tally| tally.judged);
    println!("judged: {heads:?}");
    for code in LINE_CODES {
        let cell = |tally: &Tally| format!("{} ({:.3} %)", tally.count(code), tally.percent(code));
        let example = own.codes.get(&code).or_else(|| backfill.codes.get(&code)).map_or("", |(_, s)| s);
        println!(
            "| `{code}` | {} | {} | {} | {} | {example} |",
            cell(&own),
            cell(&points),
            cell(&backfill),
            cell(&live)
        );
    }
    assert!(own.judged > 300_000 && points.judged > 50_000, "the whole data was read");
    for tally in [&own, &points] {
        let judgement = [Code::PriceOutOfRange, Code::HoldOutOfRange, Code::Outlier];
        let refused: f64 = judgement.iter().map(|code| tally.percent(*code)).sum();
        assert!(refused <= 0.5, "price, hold and median refuse {refused:.3} % of clean main quotes");
    }
    assert_eq!(
        own.count(Code::Placeholder) + own.count(Code::WrongMarket) + own.count(Code::DuplicateQuote),
        0
    );
}
