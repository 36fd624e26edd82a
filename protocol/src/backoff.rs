//! Full-jitter backoff between the attempts of one job. Retry lives here and nowhere else (incident 43).

use crate::Millis;

/// Shortest cap of a delay.
pub const BASE_MS: Millis = 200;
/// Longest delay.
pub const CAP_MS: Millis = 5_000;

/// Delay before attempt `attempts + 1`: uniform between zero and `min(cap, base * 2^attempts)`.
/// `random` is any 64 random bits; the caller draws them.
pub fn full_jitter(attempts: u32, random: u64) -> Millis {
    let ceiling = BASE_MS.saturating_mul(1 << attempts.min(16)).min(CAP_MS);
    (random % (ceiling as u64 + 1)) as Millis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_within_the_ceiling_of_their_attempt() {
        for (attempts, ceiling) in [(0, 200), (1, 400), (2, 800), (5, 5_000), (60, 5_000)] {
            assert_eq!(full_jitter(attempts, ceiling as u64), ceiling);
            assert_eq!(full_jitter(attempts, ceiling as u64 + 1), 0);
            assert!((0..=ceiling).contains(&full_jitter(attempts, u64::MAX)));
        }
    }
}
