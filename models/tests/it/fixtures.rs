//! Ensembles made by `models/training/make_fixtures.py`, with the answers of a plain evaluator and of ONNX Runtime.

use std::path::{Path, PathBuf};

use models::{Engine, FeatureMatrix, NativeEngine};
use proptest::prelude::*;
use serde_json::Value;

pub(crate) const NAMES: [&str; 7] = [
    "catboost_symmetric",
    "catboost_nan_max",
    "lightgbm",
    "modes_sum_float",
    "modes_average_wrapped",
    "modes_min_float",
    "modes_max_double",
];

pub(crate) struct Fixture {
    pub(crate) onnx: Vec<u8>,
    pub(crate) width: usize,
    pub(crate) rows: Vec<Vec<f64>>,
    pub(crate) float64: Vec<f64>,
    pub(crate) onnxruntime: Vec<f64>,
}

impl Fixture {
    pub(crate) fn read(name: &str) -> Fixture {
        let path = |extension: &str| -> PathBuf {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.{extension}"))
        };
        let body: Value = serde_json::from_slice(&std::fs::read(path("json")).unwrap()).unwrap();
        let list =
            |key: &str| body[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        Fixture {
            onnx: std::fs::read(path("onnx")).unwrap(),
            width: usize::try_from(body["width"].as_u64().unwrap()).unwrap(),
            rows: body["rows"].as_array().unwrap().iter().map(row).collect(),
            float64: list("float64"),
            onnxruntime: list("onnxruntime"),
        }
    }

    pub(crate) fn engine(&self) -> NativeEngine {
        NativeEngine::from_onnx(&self.onnx, self.width).unwrap()
    }
}

/// JSON knows neither NaN nor infinity.
fn row(values: &Value) -> Vec<f64> {
    let number = |value: &Value| match value {
        Value::Null => f64::NAN,
        Value::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    };
    values.as_array().unwrap().iter().map(number).collect()
}

fn answers(engine: &NativeEngine, rows: &[Vec<f64>]) -> Vec<f64> {
    let mut matrix = FeatureMatrix::with_width(engine.width());
    rows.iter().for_each(|row| matrix.push_row(row).unwrap());
    let mut out = vec![f64::NAN; rows.len()];
    engine.predict(&matrix, &mut out).unwrap();
    out
}

#[test]
fn answers_are_those_of_the_plain_evaluator_bit_for_bit_and_near_onnx_runtime() {
    for name in NAMES {
        let fixture = Fixture::read(name);
        let got = answers(&fixture.engine(), &fixture.rows);
        assert!(got.len() >= 40, "{name} has too few rows");
        for (index, answer) in got.iter().enumerate() {
            let (exact, runtime) = (fixture.float64[index], fixture.onnxruntime[index]);
            assert_eq!(answer.to_bits(), exact.to_bits(), "{name} row {index}: {answer} is not {exact}");
            assert!((answer - runtime).abs() < 1e-5, "{name} row {index}: {answer} is far from {runtime}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The same bits for a row whatever stands beside it, in whatever order, in a batch of whatever size.
    #[test]
    fn an_answer_depends_on_its_row_alone(
        which in 0..NAMES.len(),
        picks in proptest::collection::vec((0..40_usize, -2.0..2.0_f64), 1..150),
        cut in 0.0..1.0_f64,
    ) {
        let fixture = Fixture::read(NAMES[which]);
        let engine = fixture.engine();
        let rows: Vec<Vec<f64>> = picks
            .iter()
            .map(|(pick, shift)| fixture.rows[*pick].iter().map(|value| value + shift).collect())
            .collect();
        let together: Vec<u64> = answers(&engine, &rows).iter().map(|answer| answer.to_bits()).collect();
        let one_by_one: Vec<u64> =
            rows.iter().map(|row| answers(&engine, std::slice::from_ref(row))[0].to_bits()).collect();
        prop_assert_eq!(&together, &one_by_one);
        let (front, back) = rows.split_at((cut * rows.len() as f64) as usize);
        let in_two: Vec<u64> =
            answers(&engine, front).iter().chain(&answers(&engine, back)).map(|answer| answer.to_bits()).collect();
        prop_assert_eq!(&together, &in_two);
    }
}
