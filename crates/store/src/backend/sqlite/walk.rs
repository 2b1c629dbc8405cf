//! The queries of `verify` on the chart's file: rows in slices, each in a transaction of its own.

use super::face::Face;
use super::schema::{DELETED, LIVE};
use crate::backend::key::{self, Key};
use crate::backend::stored::{Res, Set};
use crate::chart::packed;
use crate::identity::Identity;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// The tables of index rows.
const TABLES: [&str; 8] = [
    "token",
    "string",
    "date",
    "number",
    "reference",
    "uri",
    "composite",
    "compartment",
];

/// A version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) rid: i64,
    pub(crate) name: String,
    pub(crate) is_whole: bool,
}

/// A resource.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) res: Res,
    pub(crate) name: String,
    /// True if name, resource and newest version agree.
    pub(crate) fits: bool,
    /// True if every row of its posting set is in its table.
    pub(crate) is_indexed: bool,
    /// True if its lineage can be read.
    pub(crate) has_lineage: bool,
}

/// The number of index rows in each table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables([u64; 8]);

// === impl Tables ===

impl Tables {
    fn add(&mut self, key: &Key) {
        let place = match key {
            Key::Token { .. } => 0,
            Key::String { .. } => 1,
            Key::Date { .. } => 2,
            Key::Number { .. } => 3,
            Key::Reference { .. } => 4,
            Key::Uri { .. } => 5,
            Key::Composite { .. } => 6,
            Key::Compartment { .. } => 7,
        };
        if let Some(n) = self.0.get_mut(place) {
            *n += 1;
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns the tables that have more rows than in another count.
    pub(crate) fn more_than(&self, other: &Self) -> Vec<&'static str> {
        let both = self.0.iter().zip(&other.0).zip(TABLES);
        let more = both.filter(|((own, other), _)| own > other);
        more.map(|(_, table)| table).collect()
    }
}

/// Returns the last version and the last resource.
pub(crate) fn ends(conn: &Connection) -> rusqlite::Result<(i64, i64)> {
    conn.query_row(
        "SELECT ifnull((SELECT max(rid) FROM version), 0), ifnull((SELECT max(res) FROM resource), 0)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Returns the resource types by number.
pub(crate) fn types(conn: &Connection) -> rusqlite::Result<HashMap<i64, String>> {
    let mut statement = conn.prepare("SELECT number, name FROM type")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Returns the versions after `after`, checked by checksum, otherwise by digest or form.
pub(crate) fn versions(
    conn: &Connection,
    types: &HashMap<i64, String>,
    after: i64,
    (limit, has_sums): (i64, bool),
) -> rusqlite::Result<Vec<Version>> {
    let sum = if has_sums { "v.sum" } else { "NULL" };
    let sql = format!(
        "SELECT v.rid, v.res, v.type, v.version, v.updated, v.outcome, v.dictionary, v.body, 0, {sum}, r.digest,
           r.rid, r.id FROM version v LEFT JOIN resource r ON r.res = v.res
         WHERE ?1 < v.rid ORDER BY v.rid LIMIT ?2"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![after, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Option<String> = row.get(12).unwrap_or_default();
        let resource_type = row.get(2).ok().and_then(|number: i64| types.get(&number));
        let (rid, version) = (row.get(0)?, row.get(3).unwrap_or_default());
        let mut checked = Version {
            rid,
            name: format!("version {version} of an unknown resource"),
            is_whole: false,
        };
        if let (Some(id), Some(resource_type)) = (id, resource_type) {
            let face = Face {
                rid,
                res: row.get(1).unwrap_or_default(),
                resource_type,
                id: &id,
                version,
                updated: row.get(4).unwrap_or_default(),
                outcome: row.get(5).unwrap_or_default(),
            };
            checked.name = format!("{resource_type}/{id}, version {version}");
            checked.is_whole = face.body(row, 6).is_ok();
        }
        found.push(checked);
    }
    Ok(found)
}

/// Returns the resources after `after`; their index rows are looked up and counted.
pub(crate) fn resources(
    conn: &Connection,
    types: &HashMap<i64, String>,
    after: i64,
    limit: i64,
    counted: &mut Tables,
) -> rusqlite::Result<Vec<Resource>> {
    conn.execute_batch("BEGIN")?;
    let found = slice(conn, types, (after, limit), counted);
    conn.execute_batch("COMMIT")?;
    found
}

fn slice(
    conn: &Connection,
    types: &HashMap<i64, String>,
    (after, limit): (i64, i64),
    counted: &mut Tables,
) -> rusqlite::Result<Vec<Resource>> {
    let mut statement = conn.prepare_cached(
        "SELECT r.res, r.type, r.id, r.state, n.res, v.res, v.version = r.version AND v.updated = r.updated,
           v.outcome, p.bytes,
           (SELECT count(*) FROM version c WHERE c.res = r.res) = r.version
         FROM resource r LEFT JOIN name n ON n.type = r.type AND n.id = r.id
           LEFT JOIN version v ON v.rid = r.rid LEFT JOIN posting_set p ON p.res = r.res
         WHERE ?1 < r.res ORDER BY r.res LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let res: Res = row.get(0)?;
        let number = |column: usize| row.get::<_, Option<i64>>(column).unwrap_or_default();
        let state = number(3).unwrap_or(-1);
        let named = number(4) == Some(res);
        let is_same = number(5) == Some(res) && number(6) == Some(1) && number(9) == Some(1);
        let fits = named
            && match state {
                LIVE => is_same && matches!(number(7), Some(1 | 2)),
                DELETED => is_same && number(7) == Some(3),
                0 => number(5).is_none(),
                _ => false,
            };
        let bytes: Option<Vec<u8>> = row.get(8).unwrap_or_default();
        let id: String = row.get(2).unwrap_or_default();
        let resource_type = number(1).and_then(|number| types.get(&number));
        found.push(Resource {
            res,
            name: format!("{}/{id}", resource_type.map_or("?", String::as_str)),
            fits: fits && (state == LIVE) == bytes.is_some(),
            is_indexed: is_indexed(conn, res, bytes.as_deref(), counted)?,
            has_lineage: has_lineage(conn, res)?,
        });
    }
    Ok(found)
}

fn is_indexed(
    conn: &Connection,
    res: Res,
    bytes: Option<&[u8]>,
    counted: &mut Tables,
) -> rusqlite::Result<bool> {
    let Some(bytes) = bytes else {
        return Ok(true);
    };
    let Some(set) = Set::read(bytes) else {
        return Ok(false);
    };
    let mut all = true;
    for key in key::keys(&set) {
        let is_there = is_there(conn, &key, res)?;
        if is_there {
            counted.add(&key);
        }
        all &= is_there;
    }
    Ok(all)
}

fn is_there(conn: &Connection, key: &Key, res: Res) -> rusqlite::Result<bool> {
    let exists =
        |sql: &str, values: &[&dyn rusqlite::ToSql]| conn.prepare_cached(sql)?.exists(values);
    match key {
        Key::Token {
            param,
            code,
            system,
        } => exists(
            "SELECT 1 FROM token WHERE param = ? AND code = ? AND res = ? AND system = ?",
            params![param, code, res, system],
        ),
        Key::String { param, folded } => exists(
            "SELECT 1 FROM string WHERE param = ? AND folded = ? AND res = ?",
            params![param, folded, res],
        ),
        Key::Date { param, low, high } => exists(
            "SELECT 1 FROM date WHERE param = ? AND low = ? AND high = ? AND res = ?",
            params![param, low, high, res],
        ),
        Key::Number { param, low, high } => exists(
            "SELECT 1 FROM number WHERE param = ? AND low = ? AND high = ? AND res = ?",
            params![param, low, high, res],
        ),
        Key::Reference { param, target } => exists(
            "SELECT 1 FROM reference WHERE param = ? AND target = ? AND res = ?",
            params![param, target, res],
        ),
        Key::Uri { param, uri } => exists(
            "SELECT 1 FROM uri WHERE param = ? AND uri = ? AND res = ?",
            params![param, uri, res],
        ),
        Key::Composite { param, code } => exists(
            "SELECT 1 FROM composite WHERE param = ? AND code = ? AND res = ?",
            params![param, code, res],
        ),
        Key::Compartment {
            patient,
            type_number,
        } => exists(
            "SELECT 1 FROM compartment WHERE patient = ? AND type = ? AND res = ?",
            params![patient, type_number, res],
        ),
    }
}

fn has_lineage(conn: &Connection, res: Res) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached("SELECT origins FROM lineage WHERE res = ?")?;
    let mut rows = statement.query([res])?;
    while let Some(row) = rows.next()? {
        let bytes: Option<Vec<u8>> = row.get(0).unwrap_or_default();
        if bytes
            .and_then(|bytes| packed::read_origins(&bytes))
            .is_none()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Counts all index rows.
pub(crate) fn count(conn: &Connection) -> rusqlite::Result<Tables> {
    let mut tables = Tables::default();
    for (n, table) in tables.0.iter_mut().zip(TABLES) {
        let sql = format!("SELECT count(*) FROM {table}");
        *n = conn.query_row(&sql, [], |row| row.get::<_, i64>(0))? as u64;
    }
    Ok(tables)
}

/// Returns true if the number of live resources of each type equals its counter.
pub(crate) fn census_fits(conn: &Connection) -> rusqlite::Result<bool> {
    let n_wrong: i64 = conn.query_row(
        "SELECT count(*) FROM type t WHERE n_live <>
           (SELECT count(*) FROM resource r WHERE r.type = t.number AND r.state = 1)",
        [],
        |row| row.get(0),
    )?;
    Ok(n_wrong == 0)
}

/// Returns the journal's number in the keys of messages; `None` if the chart does not know it.
pub(crate) fn journal_number(
    conn: &Connection,
    journal: Option<&Identity>,
) -> rusqlite::Result<Option<u16>> {
    let has_table: bool = conn.query_row(
        "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name = 'journal')",
        [],
        |row| row.get(0),
    )?;
    match journal {
        _ if !has_table => Ok(Some(0)),
        None => Ok(None),
        Some(journal) => conn
            .query_row(
                "SELECT number FROM journal WHERE id = ?",
                [journal.as_str()],
                |row| row.get(0),
            )
            .optional(),
    }
}

/// Returns true if the message was applied, by any version of the maps.
pub(crate) fn is_applied(conn: &Connection, journal: u16, sequence: u64) -> rusqlite::Result<bool> {
    let key = crate::chart::message_key(journal, sequence);
    conn.prepare_cached("SELECT 1 FROM applied WHERE message = ?")?
        .exists([&key[..]])
}
