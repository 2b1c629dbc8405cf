//! Reading from the chart.

use crate::audit;
use crate::backend::find;
use crate::backend::sqlite::contradiction;
use crate::backend::sqlite::precondition::is_imported;
use crate::backend::sqlite::read::Versions;
use crate::backend::sqlite::session::SqliteSession;
use crate::backend::stored::Res;
use crate::backend::{Fault, Session, persons, resolve};
use crate::chart::packed;
use crate::chart::{
    AppliedAt, BusinessKey, Chart, EverythingPage, History, HistoryOf, HistoryPage, Limits, Origin,
    Page, Person, Read, ReadError, Statistics, Traced,
};
use access::Permit;
use base::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use search::Query;
use std::sync::atomic::Ordering;

// === impl Chart ===

impl Chart {
    /// Reads the current version of a resource.
    pub fn read(&self, permit: &Permit, resource_type: &str, id: &str) -> Result<Read, ReadError> {
        let number = self.type_number(resource_type)?;
        self.look(|session| {
            let rows = resolve::rows(session, permit.filter())?;
            session.read(&rows, number, id)
        })
    }

    /// Reads one version of a resource.
    pub fn vread(
        &self,
        permit: &Permit,
        resource_type: &str,
        id: &str,
        version: u32,
    ) -> Result<Read, ReadError> {
        let number = self.type_number(resource_type)?;
        self.look(|session| {
            let rows = resolve::rows(session, permit.filter())?;
            session.vread(&rows, (number, id), version)
        })
    }

    /// Returns versions, newest first. The history of a resource that never existed is empty.
    pub fn history(
        &self,
        permit: &Permit,
        of: HistoryOf<'_>,
        page: &HistoryPage,
    ) -> Result<History, ReadError> {
        let number = match of {
            HistoryOf::Resource { resource_type, .. } | HistoryOf::Type(resource_type) => {
                self.type_number(resource_type)?
            }
            HistoryOf::System => 0,
        };
        self.look_once(|session| {
            let rows = resolve::rows(session, permit.filter())?;
            let versions = match of {
                HistoryOf::Resource { resource_type, id } => {
                    match session.resource(resource_type, id)? {
                        Some(res) => Versions::Of(res),
                        None => return Ok(History::default()),
                    }
                }
                HistoryOf::Type(_) => Versions::OfType(number),
                HistoryOf::System => Versions::All,
            };
            let history = session.history(&rows, versions, page)?;
            if let HistoryOf::Resource { id, .. } = of
                && history.entries.iter().any(|entry| entry.resource.id != id)
            {
                return Err(Fault::Damaged("a name leads to another resource"));
            }
            Ok(history)
        })
    }

    /// Returns a page of matching resources. May take milliseconds, so do not call it on an async
    /// runtime's own thread.
    pub fn search(
        &self,
        permit: &Permit,
        query: &Query,
        limits: Limits,
    ) -> Result<Page, ReadError> {
        self.look_once(|session| {
            let rows = resolve::rows(session, permit.filter())?;
            let found = find::page(session, &rows, query, limits)?;
            Ok(Page {
                matches: session.load_found(&found.matches, query.resource_type)?,
                included: session.load(&found.included.found)?,
                includes_cut: found.included.cut,
                total: found.total,
                next: found.next,
                persons: found.persons,
            })
        })
    }

    /// Returns a page of patients and everything in their compartments. A person stands for all its
    /// records and is answered in the person view.
    pub fn everything(
        &self,
        permit: &Permit,
        patients: &[String],
        page: &EverythingPage,
    ) -> Result<Page, ReadError> {
        self.look_once(|session| {
            let rows = resolve::rows(session, permit.filter())?;
            session.everything(&rows, patients, page)
        })
    }

    /// Returns the type and id of the resource that a business key names. The resource may be
    /// deleted.
    pub fn lookup(
        &self,
        permit: &Permit,
        key: &BusinessKey,
    ) -> Result<Option<(&'static str, String)>, ReadError> {
        self.look(|session| {
            let rows = resolve::rows(session, permit.filter())?;
            let named = session.lookup(&rows, key)?;
            Ok(named.map(|named| (named.resource_type, named.id)))
        })
    }

    /// Returns the business keys of a resource.
    pub fn keys_of(
        &self,
        permit: &Permit,
        resource_type: &str,
        id: &str,
    ) -> Result<Vec<BusinessKey>, ReadError> {
        self.look_at(permit, resource_type, id, |session, res| {
            let mut statement = session
                .conn
                .prepare_cached("SELECT system, kind, value FROM business_key WHERE res = ?")?;
            let keys = statement.query_map([res], |row| {
                Ok(BusinessKey {
                    system: row.get(0)?,
                    kind: row.get(1)?,
                    value: row.get(2)?,
                })
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
    }

    /// Returns the lineage of a resource's values, newest first; `element` restricts it to one
    /// element and its descendants.
    pub fn lineage(
        &self,
        permit: &Permit,
        resource_type: &str,
        id: &str,
        element: Option<&str>,
    ) -> Result<Vec<Traced>, ReadError> {
        self.look_at(permit, resource_type, id, |session, res| {
            let mut statement = session.conn.prepare_cached(
                "SELECT version, updated, message, origins FROM lineage WHERE res = ? \
                 ORDER BY version DESC",
            )?;
            let mut rows = statement.query([res])?;
            let mut traced = Vec::new();
            while let Some(row) = rows.next()? {
                let bytes: Vec<u8> = row.get(3)?;
                let origins =
                    packed::read_origins(&bytes).ok_or(Fault::Damaged("a version's lineage"))?;
                let (version, message): (u32, Vec<u8>) = (row.get(0)?, row.get(2)?);
                let updated = row.get(1).map(Timestamp::from_micros)?;
                let wanted =
                    |origin: &Origin| element.is_none_or(|e| is_within(&origin.element, e));
                traced.extend(origins.into_iter().filter(wanted).map(|origin| Traced {
                    version,
                    updated,
                    message: message.clone(),
                    origin,
                }));
            }
            Ok(traced)
        })
    }

    /// Returns the type, id and version of each resource that a message changed.
    pub fn made_of(
        &self,
        permit: &Permit,
        message: &[u8],
    ) -> Result<Vec<(&'static str, String, u32)>, ReadError> {
        self.look(|session| {
            let rows = resolve::rows(session, permit.filter())?;
            let mut statement = session
                .conn
                .prepare_cached("SELECT res, version FROM lineage WHERE message = ?")?;
            let mut found = statement.query([message])?;
            let mut made = Vec::new();
            while let Some(row) = found.next()? {
                let res = row.get(0)?;
                let (resource_type, id) = session.name(res)?;
                if session.may_see(&rows, resource_type, res)? {
                    made.push((resource_type, id, row.get(1)?));
                }
            }
            Ok(made)
        })
    }

    /// Returns every application of a message, the latest first; empty if it is not in the chart.
    pub fn applied(&self, message: &[u8]) -> Result<Vec<AppliedAt>, ReadError> {
        self.look(|session| {
            let mut statement = session.conn.prepare_cached(
                "SELECT a.map_version, a.at, c.concerns FROM applied a \
                 LEFT JOIN applied_concern c \
                 ON c.message = a.message AND c.map_version = a.map_version \
                 WHERE a.message = ? ORDER BY a.at DESC",
            )?;
            let rows = statement.query_map([message], |row| {
                let at = row.get(1).map(Timestamp::from_micros)?;
                Ok(AppliedAt {
                    map_version: row.get(0)?,
                    at,
                    concerns: row.get(2)?,
                    contradictions: Vec::new(),
                })
            })?;
            let mut found: Vec<AppliedAt> = rows.collect::<Result<_, _>>()?;
            if let Some(newest) = found.first_mut() {
                newest.contradictions = contradiction::of_message(session.conn, message)?;
            }
            Ok(found)
        })
    }

    /// Returns true if an input with this digest was imported.
    pub fn was_imported(&self, digest: &[u8; 32]) -> Result<bool, ReadError> {
        self.look(|session| is_imported(session.conn, digest))
    }

    /// Returns the person to which a source Patient belongs, the person that a retired one became,
    /// or the person that the Patient is itself.
    pub fn person_of(&self, permit: &Permit, patient: &str) -> Result<Option<Person>, ReadError> {
        self.look_once(|session| {
            let Some(res) = session.resource("Patient", patient)? else {
                return Ok(None);
            };
            let rows = resolve::rows(session, permit.filter())?;
            let Some(person) = (match session.person_of(res)? {
                Some(person) => Some(person),
                None => persons::living(session, res)?,
            }) else {
                return Ok(None);
            };
            let mut members = session.members(person)?;
            members.sort_unstable();
            let mut ids = Vec::with_capacity(members.len());
            for member in members {
                if session.may_see(&rows, "Patient", member)? {
                    ids.push(session.name(member)?.1);
                }
            }
            if ids.is_empty() {
                return Ok(None);
            }
            Ok(Some(Person {
                id: session.name(person)?.1,
                members: ids,
            }))
        })
    }

    /// Returns audit entries that committed with writes but are not relayed yet, in order.
    pub fn audit_relay(&self, limit: usize) -> Result<Vec<(u64, audit::Entry)>, ReadError> {
        self.look(|session| {
            let mut statement = session
                .conn
                .prepare_cached("SELECT number, entry FROM audit_relay ORDER BY number LIMIT ?")?;
            let mut rows = statement.query([limit as i64])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                let bytes: Vec<u8> = row.get(1)?;
                let entry = packed::read_audit(&bytes).ok_or(Fault::Damaged("an audit entry"))?;
                entries.push((row.get::<_, i64>(0)? as u64, entry));
            }
            Ok(entries)
        })
    }

    /// Returns statistics for metrics and the console.
    pub fn statistics(&self) -> Result<Statistics, ReadError> {
        let engine = &self.0.engine;
        let mut statistics = self.look_once(|session| {
            let mut resources = Vec::new();
            for (name, number) in engine.types.names() {
                let n_live = session.census(number)?;
                if 0 < n_live {
                    resources.push((name, n_live));
                }
            }
            resources.sort_unstable();
            let updated = newest(session.conn)?;
            Ok(Statistics {
                resources,
                updated,
                ..Statistics::default()
            })
        })?;
        statistics.versions = engine.shared.versions.load(Ordering::Relaxed);
        statistics.queued = engine.shared.queue.len();
        // A log that does not exist has size zero.
        let sizes = engine
            .files()
            .map(|file| file.metadata().map_or(0, |found| found.len()));
        statistics.bytes = sizes.iter().sum();
        Ok(statistics)
    }

    pub(super) fn type_number(&self, resource_type: &str) -> Result<i64, ReadError> {
        let number = self.0.engine.types.number(resource_type);
        number.ok_or_else(|| ReadError::UnknownType(resource_type.to_owned()))
    }

    /// Runs one statement, or several that need not see the same state.
    fn look<T>(
        &self,
        work: impl FnOnce(&SqliteSession<'_>) -> Result<T, Fault>,
    ) -> Result<T, ReadError> {
        let engine = &self.0.engine;
        let found = engine
            .pool
            .with(|conn| work(&SqliteSession::new(conn, &engine.types)));
        found.map_err(|fault| self.read_error(fault))
    }

    /// Runs several statements on one snapshot.
    pub(super) fn look_once<T>(
        &self,
        work: impl FnOnce(&SqliteSession<'_>) -> Result<T, Fault>,
    ) -> Result<T, ReadError> {
        let engine = &self.0.engine;
        let found = engine
            .pool
            .with_snapshot(|conn| work(&SqliteSession::new(conn, &engine.types)));
        found.map_err(|fault| self.read_error(fault))
    }

    /// Reads data that belongs to one resource, which must be visible.
    fn look_at<T: Default>(
        &self,
        permit: &Permit,
        resource_type: &str,
        id: &str,
        work: impl FnOnce(&SqliteSession<'_>, Res) -> Result<T, Fault>,
    ) -> Result<T, ReadError> {
        self.look_once(|session| {
            let Some(res) = session.resource(resource_type, id)? else {
                return Ok(T::default());
            };
            let rows = resolve::rows(session, permit.filter())?;
            if !session.may_see(&rows, resource_type, res)? {
                return Ok(T::default());
            }
            work(session, res)
        })
    }

    fn damaged(&self, what: std::borrow::Cow<'static, str>) -> ReadError {
        let error = ReadError::Damaged { what };
        self.damage().meet(&error.to_string());
        error
    }

    pub(super) fn read_error(&self, fault: Fault) -> ReadError {
        match fault {
            Fault::Sqlite(source) => {
                let error = ReadError::File {
                    path: self.0.engine.shared.path.clone(),
                    source,
                };
                if error.is_damage() {
                    self.damage().meet(&error.to_string());
                }
                error
            }
            Fault::Server(source) => ReadError::Server { source },
            Fault::Again => ReadError::Server {
                source: Box::new(fault),
            },
            Fault::Damaged(what) => self.damaged(what.into()),
            Fault::Rotten(what) => self.damaged(String::from(what).into()),
            Fault::Cursor => ReadError::Cursor,
        }
    }
}

fn is_within(element: &str, asked: &str) -> bool {
    element
        .strip_prefix(asked)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn newest(conn: &Connection) -> Result<Option<Timestamp>, Fault> {
    let mut statement =
        conn.prepare_cached("SELECT updated FROM version ORDER BY rid DESC LIMIT 1")?;
    let found: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(found.map(Timestamp::from_micros))
}
