//! Drives and probes as SQL.

use crate::backend::check::System;
use crate::backend::plan::{Drive, Exact, Probe};
use crate::backend::stored::Res;
use rusqlite::types::Value;

/// A statement, or a part of one, with its parameters in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fragment {
    pub(crate) sql: String,
    pub(crate) params: Vec<Value>,
}

/// Where a chunk of numbers starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// Above this, ascending.
    Above(Res),
    /// Below this, descending.
    Below(Res),
}

/// `FROM table d WHERE …` for the rows of one exact key.
fn exact(row: &Exact) -> (&'static str, String, Vec<Value>) {
    let text = |text: &str| Value::Text(text.to_owned());
    match row {
        Exact::Token {
            param,
            code,
            system,
        } => {
            let mut sql = "d.param = ? AND d.code = ?".to_owned();
            let mut params = vec![i64::from(*param).into(), text(code)];
            match system {
                System::Any => {}
                System::Absent => sql.push_str(" AND d.system = 0"),
                System::Is(number) => {
                    sql.push_str(" AND d.system = ?");
                    params.push((*number).into());
                }
            }
            ("token", sql, params)
        }
        Exact::Reference { param, target } => {
            let params = vec![i64::from(*param).into(), (*target).into()];
            (
                "reference",
                "d.param = ? AND d.target = ?".to_owned(),
                params,
            )
        }
        Exact::Uri { param, uri } => (
            "uri",
            "d.param = ? AND d.uri = ?".to_owned(),
            vec![i64::from(*param).into(), text(uri)],
        ),
        Exact::Composite { param, code } => (
            "composite",
            "d.param = ? AND d.code = ?".to_owned(),
            vec![i64::from(*param).into(), text(code)],
        ),
        Exact::Compartment {
            patient,
            type_number,
        } => {
            let params = vec![(*patient).into(), (*type_number).into()];
            (
                "compartment",
                "d.patient = ? AND d.type = ?".to_owned(),
                params,
            )
        }
    }
}

/// All rows of an exact key.
pub(crate) fn exact_rows(row: &Exact) -> Fragment {
    let (table, condition, params) = exact(row);
    Fragment {
        sql: format!("SELECT d.res FROM {table} d WHERE {condition}"),
        params,
    }
}

/// The next numbers of an exact key that also pass the probes.
pub(crate) fn exact_chunk(row: &Exact, start: Start, probes: &[Probe], limit: usize) -> Fragment {
    let (table, condition, params) = exact(row);
    let mut chunk = Fragment {
        sql: format!("SELECT d.res FROM {table} d WHERE {condition}"),
        params,
    };
    chunk.finish(start, probes, limit);
    chunk
}

/// The next numbers of a type that also pass the probes.
pub(crate) fn type_chunk(
    type_number: i64,
    start: Start,
    probes: &[Probe],
    limit: usize,
) -> Fragment {
    let mut chunk = Fragment {
        sql: "SELECT d.res FROM resource d INDEXED BY resource_type \
              WHERE d.type = ? AND d.state = 1"
            .to_owned(),
        params: vec![type_number.into()],
    };
    chunk.finish(start, probes, limit);
    chunk
}

/// A statement that has a row where one of the probe's rows is there for the resource.
pub(crate) fn probe_one(probe: &Probe, res: Res) -> Fragment {
    let mut fragment = Fragment::default();
    for row in &probe.0 {
        let (table, condition, params) = exact(row);
        let gap = if fragment.sql.is_empty() {
            ""
        } else {
            " UNION ALL "
        };
        let row = format!("{gap}SELECT 1 FROM {table} d WHERE {condition} AND d.res = ?");
        fragment.sql.push_str(&row);
        fragment.params.extend(params);
        fragment.params.push(res.into());
    }
    if fragment.sql.is_empty() {
        "SELECT 1 WHERE 0".clone_into(&mut fragment.sql);
    }
    fragment
}

/// The rows of a drive by ranges; one statement for each range.
pub(crate) fn range_rows(drive: &Drive) -> Vec<Fragment> {
    let spans = |table: &str, param: u32, ranges: &[(i64, i64)]| {
        let of_range = |&(low, high): &(i64, i64)| Fragment {
            sql: format!("SELECT d.res FROM {table} d WHERE d.param = ? AND d.low BETWEEN ? AND ?"),
            params: vec![i64::from(param).into(), low.into(), high.into()],
        };
        ranges.iter().map(of_range).collect()
    };
    match drive {
        Drive::Prefixes { param, prefixes } => prefixes
            .iter()
            .map(|prefix| prefix_rows(*param, prefix))
            .collect(),
        Drive::DateRanges { param, ranges } => spans("date", *param, ranges),
        Drive::NumberRanges { param, ranges } => spans("number", *param, ranges),
        Drive::Type
        | Drive::Commits { .. }
        | Drive::Dates { .. }
        | Drive::Exact(_)
        | Drive::These(_) => Vec::new(),
    }
}

fn prefix_rows(param: u32, prefix: &str) -> Fragment {
    let mut params = vec![i64::from(param).into(), Value::Text(prefix.to_owned())];
    let mut sql = "SELECT d.res FROM string d WHERE d.param = ? AND d.folded >= ?".to_owned();
    if let Some(end) = after_all_with(prefix) {
        sql.push_str(" AND d.folded < ?");
        params.push(Value::Text(end));
    }
    Fragment { sql, params }
}

/// The least text above all that start with the prefix: its last character that has a successor
/// raised by one. `None` where there is no such text.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut letters: Vec<char> = prefix.chars().collect();
    while let Some(last) = letters.pop() {
        // UTF-8 orders as code points do; surrogates are no characters and are skipped.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

// === impl Fragment ===

impl Fragment {
    fn finish(&mut self, start: Start, probes: &[Probe], limit: usize) {
        let (comparison, direction, res) = match start {
            Start::Above(res) => (">", "ASC", res),
            Start::Below(res) => ("<", "DESC", res),
        };
        let above = format!(" AND d.res {comparison} ?");
        self.sql.push_str(&above);
        self.params.push(res.into());
        for probe in probes {
            self.push_probe(probe);
        }
        let order = format!(" ORDER BY d.res {direction} LIMIT ?");
        self.sql.push_str(&order);
        self.params.push((limit as i64).into());
    }

    fn push_probe(&mut self, probe: &Probe) {
        self.sql.push_str(" AND (0");
        for row in &probe.0 {
            let (table, condition, params) = exact(row);
            let condition = condition.replace("d.", "p.");
            let exists =
                format!(" OR EXISTS (SELECT 1 FROM {table} p WHERE {condition} AND p.res = d.res)");
            self.sql.push_str(&exists);
            self.params.extend(params);
        }
        self.sql.push(')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_end_lies_above_all_with_the_prefix(prefix in "\\PC{1,4}", rest in "\\PC{0,4}") {
            if let Some(end) = after_all_with(&prefix) {
                let text = format!("{prefix}{rest}");
                prop_assert!(prefix <= text && text < end);
            }
        }
    }
}
