//! The tables of the chart on PostgreSQL.
//!
//! They are those of the embedded engine (see [`crate::backend::key`] for the posting rows), with
//! these differences:
//! - keys from outside are `bytea`: bytes sort alike on both engines whatever the collation, and
//!   may contain characters that `text` refuses;
//! - `resource` is unique by type and id, so there is no table `name`;
//! - `chart` has one row, which is locked during a commit: its `rid` is the counter.

use super::connect::{ConnectError, Connections, Isolation, Transaction};
use crate::backend::Fault;
use crate::backend::types::TypeNumbers;
use search::Registry;

/// The format of the tables.
pub(super) const FORMAT: i64 = 1;

/// The lock held while the tables are created, so that nodes that start at once create them only
/// once.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4867398611)";

const TABLES: &str = "
CREATE TABLE chart (one boolean PRIMARY KEY DEFAULT TRUE CHECK (one), format bigint NOT NULL,
  rid bigint NOT NULL, updated bigint NOT NULL);
CREATE TABLE type (number bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE,
  n_live bigint NOT NULL);
CREATE TABLE system (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  uri bytea NOT NULL UNIQUE);
CREATE SEQUENCE resource_number;
CREATE TABLE resource (res bigint PRIMARY KEY, type bigint NOT NULL, id text COLLATE \"C\" NOT NULL,
  rid bigint NOT NULL, version bigint NOT NULL, updated bigint NOT NULL, event bigint,
  digest bigint NOT NULL, state bigint NOT NULL, UNIQUE (type, id));
CREATE INDEX resource_type ON resource (type, res) WHERE state = 1;
CREATE INDEX resource_commit ON resource (type, rid) WHERE state = 1;
CREATE TABLE version (rid bigint PRIMARY KEY, res bigint NOT NULL, type bigint NOT NULL,
  version bigint NOT NULL, updated bigint NOT NULL, event bigint, outcome bigint NOT NULL,
  dictionary bigint NOT NULL, body bytea, UNIQUE (res, version));
ALTER TABLE version ALTER body SET STORAGE EXTERNAL;
CREATE INDEX version_type ON version (type, rid);
CREATE TABLE posting_set (res bigint PRIMARY KEY, bytes bytea NOT NULL);
CREATE TABLE token (param bigint, code bytea, res bigint, system bigint,
  PRIMARY KEY (param, code, res, system));
CREATE TABLE string (param bigint, folded bytea, res bigint, PRIMARY KEY (param, folded, res));
CREATE TABLE date (param bigint, low bigint, high bigint, res bigint,
  PRIMARY KEY (param, low, high, res));
CREATE TABLE number (param bigint, low bigint, high bigint, res bigint,
  PRIMARY KEY (param, low, high, res));
CREATE TABLE reference (param bigint, target bigint, res bigint, PRIMARY KEY (param, target, res));
CREATE TABLE uri (param bigint, uri bytea, res bigint, PRIMARY KEY (param, uri, res));
CREATE TABLE composite (param bigint, code bytea, res bigint, PRIMARY KEY (param, code, res));
CREATE TABLE compartment (patient bigint, type bigint, res bigint,
  PRIMARY KEY (patient, type, res));
";

/// Creates the tables if they do not exist; returns the numbers of the types.
pub(super) fn open(connections: &Connections) -> Result<TypeNumbers, ConnectError> {
    let opened = connections.with(Isolation::Writing, |transaction| {
        transaction.run(LOCK)?;
        let there = transaction.query_once("SELECT to_regclass('chart') IS NOT NULL", &[])?;
        if !matches!(there.first(), Some(row) if row.try_get(0)?) {
            transaction.run(TABLES)?;
            transaction.query_once("INSERT INTO chart VALUES (TRUE, $1, 0, 0)", &[&FORMAT])?;
        }
        let format = transaction.query_once("SELECT format FROM chart", &[])?;
        let found: i64 = match format.first() {
            Some(row) => row.try_get(0)?,
            None => return Err(Fault::Damaged("the chart has no row")),
        };
        if FORMAT < found {
            return Ok(Err(found));
        }
        Ok(Ok(types(transaction)?))
    });
    match opened {
        Ok(Ok(types)) => Ok(types),
        Ok(Err(found)) => Err(ConnectError::Newer {
            found,
            known: FORMAT,
        }),
        Err(fault) => Err(ConnectError::Server(Box::new(fault))),
    }
}

fn types(transaction: &Transaction<'_>) -> Result<TypeNumbers, Fault> {
    let mut names: Vec<&'static str> = Registry::r4().resource_types().collect();
    names.sort_unstable();
    // Numbers continue where they ended, in case a later version knows more types.
    transaction.query_once(
        "INSERT INTO type SELECT row_number() OVER (ORDER BY name COLLATE \"C\") + (SELECT count(*) FROM type), \
         name, 0 FROM unnest($1::text[]) AS known (name) \
         WHERE name NOT IN (SELECT name FROM type)",
        &[&names],
    )?;
    let rows = transaction.query_once("SELECT number, name FROM type", &[])?;
    let stored: Result<Vec<_>, tokio_postgres::Error> = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect();
    Ok(TypeNumbers::of(stored?))
}
