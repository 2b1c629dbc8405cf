//! The chart: every resource, every version, found by what is in it.
//!
//! Invariants:
//! - nothing is read or written without a [`Permit`], whose row filter is joined into every node;
//! - a [`Receipt`] is given only after the commit's `fsync` returned;
//! - `rid` order is commit order; `lastUpdated` never runs backwards, whatever the clock does;
//! - after a failed write nothing is written until a restart; reads go on.

pub(crate) mod batch;
mod directory;
mod error;
pub(crate) mod person;
mod resource;

pub use crate::journal::Pending;
pub use batch::{
    Applied, Batch, BusinessKey, Change, Condition, Expect, KeyClaim, Lane, Lineage, NewState,
    Origin, Outcome, Prepared, Receipt, Written,
};
pub use error::{ApplyError, Conflict, OpenError, PrepareError, ReadError, StopKind};
pub use resource::{
    AppliedAt, Count, EverythingPage, History, HistoryEntry, HistoryOf, HistoryPage, Limits, Page,
    Person, Read, Resource, Statistics, Traced,
};

use crate::audit;
use access::Permit;
use base::{Clock, SystemClock};
use search::Query;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How a chart behaves.
#[derive(Clone)]
pub struct Options {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// A clock that is further behind the newest version than this is refused at the start.
    pub clock_tolerance: Duration,
    /// Connections for reading, opened as they are needed.
    pub readers: usize,
    /// Memory for the writer's pages, in megabytes.
    pub writer_cache_mb: u32,
    /// Batches that may wait for the writer.
    pub max_queued: usize,
    /// The largest size of the database in megabytes; 0 is no limit but the disk's.
    pub max_size_mb: u64,
    /// Whether equal identifiers link source Patients to persons.
    pub link_persons: bool,
}

/// The chart of one data directory. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct Chart {
    _directory: Arc<Path>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            clock_tolerance: Duration::from_secs(60 * 60),
            readers: 16,
            writer_cache_mb: 64,
            max_queued: 4096,
            max_size_mb: 0,
            link_persons: true,
        }
    }
}

// === impl Chart ===

impl Chart {
    /// Opens or makes the chart in `directory` (`chart.db`).
    pub fn open(directory: &Path, _options: Options) -> Result<Self, OpenError> {
        Ok(Self {
            _directory: directory.into(),
        })
    }

    /// One resource as it is now.
    pub fn read(
        &self,
        _permit: &Permit,
        _resource_type: &str,
        _id: &str,
    ) -> Result<Read, ReadError> {
        Ok(Read::Missing)
    }

    /// One version of a resource.
    pub fn vread(
        &self,
        _permit: &Permit,
        _resource_type: &str,
        _id: &str,
        _version: u32,
    ) -> Result<Read, ReadError> {
        Ok(Read::Missing)
    }

    /// Versions, newest first.
    pub fn history(
        &self,
        _permit: &Permit,
        _of: HistoryOf<'_>,
        _page: &HistoryPage,
    ) -> Result<History, ReadError> {
        Ok(History::default())
    }

    /// Resources that match, a page at a time. May take milliseconds: not for an async task's own
    /// thread.
    pub fn search(
        &self,
        _permit: &Permit,
        _query: &Query,
        _limits: Limits,
    ) -> Result<Page, ReadError> {
        Ok(Page::default())
    }

    /// The patients themselves and all that is in their compartments, a page at a time.
    pub fn everything(
        &self,
        _permit: &Permit,
        _patients: &[String],
        _page: &EverythingPage,
    ) -> Result<Page, ReadError> {
        Ok(Page::default())
    }

    /// Writes a batch. The answer comes after its `fsync`.
    pub fn apply(
        &self,
        _permit: &Permit,
        _batch: Batch,
        _lane: Lane,
    ) -> Pending<Receipt, ApplyError> {
        Pending::ready(Err(ApplyError::Overloaded))
    }

    /// The resource that a business key names: its type and id.
    pub fn lookup(
        &self,
        _permit: &Permit,
        _key: &BusinessKey,
    ) -> Result<Option<(&'static str, String)>, ReadError> {
        Ok(None)
    }

    /// The business keys of a resource.
    pub fn keys_of(
        &self,
        _permit: &Permit,
        _resource_type: &str,
        _id: &str,
    ) -> Result<Vec<BusinessKey>, ReadError> {
        Ok(Vec::new())
    }

    /// Where the values of a resource came from, newest first; `element` keeps to one element and
    /// what is below it.
    pub fn lineage(
        &self,
        _permit: &Permit,
        _resource_type: &str,
        _id: &str,
        _element: Option<&str>,
    ) -> Result<Vec<Traced>, ReadError> {
        Ok(Vec::new())
    }

    /// The resources that a message changed: type, id and version.
    pub fn made_of(
        &self,
        _permit: &Permit,
        _message: &[u8],
    ) -> Result<Vec<(&'static str, String, u32)>, ReadError> {
        Ok(Vec::new())
    }

    /// Every application of a message, the latest first; empty where it is not in the chart.
    pub fn applied(&self, _message: &[u8]) -> Result<Vec<AppliedAt>, ReadError> {
        Ok(Vec::new())
    }

    /// The person that a source Patient, or the person's own Patient, belongs to.
    pub fn person_of(&self, _permit: &Permit, _patient: &str) -> Result<Option<Person>, ReadError> {
        Ok(None)
    }

    /// Audit entries that committed with writes and are not relayed yet, in order.
    pub fn audit_relay(&self, _limit: usize) -> Result<Vec<(u64, audit::Entry)>, ReadError> {
        Ok(Vec::new())
    }

    /// Forgets audit entries up to this relay number: they are on disk in the audit log.
    pub fn audit_relayed(&self, _up_to: u64) -> Pending<Receipt, ApplyError> {
        Pending::ready(Err(ApplyError::Overloaded))
    }

    /// Numbers for metrics and the console.
    pub fn statistics(&self) -> Result<Statistics, ReadError> {
        Ok(Statistics::default())
    }

    /// Why the writer stopped, if it did.
    pub fn stopped(&self) -> Option<ApplyError> {
        None
    }

    /// Writes what waits, then closes. Later writes are refused; reads go on until the last handle
    /// is gone.
    pub fn close(&self) {}
}
