//! Computes the checksum of a row: a disk does not always return the bytes that were written.
//!
//! Invariant: a change within any one word of the input changes the sum, because every step is bijective in
//! the word and in the state; any other change does so except for one in 2^64. The sum protects against bit
//! rot, not against an attacker.

/// A checksum in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum(u64);

/// Odd, so that multiplying by it is bijective; the bits of the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Sum ===

impl Sum {
    /// Starts a sum; `kind` keeps the sums of different tables apart.
    pub(crate) const fn new(kind: u64) -> Self {
        Self(kind)
    }

    /// Adds a number.
    #[must_use]
    pub(crate) const fn number(self, number: i64) -> Self {
        let mixed = (self.0 ^ number as u64).wrapping_mul(FACTOR);
        Self(mixed ^ mixed >> 29)
    }

    /// Adds bytes with their length, so that bytes that move from one field to the next are detected.
    #[must_use]
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.number(bytes.len() as i64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            sum = sum.number(i64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (place, byte) in last.iter_mut().zip(rest) {
            *place = *byte;
        }
        sum.number(i64::from_le_bytes(last))
    }

    /// Adds an optional value.
    #[must_use]
    pub(crate) fn maybe(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.number(1).bytes(bytes),
            None => self.number(0),
        }
    }

    /// Returns the value for the checksum column.
    pub(crate) const fn value(self) -> i64 {
        self.number(0).0 as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> i64 {
        Sum::new(1).bytes(bytes).value()
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_seen(mut bytes in proptest::collection::vec(any::<u8>(), 1..200), at: usize) {
            let before = of(&bytes);
            let place = at / 8 % bytes.len();
            bytes[place] ^= 1 << (at % 8);
            prop_assert_ne!(of(&bytes), before);
        }

        #[test]
        fn what_moves_from_one_field_to_the_next_is_seen(one: Vec<u8>, other: Vec<u8>, n in 1_usize..9) {
            let n = n.min(one.len());
            prop_assume!(0 < n);
            let (kept, moved) = one.split_at(one.len() - n);
            let apart = Sum::new(1).bytes(&one).bytes(&other).value();
            let shifted = Sum::new(1).bytes(kept).bytes(&[moved, &other].concat()).value();
            prop_assert_ne!(apart, shifted);
        }
    }

    #[test]
    fn an_empty_field_is_not_a_missing_one() {
        assert_ne!(
            Sum::new(1).maybe(None).value(),
            Sum::new(1).maybe(Some(b"")).value()
        );
    }
}
