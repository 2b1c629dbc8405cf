//! A session: one state of the chart, read through one connection.

use super::schema::TypeNumbers;
use crate::backend::plan::{Drive, Exact, Found, Plan, Probe};
use crate::backend::sql::{self, Dialect, Fragment, Param};
use crate::backend::stored::{RETIRED, Res, Set};
use crate::backend::{Fault, Index, Session, execute, persons};
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

/// The indexes are named explicitly: SQLite's planner would prefer to sort by the primary key.
const DIALECT: Dialect = Dialect {
    by_type: " INDEXED BY resource_type",
    by_commit: " INDEXED BY resource_commit",
};

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

    fn exists(&self, fragment: &Fragment) -> Result<bool, Fault> {
        let mut statement = self.conn.prepare_cached(&fragment.sql)?;
        Ok(statement.exists(params_from_iter(&fragment.params))?)
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

    fn person_of(&self, res: Res) -> Result<Option<Res>, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT person FROM record WHERE patient = ?")?;
        Ok(statement.query_row([res], |row| row.get(0)).optional()?)
    }

    fn retired_into(&self, person: Res) -> Result<Vec<Res>, Fault> {
        let row = Exact::Reference {
            param: persons::link().0,
            target: person,
        };
        let mut retired = Vec::new();
        for res in self.numbers(&sql::exact_rows(&row))? {
            let bytes = self.set(res)?.unwrap_or_default();
            if Set::read(&bytes).is_some_and(|set| set.flags & RETIRED != 0) {
                retired.push(res);
            }
        }
        Ok(retired)
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
        execute::estimate(self, type_number, drive, cap)
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

impl Index for SqliteSession<'_> {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn numbers(&self, fragment: &Fragment) -> Result<Vec<i64>, Fault> {
        let mut statement = self.conn.prepare_cached(&fragment.sql)?;
        let rows = statement.query_map(params_from_iter(&fragment.params), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn triples(&self, fragment: &Fragment) -> Result<Vec<[i64; 3]>, Fault> {
        let mut statement = self.conn.prepare_cached(&fragment.sql)?;
        let rows = statement.query_map(params_from_iter(&fragment.params), |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?])
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn passing(&self, found: &[Res], probes: &[Probe]) -> Result<Vec<Res>, Fault> {
        let mut passing = Vec::with_capacity(found.len());
        for &res in found {
            let mut passes = true;
            for probe in probes {
                passes = passes && self.exists(&sql::probe_one(probe, res))?;
            }
            passing.extend(passes.then_some(res));
        }
        Ok(passing)
    }

    fn newest(&self, res: Res) -> Result<(i64, i64), Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT rid, updated FROM resource WHERE res = ?")?;
        Ok(statement.query_row([res], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Number(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}
