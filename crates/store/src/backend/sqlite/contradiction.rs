//! Records that share an identifier and are kept apart, told once.
//!
//! Invariants:
//! - a pair is told by the message that made it: to that message as often as it asks, after a crash
//!   or a replay too, and to no later one;
//! - a pair that is one person meanwhile is not told any more;
//! - what is kept is which records, of what type the identifier is, and what speaks against them;
//!   the identifier's value stands in the records alone.

use super::apply::Writing;
use super::link::Kept;
use crate::backend::stored::Res;
use crate::backend::{Fault, Session};
use crate::chart::person::Joint;
use crate::chart::{Contradiction, person};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// Made where it is not there: a chart of an earlier build has none.
pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS contradiction (one INTEGER NOT NULL, other INTEGER NOT NULL,
  kind TEXT NOT NULL, differ TEXT NOT NULL, message BLOB NOT NULL,
  PRIMARY KEY (one, other)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contradiction_message ON contradiction (message);
";

/// Of one message, and only of records that are still two persons'.
const OF_MESSAGE: &str = "SELECT a.id, b.id, c.kind, c.differ FROM contradiction c \
     JOIN resource a ON a.res = c.one JOIN resource b ON b.res = c.other \
     JOIN record one ON one.patient = c.one JOIN record other ON other.patient = c.other \
     WHERE c.message = ? AND one.person <> other.person ORDER BY c.one, c.other";

/// Two records that share an identifier and cannot be one person's.
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
    /// Of the records that a batch touched, those that share an identifier with another
    /// person's.
    pub(super) fn kept_apart(&self, touched: &BTreeSet<Res>) -> Result<Vec<Apart>, Fault> {
        let mut apart = Vec::new();
        for &patient in touched {
            let Some(kept) = self.kept(patient)? else {
                continue;
            };
            // A link, which is no number, always joins.
            for joint in kept.identity.numbers() {
                apart.extend(self.apart_by(&joint, patient, &kept)?);
            }
        }
        apart.sort();
        apart.dedup_by_key(|pair| (pair.one, pair.other));
        Ok(apart)
    }

    /// The records of other persons that have the number too.
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

    /// Of the records that a batch kept apart, what is to be told about its message. A batch of no
    /// message is told all of it and leaves it to be told to a message.
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

/// What was told about a message, as far as it still holds.
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
