//! Writes the posting rows of one commit: one statement for each table and direction.

use super::connect::Transaction;
use crate::backend::Fault;
use crate::backend::key::Key;
use crate::backend::sql::Param;
use crate::backend::stage::Stage;
use crate::backend::stored::Res;
use tokio_postgres::types::ToSql;

/// A posting table: its name, its columns and which of them is bytes.
#[derive(Debug, PartialEq)]
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    bytes: Option<usize>,
}

const TOKEN: Table = Table {
    name: "token",
    columns: &["param", "code", "res", "system"],
    bytes: Some(1),
};
const STRING: Table = Table {
    name: "string",
    columns: &["param", "folded", "res"],
    bytes: Some(1),
};
const DATE: Table = Table {
    name: "date",
    columns: &["param", "low", "high", "res"],
    bytes: None,
};
const NUMBER: Table = Table {
    name: "number",
    columns: &["param", "low", "high", "res"],
    bytes: None,
};
const REFERENCE: Table = Table {
    name: "reference",
    columns: &["param", "target", "res"],
    bytes: None,
};
const URI: Table = Table {
    name: "uri",
    columns: &["param", "uri", "res"],
    bytes: Some(1),
};
const COMPOSITE: Table = Table {
    name: "composite",
    columns: &["param", "code", "res"],
    bytes: Some(1),
};
const COMPARTMENT: Table = Table {
    name: "compartment",
    columns: &["patient", "type", "res"],
    bytes: None,
};

/// Columns buffered for their statement.
#[derive(Default)]
struct Rows {
    numbers: Vec<Vec<i64>>,
    bytes: Vec<Vec<u8>>,
}

/// Writes the buffered rows.
pub(super) fn flush(stage: &mut Stage, transaction: &Transaction<'_>) -> Result<(), Fault> {
    let mut waiting: Vec<(&'static Table, bool, Rows)> = Vec::new();
    for (key, res, added) in stage.drain() {
        let (table, cells) = row(&key, res);
        let place = waiting
            .iter()
            .position(|(open, adds, _)| *open == table && *adds == added);
        let place = place.unwrap_or_else(|| {
            waiting.push((table, added, Rows::default()));
            waiting.len() - 1
        });
        if let Some((_, _, rows)) = waiting.get_mut(place) {
            rows.push(cells);
        }
    }
    for (table, added, rows) in &waiting {
        write(transaction, table, *added, rows)?;
    }
    Ok(())
}

fn row(key: &Key, res: Res) -> (&'static Table, Vec<Param>) {
    let param = |param: &u32| Param::Number(i64::from(*param));
    let text = |text: &str| Param::Text(text.into());
    match key {
        Key::Token {
            param: p,
            code,
            system,
        } => (
            &TOKEN,
            vec![param(p), text(code), res.into(), (*system).into()],
        ),
        Key::String { param: p, folded } => (&STRING, vec![param(p), text(folded), res.into()]),
        Key::Date {
            param: p,
            low,
            high,
        } => (
            &DATE,
            vec![param(p), (*low).into(), (*high).into(), res.into()],
        ),
        Key::Number {
            param: p,
            low,
            high,
        } => (
            &NUMBER,
            vec![param(p), (*low).into(), (*high).into(), res.into()],
        ),
        Key::Reference { param: p, target } => {
            (&REFERENCE, vec![param(p), (*target).into(), res.into()])
        }
        Key::Uri { param: p, uri } => (&URI, vec![param(p), text(uri), res.into()]),
        Key::Composite { param: p, code } => (&COMPOSITE, vec![param(p), text(code), res.into()]),
        Key::Compartment {
            patient,
            type_number,
        } => (
            &COMPARTMENT,
            vec![(*patient).into(), (*type_number).into(), res.into()],
        ),
    }
}

fn write(
    transaction: &Transaction<'_>,
    table: &Table,
    added: bool,
    rows: &Rows,
) -> Result<(), Fault> {
    let (name, columns) = (table.name, table.columns.join(", "));
    let arrays: Vec<String> = (0..table.columns.len())
        .map(|place| {
            let kind = if table.bytes == Some(place) {
                "bytea"
            } else {
                "bigint"
            };
            format!("${}::{kind}[]", place + 1)
        })
        .collect();
    let arrays = arrays.join(", ");
    let sql = if added {
        format!(
            "INSERT INTO {name} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"
        )
    } else {
        let same = table.columns.iter().map(|c| format!("d.{c} = gone.{c}"));
        let same = same.collect::<Vec<_>>().join(" AND ");
        format!("DELETE FROM {name} d USING unnest({arrays}) AS gone ({columns}) WHERE {same}")
    };
    let mut numbers = rows.numbers.iter();
    let params = (0..table.columns.len()).filter_map(|place| {
        if table.bytes == Some(place) {
            Some(&rows.bytes as &(dyn ToSql + Sync))
        } else {
            numbers.next().map(|column| column as &(dyn ToSql + Sync))
        }
    });
    let params: Vec<_> = params.collect();
    transaction.query(&sql, &params)?;
    Ok(())
}

// === impl Rows ===

impl Rows {
    fn push(&mut self, cells: Vec<Param>) {
        let mut place = 0;
        for cell in cells {
            match cell {
                Param::Number(number) => {
                    if self.numbers.len() == place {
                        self.numbers.push(Vec::new());
                    }
                    if let Some(column) = self.numbers.get_mut(place) {
                        column.push(number);
                    }
                    place += 1;
                }
                Param::Text(text) => self.bytes.push(text.into_string().into_bytes()),
            }
        }
    }
}
