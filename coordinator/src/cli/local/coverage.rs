//! `tipoff coverage`: what there is of each day of a range, and what is missing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use pipeline::coverage::{BookWeek, CoverageReport, DayCoverage, gaps};
use proto::Market;

use super::tables::{date, open_existing, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::config::Config;

mod html;

/// Arguments of `tipoff coverage`.
#[derive(Debug, clap::Args)]
pub(crate) struct CoverageArgs {
    /// The first date
    #[arg(long, value_name = "DATE")]
    from: String,

    /// The last date; 400 days at most
    #[arg(long, value_name = "DATE", default_value = "TODAY")]
    to: String,

    /// Also write a page with a heat map
    ///
    /// One file that needs no network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// `tipoff coverage`.
pub(crate) async fn coverage(args: &CoverageArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let (from, to) = (date(&args.from, config)?, date(&args.to, config)?);
    let warehouse = open_existing(config).await?;
    let report = pipeline::coverage::coverage(&warehouse, from, to, config.now());
    let report = report.await.map_err(stage_failure)?;
    if let Some(path) = &args.html {
        let written = std::fs::write(path, html::page(&report));
        written.map_err(|error| Failure::failed(format!("write `{}`: {error}", path.display())))?;
        out.say(&format!("wrote {}", path.display()));
    }
    out.either(&report, page)?;
    Ok(if report.is_complete() { Exit::Ok } else { Exit::Degraded })
}

fn page(report: &CoverageReport) -> String {
    let header = [
        "date",
        "lines",
        "games",
        "quoted",
        "fewest",
        "books",
        "snapshots",
        "box scores",
        "features",
        "ready",
        "predicted",
        "refused",
        "sources",
    ];
    let rows = report.days.iter().map(|day| {
        let sources = day.sources.iter();
        let sources =
            sources.map(|s| format!("{} {} files {} records {} rows", s.source, s.files, s.records, s.rows));
        vec![
            day.date.to_string(),
            day.status.as_str().to_owned(),
            format!("{} of {}", day.with_lines, day.games),
            day.quoted.to_string(),
            day.fewest_quoted.to_string(),
            day.books.to_string(),
            day.snapshots.to_string(),
            format!("{} of {}", day.with_box_scores, day.over),
            day.features.to_string(),
            day.ready.to_string(),
            day.predicted.to_string(),
            day.quarantined.to_string(),
            sources.collect::<Vec<_>>().join("; "),
        ]
    });
    let days = table(&header, &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11], rows);
    format!(
        "{}\n\n{days}\n\nbooks by week\n\n{}\n\n{}",
        summary(report),
        weeks(&report.weeks),
        missing(report)
    )
}

/// The range in a few sentences.
fn summary(report: &CoverageReport) -> String {
    let sum = |of: fn(&DayCoverage) -> u64| report.days.iter().map(of).sum::<u64>();
    format!(
        "{} to {}: {} games on {} days, {} with lines; {} feature rows, {} of them ready; {} players predicted\n\
         {}\ndays without games and without a snapshot, so nothing is missing: {}",
        report.from,
        report.to,
        sum(|day| day.games),
        report.days.iter().filter(|day| day.games > 0).count(),
        sum(|day| day.with_lines),
        sum(|day| day.features),
        sum(|day| day.ready),
        sum(|day| day.predicted),
        unseen(&report.without_snapshot, &report.without_market),
        list(&report.without_games),
    )
}

/// Days with games on which nobody looked, and those on which nobody looked at some markets.
pub(super) fn unseen(without_snapshot: &[Date], without_market: &BTreeMap<Market, Vec<Date>>) -> String {
    let mut page = format!("days with games and no snapshot: {}", list(without_snapshot));
    for (markets, dates) in gaps(without_market) {
        let markets: Vec<String> = markets.into_iter().map(ToString::to_string).collect();
        page += &format!("\nmore days with games and no snapshot of {}: {}", markets.join(", "), list(dates));
    }
    page
}

fn list(dates: &[Date]) -> String {
    match dates {
        [] => "none".to_owned(),
        dates => dates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Days on which each book quotes, of the week's days with lines.
fn weeks(weeks: &[BookWeek]) -> String {
    let rows = weeks.iter().map(|week| {
        let books = week.books.iter().map(|(book, (days, _))| format!("{book} {days}"));
        vec![week.monday.to_string(), week.days.to_string(), books.collect::<Vec<_>>().join(", ")]
    });
    table(&["week of", "days", "days by book"], &[1], rows)
}

fn missing(report: &CoverageReport) -> String {
    if report.is_complete() {
        return "nothing is missing\n".to_owned();
    }
    let lines =
        report.days.iter().flat_map(|day| day.missing.iter().map(|what| format!("  {} {what}\n", day.date)));
    format!("missing\n{}", lines.collect::<String>())
}
