//! The generated pages of docs/reference, which a test compares with the program.

use crate::cli::Cli;
use crate::config::Config;
use clap::{Command, CommandFactory};
use flow::metrics::MetricType;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const NOTE: &str = "<!-- Generated from the program: CAUSEWAY_UPDATE_DOCS=1 cargo test -p causeway reference -->\n\n";

/// Asserts that the page is what the program generates; rewrites it if CAUSEWAY_UPDATE_DOCS is set.
#[track_caller]
fn assert_current(name: &str, page: &str) {
    let path = page_at(name);
    if std::env::var_os("CAUSEWAY_UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/reference/{name} is out of date; {NOTE}"
    );
}

fn page_at(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference")
        .join(name)
}

#[test]
fn command_line() {
    let mut page = format!("# The command line\n\n{NOTE}");
    page.push_str(
        "Exit codes: 0 success, 1 faults found or failure, 2 incorrect usage. `-` is standard input.\n",
    );
    let mut top = Cli::command();
    top.build();
    for command in top
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        describe(&mut page, command, "causeway");
    }
    assert_current("cli.md", &page);
}

fn describe(page: &mut String, command: &Command, before: &str) {
    let name = format!("{before} {}", command.get_name());
    let subcommands: Vec<&Command> = command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .collect();
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = write!(page, "\n## `{name}`\n\n{about}.\n");
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        .collect();
    if !arguments.is_empty() {
        page.push_str("\n| argument | default | description |\n|---|---|---|\n");
    }
    for argument in arguments {
        let spelling = argument.to_string().replace('|', "\\|");
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(
            page,
            "| `{spelling}` | {} | {} |",
            defaults.join(" "),
            help.replace('|', "\\|")
        );
    }
    for subcommand in subcommands {
        describe(page, subcommand, &name);
    }
}

#[test]
fn metrics() {
    let metrics = flow::Metrics::default();
    let _ = server::Measures::register(&metrics);
    let mut page = format!(
        "# Metrics\n\n{NOTE}`/metrics` is OpenMetrics text, which Prometheus scrapes; it needs a bearer token. \
         No label contains patient data, message data or a request path as sent.\n\n\
         | name | kind | description |\n|---|---|---|\n"
    );
    for metric in metrics.described() {
        let (ending, kind) = match metric.kind {
            MetricType::Counter => ("_total", "counter"),
            MetricType::Gauge => ("", "gauge"),
            MetricType::Histogram => ("", "histogram"),
            MetricType::Info | MetricType::Unknown => ("", "unknown"),
        };
        let (prefix, name) = (flow::metrics::PREFIX, metric.name);
        let _ = writeln!(
            page,
            "| `{prefix}_{name}{ending}` | {kind} | {} |",
            metric.what
        );
    }
    assert_current("metrics.md", &page);
}

#[test]
fn capability_statement() {
    let statement = server::capability_statement("[base]").to_bytes();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    let rest = &statement["rest"][0];
    let mut page = format!(
        "# The FHIR API\n\n{NOTE}The content of `GET /fhir/metadata` as a page: {}. The guide for app developers explains how to use it.\n\n",
        words(rest, "interaction", "code")
    );
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for resource in items(rest, "resource") {
        let mut can = words(resource, "interaction", "code");
        for (name, value) in resource.as_object().unwrap() {
            if name.starts_with("conditional") || name == "updateCreate" {
                let value = value.to_string().replace('"', "");
                let _ = write!(can, ", {name} {value}");
            }
        }
        let operations = words(resource, "operation", "name");
        if !operations.is_empty() {
            let _ = write!(can, ", operations ${}", operations.replace(", ", ", $"));
        }
        alike.entry(can).or_default().push(text(resource, "type"));
    }
    page.push_str("| types | interactions |\n|---|---|\n");
    let most = alike.values().map(Vec::len).max();
    for (can, types) in &alike {
        let types = if Some(types.len()) == most {
            format!("every other ({})", types.len())
        } else {
            types.join(" ")
        };
        let _ = writeln!(page, "| {types} | {can} |");
    }
    page.push_str("\n## Search parameters\n\nEvery type also has the parameters listed under *Resource*.\n\n| type | parameters |\n|---|---|\n");
    let of = |resource: &Value| -> BTreeSet<String> {
        let params = items(resource, "searchParam").iter();
        params
            .map(|param| format!("{} ({})", text(param, "name"), text(param, "type")))
            .collect()
    };
    let shared = items(rest, "resource")
        .iter()
        .map(of)
        .reduce(|all, own| all.intersection(&own).cloned().collect())
        .unwrap_or_default();
    let list = |params: &BTreeSet<String>| params.iter().cloned().collect::<Vec<_>>().join(", ");
    let _ = writeln!(page, "| *Resource* | {} |", list(&shared));
    for resource in items(rest, "resource") {
        let own: BTreeSet<String> = of(resource).difference(&shared).cloned().collect();
        let _ = writeln!(page, "| {} | {} |", text(resource, "type"), list(&own));
    }
    assert_current("fhir.md", &page);
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn words(value: &Value, list: &str, name: &str) -> String {
    let words: Vec<&str> = items(value, list)
        .iter()
        .map(|item| text(item, name))
        .collect();
    words.join(", ")
}

/// The page lists every key that the program accepts, and no other.
#[test]
fn configuration() {
    let page = std::fs::read_to_string(page_at("configuration.md")).unwrap();
    let mut documented = BTreeSet::new();
    let mut before = "";
    for line in page.lines() {
        if line.starts_with("Each `[[flow]]`") {
            before = "flow.";
        }
        let Some(cell) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split(" |").next())
        else {
            continue;
        };
        // `refusals.header`, `.no_map` means two keys of one table.
        let mut table = "";
        for key in cell.split(", ") {
            let key = key.trim_matches('`');
            let key = if let Some(last) = key.strip_prefix('.') {
                format!("{before}{table}.{last}")
            } else {
                table = key.rsplit_once('.').map_or("", |(table, _)| table);
                format!("{before}{key}")
            };
            documented.insert(key);
        }
    }
    let mut taken = BTreeSet::new();
    keys("", &mut taken);
    let missing: Vec<_> = taken.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&taken).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "docs/reference/configuration.md lacks {missing:?} and has {unknown:?}, which the program does not accept"
    );
}

/// Collects the keys below `table` from the error that the program gives for an unknown key.
fn keys(table: &str, found: &mut BTreeSet<String>) {
    let head = match table.split_once('.') {
        _ if table.is_empty() => String::new(),
        None if table == "flow" => "[[flow]]\n".to_owned(),
        Some(("flow", below)) => format!("[[flow]]\n[flow.{below}]\n"),
        None | Some(_) => format!("[{table}]\n"),
    };
    let Err(error) = toml::from_str::<Config>(&format!("{head}no_such_key = 1\n")) else {
        return;
    };
    let message = error.message();
    let Some(list) = message.split_once("expected").map(|(_, list)| list) else {
        return;
    };
    // An enum value has variants without keys of their own.
    let is_field = message.starts_with("unknown field");
    if !is_field && !message.starts_with("unknown variant") {
        return;
    }
    for name in list.split('`').skip(1).step_by(2) {
        let path = if table.is_empty() {
            name.to_owned()
        } else {
            format!("{table}.{name}")
        };
        let n_before = found.len();
        keys(&path, found);
        if is_field && found.len() == n_before {
            found.insert(path);
        }
    }
}
