//! The identity of a store: a random id, made with the store and kept for ever, so that a copy, a replacement
//! and an emptied store can be told from the original.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The unique id of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(String);

/// The identity of a store and its high-water mark. The mark only ever grows, so a store with a smaller one
/// than other stores remember is an older copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The store's identity.
    pub identity: Identity,
    /// The high-water mark.
    pub mark: u64,
}

// === impl Identity ===

impl Identity {
    /// Makes a new identity.
    pub(crate) fn random() -> Self {
        // Each hasher has random keys of its own; the id needs to be unique, not secret.
        let half = || RandomState::new().build_hasher().finish();
        Self(format!("{:016x}{:016x}", half(), half()))
    }

    /// Parses an identity. None if the text is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_one = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_owned()))
    }

    /// Returns the identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_differ_and_come_back() {
        let (one, other) = (Identity::random(), Identity::random());
        assert_ne!(one, other);
        assert_eq!(Identity::parse(&format!("{one}\n")), Some(one));
        assert_eq!(Identity::parse("none"), None);
    }
}
