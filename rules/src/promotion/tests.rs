//! Every gate at its threshold, from rows made for it.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use proptest::prelude::*;
use proto::JobId;

use super::*;

/// Rows of one margin: so many, of which so many are won, over four dates in turn.
fn bets(name: &str, margin: f64, n: usize, won: usize) -> Vec<Scored> {
    (0..n)
        .map(|at| {
            let date = ["20251027", "20251028", "20251029", "20251030"][at % 4];
            let line: f64 = 15.5;
            // Two off on the side of the bet, or two off on the other one.
            let toward = if margin > 0.0 { 2.0 } else { -2.0 };
            Scored {
                job: JobId {
                    player: format!("{name}{at}").parse().unwrap(),
                    game: format!("{date}_BOS_MIA").parse().unwrap(),
                },
                system: "sys_a".parse().unwrap(),
                market: Market::points(),
                predicted: line + margin,
                line: "15.5".parse().unwrap(),
                actual: if at < won { line + toward } else { line - toward },
                over_probability: None,
                no_vig_over: 0.5,
                over_price: "-110".parse().unwrap(),
                under_price: "-110".parse().unwrap(),
            }
        })
        .collect()
}

/// A season that passes everything: overs and unders alike, six of ten won, large margins among them.
fn good() -> Vec<Scored> {
    [
        bets("small", 0.5, 60, 31),
        bets("over", 3.5, 30, 18),
        bets("under", -3.5, 30, 18),
        bets("large", 5.5, 10, 6),
        bets("largeunder", -5.5, 10, 6),
    ]
    .concat()
}

fn proven() -> Record {
    Record { in_sample: 0, shadow_days: 5, twin: None }
}

fn of(rows: &[Scored], record: &Record) -> Vec<Gate> {
    let (system, market) = ("sys_a".parse().unwrap(), Market::points());
    judge(rows, &system, &market, record, Options::default())
}

fn refusing(rows: &[Scored], record: &Record) -> Vec<&'static str> {
    of(rows, record).iter().filter(|gate| gate.refuses()).map(|gate| gate.gate).collect()
}

fn gate(gates: &[Gate], name: &str) -> Gate {
    gates.iter().find(|gate| gate.gate == name).unwrap_or_else(|| panic!("{name}: {gates:#?}")).clone()
}

#[test]
fn every_gate_is_named_with_figure_and_threshold() {
    let gates = of(&good(), &proven());
    let page: String = gates
        .iter()
        .map(|gate| {
            let mark = if gate.passed { "ok" } else { "no" };
            format!("{mark:2} {:?} {}: {}\n", gate.weight, gate.gate, gate.sentence)
        })
        .collect();
    insta::assert_snapshot!("gates", page);
    assert_eq!(refusing(&good(), &proven()), [""; 0]);
}

#[test]
fn each_gate_refuses_below_its_threshold_and_not_at_it() {
    // 3 or more: 80 bets. What is changed, and which gates then refuse.
    let without = |names: &[&str]| -> Vec<Scored> {
        let is_named = |row: &Scored| {
            let player = row.job.player.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
            names.contains(&player)
        };
        good().into_iter().filter(|row| !is_named(row)).collect()
    };
    let with = |names: &[&str], more: &[Vec<Scored>]| [without(names), more.concat()].concat();
    let none: [&str; 0] = [];
    let cases: Vec<(&str, Vec<Scored>, Vec<&str>)> = vec![
        (
            "thirty-nine bets",
            with(&["over", "under", "largeunder"], &[bets("over", 3.5, 10, 6), bets("under", -3.5, 19, 12)]),
            vec!["hit_rate", "hit_rate_under"],
        ),
        (
            "forty bets",
            with(&["over", "under", "largeunder"], &[bets("over", 3.5, 10, 6), bets("under", -3.5, 20, 12)]),
            vec![],
        ),
        ("nineteen overs", with(&["over"], &[bets("over", 3.5, 9, 6)]), vec!["hit_rate_over"]),
        (
            "a losing side",
            with(&["under", "largeunder"], &[bets("under", -3.5, 40, 20)]),
            vec!["hit_rate_under"],
        ),
        (
            "seven large ones",
            with(&["large", "largeunder", "over"], &[bets("over", 3.5, 34, 21), bets("large", 5.5, 7, 7)]),
            vec!["hit_rate_large"],
        ),
        (
            "large ones at 54 %",
            with(&["large", "largeunder"], &[bets("large", 5.5, 13, 7)]),
            vec!["hit_rate_large"],
        ),
        ("large ones at 55 %", with(&["large", "largeunder"], &[bets("large", 5.5, 20, 11)]), vec![]),
        ("too high on the whole", with(&[], &[bets("high", 2.9, 200, 110)]), vec!["lean"]),
        (
            "nothing at all",
            Vec::new(),
            vec!["hit_rate", "hit_rate_over", "hit_rate_under", "hit_rate_large", "lean"],
        ),
    ];
    for (what, rows, expected) in cases {
        assert_eq!(refusing(&rows, &proven()), expected, "{what}: {:#?}", of(&rows, &proven()));
    }
    assert_eq!(refusing(&good(), &proven()), none);
}

#[test]
fn a_hit_rate_that_chance_may_explain_refuses_nobody() {
    // Half of 80 on four dates, each between 40 and 60 %: the interval reaches 53 %.
    let rows: Vec<Scored> = bets("over", 3.5, 80, 80)
        .into_iter()
        .enumerate()
        .map(|(at, row)| {
            let share = [0.4, 0.45, 0.55, 0.6][at % 4];
            let is_won = (at / 4) as f64 / 20.0 < share;
            Scored { actual: if is_won { 17.5 } else { 13.5 }, ..row }
        })
        .collect();
    let found = gate(&of(&rows, &proven()), "hit_rate");
    let rate = found.figure.unwrap();
    assert!(
        (rate.value - 0.5).abs() < 1e-9 && rate.high.unwrap() >= MIN_HIT_RATE && found.passed,
        "{found:?}"
    );
    // The same on one date has no interval, and the figure itself counts.
    let one: Vec<Scored> = rows
        .into_iter()
        .map(|row| Scored { job: JobId { game: "20251027_BOS_MIA".parse().unwrap(), ..row.job }, ..row })
        .collect();
    assert!(!gate(&of(&one, &proven()), "hit_rate").passed);
}

#[test]
fn the_record_is_judged_beside_the_rows() {
    for (record, expected) in [
        (Record { in_sample: 1, ..proven() }, "no_overlap"),
        (Record { shadow_days: 1, ..proven() }, "shadow_days"),
        (Record { twin: Some("sys_b".to_owned()), ..proven() }, "no_duplicate_window"),
    ] {
        assert_eq!(refusing(&good(), &record), [expected]);
        let sentence = gate(&of(&good(), &record), expected).sentence;
        assert!(sentence.contains("allowed") || sentence.contains("required"), "{sentence}");
    }
    assert_eq!(refusing(&good(), &Record { shadow_days: 2, ..proven() }), [""; 0]);
}

#[test]
fn a_bias_among_the_best_is_seen_and_a_tier_of_few_is_not_judged() {
    let star = |at: usize, off: f64| Scored {
        line: "25.5".parse().unwrap(),
        predicted: 26.0,
        actual: 26.0 - off,
        ..bets("star", 0.5, at + 1, 0).pop().unwrap()
    };
    let stars = |n: usize, off: f64| [good(), (0..n).map(|at| star(at, off)).collect()].concat();
    assert_eq!(refusing(&stars(20, 5.5), &proven()), ["bias_high"]);
    assert_eq!(refusing(&stars(20, -5.5), &proven()), ["bias_high"]);
    assert_eq!(refusing(&stars(20, 5.0), &proven()), [""; 0]);
    assert_eq!(refusing(&stars(19, 5.5), &proven()), [""; 0]);
    assert!(gate(&of(&good(), &proven()), "bias_high").sentence.contains("too few"));
}

#[test]
fn soft_gates_are_said_and_refuse_nothing() {
    let far = [good(), bets("far", 0.25, 400, 200)]
        .concat()
        .into_iter()
        .map(|row| Scored { actual: row.line.points() + 5.0 * (row.actual - row.line.points()), ..row })
        .collect::<Vec<_>>();
    let gates = of(&far, &proven());
    for name in ["mae", "mean_edge"] {
        let found = gate(&gates, name);
        assert!(!found.passed && !found.refuses(), "{found:?}");
    }
}

#[test]
fn other_markets_have_their_own_unit_or_no_thresholds() {
    let points = Limits::of(&Market::points()).unwrap();
    assert_eq!((points.edge, points.large_edge, points.lean, points.mae), (3.0, 5.0, 1.5, 5.5));
    let threes = Limits::of(&"threes".parse().unwrap()).unwrap();
    assert_eq!((threes.edge, threes.large_edge), (0.69, 1.15));
    let (system, steals) = ("sys_a".parse().unwrap(), "steals".parse().unwrap());
    let gates = judge(&good(), &system, &steals, &proven(), Options::default());
    let limits = gate(&gates, "limits");
    assert!(limits.refuses() && limits.sentence.contains("steals"), "{limits:?}");
}

#[test]
fn incident_87_a_figure_that_is_no_number_passes_nothing() {
    let mut rows = good();
    rows[0].predicted = f64::NAN;
    let refused = refusing(&rows, &proven());
    assert!(refused.contains(&"lean"), "{refused:?}");
}

proptest! {
    #[test]
    fn rows_of_others_and_their_order_change_nothing(seed in any::<u64>(), others in 0..40_usize) {
        let mut rows = good();
        let foreign = bets("over", 4.0, others, 0);
        rows.extend(foreign.iter().cloned().map(|row| Scored { system: "sys_b".parse().unwrap(), ..row }));
        rows.extend(foreign.into_iter().map(|row| Scored { market: "rebounds".parse().unwrap(), ..row }));
        let mut random = crate::evaluate::SplitMix::new(seed);
        for at in (1..rows.len()).rev() {
            rows.swap(at, random.below(at + 1));
        }
        let (mixed, plain) = (of(&rows, &proven()), of(&good(), &proven()));
        let key = |gates: &[Gate]| gates.iter().map(|gate| (gate.gate, gate.passed, gate.n)).collect::<Vec<_>>();
        prop_assert_eq!(key(&mixed), key(&plain));
    }

    #[test]
    fn winning_more_never_closes_a_hit_rate(won in 0..30_usize, more in 0..10_usize) {
        let rows = |won: usize| [bets("over", 3.5, 40, won), bets("under", -3.5, 40, 24)].concat();
        let passed = |won: usize| {
            let gates = of(&rows(won), &proven());
            ["hit_rate", "hit_rate_over"].map(|name| gate(&gates, name).passed)
        };
        let (less, more) = (passed(won), passed(won + more));
        prop_assert!(less.iter().zip(&more).all(|(less, more)| more >= less));
    }
}
