//! A league of real team names and invented people.

use std::collections::HashSet;

use proto::tables::TeamRow;
use proto::{PlayerName, names::normalise};

use super::play::{TEAM_MINUTES, TEAM_POINTS};
use super::rng::Rng;
use crate::ingest::built_in_teams;

/// Beginnings and ends of names nobody bears; accents, apostrophes, hyphens and suffixes are there on purpose.
const FIRST: [&str; 24] = [
    "Aro", "Beno", "Cade", "Dario", "D'Elo", "Émil", "Fenn", "Gido", "Hale", "Ivo", "J.R.", "Kesh", "Loren",
    "Miko", "Nael", "Oskar", "Pavo", "Quill", "Rémy", "Stev", "Taro", "Ulric", "Vance", "Žan",
];
const LAST_HEAD: [&str; 20] = [
    "Alder", "Brant", "Calo", "Dorn", "Ekko", "Falk", "Grav", "Holm", "Iver", "Jarn", "Kest", "Lorn", "Mard",
    "Norv", "Orsk", "Prell", "Quor", "Rask", "Selv", "Tarn",
];
const LAST_TAIL: [&str; 16] = [
    "ack", "berg", "chuk", "dale", "eira", "fjord", "gard", "ović", "issen", "kamp", "lund", "moor", "nez",
    "quist", "stad", "wick",
];
const SUFFIXES: [&str; 3] = ["Jr.", "II", "III"];

/// One invented player.
#[derive(Debug, Clone)]
pub(super) struct Player {
    /// As box scores write him.
    pub(super) name: String,
    /// As odds sources write him: often without suffix or accents.
    pub(super) odds_name: String,
    pub(super) id: i64,
    /// Mean minutes when he plays.
    pub(super) minutes: f64,
    /// Points per minute.
    pub(super) per_minute: f64,
    /// Share of his points from threes.
    pub(super) threes: f64,
}

/// One team with its players, best first.
#[derive(Debug, Clone)]
pub(super) struct Team {
    pub(super) row: TeamRow,
    /// Points scored relative to an average team.
    pub(super) attack: f64,
    /// Points allowed relative to an average team.
    pub(super) defence: f64,
    pub(super) players: Vec<Player>,
}

/// Mean minutes by place in the rotation.
const MINUTES: [f64; 15] =
    [35.0, 33.5, 32.0, 30.0, 28.0, 24.0, 20.0, 17.0, 13.0, 9.0, 7.0, 6.0, 5.0, 4.0, 3.0];

/// All thirty teams with `players` each.
pub(super) fn league(rng: &mut Rng, players: usize) -> Vec<Team> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut id = 9_000_000;
    built_in_teams()
        .into_iter()
        .map(|row| {
            let attack = rng.between(0.94, 1.06);
            let defence = rng.between(0.94, 1.06);
            let mut players: Vec<Player> = (0..players)
                .map(|place| {
                    id += 1;
                    player(rng, &mut taken, id, place)
                })
                .collect();
            score_as_a_team(&mut players);
            Team { row, attack, defence, players }
        })
        .collect()
}

/// Scales a team's scoring to what teams score, however long its bench is: a pace or rating beyond what any team has
/// would be taken for a fault of the data.
fn score_as_a_team(players: &mut [Player]) {
    let minutes: f64 = players.iter().map(|player| player.minutes).sum();
    let points: f64 = players.iter().map(|player| player.minutes * player.per_minute).sum();
    if minutes > 0.0 && points > 0.0 {
        let scale = TEAM_POINTS / (points * f64::from(TEAM_MINUTES) / minutes);
        players.iter_mut().for_each(|player| player.per_minute *= scale);
    }
}

fn player(rng: &mut Rng, taken: &mut HashSet<String>, id: i64, place: usize) -> Player {
    let bare = loop {
        let name = format!("{} {}{}", rng.pick(&FIRST), rng.pick(&LAST_HEAD), rng.pick(&LAST_TAIL));
        if taken.insert(normalise(&name)) {
            break name;
        }
    };
    let has_suffix = rng.chance(0.06);
    let suffix = *rng.pick(&SUFFIXES);
    let name = if has_suffix { format!("{bare} {suffix}") } else { bare.clone() };
    let keeps_suffix = rng.chance(0.5);
    let odds_name = plain(if keeps_suffix { &name } else { &bare });
    let minutes = MINUTES[place.min(MINUTES.len() - 1)] + rng.normal(0.0, 1.5);
    Player {
        odds_name,
        name,
        id,
        minutes: minutes.max(3.0),
        per_minute: rng.normal(if place < 3 { 0.62 } else { 0.45 }, 0.09).clamp(0.2, 0.95),
        threes: rng.between(0.1, 0.5),
    }
}

/// Without accents, as most odds sources write names.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            'É' => 'E',
            'é' => 'e',
            'Ž' => 'Z',
            'ć' => 'c',
            c => c,
        })
        .collect()
}

/// A name that nobody in the league bears.
pub(super) fn stranger(number: usize) -> String {
    format!("Xavi Unbekannt{}", ["ar", "el", "im", "os", "un", "yk"][number % 6].repeat(1 + number / 6))
}

/// The key under which a player is found.
pub(super) fn lookup(name: &str) -> String {
    PlayerName::parse(name).map_or_else(|_| normalise(name), |n| n.lookup.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_name_of_his_own_even_without_suffix() {
        let teams = league(&mut Rng::new(1), 15);
        let mut keys: Vec<String> = teams
            .iter()
            .flat_map(|team| &team.players)
            .map(|p| {
                PlayerName::parse(&p.name).map_or_else(|_| String::new(), |n| n.without_suffix.to_string())
            })
            .collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!((all, keys.len()), (450, 450));
        assert!(!keys.contains(&lookup(&stranger(3))));
    }
}
