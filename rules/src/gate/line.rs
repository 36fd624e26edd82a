//! The line gate over all wanted markets of a job.

use std::collections::BTreeMap;

use proto::{Code, CodeNote, Job, Market, Outcome, RunMode};

use crate::lines::choose::choose_among;
use crate::lines::judge::judge_all;
use crate::lines::{ChosenLine, LineContext, LinePolicy};

/// What the line gate leaves: at least one line.
pub(super) struct Lines {
    pub(super) chosen: BTreeMap<Market, ChosenLine>,
    /// Why the other wanted markets have none.
    pub(super) without: BTreeMap<Market, (Code, String)>,
    pub(super) notes: Vec<CodeNote>,
}

/// Chooses a line for each wanted market. A job ends here only when no quote of any wanted market survives.
pub(super) fn gate(job: &Job, policy: &LinePolicy) -> Result<Lines, Outcome> {
    let owed = job.rows_owed();
    if !job.player_resolved {
        let game = job.id.game;
        let sentence =
            format!("`{}` fits no player of {} or {}; add an alias", job.name, game.away, game.home);
        return Err(Outcome::without_rows(Code::PlayerUnresolved, sentence, owed));
    }
    if job.quotes.is_empty() {
        return Err(nobody_quotes(job));
    }
    let mut lines = Lines { chosen: BTreeMap::new(), without: BTreeMap::new(), notes: Vec::new() };
    for market in &job.markets {
        let quotes = job.quotes.iter().filter(|q| &q.market == market);
        let (survivors, refused) = judge_all(quotes, &context(job, market), policy);
        match choose_among(&survivors, policy) {
            Some(line) => {
                lines.chosen.insert(market.clone(), line);
            }
            None => {
                lines.without.insert(market.clone(), primary(&refused, market));
            }
        }
        lines.notes.extend(refused);
    }
    lines.notes.extend(of_other_markets(job, policy));
    if lines.chosen.is_empty() { Err(no_line_left(job, lines)) } else { Ok(lines) }
}

/// Nobody quotes the player: `low_minutes` when that is no surprise.
fn nobody_quotes(job: &Job) -> Outcome {
    let owed = job.rows_owed();
    match job.projected_minutes {
        Some(minutes) if minutes < job.min_minutes => {
            let limit = job.min_minutes;
            let sentence = format!(
                "nobody quotes {}, who averages {minutes:.1} minutes; the limit is {limit}",
                job.name
            );
            Outcome::without_rows(Code::LowMinutes, sentence, owed)
        }
        _ => Outcome::without_rows(Code::NoLine, format!("no book quotes {}", job.name), owed),
    }
}

fn no_line_left(job: &Job, lines: Lines) -> Outcome {
    let refused = lines.notes.len();
    if refused == 0 {
        let sentence = format!("no book has a main line for {}", job.name);
        return Outcome::without_rows(Code::NoLine, sentence, job.rows_owed());
    }
    let (code, example) = most_frequent(&lines.notes);
    let sentence = format!("{}: none of {refused} quotes can be used; {example}", job.name);
    Outcome { codes: lines.notes, ..Outcome::without_rows(code, sentence, job.rows_owed()) }
}

/// Quotes of markets nobody asked for: refused as `wrong_market`.
fn of_other_markets(job: &Job, policy: &LinePolicy) -> Vec<CodeNote> {
    let Some(wanted) = job.markets.first() else { return Vec::new() };
    let quotes = job.quotes.iter().filter(|q| !job.markets.contains(&q.market));
    judge_all(quotes, &context(job, wanted), policy).1
}

fn context(job: &Job, market: &Market) -> LineContext {
    LineContext {
        market: market.clone(),
        as_of: job.as_of,
        tip_off: job.tip_off,
        event_newest_snapshot: job.event_newest_snapshot,
        backfill: job.run_mode == RunMode::Backfill,
    }
}

fn primary(refused: &[CodeNote], market: &Market) -> (Code, String) {
    if refused.is_empty() {
        return (Code::NoLine, format!("no book quotes {market}"));
    }
    let (code, example) = most_frequent(refused);
    (code, format!("none of {} quotes can be used; {example}", refused.len()))
}

/// The code most quotes were refused with, ties by the order of codes, and the first sentence with it.
fn most_frequent(notes: &[CodeNote]) -> (Code, String) {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for note in notes {
        *counts.entry(note.code).or_default() += 1;
    }
    let code = counts.iter().rev().max_by_key(|(_, n)| **n).map_or(Code::NoLine, |(code, _)| *code);
    let example = notes.iter().find(|n| n.code == code).map_or_else(String::new, |n| n.sentence.clone());
    (code, example)
}
