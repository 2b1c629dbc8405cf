//! Checkpoints write-ahead logs beside the writer.
//!
//! SQLite restarts a log only when it is checkpointed completely and has no reader, which never happens under
//! load: the writer is always ahead. So this thread checkpoints the large part while the writer continues,
//! and the writer checkpoints the small rest between two batches.

use super::day::{self, DayFile};
use super::days::Days;
use super::error::ReadError;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The checkpointing thread, as the writer sees it.
pub(super) struct Checkpointer {
    days: Arc<Days>,
    asked: Option<SyncSender<PathBuf>>,
    done: Arc<AtomicBool>,
    running: bool,
    enough: u64,
    thread: Option<JoinHandle<()>>,
}

// === impl Checkpointer ===

impl Checkpointer {
    pub(super) fn start(days: Arc<Days>, enough: u64) -> std::io::Result<Self> {
        let (asked, asks) = sync_channel(1);
        let done = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("journal-checkpoint".to_owned())
            .spawn({
                let (days, done) = (days.clone(), done.clone());
                move || run(&days, &asks, &done)
            })?;
        Ok(Self {
            days,
            asked: Some(asked),
            done,
            running: false,
            enough,
            thread: Some(thread),
        })
    }

    /// Takes note of a write: the log now holds `n_bytes`.
    pub(super) fn wrote(&mut self, file: &DayFile, connection: &Connection, n_bytes: u64) {
        if self.running && self.done.swap(false, Ordering::AcqRel) {
            self.running = false;
            if let Err(source) = day::checkpoint(connection, "PASSIVE") {
                self.days.stop(ReadError::File {
                    path: file.path.clone(),
                    source,
                });
            }
        } else if !self.running
            && self.enough <= n_bytes
            && let Some(asked) = &self.asked
        {
            self.running = asked.try_send(file.path.clone()).is_ok();
        }
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(days: &Days, asks: &Receiver<PathBuf>, done: &AtomicBool) {
    let mut open: Option<(PathBuf, Connection)> = None;
    for path in asks {
        if days.stopped().is_some() {
            // A disk that was full may have space again later.
            done.store(true, Ordering::Release);
            continue;
        }
        let outcome = match open.take().filter(|(known, _)| *known == path) {
            Some((_, connection)) => Ok(connection),
            None => day::open_reader(&path),
        }
        .and_then(|connection| {
            day::checkpoint(&connection, "PASSIVE")?;
            Ok(connection)
        });
        match outcome {
            Ok(connection) => open = Some((path, connection)),
            // A failed fsync counts as failed, whichever thread called it.
            Err(source) => drop(days.stop(ReadError::File { path, source })),
        }
        done.store(true, Ordering::Release);
    }
}
