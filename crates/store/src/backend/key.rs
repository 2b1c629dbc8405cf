//! The rows of the posting tables.
//!
//! Each table is clustered on its columns in this order. The resource's number comes last, except
//! before a token's system, so that the resources of one code are in order whatever their systems:
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
//! Details that a row omits (the exact spelling, the unit, the other parts of a composite) are
//! checked in the posting set.

use crate::backend::stored::{Res, Set, Stored, decode_value, sortable};
use std::collections::HashSet;

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

/// The length at which text is cut in a row; the posting set has all of it.
pub(crate) const MAX_TEXT: usize = 200;

/// The rows that an update has to delete and insert.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) removed: Vec<Key>,
    pub(crate) added: Vec<Key>,
}

/// Returns the rows of a set, sorted and without duplicates.
pub(crate) fn keys(set: &Set<'_>) -> Vec<Key> {
    rows(set, set.postings())
}

/// Cuts text to the length that a row holds.
pub(crate) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text)
}

/// The number of postings above which only those that differ are turned into rows.
const MANY: usize = 64;

/// Returns the rows that an update of a resource has to delete and insert.
pub(crate) fn changed(old: Option<Set<'_>>, new: Option<Set<'_>>) -> Difference {
    let of = |set: &Option<Set<'_>>| set.as_ref().map(keys).unwrap_or_default();
    match (&old, &new) {
        (Some(old), Some(new)) if MANY < old.postings().count() => changed_of_many(old, new),
        _ => difference(of(&old), of(&new)),
    }
}

/// Returns the difference of two sets of which most is unchanged.
fn changed_of_many(old: &Set<'_>, new: &Set<'_>) -> Difference {
    let had: HashSet<(u32, &[u8])> = old.postings().collect();
    let has: HashSet<(u32, &[u8])> = new.postings().collect();
    let gone = old.postings().filter(|posting| !has.contains(posting));
    let come = new.postings().filter(|posting| !had.contains(posting));
    let mut found = difference(rows(old, gone), rows(new, come));
    // Two values may share a row: texts that fold alike, numbers in two units.
    let params: HashSet<u32> = found.removed.iter().map(Key::param).collect();
    if !params.is_empty() {
        let stays = rows(
            new,
            new.postings().filter(|(param, _)| params.contains(param)),
        );
        found
            .removed
            .retain(|key| stays.binary_search(key).is_err());
    }
    found
}

/// Returns the rows of some postings of a set, sorted and without duplicates.
fn rows<'a>(set: &Set<'a>, postings: impl Iterator<Item = (u32, &'a [u8])>) -> Vec<Key> {
    let mut keys: Vec<Key> = set
        .patients()
        .map(|patient| Key::Compartment {
            patient,
            type_number: set.type_number,
        })
        .collect();
    for (param, value) in postings {
        keys.extend(decode_value(value).map(|value| key(param, &value)));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
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

impl Key {
    /// Returns the key's parameter; 0 for a compartment, which has none.
    fn param(&self) -> u32 {
        match self {
            Self::Token { param, .. }
            | Self::String { param, .. }
            | Self::Date { param, .. }
            | Self::Number { param, .. }
            | Self::Reference { param, .. }
            | Self::Uri { param, .. }
            | Self::Composite { param, .. } => *param,
            Self::Compartment { .. } => 0,
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
    use crate::backend::stored;
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

    /// Builds a set of texts and numbers, some of which share a row.
    fn set_of(values: &BTreeSet<(u8, u8)>) -> Vec<u8> {
        let mut out = vec![0, 7, 1, 12];
        for (n, variant) in values {
            let folded = format!("t{n}");
            let mut value = vec![2];
            stored::put_text(&mut value, &folded);
            stored::put_text(&mut value, &format!("T{n}{variant}"));
            out.extend_from_slice(&u32::from(n % 3).to_le_bytes());
            stored::put_number(&mut out, value.len() as u64);
            out.extend_from_slice(&value);
        }
        out
    }

    proptest! {
        #[test]
        fn the_change_of_many_is_that_of_all_rows(
            both in proptest::collection::btree_set((any::<u8>(), 0..3_u8), 60..120),
            old in proptest::collection::btree_set((any::<u8>(), 0..3_u8), 0..9),
            new in proptest::collection::btree_set((any::<u8>(), 0..3_u8), 0..9),
        ) {
            let (old, new) = (set_of(&(&both | &old)), set_of(&(&both | &new)));
            let read = |bytes| Set::read(bytes).unwrap();
            let quick = changed(Some(read(&old)), Some(read(&new)));
            let whole = difference(keys(&read(&old)), keys(&read(&new)));
            prop_assert_eq!(&quick.removed, &whole.removed);
            // A row that already exists may be written again.
            let old = keys(&read(&old));
            let added: Vec<Key> = quick.added.into_iter().filter(|key| !old.contains(key)).collect();
            prop_assert_eq!(added, whole.added);
        }

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
