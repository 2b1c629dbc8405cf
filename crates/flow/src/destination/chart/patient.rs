//! Patient matching: from a PID to a Patient.
//!
//! Invariants:
//! - a patient is found by numbers that identify a person, and by no other ([`fhir::identifier`]);
//! - a message with a different name, birth date and sex under a known number changes nothing until
//!   a person has looked: either the number was given to somebody else, or the message has the
//!   wrong number;
//! - a message whose patient has no such number creates a record of its own, and is shown.

use super::find::{FindError, Hit};
use super::keys;
use super::plan::{Planner, Unfit};
use crate::attention::{Attention, Concern};
use fhir::build::Value;
use mapping::{Draft, Ownership};

// === impl Planner ===

impl<'a> Planner<'a> {
    /// Finds a Patient by its numbers.
    pub(super) fn place_patient(&mut self, idx: usize, draft: &'a Draft) -> Result<(), Unfit> {
        let naming = keys::naming(&draft.keys);
        if naming.is_empty() {
            // The draft is placed by its content, with the others that have no key.
            if let Some(visited) = self.visited.get_mut(idx) {
                *visited = false;
            }
            return Ok(());
        }
        let own: Vec<_> = naming
            .iter()
            .map(|key| keys::own(&self.scope, "Patient", key, None))
            .collect();
        let known = own.iter().find_map(|key| self.known.get(key).copied());
        let slot = match known {
            Some(slot) => slot,
            None => self.look_up_patient(draft, &naming, &own)?,
        };
        self.refuse_other_person(draft, slot)?;
        self.know(own, slot);
        self.complete(slot, draft.ownership)?;
        self.assign(idx, slot);
        Ok(())
    }

    fn look_up_patient(
        &mut self,
        draft: &Draft,
        naming: &[mapping::BusinessKey],
        own: &[store::chart::BusinessKey],
    ) -> Result<usize, Unfit> {
        let owns = draft.ownership == Ownership::Owns;
        let mut hit = self.finder.find("Patient", own, draft.ownership)?;
        let mut claims = std::mem::take(&mut hit.unclaimed);
        if hit.existing.is_none() {
            let common: Vec<_> = naming
                .iter()
                .filter_map(|key| keys::common("Patient", key))
                .collect();
            let elsewhere = match self.finder.find_common("Patient", &common, draft.ownership) {
                // Others disagree about the owner of the number: this source keeps its own record.
                Err(FindError::Ambiguous) => Hit::default(),
                found => found?,
            };
            match (&elsewhere.existing, owns) {
                // A record of another source, which does not share its names.
                (Some(_), false) => claims.clear(),
                (Some(_), true) | (None, _) => claims.extend(elsewhere.unclaimed),
            }
            hit.existing = elsewhere.existing;
        }
        let slot = self.slot("Patient", hit)?;
        self.mark_owner(draft, slot, &mut claims)?;
        self.claim(claims, slot);
        Ok(slot)
    }

    /// Refuses a message about a different person than the record with its number.
    fn refuse_other_person(&self, draft: &Draft, slot: usize) -> Result<(), Unfit> {
        let Some(before) = self.before(slot).filter(|before| !before.is_name) else {
            return Ok(());
        };
        if !self.is_confirmed && contradicts(draft.value(), &before.value) {
            return Err(Unfit::Refused(Attention::AnotherPerson));
        }
        Ok(())
    }

    /// Records a concern about a patient without an identifying number.
    pub(super) fn note_nameless(&mut self, draft: &Draft, slot: usize) {
        if draft.resource_type != "Patient" || self.before(slot).is_some() {
            return;
        }
        self.concerns.push(Concern::new(
            Attention::NamelessPatient,
            "PID-3",
            "no number identifies a person, so the patient of this message has a separate record",
        ));
    }
}

/// Returns true where both have a name, birth date and sex, and all three differ. One or two of
/// them change when a person marries, is registered in a hurry or is corrected.
pub(super) fn contradicts(told: &Value, known: &Value) -> bool {
    let births = (told.text("birthDate"), known.text("birthDate"));
    let (Some(born), Some(was_born)) = births else {
        return false;
    };
    // A year alone may be the same birth date at lower precision.
    if born.starts_with(was_born) || was_born.starts_with(born) {
        return false;
    }
    let sex = |value: &Value| {
        let sex = value.text("gender").map(str::to_owned);
        sex.filter(|sex| sex == "male" || sex == "female")
    };
    let names = (spelled(told), spelled(known));
    if names.0.is_empty() || names.1.is_empty() {
        return false;
    }
    match (sex(told), sex(known)) {
        (Some(one), Some(other)) => {
            one != other && names.0.iter().all(|name| !names.1.contains(name))
        }
        // Without the sex the whole name has to differ.
        (None, _) | (_, None) => names.0.iter().all(|(family, given)| {
            names
                .1
                .iter()
                .all(|(other, called)| family != other && given != called)
        }),
    }
}

/// Returns family and first given name of each name, in lower case.
fn spelled(patient: &Value) -> Vec<(String, String)> {
    let names = patient.each("name").map(|name| {
        let family = name.text("family").unwrap_or_default().to_lowercase();
        let given = name.each("given").next().and_then(Value::as_str);
        (family, given.unwrap_or_default().to_lowercase())
    });
    names
        .filter(|(family, given)| !family.is_empty() || !given.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(family: &str, given: &str, born: &str, gender: &str) -> Value {
        let mut name = Value::object().with("family", family);
        name.entry("given").push(given);
        let mut patient = Value::resource("Patient");
        patient.entry("name").push(name);
        if !born.is_empty() {
            patient.set("birthDate", born);
        }
        if !gender.is_empty() {
            patient.set("gender", gender);
        }
        patient
    }

    #[test]
    fn who_is_somebody_else() {
        let ann = || patient("ZZALPHA", "Ann", "1980-01-01", "female");
        for (clause, told, expected) in [
            (
                "all three",
                patient("ZZBETA", "Bob", "1950-05-05", "male"),
                true,
            ),
            (
                "a family's child",
                patient("ZZALPHA", "Dora", "2005-05-05", "male"),
                true,
            ),
            (
                "married",
                patient("ZZBETA", "Ann", "1980-01-01", "female"),
                false,
            ),
            (
                "birth date corrected",
                patient("ZZALPHA", "Ann", "1980-01-02", "female"),
                false,
            ),
            (
                "sex and birth date corrected",
                patient("ZZALPHA", "Ann", "1981-01-01", "male"),
                false,
            ),
            (
                "registered in a hurry",
                patient("ZZBETA", "Bob", "1980", "male"),
                false,
            ),
            ("no birth date", patient("ZZBETA", "Bob", "", "male"), false),
            (
                "no sex, another name",
                patient("ZZBETA", "Bob", "1950-05-05", ""),
                true,
            ),
            (
                "no sex, a name in common",
                patient("ZZALPHA", "Bob", "1950-05-05", ""),
                false,
            ),
        ] {
            assert_eq!(contradicts(&told, &ann()), expected, "{clause}");
        }
    }
}
