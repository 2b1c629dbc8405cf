//! Lists that a sender sends complete in each message (HL7 v2 2.10.4.1, snapshot mode).
//!
//! A message that has a list's segments states which entries exist now; a message without them says
//! nothing about the list. The map says what happens to an entry that is no longer listed (`end
//! clinicalStatus = …`): it is ended, never deleted.

use crate::program::{ListSpec, Literal, RowId};
use fhir::build::Value;
use std::fmt;
use std::sync::Arc;

/// A list for which a message has at least one segment.
#[derive(Clone)]
pub struct List {
    /// The label of the list's entries in the message map: `allergies`.
    pub label: Arc<str>,
    /// The resource type of the entries.
    pub resource_type: &'static str,
    /// The segment that carries the entries.
    pub segment: String,
    /// The message lists every entry (snapshot); otherwise it describes only some of them (action
    /// codes).
    pub is_snapshot: bool,
    pub(crate) spec: Arc<ListSpec>,
}

/// A draft's role in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The index of the list within the conversion.
    pub list: usize,
    /// The role.
    pub part: Part,
}

/// The meaning of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The entry exists.
    Entry,
    /// Nothing of the kind exists, for example no known allergy. Such an entry stands alone.
    Nothing,
    /// The entry has ended.
    Ended,
}

// === impl List ===

impl List {
    /// Returns the labels that may own the list, in order of preference.
    pub fn within(&self) -> &[Arc<str>] {
        &self.spec.within
    }

    /// Sets in an entry what the map says of one that is no longer listed, and returns the elements
    /// that it set.
    pub fn end(&self, value: &mut Value) -> Vec<&'static str> {
        let ends = self.spec.ends.iter();
        ends.map(|end| {
            value.set(end.element, end.value.to_value());
            end.element
        })
        .collect()
    }

    /// Reverts what [`end`](Self::end) set, if still unchanged, because the entry is listed again.
    /// The new value comes from `listed` if it has one, otherwise from the map.
    pub fn reopen(&self, value: &mut Value, listed: Option<&Value>) {
        for end in &self.spec.ends {
            let ended = end.value.to_value();
            if value.get(end.element).is_none_or(|found| *found != ended) {
                continue;
            }
            let told = listed.and_then(|listed| listed.get(end.element)).cloned();
            match told.or_else(|| end.again.as_ref().map(Literal::to_value)) {
                Some(again) => value.set(end.element, again),
                None => drop(value.remove(end.element)),
            }
        }
    }

    /// Returns whether the map has entries that say that nothing of the kind exists.
    pub fn names_nothing(&self) -> bool {
        self.spec.none.is_some()
    }

    /// Returns the row that says so.
    pub fn row(&self) -> RowId {
        self.spec.id
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "List({} of {})",
            self.label,
            self.spec.within.join(" else ")
        )
    }
}
