//! What joins records: the rows of `identity`.
//!
//! Invariant: a record's rows are what its identity joins it by, no more and no less.

use super::apply::Writing;
use crate::backend::Fault;
use crate::backend::stored::Res;
use crate::chart::person::Joint;
use rusqlite::params;

/// An identifier that more records than this have is nobody's: `UNKNOWN`, `0000`.
pub(super) const MAX_HOLDERS: usize = 64;

// === impl Writing ===

impl Writing<'_> {
    /// Both are sorted. Gives what is new.
    pub(super) fn replace_joints(
        &self,
        patient: Res,
        old: &[Joint],
        new: &[Joint],
    ) -> Result<Vec<Joint>, Fault> {
        let mut delete = self.conn.prepare_cached(
            "DELETE FROM identity WHERE system = ? AND kind = ? AND value = ? AND patient = ?",
        )?;
        for joint in old.iter().filter(|joint| new.binary_search(joint).is_err()) {
            delete.execute(params![joint.system, joint.kind, joint.value, patient])?;
        }
        let mut insert = self
            .conn
            .prepare_cached("INSERT OR IGNORE INTO identity VALUES (?, ?, ?, ?)")?;
        let mut fresh = Vec::new();
        for joint in new.iter().filter(|joint| old.binary_search(joint).is_err()) {
            insert.execute(params![joint.system, joint.kind, joint.value, patient])?;
            fresh.push(joint.clone());
        }
        Ok(fresh)
    }

    /// The same where nothing goes.
    pub(super) fn add_joints(&self, patient: Res, added: Vec<Joint>) -> Result<Vec<Joint>, Fault> {
        let mut insert = self
            .conn
            .prepare_cached("INSERT OR IGNORE INTO identity VALUES (?, ?, ?, ?)")?;
        let mut fresh = Vec::with_capacity(added.len());
        for joint in added {
            let bound = params![joint.system, joint.kind, joint.value, patient];
            if 0 < insert.execute(bound)? {
                fresh.push(joint);
            }
        }
        Ok(fresh)
    }

    pub(super) fn count_holders(&self, joint: &Joint, limit: usize) -> Result<usize, Fault> {
        let mut select = self.conn.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM identity \
             WHERE system = ? AND kind = ? AND value = ? LIMIT ?)",
        )?;
        let bound = params![joint.system, joint.kind, joint.value, limit as i64];
        Ok(select.query_row(bound, |row| row.get::<_, i64>(0))? as usize)
    }

    /// The persons of those who have it. They are one but for what this batch changed, so a few
    /// holders tell of all.
    pub(super) fn persons_with(&self, joint: &Joint) -> Result<Vec<Res>, Fault> {
        let mut select = self.conn.prepare_cached(
            "SELECT DISTINCT record.person FROM (SELECT patient FROM identity \
             WHERE system = ? AND kind = ? AND value = ? LIMIT ?) AS holder \
             JOIN record ON record.patient = holder.patient",
        )?;
        let limit = MAX_HOLDERS as i64 + 1;
        let bound = params![joint.system, joint.kind, joint.value, limit];
        let rows = select.query_map(bound, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Who has it; none where too many do.
    pub(super) fn holders(&self, joint: &Joint) -> Result<Vec<Res>, Fault> {
        let mut select = self.conn.prepare_cached(
            "SELECT patient FROM identity WHERE system = ? AND kind = ? AND value = ? LIMIT ?",
        )?;
        let limit = MAX_HOLDERS as i64 + 1;
        let rows = select.query_map(
            params![joint.system, joint.kind, joint.value, limit],
            |row| row.get(0),
        )?;
        let found: Vec<Res> = rows.collect::<Result<_, _>>()?;
        let shared_by_all = MAX_HOLDERS < found.len() && !joint.system.is_empty();
        Ok(if shared_by_all { Vec::new() } else { found })
    }
}
