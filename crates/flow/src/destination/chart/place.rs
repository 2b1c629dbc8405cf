//! From a draft to the resource that it speaks of.
//!
//! A key leads to candidates: the first record that was given the number has the key itself, later
//! ones (another patient's, another line of the same code) have it with their place.
//!
//! ```text
//! lab|   DiagnosticReport.report   F1|24323-8        Ann's report
//! lab|   DiagnosticReport.report   F1|24323-8|#2     Bob's, under the same accession number
//! lab|   Observation.results       2345-7||in Diagn… the glucose of 8 o'clock
//! lab|   Observation.results       2345-7||#2|in …   the glucose of 9 o'clock
//! ```
//!
//! Invariants:
//! - a record is found only for its own patient ([`super::whose`]);
//! - a number of lesser weight counts only where the record or the message lacks the weightier one;
//! - two lines of one message whose key is shared are two records; what the records say
//!   ([`super::apart`]) tells which is which, whatever the order of the lines;
//! - however many share a key, a message reads no more than [`CROWD`] of them.

use super::apart::{self, Fit};
use super::find::{Existing, FindError, Hit};
use super::keys;
use super::plan::{Planner, Unfit};
use super::whose::Whose;
use crate::attention::{Attention, Concern};
use mapping::{Draft, Ownership};
use store::chart::BusinessKey;

/// From so many on the records of one key are found by their time.
const CROWD: u32 = 8;

/// A message with more lines of one key takes them in their order.
const MANY_LINES: usize = 64;

/// A draft on its way to its resource.
pub(super) struct Placing<'a> {
    idx: usize,
    draft: &'a Draft,
    keys: Vec<Key>,
    /// The slots of the patients whom it speaks of.
    pub(super) patients: Vec<usize>,
}

/// One of its keys.
struct Key {
    own: BusinessKey,
    rank: u8,
    is_shared: bool,
    /// It names no number, only whose the resource is.
    is_whose: bool,
    /// It is the number of the very thing (DG1-20, OBX-21): another text or time corrects it.
    is_number: bool,
}

/// A record that a key leads to.
struct Candidate {
    fit: Fit,
    goes_on: bool,
    found: Found,
}

enum Found {
    Slot(usize),
    Chart(Box<Existing>),
}

/// What the keys lead to.
#[derive(Default)]
struct Candidates {
    all: Vec<Candidate>,
    /// A record of another patient has the number.
    is_anothers: bool,
    /// The first free place of each key.
    free: Vec<BusinessKey>,
    /// A resource that the keys name and that was deleted.
    gone: Option<String>,
}

// === impl Planner ===

impl<'a> Planner<'a> {
    /// Finds the resource that a draft speaks of, by its keys.
    pub(super) fn place(&mut self, idx: usize) -> Result<(), Unfit> {
        let Some(draft) = self.take_draft(idx) else {
            return Ok(());
        };
        if draft.resource_type == "Patient" {
            return self.place_patient(idx, draft);
        }
        if let Some(slot) = self.person_of(draft)? {
            self.mentions.push(idx);
            self.assign(idx, slot);
            return Ok(());
        }
        let is_shared = draft.keys.iter().any(|key| key.is_shared);
        let lines = if is_shared {
            self.lines_of(draft)
        } else {
            vec![idx]
        };
        let in_order = MANY_LINES < lines.len();
        let mut left = Vec::new();
        for line in lines {
            let Some(draft) = (line == idx)
                .then_some(draft)
                .or_else(|| self.take_draft(line))
            else {
                continue;
            };
            let placing = self.placing(line, draft)?;
            let candidates = self.candidates(&placing)?;
            match candidates.same(&placing).filter(|_| !in_order) {
                Some(place) => self.settle(&placing, candidates, Some(place))?,
                None if is_shared && !in_order => left.push(placing),
                None => self.decide(&placing, candidates)?,
            }
        }
        for placing in left {
            let candidates = self.candidates(&placing)?;
            self.decide(&placing, candidates)?;
        }
        Ok(())
    }

    /// The draft, where it is to be placed by its keys and was not yet.
    fn take_draft(&mut self, idx: usize) -> Option<&'a Draft> {
        let draft = self.drafts.get(idx)?;
        let visited = self.visited.get_mut(idx)?;
        // The journal has the header already.
        let is_out = draft.resource_type == "MessageHeader" || draft.keys.is_empty();
        if *visited || is_out || self.passed.contains(&idx) {
            return None;
        }
        *visited = true;
        Some(draft)
    }

    /// The drafts of the message that have one of its keys.
    fn lines_of(&self, draft: &Draft) -> Vec<usize> {
        let mut lines: Vec<usize> = draft
            .keys
            .iter()
            .filter_map(|key| self.lines.get(key))
            .flatten()
            .copied()
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    fn placing(&mut self, idx: usize, draft: &'a Draft) -> Result<Placing<'a>, Unfit> {
        let patients = self.patients_of(draft)?;
        let mut keys = Vec::with_capacity(draft.keys.len());
        for key in &draft.keys {
            let within = match key.within {
                Some(within) => {
                    self.place(within)?;
                    self.reference(within)
                }
                None => None,
            };
            keys.push(Key {
                own: keys::own(&self.scope, draft.resource_type, key, within.as_deref()),
                rank: key.rank,
                is_shared: key.is_shared,
                is_whose: draft.resource_type == "Encounter" && key.within.is_some(),
                is_number: key.within.is_none(),
            });
        }
        Ok(Placing {
            idx,
            draft,
            keys,
            patients,
        })
    }

    /// Reads what the keys lead to, as far as it may be meant.
    fn candidates(&self, placing: &Placing<'_>) -> Result<Candidates, Unfit> {
        let mut found = Candidates::default();
        for (place, key) in placing.keys.iter().enumerate() {
            self.walk(placing, key, &mut found)?;
            // The weightiest number that leads to a record decides.
            if !found.all.is_empty() {
                self.free_places(placing, place + 1, &mut found)?;
                break;
            }
        }
        Ok(found)
    }

    /// The records of one key, in their order.
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

    /// Where many records have one key: the one of the draft's time, and the newest.
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

    /// What has a key: of this message, or of the chart.
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

    /// Whether what has the key may be meant.
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
                // Who only links needs no body of what is nobody's.
                let only_links = draft.ownership == Ownership::OnlyLinks;
                let by_name = is_live && only_links && placing.patients.is_empty();
                let existing = self.finder.one(draft.resource_type, &id, by_name);
                let Some(existing) = existing.map_err(Unfit::Read)? else {
                    // What was deleted comes back only where it cannot have been another patient's.
                    if placing.patients.is_empty() {
                        found.gone.get_or_insert(id);
                    }
                    return Ok(None);
                };
                if existing.is_name {
                    return Ok(Some(Candidate::of(Fit::Open, existing)));
                }
                if self.whose(placing, &existing)? == Whose::Anothers {
                    let was_withdrawn = existing.value.text("status") == Some("entered-in-error");
                    found.is_anothers |= !was_withdrawn && !key.is_whose;
                    return Ok(None);
                }
                if apart::contradicts(draft, key.rank, &existing.value) {
                    return Ok(None);
                }
                let fit = if key.is_whose {
                    apart::visit(draft, &existing.value, self.opens_visit)
                } else if key.is_number {
                    apart::fit(draft, &existing.value).softened()
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

    /// The same of what another line of this message spoke of.
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
        // An allergy that is listed twice is one; other lines of one key are each their own.
        let is_twin = fit == Fit::Same && draft.resource_type == "AllergyIntolerance";
        if !is_whose || (key.is_shared && self.taken.contains(&slot) && !is_twin) {
            return Ok(None);
        }
        if let Some(existing) = self.before(slot).filter(|existing| !existing.is_name)
            && (self.whose(placing, existing)? == Whose::Anothers
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

    /// The places of the keys that were not walked: what they lead to is known.
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

    /// Takes what may be meant; a new resource where there is nothing.
    fn decide(&mut self, placing: &Placing<'_>, found: Candidates) -> Result<(), Unfit> {
        let open = |candidate: &Candidate| candidate.fit != Fit::Other;
        let mut choice = found.all.iter().position(open);
        if placing.keys.iter().any(|key| key.is_whose) {
            // The newest visit is the one that is spoken of.
            choice = found.all.iter().rposition(open);
        }
        if choice.is_none() && found.all.iter().any(|candidate| candidate.goes_on) {
            if let [only] = found.all.as_slice() {
                choice = only.goes_on.then_some(0);
                self.n_notes += 1;
            } else {
                self.concerns.push(Concern::new(
                    Attention::UnclearCorrection,
                    place_of(placing.draft, "code"),
                    "its time fits none of the results that have this code",
                ));
            }
        }
        self.settle(placing, found, choice)
    }

    fn settle(
        &mut self,
        placing: &Placing<'_>,
        mut found: Candidates,
        choice: Option<usize>,
    ) -> Result<(), Unfit> {
        let draft = placing.draft;
        let mut claims = std::mem::take(&mut found.free);
        let chosen = choice.map(|place| found.all.swap_remove(place).found);
        let is_new = chosen.is_none();
        let slot = match chosen {
            Some(Found::Slot(slot)) => slot,
            Some(Found::Chart(existing)) => {
                let hit = Hit {
                    existing: Some(*existing),
                    ..Hit::default()
                };
                self.slot(draft.resource_type, hit)?
            }
            None => self.elsewhere(placing, found.gone, &mut claims)?,
        };
        if is_new && found.is_anothers {
            self.concerns.push(Concern::new(
                Attention::NumberOfAnother,
                place_of(draft, "identifier"),
                "its number is that of another patient's record",
            ));
        }
        self.mark_owner(draft, slot, &mut claims)?;
        let known = claims.iter().map(|key| (key.clone(), slot));
        self.known.extend(known);
        self.claim(claims, slot);
        if placing.keys.iter().any(|key| key.is_shared) {
            self.taken.insert(slot);
        }
        self.complete(slot, draft.ownership)?;
        self.note_name(draft, slot)?;
        self.assign(placing.idx, slot);
        Ok(())
    }

    /// What no key of this source names: known to all sources, or new.
    fn elsewhere(
        &mut self,
        placing: &Placing<'_>,
        gone: Option<String>,
        claims: &mut Vec<BusinessKey>,
    ) -> Result<usize, Unfit> {
        let draft = placing.draft;
        let common: Vec<BusinessKey> = draft
            .keys
            .iter()
            .filter_map(|key| keys::common(draft.resource_type, key))
            .collect();
        let mut hit = match self
            .finder
            .find_common(draft.resource_type, &common, draft.ownership)
        {
            // Others do not agree whose number it is: this source keeps its own record.
            Err(FindError::Ambiguous) => Hit::default(),
            found => found?,
        };
        if let Some(existing) = hit.existing.take() {
            let read = if existing.is_name && !placing.patients.is_empty() {
                self.finder
                    .one(draft.resource_type, &existing.id, false)
                    .map_err(Unfit::Read)?
            } else {
                Some(existing)
            };
            if let Some(read) = read
                && (read.is_name || self.whose(placing, &read)? == Whose::Fits)
            {
                hit.existing = Some(read);
            }
        }
        match (&hit.existing, draft.ownership) {
            // A record of another source's, which keeps its names to itself.
            (Some(_), Ownership::FillsGaps | Ownership::OnlyLinks) => claims.clear(),
            (Some(_), Ownership::Owns) | (None, _) => {
                claims.extend(std::mem::take(&mut hit.unclaimed));
            }
        }
        hit.gone = gone;
        self.slot(draft.resource_type, hit)
    }

    /// Marks what a draft owns as its source's, if nobody else owns it.
    pub(super) fn mark_owner(
        &self,
        draft: &Draft,
        slot: usize,
        claims: &mut Vec<BusinessKey>,
    ) -> Result<(), Unfit> {
        if draft.ownership != Ownership::Owns || !keys::has_owner(draft.resource_type) {
            return Ok(());
        }
        let Some(id) = self.id_of_slot(slot) else {
            return Ok(());
        };
        let owner = keys::owner(draft.resource_type, id);
        let is_new = self.before(slot).is_none();
        if is_new || self.finder.id_of(&owner).map_err(Unfit::Read)?.is_none() {
            claims.push(owner);
        }
        Ok(())
    }

    /// Reads what only somebody who links was looking for, for somebody who changes it.
    pub(super) fn complete(&mut self, slot: usize, ownership: Ownership) -> Result<(), Unfit> {
        let Some(slot) = self.slots.get_mut(slot) else {
            return Ok(());
        };
        let is_name = slot.before.as_ref().is_some_and(|before| before.is_name);
        if is_name && ownership != Ownership::OnlyLinks {
            let read = self.finder.read(slot.resource_type, &slot.id);
            slot.before = read.map_err(Unfit::Read)?;
        }
        Ok(())
    }
}

/// Where in the message an element of the draft came from.
fn place_of(draft: &Draft, element: &str) -> String {
    let lineage = draft.lineage();
    let place = |wanted: &str| {
        lineage
            .iter()
            .filter(|line| line.element.starts_with(wanted))
            .find_map(|line| line.place)
    };
    let found = place(element).or_else(|| place(""));
    found.map_or_else(String::new, |place| place.whole_field().to_string())
}

enum Named {
    Slot(usize),
    /// And whether it is there.
    Id(String, bool),
}

// === impl Key ===

impl Key {
    /// The key with a place: the first record has the key itself.
    fn at(&self, n: u32) -> BusinessKey {
        if n < 2 {
            return self.own.clone();
        }
        self.marked(&format!("#{n}"))
    }

    fn marked(&self, mark: &str) -> BusinessKey {
        let value = &self.own.value;
        // What it holds within stands last, as in charts of earlier builds.
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
    /// The one that says the same.
    fn same(&self, placing: &Placing<'_>) -> Option<usize> {
        let is_shared = placing.keys.iter().any(|key| key.is_shared);
        let same = |candidate: &Candidate| candidate.fit == Fit::Same;
        is_shared.then(|| self.all.iter().position(same)).flatten()
    }
}
