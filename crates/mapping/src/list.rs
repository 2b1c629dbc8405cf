//! Lists: what a sender lists anew in each message (HL7 v2 2.10.4.1, snapshot mode).
//!
//! A message that has a list's segments says which entries there are now; one that has none of them
//! says nothing about the list. What becomes of an entry that is listed no more stands in the map
//! (`end clinicalStatus = …`): it is ended, never deleted.

use crate::program::{ListSpec, Literal, RowId};
use fhir::build::Value;
use std::fmt;
use std::sync::Arc;

/// A list of which a message has at least one segment.
#[derive(Clone)]
pub struct List {
    /// The label of its entries in the message map: `allergies`.
    pub label: Arc<str>,
    /// The type of its entries.
    pub resource_type: &'static str,
    /// The segment that lists them.
    pub segment: String,
    /// The message lists all that there are; else it only tells of some (action codes).
    pub is_snapshot: bool,
    pub(crate) spec: Arc<ListSpec>,
}

/// What a draft is in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which of the conversion's lists.
    pub list: usize,
    /// As what.
    pub part: Part,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// There is this.
    Entry,
    /// There is nothing of the kind: no known allergy. It stands beside no other entry.
    Nothing,
    /// This is no more.
    Ended,
}

// === impl List ===

impl List {
    /// Whose list it is: the labels in the order in which they are looked for.
    pub fn within(&self) -> &[Arc<str>] {
        &self.spec.within
    }

    /// Sets in an entry what the map says of one that is listed no more; the elements that it set.
    pub fn end(&self, value: &mut Value) -> Vec<&'static str> {
        let ends = self.spec.ends.iter();
        ends.map(|end| {
            value.set(end.element, end.value.to_value());
            end.element
        })
        .collect()
    }

    /// Takes back what [`end`](Self::end) set, where it still stands: the entry is listed again. What
    /// it is instead says `listed`, where it says anything, else the map.
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

    /// True where the map knows entries that say that there is nothing of the kind.
    pub fn names_nothing(&self) -> bool {
        self.spec.none.is_some()
    }

    /// The row that says so.
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
