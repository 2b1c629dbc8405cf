//! Bulk requests: one action on many messages, with who asked, for which messages, and the progress.

use super::Ledger;
use crate::journal::Sequence;
use crate::journal::error::ReadError;
use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Added later; an older version ignores it.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS bulk(id TEXT PRIMARY KEY,
  act TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, list TEXT NOT NULL, began INTEGER NOT NULL,
  todo BLOB NOT NULL, n_all INTEGER NOT NULL, n_done INTEGER NOT NULL, n_failed INTEGER NOT NULL,
  ended INTEGER, stopped TEXT) STRICT;";
/// The number of ended requests that are kept.
const MAX_KEPT: usize = 50;
const COLUMNS: &str = "id, act, by, why, list, began, n_all, n_done, n_failed, ended, stopped";

/// A request for one action on many messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// The id in URLs.
    pub id: String,
    /// The action on each message: `replay`.
    pub act: String,
    /// The person who asked.
    pub by: String,
    /// The reason given.
    pub why: String,
    /// The URL of the list from which it was requested.
    pub list: String,
    /// The time it began.
    pub began: Timestamp,
    /// The progress so far.
    pub progress: BulkProgress,
    /// The time it ended, if it did.
    pub ended: Option<Timestamp>,
    /// The reason why it ended early: a person stopped it, or an error.
    pub stopped: Option<String>,
}

/// The progress of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkProgress {
    /// All messages of the request.
    pub n_all: u64,
    /// Messages that are finished, done or failed.
    pub n_done: u64,
    /// Messages that failed.
    pub n_failed: u64,
}

impl Ledger {
    /// Returns the newest requests, newest first.
    pub fn bulks(&self, limit: usize) -> Result<Vec<Bulk>, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM bulk ORDER BY began DESC, id LIMIT ?1");
        self.rows(&sql, [limit as i64], bulk)
    }

    /// Returns one request.
    pub fn bulk(&self, id: &str) -> Result<Option<Bulk>, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM bulk WHERE id = ?1");
        Ok(self.rows(&sql, [id], bulk)?.pop())
    }

    /// Returns the requests that have not ended: a restart resumes them.
    pub fn bulks_open(&self) -> Result<Vec<Bulk>, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM bulk WHERE ended IS NULL ORDER BY began, id");
        self.rows(&sql, [], bulk)
    }

    /// Returns the messages of a request, in the order in which they are processed.
    pub fn bulk_messages(&self, id: &str) -> Result<Vec<Sequence>, ReadError> {
        let todo: Option<Vec<u8>> = self.read(|connection| {
            connection
                .prepare_cached("SELECT todo FROM bulk WHERE id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()
        })?;
        let chunks = todo.as_deref().unwrap_or_default().as_chunks::<8>().0;
        Ok(chunks
            .iter()
            .map(|bytes| Sequence::new(u64::from_be_bytes(*bytes)))
            .collect())
    }
}

pub(super) fn begin(
    connection: &Connection,
    bulk: &Bulk,
    messages: &[Sequence],
) -> rusqlite::Result<()> {
    let todo: Vec<u8> = messages
        .iter()
        .flat_map(|sequence| sequence.get().to_be_bytes())
        .collect();
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO bulk(id, act, by, why, list, began, todo, n_all, n_done, n_failed)
             VALUES(?1,?2,?3,?4,?5,?6,?7,?8,0,0)",
        )?
        .execute(params![
            bulk.id,
            bulk.act,
            bulk.by,
            bulk.why,
            bulk.list,
            bulk.began.micros(),
            todo,
            messages.len() as i64,
        ])?;
    connection
        .prepare_cached(
            "DELETE FROM bulk WHERE ended IS NOT NULL AND id NOT IN
               (SELECT id FROM bulk ORDER BY began DESC LIMIT ?1)",
        )?
        .execute([MAX_KEPT as i64])
        .map(drop)
}

pub(super) fn go_on(
    connection: &Connection,
    id: &str,
    progress: BulkProgress,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE bulk SET n_done = ?2, n_failed = ?3 WHERE id = ?1")?
        .execute(params![
            id,
            progress.n_done as i64,
            progress.n_failed as i64
        ])
        .map(drop)
}

/// Ends a request. Its list of messages is no longer needed, so its space is freed.
pub(super) fn end(
    connection: &Connection,
    id: &str,
    stopped: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE bulk SET ended = ?2, stopped = ?3, todo = x'' WHERE id = ?1 AND ended IS NULL",
        )?
        .execute(params![id, now.micros(), stopped])
        .map(drop)
}

fn bulk(row: &Row<'_>) -> rusqlite::Result<Bulk> {
    let number = |column| row.get::<_, i64>(column).map(|n| n as u64);
    let ended: Option<i64> = row.get(9)?;
    Ok(Bulk {
        id: row.get(0)?,
        act: row.get(1)?,
        by: row.get(2)?,
        why: row.get(3)?,
        list: row.get(4)?,
        began: Timestamp::from_micros(row.get(5)?),
        progress: BulkProgress {
            n_all: number(6)?,
            n_done: number(7)?,
            n_failed: number(8)?,
        },
        ended: ended.map(Timestamp::from_micros),
        stopped: row.get(10)?,
    })
}
