//! The rows of the posting tables.
//!
//! Each table is clustered on its columns in this order, the resource's number last but for a
//! token's system, so that the resources of one code lie in order whatever their systems:
//!
//! | table | row | example |
//! |---|---|---|
//! | token | param, code, res, system | `Observation.code`, `8302-2`, 4711, 3 |
//! | string | param, folded, res | `Patient.family`, `testpatient`, 12 |
//! | date | param, low, high, res | `Observation.date`, 2024-05-01T00:00, …T23:59:59.999999, 4711 |
//! | number | param, low, high, res | `Observation.value-quantity`, 5.4, 5.4, 4711 |
//! | reference | param, target, res | `Observation.patient`, 12, 4711 |
//! | uri | param, uri, res | `ValueSet.url`, `http://…`, 99; also references by URL |
//! | composite | param, first code, res | `Observation.code-value-quantity`, `8302-2`, 4711 |
//! | compartment | patient, type, res | 12, 97, 4711 |
//!
//! What a row leaves out (the exact spelling, the unit, the other parts of a composite) is checked
//! in the posting set.

use crate::backend::stored::{Res, Set, Stored, decode_value, sortable};

/// A row without its resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Token {
        param: u32,
        code: Box<str>,
        system: i64,
    },
    String {
        param: u32,
        folded: Box<str>,
    },
    Date {
        param: u32,
        low: i64,
        high: i64,
    },
    Number {
        param: u32,
        low: i64,
        high: i64,
    },
    Reference {
        param: u32,
        target: Res,
    },
    Uri {
        param: u32,
        uri: Box<str>,
    },
    Composite {
        param: u32,
        code: Box<str>,
    },
    Compartment {
        patient: Res,
        type_number: i64,
    },
}

/// Longer texts are cut in the row; the posting set has the whole.
pub(crate) const MAX_TEXT: usize = 200;

/// What an update has to delete and to insert.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) removed: Vec<Key>,
    pub(crate) added: Vec<Key>,
}

/// The rows of a set, sorted, without repeats.
pub(crate) fn keys(set: &Set<'_>) -> Vec<Key> {
    let mut keys: Vec<Key> = set
        .patients()
        .map(|patient| Key::Compartment {
            patient,
            type_number: set.type_number,
        })
        .collect();
    for (param, value) in set.postings() {
        keys.extend(decode_value(value).map(|value| key(param, &value)));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The text as far as a row holds it.
pub(crate) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text)
}

/// Compares two sorted lists in one pass.
pub(crate) fn difference(old: Vec<Key>, new: Vec<Key>) -> Difference {
    let mut found = Difference::default();
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (Some(left), Some(right)) if left == right => {
                old.next();
                new.next();
            }
            (Some(left), Some(right)) if left < right => found.removed.extend(old.next()),
            (Some(_), None) => found.removed.extend(old.next()),
            (_, Some(_)) => found.added.extend(new.next()),
            (None, None) => return found,
        }
    }
}

fn key(param: u32, value: &Stored<'_>) -> Key {
    match value {
        Stored::Token { system, code } => Key::Token {
            param,
            code: cut(code).into(),
            system: *system,
        },
        Stored::String { folded, .. } => Key::String {
            param,
            folded: cut(folded).into(),
        },
        Stored::Date(span) => Key::Date {
            param,
            low: span.low.micros(),
            high: span.high.micros(),
        },
        Stored::Number(range) | Stored::Quantity { range, .. } => Key::Number {
            param,
            low: sortable(range.low),
            high: sortable(range.high),
        },
        Stored::Local(target) => Key::Reference {
            param,
            target: *target,
        },
        Stored::Url { url, .. } => Key::Uri {
            param,
            uri: cut(url).into(),
        },
        Stored::Uri(uri) => Key::Uri {
            param,
            uri: cut(uri).into(),
        },
        Stored::Composite(parts) => {
            let code = match parts.first() {
                Some(Stored::Token { code, .. }) => cut(code),
                _ => "",
            };
            Key::Composite {
                param,
                code: code.into(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn uris(names: &BTreeSet<u8>) -> Vec<Key> {
        names
            .iter()
            .map(|n| Key::Uri {
                param: 1,
                uri: format!("{n:03}").into(),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_difference_leads_from_old_to_new(
            old in proptest::collection::btree_set(any::<u8>(), 0..20),
            new in proptest::collection::btree_set(any::<u8>(), 0..20),
        ) {
            let found = difference(uris(&old), uris(&new));
            prop_assert_eq!(found.removed, uris(&(&old - &new)));
            prop_assert_eq!(found.added, uris(&(&new - &old)));
        }
    }
}
