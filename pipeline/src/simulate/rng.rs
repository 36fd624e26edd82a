//! Randomness that is the same for a seed on every machine and in every version of every library.

/// SplitMix64: small, well mixed, and fixed for ever.
#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for one purpose, so that one more draw here moves nothing there.
    pub(super) fn fork(&self, purpose: u64) -> Self {
        let mut rng = Self(self.0 ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        rng.next();
        rng
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Below `n`; 0 for 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.next() % n as u64) as usize }
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// About normal: twelve uniforms, because logarithms differ in their last bit from machine to machine.
    pub(super) fn normal(&mut self, mean: f64, std: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        mean + std * (sum - 6.0)
    }

    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub(super) fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_never_changes() {
        let mut rng = Rng::new(42);
        assert_eq!([rng.next(), rng.next()], [13_679_457_532_755_275_413, 2_949_826_092_126_892_291]);
        let mut values: Vec<f64> = (0..2000).map(|_| rng.normal(10.0, 2.0)).collect();
        values.sort_by(f64::total_cmp);
        let mean = values.iter().sum::<f64>() / 2000.0;
        assert!((mean - 10.0).abs() < 0.2 && values[0] > 0.0, "{mean}");
    }
}
