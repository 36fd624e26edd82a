//! The figures as tables for a terminal.

use rules::evaluate::{Bucket, Estimate, MarketReport, SystemReport};

use super::{Evaluation, is_baseline};
use crate::cli::output::table;

/// The whole page.
pub(super) fn page(evaluation: &Evaluation) -> String {
    let Evaluation { from, to, games, report, .. } = evaluation;
    let resamples = report.options.resamples;
    let mut page = format!(
        "{from} to {to}: {games} games, each as of its tip-off; [95 % intervals over dates, {resamples} resamples]\n"
    );
    let players: Vec<String> = evaluation.jobs.iter().map(|(code, n)| format!("{n} {code}")).collect();
    page += &format!("players: {}\n", players.join(", "));
    if let (Some(first), n) = (evaluation.refits.first(), evaluation.refits.len()) {
        page += &format!("{n} refits answered, the first from {first} on\n");
    }
    for market in &report.markets {
        page += &market_page(market);
    }
    page + &remarks(evaluation)
}

fn market_page(market: &MarketReport) -> String {
    let mut page = format!("\n{}: error\n\n{}\n", market.market, errors(market));
    if market.systems.iter().any(|system| system.probability.is_some()) {
        page += &format!("\n{}: probability of the over\n\n{}\n", market.market, probabilities(market));
    }
    page += &format!(
        "\n{}: return on one unit a bet, by size of the margin\n\n{}\n",
        market.market,
        returns(market)
    );
    page
}

fn name(system: &SystemReport) -> String {
    let mark = if is_baseline(&system.system) { " *" } else { "" };
    format!("{}{mark}", system.system)
}

fn errors(market: &MarketReport) -> String {
    let rows = market.systems.iter().map(|system| {
        let errors = &system.errors;
        vec![
            name(system),
            system.n.to_string(),
            format!("{:.3}", errors.mae.value),
            format!("{:.3}", errors.line_mae.value),
            with_interval(&errors.mae_minus_line, |value| format!("{value:+.3}")),
            with_interval(&errors.bias, |value| format!("{value:+.2}")),
        ]
    });
    table(&["system", "rows", "mae", "line's", "difference", "bias"], &[1, 2, 3], rows)
}

fn probabilities(market: &MarketReport) -> String {
    let rows = market.systems.iter().filter_map(|system| {
        let found = system.probability.as_ref()?;
        Some(vec![
            name(system),
            found.n.to_string(),
            format!("{:.4}", found.brier.value),
            format!("{:.4}", found.market_brier.value),
            with_interval(&found.brier_minus_market, |value| format!("{value:+.4}")),
            format!("{:.4}", found.log_loss.value),
            format!("{:.4}", found.market_log_loss.value),
        ])
    });
    let header = ["system", "rows", "brier", "market's", "difference", "log loss", "market's"];
    table(&header, &[1, 2, 3, 5, 6], rows)
}

fn returns(market: &MarketReport) -> String {
    let buckets = market.systems.first().map(|system| system.buckets.as_slice()).unwrap_or_default();
    let names: Vec<String> = buckets.iter().map(|bucket| format!("margin {}", bucket_name(bucket))).collect();
    let header: Vec<&str> = ["system"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let rows = market.systems.iter().map(|system| {
        let cells = system.buckets.iter().map(|bucket| match (&bucket.roi, &bucket.hit_rate) {
            (Some(roi), Some(hits)) => {
                let roi = with_interval(roi, |value| format!("{:+.0}%", value * 100.0));
                format!("{roi} {:.0}% of {}", hits.value * 100.0, bucket.bets)
            }
            _ => "-".to_owned(),
        });
        [name(system)].into_iter().chain(cells).collect()
    });
    table(&header, &[], rows)
}

/// `0-1`, `5+`.
pub(super) fn bucket_name(bucket: &Bucket) -> String {
    match bucket.to {
        Some(to) => format!("{}-{to}", bucket.from),
        None => format!("{}+", bucket.from),
    }
}

/// `1.5 [1.2, 1.8]`.
pub(in crate::cli::local) fn with_interval(estimate: &Estimate, show: impl Fn(f64) -> String) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{} [{}, {}]", show(estimate.value), show(low), show(high)),
        _ => show(estimate.value),
    }
}

fn remarks(evaluation: &Evaluation) -> String {
    let mut page = "\n* needs no model. Correlations and weeks: --json or --html.\n".to_owned();
    let left_out = evaluation.left_out.iter().filter(|row| row.rows != super::LeftOut::default());
    let rows: Vec<Vec<String>> = left_out
        .map(|row| {
            let counts = &row.rows;
            let numbers = [counts.in_sample, counts.void, counts.no_result, counts.probability_in_sample]
                .map(|n| n.to_string());
            [row.market.to_string(), row.system.to_string()].into_iter().chain(numbers).collect()
        })
        .collect();
    if !rows.is_empty() {
        let header =
            ["market", "left out", "in sample", "did not play", "no box score", "probability in sample"];
        page += &format!("\n{}\n", table(&header, &[2, 3, 4, 5], rows));
    }
    let dates = |dates: &[jiff::civil::Date]| match dates {
        [one] => format!("{one}"),
        [first, .., last] => format!("{} dates from {first} to {last}", dates.len()),
        [] => String::new(),
    };
    if let [first, ..] = evaluation.without_features.as_slice() {
        let last = evaluation.without_features.last().unwrap_or(first);
        let which = dates(&evaluation.without_features);
        page += &format!(
            "\nnot evaluated: no features for {which}; `tipoff features build --game-date {first} --to {last}` makes them\n"
        );
    }
    if !evaluation.without_models.is_empty() {
        let which = dates(&evaluation.without_models);
        page += &format!("\nnot evaluated: no folder of models is named early enough for {which}\n");
    }
    if !evaluation.refused_models.is_empty() {
        let rows =
            evaluation.refused_models.iter().map(|model| vec![model.name.clone(), model.reason.clone()]);
        page += &format!("\n{}\n", table(&["refused", "why"], &[], rows));
    }
    page
}
