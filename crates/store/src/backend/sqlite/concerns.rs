//! Findings that a person has to look at in an applied message, stored with its mark.

use super::apply::Writing;
use crate::backend::Fault;
use crate::chart::{Applied, Batch};
use rusqlite::{OptionalExtension, params};

/// Created if it does not exist: a chart of an earlier build has no such table.
pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS applied_concern (message BLOB NOT NULL, map_version TEXT NOT NULL,
  concerns TEXT NOT NULL, PRIMARY KEY (message, map_version)) WITHOUT ROWID;
";

// === impl Writing ===

impl Writing<'_> {
    pub(super) fn keep_concerns(&self, applied: &Applied) -> Result<(), Fault> {
        if let Some(concerns) = &applied.concerns {
            let mut insert = self
                .conn
                .prepare_cached("INSERT INTO applied_concern VALUES (?, ?, ?)")?;
            insert.execute(params![applied.message, applied.map_version, concerns])?;
        }
        Ok(())
    }

    /// Returns the findings of a message that is already applied.
    pub(super) fn concerns(&self, batch: &Batch) -> Result<Option<String>, Fault> {
        let Some(applied) = &batch.applied else {
            return Ok(None);
        };
        let mut select = self.conn.prepare_cached(
            "SELECT concerns FROM applied_concern WHERE message = ? AND map_version = ?",
        )?;
        let key = params![applied.message, applied.map_version];
        Ok(select.query_row(key, |row| row.get(0)).optional()?)
    }
}
