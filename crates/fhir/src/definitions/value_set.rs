//! The codes of the value sets that required bindings name.

use super::tables::CODES;

/// A code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code system's url.
    pub system: &'static str,
    /// The code.
    pub code: &'static str,
    /// What it is called.
    pub display: &'static str,
}

/// The codes of a value set (canonical url without version) that can be listed; none if it is not
/// known here or has no list (languages, MIME types…).
pub fn value_set(url: &str) -> Option<&'static [Code]> {
    CODES.get(url).map(Vec::as_slice)
}
