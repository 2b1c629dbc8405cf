//! Links to merged records, kept separate from the rest of a Patient.
//!
//! Invariants:
//! - earlier merges into a record stay: a message carries its own merges and undoes none, so no
//!   draft ever sees the earlier `replaces` links;
//! - when written, the earlier links come first, in their order, and each occurs once;
//! - a record with a thousand merges is not copied and compared link by link for one more.

use super::find::Existing;
use super::slot::Slot;
use fhir::build::Value;
use std::collections::HashSet;

const KIND: &str = "replaces";

/// Takes the `replaces` links out of a Patient.
pub(super) fn take(patient: &mut Value) -> Vec<Value> {
    let is_replaced = |link: &Value| link.text("type") == Some(KIND);
    let Some(Value::Array(links)) = patient.get_mut("link") else {
        return Vec::new();
    };
    let (replaced, others): (Vec<Value>, Vec<Value>) =
        std::mem::take(links).into_iter().partition(is_replaced);
    if others.is_empty() {
        patient.remove("link");
    } else {
        patient.set("link", Value::Array(others));
    }
    replaced
}

/// Puts the `replaces` links back before all others.
pub(super) fn put_back(patient: &mut Value, mut replaced: Vec<Value>) {
    if replaced.is_empty() {
        return;
    }
    if let Some(Value::Array(others)) = patient.remove("link") {
        replaced.extend(others);
    }
    patient.set("link", Value::Array(replaced));
}

/// Returns the ids of the patients that a record replaces according to its links.
pub(super) fn ids<'v>(links: impl Iterator<Item = &'v Value>) -> impl Iterator<Item = String> {
    let replaced = links.filter(|link| link.text("type") == Some(KIND));
    replaced.filter_map(|link| Some(other(link)?.strip_prefix("Patient/")?.to_owned()))
}

/// Adds a link from the slot's record to one that it replaces, unless it is there already.
pub(super) fn ensure(slot: &mut Slot, reference: &str) {
    let is_new = {
        let before = slot.before.as_ref();
        let before = before.map_or(&[][..], |before| before.replaced.as_slice());
        let known: HashSet<&str> = before.iter().filter_map(other).collect();
        // A link from the map may exist already.
        let is_known = |link: &Value| {
            link.text("type") == Some(KIND) && other(link).is_some_and(|id| known.contains(id))
        };
        let told = slot.value.as_ref().map(|value| value.each("link"));
        let fresh: Vec<Value> = told
            .into_iter()
            .flatten()
            .filter(|link| !is_known(link))
            .cloned()
            .collect();
        let is_new = !known.contains(reference);
        if let Some(value) = &mut slot.value {
            if fresh.is_empty() {
                value.remove("link");
            } else {
                value.set("link", Value::Array(fresh));
            }
        }
        is_new
    };
    if is_new {
        super::merge::ensure_link(slot, KIND, reference);
    }
}

/// Returns the path of a link element after `n_before` links are put before it; `None` for any
/// other element.
pub(super) fn moved(element: &str, n_before: usize) -> Option<String> {
    let (place, rest) = element.strip_prefix("link[")?.split_once(']')?;
    let place: usize = place.parse().ok()?;
    Some(format!("link[{}]{rest}", place + n_before))
}

/// Returns the record to which a link refers.
pub(super) fn other(link: &Value) -> Option<&str> {
    link.get("other")?.text("reference")
}

// === impl Existing ===

impl Existing {
    /// Returns the patients that were merged into this one.
    pub(super) fn replaces(&self) -> impl Iterator<Item = String> {
        ids(self.replaced.iter().chain(self.value.each("link")))
    }
}
