//! Answers of the API as people read them.

use std::collections::BTreeMap;

use proto::api::{BatchStatus, OpenBatches, PlayerLine, Started};
use proto::verdict::Finding;
use proto::{Code, OutcomeKind};

use super::output::{pairs, table};

/// Most findings of one level that are listed before the rest is counted.
const MAX_FINDINGS: usize = 12;

/// The whole of one batch: where it stands, outcomes by reason, health and findings.
pub(crate) fn status(batch: &BatchStatus) -> String {
    let mut text = headline(batch);
    if let Some(reason) = &batch.state_reason {
        text += &format!("{}\n", reason.sentence);
    }
    text += "\n";
    text += &outcomes(&batch.reasons, &batch.progress);
    text += &format!("\n{}\n", rows(batch));
    text += &findings(&batch.findings);
    text += &figures(&batch.figures);
    text
}

fn headline(batch: &BatchStatus) -> String {
    let health = batch.health.map(|level| format!(", {level}")).unwrap_or_default();
    let progress = &batch.progress;
    let when = match batch.ended_at {
        Some(ended) => format!("ended {ended:.0}"),
        None => format!("{} of {} done, ends by {:.0}", progress.done, progress.total, batch.finish_by),
    };
    format!("{}  generation {}  {}{health}  {when}\n", batch.batch_id, batch.generation, batch.state)
}

/// Jobs by outcome and reason, each reason with its sentence; jobs that are still open last.
fn outcomes(reasons: &BTreeMap<String, u64>, progress: &proto::api::Progress) -> String {
    let mut rows: Vec<(OutcomeKind, u64, Code)> = reasons
        .iter()
        .filter_map(|(name, n)| name.parse().ok().map(|code: Code| (code.outcome(), *n, code)))
        .collect();
    rows.sort_by_key(|(outcome, n, code)| (*outcome, std::cmp::Reverse(*n), *code));
    let known = rows.iter().map(|(outcome, n, code)| {
        vec![outcome.to_string(), code.to_string(), n.to_string(), code.sentence().to_owned()]
    });
    let unknown = reasons.iter().filter(|(name, _)| name.parse::<Code>().is_err()).map(|(name, n)| {
        vec!["?".to_owned(), name.clone(), n.to_string(), "a reason this version does not know".to_owned()]
    });
    let open =
        [("queued", progress.queued, "wait for a worker"), ("leased", progress.leased, "are with a worker")];
    let open = open.into_iter().filter(|(_, n, _)| *n > 0).map(|(place, n, sentence)| {
        vec!["open".to_owned(), place.to_owned(), n.to_string(), sentence.to_owned()]
    });
    table(&["outcome", "reason", "players", "meaning"], &[2], known.chain(unknown).chain(open)) + "\n"
}

fn rows(batch: &BatchStatus) -> String {
    let rows = &batch.rows;
    match &batch.receipt {
        None => format!("rows: {} staged, {} active on the slate", rows.staged, rows.active),
        Some(receipt) => {
            let refused: u64 = receipt.refused.values().sum();
            let invalidated: u64 = receipt.invalidated.values().sum();
            format!(
                "rows: {} owed, {} published, {refused} refused, {} carried, {invalidated} invalidated; {} active on \
                 the slate",
                receipt.rows_owed, rows.published, rows.carried, rows.active
            )
        }
    }
}

fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut text = "\nfindings\n".to_owned();
    for finding in findings.iter().take(MAX_FINDINGS) {
        text += &format!("  {}: {}\n", finding.level, finding.sentence);
    }
    if findings.len() > MAX_FINDINGS {
        text += &format!("  and {} more; --json lists them\n", findings.len() - MAX_FINDINGS);
    }
    text
}

fn figures(figures: &BTreeMap<String, f64>) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let rows: Vec<(&str, String)> =
        figures.iter().map(|(name, value)| (name.as_str(), number(*value))).collect();
    format!("\nfigures\n{}", pairs(&rows).lines().map(|line| format!("  {line}\n")).collect::<String>())
}

/// A number with two decimals at most.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The open batches, a line each.
pub(crate) fn open_batches(open: &OpenBatches) -> String {
    if open.batches.is_empty() {
        return "no batch is open\n".to_owned();
    }
    let rows = open.batches.iter().map(|batch| {
        let progress = &batch.progress;
        vec![
            batch.batch_id.to_string(),
            batch.state.clone(),
            format!("{}/{}", progress.done, progress.total),
            number(progress.pct),
            format!("{:.0}", batch.finish_by),
        ]
    });
    table(&["batch", "state", "done", "%", "ends by"], &[3], rows) + "\n"
}

/// Players with outcome, reason and sentence.
pub(crate) fn players(lines: &[PlayerLine]) -> String {
    let rows = lines.iter().map(|line| {
        let (code, sentence) =
            line.reason.as_ref().map_or(("", ""), |reason| (reason.code.as_str(), reason.sentence.as_str()));
        vec![
            line.name.clone(),
            line.game_id.clone(),
            line.outcome.map_or("open".to_owned(), |outcome| outcome.to_string()),
            code.to_owned(),
            sentence.to_owned(),
        ]
    });
    table(&["player", "game", "outcome", "reason", "why"], &[], rows) + "\n"
}

/// Every refusal on the way of some players.
pub(crate) fn codes(lines: &[PlayerLine]) -> String {
    let rows = lines.iter().flat_map(|line| {
        line.codes.iter().map(|note| {
            let market = note.market.as_ref().map(ToString::to_string).unwrap_or_default();
            let book = note.book.clone().unwrap_or_default();
            vec![line.name.clone(), market, book, note.code.to_string(), note.sentence.clone()]
        })
    });
    table(&["player", "market", "book", "code", "why"], &[], rows) + "\n"
}

/// What a start began, or what it would.
pub(crate) fn started(started: &Started) -> String {
    let summary = &started.summary;
    let systems: Vec<_> = started.systems.iter().map(ToString::to_string).collect();
    let head = match (&started.batch_id, started.generation) {
        (Some(batch_id), Some(generation)) => format!("{batch_id}  generation {generation}"),
        _ => format!("a start for {} would run", started.game_date),
    };
    let mut text = format!(
        "{head}: {} players of {} games, {} with quotes, {} with features; systems {}\n",
        started.total_jobs,
        summary.games,
        summary.players_with_quotes,
        summary.players_with_features,
        systems.join(", ")
    );
    for missing in &summary.missing {
        text += &format!("missing: {missing}\n");
    }
    if !summary.forecast.is_empty() {
        text += "\n";
        text += &outcomes(&summary.forecast, &proto::api::Progress::default());
    }
    if !summary.not_predicted.is_empty() {
        text += "\n";
        text += &players(&summary.not_predicted);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in
            [(0.0, "0"), (12.5, "12.5"), (99.999, "100"), (-1.25, "-1.25"), (100.0, "100")]
        {
            assert_eq!(number(value), expected);
        }
    }
}
