//! The operator's word over the cards': what it changes, and what cannot be written.

use std::path::Path;

use models::{ROLES_FILE, Registry, Roles};
use proptest::prelude::*;
use proto::{Market, Role, SystemId};
use tempfile::TempDir;

use crate::cards::FORMULA;

fn system(name: &str) -> SystemId {
    name.parse().unwrap()
}

fn points() -> Market {
    Market::points()
}

/// A folder whose roles are this text.
fn folder(roles: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(ROLES_FILE), roles).unwrap();
    folder
}

fn load(folder: &TempDir) -> Registry {
    Registry::load(Some(folder.path()))
}

/// Champions of a market; a registry of any kind has one at most.
fn champions(registry: &Registry, market: &Market) -> Vec<String> {
    let models = registry.models().iter();
    let champions = models.filter(|model| model.card.role == Role::Champion && model.pin.market == *market);
    champions.map(|model| model.pin.system_id.to_string()).collect()
}

const POINTS: &str = "format = 1\n\n[markets.points]\n";

#[test]
fn incident_82_illegal_combinations_cannot_be_written() {
    for (text, part) in [
        ("champion = \"a\"\nchampion = \"b\"", "duplicate key"),
        ("champion = [\"a\", \"b\"]", "expected a string"),
        ("champion = \"a\"\ndisabled = [\"a\"]", "a is named twice for points"),
        ("shadows = [\"b\"]\ndisabled = [\"b\"]", "b is named twice for points"),
        ("blocked = [\"a\"]", "unknown field `blocked`"),
        ("champion = \"A b\"", "A b"),
    ] {
        let error = Roles::parse(&format!("{POINTS}{text}\n")).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(Roles::parse("format = 2").unwrap_err().to_string().contains("reads format 1"));
    assert!(Roles::parse("champion = \"a\"").is_err(), "a format is required");
}

#[test]
fn a_named_market_has_the_champion_the_file_names_or_none() {
    let zoo = Registry::zoo();
    assert_eq!(champions(&zoo, &points()), ["catboost_v2"]);
    let promoted = load(&folder(&format!("{POINTS}champion = \"moving_average_v1\"\n")));
    assert_eq!(promoted.refused(), []);
    assert_eq!(champions(&promoted, &points()), ["moving_average_v1"]);
    let rebounds = "rebounds".parse().unwrap();
    assert_eq!(champions(&promoted, &rebounds), ["catboost_v2"], "other markets are as the cards say");
    assert_eq!(promoted.pins(), zoo.pins(), "a role changes no answer and no pin");

    let vacant = load(&folder(POINTS));
    assert_eq!(champions(&vacant, &points()), [""; 0], "nobody moves up by himself");
    assert_eq!(vacant.pins(), zoo.pins(), "and everybody goes on predicting");
}

#[test]
fn a_disabled_model_is_not_served_and_comes_back_when_it_is_named_a_shadow() {
    let off = load(&folder(&format!("{POINTS}champion = \"catboost_v2\"\ndisabled = [\"xgb_v2_noveg\"]\n")));
    assert!(off.by_system(&system("xgb_v2_noveg"), &points()).is_none());
    let disabled: Vec<_> = off.disabled().iter().map(|card| (card.system_id.as_str(), card.role)).collect();
    assert_eq!(disabled, [("xgb_v2_noveg", Role::Disabled)]);
    assert_eq!(champions(&off, &points()), ["catboost_v2"]);

    let own = folder(&format!("{POINTS}shadows = [\"mean_v1\"]\n"));
    let card = FORMULA.replace("role = \"shadow\"", "role = \"disabled\"");
    std::fs::write(own.path().join("mean.toml"), card).unwrap();
    let role = load(&own).by_system(&system("mean_v1"), &points()).map(|model| model.card.role);
    assert_eq!(role, Some(Role::Shadow), "the file's word counts over the card's");
}

#[test]
fn incident_81_a_model_that_cannot_run_is_not_made_to_by_a_role() {
    let own = folder(&format!("{POINTS}champion = \"mean_v1\"\n"));
    let broken = FORMULA.replace("expected = 15", "expected = 16");
    std::fs::write(own.path().join("mean.toml"), broken).unwrap();
    let registry = load(&own);
    assert!(registry.by_system(&system("mean_v1"), &points()).is_none());
    assert_eq!(champions(&registry, &points()), [""; 0], "no other champion instead");
    assert!(registry.refused()[0].reason.contains("must give 16"), "{:?}", registry.refused());
}

#[test]
fn roles_that_cannot_be_read_make_nobody_champion_and_are_said() {
    for text in ["format = ", "format = 1\nmarkets = 3", "format = 7"] {
        let registry = load(&folder(text));
        assert_eq!(registry.refused().len(), 1, "{text}");
        let refused = &registry.refused()[0];
        assert!(
            refused.origin == ROLES_FILE && refused.reason.contains("no model is champion"),
            "{refused:?}"
        );
        assert_eq!(champions(&registry, &points()), [""; 0]);
        assert_eq!(registry.pins(), Registry::zoo().pins(), "everybody goes on predicting");
    }
    let unknown = load(&folder(&format!("{POINTS}champion = \"catboost_v3\"\n")));
    assert!(unknown.refused()[0].reason.contains("catboost_v3 for points, which no card describes"));
    assert_eq!(champions(&unknown, &points()), [""; 0]);
    assert_eq!(Registry::read_roles(Path::new("no/such/folder")).unwrap(), Roles::default());
}

fn a_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Champion), Just(Role::Shadow), Just(Role::Disabled)]
}

proptest! {
    #[test]
    fn any_row_of_changes_leaves_one_champion_at_most_and_reads_as_it_was_written(
        changes in prop::collection::vec((0..5_usize, a_role()), 1..12),
    ) {
        let name = |at: usize| system(&format!("s{at}"));
        // By the cards s0 is champion, the others are shadows.
        let of_card = |at: usize| if at == 0 { Role::Champion } else { Role::Shadow };
        let mut roles = Roles::default();
        for (at, role) in changes {
            let champion = (0..5).find(|at| roles.role_of(&name(*at), &points(), of_card(*at)) == Role::Champion);
            let before: Vec<Role> = (0..5).map(|at| roles.role_of(&name(at), &points(), of_card(at))).collect();
            roles = roles.with(&name(at), &points(), role, champion.map(name).as_ref());
            prop_assert_eq!(&Roles::parse(&roles.to_toml()).unwrap(), &roles);
            let after: Vec<Role> = (0..5).map(|at| roles.role_of(&name(at), &points(), of_card(at))).collect();
            prop_assert_eq!(after[at], role);
            prop_assert!(after.iter().filter(|role| **role == Role::Champion).count() <= 1);
            for other in (0..5).filter(|other| *other != at) {
                let steps_down = role == Role::Champion && before[other] == Role::Champion;
                let expected = if steps_down { Role::Shadow } else { before[other] };
                prop_assert_eq!(after[other], expected, "a change of one touches nobody else");
            }
        }
    }
}
