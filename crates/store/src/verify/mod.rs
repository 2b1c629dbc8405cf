//! Walks a data directory and finds data that is not as it was written, or not consistent.
//!
//! Invariants:
//! - nothing is written, so it may run beside a server, and on a copy;
//! - no transaction is held for long: a server can checkpoint its log meanwhile;
//! - no report names a patient: only numbers of messages, types and ids of resources.

mod chart;
mod journal;
mod ledger;

use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The number of faults that are reported one by one.
const MAX_TOLD: usize = 1_000;
/// Rows that are checked in one transaction.
const STEP: i64 = 500;

/// The findings of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of items checked, by kind.
    pub checked: Vec<(&'static str, u64)>,
    /// The faults, at most a thousand.
    pub faults: Vec<Fault>,
    /// The number of faults beyond those.
    pub n_more: u64,
    /// Findings that are not faults but worth a look.
    pub notes: Vec<String>,
}

/// A fault in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `journal`, `ledger` or `chart`.
    pub store: &'static str,
    /// The place: a file, a message, a resource.
    pub place: String,
    /// The fault.
    pub what: &'static str,
    /// The remedy.
    pub remedy: &'static str,
}

/// The walk could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no data directory.
    #[error("`{path}` is no data directory; name one with --data")]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A file could not be opened or read, for a reason other than damage.
    #[error("cannot read `{path}`; beside a running server this needs the same user")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The folder of the journal could not be read.
    #[error("cannot read `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Receives the progress of a walk: rows done and all rows.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// A walk in progress.
struct Walk<'a> {
    data: &'a Path,
    report: Report,
    progress: Progress<'a>,
    n_done: u64,
    n_all: u64,
}

/// Walks journal, ledger and chart. The audit log has a check of its own
/// ([`audit::verify`](crate::audit::verify)).
pub fn verify(data: &Path, progress: Progress<'_>) -> Result<Report, VerifyError> {
    let there = ["chart.db", "flow.db", "journal"];
    if there.iter().all(|name| !data.join(name).exists()) {
        return Err(VerifyError::NoDirectory {
            path: data.to_owned(),
        });
    }
    let mut walk = Walk {
        data,
        report: Report::default(),
        progress,
        n_done: 0,
        n_all: 0,
    };
    walk.journal()?;
    // Before the chart: messages that the ledger records as mapped are in the chart by then, also beside a
    // server.
    let mapped = walk.ledger()?;
    walk.chart(&mapped)?;
    Ok(walk.report)
}

// === impl Walk ===

impl Walk<'_> {
    fn fault(
        &mut self,
        store: &'static str,
        place: impl Into<String>,
        (what, remedy): (&'static str, &'static str),
    ) {
        if self.report.faults.len() < MAX_TOLD {
            self.report.faults.push(Fault {
                store,
                place: place.into(),
                what,
                remedy,
            });
        } else {
            self.report.n_more += 1;
        }
    }

    fn checked(&mut self, what: &'static str, n: u64) {
        let known = self
            .report
            .checked
            .iter_mut()
            .find(|(known, _)| *known == what);
        match known {
            Some((_, sum)) => *sum += n,
            None => self.report.checked.push((what, n)),
        }
    }

    fn more(&mut self, n_rows: u64) {
        self.n_all += n_rows;
        (self.progress)(self.n_done, self.n_all);
    }

    fn did(&mut self, n_rows: u64) {
        self.n_done += n_rows;
        (self.progress)(self.n_done.min(self.n_all), self.n_all);
    }

    /// Reports damage as a fault, not as an error.
    fn tell<T>(
        &mut self,
        store: &'static str,
        path: &Path,
        outcome: rusqlite::Result<T>,
    ) -> Result<Option<T>, VerifyError> {
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(error) if crate::damage::is_damage(&error) => {
                self.fault(store, path.display().to_string(), UNREADABLE);
                Ok(None)
            }
            Err(source) => Err(VerifyError::File {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Opens a database and checks its pages; none if it cannot be read.
    fn open(
        &mut self,
        store: &'static str,
        path: &Path,
    ) -> Result<Option<Connection>, VerifyError> {
        let opened = open(path).and_then(|conn| {
            let sound: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            Ok((conn, sound))
        });
        let Some((conn, sound)) = self.tell(store, path, opened)? else {
            return Ok(None);
        };
        if sound != "ok" {
            self.fault(store, path.display().to_string(), UNSOUND);
        }
        Ok(Some(conn))
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Returns true if a table has a column: files of earlier formats have fewer.
fn has_column(conn: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    conn.query_row(
        "SELECT EXISTS(SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
        [table, column],
        |row| row.get(0),
    )
}

const UNREADABLE: (&str, &str) = (
    "the database cannot be read",
    "stop the server and restore the file from a backup",
);
const UNSOUND: (&str, &str) = (
    "the database's pages do not fit together",
    "stop the server and restore the file from a backup",
);
