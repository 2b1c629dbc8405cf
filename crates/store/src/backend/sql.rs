//! Drives and probes as SQL, for every engine.
//!
//! Invariants:
//! - each statement returns numbers only, the resource's in column `res` of the driving table `d`;
//! - a parameter is `?`, in order; an engine with numbered parameters rewrites the text;
//! - differences between the engines are in [`Dialect`] and nowhere else.

use crate::backend::check::System;
use crate::backend::plan::{Drive, Exact, Probe};
use crate::backend::stored::Res;

/// A statement, or a part of one, with its parameters in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fragment {
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Param {
    Number(i64),
    Text(Box<str>),
}

/// Differences between the engines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The text after `resource d` that selects the index of a type's live resources by number.
    pub(crate) by_type: &'static str,
    /// The text after `resource d` that selects their index by commit.
    pub(crate) by_commit: &'static str,
}

/// The start of a chunk of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// Numbers above this one, ascending.
    Above(Res),
    /// Numbers below this one, descending.
    Below(Res),
}

/// Returns `FROM table d WHERE …` for the rows of one exact key.
fn exact(row: &Exact) -> (&'static str, String, Vec<Param>) {
    let text = |text: &str| Param::Text(text.into());
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

/// Selects all rows of an exact key.
pub(crate) fn exact_rows(row: &Exact) -> Fragment {
    let (table, condition, params) = exact(row);
    Fragment {
        sql: format!("SELECT d.res FROM {table} d WHERE {condition}"),
        params,
    }
}

/// Counts the rows of a statement, up to `cap`.
pub(crate) fn counted(rows: Fragment, cap: u64) -> Fragment {
    let Fragment { sql, mut params } = rows;
    params.push((cap as i64).into());
    let sql = format!("SELECT count(*) FROM ({sql} LIMIT ?) AS counted");
    Fragment { sql, params }
}

/// Selects the next numbers of an exact key that also pass the probes.
pub(crate) fn exact_chunk(row: &Exact, start: Start, probes: &[Probe], limit: usize) -> Fragment {
    let mut chunk = exact_rows(row);
    chunk.finish(start, probes, limit);
    chunk
}

/// Selects the next numbers of a type that also pass the probes.
pub(crate) fn type_chunk(
    dialect: Dialect,
    type_number: i64,
    start: Start,
    probes: &[Probe],
    limit: usize,
) -> Fragment {
    let mut chunk = Fragment {
        sql: format!(
            "SELECT d.res FROM resource d{} WHERE d.type = ? AND d.state = 1",
            dialect.by_type
        ),
        params: vec![type_number.into()],
    };
    chunk.finish(start, probes, limit);
    chunk
}

/// Selects the next resources of a type in commit order that also pass the probes: `res`, `rid` and
/// 0.
pub(crate) fn commits_chunk(
    dialect: Dialect,
    type_number: i64,
    start: Start,
    probes: &[Probe],
    limit: usize,
) -> Fragment {
    let (comparison, direction, rid) = start.parts();
    let mut chunk = Fragment {
        sql: format!(
            "SELECT d.res, d.rid, d.rid FROM resource d{} WHERE d.type = ? AND d.state = 1 \
             AND d.rid {comparison} ?",
            dialect.by_commit
        ),
        params: vec![type_number.into(), rid.into()],
    };
    chunk.push_probes(probes);
    chunk.end(&format!("d.rid {direction}"), limit);
    chunk
}

/// Selects the next rows of a date parameter that also pass the probes: `res`, `low` and `high`.
/// `start` is in the order of `low`, `high`, `res`.
pub(crate) fn dates_chunk(
    param: u32,
    (low, high, start): (i64, i64, Start),
    probes: &[Probe],
    limit: usize,
) -> Fragment {
    let (comparison, direction, res) = start.parts();
    let mut chunk = Fragment {
        sql: format!(
            "SELECT d.res, d.low, d.high FROM date d WHERE d.param = ? \
             AND (d.low, d.high, d.res) {comparison} (?, ?, ?)"
        ),
        params: vec![i64::from(param).into(), low.into(), high.into(), res.into()],
    };
    chunk.push_probes(probes);
    let order = format!("d.low {direction}, d.high {direction}, d.res {direction}");
    chunk.end(&order, limit);
    chunk
}

/// Returns a statement that yields a row if one of the probe's rows exists for the resource.
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
        "SELECT 1 WHERE FALSE".clone_into(&mut fragment.sql);
    }
    fragment
}

/// Selects the rows of a range drive, with one statement for each range.
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
    let mut params = vec![i64::from(param).into(), Param::Text(prefix.into())];
    let mut sql = "SELECT d.res FROM string d WHERE d.param = ? AND d.folded >= ?".to_owned();
    if let Some(end) = after_all_with(prefix) {
        sql.push_str(" AND d.folded < ?");
        params.push(Param::Text(end.into()));
    }
    Fragment { sql, params }
}

/// Returns the smallest text above all texts with the prefix: the last character that has a
/// successor is incremented. Returns `None` if there is no such text.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut letters: Vec<char> = prefix.chars().collect();
    while let Some(last) = letters.pop() {
        // UTF-8 sorts in code point order; surrogates are not characters and are skipped.
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

// === impl Start ===

impl Start {
    pub(crate) fn from(res: Res, descending: bool) -> Self {
        if descending {
            Self::Below(res)
        } else {
            Self::Above(res)
        }
    }

    /// Returns the comparison, the direction and the position.
    fn parts(self) -> (&'static str, &'static str, Res) {
        match self {
            Self::Above(res) => (">", "ASC", res),
            Self::Below(res) => ("<", "DESC", res),
        }
    }
}

// === impl Fragment ===

impl Fragment {
    fn finish(&mut self, start: Start, probes: &[Probe], limit: usize) {
        let (comparison, direction, res) = start.parts();
        let above = format!(" AND d.res {comparison} ?");
        self.sql.push_str(&above);
        self.params.push(res.into());
        self.push_probes(probes);
        self.end(&format!("d.res {direction}"), limit);
    }

    fn end(&mut self, order: &str, limit: usize) {
        let order = format!(" ORDER BY {order} LIMIT ?");
        self.sql.push_str(&order);
        self.params.push((limit as i64).into());
    }

    /// Restricts the statement to rows whose resource passes the probes, as semi-joins.
    pub(crate) fn push_probes(&mut self, probes: &[Probe]) {
        for probe in probes {
            self.push_probe(probe);
        }
    }

    fn push_probe(&mut self, probe: &Probe) {
        self.sql.push_str(" AND (FALSE");
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

// === impl Param ===

impl From<i64> for Param {
    fn from(number: i64) -> Self {
        Self::Number(number)
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
