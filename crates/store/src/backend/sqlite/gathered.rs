//! Persons of many records, as the writer remembers them between commits.
//!
//! Invariants:
//! - what is remembered of a person is what its records say in the transaction that is open, in the
//!   order of their newest versions: whoever changes a record says so, and whoever moves one
//!   otherwise than with all the records of its person forgets all;
//! - after a rollback nothing is remembered, because some of it never was;
//! - it holds a few persons and a bounded number of records, and anything may be forgotten.

use crate::backend::stored::Res;
use crate::chart::golden::Part;
use std::collections::{BTreeMap, HashMap};

/// Fewer records are read again as quickly.
const MANY: usize = 16;
/// Records remembered at most, of all persons.
const MAX_RECORDS: usize = 8_000;

/// The persons that were written last.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The latest one last.
    persons: Vec<(Res, Whole)>,
}

/// All records of one person.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// By the number of their newest version.
    parts: BTreeMap<i64, Part>,
    newest: HashMap<Res, i64>,
}

// === impl Gathered ===

impl Gathered {
    /// Takes a person out.
    pub(crate) fn take(&mut self, person: Res) -> Option<Whole> {
        let place = self.persons.iter().position(|(own, _)| *own == person)?;
        Some(self.persons.remove(place).1)
    }

    /// Remembers it, if it is worth it.
    pub(crate) fn keep(&mut self, person: Res, whole: Whole) {
        if (MANY..=MAX_RECORDS).contains(&whole.newest.len()) {
            self.persons.push((person, whole));
        }
        let mut n_records = 0;
        let n_kept = self.persons.iter().rev().take_while(|(_, whole)| {
            n_records += whole.newest.len();
            n_records <= MAX_RECORDS
        });
        let n_gone = self.persons.len() - n_kept.count();
        self.persons.drain(..n_gone);
    }

    /// A record has a new version that says the same of its person.
    pub(crate) fn renew(&mut self, record: Res, newest: i64) {
        for (_, whole) in &mut self.persons {
            whole.renew(record, newest);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.persons.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.persons.clear();
    }
}

// === impl Whole ===

impl Whole {
    /// Puts a record in, or what it says now in the place of what it said.
    pub(crate) fn put(&mut self, record: Res, newest: i64, part: Part) {
        if let Some(earlier) = self.newest.insert(record, newest) {
            self.parts.remove(&earlier);
        }
        self.parts.insert(newest, part);
    }

    /// Takes all records of another person in.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.newest.extend(other.newest);
    }

    /// What the records say, the newest first.
    pub(crate) fn parts(&self) -> Vec<&Part> {
        self.parts.values().rev().collect()
    }

    fn renew(&mut self, record: Res, newest: i64) {
        if let Some(place) = self.newest.get_mut(&record)
            && let Some(part) = self.parts.remove(place)
        {
            self.parts.insert(newest, part);
            *place = newest;
        }
    }
}
