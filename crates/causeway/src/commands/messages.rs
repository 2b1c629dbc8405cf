//! `causeway messages`: asks the running server.

use crate::cli::{Format, Messages, MessagesAction};
use crate::failure::Failure;
use crate::http::Http;
use crate::table::Table;
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn run(args: &Messages) -> Result<ExitCode, Failure> {
    let http = Http::of(&args.server)?;
    match &args.action {
        MessagesAction::List {
            flow,
            state,
            message_type,
            control_id,
            count,
        } => {
            let named = [
                ("flow", flow.as_deref()),
                ("state", state.as_deref()),
                ("type", message_type.as_deref()),
                ("control_id", control_id.as_deref()),
            ];
            let mut query = format!("count={count}");
            for (name, value) in named {
                if let Some(value) = value {
                    query = format!("{query}&{name}={}", encode(value));
                }
            }
            list(
                args.server.format,
                &Http::expect(http.get(&format!("/api/messages?{query}"))?)?,
            )
        }
        MessagesAction::Show { sequence, path } => {
            let text = Http::expect(http.get(&format!("/api/messages/{sequence}"))?)?;
            show(args.server.format, &text, path.as_deref())
        }
        MessagesAction::Replay { sequences } => each(&http, "replay", sequences),
        MessagesAction::Release { sequences } => each(&http, "release", sequences),
    }
}

fn list(format: Format, text: &str) -> Result<ExitCode, Failure> {
    let answer = parse(text)?;
    if format == Format::Json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&[
        "number",
        "received",
        "flow",
        "type",
        "control id",
        "state",
        "issues",
        "reason",
    ]);
    for row in answer
        .get("messages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        table.row(
            [
                "sequence",
                "received",
                "flow",
                "type",
                "controlId",
                "state",
                "issues",
                "reason",
            ]
            .map(|name| cell(row.get(name))),
        );
    }
    print!("{table}");
    Ok(ExitCode::SUCCESS)
}

fn show(format: Format, text: &str, path: Option<&str>) -> Result<ExitCode, Failure> {
    let answer = parse(text)?;
    let raw = answer.get("raw").and_then(Value::as_str).unwrap_or("");
    if let Some(path) = path {
        let parsed = hl7v2::Path::parse(path)
            .map_err(|error| Failure::usage(format!("`{path}` is no path: {error}")))?;
        let message = hl7v2::Message::parse(raw.as_bytes().to_vec());
        for piece in message.get_all(&parsed) {
            println!("{}", piece.text());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if format == Format::Json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    for name in [
        "sequence",
        "received",
        "flow",
        "connection",
        "type",
        "controlId",
        "state",
        "reason",
        "issues",
        "mapVersion",
    ] {
        println!("{name:12} {}", cell(answer.get(name)));
    }
    println!("\n{}", raw.replace('\r', "\n").trim_end());
    if let Some(acknowledgement) = answer
        .pointer("/acknowledgement/raw")
        .and_then(Value::as_str)
    {
        println!(
            "\nanswered:\n{}",
            acknowledgement.replace('\r', "\n").trim_end()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn each(http: &Http, action: &str, sequences: &[u64]) -> Result<ExitCode, Failure> {
    let mut all_done = true;
    for sequence in sequences {
        let answer = http.post(&format!("/api/messages/{sequence}/{action}"), b"")?;
        all_done &= (200..300).contains(&answer.status);
        println!("{}", answer.text);
    }
    Ok(if all_done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

pub(crate) fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::failed(format!("the server's answer is no JSON: {error}")))
}

/// One value as a table shows it.
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(b).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
