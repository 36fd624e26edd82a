//! What the reader makes of opset 5, of numbers behind the ensemble, of CatBoost's JSON, and of limits.

use prost::Message;

use super::*;
use crate::native::{Format, OnnxError, Options};

#[test]
fn a_file_that_grows_beyond_its_allowance_is_refused() {
    let count = 300_000;
    let ids: Vec<i64> = (0..count).collect();
    let zeros = vec![0; ids.len()];
    let mut many_trees = stump();
    wire(&mut many_trees, &vec!["LEAF"; ids.len()], &zeros, &zeros, &zeros);
    for (name, values) in [("nodes_treeids", &ids), ("nodes_nodeids", &zeros), ("target_treeids", &ids)] {
        set(&mut many_trees, integers(name, values));
    }
    let bytes = many_trees.encode_to_vec();
    let strict = Options { width: Some(2), most_growth: 1, ..Options::default() };
    let refused = NativeEngine::open(&bytes, &strict).err();
    assert_eq!(refused, Some(OnnxError::Hungry));
    let small = Options { width: Some(2), most_bytes: bytes.len() - 1, ..Options::default() };
    assert_eq!(
        NativeEngine::open(&bytes, &small).err(),
        Some(OnnxError::TooLarge { limit: bytes.len() - 1 })
    );
}

/// An opset-5 ensemble: is feature 1 <= 10? then leaf 0, else is feature 0 a member? or below 2? then leaf 1, else leaf 2.
fn opset5(second_mode: u8) -> ModelProto {
    let doubles = |values: &[f64]| TensorProto {
        double_data: values.to_vec(),
        ..tensor(DOUBLE, &[values.len() as i64])
    };
    let mut model = stump();
    graph(&mut model).input[0] = value("features", DOUBLE, Some(&[-1, 2]));
    let ensemble = &mut graph(&mut model).node[0];
    ensemble.op_type = "TreeEnsemble".to_owned();
    let modes = TensorProto { raw_data: vec![0, second_mode], ..tensor(2, &[2]) };
    ensemble.attribute = vec![
        AttributeProto { i: 2, ..attribute("n_targets") },
        integers("tree_roots", &[0]),
        AttributeProto { t: Some(modes), ..attribute("nodes_modes") },
        AttributeProto { t: Some(doubles(&[10.0, 2.0])), ..attribute("nodes_splits") },
        integers("nodes_featureids", &[1, 0]),
        integers("nodes_truenodeids", &[0, 1]),
        integers("nodes_trueleafs", &[1, 1]),
        integers("nodes_falsenodeids", &[1, 2]),
        integers("nodes_falseleafs", &[0, 1]),
        integers("leaf_targetids", &[0, 1, 1]),
        AttributeProto { t: Some(doubles(&[1.5, 2.5, 3.5])), ..attribute("leaf_weights") },
    ];
    model
}

#[test]
fn the_ensemble_of_opset_5_gives_each_target_its_number() {
    let engine = load(&opset5(1), 2).unwrap();
    assert_eq!((engine.heads(), engine.about().trees, engine.about().depth), (2, 1, 2));
    let mut rows = FeatureMatrix::with_width(2);
    for row in [[0.0, 10.0], [1.9, 11.0], [2.0, 11.0], [f64::NAN, f64::NAN]] {
        rows.push_row(&row).unwrap();
    }
    let mut out = [f64::NAN; 8];
    engine.predict(&rows, &mut out).unwrap();
    assert_eq!(out, [1.5, 0.0, 0.0, 2.5, 0.0, 3.5, 0.0, 3.5]);
}

#[test]
fn what_an_ensemble_of_opset_5_may_not_say_is_refused_by_node() {
    let change = |name: &str, values: &[i64]| {
        let mut model = opset5(1);
        let ensemble = &mut graph(&mut model).node[0];
        ensemble.attribute.retain(|other| other.name != name);
        ensemble.attribute.push(integers(name, values));
        model
    };
    let cases = [
        (opset5(6), "`nodes_modes[1]` asks for membership in a set (BRANCH_MEMBER)"),
        (opset5(9), "`nodes_modes[1]` has the unknown mode 9"),
        (change("nodes_falsenodeids", &[0, 2]), "`nodes_modes[0]` is the child"),
        (change("nodes_falsenodeids", &[1, 3]), "`nodes_modes[1]` names leaf 3 as its false child"),
        (change("nodes_featureids", &[1, 2]), "`nodes_modes[1]` reads feature 2, the card names 2"),
        (change("tree_roots", &[1]), "tree 0 has the root 1, which is part of another tree"),
        (change("tree_roots", &[]), "the ensemble has no tree"),
        (change("leaf_targetids", &[0, 1, 2]), "names target 2 at leaf 2, of 2"),
        (change("set_members", &[1]), "`set_members` is not known"),
    ];
    for (model, words) in cases {
        let sentence = load(&model, 2).err().unwrap_or_default();
        // A root that is its own child is found as the root of another tree or as a child of two.
        let is_own_child = words.contains("is the child") && sentence.contains("part of another tree");
        assert!(sentence.contains(words) || is_own_child, "expected `{words}` in `{sentence}`");
    }
}

#[test]
fn a_sum_or_product_with_one_number_behind_the_ensemble_is_run() {
    let mut model = stump();
    graph(&mut model).node[0].output[0] = "raw".to_owned();
    for (name, number) in [("two", 2.0), ("three", 3.0)] {
        let tensor = TensorProto { name: name.to_owned(), float_data: vec![number], ..tensor(FLOAT, &[1]) };
        graph(&mut model).initializer.push(tensor);
    }
    let mut product = node("Mul", "two", "doubled");
    product.input.push("raw".to_owned());
    let mut sum = node("Add", "doubled", "points");
    sum.input.push("three".to_owned());
    graph(&mut model).node.extend([product, sum]);
    assert_eq!(answers(&model, 2, &[&[0.0, 10.0], &[0.0, 11.0]]), [6.0, 8.0]);
    graph(&mut model).initializer[0].float_data[0] = f32::NAN;
    let sentence = load(&model, 2).err().unwrap_or_default();
    assert!(sentence.contains("`Mul` has the constant NaN"), "{sentence}");
    graph(&mut model).initializer.clear();
    let sentence = load(&model, 2).err().unwrap_or_default();
    assert!(!sentence.is_empty(), "two inputs that are data");
}

/// CatBoost's JSON of one tree: x0 > 1.5 is bit 0, x1 > 2.5 bit 1; missing values of x1 count as above.
pub(super) const CATBOOST: &str = r#"{
  "features_info": {"float_features": [
    {"borders": [1.5], "feature_index": 0, "flat_feature_index": 0, "has_nans": false, "nan_value_treatment": "AsIs"},
    {"borders": [2.5], "feature_index": 1, "flat_feature_index": 1, "has_nans": true, "nan_value_treatment": "AsTrue"}]},
  "oblivious_trees": [{"leaf_values": [0.1, 0.2, 0.4, 0.7], "leaf_weights": [1, 1, 1, 1], "splits": [
    {"border": 1.5, "float_feature_index": 0, "split_index": 0, "split_type": "FloatFeature"},
    {"border": 2.5, "float_feature_index": 1, "split_index": 1, "split_type": "FloatFeature"}]}],
  "scale_and_bias": [2, [8.25]]
}"#;

#[test]
fn catboost_json_is_run_in_double_precision_and_refused_with_a_sentence() {
    let open = |text: &str| NativeEngine::from_onnx(text.as_bytes(), 2);
    let engine = open(CATBOOST).unwrap();
    assert!(engine.about().is_oblivious && engine.about().format == Format::CatBoostJson);
    let mut rows = FeatureMatrix::with_width(2);
    for row in [[1.5, 2.5], [1.6, 2.5], [1.5, 2.6], [9.0, f64::NAN], [f64::NAN, f64::NAN]] {
        rows.push_row(&row).unwrap();
    }
    let mut out = [f64::NAN; 5];
    engine.predict(&rows, &mut out).unwrap();
    assert_eq!(out, [0.1, 0.2, 0.4, 0.7, 0.4].map(|leaf: f64| leaf * 2.0 + 8.25));
    let cases = [
        ("0.7]", "0.7, 1]", "tree 0 has 2 splits and 5 leaf values"),
        ("0.7]", "1e999]", "not a whole CatBoost JSON model"),
        (r#""FloatFeature"},"#, r#""OneHotFeature"},"#, "tree 0 asks a question of type OneHotFeature"),
        (r#""float_feature_index": 1"#, r#""float_feature_index": 7"#, "tree 0 reads float feature 7"),
        ("[2, [8.25]]", "[2, []]", "`scale_and_bias` has 0 biases"),
        ("[2, [8.25]]", "[2, [8.25, 1.0]]", "`scale_and_bias` scales 2 numbers"),
        (r#""oblivious_trees""#, r#""no_trees""#, "the ensemble has no tree"),
        (r#"{"float_features""#, r#"{"text_features": [{}], "float_features""#, "it has 1 text features"),
        (r#""flat_feature_index": 1"#, r#""flat_feature_index": 2"#, "the model file takes 3"),
    ];
    for (from, to, words) in cases {
        let sentence = open(&CATBOOST.replacen(from, to, 1)).err().map(|error| error.to_string());
        assert!(sentence.as_ref().is_some_and(|sentence| sentence.contains(words)), "{words}: {sentence:?}");
    }
    for length in 0..CATBOOST.len() - 1 {
        assert!(open(&CATBOOST[..length]).is_err(), "{length} bytes were taken for a model");
    }
}

#[test]
fn a_file_says_how_many_features_it_reads_when_nobody_else_does() {
    let mut model = stump();
    let open = |model: &ModelProto| NativeEngine::open(&model.encode_to_vec(), &Options::default()).unwrap();
    assert_eq!(open(&model).about().width, 2, "declared by the input");
    graph(&mut model).input[0] = value("features", FLOAT, None);
    set(&mut model, integers("nodes_featureids", &[6, 0, 0]));
    assert_eq!(open(&model).about().width, 7, "the highest that a tree reads");
}
