//! The person view, in which every Patient appears as the person to which it belongs.
//!
//! Invariants:
//! - the view has persons and no source records: a reference to a record refers to its person, a
//!   query for a record is a query for its person;
//! - a retired person stands for the one that has its records now, for ever;
//! - a person that the row filter does not cover does not exist in the view, and its records stand
//!   for themselves: access to one source's record reveals nothing about the others;
//! - a search uses the view if it says `_person=true` or names a person.

use crate::backend::plan::Rows;
use crate::backend::stored::{PERSON, RETIRED, Res, Set, decode_value};
use crate::backend::{Fault, Session};
use search::{Filter, ParamKey, Query, ReferenceTest, Test};
use std::collections::BTreeMap;

/// Types that describe records rather than the person, or that hold documents as they were signed:
/// their references remain unchanged.
const OF_RECORDS: [&str; 6] = [
    "Patient",
    "Person",
    "Linkage",
    "Provenance",
    "AuditEvent",
    "Bundle",
];

/// The mapping from records to persons, for one caller.
#[derive(Clone, Copy)]
pub(crate) struct Persons<'a> {
    pub(crate) session: &'a dyn Session,
    pub(crate) rows: &'a Rows,
    /// False if records stand for themselves, and only a person's own name stands for all of its
    /// records.
    pub(crate) on: bool,
}

/// Returns true if resources of the type refer to the person instead of its record in the person
/// view. Types that describe the records themselves do not.
pub fn names_persons(resource_type: &str) -> bool {
    !OF_RECORDS.contains(&resource_type)
}

/// Returns the living person that a person is now; `None` if the resource is not, or no longer, a
/// person.
pub(crate) fn living(session: &dyn Session, res: Res) -> Result<Option<Res>, Fault> {
    let mut seen = Vec::new();
    let mut res = res;
    loop {
        let bytes = session.set(res)?.unwrap_or_default();
        let Some(set) = Set::read(&bytes).filter(|set| set.flags & PERSON != 0) else {
            return Ok(None);
        };
        if set.flags & RETIRED == 0 {
            return Ok(Some(res));
        }
        seen.push(res);
        let mut links = set.values(link().0);
        match links.find_map(|value| value.local()) {
            Some(next) if !seen.contains(&next) => res = next,
            Some(_) | None => return Ok(None),
        }
    }
}

/// Returns a person, those who became part of it, and the records of all of them.
pub(crate) fn whole(session: &dyn Session, person: Res) -> Result<Vec<Res>, Fault> {
    let mut all = vec![person];
    let mut from = 0;
    while let Some(&one) = all.get(from) {
        from += 1;
        for retired in session.retired_into(one)? {
            if !all.contains(&retired) {
                all.push(retired);
            }
        }
    }
    all.extend(session.members(person)?);
    Ok(all)
}

/// Returns the parameter that links Patients.
pub(crate) fn link() -> ParamKey {
    ParamKey::of("Patient", "link")
}

// === impl Persons ===

impl<'a> Persons<'a> {
    /// Returns the view that a query requests.
    pub(crate) fn of_query(
        session: &'a dyn Session,
        rows: &'a Rows,
        query: &Query,
    ) -> Result<Self, Fault> {
        let mut persons = Self {
            session,
            rows,
            on: false,
        };
        persons.on = persons.any_visible()?
            && (query.person || persons.are_named(query.resource_type, &query.filters)?);
        Ok(persons)
    }

    /// Returns the person that a Patient is or belongs to, if it may be seen.
    pub(crate) fn person(&self, patient: Res) -> Result<Option<Res>, Fault> {
        let person = match self.session.person_of(patient)? {
            Some(person) => Some(person),
            None => living(self.session, patient)?,
        };
        Ok(person.filter(|person| self.is_visible(*person)))
    }

    /// Returns the resource that stands for the target of a reference in the view.
    pub(crate) fn shown(&self, target: Res) -> Result<Res, Fault> {
        if self.on {
            Ok(self.person(target)?.unwrap_or(target))
        } else {
            Ok(target)
        }
    }

    /// Returns every resource that a reference may name to mean this Patient.
    pub(crate) fn patients(&self, patient: Res) -> Result<Vec<Res>, Fault> {
        let person = if self.on {
            self.person(patient)?
        } else {
            living(self.session, patient)?.filter(|person| self.is_visible(*person))
        };
        match person {
            Some(person) => whole(self.session, person),
            None => Ok(vec![patient]),
        }
    }

    /// Maps the id of each record that the resources refer to, to the id of its person.
    pub(crate) fn stand_ins(&self, found: &[Res]) -> Result<BTreeMap<String, String>, Fault> {
        let mut names = BTreeMap::new();
        if !self.on {
            return Ok(names);
        }
        let mut done = Vec::new();
        for &res in found {
            let bytes = self.session.set(res)?.unwrap_or_default();
            let Some(set) = Set::read(&bytes) else {
                continue;
            };
            let targets = set
                .postings()
                .filter_map(|(_, value)| decode_value(value).and_then(|value| value.local()));
            for target in targets {
                let Some(person) = self.person(target)? else {
                    continue;
                };
                if done.contains(&person) {
                    continue;
                }
                done.push(person);
                let id = self.session.name(person)?.1;
                for record in whole(self.session, person)?.into_iter().skip(1) {
                    names.insert(self.session.name(record)?.1, id.clone());
                }
            }
        }
        Ok(names)
    }

    fn is_visible(&self, person: Res) -> bool {
        match self.rows {
            Rows::Everything | Rows::Types(_) => true,
            Rows::Patients { patients, .. } => patients.contains(&person),
            Rows::Nothing => false,
        }
    }

    /// Returns true if the caller may see any person. Otherwise the caller sees records in either
    /// view.
    fn any_visible(&self) -> Result<bool, Fault> {
        let Rows::Patients { patients, .. } = self.rows else {
            return Ok(true);
        };
        for &patient in patients {
            if living(self.session, patient)? == Some(patient) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn are_named(&self, resource_type: &str, filters: &[Filter]) -> Result<bool, Fault> {
        for filter in filters {
            if self.is_named(resource_type, filter)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_named(&self, resource_type: &str, filter: &Filter) -> Result<bool, Fault> {
        match filter {
            // `Patient?link=` asks which record or person links to another.
            Filter::Any { tests, .. } if resource_type != "Patient" => {
                for test in tests {
                    if let Test::Reference(test) = test
                        && let Some(id) = patient_id(test)
                        && self.is_person(id)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Id(ids) if resource_type == "Patient" => {
                for id in ids {
                    if self.is_person(id)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Chain { branches, .. } => {
                for branch in branches {
                    if self.is_named(branch.resource_type, &branch.filter)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Has {
                source_type,
                filter,
                ..
            } => self.is_named(source_type, filter),
            Filter::Any { .. }
            | Filter::None { .. }
            | Filter::Missing { .. }
            | Filter::Id(_)
            | Filter::LastUpdated(_) => Ok(false),
        }
    }

    fn is_person(&self, id: &str) -> Result<bool, Fault> {
        let Some(res) = self.session.resource("Patient", id)? else {
            return Ok(false);
        };
        let person = living(self.session, res)?;
        Ok(person.is_some_and(|person| self.is_visible(person)))
    }
}

/// Returns the Patient that a test names.
fn patient_id(test: &ReferenceTest) -> Option<&str> {
    match test {
        ReferenceTest::Id { types, id } => types.contains(&"Patient").then_some(id),
        ReferenceTest::Local { resource_type, id } => (*resource_type == "Patient").then_some(id),
        ReferenceTest::Url { .. } => None,
    }
}

impl std::fmt::Debug for Persons<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Persons")
            .field("on", &self.on)
            .finish_non_exhaustive()
    }
}
