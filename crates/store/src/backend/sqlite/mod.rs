//! The embedded engine: SQLite in one file beside its write-ahead log.
//!
//! Invariants: one connection writes, on its own thread; others read, on their callers' threads; the
//! file is in WAL mode with `synchronous=FULL`.

mod apply;
mod concerns;
pub(crate) mod contradiction;
mod everything;
mod face;
mod gathered;
mod joints;
mod link;
mod lists;
mod numbers;
pub(crate) mod pool;
pub(crate) mod precondition;
pub(crate) mod read;
pub(crate) mod rejoin;
mod schema;
pub(crate) mod session;
mod stage;
pub(crate) mod walk;
mod writer;

use crate::Priority;
use crate::chart::batch::Lane;
use crate::chart::queue::{Job, Work};
use crate::chart::{ApplyError, OpenError, Options, Pending, Receipt};
use crate::journal::pending::promise;
use crate::wal::Room;
use base::Timestamp;
pub(crate) use face::digest;
use pool::Pool;
use schema::TypeNumbers;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use writer::{Shared, Writer};

/// Room for a write-ahead log of 512 MB: it is emptied at 128 MB, and a commit of an import may be
/// large.
const LOG_REGIONS: u64 = 32;

/// The engine of one chart.
#[derive(Debug)]
pub(crate) struct Sqlite {
    pub(crate) pool: Pool,
    pub(crate) types: Arc<TypeNumbers>,
    pub(crate) shared: Arc<Shared>,
    /// The number of records that an earlier build linked by other rules.
    pub(crate) n_to_rejoin: Option<u64>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Dropped after the connections; see [`Room`].
    _room: Room,
}

// === impl Sqlite ===

impl Sqlite {
    /// Opens or creates the file and starts the writer.
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let file = |source| OpenError::File {
            path: path.to_owned(),
            source,
        };
        let (conn, types, origin) = schema::open(path)?;
        let left = schema::left_at(&conn).map_err(file)?;
        let n_to_rejoin = rejoin::left(&conn).map_err(file)?;
        check_clock(path, options, left.updated)?;
        schema::for_writing(&conn, options.writer_cache_mb, options.max_size_mb).map_err(file)?;
        let room = Room::take(path, &conn, LOG_REGIONS);
        let types = Arc::new(types);
        let shared = Arc::new(Shared::new(
            path.to_owned(),
            options.max_queued,
            left.rid as u64,
            origin,
        ));
        let mut names = numbers::Names::default();
        names.reset(left.res);
        let writer = Writer {
            conn,
            types: Arc::clone(&types),
            shared: Arc::clone(&shared),
            clock: Arc::clone(&options.clock),
            counters: apply::Counters {
                last_rid: left.rid,
                now: left.updated,
            },
            names,
            gathered: gathered::Gathered::default(),
            stage: crate::backend::stage::Stage::default(),
            link_persons: options.link_persons,
        };
        let pool = Pool::new(path, options.readers);
        let engine = Self {
            pool,
            types,
            shared,
            n_to_rejoin,
            threads: Mutex::default(),
            _room: room,
        };
        engine.start("chart-writer", move || {
            Priority::Chart.take();
            writer.run();
        })?;
        let checkpoints = rusqlite::Connection::open(path).map_err(file)?;
        let shared = Arc::clone(&engine.shared);
        engine.start("chart-checkpoint", move || {
            Priority::Chart.take();
            shared.run_checkpoints(&checkpoints);
        })?;
        Ok(engine)
    }

    fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = std::thread::Builder::new().name(name.to_owned());
        let handle = thread.spawn(work).map_err(OpenError::Thread)?;
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle);
        Ok(())
    }

    /// Queues work for the writer.
    pub(crate) fn submit(&self, work: Work, lane: Lane) -> Pending<Receipt, ApplyError> {
        let (promise, pending) = promise();
        if let Err((job, closed)) = self.shared.queue.push(Job { work, promise }, lane) {
            let error = match (self.shared.stopped(), closed) {
                (Some(stopped), _) => stopped,
                (None, true) => ApplyError::Closed(crate::journal::WriterGone),
                (None, false) => ApplyError::Overloaded,
            };
            job.promise.keep(Err(error));
        }
        pending
    }

    /// Lets the writer finish the waiting work, and ends it.
    pub(crate) fn close(&self) {
        self.shared.queue.close();
        self.shared.end_checkpoints();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
    }

    /// Returns the paths of the database and its write-ahead log.
    pub(crate) fn files(&self) -> [PathBuf; 2] {
        let mut log = self.shared.path.clone().into_os_string();
        log.push("-wal");
        [self.shared.path.clone(), log.into()]
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

fn check_clock(path: &Path, options: &Options, stored: Timestamp) -> Result<(), OpenError> {
    let now = options.clock.now();
    let tolerated = i64::try_from(options.clock_tolerance.as_micros()).unwrap_or(i64::MAX);
    if now.micros().saturating_add(tolerated) < stored.micros() {
        return Err(OpenError::ClockBehind {
            path: path.to_owned(),
            now: now.to_fhir(),
            stored: stored.to_fhir(),
        });
    }
    Ok(())
}
