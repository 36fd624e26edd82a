//! Every statistic against figures worked out by hand.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use super::*;

/// Five rows of two dates on a line of 20.5 at -110 both ways, told by prediction, result and probability.
const ROWS: [(&str, &str, f64, f64, Option<f64>); 5] = [
    ("2025-10-26", "ann", 22.0, 25.0, Some(0.6)),  // over by 1.5, won
    ("2025-10-26", "bob", 20.0, 21.0, Some(0.4)),  // under by 0.5, lost
    ("2025-10-27", "cec", 14.5, 10.0, Some(0.25)), // under by 6, won
    ("2025-10-27", "dan", 24.0, 18.0, Some(0.75)), // over by 3.5, lost
    ("2025-10-27", "eve", 20.5, 30.0, None),       // no side
];

fn row(date: &str, player: &str, predicted: f64, actual: f64, over_probability: Option<f64>) -> Scored {
    let game = format!("{}_BOS_MIA", date.replace('-', ""));
    Scored {
        job: JobId { player: player.parse().unwrap(), game: game.parse().unwrap() },
        system: "sys_a".parse().unwrap(),
        market: Market::points(),
        predicted,
        line: "20.5".parse().unwrap(),
        actual,
        over_probability,
        no_vig_over: 0.5,
        over_price: "-110".parse().unwrap(),
        under_price: "120".parse().unwrap(),
    }
}

fn rows() -> Vec<Scored> {
    ROWS.iter()
        .map(|(date, player, predicted, actual, p)| row(date, player, *predicted, *actual, *p))
        .collect()
}

fn of(rows: &[Scored]) -> SystemReport {
    evaluate(rows, Options::default()).markets[0].systems[0].clone()
}

#[track_caller]
fn near(got: f64, want: f64) {
    assert!((got - want).abs() < 1e-12, "{got} is not {want}");
}

#[test]
fn errors_by_hand() {
    let report = of(&rows());
    assert_eq!((report.n, report.dates), (5, 2));
    // |off| 3, 1, 4.5, 6, 9.5; signed -3, -1, 4.5, 6, -9.5; the line is off by 4.5, 0.5, 10.5, 2.5, 9.5.
    near(report.errors.mae.value, 24.0 / 5.0);
    near(report.errors.bias.value, -3.0 / 5.0);
    near(report.errors.line_mae.value, 27.5 / 5.0);
    near(report.errors.mae_minus_line.value, -3.5 / 5.0);
    // The first date alone is off by 2, the second by 20/3: the ends of the interval of two dates.
    near(report.errors.mae.low.unwrap(), 2.0);
    near(report.errors.mae.high.unwrap(), 20.0 / 3.0);
}

#[test]
fn weeks_begin_on_monday() {
    let weeks = of(&rows()).weeks;
    let mondays: Vec<String> = weeks.iter().map(|week| week.monday.to_string()).collect();
    assert_eq!(mondays, ["2025-10-20", "2025-10-27"]);
    assert_eq!((weeks[0].n, weeks[1].n), (2, 3));
    near(weeks[0].mae, 2.0);
    near(weeks[0].line_mae, 2.5);
    near(weeks[1].mae, 20.0 / 3.0);
}

#[test]
fn probabilities_by_hand() {
    let found = of(&rows()).probability.unwrap();
    assert_eq!(found.n, 4, "the row without a probability is left out, for the market too");
    near(found.brier.value, (0.16 + 0.36 + 0.0625 + 0.5625) / 4.0);
    near(found.market_brier.value, 0.25);
    near(found.brier_minus_market.value, found.brier.value - 0.25);
    let log_loss = -(0.6_f64.ln() + 0.4_f64.ln() + 0.75_f64.ln() + 0.25_f64.ln()) / 4.0;
    near(found.log_loss.value, log_loss);
    near(found.market_log_loss.value, 2.0_f64.ln());
    near(found.log_loss_minus_market.value, log_loss - 2.0_f64.ln());
    let bins: Vec<_> = found.reliability.iter().map(|bin| (bin.from, bin.n, bin.share_over)).collect();
    assert_eq!(bins, [(0.2, 1, 0.0), (0.4, 1, 1.0), (0.6, 1, 1.0), (0.7, 1, 0.0)]);
    assert_eq!(found.market_reliability.len(), 1);
    assert_eq!((found.market_reliability[0].n, found.market_reliability[0].share_over), (4, 0.5));
}

#[test]
fn bets_by_hand() {
    let mut rows = rows();
    let whole = Scored { line: "20".parse().unwrap(), ..row("2025-10-26", "fay", 21.0, 20.0, Some(0.5)) };
    rows.push(whole);
    let buckets = of(&rows).buckets;
    let counts: Vec<_> = buckets.iter().map(|bucket| (bucket.from, bucket.bets, bucket.pushes)).collect();
    assert_eq!(counts, [(0.0, 1, 0), (1.0, 2, 1), (2.0, 0, 0), (3.0, 1, 0), (5.0, 1, 0)]);
    let of = |at: usize| (buckets[at].hit_rate.map(|e| e.value), buckets[at].roi.map(|e| e.value));
    assert_eq!(of(0), (Some(0.0), Some(-1.0)));
    // An over won at -110 wins 10/11; the push is a stake that wins nothing and no decision.
    assert_eq!(of(1).0, Some(1.0));
    near(of(1).1.unwrap(), 10.0 / 11.0 / 2.0);
    assert_eq!(of(2), (None, None));
    // An under won at +120.
    assert_eq!(of(4).0, Some(1.0));
    near(of(4).1.unwrap(), 1.2);
    assert_eq!(buckets[4].to, None);
}

#[test]
fn a_push_has_no_place_among_probabilities() {
    let on = |line: &str, actual| Scored {
        line: line.parse().unwrap(),
        actual,
        ..row("2025-10-26", "gus", 21.0, 20.0, Some(0.5))
    };
    assert!(of(&[on("20", 20.0), on("20", 25.0)]).probability.is_none(), "whole-number lines are left out");
    assert_eq!(of(&[on("20.5", 20.0), on("20", 25.0)]).probability.unwrap().n, 1);
}

#[test]
fn a_certainty_that_fails_costs_much_and_not_everything() {
    let found = of(&[row("2025-10-26", "hal", 25.0, 10.0, Some(1.0))]).probability.unwrap();
    near(found.log_loss.value, -(1e-6_f64.ln()));
    assert_eq!(found.reliability[0].from, 0.9, "1 belongs to the last bin");
}

#[test]
fn correlations_by_hand() {
    let system = |name: &str, errors: [f64; 3]| {
        let named = name.parse::<SystemId>().unwrap();
        ["ann", "bob", "cec"].into_iter().zip(errors).map(move |(player, error)| Scored {
            system: named.clone(),
            ..row("2025-10-26", player, 20.0 + error, 20.0, None)
        })
    };
    let mut rows: Vec<Scored> = system("sys_a", [1.0, 2.0, 3.0]).collect();
    rows.extend(system("sys_b", [-2.0, -4.0, -6.0]));
    rows.extend(system("sys_c", [1.0, 3.0, 2.0]));
    rows.extend(system("sys_d", [5.0, 5.0, 5.0]));
    rows.pop();
    let pairs = evaluate(&rows, Options::default()).markets[0].correlations.clone();
    let found: Vec<_> =
        pairs.iter().map(|pair| (pair.a.as_str(), pair.b.as_str(), pair.n, pair.correlation)).collect();
    assert_eq!(found.len(), 6);
    let of = |a: &str, b: &str| found.iter().find(|pair| (pair.0, pair.1) == (a, b)).unwrap();
    near(of("sys_a", "sys_b").3.unwrap(), -1.0);
    near(of("sys_a", "sys_c").3.unwrap(), 0.5);
    assert_eq!(
        (of("sys_a", "sys_d").2, of("sys_a", "sys_d").3),
        (2, None),
        "who errs always the same tells nothing"
    );
}

#[test]
fn the_order_of_rows_and_other_systems_change_nothing() {
    let mut mixed = rows();
    mixed.reverse();
    assert_eq!(evaluate(&rows(), Options::default()), evaluate(&mixed, Options::default()));
    let other =
        rows().into_iter().map(|row| Scored { system: "sys_b".parse().unwrap(), predicted: 0.0, ..row });
    mixed.extend(other);
    let both = evaluate(&mixed, Options::default());
    assert_eq!(both.markets[0].systems[0], of(&rows()), "the better one comes first, unchanged");
    assert_eq!(both.markets[0].systems.len(), 2);
}

#[test]
fn markets_are_apart_and_what_is_no_number_is_counted() {
    let mut rows = rows();
    rows.push(Scored { market: "rebounds".parse().unwrap(), ..row("2025-10-26", "ann", 9.0, 8.0, None) });
    rows.push(row("2025-10-26", "ivy", f64::NAN, 8.0, None));
    let report = evaluate(&rows, Options::default());
    let names: Vec<_> = report.markets.iter().map(|market| market.market.as_str()).collect();
    assert_eq!((names, report.not_finite), (vec!["points", "rebounds"], 1));
    assert_eq!(report.markets[0].systems[0].n, 5);
    assert_eq!(report.markets[1].systems[0].errors.mae.low, None, "one date has no interval");
    assert_eq!(evaluate(&[], Options::default()).markets, []);
}

/// The rows of [`ROWS`] again, by somebody whose answers are shifted.
fn shifted(by: f64, over_probability: Option<f64>) -> Vec<Scored> {
    let other = |row: Scored| Scored {
        system: "sys_b".parse().unwrap(),
        predicted: row.predicted + by,
        over_probability: row.over_probability.and(over_probability),
        ..row
    };
    rows().into_iter().map(other).collect()
}

fn compared(rows: &[Scored]) -> Option<Comparison> {
    let (a, b) = ("sys_a".parse().unwrap(), "sys_b".parse().unwrap());
    compare(rows, &Market::points(), &a, &b, Options::default())
}

#[test]
fn a_comparison_by_hand() {
    let mut both = [rows(), shifted(1.0, Some(0.5))].concat();
    // One row that only the first answered, one that the second answered at another line.
    both.push(row("2025-10-26", "fay", 21.0, 20.0, None));
    both.push(row("2025-10-27", "gus", 21.0, 20.0, None));
    let elsewhere = Scored { line: "21.5".parse().unwrap(), ..row("2025-10-27", "gus", 21.0, 20.0, None) };
    both.push(Scored { system: "sys_b".parse().unwrap(), ..elsewhere });
    let found = compared(&both).unwrap();
    assert_eq!((found.n, found.dates, found.unpaired), (5, 2, 3));
    // |off| 3, 1, 4.5, 6, 9.5 against 2, 0, 5.5, 7, 8.5: better by 1, 1, -1, -1, 1.
    near(found.mae.a, 24.0 / 5.0);
    near(found.mae.b, 23.0 / 5.0);
    near(found.mae.difference.value, 0.2);
    // The first date alone is 1, the second -1/3: the ends of the interval of two dates hold zero.
    near(found.mae.difference.low.unwrap(), -1.0 / 3.0);
    near(found.mae.difference.high.unwrap(), 1.0);
    assert_eq!(found.mae.better, None);
    near(found.bias.difference.value, -1.0);
    assert_eq!(found.bias.better, None, "a bias is near zero or not, never less");
    near(found.correlation.unwrap(), 1.0);
    // Sides of the first: +, -, -, +, none; of the second: +, + (20 + 1), -, +, +.
    near(found.same_side.unwrap(), 3.0 / 4.0);
    let brier = found.brier.unwrap();
    assert_eq!(brier.n, 4);
    near(brier.a, (0.16 + 0.36 + 0.0625 + 0.5625) / 4.0);
    near(brier.b, 0.25);
    // The first takes a side on four: won 10/11, lost, won 1.2, lost; the second wins bob's too.
    let profit = found.profit.unwrap();
    assert_eq!(profit.n, 4);
    near(profit.a, (10.0 / 11.0 - 1.0 + 1.2 - 1.0) / 4.0);
    near(profit.b, (10.0 / 11.0 + 10.0 / 11.0 + 1.2 - 1.0) / 4.0);
}

#[test]
fn who_is_better_on_every_date_is_named_whichever_comes_first() {
    // Five too high on every row, beside somebody who is right.
    let mut both: Vec<Scored> =
        rows().into_iter().map(|row| Scored { predicted: row.actual, ..row }).collect();
    both.extend(both.clone().into_iter().map(|row| Scored {
        system: "sys_b".parse().unwrap(),
        predicted: row.actual + 5.0,
        ..row
    }));
    let found = compared(&both).unwrap();
    assert_eq!(found.mae.better.unwrap().as_str(), "sys_a");
    let (a, b) = ("sys_b".parse().unwrap(), "sys_a".parse().unwrap());
    let swapped = compare(&both, &Market::points(), &a, &b, Options::default()).unwrap();
    assert_eq!(swapped.mae.better.unwrap().as_str(), "sys_a");
    near(swapped.mae.difference.value, 5.0);
}

#[test]
fn no_row_in_common_is_no_comparison_and_one_date_decides_nothing() {
    assert_eq!(compared(&rows()), None);
    let elsewhere = shifted(1.0, None).into_iter().map(|row| Scored { line: "9.5".parse().unwrap(), ..row });
    assert_eq!(compared(&[rows(), elsewhere.collect()].concat()), None);
    let both = [rows(), shifted(30.0, None)].concat();
    let one: Vec<Scored> = both.into_iter().filter(|row| row.date().to_string() == "2025-10-26").collect();
    let found = compared(&one).unwrap();
    assert!(found.mae.difference.value < -20.0 && found.mae.better.is_none(), "{found:?}");
    assert_eq!(found.brier, None, "only one of them has a probability");
}
