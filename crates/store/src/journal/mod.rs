//! Stores every message's bytes on disk before anyone is told that they arrived.
//!
//! Invariants:
//! - an [`Appended`] is returned only after `fsync` has returned for its bytes;
//! - a [`Sequence`] is assigned once, in the order of [`Journal::append`], over days, classes and restarts;
//! - times of arrival never go backwards, whatever the clock does;
//! - after a failed write nothing is written until a restart, and no `fsync` is retried; reads continue;
//! - a message is returned as it arrived or not at all: bytes and entry are checked when they are read;
//! - the ledger (`flow.db`) can be discarded: [`Journal::reconcile`] rebuilds it from the journal and the
//!   chart.

mod alike;
mod batch;
mod checkpointer;
mod day;
mod days;
mod entry;
mod error;
pub(crate) mod inbox;
mod large;
mod ledger;
mod list;
mod origin;
pub(crate) mod pending;
mod reconcile;
mod search;
mod state;
mod text;
pub(crate) mod walk;
mod writer;

pub use entry::{Acknowledgement, Appended, DAMAGED, Entry, Header, Sequence, Stored, Summary};
pub use error::{OpenError, PruneError, ReadError, WriteError};
pub use ledger::{Bulk, BulkProgress, Ledger, Notice, Opened};
pub use list::{Filter, Listing, Page};
pub use pending::{Pending, WriterGone};
pub use reconcile::{Doubt, Reconciled};
pub use state::{
    Change, Count, Delivery, Parked, Progress, Queued, Rate, Rated, Replay, Resting, State,
    StoppedFlow,
};

use crate::Priority;
use crate::damage::Damage;
use crate::identity::{Identity, Position};
use base::{Clock, SystemClock, Timestamp};
use day::{DayFile, Name};
use days::Days;
use inbox::{Inbox, Refused};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use text::Bell;
use writer::{Order, Prepared, Writer};

/// The largest number of bytes that wait in memory for the disk.
const MAX_QUEUED_BYTES: usize = 256 << 20;
/// The largest entry.
const MAX_BODY: usize = 256 << 20;
/// The largest body that is compressed.
const MAX_COMPRESSED: usize = 1 << 20;

/// The options of a journal.
#[derive(Clone)]
pub struct Options {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The duplicate window: the same message within this time is a repeat.
    pub duplicate_window: Duration,
    /// True if the raw text is indexed, behind the writes.
    pub text_index: bool,
    /// The approximate size at which a write-ahead log is checkpointed.
    pub checkpoint_bytes: u64,
}

/// The journal of one data directory. A clone is another handle to the same journal.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    days: Arc<Days>,
    ledger: Ledger,
    inbox: Arc<Inbox<Order>>,
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

/// The chart's record of a message that it has applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version of the map set that applied it.
    pub map_version: String,
    /// Points in it that a person has to look at.
    pub concerns: Option<String>,
}

/// A message that waits to be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprocessed {
    /// The message.
    pub sequence: Sequence,
    /// The message's flow.
    pub flow: String,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            duplicate_window: Duration::from_hours(24),
            text_index: true,
            checkpoint_bytes: 8 << 20,
        }
    }
}

// === impl Journal ===

impl Journal {
    /// Opens or creates the journal in `directory` (`journal/*.db` and `flow.db`).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "like every other store's `open`"
    )]
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let (days, resume) = Days::open(&directory.join("journal"))?;
        let days = Arc::new(days);
        let ledger = Ledger::open(&directory.join("flow.db"), options.clock.clone())?;
        let inbox = Arc::new(Inbox::new(MAX_QUEUED_BYTES));
        let bell = Arc::new(Bell::default());
        let notify = {
            let bell = bell.clone();
            Arc::new(move || bell.ring())
        };
        let writer = Writer::new(days.clone(), inbox.clone(), &options, resume, notify)?;
        let mut inner = Inner {
            days,
            ledger,
            inbox,
            bell,
            threads: Vec::new(),
        };
        inner.start("journal", move || writer.run())?;
        if options.text_index {
            let (days, bell) = (inner.days.clone(), inner.bell.clone());
            inner.start("journal-text", move || {
                Priority::Behind.take();
                text::run(&days, &bell);
            })?;
        }
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Appends a message. The answer arrives after its `fsync`.
    pub fn append(&self, entry: Entry) -> Pending<Appended, WriteError> {
        if let Some(error) = self.stopped() {
            return Pending::ready(Err(error));
        }
        if !day::class_is_valid(&entry.retention) {
            return Pending::ready(Err(WriteError::Retention(entry.retention)));
        }
        if MAX_BODY < entry.body.len() {
            return Pending::ready(Err(WriteError::TooLarge(entry.body.len())));
        }
        let prepared = Box::new(prepare(entry));
        let n_bytes = prepared.entry.body.len() + 1_024;
        let (promise, pending) = pending::promise();
        match self
            .inner
            .inbox
            .push(Order::Append(prepared, promise), n_bytes)
        {
            Ok(()) => pending,
            Err(Refused::Full(_)) => Pending::ready(Err(WriteError::Overloaded)),
            Err(Refused::Closed(_)) => Pending::ready(Err(WriteError::Closed(WriterGone))),
        }
    }

    /// Stores the acknowledgement of a message, with the next batch. For flows that answer only after
    /// mapping; others pass it with the [`Entry`].
    pub fn acknowledged(&self, sequence: Sequence, acknowledgement: Acknowledgement) {
        let n_bytes = acknowledgement.bytes.len() + 128;
        let order = Order::Acknowledge(sequence, acknowledgement);
        // Only a repeat would need it, and then it is worked out again.
        if self.inner.inbox.push_lazy(order, n_bytes).is_err() {
            tracing::warn!("journal takes no more acknowledgements");
        }
    }

    /// Reads one message.
    pub fn read(&self, sequence: Sequence) -> Result<Option<Stored>, ReadError> {
        for file in self.days().holding(sequence) {
            let found = file.read(|connection| {
                search::attach(connection, self.ledger().path())?;
                let Some(summary) = search::one(connection, sequence)? else {
                    return Ok(None);
                };
                let hash: Option<Vec<u8>> = connection
                    .prepare_cached("SELECT hash FROM entry WHERE seq = ?1")?
                    .query_row([sequence.get() as i64], |row| row.get(0))
                    .optional()?;
                let stored = large::read(connection, sequence.get())?;
                let body = hash
                    .zip(stored)
                    .and_then(|(hash, (coding, bytes))| body_of(coding, bytes, &hash));
                Ok(Some((
                    summary,
                    body,
                    batch::acknowledgement(connection, sequence.get())?,
                )))
            })?;
            let Some((summary, body, acknowledgement)) = found else {
                continue;
            };
            let body = body
                .filter(|_| !summary.is_damaged())
                .ok_or_else(|| self.damaged(sequence, &file))?;
            let repeats = self.repeats(&file, sequence)?;
            return Ok(Some(Stored {
                summary,
                body: body.into(),
                acknowledgement,
                repeats,
            }));
        }
        Ok(None)
    }

    /// Returns unprocessed messages after `after`, oldest first: the journal minus the messages that the
    /// ledger records as done, which include held and parked ones. Returns at most `limit`; call again with
    /// the last one until the result is empty. Bytes that are not a message are left out.
    pub fn unprocessed(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Unprocessed>, ReadError> {
        let mut open = Vec::new();
        let mut files = self.days().all();
        files.retain(|file| after.get() < file.last.load(Ordering::Acquire));
        // The files of one day interleave, so each gives its first messages and the sort decides.
        let mut days = files.chunk_by(|one, other| one.name.day == other.name.day);
        while let (true, Some(day)) = (open.len() < limit, days.next()) {
            let mut found = Vec::new();
            for file in day {
                found.extend(file.read(|connection| {
                    search::attach(connection, self.ledger().path())?;
                    unprocessed_in(connection, after, limit)
                })?);
            }
            found.sort_unstable_by_key(|unprocessed: &Unprocessed| unprocessed.sequence);
            open.extend(found);
        }
        open.truncate(limit);
        Ok(open)
    }

    /// Counts messages by flow and state.
    pub fn counts(&self) -> Result<Vec<Count>, ReadError> {
        // The ledger first: a message that moves on in between counts as received, and none is missed.
        let mut counts = self.inner.ledger.counts()?;
        counts.retain(|count| count.state != State::Received);
        let mut received = self.totals()?;
        for count in &counts {
            if let Some(n) = received.get_mut(&count.flow) {
                *n = n.saturating_sub(count.n);
            }
        }
        let received = received.into_iter().filter(|(_, n)| 0 < *n);
        counts.extend(received.map(|(flow, n)| Count {
            flow,
            state: State::Received,
            n,
        }));
        counts.sort_by(|one, other| (&one.flow, one.state).cmp(&(&other.flow, other.state)));
        Ok(counts)
    }

    /// Returns the rates of each minute from `from` to before `until`.
    pub fn rates(&self, from: Timestamp, until: Timestamp) -> Result<Vec<Rate>, ReadError> {
        let minute = |at: Timestamp| at.micros().div_euclid(60_000_000);
        let (first, last) = (Name::day_of(from), Name::day_of(until));
        let mut rates = self.inner.ledger.rates(minute(from), minute(until))?;
        for file in self.days().all() {
            if first <= file.name.day && file.name.day <= last {
                rates.extend(file.read(|connection| {
                    ledger::rates_in(connection, minute(from), minute(until))
                })?);
            }
        }
        rates.sort_by_key(|rate| rate.minute);
        Ok(rates)
    }

    /// Returns the last message on disk.
    pub fn last(&self) -> Sequence {
        Sequence::new(self.days().last.load(Ordering::Acquire))
    }

    /// Returns the reason why the journal stopped accepting messages, if it did.
    pub fn stopped(&self) -> Option<WriteError> {
        self.days().stopped()
    }

    /// Accepts messages again after a full disk; does nothing if writing stopped for another reason. If there
    /// is still no space, the next write stops it again.
    pub fn resume(&self) {
        self.days().resume();
        self.ledger().resume();
    }

    /// Returns the number of messages that the text index is behind.
    pub fn text_lag(&self) -> u64 {
        let lag = |file: &Arc<DayFile>| {
            let (first, last) = (
                file.first.load(Ordering::Acquire),
                file.last.load(Ordering::Acquire),
            );
            let text_to = file.text_to.load(Ordering::Acquire);
            let reached = if text_to == u64::MAX { 0 } else { text_to };
            if first <= last {
                last.saturating_sub(reached.max(first - 1))
            } else {
                0
            }
        };
        self.days().all().iter().map(lag).sum()
    }

    /// Deletes the files of a retention class whose day is earlier than that of `before`, and returns their
    /// number. The newest file of a class stays.
    pub fn prune(&self, retention: &str, before: Timestamp) -> Result<usize, PruneError> {
        let (n_files, gone) = self.days().prune(retention, before)?;
        for gone in gone.chunks(1_000) {
            // A leftover in the ledger is only untidy: it names no message that can be read.
            let forgotten = self
                .inner
                .ledger
                .order(|promise| ledger::Order::Forget(gone.to_vec(), promise));
            if forgotten.wait().is_err() {
                break;
            }
        }
        Ok(n_files)
    }

    /// Returns the ledger, with the queues and states.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// Returns the journal's identity.
    pub fn identity(&self) -> &Identity {
        &self.days().identity
    }

    /// Returns true if the journal was created at this opening: it has no message, and no earlier one is
    /// known.
    pub fn is_new(&self) -> bool {
        self.days().is_new
    }

    /// Returns the files that were no longer journal files at this opening and were moved aside.
    pub fn set_aside(&self) -> &[PathBuf] {
        &self.days().set_aside
    }

    /// Stops assigning sequences up to this one: other stores remember messages that are lost here.
    pub fn skip_to(&self, sequence: Sequence) -> Result<(), ReadError> {
        let skipped = self.days().skip_to(sequence);
        skipped.map_err(|source| ReadError::Directory {
            path: self.days().directory.join("floor"),
            source,
        })
    }

    /// Returns the last remembered position of the chart or the ledger.
    pub fn seen(&self, what: &str) -> Option<Position> {
        let seen = origin::seen(&self.days().directory).unwrap_or_default();
        let mut found = seen.into_iter().filter(|(known, _)| known == what);
        found.next().map(|(_, position)| position)
    }

    /// Remembers the positions of the chart and the ledger: both in the journal, the chart's also in the
    /// ledger. On disk when it returns.
    pub fn remember(&self, chart: &Position) -> Result<(), ReadError> {
        let ledger = self.ledger().position();
        origin::remember(
            &self.days().directory,
            &[("chart", chart), ("ledger", &ledger)],
        )?;
        self.ledger().remember(chart, self.identity());
        Ok(())
    }

    /// Returns the damage that reads found.
    pub fn damage(&self) -> &Damage {
        &self.days().damage
    }

    fn damaged(&self, sequence: Sequence, file: &DayFile) -> ReadError {
        let error = ReadError::Damaged {
            sequence: sequence.get(),
            path: file.path.clone(),
        };
        self.damage().meet(&error.to_string());
        error
    }

    fn days(&self) -> &Days {
        &self.inner.days
    }

    /// Returns the times of a message's repeats, which are in the file of the day on which they arrived.
    fn repeats(&self, file: &DayFile, sequence: Sequence) -> Result<Vec<Timestamp>, ReadError> {
        let mut repeats = Vec::new();
        for later in self.days().all() {
            if later.name.class == file.name.class && file.name.day <= later.name.day {
                repeats.extend(later.read(|connection| repeats_in(connection, sequence))?);
            }
        }
        Ok(repeats)
    }

    /// Counts messages by flow. A day that is over is counted once.
    fn totals(&self) -> Result<BTreeMap<String, u64>, ReadError> {
        let mut totals = BTreeMap::new();
        let files = self.days().all();
        let today = files.last().map(|file| file.name.day.clone());
        for file in files {
            let mut kept = file.totals.lock().unwrap_or_else(PoisonError::into_inner);
            let counted = match kept.take() {
                Some(counted) => counted,
                None => file.read(totals_in)?,
            };
            for (flow, n) in &counted {
                *totals.entry(flow.clone()).or_default() += n;
            }
            if today.as_ref() != Some(&file.name.day) {
                *kept = Some(counted);
            }
        }
        Ok(totals)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("directory", &self.days().directory)
            .finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    fn start(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body);
        self.threads.push(thread.map_err(OpenError::Thread)?);
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.inbox.close();
        self.bell.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn repeats_in(connection: &Connection, of: Sequence) -> rusqlite::Result<Vec<Timestamp>> {
    let mut statement = connection
        .prepare_cached("SELECT received FROM repeat WHERE seq = ?1 ORDER BY received")?;
    let rows = statement.query_map([of.get() as i64], |row| {
        row.get(0).map(Timestamp::from_micros)
    })?;
    rows.collect()
}

fn totals_in(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut statement = connection
        .prepare_cached("SELECT flow, sum(n) FROM minute WHERE rated = ?1 GROUP BY flow")?;
    let rows = statement.query_map([state::rated_code(Rated::Received)], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)? as u64))
    })?;
    rows.collect()
}

fn unprocessed_in(
    connection: &Connection,
    after: Sequence,
    limit: usize,
) -> rusqlite::Result<Vec<Unprocessed>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.seq, e.flow FROM entry e LEFT JOIN ledger.message m ON m.seq = e.seq
         WHERE ?1 < e.seq AND ifnull(m.state, 0) = 0 AND e.no_message IS NULL
         ORDER BY e.seq LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after.get() as i64, limit as i64], |row| {
        let sequence = Sequence::new(row.get::<_, i64>(0)? as u64);
        Ok(Unprocessed {
            sequence,
            flow: row.get(1)?,
        })
    })?;
    rows.collect()
}

/// Prepares an entry on the caller's thread as far as possible, because every caller waits for the one
/// writer.
fn prepare(entry: Entry) -> Prepared {
    let hash = Sha256::digest(&entry.body).into();
    let compressed = compress(&entry.body);
    let coding = i64::from(compressed.is_some());
    Prepared {
        entry,
        hash,
        coding,
        compressed,
    }
}

/// Compresses with zstd where it pays: not tiny bodies, nor those so large that others would have to wait.
fn compress(body: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> =
            RefCell::new(zstd::bulk::Compressor::new(1).ok());
    }
    if !(200..=MAX_COMPRESSED).contains(&body.len()) {
        return None;
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressed = compressor.as_mut()?.compress(body).ok()?;
        (compressed.len() < body.len()).then_some(compressed)
    })
}

/// Decodes the bytes as they arrived, unchecked.
fn unpack(coding: i64, stored: Vec<u8>) -> Option<Vec<u8>> {
    match coding {
        0 => Some(stored),
        1 => decompress(&stored),
        _ => None,
    }
}

/// Decodes the bytes as they arrived; none if they do not match the hash taken then.
fn body_of(coding: i64, stored: Vec<u8>, hash: &[u8]) -> Option<Vec<u8>> {
    let body = unpack(coding, stored)?;
    (Sha256::digest(&body)[..] == *hash).then_some(body)
}

fn decompress(stored: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        // Creating a context, or a buffer for the largest body, takes longer than decompressing a message.
        static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
            RefCell::new(zstd::bulk::Decompressor::new().ok());
    }
    let told = zstd::zstd_safe::get_frame_content_size(stored).ok()?;
    let size = usize::try_from(told?).ok()?;
    if MAX_COMPRESSED < size {
        return None;
    }
    DECOMPRESSOR.with_borrow_mut(|kept| kept.as_mut()?.decompress(stored, size).ok())
}
