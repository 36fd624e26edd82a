//! The heat map: days down, what there is of them across. A page that needs no network.

use std::collections::BTreeSet;

use pipeline::coverage::{CoverageReport, DayCoverage};

use super::summary;

const FRAME: &str = include_str!("page.html");

/// The whole page.
pub(super) fn page(report: &CoverageReport) -> String {
    let title = format!("Tipoff: coverage from {} to {}", report.from, report.to);
    let summary: String = summary(report).lines().map(|line| format!("<p>{}</p>\n", escape(line))).collect();
    FRAME
        .replace("{{title}}", &escape(&title))
        .replace("{{summary}}", &summary)
        .replace("{{days}}", &days(report))
        .replace("{{weeks}}", &weeks(report))
        .replace("{{missing}}", &missing(report))
}

/// Text that may stand in an element or an attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One measure of a day: its name, how much there is and of how much.
type Measure = (&'static str, fn(&DayCoverage) -> (u64, u64));

const MEASURES: [Measure; 5] = [
    ("games with lines", |day| (day.with_lines, day.games)),
    ("snapshot taken", |day| (day.snapshots.min(1), 1)),
    ("box scores", |day| (day.with_box_scores, day.over)),
    ("features ready", |day| (day.ready, day.features)),
    ("quoted players predicted", |day| (day.predicted.min(day.quoted), day.quoted)),
];

fn days(report: &CoverageReport) -> String {
    let head: String = MEASURES.iter().map(|(name, _)| format!("<th>{name}</th>")).collect();
    let rows: String = report.days.iter().map(row).collect();
    format!(
        "<table><tr><th>date</th>{head}<th>players</th><th>books</th><th>sources</th></tr>\n{rows}</table>"
    )
}

fn row(day: &DayCoverage) -> String {
    let cells: String = MEASURES
        .iter()
        .map(|(name, of)| {
            let (there, wanted) = of(day);
            let title = escape(&format!("{} {name}: {there} of {wanted}", day.date));
            match (day.games, wanted, there) {
                (0, ..) | (_, 0, _) => "<td class=\"none\"></td>".to_owned(),
                (_, _, 0) => format!("<td class=\"bad\" title=\"{title}\">0/{wanted}</td>"),
                _ => {
                    let share = there as f64 / wanted as f64;
                    format!("<td style=\"--share:{share:.2}\" title=\"{title}\">{there}/{wanted}</td>")
                }
            }
        })
        .collect();
    let sources = day
        .sources
        .iter()
        .map(|s| format!("{}: {} files, {} records, {} rows", s.source, s.files, s.records, s.rows));
    format!(
        "<tr><th>{}</th>{cells}<td class=\"none\">{}</td><td class=\"none\">{}</td><td class=\"none\">{}</td></tr>\n",
        day.date,
        day.quoted,
        day.books,
        escape(&sources.collect::<Vec<_>>().join("; "))
    )
}

fn weeks(report: &CoverageReport) -> String {
    let books: BTreeSet<&String> = report.weeks.iter().flat_map(|week| week.books.keys()).collect();
    let head: String = books.iter().map(|book| format!("<th>{}</th>", escape(book))).collect();
    let rows: String = report
        .weeks
        .iter()
        .map(|week| {
            let cells: String = books
                .iter()
                .map(|book| match week.books.get(*book) {
                    None => "<td class=\"none\"></td>".to_owned(),
                    Some((days, rows)) => {
                        let share = *days as f64 / week.days.max(1) as f64;
                        format!(
                            "<td style=\"--share:{share:.2}\" title=\"{rows} rows\">{days}/{}</td>",
                            week.days
                        )
                    }
                })
                .collect();
            format!("<tr><th>{}</th>{cells}</tr>\n", week.monday)
        })
        .collect();
    format!("<table><tr><th>week of</th>{head}</tr>\n{rows}</table>")
}

fn missing(report: &CoverageReport) -> String {
    if report.is_complete() {
        return "<p>Nothing.</p>".to_owned();
    }
    let items = report
        .days
        .iter()
        .flat_map(|day| day.missing.iter().map(|what| format!("<li>{} {}</li>\n", day.date, escape(what))));
    format!("<ul>\n{}</ul>", items.collect::<String>())
}
