//! `causeway flows`: asks the running server.

use super::messages::{cell, parse};
use crate::cli::{Flows, FlowsAction, Format};
use crate::failure::Failure;
use crate::http::Http;
use crate::input;
use crate::table::Table;
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn run(args: &Flows) -> Result<ExitCode, Failure> {
    let http = Http::of(&args.server)?;
    match &args.action {
        FlowsAction::List => list(args.server.format, &Http::expect(http.get("/api/flows")?)?),
        FlowsAction::Stop { flows } => each(&http, "stop", flows),
        FlowsAction::Start { flows } => each(&http, "start", flows),
        FlowsAction::DryRun { flow, file } => {
            let body = input::read(file)?;
            let text = Http::expect(http.post(&format!("/api/flows/{flow}/dry-run"), &body)?)?;
            dry_run(args.server.format, &text)
        }
    }
}

fn list(format: Format, text: &str) -> Result<ExitCode, Failure> {
    let answer = parse(text)?;
    if format == Format::Json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [
        "name",
        "state",
        "address",
        "connections",
        "received",
        "applied",
        "waiting",
        "held",
        "needsAttention",
        "lastReceived",
    ];
    let mut table = Table::new(&columns);
    for row in answer
        .get("flows")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        table.row(columns.map(|name| cell(row.get(name))));
    }
    print!("{table}");
    Ok(ExitCode::SUCCESS)
}

fn each(http: &Http, action: &str, flows: &[String]) -> Result<ExitCode, Failure> {
    for flow in flows {
        let answer = http.post(&format!("/api/flows/{flow}/{action}"), b"")?;
        println!("{}", Http::expect(answer)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn dry_run(format: Format, text: &str) -> Result<ExitCode, Failure> {
    let answer = parse(text)?;
    if format == Format::Json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(reason) = answer.get("refused").and_then(Value::as_str) {
        println!("refused: {reason}");
    }
    for change in answer
        .get("changes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let id = change.get("id").and_then(Value::as_str).unwrap_or("(new)");
        println!("{} {id}", cell(change.get("resourceType")));
        for (name, lines) in [
            ("before", change.get("before")),
            ("after", change.get("after")),
        ] {
            if let Some(value) = lines.filter(|value| !value.is_null()) {
                println!("  {name}: {value}");
            }
        }
    }
    for issue in answer
        .get("issues")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        println!("issue: {}", cell(Some(issue)));
    }
    Ok(ExitCode::SUCCESS)
}
