//! Checks for free space while the disk is full, and resumes writes once there is enough.
//!
//! The order matters: first the audit log restores its reserve, which it does by itself; then there
//! must be room for more than one write; only then do the journal, the chart and the flows resume.

use base::LogThrottle;
use flow::Engine;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::Position;
use store::audit::AuditLog;
use store::chart::{ApplyError, Chart, StopKind};
use store::journal::{Journal, WriteError};

const EVERY: Duration = Duration::from_secs(5);
/// The free space required before writes resume, so that they do not stop again at once.
const ENOUGH: u64 = 16 << 20;

/// The components that stop when the disk is full and resume afterwards.
pub(crate) struct Resumable {
    pub(crate) data: PathBuf,
    pub(crate) audit: AuditLog,
    pub(crate) journal: Journal,
    pub(crate) chart: Chart,
    pub(crate) engine: Arc<Engine>,
    /// The positions of chart and ledger when they were last recorded.
    pub(crate) remembered: Mutex<Option<(Position, Position)>>,
    /// The throttle of the log line about missing space.
    pub(crate) no_room: LogThrottle,
}

/// The thread that checks the disk.
pub(crate) struct DiskWatch {
    ended: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

// === impl DiskWatch ===

impl DiskWatch {
    pub(crate) fn start(resumable: Resumable) -> Self {
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let signal = ended.clone();
        let thread = std::thread::Builder::new()
            .name("disk-watch".to_owned())
            .spawn(move || {
                while wait(&signal) {
                    resumable.check();
                }
            });
        if let Err(error) = &thread {
            tracing::error!(%error, "the disk watch could not start; if the disk fills up, a restart is needed");
        }
        Self {
            ended,
            thread: thread.ok(),
        }
    }

    pub(crate) fn finish(mut self) {
        *self.ended.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for the next check; returns false when the thread should end.
fn wait((ended, wake): &(Mutex<bool>, Condvar)) -> bool {
    let guard = ended.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = wake.wait_timeout_while(guard, EVERY, |ended| !*ended);
    !*waited.unwrap_or_else(PoisonError::into_inner).0
}

// === impl Resumable ===

impl Resumable {
    fn check(&self) {
        self.remember();
        if !self.is_stopped() || self.audit.reserve().is_some() {
            return;
        }
        if let Err(error) = has_room(&self.data) {
            if let Some(n_unsaid) = self.no_room.record(Instant::now()) {
                tracing::warn!(%error, n_unsaid, "the disk is still full; no messages and no writes are accepted");
            }
            return;
        }
        self.chart.resume();
        self.journal.resume();
        self.engine.resume();
    }

    /// Records the positions of chart and ledger, so that an older copy of either is recognized.
    fn remember(&self) {
        let now = (self.chart.position(), self.journal.ledger().position());
        let mut last = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&now) && !self.is_stopped() {
            flow::remember(&self.chart, &self.journal);
            *last = Some((now.0, self.journal.ledger().position()));
        }
    }

    /// Returns true if something waits for space; after any other failure a restart is needed.
    fn is_stopped(&self) -> bool {
        let chart = matches!(
            self.chart.stopped(),
            Some(ApplyError::Stopped {
                kind: StopKind::DiskFull,
                ..
            })
        );
        let is_full = |error: Option<WriteError>| error.is_some_and(|error| error.is_disk_full());
        chart || is_full(self.journal.stopped()) || is_full(self.journal.ledger().stopped())
    }
}

/// Writes a probe file, because the free space that the system reports may be reserved for others.
fn has_room(data: &Path) -> io::Result<()> {
    // If the total free space is already too small, there is no need to write a probe.
    let disk = rustix::fs::statvfs(data)?;
    if disk.f_bfree.saturating_mul(disk.f_frsize) < ENOUGH {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let probe = data.join("room.probe");
    let written = File::create(&probe).and_then(|mut file| {
        io::copy(&mut io::repeat(0).take(ENOUGH), &mut file)?;
        file.sync_all()
    });
    let _ = fs::remove_file(&probe);
    written
}
