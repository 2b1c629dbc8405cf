//! Writes and reads large bodies in a day's file, piece by piece.
//!
//! Invariants:
//! - a body is in memory once, in the hands of its sender or reader: SQLite would bind one copy and build the
//!   row from another, so a large body is written and read piece by piece;
//! - on disk nothing differs: the row is the same as that of a small body.

use rusqlite::blob::Blob;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, Row, ToSql, params};

/// The size from which a body goes piece by piece: copying a smaller one is faster than writing it twice.
const LARGE: usize = 4 << 20;
/// The size of one piece: a part of the writer's page cache, which is 8 MB.
const PIECE: usize = 1 << 20;

/// Stores a body under its message's number, in the open transaction.
pub(super) fn write(
    connection: &Connection,
    sequence: u64,
    coding: i64,
    bytes: &[u8],
) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO body(seq, coding, bytes) VALUES(?1,?2,?3)")?;
    let room = rusqlite::blob::ZeroBlob(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    let is_large = LARGE <= bytes.len();
    let value: &dyn ToSql = if is_large { &room } else { &bytes };
    insert.execute(params![sequence as i64, coding, value])?;
    if is_large {
        let mut body = open(connection, sequence, false)?;
        for (n, piece) in bytes.chunks(PIECE).enumerate() {
            body.write_all_at(piece, n * PIECE)?;
        }
        body.close()?;
    }
    Ok(())
}

/// Returns a body's coding and its stored bytes; none if there is no such message.
pub(super) fn read(
    connection: &Connection,
    sequence: u64,
) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    read_up_to(connection, sequence, usize::MAX)
}

/// Like [`read`], but returns no more than the first `most` bytes of a large body that is stored
/// uncompressed.
pub(super) fn read_up_to(
    connection: &Connection,
    sequence: u64,
    most: usize,
) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    // `length` reads only the row's header.
    let mut select = connection.prepare_cached(
        "SELECT coding, length(bytes), CASE WHEN length(bytes) < ?2 THEN bytes END
         FROM body WHERE seq = ?1",
    )?;
    let found = |row: &Row<'_>| {
        let (coding, length): (i64, i64) = (row.get(0)?, row.get(1)?);
        let bytes = if length < LARGE as i64 {
            row.get(2)?
        } else {
            let most = if coding == 0 { most } else { usize::MAX };
            beginning(connection, sequence, most)?
        };
        Ok((coding, bytes))
    };
    select
        .query_row(params![sequence as i64, LARGE as i64], found)
        .optional()
}

fn beginning(connection: &Connection, sequence: u64, most: usize) -> rusqlite::Result<Vec<u8>> {
    let body = open(connection, sequence, true)?;
    let mut bytes = vec![0; body.len().min(most)];
    for (n, piece) in bytes.chunks_mut(PIECE).enumerate() {
        body.read_at_exact(piece, n * PIECE)?;
    }
    body.close()?;
    Ok(bytes)
}

fn open(connection: &Connection, sequence: u64, read_only: bool) -> rusqlite::Result<Blob<'_>> {
    connection.blob_open(MAIN_DB, "body", "bytes", sequence as i64, read_only)
}
