//! What the reader refuses, one row per sentence, and what a small tree answers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod formats;
mod hostile;
mod memory;

use proptest::prelude::*;
use prost::Message;

use super::onnx::{DOUBLE, FLOAT};
use super::proto::{
    AttributeProto, Dimension, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, TensorShape,
    TensorType, TypeProto, ValueInfoProto,
};
use super::{MAX_MODEL_BYTES, NativeEngine};
use crate::{Engine, FeatureMatrix};

/// One tree over two features: is feature 1 <= 10? then 1.5, else 2.5.
fn stump() -> ModelProto {
    let ensemble = NodeProto {
        input: vec!["features".to_owned()],
        output: vec!["points".to_owned()],
        name: "trees".to_owned(),
        op_type: "TreeEnsembleRegressor".to_owned(),
        domain: "ai.onnx.ml".to_owned(),
        attribute: vec![
            integers("nodes_treeids", &[0, 0, 0]),
            integers("nodes_nodeids", &[0, 1, 2]),
            integers("nodes_featureids", &[1, 0, 0]),
            integers("nodes_truenodeids", &[1, 0, 0]),
            integers("nodes_falsenodeids", &[2, 0, 0]),
            reals("nodes_values", &[10.0, 0.0, 0.0]),
            strings("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF"]),
            integers("target_treeids", &[0, 0]),
            integers("target_nodeids", &[1, 2]),
            integers("target_ids", &[0, 0]),
            reals("target_weights", &[1.5, 2.5]),
        ],
    };
    let graph = GraphProto {
        node: vec![ensemble],
        initializer: Vec::new(),
        input: vec![value("features", FLOAT, Some(&[-1, 2]))],
        output: vec![value("points", FLOAT, None)],
    };
    ModelProto { graph: Some(graph), ..ModelProto::default() }
}

fn attribute(name: &str) -> AttributeProto {
    AttributeProto { name: name.to_owned(), ..AttributeProto::default() }
}

fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name) }
}

fn reals(name: &str, values: &[f32]) -> AttributeProto {
    AttributeProto { floats: values.to_vec(), ..attribute(name) }
}

fn strings(name: &str, values: &[&str]) -> AttributeProto {
    AttributeProto {
        strings: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        ..attribute(name)
    }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: value.as_bytes().to_vec(), ..attribute(name) }
}

fn value(name: &str, elem_type: i32, dims: Option<&[i64]>) -> ValueInfoProto {
    let shape = dims.map(|dims| TensorShape {
        dim: dims.iter().map(|dim| Dimension { dim_value: (*dim > 0).then_some(*dim) }).collect(),
    });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type: Some(TensorType { elem_type, shape }) }),
    }
}

fn node(op_type: &str, input: &str, output: &str) -> NodeProto {
    NodeProto {
        input: vec![input.to_owned()],
        output: vec![output.to_owned()],
        op_type: op_type.to_owned(),
        ..NodeProto::default()
    }
}

fn cast(input: &str, output: &str, to: i32) -> NodeProto {
    NodeProto {
        attribute: vec![AttributeProto { i: i64::from(to), ..attribute("to") }],
        ..node("Cast", input, output)
    }
}

fn tensor(data_type: i32, dims: &[i64]) -> TensorProto {
    TensorProto { dims: dims.to_vec(), data_type, ..TensorProto::default() }
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// Replaces an attribute of the ensemble, or adds it.
fn set(model: &mut ModelProto, attribute: AttributeProto) {
    let ensemble = graph(model).node.iter_mut().find(|node| node.op_type == "TreeEnsembleRegressor").unwrap();
    ensemble.attribute.retain(|other| other.name != attribute.name);
    ensemble.attribute.push(attribute);
}

fn set_tensor(model: &mut ModelProto, name: &str, tensor: TensorProto) {
    set(model, AttributeProto { t: Some(tensor), ..attribute(name) });
}

fn load(model: &ModelProto, width: usize) -> Result<NativeEngine, String> {
    NativeEngine::from_onnx(&model.encode_to_vec(), width).map_err(|error| error.to_string())
}

fn answers(model: &ModelProto, width: usize, rows: &[&[f64]]) -> Vec<f64> {
    let mut matrix = FeatureMatrix::with_width(width);
    rows.iter().for_each(|row| matrix.push_row(row).unwrap());
    let mut out = vec![f64::NAN; rows.len()];
    load(model, width).unwrap().predict(&matrix, &mut out).unwrap();
    out
}

/// A change that makes the stump illegal, and the words its refusal must have.
type Refusal = (fn(&mut ModelProto), &'static str);

#[test]
fn a_graph_that_is_not_a_chain_around_one_ensemble_is_refused_by_name() {
    let cases: &[Refusal] = &[
        (|model| model.graph = None, "the model file has no graph"),
        (|model| model.functions.push(FunctionProto { name: "Cast".to_owned() }), "its own function `Cast`"),
        (|model| graph(model).input.clear(), "the graph has 0 inputs"),
        (|model| graph(model).input.push(value("more", FLOAT, None)), "the graph has 2 inputs"),
        (|model| graph(model).input[0].r#type = None, "`features` has element type 0"),
        (|model| graph(model).input[0] = value("features", 7, None), "`features` has element type 7"),
        (|model| graph(model).input[0] = value("features", FLOAT, Some(&[2])), "`features` has 1 dimensions"),
        (
            |model| graph(model).input[0] = value("features", FLOAT, Some(&[-1, 3])),
            "the card names 2 features, the model file takes 3",
        ),
        (|model| graph(model).output.clear(), "the graph has 0 outputs"),
        (|model| graph(model).output.push(value("more", FLOAT, None)), "the graph has 2 outputs"),
        (|model| graph(model).node.clear(), "no node makes the value `points`"),
        (|model| graph(model).output[0].name = "features".to_owned(), "is not on the way"),
        (
            |model| graph(model).node.push(node("Identity", "features", "points")),
            "`points` is made by two nodes",
        ),
        (
            |model| graph(model).node.push(node("Identity", "features", "stray")),
            "`Identity` is not on the way",
        ),
        (
            |model| graph(model).node[0].input[0] = "points".to_owned(),
            "in a circle through `ai.onnx.ml.TreeEnsembleR",
        ),
        (
            |model| graph(model).node[0].input.clear(),
            "does not run `ai.onnx.ml.TreeEnsembleRegressor` named `trees`",
        ),
        (|model| graph(model).node[0].domain.clear(), "does not run `TreeEnsembleRegressor` named `trees`"),
        (
            |model| graph(model).node[0].op_type = "TreeEnsembleClassifier".to_owned(),
            "does not run `ai.onnx.ml.TreeEnsembleClassifier` named `trees`",
        ),
        (
            |model| graph(model).node[0] = node("Identity", "features", "points"),
            "has no TreeEnsembleRegressor or TreeEnsemble",
        ),
        (
            |model| {
                graph(model).node[0].input[0] = "scaled".to_owned();
                graph(model).node.push(node("Scaler", "features", "scaled"));
            },
            "the native engine does not run `Scaler`",
        ),
        (
            |model| {
                graph(model).node[0].output[0] = "raw".to_owned();
                graph(model).node.push(node("Exp", "raw", "points"));
            },
            "the native engine does not run `Exp`",
        ),
        (
            |model| {
                graph(model).node[0].input[0] = "whole".to_owned();
                graph(model).node.push(cast("features", "whole", 7));
            },
            "`Cast` casts to element type 7",
        ),
        (
            |model| {
                graph(model).node[0].output[0] = "raw".to_owned();
                graph(model).node.push(cast("raw", "points", 10));
            },
            "`Cast` casts to element type 10",
        ),
    ];
    assert_refused(cases);
}

#[test]
fn an_ensemble_that_is_not_trees_is_refused_with_tree_node_and_feature() {
    let cases: &[Refusal] = &[
        (|model| set(model, text("post_transform", "LOGISTIC")), "`post_transform` is LOGISTIC"),
        (|model| set(model, AttributeProto { i: 65, ..attribute("n_targets") }), "`n_targets` is 65"),
        (|model| set(model, text("aggregate_function", "MEDIAN")), "`aggregate_function` is MEDIAN"),
        (|model| set(model, reals("base_values", &[1.0, 2.0])), "`base_values` has 2 values for 1 targets"),
        (|model| set(model, reals("base_values", &[f32::NAN])), "`base_values` is NaN"),
        (|model| set(model, integers("membership_values", &[1])), "`membership_values` is not known"),
        (
            |model| set(model, integers("nodes_featureids", &[1, 0])),
            "`nodes_featureids` has 2 entries, `nodes_treeids` has 3",
        ),
        (|model| set(model, strings("nodes_modes", &["LEAF"])), "`nodes_modes` has 1 entries"),
        (|model| set(model, integers("nodes_missing_value_tracks_true", &[1])), "tracks_true` has 1 entries"),
        (|model| set(model, reals("target_weights", &[1.0])), "`target_weights` has 1 entries"),
        (|model| set(model, integers("nodes_nodeids", &[0, 1, 1])), "node 1 of tree 0 is there twice"),
        (
            |model| set(model, integers("nodes_featureids", &[2, 0, 0])),
            "node 0 of tree 0 reads feature 2, the card names 2",
        ),
        (|model| set(model, integers("nodes_featureids", &[-1, 0, 0])), "node 0 of tree 0 reads feature -1"),
        (|model| set(model, integers("nodes_featureids", &[1 << 40, 0, 0])), "reads feature 1099511627776"),
        (
            |model| set(model, reals("nodes_values", &[f32::NAN, 0.0, 0.0])),
            "node 0 of tree 0 compares with NaN",
        ),
        (
            |model| set(model, reals("nodes_values", &[f32::NEG_INFINITY, 0.0, 0.0])),
            "node 0 of tree 0 compares with -inf",
        ),
        (
            |model| set(model, reals("target_weights", &[1.5, f32::NAN])),
            "node 2 of tree 0 has the weight NaN",
        ),
        (
            |model| set(model, strings("nodes_modes", &["BRANCH_MEMBER", "LEAF", "LEAF"])),
            "unknown mode `BRANCH_MEMBER`",
        ),
        (|model| set(model, integers("nodes_truenodeids", &[7, 0, 0])), "names node 7 as its true child"),
        (|model| set(model, integers("nodes_falsenodeids", &[-1, 0, 0])), "names node -1 as its false child"),
        (
            |model| set(model, integers("nodes_falsenodeids", &[1, 0, 0])),
            "node 1 of tree 0 is the child of two branches",
        ),
        (
            |model| set(model, integers("nodes_truenodeids", &[0, 0, 0])),
            "node 0 of tree 0 is never reached from the root",
        ),
        (
            |model| set(model, strings("nodes_modes", &["LEAF", "LEAF", "LEAF"])),
            "node 0 of tree 0 is a leaf without a weight",
        ),
        (|model| set(model, integers("target_nodeids", &[1, 1])), "node 1 of tree 0 has two weights"),
        (
            |model| set(model, integers("target_nodeids", &[1, 9])),
            "node 9 of tree 0 has a weight but does not exist",
        ),
        (|model| set(model, integers("target_treeids", &[0, 9])), "tree 9 has weights but no nodes"),
        (
            |model| set(model, integers("target_ids", &[0, 1])),
            "node 2 of tree 0 has a weight for target 1, of 1 counted from 0",
        ),
        (
            |model| {
                set(model, integers("target_nodeids", &[1, 2, 0]));
                set(model, integers("target_treeids", &[0, 0, 0]));
                set(model, integers("target_ids", &[0, 0, 0]));
                set(model, reals("target_weights", &[1.0, 1.0, 1.0]));
            },
            "node 0 of tree 0 has a weight but is not a leaf",
        ),
        (|model| graph(model).node[0].attribute.clear(), "the ensemble has no tree"),
        (
            |model| set_tensor(model, "nodes_values_as_tensor", tensor(DOUBLE, &[0])),
            "`nodes_values_as_tensor` is there together with `nodes_values`",
        ),
    ];
    assert_refused(cases);
}

#[test]
fn circles_are_found_wherever_they_are() {
    // Nodes 0 and 1 are each other's true child; 2 and 3 are leaves.
    let mut all = stump();
    wire(&mut all, &["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF"], &[1, 0, 0, 0], &[2, 3, 0, 0], &[2, 3]);
    assert!(load(&all, 2).unwrap_err().contains("tree 0 runs in a circle"), "{:?}", load(&all, 2));
    // A good root 0 with leaves 1 and 2, and beside it a circle of 3 and 4 with leaves 5 and 6.
    let mut beside = stump();
    let modes = ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF"];
    wire(&mut beside, &modes, &[1, 0, 0, 4, 3, 0, 0], &[2, 0, 0, 5, 6, 0, 0], &[1, 2, 5, 6]);
    assert!(
        load(&beside, 2).unwrap_err().contains("node 3 of tree 0 is never reached"),
        "{:?}",
        load(&beside, 2)
    );
    let mut apart = stump();
    wire(&mut apart, &["LEAF", "LEAF"], &[0, 0], &[0, 0], &[0, 1]);
    let sentence = load(&apart, 2).unwrap_err();
    assert!(sentence.contains("tree 0 has two roots, nodes 0 and 1"), "{sentence}");
}

#[test]
fn tensors_are_read_in_every_spelling_and_refused_when_they_do_not_add_up() {
    let thresholds = [10.0_f64, 0.0, 0.0];
    let raw: Vec<u8> = thresholds.iter().flat_map(|value| value.to_le_bytes()).collect();
    let good = [
        TensorProto { double_data: thresholds.to_vec(), ..tensor(DOUBLE, &[3]) },
        TensorProto { raw_data: raw.clone(), ..tensor(DOUBLE, &[3]) },
        TensorProto { float_data: vec![10.0, 0.0, 0.0], ..tensor(FLOAT, &[3]) },
    ];
    for tensor in good {
        let mut model = stump();
        set(&mut model, reals("nodes_values", &[]));
        set_tensor(&mut model, "nodes_values_as_tensor", tensor);
        assert_eq!(answers(&model, 2, &[&[0.0, 10.0], &[0.0, 10.1]]), [1.5, 2.5]);
    }
    let bad = [
        (TensorProto { raw_data: raw[1..].to_vec(), ..tensor(DOUBLE, &[3]) }, "ends within a number"),
        (
            TensorProto { raw_data: raw.clone(), ..tensor(DOUBLE, &[2]) },
            "declares a shape of other size and holds 3 values",
        ),
        (TensorProto { raw_data: raw.clone(), ..tensor(DOUBLE, &[i64::MAX, 3]) }, "and holds 3 values"),
        (TensorProto { raw_data: raw.clone(), ..tensor(7, &[3]) }, "has element type 7"),
        (TensorProto { data_location: 1, ..tensor(DOUBLE, &[3]) }, "keeps its data in another file"),
    ];
    for (tensor, words) in bad {
        let mut model = stump();
        set(&mut model, reals("nodes_values", &[]));
        set_tensor(&mut model, "nodes_values_as_tensor", tensor);
        let sentence = load(&model, 2).unwrap_err();
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn every_mode_treats_missing_infinite_and_equal_values_as_the_operator_says() {
    let rows: [&[f64]; 6] = [
        &[0.0, 9.0],
        &[0.0, 10.0],
        &[0.0, 11.0],
        &[0.0, f64::NAN],
        &[0.0, f64::INFINITY],
        &[0.0, f64::NEG_INFINITY],
    ];
    // For each mode: does 9, 10, 11, NaN (flag off), inf, -inf take the true child?
    let table = [
        ("BRANCH_LEQ", [true, true, false, false, false, true]),
        ("BRANCH_LT", [true, false, false, false, false, true]),
        ("BRANCH_GTE", [false, true, true, false, true, false]),
        ("BRANCH_GT", [false, false, true, false, true, false]),
        ("BRANCH_EQ", [false, true, false, false, false, false]),
        ("BRANCH_NEQ", [true, false, true, true, true, true]),
    ];
    for (mode, expected) in table {
        for missing_is_true in [false, true] {
            let mut model = stump();
            set(&mut model, strings("nodes_modes", &[mode, "LEAF", "LEAF"]));
            set(&mut model, integers("nodes_missing_value_tracks_true", &[i64::from(missing_is_true), 0, 0]));
            let mut taken = expected;
            taken[3] |= missing_is_true;
            let wanted = taken.map(|is_true| if is_true { 1.5 } else { 2.5 });
            assert_eq!(answers(&model, 2, &rows), wanted, "{mode}, missing is true: {missing_is_true}");
        }
    }
}

#[test]
fn an_infinite_threshold_tells_missing_values_from_all_others() {
    for missing_is_true in [false, true] {
        let mut model = stump();
        set(&mut model, reals("nodes_values", &[f32::INFINITY, 0.0, 0.0]));
        set(&mut model, integers("nodes_missing_value_tracks_true", &[i64::from(missing_is_true), 0, 0]));
        let rows: [&[f64]; 3] = [&[0.0, f64::INFINITY], &[0.0, 1.0], &[0.0, f64::NAN]];
        let missing = if missing_is_true { 1.5 } else { 2.5 };
        assert_eq!(answers(&model, 2, &rows), [1.5, 1.5, missing]);
    }
}

#[test]
fn a_float_graph_compares_floats_and_a_double_graph_doubles() {
    let just_above = 10.0 + 1e-9;
    assert_eq!(answers(&stump(), 2, &[&[0.0, just_above]]), [1.5], "as a float it is 10");
    let mut double = stump();
    graph(&mut double).input[0] = value("features", DOUBLE, None);
    assert_eq!(answers(&double, 2, &[&[0.0, just_above]]), [2.5]);
    let mut narrowed = double.clone();
    graph(&mut narrowed).node[0].input[0] = "narrow".to_owned();
    graph(&mut narrowed).node.push(cast("features", "narrow", FLOAT));
    assert_eq!(answers(&narrowed, 2, &[&[0.0, just_above]]), [1.5]);
}

#[test]
fn a_chain_of_equalities_is_loaded_in_one_pass() {
    // Each equality becomes two nodes that share a child: following paths would take 2^4000 steps.
    let links = 4_000;
    let branch = |node: i64| node % 2 == 0 && node < 2 * links;
    let nodes: Vec<i64> = (0..=2 * links).collect();
    let leaves: Vec<i64> = nodes.iter().copied().filter(|node| !branch(*node)).collect();
    let modes: Vec<&str> =
        nodes.iter().map(|node| if branch(*node) { "BRANCH_EQ" } else { "LEAF" }).collect();
    let on_true: Vec<i64> = nodes.iter().map(|node| if branch(*node) { node + 1 } else { 0 }).collect();
    let on_false: Vec<i64> = nodes.iter().map(|node| if branch(*node) { node + 2 } else { 0 }).collect();
    let mut model = stump();
    wire(&mut model, &modes, &on_true, &on_false, &leaves);
    assert_eq!(answers(&model, 2, &[&[1.0, 0.0], &[2.0, 0.0]]), [1.0, 2.0 * links as f64]);
}

#[test]
fn a_file_beyond_the_limit_is_refused_unread() {
    let sentence = NativeEngine::from_onnx(&vec![0; MAX_MODEL_BYTES + 1], 2).unwrap_err().to_string();
    assert!(sentence.contains("more than 67108864 bytes"), "{sentence}");
}

#[test]
fn a_small_file_that_would_unpack_to_gigabytes_is_refused_before_it_does() {
    let mut many_nodes = stump();
    graph(&mut many_nodes).node.resize(20_001, NodeProto::default());
    let mut long_shape = stump();
    graph(&mut long_shape).input[0] = value("features", FLOAT, Some(&vec![-1; 40_000]));
    for (model, words) in [(many_nodes, "more than 20000 parts"), (long_shape, "more than 20000 parts")] {
        let sentence = load(&model, 2).unwrap_err();
        assert!(sentence.contains(words), "{sentence}");
    }
    // A group in front (tags 20, start and end) must not hide what follows.
    let grouped = [vec![0xa3, 0x01, 0xa4, 0x01], stump().encode_to_vec()].concat();
    let sentence = NativeEngine::from_onnx(&grouped, 2).unwrap_err().to_string();
    assert!(sentence.contains("cannot be read"), "{sentence}");
}

#[test]
fn a_matrix_of_another_shape_is_refused() {
    let engine = load(&stump(), 2).unwrap();
    let narrow = FeatureMatrix::with_width(1);
    assert!(
        engine
            .predict(&narrow, &mut [])
            .unwrap_err()
            .to_string()
            .contains("have 1 features, the model takes 2")
    );
    let empty = FeatureMatrix::with_width(2);
    assert!(
        engine.predict(&empty, &mut [0.0]).unwrap_err().to_string().contains("0 rows came with 1 places")
    );
    assert_eq!(engine.predict(&empty, &mut []), Ok(()));
}

/// Rewires tree 0: modes and children by node, every leaf's weight its own number. Branches ask whether feature 0 is 1.
fn wire(model: &mut ModelProto, modes: &[&str], on_true: &[i64], on_false: &[i64], leaves: &[i64]) {
    let count = modes.len();
    let ids: Vec<i64> = (0..).take(count).collect();
    set(model, integers("nodes_treeids", &vec![0; count]));
    set(model, integers("nodes_nodeids", &ids));
    set(model, integers("nodes_featureids", &vec![0; count]));
    set(model, integers("nodes_truenodeids", on_true));
    set(model, integers("nodes_falsenodeids", on_false));
    set(model, reals("nodes_values", &vec![1.0; count]));
    set(model, strings("nodes_modes", modes));
    set(model, integers("target_treeids", &vec![0; leaves.len()]));
    set(model, integers("target_nodeids", leaves));
    set(model, integers("target_ids", &vec![0; leaves.len()]));
    set(model, reals("target_weights", &leaves.iter().map(|node| *node as f32).collect::<Vec<_>>()));
}

fn assert_refused(cases: &[Refusal]) {
    assert!(load(&stump(), 2).is_ok(), "the unchanged model is legal");
    for (change, words) in cases {
        let mut model = stump();
        change(&mut model);
        let sentence = load(&model, 2).expect_err(words);
        assert!(sentence.contains(words), "expected `{words}` in `{sentence}`");
    }
}

proptest! {
    /// Any wiring of a few nodes is either refused or answers; it never hangs or panics.
    #[test]
    fn any_wiring_is_refused_or_answers(
        nodes in proptest::collection::vec((0..7_usize, -1..9_i64, -1..9_i64, -1..3_i64, any::<f32>()), 1..9),
        row in proptest::array::uniform2(any::<f64>()),
    ) {
        const MODES: [&str; 7] = ["LEAF", "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"];
        let modes: Vec<&str> = nodes.iter().map(|node| MODES[node.0]).collect();
        let leaves: Vec<i64> = (0..).zip(&modes).filter(|(_, mode)| **mode == "LEAF").map(|(id, _)| id).collect();
        let mut model = stump();
        let (on_true, on_false): (Vec<i64>, Vec<i64>) = nodes.iter().map(|node| (node.1, node.2)).unzip();
        wire(&mut model, &modes, &on_true, &on_false, &leaves);
        set(&mut model, integers("nodes_featureids", &nodes.iter().map(|node| node.3).collect::<Vec<_>>()));
        set(&mut model, reals("nodes_values", &nodes.iter().map(|node| node.4).collect::<Vec<_>>()));
        if load(&model, 2).is_ok() {
            let answer = answers(&model, 2, &[&row])[0];
            prop_assert!(leaves.contains(&(answer as i64)), "{answer} is no leaf");
        }
    }
}
