//! Files that are damaged, cut or made to hurt: refused with a sentence, or run, but never a panic.

use models::{Engine, FeatureMatrix, NativeEngine};
use proptest::prelude::*;

use crate::fixtures::{Fixture, NAMES};

/// Loads and, if that works, answers a few rows.
fn survives(bytes: &[u8], width: usize) {
    let Ok(engine) = NativeEngine::from_onnx(bytes, width) else { return };
    let mut rows = FeatureMatrix::with_width(width);
    for value in [0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 11.5] {
        rows.push_row(&vec![value; width]).unwrap();
    }
    engine.predict(&rows, &mut [0.0; 5]).unwrap();
}

#[test]
fn every_truncation_of_a_model_is_refused() {
    let fixture = Fixture::read("modes_sum_float");
    for length in 0..fixture.onnx.len() {
        let sentence = NativeEngine::from_onnx(&fixture.onnx[..length], fixture.width).map(|_| length);
        // What is cut are the last bytes of the graph or, at the very end, the opset imports that follow it.
        if let Ok(length) = sentence {
            assert!(
                length + 40 > fixture.onnx.len(),
                "{length} of {} bytes were taken for a model",
                fixture.onnx.len()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), width in 1..8_usize) {
        survives(&bytes, width);
    }

    #[test]
    fn damaged_models_never_panic(
        which in 0..NAMES.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let fixture = Fixture::read(NAMES[which]);
        let mut bytes = fixture.onnx.clone();
        for (place, value) in damage {
            bytes[place.index(fixture.onnx.len())] = value;
        }
        survives(&bytes, fixture.width);
    }

    #[test]
    fn models_with_a_piece_cut_out_never_panic(
        which in 0..NAMES.len(),
        from in any::<prop::sample::Index>(),
        length in 1..400_usize,
    ) {
        let fixture = Fixture::read(NAMES[which]);
        let from = from.index(fixture.onnx.len());
        let to = (from + length).min(fixture.onnx.len());
        let bytes = [&fixture.onnx[..from], &fixture.onnx[to..]].concat();
        survives(&bytes, fixture.width);
    }
}
