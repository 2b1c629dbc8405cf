//! One file of the journal: a day's messages of one retention class.
//!
//! Layout of `journal/2026-11-23.standard.db` (SQLite, WAL, `synchronous=FULL`):
//!
//! | table | key | holds |
//! |---|---|---|
//! | `entry` | `seq` | the message's own header fields; narrow, so lists scan fast |
//! | `body` | `seq` | the bytes, zstd where that is smaller |
//! | `acknowledgement` | `seq` | the answer that the sender got |
//! | `repeat` | – | records that a message arrived again; the bytes did not change |
//! | `term` | `(kind, value, seq)` | one row per indexed value: `(2, 'MRN0000017', 81)` |
//! | `minute` | `(minute, flow, rated)` | messages per minute |
//! | `journal` | – | the journal that the file belongs to |
//!
//! A row of `entry` and of `acknowledgement` has a checksum over all its columns; rows of format 1 have none.
//! The bytes are checked by `entry.hash`, which every format has.

use super::error::{OpenError, ReadError};
use crate::wal;
use base::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The newest format that this version reads.
pub(super) const FORMAT: i64 = 2;

const SCHEMA: Schema = Schema {
    format: FORMAT,
    tables: "
CREATE TABLE entry(seq INTEGER PRIMARY KEY, received INTEGER NOT NULL, flow TEXT NOT NULL,
  connection TEXT NOT NULL, application TEXT NOT NULL, facility TEXT NOT NULL, type TEXT NOT NULL,
  structure TEXT NOT NULL, control TEXT NOT NULL, processing TEXT NOT NULL, version TEXT NOT NULL,
  patients TEXT NOT NULL, visit TEXT NOT NULL, accessions TEXT NOT NULL, n_bytes INTEGER NOT NULL,
  hash BLOB NOT NULL, no_message TEXT, reused INTEGER, sum INTEGER) STRICT;
CREATE TABLE body(seq INTEGER PRIMARY KEY, coding INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE acknowledgement(seq INTEGER PRIMARY KEY, code TEXT NOT NULL, bytes BLOB NOT NULL,
  sum INTEGER) STRICT;
CREATE TABLE repeat(seq INTEGER NOT NULL, received INTEGER NOT NULL, connection TEXT NOT NULL) STRICT;
CREATE INDEX repeat_seq ON repeat(seq);
CREATE TABLE term(kind INTEGER NOT NULL, value BLOB NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(kind, value, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE minute(minute INTEGER NOT NULL, flow TEXT NOT NULL, rated INTEGER NOT NULL,
  n INTEGER NOT NULL, PRIMARY KEY(minute, flow, rated)) STRICT, WITHOUT ROWID;
CREATE TABLE journal(id TEXT NOT NULL) STRICT;
",
    steps: &["ALTER TABLE entry ADD COLUMN sum INTEGER;
ALTER TABLE acknowledgement ADD COLUMN sum INTEGER;
CREATE TABLE journal(id TEXT NOT NULL) STRICT;"],
};

/// The tables of a file, and the steps that migrate an older file to them.
#[derive(Debug)]
pub(super) struct Schema {
    /// The newest format.
    pub(super) format: i64,
    pub(super) tables: &'static str,
    /// Migrations: from the first format to the second, and so on.
    pub(super) steps: &'static [&'static str],
}

/// The kinds of values that a row of `term` indexes. The numbers are stored in the files: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Term {
    /// MSH-10.
    Control = 1,
    /// A patient identifier.
    Patient = 2,
    /// PV1-19.1.
    Visit = 3,
    /// An order number.
    Accession = 4,
    /// MSH-9.1^MSH-9.2.
    Type = 5,
    /// The flow.
    Flow = 6,
    /// Hash of flow, MSH-3, -4, -10, then of the body: finds repeats.
    Identity = 7,
}

/// A day and a retention class; sorts by day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    /// `2026-11-23`
    pub(super) day: String,
    /// `standard`
    pub(super) class: String,
}

/// One file and the connections that read it.
#[derive(Debug)]
pub(super) struct DayFile {
    pub(super) name: Name,
    pub(super) path: PathBuf,
    /// The first sequence on disk; `u64::MAX` while there is none.
    pub(super) first: AtomicU64,
    /// The last sequence on disk; 0 while there is none.
    pub(super) last: AtomicU64,
    /// The last sequence in the text index; `u64::MAX` until the indexer has looked.
    pub(super) text_to: AtomicU64,
    /// Messages by flow, cached for a day that is over.
    pub(super) totals: Mutex<Option<BTreeMap<String, u64>>>,
    readers: Mutex<Vec<Connection>>,
}

// === impl Name ===

impl Name {
    /// Returns the UTC day of an instant.
    pub(super) fn day_of(at: Timestamp) -> String {
        at.to_fhir().chars().take(10).collect()
    }

    /// Parses a file name such as `2026-11-23.standard.db`.
    pub(super) fn parse(file_name: &str) -> Option<Self> {
        let (day, class) = file_name.strip_suffix(".db")?.split_once('.')?;
        let day_ok = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        (day_ok && class_is_valid(class)).then(|| Self {
            day: day.to_owned(),
            class: class.to_owned(),
        })
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}.{}.db", self.day, self.class)
    }
}

/// Returns true for a valid class. A class is part of a file name, so few characters are allowed.
pub(super) fn class_is_valid(class: &str) -> bool {
    (1..=32).contains(&class.len())
        && class
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

// === impl DayFile ===

impl DayFile {
    /// Opens or creates the file and checkpoints whatever an earlier run left in its write-ahead log.
    pub(super) fn open(directory: &Path, name: Name) -> Result<(Self, Connection), OpenError> {
        let path = directory.join(name.file_name());
        let connection = open_writer(&path, &SCHEMA)?;
        let range = connection
            .query_row(
                "SELECT ifnull(min(seq), -1), ifnull(max(seq), 0) FROM entry",
                [],
                |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)),
            )
            .map_err(|source| OpenError::File {
                path: path.clone(),
                source,
            })?;
        let file = Self {
            name,
            path,
            first: AtomicU64::new(range.0),
            last: AtomicU64::new(range.1),
            text_to: AtomicU64::new(u64::MAX),
            totals: Mutex::new(None),
            readers: Mutex::new(Vec::new()),
        };
        Ok((file, connection))
    }

    /// Returns the path of the text index beside the file: `2026-11-23.standard.text`.
    pub(super) fn text_path(&self) -> PathBuf {
        self.path.with_extension("text")
    }

    pub(super) fn holds(&self, sequence: u64) -> bool {
        self.first.load(Ordering::Acquire) <= sequence
            && sequence <= self.last.load(Ordering::Acquire)
    }

    /// Runs a query on one of the file's reading connections.
    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let failed = |source| ReadError::File {
            path: self.path.clone(),
            source,
        };
        let pooled = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => open_reader(&self.path).map_err(failed)?,
        };
        let answer = query(&connection).map_err(failed)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < 2 {
            readers.push(connection);
        }
        Ok(answer)
    }

    /// Closes the file's reading connections, before it is deleted.
    pub(super) fn close_readers(&self) {
        self.readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Opens or creates a database for its only writer: full sync, no automatic checkpoint.
pub(super) fn open_writer(path: &Path, schema: &Schema) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let is_new = !path.exists();
    let mut connection = Connection::open(path).map_err(failed)?;
    configure(&connection).map_err(failed)?;
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    if schema.format < found {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: schema.format,
        });
    }
    let make = |connection: &mut Connection| {
        connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
        if found < schema.format {
            let transaction = connection.transaction()?;
            match usize::try_from(found).unwrap_or(0).checked_sub(1) {
                None => transaction.execute_batch(schema.tables)?,
                Some(behind) => {
                    for step in schema.steps.iter().skip(behind) {
                        transaction.execute_batch(step)?;
                    }
                }
            }
            transaction.pragma_update(None, "user_version", schema.format)?;
            transaction.commit()?;
        }
        if has_log(path) {
            checkpoint(connection, "TRUNCATE")
        } else {
            Ok(())
        }
    };
    make(&mut connection).map_err(failed)?;
    if is_new && let Some(directory) = path.parent() {
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        })?;
    }
    Ok(connection)
}

/// Opens a file that [`DayFile::open`] has opened before, for its only writer.
pub(super) fn open_existing(path: &Path) -> Result<Connection, OpenError> {
    let open = || {
        let connection = Connection::open(path)?;
        configure(&connection)?;
        Ok(connection)
    };
    open().map_err(|source| OpenError::File {
        path: path.to_owned(),
        source,
    })
}

/// Opens a read-only connection.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    wal::may_open(path)?;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -1_000)?;
    Ok(connection)
}

/// Checkpoints the write-ahead log. Busy is not an error: the next checkpoint gets further.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

fn has_log(path: &Path) -> bool {
    let log = format!("{}-wal", path.display());
    std::fs::metadata(log).is_ok_and(|metadata| 0 < metadata.len())
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.query_row("PRAGMA wal_autocheckpoint=0", [], |_| Ok(()))?;
    // A larger log is truncated to this size when it restarts.
    connection.query_row("PRAGMA journal_size_limit=16777216", [], |_| Ok(()))?;
    wal::watch(connection);
    connection.set_prepared_statement_cache_capacity(64);
    // Closing must not write: after a failed fsync nothing may be retried.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_ours() {
        let name = Name::parse("2026-11-23.long-term.db").unwrap();
        assert_eq!(
            (name.day.as_str(), name.class.as_str()),
            ("2026-11-23", "long-term")
        );
        assert_eq!(name.file_name(), "2026-11-23.long-term.db");
        for other in [
            "flow.db",
            "2026-11-23.db",
            "2026-11-23..db",
            "2026-11-23.a/b.db",
            "lock",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
