//! Features as people read them.

use jiff::civil::Date;
use pipeline::features::BuildReport;
use pipeline::features::look::{BuildDifference, CheckReport};
use pipeline::stages::StageReport;
use rules::columns::Column;

use super::look::{Pair, Shown};
use crate::cli::output::{pairs as key_values, table};
use crate::cli::render::number;

/// Differences are listed up to here; all are counted.
const MAX_LISTED: usize = 200;

/// What one stage did.
pub(super) fn stage(report: &StageReport, date: Date) -> String {
    let mut page = match (&report.build, report.events) {
        (Some(report), _) => build(report),
        (None, events) => {
            format!("the context of {} events of {date} was derived again\n", events.unwrap_or(0))
        }
    };
    page.extend(report.overridden.iter().map(|why| format!("overridden: {why}\n")));
    page
}

/// What a build did.
pub(super) fn build(report: &BuildReport) -> String {
    let days = report.days.iter().map(|(date, day)| {
        vec![
            date.to_string(),
            day.games.to_string(),
            day.rows.to_string(),
            day.ready.to_string(),
            number(day.mean_quality),
            if day.blocked.is_empty() { "yes".to_owned() } else { "no".to_owned() },
            day.without_team.join(", "),
        ]
    });
    let header =
        ["date", "games", "rows", "ready", "quality", "stored", "quoted, but not of a team that plays"];
    let mut page = format!(
        "contract {}: {} rows\n\n{}\n",
        report.contract,
        report.rows,
        table(&header, &[1, 2, 3, 4], days)
    );
    for (date, day) in report.days.iter().filter(|(_, day)| !day.blocked.is_empty()) {
        page += &format!("\n{date} is not stored: {}\n", day.blocked.join("; "));
    }
    for fault in &report.faults {
        page += &format!("\nover all dates: {fault}\n");
    }
    if report.implausible > 0 {
        let rows = report
            .implausible_examples
            .iter()
            .map(|found| vec![found.feature.clone(), found.player_lookup.to_string(), number(found.value)]);
        page += &format!(
            "\n{} values are outside their range and left out\n\n{}\n",
            report.implausible,
            table(&["feature", "player", "value"], &[2], rows)
        );
    }
    if !report.absent.is_empty() {
        let rows = report.absent.iter().map(|(feature, n)| vec![feature.clone(), n.to_string()]);
        page += &format!("\n{}\n", table(&["feature defaulted or missing", "rows"], &[1], rows));
    }
    page
}

/// One row, value by value.
pub(super) fn shown(row: &Shown) -> String {
    let head = key_values(&[
        ("player", format!("{} ({})", row.player_lookup, row.team)),
        ("game", row.game_id.clone()),
        ("contract", row.contract.clone()),
        ("quality", format!("{} (matchup {})", number(row.quality_score), number(row.matchup_quality))),
        ("required defaults", row.required_default_count.to_string()),
        ("as of", format!("{:.0}", row.as_of)),
        ("built", format!("{:.0}", row.built_at)),
    ]);
    let rows = row.features.iter().map(|feature| {
        vec![
            feature.index.to_string(),
            feature.name.clone(),
            value(feature.value),
            feature.source.clone(),
            if feature.defaulted { "default".to_owned() } else { String::new() },
            if feature.required { "required".to_owned() } else { String::new() },
            format!("{} to {}", feature.min, feature.max),
        ]
    });
    let header = ["#", "feature", "value", "source", "defaulted", "", "range"];
    format!("{head}\n{}\n", table(&header, &[0, 2], rows))
}

/// What a build now would change.
pub(super) fn builds(found: &BuildDifference) -> String {
    let n = found.differences.len();
    let mut page = format!("{} rows in both builds, {n} values differ\n", found.rows);
    for (what, names) in [("only stored", &found.only_stored), ("only in a build now", &found.only_rebuilt)] {
        if !names.is_empty() {
            page += &format!("{what}: {}\n", names.join(", "));
        }
    }
    if n > 0 {
        let rows = found.differences.iter().take(MAX_LISTED).map(|difference| {
            vec![
                difference.player_lookup.to_string(),
                difference.feature.clone(),
                value(difference.stored),
                value(difference.rebuilt),
            ]
        });
        page += &format!("\n{}\n", table(&["player", "feature", "stored", "now"], &[2, 3], rows));
    }
    if n > MAX_LISTED {
        page += &format!("and {} more; --json has all\n", n - MAX_LISTED);
    }
    page
}

/// One player on two dates.
pub(super) fn pairs(pairs: &[Pair], first: Date, second: Date) -> String {
    if pairs.is_empty() {
        return format!("no feature differs between {first} and {second}\n");
    }
    let rows = pairs.iter().map(|pair| vec![pair.feature.clone(), value(pair.first), value(pair.second)]);
    format!("{}\n", table(&["feature", &first.to_string(), &second.to_string()], &[1, 2], rows))
}

/// The columns of two dates beside each other.
pub(super) fn columns_of_two(one: &CheckReport, two: &CheckReport) -> String {
    let rows = one.columns.iter().zip(&two.columns).map(|(one, two)| {
        vec![
            one.name.clone(),
            one.values.to_string(),
            two.values.to_string(),
            value(one.mean),
            value(two.mean),
            value(one.std),
            value(two.std),
        ]
    });
    let header = ["feature", "values", "values", "mean", "mean", "std", "std"];
    format!("{} and {} rows\n\n{}\n", one.rows, two.rows, table(&header, &[1, 2, 3, 4, 5, 6], rows))
}

/// Every column with its verdict.
pub(super) fn check(report: &CheckReport) -> String {
    let verdict = |column: &Column| column.fault.as_ref().map(|fault| fault.sentence(column));
    let rows = report.columns.iter().map(|column| {
        vec![
            column.name.clone(),
            column.values.to_string(),
            column.defaulted.to_string(),
            column.missing.to_string(),
            value(column.mean),
            value(column.std),
            value(column.min),
            value(column.max),
            verdict(column).unwrap_or_default(),
        ]
    });
    let header = ["feature", "values", "defaults", "missing", "mean", "std", "min", "max", "fault"];
    let faults = report.faults.len();
    format!(
        "contract {}: {} rows, {faults} faults\n\n{}\n",
        report.contract,
        report.rows,
        table(&header, &[1, 2, 3, 4, 5, 6, 7], rows)
    )
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}
