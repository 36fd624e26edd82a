//! Models across reloads.

use std::collections::BTreeSet;

use proto::{Market, ModelPin};
use workers::ModelShelf;

use crate::samples::{formula_card, registry_of};

fn alphas(shelf: &ModelShelf) -> Vec<ModelPin> {
    let stock = shelf.stock();
    stock.serves().iter().filter(|pin| pin.system_id.as_str() == "alpha").cloned().collect()
}

#[test]
fn a_reload_keeps_what_a_batch_pins_and_forgets_the_rest() {
    let first = registry_of(&[formula_card("alpha", "points_avg_last_5", 1.0)]);
    let second = registry_of(&[formula_card("alpha", "points_avg_last_5", 0.5)]);
    let old_pin = first.by_system(&"alpha".parse().unwrap(), &Market::points()).unwrap().pin.clone();
    let shelf = ModelShelf::new(first, rules::contract());
    assert_eq!(alphas(&shelf), std::slice::from_ref(&old_pin));
    assert!(shelf.stock().only_set().is_some());

    shelf.install(second);
    assert_eq!(alphas(&shelf).len(), 2, "both versions");
    assert!(shelf.stock().serves().is_sorted());
    assert!(shelf.stock().only_set().is_none(), "which one is the batch's to say");

    let set = shelf.stock().set_for(std::slice::from_ref(&old_pin));
    assert_eq!(set.pins().collect::<Vec<_>>(), [&old_pin]);
    assert!(!shelf.registry().pins().contains(&old_pin), "new batches pin the new one");

    shelf.keep_only(&BTreeSet::from([old_pin.clone()]));
    assert_eq!(alphas(&shelf).len(), 2);
    shelf.keep_only(&BTreeSet::new());
    assert_eq!(alphas(&shelf).len(), 1);
    assert!(shelf.stock().only_set().is_some());
    assert_eq!(shelf.stock().set_for(&[old_pin]).pins().count(), 0);
}

#[test]
fn incident_81_a_model_that_reads_an_unknown_feature_is_neither_served_nor_pinned() {
    let registry = registry_of(&[formula_card("alpha", "points_next_game", 1.0)]);
    let shelf = ModelShelf::new(registry, rules::contract());
    assert_eq!(alphas(&shelf), []);
    assert!(!shelf.registry().pins().iter().any(|pin| pin.system_id.as_str() == "alpha"));
    assert!(shelf.registry().refused().iter().any(|model| model.reason.contains("points_next_game")));
}
