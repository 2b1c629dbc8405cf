//! Senders' lists in snapshot mode (HL7 v2 2.10.4.1): a new list replaces the sender's previous
//! one.
//!
//! Invariants:
//! - a message changes the lists of its own sender (MSH-3 and MSH-4 within a flow) and no other's;
//!   a message without a segment of a list says nothing about it;
//! - an entry that no sender lists any more is ended as the map says, and marked with the sender
//!   whose list omitted it ([`super::mark`]); it is never deleted, and returns when it is listed
//!   again;
//! - an older list ends no entry of a newer one, and an entry that it alone lists is ended
//!   immediately;
//! - an entry that states an absence (no known allergy) is not active beside another entry;
//! - a message that adds to a list holds the version that it saw, so that a concurrent change that
//!   ends the same entry is detected.
//!
//! ```text
//! allergies|Patient/9f…     adt|REG|NORTH    AllergyIntolerance/1, AllergyIntolerance/2
//! !allergies|Patient/9f…    adt|REG|NORTH    AllergyIntolerance/2      an entry that states an absence
//! diagnoses|Encounter/c3…   adt|REG|NORTH    Condition/7
//! ```

use super::find::Hit;
use super::mark::{self, Because};
use super::plan::{Planner, Unfit};
use super::slot::Slot;
use crate::destination::Task;
use base::Timestamp;
use hl7v2::Message;
use mapping::{Conversion, Draft, FieldPlace, Lineage, List, Part};
use std::collections::HashSet;
use store::chart::{ListChange, ListName, SenderList};

/// The sender of a list.
struct Sender {
    /// Name as stored in lists.
    name: String,
    /// Name as shown to people.
    words: String,
}

/// One list of a message in progress.
struct Work<'a> {
    list: &'a List,
    sender: &'a Sender,
    event: Option<Timestamp>,
    /// Lists that it replaces: first the patient's or visit's own, then those of patients merged
    /// into this one.
    of: Vec<String>,
    /// Entries that the message lists, by slot.
    now: Vec<(usize, Part)>,
    drafts: Vec<(usize, &'a Draft)>,
}

/// Applies the lists that the message changes; ends and reopens entries among the slots.
pub(super) fn settle(
    planner: &mut Planner<'_>,
    (task, event): (&Task<'_>, Option<Timestamp>),
    conversion: &Conversion,
) -> Result<Vec<ListChange>, Unfit> {
    let mut changes = Vec::new();
    if conversion.lists.is_empty() {
        return Ok(changes);
    }
    let sender = Sender::of(&planner.scope, task.message);
    for (idx, list) in conversion.lists.iter().enumerate() {
        let Some(of) = whose(planner, list, conversion)? else {
            continue;
        };
        let own = conversion
            .drafts
            .iter()
            .enumerate()
            .filter_map(|(at, draft)| {
                let listed = draft.listed.filter(|listed| listed.list == idx)?;
                Some((planner.slot_of_draft(at)?, listed.part, draft))
            });
        let own: Vec<_> = own.collect();
        let work = Work {
            list,
            sender: &sender,
            event,
            now: own.iter().map(|(slot, part, _)| (*slot, *part)).collect(),
            drafts: own.iter().map(|(slot, _, draft)| (*slot, *draft)).collect(),
            of,
        };
        work.settle(planner, &mut changes)?;
    }
    Ok(changes)
}

/// Returns the names of the lists: of the first resource that the map names and the message has.
fn whose(
    planner: &Planner<'_>,
    list: &List,
    conversion: &Conversion,
) -> Result<Option<Vec<String>>, Unfit> {
    for label in list.within() {
        let draft = conversion
            .drafts
            .iter()
            .position(|draft| draft.label == *label);
        let Some(slot) = draft.and_then(|draft| planner.slot_of_draft(draft)) else {
            continue;
        };
        let Some(slot) = planner.slots.get(slot) else {
            continue;
        };
        let name = |id: &str| format!("{}|{}/{id}", list.label, slot.resource_type);
        let mut names = vec![name(&slot.id)];
        if slot.resource_type == "Patient" {
            let merged = planner.finder.merged_into(slot).map_err(Unfit::Read)?;
            names.extend(merged.iter().map(|id| name(id)));
        }
        return Ok(Some(names));
    }
    Ok(None)
}

// === impl Sender ===

impl Sender {
    fn of(scope: &str, message: &Message) -> Self {
        let (application, facility) = (message.header(3, 1), message.header(4, 1));
        let words = match (application.is_empty(), facility.is_empty()) {
            (false, false) => format!("{application} at {facility}"),
            (true, true) => "a sender without a name".to_owned(),
            _ => format!("{application}{facility}"),
        };
        Self {
            name: format!("{scope}|{application}|{facility}"),
            words,
        }
    }
}

// === impl Work ===

impl Work<'_> {
    fn settle(
        &self,
        planner: &mut Planner<'_>,
        changes: &mut Vec<ListChange>,
    ) -> Result<(), Unfit> {
        let Some(of) = self.of.first() else {
            return Ok(());
        };
        let lists = planner.finder.lists_of(of).map_err(Unfit::Read)?;
        let own = lists.iter().find(|list| list.sender == self.sender.name);
        let known_at = own.and_then(|list| list.at);
        if matches!((self.event, known_at), (Some(event), Some(known)) if event < known) {
            return self.end_late(planner, own);
        }
        let held = |(slot, part): &(usize, Part)| (*part != Part::Ended).then_some(*slot);
        let now: Vec<usize> = self.now.iter().filter_map(held).collect();
        let entries = own.map_or(&[][..], |list| &list.entries);
        let enters: Vec<usize> = now
            .iter()
            .copied()
            .filter(|slot| !is_in(planner, *slot, entries))
            .collect();
        let mut first = self.change(of);
        first.enters = enters
            .iter()
            .filter_map(|slot| planner.name_of(*slot))
            .collect();
        let gone = self.gone(planner, entries);
        first.leaves.clone_from(&gone);
        let mut all_gone: Vec<(ListName, Name)> = pairs(&first, gone);
        let mut others = vec![first];
        if self.list.is_snapshot {
            for of in self.of.iter().skip(1) {
                let lists = planner.finder.lists_of(of).map_err(Unfit::Read)?;
                let own = lists
                    .into_iter()
                    .find(|list| list.sender == self.sender.name);
                let Some(own) = own.filter(|own| !own.entries.is_empty()) else {
                    continue;
                };
                let change = ListChange {
                    leaves: own.entries.clone(),
                    ..self.change(of)
                };
                all_gone.extend(pairs(&change, own.entries));
                others.push(change);
            }
        }
        for slot in now {
            self.reopen(planner, slot, enters.contains(&slot));
        }
        for (list, name) in &all_gone {
            let slot = planner.slot_of_entry(name)?;
            if let Some(slot) = slot.filter(|slot| !self.names_now(*slot)) {
                self.leave(planner, slot, (list, &all_gone))?;
            }
        }
        changes.extend(others);
        self.settle_nothing(planner, (of, &lists), changes)
    }

    fn change(&self, of: &str) -> ListChange {
        ListChange {
            list: ListName {
                of: of.to_owned(),
                sender: self.sender.name.clone(),
            },
            at: self.event,
            enters: Vec::new(),
            leaves: Vec::new(),
        }
    }

    fn names_now(&self, slot: usize) -> bool {
        let held = |(own, part): &(usize, Part)| *own == slot && *part != Part::Ended;
        self.now.iter().any(held)
    }

    /// Returns entries that leave the list: those a snapshot omits, and those the message ends
    /// explicitly.
    fn gone(&self, planner: &Planner<'_>, entries: &[Name]) -> Vec<Name> {
        let leaves = |entry: &&Name| {
            let slot = planner.slot_named(entry);
            let named = slot.and_then(|slot| self.now.iter().find(|(own, _)| *own == slot));
            match named {
                Some((_, part)) => *part == Part::Ended,
                None => self.list.is_snapshot,
            }
        };
        entries.iter().filter(leaves).cloned().collect()
    }

    /// Handles a late message: an entry that its sender's newer list omits is ended, unless another
    /// sender lists it.
    fn end_late(&self, planner: &mut Planner<'_>, own: Option<&SenderList>) -> Result<(), Unfit> {
        let Some(own) = own.filter(|_| self.list.is_snapshot) else {
            return Ok(());
        };
        for (slot, _) in &self.now {
            let Some(name) = planner.name_of(*slot) else {
                continue;
            };
            let lists = planner.finder.lists_with(name.0, &name.1);
            if lists.map_err(Unfit::Read)?.is_empty() {
                self.end(planner, *slot, Because::Unlisted, (true, own.at));
            }
        }
        Ok(())
    }

    /// Reopens a listed entry: whatever ended it is undone.
    fn reopen(&self, planner: &mut Planner<'_>, slot: usize, enters: bool) {
        let draft = self.drafts.iter().find(|(own, _)| *own == slot);
        let listed = draft.map(|(_, draft)| draft.value());
        let Some(slot) = planner.slots.get_mut(slot) else {
            return;
        };
        slot.is_held |= enters;
        if slot.now().is_some_and(mark::is_marked) {
            let value = slot.now_mut();
            mark::take(value, &self.sender.words);
            self.list.reopen(value, listed);
        }
    }

    /// Handles an entry that left one of its lists: it is ended where no other list has it.
    fn leave(
        &self,
        planner: &mut Planner<'_>,
        slot: usize,
        (list, gone): (&ListName, &[(ListName, Name)]),
    ) -> Result<(), Unfit> {
        let Some(name) = planner.name_of(slot) else {
            return Ok(());
        };
        let lists = planner
            .finder
            .lists_with(name.0, &name.1)
            .map_err(Unfit::Read)?;
        let stays = |other: &&ListName| {
            *other != list
                && !other.of.starts_with(NOTHING)
                && !gone
                    .iter()
                    .any(|(left, own)| left == *other && *own == name)
        };
        let remaining: Vec<&ListName> = lists.iter().filter(stays).collect();
        // The sender still lists it in another list, for example of another visit.
        if remaining
            .iter()
            .all(|other| other.sender != self.sender.name)
        {
            let ends = (remaining.is_empty(), self.event);
            self.end(planner, slot, Because::Unlisted, ends);
        }
        Ok(())
    }

    /// Marks an entry, and ends it where no sender lists it.
    fn end(
        &self,
        planner: &mut Planner<'_>,
        slot: usize,
        because: Because,
        (ends, since): (bool, Option<Timestamp>),
    ) {
        let Some(slot) = planner.slots.get_mut(slot) else {
            return;
        };
        let resource_type = slot.resource_type;
        let value = slot.now_mut();
        mark::put(value, &self.sender.words, because, since);
        // Entered in error says more, and FHIR allows no clinical status beside it.
        let is_error = ["verificationStatus.coding.code", "status"]
            .iter()
            .any(|path| {
                value.at(path).and_then(fhir::build::Value::as_str) == Some("entered-in-error")
            });
        let mut elements = vec!["extension"];
        if ends && !is_error {
            elements.extend(self.list.end(value));
        }
        debug_assert_eq!(
            resource_type, self.list.resource_type,
            "a list has one type"
        );
        slot.owned = true;
        let words = match because {
            Because::Unlisted => format!("no longer listed by {}", self.sender.words),
            Because::Superseded => format!("another is listed by {}", self.sender.words),
        };
        let place = place(&self.list.segment);
        slot.lineage
            .extend(elements.into_iter().map(|element| Lineage {
                element: element.to_owned(),
                place,
                raw: words.as_str().into(),
                row: self.list.row(),
            }));
    }

    /// Activates an entry that states an absence only where no other entry is listed.
    fn settle_nothing(
        &self,
        planner: &mut Planner<'_>,
        (of, lists): (&str, &[SenderList]),
        changes: &mut Vec<ListChange>,
    ) -> Result<(), Unfit> {
        if !self.list.names_nothing() {
            return Ok(());
        }
        let of_nothing = format!("{NOTHING}{of}");
        let nothing = planner.finder.lists_of(&of_nothing).map_err(Unfit::Read)?;
        let said: Vec<usize> = self
            .now
            .iter()
            .filter_map(|(slot, part)| (*part == Part::Nothing).then_some(*slot))
            .collect();
        let own = nothing.iter().find(|list| list.sender == self.sender.name);
        let before: HashSet<Name> = own
            .into_iter()
            .flat_map(|own| own.entries.iter().cloned())
            .collect();
        let now: HashSet<Name> = said
            .iter()
            .filter_map(|slot| planner.name_of(*slot))
            .collect();
        let left = changes
            .iter()
            .filter(|change| change.list.of == of)
            .flat_map(|change| change.leaves.iter().cloned());
        let left: HashSet<Name> = left.filter(|name| before.contains(name)).collect();
        let change = ListChange {
            enters: now.difference(&before).cloned().collect(),
            leaves: left
                .iter()
                .filter(|name| !now.contains(*name))
                .cloned()
                .collect(),
            ..self.change(&of_nothing)
        };
        if !change.enters.is_empty() || !change.leaves.is_empty() {
            changes.push(change);
        }
        let others = nothing
            .iter()
            .filter(|list| list.sender != self.sender.name);
        let listed_nothing: HashSet<Name> = before
            .difference(&left)
            .chain(&now)
            .chain(others.flat_map(|list| &list.entries))
            .cloned()
            .collect();
        let is_known = self.is_known(planner, lists, &listed_nothing);
        for name in &listed_nothing {
            let Some(slot) = planner.slot_of_entry(name)? else {
                continue;
            };
            if is_known {
                self.end(planner, slot, Because::Superseded, (true, self.event));
            } else if let Some(slot) = planner.slots.get_mut(slot)
                && slot.now().is_some_and(mark::is_marked)
                && mark::take_superseded(slot.now_mut())
            {
                self.list.reopen(slot.now_mut(), None);
            }
        }
        Ok(())
    }

    /// Returns true where any sender lists something.
    fn is_known(
        &self,
        planner: &Planner<'_>,
        lists: &[SenderList],
        nothing: &HashSet<Name>,
    ) -> bool {
        if self.now.iter().any(|(_, part)| *part == Part::Entry) {
            return true;
        }
        lists.iter().any(|list| {
            let is_own = list.sender == self.sender.name;
            let entries = list
                .entries
                .iter()
                .filter(|entry| !nothing.contains(*entry));
            let mut stay = entries.filter(|entry| {
                let slot = planner.slot_named(entry);
                let ended = |slot| self.now.contains(&(slot, Part::Ended));
                !is_own || (!self.list.is_snapshot && !slot.is_some_and(ended))
            });
            stay.next().is_some()
        })
    }
}

// === impl Planner ===

impl Planner<'_> {
    /// Returns the slot of an entry, read where the message does not mention it; none where it is
    /// deleted.
    fn slot_of_entry(&mut self, name: &Name) -> Result<Option<usize>, Unfit> {
        if let Some(slot) = self.slot_named(name) {
            return Ok(Some(slot));
        }
        let existing = self.finder.read(name.0, &name.1).map_err(Unfit::Read)?;
        if existing.is_none() {
            return Ok(None);
        }
        let hit = Hit {
            existing,
            ..Hit::default()
        };
        self.slot(name.0, hit).map(Some)
    }

    /// Returns type and id of a slot.
    pub(super) fn name_of(&self, slot: usize) -> Option<Name> {
        let slot = self.slots.get(slot)?;
        Some((slot.resource_type, slot.id.clone()))
    }

    /// Returns the slot with that type and id.
    pub(super) fn slot_named(&self, (resource_type, id): &Name) -> Option<usize> {
        let is_it = |slot: &Slot| slot.resource_type == *resource_type && slot.id == *id;
        self.slots.iter().position(is_it)
    }
}

/// Prefix of the name of a list whose entries state an absence.
const NOTHING: &str = "!";

/// The type and id of a resource.
pub(super) type Name = (&'static str, String);

fn pairs(change: &ListChange, names: Vec<Name>) -> Vec<(ListName, Name)> {
    let list = &change.list;
    names.into_iter().map(|name| (list.clone(), name)).collect()
}

fn is_in(planner: &Planner<'_>, slot: usize, entries: &[Name]) -> bool {
    let name = planner.name_of(slot);
    name.is_some_and(|name| entries.contains(&name))
}

fn place(segment: &str) -> Option<FieldPlace> {
    Some(FieldPlace {
        segment: segment.as_bytes().try_into().ok()?,
        occurrence: 1,
        field: 0,
        repeat: 0,
        component: 0,
        sub: 0,
    })
}
