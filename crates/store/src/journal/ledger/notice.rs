//! Notices: incidents in the stores of this directory that a person has to know of. Each remains until a
//! person has seen it, also across restarts.

use super::{Ledger, Order};
use crate::identity::{Identity, Position};
use crate::journal::Sequence;
use crate::journal::error::{ReadError, WriteError};
use crate::journal::pending::Pending;
use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The tables for the ledger's identity, the stores that it remembers, and the notices.
pub(super) const TABLES: &str = "CREATE TABLE origin(what TEXT PRIMARY KEY, id TEXT NOT NULL,
  mark INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE notice(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL,
  seen INTEGER, by TEXT) STRICT;";

/// The number of seen notices that are kept.
const MAX_KEPT: i64 = 100;

/// An incident in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The notice's number.
    pub id: i64,
    /// The time of discovery.
    pub at: Timestamp,
    /// The text: what happened, what was done about it, and what is left to a person.
    pub text: String,
}

/// The condition of a ledger when it was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// True if it had no message.
    pub is_empty: bool,
    /// True if it was created at this opening.
    pub is_new: bool,
    /// The highest message that it knew.
    pub highest: Sequence,
    /// The identity of the journal that its messages belong to.
    pub journal: Option<Identity>,
    /// The chart's last known position.
    pub chart: Option<Position>,
    /// A file that was no longer a ledger, and was moved aside.
    pub set_aside: Option<std::path::PathBuf>,
}

// === impl Ledger ===

impl Ledger {
    /// Returns the ledger's condition when it was opened.
    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    /// Returns the ledger's identity, and how many times it was written.
    pub fn position(&self) -> Position {
        let mark = self.inner.mark.load(std::sync::atomic::Ordering::Acquire);
        Position {
            identity: self.inner.identity.clone(),
            mark,
        }
    }

    /// Remembers the position of the chart and the identity of the journal, with the next batch.
    pub(in crate::journal) fn remember(&self, chart: &Position, journal: &Identity) {
        let order = Order::Remember(chart.clone(), journal.clone());
        // The caller asks again soon.
        let _ = self.inner.inbox.push_lazy(order, 1);
    }

    /// Records a notice. The answer arrives after its `fsync`.
    pub fn notice(&self, text: String) -> Pending<(), WriteError> {
        self.order(|promise| Order::Notice(text, promise))
    }

    /// Marks a notice as seen by a person.
    pub fn notice_seen(&self, id: i64, by: &str) -> Pending<(), WriteError> {
        let by = by.to_owned();
        self.order(|promise| Order::Seen(id, by, promise))
    }

    /// Returns the notices that nobody has seen yet, oldest first.
    pub fn notices(&self) -> Result<Vec<Notice>, ReadError> {
        let sql = "SELECT id, at, text FROM notice WHERE seen IS NULL ORDER BY id";
        self.rows(sql, [], |row| {
            Ok(Notice {
                id: row.get(0)?,
                at: Timestamp::from_micros(row.get(1)?),
                text: row.get(2)?,
            })
        })
    }
}

pub(super) fn add(connection: &Connection, text: &str, at: Timestamp) -> rusqlite::Result<()> {
    // An unseen notice is recorded once, however often the server is started meanwhile.
    let sql = "INSERT INTO notice(at, text) SELECT ?1, ?2
       WHERE NOT EXISTS(SELECT 1 FROM notice WHERE text = ?2 AND seen IS NULL)";
    connection.execute(sql, params![at.micros(), text])?;
    let sql =
        "DELETE FROM notice WHERE seen IS NOT NULL AND id <= (SELECT max(id) FROM notice) - ?1";
    connection.execute(sql, [MAX_KEPT]).map(drop)
}

pub(super) fn see(
    connection: &Connection,
    id: i64,
    by: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "UPDATE notice SET seen = ?2, by = ?3 WHERE id = ?1 AND seen IS NULL";
    connection
        .execute(sql, params![id, at.micros(), by])
        .map(drop)
}

pub(super) fn remember(
    connection: &Connection,
    what: &str,
    identity: &Identity,
    mark: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO origin(what, id, mark) VALUES(?1,?2,?3)")?
        .execute(params![what, identity.as_str(), mark as i64])
        .map(drop)
}

fn origin(connection: &Connection, what: &str) -> rusqlite::Result<Option<Position>> {
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    let found = connection
        .query_row("SELECT id, mark FROM origin WHERE what = ?1", [what], read)
        .optional()?;
    Ok(found.and_then(|(id, mark)| {
        let (identity, mark) = (Identity::parse(&id)?, mark as u64);
        Some(Position { identity, mark })
    }))
}

/// Reads a ledger's identity and condition; gives it an identity if it has none yet.
pub(super) fn open(connection: &Connection) -> rusqlite::Result<(Position, Opened)> {
    let known = origin(connection, "ledger")?;
    let is_new = known.is_none();
    let own = known.unwrap_or_else(|| Position {
        identity: Identity::random(),
        mark: 0,
    });
    if is_new {
        remember(connection, "ledger", &own.identity, own.mark)?;
    }
    let highest: Option<i64> =
        connection.query_row("SELECT max(seq) FROM message", [], |row| row.get(0))?;
    let opened = Opened {
        is_empty: highest.is_none(),
        is_new,
        highest: Sequence::new(highest.unwrap_or(0) as u64),
        journal: origin(connection, "journal")?.map(|position| position.identity),
        chart: origin(connection, "chart")?,
        set_aside: None,
    };
    Ok((own, opened))
}
