//! The chart: every resource, every version, found by what is in it.
//!
//! Invariants:
//! - nothing is read or written without a [`Permit`], whose row filter is joined into every node;
//! - a [`Receipt`] is given only after the commit's `fsync` returned;
//! - a body is given out as it was written or not at all: every row of `version` has a sum;
//! - `rid` order is commit order; `lastUpdated` never runs backwards, whatever the clock does;
//! - after a failed write nothing is written until a restart, or on a full disk until there is room;
//!   reads go on.

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

/// The chart of one data directory. A clone is another handle on the same one; when the last is gone,
/// what waits is written and the directory is let go.
#[derive(Clone, Debug)]
pub struct Chart(Arc<Open>);

#[derive(Debug)]
struct Open {
    // Before the engine, which it uses.
    rejoining: rejoin::Rejoining,
    // Before the directory, so that the writer has ended when the lock goes.
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
    /// Opens or makes the chart in `directory` (`chart.db`), and holds the directory against other
    /// processes.
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

    /// Writes a batch. The answer comes after its `fsync`.
    pub fn apply(&self, permit: &Permit, batch: Batch, lane: Lane) -> Pending<Receipt, ApplyError> {
        self.apply_each(&vec![permit; batch.changes.len()], batch, lane)
    }

    /// The same where each change has a permit of its own, in order.
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
            // Taken here: the one writer has better things to do than to free them.
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

    /// Forgets audit entries up to this relay number: they are on disk in the audit log.
    pub fn audit_relayed(&self, up_to: u64) -> Pending<Receipt, ApplyError> {
        self.0
            .engine
            .submit(Work::Relayed { up_to }, Lane::Interactive)
    }

    /// What reading found damaged.
    pub fn damage(&self) -> &crate::Damage {
        &self.0.engine.shared.damage
    }

    /// Why the writer stopped, if it did.
    pub fn stopped(&self) -> Option<ApplyError> {
        self.0.engine.shared.stopped()
    }

    /// Takes writes again after a full disk; does nothing where it stopped for another reason. Where
    /// there is no room after all, the next write stops it again.
    pub fn resume(&self) {
        self.0.engine.shared.resume();
    }

    /// How many records of a chart of an earlier build are still to be linked by the rules of now; 0
    /// where its persons are up to date.
    pub fn n_to_rejoin(&self) -> u64 {
        self.0.rejoining.n_left()
    }

    /// Writes what waits, then closes. Later writes are refused; reads go on until the last handle
    /// is gone.
    pub fn close(&self) {
        self.0.rejoining.end();
        self.0.engine.close();
    }

    /// A permit covers a write where it covers the row before it and the row after it.
    fn check_rows(&self, permit: &Permit, change: &Change) -> Result<(), ApplyError> {
        let resource_type = change.resource_type();
        let after = match (&change.state, permit.filter()) {
            (_, RowFilter::Everything) => return Ok(()),
            (NewState::Body(body), RowFilter::Patients { patients, types }) => {
                let is_covered = |own: &str| patients.iter().any(|id| **id == *own);
                let own = &body.extraction.patients;
                // All of them: what names somebody else too would stand in that one's chart.
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
