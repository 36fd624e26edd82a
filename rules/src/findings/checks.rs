//! The findings, one function each, in the order of design.md 4.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use proto::verdict::{Finding, FindingLevel};
use proto::{Code, GameKey, GameStatus, Recommendation, SystemId};

use super::*;

pub(super) fn all(facts: &SlateFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(games_without_lines(facts));
    found.extend(games_without_features(facts));
    found.extend(games_without_a_team(facts));
    found.extend(few_predicted(facts));
    found.extend(stale_inputs(facts));
    found.extend(line_bias(facts));
    found.extend(dominant_reasons(facts));
    found.extend(systems_without_rows(facts));
    found.extend(one_source(facts));
    found.extend(one_sided(facts));
    found.extend(ungradable(facts));
    found.extend(old_models(facts));
    found.extend(in_sample(facts));
    found.extend(no_edge(facts));
    found
}

fn finding(code: &str, level: FindingLevel, count: usize, sentence: String) -> Finding {
    Finding { code: code.to_owned(), level, sentence, count: count as u64 }
}

/// `GSW at CHA`, as people say it.
fn spoken(game: &GameKey) -> String {
    format!("{} at {}", game.away, game.home)
}

/// Names in order, at most [`MAX_NAMES`] of them.
fn names(all: impl IntoIterator<Item = impl Display>) -> String {
    first_names(all, MAX_NAMES)
}

/// Names in order, at most so many of them, and how many more there are.
fn first_names(all: impl IntoIterator<Item = impl Display>, most: usize) -> String {
    let all: Vec<String> = all.into_iter().map(|name| name.to_string()).collect();
    let shown = all.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(most) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.0} %", 100.0 * part as f64 / whole as f64)
}

/// `game has` or `games have`, so that a sentence with one thing in it reads like one.
fn verb(n: usize, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

/// Games that are owed predictions.
fn owed(facts: &SlateFacts) -> impl Iterator<Item = &GameFacts> {
    facts.games.iter().filter(|g| !matches!(g.status, GameStatus::Postponed | GameStatus::Cancelled))
}

fn games_lacking(
    facts: &SlateFacts,
    code: &str,
    what: &str,
    has: impl Fn(&GameFacts) -> bool,
) -> Option<Finding> {
    let lacking: Vec<String> = owed(facts).filter(|g| !has(g)).map(|g| spoken(&g.game)).collect();
    let n = lacking.len();
    let (total, verb) = (owed(facts).count(), verb(n, "has", "have"));
    let sentence = format!("{n} of {total} games {verb} no {what}: {}", names(lacking));
    (n > 0).then(|| finding(code, FindingLevel::Degraded, n, sentence))
}

fn games_without_lines(facts: &SlateFacts) -> Option<Finding> {
    games_lacking(facts, "game_without_lines", "lines", |g| g.has_lines)
}

fn games_without_features(facts: &SlateFacts) -> Option<Finding> {
    games_lacking(facts, "game_without_features", "features", |g| g.has_features)
}

fn games_without_a_team(facts: &SlateFacts) -> Option<Finding> {
    let lacking: Vec<String> = owed(facts)
        .flat_map(|g| [g.game.away, g.game.home].map(|team| (g, team)))
        .filter(|(g, team)| !g.teams_seen.contains(team))
        .map(|(g, team)| format!("{team} of {}", spoken(&g.game)))
        .collect();
    let n = lacking.len();
    let sentence =
        format!("{n} {} no player in the slate: {}", verb(n, "team has", "teams have"), names(lacking));
    (n > 0).then(|| finding("game_without_team", FindingLevel::Degraded, n, sentence))
}

fn few_predicted(facts: &SlateFacts) -> Option<Finding> {
    let quoted: Vec<&PlayerFacts> = facts.players.iter().filter(|p| p.has_quotes).collect();
    let predicted = quoted.iter().filter(|p| p.code == Code::Predicted).count();
    let is_few = (predicted as f64) < MIN_PREDICTED_SHARE * quoted.len() as f64;
    is_few.then(|| {
        let (n, share) = (quoted.len(), percent(predicted, quoted.len()));
        let sentence = format!("{predicted} of {n} players with quotes are predicted ({share})");
        finding("few_predicted", FindingLevel::Degraded, n - predicted, sentence)
    })
}

fn stale_inputs(facts: &SlateFacts) -> impl Iterator<Item = Finding> {
    let warn = |stale: &Stale| {
        let count = usize::try_from(stale.age).unwrap_or(usize::MAX);
        finding(stale.code, FindingLevel::Warning, count, stale.sentence.clone())
    };
    facts.stale.iter().map(warn)
}

fn line_bias(facts: &SlateFacts) -> Option<Finding> {
    let margins: Vec<f64> = facts.rows.iter().map(|r| r.predicted_value - r.line.points()).collect();
    if margins.is_empty() {
        return None;
    }
    let mean = margins.iter().sum::<f64>() / margins.len() as f64;
    // A mean that is no number is the worst bias of all.
    let is_biased = mean.is_nan() || mean.abs() > MAX_LINE_BIAS;
    is_biased.then(|| {
        let n = margins.len();
        let sentence = format!(
            "the mean of prediction minus line is {mean:+.2} over {n} rows; the limit is {MAX_LINE_BIAS}"
        );
        finding("line_bias", FindingLevel::Degraded, n, sentence)
    })
}

fn dominant_reasons(facts: &SlateFacts) -> Vec<Finding> {
    let total = facts.players.len();
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for player in &facts.players {
        *counts.entry(player.code).or_default() += 1;
    }
    let is_expected = |code| matches!(code, Code::Predicted | Code::NoLine | Code::LowMinutes);
    counts
        .into_iter()
        .filter(|(code, n)| !is_expected(*code) && *n as f64 > MAX_REASON_SHARE * total as f64)
        .map(|(code, n)| {
            let share = percent(n, total);
            let sentence = format!("{n} of {total} players ({share}) ended as {code}: {}", code.sentence());
            finding("dominant_reason", FindingLevel::Warning, n, sentence)
        })
        .collect()
}

fn systems_without_rows(facts: &SlateFacts) -> Option<Finding> {
    let with_rows: BTreeSet<&SystemId> = facts.rows.iter().map(|r| &r.key.system_id).collect();
    let silent: Vec<&SystemId> = facts.systems.iter().filter(|s| !with_rows.contains(s)).collect();
    let n = silent.len();
    let sentence = format!(
        "{n} of {} systems {} no rows: {}",
        facts.systems.len(),
        verb(n, "has", "have"),
        names(silent)
    );
    (n > 0).then(|| finding("system_without_rows", FindingLevel::Warning, n, sentence))
}

fn one_source(facts: &SlateFacts) -> Option<Finding> {
    if facts.configured_sources < 2 {
        return None;
    }
    // A line counts once, however many systems are compared with it.
    let lines: BTreeMap<_, &str> = facts
        .rows
        .iter()
        .map(|r| ((&r.key.game, &r.key.player, &r.key.market), r.line_source_api.as_str()))
        .collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for source in lines.values() {
        *counts.entry(source).or_default() += 1;
    }
    let total = lines.len();
    let (source, n) = counts.into_iter().find(|(_, n)| *n as f64 > MAX_SOURCE_SHARE * total as f64)?;
    let (share, configured) = (percent(n, total), facts.configured_sources);
    let sentence =
        format!("{source} gave {n} of {total} lines ({share}), {configured} sources are configured");
    Some(finding("one_source", FindingLevel::Warning, n, sentence))
}

fn one_sided(facts: &SlateFacts) -> Option<Finding> {
    let count = |side| facts.rows.iter().filter(|r| r.recommendation == side).count();
    let (overs, unders) = (count(Recommendation::Over), count(Recommendation::Under));
    let picks = overs + unders;
    let is_lean = (overs.min(unders) as f64) < MIN_SIDE_SHARE * picks as f64;
    (picks >= MIN_PICKS_FOR_SIDES && is_lean).then(|| {
        let sentence = format!("{overs} OVER and {unders} UNDER among {picks} recommendations");
        finding("one_sided_recommendations", FindingLevel::Warning, overs.max(unders), sentence)
    })
}

fn ungradable(facts: &SlateFacts) -> Option<Finding> {
    // What grading leaves out on purpose is not missing.
    let due: Vec<&RowFacts> = facts.rows.iter().filter(|r| !r.in_sample).collect();
    let gradable = |r: &&&RowFacts| r.before_tip_off && r.line_source == crate::row::ACTUAL_PROP;
    let n = due.iter().filter(gradable).count();
    let total = due.len();
    ((n as f64) < MIN_GRADABLE_SHARE * total as f64).then(|| {
        let sentence = format!(
            "{n} of {total} rows ({}) can be graded: the others have no real line or came after tip-off",
            percent(n, total)
        );
        finding("ungradable", FindingLevel::Warning, total - n, sentence)
    })
}

fn old_models(facts: &SlateFacts) -> Option<Finding> {
    let age = |model: &ModelFacts| {
        model.trained_until.and_then(|until| facts.game_date.since(until).ok()).map(|span| span.get_days())
    };
    let mut old: Vec<(i32, &ModelFacts)> = facts
        .models
        .iter()
        .filter_map(|m| age(m).filter(|days| *days >= STALE_MODEL_DAYS).map(|days| (days, m)))
        .collect();
    // The oldest first: they are the ones to name.
    old.sort_by_key(|(days, m)| (-days, &m.system_id, &m.market));
    let n = old.len();
    let described = old.iter().map(|(days, m)| format!("{} ({}, {days} days)", m.system_id, m.market));
    let sentence = format!(
        "{n} {} trained {STALE_MODEL_DAYS} days or more before the games: {}",
        verb(n, "model was", "models were"),
        first_names(described, MAX_OLD_MODELS_NAMED)
    );
    (n > 0).then(|| finding("old_model", FindingLevel::Warning, n, sentence))
}

fn in_sample(facts: &SlateFacts) -> Option<Finding> {
    let systems: BTreeSet<&SystemId> =
        facts.rows.iter().filter(|r| r.in_sample).map(|r| &r.key.system_id).collect();
    let n = facts.rows.iter().filter(|r| r.in_sample).count();
    let sentence = format!(
        "{n} {} from a model that was trained on these games or later ones, so they prove nothing: {}",
        verb(n, "row comes", "rows come"),
        names(systems)
    );
    (n > 0).then(|| finding("in_sample", FindingLevel::Warning, n, sentence))
}

/// Models that agree with the market are no failure, and are told apart from no predictions at all.
fn no_edge(facts: &SlateFacts) -> Option<Finding> {
    let top = edges(facts).fold(0.0, f64::max);
    let is_flat = !facts.rows.is_empty() && top < EDGE_WORTH_A_LOOK;
    let n = facts.rows.len();
    let sentence =
        format!("no edge of {EDGE_WORTH_A_LOOK} or more tonight: the largest of {n} rows is {top:.2}");
    is_flat.then(|| finding("no_edge", FindingLevel::Info, n, sentence))
}
