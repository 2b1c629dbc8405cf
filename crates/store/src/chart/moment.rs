//! A snapshot of the chart, for work that asks many small questions.

use crate::backend::plan::Rows;
use crate::backend::sqlite::session::SqliteSession;
use crate::backend::{Session as _, resolve};
use crate::chart::{BusinessKey, Chart, Read, ReadError};
use access::Permit;

/// A snapshot of the chart. All questions share one transaction, and pages read for one question
/// are in memory for the next.
pub struct Moment<'a> {
    pub(super) chart: &'a Chart,
    pub(super) session: &'a SqliteSession<'a>,
    rows: Rows,
}

/// The resource that a business key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The resource type.
    pub resource_type: &'static str,
    /// The logical id.
    pub id: String,
    /// True if the resource exists: neither deleted nor merely named by others.
    pub is_live: bool,
}

// === impl Chart ===

impl Chart {
    /// Runs `work` on one snapshot of the chart. The snapshot stays open meanwhile, so the work
    /// must be short.
    pub fn at_once<T>(
        &self,
        permit: &Permit,
        work: impl FnOnce(&Moment<'_>) -> T,
    ) -> Result<T, ReadError> {
        self.look_once(|session| {
            let moment = Moment {
                chart: self,
                session,
                rows: resolve::rows(session, permit.filter())?,
            };
            Ok(work(&moment))
        })
    }
}

// === impl Moment ===

impl Moment<'_> {
    /// Reads a resource as [`Chart::read`] does.
    pub fn read(&self, resource_type: &str, id: &str) -> Result<Read, ReadError> {
        let number = self.chart.type_number(resource_type)?;
        let found = self.session.read(&self.rows, number, id);
        found.map_err(|fault| self.chart.read_error(fault))
    }

    /// Returns true if two Patients are records of one person.
    pub fn is_one_person(&self, one: &str, other: &str) -> Result<bool, ReadError> {
        let person = |id: &str| {
            let Some(patient) = self.session.resource("Patient", id)? else {
                return Ok(None);
            };
            self.session.person_of(patient)
        };
        let found = person(one).and_then(|one| Ok((one, person(other)?)));
        let (one, other) = found.map_err(|fault| self.chart.read_error(fault))?;
        Ok(one.is_some_and(|one| one != 0 && Some(one) == other))
    }

    /// Returns the ids of the resources that exist under a key's value, or under a value that
    /// continues it with `|`; at most `most` of them.
    pub fn lookup_all(&self, key: &BusinessKey, most: usize) -> Result<Vec<String>, ReadError> {
        let found = self.session.lookup_all(&self.rows, key, most);
        found.map_err(|fault| self.chart.read_error(fault))
    }

    /// Looks up a business key as [`Chart::lookup`] does.
    pub fn lookup(&self, key: &BusinessKey) -> Result<Option<Named>, ReadError> {
        let found = self.session.lookup(&self.rows, key);
        found.map_err(|fault| self.chart.read_error(fault))
    }
}

impl std::fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment").finish_non_exhaustive()
    }
}
