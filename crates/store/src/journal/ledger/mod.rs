//! Queues and states: `flow.db`.
//!
//! Invariants:
//! - a message without a row is received and nothing more: appending writes nothing here;
//! - an attempt is on disk before its send begins; its outcome follows in a later write;
//! - `count` is exactly the number of rows of `message` by flow and state, in every commit;
//! - nothing here says what is in the chart: the chart's own `applied` does.
//!
//! | table | key | holds |
//! |---|---|---|
//! | `message` | `seq` | flow, partition, state, reason, issues, map version |
//! | `delivery` | `(seq, destination)` | the state of a message at a destination |
//! | `attempt` | `(seq, destination, n)` | when a send began, when it ended, how |
//! | `parked` | `(flow, partition)` | the failing head that a partition waits behind |
//! | `replay` | `(seq, map_version)` | who asked for it, when, the result |
//! | `count` | `(flow, state)` | the number of rows of `message` |
//! | `minute` | `(minute, flow, rated)` | how many messages entered a state |
//! | `stopped` | `flow` | who stopped a flow by hand, and when |
//! | `origin` | `what` | the ledger's own identity, that of its journal, the chart's last known position |
//! | `notice` | `id` | incidents in the stores, and who has seen each |
//! | `bulk` | `id` | a request for many messages: who, what, which, progress |

mod bulk;
mod notice;
mod read;
mod write;

use super::error::{OpenError, WriteError};
use super::inbox::{Inbox, Refused};
use super::pending::{Pending, WriterGone, promise};
use super::state::Change;
use super::{day, days};
use crate::damage::is_damage;
use crate::identity::{Identity, Position};
use crate::wal::Room;
use base::Clock;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use bulk::{Bulk, BulkProgress};
pub use notice::{Notice, Opened};
pub(super) use read::rates_in;
pub(super) use write::Order;

const FORMAT: i64 = 2;
const SCHEMA: day::Schema = day::Schema {
    format: FORMAT,
    tables: "
CREATE TABLE message(seq INTEGER PRIMARY KEY, flow TEXT NOT NULL, part TEXT NOT NULL,
  state INTEGER NOT NULL, reason TEXT, n_issues INTEGER NOT NULL, map_version TEXT) STRICT;
CREATE INDEX message_state ON message(state, seq);
CREATE INDEX message_parked ON message(flow, part, seq) WHERE state = 5;
CREATE INDEX message_issues ON message(seq) WHERE n_issues > 0;
CREATE TABLE delivery(seq INTEGER NOT NULL, destination TEXT NOT NULL, part TEXT NOT NULL,
  status INTEGER NOT NULL, n_attempts INTEGER NOT NULL, due INTEGER NOT NULL, detail TEXT,
  PRIMARY KEY(seq, destination)) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_open ON delivery(destination, part, seq) WHERE status IN (0, 1, 3, 5);
CREATE TABLE attempt(seq INTEGER NOT NULL, destination TEXT NOT NULL, n INTEGER NOT NULL,
  began INTEGER NOT NULL, ended INTEGER, status INTEGER, detail TEXT,
  PRIMARY KEY(seq, destination, n)) STRICT, WITHOUT ROWID;
CREATE TABLE parked(flow TEXT NOT NULL, part TEXT NOT NULL, head INTEGER NOT NULL,
  since INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY(flow, part)) STRICT, WITHOUT ROWID;
CREATE TABLE replay(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, map_version TEXT NOT NULL,
  by TEXT NOT NULL, requested INTEGER NOT NULL, done INTEGER, detail TEXT) STRICT;
CREATE UNIQUE INDEX replay_open ON replay(seq, map_version) WHERE done IS NULL;
CREATE INDEX replay_seq ON replay(seq);
CREATE TABLE count(flow TEXT NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(flow, state)) STRICT, WITHOUT ROWID;
CREATE TABLE minute(minute INTEGER NOT NULL, flow TEXT NOT NULL, rated INTEGER NOT NULL,
  n INTEGER NOT NULL, PRIMARY KEY(minute, flow, rated)) STRICT, WITHOUT ROWID;
CREATE TABLE origin(what TEXT PRIMARY KEY, id TEXT NOT NULL,
  mark INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE notice(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL,
  seen INTEGER, by TEXT) STRICT;
",
    steps: &[notice::TABLES],
};

/// Added later; an older version ignores it. Its absence means that every flow runs.
const SCHEMA_OF_STOPPED: &str = "CREATE TABLE IF NOT EXISTS
  stopped(flow TEXT PRIMARY KEY, since INTEGER NOT NULL, by TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// More queued changes than this mean that the disk does not keep up.
const MAX_QUEUED: usize = 1_000_000;

/// The queues and states of `flow.db`. A clone is another handle to the same ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    inbox: Arc<Inbox<Order>>,
    failure: Arc<Mutex<Option<WriteError>>>,
    readers: Mutex<Vec<Connection>>,
    identity: Identity,
    mark: Arc<AtomicU64>,
    opened: Opened,
    thread: Option<JoinHandle<()>>,
    /// Dropped after the connections: see [`Room`].
    _room: Room,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (connection, (own, opened)) = match open_file(path) {
            // The ledger can be rebuilt from journal and chart, so damage to it does not prevent a start.
            Err(OpenError::File { source, .. }) if is_damage(&source) => {
                tracing::error!(path = %path.display(), error = %source, "the ledger is damaged and set aside");
                let place = days::set_file_aside(path).map_err(|source| OpenError::Directory {
                    path: path.to_owned(),
                    source,
                })?;
                let (connection, (own, mut opened)) = open_file(path)?;
                opened.set_aside = Some(place);
                (connection, (own, opened))
            }
            other => other?,
        };
        let room = Room::take(path, &connection, days::LOG_REGIONS);
        let inbox = Arc::new(Inbox::new(MAX_QUEUED));
        let failure = Arc::new(Mutex::new(None));
        let mark = Arc::new(AtomicU64::new(own.mark));
        let writer = write::Writer::new(
            path,
            connection,
            inbox.clone(),
            (failure.clone(), mark.clone()),
            clock,
        );
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)?;
        let inner = Inner {
            path: path.to_owned(),
            inbox,
            failure,
            readers: Mutex::new(Vec::new()),
            identity: own.identity,
            mark,
            opened,
            thread: Some(thread),
            _room: room,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Records changes, all or none. The answer arrives after their `fsync`.
    pub fn record(&self, changes: Vec<Change>) -> Pending<(), WriteError> {
        self.order(|promise| Order::Changes(changes, Some(promise)))
    }

    /// Records changes with the next batch, or soon. A crash may lose them: only for changes that the journal
    /// and the chart can restore, and for outcomes (an attempt without one is in doubt).
    pub fn note(&self, changes: Vec<Change>) {
        let n = changes.len();
        // A ledger that stopped reports it to callers that wait.
        if self
            .inner
            .inbox
            .push_lazy(Order::Changes(changes, None), n)
            .is_err()
        {
            tracing::warn!("ledger takes no more notes");
        }
    }

    /// Returns the reason why the ledger stopped accepting changes, if it did.
    pub fn stopped(&self) -> Option<WriteError> {
        self.inner
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Accepts changes again if it stopped because the disk was full.
    pub(super) fn resume(&self) {
        let mut failure = self
            .inner
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if failure.as_ref().is_some_and(WriteError::is_disk_full) {
            *failure = None;
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.inner.path
    }

    pub(super) fn order(
        &self,
        order: impl FnOnce(super::pending::Promise<(), WriteError>) -> Order,
    ) -> Pending<(), WriteError> {
        let (promise, pending) = promise();
        match self.inner.inbox.push(order(promise), 1) {
            Ok(()) => pending,
            Err(Refused::Full(_)) => Pending::ready(Err(WriteError::Overloaded)),
            Err(Refused::Closed(_)) => Pending::ready(Err(WriteError::Closed(WriterGone))),
        }
    }
}

fn open_file(path: &Path) -> Result<(Connection, (Position, Opened)), OpenError> {
    let connection = day::open_writer(path, &SCHEMA)?;
    let opened = connection
        .execute_batch(SCHEMA_OF_STOPPED)
        .and_then(|()| connection.execute_batch(bulk::SCHEMA))
        .and_then(|()| notice::open(&connection))
        .map_err(|source| OpenError::File {
            path: path.to_owned(),
            source,
        })?;
    Ok((connection, opened))
}

// === impl Inner ===

impl Drop for Inner {
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
