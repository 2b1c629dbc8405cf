//! Turns at computing: many messages are on their way into the chart, few are worked out at once.
//!
//! A message waits longest for the disk. So that one commit carries many messages there are many
//! workers; so that the acknowledgements find a free processor no more of them compute than there
//! are processors.

use std::sync::{Condvar, Mutex, PoisonError};

/// As many turns as there are processors.
#[derive(Debug)]
pub(super) struct Turns {
    free: Mutex<usize>,
    returned: Condvar,
}

/// The right to compute, until it is dropped.
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
