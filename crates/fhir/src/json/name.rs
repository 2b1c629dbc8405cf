//! Defined names as numbers.
//!
//! Invariant: a symbol's number is its line in `data/names.txt`, from 1; 0 is no symbol. Numbers
//! change with the tables and must not be stored.

use std::sync::LazyLock;

/// A FHIR element name from the tables; two symbols compare as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u16);

/// The names and a hash table over them.
struct Names {
    /// The names, each with a leading `_`.
    texts: Vec<&'static str>,
    /// Open-addressing table; 0 is a free slot.
    places: Vec<u16>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut text = String::new();
    for name in include_str!("../../data/names.txt").lines() {
        text.push('_');
        text.push_str(name);
        text.push('\n');
    }
    Names::new(text.leak().lines().collect())
});

/// Returns the number of symbols.
pub fn symbol_count() -> usize {
    NAMES.texts.len()
}

// === impl Symbol ===

impl Symbol {
    /// Returns the symbol of a name, given without its `_`.
    pub fn of(name: &str) -> Option<Self> {
        Self::from_number(NAMES.find(name.as_bytes()))
    }

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        self.underscored().get(1..).unwrap_or_default()
    }

    /// Returns the name with a leading `_`.
    pub fn underscored(self) -> &'static str {
        let text = NAMES.texts.get(usize::from(self.0) - 1);
        text.copied().unwrap_or_default()
    }

    /// Returns the number, for tables indexed by it: from 1 to [`symbol_count`].
    pub fn number(self) -> u16 {
        self.0
    }

    pub(super) fn from_number(number: u16) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }
}

/// Returns the symbol's number, or 0. For the parser, which works on bytes.
pub(super) fn number_of(name: &[u8]) -> u16 {
    NAMES.find(name)
}

// === impl Names ===

impl Names {
    fn new(texts: Vec<&'static str>) -> Self {
        let n_places = (texts.len() * 4).next_power_of_two();
        let mut names = Self {
            texts: Vec::new(),
            places: vec![0; n_places],
        };
        for text in texts {
            let place = names.free_place(text.as_bytes().get(1..).unwrap_or_default());
            names.texts.push(text);
            if let Some(slot) = names.places.get_mut(place) {
                *slot = names.texts.len() as u16;
            }
        }
        names
    }

    fn find(&self, name: &[u8]) -> u16 {
        let mask = self.places.len() - 1;
        let mut place = hash(name) as usize & mask;
        loop {
            let number = self.places.get(place).copied().unwrap_or(0);
            if number == 0 {
                return 0;
            }
            let text = self.texts.get(usize::from(number) - 1);
            if text.is_some_and(|text| text.as_bytes().get(1..) == Some(name)) {
                return number;
            }
            place = (place + 1) & mask;
        }
    }

    fn free_place(&self, name: &[u8]) -> usize {
        let mask = self.places.len() - 1;
        let mut place = hash(name) as usize & mask;
        while self.places.get(place).is_some_and(|&number| number != 0) {
            place = (place + 1) & mask;
        }
        place
    }
}

/// Computes a fast hash over the first and last eight bytes and the length: enough to tell FHIR's
/// names apart; the comparison afterwards decides.
fn hash(name: &[u8]) -> u64 {
    let n = name.len();
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => short_words(name),
    };
    let mixed = (head ^ (n as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ tail.wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
}

/// Returns the two words of a name shorter than eight bytes.
fn short_words(name: &[u8]) -> (u64, u64) {
    match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(head), Some(tail)) => (
            u32::from_le_bytes(*head).into(),
            u32::from_le_bytes(*tail).into(),
        ),
        _ => (name.iter().fold(0, |word, &b| word << 8 | u64::from(b)), 0),
    }
}
