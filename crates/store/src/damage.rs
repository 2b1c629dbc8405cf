//! What reading found damaged, counted until the process ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Damage that a store met.
#[derive(Debug, Default)]
pub struct Damage {
    n: AtomicU64,
    last: Mutex<Option<String>>,
}

// === impl Damage ===

impl Damage {
    /// Counts and remembers what it was.
    pub(crate) fn meet(&self, what: &str) {
        // The first of each is enough for the log: a list that is looked at again and again says the same.
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

    /// How often.
    pub fn n_met(&self) -> u64 {
        self.n.load(Ordering::Relaxed)
    }

    /// What it was at last.
    pub fn last(&self) -> Option<String> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// True where the database says that its file is not as it wrote it.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, DatabaseCorrupt | NotADatabase)
        }
        // A column that is no longer of its kind.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}
