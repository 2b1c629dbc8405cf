//! Links persons by the current rules in a chart that an earlier build linked by other rules.
//!
//! Invariants:
//! - each slice is a transaction of its own that also stores its progress: after a crash the next
//!   opening continues there, and repeating a slice is idempotent;
//! - source records are read and never written;
//! - a chart that is up to date is not examined again.

use super::apply::Writing;
use super::link::Moved;
use crate::backend::Fault;
use crate::backend::stored::Res;
use crate::chart::person::{Identity, Joint};
use fhir::json::Document;
use rusqlite::{Connection, OptionalExtension, params};

/// The version of the rules. Increment it whenever the conditions that join records, or keep them
/// apart, change ([`fhir::identifier`], [`crate::chart::person`]).
const RULES: i64 = 1;

/// The number of records in one slice: a few milliseconds of the writer's time.
const SLICE: i64 = 50;

/// Created if it does not exist: a chart of an earlier build has no such table. `done` is the last
/// record examined under `rules`; NULL once all have been.
pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS person_rules (rules INTEGER NOT NULL, done INTEGER);
";

/// Records that a new chart has no records linked by other rules.
pub(crate) fn begin(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute("INSERT INTO person_rules VALUES (?, NULL)", [RULES])?;
    Ok(())
}

/// Returns the number of records still to be examined; `None` if the chart is up to date.
pub(crate) fn left(conn: &Connection) -> rusqlite::Result<Option<u64>> {
    let Some(done) = done(conn)? else {
        return Ok(None);
    };
    let sql = "SELECT count(*) FROM record WHERE patient > ?";
    let n_left: i64 = conn.query_row(sql, [done], |row| row.get(0))?;
    Ok(Some(n_left.max(0) as u64))
}

/// Returns the last record that was examined; `None` if the chart is up to date.
fn done(conn: &Connection) -> rusqlite::Result<Option<Res>> {
    let sql = "SELECT rules, done FROM person_rules";
    let known: Option<(i64, Option<Res>)> = conn
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match known {
        Some((RULES, done)) => done,
        Some(_) | None => Some(0),
    })
}

// === impl Writing ===

impl Writing<'_> {
    /// Links the next slice of records again.
    pub(super) fn rejoin(&mut self) -> Result<(), Fault> {
        let Some(done) = done(self.conn)? else {
            return Ok(());
        };
        let mut select = self.conn.prepare_cached(
            "SELECT patient FROM record WHERE patient > ? ORDER BY patient LIMIT ?",
        )?;
        let rows = select.query_map([done, SLICE], |row| row.get(0))?;
        let patients: Vec<Res> = rows.collect::<Result<_, _>>()?;
        let mut moved = Moved::default();
        for &patient in &patients {
            self.take_again(patient, &mut moved)?;
        }
        self.settle_all(moved)?;
        self.conn
            .prepare_cached("DELETE FROM person_rules")?
            .execute([])?;
        self.conn
            .prepare_cached("INSERT INTO person_rules VALUES (?, ?)")?
            .execute(params![RULES, patients.last()])?;
        Ok(())
    }

    /// Recomputes the joints of a record by the current rules, whatever joined it before.
    fn take_again(&mut self, patient: Res, moved: &mut Moved) -> Result<(), Fault> {
        let read = match self.session().load(&[patient]) {
            // An unreadable record stays where it is; reading it reports the error.
            Err(Fault::Rotten(_) | Fault::Damaged(_)) => None,
            read => read?.pop(),
        };
        let Some(resource) = read else {
            return Ok(());
        };
        let Ok(document) = Document::parse(&resource.body) else {
            return Ok(());
        };
        let Some(kept) = self.kept(patient)? else {
            return Ok(());
        };
        self.forget_joints(patient, &kept.identity.all_joints(&resource.id))?;
        let Some(identity) = Identity::of(document.root()) else {
            return self.take_identity(&resource.id, None, moved);
        };
        let joints = identity.joints(&resource.id);
        self.replace_joints(patient, &[], &joints)?;
        self.conn
            .prepare_cached("UPDATE record SET identity = ? WHERE patient = ?")?
            .execute(params![identity.bytes(), patient])?;
        moved.records.insert(patient);
        moved.persons.insert(kept.person);
        moved.joints.extend(joints);
        Ok(())
    }

    fn forget_joints(&self, patient: Res, joints: &[Joint]) -> Result<(), Fault> {
        let mut delete = self.conn.prepare_cached(
            "DELETE FROM identity WHERE system = ? AND kind = ? AND value = ? AND patient = ?",
        )?;
        for joint in joints {
            delete.execute(params![joint.system, joint.kind, joint.value, patient])?;
        }
        Ok(())
    }
}
