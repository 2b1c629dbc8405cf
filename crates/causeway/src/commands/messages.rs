//! `causeway messages`: queries and controls messages on the running server.

use super::ask;
use crate::cli::{Format, Messages, MessagesAction, Which};
use crate::failure::Failure;
use crate::http::Http;
use crate::input;
use crate::table::Table;
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn run(args: &Messages) -> Result<ExitCode, Failure> {
    let http = Http::of(&args.server)?;
    match &args.action {
        MessagesAction::List {
            which,
            control_id,
            count,
        } => {
            let query = query(which, control_id.as_deref());
            list(
                args.server.format,
                &Http::expect(http.get(&format!("/api/messages?count={count}{query}"))?)?,
            )
        }
        MessagesAction::Show { sequence, path } => {
            let text = Http::expect(http.get(&format!("/api/messages/{sequence}"))?)?;
            show(args.server.format, &text, path.as_deref())
        }
        MessagesAction::Replay {
            sequences,
            which,
            reason,
        } if sequences.is_empty() => replay_all(&http, &query(which, None), reason),
        MessagesAction::Replay {
            sequences, reason, ..
        } => each(&http, &with_reason("replay", reason), sequences),
        MessagesAction::Release { sequences } => each(&http, "release", sequences),
        MessagesAction::Hold { sequences, reason } => {
            each(&http, &with_reason("hold", reason), sequences)
        }
        MessagesAction::Skip { sequences, reason } => {
            each(&http, &with_reason("skip", reason), sequences)
        }
        MessagesAction::Settle { sequences, reason } => {
            each(&http, &with_reason("settle", reason), sequences)
        }
        MessagesAction::Edit {
            sequence,
            file,
            flow,
            reason,
        } => {
            let body = input::read(file)?;
            let flow = flow
                .as_deref()
                .map(|flow| format!("&flow={}", encode(flow)));
            let action = format!(
                "{}{}",
                with_reason("edit", reason),
                flow.unwrap_or_default()
            );
            let answer = http.post(&format!("/api/messages/{sequence}/{action}"), &body)?;
            println!("{}", Http::expect(answer)?);
            Ok(ExitCode::SUCCESS)
        }
        MessagesAction::Redirect {
            sequences,
            flow,
            reason,
        } => {
            let action = format!("{}&flow={}", with_reason("redirect", reason), encode(flow));
            each(&http, &action, sequences)
        }
    }
}

/// Builds an action with its reason, such as `skip?reason=sent%20twice`.
fn with_reason(action: &str, reason: &str) -> String {
    format!("{action}?reason={}", encode(reason))
}

/// Builds the query of a filter, such as `&flow=adt&state=held`.
fn query(which: &Which, control_id: Option<&str>) -> String {
    let named = [
        ("flow", which.flow.as_deref()),
        ("state", which.state.as_deref()),
        ("type", which.message_type.as_deref()),
        ("from", which.from.as_deref()),
        ("until", which.until.as_deref()),
        ("control_id", control_id),
    ];
    let given = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("&{name}={}", encode(value?))));
    given.collect()
}

/// Replays every message that currently matches the query, oldest first.
fn replay_all(http: &Http, query: &str, reason: &str) -> Result<ExitCode, Failure> {
    let mut sequences = Vec::new();
    let mut before = String::new();
    loop {
        let page = http.get(&format!("/api/messages?count=1000{query}{before}"))?;
        let page = parse(&Http::expect(page)?)?;
        let rows = page.get("messages").and_then(Value::as_array);
        let numbers = rows.into_iter().flatten();
        sequences.extend(numbers.filter_map(|row| row.get("sequence")?.as_u64()));
        match page.get("next").and_then(Value::as_u64) {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    sequences.reverse();
    let n_all = sequences.len();
    eprintln!(
        "{n_all} message{} to replay",
        if n_all == 1 { "" } else { "s" }
    );
    let reason = match n_all {
        0 => reason.to_owned(),
        _ => ask::reason(reason)?,
    };
    let action = with_reason("replay", &reason);
    let mut n_failed = 0;
    for (idx, sequence) in sequences.into_iter().enumerate() {
        let answer = http.post(&format!("/api/messages/{sequence}/{action}"), b"")?;
        if !(200..300).contains(&answer.status) {
            n_failed += 1;
            eprintln!("{sequence}: {}", answer.text);
        }
        if (idx + 1) % 100 == 0 || idx + 1 == n_all {
            eprintln!("{} of {n_all}", idx + 1);
        }
    }
    println!(
        "{{\"replayed\":{},\"failed\":{n_failed}}}",
        n_all - n_failed
    );
    Ok(if n_failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
    for row in list_of(&answer, "messages") {
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
            .map_err(|error| Failure::usage(format!("`{path}` is not a path: {error}")))?;
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
    for finding in list_of(&answer, "findings") {
        let text = |name| cell(finding.get(name));
        println!(
            "\n{} {}: {}\n  {}",
            text("severity"),
            text("place"),
            text("reason"),
            text("remedy")
        );
    }
    let replays = answer.get("replays").and_then(Value::as_array);
    for replay in replays.into_iter().flatten() {
        let part = |name: &str| cell(replay.get(name));
        let became = match part("detail").as_str() {
            "" => "in progress".to_owned(),
            detail => detail.to_owned(),
        };
        println!(
            "{:12} {} by {}: {became}",
            "replay",
            part("requested"),
            part("by")
        );
    }
    println!("\n{}", raw.replace('\r', "\n").trim_end());
    if let Some(acknowledgement) = answer
        .pointer("/acknowledgement/raw")
        .and_then(Value::as_str)
    {
        println!(
            "\nacknowledgement:\n{}",
            acknowledgement.replace('\r', "\n").trim_end()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn list_of<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = answer.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
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
        .map_err(|error| Failure::failed(format!("the server's response is not JSON: {error}")))
}

/// Formats a value as a table cell.
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(b).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
