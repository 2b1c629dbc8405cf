//! Records that share an identifier and are kept apart, reported once.
//!
//! Invariants:
//! - a pair is reported for the message that created it, as often as that message asks, also after
//!   a crash or a replay, and for no later message;
//! - a pair that has become one person is no longer reported;
//! - the table holds the records, the identifier's type and the contradiction; the identifier's
//!   value is only in the records.

use super::apply::Writing;
use super::link::Kept;
use crate::backend::stored::Res;
use crate::backend::{Fault, Session};
use crate::chart::person::Joint;
use crate::chart::{Contradiction, person};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// Created if it does not exist: a chart of an earlier build has no such table.
pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS contradiction (one INTEGER NOT NULL, other INTEGER NOT NULL,
  kind TEXT NOT NULL, differ TEXT NOT NULL, message BLOB NOT NULL,
  PRIMARY KEY (one, other)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contradiction_message ON contradiction (message);
";

/// The contradictions of one message, between records that still belong to two persons.
const OF_MESSAGE: &str = "SELECT a.id, b.id, c.kind, c.differ FROM contradiction c \
     JOIN resource a ON a.res = c.one JOIN resource b ON b.res = c.other \
     JOIN record one ON one.patient = c.one JOIN record other ON other.patient = c.other \
     WHERE c.message = ? AND one.person <> other.person ORDER BY c.one, c.other";

/// Two records that share an identifier and cannot belong to one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Apart {
    /// The older record.
    pub(crate) one: Res,
    pub(crate) other: Res,
    pub(crate) kind: String,
    pub(crate) differ: &'static str,
}

// === impl Writing ===

impl Writing<'_> {
    /// Returns those of the touched records that share an identifier with a record of another
    /// person.
    pub(super) fn kept_apart(&self, touched: &BTreeSet<Res>) -> Result<Vec<Apart>, Fault> {
        let mut apart = Vec::new();
        for &patient in touched {
            let Some(kept) = self.kept(patient)? else {
                continue;
            };
            // A link is not an identifier and always joins.
            for joint in kept.identity.numbers() {
                apart.extend(self.apart_by(&joint, patient, &kept)?);
            }
        }
        apart.sort();
        apart.dedup_by_key(|pair| (pair.one, pair.other));
        Ok(apart)
    }

    /// Returns the pairs with records of other persons that have the same identifier.
    fn apart_by(&self, joint: &Joint, patient: Res, kept: &Kept) -> Result<Vec<Apart>, Fault> {
        let mut apart = Vec::new();
        for holder in self.holders(joint)? {
            let person = self.session().person_of(holder)?;
            if person.is_none_or(|person| person == kept.person) {
                continue;
            }
            let Some(other) = self.kept(holder)? else {
                continue;
            };
            apart.push(Apart {
                one: patient.min(holder),
                other: patient.max(holder),
                kind: joint.kind.clone(),
                differ: person::differ(&kept.identity.born(), &other.identity.born()),
            });
        }
        Ok(apart)
    }

    /// Records the pairs that a batch kept apart, and returns those to report for its message. For
    /// a batch without a message, returns all of them and records none, so that a message can still
    /// report them.
    pub(super) fn tell_apart(
        &self,
        apart: &[Apart],
        message: Option<&[u8]>,
    ) -> Result<Vec<Contradiction>, Fault> {
        let Some(message) = message else {
            return apart.iter().map(|pair| self.named(pair)).collect();
        };
        for pair in apart {
            self.conn
                .prepare_cached("INSERT OR IGNORE INTO contradiction VALUES (?, ?, ?, ?, ?)")?
                .execute(params![
                    pair.one,
                    pair.other,
                    pair.kind,
                    pair.differ,
                    message
                ])?;
        }
        of_message(self.conn, message)
    }

    fn named(&self, pair: &Apart) -> Result<Contradiction, Fault> {
        let id = |res| Ok::<_, Fault>(self.session().name(res)?.1);
        Ok(Contradiction {
            records: [id(pair.one)?, id(pair.other)?],
            kind: pair.kind.clone(),
            differ: pair.differ.to_owned(),
        })
    }
}

/// Returns the contradictions reported for a message that still hold.
pub(crate) fn of_message(conn: &Connection, message: &[u8]) -> Result<Vec<Contradiction>, Fault> {
    let mut select = conn.prepare_cached(OF_MESSAGE)?;
    let rows = select.query_map([message], |row| {
        Ok(Contradiction {
            records: [row.get(0)?, row.get(1)?],
            kind: row.get(2)?,
            differ: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
