//! Whom a store is: a random id, made with it and kept for ever, so that a copy, a replacement and an emptied
//! one can be told from the original.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A store's own name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(String);

/// Who a store is and how far it has come. The number only ever grows, so a store with a smaller one than
/// others remember is an older copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which store.
    pub identity: Identity,
    /// How far.
    pub mark: u64,
}

// === impl Identity ===

impl Identity {
    /// A new one.
    pub(crate) fn random() -> Self {
        // Each hasher has random keys of its own; this needs to differ, not to be secret.
        let half = || RandomState::new().build_hasher().finish();
        Self(format!("{:016x}{:016x}", half(), half()))
    }

    /// As it was written down. None where that is no identity.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_one = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_owned()))
    }

    /// As it is written down.
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
