//! FHIR logical ids, one type per kind of thing.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// Names a kind of thing that has ids.
pub trait Kind {
    /// The FHIR type name.
    const NAME: &'static str;
}

/// A FHIR logical id (`[A-Za-z0-9\-\.]{1,64}`), tied to its kind so that two cannot be mixed up.
pub struct Id<K>(Box<str>, PhantomData<fn() -> K>);

/// The text is no FHIR id. It does not say which text: an id may be PHI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a FHIR id: 1 to 64 letters, digits, `-` or `.`")]
pub struct InvalidId;

// === impl Id ===

impl<K> Id<K> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<K: Kind> Id<K> {
    /// The relative reference, such as `Patient/123`.
    pub fn reference(&self) -> String {
        format!("{}/{}", K::NAME, self.0)
    }
}

impl<K> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let valid = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if valid {
            Ok(Self(text.into(), PhantomData))
        } else {
            Err(InvalidId)
        }
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K> Eq for Id<K> {}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Patient {}
    impl Kind for Patient {
        const NAME: &'static str = "Patient";
    }

    #[test]
    fn fhir_r4_id_datatype() {
        assert_eq!(
            "a-1.B".parse::<Id<Patient>>().unwrap().reference(),
            "Patient/a-1.B"
        );
        for bad in ["", "a/b", "a_b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Id<Patient>>(), Err(InvalidId));
        }
    }
}
