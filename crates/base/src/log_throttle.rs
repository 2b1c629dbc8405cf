//! Throttle for repeated log lines: a lasting problem is logged once, and then once a minute. A log
//! that repeats it five times a second hides everything else, and fills the disk that may be the
//! problem.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Minimum interval between two lines.
const EVERY: Duration = Duration::from_mins(1);
/// Quiet period after which the next occurrence is logged as new.
const OVER: Duration = Duration::from_mins(5);

/// Throttle for the log lines of one kind of problem.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged: Option<Instant>,
    occurred: Option<Instant>,
    n_suppressed: u64,
}

// === impl LogThrottle ===

impl LogThrottle {
    /// Records an occurrence. If it is to be logged, returns the number of occurrences suppressed
    /// since the last line.
    pub fn record(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = state
            .occurred
            .is_none_or(|occurred| OVER <= now.duration_since(occurred));
        state.occurred = Some(now);
        let is_due = is_new
            || state
                .logged
                .is_none_or(|logged| EVERY <= now.duration_since(logged));
        if !is_due {
            state.n_suppressed += 1;
            return None;
        }
        state.logged = Some(now);
        Some(std::mem::take(&mut state.n_suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_then_once_a_minute_with_a_count() {
        let throttle = LogThrottle::default();
        let start = Instant::now();
        let logged: Vec<Option<u64>> = (0..=600)
            .map(|n| throttle.record(start + Duration::from_millis(200) * n))
            .collect();
        assert_eq!(logged[0], Some(0));
        assert_eq!(logged[300], Some(299));
        assert_eq!(logged[600], Some(299));
        assert_eq!(logged.iter().flatten().count(), 3);
        assert_eq!(
            throttle.record(start + Duration::from_mins(30)),
            Some(0),
            "new again"
        );
    }
}
