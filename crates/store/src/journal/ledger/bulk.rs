//! One wish for many messages: who asked for what, which messages, how far it is.

use super::Ledger;
use crate::journal::Sequence;
use crate::journal::error::ReadError;
use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Came later, and an older version does not mind it.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS bulk(id TEXT PRIMARY KEY,
  act TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, list TEXT NOT NULL, began INTEGER NOT NULL,
  todo BLOB NOT NULL, n_all INTEGER NOT NULL, n_done INTEGER NOT NULL, n_failed INTEGER NOT NULL,
  ended INTEGER, stopped TEXT) STRICT;";
/// So many are remembered once they have ended.
const MAX_KEPT: usize = 50;
const COLUMNS: &str = "id, act, by, why, list, began, n_all, n_done, n_failed, ended, stopped";

/// A wish for many messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// Its name in addresses.
    pub id: String,
    /// What is to be done with each: `replay`.
    pub act: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub why: String,
    /// The address of the list that it was asked for from.
    pub list: String,
    /// When.
    pub began: Timestamp,
    /// How far it is.
    pub progress: BulkProgress,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// Why it ended early: a person stopped it, or what went wrong.
    pub stopped: Option<String>,
}

/// How far a wish is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkProgress {
    /// All of its messages.
    pub n_all: u64,
    /// Those that are behind it, done or failed.
    pub n_done: u64,
    /// Those that could not be done.
    pub n_failed: u64,
}

impl Ledger {
    /// The newest wishes, newest first.
    pub fn bulks(&self, limit: usize) -> Result<Vec<Bulk>, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM bulk ORDER BY began DESC, id LIMIT ?1");
        self.rows(&sql, [limit as i64], bulk)
    }

    /// One wish.
    pub fn bulk(&self, id: &str) -> Result<Option<Bulk>, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM bulk WHERE id = ?1");
        Ok(self.rows(&sql, [id], bulk)?.pop())
    }

    /// Those that have not ended: a restart takes them up.
    pub fn bulks_open(&self) -> Result<Vec<Bulk>, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM bulk WHERE ended IS NULL ORDER BY began, id");
        self.rows(&sql, [], bulk)
    }

    /// The messages of a wish, in the order in which they are to be done.
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

/// What is to be done is not needed any more, so its room comes back.
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
