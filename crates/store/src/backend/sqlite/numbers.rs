//! The numbers of names, assigned on first use.
//!
//! Invariants:
//! - a number is assigned once and never reused: a resource that others name before it exists keeps
//!   the number when it is created;
//! - after a rollback the cached names are cleared, because some of them were never committed.

use crate::backend::Fault;
use crate::backend::sqlite::schema::{NAMED, TypeNumbers};
use crate::backend::stored::{Numbers, Res};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// The maximum number of cached names of each kind. Above it, all are cleared.
const MAX_REMEMBERED: usize = 200_000;

/// The names that the writer has seen.
#[derive(Debug, Default)]
pub(crate) struct Names {
    systems: HashMap<Box<str>, i64>,
    resources: HashMap<i64, HashMap<Box<str>, Res>>,
    n_resources: usize,
    /// Names of this commit, written in sorted order at its end.
    fresh: Vec<(i64, Box<str>, Res)>,
    last_res: Res,
}

/// Names, with the connection to look them up.
pub(crate) struct WriterNumbers<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) types: &'a TypeNumbers,
    pub(crate) names: &'a mut Names,
}

// === impl Names ===

impl Names {
    /// Resets the cache after a start or a rollback.
    pub(crate) fn reset(&mut self, last_res: Res) {
        *self = Self {
            last_res,
            ..Self::default()
        };
    }

    /// Writes the names of this commit.
    pub(crate) fn flush(&mut self, conn: &Connection) -> Result<(), Fault> {
        self.fresh.sort_unstable();
        let mut insert = conn.prepare_cached("INSERT INTO name VALUES (?, ?, ?)")?;
        for (type_number, id, res) in self.fresh.drain(..) {
            insert.execute(params![type_number, id, res])?;
        }
        if MAX_REMEMBERED < self.n_resources {
            self.resources.clear();
            self.n_resources = 0;
        }
        if MAX_REMEMBERED < self.systems.len() {
            self.systems.clear();
        }
        Ok(())
    }

    /// Returns the number of a resource that the writer has seen.
    pub(crate) fn seen(&self, type_number: i64, id: &str) -> Option<Res> {
        self.resources.get(&type_number)?.get(id).copied()
    }

    fn remember(&mut self, type_number: i64, id: &str, res: Res) {
        self.resources
            .entry(type_number)
            .or_default()
            .insert(id.into(), res);
        self.n_resources += 1;
    }
}

// === impl WriterNumbers ===

impl WriterNumbers<'_> {
    /// Returns the number of a resource; true if it was assigned just now and has no row yet.
    pub(crate) fn claim(&mut self, type_number: i64, id: &str) -> Result<(Res, bool), Fault> {
        if let Some(res) = self.names.seen(type_number, id) {
            return Ok((res, false));
        }
        let mut select = self
            .conn
            .prepare_cached("SELECT res FROM name WHERE type = ? AND id = ?")?;
        let found = select
            .query_row(params![type_number, id], |row| row.get(0))
            .optional()?;
        if let Some(res) = found {
            self.names.remember(type_number, id, res);
            return Ok((res, false));
        }
        self.names.last_res += 1;
        let res = self.names.last_res;
        self.names.remember(type_number, id, res);
        self.names.fresh.push((type_number, id.into(), res));
        Ok((res, true))
    }

    /// Returns the number of a resource, if it has one.
    pub(crate) fn find(&self, type_number: i64, id: &str) -> Result<Option<Res>, Fault> {
        if let Some(res) = self.names.seen(type_number, id) {
            return Ok(Some(res));
        }
        let mut select = self
            .conn
            .prepare_cached("SELECT res FROM name WHERE type = ? AND id = ?")?;
        Ok(select
            .query_row(params![type_number, id], |row| row.get(0))
            .optional()?)
    }
}

impl Numbers for WriterNumbers<'_> {
    type Error = Fault;

    fn system(&mut self, uri: &str) -> Result<i64, Fault> {
        if let Some(number) = self.names.systems.get(uri) {
            return Ok(*number);
        }
        let mut select = self
            .conn
            .prepare_cached("SELECT number FROM system WHERE uri = ?")?;
        let mut found = select.query_row([uri], |row| row.get(0)).optional()?;
        if found.is_none() {
            self.conn
                .prepare_cached("INSERT INTO system (uri) VALUES (?)")?
                .execute([uri])?;
            found = Some(self.conn.last_insert_rowid());
        }
        let number = found.unwrap_or_default();
        self.names.systems.insert(uri.into(), number);
        Ok(number)
    }

    fn resource(&mut self, resource_type: &'static str, id: &str) -> Result<Res, Fault> {
        let type_number = self.resource_type(resource_type)?;
        let (res, fresh) = self.claim(type_number, id)?;
        if fresh {
            let mut insert = self.conn.prepare_cached(
                "INSERT INTO resource (res, type, id, rid, version, updated, digest, state) \
                 VALUES (?, ?, ?, 0, 0, 0, 0, ?)",
            )?;
            insert.execute(params![res, type_number, id, NAMED])?;
        }
        Ok(res)
    }

    fn resource_type(&mut self, resource_type: &'static str) -> Result<i64, Fault> {
        self.types
            .number(resource_type)
            .ok_or(Fault::Damaged("a type has no number"))
    }
}
