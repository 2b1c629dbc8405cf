//! The schedule as threads see it: a worker waits here for the next job.

use super::schedule::{Key, Schedule};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A [`Schedule`] behind a lock. Times are milliseconds since the board was made.
#[derive(Debug)]
pub struct Board<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    started: Instant,
}

#[derive(Debug)]
struct State<J> {
    schedule: Schedule<J>,
    closed: bool,
}

// === impl Board ===

impl<J> Default for Board<J> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State { schedule: Schedule::default(), closed: false }),
            changed: Condvar::new(),
            started: Instant::now(),
        }
    }
}

impl<J> Board<J> {
    /// See [`Schedule::push`].
    pub fn push(&self, number: u64, keys: Vec<Key>, job: J) -> bool {
        let pushed = self.lock().schedule.push(number, keys, job);
        self.changed.notify_one();
        pushed
    }

    /// Waits for a job; none after [`Self::close`].
    pub fn take(&self) -> Option<(u64, J)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = self.now();
            if let Some(taken) = state.schedule.take(now) {
                return Some(taken);
            }
            // A retry may fall due without anybody to wake us.
            let wait = state.schedule.next_due().map_or(60_000, |due| due.saturating_sub(now).max(1));
            let waited = self.changed.wait_timeout(state, Duration::from_millis(wait));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// See [`Schedule::retry`].
    pub fn retry(&self, number: u64, job: J, wait: Duration) {
        let due = self.now() + wait.as_millis() as u64;
        self.lock().schedule.retry(number, job, due);
        self.changed.notify_one();
    }

    /// See [`Schedule::finish`].
    pub fn finish(&self, number: u64) {
        self.lock().schedule.finish(number);
        // Several may have moved up.
        self.changed.notify_all();
    }

    /// The number of jobs not finished.
    pub fn len(&self) -> usize {
        self.lock().schedule.len()
    }

    /// True where nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True where a job of this number is not finished.
    pub fn contains(&self, number: u64) -> bool {
        self.lock().schedule.contains(number)
    }

    /// Lets every worker go home after its job.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        // A worker that panicked holds no lock while it works, so the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
