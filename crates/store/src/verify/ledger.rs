//! Checks the ledger: its counts match its rows; its mapped messages are looked up in the chart afterwards.

use super::{VerifyError, Walk};
use rusqlite::Connection;
use std::path::Path;

const COUNT: (&str, &str) = (
    "the counts by state are not those of the messages",
    "stop the server and move `flow.db` away: it is made again from journal and chart at the next start",
);

impl Walk<'_> {
    /// Checks the ledger and returns the messages that it records as mapped, in order.
    pub(super) fn ledger(&mut self) -> Result<Vec<u64>, VerifyError> {
        let path = self.data.join("flow.db");
        if !path.exists() {
            let note = "there is no ledger (`flow.db`); the next start makes one";
            self.report.notes.push(note.to_owned());
            return Ok(Vec::new());
        }
        let Some(conn) = self.open("ledger", &path)? else {
            return Ok(Vec::new());
        };
        let counts = counts_fit(&conn);
        if self.tell("ledger", &path, counts)? == Some(false) {
            self.fault("ledger", path.display().to_string(), COUNT);
        }
        let mapped = mapped(&conn);
        let mapped = self.tell("ledger", &path, mapped)?.unwrap_or_default();
        self.set_aside(&path)?;
        Ok(mapped)
    }

    fn set_aside(&mut self, path: &Path) -> Result<(), VerifyError> {
        let failed = |source| VerifyError::Folder {
            path: path.to_owned(),
            source,
        };
        for found in std::fs::read_dir(self.data).map_err(failed)? {
            let name = found.map_err(failed)?.file_name();
            if name.to_string_lossy().starts_with("flow.db.damaged-") {
                let note = format!(
                    "`{}` was set aside and made again; it can be deleted",
                    name.display()
                );
                self.report.notes.push(note);
            }
        }
        Ok(())
    }
}

fn counts_fit(conn: &Connection) -> rusqlite::Result<bool> {
    // One statement sees one state, also beside a server.
    let n_wrong: i64 = conn.query_row(
        "SELECT count(*) FROM (
           SELECT flow, state, n FROM count WHERE n <> 0
           EXCEPT SELECT flow, state, count(*) FROM message GROUP BY flow, state)",
        [],
        |row| row.get(0),
    )?;
    Ok(n_wrong == 0)
}

fn mapped(conn: &Connection) -> rusqlite::Result<Vec<u64>> {
    let mut statement =
        conn.prepare("SELECT seq FROM message WHERE state IN (1, 2) ORDER BY seq")?;
    let rows = statement.query_map([], |row| row.get::<_, i64>(0).map(|seq| seq as u64))?;
    rows.collect()
}
