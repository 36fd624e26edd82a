//! `tipoff simulate`: days that look real, as files.

use std::path::PathBuf;

use jiff::ToSpan;
use pipeline::simulate::{DEFECTS, SimOptions, SimReport, days};
use proto::Code;
use proto::league_time::league_date;

use super::tables::{date, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, pairs};
use crate::config::Config;

/// Arguments of `tipoff simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// Folder to write the files to
    #[arg(long, value_name = "DIR", default_value = "./tipoff-simulated")]
    out: PathBuf,

    /// Everything follows from it
    ///
    /// The same seed and options give the same bytes on every machine.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The last day, which has odds and no results
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`, league time. Default: tomorrow.
    #[arg(long, value_name = "DATE")]
    last_day: Option<String>,

    /// Days, the last one included
    #[arg(long, value_name = "N", default_value_t = 60)]
    days: u32,

    /// Games a day, 1 to 15
    #[arg(long, value_name = "N", default_value_t = 10)]
    games: u32,

    /// Games of the last day that have lines
    ///
    /// Default: all. One of ten is a slate that must come out degraded.
    #[arg(long, value_name = "N")]
    games_with_lines: Option<u32>,

    /// Players quoted on the last day
    ///
    /// Default: eight of each team that has lines.
    #[arg(long, value_name = "N")]
    quoted: Option<u32>,

    /// Players of the last day who are out
    #[arg(long, value_name = "N", default_value_t = 3)]
    injured: u32,

    /// Quoted players who appear in the last snapshot only
    ///
    /// Its files are listed apart, so that they can be ingested later.
    #[arg(long, value_name = "N", default_value_t = 4)]
    late: u32,

    /// So many players of the last day with a defect, repeatable
    ///
    /// All quotes of these players are wrong in one way. Codes: placeholder, stale, in_play, one_sided, off_grid,
    /// price_out_of_range, hold_out_of_range, outlier, duplicate_quote, wrong_market, player_unresolved,
    /// game_unresolved.
    #[arg(long, value_name = "CODE=COUNT", value_parser = defect)]
    defect: Vec<(Code, usize)>,
}

fn defect(text: &str) -> Result<(Code, usize), String> {
    let known = || DEFECTS.map(Code::as_str).join(", ");
    let refuse = || format!("expected CODE=COUNT with one of {}", known());
    let (code, count) = text.split_once('=').ok_or_else(refuse)?;
    let code: Code = code.parse().map_err(|_| refuse())?;
    let count = count.parse().map_err(|_| refuse())?;
    if DEFECTS.contains(&code) { Ok((code, count)) } else { Err(refuse()) }
}

impl SimulateArgs {
    fn options(&self, config: &Config) -> Result<SimOptions, Failure> {
        let last_day = date(self.last_day.as_deref().unwrap_or("TOMORROW"), config)?;
        if !(1..=400).contains(&self.days) {
            return Err(Failure::usage("--days must be 1 to 400"));
        }
        let from = last_day.checked_sub(i64::from(self.days - 1).days());
        Ok(SimOptions {
            from: from.map_err(|error| Failure::usage(format!("--days: {error}")))?,
            days: self.days,
            games_per_day: self.games,
            quoted_players: self.quoted,
            games_with_lines: self.games_with_lines,
            injured: self.injured,
            late: self.late,
            defects: self.defect.clone(),
            ..SimOptions::ending(last_day, self.seed)
        })
    }
}

/// `tipoff simulate`.
pub(crate) fn simulate(args: &SimulateArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let options = args.options(config)?;
    let report = days(&options, &args.out).map_err(stage_failure)?;
    out.either(&report, |report| page(report, &args.out))?;
    if !out.json {
        let folder = args.out.display();
        out.say(&format!(
            "next: tipoff ingest --ahead {folder} && tipoff features build --game-date {}",
            report.last_day
        ));
        if report.last_day < league_date(config.now()) {
            out.say(&format!("the day is over; start with --as-of {}", report.as_of));
        }
    }
    Ok(Exit::Ok)
}

fn page(report: &SimReport, folder: &std::path::Path) -> String {
    let counted = |names: &[String]| match names {
        [] => "nobody".to_owned(),
        names => format!("{}: {}", names.len(), names.join(", ")),
    };
    let mut rows = vec![
        ("folder", folder.display().to_string()),
        ("last day", format!("{}, first tip-off {:.0}", report.last_day, report.first_tip_off)),
        (
            "files",
            format!(
                "{}, {} of them late",
                report.files.len() + report.late_files.len(),
                report.late_files.len()
            ),
        ),
        ("games", report.games.to_string()),
        ("box scores", report.box_scores.to_string()),
        ("quoted", report.quoted.len().to_string()),
        ("out", counted(&report.injured)),
        ("late", counted(&report.late)),
    ];
    rows.extend(report.defects.iter().map(|(code, players)| (code.as_str(), counted(players))));
    pairs(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defects_are_code_and_count() {
        assert_eq!(defect("stale=3"), Ok((Code::Stale, 3)));
        for wrong in ["stale", "stale=x", "nothing=1", "injured_out=1", "=1"] {
            assert!(defect(wrong).is_err_and(|why| why.contains("player_unresolved")), "{wrong}");
        }
    }
}
