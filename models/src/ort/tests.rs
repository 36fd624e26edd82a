//! Graphs that ONNX Runtime would run and we do not, and those that it runs otherwise than a model must.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use prost::Message;

use super::{OrtEngine, OrtError};
use crate::native::OnnxError;
use crate::native::proto::{
    AttributeProto, Dimension, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSet, TensorProto,
    TensorShape, TensorType, TypeProto, ValueInfoProto,
};
use crate::{Engine, FeatureMatrix};

const FLOAT: i32 = 1;
const INT64: i32 = 7;
const DOUBLE: i32 = 11;

fn value(name: &str, elem_type: i32, dims: &[Option<i64>]) -> ValueInfoProto {
    let dim = dims.iter().map(|dim_value| Dimension { dim_value: *dim_value }).collect();
    let tensor_type = Some(TensorType { elem_type, shape: Some(TensorShape { dim }) });
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }) }
}

/// A node by the name `the_OPERATOR`, if it makes the answer; others say what they make, since no name may come twice.
fn node(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
    let input = inputs.iter().map(|name| (*name).to_owned()).collect();
    let what = if output == "points" { String::new() } else { format!("_of_{output}") };
    NodeProto {
        input,
        output: vec![output.to_owned()],
        name: format!("the_{}{what}", op_type.to_lowercase()),
        op_type: op_type.to_owned(),
        ..NodeProto::default()
    }
}

fn integers(name: &str, dims: &[i64], numbers: &[i64]) -> TensorProto {
    let (dims, int64_data) = (dims.to_vec(), numbers.to_vec());
    TensorProto { name: name.to_owned(), data_type: INT64, dims, int64_data, ..TensorProto::default() }
}

/// A graph of two features whose answer is the sum of a row, with nodes to choose.
fn model(nodes: Vec<NodeProto>) -> ModelProto {
    let graph = GraphProto {
        node: nodes,
        initializer: vec![integers("one", &[1], &[1])],
        input: vec![value("features", FLOAT, &[None, Some(2)])],
        output: vec![value("points", FLOAT, &[None, Some(1)])],
    };
    let opset_import = vec![OperatorSet { domain: String::new(), version: 17 }];
    ModelProto { ir_version: 9, opset_import, graph: Some(graph), ..ModelProto::default() }
}

fn sum() -> ModelProto {
    model(vec![node("ReduceSum", &["features", "one"], "points")])
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

fn open(model: &ModelProto) -> Result<OrtEngine, OrtError> {
    OrtEngine::open(&model.encode_to_vec(), Some(2), 1 << 20)
}

/// Whether ONNX Runtime is there; see `models/tests/it/engines.rs`.
#[allow(clippy::print_stderr)] // a test that is left out says so
fn has_ort() -> bool {
    let library = super::library();
    let is_required = std::env::var_os("TIPOFF_REQUIRE_ORT").is_some_and(|value| !value.is_empty());
    assert!(library.is_ok() || !is_required, "TIPOFF_REQUIRE_ORT is set: {library:?}");
    if let Err(why) = &library {
        eprintln!("left out, for want of ONNX Runtime: {why}");
    }
    library.is_ok()
}

type Change = fn(&mut ModelProto);

#[test]
fn what_no_model_needs_is_refused_by_name_before_any_library_is_asked() {
    let cases: [(Change, &str); 6] = [
        (
            |model| {
                let body = AttributeProto {
                    name: "body".to_owned(),
                    g: Some(Box::default()),
                    ..AttributeProto::default()
                };
                graph(model)
                    .node
                    .push(NodeProto { attribute: vec![body], ..node("Loop", &["one"], "round") });
            },
            "`Loop` named `the_loop_of_round` runs a graph of its own",
        ),
        (
            |model| graph(model).node.push(node("RandomNormalLike", &["features"], "noise")),
            "`RandomNormalLike` named `the_randomnormallike_of_noise` draws random numbers",
        ),
        (|model| graph(model).initializer[0].data_location = 1, "one keeps its data in another file"),
        (
            |model| {
                let elsewhere = TensorProto { data_location: 1, ..TensorProto::default() };
                let held = AttributeProto { t: Some(elsewhere), ..AttributeProto::default() };
                graph(model).node.push(NodeProto { attribute: vec![held], ..node("Constant", &[], "c") });
            },
            "`Constant` named `the_constant_of_c` keeps its data in another file",
        ),
        (
            |model| model.functions.push(FunctionProto { name: "ReduceSum".to_owned() }),
            "defines its own function `ReduceSum`",
        ),
        (|model| model.graph = None, "has no graph"),
    ];
    for (change, words) in cases {
        let mut model = sum();
        change(&mut model);
        let sentence = open(&model).unwrap_err().to_string();
        assert!(sentence.contains(words), "expected `{words}` in `{sentence}`");
    }
    let large = OrtEngine::open(&[0; 11], None, 10).unwrap_err();
    assert_eq!(large, OrtError::File(OnnxError::TooLarge { limit: 10 }));
}

#[test]
fn what_is_no_table_of_rows_is_refused() {
    if !has_ort() {
        return;
    }
    assert_eq!(open(&sum()).unwrap().heads, 1);
    let cases: [(Change, &str); 9] = [
        (
            |model| graph(model).input[0] = value("features", FLOAT, &[Some(1), Some(2)]),
            "made for 1 rows at a time",
        ),
        (
            |model| graph(model).input[0] = value("features", FLOAT, &[None, Some(3)]),
            "names 2 features, the model file takes 3",
        ),
        (
            |model| {
                graph(model).input[0] = value("features", FLOAT, &[None]);
                graph(model).output[0] = value("points", FLOAT, &[None]);
                graph(model).node = vec![node("Identity", &["features"], "points")];
            },
            "has 1 dimensions",
        ),
        (
            |model| {
                graph(model).input[0] = value("features", INT64, &[None, Some(2)]);
                graph(model).output[0] = value("points", INT64, &[None, Some(1)]);
            },
            "`features` is a tensor of",
        ),
        (|model| graph(model).input.push(value("more", FLOAT, &[None, Some(2)])), "has 2 inputs"),
        (|model| graph(model).output.push(value("features", FLOAT, &[None, Some(2)])), "has 2 outputs"),
        // The mean of a column is another one for other company.
        (
            |model| {
                let zero = integers("zero", &[1], &[0]);
                graph(model).initializer.push(zero);
                graph(model).node = vec![
                    node("ReduceSum", &["features", "zero"], "columns"),
                    node("Add", &["features", "columns"], "mixed"),
                    node("ReduceSum", &["mixed", "one"], "points"),
                ];
            },
            "answers a row otherwise when other rows are beside it",
        ),
        (
            |model| {
                graph(model).initializer.push(integers("both", &[2], &[0, 1]));
                graph(model).node = vec![node("ReduceSum", &["features", "both"], "points")];
            },
            "gives 1 numbers for 3 rows",
        ),
        (|model| graph(model).node[0].op_type = "Levitate".to_owned(), "Levitate"),
    ];
    for (change, words) in cases {
        let mut model = sum();
        change(&mut model);
        let sentence = open(&model).unwrap_err().to_string();
        assert!(sentence.contains(words), "expected `{words}` in `{sentence}`");
        assert!(!sentence.contains('\n'), "a sentence is one line: {sentence}");
    }
}

#[test]
fn a_graph_that_asks_for_more_memory_than_there_is_is_refused() {
    if !has_ort() {
        return;
    }
    let mut hungry = sum();
    graph(&mut hungry).initializer.push(integers("shape", &[2], &[1 << 31, 1 << 31]));
    graph(&mut hungry).node.extend([
        node("ConstantOfShape", &["shape"], "large"),
        node("ReduceSum", &["large", "one"], "narrow"),
        node("ReduceMax", &["narrow"], "most"),
        node("Add", &["points", "most"], "more"),
    ]);
    graph(&mut hungry).output = vec![value("more", FLOAT, &[None, Some(1)])];
    let sentence = open(&hungry).unwrap_err().to_string();
    assert!(sentence.contains("does not run the file"), "{sentence}");
}

#[test]
fn incident_75_a_gap_is_answered_only_by_graphs_that_know_gaps() {
    if !has_ort() {
        return;
    }
    let mut graph_of = model(vec![
        node("IsNaN", &["features"], "gaps"),
        node("Cast", &["gaps"], "flags"),
        node("ReduceSum", &["flags", "one"], "points"),
    ]);
    let to = AttributeProto { name: "to".to_owned(), i: i64::from(FLOAT), ..AttributeProto::default() };
    graph(&mut graph_of).node[1].attribute = vec![AttributeProto { r#type: 2, ..to }];
    let mut rows = FeatureMatrix::with_width(2);
    for row in [[1.0, 2.0], [f64::NAN, 2.0], [f64::NAN; 2]] {
        rows.push_row(&row).unwrap();
    }
    let answers = |model: &ModelProto| {
        let mut out = [-1.0; 3];
        open(model).unwrap().predict(&rows, &mut out).unwrap();
        out
    };
    assert_eq!(answers(&graph_of), [0.0, 1.0, 2.0]);
    graph(&mut graph_of).initializer.push(TensorProto {
        name: "nothing".to_owned(),
        data_type: FLOAT,
        dims: vec![1],
        float_data: vec![0.0],
        ..TensorProto::default()
    });
    // Nothing is less than zero, so this graph has forgotten the gap when it answers.
    graph(&mut graph_of).node = vec![
        node("Less", &["features", "nothing"], "gaps"),
        graph(&mut graph_of).node[1].clone(),
        node("ReduceSum", &["flags", "one"], "points"),
    ];
    let got = answers(&graph_of);
    assert_eq!(got[0], 0.0);
    assert!(got[1].is_nan() && got[2].is_nan(), "{got:?}");
}

#[test]
fn doubles_stay_doubles() {
    if !has_ort() {
        return;
    }
    let mut model = sum();
    graph(&mut model).input[0] = value("features", DOUBLE, &[None, Some(2)]);
    graph(&mut model).output[0] = value("points", DOUBLE, &[None, Some(1)]);
    let engine = open(&model).unwrap();
    assert_eq!(engine.run(&[1.0, 1e-12, 3.0, f64::NAN], 2).unwrap()[0], 1.0 + 1e-12);
    // Without a width the file's own counts.
    let alone = OrtEngine::open(&model.encode_to_vec(), None, 1 << 20).unwrap();
    assert_eq!(alone.width, 2);
    graph(&mut model).input[0] = value("features", DOUBLE, &[None, None]);
    let unsaid = OrtEngine::open(&model.encode_to_vec(), None, 1 << 20).unwrap_err();
    assert_eq!(unsaid, OrtError::NoWidth);
}
