//! Counts the damage that reads find, until the process ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The damage that a store has found.
#[derive(Debug, Default)]
pub struct Damage {
    n: AtomicU64,
    last: Mutex<Option<String>>,
}

// === impl Damage ===

impl Damage {
    /// Counts damage and remembers its description.
    pub(crate) fn meet(&self, what: &str) {
        // The first of a series is enough for the log: a list that is read repeatedly reports the same.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() != Some(what) {
            tracing::error!(
                what,
                "damaged data was met and is not given out; run `causeway verify`"
            );
            *last = Some(what.to_owned());
        }
        self.n.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how often damage was found.
    pub fn n_met(&self) -> u64 {
        self.n.load(Ordering::Relaxed)
    }

    /// Returns the description of the last damage.
    pub fn last(&self) -> Option<String> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Returns true if the database reports that its file is not as it was written.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, DatabaseCorrupt | NotADatabase)
        }
        // A column whose value has the wrong type.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}
