//! The schedule and the parked partitions, shared between threads: a worker waits here for the next
//! job.
//!
//! Invariant: a job is found to be parked at the moment it is taken, under the same lock under
//! which a release returns the parked jobs; so no later message slips in between.

use super::parking::{ParkedSet, Parking};
use super::schedule::{Key, Schedule};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A [`Schedule`] and a [`Parking`] behind one lock.
#[derive(Debug)]
pub(crate) struct Board<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    started: Instant,
}

/// The result of taking a job.
#[derive(Debug)]
pub(crate) enum Taken<J> {
    /// Run the job, then [`Board::finish`] it.
    Run(u64, J),
    /// The job waits behind a failing head and is off the schedule; record that.
    Parked {
        /// The job's number.
        number: u64,
        /// The job.
        job: J,
        /// Sequence of the failing head.
        head: u64,
    },
}

/// A job that may be parked.
pub(crate) trait Park {
    /// Returns the keys that block the job when parked: its patient, or its partition.
    fn parking_keys(&self) -> &[Key];
}

#[derive(Debug)]
struct State<J> {
    schedule: Schedule<J>,
    parking: Parking,
    closed: bool,
}

// === impl Board ===

impl<J> Default for Board<J> {
    fn default() -> Self {
        let state = State {
            schedule: Schedule::default(),
            parking: Parking::default(),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            started: Instant::now(),
        }
    }
}

impl<J: Park> Board<J> {
    /// Queues a job with [`Schedule::push`].
    pub(crate) fn push(&self, number: u64, keys: Vec<Key>, job: J) -> bool {
        let pushed = self.lock().schedule.push(number, keys, job);
        self.changed.notify_one();
        pushed
    }

    /// Waits for a job; none after [`Self::close`].
    pub(crate) fn take(&self) -> Option<Taken<J>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = self.now();
            if let Some((number, job)) = state.schedule.take(now) {
                let Some(head) = state.parking.wait_behind(number, job.parking_keys()) else {
                    return Some(Taken::Run(number, job));
                };
                let n_moved_up = state.schedule.finish(number);
                self.wake(n_moved_up);
                return Some(Taken::Parked { number, job, head });
            }
            // A retry may become due with nobody to wake us.
            let next = state.schedule.next_due();
            let wait = next.map_or(60_000, |due| due.saturating_sub(now).max(1));
            let waited = self
                .changed
                .wait_timeout(state, Duration::from_millis(wait));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Reschedules a job with [`Schedule::retry`].
    pub(crate) fn retry(&self, number: u64, job: J, wait: Duration) {
        let due = self.now() + wait.as_millis() as u64;
        self.lock().schedule.retry(number, job, due);
        self.changed.notify_one();
    }

    /// Removes a job with [`Schedule::finish`].
    pub(crate) fn finish(&self, number: u64) {
        let n_moved_up = self.lock().schedule.finish(number);
        self.wake(n_moved_up);
    }

    /// Withdraws a job that is not running; false where it runs or is absent.
    pub(crate) fn withdraw(&self, number: u64) -> bool {
        let withdrawn = self.lock().schedule.withdraw(number).is_some();
        self.changed.notify_all();
        withdrawn
    }

    /// Parks everything with one of `keys` behind `head` from now on; `behind` is parked already.
    pub(crate) fn park(&self, head: u64, keys: &[Key], behind: &[(u64, Vec<Key>)]) {
        let mut state = self.lock();
        state.parking.park(head, keys);
        for (number, keys) in behind {
            state.parking.wait_behind(*number, keys);
        }
    }

    /// Releases everything behind `head`, and puts `jobs`, made from it, back at their old places.
    pub(crate) fn release(
        &self,
        head: u64,
        jobs: impl FnOnce(&ParkedSet) -> Vec<(u64, Vec<Key>, J)>,
    ) {
        let mut state = self.lock();
        let set = state.parking.release(head).unwrap_or_default();
        for (number, keys, job) in jobs(&set) {
            state.schedule.push(number, keys, job);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Returns the messages that wait behind `head`.
    pub(crate) fn behind(&self, head: u64) -> Option<Vec<u64>> {
        self.lock()
            .parking
            .parked_set(head)
            .map(|set| set.behind.clone())
    }

    /// Returns the number of unfinished jobs.
    pub(crate) fn len(&self) -> usize {
        self.lock().schedule.len()
    }

    /// Returns true where a job with this number is unfinished.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.lock().schedule.contains(number)
    }

    /// Ends every worker after its current job.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Wakes one worker per job: waking all for a job or two costs more than the jobs.
    fn wake(&self, n_jobs: usize) {
        for _ in 0..n_jobs {
            self.changed.notify_one();
        }
    }

    /// Returns the milliseconds since the board was created.
    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        // A worker that panics holds no lock while it works, so the state is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
