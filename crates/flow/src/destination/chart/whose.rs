//! Ownership of records by patients.
//!
//! Invariant: a record of one patient is never found for another, whatever number they share (HL7
//! v2.5.1, 4.5.1.2: a placer's number is unique among the placer's orders only, and senders reset
//! their counters). A merge or a shared identifier explains two ids for one patient.

use super::find::Existing;
use super::place::Placing;
use super::plan::{Planner, Unfit};
use fhir::build::Value;
use mapping::{Draft, Names};

/// The relation of a record's patient to the patient of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The patient is the same, or one of the two is not given.
    Fits,
    OtherPatient,
}

/// Returns the references to patients in a resource, which identify its owner.
pub(super) fn patients(value: &Value) -> Vec<&str> {
    let of = |name: &str| {
        value
            .get(name)
            .and_then(|reference| reference.text("reference"))
    };
    let own: Vec<&str> = ["subject", "patient", "beneficiary"]
        .into_iter()
        .filter_map(of)
        .collect();
    if !own.is_empty() || value.resource_type() != Some("Appointment") {
        return own;
    }
    value
        .each("participant")
        .filter_map(|participant| participant.get("actor")?.text("reference"))
        .collect()
}

// === impl Planner ===

impl Planner<'_> {
    /// Returns the slots of the patients to whom a draft refers; places them if needed.
    pub(super) fn patients_of(&mut self, draft: &Draft) -> Result<Vec<usize>, Unfit> {
        if draft.resource_type == "Patient" {
            return Ok(Vec::new());
        }
        let mut slots = Vec::new();
        for url in patients(draft.value()) {
            let Some(idx) = self.draft_at(url) else {
                continue;
            };
            self.place(idx)?;
            let is_patient = |slot: &usize| self.slot_type(*slot) == Some("Patient");
            slots.extend(self.slot_of_draft(idx).filter(is_patient));
        }
        Ok(slots)
    }

    /// Compares the record's patient with the patients of a draft.
    pub(super) fn whose(&self, placing: &Placing<'_>, existing: &Existing) -> Result<Whose, Unfit> {
        self.whose_of(&placing.patients, existing)
    }

    /// Returns the slots of the patients to whom the message refers.
    pub(super) fn patients(&self) -> Vec<usize> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| slot.resource_type == "Patient")
            .map(|(place, _)| place)
            .collect()
    }

    /// Compares the record's patient with these patients.
    pub(super) fn whose_of(
        &self,
        patients_here: &[usize],
        existing: &Existing,
    ) -> Result<Whose, Unfit> {
        if patients_here.is_empty() {
            return Ok(Whose::Fits);
        }
        let mut belongs_to_other = false;
        for reference in patients(&existing.value) {
            let Some(id) = reference.strip_prefix("Patient/") else {
                continue;
            };
            for &slot in patients_here {
                if self.is_patient(slot, id)? {
                    return Ok(Whose::Fits);
                }
            }
            belongs_to_other = true;
        }
        Ok(if belongs_to_other {
            Whose::OtherPatient
        } else {
            Whose::Fits
        })
    }

    /// Returns true where two drafts of the message refer to one patient, or one of them to none.
    pub(super) fn share_patients(&self, placing: &Placing<'_>, other: &Draft) -> bool {
        let mut others = patients(other.value())
            .into_iter()
            .filter_map(|url| self.slot_of_draft(self.draft_at(url)?))
            .peekable();
        placing.patients.is_empty()
            || others.peek().is_none()
            || others.any(|slot| placing.patients.contains(&slot))
    }

    /// Returns true where a slot's patient and the one with that id are the same.
    fn is_patient(&self, slot: usize, id: &str) -> Result<bool, Unfit> {
        let Some(own) = self.id_of_slot(slot) else {
            return Ok(false);
        };
        if own == id {
            return Ok(true);
        }
        let Some(other) = self.finder.current("Patient", id).map_err(Unfit::Read)? else {
            return Ok(false);
        };
        if other.id == own {
            return Ok(true);
        }
        let theirs = mapping::identifier_keys(&other.value);
        let before = self.before(slot).map(|before| &before.value);
        let known = before.map(mapping::identifier_keys).unwrap_or_default();
        let told = self.drafts_at(slot).flat_map(|draft| &draft.keys);
        let is_shared = |key: &mapping::BusinessKey| {
            matches!(key.names, Names::Record | Names::Person)
                && !key.authority.is_empty()
                && theirs
                    .iter()
                    .any(|other| (&other.authority, &other.value) == (&key.authority, &key.value))
        };
        if known.iter().chain(told).any(is_shared) {
            return Ok(true);
        }
        self.finder.is_one_person(own, id).map_err(Unfit::Read)
    }
}
