//! The reader of model files: whatever the bytes are, it refuses them with a sentence or runs them, within four times their
//! size; and what runs gives the same bits in every way of running it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use models::native::{How, Isa, NativeEngine, Options};
use models::{Engine, FeatureMatrix};

/// What a small file may cost whatever its size, as the reader promises.
const ALWAYS: usize = 16 << 20;
/// Widest row that is worth an answer here.
const MOST_WIDTH: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let limit = ALWAYS.max(4 * bytes.len());
    let open = |how| NativeEngine::open(bytes, &Options { how, ..Options::default() });
    match fuzz::within(limit, || open(How::Plain)) {
        Ok(plain) if plain.width() <= MOST_WIDTH => {
            let expected = answers(&plain);
            for isa in Isa::available() {
                let engine =
                    fuzz::within(limit, || open(How::Blocks(isa))).expect("what runs plainly runs in blocks");
                assert_eq!(answers(&engine), expected, "{} answers otherwise than plain", isa.name());
            }
        }
        Ok(_) => {}
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
});

/// The bits of the answers to awkward rows: a whole block of them and a few more.
fn answers(engine: &NativeEngine) -> Vec<u64> {
    let values =
        [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5, -11.0, 1e300, f64::MIN_POSITIVE];
    let mut rows = FeatureMatrix::with_width(engine.width());
    for row in 0..70 {
        let cells: Vec<f64> =
            (0..engine.width()).map(|column| values[(row * 7 + column * (row + 3)) % values.len()]).collect();
        rows.push_row(&cells).expect("the row has the engine's width");
    }
    let mut out = vec![0.0; rows.rows() * engine.heads()];
    engine.predict(&rows, &mut out).expect("a checked engine answers every row of its width");
    // Infinite weights are refused, so what is no number is an overflow of a product behind the sum: one NaN is like another.
    out.iter().map(|answer| if answer.is_nan() { u64::MAX } else { answer.to_bits() }).collect()
}
