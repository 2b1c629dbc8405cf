//! Joints, the values that join records: the rows of `identity`.
//!
//! Invariant: a record's rows are exactly the joints of its identity.

use super::apply::Writing;
use crate::backend::Fault;
use crate::backend::stored::Res;
use crate::chart::person::Joint;
use rusqlite::params;

/// The number of holders above which an identifier names nobody: `UNKNOWN`, `0000`.
pub(super) const MAX_HOLDERS: usize = 64;

// === impl Writing ===

impl Writing<'_> {
    /// Replaces joints; both lists are sorted. Returns the new ones.
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

    /// Adds joints and removes none. Returns the new ones.
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

    /// Returns the persons of a joint's holders. All holders belong to one person except for what
    /// this batch changed, so a few of them suffice.
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

    /// Returns the holders of a joint; none if there are too many.
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
