//! One resource of a plan: its state before the message and after it.
//!
//! Invariant: a resource that no draft changes stays as read, and is written only to hold its
//! version.

use super::find::Existing;
use super::replaced;
use base::Timestamp;
use fhir::build::Value;

/// One resource of the plan.
pub(super) struct Slot {
    pub(super) resource_type: &'static str,
    pub(super) id: String,
    pub(super) before: Option<Existing>,
    /// New body, where it may differ.
    pub(super) value: Option<Value>,
    pub(super) lineage: Vec<mapping::Lineage>,
    pub(super) owned: bool,
    /// True where the version must be as read, even if nothing of the resource changes.
    pub(super) is_held: bool,
    /// True where it was found by the number of a patient merged into it: its own numbers stay.
    pub(super) is_alias: bool,
}

// === impl Slot ===

impl Slot {
    pub(super) fn differs(&self) -> bool {
        match (&self.before, &self.value) {
            (Some(before), Some(value)) => before.value != *value,
            (None, value) => value.is_some(),
            (Some(_), None) => false,
        }
    }

    /// Returns the new body.
    pub(super) fn now(&self) -> Option<&Value> {
        let before = self.before.as_ref().map(|before| &before.value);
        self.value.as_ref().or(before)
    }

    /// Takes out the complete new body, including the links to records that it replaced earlier.
    pub(super) fn whole(&mut self) -> Option<Value> {
        let before = self.before.as_mut();
        let (was, replaced) = before.map_or((None, Vec::new()), |before| {
            let replaced = std::mem::take(&mut before.replaced);
            (Some(std::mem::take(&mut before.value)), replaced)
        });
        let mut value = self.value.take().or(was)?;
        // New links come after the earlier ones.
        for line in &mut self.lineage {
            if let Some(moved) = replaced::moved(&line.element, replaced.len()) {
                line.element = moved;
            }
        }
        replaced::put_back(&mut value, replaced);
        Some(value)
    }

    /// Returns the new body to change.
    pub(super) fn now_mut(&mut self) -> &mut Value {
        let before = self.before.as_ref().map(|before| &before.value);
        let resource_type = self.resource_type;
        self.value.get_or_insert_with(|| {
            before.map_or_else(|| Value::resource(resource_type), Clone::clone)
        })
    }

    pub(super) fn take(&mut self, mut applied: mapping::Applied) {
        if self.is_alias {
            match self
                .before
                .as_ref()
                .and_then(|before| before.value.get("identifier"))
            {
                Some(own) => applied.value.set("identifier", own.clone()),
                None => drop(applied.value.remove("identifier")),
            }
            applied
                .lineage
                .retain(|line| !line.element.starts_with("identifier"));
        }
        self.value = Some(applied.value);
        self.lineage.extend(applied.lineage);
    }

    /// Returns true also where only the event time moves: news older than a repeat is older still.
    pub(super) fn is_changed(&self, event: Option<Timestamp>) -> bool {
        let known = self.before.as_ref().and_then(|before| before.event);
        let holds = self.is_held && self.before.is_some();
        self.differs() || holds || (self.owned && known < event)
    }
}
