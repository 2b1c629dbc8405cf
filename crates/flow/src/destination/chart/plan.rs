//! The plan of a message: from its drafts to one batch.
//!
//! Invariants:
//! - a resource is changed once, however many drafts describe it;
//! - references between drafts are literal, by the ids that the resources have or get;
//! - only an owner's news moves the event time of a resource.

use super::find::{Existing, Finder, Hit};
use super::merge::{self, Merge};
use super::slot::Slot;
use super::{cancel, concern, keys, news, people, replaced, results, snapshot, whose};
use crate::attention::{self, Attention, Concern};
use crate::destination::{Change as Shown, Task};
use access::Permit;
use base::Timestamp;
use fhir::build::Value;
use fhir::json::Document;
use mapping::{Conversion, Draft, FieldPlace, Ownership, Visits};
use std::collections::{HashMap, HashSet};
use store::audit;
use store::chart::{
    Applied, Batch, BusinessKey, Change, Expect, KeyClaim, Lineage, ListChange, Origin,
    PrepareError, Prepared, ReadError,
};

/// The changes of one message.
pub(super) struct Plan {
    slots: Vec<Slot>,
    claims: Vec<(BusinessKey, usize)>,
    event: Option<Timestamp>,
    /// Number of notes that may interest a person: late news, a merge of an unknown number.
    pub(super) n_notes: u32,
    /// Concerns besides the values that the map could not use.
    pub(super) concerns: Vec<Concern>,
    answered: Vec<FieldPlace>,
    lists: Vec<ListChange>,
}

/// The reason there is no plan.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The message cannot be applied.
    Refused(Attention),
    /// The chart could not be read.
    Read(ReadError),
}

/// Makes a plan.
pub(super) struct Planner<'a> {
    pub(super) finder: &'a Finder<'a>,
    pub(super) scope: String,
    pub(super) drafts: &'a [Draft],
    /// Drafts of each key that several may have.
    pub(super) lines: HashMap<&'a mapping::BusinessKey, Vec<usize>>,
    by_url: HashMap<&'a str, usize>,
    /// Slot of each draft; none for a draft that is not kept as a resource.
    slot_of: Vec<Option<usize>>,
    pub(super) visited: Vec<bool>,
    pub(super) passed: Vec<usize>,
    /// Drafts that only mention a person whom another draft or the chart describes.
    pub(super) mentions: Vec<usize>,
    pub(super) slots: Vec<Slot>,
    pub(super) known: HashMap<BusinessKey, usize>,
    /// Slots of lines with a shared key: each line has its own.
    pub(super) taken: HashSet<usize>,
    /// True where the event opens a visit.
    pub(super) opens_visit: bool,
    /// Identification of the source's visits without a number.
    pub(super) visits: Visits,
    /// True where a person reviewed the message and confirmed it.
    pub(super) is_confirmed: bool,
    pub(super) n_notes: u32,
    /// Segments that no row handled and that were carried out all the same.
    pub(super) answered: Vec<FieldPlace>,
    claims: Vec<(BusinessKey, usize)>,
    pub(super) concerns: Vec<Concern>,
}

// === impl Plan ===

impl Plan {
    /// Reads the current state and computes the new one.
    pub(super) fn make(
        finder: &Finder<'_>,
        task: &Task<'_>,
        conversion: &Conversion,
    ) -> Result<Self, Unfit> {
        let drafts = &conversion.drafts;
        if drafts.iter().any(is_nobodys) {
            return Err(Unfit::Refused(Attention::NoPatient));
        }
        let mut planner = Planner {
            finder,
            scope: keys::scope_of(task.flow, task.message),
            drafts,
            lines: lines(drafts),
            by_url: by_url(drafts),
            slot_of: vec![None; drafts.len()],
            visited: vec![false; drafts.len()],
            passed: Vec::new(),
            mentions: Vec::new(),
            slots: Vec::new(),
            known: HashMap::new(),
            taken: HashSet::new(),
            opens_visit: OPENING_EVENTS.contains(&&*task.message.event()),
            visits: conversion.visits(),
            is_confirmed: task.confirmed,
            n_notes: 0,
            answered: Vec::new(),
            claims: Vec::new(),
            concerns: Vec::new(),
        };
        let merges = merge::all(&mut planner, task.message, drafts)?;
        // A number alone may mean somebody whom a later draft names.
        for alone in [false, true] {
            for (idx, draft) in drafts.iter().enumerate() {
                if people::is_number_alone(draft) == alone {
                    planner.place(idx)?;
                }
            }
        }
        for idx in 0..drafts.len() {
            planner.place_by_content(idx)?;
        }
        let event = planner.event(conversion.event_time, task.received);
        let mut n_notes = planner.apply(event);
        for merge in &merges {
            n_notes += merge.link(&mut planner.slots);
        }
        cancel::settle(&mut planner, task.message, event)?;
        n_notes += planner.n_notes;
        results::settle(&mut planner, drafts);
        let lists = snapshot::settle(&mut planner, (task, event), conversion)?;
        let Planner {
            slots,
            claims,
            concerns,
            answered,
            ..
        } = planner;
        Ok(Self {
            slots,
            claims,
            event,
            n_notes,
            concerns,
            answered,
            lists,
        })
    }

    /// Returns the concerns from the message and from the chart.
    pub(super) fn all_concerns(&self, conversion: &Conversion) -> Vec<Concern> {
        let of_map = concern::of_map(conversion);
        let is_answered = |concern: &Concern| {
            let mut answered = self.answered.iter();
            answered.any(|place| place.to_string() == concern.place)
        };
        of_map
            .filter(|concern| !is_answered(concern))
            .chain(self.concerns.iter().cloned())
            .collect()
    }

    /// Builds the batch that writes the plan.
    pub(super) fn batch(
        self,
        task: &Task<'_>,
        conversion: &Conversion,
        mark: Applied,
        permit: &Permit,
    ) -> Result<Batch, PrepareError> {
        let message = mark.message.clone();
        let mut batch = Batch {
            applied: Some(Applied {
                concerns: attention::write(
                    &task.flow.attention.filter(self.all_concerns(conversion)),
                ),
                ..mark
            }),
            lists: self.lists.clone(),
            audit: vec![self.audit(task, permit)],
            ..Batch::default()
        };
        for (key, slot) in &self.claims {
            let Some(slot) = self.slots.get(*slot) else {
                continue;
            };
            let (resource_type, id) = (slot.resource_type, slot.id.clone());
            batch.keys.push(KeyClaim {
                key: key.clone(),
                resource_type,
                id,
                moved_from: None,
            });
        }
        for mut slot in self.slots {
            let is_changed = slot.is_changed(self.event);
            let Some(value) = slot.whole().filter(|_| is_changed) else {
                continue;
            };
            // Our own output is JSON; if it were not, it could not be stored either.
            let document =
                Document::parse(value.to_bytes()).map_err(|_| PrepareError::UnknownType)?;
            let expect = slot
                .before
                .as_ref()
                .map_or(Expect::Absent, |before| Expect::Version(before.version));
            let mut change = Change::put(slot.id, Prepared::new(&document)?).expecting(expect);
            change.event = self.event.filter(|_| slot.owned);
            let origins = slot
                .lineage
                .iter()
                .map(|line| origin(slot.resource_type, line, conversion));
            batch.lineage.push(Lineage {
                change: batch.changes.len(),
                message: message.clone(),
                origins: origins.collect(),
            });
            batch.changes.push(change);
        }
        Ok(batch)
    }

    /// Returns the changes for display.
    pub(super) fn changes(&self) -> Vec<Shown> {
        let changed = self.slots.iter().filter(|slot| slot.differs());
        changed
            .filter_map(|slot| {
                let before = slot.before.as_ref();
                let bytes = |value: &Value| {
                    let mut value = value.clone();
                    let replaced = before.map(|before| before.replaced.clone());
                    replaced::put_back(&mut value, replaced.unwrap_or_default());
                    value.to_bytes()
                };
                Some(Shown {
                    resource_type: slot.resource_type.to_owned(),
                    id: before.map(|before| before.id.clone()),
                    before: before.map(|before| bytes(&before.value)),
                    after: bytes(slot.value.as_ref()?),
                })
            })
            .collect()
    }

    fn audit(&self, task: &Task<'_>, permit: &Permit) -> audit::Entry {
        let patients = self
            .slots
            .iter()
            .filter(|slot| slot.resource_type == "Patient");
        audit::Entry {
            actor: permit.actor().to_owned(),
            action: if task.replay { "replay" } else { "apply" }.to_owned(),
            resource_type: "message".to_owned(),
            target: task.sequence.to_string(),
            patients: patients.map(|slot| slot.id.clone()).collect(),
            purpose: permit.purpose().code().to_owned(),
            source: task.flow.name.clone(),
            ..audit::Entry::default()
        }
    }
}

fn origin(resource_type: &str, line: &mapping::Lineage, conversion: &Conversion) -> Origin {
    let row = conversion.row(line.row);
    Origin {
        element: format!("{resource_type}.{}", line.element),
        source: line
            .place
            .map(|place| place.to_string())
            .unwrap_or_default(),
        value: line.raw.to_string(),
        row: row
            .map(|row| format!("{}:{}", row.file, row.line))
            .unwrap_or_default(),
    }
}

// === impl Planner ===

impl<'a> Planner<'a> {
    pub(super) fn claim(&mut self, keys: Vec<BusinessKey>, slot: usize) {
        for key in keys {
            if !self.claims.iter().any(|(claimed, _)| *claimed == key) {
                self.claims.push((key, slot));
            }
        }
    }

    /// Marks a new record as owned by its source.
    pub(super) fn own_if_new(&mut self, slot: usize) {
        let new = self.slots.get(slot).filter(|slot| slot.before.is_none());
        let owner = new.map(|slot| keys::owner(slot.resource_type, &slot.id));
        self.claim(owner.into_iter().collect(), slot);
    }

    /// Makes these keys resolve to that slot from now on.
    pub(super) fn know(&mut self, keys: Vec<BusinessKey>, slot: usize) {
        self.known.extend(keys.into_iter().map(|key| (key, slot)));
    }

    /// Returns the slot to which a key of this message resolves.
    pub(super) fn known_slot(&self, key: &BusinessKey) -> Option<usize> {
        self.known.get(key).copied()
    }

    pub(super) fn id_of_slot(&self, slot: usize) -> Option<&str> {
        self.slots.get(slot).map(|slot| slot.id.as_str())
    }

    /// Returns the slot of an existing resource, or one for a new resource.
    pub(super) fn slot(&mut self, resource_type: &'static str, hit: Hit) -> Result<usize, Unfit> {
        if let Some(existing) = &hit.existing {
            let same = |slot: &Slot| slot.resource_type == resource_type && slot.id == existing.id;
            if let Some(slot) = self.slots.iter().position(same) {
                return Ok(slot);
            }
        }
        let id = match (&hit.existing, hit.gone) {
            (Some(existing), _) => existing.id.clone(),
            (None, Some(gone)) => gone,
            (None, None) => random_id()?,
        };
        self.slots.push(Slot {
            resource_type,
            id,
            before: hit.existing,
            value: None,
            lineage: Vec::new(),
            owned: false,
            is_held: false,
            is_alias: hit.is_alias,
        });
        Ok(self.slots.len() - 1)
    }

    /// Returns the time of the event. A time in the future is a clock error and would make all
    /// later news old: the time of arrival is used instead.
    fn event(&mut self, told: Option<Timestamp>, received: Timestamp) -> Option<Timestamp> {
        let latest = Timestamp::from_micros(received.micros().saturating_add(A_DAY_MICROS));
        if told.is_none_or(|told| told <= latest) {
            return told;
        }
        self.concerns.push(Concern::new(
            Attention::FutureDated,
            "MSH-7",
            "the event is dated more than a day ahead, so the time of arrival is used",
        ));
        Some(received)
    }

    /// Finds a draft without keys by its content, so that a repeat creates no duplicate.
    fn place_by_content(&mut self, idx: usize) -> Result<(), Unfit> {
        let drafts = self.drafts;
        let Some(draft) = drafts.get(idx) else {
            return Ok(());
        };
        let is_placed = self.slot_of.get(idx).is_some_and(Option::is_some);
        if is_placed || self.passed.contains(&idx) || draft.resource_type == "MessageHeader" {
            return Ok(());
        }
        let body = draft.resolved(&|url| self.resolve(url)).to_bytes();
        let key = keys::content(&self.scope, draft.resource_type, &body);
        let slot = if let Some(slot) = self.known.get(&key).copied() {
            slot
        } else {
            let mut hit = self.finder.find(
                draft.resource_type,
                std::slice::from_ref(&key),
                draft.ownership,
            )?;
            let unclaimed = std::mem::take(&mut hit.unclaimed);
            let slot = self.slot(draft.resource_type, hit)?;
            self.claim(unclaimed, slot);
            slot
        };
        self.known.insert(key, slot);
        self.note_nameless(draft, slot);
        self.complete(slot, draft.ownership)?;
        self.assign(idx, slot);
        Ok(())
    }

    /// Computes the new bodies and returns how many drafts were too late to be news.
    fn apply(&mut self, event: Option<Timestamp>) -> u32 {
        let mut n_late = 0;
        for (idx, draft) in self.drafts.iter().enumerate() {
            let Some(place) = self.slot_of.get(idx).copied().flatten() else {
                continue;
            };
            let Some(slot) = self.slots.get(place) else {
                continue;
            };
            if self.mentions.contains(&idx) {
                continue;
            }
            if slot
                .before
                .as_ref()
                .is_some_and(|before| !news::is_news(draft, before, event))
            {
                n_late += 1;
                continue;
            }
            let now = slot.now();
            if now.is_some() && draft.ownership == Ownership::OnlyLinks {
                // The draft was only looked up.
                continue;
            }
            let applied = draft.apply_resolved(now, &|url| self.resolve(url));
            if let Some(slot) = self.slots.get_mut(place) {
                slot.take(applied);
                slot.owned |= draft.ownership == Ownership::Owns;
            }
        }
        n_late
    }

    /// Sets the status of a resource that no draft describes.
    pub(super) fn set_status(&mut self, slot: usize, status: &str, line: mapping::Lineage) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.now_mut().set("status", status);
            slot.lineage.push(line);
            slot.owned = true;
        }
    }

    pub(super) fn assign(&mut self, idx: usize, slot: usize) {
        if let Some(place) = self.slot_of.get_mut(idx) {
            *place = Some(slot);
        }
        if let Some(visited) = self.visited.get_mut(idx) {
            *visited = true;
        }
    }

    /// Marks a draft as not kept as a resource.
    pub(super) fn skip_draft(&mut self, idx: usize) {
        self.passed.push(idx);
    }

    /// Returns the draft to which a reference from another draft points.
    pub(super) fn draft_at(&self, url: &str) -> Option<usize> {
        self.by_url.get(url).copied()
    }

    /// Returns the drafts that describe a slot's resource.
    pub(super) fn drafts_at(&self, slot: usize) -> impl Iterator<Item = &'a Draft> {
        let drafts = self.drafts.iter().zip(&self.slot_of);
        drafts.filter_map(move |(draft, place)| (*place == Some(slot)).then_some(draft))
    }

    pub(super) fn slot_of_draft(&self, idx: usize) -> Option<usize> {
        self.slot_of.get(idx).copied().flatten()
    }

    pub(super) fn slot_type(&self, slot: usize) -> Option<&'static str> {
        self.slots.get(slot).map(|slot| slot.resource_type)
    }

    /// Returns the slot of the chart resource with that id.
    pub(super) fn slot_with(&self, resource_type: &str, id: &str) -> Option<usize> {
        let same = |slot: &Slot| slot.resource_type == resource_type && slot.id == id;
        self.slots.iter().position(same)
    }

    /// Returns the resource as it was before the message.
    pub(super) fn before(&self, slot: usize) -> Option<&Existing> {
        self.slots.get(slot)?.before.as_ref()
    }

    pub(super) fn reference(&self, idx: usize) -> Option<String> {
        let slot = self.slots.get((*self.slot_of.get(idx)?)?)?;
        Some(format!("{}/{}", slot.resource_type, slot.id))
    }

    fn resolve(&self, url: &str) -> Option<String> {
        self.reference(self.draft_at(url)?)
    }
}

impl Merge {
    fn link(&self, slots: &mut [Slot]) -> u32 {
        merge::link(self, slots)
    }
}

/// Events that begin a visit (HL7 v2.5.1, 3.3): admission, registration, pre-admission, arrival,
/// change of class, pending admission.
const OPENING_EVENTS: [&str; 7] = ["A01", "A04", "A05", "A06", "A07", "A10", "A14"];

/// One day, since senders' clocks and zones are off by hours.
const A_DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Resource types that need a patient: a fact without one could not be shown to the person it
/// concerns.
const NEEDS_PATIENT: [&str; 12] = [
    "AllergyIntolerance",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Immunization",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Procedure",
    "ServiceRequest",
];

fn is_nobodys(draft: &Draft) -> bool {
    NEEDS_PATIENT.contains(&draft.resource_type) && whose::patients(draft.value()).is_empty()
}

fn lines(drafts: &[Draft]) -> HashMap<&mapping::BusinessKey, Vec<usize>> {
    let mut lines: HashMap<_, Vec<usize>> = HashMap::new();
    for (idx, draft) in drafts.iter().enumerate() {
        for key in draft.keys.iter().filter(|key| key.is_shared) {
            lines.entry(key).or_default().push(idx);
        }
    }
    lines
}

fn by_url(drafts: &[Draft]) -> HashMap<&str, usize> {
    let urls = drafts.iter().enumerate();
    urls.map(|(idx, draft)| (draft.full_url.as_str(), idx))
        .collect()
}

/// Generates 128 random bits: an id must reveal nothing about the number that it stands for.
fn random_id() -> Result<String, Unfit> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Unfit::Refused(Attention::ChartRefused))?;
    Ok(keys::hex(&bytes))
}
