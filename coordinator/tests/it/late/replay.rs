//! A day with everything in it, and the nights of the predecessor that were about late data.

use std::collections::BTreeSet;

use coordinator::engine::Instance;
use proto::PlayerName;
use proto::api::{BatchStatus, StartRequest};
use serde_json::Value;

use super::day::{Day, active, differ, players_of, watch};
use crate::world::{count, finish, start};

/// Vendor's names of the first quoted players, with their lookups; only names that are one spelling of one player.
pub(super) fn quoted(day: &Day, how_many: usize) -> Vec<(String, String)> {
    let mut names: BTreeSet<(String, String)> = BTreeSet::new();
    day.odds(|name, _| {
        let lookup = PlayerName::parse(name).unwrap().lookup.to_string();
        if day.report.quoted.contains(&lookup) {
            names.insert((name.to_owned(), lookup));
        }
    });
    let chosen: Vec<_> = names.into_iter().step_by(5).take(how_many).collect();
    assert_eq!(chosen.len(), how_many);
    chosen
}

pub(super) fn lookups(players: &[(String, String)]) -> BTreeSet<String> {
    players.iter().map(|(_, lookup)| lookup.clone()).collect()
}

pub(super) fn raise(outcome: &mut Value, by: f64) {
    outcome["point"] = (outcome["point"].as_f64().unwrap() + by).into();
}

async fn text(instance: &Instance, sql: &str) -> String {
    let table = instance.context.warehouse.sql(sql, warehouse::SqlLimits::default()).await.unwrap();
    table.rows[0][0].clone().unwrap_or_default()
}

/// The players of one team who had a job in a batch.
async fn team_of(instance: &Instance, player: &str, batch: &BatchStatus) -> (String, BTreeSet<String>) {
    let team = text(instance, &format!("select team from features where player_lookup = '{player}'")).await;
    let sql = format!("select group_concat(player_lookup) from features where team = '{team}'");
    let on_team: BTreeSet<String> = text(instance, &sql).await.split(',').map(str::to_owned).collect();
    let jobs = players_of(instance, batch).await;
    (team, on_team.intersection(&jobs).cloned().collect())
}

#[test]
fn over_a_day_everybody_affected_is_predicted_once_per_change_and_nobody_else() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        let first = finish(instance, day.request()).await;
        assert_eq!(first.state, "complete", "{first:#?}");
        let all = players_of(instance, &first).await;
        assert!(all.len() >= day.report.quoted.len());
        let movers = quoted(&day, 3);

        // Every half hour a file arrives. Most say what was said before.
        let mut generations = 1;
        for (time, moved, by) in [
            ("07:00", 0..0, 0.0),
            ("07:30", 0..2, 1.0),
            ("08:00", 0..2, 1.0),
            ("08:30", 2..3, 1.0),
            ("09:00", 0..3, 1.0),
            ("09:30", 0..3, 2.0),
            ("10:00", 0..3, 1.0),
        ] {
            day.set(time);
            let affected = lookups(&movers[moved.clone()]);
            let known_to_stay = matches!(time, "07:00" | "08:00" | "09:00");
            let file = day.odds(|name, outcome| {
                // What moved before stays where it is: at nine o'clock all three are where they were.
                let has_moved = match time {
                    "07:00" => false,
                    "07:30" | "08:00" => movers[..2].iter().any(|(n, _)| n == name),
                    _ => movers.iter().any(|(n, _)| n == name),
                };
                if has_moved {
                    raise(outcome, by);
                }
            });
            let before = active(instance, &day).await;
            day.arrive(instance, file).await;
            let batch = watch(instance, &day).await;
            let after = active(instance, &day).await;
            if known_to_stay {
                assert!(batch.is_none(), "{time}: {batch:#?}");
                assert_eq!(before, after, "{time}: a heartbeat changes no bit");
                continue;
            }
            generations += 1;
            let batch = batch.unwrap_or_else(|| panic!("{time}: nobody was run"));
            assert_eq!(players_of(instance, &batch).await, affected, "{time}");
            assert_eq!(differ(&before, &after), affected, "{time}: the others' rows stay byte-identical");
            assert!(watch(instance, &day).await.is_none(), "{time}: once per change");
        }
        let complete = count(instance, "select count(*) from batches where state = 'complete'").await;
        assert_eq!(complete, generations, "one batch for each change");
    });
}

#[test]
fn incident_53_the_line_of_a_row_is_the_line_of_its_snapshot() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        finish(instance, day.request()).await;
        let movers = quoted(&day, 1);
        let (name, lookup) = &movers[0];
        let where_he_is =
            format!("from predictions where is_active and market = 'points' and player_lookup = '{lookup}'");
        let old: f64 = text(instance, &format!("select min(line) {where_he_is}")).await.parse().unwrap();
        day.set("07:00");
        let moved = day.odds(|player, outcome| {
            if player == name {
                raise(outcome, 2.0)
            }
        });
        day.arrive(instance, moved).await;
        watch(instance, &day).await.unwrap();
        // The chosen line moved with the market, every row shows the snapshot it was read from, and the margin is its own.
        let sql = format!(
            "select count(*) {where_he_is} and (line < {old} + 1 or line_snapshot_at <> '{}'
             or abs(predicted_value - line - line_margin) > 1e-9)",
            text(instance, "select max(snapshot_at) from lines").await
        );
        assert_eq!(count(instance, &sql).await, 0);
        assert!(count(instance, &format!("select count(*) {where_he_is}")).await > 0);
    });
}

#[test]
fn incident_55_lines_that_land_after_the_features_are_taken_up() {
    let mut late = Vec::new();
    let day = Day::dawn_with(|day| {
        late = quoted(day, 4);
        // At the first look four players have no lines.
        day.odds(|name, outcome| {
            if late.iter().any(|(late, _)| late == name) {
                *outcome = Value::Null;
            }
        })
    });
    day.with_instance(2, async |instance, _| {
        let first = finish(instance, day.request()).await;
        assert!(first.reasons.get("no_line").is_some_and(|n| *n >= 4), "{:?}", first.reasons);
        let before = active(instance, &day).await;
        assert!(late.iter().all(|(_, lookup)| !before.contains_key(lookup)));

        day.set("07:02");
        let file = day.odds(|_, _| ());
        day.arrive(instance, file).await;
        let batch = watch(instance, &day).await.expect("lines are an event");
        assert_eq!(players_of(instance, &batch).await, lookups(&late));
        let after = active(instance, &day).await;
        assert_eq!(differ(&before, &after), lookups(&late));
        assert!(
            late.iter().all(|(_, lookup)| after.contains_key(lookup)),
            "everybody with a line is predicted"
        );
    });
}

#[test]
fn incident_73_features_older_than_their_inputs_are_built_again_before_anybody_is_run() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        finish(instance, day.request()).await;
        let movers = quoted(&day, 1);
        day.set("07:00");
        // The file brings game lines, too, from which features of everybody are made.
        let file = day.odds(|name, outcome| {
            if *name == movers[0].0 {
                raise(outcome, 1.0);
            }
        });
        day.arrive(instance, file).await;
        let dry = StartRequest { dry_run: true, ..day.request() };
        let summary = start(instance, dry).await.summary;
        let is_behind = |line: &proto::api::PlayerLine| {
            line.codes.iter().any(|note| note.code == proto::Code::StaleFeatures)
        };
        assert!(
            !summary.forecast.contains_key("predicted") && summary.not_predicted.iter().any(is_behind),
            "nobody is predicted from what is behind: {:?}",
            summary.forecast
        );
        let batch = watch(instance, &day).await.expect("a line moved");
        assert_eq!(players_of(instance, &batch).await, lookups(&movers));
        assert_eq!(batch.reasons.keys().collect::<Vec<_>>(), ["predicted"]);
        let behind =
            "select count(*) from features where built_at < (select max(ingested_at) from game_lines)";
        assert_eq!(count(instance, behind).await, 0);
    });
}

#[test]
fn incident_60_who_is_out_leaves_the_page_within_one_cycle() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        let first = finish(instance, day.request()).await;
        let (name, lookup) = quoted(&day, 1).remove(0);
        let (team, on_team) = team_of(instance, &lookup, &first).await;
        day.set("17:30");
        let before = active(instance, &day).await;
        let report = day.injury_report(&name, &team, "out");
        day.arrive(instance, report).await;
        let batch = watch(instance, &day).await.expect("an injury is a change");

        let affected = players_of(instance, &batch).await;
        assert!(affected.contains(&lookup), "{affected:?}");
        assert!(affected.is_subset(&on_team), "his team-mates may do his work, nobody else: {affected:?}");
        let after = active(instance, &day).await;
        assert!(before.contains_key(&lookup) && !after.contains_key(&lookup), "no row of his is active");
        assert!(differ(&before, &after).is_subset(&affected), "the others' rows stay byte-identical");
        let invalid = format!(
            "select count(*) from predictions where player_lookup = '{lookup}' and invalidation_reason = 'injured_out'"
        );
        assert_eq!(count(instance, &invalid).await as usize, before[&lookup].len());
        assert!(watch(instance, &day).await.is_none());
    });
}

#[test]
fn incident_61_a_game_that_is_postponed_leaves_the_page_within_one_cycle() {
    let day = Day::dawn();
    day.with_instance(2, async |instance, _| {
        finish(instance, day.request()).await;
        let game = text(instance, "select min(game_id) from predictions where is_active").await;
        let of_game = format!("from job_outcomes where game_id = '{game}' and generation = 1");
        let players = text(instance, &format!("select group_concat(player_lookup) {of_game}")).await;
        let players: BTreeSet<String> = players.split(',').map(str::to_owned).collect();
        day.set("12:00");
        let before = active(instance, &day).await;
        // Final without a score is how a source says so.
        let schedule = day.schedule(&game, |row| {
            row.insert("status".to_owned(), "Final".to_owned());
        });
        day.arrive(instance, schedule).await;
        let batch = watch(instance, &day).await.expect("a postponement is a change");
        assert_eq!(players_of(instance, &batch).await, players, "everybody of that game, nobody else");
        assert_eq!(batch.reasons.keys().collect::<Vec<_>>(), ["game_postponed"]);
        let after = active(instance, &day).await;
        let gone: BTreeSet<String> = differ(&before, &after);
        assert!(!gone.is_empty() && gone.is_subset(&players));
        let active_rows = count(
            instance,
            &format!("select count(*) from predictions where is_active and game_id = '{game}'"),
        )
        .await;
        assert_eq!(active_rows, 0);
        assert!(watch(instance, &day).await.is_none());
    });
}
