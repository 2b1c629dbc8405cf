//! The writer's queue, in three lanes.
//!
//! Invariants:
//! - an acknowledging batch never waits behind an interactive one, nor an interactive one behind an
//!   import;
//! - within a lane, batches are taken in order;
//! - while anyone else writes, imports get at most [`IMPORT_SLICE`] of a commit; otherwise they get
//!   large commits, in which each of the sorted rows costs a fraction.

use crate::chart::batch::{Batch, Lane, Receipt};
use crate::chart::error::ApplyError;
use crate::journal::pending::Promise;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The share of a commit that imports get while others write.
const IMPORT_SLICE: Duration = Duration::from_millis(5);
/// The time for which others count as writing after their last batch.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// The time after which a commit takes no more batches; the rest waits for the next one.
const COMMIT_SLICE: Duration = Duration::from_millis(50);
/// The corresponding time for imports that run alone.
const IMPORT_COMMIT: Duration = Duration::from_millis(500);
/// The maximum number of resources in one commit of imports that run alone.
const IMPORT_CHANGES: usize = 8192;

/// A batch in the queue.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) promise: Promise<Receipt, ApplyError>,
}

/// The work of a job.
#[derive(Debug)]
pub(crate) enum Work {
    /// Write a batch whose lineage and audit entries are already encoded.
    Apply {
        batch: Box<Batch>,
        lineage: Vec<Vec<u8>>,
        audit: Vec<Vec<u8>>,
    },
    /// Link the next records by the current rules.
    Rejoin,
    /// Delete relayed audit entries.
    Relayed { up_to: u64 },
}

/// The waiting jobs.
#[derive(Debug)]
pub(crate) struct Queue {
    max_queued: usize,
    lanes: Mutex<Lanes>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Lanes {
    acknowledging: VecDeque<Job>,
    interactive: VecDeque<Job>,
    imports: VecDeque<Job>,
    closed: bool,
    others_last: Option<Instant>,
}

/// The share of the queue that one commit takes.
#[derive(Debug)]
pub(crate) struct Slice {
    started: Instant,
    n_changes: usize,
}

// === impl Queue ===

impl Queue {
    pub(crate) fn new(max_queued: usize) -> Self {
        Self {
            max_queued,
            lanes: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Adds a batch to its lane; returns it if there is no room or the queue is closed.
    pub(crate) fn push(&self, job: Job, lane: Lane) -> Result<(), (Job, bool)> {
        let mut lanes = self.lock();
        if lanes.closed {
            return Err((job, true));
        }
        let queue = match lane {
            Lane::Acknowledging => &mut lanes.acknowledging,
            Lane::Interactive => &mut lanes.interactive,
            Lane::Import => &mut lanes.imports,
        };
        if self.max_queued <= queue.len() {
            return Err((job, false));
        }
        queue.push_back(job);
        drop(lanes);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for work. Returns false if the queue is closed and empty.
    pub(crate) fn wait(&self) -> bool {
        let mut lanes = self.lock();
        while lanes.len() == 0 {
            if lanes.closed {
                return false;
            }
            lanes = self
                .wake
                .wait(lanes)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Returns the next batch of this commit; `None` ends the commit.
    pub(crate) fn next(&self, slice: &mut Slice) -> Option<Job> {
        let mut lanes = self.lock();
        let lasted = slice.started.elapsed();
        if lasted < COMMIT_SLICE {
            let lanes = &mut *lanes;
            let first = lanes
                .acknowledging
                .pop_front()
                .or_else(|| lanes.interactive.pop_front());
            if let Some(job) = first {
                lanes.others_last = Some(Instant::now());
                return Some(job);
            }
        }
        let busy = lanes
            .others_last
            .is_some_and(|last| last.elapsed() < BUSY_FOR);
        let (time, n_changes) = if busy {
            (IMPORT_SLICE, 64)
        } else {
            (IMPORT_COMMIT, IMPORT_CHANGES)
        };
        if time <= lasted || n_changes <= slice.n_changes {
            return None;
        }
        let job = lanes.imports.pop_front()?;
        slice.n_changes += job.n_changes();
        Some(job)
    }

    /// Accepts no more jobs. Waiting jobs are still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Removes and returns the waiting jobs, so that they can be refused.
    pub(crate) fn abandon(&self) -> Vec<Job> {
        let mut lanes = self.lock();
        let lanes = &mut *lanes;
        let all = [
            &mut lanes.acknowledging,
            &mut lanes.interactive,
            &mut lanes.imports,
        ];
        all.into_iter().flat_map(std::mem::take).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Lanes ===

impl Lanes {
    fn len(&self) -> usize {
        self.acknowledging.len() + self.interactive.len() + self.imports.len()
    }
}

// === impl Slice ===

impl Slice {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            n_changes: 0,
        }
    }
}

// === impl Job ===

impl Job {
    fn n_changes(&self) -> usize {
        match &self.work {
            Work::Apply { batch, .. } => batch.changes.len(),
            // Counts as a full import slice, so that it gets a commit nearly to itself.
            Work::Rejoin => 64,
            Work::Relayed { .. } => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::pending::promise;

    fn job(up_to: u64) -> Job {
        Job {
            work: Work::Relayed { up_to },
            promise: promise().0,
        }
    }

    fn number(job: &Job) -> u64 {
        match job.work {
            Work::Relayed { up_to } => up_to,
            Work::Apply { .. } | Work::Rejoin => 0,
        }
    }

    #[test]
    fn acknowledging_goes_first_imports_last() {
        let queue = Queue::new(2);
        for (n, lane) in [
            (1, Lane::Import),
            (2, Lane::Interactive),
            (3, Lane::Acknowledging),
            (4, Lane::Import),
        ] {
            assert!(queue.push(job(n), lane).is_ok());
        }
        assert!(
            matches!(queue.push(job(5), Lane::Import), Err((_, false))),
            "full"
        );
        let mut slice = Slice::new();
        let order: Vec<_> = std::iter::from_fn(|| queue.next(&mut slice)).collect();
        assert_eq!(order.iter().map(number).collect::<Vec<_>>(), [3, 2, 1, 4]);
        queue.close();
        assert!(
            matches!(queue.push(job(6), Lane::Import), Err((_, true))),
            "closed"
        );
        assert!(!queue.wait());
    }
}
