//! Checks one file of the journal, for `verify`.

use super::day::Name;
use super::{body_of, entry, large, origin, search};
use crate::identity::Identity;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

/// The result of checking one message: which parts are as they were written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    pub(crate) sequence: u64,
    pub(crate) entry: bool,
    pub(crate) body: bool,
    pub(crate) acknowledgement: bool,
}

/// Returns true for the name of a day's file.
pub(crate) fn is_day(name: &str) -> bool {
    Name::parse(name).is_some()
}

/// Returns the identity of the journal in a folder.
pub(crate) fn identity(folder: &Path) -> Option<Identity> {
    origin::written(folder)
}

/// Checks the messages after `after`.
pub(crate) fn check(
    conn: &Connection,
    after: i64,
    limit: i64,
    has_sums: bool,
) -> rusqlite::Result<Vec<Checked>> {
    let sum = if has_sums { "e.sum" } else { "NULL" };
    // The ledger's columns are not selected: each file is checked by itself.
    let sql = format!(
        "SELECT e.seq, e.received, e.flow, e.connection, e.application, e.facility, e.type, e.structure,
           e.control, e.processing, e.version, e.patients, e.visit, e.accessions, e.n_bytes,
           e.no_message, e.reused, 0, 0, 0, 0, {sum}, e.hash
         FROM entry e WHERE ?1 < e.seq ORDER BY e.seq LIMIT ?2"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![after, limit])?;
    let mut checked = Vec::new();
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>(0)? as u64;
        let body = || {
            let hash = row.get_ref(22).ok()?.as_blob().ok()?;
            let (coding, bytes) = large::read(conn, sequence).ok()??;
            body_of(coding, bytes, hash)
        };
        checked.push(Checked {
            sequence,
            entry: search::is_whole(row).unwrap_or(false),
            body: body().is_some(),
            acknowledgement: acknowledgement(conn, sequence, has_sums)?,
        });
    }
    Ok(checked)
}

fn acknowledgement(conn: &Connection, sequence: u64, has_sums: bool) -> rusqlite::Result<bool> {
    if !has_sums {
        return Ok(true);
    }
    let mut statement =
        conn.prepare_cached("SELECT code, bytes, sum FROM acknowledgement WHERE seq = ?1")?;
    let found = statement
        .query_row([sequence as i64], |row| {
            let answer = entry::Acknowledgement {
                code: row.get(0)?,
                bytes: row.get::<_, Vec<u8>>(1)?.into(),
            };
            let sum: Option<i64> = row.get(2)?;
            Ok(sum.is_none_or(|sum| sum == answer.sum(sequence)))
        })
        .optional();
    match found {
        Ok(found) => Ok(found.unwrap_or(true)),
        Err(error) if crate::damage::is_damage(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
