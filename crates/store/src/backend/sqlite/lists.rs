//! Lists of senders: `list_entry` has a row for each resource in a list, `list_time` the time of
//! the latest event.
//!
//! | table | row |
//! |---|---|
//! | list_entry | `allergies\|Patient/9f…`, `adt\|REG\|NORTH`, 4711 |
//! | list_time | `allergies\|Patient/9f…`, `adt\|REG\|NORTH`, 1704103200000000 |

use super::apply::Writing;
use super::session::SqliteSession;
use crate::backend::Fault;
use crate::backend::stored::{self, Res};
use crate::chart::{ListChange, ListName, SenderList};
use base::Timestamp;
use rusqlite::params;

/// Created if they do not exist: a chart of an earlier build has no such tables.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS list_entry (of TEXT NOT NULL, sender TEXT NOT NULL,
  res INTEGER NOT NULL, PRIMARY KEY (of, sender, res)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS list_entry_res ON list_entry (res);
CREATE TABLE IF NOT EXISTS list_time (of TEXT NOT NULL, sender TEXT NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (of, sender)) WITHOUT ROWID;
";

/// The time of a list for which no event had a time.
const NO_TIME: i64 = i64::MIN;

// === impl SqliteSession ===

impl SqliteSession<'_> {
    pub(crate) fn lists_of(&self, of: &str) -> Result<Vec<SenderList>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT t.sender, t.at, r.type, r.id FROM list_time t \
             LEFT JOIN list_entry e ON e.of = t.of AND e.sender = t.sender \
             LEFT JOIN resource r ON r.res = e.res WHERE t.of = ? ORDER BY t.sender",
        )?;
        let mut rows = statement.query([of])?;
        let mut lists: Vec<SenderList> = Vec::new();
        while let Some(row) = rows.next()? {
            let sender: String = row.get(0)?;
            if lists.last().is_none_or(|last| last.sender != sender) {
                let at: i64 = row.get(1)?;
                lists.push(SenderList {
                    sender,
                    at: (at != NO_TIME).then(|| Timestamp::from_micros(at)),
                    entries: Vec::new(),
                });
            }
            let (number, id): (Option<i64>, Option<String>) = (row.get(2)?, row.get(3)?);
            if let (Some(number), Some(id), Some(list)) = (number, id, lists.last_mut()) {
                let name = self.types.name(number);
                let resource_type = name.ok_or(Fault::Damaged("a number has no type"))?;
                list.entries.push((resource_type, id));
            }
        }
        Ok(lists)
    }

    pub(crate) fn lists_with(&self, type_number: i64, id: &str) -> Result<Vec<ListName>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT e.of, e.sender FROM name n JOIN list_entry e ON e.res = n.res \
             WHERE n.type = ? AND n.id = ?",
        )?;
        let rows = statement.query_map(params![type_number, id], |row| {
            Ok(ListName {
                of: row.get(0)?,
                sender: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

// === impl Writing ===

impl Writing<'_> {
    pub(super) fn list(&mut self, change: &ListChange) -> Result<(), Fault> {
        let list = &change.list;
        for (resource_type, id) in &change.leaves {
            let res = self.listed(resource_type, id)?;
            let mut delete = self
                .conn
                .prepare_cached("DELETE FROM list_entry WHERE of = ? AND sender = ? AND res = ?")?;
            delete.execute(params![list.of, list.sender, res])?;
        }
        for (resource_type, id) in &change.enters {
            let res = self.listed(resource_type, id)?;
            let mut insert = self
                .conn
                .prepare_cached("INSERT OR IGNORE INTO list_entry VALUES (?, ?, ?)")?;
            insert.execute(params![list.of, list.sender, res])?;
        }
        // Inserted even without a time: this row makes a list known.
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO list_time VALUES (?, ?, ?) \
             ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
        )?;
        let at = change.at.map_or(NO_TIME, Timestamp::micros);
        insert.execute(params![list.of, list.sender, at])?;
        Ok(())
    }

    fn listed(&mut self, resource_type: &'static str, id: &str) -> Result<Res, Fault> {
        stored::Numbers::resource(&mut self.numbers(), resource_type, id)
    }
}
