//! Writes the posting rows of one commit to their tables.

use crate::backend::Fault;
use crate::backend::key::Key;
use crate::backend::stage::Stage;
use crate::backend::stored::Res;
use rusqlite::{CachedStatement, Connection, params};

/// Writes the buffered rows.
pub(crate) fn flush(stage: &mut Stage, conn: &Connection) -> Result<(), Fault> {
    let mut tables = Tables { conn, open: None };
    for (key, res, added) in stage.drain() {
        tables.write(&key, res, added)?;
    }
    Ok(())
}

/// The statement of the table that is currently written.
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
