//! The codes of the value sets used in required bindings.

use super::tables::CODES;

/// A code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code system's url.
    pub system: &'static str,
    /// The code.
    pub code: &'static str,
    /// The display text.
    pub display: &'static str,
}

/// Returns the codes of a value set (canonical url without version) that can be enumerated; `None`
/// if the set is unknown or cannot be enumerated (languages, MIME types…).
pub fn value_set(url: &str) -> Option<&'static [Code]> {
    CODES.get(url).map(Vec::as_slice)
}
