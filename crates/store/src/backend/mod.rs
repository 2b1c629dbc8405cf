//! The interface of the chart to a database engine.
//!
//! Invariants:
//! - the interface is coarse: a [`Plan`] in, hits out; a batch in, a receipt out; FHIR's rules for
//!   versions, search and transactions are implemented once, above it;
//! - keys are integers, or bytes compared as bytes, so that all engines sort alike;
//! - a [`Session`] sees one state of the chart from its first question to its last.

pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod cursor;
pub(crate) mod execute;
pub(crate) mod find;
pub(crate) mod include;
pub(crate) mod key;
pub(crate) mod order;
pub(crate) mod pass;
pub(crate) mod persons;
pub(crate) mod plan;
pub(crate) mod planner;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod resolve;
pub(crate) mod sql;
pub(crate) mod sqlite;
pub(crate) mod stage;
pub(crate) mod stored;
pub(crate) mod types;

use crate::backend::plan::{Drive, Found, Plan, Probe};
use crate::backend::sql::{Dialect, Fragment};
use crate::backend::stored::Res;

/// An error of an engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the database refused")]
    Sqlite(#[from] rusqlite::Error),
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "only the engine behind the feature has it")
    )]
    #[error("the database server refused, or cannot be reached")]
    Server(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "only the engine behind the feature has it")
    )]
    #[error("another writer was first; the same again may pass")]
    Again,
    #[error("the chart is damaged: {0}")]
    Damaged(&'static str),
    #[error("{0} is damaged")]
    Rotten(Box<str>),
    #[error("the cursor is not one of this search")]
    Cursor,
}

/// Names, numbers and plans against one state of the chart.
pub(crate) trait Session {
    /// Returns the number of a resource type.
    fn type_number(&self, resource_type: &str) -> Option<i64>;
    /// Returns the number of a code system, if anything uses it.
    fn system(&self, uri: &str) -> Result<Option<i64>, Fault>;
    /// Returns the URI of a code system.
    fn system_uri(&self, number: i64) -> Result<String, Fault>;
    /// Returns the number of a resource, if anything names it.
    fn resource(&self, resource_type: &str, id: &str) -> Result<Option<Res>, Fault>;
    /// Returns the type and id of a resource.
    fn name(&self, res: Res) -> Result<(&'static str, String), Fault>;
    /// Returns the source Patients of a person; none if the resource is not a person.
    fn members(&self, res: Res) -> Result<Vec<Res>, Fault>;
    /// Returns the person of a source Patient; `None` if the resource is not a source record.
    fn person_of(&self, res: Res) -> Result<Option<Res>, Fault>;
    /// Returns the persons that became part of this one.
    fn retired_into(&self, person: Res) -> Result<Vec<Res>, Fault>;
    /// Returns the number of resources of a type.
    fn census(&self, type_number: i64) -> Result<u64, Fault>;
    /// Counts the rows of a drive, up to `cap`.
    fn estimate(&self, type_number: i64, drive: &Drive, cap: u64) -> Result<u64, Fault>;
    /// Runs a plan.
    fn execute(&self, plan: &Plan) -> Result<Found, Fault>;
    /// Returns the posting set of a live resource.
    fn set(&self, res: Res) -> Result<Option<Vec<u8>>, Fault>;
}

/// The questions that executing a plan asks of an engine: statements of [`sql`], and facts about
/// resources.
pub(crate) trait Index: Session {
    /// Returns the engine's SQL dialect.
    fn dialect(&self) -> Dialect;
    /// Returns true if each question costs a round trip.
    fn is_remote(&self) -> bool {
        false
    }
    /// Returns the first column of a statement.
    fn numbers(&self, fragment: &Fragment) -> Result<Vec<i64>, Fault>;
    /// Returns the first three columns of a statement.
    fn triples(&self, fragment: &Fragment) -> Result<Vec<[i64; 3]>, Fault>;
    /// Returns the resources that pass the probes, in their order.
    fn passing(&self, found: &[Res], probes: &[Probe]) -> Result<Vec<Res>, Fault>;
    /// Returns the position of the newest version in commit order, and its time.
    fn newest(&self, res: Res) -> Result<(i64, i64), Fault>;
    /// Announces resources that will soon be asked about.
    fn announce(&self, _found: &[Res]) -> Result<(), Fault> {
        Ok(())
    }
}
