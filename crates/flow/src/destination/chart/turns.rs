//! A limit on concurrent computation: many messages are on their way into the chart, few compute at
//! once.
//!
//! A message spends most of its time waiting for the disk. There are many workers so that one
//! commit carries many messages (group commit); no more of them compute at once than there are
//! processors, so that acknowledgements find a free one.

use std::sync::{Condvar, Mutex, PoisonError};

/// A semaphore with as many turns as processors.
#[derive(Debug)]
pub(super) struct Turns {
    free: Mutex<usize>,
    returned: Condvar,
}

/// The right to compute, held until it is dropped.
pub(super) struct Turn<'a>(&'a Turns);

// === impl Turns ===

impl Turns {
    pub(super) fn new() -> Self {
        let n_turns = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            free: Mutex::new(n_turns),
            returned: Condvar::new(),
        }
    }

    /// Waits for a turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .returned
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}
