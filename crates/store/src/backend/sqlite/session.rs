//! One state of the chart, read through one connection.

use super::execute;
use super::schema::TypeNumbers;
use super::sql::{self, Fragment};
use crate::backend::plan::{Drive, Found, Plan};
use crate::backend::stored::Res;
use crate::backend::{Fault, Session};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

/// One state of the chart.
pub(crate) struct SqliteSession<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) types: &'a TypeNumbers,
}

// === impl SqliteSession ===

impl<'a> SqliteSession<'a> {
    pub(crate) fn new(conn: &'a Connection, types: &'a TypeNumbers) -> Self {
        Self { conn, types }
    }

    /// The numbers that a statement gives in its first column.
    pub(crate) fn numbers(&self, fragment: &Fragment) -> Result<Vec<i64>, Fault> {
        let mut statement = self.conn.prepare_cached(&fragment.sql)?;
        let rows = statement.query_map(params_from_iter(&fragment.params), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn exists(&self, fragment: &Fragment) -> Result<bool, Fault> {
        let mut statement = self.conn.prepare_cached(&fragment.sql)?;
        Ok(statement.exists(params_from_iter(&fragment.params))?)
    }

    /// The place of the newest version and its time.
    pub(crate) fn newest(&self, res: Res) -> Result<(i64, i64), Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT rid, updated FROM resource WHERE res = ?")?;
        Ok(statement.query_row([res], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }
}

impl Session for SqliteSession<'_> {
    fn type_number(&self, resource_type: &str) -> Option<i64> {
        self.types.number(resource_type)
    }

    fn system(&self, uri: &str) -> Result<Option<i64>, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT number FROM system WHERE uri = ?")?;
        Ok(statement.query_row([uri], |row| row.get(0)).optional()?)
    }

    fn system_uri(&self, number: i64) -> Result<String, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT uri FROM system WHERE number = ?")?;
        let uri = statement.query_row([number], |row| row.get(0)).optional()?;
        uri.ok_or(Fault::Damaged("a code system has no URI"))
    }

    fn resource(&self, resource_type: &str, id: &str) -> Result<Option<Res>, Fault> {
        let Some(number) = self.types.number(resource_type) else {
            return Ok(None);
        };
        let mut statement = self
            .conn
            .prepare_cached("SELECT res FROM name WHERE type = ? AND id = ?")?;
        Ok(statement
            .query_row((number, id), |row| row.get(0))
            .optional()?)
    }

    fn name(&self, res: Res) -> Result<(&'static str, String), Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT type, id FROM resource WHERE res = ?")?;
        let found: Option<(i64, String)> = statement
            .query_row([res], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (number, id) = found.ok_or(Fault::Damaged("a number has no resource"))?;
        let name = self
            .types
            .name(number)
            .ok_or(Fault::Damaged("a number has no type"))?;
        Ok((name, id))
    }

    fn members(&self, res: Res) -> Result<Vec<Res>, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT patient FROM record WHERE person = ?")?;
        let rows = statement.query_map([res], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn census(&self, type_number: i64) -> Result<u64, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT n_live FROM type WHERE number = ?")?;
        Ok(statement
            .query_row([type_number], |row| row.get::<_, i64>(0))?
            .max(0) as u64)
    }

    fn estimate(&self, type_number: i64, drive: &Drive, cap: u64) -> Result<u64, Fault> {
        let fragments = match drive {
            Drive::Type | Drive::Commits { .. } | Drive::Dates { .. } => {
                return self.census(type_number);
            }
            Drive::These(found) => return Ok(found.len() as u64),
            Drive::Exact(rows) => rows.iter().map(sql::exact_rows).collect(),
            Drive::Prefixes { .. } | Drive::DateRanges { .. } | Drive::NumberRanges { .. } => {
                sql::range_rows(drive)
            }
        };
        let mut n_rows = 0;
        for Fragment { sql, mut params } in fragments {
            let left = cap.saturating_sub(n_rows);
            if left == 0 {
                break;
            }
            params.push((left as i64).into());
            let sql = format!("SELECT count(*) FROM ({sql} LIMIT ?)");
            let mut statement = self.conn.prepare_cached(&sql)?;
            let found: i64 = statement.query_row(params_from_iter(&params), |row| row.get(0))?;
            n_rows += found.max(0) as u64;
        }
        Ok(n_rows)
    }

    fn execute(&self, plan: &Plan) -> Result<Found, Fault> {
        execute::run(self, plan)
    }

    fn set(&self, res: Res) -> Result<Option<Vec<u8>>, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT bytes FROM posting_set WHERE res = ?")?;
        Ok(statement.query_row([res], |row| row.get(0)).optional()?)
    }
}
