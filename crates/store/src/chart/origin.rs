//! Whose chart it is, which journals it has messages of, and how a message is called in it.
//!
//! Invariant: a message is a journal and a sequence. A key has both, so a message of a new journal never
//! passes for one of the journal before it.
//!
//! A key is eight bytes: 16 bits say which journal, by its number in the table `journal`, 48 bits the
//! sequence. The chart's first journal has the number 0, so keys of format 1 are what they were.

use super::{Chart, ReadError};
use crate::backend::Fault;
use crate::identity::{Identity, Position};
use crate::journal::Sequence;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The bits of a key that are the sequence.
const SEQUENCE: u64 = (1 << 48) - 1;

/// A journal that the chart has messages of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownJournal {
    /// Its number in keys.
    pub number: u16,
    /// Which journal; none where the chart is older than journals' names.
    pub identity: Option<Identity>,
    /// The highest of its messages that the chart has.
    pub highest: Sequence,
}

// === impl Chart ===

impl Chart {
    /// Which chart it is, and how many versions it has written.
    pub fn position(&self) -> Position {
        let shared = &self.0.engine.shared;
        Position {
            identity: shared.origin.identity.clone(),
            mark: shared.versions.load(Ordering::Relaxed),
        }
    }

    /// True where it was made at this opening.
    pub fn is_new(&self) -> bool {
        self.0.engine.shared.origin.is_new
    }

    /// The journals that it has messages of.
    pub fn journals(&self) -> Result<Vec<KnownJournal>, ReadError> {
        self.look_once(|session| journals(session.conn))
    }

    /// From now on [`key_of`](Self::key_of) speaks of this journal. `adopt` gives it the messages of a chart
    /// that is older than journals' names.
    pub fn bind(&self, journal: &Identity, adopt: bool) -> Result<(), ReadError> {
        let shared = &self.0.engine.shared;
        let number = bind(&shared.path, journal, adopt).map_err(|fault| self.read_error(fault))?;
        shared
            .origin
            .journal
            .store(u64::from(number), Ordering::Release);
        Ok(())
    }

    /// What a message of the journal is called in the chart.
    pub fn key_of(&self, sequence: Sequence) -> Vec<u8> {
        let journal = self.0.engine.shared.origin.journal.load(Ordering::Acquire);
        message_key(journal as u16, sequence.get()).to_vec()
    }

    /// The message of the journal that a key names; none where it is another journal's.
    pub fn message_of(&self, key: &[u8]) -> Option<Sequence> {
        let number = u64::from_be_bytes(key.try_into().ok()?);
        let journal = self.0.engine.shared.origin.journal.load(Ordering::Acquire);
        (number >> 48 == journal).then(|| Sequence::new(number & SEQUENCE))
    }
}

/// The key of a message of that journal.
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

/// The journal's number, given where it has none yet.
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
        // Its messages keep their number; whose they were is not known any more.
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
