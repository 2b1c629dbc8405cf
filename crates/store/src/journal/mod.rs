//! Every message's bytes, on disk before anybody is told so.
//!
//! Invariants:
//! - an [`Appended`] is given only after `fsync` returned for the bytes that it speaks of;
//! - a [`Sequence`] is given once, in the order of [`Journal::append`], over days, classes and restarts;
//! - received times never run backwards, whatever the clock does;
//! - after a failed write nothing is written until a restart, and no `fsync` is tried twice;
//!   reads go on;
//! - a message is given out as it came or not at all: bytes and entry are checked when they are read;
//! - the ledger (`flow.db`) can be thrown away: [`Journal::reconcile`] makes it again from the
//!   journal and the chart.

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

/// More bytes than this never wait in memory for the disk.
const MAX_QUEUED_BYTES: usize = 256 << 20;
/// No entry is larger.
const MAX_BODY: usize = 256 << 20;
/// No larger body is compressed.
const MAX_COMPRESSED: usize = 1 << 20;

/// How a journal behaves.
#[derive(Clone)]
pub struct Options {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The same message within this time is a repeat.
    pub duplicate_window: Duration,
    /// Whether to index the raw text behind the writes.
    pub text_index: bool,
    /// A write-ahead log of about this size is brought home.
    pub checkpoint_bytes: u64,
}

/// The journal of one data directory. A clone is another handle on the same one.
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

/// What the chart knows of a message that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version of the map set that put it there.
    pub map_version: String,
    /// What a person has to look at in it.
    pub concerns: Option<String>,
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
            duplicate_window: Duration::from_hours(24),
            text_index: true,
            checkpoint_bytes: 8 << 20,
        }
    }
}

// === impl Journal ===

impl Journal {
    /// Opens or makes the journal in `directory` (`journal/*.db` and `flow.db`).
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

    /// Keeps a message. The answer comes after its `fsync`.
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

    /// Keeps the acknowledgement of a message, with the next batch. For flows that answer only
    /// after mapping; others give it with the [`Entry`].
    pub fn acknowledged(&self, sequence: Sequence, acknowledgement: Acknowledgement) {
        let n_bytes = acknowledgement.bytes.len() + 128;
        let order = Order::Acknowledge(sequence, acknowledgement);
        // Only a repeat would miss it, and then it is worked out again.
        if self.inner.inbox.push_lazy(order, n_bytes).is_err() {
            tracing::warn!("journal takes no more acknowledgements");
        }
    }

    /// One message.
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

    /// Messages after `after` that nobody has processed, oldest first: the journal minus what the
    /// ledger knows as done, held and parked ones included in what is done. At most `limit`; ask
    /// again with the last one until it is empty. Bytes that are no message are not in it.
    pub fn unprocessed(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Unprocessed>, ReadError> {
        let mut open = Vec::new();
        let mut files = self.days().all();
        files.retain(|file| after.get() < file.last.load(Ordering::Acquire));
        // Files of one day interleave, so each gives its first ones and the sort decides.
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

    /// Messages by flow and state.
    pub fn counts(&self) -> Result<Vec<Count>, ReadError> {
        // The ledger first: what moves on in between counts as received, and none is missed.
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

    /// What happened in each minute from `from` to before `until`.
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

    /// The last message on disk.
    pub fn last(&self) -> Sequence {
        Sequence::new(self.days().last.load(Ordering::Acquire))
    }

    /// Why the journal stopped taking messages, if it did.
    pub fn stopped(&self) -> Option<WriteError> {
        self.days().stopped()
    }

    /// Takes messages again after a full disk; does nothing where it stopped for another reason.
    /// Where there is no room after all, the next write stops it again.
    pub fn resume(&self) {
        self.days().resume();
        self.ledger().resume();
    }

    /// How many messages the text index is behind.
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

    /// Deletes the files of a retention class whose day lies before `before`'s; how many. The
    /// newest file of a class stays.
    pub fn prune(&self, retention: &str, before: Timestamp) -> Result<usize, PruneError> {
        let (n_files, gone) = self.days().prune(retention, before)?;
        for gone in gone.chunks(1_000) {
            // What stays behind in the ledger is only untidy: it names no message that can be read.
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

    /// The queues and states.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// Whose journal it is.
    pub fn identity(&self) -> &Identity {
        &self.days().identity
    }

    /// True where it was made at this opening: it has no message, and no earlier one is known.
    pub fn is_new(&self) -> bool {
        self.days().is_new
    }

    /// Files that were no journal files any more when it was opened, and lie beside it now.
    pub fn set_aside(&self) -> &[PathBuf] {
        &self.days().set_aside
    }

    /// Gives no sequence up to this one any more: others remember messages that are lost here.
    pub fn skip_to(&self, sequence: Sequence) -> Result<(), ReadError> {
        let skipped = self.days().skip_to(sequence);
        skipped.map_err(|source| ReadError::Directory {
            path: self.days().directory.join("floor"),
            source,
        })
    }

    /// How far chart and ledger were when somebody looked last.
    pub fn seen(&self, what: &str) -> Option<Position> {
        let seen = origin::seen(&self.days().directory).unwrap_or_default();
        let mut found = seen.into_iter().filter(|(known, _)| known == what);
        found.next().map(|(_, position)| position)
    }

    /// Remembers how far the chart is, and the ledger: in the journal both, in the ledger the chart. On disk
    /// when it returns.
    pub fn remember(&self, chart: &Position) -> Result<(), ReadError> {
        let ledger = self.ledger().position();
        origin::remember(
            &self.days().directory,
            &[("chart", chart), ("ledger", &ledger)],
        )?;
        self.ledger().remember(chart, self.identity());
        Ok(())
    }

    /// What reading found damaged.
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

    /// Repeats stand in the file of the day on which they came.
    fn repeats(&self, file: &DayFile, sequence: Sequence) -> Result<Vec<Timestamp>, ReadError> {
        let mut repeats = Vec::new();
        for later in self.days().all() {
            if later.name.class == file.name.class && file.name.day <= later.name.day {
                repeats.extend(later.read(|connection| repeats_in(connection, sequence))?);
            }
        }
        Ok(repeats)
    }

    /// Messages by flow. A day that is over is counted once.
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

/// What can be done on the caller's thread is done there: the one writer is what all wait for.
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

/// zstd where it pays: not for what is tiny, nor for what is so large that it would hold up others.
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

/// The bytes as they came, unchecked.
fn unpack(coding: i64, stored: Vec<u8>) -> Option<Vec<u8>> {
    match coding {
        0 => Some(stored),
        1 => decompress(&stored),
        _ => None,
    }
}

/// The bytes as they came; none where they are not those that were hashed then.
fn body_of(coding: i64, stored: Vec<u8>, hash: &[u8]) -> Option<Vec<u8>> {
    let body = unpack(coding, stored)?;
    (Sha256::digest(&body)[..] == *hash).then_some(body)
}

fn decompress(stored: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        // Making a context, or room for the largest body, takes longer than a message.
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
