//! Merges: PID names the survivor, MRG the record merged into it (HL7 v2.5.1, 3.3.40 and 3.6.2).
//!
//! Invariants:
//! - a merge changes links, never what a source said of the merged record, so it can be undone;
//! - a retired number stays an alias for ever: its record points to the one that replaced it, and a
//!   lookup of the number leads there;
//! - a merge with itself or in a cycle changes nothing and is shown to a person; repeating an
//!   existing merge changes nothing and is fine; a merge of an unknown number is kept and noted.

use super::find::{self, Existing, Finder, Hit};
use super::keys;
use super::plan::{Planner, Unfit};
use super::replaced;
use super::slot::Slot;
use crate::attention::Attention;
use fhir::build::Value;
use hl7v2::{Field, Message};
use mapping::{BusinessKey, Draft, Names};
use std::collections::HashMap;

/// A merge of two records in one plan, one of which replaces the other.
pub(super) struct Merge {
    survivor: usize,
    /// None where the record is unknown and the map makes nothing of MRG: only its number is known.
    retired: Option<usize>,
    /// True where the retired number was unknown before.
    is_unknown: bool,
}

/// A number as given in PID-3 or MRG-1.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number {
    value: String,
    authority: String,
    kind: String,
}

/// The numbers of one merge.
struct MergeNumbers {
    staying: Vec<Number>,
    going: Vec<Number>,
}

/// Events that give one patient another number instead of joining two patients (3.3.46 to 3.3.49).
const RENUMBERINGS: [&str; 4] = ["A46", "A47", "A48", "A49"];

/// Places the patients of every merge in the message.
pub(super) fn all(
    planner: &mut Planner<'_>,
    message: &Message,
    drafts: &[Draft],
) -> Result<Vec<Merge>, Unfit> {
    let renumbers = RENUMBERINGS.contains(&&*message.event());
    let mut merges = Vec::new();
    let mut into = HashMap::new();
    for MergeNumbers { staying, going } in pairs(message, drafts)? {
        if staying
            .iter()
            .any(|one| going.iter().any(|other| one.is(other)))
        {
            return Err(Unfit::Refused(Attention::MergeWithItself));
        }
        let is_patient = |draft: &Draft| draft.resource_type == "Patient";
        let speaks_of = |draft: &Draft, numbers: &[Number]| {
            let named = |key: &BusinessKey| numbers.iter().any(|number| number.value == key.value);
            is_patient(draft) && draft.keys.iter().any(named)
        };
        let Some(survivor) = drafts.iter().position(|draft| speaks_of(draft, &staying)) else {
            continue;
        };
        let retired = drafts
            .iter()
            .position(|draft| speaks_of(draft, &going) && !speaks_of(draft, &staying));
        let kept = drafts.get(survivor).map_or(&[][..], |draft| &draft.keys);
        let kept: Vec<BusinessKey> = keys::naming(kept)
            .into_iter()
            .filter(|key| staying.iter().any(|number| number.value == key.value))
            .collect();
        let gone = match retired.and_then(|idx| drafts.get(idx)) {
            Some(draft) => keys::naming(&draft.keys),
            None => going
                .iter()
                .map(|number| number.key_like(&staying, &kept))
                .collect(),
        };
        let pair = Pair {
            survivor,
            retired,
            kept,
            gone,
            renumbers,
        };
        if let Some(merge) = pair.place(planner)? {
            merge.follow(&mut into)?;
            merges.push(merge);
        }
    }
    Ok(merges)
}

/// Links the two records and returns the number of notes.
pub(super) fn link(merge: &Merge, slots: &mut [Slot]) -> u32 {
    if let Some(retired) = merge.retired {
        let name =
            |slots: &[Slot], idx: usize| slots.get(idx).map(|slot| format!("Patient/{}", slot.id));
        if let (Some(survivor), Some(old)) = (name(slots, merge.survivor), name(slots, retired)) {
            if let Some(slot) = slots.get_mut(retired) {
                ensure_link(slot, "replaced-by", &survivor);
                slot.now_mut().set("active", false);
            }
            if let Some(slot) = slots.get_mut(merge.survivor) {
                replaced::ensure(slot, &old);
            }
        }
    } else if let Some(slot) = slots.get_mut(merge.survivor) {
        renumbered(slot);
    }
    u32::from(merge.is_unknown)
}

/// Drops the link that the map makes for a merge: a renumbered record replaces no other, so the
/// link leads to no record.
fn renumbered(slot: &mut Slot) {
    let leads =
        |link: &&Value| !replaced::other(link).is_some_and(|url| url.starts_with("urn:uuid:"));
    let Some(now) = slot.now() else { return };
    let links: Vec<Value> = now.each("link").filter(leads).cloned().collect();
    if links.len() == now.each("link").count() {
        return;
    }
    slot.now_mut().remove("link");
    if !links.is_empty() {
        slot.now_mut().set("link", Value::Array(links));
    }
}

/// Adds a link, unless it is there.
pub(super) fn ensure_link(slot: &mut Slot, kind: &str, reference: &str) {
    let value = slot.now_mut();
    let is_there = value
        .each("link")
        .any(|link| link.text("type") == Some(kind) && replaced::other(link) == Some(reference));
    if !is_there {
        let other = Value::object().with("reference", reference);
        value
            .entry("link")
            .push(Value::object().with("other", other).with("type", kind));
    }
}

// === impl Merge ===

impl Merge {
    /// Records the direction of the merge; fails if it closes a cycle with an earlier merge of the
    /// message.
    fn follow(&self, into: &mut HashMap<usize, usize>) -> Result<(), Unfit> {
        let Some(retired) = self.retired else {
            return Ok(());
        };
        let mut end = self.survivor;
        while end != retired {
            let Some(next) = into.get(&end) else {
                into.insert(retired, self.survivor);
                return Ok(());
            };
            end = *next;
        }
        Err(Unfit::Refused(Attention::MergeCircle))
    }
}

struct Pair {
    survivor: usize,
    retired: Option<usize>,
    kept: Vec<BusinessKey>,
    gone: Vec<BusinessKey>,
    renumbers: bool,
}

// === impl Pair ===

impl Pair {
    fn place(self, planner: &mut Planner<'_>) -> Result<Option<Merge>, Unfit> {
        let own = |keys: &[BusinessKey]| -> Vec<_> {
            keys.iter()
                .map(|key| keys::own(&planner.scope, "Patient", key, None))
                .collect()
        };
        let (kept, gone) = (own(&self.kept), own(&self.gone));
        let staying = raw(planner.finder, &kept)?;
        let going = raw(planner.finder, &gone)?;
        let named = staying
            .existing
            .as_ref()
            .map(|existing| existing.id.clone());
        let (survivor, retired) = match (staying.existing, going.existing) {
            (None, Some(old)) if self.renumbers => (Some(old), None),
            (Some(new), Some(old)) if new.id == old.id => {
                return Err(Unfit::Refused(Attention::MergeWithItself));
            }
            (Some(new), Some(old)) => {
                let current = |existing: Existing| -> Result<Existing, Unfit> {
                    if find::replaced_by(&existing.value).is_none() {
                        return Ok(existing);
                    }
                    let found = planner
                        .finder
                        .current("Patient", &existing.id)
                        .map_err(Unfit::Read)?;
                    Ok(found.unwrap_or(existing))
                };
                let new = current(new)?;
                if new.id == old.id {
                    return Err(Unfit::Refused(Attention::MergeCircle));
                }
                (Some(new), Some(old))
            }
            (new, old) => (new, old),
        };
        let is_renumbered = self.renumbers && retired.is_none() && survivor.is_some();
        let is_unknown = retired.is_none() && !is_renumbered;
        let is_alias = survivor
            .as_ref()
            .is_some_and(|current| Some(&current.id) != named.as_ref());
        let is_alias = is_alias && !is_renumbered;
        let new = Hit {
            existing: survivor,
            is_alias,
            ..Hit::default()
        };
        let survivor = slot(planner, &kept, new)?;
        planner.claim(staying.unclaimed, survivor);
        planner.claim(unclaimed_common(planner.finder, &self.kept)?, survivor);
        planner.own_if_new(survivor);
        planner.know(kept, survivor);
        planner.assign(self.survivor, survivor);
        if is_renumbered || (is_unknown && self.retired.is_none()) {
            // Only the number is known: it becomes an alias of the survivor.
            planner.claim(going.unclaimed, survivor);
            planner.claim(unclaimed_common(planner.finder, &self.gone)?, survivor);
            planner.know(gone, survivor);
            if let Some(idx) = self.retired {
                planner.skip_draft(idx);
            }
            return Ok(Some(Merge {
                survivor,
                retired: None,
                is_unknown,
            }));
        }
        let old = Hit {
            existing: retired,
            ..Hit::default()
        };
        let old = slot(planner, &gone, old)?;
        planner.claim(going.unclaimed, old);
        planner.claim(unclaimed_common(planner.finder, &self.gone)?, old);
        planner.know(gone, old);
        if let Some(idx) = self.retired {
            planner.assign(idx, old);
        }
        Ok(Some(Merge {
            survivor,
            retired: Some(old),
            is_unknown,
        }))
    }
}

/// Returns the slot of the existing record, or of the one that an earlier merge of the message
/// created.
fn slot(
    planner: &mut Planner<'_>,
    keys: &[store::chart::BusinessKey],
    hit: Hit,
) -> Result<usize, Unfit> {
    let known = keys.iter().find_map(|key| planner.known_slot(key));
    match known.filter(|_| hit.existing.is_none()) {
        Some(slot) => Ok(slot),
        None => planner.slot("Patient", hit),
    }
}

/// Returns the resource that the keys name directly, without following replacements.
fn raw(finder: &Finder<'_>, keys: &[store::chart::BusinessKey]) -> Result<Hit, Unfit> {
    let mut hit = Hit::default();
    for key in keys {
        match finder.id_of(key).map_err(Unfit::Read)? {
            None => hit.unclaimed.push(key.clone()),
            Some(id) if hit.existing.is_none() => {
                hit.existing = finder.read("Patient", &id).map_err(Unfit::Read)?;
            }
            Some(_) => {}
        }
    }
    Ok(hit)
}

/// Returns the common keys by which other sources will look for the record, where still unclaimed.
fn unclaimed_common(
    finder: &Finder<'_>,
    keys: &[BusinessKey],
) -> Result<Vec<store::chart::BusinessKey>, Unfit> {
    let mut unclaimed = Vec::new();
    for key in keys.iter().filter_map(|key| keys::common("Patient", key)) {
        if finder.id_of(&key).map_err(Unfit::Read)?.is_none() {
            unclaimed.push(key);
        }
    }
    Ok(unclaimed)
}

/// Pairs each MRG with the PID that it follows. A number that identifies no person (an account that
/// both share, a placeholder) is ignored; a merge with nothing left on one side would retire a
/// patient into nobody, and is refused.
fn pairs(message: &Message, drafts: &[Draft]) -> Result<Vec<MergeNumbers>, Unfit> {
    let mut pairs = Vec::new();
    let mut staying = Vec::new();
    for segment in message.segments() {
        match segment.name() {
            "PID" => staying = naming(numbers(segment.field(3)), drafts),
            "MRG" => {
                let retired = numbers(segment.field(1));
                if retired.is_empty() {
                    continue;
                }
                let going = naming(retired, drafts);
                if going.is_empty() || staying.is_empty() {
                    return Err(Unfit::Refused(Attention::NoPatient));
                }
                let staying = staying.clone();
                pairs.push(MergeNumbers { staying, going });
            }
            _ => {}
        }
    }
    Ok(pairs)
}

/// Keeps numbers that identify a person: as the map read them, or by table 0203 where it makes
/// nothing of them.
fn naming(numbers: Vec<Number>, drafts: &[Draft]) -> Vec<Number> {
    let read = |number: &Number| {
        let patients = drafts
            .iter()
            .filter(|draft| draft.resource_type == "Patient");
        let mut keys = patients.flat_map(|draft| &draft.keys);
        keys.find(|key| key.value == number.value && key.kind == number.kind)
            .map(|key| key.names)
    };
    let names = |number: &Number| {
        let by_table = || fhir::identifier::names(&number.kind, &number.authority, &number.value);
        match read(number).unwrap_or_else(by_table) {
            Names::Record | Names::Person | Names::Local => true,
            Names::Nobody | Names::Placeholder => false,
        }
    };
    numbers.into_iter().filter(names).collect()
}

fn numbers(field: Field<'_>) -> Vec<Number> {
    let text = |cx: hl7v2::Repeat<'_>, n: usize| cx.component(n).text().into_owned();
    field
        .repeats()
        .map(|cx| Number {
            value: text(cx, 1),
            authority: text(cx, 4),
            kind: text(cx, 5),
        })
        .filter(|number| !number.value.is_empty() && number.value != "\"\"")
        .collect()
}

// === impl Number ===

impl Number {
    fn is(&self, other: &Self) -> bool {
        let same_authority = self.authority == other.authority
            || self.authority.is_empty()
            || other.authority.is_empty();
        self.value == other.value && same_authority
    }

    /// Returns a key for a map that makes nothing of MRG, in the form of the PID numbers with its
    /// authority.
    fn key_like(&self, staying: &[Self], kept: &[BusinessKey]) -> BusinessKey {
        let like = staying
            .iter()
            .filter(|number| number.authority == self.authority || self.authority.is_empty())
            .find_map(|number| kept.iter().find(|key| key.value == number.value));
        let authority = like.map_or_else(|| self.authority.clone(), |key| key.authority.clone());
        BusinessKey {
            authority,
            kind: "MR".to_owned(),
            value: self.value.clone(),
            ..BusinessKey::default()
        }
    }
}
