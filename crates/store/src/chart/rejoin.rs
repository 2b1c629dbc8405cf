//! Brings the persons of a chart of an earlier build up to date, beside all other work.
//!
//! Invariants:
//! - it never keeps anybody waiting: it asks for one slice at a time, in the lane of imports;
//! - it ends with the chart, and goes on at the next opening where it was.

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

/// How often the log says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// How long a refused slice waits before it is asked for again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The work, and how far it is.
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
    /// Starts it where the chart's persons are not up to date.
    pub(super) fn start(engine: &Arc<Sqlite>, path: &Path, links: bool) -> Result<Self, OpenError> {
        let file = |source| OpenError::File {
            path: path.to_owned(),
            source,
        };
        let shared = Arc::new(Shared::default());
        let mut thread = None;
        if let Some(n_left) = engine.n_to_rejoin.filter(|_| links) {
            let conn = Connection::open(path).map_err(file)?;
            // Where there is nothing to look at, one slice says so.
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

    /// Ends after the slice at hand.
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
            // A full disk or a full queue: there may be room later. A stopped chart ends with its
            // program, and this with it.
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
            // What is left is only said; the next slice finds out by itself.
            Err(error) => tracing::debug!(%error, "how many records are left cannot be read"),
        }
        if SAY_EVERY < said.elapsed() {
            said = Instant::now();
            let n_left = shared.n_left.load(Ordering::Relaxed);
            tracing::info!(n_left, n_records, "linking persons anew");
        }
    }
}
