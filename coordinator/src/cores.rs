//! Work that somebody waits for, done on every core.
//!
//! The caller's thread takes a share itself and each helper is started for one share: threads of a pool that wake one
//! another were put on one core for milliseconds, while the core of the waiting caller was idle.

use std::panic::resume_unwind;
use std::thread;

/// Items below which another core costs more than it saves.
const LEAST: usize = 32;

/// Maps every item; the answers are in the order of the items. A panic in `f` is the caller's.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    shared_out(items, cores, f)
}

fn shared_out<T: Send, R: Send>(items: Vec<T>, cores: usize, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let share = items.len().div_ceil(cores).max(LEAST);
    let mut own = items;
    let mut others = Vec::new();
    while own.len() > share {
        // From the end, so that each split moves only what it gives away.
        others.push(own.split_off((own.len() - 1) / share * share));
    }
    let f = &f;
    let answers = |share: Vec<T>| -> Vec<R> { share.into_iter().map(f).collect() };
    thread::scope(|scope| {
        let helpers: Vec<_> =
            others.into_iter().rev().map(|share| scope.spawn(move || answers(share))).collect();
        let mut all = answers(own);
        for helper in helpers {
            all.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_mapped_once_and_in_order() {
        for cores in [1, 2, 3, 16] {
            for count in [0, 1, 31, 32, 33, 64, 65, 334, 1_000] {
                let doubled = shared_out((0..count).collect(), cores, |n: usize| 2 * n);
                assert_eq!(doubled, (0..count).map(|n| 2 * n).collect::<Vec<_>>(), "{count} on {cores}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "item 40")]
    fn a_panic_of_a_helper_is_the_callers() {
        shared_out((0..64).collect(), 2, |n: usize| assert!(n != 40, "item {n}"));
    }
}
