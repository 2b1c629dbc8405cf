//! A cache of persons with many records, kept by the writer between commits.
//!
//! Invariants:
//! - the cached content of a person equals that of its records in the open transaction, in the
//!   order of their newest versions: code that changes a record updates the cache, and code that
//!   moves a record other than with all records of its person clears it;
//! - after a rollback the cache is empty, because some of its content was never committed;
//! - the cache holds a few persons and a bounded number of records; any of them may be evicted.

use crate::backend::stored::Res;
use crate::chart::golden::Part;
use std::collections::{BTreeMap, HashMap};

/// The number of records from which a person is cached. Fewer are read again just as quickly.
const MANY: usize = 16;
/// The maximum number of cached records of all persons.
const MAX_RECORDS: usize = 8_000;

/// The persons that were written most recently.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The cached persons, the most recent one last.
    persons: Vec<(Res, Whole)>,
}

/// All records of one person.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// The parts, by the number of the record's newest version.
    parts: BTreeMap<i64, Part>,
    newest: HashMap<Res, i64>,
}

// === impl Gathered ===

impl Gathered {
    /// Removes a person from the cache and returns its records.
    pub(crate) fn take(&mut self, person: Res) -> Option<Whole> {
        let place = self.persons.iter().position(|(own, _)| *own == person)?;
        Some(self.persons.remove(place).1)
    }

    /// Caches a person, if it has enough records.
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

    /// Notes that a record has a new version with the same content for its person.
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
    /// Adds a record, or replaces its previous content.
    pub(crate) fn put(&mut self, record: Res, newest: i64, part: Part) {
        if let Some(earlier) = self.newest.insert(record, newest) {
            self.parts.remove(&earlier);
        }
        self.parts.insert(newest, part);
    }

    /// Adds all records of another person.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.newest.extend(other.newest);
    }

    /// Returns the parts of all records, the newest first.
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
