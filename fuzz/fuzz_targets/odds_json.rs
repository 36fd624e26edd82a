//! The reader of The Odds API's v4: events, lists, wrappers, JSON lines, packed or not.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzz::read("odds_20240329_185900.json", bytes);
});
