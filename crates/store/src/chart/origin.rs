//! The chart's identity, the journals whose messages it has, and the keys of those messages.
//!
//! Invariant: a message is identified by a journal and a sequence. A key has both, so a message of
//! a new journal is never mistaken for one of its predecessor.
//!
//! A key has eight bytes: 16 bits for the journal, by its number in the table `journal`, and 48
//! bits for the sequence. The chart's first journal has the number 0, so keys of format 1 remain
//! valid.

use super::{Chart, ReadError};
use crate::backend::Fault;
use crate::identity::{Identity, Position};
use crate::journal::Sequence;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The bits of a key that hold the sequence.
const SEQUENCE: u64 = (1 << 48) - 1;

/// A journal whose messages the chart has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownJournal {
    /// The journal's number in keys.
    pub number: u16,
    /// The journal's identity; `None` if the chart predates journal identities.
    pub identity: Option<Identity>,
    /// The highest sequence that the chart has from this journal.
    pub highest: Sequence,
}

// === impl Chart ===

impl Chart {
    /// Returns the chart's identity and the number of versions it has written.
    pub fn position(&self) -> Position {
        let shared = &self.0.engine.shared;
        Position {
            identity: shared.origin.identity.clone(),
            mark: shared.versions.load(Ordering::Relaxed),
        }
    }

    /// Returns true if the chart was created at this opening.
    pub fn is_new(&self) -> bool {
        self.0.engine.shared.origin.is_new
    }

    /// Returns the journals whose messages the chart has.
    pub fn journals(&self) -> Result<Vec<KnownJournal>, ReadError> {
        self.look_once(|session| journals(session.conn))
    }

    /// Makes [`key_of`](Self::key_of) refer to this journal. `adopt` assigns to it the messages of
    /// a chart that predates journal identities.
    pub fn bind(&self, journal: &Identity, adopt: bool) -> Result<(), ReadError> {
        let shared = &self.0.engine.shared;
        let number = bind(&shared.path, journal, adopt).map_err(|fault| self.read_error(fault))?;
        shared
            .origin
            .journal
            .store(u64::from(number), Ordering::Release);
        Ok(())
    }

    /// Returns the chart's key for a message of the bound journal.
    pub fn key_of(&self, sequence: Sequence) -> Vec<u8> {
        let journal = self.0.engine.shared.origin.journal.load(Ordering::Acquire);
        message_key(journal as u16, sequence.get()).to_vec()
    }

    /// Returns the sequence in the bound journal that a key names; `None` if the key belongs to
    /// another journal.
    pub fn message_of(&self, key: &[u8]) -> Option<Sequence> {
        let number = u64::from_be_bytes(key.try_into().ok()?);
        let journal = self.0.engine.shared.origin.journal.load(Ordering::Acquire);
        (number >> 48 == journal).then(|| Sequence::new(number & SEQUENCE))
    }
}

/// Returns the key of a message of that journal.
pub(crate) fn message_key(journal: u16, sequence: u64) -> [u8; 8] {
    key(journal, Sequence::new(sequence)).to_be_bytes()
}

fn key(journal: u16, sequence: Sequence) -> u64 {
    u64::from(journal) << 48 | (sequence.get() & SEQUENCE)
}

fn highest(conn: &Connection, number: u16) -> Result<Option<Sequence>, Fault> {
    let first = key(number, Sequence::ZERO).to_be_bytes();
    let last = key(number, Sequence::new(SEQUENCE)).to_be_bytes();
    let sql = "SELECT message FROM applied WHERE ?1 <= message AND message <= ?2 AND length(message) = 8 \
               ORDER BY message DESC LIMIT 1";
    let found: Option<Vec<u8>> = conn
        .query_row(sql, params![&first[..], &last[..]], |row| row.get(0))
        .optional()?;
    let number = found
        .and_then(|key| key.try_into().ok())
        .map(u64::from_be_bytes);
    Ok(number.map(|number| Sequence::new(number & SEQUENCE)))
}

fn journals(conn: &Connection) -> Result<Vec<KnownJournal>, Fault> {
    let mut statement = conn.prepare("SELECT number, id FROM journal ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, u16>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut known = Vec::new();
    for row in rows {
        let (number, id) = row?;
        let identity = Identity::parse(&id);
        let highest = highest(conn, number)?.unwrap_or(Sequence::ZERO);
        known.push(KnownJournal {
            number,
            identity,
            highest,
        });
    }
    if known.is_empty()
        && let Some(highest) = highest(conn, 0)?
    {
        known.push(KnownJournal {
            number: 0,
            identity: None,
            highest,
        });
    }
    Ok(known)
}

/// Returns the journal's number, assigning one if it has none yet.
fn bind(path: &Path, journal: &Identity, adopt: bool) -> Result<u16, Fault> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    let known = journals(&conn)?;
    let named = known
        .iter()
        .find(|known| known.identity.as_ref() == Some(journal));
    if let Some(named) = named {
        return Ok(named.number);
    }
    let nobodys = known.iter().any(|known| known.identity.is_none());
    let number = match known.last() {
        None => 0,
        Some(_) if nobodys && adopt => 0,
        Some(last) => last.number + 1,
    };
    conn.execute_batch("PRAGMA synchronous = FULL; BEGIN IMMEDIATE")?;
    let insert = "INSERT OR REPLACE INTO journal(number, id) VALUES (?, ?)";
    if nobodys && !adopt {
        // Its messages keep their number; which journal they came from is no longer known.
        conn.execute(insert, params![0, ""])?;
    }
    conn.execute(insert, params![number, journal.as_str()])?;
    conn.execute_batch("COMMIT")?;
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_first_journal_are_plain_sequences() {
        assert_eq!(key(0, Sequence::new(81)), 81);
        assert_eq!(key(3, Sequence::new(81)) >> 48, 3);
    }
}
