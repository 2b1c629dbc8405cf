//! The journal's identity, and what it remembers of the stores beside it.
//!
//! `journal/id` names the journal; each day's file names it too, so losing `journal/id` alone does no harm.
//! `journal/seen` records the last known positions of chart and ledger, so that an older copy of either, or
//! of both, is recognized.

use super::day::DayFile;
use super::error::{OpenError, ReadError};
use crate::identity::{Identity, Position};
use rusqlite::{Connection, OptionalExtension};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

const ID: &str = "id";
const SEEN: &str = "seen";

/// Returns the journal's identity, and whether it was just created for a journal without any message.
pub(super) fn identity(
    directory: &Path,
    files: &[(DayFile, Connection)],
    has_messages: bool,
) -> Result<(Identity, bool), OpenError> {
    let failed = |source| OpenError::Directory {
        path: directory.to_owned(),
        source,
    };
    let written = read(&directory.join(ID)).map_err(failed)?;
    let known = written.as_deref().and_then(Identity::parse).or_else(|| {
        files
            .iter()
            .find_map(|(_, connection)| named_in(connection))
    });
    let is_new = known.is_none() && !has_messages;
    let identity = known.unwrap_or_else(Identity::random);
    if written.as_deref().and_then(Identity::parse).as_ref() != Some(&identity) {
        replace(directory, ID, &format!("{identity}\n")).map_err(failed)?;
    }
    Ok((identity, is_new))
}

/// Reads the identity from a folder.
pub(super) fn written(directory: &Path) -> Option<Identity> {
    let text = read(&directory.join(ID)).ok()??;
    Identity::parse(&text)
}

/// Names the journal in a day's file.
pub(super) fn mark(connection: &Connection, identity: &Identity) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO journal(id) SELECT ?1 WHERE NOT EXISTS(SELECT 1 FROM journal)",
            [identity.as_str()],
        )
        .map(drop)
}

fn named_in(connection: &Connection) -> Option<Identity> {
    let text: Option<String> = connection
        .query_row("SELECT id FROM journal", [], |row| row.get(0))
        .optional()
        .ok()?;
    Identity::parse(&text?)
}

/// Reads the remembered positions of the chart and the ledger.
pub(super) fn seen(directory: &Path) -> io::Result<Vec<(String, Position)>> {
    let text = read(&directory.join(SEEN))?.unwrap_or_default();
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let what = words.next()?.to_owned();
        let identity = Identity::parse(words.next()?)?;
        let mark = words.next()?.parse().ok()?;
        Some((what, Position { identity, mark }))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// Remembers the positions, on disk.
pub(super) fn remember(directory: &Path, all: &[(&str, &Position)]) -> Result<(), ReadError> {
    let line = |(what, at): &(&str, &Position)| format!("{what} {} {}\n", at.identity, at.mark);
    let text: String = all.iter().map(line).collect();
    replace(directory, SEEN, &text).map_err(|source| ReadError::Directory {
        path: directory.join(SEEN),
        source,
    })
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file atomically and durably.
pub(super) fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let (path, draft) = (directory.join(name), directory.join(format!("{name}.new")));
    let mut file = File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    File::open(directory)?.sync_all()
}
