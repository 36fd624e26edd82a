//! What a registry takes in, what it refuses, and who replaces whom.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use models::{Card, Engine, FeatureMatrix, Model, NoPrediction, PredictError, Registry};
use proto::{Market, Role, SystemId};
use tempfile::TempDir;

use crate::cards::FORMULA;
use crate::fixtures::Fixture;

const FIXTURE: &str = "catboost_symmetric";

fn system(name: &str) -> SystemId {
    name.parse().unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A card for the fixture under any name, with its first rows as reference vectors.
fn trees_card(name: &str, file: &str) -> String {
    let fixture = Fixture::read(FIXTURE);
    let features: Vec<String> = (0..fixture.width).map(|index| format!("\"feature_{index}\"")).collect();
    let mut card = format!(
        "format = 1\nsystem_id = \"{name}\"\nmarket = \"points\"\ntarget = \"points\"\nrole = \"shadow\"\n\
         engine = \"native\"\nfile = \"{file}\"\nsha256 = \"{}\"\nfeatures = [{}]\n\
         [training]\nstart = \"2024-01-01\"\nend = \"2024-02-01\"\n",
        sha256(&fixture.onnx),
        features.join(", "),
    );
    for (row, expected) in fixture.rows.iter().zip(&fixture.onnxruntime).take(9) {
        let inputs: Vec<String> =
            row.iter().map(|value| format!("{value:?}").replace("NaN", "nan")).collect();
        card += &format!("[[reference]]\ninputs = [{}]\nexpected = {expected:?}\n", inputs.join(", "));
    }
    card
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(folder.path().join(name), bytes).unwrap();
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn refusal(registry: &Registry, origin: &str) -> String {
    let refused = registry.refused().iter().find(|refused| refused.origin == origin);
    refused.unwrap_or_else(|| panic!("{origin} was not refused: {:?}", registry.refused())).reason.clone()
}

#[test]
fn a_folder_adds_models_packed_and_unpacked() {
    let folder = TempDir::new().unwrap();
    let onnx = Fixture::read(FIXTURE).onnx;
    write(&folder, "plain.toml", trees_card("plain_v1", "plain.onnx"));
    write(&folder, "plain.onnx", &onnx);
    write(&folder, "packed.toml", trees_card("packed_v1", "packed.onnx.gz"));
    write(&folder, "packed.onnx.gz", packed(&onnx));
    write(&folder, "README.md", "not a card");
    let registry = Registry::load(Some(folder.path()));
    assert_eq!(registry.refused(), []);
    assert_eq!(registry.models().len(), Registry::zoo().models().len() + 2);
    let plain = registry.by_system(&system("plain_v1"), &Market::points()).unwrap();
    let packed = registry.by_system(&system("packed_v1"), &Market::points()).unwrap();
    assert_eq!(plain.pin.sha256, packed.pin.sha256, "packing changes no answer");
    assert!(registry.by_pin(&plain.pin).is_some());
    assert!(registry.pins().contains(&packed.pin));
    let names: Vec<_> = registry.models().iter().map(|model| model.pin.system_id.clone()).collect();
    assert!(names.is_sorted());
}

#[test]
fn what_is_wrong_is_refused_with_its_reason_and_the_rest_serve() {
    let folder = TempDir::new().unwrap();
    let onnx = Fixture::read(FIXTURE).onnx;
    write(&folder, "good.onnx", &onnx);
    write(&folder, "good.toml", trees_card("good_v1", "good.onnx"));
    write(&folder, "no_file.toml", trees_card("no_file_v1", "nowhere.onnx"));
    write(&folder, "cut.onnx.gz", &packed(&onnx)[..300]);
    write(&folder, "cut.toml", trees_card("cut_v1", "cut.onnx.gz"));
    let mut flipped = onnx.clone();
    flipped[onnx.len() / 2] ^= 1;
    write(&folder, "flipped.onnx", flipped);
    write(&folder, "flipped.toml", trees_card("flipped_v1", "flipped.onnx"));
    let bomb = packed(&vec![0; models::native::MAX_MODEL_BYTES + 1]);
    write(&folder, "bomb.onnx.gz", &bomb);
    write(&folder, "bomb.toml", trees_card("bomb_v1", "bomb.onnx.gz"));
    let narrow = trees_card("narrow_v1", "good.onnx").replacen("\"feature_5\"", "", 1).replacen(
        "feature_4\", ",
        "feature_4\"",
        1,
    );
    write(&folder, "narrow.toml", narrow);
    write(&folder, "broken.toml", "format = ");
    write(&folder, "latin.toml", b"notes = \"\xff\"");
    write(&folder, "zz_twin.toml", trees_card("good_v1", "good.onnx"));
    let registry = Registry::load(Some(folder.path()));
    let cases = [
        ("no_file.toml", "`nowhere.onnx` is not beside the card"),
        ("cut.toml", "`cut.onnx.gz` cannot be unpacked"),
        ("flipped.toml", "file and card do not belong together"),
        ("bomb.toml", "more than 67108864 bytes"),
        ("narrow.toml", "has 6 inputs, the card names 5 features"),
        ("broken.toml", "the card is not readable"),
        ("latin.toml", "not UTF-8"),
        ("zz_twin.toml", "good.toml names the same system and market"),
    ];
    for (origin, words) in cases {
        let reason = refusal(&registry, origin);
        assert!(reason.contains(words), "{origin}: expected `{words}` in `{reason}`");
    }
    assert_eq!(registry.refused().len(), cases.len(), "{:?}", registry.refused());
    assert!(registry.by_system(&system("good_v1"), &Market::points()).is_some());
    assert_eq!(registry.models().len(), Registry::zoo().models().len() + 1);
}

#[test]
fn incident_80_a_model_that_answers_otherwise_than_where_it_was_made_is_refused() {
    let folder = TempDir::new().unwrap();
    write(&folder, "good.onnx", Fixture::read(FIXTURE).onnx);
    let card = trees_card("moved_v1", "good.onnx");
    let at = card.rfind("expected = ").unwrap();
    write(&folder, "moved.toml", format!("{}expected = 99.5\n", &card[..at]));
    let reason = refusal(&Registry::load(Some(folder.path())), "moved.toml");
    assert!(reason.starts_with("reference vector 8 must give 99.5 and gives "), "{reason}");
}

#[test]
fn a_folder_that_is_not_there_is_a_refusal_and_the_zoo_serves() {
    let registry = Registry::load(Some(Path::new("no/such/folder")));
    assert!(refusal(&registry, "models folder").contains("cannot be read"));
    assert_eq!(registry.pins(), Registry::zoo().pins());
}

#[test]
fn an_equal_id_replaces_even_when_its_replacement_is_refused_or_disabled() {
    let zoo_id = system("moving_average_v1");
    let own = FORMULA.replace("mean_v1", "moving_average_v1");
    for (text, served, disabled) in [
        (own.clone(), true, 0),
        (own.replace("expected = 15", "expected = 16"), false, 0),
        (own.replace("points_avg_season = 0.5", ""), false, 0),
        (own.replace("role = \"shadow\"", "role = \"disabled\""), false, 1),
    ] {
        let folder = TempDir::new().unwrap();
        write(&folder, "own.toml", &text);
        let registry = Registry::load(Some(folder.path()));
        let model = registry.by_system(&zoo_id, &Market::points());
        assert_eq!(model.is_some(), served, "{text}");
        assert_eq!(registry.disabled().len(), disabled);
        assert_eq!(registry.refused().len(), usize::from(!served) - disabled);
        if let Some(model) = model {
            assert_eq!(model.card.features.len(), 2, "the folder's card, not the zoo's");
        }
    }
}

#[test]
fn incident_82_a_market_has_one_champion() {
    let folder = TempDir::new().unwrap();
    let champion =
        |name: &str| FORMULA.replace("mean_v1", name).replace("role = \"shadow\"", "role = \"champion\"");
    write(&folder, "a.toml", champion("a_v1"));
    write(&folder, "b.toml", champion("b_v1"));
    let registry = Registry::load(Some(folder.path()));
    assert_eq!(registry.champion(&Market::points()).unwrap().pin.system_id, system("a_v1"));
    let refused = &registry.refused()[0];
    assert_eq!(refused.system_id, Some(system("b_v1")));
    assert!(refused.reason.contains("a_v1 is the champion for points already"), "{}", refused.reason);
    let is_champion =
        |model: &&Arc<Model>| model.card.role == Role::Champion && model.pin.market == Market::points();
    let champions = registry.models().iter().filter(is_champion).count();
    assert_eq!(champions, 1, "the zoo's champion goes on as a shadow");
    assert_eq!(registry.models().len(), Registry::zoo().models().len() + 1);
}

#[test]
fn incident_75_a_model_whose_columns_do_not_exist_is_not_enabled() {
    let registry = Registry::zoo().checked_against(|name| name != "vegas_points_line");
    assert!(registry.champion(&Market::points()).is_none());
    let zoo = Registry::zoo();
    let readers =
        zoo.models().iter().filter(|m| m.card.features.iter().any(|name| name == "vegas_points_line"));
    assert_eq!(registry.models().len(), zoo.models().len() - readers.count());
    let refused =
        registry.refused().iter().find(|refused| refused.system_id == Some(system("catboost_v2"))).unwrap();
    assert!(refused.reason.contains("the feature vegas_points_line"), "{}", refused.reason);
    assert_eq!(Registry::zoo().checked_against(|_| true).refused(), []);
}

#[test]
fn a_pinned_model_outlives_the_registry_that_replaces_its_own() {
    let before = Arc::new(Registry::zoo());
    let pins = before.pins();
    let held = Arc::clone(&before);
    drop(before);
    let after = Registry::zoo();
    assert_eq!(after.pins(), pins, "the same bytes pin the same");
    assert!(pins.iter().all(|pin| held.by_pin(pin).is_some()));
}

#[test]
fn a_margin_model_adds_the_line_back_and_is_silent_without_one() {
    let folder = TempDir::new().unwrap();
    let card = FORMULA.replace("target = \"points\"", "target = \"margin_over_line\"");
    write(&folder, "margin.toml", card);
    let registry = Registry::load(Some(folder.path()));
    let model = registry.by_system(&system("mean_v1"), &Market::points()).unwrap();
    let mut rows = FeatureMatrix::with_width(2);
    for row in [[1.0, 2.0], [1.0, 2.0], [f64::NAN, 2.0], [f64::INFINITY, 0.0]] {
        rows.push_row(&row).unwrap();
    }
    let answers = model.predict(&rows, &[Some(20.5), None, Some(20.5), Some(20.5)]).unwrap();
    let refused = [NoPrediction::NoLine, NoPrediction::MissingFeature(0), NoPrediction::NotFinite];
    assert_eq!(answers, [Ok(22.0), Err(refused[0]), Err(refused[1]), Err(refused[2])]);
    let sentences = refused.map(|refusal| model.explain(refusal));
    assert!(sentences[0].contains("there is no line"));
    assert!(sentences[1].contains("needs the feature points_avg_last_5, which is missing"));
    assert!(sentences[2].contains("no finite number"));
    assert!(model.predict(&rows, &[]).unwrap_err().to_string().contains("4 rows came with 0 lines"));
}

/// Answers like the formula card, or what it is told to.
#[derive(Debug)]
struct Fixed(usize, f64);

impl Engine for Fixed {
    fn width(&self) -> usize {
        self.0
    }

    fn predict(&self, _: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        out.fill(self.1);
        Ok(())
    }
}

#[test]
fn a_foreign_engine_is_held_to_width_and_references() {
    let card = || Card::parse(FORMULA).unwrap();
    let load = |width, answer| Model::with_engine(card(), Arc::new(Fixed(width, answer)));
    assert!(load(2, 15.0).is_ok());
    assert!(load(2, 16.0).unwrap_err().to_string().contains("must give 15 and gives 16"));
    assert!(load(2, f64::NAN).unwrap_err().to_string().contains("must give 15 and gives NaN"));
    assert!(load(3, 15.0).unwrap_err().to_string().contains("the engine takes 3 features, the card names 2"));
    let registry = Registry::from_models([load(2, 15.0).unwrap(), Model::load(card(), None).unwrap()]);
    assert_eq!(registry.models().len(), 1);
    assert!(registry.refused()[0].reason.contains("names the same system and market"));
}

#[test]
fn a_folder_named_like_a_card_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("odd.toml")).unwrap();
    assert!(refusal(&Registry::load(Some(folder.path())), "odd.toml").contains("it is not a file"));
}

/// A CatBoost model of one feature whose answer is its leaf times `scale`.
fn scaled(scale: f64) -> String {
    format!(
        r#"{{"features_info": {{"float_features": [{{"feature_index": 0, "flat_feature_index": 0}}]}},
            "oblivious_trees": [{{"leaf_values": [1e308], "splits": null}}], "scale_and_bias": [{scale}, [0]]}}"#
    )
}

#[test]
fn a_model_that_breaks_a_promise_of_its_card_is_refused_with_a_sentence() {
    let folder = TempDir::new().unwrap();
    let onnx = Fixture::read(FIXTURE).onnx;
    write(&folder, "good.onnx", &onnx);
    let add = |name: &str, change: &dyn Fn(String) -> String| {
        write(&folder, &format!("{name}.toml"), change(trees_card(&format!("{name}_v1"), "good.onnx")));
    };
    add("a_wrong_hash", &|card| card.replacen("sha256 = \"", "sha256 = \"0", 1));
    add("another_hash", &|card| {
        let hash = sha256(&onnx);
        card.replace(&hash, &sha256(b"another file"))
    });
    add("a_feature_less", &|card| card.replacen("\"feature_0\", ", "", 1));
    add("a_feature_twice", &|card| card.replacen("\"feature_0\"", "\"feature_1\"", 1));
    add("a_failed_reference", &|card| {
        let at = card.find("expected = ").unwrap();
        let end = at + card[at..].find('\n').unwrap();
        format!("{}expected = -7.5{}", &card[..at], &card[end..])
    });
    for (name, scale) in [("an_infinite_answer", 10.0), ("a_finite_answer", 1e-300)] {
        let (file, text) = (format!("{name}.json"), scaled(scale));
        let card = format!(
            "format = 1\nsystem_id = \"{name}_v1\"\nmarket = \"points\"\ntarget = \"points\"\nrole = \"shadow\"\n\
             engine = \"native\"\nfile = \"{file}\"\nsha256 = \"{}\"\nfeatures = [\"feature_0\"]\n\
             [training]\nstart = \"2024-01-01\"\nend = \"2024-02-01\"\n\
             [[reference]]\ninputs = [1.0]\nexpected = 100000000.0\n",
            sha256(text.as_bytes())
        );
        write(&folder, &file, &text);
        write(&folder, &format!("{name}.toml"), card);
    }
    let registry = Registry::load(Some(folder.path()));
    assert!(
        registry.by_system(&system("a_finite_answer_v1"), &Market::points()).is_some(),
        "{:?}",
        registry.refused()
    );
    let mut said: Vec<String> = registry
        .refused()
        .iter()
        .map(|refused| format!("{}\n    {}", refused.origin, refused.reason))
        .collect();
    said.sort();
    insta::assert_snapshot!(said.join("\n"));
    // A feature that this version of the contract does not know: the model is taken out when the contract is at hand.
    let known = registry.checked_against(|name| name != "feature_0");
    let refused =
        known.refused().iter().find(|refused| refused.system_id == Some(system("a_finite_answer_v1")));
    assert!(refused.unwrap().reason.contains("the feature feature_0"), "{refused:?}");
}
