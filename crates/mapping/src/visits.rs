//! The identification of a visit that has no number of its own.
//!
//! Invariant: a source's declaration applies only to visits without PV1-19 and PV1-50; a number
//! always decides.
//!
//! | `visits by` | two messages describe one visit if |
//! |---|---|
//! | `either` | PID-18 is equal, else PV1-44, else the patient has a visit that is open |
//! | `account` | PID-18 is equal, whatever PV1-44 says; without PID-18, the open visit |
//! | `admission` | PV1-44 is equal, whatever PID-18 says; without PV1-44, the open visit |
//! | `none` | never: such a message makes no visit |

use crate::program::{KeyPart, Source};

/// How a source's visits without a number are identified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visits {
    /// The account, else the admission, else the one open visit.
    #[default]
    Either,
    /// The account number in place of the visit number (PID-18; IHE RAD TF-2, 4.1.4.1.2.4).
    Account,
    /// The time of admission (PV1-44).
    Admission,
    /// Nothing: such a message makes no visit.
    None,
}

// === impl Visits ===

impl Visits {
    /// The keywords of a dialect.
    pub(crate) const WORDS: [(&'static str, Self); 4] = [
        ("account", Self::Account),
        ("admission", Self::Admission),
        ("either", Self::Either),
        ("none", Self::None),
    ];

    /// Returns whether a key that replaces the visit number counts.
    pub(crate) fn accepts_key(self, parts: &[KeyPart]) -> bool {
        let reads = |name: [u8; 3], number: u16| {
            parts.iter().any(|part| match part {
                KeyPart::Source(source) => is_field(*source, (name, number)),
                KeyPart::FirstOf(sources) => {
                    let mut sources = sources.iter();
                    sources.any(|source| is_field(*source, (name, number)))
                }
                KeyPart::Identifier | KeyPart::Label(_) | KeyPart::Coded(..) | KeyPart::Day(_) => {
                    false
                }
            })
        };
        match self {
            Self::Either => true,
            Self::Account => !reads(*b"PV1", 44),
            Self::Admission => !reads(*b"PID", 18),
            Self::None => false,
        }
    }
}

fn is_field(source: Source, (name, number): ([u8; 3], u16)) -> bool {
    matches!(source, Source::Field { segment, field, .. } if segment == name && field == number)
}
