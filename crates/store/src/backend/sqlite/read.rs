//! Reads versions: a single one, a history, the resources of a page.

use super::face::Face;
use super::schema::LIVE;
use super::session::SqliteSession;
use crate::backend::change::compartments;
use crate::backend::pass::visible;
use crate::backend::plan::Rows;
use crate::backend::stored::{Res, Set};
use crate::backend::{Fault, Session, cursor};
use crate::chart::body;
use crate::chart::{
    BusinessKey, History, HistoryEntry, HistoryPage, Named, Outcome, Read, Resource,
};
use base::Timestamp;
use fhir::json::Document;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

const CURRENT: &str = "SELECT r.type, r.id, v.version, v.updated, v.rid, r.event, v.outcome, \
     v.dictionary, v.body, r.res, v.sum, r.digest, r.rid FROM name n JOIN resource r ON r.res = n.res \
     JOIN version v ON v.rid = r.rid WHERE n.type = ? AND n.id = ?";
const BY_NUMBER: &str = "SELECT r.type, r.id, v.version, v.updated, v.rid, r.event, v.outcome, \
     v.dictionary, v.body, r.res, v.sum, r.digest, r.rid FROM resource r JOIN version v ON v.rid = r.rid \
     WHERE r.res = ? AND r.state = 1";
const BY_KEY: &str = "SELECT r.res, r.type, r.id, r.state FROM business_key k JOIN resource r ON r.res = k.res \
     WHERE k.system = ? AND k.kind = ? AND k.value = ?";
const BY_BEGINNING: &str = "SELECT r.res, r.type, r.id FROM business_key k JOIN resource r ON r.res = k.res \
     WHERE k.system = ?1 AND k.kind = ?2 AND r.state = ?5 \
     AND (k.value = ?3 OR k.value >= ?3 || '|' AND k.value < ?3 || '}') LIMIT ?4";
const ONE_VERSION: &str = "SELECT r.type, r.id, v.version, v.updated, v.rid, v.event, v.outcome, \
     v.dictionary, v.body, r.res, v.sum, r.digest, r.rid FROM name n JOIN resource r ON r.res = n.res \
     JOIN version v ON v.res = r.res AND v.version = ? WHERE n.type = ? AND n.id = ?";
const VERSIONS: &str = "SELECT r.type, r.id, v.version, v.updated, v.rid, v.event, v.outcome, \
     v.dictionary, v.body, r.res, v.sum, r.digest, r.rid FROM version v JOIN resource r ON r.res = v.res WHERE ";

/// The subject of a history, in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Versions {
    Of(Res),
    OfType(i64),
    All,
}

/// A version as stored in its row.
struct Stored {
    outcome: Outcome,
    resource: Resource,
    res: Res,
}

// === impl SqliteSession ===

impl SqliteSession<'_> {
    pub(crate) fn read(&self, rows: &Rows, type_number: i64, id: &str) -> Result<Read, Fault> {
        let mut statement = self.conn.prepare_cached(CURRENT)?;
        let found = statement
            .query_row(params![type_number, id], |row| Ok(self.version(row)))
            .optional()?;
        self.answer(rows, id, found)
    }

    pub(crate) fn vread(
        &self,
        rows: &Rows,
        (type_number, id): (i64, &str),
        version: u32,
    ) -> Result<Read, Fault> {
        let mut statement = self.conn.prepare_cached(ONE_VERSION)?;
        let found = statement
            .query_row(params![version, type_number, id], |row| {
                Ok(self.version(row))
            })
            .optional()?;
        self.answer(rows, id, found)
    }

    /// Returns the resource that a business key names.
    pub(crate) fn lookup(&self, rows: &Rows, key: &BusinessKey) -> Result<Option<Named>, Fault> {
        let mut statement = self.conn.prepare_cached(BY_KEY)?;
        let found: Option<(Res, i64, String, i64)> = statement
            .query_row(params![key.system, key.kind, key.value], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((res, number, id, state)) = found else {
            return Ok(None);
        };
        let name = self.types.name(number);
        let resource_type = name.ok_or(Fault::Damaged("a number has no type"))?;
        Ok(self.may_see(rows, resource_type, res)?.then_some(Named {
            resource_type,
            id,
            is_live: state == LIVE,
        }))
    }

    /// Returns the ids of the resources that exist under a key's value, or under one that continues
    /// it with `|`.
    pub(crate) fn lookup_all(
        &self,
        rows: &Rows,
        key: &BusinessKey,
        most: usize,
    ) -> Result<Vec<String>, Fault> {
        let mut statement = self.conn.prepare_cached(BY_BEGINNING)?;
        // `}` is the character after `|`.
        let bound = params![key.system, key.kind, key.value, most as i64, LIVE];
        let found = statement.query_map(bound, |row| {
            Ok::<(Res, i64, String), rusqlite::Error>((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let mut ids = Vec::new();
        for row in found {
            let (res, number, id) = row?;
            let name = self.types.name(number);
            let resource_type = name.ok_or(Fault::Damaged("a number has no type"))?;
            if self.may_see(rows, resource_type, res)? {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    fn answer(
        &self,
        rows: &Rows,
        id: &str,
        found: Option<Result<Stored, Fault>>,
    ) -> Result<Read, Fault> {
        let Some(found) = found.transpose()? else {
            return Ok(Read::Missing);
        };
        if found.resource.id != id {
            return Err(Fault::Damaged("a name leads to another resource"));
        }
        if !self.may_see(rows, found.resource.resource_type, found.res)?
            || !self.may_see_version(rows, &found.resource)?
        {
            return Ok(Read::Missing);
        }
        Ok(match found.outcome {
            Outcome::Deleted => Read::Gone {
                version: found.resource.version,
                updated: found.resource.updated,
            },
            Outcome::Created | Outcome::Updated | Outcome::Unchanged => {
                Read::Found(Box::new(found.resource))
            }
        })
    }

    /// Returns true if the caller may see a resource. A deleted resource is in no compartment, so
    /// only a caller who may see all of the type sees the delete.
    pub(crate) fn may_see(
        &self,
        rows: &Rows,
        resource_type: &str,
        res: Res,
    ) -> Result<bool, Fault> {
        match rows {
            Rows::Everything => Ok(true),
            Rows::Nothing => Ok(false),
            Rows::Types(_) => Ok(self
                .type_number(resource_type)
                .is_some_and(|n| rows.covers_type(n))),
            Rows::Patients { .. } => {
                let bytes = self.set(res)?.unwrap_or_default();
                Ok(Set::read(&bytes).is_some_and(|set| visible(rows, &set)))
            }
        }
    }

    /// Returns true if the caller may see a version. An older one may have been about another
    /// patient before it was corrected.
    fn may_see_version(&self, rows: &Rows, resource: &Resource) -> Result<bool, Fault> {
        let Rows::Patients { patients, .. } = rows else {
            return Ok(true);
        };
        let Ok(document) = Document::parse(&resource.body) else {
            // A delete has no body.
            return Ok(resource.body.is_empty());
        };
        let extraction = search::extract(&document);
        for patient in compartments(&resource.id, &extraction) {
            let own = self.resource("Patient", patient)?;
            if own.is_some_and(|own| patients.contains(&own)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Loads the hits of a search. They must be existing resources of its type, otherwise the index
    /// is damaged.
    pub(crate) fn load_found(&self, found: &[Res], asked: &str) -> Result<Vec<Resource>, Fault> {
        let resources = self.load(found)?;
        let fits = |resource: &Resource| resource.resource_type == asked;
        if resources.len() != found.len() || !resources.iter().all(fits) {
            return Err(Fault::Damaged("an index leads to what is not there"));
        }
        Ok(resources)
    }

    /// Returns the second newest body of a resource.
    pub(crate) fn body_before(&self, res: Res) -> Result<Option<Vec<u8>>, Fault> {
        let sql = format!(
            "{VERSIONS} v.res = ? AND v.body IS NOT NULL ORDER BY v.version DESC LIMIT 1 OFFSET 1"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let found = statement
            .query_row([res], |row| Ok(self.version(row)))
            .optional()?
            .transpose()?;
        Ok(found.map(|found| found.resource.body))
    }

    /// Returns the current versions of some resources, in their order.
    pub(crate) fn load(&self, found: &[Res]) -> Result<Vec<Resource>, Fault> {
        let mut statement = self.conn.prepare_cached(BY_NUMBER)?;
        let mut resources = Vec::with_capacity(found.len());
        for res in found {
            let row = statement
                .query_row([res], |row| Ok(self.version(row)))
                .optional()?;
            if let Some(stored) = row.transpose()? {
                resources.push(stored.resource);
            }
        }
        Ok(resources)
    }

    pub(crate) fn history(
        &self,
        rows: &Rows,
        versions: Versions,
        page: &HistoryPage,
    ) -> Result<History, Fault> {
        let count = if page.count == 0 {
            100
        } else {
            page.count as usize
        };
        let mut sql = VERSIONS.to_owned();
        let mut values: Vec<Value> = Vec::new();
        match versions {
            Versions::Of(res) => {
                sql.push_str("v.res = ?");
                values.push(res.into());
            }
            Versions::OfType(type_number) => {
                sql.push_str("v.type = ?");
                values.push(type_number.into());
            }
            Versions::All => sql.push('1'),
        }
        if let Some(text) = &page.cursor {
            sql.push_str(" AND v.rid < ?");
            values.push(cursor::read(self, HISTORY, text)?.res.into());
        }
        let order = if matches!(versions, Versions::Of(_)) {
            "version"
        } else {
            "rid"
        };
        let sql = format!("{sql} ORDER BY v.{order} DESC");
        let mut history = History::default();
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut found = statement.query(params_from_iter(&values))?;
        while let Some(row) = found.next()? {
            // Times increase with versions, so all that follow are older.
            if page
                .since
                .is_some_and(|since| at(row, 3).is_ok_and(|at| at < since))
            {
                break;
            }
            let resource_type = self.types.name(row.get(0)?).unwrap_or_default();
            if !self.may_see(rows, resource_type, row.get(9)?)? {
                continue;
            }
            let Stored {
                outcome, resource, ..
            } = self.version(row)?;
            if !self.may_see_version(rows, &resource)? {
                continue;
            }
            if history.entries.len() == count {
                let last = history.entries.last().map_or(0, |entry| entry.resource.rid);
                let after = crate::backend::plan::After {
                    keys: Vec::new(),
                    res: last as Res,
                };
                history.next = Some(cursor::write(self, HISTORY, &after)?);
                break;
            }
            history.entries.push(HistoryEntry { outcome, resource });
        }
        Ok(history)
    }

    fn version(&self, row: &Row<'_>) -> Result<Stored, Fault> {
        let resource_type = self
            .types
            .name(row.get(0)?)
            .ok_or(Fault::Damaged("a type has no name"))?;
        let (id, version): (String, u32) = (row.get(1)?, row.get(2)?);
        let updated = at(row, 3)?;
        let face = Face {
            rid: row.get(4)?,
            res: row.get(9)?,
            resource_type,
            id: &id,
            version,
            updated: updated.micros(),
            outcome: row.get(6)?,
        };
        let body = match face.body(row, 7)? {
            Some(plain) => body::splice(&plain, &id, version, updated),
            None => Vec::new(),
        };
        let outcome = match row.get::<_, i64>(6)? {
            1 => Outcome::Created,
            2 => Outcome::Updated,
            3 => Outcome::Deleted,
            _ => return Err(Fault::Damaged("a version has no outcome")),
        };
        let event = row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros);
        let rid = row.get::<_, i64>(4)? as u64;
        let resource = Resource {
            resource_type,
            id,
            version,
            updated,
            rid,
            event,
            body,
        };
        Ok(Stored {
            outcome,
            resource,
            res: row.get(9)?,
        })
    }
}

/// The mark of the cursors of histories.
const HISTORY: u32 = 0x6869_7374;

fn at(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}
