//! Tables that maps fill and messages are looked up in: names of code systems, codes.
//!
//! Invariant: no key comes from a message. The hash is fast and unkeyed, so whoever chooses the
//! keys could make a table slow; authors of maps have no reason to.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table from a text of a map to its meaning.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// A hasher that takes eight bytes a step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quick(u64);

/// Odd, with bits spread over the word.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

// === impl Quick ===

impl Quick {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let last = rest.iter().rev();
        let last = last.fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.word(last ^ (bytes.len() as u64) << 56);
    }

    /// Ignores the end of a text: its length is already included.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        // The table reads the lowest and the highest bits; a multiplication carries upward only.
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(FACTOR);
        mixed ^ mixed >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    /// Codes and names as maps have them: similar, short, with a number at the end.
    #[test]
    fn like_texts_have_unlike_hashes() {
        let texts = (0..5_000).map(|n| format!("HL7{n:04}"));
        let texts = texts.chain((0..5_000).map(|n| format!("{n}-{}", n % 10)));
        let texts = texts.chain((b'A'..=b'Z').map(|letter| char::from(letter).to_string()));
        let texts: HashSet<String> = texts.collect();
        let build = BuildHasherDefault::<Quick>::default();
        let hash = |text: &String| build.hash_one(text);
        let whole: HashSet<u64> = texts.iter().map(hash).collect();
        assert_eq!(whole.len(), texts.len());
        // Random values would fill about 7,500 of the 16,384 places.
        let places: HashSet<u64> = texts.iter().map(|text| hash(text) & 0x3FFF).collect();
        assert!(texts.len() * 3 / 5 < places.len(), "{}", places.len());
        let tops: HashSet<u64> = texts.iter().map(|text| hash(text) >> 57).collect();
        assert_eq!(tops.len(), 128);
    }
}
