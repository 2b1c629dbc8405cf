//! Seeded random numbers: SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same
//! numbers on every machine and in every build.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

// === impl Random ===

impl Random {
    /// Creates an independent stream for each seed and stream number.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 up to but not including 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns true with this probability.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Returns a number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.abs_diff(low) + 1;
        low.saturating_add((self.next() % span) as i64)
    }

    /// Returns an approximately normal number, the sum of three uniform ones: never further than
    /// three deviations from the mean.
    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum = self.unit() + self.unit() + self.unit();
        mean + deviation * 2.0 * (sum - 1.5)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the index is below N; an empty table does not compile"
    )]
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0, "a table to pick from is not empty") }
        items[(self.next() % N as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut random = Random::new(1, 0);
        let first: Vec<u64> = (0..3).map(|_| random.next() % 1000).collect();
        let mut again = Random::new(1, 0);
        let second: Vec<u64> = (0..3).map(|_| again.next() % 1000).collect();
        assert_eq!(first, second);
        assert_ne!(Random::new(1, 1).next(), Random::new(1, 2).next());
    }

    #[test]
    fn numbers_keep_their_bounds() {
        let mut random = Random::new(7, 7);
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&random.unit()));
            assert!((-3..=4).contains(&random.between(-3, 4)));
            assert!((7.0..=13.0).contains(&random.normal(10.0, 1.0)));
        }
    }
}
