//! Conditions that must hold before a batch is written.

use super::apply::Writing;
use crate::backend::change::{Before, NotWritten, check_expectation, conflict, invalid};
use crate::backend::persons::Persons;
use crate::backend::planner::Planner;
use crate::backend::stored::{PERSON, Res, Set};
use crate::backend::{Fault, Session, resolve};
use crate::chart::Conflict;
use crate::chart::batch::{Batch, Change, Condition, KeyClaim};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

// === impl Writing ===

impl Writing<'_> {
    pub(super) fn is_applied(&self, batch: &Batch) -> Result<bool, Fault> {
        if let Some(digest) = &batch.imported
            && is_imported(self.conn, digest)?
        {
            return Ok(true);
        }
        let Some(applied) = &batch.applied else {
            return Ok(false);
        };
        let mut select = self
            .conn
            .prepare_cached("SELECT 1 FROM applied WHERE message = ? AND map_version = ?")?;
        Ok(select.exists(params![applied.message, applied.map_version])?)
    }

    pub(super) fn check_changes(
        &mut self,
        changes: &[Change],
    ) -> Result<Vec<Option<Before>>, NotWritten> {
        let mut seen = HashSet::new();
        let mut found = Vec::with_capacity(changes.len());
        for change in changes {
            let resource_type = change.resource_type();
            if !seen.insert((resource_type, change.id.as_str())) {
                return Err(invalid("a resource is changed twice"));
            }
            let type_number = self.type_number(resource_type)?;
            let before = self.before(type_number, &change.id)?;
            check_expectation(change, before.as_ref())?;
            if resource_type == "Patient" && self.is_person(before.as_ref())? {
                return Err(conflict(Conflict::Person));
            }
            found.push(before);
        }
        Ok(found)
    }

    fn is_person(&self, before: Option<&Before>) -> Result<bool, Fault> {
        let Some(before) = before else {
            return Ok(false);
        };
        let bytes = self.set_of(before.res)?;
        Ok(Set::read(&bytes).is_some_and(|set| set.flags & PERSON != 0))
    }

    pub(super) fn check_key(&self, claim: &KeyClaim) -> Result<(), NotWritten> {
        let Some(holder) = self.holder(claim)? else {
            return Ok(());
        };
        let (resource_type, id) = self.session().name(holder)?;
        let same = resource_type == claim.resource_type
            && (id == claim.id || claim.moved_from.as_ref() == Some(&id));
        if same {
            Ok(())
        } else {
            Err(conflict(Conflict::Key { resource_type, id }))
        }
    }

    fn holder(&self, claim: &KeyClaim) -> Result<Option<Res>, Fault> {
        let mut select = self.conn.prepare_cached(
            "SELECT res FROM business_key WHERE system = ? AND kind = ? AND value = ?",
        )?;
        let key = &claim.key;
        let found = select.query_row(params![key.system, key.kind, key.value], |row| row.get(0));
        Ok(found.optional()?)
    }

    pub(super) fn check_condition(
        &mut self,
        idx: usize,
        condition: &Condition,
    ) -> Result<(), NotWritten> {
        // Earlier batches of this commit are included.
        self.flush()?;
        let session = self.session();
        let rows = resolve::rows(&session, &condition.rows)?;
        let planner = Planner::new(Persons::of_query(&session, &rows, &condition.query)?);
        let plan = planner.plan(&condition.query, None, 2)?;
        let hits = session.execute(&plan)?.hits;
        let only = match hits.as_slice() {
            [] => None,
            [hit] => Some(session.name(hit.res)?.1),
            _ => {
                return Err(conflict(Conflict::Condition {
                    condition: idx,
                    n_matches: 2,
                }));
            }
        };
        if only == condition.matches {
            return Ok(());
        }
        Err(conflict(Conflict::Condition {
            condition: idx,
            n_matches: hits.len(),
        }))
    }
}

/// Returns true if an input with this digest is in the chart.
pub(crate) fn is_imported(conn: &Connection, digest: &[u8; 32]) -> Result<bool, Fault> {
    let mut select = conn.prepare_cached("SELECT 1 FROM imported WHERE digest = ?")?;
    Ok(select.exists([digest])?)
}
