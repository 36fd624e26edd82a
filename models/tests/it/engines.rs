//! One suite for all engines: whatever runs a model, a row's answer is its own, what is missing is no number, and what is
//! wrong is refused with a sentence.
//!
//! ONNX Runtime is a library that a machine may lack. Then its share of the suite says that it was left out, unless
//! `TIPOFF_REQUIRE_ORT` is set, as `scripts/test` does: then it fails.

use std::sync::Arc;

use models::card::Network;
use models::ort::{BATCH_TOLERANCE, OrtEngine};
use models::{
    CandleEngine, Card, Engine, EngineKind, EngineName, FeatureMatrix, Model, NativeEngine, NoPrediction,
    PredictError, Registry,
};
use proptest::prelude::*;

use crate::cards::{FORMULA, NATIVE};
use crate::fixtures::Fixture;
use crate::registry::sha256;

/// Whether ONNX Runtime is there; a machine that must have it and has not fails the test that asks.
#[allow(clippy::print_stderr)] // a test that is left out says so
pub(crate) fn has_ort() -> bool {
    match models::ort::library() {
        Ok(_) => true,
        Err(why) => {
            let is_required = std::env::var_os("TIPOFF_REQUIRE_ORT").is_some_and(|value| !value.is_empty());
            assert!(!is_required, "TIPOFF_REQUIRE_ORT is set: {why}");
            eprintln!("left out, for want of ONNX Runtime: {why}");
            false
        }
    }
}

/// A file in the format of safetensors: the length of a JSON header, the header, the numbers.
pub(crate) fn safetensors(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, shape, numbers) in tensors {
        let from = data.len();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let offsets = [from, data.len()];
        let about = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets });
        header.insert((*name).to_owned(), about);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

/// Two features, three numbers between, one answer; flags of missing values count, too.
fn weights() -> Vec<u8> {
    let first: [f32; 12] = [0.5, -1.0, 2.0, 0.25, 1.5, 0.75, -0.5, 1.0, -2.0, 0.125, 4.0, 3.0];
    safetensors(&[
        ("layers.0.weight", &[3, 4], &first),
        ("layers.0.bias", &[3], &[0.1, -0.2, 0.3]),
        ("layers.1.weight", &[1, 3], &[1.0, -1.5, 0.5]),
        ("layers.1.bias", &[1], &[12.0]),
    ])
}

const NETWORK: &str = r#"
[network]
layers = [3, 1]
activation = "relu"
missing = "mean_and_flag"
limit = 6.0
mean = [10.5, 12.25]
scale = [4.0, 0.5]

[training]
"#;

/// The arithmetic of the card, one number after the other.
fn by_hand(row: &[f64]) -> f64 {
    let first = [[0.5, -1.0, 2.0, 0.25], [1.5, 0.75, -0.5, 1.0], [-2.0, 0.125, 4.0, 3.0]];
    let (mean, scale) = ([10.5, 12.25], [4.0, 0.5]);
    let value =
        |j: usize| if row[j].is_nan() { 0.0 } else { ((row[j] - mean[j]) / scale[j]).clamp(-6.0, 6.0) };
    let flag = |j: usize| f64::from(u8::from(row[j].is_nan()));
    let h = [value(0), value(1), flag(0), flag(1)];
    let bias = [f64::from(0.1_f32), f64::from(-0.2_f32), f64::from(0.3_f32)];
    let layer = |n: usize| (h.iter().zip(first[n]).map(|(h, w)| h * w).sum::<f64>() + bias[n]).max(0.0);
    12.0 + layer(0) - 1.5 * layer(1) + 0.5 * layer(2)
}

/// One engine with a model for it.
struct Subject {
    card: String,
    file: Option<Vec<u8>>,
    /// Rows it is asked about.
    rows: Vec<Vec<f64>>,
}

impl Subject {
    fn card(&self) -> Card {
        Card::parse(&self.card).unwrap()
    }

    fn name(&self) -> EngineName {
        self.card().engine.name()
    }

    fn load(&self) -> Model {
        Model::load(self.card(), self.file.as_deref()).unwrap()
    }

    /// The same with the card's text changed, or another file with its hash.
    fn refusal(&self, from: &str, to: &str, file: Option<Vec<u8>>) -> String {
        let mut text = self.card.replacen(from, to, 1);
        assert!(file.is_some() || text != self.card, "`{from}` is not in the card");
        let file =
            file.inspect(|file| text = text.replacen(&self.sha256(), &sha256(file), 1)).or(self.file.clone());
        let loaded = Card::parse(&text)
            .map_err(|error| error.to_string())
            .and_then(|card| Model::load(card, file.as_deref()).map_err(|error| error.to_string()));
        loaded.expect_err("it should be refused")
    }

    fn sha256(&self) -> String {
        self.card().file().map(|file| file.sha256.clone()).unwrap_or_default()
    }

    /// How far an answer may lie from itself in another batch.
    fn tolerance(&self) -> f64 {
        if self.name() == EngineName::Ort { BATCH_TOLERANCE } else { 0.0 }
    }
}

fn rows_of_two() -> Vec<Vec<f64>> {
    let of = |n: u32| vec![f64::from(n % 17) * 1.7, f64::from(n * n % 23) * 0.9];
    (0..40).map(of).collect()
}

/// A card with a file and references, made from one for the native engine.
fn card_of(engine: &str, features: &[String], file: &[u8], references: &[(Vec<f64>, f64)]) -> String {
    let quoted: Vec<String> = features.iter().map(|name| format!("\"{name}\"")).collect();
    let mut card = NATIVE
        .replace("engine = \"native\"", &format!("engine = \"{engine}\""))
        .replace("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", &sha256(file))
        .replace("\"points_avg_last_5\", \"vegas_points_line\"", &quoted.join(", "));
    card.truncate(card.find("[[reference]]").unwrap());
    for (inputs, expected) in references {
        let inputs: Vec<String> = inputs.iter().map(|x| format!("{x:?}").to_lowercase()).collect();
        card += &format!("[[reference]]\ninputs = [{}]\nexpected = {expected:?}\n", inputs.join(", "));
    }
    card
}

fn of_fixture(engine: &str, name: &str, from: &str) -> Subject {
    let fixture = Fixture::read(name);
    let features: Vec<String> = (0..fixture.width).map(|n| format!("feature_{n}")).collect();
    let answers = if from == "float64" { &fixture.float64 } else { &fixture.onnxruntime };
    let references: Vec<_> = fixture.rows.iter().cloned().zip(answers.iter().copied()).take(9).collect();
    let card = card_of(engine, &features, &fixture.onnx, &references);
    Subject { card, file: Some(fixture.onnx), rows: fixture.rows }
}

fn network() -> Subject {
    let rows = rows_of_two();
    let mut references: Vec<_> = rows.iter().take(6).map(|row| (row.clone(), by_hand(row))).collect();
    references
        .extend([[f64::NAN, 13.0], [9.5, f64::NAN], [f64::NAN; 2]].map(|row| (row.to_vec(), by_hand(&row))));
    let features = ["points_avg_last_5", "points_avg_season"].map(str::to_owned);
    let card = card_of("candle", &features, &weights(), &references).replace("[training]", NETWORK);
    Subject { card, file: Some(weights()), rows }
}

/// Every engine that this machine can run.
fn subjects() -> Vec<Subject> {
    let mut subjects = vec![
        of_fixture("native", "catboost_symmetric", "float64"),
        of_fixture("native", "lightgbm", "float64"),
        network(),
        Subject { card: FORMULA.to_owned(), file: None, rows: rows_of_two() },
    ];
    if has_ort() {
        let names = ["catboost_symmetric", "lightgbm", "modes_max_double", "network"];
        subjects.extend(names.map(|name| of_fixture("ort", name, "onnxruntime")));
    }
    subjects
}

fn matrix(width: usize, rows: &[Vec<f64>]) -> FeatureMatrix {
    let mut matrix = FeatureMatrix::with_width(width);
    rows.iter().for_each(|row| matrix.push_row(row).unwrap());
    matrix
}

fn answers(engine: &dyn Engine, rows: &[Vec<f64>]) -> Vec<f64> {
    let mut out = vec![f64::NAN; rows.len()];
    engine.predict(&matrix(engine.width(), rows), &mut out).unwrap();
    out
}

#[track_caller]
fn assert_same(name: &str, tolerance: f64, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{name}");
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        let is_same = got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan());
        let is_near = (got - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(is_same || is_near, "{name} row {row}: {got} is not {expected}");
    }
}

#[test]
fn an_answer_is_the_rows_own_in_whatever_batch_and_on_whatever_thread() {
    for subject in subjects() {
        let model = subject.load();
        let engine = model.engine();
        let name = format!("{:?}", engine);
        let rows: Vec<Vec<f64>> = subject.rows.iter().cycle().take(700).cloned().collect();
        let together = answers(engine, &rows);
        for batch in [1, 7, 64, 65, 334] {
            let parts: Vec<f64> = rows.chunks(batch).flat_map(|part| answers(engine, part)).collect();
            assert_same(&format!("{name}, {batch} at a time"), subject.tolerance(), &parts, &together);
        }
        let mut turned: Vec<f64> = {
            let turned: Vec<Vec<f64>> = rows.iter().rev().cloned().collect();
            answers(engine, &turned)
        };
        turned.reverse();
        assert_same(&format!("{name}, backwards"), subject.tolerance(), &turned, &together);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for part in rows.chunks(50).zip(together.chunks(50)) {
                        assert_same(&name, subject.tolerance(), &answers(engine, part.0), part.1);
                    }
                });
            }
        });
        assert_eq!(answers(engine, &[]), [0.0; 0], "{name} and no rows");
    }
}

#[test]
fn a_call_that_is_wrong_as_a_whole_is_refused_and_writes_nothing() {
    for subject in subjects() {
        let model = subject.load();
        let (engine, width) = (model.engine(), model.card.width());
        let mut out = [-7.0; 2];
        let wide = matrix(width + 1, &[vec![1.0; width + 1], vec![2.0; width + 1]]);
        let refused = engine.predict(&wide, &mut out).unwrap_err();
        assert_eq!(refused, PredictError::Width { expected: width, got: width + 1 });
        let three = matrix(width, &vec![vec![1.0; width]; 3]);
        let refused = engine.predict(&three, &mut out).unwrap_err();
        assert_eq!(refused, PredictError::Length { rows: 3, slots: 2, what: "places for answers" });
        assert_eq!(out, [-7.0; 2], "{engine:?}");
    }
}

#[test]
fn a_wrong_file_or_card_is_refused_by_every_engine_that_has_one() {
    for subject in subjects().iter().filter(|subject| subject.file.is_some()) {
        let name = subject.name();
        let file = subject.file.clone().unwrap();
        let missing = Model::load(subject.card(), None).unwrap_err().to_string();
        assert!(missing.contains("is not beside the card"), "{name:?}: {missing}");
        let mut flipped = file.clone();
        flipped[file.len() / 2] ^= 1;
        let flipped = Model::load(subject.card(), Some(&flipped)).unwrap_err().to_string();
        assert!(flipped.contains("file and card do not belong together"), "{name:?}: {flipped}");
        // With the hash put right, what is inside still has to make sense.
        for bytes in [file[..file.len() / 2].to_vec(), b"PK\x03\x04 not a model".to_vec(), Vec::new()] {
            let refusal = subject.refusal("", "", Some(bytes));
            assert!(!refusal.contains('\n') && refusal.len() > 20, "{name:?}: {refusal}");
        }
        let wide = subject.refusal("features = [", "features = [\"one_more\", ", None);
        assert!(wide.contains("inputs, the card names") || wide.contains("numbers for"), "{name:?}: {wide}");
    }
}

#[test]
fn incident_80_whatever_runs_a_model_must_answer_as_where_it_was_made() {
    for subject in subjects() {
        let name = subject.name();
        let mut card = subject.card();
        card.references[0].expected += 0.01;
        let moved = Model::load(card, subject.file.as_deref()).unwrap_err().to_string();
        assert!(moved.starts_with("reference vector 0 must give "), "{name:?}: {moved}");
    }
    // The same weights under another arithmetic still answer, and plausibly.
    for (from, to) in
        [("limit = 6.0", "limit = 0.5"), ("scale = [4.0, 0.5]", "scale = [4.5, 0.5]"), ("relu", "tanh")]
    {
        let refusal = network().refusal(from, to, None);
        assert!(refusal.contains("does not answer as when it was made"), "{from}: {refusal}");
    }
}

#[test]
fn incident_75_a_missing_feature_is_no_number_where_the_model_has_not_learned_what_to_do_about_it() {
    let mut silent = vec![
        (Subject { card: FORMULA.to_owned(), file: None, rows: Vec::new() }, NoPrediction::MissingFeature(1)),
        (without_gaps(), NoPrediction::NotFinite),
    ];
    if has_ort() {
        silent.push((of_fixture("ort", "network", "onnxruntime"), NoPrediction::NotFinite));
    }
    for (subject, refusal) in silent {
        let model = subject.load();
        let width = model.card.width();
        let whole = vec![12.0; width];
        let mut gap = whole.clone();
        gap[1] = f64::NAN;
        let rows = matrix(width, &[whole, gap]);
        let answered = model.predict(&rows, &[None, None]).unwrap();
        assert!(answered[0].is_ok(), "{:?}: a neighbour's gap is his own", model.engine());
        assert_eq!(answered[1], Err(refusal), "{:?}", model.engine());
    }
}

/// The network as it would be without flags: it has no answer to a gap.
fn without_gaps() -> Subject {
    let file = safetensors(&[("layers.0.weight", &[1, 2], &[0.5, 0.25]), ("layers.0.bias", &[1], &[1.0])]);
    let references = [(vec![10.5, 12.25], 1.0), (vec![14.5, 12.25], 1.5)];
    let features = ["points_avg_last_5", "points_avg_season"].map(str::to_owned);
    let card = card_of("candle", &features, &file, &references).replace("[training]", NETWORK);
    let card =
        card.replace("[3, 1]", "[1]").replace("mean_and_flag", "no_answer").replace("limit = 6.0\n", "");
    Subject { card, file: Some(file), rows: Vec::new() }
}

#[test]
fn an_answer_that_is_no_number_is_no_prediction() {
    let mut subjects =
        vec![without_gaps(), Subject { card: FORMULA.to_owned(), file: None, rows: Vec::new() }];
    if has_ort() {
        subjects.push(of_fixture("ort", "network", "onnxruntime"));
    }
    for subject in subjects {
        let model = subject.load();
        let width = model.card.width();
        let rows = matrix(width, &[vec![f64::INFINITY; width], vec![12.0; width]]);
        let answered = model.predict(&rows, &[None, None]).unwrap();
        assert_eq!(answered[0], Err(NoPrediction::NotFinite), "{:?}", model.engine());
        assert!(answered[1].is_ok_and(f64::is_finite), "{:?}", model.engine());
    }
}

#[test]
fn the_network_is_the_cards_arithmetic() {
    let model = network().load();
    let mut rows = rows_of_two();
    rows.extend([[f64::INFINITY, 1.0], [-1e300, 1e300], [f64::NAN, f64::NEG_INFINITY]].map(Vec::from));
    let expected: Vec<f64> = rows.iter().map(|row| by_hand(row)).collect();
    assert_same("by hand", 1e-14, &answers(model.engine(), &rows), &expected);
}

#[test]
fn weights_that_do_not_fit_the_card_are_refused_by_name() {
    let EngineKind::Candle { network, .. } = network().card().engine else { panic!("a card for a network") };
    let whole: [(&str, &[usize], &[f32]); 4] = [
        ("layers.0.weight", &[3, 4], &[0.5; 12]),
        ("layers.0.bias", &[3], &[0.0; 3]),
        ("layers.1.weight", &[1, 3], &[1.0; 3]),
        ("layers.1.bias", &[1], &[12.0]),
    ];
    assert!(CandleEngine::open(&safetensors(&whole), &network).is_ok());
    fn refusal(network: &Network, tensors: &[(&str, &[usize], &[f32])]) -> String {
        CandleEngine::open(&safetensors(tensors), network).unwrap_err().to_string()
    }
    let with = |at: usize, tensor| {
        let mut changed = whole;
        changed[at] = tensor;
        refusal(&network, &changed)
    };
    assert!(with(3, ("bias", &[1], &[12.0])).contains("no tensor `layers.1.bias`, which layer 1"));
    let turned = with(0, ("layers.0.weight", &[4, 3], &[0.5; 12]));
    assert!(
        turned.contains("`layers.0.weight` has the shape [4, 3], the card's layers say [3, 4]"),
        "{turned}"
    );
    for bad in [f32::NAN, f32::INFINITY] {
        let bias = [0.0, bad, 0.0];
        let sentence = refusal(&network, &[whole[0], ("layers.0.bias", &[3], &bias), whole[2], whole[3]]);
        assert!(sentence.contains("`layers.0.bias` has a number that is not finite"), "{sentence}");
    }
    let more: Vec<_> = whole.into_iter().chain([("layers.2.bias", &[1][..], &[1.0][..])]).collect();
    let more = CandleEngine::open(&safetensors(&more), &network).unwrap_err().to_string();
    assert!(more.contains("a tensor `layers.2.bias`, which no layer of the card uses"), "{more}");
}

#[test]
fn a_file_of_several_numbers_a_row_is_as_many_models() {
    let engines = if has_ort() { vec!["native", "ort"] } else { vec!["native"] };
    for engine in engines {
        let fixture = Fixture::read("three_heads");
        let features: Vec<String> = (0..fixture.width).map(|n| format!("feature_{n}")).collect();
        let card = |head: &str, number: usize| {
            let expected = fixture.float64.iter().skip(number).step_by(3).copied();
            let references: Vec<_> = fixture.rows.iter().cloned().zip(expected).collect();
            let text = card_of(engine, &features, &fixture.onnx, &references);
            Card::parse(&text.replace("hold_below = 1.5", head)).unwrap()
        };
        let load = |card| Model::load(card, Some(&fixture.onnx));
        for number in 0..3 {
            let model = load(card(&format!("head = {number}"), number)).unwrap();
            let got = answers(model.engine(), &fixture.rows);
            let expected: Vec<f64> = fixture.float64.iter().skip(number).step_by(3).copied().collect();
            assert_eq!(got, expected, "{engine}, head {number}");
        }
        let refusal = |head: &str| load(card(head, 0)).unwrap_err().to_string();
        assert!(refusal("").contains("3 numbers a row, a card describes one: say which with `head`, 0 to 2"));
        assert!(refusal("head = 3").contains("head = 3, the model file gives 3 numbers a row"));
        assert!(refusal("head = 2").contains("reference vector 0"), "another head is another model");
    }
}

#[test]
fn onnx_runtime_agrees_with_the_native_engine_over_the_zoo() {
    if !has_ort() {
        return;
    }
    let (native, ort) = (Registry::zoo(), Registry::load_on(None, EngineName::Ort));
    assert_eq!(ort.refused(), []);
    let of_native = native.models().iter().filter(|model| model.card.engine.name() == EngineName::Native);
    assert_eq!(ort.models().len(), of_native.count());
    for model in ort.models() {
        let own = native.by_system(&model.pin.system_id, &model.pin.market).unwrap();
        let rows: Vec<Vec<f64>> =
            model.card.references.iter().map(|reference| reference.inputs.clone()).collect();
        let name = format!("{} for {}", model.pin.system_id, model.pin.market);
        assert_same(&name, 1e-5, &answers(model.engine(), &rows), &answers(own.engine(), &rows));
        assert_ne!(model.pin, own.pin, "{name}: another engine is another model");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_weights_never_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let EngineKind::Candle { network, .. } = network().card().engine else { panic!("a card for a network") };
        let mut bytes = weights();
        for (place, value) in damage {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(engine) = CandleEngine::open(&bytes, &network) {
            prop_assert_eq!(answers(&engine, &rows_of_two()).len(), 40);
        }
    }
}

#[test]
fn damaged_graphs_end_neither_onnx_runtime_nor_the_process() {
    if !has_ort() {
        return;
    }
    let whole = Fixture::read("network").onnx;
    let rows = vec![vec![f64::NAN; 6], vec![1e30; 6]];
    let mut taken = 0;
    for at in 0..whole.len() {
        for bytes in [whole[..at].to_vec(), [&whole[..at], &[whole[at] ^ 0x15], &whole[at + 1..]].concat()] {
            if let Ok(engine) = OrtEngine::open(&bytes, Some(6), 1 << 20) {
                let mut out = vec![0.0; rows.len() * engine.heads()];
                // An error is an answer, too.
                let _ = engine.predict(&matrix(6, &rows), &mut out);
                taken += 1;
            }
        }
    }
    assert!(taken > 0, "a flipped bit of a weight makes another model, not a broken one");
}

#[test]
fn an_engine_can_be_shared() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Arc<dyn Engine>>();
    is_shared::<NativeEngine>();
    is_shared::<OrtEngine>();
    is_shared::<CandleEngine>();
}
