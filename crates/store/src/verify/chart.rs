//! Checks the chart: every version, and the consistency of names, resources, versions, index rows and counts.

use super::{STEP, VerifyError, Walk, has_column};
use crate::backend::sqlite::walk::{self, Tables};
use rusqlite::Connection;
use std::path::Path;

const VERSION: (&str, &str) = (
    "the stored version is not as it was written; the server gives it out as an error",
    "stop the server and restore `chart.db` from a backup: what it lacks of messages is applied again",
);
const MISFIT: (&str, &str) = (
    "name, resource and versions do not fit together",
    "stop the server and restore `chart.db` from a backup",
);
const UNINDEXED: (&str, &str) = (
    "index rows are missing, so searches do not find it",
    "stop the server and restore `chart.db` from a backup",
);
const STRAY: (&str, &str) = (
    "the index has rows that belong to no resource",
    "stop the server and restore `chart.db` from a backup",
);
const CENSUS: (&str, &str) = (
    "the number of resources is not the one that is counted",
    "stop the server and restore `chart.db` from a backup",
);
const LINEAGE: (&str, &str) = (
    "where its values came from cannot be read",
    "stop the server and restore `chart.db` from a backup",
);
const LACKS: (&str, &str) = (
    "the ledger has it as mapped and the chart does not have it",
    "restart the server: it is applied again",
);

impl Walk<'_> {
    pub(super) fn chart(&mut self, mapped: &[u64]) -> Result<(), VerifyError> {
        let path = self.data.join("chart.db");
        if !path.exists() {
            self.report.notes.push("there is no chart".to_owned());
            return Ok(());
        }
        let Some(conn) = self.open("chart", &path)? else {
            return Ok(());
        };
        let walked = self.walk_chart(&conn, &path, mapped);
        match walked {
            Err(VerifyError::File { source, .. }) if crate::damage::is_damage(&source) => {
                self.fault("chart", path.display().to_string(), super::UNREADABLE);
                Ok(())
            }
            other => other,
        }
    }

    fn walk_chart(
        &mut self,
        conn: &Connection,
        path: &Path,
        mapped: &[u64],
    ) -> Result<(), VerifyError> {
        let file = |source| VerifyError::File {
            path: path.to_owned(),
            source,
        };
        let sums = has_column(conn, "version", "sum").map_err(file)?;
        let (last_rid, last_res) = walk::ends(conn).map_err(file)?;
        self.more((last_rid + last_res) as u64);
        let types = walk::types(conn).map_err(file)?;
        let mut after = 0;
        loop {
            let slice = walk::versions(conn, &types, after, (STEP, sums)).map_err(file)?;
            let Some(last) = slice.last() else { break };
            self.did((last.rid - after) as u64);
            after = last.rid;
            self.checked("versions", slice.len() as u64);
            for version in slice.iter().filter(|version| !version.is_whole) {
                self.fault("chart", version.name.clone(), VERSION);
            }
        }
        let mut counted = Tables::default();
        let mut after = 0;
        loop {
            let slice = walk::resources(conn, &types, after, STEP, &mut counted).map_err(file)?;
            let Some(last) = slice.last() else { break };
            self.did((last.res - after) as u64);
            after = last.res;
            self.checked("resources", slice.len() as u64);
            for resource in slice {
                let faults = [
                    (resource.fits, MISFIT),
                    (resource.is_indexed, UNINDEXED),
                    (resource.has_lineage, LINEAGE),
                ];
                for (_, fault) in faults.iter().filter(|(holds, _)| !holds) {
                    self.fault("chart", resource.name.clone(), *fault);
                }
            }
        }
        self.count_rows(conn, (last_rid, last_res), &counted)
            .map_err(file)?;
        self.check_marks(conn, mapped).map_err(file)
    }

    /// Counts rows that belong to no resource. Beside a server that writes, the two counts are taken at
    /// different moments.
    fn count_rows(
        &mut self,
        conn: &Connection,
        ends: (i64, i64),
        counted: &Tables,
    ) -> rusqlite::Result<()> {
        let found = walk::count(conn)?;
        let census = walk::census_fits(conn)?;
        if walk::ends(conn)? != ends {
            let note =
                "the server wrote meanwhile, so index rows without a resource were not looked for";
            self.report.notes.push(note.to_owned());
            return Ok(());
        }
        self.checked("index rows", found.sum());
        for table in found.more_than(counted) {
            self.fault("chart", format!("table `{table}`"), STRAY);
        }
        if !census {
            self.fault("chart", "table `type`", CENSUS);
        }
        Ok(())
    }

    fn check_marks(&mut self, conn: &Connection, mapped: &[u64]) -> rusqlite::Result<()> {
        let journal = crate::journal::walk::identity(&self.data.join("journal"));
        let number = walk::journal_number(conn, journal.as_ref())?;
        let Some(number) = number else {
            let note = "the chart does not know this journal yet, so the ledger's messages were not looked for";
            self.report.notes.push(note.to_owned());
            return Ok(());
        };
        for sequence in mapped {
            if !walk::is_applied(conn, number, *sequence)? {
                self.fault("ledger", format!("message {sequence}"), LACKS);
            }
        }
        self.checked("applied messages", mapped.len() as u64);
        Ok(())
    }
}
