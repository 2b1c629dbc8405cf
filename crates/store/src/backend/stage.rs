//! Posting rows of one commit, buffered and then written in sorted order.
//!
//! Invariant: the last of several operations on one row wins, so the batches of a commit take effect
//! in the order in which they came, although their rows are written in another. Sorted rows enter
//! each clustered table from left to right, which touches each page once.

use crate::backend::key::{Difference, Key};
use crate::backend::stored::Res;

/// Posting rows that are buffered until the end of the commit.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    rows: Vec<(Key, Res, bool)>,
}

// === impl Stage ===

impl Stage {
    pub(crate) fn put(&mut self, res: Res, difference: Difference) {
        self.rows
            .extend(difference.removed.into_iter().map(|key| (key, res, false)));
        self.rows
            .extend(difference.added.into_iter().map(|key| (key, res, true)));
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Drains the buffered rows, sorted, one operation for each row: true adds it, false deletes
    /// it.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Key, Res, bool)> {
        // The sort is stable: of equal rows, the last operation stays last.
        self.rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut rows = std::mem::take(&mut self.rows).into_iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let (key, res, added) = rows.next()?;
                let superseded = rows
                    .peek()
                    .is_some_and(|next| next.0 == key && next.1 == res);
                if !superseded {
                    return Some((key, res, added));
                }
            }
        })
    }
}
