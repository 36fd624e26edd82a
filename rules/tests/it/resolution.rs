//! How many quoted names find their player, with rosters read only up to the day before.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise
#![allow(clippy::print_stdout)] // the counts are what this test is run for

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;
use proto::tables::AliasRow;
use proto::{PlayerLookup, PlayerName, TeamCode};
use rules::aliases::{Resolution, Resolver};

use crate::real::{folder, offers, rows};

/// Every appearance in box scores: date, player, team.
fn appearances(data: &Path) -> Vec<(Date, PlayerName, TeamCode)> {
    let files = [
        "player_boxscores_2022-23_regular",
        "player_boxscores_2023-24_regular",
        "player_boxscores_2024-25_regular",
        "player_boxscores_2025-26_regular_to_2025-11-16",
        "player_boxscores_playoffs_2020-21_to_2024-25",
    ];
    let mut all = Vec::new();
    for file in files {
        rows(&data.join(format!("boxscores/{file}.csv.gz")), |field| {
            let name = PlayerName::parse(&field("player_name")).unwrap();
            all.push((field("game_date").parse().unwrap(), name, field("team").parse().unwrap()));
        });
    }
    all.sort_by_key(|(date, ..)| *date);
    all
}

fn aliases(data: &Path) -> Vec<AliasRow> {
    let mut all = Vec::new();
    let lookup = |name: &str| PlayerName::parse(name).unwrap().lookup;
    rows(&data.join("odds/name_aliases.csv.gz"), |field| {
        all.push(AliasRow { alias: lookup(&field("odds_name")), player_lookup: lookup(&field("box_name")) });
    });
    all
}

fn team_codes(data: &Path) -> BTreeMap<String, TeamCode> {
    let mut codes = BTreeMap::new();
    rows(&data.join("teams/teams.csv.gz"), |field| {
        codes.insert(field("full_name"), field("team").parse().unwrap());
    });
    codes
}

#[test]
fn nearly_every_quoted_name_is_resolved() {
    let Some(data) = folder() else { return };
    let (appearances, aliases, codes) = (appearances(&data), aliases(&data), team_codes(&data));
    let mut asked: BTreeMap<Date, BTreeSet<(String, [TeamCode; 2])>> = BTreeMap::new();
    for offer in offers(&data) {
        let teams = offer.teams.map(|name| codes[&name]);
        asked.entry(offer.date).or_default().insert((offer.player, teams));
    }
    let mut latest: BTreeMap<PlayerLookup, (PlayerLookup, TeamCode)> = BTreeMap::new();
    let mut known = appearances.iter().peekable();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unresolved: BTreeSet<String> = BTreeSet::new();
    for (date, names) in asked {
        while let Some((_, name, team)) = known.next_if(|(day, ..)| *day < date) {
            latest.insert(name.lookup.clone(), (name.without_suffix.clone(), *team));
        }
        let rosters = latest.iter().map(|(player, (base, team))| (player.clone(), base.clone(), *team));
        let resolver = Resolver::new(rosters, aliases.clone());
        for (name, teams) in names {
            let way = match resolver.resolve(&PlayerName::parse(&name).unwrap(), &teams) {
                Resolution::Exact(_) => "exact",
                Resolution::Alias(_) => "alias",
                Resolution::Suffix(_) => "suffix",
                Resolution::Unresolved { .. } => {
                    unresolved.insert(name);
                    "unresolved"
                }
            };
            *counts.entry(way).or_default() += 1;
        }
    }
    println!("{counts:?}; unresolved: {}", unresolved.into_iter().collect::<Vec<_>>().join(", "));
    let total: usize = counts.values().sum();
    let share = counts.get("unresolved").copied().unwrap_or(0) as f64 / total as f64;
    assert!(total > 5_000, "the whole data was read: {total}");
    assert!(share < 0.02, "{share:.4} of the names find nobody");
}
