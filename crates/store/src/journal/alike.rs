//! Whether messages are in the journal already, however long ago they came.

use super::batch::repeat_key;
use super::day::Term;
use super::error::ReadError;
use super::{Entry, Journal, Sequence};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::collections::HashMap;

/// Values in one question: SQLite binds 32,766 at most.
const AT_ONCE: usize = 1_000;

// === impl Journal ===

impl Journal {
    /// For each entry the newest message that is it: of the same flow, sender and control id and with
    /// the same bytes. None where there is none, and for what has no control id. However many the
    /// entries, each file is asked once (once for a thousand of them).
    pub fn same_as(&self, entries: &[&Entry]) -> Result<Vec<Option<Sequence>>, ReadError> {
        let keys: Vec<Option<Vec<u8>>> = entries.iter().map(|entry| repeat_key(entry)).collect();
        let asked: Vec<&Vec<u8>> = keys.iter().flatten().collect();
        let mut newest: HashMap<Vec<u8>, u64> = HashMap::new();
        // Without anything to ask no file is opened.
        let files = if asked.is_empty() {
            Vec::new()
        } else {
            self.days().all()
        };
        for (file, some) in files
            .iter()
            .flat_map(|file| asked.chunks(AT_ONCE).map(move |some| (file, some)))
        {
            for (key, sequence) in file.read(|connection| found_in(connection, some))? {
                let known = newest.entry(key).or_default();
                *known = sequence.max(*known);
            }
        }
        let sequence = |key: Option<Vec<u8>>| newest.get(&key?).copied().map(Sequence::new);
        Ok(keys.into_iter().map(sequence).collect())
    }
}

fn found_in(connection: &Connection, keys: &[&Vec<u8>]) -> rusqlite::Result<Vec<(Vec<u8>, u64)>> {
    let marks = vec!["?"; keys.len()].join(",");
    let kind = Term::Identity as i64;
    let mut statement = connection.prepare(&format!(
        "SELECT value, max(seq) FROM term WHERE kind = {kind} AND value IN ({marks}) GROUP BY value"
    ))?;
    let values = keys.iter().map(|key| Value::from((*key).clone()));
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)? as u64))
    })?;
    rows.collect()
}
