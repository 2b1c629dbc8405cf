//! Checks the journal: every entry, every body, every stored acknowledgement.

use super::{STEP, VerifyError, Walk, has_column};
use crate::journal::walk;
use rusqlite::Connection;
use std::path::Path;

const ENTRY: (&str, &str) = (
    "the entry is not as it was written",
    "restore the journal file from a backup; the server shows the message as damaged",
);
const BODY: (&str, &str) = (
    "the message's bytes are not those that came",
    "restore the journal file from a backup, or let the sender send the message again",
);
const ANSWER: (&str, &str) = (
    "the stored acknowledgement is not as it was written",
    "nothing: a repeat is answered anew",
);
const ASIDE: (&str, &str) = (
    "a journal file was set aside because it could not be read",
    "restore it from a backup under its own name while the server is stopped, or delete it",
);

impl Walk<'_> {
    pub(super) fn journal(&mut self) -> Result<(), VerifyError> {
        let folder = self.data.join("journal");
        let failed = |source| VerifyError::Folder {
            path: folder.clone(),
            source,
        };
        if !folder.exists() {
            self.report.notes.push("there is no journal".to_owned());
            return Ok(());
        }
        let mut names = Vec::new();
        for found in std::fs::read_dir(&folder).map_err(failed)? {
            names.push(found.map_err(failed)?.path());
        }
        names.sort();
        for path in names {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if walk::is_day(name) {
                self.day(&path)?;
            } else if name.contains(".damaged-")
                && !name.ends_with("-wal")
                && !name.ends_with("-shm")
            {
                self.fault("journal", path.display().to_string(), ASIDE);
            }
        }
        Ok(())
    }

    fn day(&mut self, path: &Path) -> Result<(), VerifyError> {
        let Some(conn) = self.open("journal", path)? else {
            return Ok(());
        };
        let count = conn.query_row("SELECT count(*) FROM entry", [], |row| row.get::<_, i64>(0));
        let Some(n) = self.tell("journal", path, count)? else {
            return Ok(());
        };
        self.more(n as u64);
        let mut after = 0;
        loop {
            let slice = slice(&conn, after);
            let Some(slice) = self.tell("journal", path, slice)? else {
                return Ok(());
            };
            let Some(last) = slice.last() else { break };
            after = last.sequence as i64;
            self.did(slice.len() as u64);
            self.checked("messages", slice.len() as u64);
            for checked in slice {
                let place = format!("message {} in `{}`", checked.sequence, path.display());
                if !checked.entry {
                    self.fault("journal", place.clone(), ENTRY);
                }
                if !checked.body {
                    self.fault("journal", place.clone(), BODY);
                }
                if !checked.acknowledgement {
                    self.fault("journal", place, ANSWER);
                }
            }
        }
        Ok(())
    }
}

fn slice(conn: &Connection, after: i64) -> rusqlite::Result<Vec<walk::Checked>> {
    let sums = has_column(conn, "entry", "sum")?;
    walk::check(conn, after, STEP, sums)
}
