//! The single writer, and the checkpoints that run beside it.
//!
//! Invariants:
//! - a result is returned only after `COMMIT` returned, which under `synchronous=FULL` is after the
//!   `fsync` of the write-ahead log;
//! - group commit: a commit takes what queued up during the last `fsync`, and never waits for more;
//! - after a disk error nothing is written and no `fsync` is retried; all waiting work is refused
//!   with the cause. A full disk is the exception: the write failed, not an `fsync`, so writing
//!   continues once there is room;
//! - an error that is not the disk's affects only the batch that caused it.

use super::apply::{Counters, Writing};
use super::gathered::Gathered;
use super::numbers::Names;
use super::schema::{self, Origin, TypeNumbers};
use crate::backend::Fault;
use crate::backend::change::NotWritten;
use crate::backend::stage::Stage;
use crate::chart::queue::{Job, Queue, Slice, Work};
use crate::chart::{ApplyError, Receipt, StopKind};
use crate::damage::Damage;
use base::Clock;
use rusqlite::{Connection, ErrorCode};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The number of pages in the write-ahead log at which the writer stops to empty it.
const MAX_LOG_PAGES: u64 = 32_768;
/// The number of pages from which the writer empties the log whenever nobody waits: under slow
/// traffic the checkpoints never quite reach its end, and it would grow to the size above.
const MANY_LOG_PAGES: u64 = 4_096;
/// The time for which commits accumulate before a checkpoint.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(300);

/// The state shared by the writer, the checkpoints and the readers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) queue: Queue,
    pub(crate) stopped: Mutex<Option<ApplyError>>,
    pub(crate) versions: AtomicU64,
    pub(crate) origin: Origin,
    pub(crate) damage: Damage,
    checkpoints: Checkpoints,
}

#[derive(Debug, Default)]
struct Checkpoints {
    dirty: Mutex<bool>,
    wake: Condvar,
    /// The number of pages in the log at the last checkpoint.
    n_pages: AtomicU64,
    /// Held while pages are moved: two threads at once make no progress.
    moving: Mutex<()>,
    ended: AtomicBool,
}

/// The writer thread's own state.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) types: Arc<TypeNumbers>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Counters,
    pub(crate) names: Names,
    pub(crate) gathered: Gathered,
    pub(crate) stage: Stage,
    pub(crate) link_persons: bool,
}

type Answer = Result<Receipt, ApplyError>;

// === impl Writer ===

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        while self.shared.queue.wait() {
            match self.shared.stopped() {
                None => self.commit_one(),
                Some(error) => refuse(self.shared.queue.abandon(), &error),
            }
        }
        if self.shared.stopped().is_some() {
            return;
        }
        // A copy of the database file alone is then complete. If this fails, the log is read at the
        // next start.
        let _ = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    fn commit_one(&mut self) {
        let mut slice = Slice::new();
        let mut jobs: Vec<Job> = Vec::new();
        let mut answers: Vec<Answer> = Vec::new();
        let done = self.transaction(|writer| {
            while let Some(job) = writer.shared.queue.next(&mut slice) {
                jobs.push(job);
                if let Some(job) = jobs.last() {
                    answers.push(writer.work(job)?);
                }
            }
            Ok(())
        });
        match done {
            Ok(()) => {
                for (job, answer) in jobs.into_iter().zip(answers) {
                    job.promise.keep(answer);
                }
                self.after_commit();
            }
            Err(fault) => self.after_fault(fault, jobs),
        }
    }

    /// Runs `work` in a transaction and commits. On a fault everything is rolled back.
    fn transaction(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let before = self.counters.last_rid;
        // The clock may run backwards; the chart does not.
        self.counters.now = self.counters.now.max(self.clock.now());
        let done = self
            .begin()
            .and_then(|()| work(self))
            .and_then(|()| self.commit());
        if done.is_err() {
            self.counters.last_rid = before;
            self.stage.clear();
            // If this fails there is no transaction any more, which is the intended state.
            let _ = self.conn.execute_batch("ROLLBACK");
            let last_res = schema::left_at(&self.conn).map_or(i64::MAX / 2, |left| left.res);
            self.names.reset(last_res);
            self.gathered.clear();
        }
        done
    }

    fn begin(&self) -> Result<(), Fault> {
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.writing().flush()?;
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Applies one job. The outer error is the engine's and ends the transaction.
    fn work(&mut self, job: &Job) -> Result<Answer, Fault> {
        match &job.work {
            Work::Apply {
                batch,
                lineage,
                audit,
            } => match self.writing().apply(batch, lineage, audit) {
                Ok(receipt) => Ok(Ok(receipt)),
                Err(NotWritten::Refused(error)) => Ok(Err(error)),
                Err(NotWritten::Fault(fault)) => Err(fault),
            },
            Work::Rejoin => {
                self.writing().rejoin()?;
                Ok(Ok(Receipt::default()))
            }
            Work::Relayed { up_to } => {
                self.conn
                    .prepare_cached("DELETE FROM audit_relay WHERE number <= ?")?
                    .execute([*up_to as i64])?;
                Ok(Ok(Receipt::default()))
            }
        }
    }

    fn writing(&mut self) -> Writing<'_> {
        Writing {
            conn: &self.conn,
            types: &self.types,
            names: &mut self.names,
            gathered: &mut self.gathered,
            stage: &mut self.stage,
            counters: &mut self.counters,
            link_persons: self.link_persons,
        }
    }

    fn after_commit(&mut self) {
        self.shared
            .versions
            .store(self.counters.last_rid as u64, Ordering::Relaxed);
        self.shared.checkpoints.mark();
        let n_pages = self.shared.checkpoints.n_pages.load(Ordering::Relaxed);
        let is_free = self.shared.queue.len() == 0 && self.shared.checkpoints.is_free();
        if MAX_LOG_PAGES < n_pages || (MANY_LOG_PAGES < n_pages && is_free) {
            // While nothing is appended, the log can be emptied to its end and then restarts.
            // Beside a busy writer it never reaches the end and would grow without limit.
            self.shared.checkpoints.move_pages(&self.conn, true);
        }
    }

    fn after_fault(&mut self, fault: Fault, jobs: Vec<Job>) {
        let kind = stop_kind(&fault);
        if kind != StopKind::Internal {
            return self.stop(kind, fault, jobs);
        }
        // One of the jobs caused the fault, and the others should not be affected.
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let mut answer = None;
            match self.transaction(|writer| {
                answer = Some(writer.work(&job)?);
                Ok(())
            }) {
                Ok(()) => {
                    if let Some(answer) = answer {
                        job.promise.keep(answer);
                    }
                    self.after_commit();
                }
                Err(fault) => match stop_kind(&fault) {
                    StopKind::Internal => {
                        job.promise.keep(Err(ApplyError::Failed(Arc::new(fault))));
                    }
                    kind => {
                        let left = std::iter::once(job).chain(jobs).collect();
                        return self.stop(kind, fault, left);
                    }
                },
            }
        }
    }

    fn stop(&self, kind: StopKind, fault: Fault, jobs: Vec<Job>) {
        let path = self.shared.path.clone();
        let error = ApplyError::Stopped {
            path,
            kind,
            source: Arc::new(fault),
        };
        *self
            .shared
            .stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        refuse(jobs, &error);
        refuse(self.shared.queue.abandon(), &error);
    }
}

fn refuse(jobs: Vec<Job>, error: &ApplyError) {
    for job in jobs {
        job.promise.keep(Err(error.clone()));
    }
}

fn stop_kind(fault: &Fault) -> StopKind {
    match fault {
        Fault::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => match failure.code {
            ErrorCode::DiskFull => StopKind::DiskFull,
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed => StopKind::Disk,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StopKind::Damaged,
            _ => StopKind::Internal,
        },
        Fault::Sqlite(_)
        | Fault::Server(_)
        | Fault::Again
        | Fault::Cursor
        | Fault::Damaged(_)
        | Fault::Rotten(_) => StopKind::Internal,
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(path: PathBuf, max_queued: usize, versions: u64, origin: Origin) -> Self {
        Self {
            path,
            queue: Queue::new(max_queued),
            stopped: Mutex::new(None),
            versions: AtomicU64::new(versions),
            origin,
            damage: Damage::default(),
            checkpoints: Checkpoints::default(),
        }
    }

    /// Returns the reason why nothing is written any more.
    pub(crate) fn stopped(&self) -> Option<ApplyError> {
        self.stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Resumes writing if it stopped for lack of space.
    pub(crate) fn resume(&self) {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = match &*stopped {
            Some(ApplyError::Stopped { kind, .. }) => Some(*kind),
            _ => None,
        };
        if kind == Some(StopKind::DiskFull) {
            tracing::info!("chart takes writes again");
            *stopped = None;
        }
    }

    /// Moves pages from the log into the database file, beside the writer, until told to end.
    pub(crate) fn run_checkpoints(&self, conn: &Connection) {
        while self.checkpoints.wait() {
            self.checkpoints.move_pages(conn, false);
        }
    }

    pub(crate) fn end_checkpoints(&self) {
        self.checkpoints.ended.store(true, Ordering::Relaxed);
        self.checkpoints.mark();
    }
}

// === impl Checkpoints ===

impl Checkpoints {
    fn mark(&self) {
        *self.dirty.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }

    /// Returns true if nobody is moving pages.
    fn is_free(&self) -> bool {
        self.moving.try_lock().is_ok()
    }

    /// Moves as many pages as possible from the log into the database file. If that fails, the next
    /// commit triggers another attempt; if the disk is broken, the writer detects it itself.
    fn move_pages(&self, conn: &Connection, by_writer: bool) {
        let _one = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let n_left = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            let (all, moved): (i64, i64) = (row.get(1)?, row.get(2)?);
            // Both counts are from the start of the checkpoint. Only the writer knows that nothing
            // was appended since.
            Ok(if by_writer && all == moved { 0 } else { all })
        });
        if let Ok(n_left) = n_left {
            self.n_pages.store(n_left.max(0) as u64, Ordering::Relaxed);
        }
    }

    /// Waits for a commit, then briefly for more. Returns false at the end.
    fn wait(&self) -> bool {
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        while !*dirty {
            dirty = self
                .wake
                .wait(dirty)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *dirty = false;
        drop(dirty);
        if self.ended.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(CHECKPOINT_EVERY);
        !self.ended.load(Ordering::Relaxed)
    }
}
