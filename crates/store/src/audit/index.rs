//! Builds the index that search reads, and writes the head file; both lag behind the log.
//!
//! The index (`index.db`) is derived: it is not synced, may be deleted at any time, and is rebuilt from the
//! segments. An index of another version is emptied and filled again.

use super::Shared;
use super::entry::{ActorKind, Outcome};
use super::head::{Head, HeadFile};
use super::record;
use super::segment::{self, BadHeader, Walk};
use rusqlite::{Connection, ErrorCode, params};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS entry(position INTEGER PRIMARY KEY, segment INTEGER NOT NULL,
  offset INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, kind INTEGER NOT NULL,
  action TEXT NOT NULL, about TEXT NOT NULL, target TEXT NOT NULL, patient TEXT NOT NULL,
  purpose TEXT NOT NULL, source TEXT NOT NULL, outcome INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS entry_at ON entry(at);
CREATE INDEX IF NOT EXISTS entry_actor ON entry(actor, position);
CREATE INDEX IF NOT EXISTS entry_person ON entry(position) WHERE kind <> 2;
CREATE INDEX IF NOT EXISTS entry_failed ON entry(position) WHERE outcome <> 0;
CREATE TABLE IF NOT EXISTS touched(patient TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY(patient, position)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress(one INTEGER PRIMARY KEY CHECK(one = 1),
  position INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO progress VALUES(1, 0, 0, 0);
";
/// The version of the tables; increment it when they change.
const VERSION: i64 = 2;
const EMPTY: &str = "
DROP TABLE IF EXISTS entry; DROP TABLE IF EXISTS touched; DROP TABLE IF EXISTS progress;
";
pub(super) const NAME: &str = "index.db";
/// Room for a log of four times 16 MB.
const LOG_REGIONS: u64 = 4;
/// Entries per transaction of the index.
const STEP: usize = 500;
/// The longest time that the head file lags behind.
const HEAD_EVERY: Duration = Duration::from_secs(1);

/// The last entry in the index, and where it is.
#[derive(Clone, Copy)]
struct Progress {
    position: u64,
    segment: u64,
    offset: u64,
}

/// One entry to index.
struct Found {
    position: u64,
    segment: u64,
    offset: u64,
    decoded: record::Decoded,
}

/// Runs the thread behind the log. Without an index it still writes the head file.
pub(super) fn run(shared: &Arc<Shared>, mut head_file: HeadFile, mut index: Option<Connection>) {
    let mut written = Head::default();
    let mut written_at = Instant::now();
    let mut is_behind = false;
    while shared.wait_for_news(written.position, HEAD_EVERY) {
        let head = shared.head();
        let caught_up = if let Some(index) = &mut index {
            catch_up(shared, index, &head)
        } else {
            index = open(&shared.directory);
            Ok(())
        };
        if let Err(error) = &caught_up
            && !is_behind
        {
            tracing::warn!(error = %error, "audit log: search index is behind");
        }
        is_behind = caught_up.is_err();
        if is_behind || index.is_none() {
            // For example on a full disk. The head file is written meanwhile.
            shared.pause(HEAD_EVERY);
        }
        if written != head && HEAD_EVERY <= written_at.elapsed() {
            write_head(&mut head_file, &head);
            (written, written_at) = (head, Instant::now());
        }
    }
    let head = shared.head();
    if written != head {
        write_head(&mut head_file, &head);
    }
}

fn write_head(head_file: &mut HeadFile, head: &Head) {
    // The chain itself is intact; a head that lags only lets `verify` detect less.
    if let Err(error) = head_file.write(head) {
        tracing::error!(error = %error, "audit log: head file not written");
    }
}

/// Opens the index, or rebuilds it if it cannot be used.
pub(super) fn open(directory: &Path) -> Option<Connection> {
    let path = directory.join(NAME);
    let open = || {
        let connection = Connection::open(&path)?;
        connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // Readers come and go for the life of the process, and the room must last as long.
        std::mem::forget(crate::wal::Room::take(&path, &connection, LOG_REGIONS));
        connection.pragma_update(None, "cache_size", -4_000)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != VERSION {
            connection.execute_batch(EMPTY)?;
        }
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        Ok(connection)
    };
    let opened = open().or_else(|error: rusqlite::Error| {
        // Lack of space is not damage: the index is opened when there is some.
        if matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
        ) {
            return Err(error);
        }
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", path.display()));
        }
        open()
    });
    opened
        .inspect_err(|error| tracing::warn!(error = %error, "audit log: no search index"))
        .ok()
}

/// Returns the number of entries in the index.
pub(super) fn reached(index: &Connection) -> u64 {
    let reached = index.query_row("SELECT position FROM progress", [], |row| {
        row.get::<_, i64>(0)
    });
    reached.map_or(0, |position| position as u64)
}

fn catch_up(shared: &Shared, index: &mut Connection, head: &Head) -> rusqlite::Result<()> {
    let mut progress = index.query_row(
        "SELECT position, segment, offset FROM progress",
        [],
        |row| {
            Ok(Progress {
                position: row.get::<_, i64>(0)? as u64,
                segment: row.get::<_, i64>(1)? as u64,
                offset: row.get::<_, i64>(2)? as u64,
            })
        },
    )?;
    shared.indexed(progress.position);
    while progress.position < head.position && !shared.is_closed() {
        let began = Instant::now();
        let read = read_on(&shared.directory, &mut progress, head);
        let found = read.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        add(index, &found, &progress)?;
        shared.indexed(progress.position);
        if found.is_empty() {
            break;
        }
        // A quarter of one core at most: accesses take precedence.
        shared.pause(began.elapsed() * 3);
    }
    Ok(())
}

/// Reads the next entries, up to the last that is on disk.
fn read_on(directory: &Path, progress: &mut Progress, head: &Head) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for (number, path) in segment::list(directory)? {
        if number < progress.segment || head.segment < number || STEP <= found.len() {
            continue;
        }
        let mut walk = match Walk::open(&path) {
            Ok(walk) => walk,
            Err(BadHeader::Read(error)) => return Err(error),
            // The segment never held an entry whose caller got an answer.
            Err(BadHeader::Damaged | BadHeader::Newer(_)) => continue,
        };
        if number == progress.segment && progress.offset != 0 {
            walk.seek(progress.offset, progress.position + 1)?;
        }
        while found.len() < STEP && walk.next <= head.position {
            let (position, offset) = (walk.next, walk.offset);
            let Some(payload) = walk.any()? else { break };
            if let Some(decoded) = record::decode(payload) {
                found.push(Found {
                    position,
                    segment: number,
                    offset,
                    decoded,
                });
            }
            *progress = Progress {
                position,
                segment: number,
                offset: walk.offset,
            };
        }
    }
    Ok(found)
}

fn add(index: &mut Connection, found: &[Found], progress: &Progress) -> rusqlite::Result<()> {
    let transaction = index.transaction()?;
    {
        let mut entry = transaction.prepare_cached(
            "INSERT OR REPLACE INTO entry(position, segment, offset, at, actor, kind, action, about,
               target, patient, purpose, source, outcome)
             VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
        )?;
        let mut touches: Vec<(&str, u64)> = Vec::new();
        for found in found {
            let Found {
                position,
                segment,
                offset,
                decoded,
            } = found;
            let said = &decoded.entry;
            entry.execute(params![
                *position as i64,
                *segment as i64,
                *offset as i64,
                decoded.at.micros(),
                said.actor,
                ActorKind::of(&said.actor).code(),
                said.action,
                said.resource_type,
                said.target,
                said.patients.last().map_or("", String::as_str),
                said.purpose,
                said.source,
                rank(said.outcome),
            ])?;
            touches.extend(
                decoded
                    .entry
                    .patients
                    .iter()
                    .map(|patient| (patient.as_str(), *position)),
            );
        }
        touches.sort_unstable();
        let mut touched = transaction
            .prepare_cached("INSERT OR IGNORE INTO touched(patient, position) VALUES(?1,?2)")?;
        for (patient, position) in touches {
            touched.execute(params![patient, position as i64])?;
        }
        transaction
            .prepare_cached("UPDATE progress SET position = ?1, segment = ?2, offset = ?3")?
            .execute([progress.position, progress.segment, progress.offset].map(|n| n as i64))?;
    }
    transaction.commit()
}

/// Ranks outcomes in the order of the index: successes first, internal errors last.
const fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Success => 0,
        Outcome::Failed => 1,
        Outcome::Refused => 2,
        Outcome::Error => 3,
    }
}
