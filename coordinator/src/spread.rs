//! Pure work on many items, spread over the cores: a slate's jobs are made, and its outcomes read, by whoever is waiting for
//! them, so they may as well use every core for those few milliseconds.

use std::num::NonZero;
use std::thread;

/// Items below which a thread costs more than it saves.
const WORTH_A_THREAD: usize = 32;

/// `work` applied to every item, in order.
pub(crate) fn map<T, R>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R>
where
    T: Sync,
    R: Send,
{
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(cores).max(WORTH_A_THREAD);
    if items.len() <= share {
        return items.iter().map(work).collect();
    }
    let (mine, others) = items.split_at(share);
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = others
            .chunks(share)
            .map(|part| (part, scope.spawn(move || part.iter().map(work).collect::<Vec<R>>())))
            .collect();
        let mut done: Vec<R> = mine.iter().map(work).collect();
        for (part, other) in others {
            match other.join() {
                Ok(results) => done.extend(results),
                // The same panic, here where it can be seen.
                Err(_) => done.extend(part.iter().map(work)),
            }
        }
        done
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_item_once_and_in_order() {
        for count in [0, 1, 31, 32, 33, 64, 65, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                super::map(&items, |item| item * 2),
                (0..count).map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    #[should_panic(expected = "seventy")]
    fn a_panic_is_the_callers() {
        let items: Vec<usize> = (0..100).collect();
        super::map(&items, |item| assert!(*item != 70, "seventy"));
    }
}
