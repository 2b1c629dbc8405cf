//! Full-text search in the raw text: FTS5, one index file beside each day file, built behind the writes.
//!
//! The index is derived: it may be deleted at any time, is not synced, and is rebuilt from the day file. The
//! indexer takes at most about a quarter of one core, so that it never slows incoming messages.

use super::day::{DayFile, checkpoint};
use super::days::Days;
use super::{error::ReadError, large, unpack};
use crate::wal;
use rusqlite::{Connection, params};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

const SCHEMA: &str = "
CREATE VIRTUAL TABLE IF NOT EXISTS text USING fts5(raw, content = '', tokenize = 'unicode61');
CREATE TABLE IF NOT EXISTS progress(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL);
INSERT OR IGNORE INTO progress VALUES(1, 0);
";

/// Messages per transaction of the index.
const STEP: usize = 64;
/// The largest text of one message that is indexed: an embedded document is not text.
const MAX_TEXT: usize = 64 << 10;

/// Wakes the indexer when a message arrives.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
    pub(super) closed: AtomicBool,
}

// === impl Bell ===

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ring.notify_one();
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.ring();
    }

    fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ring.wait_while(rung, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner) = false;
    }

    fn pause(&self, pause: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |_: &mut bool| !self.closed.load(Ordering::Acquire);
        drop(self.ring.wait_timeout_while(rung, pause, open));
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Runs the indexer's thread.
pub(super) fn run(days: &Arc<Days>, bell: &Bell) {
    let trouble = base::LogThrottle::default();
    while !bell.is_closed() {
        for file in days.all().into_iter().rev() {
            if let Err(error) = catch_up(days, &file, bell) {
                // On a full disk this fails at every message.
                if let Some(n_unsaid) = trouble.record(Instant::now()) {
                    tracing::warn!(%error, n_unsaid, "text index of a journal day not built");
                }
            }
        }
        bell.wait();
    }
}

fn catch_up(days: &Days, file: &DayFile, bell: &Bell) -> Result<(), ReadError> {
    let last = || file.last.load(Ordering::Acquire);
    let known = file.text_to.load(Ordering::Acquire);
    if known != u64::MAX && last() <= known {
        return Ok(());
    }
    let failed = |source| ReadError::File {
        path: file.text_path(),
        source,
    };
    let mut index = open_index(file).map_err(failed)?;
    days.take_room(&file.text_path(), &index);
    let mut from: u64 = index
        .query_row("SELECT seq FROM progress", [], |row| row.get::<_, i64>(0))
        .map_err(failed)? as u64;
    file.text_to.store(from, Ordering::Release);
    while from < last() && !bell.is_closed() {
        let began = Instant::now();
        let texts = file.read(|connection| texts_after(connection, from))?;
        let Some((reached, _)) = texts.last() else {
            break;
        };
        from = *reached;
        add(&mut index, &texts, from).map_err(failed)?;
        file.text_to.store(from, Ordering::Release);
        bell.pause(began.elapsed() * 3);
    }
    checkpoint(&index, "PASSIVE").map_err(failed)
}

fn open_index(file: &DayFile) -> rusqlite::Result<Connection> {
    wal::may_open(&file.path)?;
    let index = Connection::open(file.text_path())?;
    index.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    index.pragma_update(None, "synchronous", "NORMAL")?;
    index.pragma_update(None, "cache_size", -4_000)?;
    index.execute_batch(SCHEMA)?;
    Ok(index)
}

fn texts_after(connection: &Connection, after: u64) -> rusqlite::Result<Vec<(u64, String)>> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM body WHERE ?1 < seq ORDER BY seq LIMIT ?2")?;
    let rows = statement.query_map(params![after as i64, STEP as i64], |row| {
        let sequence = row.get::<_, i64>(0)? as u64;
        let stored = large::read_up_to(connection, sequence, MAX_TEXT)?;
        let body = stored.and_then(|(coding, bytes)| unpack(coding, bytes));
        let body = body.unwrap_or_default();
        let text = body.get(..body.len().min(MAX_TEXT)).unwrap_or_default();
        Ok((sequence, String::from_utf8_lossy(text).into_owned()))
    })?;
    rows.collect()
}

fn add(index: &mut Connection, texts: &[(u64, String)], reached: u64) -> rusqlite::Result<()> {
    let transaction = index.transaction()?;
    {
        let mut insert =
            transaction.prepare_cached("INSERT INTO text(rowid, raw) VALUES(?1, ?2)")?;
        for (sequence, text) in texts {
            insert.execute(params![*sequence as i64, text])?;
        }
        transaction.execute("UPDATE progress SET seq = ?1", [reached as i64])?;
    }
    transaction.commit()
}

/// Runs a query with the file's index attached as `textual`. Without an index the result is empty.
pub(super) fn with_index<T: Default>(
    connection: &Connection,
    file: &DayFile,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let path = file.text_path();
    if file.text_to.load(Ordering::Acquire) == u64::MAX || !path.exists() {
        return Ok(T::default());
    }
    wal::may_open(&file.path)?;
    connection.execute("ATTACH ?1 AS textual", [path.to_string_lossy()])?;
    let answer = query(connection);
    connection.execute("DETACH textual", [])?;
    answer
}

/// Builds a query in which every word must occur; characters other than letters and digits split a word into
/// a phrase. Nothing in it is read as FTS5's query language.
pub(super) fn query(words: &str) -> String {
    let phrases = words
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")));
    let query: Vec<String> = phrases.collect();
    if query.is_empty() {
        "\"\"".to_owned()
    } else {
        query.join(" AND ")
    }
}
