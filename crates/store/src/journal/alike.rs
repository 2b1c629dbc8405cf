//! Finds messages that are already in the journal, however long ago they arrived.

use super::batch::repeat_key;
use super::day::Term;
use super::error::ReadError;
use super::{Entry, Journal, Sequence};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::collections::HashMap;

/// Values per query: SQLite binds at most 32,766.
const AT_ONCE: usize = 1_000;

// === impl Journal ===

impl Journal {
    /// Returns, for each entry, the newest message that equals it: the same flow, sender, control id and
    /// bytes. None where there is no such message, and for entries without a control id. Each file is queried
    /// once per thousand entries.
    pub fn same_as(&self, entries: &[&Entry]) -> Result<Vec<Option<Sequence>>, ReadError> {
        let keys: Vec<Option<Vec<u8>>> = entries.iter().map(|entry| repeat_key(entry)).collect();
        let asked: Vec<&Vec<u8>> = keys.iter().flatten().collect();
        let mut newest: HashMap<Vec<u8>, u64> = HashMap::new();
        // With nothing to look up, no file is opened.
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
