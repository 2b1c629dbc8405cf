//! Linking of source Patients to persons, in the transaction that changes one.
//!
//! Invariant: source records are read and never written. Linking writes which record belongs to
//! which person, and the persons' own Patients, as versions like any other.

use super::apply::Writing;
use super::contradiction::Apart;
use super::gathered::Whole;
use super::joints::MAX_HOLDERS;
use crate::backend::stored::{Numbers, PERSON, RETIRED, Res, Set};
use crate::backend::{Fault, Index, Session, persons};
use crate::chart::batch::Prepared;
use crate::chart::golden::{self, Part};
use crate::chart::person::{self, Born, Group, Identity, Joint, Record};
use fhir::json::Document;
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

/// The row of a record.
pub(super) struct Kept {
    pub(super) person: Res,
    pub(super) identity: Identity,
}

/// The effect of a batch on links.
#[derive(Default)]
pub(super) struct Moved {
    pub(super) records: BTreeSet<Res>,
    /// The persons whose records are to be grouped again.
    pub(super) persons: BTreeSet<Res>,
    /// Those of the persons from which a record was deleted.
    left: BTreeSet<Res>,
    pub(super) joints: BTreeSet<Joint>,
    /// The new joints of each changed record.
    added: BTreeMap<Res, Vec<Joint>>,
    /// The records to which only links were added: their other joints are unchanged.
    linked: Vec<Res>,
    /// The contribution of each changed record to its person.
    says: BTreeMap<Res, Part>,
    /// True if a joint is gone, so that records may separate.
    parts: bool,
}

/// The persons that the new joints of one record reach.
struct Reach {
    record: Record,
    /// The persons that have records with these joints, and the record's own person.
    persons: BTreeSet<Res>,
}

// === impl Writing ===

impl Writing<'_> {
    /// Links the source Patients that a batch changed; `None` for those that it deleted. Handles
    /// all at once: a message that merges many patients would otherwise write their person once for
    /// each. Returns those that share an identifier with a record of another person.
    pub(crate) fn link(
        &mut self,
        changed: &[(&str, Option<&Identity>)],
    ) -> Result<Vec<Apart>, Fault> {
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let mut moved = Moved::default();
        for &(id, identity) in changed {
            self.take_identity(id, identity, &mut moved)?;
        }
        let mut touched: BTreeSet<Res> = moved.added.keys().copied().collect();
        if moved.parts || !self.join(&moved.added, &mut moved.says)? {
            touched = self.settle_all(moved)?;
        }
        self.kept_apart(&touched)
    }

    /// Groups all records that a change may have joined or separated, and returns them.
    pub(super) fn settle_all(&mut self, mut moved: Moved) -> Result<BTreeSet<Res>, Fault> {
        self.gathered.clear();
        for &record in &moved.linked {
            let (_, id) = self.session().name(record)?;
            let kept = self.kept(record)?;
            moved
                .joints
                .extend(kept.into_iter().flat_map(|kept| kept.identity.joints(&id)));
        }
        let mut around = moved.records;
        for joint in &moved.joints {
            for holder in self.holders(joint)? {
                around.insert(holder);
                moved
                    .persons
                    .extend(self.kept(holder)?.map(|kept| kept.person));
            }
        }
        for &person in &moved.persons {
            around.extend(self.members(person)?);
        }
        for person in moved.left {
            if self.members(person)?.is_empty() {
                self.remove_person(person)?;
            }
        }
        self.regroup(&around)?;
        Ok(around)
    }

    /// Stores the current joints of a record.
    pub(super) fn take_identity(
        &mut self,
        id: &str,
        identity: Option<&Identity>,
        moved: &mut Moved,
    ) -> Result<(), Fault> {
        let patient = self.numbers().resource("Patient", id)?;
        let kept = self.kept(patient)?;
        if kept.as_ref().map(|kept| &kept.identity) == identity {
            if !self.gathered.is_empty() {
                let (newest, _) = self.session().newest(patient)?;
                self.gathered.renew(patient, newest);
            }
            return Ok(());
        }
        let added = kept
            .as_ref()
            .and_then(|kept| identity?.added_links(&kept.identity));
        if let Some(added) = added {
            let fresh = self.add_joints(patient, added)?;
            moved.added.insert(patient, fresh);
            moved.linked.push(patient);
        } else {
            let earlier = kept.as_ref().map(|kept| &kept.identity);
            self.change_joints((patient, id), (earlier, identity), moved)?;
        }
        let person = kept.map_or(0, |kept| kept.person);
        if let Some(identity) = identity {
            self.conn
                .prepare_cached("INSERT OR REPLACE INTO record VALUES (?, ?, ?)")?
                .execute(params![patient, person, identity.bytes()])?;
            moved.records.insert(patient);
            moved.says.insert(patient, Part::of(id, identity));
        } else {
            self.conn
                .prepare_cached("DELETE FROM record WHERE patient = ?")?
                .execute([patient])?;
            moved.records.remove(&patient);
            moved.left.insert(person);
        }
        moved.persons.insert(person);
        Ok(())
    }

    /// Updates the joints of a record that may differ in any way.
    fn change_joints(
        &self,
        (patient, id): (Res, &str),
        (earlier, now): (Option<&Identity>, Option<&Identity>),
        moved: &mut Moved,
    ) -> Result<(), Fault> {
        let joints_of = |identity: Option<&Identity>| {
            identity
                .map(|identity| identity.joints(id))
                .unwrap_or_default()
        };
        let (old, new) = (joints_of(earlier), joints_of(now));
        let fresh = self.replace_joints(patient, &old, &new)?;
        let born = earlier.map(Identity::born);
        moved.parts |= now.is_none()
            || old.len() + fresh.len() != new.len()
            || born.is_some_and(|was| Some(was) != now.map(Identity::born));
        moved.added.insert(patient, fresh);
        moved.joints.extend(new);
        Ok(())
    }

    /// Joins persons if nothing separates: their records need not be examined one by one, so that
    /// the thousandth merge into a record costs as much as the first. Returns false if all must be
    /// grouped again.
    fn join(
        &mut self,
        added: &BTreeMap<Res, Vec<Joint>>,
        says: &mut BTreeMap<Res, Part>,
    ) -> Result<bool, Fault> {
        let mut reached = Vec::with_capacity(added.len());
        for (&patient, joints) in added {
            match self.reach(patient, joints, added.len())? {
                Some(reach) => reached.push(reach),
                None => return Ok(false),
            }
        }
        let records: Vec<Record> = reached.iter().map(|reach| reach.record.clone()).collect();
        for group in person::group(&records).groups {
            let of_group = |reach: &&Reach| group.patients.contains(&reach.record.patient);
            let persons: BTreeSet<Res> = reached
                .iter()
                .filter(of_group)
                .flat_map(|reach| reach.persons.iter().copied())
                .collect();
            self.join_persons(&group.patients, &persons, says)?;
        }
        Ok(true)
    }

    /// Returns `None` if a new joint now has too many holders, so that the records it joined
    /// separate.
    fn reach(
        &self,
        patient: Res,
        joints: &[Joint],
        n_changed: usize,
    ) -> Result<Option<Reach>, Fault> {
        let mut persons: BTreeSet<Res> = self.session().person_of(patient)?.into_iter().collect();
        let mut usable = Vec::new();
        for joint in joints {
            // Without a system it is a link to a record, and joins any number of holders.
            let n_holders = if joint.system.is_empty() {
                0
            } else {
                self.count_holders(joint, MAX_HOLDERS + n_changed + 1)?
            };
            if MAX_HOLDERS + n_changed < n_holders {
                continue;
            }
            if MAX_HOLDERS < n_holders {
                return Ok(None);
            }
            let with = self.persons_with(joint)?;
            if !joint.system.is_empty() && self.may_part(patient, joint, &with)? {
                return Ok(None);
            }
            persons.extend(with);
            usable.push(joint.clone());
        }
        // A record without a person is new.
        persons.remove(&0);
        usable.extend(persons.iter().map(|person| Joint {
            system: String::new(),
            kind: "person".to_owned(),
            value: person.to_string(),
        }));
        let record = Record {
            patient,
            person: None,
            joints: usable,
            // Checked above; a link joins regardless of birth details.
            born: Born::default(),
        };
        Ok(Some(Reach { record, persons }))
    }

    /// Returns true if a record and the persons that an identifier reaches may have birth details
    /// that contradict each other. All of them are then grouped again.
    fn may_part(&self, patient: Res, joint: &Joint, persons: &[Res]) -> Result<bool, Fault> {
        let Some(kept) = self.kept(patient)? else {
            return Ok(false);
        };
        let is_other = |person: &&Res| **person != kept.person && **person != 0;
        if 1 < persons.iter().filter(is_other).count() {
            return Ok(true);
        }
        let born = kept.identity.born();
        if persons.contains(&0) {
            // Other records of this batch, which do not belong to a person yet.
            for holder in self.holders(joint)? {
                let other = self.kept(holder)?;
                if other.is_some_and(|other| other.identity.born().contradicts(&born)) {
                    return Ok(true);
                }
            }
        }
        for &person in persons.iter().filter(is_other) {
            let said = self.said_of(person, MAX_HOLDERS)?;
            if said
                .iter()
                .map(Identity::born)
                .any(|other| other.contradicts(&born))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Joins the records, and all records of some persons, under the oldest of these persons.
    fn join_persons(
        &mut self,
        patients: &[Res],
        persons: &BTreeSet<Res>,
        says: &mut BTreeMap<Res, Part>,
    ) -> Result<(), Fault> {
        let Some(&keeps) = persons.first() else {
            let group = Group {
                person: None,
                patients: patients.to_vec(),
            };
            self.write_person(&group)?;
            return Ok(());
        };
        let mut whole = self.whole(keeps)?;
        for &retired in persons.iter().skip(1) {
            whole.absorb(self.whole(retired)?);
            self.conn
                .prepare_cached("UPDATE record SET person = ? WHERE person = ?")?
                .execute([keeps, retired])?;
        }
        for &patient in patients {
            self.conn
                .prepare_cached(
                    "UPDATE record SET person = ?1 WHERE patient = ?2 AND person <> ?1",
                )?
                .execute([keeps, patient])?;
            if let Some(part) = says.remove(&patient) {
                let (newest, _) = self.session().newest(patient)?;
                whole.put(patient, newest, part);
            }
        }
        let survivor = self.put_person(Some(keeps), &whole.parts())?.0;
        self.gathered.keep(keeps, whole);
        for &retired in persons.iter().skip(1) {
            self.retire(retired, &survivor)?;
        }
        Ok(())
    }

    /// Returns all records of a person, from the cache or from the database.
    fn whole(&mut self, person: Res) -> Result<Whole, Fault> {
        if let Some(whole) = self.gathered.take(person) {
            return Ok(whole);
        }
        let mut select = self.conn.prepare_cached(
            "SELECT record.patient, resource.rid, resource.id, record.identity FROM record \
             JOIN resource ON resource.res = record.patient WHERE record.person = ?",
        )?;
        let mut rows = select.query([person])?;
        let mut whole = Whole::default();
        while let Some(row) = rows.next()? {
            let id: String = row.get(2)?;
            let identity = Identity::stored(row.get(3)?);
            whole.put(row.get(0)?, row.get(1)?, Part::of(&id, &identity));
        }
        Ok(whole)
    }

    fn retire(&mut self, person: Res, survivor: &str) -> Result<(), Fault> {
        let (_, id) = self.session().name(person)?;
        let body = prepare(&person::retired(survivor))?;
        let before = self.before_of(person)?;
        self.put_flagged(&id, &body, before, (None, PERSON | RETIRED))?;
        Ok(())
    }

    fn regroup(&mut self, around: &BTreeSet<Res>) -> Result<(), Fault> {
        let mut records = Vec::with_capacity(around.len());
        for &patient in around {
            // A deleted record may still be the target of another record's link.
            let Some(kept) = self.kept(patient)? else {
                continue;
            };
            let (_, id) = self.session().name(patient)?;
            let mut usable = Vec::new();
            for joint in kept.identity.joints(&id) {
                if !self.holders(&joint)?.is_empty() {
                    usable.push(joint);
                }
            }
            let person = (kept.person != 0).then_some(kept.person);
            records.push(Record {
                patient,
                person,
                joints: usable,
                born: kept.identity.born(),
            });
        }
        let mut grouping = person::group(&records);
        self.revive(&records, &mut grouping.groups)?;
        let mut persons = Vec::with_capacity(grouping.groups.len());
        for group in &grouping.groups {
            persons.push(self.write_person(group)?);
        }
        for (retired, idx) in grouping.retired {
            if let Some(survivor) = persons.get(idx) {
                self.retire(retired, survivor)?;
            }
        }
        Ok(())
    }

    /// Restores, when a merge is undone, the person that the separated records had before it, so
    /// that an id does not continue as somebody else.
    fn revive(&mut self, records: &[Record], groups: &mut [Group]) -> Result<(), Fault> {
        // Two groups that were one person for a while cannot both become that person again.
        let mut taken: BTreeSet<Res> = groups.iter().filter_map(|group| group.person).collect();
        for group in groups.iter_mut().filter(|group| group.person.is_none()) {
            let of_group = records
                .iter()
                .filter(|record| group.patients.contains(&record.patient));
            let parted: BTreeSet<Res> = of_group.filter_map(|record| record.person).collect();
            if parted.is_empty() {
                continue;
            }
            // The index must include persons that were retired earlier in this commit.
            self.flush()?;
            for person in parted {
                if let Some(former) = self.former(person, &group.patients, &taken)? {
                    taken.insert(former);
                    group.person = Some(former);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Finds the person, among those that became part of this one, that had these records.
    fn former(
        &self,
        person: Res,
        patients: &[Res],
        taken: &BTreeSet<Res>,
    ) -> Result<Option<Res>, Fault> {
        for retired in persons::whole(&self.session(), person)? {
            if !taken.contains(&retired) && self.had_one_of(retired, patients)? {
                return Ok(Some(retired));
            }
        }
        Ok(None)
    }

    /// Returns true if a person is retired and had one of these records at that time.
    fn had_one_of(&self, person: Res, patients: &[Res]) -> Result<bool, Fault> {
        let is_retired =
            Set::read(&self.set_of(person)?).is_some_and(|set| set.flags & RETIRED != 0);
        if !is_retired {
            return Ok(false);
        }
        let Some(plain) = self.session().body_before(person)? else {
            return Ok(false);
        };
        for id in person::records_of(&plain) {
            if let Some(res) = self.session().resource("Patient", &id)?
                && patients.contains(&res)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes the person of a group and returns its id.
    fn write_person(&mut self, group: &Group) -> Result<String, Fault> {
        let mut members = Whole::default();
        for &patient in &group.patients {
            if let Some(kept) = self.kept(patient)? {
                let (_, id) = self.session().name(patient)?;
                let (newest, _) = self.session().newest(patient)?;
                members.put(patient, newest, Part::of(&id, &kept.identity));
            }
        }
        let (id, person) = self.put_person(group.person, &members.parts())?;
        for patient in &group.patients {
            self.conn
                .prepare_cached("UPDATE record SET person = ? WHERE patient = ?")?
                .execute([person, *patient])?;
        }
        Ok(id)
    }

    /// Writes a person from the parts of its records, given the newest first; returns its id and
    /// number.
    fn put_person(&mut self, person: Option<Res>, parts: &[&Part]) -> Result<(String, Res), Fault> {
        let body = golden::prepare(parts).ok_or(Fault::Damaged("a person's identity"))?;
        let (id, before) = match person {
            Some(person) => (self.session().name(person)?.1, self.before_of(person)?),
            None => (self.random_id()?, None),
        };
        let (_, person) = self.put_flagged(&id, &body, before, (None, PERSON))?;
        Ok((id, person))
    }

    /// Returns the identities of a person's records, the newest first, up to `most`.
    fn said_of(&self, person: Res, most: usize) -> Result<Vec<Identity>, Fault> {
        let mut select = self.conn.prepare_cached(
            "SELECT record.identity FROM record JOIN resource ON resource.res = record.patient \
             WHERE record.person = ? ORDER BY resource.rid DESC LIMIT ?",
        )?;
        let rows = select.query_map(params![person, most as i64], |row| {
            row.get(0).map(Identity::stored)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn remove_person(&mut self, person: Res) -> Result<(), Fault> {
        let (resource_type, id) = self.session().name(person)?;
        let before = self.before_of(person)?;
        self.delete(resource_type, &id, before, None)?;
        Ok(())
    }

    pub(super) fn kept(&self, patient: Res) -> Result<Option<Kept>, Fault> {
        let mut select = self
            .conn
            .prepare_cached("SELECT person, identity FROM record WHERE patient = ?")?;
        let found = select.query_row([patient], |row| {
            Ok(Kept {
                person: row.get(0)?,
                identity: Identity::stored(row.get(1)?),
            })
        });
        Ok(found.optional()?)
    }

    fn members(&self, person: Res) -> Result<Vec<Res>, Fault> {
        if person == 0 {
            Ok(Vec::new())
        } else {
            self.session().members(person)
        }
    }

    fn random_id(&self) -> Result<String, Fault> {
        let mut select = self
            .conn
            .prepare_cached("SELECT lower(hex(randomblob(16)))")?;
        Ok(select.query_row([], |row| row.get(0))?)
    }
}

fn prepare(body: &[u8]) -> Result<Prepared, Fault> {
    let document = Document::parse(body).map_err(|_| Fault::Damaged("a person's identity"))?;
    Prepared::new(&document).map_err(|_| Fault::Damaged("a person's body"))
}
