//! What a hostile file may cost: four times its size, whatever it is made of.

use prost::Message;

use super::*;
use crate::native::{OnnxError, Options};

/// Size of the files: larger than what may cost 16 MiB whatever it is.
const BYTES: usize = 6 << 20;

/// Bytes that were held at a time while a file was read, and what became of it.
fn held(bytes: &[u8]) -> (u64, Result<NativeEngine, OnnxError>) {
    let mut opened = Err(OnnxError::NoTrees);
    let info = allocation_counter::measure(|| opened = NativeEngine::open(bytes, &Options::default()));
    (info.bytes_max, opened)
}

/// A model of that many trees: each a leaf alone, or a question with two leaves.
fn many_trees(count: i64, is_leaf: bool) -> ModelProto {
    let nodes = if is_leaf { 1 } else { 3 };
    let each = |values: &[i64]| values.repeat(count as usize);
    let of_tree =
        |times: usize| (0..count).flat_map(|tree| std::iter::repeat_n(tree, times)).collect::<Vec<i64>>();
    let modes: &[&str] = if is_leaf { &["LEAF"] } else { &["BRANCH_LEQ", "LEAF", "LEAF"] };
    let leaves: &[i64] = if is_leaf { &[0] } else { &[1, 2] };
    let mut model = stump();
    set(&mut model, integers("nodes_treeids", &of_tree(nodes)));
    set(&mut model, integers("nodes_nodeids", &each(&[0, 1, 2][..nodes])));
    set(&mut model, integers("nodes_featureids", &each(&[0, 0, 0][..nodes])));
    set(&mut model, integers("nodes_truenodeids", &each(&[1, 0, 0][..nodes])));
    set(&mut model, integers("nodes_falsenodeids", &each(&[2, 0, 0][..nodes])));
    set(&mut model, reals("nodes_values", &vec![1.0; count as usize * nodes]));
    set(&mut model, strings("nodes_modes", &modes.repeat(count as usize)));
    set(&mut model, integers("target_treeids", &of_tree(leaves.len())));
    set(&mut model, integers("target_nodeids", &each(leaves)));
    set(&mut model, integers("target_ids", &vec![0; count as usize * leaves.len()]));
    set(&mut model, reals("target_weights", &vec![1.0; count as usize * leaves.len()]));
    model
}

/// One tree that leans to one side: every other node is a leaf.
fn chain(branches: i64) -> ModelProto {
    let mut model = stump();
    let (mut modes, mut on_true, mut on_false, mut leaves) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for branch in 0..branches {
        modes.extend(["BRANCH_LEQ", "LEAF"]);
        on_true.extend([2 * branch + 1, 0]);
        on_false.extend([2 * branch + 2, 0]);
        leaves.push(2 * branch + 1);
    }
    modes.push("LEAF");
    on_true.push(0);
    on_false.push(0);
    leaves.push(2 * branches);
    wire(&mut model, &modes, &on_true, &on_false, &leaves);
    model
}

/// An opset-5 ensemble of that many branches, each a tree of its own: twenty bytes a tree.
fn opset5(count: usize) -> ModelProto {
    let bytes = |values: Vec<u8>, kind| TensorProto {
        dims: vec![count as i64],
        data_type: kind,
        raw_data: values,
        ..TensorProto::default()
    };
    let in_tensor = |name: &str, tensor| AttributeProto { t: Some(tensor), ..attribute(name) };
    let ones = vec![1; count];
    let zeros = vec![0; count];
    let mut model = stump();
    let ensemble = &mut graph(&mut model).node[0];
    ensemble.op_type = "TreeEnsemble".to_owned();
    ensemble.attribute = vec![
        integers("tree_roots", &(0..count as i64).collect::<Vec<_>>()),
        in_tensor("nodes_modes", bytes(vec![0; count], 2)),
        in_tensor("nodes_splits", bytes(vec![0; 4 * count], FLOAT)),
        integers("nodes_featureids", &zeros),
        integers("nodes_truenodeids", &zeros),
        integers("nodes_trueleafs", &ones),
        integers("nodes_falsenodeids", &zeros),
        integers("nodes_falseleafs", &ones),
        integers("leaf_targetids", &zeros),
        in_tensor("leaf_weights", bytes(vec![0; 4 * count], FLOAT)),
    ];
    model
}

/// Model files of CatBoost's JSON, each as large as it must be to be a whole one.
fn catboost(trees: &str, features: &str, bias: &str) -> Vec<u8> {
    format!(
        r#"{{"features_info": {{"float_features": [{features}]}}, {trees}, "scale_and_bias": [1, {bias}]}}"#
    )
    .into_bytes()
}

/// `part` again and again, with commas between.
fn again(part: &str) -> String {
    let mut text = part.to_owned();
    while text.len() < BYTES {
        text.push(',');
        text.push_str(part);
    }
    text
}

const FEATURE: &str = r#"{"feature_index":0,"flat_feature_index":0}"#;

#[test]
fn no_file_costs_more_than_four_times_its_size() {
    let split = r#"{"split_type":"FloatFeature"}"#;
    let leaf = r#"{"value":0}"#;
    let branch = format!(r#"{{"split":{split},"left":{leaf},"right":{leaf}}}"#);
    let features: Vec<String> =
        (0..120_000).map(|at| format!(r#"{{"feature_index":{at},"flat_feature_index":{at}}}"#)).collect();
    let none = r#""trees":[]"#;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("trees of one leaf", many_trees(250_000, true).encode_to_vec()),
        ("trees of one question", many_trees(120_000, false).encode_to_vec()),
        ("one long tree", chain(200_000).encode_to_vec()),
        ("trees of opset 5", opset5(350_000).encode_to_vec()),
        (
            "symmetric trees of one leaf",
            catboost(&format!(r#""oblivious_trees":[{}]"#, again(r#"{"leaf_values":[0]}"#)), FEATURE, "0"),
        ),
        (
            "one symmetric tree",
            catboost(&format!(r#""oblivious_trees":[{{"leaf_values":[{}]}}]"#, again("0")), FEATURE, "0"),
        ),
        (
            "a tree of many levels",
            catboost(&format!(r#""oblivious_trees":[{{"splits":[{}]}}]"#, again(split)), FEATURE, "0"),
        ),
        ("free trees of one leaf", catboost(&format!(r#""trees":[{}]"#, again(leaf)), FEATURE, "0")),
        ("free trees of one question", catboost(&format!(r#""trees":[{}]"#, again(&branch)), FEATURE, "0")),
        (
            "a leaf of many numbers",
            catboost(&format!(r#""trees":[{{"value":[{}]}}]"#, again("0")), FEATURE, "0"),
        ),
        ("many biases", catboost(none, FEATURE, &format!("[{}]", again("0")))),
        ("many features", catboost(none, &features.join(","), "0")),
        ("one feature many times", catboost(none, &again(FEATURE), "0")),
        ("other features", catboost(&format!(r#""x":[{}]"#, again("0")), FEATURE, "0")),
        ("a long name", catboost(&format!(r#""{}":0"#, "\\u0041".repeat(BYTES / 6)), FEATURE, "0")),
    ];
    for (what, bytes) in &cases {
        assert!(bytes.len() > 4 << 20, "{what}: {} bytes are too few to tell", bytes.len());
        let (held, opened) = held(bytes);
        let times = held as f64 / bytes.len() as f64;
        assert!(
            times <= 4.0,
            "{what}: {times:.2} times its {} bytes were held, {:?}",
            bytes.len(),
            opened.err()
        );
    }
}
