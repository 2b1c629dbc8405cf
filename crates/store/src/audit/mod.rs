//! Who saw or changed what, and why, in a log that cannot be bent unnoticed.
//!
//! Invariants:
//! - a [`Position`] is given only after `fsync` returned for the entry and all before it;
//! - each record's hash covers the one before, so a changed, missing or moved entry shows;
//! - what is written is never written again: a file only grows, and is then left alone;
//! - after a failed `fsync` nothing is written until a restart; on a full disk only emergency
//!   entries are, into the reserve.

mod entry;
mod error;

pub use crate::journal::{Pending, WriterGone};
pub use entry::{Entry, Filter, Listing, Outcome, Page, Position, Recorded};
pub use error::{OpenError, ReadError, RecordError};

use base::{Clock, SystemClock};
use std::path::Path;
use std::sync::Arc;

/// How the log behaves.
#[derive(Clone)]
pub struct Options {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// A segment file ends at about this size.
    pub segment_bytes: u64,
    /// Kept free for emergency entries on a full disk.
    pub reserve_bytes: u64,
}

/// The audit log of one node. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct AuditLog {
    _directory: Arc<Path>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            segment_bytes: 64 << 20,
            reserve_bytes: 4 << 20,
        }
    }
}

// === impl AuditLog ===

impl AuditLog {
    /// Opens or makes the log in `directory`.
    pub fn open(directory: &Path, _options: Options) -> Result<Self, OpenError> {
        Ok(Self {
            _directory: directory.into(),
        })
    }

    /// Writes an entry down. The answer comes after its `fsync`: only then may the access answer.
    pub fn record(&self, _entry: Entry) -> Pending<Position, RecordError> {
        Pending::ready(Err(RecordError::Full))
    }

    /// Writes down what the chart committed with a write, under the chart's own relay number.
    /// Doing it twice does nothing twice. Numbers must come in order.
    pub fn relay(&self, _relay: u64, _entry: Entry) -> Pending<(), RecordError> {
        Pending::ready(Err(RecordError::Full))
    }

    /// The highest relay number on disk: the chart may forget up to there.
    pub fn relayed(&self) -> u64 {
        0
    }

    /// Entries that match, newest first.
    pub fn entries(&self, _filter: &Filter, _page: Page) -> Result<Listing, ReadError> {
        Ok(Listing {
            rows: Vec::new(),
            next: None,
            lag: 0,
        })
    }
}
