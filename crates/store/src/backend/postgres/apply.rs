//! Applies one batch in one transaction, one statement at a time for all its changes together.
//!
//! Invariants:
//! - resources are numbered in the order in which the batch names them, as in the embedded engine,
//!   so that results without a sort order come in the same order;
//! - rows are locked in order of their numbers, and names are claimed in their own order;
//! - the counter is taken last and held until COMMIT: the next transaction to take it sees all
//!   earlier ones committed, so rid order is commit order, whatever node writes. Only rows that
//!   carry the rid are written after it.

use super::connect::Transaction;
use super::postings;
use crate::backend::Fault;
use crate::backend::change::{
    Before, DELETED, LIVE, NAMED, NotWritten, check_expectation, compartments, invalid, latest,
    outcome_number, unchanged,
};
use crate::backend::key;
use crate::backend::stage::Stage;
use crate::backend::stored::{self, Numbers, Res, Set};
use crate::backend::types::TypeNumbers;
use crate::chart::batch::{Batch, Change, NewState, Outcome};
use crate::chart::{Receipt, Written};
use base::Timestamp;
use std::collections::{HashMap, HashSet};

const LOCK: &str = "SELECT r.res, r.type, r.id, r.version, r.updated, r.event, r.digest, r.state \
     FROM unnest($1::bigint[], $2::text[]) AS asked (type, id) \
     JOIN resource r ON r.type = asked.type AND r.id = asked.id ORDER BY r.res FOR UPDATE OF r";
const NAMES: &str = "SELECT r.type, r.id, r.res \
     FROM unnest($1::bigint[], $2::text[]) AS asked (type, id) \
     JOIN resource r ON r.type = asked.type AND r.id = asked.id";
const TAKE_NAMES: &str = "INSERT INTO resource \
     SELECT res, type, id, 0, 0, 0, NULL, 0, $4 \
     FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS fresh (res, type, id) \
     ORDER BY type, id ON CONFLICT (type, id) DO NOTHING RETURNING type, id, res";
const VERSIONS: &str = "INSERT INTO version SELECT rid, res, type, version, $9, event, outcome, \
     dictionary, body FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], \
     $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[]) \
     AS made (rid, res, type, version, event, outcome, dictionary, body)";
const RESOURCES: &str = "UPDATE resource r SET rid = made.rid, version = made.version, \
     updated = $7, event = made.event, digest = made.digest, state = made.state \
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
     $6::bigint[]) AS made (res, rid, version, event, digest, state) WHERE r.res = made.res";

/// The name of a resource: the number of its type, and its id.
type Name = (i64, String);

/// The state of a transaction that writes.
pub(super) struct Writing<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) types: &'a TypeNumbers,
    pub(super) now: Timestamp,
}

/// A version to be written.
struct Made<'a> {
    change: usize,
    res: Res,
    type_number: i64,
    version: u32,
    event: Option<i64>,
    outcome: Outcome,
    digest: i64,
    body: Option<(u16, &'a [u8])>,
    /// The new posting set; `None` if the resource is deleted.
    set: Option<Vec<u8>>,
    was_live: bool,
}

/// The names in a batch, in order, each once.
#[derive(Default)]
struct Gathered {
    names: Vec<Name>,
    systems: Vec<Vec<u8>>,
    seen: HashSet<Name>,
}

/// A lookup of numbers that already exist.
struct Known<'a> {
    types: &'a TypeNumbers,
    names: &'a HashMap<Name, Res>,
    systems: &'a HashMap<Vec<u8>, i64>,
}

/// A collector of names, used while a set is encoded and discarded.
struct Gathering<'a> {
    types: &'a TypeNumbers,
    gathered: &'a mut Gathered,
}

// === impl Writing ===

impl Writing<'_> {
    pub(super) fn apply(&self, batch: &Batch) -> Result<Receipt, NotWritten> {
        let names = self.names_of(&batch.changes)?;
        let before = self.lock(&names)?;
        for (change, name) in batch.changes.iter().zip(&names) {
            check_expectation(change, before.get(name))?;
        }
        let effective = |change: &Change, before: Option<&Before>| match &change.state {
            NewState::Body(body) => !before.is_some_and(|b| b.live && b.digest == body.body.digest),
            NewState::Deleted { .. } => before.is_some_and(|before| before.live),
        };
        let mut gathered = Gathered::default();
        for (change, name) in batch.changes.iter().zip(&names) {
            if effective(change, before.get(name)) {
                self.gather(change, name, &mut gathered)?;
            }
        }
        let systems = self.systems(&gathered.systems)?;
        let fresh: HashSet<&Name> = names.iter().filter(|n| !before.contains_key(*n)).collect();
        let numbers = self.numbers(&gathered, &fresh)?;
        let mut known = Known {
            types: self.types,
            names: &numbers,
            systems: &systems,
        };
        let mut receipt = Receipt::default();
        let mut made = Vec::new();
        for (place, (change, name)) in batch.changes.iter().zip(&names).enumerate() {
            let before = before.get(name);
            if effective(change, before) {
                made.push(make((place, change, name), before, &mut known)?);
            } else if let Some(before) = before {
                self.keep_event(change, before)?;
            }
            receipt.written.push(self.answer(change, before)?);
        }
        self.write_postings(&made)?;
        if !made.is_empty() {
            self.write_versions(&made, &mut receipt)?;
        }
        Ok(receipt)
    }

    fn names_of(&self, changes: &[Change]) -> Result<Vec<Name>, NotWritten> {
        let mut seen = HashSet::new();
        let mut names = Vec::with_capacity(changes.len());
        for change in changes {
            let number = self.types.number(change.resource_type());
            let name = (
                number.ok_or(Fault::Damaged("a type has no number"))?,
                change.id.clone(),
            );
            if !seen.insert(name.clone()) {
                return Err(invalid("a resource is changed twice"));
            }
            names.push(name);
        }
        Ok(names)
    }

    /// Reads the resources as they are, and locks them until the end.
    fn lock(&self, names: &[Name]) -> Result<HashMap<Name, Before>, Fault> {
        let (types, ids) = columns(names.iter());
        let mut found = HashMap::new();
        for row in self.transaction.query(LOCK, &[&types, &ids])? {
            let state: i64 = row.try_get(7)?;
            let before = Before {
                res: row.try_get(0)?,
                version: row.try_get::<_, i64>(3)? as u32,
                updated: Timestamp::from_micros(row.try_get(4)?),
                event: row.try_get(5)?,
                digest: row.try_get(6)?,
                live: state == LIVE,
            };
            found.insert((row.try_get(1)?, row.try_get(2)?), before);
        }
        Ok(found)
    }

    fn gather(&self, change: &Change, name: &Name, gathered: &mut Gathered) -> Result<(), Fault> {
        gathered.name(name.clone());
        if let NewState::Body(body) = &change.state {
            let mut gathering = Gathering {
                types: self.types,
                gathered,
            };
            let patients = compartments(&change.id, &body.extraction);
            stored::encode(&body.extraction, &patients, 0, &mut gathering)?;
        }
        Ok(())
    }

    /// Returns the numbers of code systems, assigning those that are missing.
    fn systems(&self, asked: &[Vec<u8>]) -> Result<HashMap<Vec<u8>, i64>, Fault> {
        let select = "SELECT uri, number FROM system WHERE uri = ANY($1)";
        let uris: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
        for round in 0..2 {
            let mut found = HashMap::new();
            for row in self.transaction.query(select, &[&uris])? {
                found.insert(row.try_get(0)?, row.try_get(1)?);
            }
            if found.len() == asked.len() || round == 1 {
                return Ok(found);
            }
            let missing: Vec<&[u8]> = asked
                .iter()
                .filter(|uri| !found.contains_key(*uri))
                .map(Vec::as_slice)
                .collect();
            let insert = "INSERT INTO system (uri) SELECT * FROM unnest($1::bytea[]) \
                 ON CONFLICT DO NOTHING";
            self.transaction.query(insert, &[&missing])?;
        }
        Err(Fault::Damaged("a code system has no number"))
    }

    /// Returns the numbers of resources, assigning those that are missing.
    fn numbers(
        &self,
        gathered: &Gathered,
        fresh: &HashSet<&Name>,
    ) -> Result<HashMap<Name, Res>, Fault> {
        let mut found = self.named(gathered.names.iter())?;
        if fresh.iter().any(|name| found.contains_key(*name)) {
            // The resource was created after this transaction looked for it.
            return Err(Fault::Again);
        }
        let missing: Vec<&Name> = gathered
            .names
            .iter()
            .filter(|name| !found.contains_key(*name))
            .collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let sql = "SELECT nextval('resource_number') FROM generate_series(1, $1::bigint)";
        let given = self.transaction.query(sql, &[&(missing.len() as i64)])?;
        let given: Result<Vec<i64>, _> = given.iter().map(|row| row.try_get(0)).collect();
        let mut given = given?;
        given.sort_unstable();
        let (types, ids) = columns(missing.iter().copied());
        let taken = self
            .transaction
            .query(TAKE_NAMES, &[&given, &types, &ids, &NAMED])?;
        for row in &taken {
            found.insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
        }
        // Another transaction claimed some of them first and has committed.
        let others: Vec<&Name> = missing
            .into_iter()
            .filter(|name| !found.contains_key(*name))
            .collect();
        if others.iter().any(|name| fresh.contains(name)) {
            return Err(Fault::Again);
        }
        if !others.is_empty() {
            found.extend(self.named(others.into_iter())?);
        }
        Ok(found)
    }

    fn named<'n>(
        &self,
        names: impl Iterator<Item = &'n Name>,
    ) -> Result<HashMap<Name, Res>, Fault> {
        let (types, ids) = columns(names);
        let mut found = HashMap::new();
        for row in self.transaction.query(NAMES, &[&types, &ids])? {
            found.insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
        }
        Ok(found)
    }

    /// Stores the event's time: a body that changes nothing may still reflect a later event.
    fn keep_event(&self, change: &Change, before: &Before) -> Result<(), Fault> {
        let event = latest(change.event, Some(before));
        if matches!(change.state, NewState::Body(_)) && event != before.event {
            let sql = "UPDATE resource SET event = $1 WHERE res = $2";
            self.transaction.query(sql, &[&event, &before.res])?;
        }
        Ok(())
    }

    /// Returns the result of a change as if it changed nothing; later writes complete it.
    fn answer(&self, change: &Change, before: Option<&Before>) -> Result<Written, Fault> {
        let (resource_type, id) = (change.resource_type(), &change.id);
        if let Some(before) = before.filter(|before| 0 < before.version) {
            return Ok(unchanged(resource_type, id, before));
        }
        let mut updated = self.now;
        if matches!(change.state, NewState::Deleted { .. }) {
            // The resource did not exist, so the result has the chart's time, which never runs
            // backwards.
            let newest = self.transaction.first("SELECT updated FROM chart", &[])?;
            let newest: i64 = newest.map_or(Ok(0), |row| row.try_get(0))?;
            updated = updated.max(Timestamp::from_micros(newest));
        }
        let none = Before {
            res: 0,
            version: 0,
            updated,
            event: None,
            digest: 0,
            live: false,
        };
        Ok(unchanged(resource_type, id, &none))
    }

    fn write_postings(&self, made: &[Made<'_>]) -> Result<(), Fault> {
        let live: Vec<Res> = made.iter().filter(|m| m.was_live).map(|m| m.res).collect();
        let mut old: HashMap<Res, Vec<u8>> = HashMap::new();
        let select = "SELECT res, bytes FROM posting_set WHERE res = ANY($1)";
        for row in self.transaction.query(select, &[&live])? {
            old.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let keys = |bytes: &[u8]| {
            Set::read(bytes)
                .map(|set| key::keys(&set))
                .unwrap_or_default()
        };
        let mut stage = Stage::default();
        let (mut gone, mut resources, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        for made in made {
            let old = old.get(&made.res).map(Vec::as_slice).unwrap_or_default();
            let new = made.set.as_deref();
            let difference = key::difference(keys(old), keys(new.unwrap_or_default()));
            stage.put(made.res, difference);
            match new {
                Some(new) if old != new => {
                    resources.push(made.res);
                    sets.push(new);
                }
                Some(_) => {}
                None => gone.push(made.res),
            }
        }
        postings::flush(&mut stage, self.transaction)?;
        let upsert = "INSERT INTO posting_set SELECT * FROM unnest($1::bigint[], $2::bytea[]) \
             ON CONFLICT (res) DO UPDATE SET bytes = excluded.bytes";
        self.transaction.query(upsert, &[&resources, &sets])?;
        if !gone.is_empty() {
            let delete = "DELETE FROM posting_set WHERE res = ANY($1)";
            self.transaction.query(delete, &[&gone])?;
        }
        Ok(())
    }

    /// Takes the counter, then writes the rows that carry it.
    fn write_versions(&self, made: &[Made<'_>], receipt: &mut Receipt) -> Result<(), Fault> {
        let n_made = made.len() as i64;
        let take = "UPDATE chart SET rid = rid + $1, updated = greatest(updated, $2) \
             RETURNING rid, updated";
        let taken = self
            .transaction
            .first(take, &[&n_made, &self.now.micros()])?;
        let taken = taken.ok_or(Fault::Damaged("the chart has no row"))?;
        let (last, updated): (i64, i64) = (taken.try_get(0)?, taken.try_get(1)?);
        let column = |of: &dyn Fn(&Made<'_>) -> i64| made.iter().map(of).collect::<Vec<i64>>();
        let rids: Vec<i64> = (last - n_made + 1..=last).collect();
        let resources = column(&|m| m.res);
        let types = column(&|m| m.type_number);
        let versions = column(&|m| i64::from(m.version));
        let events: Vec<Option<i64>> = made.iter().map(|m| m.event).collect();
        let outcomes = column(&|m| outcome_number(m.outcome));
        let dictionaries = column(&|m| m.body.map_or(0, |(number, _)| i64::from(number)));
        let bodies: Vec<Option<&[u8]>> = made.iter().map(|m| m.body.map(|(_, b)| b)).collect();
        self.transaction.query(
            VERSIONS,
            &[
                &rids,
                &resources,
                &types,
                &versions,
                &events,
                &outcomes,
                &dictionaries,
                &bodies,
                &updated,
            ],
        )?;
        let digests = column(&|m| m.digest);
        let states = column(&|m| if m.set.is_some() { LIVE } else { DELETED });
        self.transaction.query(
            RESOURCES,
            &[
                &resources, &rids, &versions, &events, &digests, &states, &updated,
            ],
        )?;
        let grown = column(&|m| i64::from(m.set.is_some()) - i64::from(m.was_live));
        self.transaction.query(
            "UPDATE type t SET n_live = n_live + grown.n FROM (SELECT type, sum(n)::bigint AS n \
             FROM unnest($1::bigint[], $2::bigint[]) AS one (type, n) GROUP BY type) AS grown \
             WHERE t.number = grown.type AND grown.n <> 0",
            &[&types, &grown],
        )?;
        for made in made {
            if let Some(written) = receipt.written.get_mut(made.change) {
                written.version = made.version;
                written.updated = Timestamp::from_micros(updated);
                written.outcome = made.outcome;
            }
        }
        Ok(())
    }
}

fn make<'a>(
    (place, change, name): (usize, &'a Change, &Name),
    before: Option<&Before>,
    known: &mut Known<'_>,
) -> Result<Made<'a>, Fault> {
    let was_live = before.is_some_and(|before| before.live);
    let res = known
        .names
        .get(name)
        .copied()
        .ok_or(Fault::Damaged("a resource has no number"))?;
    let mut made = Made {
        change: place,
        res,
        type_number: name.0,
        version: before.map_or(0, |before| before.version) + 1,
        event: latest(change.event, before),
        outcome: Outcome::Deleted,
        digest: 0,
        body: None,
        set: None,
        was_live,
    };
    if let NewState::Body(body) = &change.state {
        let patients = compartments(&change.id, &body.extraction);
        made.set = Some(stored::encode(&body.extraction, &patients, 0, known)?);
        made.outcome = if was_live {
            Outcome::Updated
        } else {
            Outcome::Created
        };
        made.digest = body.body.digest;
        made.body = Some((body.body.dictionary, &body.body.bytes));
    }
    Ok(made)
}

fn columns<'n>(names: impl Iterator<Item = &'n Name>) -> (Vec<i64>, Vec<&'n str>) {
    names.map(|(number, id)| (*number, id.as_str())).unzip()
}

// === impl Gathered ===

impl Gathered {
    fn name(&mut self, name: Name) {
        if self.seen.insert(name.clone()) {
            self.names.push(name);
        }
    }
}

impl Numbers for Gathering<'_> {
    type Error = Fault;

    fn system(&mut self, uri: &str) -> Result<i64, Fault> {
        let systems = &mut self.gathered.systems;
        if !systems.iter().any(|known| known == uri.as_bytes()) {
            systems.push(uri.as_bytes().to_vec());
        }
        Ok(0)
    }

    fn resource(&mut self, resource_type: &'static str, id: &str) -> Result<Res, Fault> {
        let number = self.resource_type(resource_type)?;
        self.gathered.name((number, id.to_owned()));
        Ok(0)
    }

    fn resource_type(&mut self, resource_type: &'static str) -> Result<i64, Fault> {
        let number = self.types.number(resource_type);
        number.ok_or(Fault::Damaged("a type has no number"))
    }
}

impl Numbers for Known<'_> {
    type Error = Fault;

    fn system(&mut self, uri: &str) -> Result<i64, Fault> {
        let number = self.systems.get(uri.as_bytes()).copied();
        number.ok_or(Fault::Damaged("a code system has no number"))
    }

    fn resource(&mut self, resource_type: &'static str, id: &str) -> Result<Res, Fault> {
        let number = self.resource_type(resource_type)?;
        let res = self.names.get(&(number, id.to_owned())).copied();
        res.ok_or(Fault::Damaged("a resource has no number"))
    }

    fn resource_type(&mut self, resource_type: &'static str) -> Result<i64, Fault> {
        let number = self.types.number(resource_type);
        number.ok_or(Fault::Damaged("a type has no number"))
    }
}
