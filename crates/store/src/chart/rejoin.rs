//! Brings the persons in a chart of an earlier build up to date, in the background.
//!
//! Invariants:
//! - it never delays other work: it requests one slice at a time, in the lane of imports;
//! - it ends with the chart, and continues at the next opening where it stopped.

use super::batch::Lane;
use super::error::OpenError;
use super::queue::Work;
use crate::backend::sqlite::{Sqlite, rejoin};
use rusqlite::Connection;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The interval between progress messages in the log.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// The delay before a refused slice is requested again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The background work and its progress.
#[derive(Debug)]
pub(crate) struct Rejoining {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    n_left: AtomicU64,
    ended: AtomicBool,
}

// === impl Rejoining ===

impl Rejoining {
    /// Starts the work if the chart's persons are not up to date.
    pub(super) fn start(engine: &Arc<Sqlite>, path: &Path, links: bool) -> Result<Self, OpenError> {
        let file = |source| OpenError::File {
            path: path.to_owned(),
            source,
        };
        let shared = Arc::new(Shared::default());
        let mut thread = None;
        if let Some(n_left) = engine.n_to_rejoin.filter(|_| links) {
            let conn = Connection::open(path).map_err(file)?;
            // If there are no records to look at, one slice records that.
            shared.n_left.store(n_left.max(1), Ordering::Relaxed);
            let (engine, state) = (Arc::clone(engine), Arc::clone(&shared));
            let work = move || run(&engine, &conn, &state);
            let builder = std::thread::Builder::new().name("chart-persons".to_owned());
            thread = Some(builder.spawn(work).map_err(OpenError::Thread)?);
        }
        Ok(Self {
            shared,
            thread: Mutex::new(thread),
        })
    }

    pub(super) fn n_left(&self) -> u64 {
        self.shared.n_left.load(Ordering::Relaxed)
    }

    /// Ends after the current slice.
    pub(super) fn end(&self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
    }
}

impl Drop for Rejoining {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(engine: &Sqlite, conn: &Connection, shared: &Shared) {
    let n_records = shared.n_left.load(Ordering::Relaxed);
    tracing::info!(n_records, "persons of an earlier build are linked anew");
    let mut said = Instant::now();
    let failing = base::LogThrottle::default();
    while !shared.ended.load(Ordering::Relaxed) {
        if let Err(error) = engine.submit(Work::Rejoin, Lane::Import).wait() {
            // The disk or the queue is full: there may be room later. A stopped chart ends with its
            // program, and so does this thread.
            if let Some(n_unsaid) = failing.record(Instant::now()) {
                tracing::warn!(%error, n_unsaid, "persons cannot be linked anew now");
            }
            std::thread::sleep(AGAIN_AFTER);
            continue;
        }
        match rejoin::left(conn) {
            Ok(None) => {
                shared.n_left.store(0, Ordering::Relaxed);
                tracing::info!(n_records, "persons are up to date");
                return;
            }
            Ok(Some(n_left)) => shared.n_left.store(n_left.max(1), Ordering::Relaxed),
            // The number left is only logged; the next slice determines it itself.
            Err(error) => tracing::debug!(%error, "how many records are left cannot be read"),
        }
        if SAY_EVERY < said.elapsed() {
            said = Instant::now();
            let n_left = shared.n_left.load(Ordering::Relaxed);
            tracing::info!(n_left, n_records, "linking persons anew");
        }
    }
}
