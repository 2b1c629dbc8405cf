//! Applies one batch within the open transaction.
//!
//! Invariant: everything that can be refused is refused before the first row is written, so a
//! conflict leaves the transaction unchanged and the next batch goes into the same commit.

use super::face::Face;
use super::gathered::Gathered;
use super::numbers::{Names, WriterNumbers};
use super::schema::{DELETED, LIVE, TypeNumbers};
use super::session::SqliteSession;
use super::stage;
use crate::backend::change::{Before, NotWritten, compartments, latest, outcome_number, unchanged};
use crate::backend::stage::Stage;
use crate::backend::stored::{self, Res, Set};
use crate::backend::{Fault, Session, key};
use crate::chart::batch::{Batch, Change, KeyClaim, NewState, Outcome, Prepared};
use crate::chart::person::Identity;
use crate::chart::{Receipt, Written};
use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// The state that the writer keeps between commits.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) last_rid: i64,
    /// The time of this commit; never before that of the last one.
    pub(crate) now: Timestamp,
}

/// The open transaction.
pub(crate) struct Writing<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) types: &'a TypeNumbers,
    pub(crate) names: &'a mut Names,
    pub(crate) gathered: &'a mut Gathered,
    pub(crate) stage: &'a mut Stage,
    pub(crate) counters: &'a mut Counters,
    pub(crate) link_persons: bool,
}

// === impl Writing ===

impl Writing<'_> {
    pub(crate) fn apply(
        &mut self,
        batch: &Batch,
        lineage: &[Vec<u8>],
        audit: &[Vec<u8>],
    ) -> Result<Receipt, NotWritten> {
        if self.is_applied(batch)? {
            return Ok(Receipt {
                written: Vec::new(),
                already_applied: true,
                concerns: self.concerns(batch)?,
                contradictions: self.tell_apart(&[], message(batch))?,
            });
        }
        let before = self.check_changes(&batch.changes)?;
        for claim in &batch.keys {
            self.check_key(claim)?;
        }
        for (idx, condition) in batch.conditions.iter().enumerate() {
            self.check_condition(idx, condition)?;
        }
        Ok(self.write(batch, &before, lineage, audit)?)
    }

    fn write(
        &mut self,
        batch: &Batch,
        before: &[Option<Before>],
        lineage: &[Vec<u8>],
        audit: &[Vec<u8>],
    ) -> Result<Receipt, Fault> {
        let mut receipt = Receipt::default();
        for (change, before) in batch.changes.iter().zip(before) {
            receipt.written.push(self.change(change, *before)?);
        }
        if self.link_persons {
            let apart = self.link(&identities(&batch.changes, before))?;
            receipt.contradictions = self.tell_apart(&apart, message(batch))?;
        }
        for claim in &batch.keys {
            self.take_key(claim)?;
        }
        for change in &batch.lists {
            self.list(change)?;
        }
        if let Some(applied) = &batch.applied {
            let mut insert = self
                .conn
                .prepare_cached("INSERT INTO applied VALUES (?, ?, ?)")?;
            let at = self.counters.now.micros();
            insert.execute(params![applied.message, applied.map_version, at])?;
            self.keep_concerns(applied)?;
        }
        if let Some(digest) = &batch.imported {
            self.conn
                .prepare_cached("INSERT INTO imported VALUES (?, ?)")?
                .execute(params![digest, self.counters.now.micros()])?;
        }
        for (lineage, origins) in batch.lineage.iter().zip(lineage) {
            if let Some(written) = receipt.written.get(lineage.change) {
                self.keep_lineage(written, &lineage.message, origins)?;
            }
        }
        for entry in audit {
            self.conn
                .prepare_cached("INSERT INTO audit_relay (entry) VALUES (?)")?
                .execute([entry])?;
        }
        Ok(receipt)
    }

    /// Returns the newest version of a resource, if it ever had one.
    pub(crate) fn before(&mut self, type_number: i64, id: &str) -> Result<Option<Before>, Fault> {
        let Some(res) = self.numbers().find(type_number, id)? else {
            return Ok(None);
        };
        self.before_of(res)
    }

    pub(crate) fn before_of(&self, res: Res) -> Result<Option<Before>, Fault> {
        let mut select = self.conn.prepare_cached(
            "SELECT version, updated, event, digest, state FROM resource \
             WHERE res = ? AND state > 0",
        )?;
        let found = select.query_row([res], |row| {
            Ok(Before {
                res,
                version: row.get(0)?,
                updated: Timestamp::from_micros(row.get(1)?),
                event: row.get(2)?,
                digest: row.get(3)?,
                live: row.get::<_, i64>(4)? == LIVE,
            })
        });
        Ok(found.optional()?)
    }

    fn take_key(&mut self, claim: &KeyClaim) -> Result<(), Fault> {
        let res = stored::Numbers::resource(&mut self.numbers(), claim.resource_type, &claim.id)?;
        let mut insert = self
            .conn
            .prepare_cached("INSERT OR REPLACE INTO business_key VALUES (?, ?, ?, ?)")?;
        let key = &claim.key;
        insert.execute(params![key.system, key.kind, key.value, res])?;
        Ok(())
    }

    fn change(&mut self, change: &Change, before: Option<Before>) -> Result<Written, Fault> {
        let resource_type = change.resource_type();
        match &change.state {
            NewState::Body(body) => self.put(&change.id, body, before, change.event),
            NewState::Deleted { .. } => {
                self.delete(resource_type, &change.id, before, change.event)
            }
        }
    }

    fn put(
        &mut self,
        id: &str,
        body: &Prepared,
        before: Option<Before>,
        event: Option<Timestamp>,
    ) -> Result<Written, Fault> {
        let (written, _) = self.put_flagged(id, body, before, (event, 0))?;
        Ok(written)
    }

    /// Writes a version. `marks` are the event's time and the flags of the posting set.
    pub(crate) fn put_flagged(
        &mut self,
        id: &str,
        body: &Prepared,
        before: Option<Before>,
        marks: (Option<Timestamp>, u8),
    ) -> Result<(Written, Res), Fault> {
        let (event, flags) = marks;
        let resource_type = body.extraction.resource_type;
        let type_number = self.type_number(resource_type)?;
        let event = latest(event, before.as_ref());
        if let Some(before) = before.filter(|b| b.live && b.digest == body.body.digest) {
            if event != before.event {
                self.conn
                    .prepare_cached("UPDATE resource SET event = ? WHERE res = ?")?
                    .execute(params![event, before.res])?;
            }
            let written = unchanged(resource_type, id, &before);
            return Ok((written, before.res));
        }
        let (res, fresh) = self.numbers().claim(type_number, id)?;
        let patients = compartments(id, &body.extraction);
        let new_set = stored::encode(&body.extraction, &patients, flags, &mut self.numbers())?;
        self.replace_set(res, before.is_some_and(|b| b.live), Some(&new_set))?;
        let outcome = if before.is_some_and(|b| b.live) {
            Outcome::Updated
        } else {
            Outcome::Created
        };
        let version = before.map_or(0, |b| b.version) + 1;
        let row = Row {
            res,
            type_number,
            id,
            version,
            event,
            digest: body.body.digest,
        };
        let stored = Some((i64::from(body.body.dictionary), &*body.body.bytes));
        let updated = self.add_version(&row, outcome, stored)?;
        self.set_resource(&row, fresh, LIVE)?;
        if outcome == Outcome::Created {
            self.count(type_number, 1)?;
        }
        let id = id.to_owned();
        Ok((
            Written {
                resource_type,
                id,
                version,
                updated,
                outcome,
            },
            res,
        ))
    }

    pub(crate) fn delete(
        &mut self,
        resource_type: &'static str,
        id: &str,
        before: Option<Before>,
        event: Option<Timestamp>,
    ) -> Result<Written, Fault> {
        let Some(before) = before else {
            let none = Before {
                res: 0,
                version: 0,
                updated: self.counters.now,
                event: None,
                digest: 0,
                live: false,
            };
            return Ok(unchanged(resource_type, id, &none));
        };
        if !before.live {
            return Ok(unchanged(resource_type, id, &before));
        }
        let type_number = self.type_number(resource_type)?;
        self.replace_set(before.res, true, None)?;
        let event = latest(event, Some(&before));
        let version = before.version + 1;
        let row = Row {
            res: before.res,
            type_number,
            id,
            version,
            event,
            digest: 0,
        };
        let updated = self.add_version(&row, Outcome::Deleted, None)?;
        self.set_resource(&row, false, DELETED)?;
        self.count(type_number, -1)?;
        let id = id.to_owned();
        Ok(Written {
            resource_type,
            id,
            version,
            updated,
            outcome: Outcome::Deleted,
        })
    }

    fn replace_set(&mut self, res: Res, had: bool, new: Option<&[u8]>) -> Result<(), Fault> {
        let old = if had { self.set_of(res)? } else { Vec::new() };
        let difference = key::changed(Set::read(&old), new.and_then(Set::read));
        self.stage.put(res, difference);
        match new {
            Some(new) if old != new => {
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO posting_set VALUES (?, ?)")?
                    .execute(params![res, new])?;
            }
            Some(_) => {}
            None => {
                self.conn
                    .prepare_cached("DELETE FROM posting_set WHERE res = ?")?
                    .execute([res])?;
            }
        }
        Ok(())
    }

    pub(super) fn set_of(&self, res: Res) -> Result<Vec<u8>, Fault> {
        Ok(self.session().set(res)?.unwrap_or_default())
    }

    fn add_version(
        &mut self,
        row: &Row<'_>,
        outcome: Outcome,
        body: Option<(i64, &[u8])>,
    ) -> Result<Timestamp, Fault> {
        self.counters.last_rid += 1;
        let (dictionary, bytes) = body.unzip();
        let face = Face {
            rid: self.counters.last_rid,
            res: row.res,
            resource_type: self.types.name(row.type_number).unwrap_or_default(),
            id: row.id,
            version: row.version,
            updated: self.counters.now.micros(),
            outcome: outcome_number(outcome),
        };
        let mut insert = self
            .conn
            .prepare_cached("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        insert.execute(params![
            self.counters.last_rid,
            row.res,
            row.type_number,
            row.version,
            self.counters.now.micros(),
            row.event,
            outcome_number(outcome),
            dictionary.unwrap_or(0),
            bytes,
            face.sum(dictionary.unwrap_or(0), bytes),
        ])?;
        Ok(self.counters.now)
    }

    fn set_resource(&self, row: &Row<'_>, fresh: bool, state: i64) -> Result<(), Fault> {
        let sql = if fresh {
            "INSERT INTO resource (type, id, rid, version, updated, event, digest, state, res) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        } else {
            "UPDATE resource SET type = ?, id = ?, rid = ?, version = ?, updated = ?, event = ?, \
             digest = ?, state = ? WHERE res = ?"
        };
        self.conn.prepare_cached(sql)?.execute(params![
            row.type_number,
            row.id,
            self.counters.last_rid,
            row.version,
            self.counters.now.micros(),
            row.event,
            row.digest,
            state,
            row.res,
        ])?;
        Ok(())
    }

    fn count(&self, type_number: i64, by: i64) -> Result<(), Fault> {
        self.conn
            .prepare_cached("UPDATE type SET n_live = n_live + ? WHERE number = ?")?
            .execute([by, type_number])?;
        Ok(())
    }

    fn keep_lineage(
        &mut self,
        written: &Written,
        message: &[u8],
        origins: &[u8],
    ) -> Result<(), Fault> {
        // A change without effect adds no lineage.
        if matches!(written.outcome, Outcome::Unchanged) {
            return Ok(());
        }
        let type_number = self.type_number(written.resource_type)?;
        let Some(res) = self.numbers().find(type_number, &written.id)? else {
            return Err(Fault::Damaged("a written resource has no number"));
        };
        let mut insert = self
            .conn
            .prepare_cached("INSERT OR REPLACE INTO lineage VALUES (?, ?, ?, ?, ?)")?;
        let updated = written.updated.micros();
        insert.execute(params![res, written.version, message, updated, origins])?;
        Ok(())
    }

    /// Writes the buffered rows.
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        self.names.flush(self.conn)?;
        stage::flush(self.stage, self.conn)
    }

    pub(crate) fn session(&self) -> SqliteSession<'_> {
        SqliteSession::new(self.conn, self.types)
    }

    pub(crate) fn numbers(&mut self) -> WriterNumbers<'_> {
        WriterNumbers {
            conn: self.conn,
            types: self.types,
            names: self.names,
        }
    }

    pub(crate) fn type_number(&self, resource_type: &str) -> Result<i64, Fault> {
        self.types
            .number(resource_type)
            .ok_or(Fault::Damaged("a type has no number"))
    }
}

/// Returns the message that a batch applies.
fn message(batch: &Batch) -> Option<&[u8]> {
    Some(batch.applied.as_ref()?.message.as_slice())
}

/// Returns the source Patients among the changes, with their new identities.
fn identities<'b>(
    changes: &'b [Change],
    before: &[Option<Before>],
) -> Vec<(&'b str, Option<&'b Identity>)> {
    let changes = changes.iter().zip(before);
    let found = changes.filter_map(|(change, before)| match &change.state {
        // A record that turns out to be an animal's no longer belongs to a person.
        NewState::Body(body) => {
            let was_there = change.resource_type() == "Patient" && before.is_some();
            let counts = body.identity.is_some() || was_there;
            counts.then_some((&*change.id, body.identity.as_ref()))
        }
        NewState::Deleted { .. } => {
            let was_there = change.resource_type() == "Patient" && before.is_some();
            was_there.then_some((&*change.id, None))
        }
    });
    found.collect()
}

/// A row of `resource`.
struct Row<'a> {
    res: Res,
    type_number: i64,
    id: &'a str,
    version: u32,
    event: Option<i64>,
    digest: i64,
}
