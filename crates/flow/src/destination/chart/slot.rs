//! One resource of a plan: as it was, and as it is to be.
//!
//! Invariant: what no draft changes stays as it was read, and is written only where it has to hold.

use super::find::Existing;
use super::replaced;
use base::Timestamp;
use fhir::build::Value;

/// One resource.
pub(super) struct Slot {
    pub(super) resource_type: &'static str,
    pub(super) id: String,
    pub(super) before: Option<Existing>,
    /// What it is to be, where that may be something else.
    pub(super) value: Option<Value>,
    pub(super) lineage: Vec<mapping::Lineage>,
    pub(super) owned: bool,
    /// It must be as it was seen, also where nothing of it changes.
    pub(super) is_held: bool,
    /// Reached by the number of a patient that was merged into it: its own numbers stay.
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

    /// What it is to be.
    pub(super) fn now(&self) -> Option<&Value> {
        let before = self.before.as_ref().map(|before| &before.value);
        self.value.as_ref().or(before)
    }

    /// What it is to be, whole: with the links to whom it replaced before. They and it are taken out.
    pub(super) fn whole(&mut self) -> Option<Value> {
        let before = self.before.as_mut();
        let (was, replaced) = before.map_or((None, Vec::new()), |before| {
            let replaced = std::mem::take(&mut before.replaced);
            (Some(std::mem::take(&mut before.value)), replaced)
        });
        let mut value = self.value.take().or(was)?;
        // A new link stands behind them.
        for line in &mut self.lineage {
            if let Some(moved) = replaced::moved(&line.element, replaced.len()) {
                line.element = moved;
            }
        }
        replaced::put_back(&mut value, replaced);
        Some(value)
    }

    /// What it is to be, to change.
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

    /// Also where only the time of the news moves: what is older than a repeat is older still.
    pub(super) fn is_changed(&self, event: Option<Timestamp>) -> bool {
        let known = self.before.as_ref().and_then(|before| before.event);
        let holds = self.is_held && self.before.is_some();
        self.differs() || holds || (self.owned && known < event)
    }
}
