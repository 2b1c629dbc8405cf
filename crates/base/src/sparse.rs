//! A trouble that lasts is said once, and then once a minute: a log that repeats it five times a second hides
//! everything else, and fills the disk that may be the trouble.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line in this time.
const EVERY: Duration = Duration::from_mins(1);
/// After so long without it the next one is news.
const OVER: Duration = Duration::from_mins(5);

/// Says when one kind of trouble is to be said.
#[derive(Debug, Default)]
pub struct Sparse(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    said: Option<Instant>,
    met: Option<Instant>,
    n_unsaid: u64,
}

// === impl Sparse ===

impl Sparse {
    /// It happened. Where it is to be said: how often it happened since it was said last, unsaid.
    pub fn met(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = state.met.is_none_or(|met| OVER <= now.duration_since(met));
        state.met = Some(now);
        let is_due = is_news
            || state
                .said
                .is_none_or(|said| EVERY <= now.duration_since(said));
        if !is_due {
            state.n_unsaid += 1;
            return None;
        }
        state.said = Some(now);
        Some(std::mem::take(&mut state.n_unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_then_once_a_minute_with_a_count() {
        let sparse = Sparse::default();
        let start = Instant::now();
        let said: Vec<Option<u64>> = (0..=600)
            .map(|n| sparse.met(start + Duration::from_millis(200) * n))
            .collect();
        assert_eq!(said[0], Some(0));
        assert_eq!(said[300], Some(299));
        assert_eq!(said[600], Some(299));
        assert_eq!(said.iter().flatten().count(), 3);
        assert_eq!(
            sparse.met(start + Duration::from_mins(30)),
            Some(0),
            "news again"
        );
    }
}
