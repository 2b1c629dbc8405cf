//! Every message's bytes, on disk before anybody is told so.
//!
//! Invariants:
//! - an [`Appended`] is given only after `fsync` returned for the bytes that it speaks of;
//! - a [`Sequence`] is given once, in the order of [`Journal::append`], over days, classes and restarts;
//! - received times never run backwards, whatever the clock does;
//! - after a failed write nothing is written until a restart, and no `fsync` is tried twice;
//!   reads go on;
//! - the ledger (`flow.db`) can be thrown away: [`Journal::rebuild`] makes it again from the
//!   journal and the chart.

mod entry;
mod error;
mod list;
pub(crate) mod pending;
mod state;

pub use entry::{Acknowledgement, Appended, Entry, Header, Sequence, Stored, Summary};
pub use error::{OpenError, PruneError, ReadError, WriteError};
pub use list::{Filter, Listing, Page};
pub use pending::{Pending, WriterGone};
pub use state::{Change, Count, Delivery, Parked, Progress, Queued, Rate, Rated, Replay, State};

use base::{Clock, SystemClock, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How a journal behaves.
#[derive(Clone)]
pub struct Options {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The same message within this time is a repeat.
    pub duplicate_window: Duration,
    /// Whether to index the raw text behind the writes.
    pub text_index: bool,
}

/// The journal of one data directory. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct Journal {
    ledger: Ledger,
}

/// The queues and states of `flow.db`. A clone is another handle.
#[derive(Clone, Debug)]
pub struct Ledger {
    _directory: Arc<Path>,
}

/// What the chart knows of a message that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version of the map set that put it there.
    pub map_version: String,
}

/// A message that waits to be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprocessed {
    /// The message.
    pub sequence: Sequence,
    /// Its flow.
    pub flow: String,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            duplicate_window: Duration::from_secs(24 * 60 * 60),
            text_index: true,
        }
    }
}

// === impl Journal ===

impl Journal {
    /// Opens or makes the journal in `directory` (`journal/*.db`, `flow.db`).
    pub fn open(directory: &Path, _options: Options) -> Result<Self, OpenError> {
        Ok(Self { ledger: Ledger { _directory: directory.into() } })
    }

    /// Keeps a message. The answer comes after its `fsync`.
    pub fn append(&self, _entry: Entry) -> Pending<Appended, WriteError> {
        Pending::ready(Err(WriteError::Overloaded))
    }

    /// Keeps the acknowledgement of a message, with the next batch. For flows that answer only
    /// after mapping; others give it with the [`Entry`].
    pub fn acknowledged(&self, _sequence: Sequence, _acknowledgement: Acknowledgement) {}

    /// One message.
    pub fn read(&self, _sequence: Sequence) -> Result<Option<Stored>, ReadError> {
        Ok(None)
    }

    /// Messages that match, newest first.
    pub fn list(&self, _filter: &Filter, _page: Page) -> Result<Listing, ReadError> {
        Ok(Listing { rows: Vec::new(), next: None, text_lag: None })
    }

    /// Messages after `after` that nobody has processed, oldest first: the journal minus what the
    /// ledger knows as done. At most `limit`; ask again with the last one until it is empty.
    pub fn unprocessed(
        &self,
        _after: Sequence,
        _limit: usize,
    ) -> Result<Vec<Unprocessed>, ReadError> {
        Ok(Vec::new())
    }

    /// Messages by flow and state.
    pub fn counts(&self) -> Result<Vec<Count>, ReadError> {
        Ok(Vec::new())
    }

    /// What happened in each minute from `from` to before `until`.
    pub fn rates(&self, _from: Timestamp, _until: Timestamp) -> Result<Vec<Rate>, ReadError> {
        Ok(Vec::new())
    }

    /// The last message on disk.
    pub fn last(&self) -> Sequence {
        Sequence::ZERO
    }

    /// Why the journal stopped taking messages, if it did.
    pub fn stopped(&self) -> Option<WriteError> {
        None
    }

    /// Deletes the files of a retention class whose last message came before `before`; how many.
    pub fn prune(&self, _retention: &str, _before: Timestamp) -> Result<usize, PruneError> {
        Ok(0)
    }

    /// The queues and states.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Makes the states of the ledger again from the journal and what the chart has applied.
    /// Messages that are not in the chart are unprocessed afterwards. Queues to other
    /// destinations come back when those messages are processed.
    pub fn rebuild(
        &self,
        _applied: &mut dyn FnMut(Sequence) -> Option<Applied>,
    ) -> Result<u64, WriteError> {
        Ok(0)
    }
}

// === impl Ledger ===

impl Ledger {
    /// Writes down changes, all or none. The answer comes after their `fsync`.
    pub fn record(&self, _changes: Vec<Change>) -> Pending<(), WriteError> {
        Pending::ready(Err(WriteError::Overloaded))
    }

    /// Writes down changes with the next batch, or soon. A crash may lose them: only for what the
    /// journal and the chart can tell again, and for outcomes (an attempt without one is in doubt).
    pub fn note(&self, _changes: Vec<Change>) {}

    /// What is to be sent to a destination by now: in sequence order, at most the head of each
    /// partition, none behind a held or deferred head.
    pub fn due(
        &self,
        _destination: &str,
        _now: Timestamp,
        _limit: usize,
    ) -> Result<Vec<Queued>, ReadError> {
        Ok(Vec::new())
    }

    /// Attempts without an outcome: ask once, before the first send after a start.
    pub fn in_doubt(&self) -> Result<Vec<Queued>, ReadError> {
        Ok(Vec::new())
    }

    /// One message's deliveries.
    pub fn deliveries(&self, _sequence: Sequence) -> Result<Vec<Queued>, ReadError> {
        Ok(Vec::new())
    }

    /// Where a message stands; none where it is received and nothing else is known.
    pub fn progress(&self, _sequence: Sequence) -> Result<Option<Progress>, ReadError> {
        Ok(None)
    }

    /// The partitions that wait.
    pub fn parked(&self) -> Result<Vec<Parked>, ReadError> {
        Ok(Vec::new())
    }

    /// Replays that are asked for and not done, oldest first.
    pub fn replays_open(&self) -> Result<Vec<Replay>, ReadError> {
        Ok(Vec::new())
    }

    /// One message's replays.
    pub fn replays_of(&self, _sequence: Sequence) -> Result<Vec<Replay>, ReadError> {
        Ok(Vec::new())
    }
}
