//! Lookup of chart resources by business key.

use super::keys;
use super::replaced;
use super::slot::Slot;
use crate::attention::Attention;
use base::Timestamp;
use fhir::build::Value;
use mapping::Ownership;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use store::chart::{BusinessKey, ListName, Moment, Read, ReadError, SenderList};

/// A reader of the chart for one message.
pub(super) struct Finder<'a> {
    chart: &'a Moment<'a>,
    /// Final replacements of merged patients: a message with many merges walks a long chain once.
    ends: RefCell<HashMap<String, String>>,
}

/// A resource as it is in the chart.
#[derive(Clone, Debug)]
pub(super) struct Existing {
    pub(super) id: String,
    pub(super) version: u32,
    /// Latest event whose news it contains.
    pub(super) event: Option<Timestamp>,
    /// Without what the store puts in, and without what stands in `replaced`.
    pub(super) value: Value,
    /// The links to the patients that were merged into it ([`super::replaced`]).
    pub(super) replaced: Vec<Value>,
    /// Only its id was looked for; the rest is not read.
    pub(super) is_name: bool,
}

/// The result of looking up the keys of one draft.
#[derive(Debug, Default)]
pub(super) struct Hit {
    pub(super) existing: Option<Existing>,
    /// Deleted resource that the keys name.
    pub(super) gone: Option<String>,
    /// True where the keys are those of a patient that was merged into this one.
    pub(super) is_alias: bool,
    /// Keys that name nothing yet, to be claimed.
    pub(super) unclaimed: Vec<BusinessKey>,
}

/// The reason a lookup fails.
#[derive(Debug)]
pub(super) enum FindError {
    Ambiguous,
    Read(ReadError),
}

// === impl Existing ===

impl Existing {
    fn name(id: String) -> Self {
        Self {
            id,
            version: 0,
            event: None,
            value: Value::Null,
            replaced: Vec::new(),
            is_name: true,
        }
    }
}

// === impl Finder ===

impl<'a> Finder<'a> {
    pub(super) fn new(chart: &'a Moment<'a>) -> Self {
        Self {
            chart,
            ends: RefCell::default(),
        }
    }

    /// Reads the current resource; none where it is absent or deleted.
    pub(super) fn read(
        &self,
        resource_type: &str,
        id: &str,
    ) -> Result<Option<Existing>, ReadError> {
        let Read::Found(resource) = self.chart.read(resource_type, id)? else {
            return Ok(None);
        };
        let mut value = Value::parse(&resource.body).map_err(|_| ReadError::Damaged {
            what: "a body is no JSON".into(),
        })?;
        strip(&mut value);
        let replaced = if resource_type == "Patient" {
            replaced::take(&mut value)
        } else {
            Vec::new()
        };
        let (id, version, event) = (resource.id, resource.version, resource.event);
        Ok(Some(Existing {
            id,
            version,
            event,
            value,
            replaced,
            is_name: false,
        }))
    }

    /// Reads the resource with that id, or the patient that replaced it; without its body where
    /// that is not requested. None where it was deleted.
    pub(super) fn one(
        &self,
        resource_type: &str,
        id: &str,
        by_name: bool,
    ) -> Result<Option<Existing>, ReadError> {
        if by_name {
            return Ok(Some(Existing::name(id.to_owned())));
        }
        self.current(resource_type, id)
    }

    /// Returns true where two Patients belong to one person.
    pub(super) fn is_one_person(&self, one: &str, other: &str) -> Result<bool, ReadError> {
        self.chart.is_one_person(one, other)
    }

    /// Returns the resources that have a key's value, alone or followed by more parts.
    pub(super) fn all_of(&self, key: &BusinessKey, most: usize) -> Result<Vec<String>, ReadError> {
        self.chart.lookup_all(key, most)
    }

    /// Returns the resource that one key names, and true if it exists.
    pub(super) fn named(&self, key: &BusinessKey) -> Result<Option<(String, bool)>, ReadError> {
        let named = self.chart.lookup(key)?;
        Ok(named.map(|named| (named.id, named.is_live)))
    }

    /// Returns the list of each sender, see [`Moment::lists_of`].
    pub(super) fn lists_of(&self, of: &str) -> Result<Vec<SenderList>, ReadError> {
        self.chart.lists_of(of)
    }

    /// Returns the lists that contain a resource, see [`Moment::lists_with`].
    pub(super) fn lists_with(
        &self,
        resource_type: &str,
        id: &str,
    ) -> Result<Vec<ListName>, ReadError> {
        self.chart.lists_with(resource_type, id)
    }

    /// Returns the patients that were merged into this one, directly or transitively.
    pub(super) fn merged_into(&self, slot: &Slot) -> Result<Vec<String>, ReadError> {
        let before = slot.before.iter().flat_map(|before| &before.replaced);
        let now = slot.now().map(|now| now.each("link"));
        let mut found: Vec<String> =
            replaced::ids(before.chain(now.into_iter().flatten())).collect();
        let mut at = 0;
        while let Some(id) = found.get(at).cloned() {
            at += 1;
            let earlier = self.read("Patient", &id)?;
            for id in earlier.iter().flat_map(Existing::replaces) {
                if id != slot.id && !found.contains(&id) {
                    found.push(id);
                }
            }
        }
        Ok(found)
    }

    /// Returns the resource that one key names.
    pub(super) fn id_of(&self, key: &BusinessKey) -> Result<Option<String>, ReadError> {
        Ok(self.chart.lookup(key)?.map(|named| named.id))
    }

    /// Finds the one resource that keys name. A merged patient resolves to its survivor.
    pub(super) fn find(
        &self,
        resource_type: &str,
        own: &[BusinessKey],
        ownership: Ownership,
    ) -> Result<Hit, FindError> {
        // A draft that only links needs no body, except for a patient that another may have
        // replaced.
        let by_name = ownership == Ownership::OnlyLinks && resource_type != "Patient";
        let mut hit = Hit::default();
        for key in own {
            let Some(named) = self.chart.lookup(key)? else {
                hit.unclaimed.push(key.clone());
                continue;
            };
            let id = named.id;
            let found = if by_name && named.is_live {
                Some(Existing::name(id.clone()))
            } else {
                self.current(resource_type, &id)?
            };
            match (&hit.existing, found) {
                (Some(known), Some(found)) if known.id != found.id => {
                    return Err(FindError::Ambiguous);
                }
                (None, Some(found)) => {
                    hit.is_alias = found.id != id;
                    hit.existing = Some(found);
                }
                (_, None) => hit.gone = Some(id),
                // One of its own numbers is there too.
                (Some(_), Some(found)) => hit.is_alias &= found.id != id,
            }
        }
        Ok(hit)
    }

    /// Finds a resource in the common scope: for drafts that only link, and for an owner that may
    /// adopt a record that others only referred to.
    pub(super) fn find_common(
        &self,
        resource_type: &str,
        common: &[BusinessKey],
        ownership: Ownership,
    ) -> Result<Hit, FindError> {
        let hit = self.find(resource_type, common, ownership)?;
        let taken = match (&hit.existing, ownership) {
            (Some(existing), Ownership::Owns) => self
                .id_of(&keys::owner(resource_type, &existing.id))?
                .is_some(),
            (Some(_), Ownership::FillsGaps | Ownership::OnlyLinks) | (None, _) => false,
        };
        Ok(if taken {
            Hit {
                existing: None,
                ..hit
            }
        } else {
            hit
        })
    }

    /// Returns the resource itself, or the one into which it was merged.
    pub(super) fn current(
        &self,
        resource_type: &str,
        id: &str,
    ) -> Result<Option<Existing>, ReadError> {
        let end_of = |id: String| self.ends.borrow().get(&id).cloned().unwrap_or(id);
        let mut existing = self.read(resource_type, &end_of(id.to_owned()))?;
        // However long the chain, its end is the survivor; a cycle, which no merge of ours creates,
        // is walked once.
        let mut passed = HashSet::from([id.to_owned()]);
        while let Some(next) = existing
            .as_ref()
            .and_then(|existing| replaced_by(&existing.value))
        {
            let next = end_of(next);
            if !passed.insert(next.clone()) {
                break;
            }
            match self.read(resource_type, &next)? {
                Some(found) => existing = Some(found),
                None => break,
            }
        }
        if let Some(existing) = existing.as_ref().filter(|_| passed.len() > 1) {
            let ends = passed.into_iter().map(|id| (id, existing.id.clone()));
            self.ends.borrow_mut().extend(ends);
        }
        Ok(existing)
    }
}

impl From<ReadError> for FindError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<FindError> for super::plan::Unfit {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Ambiguous => Self::Refused(Attention::Ambiguous),
            FindError::Read(error) => Self::Read(error),
        }
    }
}

/// Returns the patient into which this one was merged.
pub(super) fn replaced_by(patient: &Value) -> Option<String> {
    let link = patient
        .each("link")
        .find(|link| link.text("type") == Some("replaced-by"))?;
    let reference = link.get("other")?.text("reference")?;
    reference.strip_prefix("Patient/").map(str::to_owned)
}

/// Takes out what the store puts in, so that an unchanged body is seen to be one.
fn strip(value: &mut Value) {
    value.remove("id");
    if let Some(meta) = value.get_mut("meta") {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            value.remove("meta");
        }
    }
}
