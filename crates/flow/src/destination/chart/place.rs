//! Placement of drafts: from a draft to the resource it describes.
//!
//! A key leads to candidates: the first record with the number has the key itself, later ones
//! (another patient's, another line with the same code) have it with their place.
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
//! - a number of lower precedence counts only where the record or the message lacks the higher one;
//! - two lines of one message that share a key are two records; their content ([`super::apart`])
//!   decides which is which, whatever the order of the lines.

use super::apart::Fit;
use super::candidates::{Candidate, Candidates, Found, Key};
use super::find::{FindError, Hit};
use super::keys;
use super::plan::{Planner, Unfit};
use super::whose::Whose;
use crate::attention::{Attention, Concern};
use mapping::{Draft, Ownership, Visits};
use store::chart::BusinessKey;

/// Number of lines with one key above which they are matched in order.
const MANY_LINES: usize = 64;

/// A draft that is being placed.
pub(super) struct Placing<'a> {
    idx: usize,
    pub(super) draft: &'a Draft,
    pub(super) keys: Vec<Key>,
    /// Slots of the patients to whom it refers.
    pub(super) patients: Vec<usize>,
}

// === impl Placing ===

impl Placing<'_> {
    /// Returns true where the account number of the message stands for the visit number.
    pub(super) fn has_account(&self) -> bool {
        self.keys.iter().any(|key| key.is_account)
    }
}

// === impl Planner ===

impl<'a> Planner<'a> {
    /// Finds the resource that a draft describes, by its keys.
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

    /// Returns the draft if it is to be placed by its keys and has not been.
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

    /// Returns the drafts of the message that have one of its keys.
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
            let is_account = self.visits == Visits::Account && !key.value.is_empty();
            let is_visit = draft.resource_type == "Encounter" && key.within.is_some();
            keys.push(Key {
                own: keys::own(&self.scope, draft.resource_type, key, within.as_deref()),
                rank: key.rank,
                is_shared: key.is_shared,
                is_whose: is_visit && !is_account,
                is_account: is_visit && is_account,
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

    /// Chooses among the candidates; creates a resource where there is none.
    fn decide(&mut self, placing: &Placing<'_>, found: Candidates) -> Result<(), Unfit> {
        let open = |candidate: &Candidate| candidate.fit != Fit::Other;
        let mut choice = found.all.iter().position(open);
        if placing.keys.iter().any(|key| key.is_whose) {
            // The newest visit is the one meant.
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
                    "the time matches none of the results with this code",
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
        if is_new && found.belongs_to_other {
            self.concerns.push(Concern::new(
                Attention::NumberOfAnother,
                place_of(draft, "identifier"),
                "the number belongs to another patient's record",
            ));
        }
        self.mark_owner(draft, slot, &mut claims)?;
        self.mark_account(placing, slot, &mut claims)?;
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

    /// Places a draft that no key of this source names: known to all sources, or new.
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
            // Others disagree about the owner of the number: this source keeps its own record.
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
            // A record of another source, which does not share its names.
            (Some(_), Ownership::FillsGaps | Ownership::OnlyLinks) => claims.clear(),
            (Some(_), Ownership::Owns) | (None, _) => {
                claims.extend(std::mem::take(&mut hit.unclaimed));
            }
        }
        hit.gone = gone;
        self.slot(draft.resource_type, hit)
    }

    /// Marks a resource that a draft owns as its source's, unless it has another owner.
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

    /// Marks a visit whose number is its account: another account is another visit.
    fn mark_account(
        &self,
        placing: &Placing<'_>,
        slot: usize,
        claims: &mut Vec<BusinessKey>,
    ) -> Result<(), Unfit> {
        let Some(id) = self.id_of_slot(slot).filter(|_| placing.has_account()) else {
            return Ok(());
        };
        let mark = keys::account(&self.scope, id);
        if self.finder.id_of(&mark).map_err(Unfit::Read)?.is_none() {
            claims.push(mark);
        }
        Ok(())
    }

    /// Reads the body of a resource that was only looked up for a link, for a draft that changes
    /// it.
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

/// Returns the place in the message from which an element of the draft came.
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
