#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use super::*;

const TEAMS: [&str; 20] = [
    "ATL", "BOS", "BKN", "CLE", "CHI", "TOR", "DEN", "POR", "DET", "NYK", "HOU", "CHA", "IND", "WAS", "LAC",
    "LAL", "MEM", "UTA", "MIA", "PHX",
];

fn games(n: usize) -> Vec<GameFacts> {
    TEAMS
        .chunks(2)
        .take(n)
        .map(|pair| GameFacts {
            game: format!("20260219_{}_{}", pair[0], pair[1]).parse().unwrap(),
            status: GameStatus::Scheduled,
            has_lines: true,
            has_features: true,
            teams_seen: pair.iter().map(|t| t.parse().unwrap()).collect(),
        })
        .collect()
}

fn player(game: &GameFacts, i: usize, code: Code) -> PlayerFacts {
    let job = JobId { player: format!("player{i}").parse().unwrap(), game: game.game };
    let quality = PlayerQuality { score: 90.0, ready: true, required_default_count: 0 };
    PlayerFacts { job, code, has_quotes: true, quality: Some(quality) }
}

fn row(player: &PlayerFacts, system: &str, predicted: f64) -> RowFacts {
    let line = Line::from_half_points(49);
    let (_, recommendation) = crate::recommend(predicted, line, &crate::RecommendPolicy::default());
    RowFacts {
        key: RowKey {
            game: player.job.game,
            player: player.job.player.clone(),
            market: Market::points(),
            system_id: system.parse().unwrap(),
        },
        predicted_value: predicted,
        line,
        recommendation,
        line_source: "ACTUAL_PROP".into(),
        line_source_api: "odds_api".into(),
        in_sample: false,
        before_tip_off: true,
    }
}

/// Ten games, 40 predicted players, one system that leans neither way.
fn good() -> SlateFacts {
    let games = games(10);
    let players: Vec<PlayerFacts> = (0..40).map(|i| player(&games[i / 4], i, Code::Predicted)).collect();
    let rows = players
        .iter()
        .enumerate()
        .map(|(i, p)| row(p, "sys_a", if i % 2 == 0 { 28.5 } else { 20.5 }))
        .collect();
    SlateFacts {
        game_date: "2026-02-19".parse().unwrap(),
        games,
        players,
        rows,
        systems: vec!["sys_a".parse().unwrap()],
        models: vec![],
        configured_sources: 1,
        stale: vec![],
    }
}

fn codes(facts: &SlateFacts) -> Vec<String> {
    health(facts).findings.into_iter().map(|f| f.code).collect()
}

#[test]
fn a_good_slate_is_healthy_and_has_its_figures() {
    let health = health(&good());
    assert_eq!((health.level, health.findings.len()), (HealthLevel::Healthy, 0));
    let figures: Vec<(&str, f64)> = health.figures.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    assert_eq!(
        figures,
        [
            ("edges_3_plus", 40.0),
            ("edges_5_plus", 0.0),
            ("mean_feature_quality", 90.0),
            ("quality_ready", 40.0),
            ("top_edge", 4.0),
            ("zero_default", 40.0),
        ]
    );
}

#[test]
fn incident_69_old_rosters_are_a_warning_and_never_more() {
    let sentence = "rosters are 9 days old".to_owned();
    let facts = SlateFacts {
        stale: vec![Stale { code: "rosters_stale", age: 9, sentence: sentence.clone() }],
        ..good()
    };
    let health = health(&facts);
    let found = &health.findings[0];
    assert_eq!((health.level, found.code.as_str(), found.count), (HealthLevel::Warning, "rosters_stale", 9));
    assert_eq!(found.sentence, sentence);
}

#[test]
fn incident_30_one_game_of_ten_has_lines_and_nine_are_named() {
    let mut facts = good();
    for game in facts.games.iter_mut().skip(1) {
        game.has_lines = false;
    }
    for player in facts.players.iter_mut().skip(4) {
        player.code = Code::NoLine;
        player.has_quotes = false;
    }
    facts.rows.truncate(4);
    let health = health(&facts);
    assert_eq!(health.level, HealthLevel::Degraded);
    let lines = &health.findings[0];
    assert_eq!((lines.code.as_str(), lines.count), ("game_without_lines", 9));
    assert_eq!(
        lines.sentence,
        "9 of 10 games have no lines: BKN at CLE, CHI at TOR, DEN at POR, DET at NYK, HOU at CHA, IND at WAS, \
         LAC at LAL, MEM at UTA, MIA at PHX"
    );
}

#[test]
fn incident_69_a_game_with_one_team_is_named() {
    let mut facts = good();
    facts.games[2].teams_seen.remove(&"POR".parse().unwrap());
    facts.games[1].teams_seen.remove(&"CLE".parse().unwrap());
    let found = health(&facts).findings.remove(0);
    assert_eq!(found.sentence, "1 team has no player in the slate: CLE of BKN at CLE");
    facts.games[3].teams_seen.clear();
    let found = health(&facts).findings.remove(0);
    assert_eq!(
        (found.code.as_str(), found.count, found.level),
        ("game_without_team", 3, FindingLevel::Degraded)
    );
    assert!(found.sentence.contains("DEN of DEN at POR, POR of DEN at POR"), "{}", found.sentence);
}

#[test]
fn a_postponed_game_is_owed_nothing() {
    let mut facts = good();
    facts.games[0] = GameFacts {
        status: GameStatus::Postponed,
        has_lines: false,
        has_features: false,
        teams_seen: BTreeSet::new(),
        ..facts.games[0].clone()
    };
    assert!(codes(&facts).is_empty());
    facts.games[1].has_features = false;
    assert_eq!(health(&facts).findings[0].sentence, "1 of 9 games has no features: BKN at CLE");
}

#[test]
fn incident_53_a_biased_slate_is_degraded() {
    for (bias, level) in
        [(2.0, HealthLevel::Healthy), (2.01, HealthLevel::Degraded), (-3.84, HealthLevel::Degraded)]
    {
        let mut facts = good();
        for row in &mut facts.rows {
            row.predicted_value += bias;
        }
        let found = health(&facts);
        assert_eq!(found.level, level, "{bias}");
        if level == HealthLevel::Degraded {
            assert!(
                found.findings[0].sentence.contains(&format!("{bias:+.2}")),
                "{}",
                found.findings[0].sentence
            );
        }
    }
    let mut facts = good();
    facts.rows[0].predicted_value = f64::NAN;
    assert!(codes(&facts).contains(&"line_bias".to_owned()), "a bias that is no number is one");
}

#[test]
fn few_predicted_counts_players_with_quotes() {
    for (predicted, degraded) in [(20, false), (19, true), (0, true)] {
        let mut facts = good();
        for player in facts.players.iter_mut().skip(predicted) {
            player.code = Code::FeatureQuality;
        }
        facts.players.push(PlayerFacts { has_quotes: false, ..player(&facts.games[0], 99, Code::NoLine) });
        assert_eq!(codes(&facts).contains(&"few_predicted".to_owned()), degraded, "{predicted}");
    }
}

#[test]
fn one_reason_that_takes_too_many_is_named() {
    let with = |n: usize, code: Code| {
        let mut facts = good();
        for player in facts.players.iter_mut().take(n) {
            player.code = code;
        }
        facts
    };
    assert!(codes(&with(12, Code::Stale)).is_empty(), "30 % is not more than 30 %");
    let found = health(&with(13, Code::Stale)).findings.remove(0);
    assert_eq!(
        (found.code.as_str(), found.level, found.count),
        ("dominant_reason", FindingLevel::Warning, 13)
    );
    assert!(
        found.sentence.starts_with("13 of 40 players (32 %) ended as stale: the quote is too old"),
        "{}",
        found.sentence
    );
    for expected in [Code::NoLine, Code::LowMinutes] {
        assert!(!codes(&with(15, expected)).contains(&"dominant_reason".to_owned()));
    }
}

#[test]
fn a_silent_system_is_named() {
    let mut facts = good();
    facts.systems.push("sys_b".parse().unwrap());
    assert_eq!(health(&facts).findings[0].sentence, "1 of 2 systems has no rows: sys_b");
}

#[test]
fn incident_59_one_source_of_two_gone_quiet_is_seen() {
    let mut facts = good();
    facts.configured_sources = 2;
    let found = health(&facts).findings.remove(0);
    assert_eq!(found.sentence, "odds_api gave 40 of 40 lines (100 %), 2 sources are configured");
    for row in facts.rows.iter_mut().take(2) {
        row.line_source_api = "bettingpros".into();
    }
    assert!(codes(&facts).is_empty(), "95 % is not more than 95 %");
}

#[test]
fn incident_24_a_slate_that_leans_one_way_is_seen() {
    for (n, unders, seen) in [(32, 32, true), (9, 9, false), (20, 17, false), (20, 18, true)] {
        let mut facts = good();
        facts.players.truncate(n);
        facts.rows = facts
            .players
            .iter()
            .enumerate()
            .map(|(i, p)| row(p, "sys_a", if i < unders { 23.0 } else { 26.0 }))
            .collect();
        assert_eq!(codes(&facts).contains(&"one_sided_recommendations".to_owned()), seen, "{unders} of {n}");
    }
}

#[test]
fn what_grading_cannot_judge_is_counted() {
    let mut facts = good();
    for row in facts.rows.iter_mut().take(2) {
        row.before_tip_off = false;
    }
    assert!(codes(&facts).is_empty());
    facts.rows[2].line_source = "ESTIMATED_AVG".into();
    assert_eq!(codes(&facts), ["ungradable"]);
    for row in &mut facts.rows {
        row.in_sample = true;
    }
    assert_eq!(codes(&facts), ["in_sample"], "left out on purpose is not missing");
}

#[test]
fn incident_83_an_old_model_is_named() {
    let mut facts = good();
    let model = |system: &str, until: Option<&str>| ModelFacts {
        system_id: system.parse().unwrap(),
        market: Market::points(),
        trained_until: until.map(|d| d.parse().unwrap()),
    };
    facts.models =
        vec![model("sys_a", Some("2026-02-10")), model("formula", None), model("ahead", Some("2026-03-01"))];
    assert!(codes(&facts).is_empty(), "nine days are fresh, a formula does not age");
    facts.models.push(model("old", Some("2026-01-15")));
    assert_eq!(
        health(&facts).findings[0].sentence,
        "1 model was trained 10 days or more before the games: old (points, 35 days)"
    );
    // A whole zoo of them is one finding with its number and the oldest names.
    facts.models.extend((0..16).map(|n| model(&format!("zoo_{n:02}"), Some("2026-02-09"))));
    let found = &health(&facts).findings[0];
    assert_eq!(
        (found.count, found.sentence.as_str()),
        (
            17,
            "17 models were trained 10 days or more before the games: old (points, 35 days), \
             zoo_00 (points, 10 days), zoo_01 (points, 10 days) and 14 more"
        )
    );
}

#[test]
fn a_night_without_edges_is_healthy_and_told_apart_from_no_rows() {
    let mut facts = good();
    facts.rows = facts
        .players
        .iter()
        .enumerate()
        .map(|(i, p)| row(p, "sys_a", if i % 2 == 0 { 26.0 } else { 23.0 }))
        .collect();
    let found = health(&facts);
    assert_eq!((found.level, found.findings[0].code.as_str()), (HealthLevel::Healthy, "no_edge"));
    assert_eq!(found.findings[0].sentence, "no edge of 3 or more tonight: the largest of 40 rows is 1.50");
    facts.rows.clear();
    assert_eq!(codes(&facts), ["system_without_rows"]);
}

#[test]
fn an_empty_slate_has_nothing_wrong_and_no_mean() {
    let facts = SlateFacts {
        game_date: "2026-02-19".parse().unwrap(),
        games: vec![],
        players: vec![],
        rows: vec![],
        systems: vec![],
        models: vec![],
        configured_sources: 2,
        stale: vec![],
    };
    let health = health(&facts);
    assert_eq!((health.level, health.findings.len()), (HealthLevel::Healthy, 0));
    assert!(!health.figures.contains_key("mean_feature_quality"), "unknown is shown as unknown");
    assert_eq!(health.figures["top_edge"], 0.0);
}

#[test]
fn the_worst_comes_first() {
    let mut facts = good();
    facts.systems.push("sys_b".parse().unwrap());
    facts.games[0].has_lines = false;
    facts.rows.iter_mut().for_each(|r| r.predicted_value = 24.5);
    let health = health(&facts);
    let levels: Vec<FindingLevel> = health.findings.iter().map(|f| f.level).collect();
    assert_eq!(levels, [FindingLevel::Degraded, FindingLevel::Warning, FindingLevel::Info]);
    assert_eq!(health.level, HealthLevel::Degraded);
}

#[test]
fn long_lists_are_cut() {
    let mut facts = good();
    facts.systems.extend((0..25).map(|i| format!("s{i}").parse::<SystemId>().unwrap()));
    let sentence = health(&facts).findings.remove(0).sentence;
    assert!(sentence.ends_with("s19 and 5 more"), "{sentence}");
}
