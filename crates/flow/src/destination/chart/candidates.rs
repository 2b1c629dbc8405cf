//! Candidates: the records to which the keys of a draft lead.
//!
//! Invariants:
//! - a record of another patient, or one that contradicts a number of higher precedence, is not a
//!   candidate;
//! - however many records share a key, a message reads no more than twice [`CROWD`] of them.

use super::apart::{self, Fit};
use super::find::Existing;
use super::keys;
use super::place::Placing;
use super::plan::{Planner, Unfit};
use super::whose::Whose;
use mapping::{Draft, Ownership};
use store::chart::BusinessKey;

/// Number of records from which on the records of one key are found by their time.
const CROWD: u32 = 8;

/// One of a draft's keys.
pub(super) struct Key {
    pub(super) own: BusinessKey,
    pub(super) rank: u8,
    pub(super) is_shared: bool,
    /// True where the key has no number and only names the resource's owner.
    pub(super) is_whose: bool,
    /// True for an account number that stands for the visit number.
    pub(super) is_account: bool,
    /// True for the number of the item itself (DG1-20, OBX-21): a different text or time corrects
    /// the item.
    pub(super) is_number: bool,
}

/// A record to which a key leads.
pub(super) struct Candidate {
    pub(super) fit: Fit,
    pub(super) goes_on: bool,
    pub(super) found: Found,
}

/// The location of a candidate.
pub(super) enum Found {
    /// Another line of this message referred to the record.
    Slot(usize),
    /// The record is in the chart.
    Chart(Box<Existing>),
}

/// The result of a search by keys.
#[derive(Default)]
pub(super) struct Candidates {
    pub(super) all: Vec<Candidate>,
    /// True where a record of another patient has the number.
    pub(super) belongs_to_other: bool,
    /// First free place of each key.
    pub(super) free: Vec<BusinessKey>,
    /// Deleted resource that the keys name.
    pub(super) gone: Option<String>,
}

enum Named {
    Slot(usize),
    /// Id, and true if the resource exists.
    Id(String, bool),
}

// === impl Planner ===

impl Planner<'_> {
    /// Reads the records to which the keys lead, if they may match the draft.
    pub(super) fn candidates(&self, placing: &Placing<'_>) -> Result<Candidates, Unfit> {
        let mut found = Candidates::default();
        for (place, key) in placing.keys.iter().enumerate() {
            self.walk(placing, key, &mut found)?;
            // The number of highest precedence that leads to a record decides.
            if !found.all.is_empty() {
                self.free_places(placing, place + 1, &mut found)?;
                break;
            }
        }
        Ok(found)
    }

    /// Reads the records of one key in order.
    fn walk(&self, placing: &Placing<'_>, key: &Key, found: &mut Candidates) -> Result<(), Unfit> {
        let mut n = 1;
        loop {
            let at = key.at(n);
            let Some(named) = self.named(&at, placing.draft)? else {
                found.free.push(at);
                return Ok(());
            };
            if let Some(candidate) = self.look(placing, key, named, found)? {
                let is_same = candidate.fit == Fit::Same;
                found.all.push(candidate);
                if !key.is_shared && !key.is_whose || is_same {
                    return Ok(());
                }
            }
            n += 1;
            if n == CROWD {
                return self.walk_crowd(placing, key, found);
            }
        }
    }

    /// Reads, where many records share a key, the one at the draft's time and the newest.
    fn walk_crowd(
        &self,
        placing: &Placing<'_>,
        key: &Key,
        found: &mut Candidates,
    ) -> Result<(), Unfit> {
        let is_free = |n: u32| Ok::<_, Unfit>(self.named(&key.at(n), placing.draft)?.is_none());
        let (mut taken, mut free) = (CROWD - 1, CROWD);
        while !is_free(free)? {
            (taken, free) = (free, free.saturating_mul(2));
        }
        while 1 < free - taken {
            let middle = taken + (free - taken) / 2;
            if is_free(middle)? {
                free = middle;
            } else {
                taken = middle;
            }
        }
        found.free.push(key.at(free));
        if let Some(time) = apart::time_key(placing.draft) {
            let at = key.marked(&time);
            match self.named(&at, placing.draft)? {
                Some(named) => {
                    let candidate = self.look(placing, key, named, found)?;
                    found.all.extend(candidate);
                }
                None => found.free.push(at),
            }
        }
        for n in (CROWD..free).rev().take(CROWD as usize) {
            if let Some(named) = self.named(&key.at(n), placing.draft)? {
                let candidate = self.look(placing, key, named, found)?;
                found.all.extend(candidate);
            }
        }
        Ok(())
    }

    /// Returns the record that has a key, in this message or in the chart.
    fn named(&self, key: &BusinessKey, draft: &Draft) -> Result<Option<Named>, Unfit> {
        if let Some(slot) = self.known_slot(key) {
            return Ok(Some(Named::Slot(slot)));
        }
        let Some((id, is_live)) = self.finder.named(key).map_err(Unfit::Read)? else {
            return Ok(None);
        };
        Ok(Some(match self.slot_with(draft.resource_type, &id) {
            Some(slot) => Named::Slot(slot),
            None => Named::Id(id, is_live),
        }))
    }

    /// Checks if the record that has the key may match the draft.
    fn look(
        &self,
        placing: &Placing<'_>,
        key: &Key,
        named: Named,
        found: &mut Candidates,
    ) -> Result<Option<Candidate>, Unfit> {
        let draft = placing.draft;
        match named {
            Named::Slot(slot) => Ok(self.look_at_slot(placing, key, slot)?),
            Named::Id(id, is_live) => {
                // A draft that only links needs no body of a record without an owner.
                let only_links = draft.ownership == Ownership::OnlyLinks;
                let by_name = is_live && only_links && placing.patients.is_empty();
                let existing = self.finder.one(draft.resource_type, &id, by_name);
                let Some(existing) = existing.map_err(Unfit::Read)? else {
                    // A deleted record is restored only where it cannot have been another
                    // patient's.
                    if placing.patients.is_empty() {
                        found.gone.get_or_insert(id);
                    }
                    return Ok(None);
                };
                if existing.is_name {
                    return Ok(Some(Candidate::of(Fit::Open, existing)));
                }
                if self.whose(placing, &existing)? == Whose::OtherPatient {
                    let was_withdrawn = existing.value.text("status") == Some("entered-in-error");
                    found.belongs_to_other |= !was_withdrawn && !key.is_whose;
                    return Ok(None);
                }
                if apart::contradicts(draft, key.rank, &existing.value) {
                    return Ok(None);
                }
                if key.is_whose && placing.has_account() && self.has_account(&existing)? {
                    return Ok(None);
                }
                let fit = if key.is_whose {
                    apart::visit(draft, &existing.value, (self.opens_visit, self.visits))
                } else if key.is_number {
                    apart::fit(draft, &existing.value).or_correction()
                } else {
                    apart::fit(draft, &existing.value)
                };
                if key.is_whose && fit == Fit::Other {
                    return Ok(None);
                }
                let goes_on = apart::goes_on(draft, &existing.value);
                let mut candidate = Candidate::of(fit, existing);
                candidate.goes_on = goes_on;
                Ok(Some(candidate))
            }
        }
    }

    /// Returns true where an account number stands for that visit's number.
    fn has_account(&self, visit: &Existing) -> Result<bool, Unfit> {
        let mark = keys::account(&self.scope, &visit.id);
        Ok(self.finder.id_of(&mark).map_err(Unfit::Read)?.is_some())
    }

    /// Checks the same for a record to which another line of this message referred.
    fn look_at_slot(
        &self,
        placing: &Placing<'_>,
        key: &Key,
        slot: usize,
    ) -> Result<Option<Candidate>, Unfit> {
        let draft = placing.draft;
        let said = self.drafts_at(slot).next();
        let is_whose = match said {
            Some(other) => self.share_patients(placing, other),
            None => true,
        };
        let fit = said.map_or(Fit::Open, |other| apart::fit(draft, other.value()));
        // An allergy listed twice is one allergy; other lines with one key are separate records.
        let is_twin = fit == Fit::Same && draft.resource_type == "AllergyIntolerance";
        if !is_whose || (key.is_shared && self.taken.contains(&slot) && !is_twin) {
            return Ok(None);
        }
        if let Some(existing) = self.before(slot).filter(|existing| !existing.is_name)
            && (self.whose(placing, existing)? == Whose::OtherPatient
                || apart::contradicts(draft, key.rank, &existing.value))
        {
            return Ok(None);
        }
        Ok(Some(Candidate {
            fit,
            goes_on: false,
            found: Found::Slot(slot),
        }))
    }

    /// Returns the free places of the keys that were not walked: their records are known.
    fn free_places(
        &self,
        placing: &Placing<'_>,
        from: usize,
        found: &mut Candidates,
    ) -> Result<(), Unfit> {
        let chosen = found.all.first().map(|first| match &first.found {
            Found::Slot(slot) => self.id_of_slot(*slot).unwrap_or_default().to_owned(),
            Found::Chart(existing) => existing.id.clone(),
        });
        for key in placing.keys.iter().skip(from) {
            for n in 1..=CROWD {
                let at = key.at(n);
                let id = match self.known_slot(&at) {
                    Some(slot) => self.id_of_slot(slot).map(str::to_owned),
                    None => self.finder.id_of(&at).map_err(Unfit::Read)?,
                };
                match id {
                    None => {
                        found.free.push(at);
                        break;
                    }
                    Some(_) if id == chosen => break,
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }
}

// === impl Key ===

impl Key {
    /// Returns the key with a place: the first record has the key itself.
    fn at(&self, n: u32) -> BusinessKey {
        if n < 2 {
            return self.own.clone();
        }
        self.marked(&format!("#{n}"))
    }

    fn marked(&self, mark: &str) -> BusinessKey {
        let value = &self.own.value;
        // The containing resource comes last, as in charts of earlier builds.
        let value = match value.find("|in ") {
            Some(end) => {
                let (number, within) = value.split_at(end);
                format!("{number}|{mark}{within}")
            }
            None => format!("{value}|{mark}"),
        };
        BusinessKey {
            value,
            ..self.own.clone()
        }
    }
}

// === impl Candidate ===

impl Candidate {
    fn of(fit: Fit, existing: Existing) -> Self {
        Self {
            fit,
            goes_on: false,
            found: Found::Chart(Box::new(existing)),
        }
    }
}

// === impl Candidates ===

impl Candidates {
    /// Returns the candidate with the same discriminator.
    pub(super) fn same(&self, placing: &Placing<'_>) -> Option<usize> {
        let is_shared = placing.keys.iter().any(|key| key.is_shared);
        let same = |candidate: &Candidate| candidate.fit == Fit::Same;
        is_shared.then(|| self.all.iter().position(same)).flatten()
    }
}
