//! What people read, from a few rows.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use proto::JobId;
use rules::evaluate::Scored;

use super::*;

/// Twelve rows of each of two systems over six dates; the first has probabilities.
fn sample() -> Evaluation {
    let row = |n: usize, system: &str| {
        let game = format!("202511{:02}_BOS_MIA", 3 + n / 2);
        let is_model = system == "sys_a";
        Scored {
            job: JobId { player: format!("player{n}").parse().unwrap(), game: game.parse().unwrap() },
            system: system.parse().unwrap(),
            market: Market::points(),
            predicted: 20.0 + n as f64 * if is_model { 0.6 } else { 0.1 },
            line: "20.5".parse().unwrap(),
            actual: (15 + n) as f64,
            over_probability: is_model.then_some(0.4 + n as f64 / 50.0),
            no_vig_over: 0.5,
            over_price: "-110".parse().unwrap(),
            under_price: "-110".parse().unwrap(),
        }
    };
    let scored: Vec<Scored> =
        ["sys_a", CONSENSUS].iter().flat_map(|system| (0..12).map(move |n| row(n, system))).collect();
    let left_out = LeftOut { in_sample: 3, void: 1, ..LeftOut::default() };
    let refused = RefusedInfo { name: "b.toml".to_owned(), reason: "the <card> names no feature".to_owned() };
    let date = |text: &str| text.parse::<Date>().unwrap();
    Evaluation {
        from: date("2025-11-03"),
        to: date("2025-11-09"),
        games: 6,
        refits: vec![date("2025-11-03")],
        jobs: [("predicted".to_owned(), 12), ("no_line".to_owned(), 4)].into(),
        left_out: vec![LeftOutRow {
            market: Market::points(),
            system: "sys_a".parse().unwrap(),
            rows: left_out,
        }],
        without_features: vec![date("2025-11-09")],
        without_models: Vec::new(),
        refused_models: vec![refused],
        report: rules::evaluate::evaluate(&scored, Options::default()),
    }
}

#[test]
fn the_tables_are_as_reviewed() {
    insta::assert_snapshot!("evaluation", page::page(&sample()));
}

#[test]
fn the_page_is_whole_and_nothing_in_it_is_markup_that_came_from_a_card() {
    let page = html::page(&sample());
    assert!(page.contains("the &lt;card&gt; names no feature") && !page.contains("<card>"));
    for part in ["Reliability", "by size of the margin", "Correlation of errors", "sys_a", "2025-11-09"] {
        assert!(page.contains(part), "{part}");
    }
    let opened = |tag: &str| page.matches(&format!("<{tag}")).count();
    let closed = |tag: &str| page.matches(&format!("</{tag}>")).count();
    for tag in ["svg", "table", "figure", "text", "td", "tr", "div"] {
        assert_eq!(opened(&format!("{tag} ")) + opened(&format!("{tag}>")), closed(tag), "{tag}");
    }
    for foreign in ["{{", "NaN", "inf", "http"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn nothing_to_show_says_what_to_do() {
    let walk = Walk::over(None).unwrap();
    let date = |text: &str| text.parse::<Date>().unwrap();
    let (from, to) = (date("2025-11-03"), date("2025-11-09"));
    let of = |rows: LeftOut| Gathered {
        games: 6,
        jobs: [("predicted".to_owned(), 12)].into(),
        left_out: [((Market::points(), "sys_a".parse().unwrap()), rows)].into(),
        ..Gathered::default()
    };
    for (gathered, exit, part) in [
        (Gathered::default(), Exit::NotFound, "tipoff ingest"),
        (of(LeftOut { in_sample: 12, ..LeftOut::default() }), Exit::Failed, "all 12 rows"),
        (of(LeftOut { no_result: 12, ..LeftOut::default() }), Exit::NotFound, "no box scores"),
        (of(LeftOut { void: 12, ..LeftOut::default() }), Exit::NotFound, "predicted 12"),
        (
            Gathered { games: 6, without_features: vec![from], ..Gathered::default() },
            Exit::NotFound,
            "tipoff features build --game-date 2025-11-03 --to 2025-11-09",
        ),
        (Gathered { without_models: vec![from], ..Gathered::default() }, Exit::NotFound, "2025-11-03"),
    ] {
        let failure = nothing(&gathered, &walk, from, to);
        let said = failure.to_string();
        assert!(failure.exit == exit && said.contains(part), "{part}: {said}");
    }
}
