//! `causeway flows`: queries and controls flows on the running server.

use super::ask;
use super::messages::{cell, encode, parse};
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
        FlowsAction::Stop { flows, reason } => stop(&http, flows, reason),
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
        "sender",
        "state",
        "feed",
        "feedSince",
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

/// Stops flows, after printing what that affects and obtaining the reason.
fn stop(http: &Http, flows: &[String], reason: &str) -> Result<ExitCode, Failure> {
    let text = Http::expect(http.get("/api/flows")?)?;
    let known = parse(&text)?;
    let known = known.get("flows").and_then(Value::as_array);
    let find = |name: &String| {
        let mut rows = known.into_iter().flatten();
        rows.find(|row| row.get("name").and_then(Value::as_str) == Some(name))
    };
    for name in flows {
        let row = find(name).ok_or_else(|| {
            Failure::failed(format!(
                "there is no flow `{name}`; `causeway flows list` lists the flows"
            ))
        })?;
        eprintln!(
            "{name}: {} connections end, {} messages in progress are finished, new ones are refused until the flow is started",
            cell(row.get("connections")),
            cell(row.get("waiting"))
        );
    }
    let reason = ask::reason(reason)?;
    each(http, &format!("stop?reason={}", encode(&reason)), flows)
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
    if let Some(sequence) = answer.get("repeats").and_then(Value::as_u64) {
        println!(
            "the same message was received before as {sequence}: within the window for repeats, nothing would be done"
        );
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
