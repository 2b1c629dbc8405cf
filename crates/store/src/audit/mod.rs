//! Records who saw or changed what, and why, in a tamper-evident log.
//!
//! Invariants:
//! - a [`Position`] is returned only after `fsync` has returned for the entry and all before it;
//! - each record's hash covers the one before, so a changed, missing or moved entry is detected;
//! - written bytes are never overwritten: a file only grows, and is then left alone;
//! - after a failed `fsync` nothing is written until a restart;
//! - on a full disk the [`reserve`] takes the entries of reads, its last part those of emergencies; when
//!   there is space again, a new reserve is made before anything else is written.

mod entry;
mod error;
mod head;
mod index;
mod open;
mod record;
mod reserve;
mod search;
mod segment;
mod verify;
mod writer;

pub use crate::journal::{Pending, WriterGone};
pub use entry::{
    ActorKind, Column, Entry, Filter, Listing, Outcome, Page, Position, Recorded, Sorted,
};
pub use error::{OpenError, ReadError, RecordError};
pub use head::Head;
pub use reserve::Reserve;
pub use search::SORTED_WINDOW;
pub use verify::{Fault, Note, Report, name, verify, verify_with};

use crate::journal::inbox::{Inbox, Refused};
use crate::journal::pending::promise;
use base::{Clock, SystemClock};
use reserve::Claim;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use writer::Order;

/// The largest number of bytes that wait in memory for the disk.
const MAX_QUEUED_BYTES: usize = 64 << 20;

/// The options of an audit log.
#[derive(Clone)]
pub struct Options {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The approximate size at which a segment file ends.
    pub segment_bytes: u64,
    /// The size of the reserve, for the entries of reads on a full disk: about 300 bytes each.
    pub reserve_bytes: u64,
    /// The part of the reserve that only emergency reads may use.
    pub emergency_bytes: u64,
    /// The time between two attempts to write on a full disk.
    pub retry_full: Duration,
}

/// The audit log of one node. A clone is another handle to the same log.
#[derive(Clone)]
pub struct AuditLog {
    inner: Arc<Inner>,
}

struct Inner {
    node: [u8; 16],
    shared: Arc<Shared>,
    inbox: Arc<Inbox<Order>>,
    writer: Option<JoinHandle<()>>,
    behind: Option<JoinHandle<()>>,
}

/// The state that the writer, the thread behind it and the handles share.
pub(crate) struct Shared {
    directory: PathBuf,
    state: Mutex<State>,
    news: Condvar,
    /// Held while the log is open; another process fails to take it.
    _lock: File,
}

struct State {
    /// The end of the entries that are on disk.
    head: Head,
    /// The hash that the next record links to: that of the last record, or of a new segment's header.
    link: record::Hash,
    relay: u64,
    indexed: u64,
    stopped: Option<RecordError>,
    /// The state of the reserve while the disk is full.
    reserve: Option<Reserve>,
    closed: bool,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            segment_bytes: 32 << 20,
            reserve_bytes: 32 << 20,
            emergency_bytes: 8 << 20,
            retry_full: Duration::from_secs(5),
        }
    }
}

// === impl AuditLog ===

impl AuditLog {
    /// Records an entry. The answer arrives after its `fsync`: only then may the access be answered.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an entry says one thing once"
    )]
    pub fn record(&self, entry: Entry) -> Pending<Position, RecordError> {
        let claim = if entry.emergency {
            Claim::Emergency
        } else {
            Claim::Ordinary
        };
        self.order(0, &entry, claim)
    }

    /// Like [`record`](Self::record), but never uses the reserve: for events that anyone can cause, even
    /// without logging in.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an entry says one thing once"
    )]
    pub fn record_if_room(&self, entry: Entry) -> Pending<Position, RecordError> {
        self.order(0, &entry, Claim::Nothing)
    }

    /// Records an entry that the chart committed with a write, under the chart's own relay number (from 1, in
    /// order). Idempotent; the answer of a repetition is a later position.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an entry says one thing once"
    )]
    pub fn relay(&self, relay: u64, entry: Entry) -> Pending<Position, RecordError> {
        // The entry is on disk in the chart and can wait there.
        self.order(relay, &entry, Claim::Nothing)
    }

    /// Returns the highest relay number on disk: the chart may discard its entries up to there.
    pub fn relayed(&self) -> u64 {
        self.inner.shared.lock().relay
    }

    /// Returns matching entries, newest first. The latest entries may be missing: see [`Listing::lag`].
    pub fn entries(&self, filter: &Filter, page: Page) -> Result<Listing, ReadError> {
        search::entries(&self.inner.shared, filter, page)
    }

    /// Returns matching entries in the given order. An order other than by time covers only the newest
    /// [`SORTED_WINDOW`] that match: the log grows without limit, and the query must end.
    pub fn entries_sorted(&self, filter: &Filter, sorted: Sorted) -> Result<Listing, ReadError> {
        search::entries_sorted(&self.inner.shared, filter, sorted)
    }

    /// Returns the chain's unique name.
    pub fn name(&self) -> [u8; 16] {
        self.inner.node
    }

    /// Returns the end of the chain, which a signer signs and sends to another machine.
    pub fn head(&self) -> Head {
        self.inner.shared.head()
    }

    /// Returns the reason why the log stopped until a restart, if it did.
    pub fn stopped(&self) -> Option<RecordError> {
        self.inner.shared.stopped()
    }

    /// Returns the state of the reserve while the disk is full; none while there is space.
    pub fn reserve(&self) -> Option<Reserve> {
        self.inner.shared.lock().reserve
    }

    fn order(&self, relay: u64, entry: &Entry, claim: Claim) -> Pending<Position, RecordError> {
        let Some(payload) = record::encode(entry, relay) else {
            return Pending::ready(Err(RecordError::TooLarge));
        };
        let n_bytes = payload.len() + 128;
        let (promise, pending) = promise();
        let order = Order {
            payload,
            relay,
            claim,
            promise,
        };
        match self.inner.inbox.push(order, n_bytes) {
            Ok(()) => pending,
            Err(Refused::Full(_)) => Pending::ready(Err(RecordError::Overloaded)),
            Err(Refused::Closed(_)) => Pending::ready(Err(RecordError::Closed(WriterGone))),
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = &self.inner.shared.directory;
        f.debug_struct("AuditLog")
            .field("directory", directory)
            .finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Drop for Inner {
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        // Closed last, so that the head file ends at the end of the chain.
        self.shared.lock().closed = true;
        self.shared.wake();
        if let Some(behind) = self.behind.take() {
            let _ = behind.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn head(&self) -> Head {
        self.lock().head
    }

    fn link(&self) -> record::Hash {
        self.lock().link
    }

    /// Records that more entries are on disk.
    fn advance(&self, head: Head, relay: u64) {
        let mut state = self.lock();
        state.head = head;
        state.link = head.hash;
        state.relay = relay;
    }

    /// Records that a new segment without records is on disk.
    fn begin(&self, segment: u64, offset: u64, link: record::Hash) {
        let mut state = self.lock();
        state.head.segment = segment;
        state.head.offset = offset;
        state.link = link;
    }

    fn stop(&self, cause: io::Error) -> RecordError {
        tracing::error!(error = %cause, "audit log stopped after a failed write");
        let mut state = self.lock();
        state
            .stopped
            .get_or_insert_with(|| RecordError::Stopped(Arc::new(cause)))
            .clone()
    }

    fn stopped(&self) -> Option<RecordError> {
        self.lock().stopped.clone()
    }

    fn set_reserve(&self, reserve: Option<Reserve>) {
        self.lock().reserve = reserve;
    }

    fn indexed(&self, position: u64) {
        self.lock().indexed = position;
    }

    fn lag(&self) -> u64 {
        let state = self.lock();
        state.head.position.saturating_sub(state.indexed)
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn wake(&self) {
        self.news.notify_all();
    }

    /// Waits until there is an entry to index, or one that is not in the head file and `every` has passed.
    /// Returns false once closed.
    fn wait_for_news(&self, written: u64, every: Duration) -> bool {
        let state = self.lock();
        let is_idle = |state: &mut State| {
            !state.closed && state.head.position <= state.indexed && state.head.position == written
        };
        let mut state = self
            .news
            .wait_while(state, is_idle)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.closed && state.head.position <= state.indexed {
            let waits = |state: &mut State| !state.closed && state.head.position <= state.indexed;
            let waited = self.news.wait_timeout_while(state, every, waits);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.closed
    }

    fn pause(&self, pause: Duration) {
        let open = |state: &mut State| !state.closed;
        drop(self.news.wait_timeout_while(self.lock(), pause, open));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
