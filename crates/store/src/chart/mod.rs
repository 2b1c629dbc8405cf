//! The chart: every version of every resource, with an index of their contents.
//!
//! Invariants:
//! - nothing is read or written without a [`Permit`], whose row filter applies to every node;
//! - a [`Receipt`] is issued only after the commit's `fsync` returned;
//! - a body is returned as it was written or not at all: every row of `version` has a checksum;
//! - `rid` order is commit order; `lastUpdated` never runs backwards, whatever the clock does;
//! - after a failed write nothing is written until a restart, or on a full disk until there is
//!   room; reads continue.

pub(crate) mod batch;
pub(crate) mod body;
mod directory;
mod error;
pub(crate) mod golden;
mod lists;
mod moment;
mod origin;
pub(crate) mod packed;
pub(crate) mod person;
pub(crate) mod queue;
mod rejoin;
mod resource;
mod view;

pub use crate::backend::persons::names_persons;
pub use crate::journal::Pending;
pub use batch::{
    Applied, Batch, BusinessKey, Change, Condition, Contradiction, Expect, KeyClaim, Lane, Lineage,
    NewState, Origin, Outcome, Prepared, Receipt, Written,
};
pub use error::{ApplyError, Conflict, OpenError, PrepareError, ReadError, StopKind};
pub use lists::{ListChange, ListName, SenderList};
pub use moment::{Moment, Named};
pub use origin::KnownJournal;
pub(crate) use origin::message_key;
pub use resource::{
    AppliedAt, Count, EverythingPage, History, HistoryEntry, HistoryOf, HistoryPage, Limits, Page,
    Person, Read, Resource, Statistics, Traced,
};

use crate::backend::sqlite::Sqlite;
use access::{Permit, RowFilter};
use base::{Clock, SystemClock};
use directory::DataDirectory;
use queue::Work;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The settings of a chart.
#[derive(Clone)]
pub struct Options {
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The tolerance for a slow clock. A clock further behind the newest version is refused at the
    /// start.
    pub clock_tolerance: Duration,
    /// The maximum number of connections for reading, opened on demand.
    pub readers: usize,
    /// The page cache of the writer, in megabytes.
    pub writer_cache_mb: u32,
    /// The maximum number of batches that wait for the writer.
    pub max_queued: usize,
    /// The maximum size of the database in megabytes; 0 means that only the disk limits it.
    pub max_size_mb: u64,
    /// True if equal identifiers link source Patients to persons.
    pub link_persons: bool,
}

/// The chart of one data directory. A clone is another handle to the same chart. When the last
/// handle is dropped, waiting batches are written and the directory is released.
#[derive(Clone, Debug)]
pub struct Chart(Arc<Open>);

#[derive(Debug)]
struct Open {
    // Dropped before the engine, which it uses.
    rejoining: rejoin::Rejoining,
    // Dropped before the directory, so that the writer has ended when the lock is released.
    engine: Arc<Sqlite>,
    _directory: DataDirectory,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            clock_tolerance: Duration::from_hours(1),
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
    /// Opens or creates the chart in `directory` (`chart.db`), and locks the directory against
    /// other processes.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "options are made for one chart"
    )]
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let directory = DataDirectory::open(directory)?;
        let path = directory.path().join("chart.db");
        let engine = Arc::new(Sqlite::open(&path, &options)?);
        let rejoining = rejoin::Rejoining::start(&engine, &path, options.link_persons)?;
        Ok(Self(Arc::new(Open {
            rejoining,
            engine,
            _directory: directory,
        })))
    }

    /// Writes a batch. The result arrives after its `fsync`.
    pub fn apply(&self, permit: &Permit, batch: Batch, lane: Lane) -> Pending<Receipt, ApplyError> {
        self.apply_each(&vec![permit; batch.changes.len()], batch, lane)
    }

    /// Writes a batch in which each change has its own permit, in order.
    pub fn apply_each(
        &self,
        permits: &[&Permit],
        mut batch: Batch,
        lane: Lane,
    ) -> Pending<Receipt, ApplyError> {
        if permits.len() != batch.changes.len() {
            return Pending::ready(Err(ApplyError::Invalid("a change has no permit")));
        }
        for (permit, change) in permits.iter().zip(&batch.changes) {
            if let Err(error) = self.check_rows(permit, change) {
                return Pending::ready(Err(error));
            }
        }
        let lineage = batch
            .lineage
            .iter_mut()
            // Taken here, so that the single writer does not spend time on freeing them.
            .map(|lineage| packed::origins(&std::mem::take(&mut lineage.origins)));
        let lineage = lineage.collect();
        let audit = batch.audit.iter().map(packed::audit).collect();
        let work = Work::Apply {
            batch: Box::new(batch),
            lineage,
            audit,
        };
        self.0.engine.submit(work, lane)
    }

    /// Deletes audit entries up to this relay number: the audit log has them on disk.
    pub fn audit_relayed(&self, up_to: u64) -> Pending<Receipt, ApplyError> {
        self.0
            .engine
            .submit(Work::Relayed { up_to }, Lane::Interactive)
    }

    /// Returns the damage that reads have found.
    pub fn damage(&self) -> &crate::Damage {
        &self.0.engine.shared.damage
    }

    /// Returns the reason why the writer stopped, if it did.
    pub fn stopped(&self) -> Option<ApplyError> {
        self.0.engine.shared.stopped()
    }

    /// Resumes writing after a full disk; does nothing if the writer stopped for another reason. If
    /// there is still no room, the next write stops it again.
    pub fn resume(&self) {
        self.0.engine.shared.resume();
    }

    /// Returns the number of records, in a chart of an earlier build, that have yet to be linked by
    /// the current rules; 0 if the persons are up to date.
    pub fn n_to_rejoin(&self) -> u64 {
        self.0.rejoining.n_left()
    }

    /// Writes waiting batches, then closes. Later writes are refused; reads continue until the last
    /// handle is dropped.
    pub fn close(&self) {
        self.0.rejoining.end();
        self.0.engine.close();
    }

    /// Checks that the permit covers the row before the write and the row after it.
    fn check_rows(&self, permit: &Permit, change: &Change) -> Result<(), ApplyError> {
        let resource_type = change.resource_type();
        let after = match (&change.state, permit.filter()) {
            (_, RowFilter::Everything) => return Ok(()),
            (NewState::Body(body), RowFilter::Patients { patients, types }) => {
                let is_covered = |own: &str| patients.iter().any(|id| **id == *own);
                let own = &body.extraction.patients;
                // All compartments: a resource that also names another patient would appear in that
                // patient's chart.
                types.contains(resource_type)
                    && !own.is_empty()
                    && own.iter().all(|own| is_covered(own))
                    && (resource_type != "Patient" || is_covered(&change.id))
            }
            (_, filter) => filter.covers_type(resource_type),
        };
        if after && self.covers_before(permit, resource_type, &change.id) {
            Ok(())
        } else {
            Err(ApplyError::NotPermitted { resource_type })
        }
    }

    fn covers_before(&self, permit: &Permit, resource_type: &str, id: &str) -> bool {
        let everything = Permit::system(access::SystemCaller::Linking);
        let exists = matches!(
            self.read(&everything, resource_type, id),
            Ok(Read::Found(_))
        );
        !exists || matches!(self.read(permit, resource_type, id), Ok(Read::Found(_)))
    }
}
