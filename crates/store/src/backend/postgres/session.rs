//! A session: one state of the chart, read through one transaction.
//!
//! Invariant: a session never asks for the same data twice, because it sees only one state. This
//! limits a search to a few round trips.

use super::connect::{Params, Transaction};
use crate::backend::plan::{Drive, Found, Plan, Probe};
use crate::backend::sql::{Dialect, Fragment, Param};
use crate::backend::stored::Res;
use crate::backend::types::TypeNumbers;
use crate::backend::{Fault, Index, Session, execute};
use std::cell::RefCell;
use std::collections::HashMap;
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// Indexes are not named: the server chooses them by its statistics.
const DIALECT: Dialect = Dialect {
    by_type: "",
    by_commit: "",
};

/// The maximum number of resources cached at once.
const MAX_KNOWN: usize = 20_000;

const FACTS: &str = "SELECT r.res, r.type, r.id, r.rid, r.updated, s.bytes FROM resource r \
     LEFT JOIN posting_set s ON s.res = r.res WHERE r.res = ANY($1)";

/// One state of the chart.
pub(super) struct PostgresSession<'a> {
    transaction: &'a Transaction<'a>,
    types: &'a TypeNumbers,
    resources: RefCell<HashMap<Res, Facts>>,
    systems: RefCell<HashMap<i64, String>>,
    /// The execution of each statement, if it was requested.
    explained: Option<RefCell<Vec<String>>>,
}

/// The cached data of a resource.
#[derive(Clone)]
struct Facts {
    type_number: i64,
    id: String,
    rid: i64,
    updated: i64,
    set: Option<Vec<u8>>,
}

// === impl PostgresSession ===

impl<'a> PostgresSession<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>, types: &'a TypeNumbers) -> Self {
        Self {
            transaction,
            types,
            resources: RefCell::default(),
            systems: RefCell::default(),
            explained: None,
        }
    }

    /// Creates a session that records how the server runs each statement.
    pub(super) fn explaining(transaction: &'a Transaction<'a>, types: &'a TypeNumbers) -> Self {
        Self {
            explained: Some(RefCell::default()),
            ..Self::new(transaction, types)
        }
    }

    /// Returns how each statement was run.
    pub(super) fn explained(self) -> Vec<String> {
        self.explained.map(RefCell::into_inner).unwrap_or_default()
    }

    fn ask(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        if let Some(explained) = &self.explained {
            let plan = format!("EXPLAIN (COSTS OFF) {sql}");
            let mut text = format!("{sql}\n");
            for row in self.transaction.query_once(&plan, params)? {
                text.push_str(row.try_get(0)?);
                text.push('\n');
            }
            explained.borrow_mut().push(text);
        }
        self.transaction.query(sql, params)
    }

    fn ask_fragment(&self, fragment: &Fragment) -> Result<Vec<Row>, Fault> {
        let params: Vec<&(dyn ToSql + Sync)> = fragment.params.iter().map(|p| p as _).collect();
        self.ask(&numbered(&fragment.sql), &params)
    }

    fn facts<T>(&self, res: Res, pick: impl Fn(&Facts) -> T) -> Result<Option<T>, Fault> {
        if let Some(found) = self.resources.borrow().get(&res) {
            return Ok(Some(pick(found)));
        }
        self.announce(&[res])?;
        Ok(self.resources.borrow().get(&res).map(pick))
    }
}

impl Session for PostgresSession<'_> {
    fn type_number(&self, resource_type: &str) -> Option<i64> {
        self.types.number(resource_type)
    }

    fn system(&self, uri: &str) -> Result<Option<i64>, Fault> {
        let sql = "SELECT number FROM system WHERE uri = $1";
        let found = self.transaction.first(sql, &[&uri.as_bytes()])?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    fn system_uri(&self, number: i64) -> Result<String, Fault> {
        if let Some(uri) = self.systems.borrow().get(&number) {
            return Ok(uri.clone());
        }
        let sql = "SELECT uri FROM system WHERE number = $1";
        let found = self.transaction.first(sql, &[&number])?;
        let row = found.ok_or(Fault::Damaged("a code system has no URI"))?;
        let uri = String::from_utf8(row.try_get(0)?)
            .map_err(|_| Fault::Damaged("a code system's URI"))?;
        self.systems.borrow_mut().insert(number, uri.clone());
        Ok(uri)
    }

    fn resource(&self, resource_type: &str, id: &str) -> Result<Option<Res>, Fault> {
        let Some(number) = self.types.number(resource_type) else {
            return Ok(None);
        };
        // No id contains a character that the column's type refuses.
        if id.contains('\0') {
            return Ok(None);
        }
        let sql = "SELECT res FROM resource WHERE type = $1 AND id = $2";
        let found = self.transaction.first(sql, &[&number, &id])?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    fn name(&self, res: Res) -> Result<(&'static str, String), Fault> {
        let found = self.facts(res, |facts| (facts.type_number, facts.id.clone()))?;
        let (number, id) = found.ok_or(Fault::Damaged("a number has no resource"))?;
        let name = self.types.name(number);
        Ok((name.ok_or(Fault::Damaged("a number has no type"))?, id))
    }

    /// Returns nothing: this engine does not link records to persons yet.
    fn members(&self, _res: Res) -> Result<Vec<Res>, Fault> {
        Ok(Vec::new())
    }

    fn person_of(&self, _res: Res) -> Result<Option<Res>, Fault> {
        Ok(None)
    }

    fn retired_into(&self, _person: Res) -> Result<Vec<Res>, Fault> {
        Ok(Vec::new())
    }

    fn census(&self, type_number: i64) -> Result<u64, Fault> {
        let sql = "SELECT n_live FROM type WHERE number = $1";
        let found = self.transaction.first(sql, &[&type_number])?;
        let n_live: i64 = found.map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
        Ok(n_live.max(0) as u64)
    }

    fn estimate(&self, type_number: i64, drive: &Drive, cap: u64) -> Result<u64, Fault> {
        execute::estimate(self, type_number, drive, cap)
    }

    fn execute(&self, plan: &Plan) -> Result<Found, Fault> {
        execute::run(self, plan)
    }

    fn set(&self, res: Res) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.facts(res, |facts| facts.set.clone())?.flatten())
    }
}

impl Index for PostgresSession<'_> {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn numbers(&self, fragment: &Fragment) -> Result<Vec<i64>, Fault> {
        let rows = self.ask_fragment(fragment)?;
        let numbers: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
        Ok(numbers?)
    }

    fn triples(&self, fragment: &Fragment) -> Result<Vec<[i64; 3]>, Fault> {
        let rows = self.ask_fragment(fragment)?;
        let triples: Result<_, tokio_postgres::Error> = rows
            .iter()
            .map(|row| Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?]))
            .collect();
        Ok(triples?)
    }

    fn passing(&self, found: &[Res], probes: &[Probe]) -> Result<Vec<Res>, Fault> {
        if probes.is_empty() {
            return Ok(found.to_vec());
        }
        let mut fragment = Fragment {
            sql: "SELECT d.res FROM unnest(?::bigint[]) AS d (res) WHERE TRUE".to_owned(),
            params: Vec::new(),
        };
        fragment.push_probes(probes);
        fragment.sql.push_str(" ORDER BY d.res");
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&found];
        params.extend(fragment.params.iter().map(|p| p as &(dyn ToSql + Sync)));
        let rows = self.ask(&numbered(&fragment.sql), &params)?;
        let numbers: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
        Ok(numbers?)
    }

    fn newest(&self, res: Res) -> Result<(i64, i64), Fault> {
        let found = self.facts(res, |facts| (facts.rid, facts.updated))?;
        found.ok_or(Fault::Damaged("a number has no resource"))
    }

    fn announce(&self, found: &[Res]) -> Result<(), Fault> {
        let mut known = self.resources.borrow_mut();
        if MAX_KNOWN < known.len() + found.len() {
            known.clear();
        }
        let unknown = found.iter().filter(|res| !known.contains_key(res));
        let unknown: Vec<Res> = unknown.copied().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        for row in self.ask(FACTS, &[&unknown])? {
            let facts = Facts {
                type_number: row.try_get(1)?,
                id: row.try_get(2)?,
                rid: row.try_get(3)?,
                updated: row.try_get(4)?,
                set: row.try_get(5)?,
            };
            known.insert(row.try_get(0)?, facts);
        }
        Ok(())
    }
}

// === impl Param ===

impl ToSql for Param {
    fn to_sql(
        &self,
        column: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Number(number) => number.to_sql(column, out),
            Self::Text(text) => text.as_bytes().to_sql(column, out),
        }
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::INT8 || *column == Type::BYTEA
    }

    to_sql_checked!();
}

/// Numbers the parameters of a statement: `$1`, `$2`, … No statement has a `?` with another
/// meaning.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (n, part) in (1..).zip(parts) {
        text.push('$');
        text.push_str(&i32::to_string(&n));
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn parameters_are_counted() {
        assert_eq!(
            numbered("a = ? AND b IN (?, ?)"),
            "a = $1 AND b IN ($2, $3)"
        );
        assert_eq!(numbered("a"), "a");
    }
}
