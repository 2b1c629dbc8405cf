//! The engine for several machines: PostgreSQL.
//!
//! Invariants:
//! - nodes are equal and keep no state: each commit takes the next numbers under a lock in the
//!   database, so rid order is commit order, whatever node writes;
//! - plans, their execution, paging and includes are those of the embedded engine
//!   ([`crate::backend::execute`]); this module only fetches numbers and posting sets;
//! - a feature that this engine lacks is refused, and nothing is left half done.

mod apply;
mod connect;
mod postings;
mod schema;
mod session;

pub use connect::ConnectError;

use crate::backend::change::NotWritten;
use crate::backend::plan::Rows;
use crate::backend::stored::Res;
use crate::backend::types::TypeNumbers;
use crate::backend::{Fault, find, resolve};
use crate::chart::batch::Batch;
use crate::chart::body;
use crate::chart::{ApplyError, Limits, Page, ReadError, Receipt, Resource};
use access::{Permit, RowFilter};
use apply::Writing;
use base::{Clock, SystemClock, Timestamp};
use connect::{Connections, Isolation, Transaction};
use search::Query;
use session::PostgresSession;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::error::SqlState;

/// The maximum number of attempts for a batch that conflicts with another one.
const MAX_TRIES: usize = 5;

const CURRENT: &str = "SELECT r.res, r.type, r.id, v.version, v.updated, v.rid, r.event, \
     v.dictionary, v.body FROM resource r JOIN version v ON v.rid = r.rid \
     WHERE r.res = ANY($1) AND r.state = 1";

/// The settings of a chart on PostgreSQL.
#[derive(Clone)]
pub struct Settings {
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The maximum number of connections of this node, opened on demand.
    pub connections: usize,
}

/// A chart on PostgreSQL, as yet incomplete: resources can be written and searched for. Flows and
/// the server do not use it yet. It does not link persons, and refuses batches with conditions,
/// business keys, message marks, lineage or audit entries.
pub struct PostgresChart {
    connections: Connections,
    types: TypeNumbers,
    clock: Arc<dyn Clock>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            connections: 16,
        }
    }
}

// === impl PostgresChart ===

impl PostgresChart {
    /// Opens or creates the chart in a database. The address has libpq's form: `host=… port=…
    /// dbname=…`.
    pub fn open(address: &str, settings: Settings) -> Result<Self, ConnectError> {
        let connections = Connections::open(address, settings.connections)?;
        let types = schema::open(&connections)?;
        Ok(Self {
            connections,
            types,
            clock: settings.clock,
        })
    }

    /// Writes a batch completely or not at all. The result is returned after COMMIT.
    pub fn apply(&self, permit: &Permit, batch: &Batch) -> Result<Receipt, ApplyError> {
        check_supported(permit, batch)?;
        let mut tries = 1;
        loop {
            let written = self.connections.with(Isolation::Writing, |transaction| {
                let writing = Writing {
                    transaction,
                    types: &self.types,
                    now: self.clock.now(),
                };
                writing.apply(batch)
            });
            match written {
                Ok(receipt) => return Ok(receipt),
                Err(NotWritten::Refused(error)) => return Err(error),
                Err(NotWritten::Fault(fault)) if tries < MAX_TRIES && met_another(&fault) => {
                    tries += 1;
                }
                Err(NotWritten::Fault(fault)) => return Err(ApplyError::Failed(Arc::new(fault))),
            }
        }
    }

    /// Returns a page of matching resources. Blocks the caller's thread.
    pub fn search(
        &self,
        permit: &Permit,
        query: &Query,
        limits: Limits,
    ) -> Result<Page, ReadError> {
        let found = self.connections.with(Isolation::Snapshot, |transaction| {
            let session = PostgresSession::new(transaction, &self.types);
            let rows = resolve::rows(&session, permit.filter())?;
            let found = find::page(&session, &rows, query, limits)?;
            Ok(Page {
                matches: self.load(transaction, &found.matches)?,
                included: self.load(transaction, &found.included.found)?,
                includes_cut: found.included.cut,
                total: found.total,
                next: found.next,
                persons: found.persons,
            })
        });
        found.map_err(read_error)
    }

    /// Explains how the server runs the statements of a search: each statement and its plan.
    pub fn explain(
        &self,
        permit: &Permit,
        query: &Query,
        limits: Limits,
    ) -> Result<Vec<String>, ReadError> {
        let explained = self.connections.with(Isolation::Snapshot, |transaction| {
            let session = PostgresSession::explaining(transaction, &self.types);
            let rows: Rows = resolve::rows(&session, permit.filter())?;
            find::page(&session, &rows, query, limits)?;
            Ok(session.explained())
        });
        explained.map_err(read_error)
    }

    /// Returns the current versions of some resources, in their order.
    fn load(&self, transaction: &Transaction<'_>, found: &[Res]) -> Result<Vec<Resource>, Fault> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut loaded = HashMap::with_capacity(found.len());
        for row in transaction.query(CURRENT, &[&found])? {
            let name = self.types.name(row.try_get(1)?);
            let resource_type = name.ok_or(Fault::Damaged("a type has no name"))?;
            let id: String = row.try_get(2)?;
            let version = row.try_get::<_, i64>(3)? as u32;
            let updated = Timestamp::from_micros(row.try_get(4)?);
            let dictionary = row.try_get::<_, i64>(7)? as u16;
            let body = body::decompress(dictionary, row.try_get(8)?)
                .ok_or(Fault::Damaged("a body cannot be unpacked"))?;
            let event: Option<i64> = row.try_get(6)?;
            let resource = Resource {
                resource_type,
                version,
                updated,
                rid: row.try_get::<_, i64>(5)? as u64,
                event: event.map(Timestamp::from_micros),
                body: body::splice(&body, &id, version, updated),
                id,
            };
            loaded.insert(row.try_get::<_, Res>(0)?, resource);
        }
        Ok(found.iter().filter_map(|res| loaded.remove(res)).collect())
    }
}

/// Refuses contents that would otherwise be dropped silently.
fn check_supported(permit: &Permit, batch: &Batch) -> Result<(), ApplyError> {
    if !matches!(permit.filter(), RowFilter::Everything) {
        let resource_type = batch.changes.first().map_or("", |c| c.resource_type());
        return Err(ApplyError::NotPermitted { resource_type });
    }
    let plain = batch.conditions.is_empty()
        && batch.keys.is_empty()
        && batch.lists.is_empty()
        && batch.applied.is_none()
        && batch.imported.is_none()
        && batch.lineage.is_empty()
        && batch.audit.is_empty();
    if plain {
        Ok(())
    } else {
        Err(ApplyError::Invalid(
            "on PostgreSQL a batch may hold changes only, as yet",
        ))
    }
}

/// Returns true if the same batch may succeed when it is retried.
fn met_another(fault: &Fault) -> bool {
    match fault {
        Fault::Again => true,
        Fault::Server(source) => {
            let code = source
                .downcast_ref::<tokio_postgres::Error>()
                .and_then(tokio_postgres::Error::code);
            code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
                || code == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
        }
        Fault::Sqlite(_) | Fault::Damaged(_) | Fault::Rotten(_) | Fault::Cursor => false,
    }
}

fn read_error(fault: Fault) -> ReadError {
    match fault {
        Fault::Cursor => ReadError::Cursor,
        Fault::Damaged(what) => ReadError::Damaged { what: what.into() },
        Fault::Rotten(what) => ReadError::Damaged {
            what: String::from(what).into(),
        },
        Fault::Server(source) => ReadError::Server { source },
        fault @ (Fault::Again | Fault::Sqlite(_)) => ReadError::Server {
            source: Box::new(fault),
        },
    }
}
