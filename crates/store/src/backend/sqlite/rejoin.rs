//! Persons of a chart that an earlier build linked by other rules, linked by the rules of now.
//!
//! Invariants:
//! - each slice is a transaction of its own and says in it how far it came: after a crash the next
//!   opening goes on there, and doing a slice twice changes nothing;
//! - source records are read and never written;
//! - a chart that is up to date is not looked at again.

use super::apply::Writing;
use super::link::Moved;
use crate::backend::Fault;
use crate::backend::stored::Res;
use crate::chart::person::{Identity, Joint};
use fhir::json::Document;
use rusqlite::{Connection, OptionalExtension, params};

/// Which rules these are: to be raised whenever what joins records, or keeps them apart, changes
/// ([`fhir::identifier`], [`crate::chart::person`]).
const RULES: i64 = 1;

/// Records of one slice: a few milliseconds of the writer's time.
const SLICE: i64 = 50;

/// Made where it is not there: a chart of an earlier build has none. `done` is the last record that
/// was looked at under `rules`; none where all were.
pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS person_rules (rules INTEGER NOT NULL, done INTEGER);
";

/// Writes down that a new chart knows no other rules.
pub(crate) fn begin(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute("INSERT INTO person_rules VALUES (?, NULL)", [RULES])?;
    Ok(())
}

/// How many records are still to be looked at; none where the chart is up to date.
pub(crate) fn left(conn: &Connection) -> rusqlite::Result<Option<u64>> {
    let Some(done) = done(conn)? else {
        return Ok(None);
    };
    let sql = "SELECT count(*) FROM record WHERE patient > ?";
    let n_left: i64 = conn.query_row(sql, [done], |row| row.get(0))?;
    Ok(Some(n_left.max(0) as u64))
}

/// The last record that was looked at; none where the chart is up to date.
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
    /// Links the next records anew.
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

    /// What joins a record by the rules of now, whatever joined it before.
    fn take_again(&mut self, patient: Res, moved: &mut Moved) -> Result<(), Fault> {
        let read = match self.session().load(&[patient]) {
            // What cannot be read stays where it is; whoever reads it is told.
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
