//! Posting rows of one commit, held back and written sorted.
//!
//! Invariant: of several operations on one row the last one counts, so the order in which batches of
//! one commit came is kept although their rows are not written in it. Sorted rows go into each
//! clustered table from left to right, which touches each page once.

use crate::backend::Fault;
use crate::backend::key::{Difference, Key};
use crate::backend::stored::Res;
use rusqlite::{CachedStatement, Connection, params};

/// Posting rows that wait for the end of the commit.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    rows: Vec<(Key, Res, bool)>,
}

// === impl Stage ===

impl Stage {
    pub(crate) fn put(&mut self, res: Res, difference: Difference) {
        self.rows
            .extend(difference.removed.into_iter().map(|key| (key, res, false)));
        self.rows
            .extend(difference.added.into_iter().map(|key| (key, res, true)));
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self, conn: &Connection) -> Result<(), Fault> {
        // Stable: of equal rows the last operation stays last.
        self.rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut rows = std::mem::take(&mut self.rows).into_iter().peekable();
        let mut tables = Tables { conn, open: None };
        while let Some((key, res, added)) = rows.next() {
            let superseded = rows
                .peek()
                .is_some_and(|next| next.0 == key && next.1 == res);
            if !superseded {
                tables.write(&key, res, added)?;
            }
        }
        Ok(())
    }
}

/// The statement of the table that is being written.
struct Tables<'a> {
    conn: &'a Connection,
    open: Option<(&'static str, CachedStatement<'a>)>,
}

impl Tables<'_> {
    fn write(&mut self, key: &Key, res: Res, added: bool) -> Result<(), Fault> {
        let sql = statement(key, added);
        if self.open.as_ref().is_none_or(|(open, _)| *open != sql) {
            self.open = Some((sql, self.conn.prepare_cached(sql)?));
        }
        let Some((_, statement)) = &mut self.open else {
            return Ok(());
        };
        match key {
            Key::Token {
                param,
                code,
                system,
            } => statement.execute(params![param, code, res, system]),
            Key::String { param, folded } => statement.execute(params![param, folded, res]),
            Key::Date { param, low, high } | Key::Number { param, low, high } => {
                statement.execute(params![param, low, high, res])
            }
            Key::Reference { param, target } => statement.execute(params![param, target, res]),
            Key::Uri { param, uri } => statement.execute(params![param, uri, res]),
            Key::Composite { param, code } => statement.execute(params![param, code, res]),
            Key::Compartment {
                patient,
                type_number,
            } => statement.execute(params![patient, type_number, res]),
        }?;
        Ok(())
    }
}

fn statement(key: &Key, added: bool) -> &'static str {
    match (key, added) {
        (Key::Token { .. }, true) => "INSERT OR IGNORE INTO token VALUES (?, ?, ?, ?)",
        (Key::Token { .. }, false) => {
            "DELETE FROM token WHERE param = ? AND code = ? AND res = ? AND system = ?"
        }
        (Key::String { .. }, true) => "INSERT OR IGNORE INTO string VALUES (?, ?, ?)",
        (Key::String { .. }, false) => {
            "DELETE FROM string WHERE param = ? AND folded = ? AND res = ?"
        }
        (Key::Date { .. }, true) => "INSERT OR IGNORE INTO date VALUES (?, ?, ?, ?)",
        (Key::Date { .. }, false) => {
            "DELETE FROM date WHERE param = ? AND low = ? AND high = ? AND res = ?"
        }
        (Key::Number { .. }, true) => "INSERT OR IGNORE INTO number VALUES (?, ?, ?, ?)",
        (Key::Number { .. }, false) => {
            "DELETE FROM number WHERE param = ? AND low = ? AND high = ? AND res = ?"
        }
        (Key::Reference { .. }, true) => "INSERT OR IGNORE INTO reference VALUES (?, ?, ?)",
        (Key::Reference { .. }, false) => {
            "DELETE FROM reference WHERE param = ? AND target = ? AND res = ?"
        }
        (Key::Uri { .. }, true) => "INSERT OR IGNORE INTO uri VALUES (?, ?, ?)",
        (Key::Uri { .. }, false) => "DELETE FROM uri WHERE param = ? AND uri = ? AND res = ?",
        (Key::Composite { .. }, true) => "INSERT OR IGNORE INTO composite VALUES (?, ?, ?)",
        (Key::Composite { .. }, false) => {
            "DELETE FROM composite WHERE param = ? AND code = ? AND res = ?"
        }
        (Key::Compartment { .. }, true) => "INSERT OR IGNORE INTO compartment VALUES (?, ?, ?)",
        (Key::Compartment { .. }, false) => {
            "DELETE FROM compartment WHERE patient = ? AND type = ? AND res = ?"
        }
    }
}
