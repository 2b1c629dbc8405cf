//! `causeway audit export` and `report`: query the running server, which audits the query.

use crate::cli::{Audit, AuditQuery, ExportFormat, Format, Server};
use crate::commands::messages::{cell, encode, parse};
use crate::failure::Failure;
use crate::http::Http;
use crate::table::Table;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::process::ExitCode;

const COLUMNS: [&str; 12] = [
    "position",
    "at",
    "actor",
    "action",
    "resourceType",
    "target",
    "patients",
    "purpose",
    "outcome",
    "source",
    "requestId",
    "emergency",
];

/// The totals of one actor, action and outcome.
#[derive(Default)]
struct Sum {
    n: u64,
    first: String,
    last: String,
    patients: BTreeSet<String>,
}

pub(super) fn export(
    args: &Audit,
    query: &AuditQuery,
    format: ExportFormat,
) -> Result<ExitCode, Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let failed = |error: std::io::Error| Failure::failed(format!("could not write: {error}"));
    if format == ExportFormat::Csv {
        writeln!(out, "{}", COLUMNS.join(",")).map_err(failed)?;
    }
    each(args, query, |entry| {
        let line = match format {
            ExportFormat::Ndjson => entry.to_string(),
            ExportFormat::Csv => csv(entry),
        };
        writeln!(out, "{line}").map_err(failed)
    })?;
    out.flush().map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn report(args: &Audit, query: &AuditQuery) -> Result<ExitCode, Failure> {
    let mut sums: BTreeMap<[String; 3], Sum> = BTreeMap::new();
    each(args, query, |entry| {
        let key = ["actor", "action", "outcome"].map(|name| cell(entry.get(name)));
        let sum = sums.entry(key).or_default();
        sum.n += 1;
        // Newest first.
        sum.first = cell(entry.get("at"));
        if sum.last.is_empty() {
            sum.last.clone_from(&sum.first);
        }
        sum.patients.extend(patients(entry));
        Ok(())
    })?;
    if args.format == Format::Json {
        let rows = sums.into_iter().map(|([actor, action, outcome], sum)| {
            json!({
                "actor": actor, "action": action, "outcome": outcome, "entries": sum.n,
                "patients": sum.patients.len(), "first": sum.first, "last": sum.last,
            })
        });
        println!("{}", Value::Array(rows.collect()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&[
        "actor", "action", "outcome", "entries", "patients", "first", "last",
    ]);
    for (key, sum) in sums {
        let numbers = [sum.n.to_string(), sum.patients.len().to_string()];
        let times = [sum.first, sum.last];
        table.row(key.into_iter().chain(numbers).chain(times));
    }
    print!("{table}");
    Ok(ExitCode::SUCCESS)
}

/// Calls `work` for every entry that matches the query, newest first.
fn each(
    args: &Audit,
    query: &AuditQuery,
    mut work: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let http = Http::of(&Server {
        data: args.data.clone(),
        url: query.url.clone(),
        token: query.token.clone(),
        format: args.format,
    })?;
    let mut filters = Vec::new();
    for (name, value) in [
        ("actor", &query.actor),
        ("patient", &query.patient),
        ("from", &query.from),
        ("until", &query.until),
    ] {
        filters.extend(
            value
                .iter()
                .map(|value| format!("{name}={}", encode(value))),
        );
    }
    let mut before = None;
    loop {
        let page = before.map(|before| format!("before={before}"));
        let pairs: Vec<String> = filters.iter().cloned().chain(page).collect();
        let text = Http::expect(http.get(&format!("/api/audit?{}", pairs.join("&")))?)?;
        let answer = parse(&text)?;
        let entries = answer.get("entries").and_then(Value::as_array);
        entries.into_iter().flatten().try_for_each(&mut work)?;
        let lag = answer.get("lag").and_then(Value::as_u64).unwrap_or(0);
        if before.is_none() && 0 < lag {
            eprintln!("the newest {lag} entries are not in the search index yet");
        }
        before = answer.get("next").and_then(Value::as_u64);
        if before.is_none() {
            return Ok(());
        }
    }
}

fn patients(entry: &Value) -> impl Iterator<Item = String> {
    let patients = entry.get("patients").and_then(Value::as_array);
    patients
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
}

/// Formats an entry as a line of RFC 4180 CSV.
fn csv(entry: &Value) -> String {
    let cells = COLUMNS.map(|name| {
        let text = match name {
            "patients" => patients(entry).collect::<Vec<_>>().join(" "),
            _ => cell(entry.get(name)),
        };
        // A spreadsheet evaluates text that begins like a formula, and entries may hold a caller's text.
        let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = if is_formula { format!("'{text}") } else { text };
        if text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    });
    cells.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_cells_and_defuses_formulas() {
        let entry = json!({
            "position": 7, "actor": "user:a,\"b\"", "target": "=1+1", "patients": ["p1", "p2"],
            "emergency": false,
        });
        assert_eq!(
            csv(&entry),
            "7,,\"user:a,\"\"b\"\"\",,,'=1+1,p1 p2,,,,,false"
        );
    }
}
