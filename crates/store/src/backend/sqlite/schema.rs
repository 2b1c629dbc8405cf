//! The tables of the chart.
//!
//! Example rows, for `Observation/w1` in its second version, number 4711:
//!
//! | table | row |
//! |---|---|
//! | name | 97, `w1`, 4711 |
//! | resource | 4711, 97, `w1`, rid 90210, version 2, updated, event, digest, live |
//! | version | 90210, 4711, 97, 2, updated, update, dictionary 0, body, sum of all of it |
//! | posting_set | 4711, bytes (see [`crate::backend::stored`]) |
//! | token | `Observation.code`, `8302-2`, 4711, 3 (see [`crate::backend::key`]) |
//!
//! A resource that others refer to before it exists has a `name` and a `resource` row in state
//! *named* and nothing else; it keeps its number when it is created.
//!
//! Format 2 added checksums (rows of format 1 have none), the chart's own identity, and the
//! journals whose messages it has.

pub(crate) use crate::backend::change::{DELETED, LIVE, NAMED};
pub(crate) use crate::backend::types::TypeNumbers;
use crate::chart::OpenError;
use crate::identity::Identity;
use base::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use search::Registry;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The format of this file.
pub(crate) const FORMAT: i64 = 2;
/// The application id `CwCh`, which distinguishes the file from that of another program.
const APPLICATION: i64 = 0x4377_4368;

const TABLES: &str = "
CREATE TABLE type (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n_live INTEGER NOT NULL);
CREATE TABLE system (number INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE);
CREATE TABLE name (type INTEGER NOT NULL, id TEXT NOT NULL, res INTEGER NOT NULL,
  PRIMARY KEY (type, id)) WITHOUT ROWID;
CREATE TABLE resource (res INTEGER PRIMARY KEY, type INTEGER NOT NULL, id TEXT NOT NULL,
  rid INTEGER NOT NULL, version INTEGER NOT NULL, updated INTEGER NOT NULL, event INTEGER,
  digest INTEGER NOT NULL, state INTEGER NOT NULL);
CREATE INDEX resource_type ON resource (type, res) WHERE state = 1;
CREATE INDEX resource_commit ON resource (type, rid) WHERE state = 1;
CREATE TABLE version (rid INTEGER PRIMARY KEY, res INTEGER NOT NULL, type INTEGER NOT NULL,
  version INTEGER NOT NULL, updated INTEGER NOT NULL, event INTEGER, outcome INTEGER NOT NULL,
  dictionary INTEGER NOT NULL, body BLOB, sum INTEGER);
CREATE UNIQUE INDEX version_of ON version (res, version);
CREATE INDEX version_type ON version (type, rid);
CREATE TABLE posting_set (res INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE token (param INTEGER NOT NULL, code TEXT NOT NULL, res INTEGER NOT NULL,
  system INTEGER NOT NULL, PRIMARY KEY (param, code, res, system)) WITHOUT ROWID;
CREATE TABLE string (param INTEGER NOT NULL, folded TEXT NOT NULL, res INTEGER NOT NULL,
  PRIMARY KEY (param, folded, res)) WITHOUT ROWID;
CREATE TABLE date (param INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
  res INTEGER NOT NULL, PRIMARY KEY (param, low, high, res)) WITHOUT ROWID;
CREATE TABLE number (param INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
  res INTEGER NOT NULL, PRIMARY KEY (param, low, high, res)) WITHOUT ROWID;
CREATE TABLE reference (param INTEGER NOT NULL, target INTEGER NOT NULL, res INTEGER NOT NULL,
  PRIMARY KEY (param, target, res)) WITHOUT ROWID;
CREATE TABLE uri (param INTEGER NOT NULL, uri TEXT NOT NULL, res INTEGER NOT NULL,
  PRIMARY KEY (param, uri, res)) WITHOUT ROWID;
CREATE TABLE composite (param INTEGER NOT NULL, code TEXT NOT NULL, res INTEGER NOT NULL,
  PRIMARY KEY (param, code, res)) WITHOUT ROWID;
CREATE TABLE compartment (patient INTEGER NOT NULL, type INTEGER NOT NULL, res INTEGER NOT NULL,
  PRIMARY KEY (patient, type, res)) WITHOUT ROWID;
CREATE TABLE business_key (system TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
  res INTEGER NOT NULL, PRIMARY KEY (system, kind, value)) WITHOUT ROWID;
CREATE INDEX business_key_res ON business_key (res);
CREATE TABLE applied (message BLOB NOT NULL, map_version TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (message, map_version)) WITHOUT ROWID;
CREATE TABLE lineage (res INTEGER NOT NULL, version INTEGER NOT NULL, message BLOB NOT NULL,
  updated INTEGER NOT NULL, origins BLOB NOT NULL, PRIMARY KEY (res, version)) WITHOUT ROWID;
CREATE INDEX lineage_message ON lineage (message);
CREATE TABLE identity (system TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
  patient INTEGER NOT NULL, PRIMARY KEY (system, kind, value, patient)) WITHOUT ROWID;
CREATE TABLE record (patient INTEGER PRIMARY KEY, person INTEGER NOT NULL,
  identity BLOB NOT NULL);
CREATE INDEX record_person ON record (person);
CREATE TABLE audit_relay (number INTEGER PRIMARY KEY AUTOINCREMENT, entry BLOB NOT NULL);
CREATE TABLE journal (number INTEGER PRIMARY KEY, id TEXT NOT NULL);
CREATE TABLE origin (id TEXT NOT NULL);
";

/// The migration from format 1 to 2.
const STEP: &str = "ALTER TABLE version ADD COLUMN sum INTEGER;
CREATE TABLE journal (number INTEGER PRIMARY KEY, id TEXT NOT NULL);
CREATE TABLE origin (id TEXT NOT NULL);
";

/// The identity of the chart, and the journal whose messages are written now.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) identity: Identity,
    /// True if the chart was created at this opening.
    pub(crate) is_new: bool,
    /// The journal's number in keys.
    pub(crate) journal: AtomicU64,
}

/// Tables that a chart of an earlier build of this format may lack. An earlier build ignores them.
const ADDED: &str = "
CREATE TABLE IF NOT EXISTS imported (digest BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
";

/// The counters at which the chart was left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeftAt {
    pub(crate) rid: i64,
    pub(crate) res: i64,
    pub(crate) updated: Timestamp,
}

/// Opens the file for writing, and creates it if it does not exist. A file that is refused is not
/// changed.
pub(crate) fn open(path: &Path) -> Result<(Connection, TypeNumbers, Origin), OpenError> {
    let file = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let conn = Connection::open(path).map_err(file)?;
    conn.busy_timeout(Duration::from_secs(10)).map_err(file)?;
    let number = |pragma: &str| {
        conn.query_row(pragma, [], |row| row.get::<_, i64>(0))
            .map_err(file)
    };
    let application = number("PRAGMA application_id")?;
    let format = number("PRAGMA user_version")?;
    let n_tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application != APPLICATION && 0 < n_tables {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    if FORMAT < format {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found: format,
            known: FORMAT,
        });
    }
    if n_tables == 0 {
        conn.execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;")
            .map_err(file)?;
        let head = format!("PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT};");
        conn.execute_batch(&format!("BEGIN; {TABLES} {head} COMMIT;"))
            .map_err(file)?;
    } else if format < FORMAT {
        let head = format!("PRAGMA user_version={FORMAT};");
        conn.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {STEP} {head} COMMIT;"
        ))
        .map_err(file)?;
    }
    let later = [
        ADDED,
        super::concerns::TABLE,
        super::contradiction::TABLE,
        super::lists::TABLES,
        super::rejoin::TABLE,
    ];
    conn.execute_batch(&later.concat()).map_err(file)?;
    if n_tables == 0 {
        super::rejoin::begin(&conn).map_err(file)?;
    }
    let types = types(&conn).map_err(file)?;
    let origin = Origin {
        identity: identity(&conn).map_err(file)?,
        is_new: n_tables == 0,
        journal: AtomicU64::new(0),
    };
    Ok((conn, types, origin))
}

fn identity(conn: &Connection) -> rusqlite::Result<Identity> {
    let known: Option<String> = conn
        .query_row("SELECT id FROM origin", [], |row| row.get(0))
        .optional()?;
    if let Some(identity) = known.as_deref().and_then(Identity::parse) {
        return Ok(identity);
    }
    let identity = Identity::random();
    conn.execute("INSERT INTO origin (id) VALUES (?)", [identity.as_str()])?;
    Ok(identity)
}

/// Configures the writer's connection.
pub(crate) fn for_writing(conn: &Connection, cache_mb: u32, max_mb: u64) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(128);
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -{}; PRAGMA temp_store = MEMORY; PRAGMA cache_spill = OFF;",
        u64::from(cache_mb) * 1024
    ))?;
    if 0 < max_mb {
        let page_size: u64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let n_pages = max_mb * 1024 * 1024 / page_size.max(1);
        conn.query_row(
            &format!("PRAGMA max_page_count = {n_pages}"),
            [],
            |_| Ok(()),
        )?;
    }
    Ok(())
}

/// Opens a read-only connection.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.execute_batch(
        "PRAGMA cache_size = -4096; PRAGMA mmap_size = 1073741824; PRAGMA temp_store = MEMORY;
         PRAGMA query_only = ON;",
    )?;
    Ok(conn)
}

/// Reads the counters.
pub(crate) fn left_at(conn: &Connection) -> rusqlite::Result<LeftAt> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let rid = number("SELECT max(rid) FROM version")?.unwrap_or(0);
    let res = number("SELECT max(res) FROM resource")?.unwrap_or(0);
    let newest = "SELECT updated FROM version ORDER BY rid DESC LIMIT 1";
    let updated = conn.query_row(newest, [], |row| row.get::<_, i64>(0));
    let updated = match updated {
        Err(rusqlite::Error::QueryReturnedNoRows) => 0,
        other => other?,
    };
    Ok(LeftAt {
        rid,
        res,
        updated: Timestamp::from_micros(updated),
    })
}

fn types(conn: &Connection) -> rusqlite::Result<TypeNumbers> {
    let mut names: Vec<&'static str> = Registry::r4().resource_types().collect();
    names.sort_unstable();
    let known: i64 = conn.query_row("SELECT count(*) FROM type", [], |row| row.get(0))?;
    if (known as usize) < names.len() {
        let mut insert = conn.prepare("INSERT OR IGNORE INTO type (name, n_live) VALUES (?, 0)")?;
        conn.execute_batch("BEGIN")?;
        for name in names {
            insert.execute([name])?;
        }
        conn.execute_batch("COMMIT")?;
    }
    let mut select = conn.prepare("SELECT number, name FROM type")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(TypeNumbers::of(rows.collect::<rusqlite::Result<Vec<_>>>()?))
}
