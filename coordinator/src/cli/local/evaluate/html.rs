//! The figures as one page that needs no network: tables and inline plots in a fixed frame (`page.html`).

use std::fmt::Write;

use rules::evaluate::{Estimate, MarketReport, SystemReport};

use super::{Evaluation, LAST_TEN, LeftOut, is_baseline, plot};

const FRAME: &str = include_str!("page.html");
/// Systems with a curve of their own by week; more could not be told apart.
const CURVES: usize = 5;

/// The whole page.
pub(super) fn page(evaluation: &Evaluation) -> String {
    let title = format!("Tipoff: evaluation from {} to {}", evaluation.from, evaluation.to);
    let markets: String = evaluation.report.markets.iter().map(market).collect();
    FRAME
        .replace("{{title}}", &escape(&title))
        .replace("{{head}}", &head(evaluation))
        .replace("{{markets}}", &markets)
        .replace("{{remarks}}", &remarks(evaluation))
}

/// Text that may stand in an element or an attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn head(evaluation: &Evaluation) -> String {
    let refits = match (evaluation.refits.first(), evaluation.refits.len()) {
        (Some(first), n) => format!("{n} refits answered, the first from {first} on."),
        (None, _) => "One set of models answered for every date.".to_owned(),
    };
    let players: Vec<String> = evaluation.jobs.iter().map(|(code, n)| format!("{n} {code}")).collect();
    let mut head = format!(
        "<p>{} games, each predicted as of its own tip-off with what was known then. {refits} No row counts whose model was \
         trained on its date or later. Intervals hold 95 % of {} resamples of whole dates (seed {}).</p>\n<p>Players: {}.</p>\n<nav>",
        evaluation.games,
        evaluation.report.options.resamples,
        evaluation.report.options.seed,
        escape(&players.join(", "))
    );
    for market in &evaluation.report.markets {
        let _ = write!(head, "<a href=\"#{0}\">{0}</a>", escape(market.market.as_str()));
    }
    head + "<a href=\"#remarks\">left out</a></nav>\n"
}

fn market(market: &MarketReport) -> String {
    let name = escape(market.market.as_str());
    let mut page = format!("<h2 id=\"{name}\">{name}</h2>\n");
    page += &errors(market);
    page += &by_week(market);
    page += &probabilities(market);
    page += &returns(market);
    page + &correlations(market)
}

fn errors(market: &MarketReport) -> String {
    let name = market.market.as_str();
    let rows: Vec<(String, Estimate)> = market
        .systems
        .iter()
        .map(|system| (system.system.to_string(), system.errors.mae_minus_line))
        .collect();
    let cells = market.systems.iter().map(|system| {
        let errors = &system.errors;
        vec![
            cell("", &system_name(system)),
            cell("", &system.n.to_string()),
            cell("", &format!("{:.3}", errors.mae.value)),
            cell("", &format!("{:.3}", errors.line_mae.value)),
            estimate(&errors.mae_minus_line, 3, true),
            estimate(&errors.bias, 3, false),
        ]
    });
    let header = ["system", "rows", "mean absolute error", "the line's", "difference [95 %]", "bias [95 %]"];
    format!(
        "<h3>Mean absolute error beside the line's</h3>\n<p>Below zero is better than the line on the same rows. \
         Coloured where the whole interval is on one side.</p>\n{}{}",
        plot::forest(&format!("{name}: error beside the line's"), &rows, 3),
        table(&header, cells)
    )
}

fn by_week(market: &MarketReport) -> String {
    let last_ten = market.systems.iter().filter(|system| system.system.as_str() == LAST_TEN);
    let best = market.systems.iter().filter(|system| !is_baseline(&system.system));
    let shown: Vec<&SystemReport> = best.take(CURVES - 1).chain(last_ten).collect();
    let mut key = "<span><i class=\"line\"></i>the line</span>".to_owned();
    for (at, system) in shown.iter().enumerate() {
        let _ = write!(key, "<span><i class=\"s{}\"></i>{}</span>", at + 1, escape(system.system.as_str()));
    }
    format!(
        "<h3>Mean absolute error by week</h3>\n<div class=\"key\">{key}</div>\n{}",
        plot::weeks(&format!("{}: error by week", market.market), &shown)
    )
}

fn probabilities(market: &MarketReport) -> String {
    let judged = || market.systems.iter().filter_map(|system| Some((system, system.probability.as_ref()?)));
    if judged().next().is_none() {
        return "<h3>Probability of the over</h3>\n<p>No system gave one that may be judged.</p>\n"
            .to_owned();
    }
    let rows: Vec<(String, Estimate)> =
        judged().map(|(system, found)| (system.system.to_string(), found.brier_minus_market)).collect();
    let cells = judged().map(|(system, found)| {
        vec![
            cell("", &system_name(system)),
            cell("", &found.n.to_string()),
            cell("", &format!("{:.4}", found.brier.value)),
            cell("", &format!("{:.4}", found.market_brier.value)),
            estimate(&found.brier_minus_market, 4, true),
            cell("", &format!("{:.4}", found.log_loss.value)),
            cell("", &format!("{:.4}", found.market_log_loss.value)),
            estimate(&found.log_loss_minus_market, 4, true),
        ]
    });
    let header = [
        "system",
        "rows",
        "Brier",
        "the market's",
        "difference [95 %]",
        "log loss",
        "the market's",
        "difference [95 %]",
    ];
    let reach = plot::reach(judged().map(|(_, found)| found));
    let figures: String = judged()
        .map(|(system, found)| {
            let label = format!("{} {}: reliability", market.market, system.system);
            figure(&system_name(system), &plot::reliability(&label, found, reach))
        })
        .collect();
    let least = plot::FEWEST_IN_BIN;
    format!(
        "<h3>Brier score beside the no-vig market's</h3>\n<p>Below zero is better than the market on the same rows; half-point \
         lines only.</p>\n{}{}<h3>Reliability</h3>\n<p>Across: what was said; up: the share that went over. Filled: the system; \
         rings: the no-vig market; larger: more rows. Bins of fewer than {least} rows are not drawn.</p>\n\
         <div class=\"few\">{figures}</div>\n",
        plot::forest(&format!("{}: Brier beside the market's", market.market), &rows, 4),
        table(&header, cells)
    )
}

fn returns(market: &MarketReport) -> String {
    let span = plot::span(market.systems.iter().flat_map(|system| &system.buckets));
    let figures: String = market
        .systems
        .iter()
        .map(|system| {
            let label = format!("{} {}: return by margin", market.market, system.system);
            figure(&system_name(system), &plot::returns(&label, &system.buckets, span))
        })
        .collect();
    let cells = market.systems.iter().flat_map(|system| {
        system.buckets.iter().filter(|bucket| bucket.bets > 0).map(move |bucket| {
            let percent = |estimate: &Option<Estimate>| match estimate {
                Some(found) => percent_cell(found),
                None => cell("", "-"),
            };
            vec![
                cell("", &system_name(system)),
                cell("", &super::page::bucket_name(bucket)),
                cell("", &bucket.bets.to_string()),
                cell("", &bucket.pushes.to_string()),
                percent(&bucket.hit_rate),
                percent(&bucket.roi),
            ]
        })
    });
    let header = ["system", "margin", "bets", "pushes", "hit rate [95 %]", "return [95 %]"];
    let fewest = plot::FEWEST_FOR_SCALE;
    format!(
        "<h3>Return on one unit a bet, by size of the margin</h3>\n<p>Every row bet on its side at the offered price. Below each \
         size: the number of bets; sizes of fewer than {fewest} have no say in the scale and may leave it.</p>\n<div class=\"few wide\">{figures}</div>\n<details><summary>as a table</summary>{}</details>\n",
        table(&header, cells)
    )
}

fn correlations(market: &MarketReport) -> String {
    let systems = &market.systems;
    if systems.len() < 2 {
        return String::new();
    }
    let numbers: Vec<String> = (1..=systems.len()).map(|n| n.to_string()).collect();
    let header: Vec<&str> = ["errors of"].into_iter().chain(numbers.iter().map(String::as_str)).collect();
    let between = |a: &SystemReport, b: &SystemReport| {
        let is_it = |x: &SystemReport, y: &SystemReport| {
            let mut pairs = market.correlations.iter();
            pairs.find(|pair| pair.a == x.system && pair.b == y.system).and_then(|pair| pair.correlation)
        };
        is_it(a, b).or_else(|| is_it(b, a))
    };
    let cells = systems.iter().enumerate().map(|(at, a)| {
        let name = cell("", &format!("{} {}", at + 1, system_name(a)));
        let others = systems.iter().map(|b| match between(a, b) {
            Some(correlation) => {
                // Most are near one; the difference is what there is to see.
                let share = ((correlation - 0.5) * 2.0).clamp(0.0, 1.0);
                format!("<td class=\"heat\" style=\"--share:{share:.2}\">{correlation:.2}</td>")
            }
            None => cell("", ""),
        });
        [name].into_iter().chain(others).collect()
    });
    format!(
        "<h3>Correlation of errors</h3>\n<p>Two systems near one are one opinion.</p>\n{}",
        table(&header, cells)
    )
}

fn remarks(evaluation: &Evaluation) -> String {
    let mut page = "<h2 id=\"remarks\">Left out</h2>\n".to_owned();
    let left_out = evaluation.left_out.iter().filter(|row| row.rows != LeftOut::default());
    let cells: Vec<Vec<String>> = left_out
        .map(|row| {
            let counts = &row.rows;
            let numbers = [counts.in_sample, counts.void, counts.no_result, counts.probability_in_sample];
            let name = format!("{}: {}", row.market, row.system);
            [name].into_iter().chain(numbers.map(|n| n.to_string())).map(|text| cell("", &text)).collect()
        })
        .collect();
    page += match cells.is_empty() {
        true => "<p>No row.</p>\n",
        false => {
            "<p>Rows that are in no figure, by why. In sample: the model was trained on that date or later.</p>\n"
        }
    };
    let header = ["market: system", "in sample", "did not play", "no box score", "probability in sample"];
    if !cells.is_empty() {
        page += &table(&header, cells);
    }
    let lists = [
        ("Dates without features", &evaluation.without_features),
        ("Dates before the first folder of models", &evaluation.without_models),
    ];
    for (what, dates) in lists.into_iter().filter(|(_, dates)| !dates.is_empty()) {
        let dates: Vec<String> = dates.iter().map(ToString::to_string).collect();
        let _ = writeln!(page, "<p>{what}: {}.</p>", dates.join(", "));
    }
    if !evaluation.refused_models.is_empty() {
        let words = |text: &str| cell("words", text);
        let cells =
            evaluation.refused_models.iter().map(|model| vec![words(&model.name), words(&model.reason)]);
        page += &format!("<h3>Models that were refused</h3>\n{}", table(&["model", "why"], cells));
    }
    page
}

fn system_name(system: &SystemReport) -> String {
    let mark = if is_baseline(&system.system) { " (no model)" } else { "" };
    format!("{}{mark}", system.system)
}

fn figure(caption: &str, plot: &str) -> String {
    format!("<figure><figcaption>{}</figcaption>\n{plot}</figure>\n", escape(caption))
}

fn cell(class: &str, text: &str) -> String {
    format!("<td class=\"{class}\">{}</td>", escape(text))
}

/// A figure with its interval; where lower is better, coloured if the interval leaves no doubt.
fn estimate(found: &Estimate, digits: usize, lower_is_better: bool) -> String {
    let class = match (found.low, found.high) {
        (_, Some(high)) if lower_is_better && high < 0.0 => "good",
        (Some(low), _) if lower_is_better && low > 0.0 => "bad",
        _ => "",
    };
    let interval = match (found.low, found.high) {
        (Some(low), Some(high)) => format!(" <small>[{low:+.digits$}, {high:+.digits$}]</small>"),
        _ => String::new(),
    };
    format!("<td class=\"{class}\">{:+.digits$}{interval}</td>", found.value)
}

fn percent_cell(found: &Estimate) -> String {
    let percent = |value: f64| format!("{:.1}%", value * 100.0);
    let interval = match (found.low, found.high) {
        (Some(low), Some(high)) => format!(" <small>[{}, {}]</small>", percent(low), percent(high)),
        _ => String::new(),
    };
    format!("<td>{}{interval}</td>", percent(found.value))
}

fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let header: String = header.iter().map(|name| format!("<th>{}</th>", escape(name))).collect();
    let rows: String = rows.into_iter().map(|cells| format!("<tr>{}</tr>\n", cells.concat())).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}
